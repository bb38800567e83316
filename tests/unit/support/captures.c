#include "support/captures.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "support/http_body.h"

bool stream_is_cut(const struct sse *sse)
{
    return sse->has_data || sse->line.len > 0;
}

struct buf capture_read(const char *path)
{
    struct buf bytes = BUF_INIT(CAPTURE_MAX);
    struct error err = {0};
    if (file_read(path, &bytes, ERROR_INTERNAL, &err) < 0)
        fail_msg("%s", err.text);
    return bytes;
}

static int append_piece(void *context, const char *bytes, size_t length)
{
    return buf_append(context, bytes, length);
}

struct buf capture_read_body(const char *path, int *status)
{
    struct buf raw = capture_read(path), body = BUF_INIT(CAPTURE_MAX);
    struct http_body http;
    http_body_init(&http, append_piece, &body);
    assert_int_equal(http_body_feed(&http, raw.data, raw.len), 0);
    if (status)
        *status = http.status;
    buf_free(&raw);
    return body;
}

struct captures captures_list(void)
{
    glob_t found;
    assert_int_equal(glob(CAPTURES_FOLDER "/*/*.raw", 0, NULL, &found), 0);
    struct captures captures = {mem_calloc(found.gl_pathc, sizeof(char *)), found.gl_pathc};
    for (size_t i = 0; i < found.gl_pathc; i++)
        captures.paths[i] = mem_strdup(found.gl_pathv[i]);
    globfree(&found);
    return captures;
}

void captures_free(struct captures *captures)
{
    for (size_t i = 0; i < captures->count; i++)
        free(captures->paths[i]);
    free(captures->paths);
}

struct events events_new(void)
{
    return (struct events){.bytes = BUF_INIT(CAPTURE_MAX)};
}

void events_free(struct events *events)
{
    buf_free(&events->bytes);
    free(events->ends);
}

int events_add(void *context, const char *data, size_t length)
{
    struct events *events = context;
    MEM_GROW(events->ends, events->capacity, events->count + 1);
    if (buf_append(&events->bytes, data, length) < 0)
        return -1;
    events->ends[events->count++] = events->bytes.len;
    return 0;
}

const char *events_data(const struct events *events, size_t index, size_t *length)
{
    size_t start = index > 0 ? events->ends[index - 1] : 0;
    *length = events->ends[index] - start;
    return buf_text(&events->bytes) + start;
}
