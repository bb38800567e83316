/* A thread that is started here takes no signal, and whoever started it goes on taking them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/thread.h"

static void *look_at_mask(void *mask)
{
    pthread_sigmask(SIG_BLOCK, NULL, mask);
    return mask;
}

static void test_signals_are_left_to_the_caller(void **state)
{
    sigset_t mask, ours;
    pthread_t thread;
    void *result;
    (void)state;
    assert_int_equal(thread_start(&thread, look_at_mask, &mask), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &mask);
    pthread_sigmask(SIG_BLOCK, NULL, &ours);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    for (size_t k = 0; k < sizeof signals / sizeof *signals; k++) {
        assert_int_equal(sigismember(&mask, signals[k]), 1);
        assert_int_equal(sigismember(&ours, signals[k]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_are_left_to_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
