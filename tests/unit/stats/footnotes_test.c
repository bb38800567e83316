#include "stats/footnotes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/levels.h"

#define USD INT64_C(1000000)

struct fixture {
    struct arena *arena;
    struct level_summary a[TABLE_LEVELS_MAX], b[TABLE_LEVELS_MAX];
    struct points points_a, points_b;
    struct roi_deployment deployments[2];
    struct roi roi;
};

/* The reference's tables, and whatever was published of them. */
static void begin(struct fixture *f, double claim_a, double claim_b)
{
    f->arena = arena_new();
    size_t count_a = levels_read_table("tests/data/reference-int4.csv", f->a), count_b = levels_read_table("tests/data/reference-bf16.csv", f->b);
    points_find(&f->points_a, f->arena, f->a, count_a, "streams", &sla_default);
    points_find(&f->points_b, f->arena, f->b, count_b, "streams", &sla_default);
    f->deployments[0] = (struct roi_deployment){.name = "INT4", .price_micro_usd = 85 * USD / 100, .gpus = 1, .points = &f->points_a,
                                                .levels = f->a, .level_count = count_a, .claim = claim_a};
    f->deployments[1] = (struct roi_deployment){.name = "BF16", .price_micro_usd = 340 * USD / 100, .gpus = 4, .points = &f->points_b,
                                                .levels = f->b, .level_count = count_b, .claim = claim_b};
    roi_find(&f->roi, f->arena, f->deployments, 2, "streams");
}

static void test_published_figures_of_the_reference(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "Figures of two operating points make no ratio: tokens a dollar of INT4 against those of BF16 would be anything from 0.8 (TTFT p95 < 1 s against "
        "peak throughput) to 10.9 times (peak throughput against TTFT p95 < 1 s)",
        "353 tok/s per $/h, as published for INT4, is 300 tok/s at $0.85, which lies between 8 streams (281 tok/s) and 10 streams (313 tok/s), and at none "
        "of the operating points",
        "206 tok/s per $/h, as published for BF16, is 700 tok/s at $3.40, which is that of: peak throughput",
        "The published figures of INT4 and BF16 make a ratio of 1.7, and they are not of one operating point; at one operating point it is 2.5 (peak "
        "throughput), 1.9 (first that broke), 1.9 (last that held), 3.4 (TTFT p95 < 1 s)",
    };
    struct fixture f;
    begin(&f, 353, 206);
    assert_int_equal(f.roi.footnote_count, 4);
    for (size_t k = 0; k < 4; k++)
        assert_string_equal(f.roi.footnotes[k], expected[k]);
    arena_free(f.arena);
}

static void test_figures_of_one_operating_point(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 515, 204);
    assert_int_equal(f.roi.footnote_count, 4);
    assert_non_null(strstr(f.roi.footnotes[1], "which is that of: peak throughput"));
    assert_non_null(strstr(f.roi.footnotes[3], "a ratio of 2.5, and both are of one operating point: peak throughput"));
    arena_free(f.arena);
}

static void test_beyond_what_was_measured(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 600, 5);
    assert_non_null(strstr(f.roi.footnotes[1], "which is more than any load gave: at most 15 streams (438 tok/s)"));
    assert_non_null(strstr(f.roi.footnotes[2], "which is less than the lowest load gave: 1 stream (35 tok/s)"));
    arena_free(f.arena);
}

static void test_nothing_published_and_no_price(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 0, 0);
    assert_int_equal(f.roi.footnote_count, 1);
    f.deployments[0].price_micro_usd = -1;
    f.deployments[0].claim = 353;
    roi_find(&f.roi, f.arena, f.deployments, 2, "streams");
    assert_int_equal(f.roi.footnote_count, 1);
    assert_string_equal(f.roi.footnotes[0], "353 tok/s per $/h, as published for INT4, cannot be looked for: no price is known");
    arena_free(f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_figures_of_the_reference),
        cmocka_unit_test(test_figures_of_one_operating_point),
        cmocka_unit_test(test_beyond_what_was_measured),
        cmocka_unit_test(test_nothing_published_and_no_price),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
