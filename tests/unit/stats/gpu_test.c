/* Two GPUs whose power and utilisation are known, over a level of ten seconds. */
#include "stats/gpu.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/small_run.h"
#include "support/temp_folder.h"

#define assert_near(value, expected) assert_true(fabs((double)(value) - (double)(expected)) <= 1e-6 * fmax(1, fabs((double)(expected))))

static int make_folder(void **state)
{
    *state = temp_folder_make();
    return 0;
}

static int remove_folder(void **state)
{
    temp_folder_remove(*state);
    return 0;
}

/* A level from 10 to 20 s in which 100 output and 140 prompt tokens arrive. */
static void make_run(const char *folder)
{
    struct small_run *run = small_run_begin(folder, 1, 10000, 20000);
    for (int k = 0; k < 20; k++)
        small_run_add(run, &(struct small_request){.sent = 10000 + 500 * k, .head = -1, .ttft = 100, .gap = 50, .arrivals = 5, .tokens_each = 1});
    small_run_end(run, true);
}

/* A sample every five seconds from 0 to 30 s. */
static void add(struct gpu_samples *samples, const char *gpu, enum gpu_quantity quantity, const double values[7])
{
    struct gpu_series *series = gpu_samples_series(samples, gpu, "NVIDIA L4", quantity);
    for (int k = 0; k < 7; k++)
        gpu_series_add(series, 5 * k * NS_PER_S, values[k]);
}

static struct run_summary *summarize(const char *folder, const struct gpu_samples *samples, double time_scale)
{
    assert_int_equal(gpu_file_write(folder, samples, NULL), 0);
    return small_run_summarize(folder, time_scale);
}

static const double half[7] = {0, 0, 0.25, 0.75, 0, 0, 0}, full[7] = {1, 1, 1, 1, 1, 1, 1};
static const double watts[7] = {10, 10, 60, 80, 10, 10, 10}, energy[7] = {0, 100, 200, 600, 1000, 1100, 1200};

static void test_gauges_over_the_window(void **state)
{
    static const double used[7] = {1e9, 1e9, 2e9, 3e9, 1e9, 1e9, 1e9}, left[7] = {3e9, 3e9, 2e9, 1e9, 3e9, 3e9, 3e9};
    struct gpu_samples samples = {0};
    make_run(*state);
    add(&samples, "a", GPU_UTILIZATION, half);
    add(&samples, "b", GPU_UTILIZATION, full);
    add(&samples, "a", GPU_POWER, watts);
    add(&samples, "b", GPU_POWER, watts);
    add(&samples, "a", GPU_MEMORY_USED, used);
    add(&samples, "b", GPU_MEMORY_USED, used);
    add(&samples, "a", GPU_MEMORY_FREE, left);
    add(&samples, "b", GPU_MEMORY_FREE, left);
    add(&samples, "b", GPU_MEMORY_ACTIVE, full); /* of one of two: not known */
    struct run_summary *summary = summarize(*state, &samples, 1);
    const struct gpu_summary *gpu = &summary->levels[0].gpu;
    assert_int_equal(gpu->gpus, 2);
    assert_near(gpu->covered, 1);
    assert_near(gpu->utilization, 0.75);
    assert_true(isnan(gpu->memory_active));
    assert_near(gpu->memory_used_bytes, 6e9);
    assert_near(gpu->memory_bytes, 8e9);
    assert_near(gpu->power_w, 140);
    assert_near(gpu->energy_j, 1400);
    assert_false(gpu->by_counter);
    assert_near(gpu->output_tokens_per_joule, 100 / 1400.0);
    assert_near(gpu->total_tokens_per_joule, 240 / 1400.0);
    assert_near(summary->course.points[0].value[COURSE_GPU_POWER], 120);
    assert_near(summary->course.points[9].value[COURSE_GPU_UTILIZATION], 0.875);
    run_summary_free(summary);
    gpu_samples_free(&samples);
}

static void test_energy_by_its_own_counter(void **state)
{
    struct gpu_samples samples = {0};
    make_run(*state);
    add(&samples, "a", GPU_POWER, watts);
    add(&samples, "a", GPU_ENERGY, energy);
    struct run_summary *summary = summarize(*state, &samples, 1);
    assert_true(summary->levels[0].gpu.by_counter);
    assert_near(summary->levels[0].gpu.energy_j, 800);
    assert_near(summary->levels[0].gpu.power_w, 80);
    run_summary_free(summary);
    gpu_samples_free(&samples);
}

/* A window that lies between two samples, and a counter that began again in it. */
static void test_a_counter_between_its_samples(void **state)
{
    static const double again[7] = {0, 100, 200, 5, 400, 500, 600};
    for (int k = 0; k < 2; k++) {
        struct gpu_samples samples = {0};
        struct small_run *run = small_run_begin(*state, 1, 11000, 14000);
        small_run_add(run, &(struct small_request){.sent = 11000, .head = -1, .ttft = 100, .gap = 50, .arrivals = 5, .tokens_each = 1});
        small_run_end(run, true);
        add(&samples, "a", GPU_ENERGY, k == 0 ? energy : again);
        struct run_summary *summary = summarize(*state, &samples, 1);
        if (k == 0)
            assert_near(summary->levels[0].gpu.energy_j, 400 * 3 / 5.0);
        else
            assert_int_equal(summary->levels[0].gpu.gpus, 0);
        run_summary_free(summary);
        gpu_samples_free(&samples);
    }
}

/* Ten times faster than its model: the window of 10 to 20 s is 100 s of the model, and the tokens are the same. */
static void test_a_scaled_run(void **state)
{
    struct gpu_samples samples = {0};
    static const double rising[7] = {0, 500, 600, 700, 800, 900, 1000};
    make_run(*state);
    add(&samples, "a", GPU_ENERGY, rising);
    struct run_summary *summary = summarize(*state, &samples, 10);
    assert_near(summary->levels[0].window_start_s, 100);
    assert_near(summary->levels[0].gpu.energy_j, 200);
    assert_near(summary->levels[0].gpu.output_tokens_per_joule, 0.5);
    run_summary_free(summary);
    gpu_samples_free(&samples);
}

static void test_samples_of_another_time(void **state)
{
    struct gpu_samples samples = {0};
    make_run(*state);
    gpu_series_add(gpu_samples_series(&samples, "a", "", GPU_POWER), 500 * NS_PER_S, 10);
    struct run_summary *summary = summarize(*state, &samples, 1);
    const struct level_summary *level = &summary->levels[0];
    assert_int_equal(level->gpu.gpus, 0);
    assert_string_equal(level->missing[level->missing_count - 1].field, "gpu");
    run_summary_free(summary);
    gpu_samples_free(&samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gauges_over_the_window, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_energy_by_its_own_counter, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_counter_between_its_samples, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_scaled_run, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_samples_of_another_time, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
