/* Let go where you take hold: attributes that free at the end of the scope.
 *
 *     cleanup_free char *text = mem_strdup("x");
 *     cleanup_close int fd = open(...);
 *     return steal_pointer(&text);     // hands it out and leaves NULL behind
 */
#ifndef ROIBENCH_BASE_CLEANUP_H
#define ROIBENCH_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_pointer(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_fclose_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

#define cleanup_free __attribute__((cleanup(cleanup_free_pointer)))
#define cleanup_close __attribute__((cleanup(cleanup_close_fd)))
#define cleanup_fclose __attribute__((cleanup(cleanup_fclose_file)))

/* Moves a pointer out of a cleanup variable. */
#define steal_pointer(pointer)                           \
    __extension__({                                      \
        __auto_type steal_value = *(pointer);            \
        *(pointer) = NULL;                               \
        steal_value;                                     \
    })

/* Declares `cleanup_<name>` for a type with a destructor `<free_function>(type *)`. */
#define CLEANUP_DEFINE(type, free_function)                                  \
    static inline void cleanup_call_##free_function(type **pointer)         \
    {                                                                        \
        if (*pointer)                                                        \
            free_function(*pointer);                                         \
    }
#define cleanup_with(free_function) __attribute__((cleanup(cleanup_call_##free_function)))

#endif
