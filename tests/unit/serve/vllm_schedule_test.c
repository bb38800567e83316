/* The scheduler beside vLLM's own: every step of random loads, as vLLM 0.32 planned them (tests/e2e/vllm_schedule.py wrote the
 * file and tells its form). An argument names another file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "serve/scheduler.h"

#define FILE_OF_VLLM "tests/data/simulate/vllm-schedules.txt"
#define LINE_MAX_BYTES 65536
#define FIRST_OUTPUT_ID 1000

struct asked {
    struct scheduler_request request;
    long arrival, leaves;
    uint32_t *ids;
};

struct load {
    struct scheduler_settings settings;
    struct asked *all;
    size_t count, arrived;
    struct scheduler *scheduler;
};

static const char *path = FILE_OF_VLLM;

static uint32_t output_id(const struct scheduler_request *request, int64_t index)
{
    (void)request;
    return FIRST_OUTPUT_ID + (uint32_t)index;
}

static long take_number(char **rest)
{
    char *end;
    long number = strtol(*rest, &end, 10);
    assert_true(end > *rest);
    *rest = end;
    return number;
}

static void read_request(FILE *file, struct asked *asked)
{
    static char line[LINE_MAX_BYTES];
    static const char start[] = "request ";
    assert_non_null(fgets(line, sizeof line, file));
    assert_memory_equal(line, start, sizeof start - 1);
    char *rest = line + sizeof start - 1;
    size_t capacity = 0;
    asked->arrival = take_number(&rest);
    asked->request.output_limit = take_number(&rest);
    asked->leaves = take_number(&rest);
    do {
        uint32_t first = (uint32_t)take_number(&rest);
        rest++; /* a plus */
        long count = take_number(&rest);
        MEM_GROW(asked->ids, capacity, (size_t)(asked->request.prompt_tokens + count));
        for (long k = 0; k < count; k++)
            asked->ids[asked->request.prompt_tokens++] = first + (uint32_t)k;
    } while (*rest++ == ',');
    asked->request.prompt_ids = asked->ids;
}

/* Returns whether there is another load. */
static bool read_load(FILE *file, struct load *load)
{
    static const char start[] = "load ";
    char line[256], *rest = line + sizeof start - 1;
    if (!fgets(line, sizeof line, file))
        return false;
    assert_memory_equal(line, start, sizeof start - 1);
    *load = (struct load){.settings = {.output_id = output_id}};
    load->settings.max_num_seqs = take_number(&rest);
    load->settings.max_num_batched_tokens = take_number(&rest);
    load->settings.long_prefill_token_threshold = take_number(&rest);
    load->settings.kv_blocks = take_number(&rest);
    load->settings.block_size = take_number(&rest);
    load->settings.prefix_caching = take_number(&rest) != 0;
    load->count = (size_t)take_number(&rest);
    load->all = mem_calloc(load->count, sizeof *load->all);
    for (size_t k = 0; k < load->count; k++)
        read_request(file, &load->all[k]);
    load->scheduler = scheduler_new(&load->settings);
    return true;
}

static void free_load(struct load *load)
{
    scheduler_free(load->scheduler);
    for (size_t k = 0; k < load->count; k++)
        free(load->all[k].ids);
    free(load->all);
}

/* The next line of the file is this one. */
static void expect_line(FILE *file, const struct buf *line)
{
    static char expected[LINE_MAX_BYTES];
    assert_non_null(fgets(expected, sizeof expected, file));
    expected[strcspn(expected, "\n")] = '\0';
    assert_string_equal(line->data, expected);
}

static void expect_step(FILE *file, const struct load *load, long number, struct buf *line)
{
    buf_reset(line);
    buf_printf(line, "step %ld %.0f", number, scheduler_kv_usage(load->scheduler) * (double)load->settings.kv_blocks);
    for (size_t k = 0; k < load->arrived; k++) {
        const struct scheduler_request *request = &load->all[k].request;
        if (request->in_step > 0)
            buf_printf(line, " %zu:%lld+%lld", k, (long long)request->computed, (long long)request->in_step);
    }
    expect_line(file, line);
}

static void expect_end(FILE *file, const struct load *load, struct buf *line)
{
    const struct scheduler_cache_counts *counts = scheduler_cache_counts(load->scheduler);
    buf_reset(line);
    buf_append_text(line, "end");
    for (size_t k = 0; k < load->count; k++)
        buf_printf(line, " %lld/%lld", (long long)load->all[k].request.output_tokens, (long long)load->all[k].request.preemptions);
    expect_line(file, line);
    buf_reset(line);
    buf_printf(line, "cache %lld %lld 0", (long long)counts->queries, (long long)counts->hits);
    expect_line(file, line);
}

static void run_load(FILE *file, struct load *load, struct buf *line)
{
    size_t count;
    for (long number = 0;; number++) {
        for (; load->arrived < load->count && load->all[load->arrived].arrival <= number; load->arrived++)
            scheduler_add(load->scheduler, &load->all[load->arrived].request);
        bool planned = scheduler_begin(load->scheduler, number) >= 0;
        if (!planned && load->arrived == load->count)
            break;
        if (planned) {
            expect_step(file, load, number, line);
            scheduler_end(load->scheduler, &count);
        }
        for (size_t k = 0; k < load->arrived; k++)
            if (load->all[k].leaves == number && load->all[k].request.state != SCHEDULER_OUTSIDE)
                scheduler_remove(load->scheduler, &load->all[k].request);
    }
    expect_end(file, load, line);
}

static void every_step_is_vllms(void **state)
{
    (void)state;
    cleanup_buf struct buf line = BUF_INIT(LINE_MAX_BYTES);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct load load;
    size_t loads = 0;
    for (; read_load(file, &load); loads++) {
        run_load(file, &load, &line);
        free_load(&load);
    }
    assert_true(loads > 0);
    fclose(file);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_step_is_vllms)};
    if (count > 1)
        path = arguments[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
