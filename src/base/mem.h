/* Memory that is never NULL.
 *
 * A process that needs a few megabytes and cannot get them has nothing better
 * to do than to stop: what was measured is on disk (streams are closed every
 * second), so these functions print one line and abort() when memory is out.
 * Sizes that a peer, a file or a user decides must be checked against a named
 * ceiling before they come here; products are checked for overflow here. */
#ifndef ROIBENCH_BASE_MEM_H
#define ROIBENCH_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));              /* zeroed */
void *mem_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *mem_realloc(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *text, size_t length) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *format, ...) __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* For what is large, on the stack, and written before it is read: we compile with -ftrivial-auto-var-init=zero. */
#define MEM_UNINITIALIZED __attribute__((uninitialized))

/* Grows an array by doubling so that it holds at least `needed` items. */
#define MEM_GROW(array, capacity, needed)                                                     \
    do {                                                                                      \
        if ((capacity) < (needed)) {                                                          \
            size_t mem_grow_new = (capacity) < 8 ? 8 : (capacity) * 2;                        \
            if (mem_grow_new < (needed))                                                      \
                mem_grow_new = (needed);                                                      \
            (array) = mem_realloc((array), mem_grow_new, sizeof *(array));                    \
            (capacity) = mem_grow_new;                                                        \
        }                                                                                     \
    } while (0)

#endif
