#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void mem_give_up(size_t count, size_t size)
{
    fprintf(stderr, "roibench: out of memory (%zu x %zu bytes)\n", count, size);
    abort();
}

void *mem_alloc(size_t size)
{
    return mem_calloc(1, size);
}

void *mem_calloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);

    if (!memory)
        mem_give_up(count, size);
    return memory;
}

void *mem_realloc(void *old, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        mem_give_up(count, size);

    void *memory = realloc(old, bytes ? bytes : 1);

    if (!memory)
        mem_give_up(count, size);
    return memory;
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t length)
{
    size_t used = strnlen(text, length);

    if (used == SIZE_MAX)
        mem_give_up(1, used);

    char *copy = mem_alloc(used + 1);

    memcpy(copy, text, used);
    return copy;
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0 || !text)
        mem_give_up(1, 0);
    return text;
}
