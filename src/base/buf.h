/* A growing byte string with a ceiling.
 *
 * data is always NUL-terminated behind len (unless nothing was ever added:
 * then data is NULL, use buf_text), so that it serves as a C string.
 * An append that would pass `max` adds nothing, sets `overflowed` and returns
 * -1; whoever fills a buffer from a peer checks the return, whoever formats
 * text of known size may check `overflowed` once at the end. */
#ifndef ROIBENCH_BASE_BUF_H
#define ROIBENCH_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len, cap, max;
    bool overflowed;
};

#define BUF_INIT(ceiling) ((struct buf){.max = (ceiling)})

int buf_append(struct buf *buf, const void *bytes, size_t length);
int buf_append_text(struct buf *buf, const char *text);
int buf_append_char(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *buf, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* Empties, keeps the memory. */
void buf_reset(struct buf *buf);
void buf_free(struct buf *buf);

/* Never NULL: "" for an empty buffer. Owned by the buffer. */
const char *buf_text(const struct buf *buf);

/* Hands the memory out (free()); never NULL; the buffer is empty afterwards. */
char *buf_steal(struct buf *buf);

#define cleanup_buf __attribute__((cleanup(buf_free)))

#endif
