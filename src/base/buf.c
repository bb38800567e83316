#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Makes room for `length` more bytes and the NUL. */
static int buf_reserve(struct buf *buf, size_t length)
{
    if (buf->len > buf->max || length > buf->max - buf->len || buf->len + length == SIZE_MAX) {
        buf->overflowed = true;
        return -1;
    }

    size_t needed = buf->len + length + 1;

    if (needed <= buf->cap)
        return 0;

    size_t grown = buf->cap > SIZE_MAX / 2 ? needed : buf->cap * 2;

    if (grown < 64)
        grown = 64;
    if (grown > buf->max && buf->max < SIZE_MAX)
        grown = buf->max + 1;
    if (grown < needed)
        grown = needed;
    buf->data = mem_realloc(buf->data, grown, 1);
    buf->cap = grown;
    return 0;
}

int buf_append(struct buf *buf, const void *bytes, size_t length)
{
    if (buf_reserve(buf, length) < 0)
        return -1;
    if (length > 0)
        memcpy(buf->data + buf->len, bytes, length);
    buf->len += length;
    buf->data[buf->len] = '\0';
    return 0;
}

int buf_append_text(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

int buf_append_char(struct buf *buf, char c)
{
    return buf_append(buf, &c, 1);
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int result = buf_vprintf(buf, format, arguments);
    va_end(arguments);
    return result;
}

int buf_vprintf(struct buf *buf, const char *format, va_list arguments)
{
    va_list again;

    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) {
        buf->overflowed = true;
        return -1;
    }
    if (buf_reserve(buf, (size_t)length) < 0)
        return -1;
    vsnprintf(buf->data + buf->len, (size_t)length + 1, format, arguments);
    buf->len += (size_t)length;
    return 0;
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->overflowed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = buf->cap = 0;
    buf->overflowed = false;
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

char *buf_steal(struct buf *buf)
{
    char *text = buf->data ? buf->data : mem_strdup("");

    buf->data = NULL;
    buf_free(buf);
    return text;
}
