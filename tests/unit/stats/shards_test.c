/* A run's requests divided among shards' files: the numbers are those of the whole, whatever the division and the order. And what is said
 * of shards that are missing, were cut off, or whose clocks are apart. */
#include "stats/shards.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/random.h"
#include "record/record_writer.h"
#include "report/report.h"
#include "stats/summary.h"
#include "support/temp_folder.h"

#define ANCHOR (1790000000 * NS_PER_S)
#define ANCHORS_APART (37 * NS_PER_MS + 12345)
#define REQUESTS 260
#define ARRIVALS_MAX 12
#define SHARDS 9
#define SECOND NS_PER_S

static const struct level_header levels[] = {
    {.index = 0, .kind = "concurrent", .load = 5, .unit = "streams"},
    {.index = 1, .kind = "poisson", .load = 20, .unit = "req/s"},
};
#define LEVELS 2
#define LEVEL_NS (10 * SECOND)

struct request {
    struct record record;
    int64_t gaps[ARRIVALS_MAX];
    int32_t n[ARRIVALS_MAX];
    size_t arrivals;
};

static struct plan *make_plan(double time_scale)
{
    struct plan *plan = plan_new();
    plan->run_id = plan->model = "r";
    plan->profile = "sweep";
    plan->server.kind = "simulator";
    plan->server.time_scale = time_scale;
    plan->workload.prompt.mean = plan->workload.output.mean = 30;
    plan->limits.max_seconds_ns = (int64_t)((double)LEVEL_NS * time_scale);
    plan->calibration.exact = true;
    plan->slo.most_ns[SLO_TTFT] = (int64_t)((double)SECOND * time_scale / 4);
    plan->slo.most_ns[SLO_TPOT] = (int64_t)((double)SECOND * time_scale / 100);
    return plan;
}

/* ---- made-up requests ---- */

/* What became of it: mostly well, with all that can go wrong. */
static void draw_end(struct request *request, struct random *random)
{
    struct record *record = &request->record;
    uint64_t fate = random_below(random, 20);
    record->outcome = fate == 0 ? OUTCOME_ERROR : fate == 1 ? OUTCOME_INCOMPLETE : OUTCOME_OK;
    record->failure = fate == 0 ? FAILURE_HTTP_5XX : fate == 1 ? FAILURE_CANCELLED : FAILURE_NONE;
    record->end = record->sent + (int64_t)random_below(random, SECOND);
    if (fate < 2)
        return;
    request->arrivals = 1 + random_below(random, ARRIVALS_MAX);
    int64_t t = record->sent, tokens = 0;
    for (size_t k = 0; k < request->arrivals; k++) {
        request->gaps[k] = (int64_t)random_below(random, k == 0 ? SECOND / 2 : SECOND / 20);
        request->n[k] = 1 + (int32_t)random_below(random, 4);
        t += request->gaps[k];
        tokens += request->n[k];
    }
    record->first_token = record->sent + request->gaps[0];
    record->last_token = record->end = t;
    record->prompt_tokens = 20 + (int64_t)random_below(random, 20);
    bool inferred = random_below(random, 3) == 0;
    record->chunk_tokens = inferred ? CHUNK_TOKENS_INFERRED : CHUNK_TOKENS_EXACT;
    record->output_tokens = inferred ? tokens + 7 : tokens;
    record->first_tokens = request->n[0];
    record->arrivals = (int64_t)request->arrivals;
}

static void draw_requests(struct request *requests, uint64_t seed)
{
    struct random random;
    random_seed(&random, seed);
    for (int k = 0; k < REQUESTS; k++) {
        struct request *request = &requests[k];
        struct record *record = &request->record;
        *request = (struct request){.record = record_empty()};
        record->level = k % LEVELS;
        record->i = k / LEVELS;
        bool closed = record->level == 0;
        record->stream = closed ? (int)(record->i % 5) : -1;
        record->intended = record->level * 2 * LEVEL_NS + (int64_t)random_below(&random, LEVEL_NS);
        if (closed || random_below(&random, 15) > 0) {
            record->sent = record->intended + (int64_t)random_below(&random, SECOND / 100);
            draw_end(request, &random);
        } else {
            record->outcome = OUTCOME_INCOMPLETE;
            record->failure = FAILURE_CANCELLED;
        }
    }
}

static int owner_of(const struct request *request, int shards)
{
    const struct record *record = &request->record;
    return (int)((record->stream >= 0 ? record->stream : record->i) % shards);
}

static void shuffle(int *order, struct random *random)
{
    for (int k = REQUESTS - 1; k > 0; k--) {
        int other = (int)random_below(random, (uint64_t)k + 1), swap = order[k];
        order[k] = order[other];
        order[other] = swap;
    }
}

/* ---- written ---- */

struct division {
    int shards;                    /* 0: a whole run */
    const struct request *requests;
    const int *order;
    struct clock_check clock[SHARDS];
    int64_t window_late[SHARDS];   /* this shard's windows begin and end so much later */
    bool unfinished[SHARDS];       /* its levels have no end */
    const char *reason;            /* of the level_end; NULL: max_seconds */
};

static bool is_ours(const struct division *division, const struct request *request, int shard)
{
    return shard == NO_SHARD || owner_of(request, division->shards) == shard;
}

static int64_t ahead_of(int shard)
{
    return shard > 0 ? shard * ANCHORS_APART : 0;
}

static void shift(int64_t *time, int64_t by)
{
    if (*time != TIME_NEVER)
        *time -= by;
}

static void add_request(struct record_writer *writer, const struct request *request, int64_t by)
{
    struct record record = request->record;
    int64_t *const times[] = {&record.intended, &record.sent, &record.first_token, &record.last_token, &record.end};
    for (size_t k = 0; k < sizeof times / sizeof *times; k++)
        shift(times[k], by);
    assert_int_equal(record_writer_add(writer, &record, request->gaps, request->n, request->arrivals, NULL), 0);
}

static void add_journal(struct record_writer *writer, json_t *line)
{
    assert_int_equal(record_writer_journal(writer, line, NULL), 0);
    json_decref(line);
}

/* The whole run's worker is as late and busy as the worst of the shards. */
static void add_level_journal(struct record_writer *writer, const struct division *division, int level, int shard)
{
    int64_t start = level * 2 * LEVEL_NS - ahead_of(shard);
    int worst = shard == NO_SHARD ? SHARDS - 1 : SHARDS - 1 - (division->shards - 1 - shard);
    add_journal(writer, json_pack("{s{s:i,s:i,s:I,s:I}}", "level_start", "index", level, "repeat", 0, "start", (json_int_t)start,
                                  "measure_start", (json_int_t)start));
    if (shard != NO_SHARD && division->unfinished[shard])
        return;
    add_journal(writer, json_pack("{s{s:i,s:i,s{s:i},s[f],s:i,s:s}}", "level_end", "index", level, "repeat", 0, "lag_ns", "p99",
                                  1000000 * worst, "cpu", 0.12 * worst, "throttled_ns", 10000000 * worst, "reason",
                                  division->reason ? division->reason : "max_seconds"));
}

static int64_t tokens_between(const struct division *division, int shard, int64_t from, int64_t to)
{
    int64_t tokens = 0;
    for (int k = 0; k < REQUESTS; k++) {
        const struct request *request = &division->requests[k];
        int64_t t = request->record.sent;
        for (size_t a = 0; is_ours(division, request, shard) && a < request->arrivals; a++) {
            t += request->gaps[a];
            tokens += t > from && t <= to ? request->n[a] : 0;
        }
    }
    return tokens;
}

static void add_ticks(struct record_writer *writer, const struct division *division, int shard)
{
    const int64_t step = SECOND / 10;
    for (int64_t t = step; t < (2 * LEVELS + 1) * LEVEL_NS; t += step) {
        int64_t tokens = tokens_between(division, shard, t - step, t);
        if (tokens > 0)
            assert_int_equal(record_writer_tick(writer, t - ahead_of(shard), tokens, NULL), 0);
    }
}

static void write_metrics(const char *folder, int shard)
{
    cleanup_free char *path = run_file_path(folder, RUN_METRICS, shard);
    struct gzip_stream *stream = gzip_stream_open(path, NULL);
    assert_non_null(stream);
    for (int64_t t = 0; t < (2 * LEVELS + 1) * LEVEL_NS; t += SECOND / 2) {
        char line[256];
        int length = snprintf(line, sizeof line,
                              "{\"t\":%lld,\"took\":1000,\"series\":{\"vllm:num_requests_waiting\":%lld,\"vllm:generation_tokens_total\":%lld}}\n",
                              (long long)(t - ahead_of(shard)), (long long)(t / SECOND % 3), (long long)(t / 1000000));
        assert_int_equal(gzip_stream_write(stream, line, (size_t)length, NULL), 0);
    }
    assert_int_equal(gzip_stream_close(stream, NULL), 0);
}

static void write_part(const char *folder, const struct division *division, int shard)
{
    struct record_writer *writer = record_writer_open(folder, shard, NULL);
    int place = shard == NO_SHARD ? 0 : shard;
    const struct record_header header = {.run_id = "r", .anchor_realtime_ns = ANCHOR + ahead_of(shard), .levels = levels,
                                         .level_count = LEVELS, .shards = division->shards,
                                         .clock = shard == NO_SHARD ? NULL : &division->clock[place]};
    assert_non_null(writer);
    assert_int_equal(record_writer_header(writer, &header, NULL), 0);
    for (int k = 0; k < REQUESTS; k++)
        if (is_ours(division, &division->requests[division->order[k]], shard))
            add_request(writer, &division->requests[division->order[k]], ahead_of(shard));
    for (int level = 0; level < LEVELS; level++) {
        int64_t start = level * 2 * LEVEL_NS - ahead_of(shard), late = division->window_late[place];
        if (!division->unfinished[place])
            assert_int_equal(record_writer_level_end(writer, &levels[level], 0, start, start + LEVEL_NS, start + SECOND + late,
                                                     start + 9 * SECOND + late, NULL), 0);
        add_level_journal(writer, division, level, shard);
    }
    add_ticks(writer, division, shard);
    assert_int_equal(record_writer_close(writer, NULL), 0);
}

static void write_run(const char *folder, const struct division *division)
{
    if (division->shards == 0)
        write_part(folder, division, NO_SHARD);
    for (int shard = 0; shard < division->shards; shard++)
        write_part(folder, division, shard);
    write_metrics(folder, division->shards == 0 ? NO_SHARD : division->shards - 1);
}

static void remove_part(const char *folder, int shard)
{
    for (int file = 0; file < RUN_FILE_COUNT; file++) {
        cleanup_free char *path = run_file_path(folder, (enum run_file)file, shard);
        unlink(path);
    }
}

static void remove_tokens(const char *folder, const struct division *division)
{
    for (int shard = NO_SHARD; shard < division->shards; shard++) {
        cleanup_free char *path = run_file_path(folder, RUN_TOKENS, shard);
        unlink(path);
    }
}

/* ---- and summarized ---- */

static struct run_summary *summarize(const char *folder, double time_scale)
{
    struct plan *plan = make_plan(time_scale);
    struct error err = {0};
    struct run_summary *summary = run_summary_make(folder, plan, &sla_default, &err);
    plan_free(plan);
    if (!summary)
        fail_msg("%s", err.text);
    return summary;
}

/* Every number of the report; of its sentences those that do not tell of shards. */
static char *numbers_of(const char *folder, double time_scale)
{
    cleanup_buf struct buf text = BUF_INIT(REPORT_MAX);
    struct run_summary *summary = summarize(folder, time_scale);
    report_format_find("json")->write_run(summary, &text);
    run_summary_free(summary);
    json_t *document = json_loadb(buf_text(&text), text.len, 0, NULL);
    assert_non_null(document);
    assert_int_equal(json_object_del(document, "notes"), 0);
    char *numbers = json_dumps(document, JSON_INDENT(1) | JSON_SORT_KEYS), *shard;
    json_decref(document);
    while ((shard = strstr(numbers, " (shard "))) { /* who was the worst */
        const char *rest = strchr(shard, ')') + 1;
        memmove(shard, rest, strlen(rest) + 1);
    }
    return numbers;
}

static void assert_same_text(const char *text, const char *expected, const char *what)
{
    size_t line = 0;
    for (size_t k = 0; text[k] || expected[k]; k++) {
        if (text[k] != expected[k])
            fail_msg("%s: %.60s instead of %.60s", what, text + line, expected + line);
        if (text[k] == '\n')
            line = k + 1;
    }
}

static void in_order(int *order)
{
    for (int k = 0; k < REQUESTS; k++)
        order[k] = k;
}

static void divide_and_compare(const struct division *whole, struct random *random, double time_scale, bool with_tokens)
{
    static const int counts[] = {0, 1, 2, 3, 5, SHARDS};
    char *parent = temp_folder_make(), what[80];
    int order[REQUESTS];
    write_run(parent, whole);
    if (!with_tokens)
        remove_tokens(parent, whole);
    cleanup_free char *expected = numbers_of(parent, time_scale);
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        char *folder = temp_folder_make();
        struct division division = *whole;
        in_order(order);
        shuffle(order, random);
        division.shards = counts[k];
        division.order = order;
        write_run(folder, &division);
        if (!with_tokens)
            remove_tokens(folder, &division);
        cleanup_free char *numbers = numbers_of(folder, time_scale);
        assert_non_null(strstr(numbers, "event-loop lag p99 "));
        assert_null(strstr(numbers, "\"goodput_rps\": null"));
        snprintf(what, sizeof what, "%d shards, time scale %g, %s tokens", counts[k], time_scale, with_tokens ? "with" : "without");
        assert_same_text(numbers, expected, what);
        temp_folder_remove(folder);
    }
    temp_folder_remove(parent);
}

static void test_shards_are_the_whole(void **state)
{
    static const double scales[] = {1, 1, 7.5};
    struct request *requests = calloc(REQUESTS, sizeof *requests);
    int order[REQUESTS];
    (void)state;
    in_order(order);
    for (uint64_t seed = 0; seed < sizeof scales / sizeof *scales; seed++) {
        struct random random;
        random_derive(&random, seed, "order", 0, 0);
        draw_requests(requests, seed);
        struct division whole = {.requests = requests, .order = order};
        for (int shard = 0; shard < SHARDS; shard++)
            whole.clock[shard] = (struct clock_check){.error_ns = -1, .synchronized = -1, .max_error_ns = -1};
        divide_and_compare(&whole, &random, scales[seed], true);
        divide_and_compare(&whole, &random, scales[seed], false);
    }
    free(requests);
}

/* ---- shards that are not as they should be ---- */

struct bench {
    char *folder;
    struct request requests[REQUESTS];
    int order[REQUESTS];
    struct division division;
    struct run_summary *summary;
};

static int make_bench(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->folder = temp_folder_make();
    draw_requests(bench->requests, 7);
    in_order(bench->order);
    bench->division = (struct division){.shards = 4, .requests = bench->requests, .order = bench->order};
    for (int shard = 0; shard < SHARDS; shard++)
        bench->division.clock[shard] = (struct clock_check){.error_ns = -1, .synchronized = -1, .max_error_ns = -1};
    *state = bench;
    return 0;
}

static int free_bench(void **state)
{
    struct bench *bench = *state;
    run_summary_free(bench->summary);
    temp_folder_remove(bench->folder);
    free(bench);
    return 0;
}

static void summarize_bench(struct bench *bench)
{
    run_summary_free(bench->summary);
    bench->summary = summarize(bench->folder, 1);
    assert_int_equal(bench->summary->level_count, LEVELS);
}

static void assert_note(const struct bench *bench, const char *note)
{
    for (size_t k = 0; k < bench->summary->note_count; k++)
        if (strcmp(bench->summary->notes[k], note) == 0)
            return;
    for (size_t k = 0; k < bench->summary->note_count; k++)
        print_error("%s\n", bench->summary->notes[k]);
    fail_msg("no such note: %s", note);
}

/* text NULL: there is no such reason. */
static void assert_reason(const struct bench *bench, int level, const char *tag, enum validity verdict, const char *text)
{
    const struct validity_summary *validity = &bench->summary->levels[level].validity;
    for (size_t k = 0; k < validity->count; k++) {
        if (strcmp(validity->reasons[k].tag, tag) != 0)
            continue;
        if (!text)
            fail_msg("level %d: %s", level, validity->reasons[k].text);
        assert_int_equal(validity->reasons[k].verdict, verdict);
        assert_string_equal(validity->reasons[k].text, text);
        return;
    }
    if (text)
        fail_msg("level %d has no reason %s", level, tag);
}

static void test_shards_that_did_well(void **state)
{
    struct bench *bench = *state;
    for (int shard = 0; shard < 4; shard++)
        bench->division.clock[shard] =
            (struct clock_check){.offset_ns = shard * 100 * NS_PER_US, .error_ns = NS_PER_MS, .synchronized = 1, .max_error_ns = 5 * NS_PER_MS};
    write_run(bench->folder, &bench->division);
    summarize_bench(bench);
    assert_note(bench, "4 shards carried out this plan together; by the target's dates their clocks are at most 0.3 ms apart (+/- 2.0 ms); all "
                       "are synchronized, each off by 5.0 ms at most");
    for (int level = 0; level < LEVELS; level++) {
        assert_reason(bench, level, "shard missing", VALIDITY_VALID, NULL);
        assert_reason(bench, level, "shards apart", VALIDITY_VALID, NULL);
        assert_reason(bench, level, "cut off", VALIDITY_VALID, NULL);
    }
    for (size_t k = 0; k < bench->summary->note_count; k++)
        assert_null(strstr(bench->summary->notes[k], "metrics")); /* one shard has some: there is no choice to be told */
}

/* The worst is named: 3 of 4 has what 8 of 9 has. What is known of the others is judged when one tells nothing. */
static void test_a_shard_that_was_late(void **state)
{
    struct bench *bench = *state;
    write_run(bench->folder, &bench->division);
    summarize_bench(bench);
    assert_reason(bench, 0, "client busy", VALIDITY_INVALID, "the client was busy: 96 % of a CPU > 90 % (shard 3)");
    assert_reason(bench, 0, "throttled", VALIDITY_INVALID, "the client's CPU was throttled for 80 ms (shard 3)");
    bench->division.unfinished[3] = true;
    write_run(bench->folder, &bench->division);
    summarize_bench(bench);
    assert_reason(bench, 0, "client busy", VALIDITY_VALID, NULL);
    assert_reason(bench, 0, "throttled", VALIDITY_INVALID, "the client's CPU was throttled for 70 ms (shard 2)");
}

static void test_a_shard_that_never_ran(void **state)
{
    struct bench *bench = *state;
    write_run(bench->folder, &bench->division);
    remove_part(bench->folder, 2);
    summarize_bench(bench);
    assert_note(bench, "3 shards carried out this plan together; what their clocks are apart is not known");
    assert_note(bench, "shard 2 of 4 left no records: its share of every level is missing");
    for (int level = 0; level < LEVELS; level++)
        assert_reason(bench, level, "shard missing", VALIDITY_INVALID,
                      "1 of 4 shards never came to this level: a part of its load was missing");
    remove_part(bench->folder, 0);
    remove_part(bench->folder, 3);
    /* Nothing but its name: created, and killed before its first line. */
    temp_file_write(bench->folder, "records-3.jsonl.gz", "", 0);
    summarize_bench(bench);
    assert_note(bench, "shards 0, 2 and 3 of 4 left no records: their share of every level is missing");
    assert_int_equal(bench->summary->facts.anchor_realtime_ns, ANCHOR + ahead_of(1));
}

/* More shards than streams: the last ones have nothing to do in a level of 5 streams, and everything to do in the open loop. */
static void test_a_shard_without_a_share_is_not_missed(void **state)
{
    struct bench *bench = *state;
    bench->division.shards = SHARDS;
    write_run(bench->folder, &bench->division);
    remove_part(bench->folder, 7);
    summarize_bench(bench);
    assert_reason(bench, 0, "shard missing", VALIDITY_VALID, NULL);
    assert_reason(bench, 1, "shard missing", VALIDITY_INVALID,
                  "1 of 9 shards never came to this level: a part of its load was missing");
}

static int64_t last_event(const struct bench *bench, int level, int shard)
{
    int64_t last = 0;
    for (int k = 0; k < REQUESTS; k++) {
        const struct record *record = &bench->requests[k].record;
        if (record->level != level || owner_of(&bench->requests[k], 4) != shard)
            continue;
        last = record->end != TIME_NEVER && record->end > last ? record->end : last;
        last = record->intended > last ? record->intended : last;
    }
    return last;
}

/* What it had to give is measured as long as it gave it. */
static void test_a_shard_that_was_killed(void **state)
{
    struct bench *bench = *state;
    for (int k = 0; k < REQUESTS; k++) { /* it got to 6 s of level 0, and no further */
        struct request *request = &bench->requests[k];
        if (owner_of(request, 4) == 1 && (request->record.level == 1 || request->record.end > 6 * SECOND))
            request->record.stream = request->record.level == 0 ? 0 : -1, request->record.i = request->record.i / 4 * 4 + 20000 * (k + 1);
    }
    bench->division.unfinished[1] = true;
    write_run(bench->folder, &bench->division);
    summarize_bench(bench);
    const struct level_summary *level = &bench->summary->levels[0];
    assert_reason(bench, 0, "cut off", VALIDITY_SUSPECT, "cut off: 1 of 4 shards did not live to end this level; it is measured until then");
    assert_reason(bench, 0, "shards apart", VALIDITY_VALID, NULL);
    assert_false(level->ended);
    assert_true(fabs(level->window_end_s - (double)(last_event(bench, 0, 1) + 1) / 1e9) < 1e-9);
    assert_true(fabs(level->window_start_s - 1) < 1e-9);
}

static void test_windows_that_are_apart(void **state)
{
    struct bench *bench = *state;
    bench->division.window_late[3] = 2 * SECOND;
    write_run(bench->folder, &bench->division);
    summarize_bench(bench);
    assert_reason(bench, 0, "shards apart", VALIDITY_SUSPECT, "its shards measured together for 6 s of 8 s");
    assert_true(fabs(bench->summary->levels[0].window_start_s - 3) < 1e-9);
    assert_true(fabs(bench->summary->levels[0].window_end_s - 9) < 1e-9);
    bench->division.window_late[3] = 8 * SECOND;
    write_run(bench->folder, &bench->division);
    summarize_bench(bench);
    assert_reason(bench, 1, "shards apart", VALIDITY_INVALID, "its shards were never at work at the same time");
    assert_int_equal(bench->summary->levels[1].requests.members, 0);
}

/* A shard whose own requests are done has given its load: the level lasts until the last one's are. */
static void test_shards_that_end_with_their_requests(void **state)
{
    struct bench *bench = *state;
    bench->division.reason = "max_requests";
    bench->division.window_late[2] = SECOND / 2;
    write_run(bench->folder, &bench->division);
    summarize_bench(bench);
    assert_true(fabs(bench->summary->levels[0].window_start_s - 1.5) < 1e-9);
    assert_true(fabs(bench->summary->levels[0].window_end_s - 9.5) < 1e-9);
    assert_string_equal(bench->summary->levels[0].reason, "max_requests");
}

static double first_ttft_window(struct bench *bench)
{
    write_run(bench->folder, &bench->division);
    summarize_bench(bench);
    return bench->summary->levels[0].window_start_s;
}

/* Shard 3's clock is 300 ms ahead: when it says 1.0 s, it is 0.7 s by shard 0's. Where that may be an error of measurement, nothing moves. */
static void test_clocks_that_are_apart(void **state)
{
    struct bench *bench = *state;
    for (int shard = 0; shard < 4; shard++)
        bench->division.clock[shard] = (struct clock_check){.error_ns = 10 * NS_PER_MS, .synchronized = shard % 2, .max_error_ns = -1};
    bench->division.clock[3].offset_ns = 300 * NS_PER_MS;
    bench->division.window_late[3] = SECOND;
    assert_true(fabs(first_ttft_window(bench) - 1.7) < 1e-9);
    assert_note(bench, "4 shards carried out this plan together; by the target's dates their clocks are at most 300.0 ms apart (+/- 20.0 ms); "
                       "times are corrected by it; not synchronized: shards 0 and 2");
    bench->division.clock[3].error_ns = 290 * NS_PER_MS;
    assert_true(fabs(first_ttft_window(bench) - 2) < 1e-9);
    assert_note(bench, "4 shards carried out this plan together; by the target's dates their clocks are at most 300.0 ms apart (+/- 300.0 ms); "
                       "not synchronized: shards 0 and 2");
}

static void test_one_shard_tells_of_the_server(void **state)
{
    struct bench *bench = *state;
    write_run(bench->folder, &bench->division);
    write_metrics(bench->folder, 1);
    summarize_bench(bench);
    assert_note(bench, "the server's metrics are those that shard 1 saw");
}

static void expect_refused(struct bench *bench, const char *says)
{
    struct plan *plan = make_plan(1);
    struct error err = {0};
    assert_null(run_summary_make(bench->folder, plan, &sla_default, &err));
    plan_free(plan);
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, says))
        fail_msg("got '%s'", err.text);
}

static void move(const struct bench *bench, const char *from, const char *to)
{
    cleanup_free char *source = file_join(bench->folder, from), *target = file_join(bench->folder, to);
    assert_int_equal(rename(source, target), 0);
}

static void write_header(const struct bench *bench, int shard, int shards, const char *run_id)
{
    struct record_writer *writer = record_writer_open(bench->folder, shard, NULL);
    const struct record_header header = {.run_id = run_id, .anchor_realtime_ns = ANCHOR, .shards = shards};
    assert_int_equal(record_writer_header(writer, &header, NULL), 0);
    assert_int_equal(record_writer_close(writer, NULL), 0);
}

static void test_files_that_do_not_belong_together(void **state)
{
    struct bench *bench = *state;
    write_run(bench->folder, &bench->division);
    move(bench, "records-3.jsonl.gz", "records.jsonl.gz");
    expect_refused(bench, "holds records of a whole run and of shards: they do not belong together");
    move(bench, "records.jsonl.gz", "records-2.jsonl.gz");
    expect_refused(bench, "records-2.jsonl.gz: line 1: shard: not what the file's name says");
    write_header(bench, 2, 5, "r");
    expect_refused(bench, "records-2.jsonl.gz: line 1: shards: other shards are of 4");
    write_header(bench, 2, 4, "other");
    expect_refused(bench, "records-2.jsonl.gz: line 1: run_id: other shards are of run r");
    write_header(bench, 2, 2, "r");
    expect_refused(bench, "records-2.jsonl.gz: line 1: shards: expected a number from 3 to 1000");
    static const char headless[] = "{\"id\":\"0.0.2\",\"level\":0,\"repeat\":0,\"shard\":2,\"i\":2,\"intended\":5,\"outcome\":\"incomplete\"}\n";
    temp_file_write(bench->folder, "records-2.jsonl.gz", headless, sizeof headless - 1);
    expect_refused(bench, "records-2.jsonl.gz: there is no header: nobody knows when this was");
}

/* Files that claim more than memory should be spent on. */
static void test_too_many_levels_of_too_many_shards(void **state)
{
    enum { CLAIMED = 9000, CLAIMING = 112 };
    struct bench *bench = *state;
    struct level_header *claimed = calloc(CLAIMED, sizeof *claimed);
    for (int k = 0; k < CLAIMED; k++)
        claimed[k] = (struct level_header){.index = k, .kind = "concurrent", .load = 1, .unit = "streams"};
    for (int shard = 0; shard < CLAIMING; shard++) {
        struct record_writer *writer = record_writer_open(bench->folder, shard, NULL);
        const struct record_header header = {.run_id = "r", .anchor_realtime_ns = ANCHOR, .shards = CLAIMING, .levels = claimed,
                                             .level_count = shard == 0 ? CLAIMED : 1};
        assert_int_equal(record_writer_header(writer, &header, NULL), 0);
        assert_int_equal(record_writer_close(writer, NULL), 0);
    }
    free(claimed);
    expect_refused(bench, "9000 levels of 112 shards are more than 1000000");
}

static void test_the_same_requests_twice(void **state)
{
    struct bench *bench = *state;
    for (int k = 0; k < REQUESTS; k++)
        if (bench->requests[k].record.level == 0 && bench->requests[k].record.stream == 3)
            bench->requests[k].record.i -= 3; /* as stream 0's */
    write_run(bench->folder, &bench->division);
    expect_refused(bench, "shards 0 and 3 both have a request 0.0.0: they are not shards of one run");
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, free_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards_are_the_whole),
        BENCH_TEST(test_shards_that_did_well),
        BENCH_TEST(test_a_shard_that_was_late),
        BENCH_TEST(test_a_shard_that_never_ran),
        BENCH_TEST(test_a_shard_without_a_share_is_not_missed),
        BENCH_TEST(test_a_shard_that_was_killed),
        BENCH_TEST(test_windows_that_are_apart),
        BENCH_TEST(test_shards_that_end_with_their_requests),
        BENCH_TEST(test_clocks_that_are_apart),
        BENCH_TEST(test_one_shard_tells_of_the_server),
        BENCH_TEST(test_files_that_do_not_belong_together),
        BENCH_TEST(test_too_many_levels_of_too_many_shards),
        BENCH_TEST(test_the_same_requests_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
