/* The captured responses under tests/data/wire, and what they hold. Fails the running test when a file is missing. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_CAPTURES_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_CAPTURES_H

#include <stddef.h>

#include "base/buf.h"
#include "wire/sse.h"

#define CAPTURES_FOLDER "tests/data/wire"
#define CAPTURE_MAX ((size_t)1 << 20)

/* The bytes fed so far end inside an event or a line. */
bool stream_is_cut(const struct sse *sse);

/* Whole file; path from the top of the repository. buf_free it. */
struct buf capture_read(const char *path);
/* Without the head and the chunk framing; *status may be NULL. */
struct buf capture_read_body(const char *path, int *status);

/* Paths of all captures, sorted. captures_free it. */
struct captures {
    char **paths;
    size_t count;
};
struct captures captures_list(void);
void captures_free(struct captures *captures);

/* The data of the events of a stream, one behind the other. */
struct events {
    struct buf bytes;
    size_t *ends;
    size_t count, capacity;
};
struct events events_new(void);
void events_free(struct events *events);
/* An sse_event; context is a struct events. */
int events_add(void *context, const char *data, size_t length);
const char *events_data(const struct events *events, size_t index, size_t *length);

#endif
