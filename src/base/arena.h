/* Many small things that live and die together: a plan's strings, a summary.
 *
 * Memory is zeroed, aligned for any type, and freed all at once. Nothing in an
 * arena is freed alone. Not thread-safe. Out of memory aborts (see mem.h). */
#ifndef ROIBENCH_BASE_ARENA_H
#define ROIBENCH_BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *arena, const char *text) __attribute__((returns_nonnull));
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((returns_nonnull, format(printf, 2, 3)));

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), 1, sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_alloc((arena), (count), sizeof(type)))

#endif
