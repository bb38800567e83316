#include "stats/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "plan/token_lengths.h"
#include "stats/advice.h"
#include "stats/endings.h"
#include "stats/gpu.h"
#include "stats/measure.h"
#include "stats/run_data.h"
#include "stats/shards.h"
#include "stats/token_source.h"
#include "stats/validity.h"

/* ---- facts ---- */

static const char *server_text(struct arena *arena, const struct server_identity *server)
{
    if (server->preset[0])
        return arena_printf(arena, "simulator of preset %s", server->preset);
    if (strcmp(server->kind, "simulator") == 0)
        return "simulator";
    return server->version[0] ? arena_printf(arena, "%s %s", server->kind, server->version) : arena_strdup(arena, server->kind);
}

static const char *limits_text(struct arena *arena, const struct limits *limits)
{
    char duration[UNITS_TEXT_SIZE];
    long long requests = (long long)limits->max_requests, at_least = (long long)limits->min_requests;
    if (limits->max_seconds_ns == 0)
        return arena_printf(arena, "%lld requests a level", requests);
    units_format_duration(limits->max_seconds_ns, duration);
    if (at_least > 0 && requests > 0)
        return arena_printf(arena, "%s (longer for %lld requests) or %lld requests a level", duration, at_least, requests);
    if (at_least > 0)
        return arena_printf(arena, "%s a level, longer for %lld requests", duration, at_least);
    if (requests == 0)
        return arena_printf(arena, "%s a level", duration);
    return arena_printf(arena, "%s or %lld requests a level", duration, requests);
}

/* Orders of the repeats differ, and points are of the worst one: it is a part of how a load was measured. */
static const char *repeated_text(struct arena *arena, const struct plan *plan)
{
    const char *limits = limits_text(arena, &plan->limits);
    return plan->repeat > 1 ? arena_printf(arena, "%s, %lld times each", limits, (long long)plan->repeat) : limits;
}

static const char *lengths_text(struct arena *arena, const struct token_lengths *lengths)
{
    cleanup_buf struct buf text = BUF_INIT(TOKEN_LENGTHS_TEXT_MAX);
    token_lengths_describe(lengths, &text);
    return arena_strdup(arena, buf_text(&text));
}

static const char *tokens_text(struct arena *arena, const struct workload *workload)
{
    const char *prefix = "", *turns = "";
    if (workload->shared_prefix_tokens > 0)
        prefix = arena_printf(arena, ", %lld of them shared by %lld groups", (long long)workload->shared_prefix_tokens,
                              (long long)workload->shared_prefix_groups);
    if (workload->turns > 1)
        turns = arena_printf(arena, ", conversations of %lld turns", (long long)workload->turns);
    return arena_printf(arena, "%s + %s tokens%s%s", lengths_text(arena, &workload->prompt), lengths_text(arena, &workload->output), prefix, turns);
}

static const char *duration_text(struct arena *arena, int64_t ns)
{
    char text[UNITS_TEXT_SIZE];
    units_format_duration(ns, text);
    return arena_strdup(arena, text);
}

static const char *trim_text(struct arena *arena, const struct trim *trim)
{
    if (trim->kind == TRIM_SHARE)
        return arena_printf(arena, "%.4g %%", 100 * trim->share);
    if (trim->kind == TRIM_AUTO)
        return "auto";
    return trim->kind == TRIM_TIME ? duration_text(arena, trim->ns) : "none";
}

static const char *think_text(struct arena *arena, const struct variate *think_time)
{
    cleanup_buf struct buf text = BUF_INIT(VARIATE_TEXT_MAX);
    if (think_time->mean <= 0)
        return "none";
    variate_describe(think_time, &text);
    return arena_strdup(arena, buf_text(&text));
}

static const char *arrivals_text(struct arena *arena, const struct arrival_shape *shape)
{
    cleanup_buf struct buf text = BUF_INIT(ARRIVAL_SHAPE_TEXT_MAX);
    arrival_shape_describe(shape, &text);
    return arena_strdup(arena, buf_text(&text));
}

static const char *objectives_text(struct arena *arena, const struct slo *slo)
{
    cleanup_buf struct buf text = BUF_INIT(SLO_TEXT_MAX);
    slo_describe(slo, &text);
    return arena_strdup(arena, buf_text(&text));
}

void run_facts_fill(struct run_facts *facts, struct arena *arena, const struct plan *plan)
{
    *facts = (struct run_facts){
        .run_id = arena_strdup(arena, plan->run_id),
        .model = arena_strdup(arena, plan->model),
        .target = arena_strdup(arena, plan->target),
        .free_answers = !plan->server.ignore_eos,
        .insecure = plan->insecure,
        .other_targets = plan->other_target_count,
        .server = server_text(arena, &plan->server),
        .simulated = strcmp(plan->server.kind, "simulator") == 0,
        .time_scale = plan->server.time_scale,
        .profile = arena_strdup(arena, plan->profile),
        .stream_start = stream_start_name(plan->stream_start),
        .arrivals = arrivals_text(arena, &plan->arrival_shape),
        .think_time = think_text(arena, &plan->think_time),
        .scenario = arena_strdup(arena, plan->workload.scenario),
        .endpoint = endpoint_name(plan->workload.endpoint),
        .tokens = tokens_text(arena, &plan->workload),
        .limits = repeated_text(arena, plan),
        .warmup = trim_text(arena, &plan->limits.warmup),
        .cooldown = trim_text(arena, &plan->limits.cooldown),
        .drain = duration_text(arena, plan->limits.drain_ns),
        .objectives = objectives_text(arena, &plan->slo),
        .planned_sla = sla_copy(&plan->sla, arena),
        .max_concurrency = plan->limits.max_concurrency,
        .prompt_tokens = plan->workload.prompt.mean,
        .output_tokens = plan->workload.output.mean,
        .hardware = arena_strdup(arena, plan->deployment.hardware),
        .gpus = plan->deployment.gpus,
        .price_micro_usd = plan->deployment.price_micro_usd,
        .price_source = arena_strdup(arena, plan->deployment.price_source),
        .quality = "",
        .quality_source = "",
        .plan = plan_to_json(plan),
    };
    struct json_reader reader = {.file = "the plan"};
    facts->kubernetes = kubernetes_facts_read(&reader, facts->plan, arena);
}

void run_summary_add_note(struct run_summary *summary, const char *note)
{
    if (summary->note_count == SUMMARY_NOTES_MAX)
        abort(); /* a mistake in the program */
    summary->notes[summary->note_count++] = note;
}

/* ---- levels ---- */

static bool was_reached(const struct run_level *level)
{
    return level->bounds.ended || level->record_count > 0;
}

/* The journal tells of a level of which no record is left. */
static bool lost_its_records(const struct run_data *data, const struct run_level *level)
{
    bool begun = false;
    for (size_t p = 0; p < data->file.part_count; p++)
        begun |= level->parts[p].started != TIME_NEVER || level->parts[p].health.known;
    return begun && !was_reached(level);
}

/* Levels of one unit that the run never came to, or of which it lost the records, in one note. */
static void note_unreached(struct run_summary *summary, const struct run_data *data, const char *unit, bool lost)
{
    double low = NAN, high = NAN;
    size_t count = 0;
    for (size_t k = 0; k < data->level_count; k++) {
        const struct level_bounds *bounds = &data->levels[k].bounds;
        if (was_reached(&data->levels[k]) || strcmp(bounds->unit, unit) != 0 || lost_its_records(data, &data->levels[k]) != lost)
            continue;
        low = count > 0 && low < bounds->load ? low : bounds->load;
        high = count > 0 && high > bounds->load ? high : bounds->load;
        count++;
    }
    char number[UNITS_TEXT_SIZE];
    if (count == 1)
        run_summary_add_note(summary, arena_printf(summary->arena, "the level of %s %s", points_load_text(summary->arena, low, unit),
                                       lost ? "has lost its records: the journal tells of it" : "was never reached: the run was cut off"));
    else if (count > 1)
        run_summary_add_note(summary, arena_printf(summary->arena, "%zu levels from %s to %s %s", count, units_format_load(low, number),
                                       points_load_text(summary->arena, high, unit),
                                       lost ? "have lost their records: the journal tells of them" : "were never reached: the run was cut off"));
}

static void fill_levels(struct run_summary *summary, const struct run_data *data, const struct plan *plan, const struct sla *sla)
{
    double values[SLA_METRIC_COUNT];
    summary->levels = ARENA_ARRAY(summary->arena, data->level_count + 1, struct level_summary);
    for (size_t k = 0; k < data->level_count; k++) {
        const struct run_level *level = &data->levels[k];
        if (!was_reached(level))
            continue;
        struct level_summary *out = &summary->levels[summary->level_count++];
        level_summary_init(out);
        measure_level(out, data, level, sla, &plan->slo, summary->arena);
        level_sla_values(out, values);
        out->verdict = sla_judge(sla, values);
        validity_judge(out, data, level, plan, sla, summary->arena);
    }
    for (size_t k = 0; k < data->file.record_count; k++)
        summary->any_ended |= data->file.records[k].outcome != OUTCOME_INCOMPLETE;
}

/* ---- what was really asked and answered ---- */

static void add_tokens(struct series *series, int64_t tokens)
{
    if (tokens >= 0)
        series_add(series, (double)tokens);
}

static struct mean_tokens mean_of(struct series *series)
{
    struct distribution all = series_describe(series);
    double std_error = all.count > 1 ? all.std / sqrt((double)all.count) : 0;
    series_free(series);
    return (struct mean_tokens){all.count, all.mean, std_error};
}

static void fill_mean_tokens(struct run_facts *facts, const struct run_data *data)
{
    struct series prompt = {0}, output = {0};
    for (size_t k = 0; k < data->file.record_count; k++) {
        const struct record *record = &data->file.records[k];
        if (!data->member[k] || record->outcome != OUTCOME_OK)
            continue;
        add_tokens(&prompt, record->prompt_tokens);
        add_tokens(&output, record->output_tokens);
    }
    facts->prompt = mean_of(&prompt);
    facts->output = mean_of(&output);
}

/* Of several targets one may be the reason for all failures. */
static void note_failing_target(struct run_summary *summary, const struct run_data *data, const struct plan *plan)
{
    long long failed[PLAN_TARGETS_MAX] = {0}, all = 0;
    size_t targets = plan->other_target_count + 1, worst = 0;
    for (size_t k = 0; k < data->file.record_count; k++) {
        const struct record *record = &data->file.records[k];
        if (!data->member[k] || !failure_by_server(record->failure) || record->target < 0 || (size_t)record->target >= targets)
            continue;
        failed[record->target]++;
        all++;
        worst = failed[record->target] > failed[worst] ? (size_t)record->target : worst;
    }
    if (targets > 1 && all > 0)
        run_summary_add_note(summary, arena_printf(summary->arena, "of %zu targets %s failed most: %lld of all %lld requests that failed by the server's doing",
                                       targets, worst == 0 ? plan->target : plan->other_targets[worst - 1], failed[worst], all));
}

/* What nothing is known of is not fine. A level that was cut off has a reason of its own. */
static void note_unknown_client(struct run_summary *summary, const struct run_data *data)
{
    size_t unknown = 0;
    for (size_t k = 0; k < data->level_count; k++)
        unknown += data->levels[k].bounds.ended && !data->levels[k].health.known;
    if (unknown > 0)
        run_summary_add_note(summary, arena_printf(summary->arena, "of %zu of %zu levels journal.jsonl does not tell how late and how busy the client was: "
                                       "nobody knows whether it kept up", unknown, data->level_count));
}

static void note_run(struct run_summary *summary, const struct run_data *data, const struct plan *plan)
{
    const char *of_shards[SHARDS_NOTES_MAX];
    size_t count = shards_notes(data, summary->arena, of_shards);
    for (size_t k = 0; k < count; k++)
        run_summary_add_note(summary, of_shards[k]);
    for (int lost = 0; lost < 2; lost++) {
        note_unreached(summary, data, load_unit_name(LOAD_STREAMS), lost);
        note_unreached(summary, data, load_unit_name(LOAD_REQUESTS_PER_S), lost);
    }
    if (data->truncated[0])
        run_summary_add_note(summary, arena_printf(summary->arena, "%s was cut off: what was whole is counted", data->truncated));
    const char *tokens = token_source_note(summary->arena, data);
    if (tokens)
        run_summary_add_note(summary, tokens);
    note_unknown_client(summary, data);
    if (!data->has_metrics)
        run_summary_add_note(summary, "the server's own metrics were not recorded: queue and KV cache have no class");
    note_failing_target(summary, data, plan);
    const struct workload_data *rows = &plan->workload.data;
    if (rows->counted < rows->rows)
        run_summary_add_note(summary, arena_printf(summary->arena, "%lld of %lld rows of %s have an estimate for a length: what is said of prompts is what the server counted",
                                       (long long)(rows->rows - rows->counted), (long long)rows->rows, rows->file));
    else if (!plan->calibration.exact)
        run_summary_add_note(summary, "the server did not count every checked prompt as long as asked: prompt lengths are not exact");
    if (summary->facts.simulated)
        run_summary_add_note(summary, arena_printf(summary->arena, "measured against a simulator, time scale %g: all times are model time",
                                       plan->server.time_scale));
}

/* ---- points ---- */

static size_t count_unit(const struct run_summary *summary, const char *unit)
{
    size_t count = 0;
    for (size_t k = 0; k < summary->level_count; k++)
        count += strcmp(summary->levels[k].unit, unit) == 0;
    return count;
}

static void add_failures(struct run_totals *totals, const struct failure_count *failures)
{
    size_t k = 0;
    while (k < totals->failure_count && strcmp(totals->failures[k].name, failures->name) != 0)
        k++;
    if (k == FAILURE_CLASSES_MAX)
        abort(); /* a mistake in the program */
    if (k == totals->failure_count)
        totals->failures[totals->failure_count++] = (struct failure_count){failures->name, failures->blame, 0};
    totals->failures[k].count += failures->count;
}

/* What one level does not tell is not known of all. */
static void add_count(uint64_t *sum, uint64_t count)
{
    *sum = *sum == COUNT_UNKNOWN || count == COUNT_UNKNOWN ? COUNT_UNKNOWN : *sum + count;
}

static void add_up(struct run_totals *totals, const struct level_summary *levels, size_t count)
{
    *totals = (struct run_totals){0};
    struct request_counts *all = &totals->requests;
    for (size_t k = 0; k < count; k++) {
        const struct request_counts *of = &levels[k].requests;
        add_count(&all->members, of->members);
        add_count(&all->ok, of->ok);
        add_count(&all->error, of->error);
        add_count(&all->incomplete, of->incomplete);
        add_count(&all->no_first_token, of->no_first_token);
        add_count(&all->left_out, of->left_out);
        add_count(&all->never_sent, of->never_sent);
        for (size_t failure = 0; failure < levels[k].failure_count; failure++)
            add_failures(totals, &levels[k].failures[failure]);
        totals->window_s += levels[k].window_end_s - levels[k].window_start_s;
    }
}

static int compare_places(const void *a, const void *b)
{
    const struct level_summary *x = *(struct level_summary *const *)a, *y = *(struct level_summary *const *)b;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return x->repeat != y->repeat ? (x->repeat > y->repeat) - (x->repeat < y->repeat) : (x > y) - (x < y);
}

/* Of the measurements of each level of the plan. */
static void find_places(struct run_summary *summary)
{
    struct level_summary **sorted = ARENA_ARRAY(summary->arena, summary->level_count + 1, struct level_summary *);
    for (size_t k = 0; k < summary->level_count; k++)
        sorted[k] = &summary->levels[k];
    if (summary->level_count > 1)
        qsort(sorted, summary->level_count, sizeof *sorted, compare_places);
    for (size_t from = 0, to; from < summary->level_count; from = to) {
        for (to = from; to < summary->level_count && sorted[to]->index == sorted[from]->index; to++)
            sorted[to]->place = (int)(to - from) + 1;
        for (size_t k = from; k < to; k++)
            sorted[k]->places = (int)(to - from);
    }
}

void run_summary_find_points(struct run_summary *summary, const struct sla *sla)
{
    find_places(summary);
    summary->sla = sla = sla_copy(sla, summary->arena);
    add_up(&summary->totals, summary->levels, summary->level_count);
    summary->repeated = repeats_find(summary->arena, summary->levels, summary->level_count, &summary->repeated_count);
    const char *const units[SUMMARY_UNITS_MAX] = {load_unit_name(LOAD_STREAMS), load_unit_name(LOAD_REQUESTS_PER_S)};
    size_t first = count_unit(summary, units[1]) >= count_unit(summary, units[0]); /* a sweep of its own has two levels of streams as its ends */
    summary->points_count = 0;
    for (size_t k = 0; k < SUMMARY_UNITS_MAX; k++) {
        const char *unit = units[(first + k) % SUMMARY_UNITS_MAX];
        if (count_unit(summary, unit) == 0)
            continue;
        struct points *points = &summary->points[summary->points_count++];
        points_find(points, summary->arena, summary->levels, summary->level_count, unit, sla);
        advice_assure(points, summary->arena, summary->facts.price_micro_usd, sla);
    }
}

const struct points *run_summary_points(const struct run_summary *summary, const char *unit)
{
    for (size_t k = 0; k < summary->points_count; k++)
        if (strcmp(summary->points[k].unit, unit) == 0)
            return &summary->points[k];
    return NULL;
}

/* ---- the whole ---- */

/* What Prometheus told when it was asked. */
static int read_gpus(struct run_summary *summary, const char *folder, struct error *err)
{
    struct gpu_samples samples;
    int status = gpu_file_read(folder, &samples, err);
    if (status == 0)
        gpu_summarize(summary, &samples);
    gpu_samples_free(&samples);
    return status < 0 ? -1 : 0;
}

/* Of the levels that the summary has, in their order. */
static void split_endings(struct run_summary *summary, const struct run_data *data, size_t keep)
{
    size_t count = 0;
    summary->endings = ARENA_ARRAY(summary->arena, summary->level_count + 1, const struct level_endings *);
    for (size_t k = 0; k < data->level_count; k++)
        if (was_reached(&data->levels[k]))
            summary->endings[count++] = endings_of_level(data, &data->levels[k], keep, summary->arena);
}

static struct run_summary *make(const char *folder, const struct plan *plan, const struct sla *sla, const size_t *keep, struct error *err)
{
    struct run_data data = {0};
    if (run_data_read(&data, folder, plan, err) < 0) {
        run_data_free(&data);
        return NULL;
    }
    struct run_summary *summary = mem_alloc(sizeof *summary);
    summary->arena = arena_new();
    run_facts_fill(&summary->facts, summary->arena, plan);
    summary->facts.anchor_realtime_ns = data.file.anchor_realtime_ns;
    summary->facts.pair_id = arena_strdup(summary->arena, data.file.pair_id);
    summary->calls_per_turn = 1;
    fill_levels(summary, &data, plan, sla);
    run_data_drop_gaps(&data);
    course_find(&summary->course, &data, summary->levels, summary->level_count, summary->arena);
    fill_mean_tokens(&summary->facts, &data);
    note_run(summary, &data, plan);
    run_summary_find_points(summary, sla);
    if (keep)
        split_endings(summary, &data, *keep);
    run_data_free(&data);
    if (read_gpus(summary, folder, err) < 0) {
        run_summary_free(summary);
        return NULL;
    }
    return summary;
}

struct run_summary *run_summary_make(const char *folder, const struct plan *plan, const struct sla *sla, struct error *err)
{
    return make(folder, plan, sla, NULL, err);
}

struct run_summary *run_summary_make_with_endings(const char *folder, const struct plan *plan, const struct sla *sla, size_t keep,
                                                  struct error *err)
{
    return make(folder, plan, sla, &keep, err);
}

void run_summary_free(struct run_summary *summary)
{
    if (!summary)
        return;
    json_decref(summary->facts.plan);
    arena_free(summary->arena);
    free(summary);
}
