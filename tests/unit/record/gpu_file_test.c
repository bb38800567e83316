/* gpu.jsonl is read back as it was written; what is broken is named. */
#include "record/gpu_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/temp_folder.h"

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

static void test_written_and_read(void **state)
{
    struct gpu_samples samples = {.source = "http://p:9090", .selector = "a=\"b\"", .asked_realtime_ns = 1764000000000000000}, read;
    struct gpu_series *power = gpu_samples_series(&samples, "GPU-1", "NVIDIA L4", GPU_POWER);
    gpu_series_add(power, 2000, 71.5);
    gpu_series_add(power, -1000, 68);
    gpu_series_add(power, 2000, 71.5); /* of an overlap of two queries */
    gpu_series_add(power, 3000, NAN);
    gpu_series_add(gpu_samples_series(&samples, "GPU-2", "", GPU_ENERGY), 0, 1e9);
    assert_ptr_equal(gpu_samples_series(&samples, "GPU-1", "", GPU_POWER), &samples.series[0]);
    assert_int_equal(gpu_samples_gpus(&samples), 2);
    assert_int_equal(gpu_file_write(*state, &samples, NULL), 0);
    assert_int_equal(gpu_file_read(*state, &read, NULL), 0);
    assert_string_equal(read.source, samples.source);
    assert_string_equal(read.selector, samples.selector);
    assert_int_equal(read.count, 2);
    assert_string_equal(read.series[0].gpu, "GPU-1");
    assert_string_equal(read.series[0].name, "NVIDIA L4");
    assert_int_equal(read.series[0].quantity, GPU_POWER);
    assert_int_equal(read.series[0].count, 2);
    assert_int_equal(read.series[0].samples[0].t, -1000);
    assert_true(read.series[0].samples[1].value == 71.5);
    assert_string_equal(read.series[1].name, "");
    gpu_samples_free(&samples);
    gpu_samples_free(&read);
}

static void test_what_is_not_there(void **state)
{
    struct gpu_samples samples;
    assert_int_equal(gpu_file_read(*state, &samples, NULL), 1);
    gpu_samples_free(&samples);
}

static void test_broken_files(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{\"schema\":\"roibench/gpu/v2\"}\n", "gpu.jsonl:1"},
        {"{\"schema\":\"roibench/gpu/v1\"}\n{\"gpu\":\"a\"}\n", "gpu.jsonl:2: quantity"},
        {"{\"schema\":\"roibench/gpu/v1\"}\n{\"gpu\":\"a\",\"quantity\":\"power_w\",\"samples\":[[1]]}\n", "pairs of a time and a number"},
        {"{\"schema\":\"roibench/gpu/v1\"}\nnonsense\n", "gpu.jsonl:2"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct gpu_samples samples;
        struct error err = {.class = ERROR_NONE};
        temp_file_write(*state, GPU_FILE, cases[k].text, strlen(cases[k].text));
        assert_int_equal(gpu_file_read(*state, &samples, &err), -1);
        if (!strstr(err.text, cases[k].says))
            fail_msg("%s", err.text);
        gpu_samples_free(&samples);
    }
}

/* A later version may know more. */
static void test_other_quantities_are_left_out(void **state)
{
    static const char text[] = "{\"schema\":\"roibench/gpu/v1\"}\n{\"gpu\":\"a\",\"quantity\":\"clock_hz\",\"samples\":[[1,2]]}\n";
    struct gpu_samples samples;
    temp_file_write(*state, GPU_FILE, text, strlen(text));
    assert_int_equal(gpu_file_read(*state, &samples, NULL), 0);
    assert_int_equal(samples.count, 0);
    gpu_samples_free(&samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_and_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_is_not_there, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_broken_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_other_quantities_are_left_out, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
