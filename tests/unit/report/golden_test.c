/* tests/golden/<case>: run folders as text (make_cases.py wrote them) and the reports they must give, byte by byte.
 *
 * Several runs in a case are compared. After a wanted change: GOLDEN_WRITE=1 build/tests/unit/report/golden_test writes expect.* anew;
 * read the difference before it is committed. */
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "record/record_writer.h"
#include "report/report.h"
#include "report/summary_read.h"
#include "stats/level_judge.h"
#include "stats/run_data.h"
#include "support/temp_folder.h"

#define GOLDEN "tests/golden"
#define RUNS_MAX 4
#define SHARDS 4 /* of a case */
#define FILE_MAX ((size_t)16 << 20)
#define LINES_MAX 10000
#define JUDGED_MIN 20 /* levels */
#define KEPT 3        /* requests of each ending */

static size_t judged;

/* ---- packing a run folder ---- */

/* The lines of a text, in their order or shuffled (the first stays where it is when `head` says so). */
static size_t split_lines(char *text, char **lines, bool head, const uint64_t *seed)
{
    size_t count = 0;
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        assert_true(count < LINES_MAX);
        lines[count++] = line;
    }
    if (seed) {
        struct random random;
        random_seed(&random, *seed);
        for (size_t k = count; k-- > (size_t)head + 1;) {
            size_t other = (size_t)head + (size_t)random_below(&random, k - (size_t)head + 1);
            char *swap = lines[k];
            lines[k] = lines[other];
            lines[other] = swap;
        }
    }
    return count;
}

static void put_varint(struct gzip_stream *stream, uint64_t number)
{
    unsigned char bytes[10];
    size_t length = 0;
    do {
        bytes[length] = (unsigned char)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
        length++;
    } while (number > 0);
    assert_int_equal(gzip_stream_write(stream, bytes, length, NULL), 0);
}

/* "<id> <gap> <gap>…": every arrival is one token. */
static void put_frame(struct gzip_stream *stream, char *line)
{
    uint64_t gaps[64];
    size_t count = 0;
    const char *id = strsep(&line, "\t");
    while (line && count < sizeof gaps / sizeof gaps[0])
        gaps[count++] = strtoull(strsep(&line, "\t"), NULL, 10);
    put_varint(stream, strlen(id));
    assert_int_equal(gzip_stream_write(stream, id, strlen(id), NULL), 0);
    put_varint(stream, count);
    for (size_t k = 0; k < count; k++) {
        put_varint(stream, gaps[k]);
        put_varint(stream, 1);
    }
}

static void put_line(struct gzip_stream *stream, char *line)
{
    assert_int_equal(gzip_stream_write(stream, line, strlen(line), NULL), 0);
    assert_int_equal(gzip_stream_write(stream, "\n", 1, NULL), 0);
}

static void pack(const char *from, const char *name, const char *to, const char *packed, const uint64_t *seed)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    cleanup_free char *source = file_join(from, name), *target = file_join(to, packed);
    cleanup_free char **lines = mem_calloc(LINES_MAX, sizeof *lines);
    if (!file_exists(source))
        return;
    assert_int_equal(file_read(source, &text, ERROR_INTERNAL, NULL), 0);
    bool tokens = strncmp(name, "tokens", strlen("tokens")) == 0;
    size_t count = text.len > 0 ? split_lines(text.data, lines, !tokens, seed) : 0;
    struct gzip_stream *stream = gzip_stream_open(target, NULL);
    assert_non_null(stream);
    for (size_t k = 0; k < count; k++)
        (tokens ? put_frame : put_line)(stream, lines[k]);
    assert_int_equal(gzip_stream_close(stream, NULL), 0);
}

static void copy(const char *from, const char *to, const char *name)
{
    cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
    cleanup_free char *source = file_join(from, name);
    if (!file_exists(source))
        return;
    assert_int_equal(file_read(source, &text, ERROR_INTERNAL, NULL), 0);
    temp_file_write(to, name, text.data, text.len);
}

/* ---- what a run that looks for a load would say at each level's end ---- */

static void check_condition(const struct condition *got, const struct condition *wanted)
{
    assert_int_equal(got->answer, wanted->answer);
    assert_int_equal(got->decided, wanted->decided);
    assert_int_equal(got->needs_requests, wanted->needs_requests);
    assert_string_equal(got->metric ? got->metric : "", wanted->metric ? wanted->metric : "");
}

static void check_judgement(const struct run_data *data, const struct run_level *level, const struct plan *plan, const struct sla *sla,
                            const struct level_summary *summary)
{
    const struct limits *limits = &plan->limits;
    bool warmup = limits->warmup.kind == TRIM_AUTO, cooldown = limits->cooldown.kind == TRIM_AUTO;
    struct level_sample *samples = mem_calloc(level->record_count + 1, sizeof *samples);
    for (size_t k = 0; k < level->record_count; k++)
        samples[k] = level_sample_of(&data->file.records[level->records[k]]);
    struct level_to_judge known = {
        .steady = {.open_loop = run_level_is_open_loop(level), .max_requests_ended = strcmp(level->health.reason, "max_requests") == 0,
                   .warmup = warmup, .cooldown = cooldown},
        .window_start = level->bounds.window_start - (warmup ? level->warmup.ns : 0),
        .window_end = level->bounds.window_end + (cooldown ? level->cooldown.ns : 0),
        .end = level->bounds.end,
        .grew = run_level_grew(level),
        .queue_share_above = summary->server.queue_depth.share_above,
    };
    struct level_judgement judgement = level_judge_samples(samples, level->record_count, &known, sla);
    struct condition saturation = saturation_judge(summary, sla), breaking = breaking_judge(summary, sla);
    check_condition(&judgement.saturation, &saturation);
    check_condition(&judgement.breaking, &breaking);
    free(samples);
}

/* A run goes on only after levels that it did not stop. */
static void check_judgements(const char *folder, const struct plan *plan, const struct run_summary *summary)
{
    struct run_data data;
    assert_int_equal(run_data_read(&data, folder, plan, NULL), 0);
    for (size_t k = 0; k < summary->level_count; k++) {
        const struct level_summary *level = &summary->levels[k];
        const struct run_level *read = run_data_find_level(&data, level->index, level->repeat);
        assert_non_null(read);
        if (read->bounds.ended && !run_level_was_stopped(read)) {
            check_judgement(&data, read, plan, summary->sla, level);
            judged++;
        }
    }
    run_data_free(&data);
}

/* Whatever of the files is there: those of a whole run, or of a shard. */
static void pack_part(const char *folder, int shard, const char *packed, const uint64_t *seed)
{
    static const char *const stems[] = {"records", "metrics", "tokens"};
    static const enum run_file files[] = {RUN_RECORDS, RUN_METRICS, RUN_TOKENS};
    char suffix[16] = "", text[40], name[RUN_FILE_NAME_SIZE];
    if (shard != NO_SHARD)
        snprintf(suffix, sizeof suffix, "-%d", shard);
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
        snprintf(text, sizeof text, "%s%s.%s", stems[k], suffix, files[k] == RUN_TOKENS ? "tsv" : "jsonl");
        pack(folder, text, packed, run_file_name(files[k], shard, name), seed);
    }
    copy(folder, packed, run_file_name(RUN_JOURNAL, shard, name));
}

static struct run_summary *summarize(const char *folder, const uint64_t *seed, bool alone)
{
    char *packed = temp_folder_make();
    struct error err = {0};
    copy(folder, packed, "plan.json");
    copy(folder, packed, "gpu.jsonl");
    for (int shard = NO_SHARD; shard < SHARDS; shard++)
        pack_part(folder, shard, packed, seed);
    cleanup_free char *path = file_join(packed, "plan.json");
    struct plan *plan = plan_read(path, &err);
    if (!plan)
        fail_msg("%s: %s", folder, err.text);
    const struct sla *sla = alone ? &plan->sla : &sla_default; /* plans of the cases that are compared do not agree, or have none */
    struct run_summary *summary = run_summary_make_with_endings(packed, plan, sla, KEPT, &err);
    if (!summary)
        fail_msg("%s: %s", folder, err.text);
    else
        check_judgements(packed, plan, summary);
    plan_free(plan);
    temp_folder_remove(packed);
    return summary;
}

/* ---- cases ---- */

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && entry->d_type == DT_DIR;
}

struct golden {
    char *folder;
    struct run_summary *runs[RUNS_MAX];
    size_t count;
    struct comparison *comparison; /* NULL: one run */
};

/* The comparison points into *golden: it must not be copied. */
static void open_case(struct golden *golden, const char *name, const uint64_t *seed)
{
    *golden = (struct golden){.folder = file_join(GOLDEN, name)};
    struct dirent **entries;
    int count = scandir(golden->folder, &entries, is_visible, alphasort);
    assert_in_range(count, 1, RUNS_MAX);
    for (int k = 0; k < count; k++) {
        cleanup_free char *run = file_join(golden->folder, entries[k]->d_name);
        golden->runs[golden->count++] = summarize(run, seed, count == 1);
        free(entries[k]);
    }
    free(entries);
    if (count > 1)
        golden->comparison = comparison_make((const struct run_summary *const *)golden->runs, golden->count, NULL);
}

static void close_case(struct golden *golden)
{
    comparison_free(golden->comparison);
    for (size_t k = 0; k < golden->count; k++)
        run_summary_free(golden->runs[k]);
    free(golden->folder);
}

static void render(const struct golden *golden, const struct report_format *format, struct buf *out)
{
    if (golden->comparison)
        format->write_comparison(golden->comparison, out);
    else
        format->write_run(golden->runs[0], out);
    assert_false(out->overflowed);
}

static bool has_form(const struct golden *golden, const struct report_format *format)
{
    return !golden->comparison || format->write_comparison;
}

static char *expected_name(const struct golden *golden, const struct report_format *format)
{
    return mem_printf("%s/expect%s", golden->folder, strrchr(format->run_file, '.'));
}

static void check_format(const struct golden *golden, const struct report_format *format)
{
    cleanup_buf struct buf got = BUF_INIT(REPORT_MAX), expected = BUF_INIT(REPORT_MAX);
    cleanup_free char *path = expected_name(golden, format);
    render(golden, format, &got);
    if (getenv("GOLDEN_WRITE"))
        assert_int_equal(file_write_atomic(path, got.data, got.len, NULL), 0);
    assert_int_equal(file_read(path, &expected, ERROR_INTERNAL, NULL), 0);
    if (got.len == expected.len && memcmp(got.data, expected.data, got.len) == 0)
        return;
    size_t at = 0;
    while (at < got.len && at < expected.len && got.data[at] == expected.data[at])
        at++;
    fail_msg("%s differs from byte %zu on: ...%.80s", path, at, buf_text(&got) + at);
}

static void for_each_case(void (*check)(const char *name))
{
    struct dirent **entries;
    int count = scandir(GOLDEN, &entries, is_visible, alphasort);
    assert_true(count > 0);
    for (int k = 0; k < count; k++) {
        check(entries[k]->d_name);
        free(entries[k]);
    }
    free(entries);
}

/* The others say the same in another way, and are looked at by other programs: HTML has the words of Markdown and charts of the same numbers
 * (html_test), YAML is JSON's, and GuideLLM's numbers are computed once more by tests/cli/support/formats.py. */
static void check_reports(const char *name)
{
    static const char *const compared[] = {"markdown", "json", "csv", "junit"};
    struct golden golden;
    open_case(&golden, name, NULL);
    for (size_t k = 0; k < sizeof compared / sizeof compared[0]; k++)
        check_format(&golden, report_format_find(compared[k]));
    close_case(&golden);
}

static void test_reports_are_as_expected(void **state)
{
    (void)state;
    for_each_case(check_reports);
}

/* Property: in which order requests ended does not matter. */
static void check_any_order(const char *name)
{
    struct golden first;
    open_case(&first, name, NULL);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct golden shuffled;
        open_case(&shuffled, name, &seed);
        for (const struct report_format *format = report_formats; format->name; format++) {
            cleanup_buf struct buf a = BUF_INIT(REPORT_MAX), b = BUF_INIT(REPORT_MAX);
            if (!has_form(&first, format))
                continue;
            render(&first, format, &a);
            render(&shuffled, format, &b);
            assert_string_equal(buf_text(&a), buf_text(&b));
        }
        close_case(&shuffled);
    }
    close_case(&first);
}

static void test_order_of_records_does_not_matter(void **state)
{
    (void)state;
    for_each_case(check_any_order);
}

/* ---- summary.json read back ---- */

static void check_same(double got, double wanted)
{
    if (!(got == wanted || (isnan(got) && isnan(wanted)) || fabs(got - wanted) <= 1e-8 * fabs(wanted)))
        fail_msg("got %.12g, wanted %.12g", got, wanted);
}

static void check_same_level(const struct history_level *got, const struct history_level *wanted)
{
    check_same(got->load, wanted->load);
    assert_string_equal(got->unit, wanted->unit);
    assert_int_equal(got->validity, wanted->validity);
    assert_int_equal(got->class, wanted->class);
    assert_int_equal(got->ended, wanted->ended);
    assert_int_equal(got->failed, wanted->failed);
    for (int k = 0; k < HISTORY_METRIC_COUNT; k++) {
        check_same(got->value[k].value, wanted->value[k].value);
        check_same(got->value[k].low, wanted->value[k].low);
        check_same(got->value[k].high, wanted->value[k].high);
    }
}

static void check_read_back(const struct run_summary *summary, const char *folder)
{
    cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
    cleanup_free char *path = mem_printf("%s/%s/plan.json", folder, summary->facts.run_id);
    struct error err = {0};
    struct plan *plan = plan_read(path, &err);
    report_format_find("json")->write_run(summary, &text);
    struct history_run *wanted = history_run_of(summary), *got = plan ? summary_parse(text.data, text.len, "summary.json", plan, &err) : NULL;
    if (!got) {
        fail_msg("%s", err.text);
        return;
    }
    assert_string_equal(got->series, wanted->series);
    assert_int_equal(got->started / NS_PER_MS, wanted->started / NS_PER_MS);
    assert_int_equal(got->level_count, wanted->level_count);
    for (size_t k = 0; k < got->level_count; k++)
        check_same_level(&got->levels[k], &wanted->levels[k]);
    assert_string_equal(got->unit, wanted->unit);
    assert_string_equal(got->breaking.text, wanted->breaking.text);
    assert_int_equal(got->saturation.decided, wanted->saturation.decided);
    check_same(got->saturation.broke, wanted->saturation.broke);
    check_same(got->breaking.held, wanted->breaking.held);
    check_same(got->advised_load, wanted->advised_load);
    check_same(got->max_tps, wanted->max_tps);
    assert_string_equal(history_run_verdict(got), history_run_verdict(wanted));
    history_run_free(wanted);
    history_run_free(got);
    plan_free(plan);
}

static void check_history(const char *name)
{
    struct golden golden;
    open_case(&golden, name, NULL);
    for (size_t k = 0; k < golden.count; k++)
        check_read_back(golden.runs[k], golden.folder);
    close_case(&golden);
}

static void test_a_summary_read_back_gives_the_same_history(void **state)
{
    (void)state;
    for_each_case(check_history);
}

/* A number that is not one must never be printed. */
static void check_no_nan(const char *name)
{
    struct golden golden;
    open_case(&golden, name, NULL);
    for (const struct report_format *format = report_formats; format->name; format++) {
        cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
        if (!has_form(&golden, format))
            continue;
        render(&golden, format, &text);
        assert_null(strstr(buf_text(&text), "nan"));
        assert_null(strstr(buf_text(&text), "inf,"));
        assert_null(strstr(buf_text(&text), " inf "));
    }
    close_case(&golden);
}

static void test_nothing_is_not_a_number(void **state)
{
    (void)state;
    for_each_case(check_no_nan);
}

static void test_a_run_judges_its_levels_as_its_report_does(void **state)
{
    (void)state;
    assert_true(judged >= JUDGED_MIN); /* every time that a case was opened */
}

/* ---- any two runs ---- */

#define ALL_RUNS_MAX 64

static struct run_summary *all_runs[ALL_RUNS_MAX];
static size_t all_run_count;

static void keep_runs(const char *name)
{
    struct golden golden;
    open_case(&golden, name, NULL);
    comparison_free(golden.comparison);
    for (size_t k = 0; k < golden.count; k++) {
        assert_true(all_run_count < ALL_RUNS_MAX);
        golden.runs[k]->calls_per_turn = 3;
        golden.runs[k]->facts.claim = 200;
        all_runs[all_run_count++] = golden.runs[k];
    }
    free(golden.folder);
}

static void compare_two(const struct run_summary *a, const struct run_summary *b)
{
    static const char *const wrong[] = {"nan", " inf ", "(null)", "- an hour", ": \"not known\""}; /* the last: MISSING_UNEXPLAINED */
    struct comparison *comparison = comparison_make((const struct run_summary *const[]){a, b}, 2, NULL);
    assert_non_null(comparison);
    for (const struct report_format *format = report_formats; format->name; format++) {
        cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
        bool is_read = strcmp(format->name, "markdown") == 0 || strcmp(format->name, "json") == 0;
        if (!is_read)
            continue;
        format->write_comparison(comparison, &text);
        for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++)
            if (strstr(buf_text(&text), wrong[k]))
                fail_msg("%s against %s, %s: \"%s\" in: %.200s", a->facts.run_id, b->facts.run_id, format->name, wrong[k],
                         strstr(buf_text(&text), wrong[k]));
    }
    comparison_free(comparison);
}

/* Whatever they are: nothing served, one level, no price, other loads, cut off. */
static void test_any_two_runs_can_be_compared(void **state)
{
    (void)state;
    for_each_case(keep_runs);
    for (size_t a = 0; a < all_run_count; a++)
        for (size_t b = a + 1; b < all_run_count; b++)
            compare_two(all_runs[a], all_runs[b]);
    for (size_t k = 0; k < all_run_count; k++)
        run_summary_free(all_runs[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports_are_as_expected),
        cmocka_unit_test(test_order_of_records_does_not_matter),
        cmocka_unit_test(test_a_summary_read_back_gives_the_same_history),
        cmocka_unit_test(test_nothing_is_not_a_number),
        cmocka_unit_test(test_any_two_runs_can_be_compared),
        cmocka_unit_test(test_a_run_judges_its_levels_as_its_report_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
