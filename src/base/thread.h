/* Threads that leave signals to the thread that started them: that one has the terminal, and waits where a signal must end the waiting. */
#ifndef ROIBENCH_BASE_THREAD_H
#define ROIBENCH_BASE_THREAD_H

#include <pthread.h>

/* 0, or the errno of pthread_create: no thread then. To be joined. */
int thread_start(pthread_t *thread, void *(*work)(void *), void *argument);

#endif
