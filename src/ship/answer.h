/* Inside of ship/: what destinations over HTTP have in common. */
#ifndef ROIBENCH_SHIP_ANSWER_H
#define ROIBENCH_SHIP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "net/http_client.h"
#include "ship/archive.h"
#include "ship/destination.h"

/* A status, or none, after which the same may go well a little later. */
bool answer_is_passing(const struct http_response *response);
/* delivery->passing and ->retry_after_ns. */
void answer_note(const struct http_response *response, struct delivery *delivery);
/* A server's text as one line: without the tags of HTML and XML, and without what could play tricks on a terminal. */
void answer_words(const char *text, char *shown, size_t size);

/* The body of a request that an archive is: `read` and `read_context` of struct http_request. */
struct archive_source {
    struct archive_stream *stream;
    struct error err; /* why the stream failed; class ERROR_NONE: it did not */
};
long archive_source_read(void *context, char *bytes, size_t size);
/* What became of such a request, whose sending returned `result`: 0, and the delivery has status and ETag, when a whole answer came. */
int answer_take(int result, const struct archive_source *source, const struct http_response *response, struct delivery *delivery, struct error *err);

#endif
