/* The wish to stop: a signal handler writes it, any thread reads it.
 *
 * Atomic, because `volatile sig_atomic_t` is for a handler and the thread it interrupts only: with several threads that is a data race.
 * Lock-free (checked below), because nothing else may be touched in a handler. Whoever is given one borrows it, and never writes. */
#ifndef ROIBENCH_BASE_STOP_H
#define ROIBENCH_BASE_STOP_H

#include <assert.h>
#include <stdatomic.h>

/* The number of the signal; 0: go on. */
typedef atomic_int stop_flag;

static_assert(ATOMIC_INT_LOCK_FREE == 2, "an int that is always lock-free can be written by a signal handler");

#endif
