#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DRAWS 200000

/* The published generators: xoshiro256** from state 1, 2, 3, 4 begins so. */
static void test_is_xoshiro256_star_star(void **state)
{
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    struct random random = {.state = {1, 2, 3, 4}};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_true(random_u64(&random) == expected[i]);
}

/* splitmix64 from 0 begins with these four. */
static void test_is_seeded_by_splitmix(void **state)
{
    static const uint64_t expected[] = {UINT64_C(0xE220A8397B1DCDAF), UINT64_C(0x6E789E6AA1B965F4), UINT64_C(0x06C45D188009454F),
                                        UINT64_C(0xF88BB8A8724C81EC)};
    struct random random;

    (void)state;
    random_seed(&random, 0);
    assert_memory_equal(random.state, expected, sizeof expected);
}

static void test_streams_are_repeatable_and_different(void **state)
{
    struct random a, b;

    (void)state;
    random_derive(&a, 42, "arrivals", 3, 1);
    random_derive(&b, 42, "arrivals", 3, 1);
    assert_memory_equal(&a, &b, sizeof a);
    random_derive(&b, 42, "arrivals", 1, 3);
    assert_memory_not_equal(&a, &b, sizeof a);
    random_derive(&b, 42, "lengths", 3, 1);
    assert_memory_not_equal(&a, &b, sizeof a);
    random_derive(&b, 43, "arrivals", 3, 1);
    assert_memory_not_equal(&a, &b, sizeof a);
}

/* Frozen: a change of these numbers changes every plan that was ever made. */
static void test_draws_are_frozen(void **state)
{
    struct random random;

    (void)state;
    random_derive(&random, 42, "arrivals", 0, 0);
    assert_true(random_u64(&random) == UINT64_C(13939202188511417313));
    assert_true(random_exponential(&random, 1) == 0x1.0dbb512cd9d8cp+1);
    assert_true(random_normal(&random, 0, 1) == 0x1.603084584821p+0);
    assert_true(random_gamma(&random, 0.5, 1) == 0x1.6fb959b5a7f04p-1);
    assert_true(random_lognormal(&random, 1, 1) == 0x1.83e97201437e6p-1);
}

static void test_below_is_in_range_and_even(void **state)
{
    struct random random;
    int counts[7] = {0};

    (void)state;
    random_seed(&random, 1);
    for (int i = 0; i < DRAWS; i++)
        counts[random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_true(abs(counts[i] - DRAWS / 7) < 800); /* 5 standard deviations */
    assert_int_equal(random_below(&random, 1), 0);
    assert_true(random_below(&random, UINT64_MAX) < UINT64_MAX);
}

struct moments {
    double mean, variance, min, max;
};

static struct moments moments_of(double (*draw)(struct random *, double, double), double a, double b)
{
    struct random random;
    struct moments m = {.min = INFINITY, .max = -INFINITY};
    double sum = 0, squares = 0;

    random_seed(&random, 7);
    for (int i = 0; i < DRAWS; i++) {
        const double x = draw(&random, a, b);

        sum += x;
        squares += x * x;
        m.min = fmin(m.min, x);
        m.max = fmax(m.max, x);
    }
    m.mean = sum / DRAWS;
    m.variance = squares / DRAWS - m.mean * m.mean;
    return m;
}

static double draw_uniform(struct random *random, double a, double b)
{
    return a + (b - a) * random_uniform(random);
}

static double draw_exponential(struct random *random, double mean, double unused)
{
    (void)unused;
    return random_exponential(random, mean);
}

static void assert_near(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("got %.6g, expected %.6g +- %.2g", got, expected, tolerance);
}

static void test_moments(void **state)
{
    struct moments m = moments_of(draw_uniform, 0, 1);

    (void)state;
    assert_near(m.mean, 0.5, 0.004);
    assert_near(m.variance, 1.0 / 12, 0.002);
    assert_true(m.min >= 0 && m.max < 1);

    m = moments_of(draw_exponential, 3, 0);
    assert_near(m.mean, 3, 0.04);
    assert_near(m.variance, 9, 0.4);
    assert_true(m.min > 0);

    m = moments_of(random_normal, 10, 2);
    assert_near(m.mean, 10, 0.03);
    assert_near(m.variance, 4, 0.08);

    m = moments_of(random_gamma, 4, 0.5); /* mean k theta, variance k theta^2 */
    assert_near(m.mean, 2, 0.015);
    assert_near(m.variance, 1, 0.03);

    m = moments_of(random_gamma, 0.25, 4);
    assert_near(m.mean, 1, 0.03);
    assert_near(m.variance, 4, 0.3);
    assert_true(m.min >= 0);

    m = moments_of(random_lognormal, 1, 0.5); /* mean exp(mu + sigma^2/2) */
    assert_near(m.mean, exp(1.125), 0.03);
    assert_true(m.min > 0);
}

/* Our own exp and log agree with libm's: lognormal(mu, 0) is exp(mu). */
static void test_exponential_function_is_exact_enough(void **state)
{
    struct random random;

    (void)state;
    random_seed(&random, 3);
    for (int i = -7000; i <= 7000; i += 3)
        assert_near(random_lognormal(&random, i / 10.0, 0) / exp(i / 10.0), 1, 1e-15);
    assert_true(isinf(random_lognormal(&random, 1000, 0)));
    assert_true(random_lognormal(&random, -1000, 0) == 0.0);
}

static void test_kernel_bytes_differ(void **state)
{
    unsigned char a[300], b[300];

    (void)state;
    assert_int_equal(random_bytes(a, sizeof a), 0);
    assert_int_equal(random_bytes(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_xoshiro256_star_star),
        cmocka_unit_test(test_is_seeded_by_splitmix),
        cmocka_unit_test(test_streams_are_repeatable_and_different),
        cmocka_unit_test(test_draws_are_frozen),
        cmocka_unit_test(test_below_is_in_range_and_even),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_exponential_function_is_exact_enough),
        cmocka_unit_test(test_kernel_bytes_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
