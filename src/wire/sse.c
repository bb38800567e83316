#include "wire/sse.h"

#include <string.h>

#define FIELD_MAX 16 /* what a line may hold beside its value: "data: ", a byte order mark */
#define LINE_MAX_BYTES (SSE_EVENT_MAX + FIELD_MAX)

/* Bytes of the piece being fed, or of sse->line; no copy. */
struct view {
    const char *bytes;
    size_t length;
};

void sse_init(struct sse *sse, sse_event event, void *context)
{
    *sse = (struct sse){
        .event = event,
        .context = context,
        .data = BUF_INIT(SSE_EVENT_MAX),
        .line = BUF_INIT(LINE_MAX_BYTES),
    };
}

void sse_reset(struct sse *sse)
{
    buf_reset(&sse->data);
    buf_reset(&sse->line);
    sse->has_data = sse->skip_lf = sse->begun = false;
}

void sse_free(struct sse *sse)
{
    buf_free(&sse->data);
    buf_free(&sse->line);
}

/* The data line that was only looked at so far goes into the buffer, since its bytes will not stay. */
static int keep_data(struct sse *sse, struct view *direct)
{
    if (!direct->bytes)
        return 0;
    struct view view = *direct;
    *direct = (struct view){NULL, 0};
    return buf_append(&sse->data, view.bytes, view.length);
}

static int add_data(struct sse *sse, struct view value, bool stays, struct view *direct)
{
    if (value.length > SSE_EVENT_MAX)
        return -1;
    if (!sse->has_data && stays) {
        sse->has_data = true;
        *direct = value;
        return 0;
    }
    if (keep_data(sse, direct) < 0)
        return -1;
    if (sse->has_data && buf_append_char(&sse->data, '\n') < 0)
        return -1;
    sse->has_data = true;
    return buf_append(&sse->data, value.bytes, value.length);
}

static int end_event(struct sse *sse, struct view *direct)
{
    if (!sse->has_data)
        return 0;
    struct view event = *direct;
    if (!event.bytes)
        event = (struct view){buf_text(&sse->data), sse->data.len};
    *direct = (struct view){NULL, 0};
    sse->has_data = false;
    int result = sse->event(sse->context, event.bytes, event.length);
    buf_reset(&sse->data);
    return result;
}

static struct view without_byte_order_mark(struct view line)
{
    if (line.length >= 3 && memcmp(line.bytes, "\xEF\xBB\xBF", 3) == 0)
        return (struct view){line.bytes + 3, line.length - 3};
    return line;
}

/* `stays`: the line's bytes live until the end of sse_feed. */
static int take_line(struct sse *sse, struct view line, bool stays, struct view *direct)
{
    if (line.length > LINE_MAX_BYTES)
        return -1;
    if (!sse->begun)
        line = without_byte_order_mark(line);
    sse->begun = true;
    if (line.length == 0)
        return end_event(sse, direct);
    if (line.length < 4 || memcmp(line.bytes, "data", 4) != 0)
        return 0;
    struct view value = {line.bytes + 4, line.length - 4};
    if (value.length == 0)
        return add_data(sse, value, stays, direct);
    if (value.bytes[0] != ':')
        return 0;
    size_t skip = value.length > 1 && value.bytes[1] == ' ' ? 2 : 1;
    return add_data(sse, (struct view){value.bytes + skip, value.length - skip}, stays, direct);
}

/* The first such byte, or `end`. */
static const char *find(const char *bytes, const char *end, char byte)
{
    const char *found = memchr(bytes, byte, (size_t)(end - bytes));
    return found ? found : end;
}

/* One line whose end is in this piece, the begin of it perhaps in sse->line. */
static int finish_line(struct sse *sse, struct view tail, struct view *direct)
{
    if (sse->line.len == 0)
        return take_line(sse, tail, true, direct);
    if (buf_append(&sse->line, tail.bytes, tail.length) < 0)
        return -1;
    int result = take_line(sse, (struct view){sse->line.data, sse->line.len}, false, direct);
    buf_reset(&sse->line);
    return result;
}

static int feed_lines(struct sse *sse, const char *bytes, size_t length, struct view *direct)
{
    const char *end = bytes + length, *lf = NULL;
    while (bytes < end) {
        if (sse->skip_lf) {
            sse->skip_lf = false;
            if (*bytes == '\n') {
                bytes++;
                continue;
            }
        }
        /* Looked for again only behind the last one: there may be none, and a million lines that end in CR. */
        if (!lf || lf < bytes)
            lf = find(bytes, end, '\n');
        const char *line_end = find(bytes, lf, '\r');
        if (line_end == end)
            return buf_append(&sse->line, bytes, (size_t)(end - bytes));
        sse->skip_lf = *line_end == '\r';
        int result = finish_line(sse, (struct view){bytes, (size_t)(line_end - bytes)}, direct);
        if (result != 0)
            return result;
        bytes = line_end + 1;
    }
    return 0;
}

int sse_feed(struct sse *sse, const char *bytes, size_t length)
{
    struct view direct = {NULL, 0};
    int result = feed_lines(sse, bytes, length, &direct);
    return result != 0 ? result : keep_data(sse, &direct);
}
