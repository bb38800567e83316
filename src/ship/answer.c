#include "ship/answer.h"

#include <ctype.h>
#include <string.h>

bool answer_is_passing(const struct http_response *response)
{
    const int status = response->status;

    /* Of an upload that broke off, the status may be that of 100 Continue. */
    if (response->trouble != HTTP_FINE)
        return response->trouble == HTTP_CONNECT || response->trouble == HTTP_TIMEOUT || response->trouble == HTTP_BROKEN ||
               response->trouble == HTTP_DNS;
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

void answer_note(const struct http_response *response, struct delivery *delivery)
{
    delivery->passing = answer_is_passing(response);
    delivery->retry_after_ns = response->retry_after_ns;
}

void answer_words(const char *text, char *shown, size_t size)
{
    bool in_tag = false, gap = false;
    size_t length = 0;

    for (const char *c = text; *c && length + 2 < size; c++) {
        const bool tag = in_tag || *c == '<';

        in_tag = tag && *c != '>';
        if (tag || isspace((unsigned char)*c)) {
            gap = length > 0;
            continue;
        }
        if (gap)
            shown[length++] = ' ';
        gap = false;
        shown[length++] = *c > ' ' && *c < 0x7f ? *c : '?';
    }
    shown[length] = '\0';
}

long archive_source_read(void *context, char *bytes, size_t size)
{
    struct archive_source *source = context;

    return archive_stream_read(source->stream, bytes, size, &source->err);
}

int answer_take(int result, const struct archive_source *source, const struct http_response *response, struct delivery *delivery, struct error *err)
{
    if (source->err.class != ERROR_NONE) {
        if (err)
            *err = source->err;
        return error_reclass(err, ERROR_PUBLISH);
    }
    answer_note(response, delivery);
    if (result < 0)
        return error_reclass(err, ERROR_PUBLISH);
    delivery->status = response->status;
    memcpy(delivery->etag, response->etag, sizeof delivery->etag);
    return 0;
}
