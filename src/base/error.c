#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char ELLIPSIS[] = "...";

/* Ends a cut text in "...", without leaving half a UTF-8 character before it. */
static void error_mark_cut(char *text)
{
    size_t at = ERROR_TEXT_MAX - sizeof ELLIPSIS;

    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    memcpy(text + at, ELLIPSIS, sizeof ELLIPSIS);
}

/* Appends to a text of `length` bytes; returns the new length, ERROR_TEXT_MAX when it was cut. */
static size_t error_append(char *text, size_t length, const char *format, va_list arguments)
{
    if (length >= ERROR_TEXT_MAX)
        return ERROR_TEXT_MAX;

    int written = vsnprintf(text + length, ERROR_TEXT_MAX - length, format, arguments);

    if (written < 0)
        return length;
    if ((size_t)written < ERROR_TEXT_MAX - length)
        return length + (size_t)written;
    error_mark_cut(text);
    return ERROR_TEXT_MAX;
}

__attribute__((format(printf, 3, 4))) static size_t error_append_format(char *text, size_t length, const char *format,
                                                                        ...)
{
    va_list arguments;

    va_start(arguments, format);
    length = error_append(text, length, format, arguments);
    va_end(arguments);
    return length;
}

int error_set(struct error *err, enum error_class class, const char *format, ...)
{
    char text[ERROR_TEXT_MAX] = ""; /* the arguments may be the old text */
    va_list arguments;

    if (!err)
        return -1;
    va_start(arguments, format);
    error_append(text, 0, format, arguments);
    va_end(arguments);
    err->class = class;
    memcpy(err->text, text, sizeof text);
    return -1;
}

int error_set_errno(struct error *err, enum error_class class, int errno_value, const char *format, ...)
{
    char text[ERROR_TEXT_MAX] = "", reason[128];
    va_list arguments;

    if (!err)
        return -1;
    va_start(arguments, format);
    size_t length = error_append(text, 0, format, arguments);
    va_end(arguments);
    error_append_format(text, length, ": %s", strerror_r(errno_value, reason, sizeof reason));
    err->class = class;
    memcpy(err->text, text, sizeof text);
    return -1;
}

int error_wrap(struct error *err, const char *format, ...)
{
    char text[ERROR_TEXT_MAX] = "";
    va_list arguments;

    if (!err)
        return -1;
    va_start(arguments, format);
    size_t length = error_append(text, 0, format, arguments);
    va_end(arguments);
    error_append_format(text, length, ": %s", err->text);
    memcpy(err->text, text, sizeof text);
    return -1;
}

int error_reclass(struct error *err, enum error_class class)
{
    if (err)
        err->class = class;
    return -1;
}
