#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ARENA_BLOCK_SIZE ((size_t)64 << 10)
/* An item above this gets a block of its own, so that little of a block is wasted. */
#define ARENA_LARGE (ARENA_BLOCK_SIZE / 8)

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    struct arena_block *blocks; /* the first is the one being filled, if any */
    size_t used, size;          /* of that one */
};

struct arena *arena_new(void)
{
    return mem_alloc(sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    for (struct arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

static struct arena_block *arena_new_block(size_t size)
{
    size_t bytes;

    if (__builtin_add_overflow(sizeof(struct arena_block), size, &bytes))
        bytes = SIZE_MAX; /* mem_alloc says that there is no such memory */
    return mem_alloc(bytes);
}

static void *arena_alloc_large(struct arena *arena, size_t size)
{
    struct arena_block *block = arena_new_block(size);

    if (arena->blocks) { /* keep filling the first */
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        arena->blocks = block;
        arena->used = arena->size = size;
    }
    return block->bytes;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    const size_t align = alignof(max_align_t);
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - align)
        return mem_calloc(SIZE_MAX, SIZE_MAX); /* says so and aborts */
    bytes = bytes ? (bytes + align - 1) / align * align : align;
    if (bytes > ARENA_LARGE)
        return arena_alloc_large(arena, bytes);
    if (bytes > arena->size - arena->used) {
        struct arena_block *block = arena_new_block(ARENA_BLOCK_SIZE);

        block->next = arena->blocks;
        arena->blocks = block;
        arena->used = 0;
        arena->size = ARENA_BLOCK_SIZE;
    }

    void *item = arena->blocks->bytes + arena->used;

    arena->used += bytes;
    return item;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(arena_alloc(arena, size, 1), text, size);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);

    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = arena_alloc(arena, size, 1);

    if (length >= 0)
        vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return text;
}
