#include "serve/simulator_metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wire/promtext.h"

#define SERIES "tests/data/simulate/vllm-metrics-series.tsv"
#define PAGE_MAX ((size_t)1 << 20)

struct wanted {
    const char *series;
    double value;
    bool found;
};

static void look_for(void *context, const struct promtext_sample *sample)
{
    struct wanted *wanted = context;
    if (strlen(wanted->series) != sample->series_length || memcmp(wanted->series, sample->series, sample->series_length) != 0)
        return;
    wanted->value = sample->value;
    wanted->found = true;
}

static double value_of(const struct buf *page, const char *series)
{
    struct wanted wanted = {.series = series};
    size_t broken;
    promtext_read(page->data, page->len, look_for, &wanted, &broken);
    assert_int_equal(broken, 0);
    if (!wanted.found)
        fail_msg("%s is not on the page", series);
    return wanted.value;
}

static const struct scheduler_settings SETTINGS = {.max_num_seqs = 4, .max_num_batched_tokens = 100, .kv_blocks = 10, .block_size = 16,
                                                  .prefix_caching = true};

static struct buf write_page(const struct metrics *metrics, const struct scheduler *scheduler, const char *model)
{
    struct buf page = BUF_INIT(PAGE_MAX);
    const struct metrics_identity identity = {.model = model, .created = 1795499016.25, .kv_blocks = 10, .block_size = 16, .prefix_caching = true};
    metrics_write(metrics, &identity, scheduler, &page);
    assert_false(page.overflowed);
    return page;
}

/* Two requests of the past: 20 + 3 tokens at 1.0, 1.5, 1.7, 2.0 s, 16 of them found in the cache; 7 + 1 tokens. Both get their
 * first token in one step; then come a step that gives nobody a token, and those of the other two tokens. */
static void fill(struct metrics *metrics)
{
    struct scheduler_request request = {.prompt_tokens = 20, .output_limit = 3, .output_tokens = 3, .cached_tokens = 16,
                                        .first_scheduled = NS_PER_S + NS_PER_MS};
    struct metrics_times times = {.arrived = NS_PER_S, .scheduled = TIME_NEVER, .first_token = TIME_NEVER, .last_token = TIME_NEVER};
    metrics_token(metrics, &times, &request, 1500 * NS_PER_MS);
    struct scheduler_request other = {.prompt_tokens = 7, .output_limit = 1, .output_tokens = 1, .first_scheduled = NS_PER_S};
    struct metrics_times others = {.arrived = NS_PER_S, .scheduled = TIME_NEVER, .first_token = TIME_NEVER, .last_token = TIME_NEVER};
    metrics_token(metrics, &others, &other, 1020 * NS_PER_MS);
    metrics_finished(metrics, &others, &other, 1, false);
    metrics_prompt_finished(metrics, 2, 3); /* both are choices of one prompt */
    metrics_aborted(metrics);
    metrics_step(metrics);
    metrics_step(metrics);
    metrics_token(metrics, &times, &request, 1700 * NS_PER_MS);
    metrics_step(metrics);
    metrics_token(metrics, &times, &request, 2000 * NS_PER_MS);
    metrics_finished(metrics, &times, &request, 5, true);
    metrics_step(metrics);
}

static void values_are_those_of_the_requests(void **state)
{
    (void)state;
    struct metrics *metrics = mem_alloc(sizeof *metrics);
    struct scheduler *scheduler = scheduler_new(&SETTINGS);
    static const uint32_t ids[30] = {1, 2, 3};
    struct scheduler_request inside = {.prompt_tokens = 30, .output_limit = 2, .prompt_ids = ids}, same = inside;
    metrics_init(metrics, 2048);
    fill(metrics);
    scheduler_add(scheduler, &inside);
    scheduler_add(scheduler, &same);
    cleanup_buf struct buf waiting = write_page(metrics, scheduler, "m");
    scheduler_begin(scheduler, 0);
    cleanup_buf struct buf page = write_page(metrics, scheduler, "m");
#define L "{engine=\"0\",model_name=\"m\"}"
#define IS(series, expected) assert_true(value_of(&page, series) == (expected))
    assert_true(value_of(&waiting, "vllm:num_requests_waiting" L) == 2);
    IS("vllm:num_requests_waiting" L, 0);
    IS("vllm:num_requests_running" L, 2);
    IS("vllm:kv_cache_usage_perc" L, 0.3); /* of two blocks each, one is shared */
    IS("vllm:prompt_tokens_total" L, 27);
    IS("vllm:generation_tokens_total" L, 4);
    IS("vllm:request_success_total{engine=\"0\",finished_reason=\"length\",model_name=\"m\"}", 1);
    IS("vllm:request_success_total{engine=\"0\",finished_reason=\"abort\",model_name=\"m\"}", 1);
    IS("vllm:request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"m\"}", 1);
    IS("vllm:time_to_first_token_seconds_count" L, 2);
    IS("vllm:time_to_first_token_seconds_sum" L, 0.52);
    IS("vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"0.02\",model_name=\"m\"}", 1);
    IS("vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"0.25\",model_name=\"m\"}", 1);
    IS("vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"0.5\",model_name=\"m\"}", 2);
    IS("vllm:inter_token_latency_seconds_count" L, 2);
    IS("vllm:inter_token_latency_seconds_sum" L, 0.5);
    IS("vllm:request_time_per_output_token_seconds_sum" L, 0.25);
    IS("vllm:request_time_per_output_token_seconds_count" L, 2); /* 0 for the one of one token, as vLLM has it */
    IS("vllm:e2e_request_latency_seconds_sum" L, 1.02);
    IS("vllm:request_queue_time_seconds_sum" L, 0.001);
    IS("vllm:request_prompt_tokens_sum" L, 27);
    IS("vllm:request_params_max_tokens_sum" L, 6);
    IS("vllm:request_params_n_count" L, 1);
    IS("vllm:request_params_n_sum" L, 2);
    IS("vllm:request_max_num_generation_tokens_sum" L, 3);
    IS("vllm:iteration_tokens_total_count" L, 3);
    IS("vllm:iteration_tokens_total_sum" L, (20 - 16 + 7) + 4);
    IS("vllm:request_prefill_kv_computed_tokens_sum" L, 20 - 16 + 7);
    IS("vllm:prompt_tokens_cached_total" L, 16);
    IS("vllm:prompt_tokens_by_source_total{engine=\"0\",model_name=\"m\",source=\"local_compute\"}", 11);
    IS("vllm:prompt_tokens_by_source_total{engine=\"0\",model_name=\"m\",source=\"local_cache_hit\"}", 16);
    IS("vllm:prefix_cache_queries_total" L, 60);
    IS("vllm:prefix_cache_hits_total" L, 16);
    IS("vllm:prompt_tokens_cached_by_source_total{engine=\"0\",model_name=\"m\",source=\"device\"}", 16);
    IS("vllm:prompt_tokens_cached_by_source_total{engine=\"0\",model_name=\"m\",source=\"host\"}", 0);
    assert_non_null(strstr(page.data, ",enable_prefix_caching=\"True\","));
    IS("process_start_time_seconds", 1795499016.25);
    scheduler_free(scheduler);
    free(metrics);
}

/* One line of the list of captured series: name, type, labels, bounds. */
struct series {
    char name[128], type[16], bounds[512];
};

static bool find_series(const char *name, size_t length, struct series *series)
{
    FILE *list = fopen(SERIES, "r");
    assert_non_null(list);
    char line[4096];
    bool found = false;
    while (!found && fgets(line, sizeof line, list)) {
        char *field[4] = {line, "", "", ""};
        line[strcspn(line, "\n")] = '\0';
        for (int k = 1; k < 4 && field[k - 1] && (field[k] = strchr(field[k - 1], '\t')) != NULL; k++)
            *field[k]++ = '\0';
        found = strlen(field[0]) == length && memcmp(field[0], name, length) == 0;
        if (found)
            snprintf(series->type, sizeof series->type, "%s", field[1]), snprintf(series->bounds, sizeof series->bounds, "%s", field[3] ? field[3] : "");
    }
    fclose(list);
    return found;
}

/* The bounds of a histogram as they stand on the page, joined by commas. */
static void collect_bounds(const char *page, const char *name, struct buf *out)
{
    char start[160];
    snprintf(start, sizeof start, "\n%s_bucket{", name);
    for (const char *line = strstr(page, start); line; line = strstr(line + 1, start)) {
        const char *bound = strstr(line, "le=\"") + 4;
        buf_printf(out, "%s%.*s", out->len ? "," : "", (int)strcspn(bound, "\""), bound);
    }
}

static void names_types_and_buckets_are_vllms(void **state)
{
    (void)state;
    struct metrics *metrics = mem_alloc(sizeof *metrics);
    struct scheduler *scheduler = scheduler_new(&SETTINGS);
    metrics_init(metrics, 2048);
    const struct httpd_exchange exchange = {.method = "GET", .path = "/v1/models", .status = 200};
    http_metrics_count(&metrics->http, &exchange, 1);
    cleanup_buf struct buf page = write_page(metrics, scheduler, "m");
    size_t types = 0;
    for (const char *line = strstr(page.data, "# TYPE "); line; line = strstr(line + 1, "# TYPE ")) {
        char name[128], type[32];
        struct series series;
        assert_int_equal(sscanf(line, "# TYPE %127s %31s", name, type), 2);
        size_t length = strlen(name);
        if (length > 8 && strcmp(name + length - 8, "_created") == 0)
            continue;
        if (!find_series(name, length, &series))
            fail_msg("%s is no series of vLLM's", name);
        assert_string_equal(type, series.type);
        cleanup_buf struct buf bounds = BUF_INIT(4096);
        if (strcmp(type, "histogram") == 0)
            collect_bounds(page.data, name, &bounds);
        assert_string_equal(buf_text(&bounds), series.bounds);
        types++;
    }
    assert_true(types > 25);
    scheduler_free(scheduler);
    free(metrics);
}

/* All but what is Python's. */
static void all_of_vllms_series_are_there(void **state)
{
    (void)state;
    struct metrics *metrics = mem_alloc(sizeof *metrics);
    struct scheduler *scheduler = scheduler_new(&SETTINGS);
    metrics_init(metrics, 2048);
    cleanup_buf struct buf page = write_page(metrics, scheduler, "m");
    FILE *list = fopen(SERIES, "r");
    assert_non_null(list);
    char line[4096], name[128], type[16], wanted[256];
    size_t count = 0;
    while (fgets(line, sizeof line, list)) {
        assert_int_equal(sscanf(line, "%127s %15s", name, type), 2);
        if (strncmp(name, "python_", 7) == 0 || strcmp(name, "name") == 0)
            continue;
        snprintf(wanted, sizeof wanted, "\n# TYPE %s %s\n", name, type);
        if (!strstr(page.data, wanted))
            fail_msg("%s is not on the page", name);
        count++;
    }
    fclose(list);
    assert_int_equal(count, 50);
    scheduler_free(scheduler);
    free(metrics);
}

static void longer_models_have_more_length_buckets(void **state)
{
    (void)state;
    struct metrics *metrics = mem_alloc(sizeof *metrics);
    metrics_init(metrics, 32768);
    const struct metrics_buckets *lengths = &metrics->histograms[METRICS_PROMPT_TOKENS];
    assert_true(lengths->bounds[lengths->count - 1] == 20000);
    metrics_init(metrics, 1);
    assert_int_equal(lengths->count, 1);
    metrics_init(metrics, INT64_MAX);
    assert_true(lengths->count <= METRICS_BUCKETS_MAX);
    free(metrics);
}

static void model_names_are_escaped(void **state)
{
    (void)state;
    struct metrics *metrics = mem_alloc(sizeof *metrics);
    struct scheduler *scheduler = scheduler_new(&SETTINGS);
    metrics_init(metrics, 2048);
    cleanup_buf struct buf page = write_page(metrics, scheduler, "a\"b\\c\nd");
    assert_non_null(strstr(page.data, "\nvllm:num_requests_running{engine=\"0\",model_name=\"a\\\"b\\\\c\\nd\"} 0.0\n"));
    scheduler_free(scheduler);
    free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_the_requests),
        cmocka_unit_test(names_types_and_buckets_are_vllms),
        cmocka_unit_test(all_of_vllms_series_are_there),
        cmocka_unit_test(longer_models_have_more_length_buckets),
        cmocka_unit_test(model_names_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
