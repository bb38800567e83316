#include "stats/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "stats/conclusion.h"
#include "stats/workload.h"

#define IDS_MAX ((size_t)1 << 20)
#define ID_HEAD 100
#define ID_HASH 12
#define DIFFERENCES_MAX (WORKLOAD_FACTS + 3) /* of two runs */
#define UNKNOWN_MAX ((size_t)1 << 12)
#define TOKENS_TOLERANCE 0.02    /* of the larger mean */
#define STANDARD_ERRORS 2        /* of the difference of two means: what drawn lengths explain */

static int check_runs(const struct run_summary *const *runs, size_t count, struct error *err)
{
    if (count < 2 || count > COMPARISON_RUNS_MAX)
        return error_set(err, ERROR_USAGE, "a comparison takes 2 to %d runs, got %zu", COMPARISON_RUNS_MAX, count);
    for (size_t k = 0; k < count; k++)
        for (size_t j = 0; j < k; j++)
            if (strcmp(runs[k]->facts.run_id, runs[j]->facts.run_id) == 0)
                return error_set(err, ERROR_USAGE, "the run %s is given twice: a comparison needs different runs",
                                 runs[k]->facts.run_id);
    return 0;
}

/* "<run>-vs-<run>"; where that is too long for a folder name, its beginning and a hash of the whole. */
static const char *make_id(struct arena *arena, const struct run_summary *const *runs, size_t count)
{
    cleanup_buf struct buf ids = BUF_INIT(IDS_MAX);
    for (size_t k = 0; k < count; k++)
        buf_printf(&ids, "%s%s", k > 0 ? "-vs-" : "", runs[k]->facts.run_id);
    if (ids.len <= COMPARISON_ID_MAX)
        return arena_strdup(arena, buf_text(&ids));
    char hash[65];
    file_sha256_bytes(buf_text(&ids), ids.len, hash);
    return arena_printf(arena, "%.*s-%.*s", ID_HEAD, buf_text(&ids), ID_HASH, hash);
}

static const char *model_of(const struct run_summary *run)
{
    return run->facts.model;
}

static const char *hardware_of(const struct run_summary *run)
{
    return run->facts.hardware;
}

static bool all_differ(const struct run_summary *const *runs, size_t count, const char *(*fact_of_run)(const struct run_summary *))
{
    for (size_t k = 0; k < count; k++) {
        if (fact_of_run(runs[k])[0] == '\0')
            return false;
        for (size_t j = 0; j < k; j++)
            if (strcmp(fact_of_run(runs[k]), fact_of_run(runs[j])) == 0)
                return false;
    }
    return true;
}

static const char *const *make_names(struct arena *arena, const struct run_summary *const *runs, size_t count)
{
    const char **names = ARENA_ARRAY(arena, count, const char *);
    bool models = all_differ(runs, count, model_of), hardware = all_differ(runs, count, hardware_of);
    for (size_t k = 0; k < count; k++)
        names[k] = models     ? runs[k]->facts.model
                   : hardware ? arena_printf(arena, "%s on %s", runs[k]->facts.model, runs[k]->facts.hardware)
                              : runs[k]->facts.run_id;
    return names;
}

/* ---- differences ---- */

struct differences {
    struct comparison *comparison;
    const char **list;
    size_t other; /* the run that is compared with the first */
    struct buf unknown; /* what an import does not tell: "profile, drain" */
};

static void add_difference(struct differences *differences, const char *title, const char *a, const char *b)
{
    struct comparison *comparison = differences->comparison;
    if (strcmp(a, b) != 0)
        differences->list[comparison->difference_count++] =
            arena_printf(comparison->arena, "%s differs: %s (%s) against %s (%s)", title, a[0] ? a : "none", comparison->names[0],
                         b[0] ? b : "none", comparison->names[differences->other]);
}

/* A fact that an import may not know: then it is the same as nothing. */
static void add_fact_difference(struct differences *differences, const char *title, const char *a, const char *b)
{
    const struct run_summary *const *runs = differences->comparison->runs;
    if ((a[0] || !runs[0]->facts.imported) && (b[0] || !runs[differences->other]->facts.imported))
        add_difference(differences, title, a, b);
    else
        buf_printf(&differences->unknown, "%s%s", differences->unknown.len > 0 ? ", " : "", title);
}

static void tell_unknown(struct differences *differences)
{
    struct comparison *comparison = differences->comparison;
    if (differences->unknown.len > 0) {
        comparison->unknown_count++;
        differences->list[comparison->difference_count++] =
            arena_printf(comparison->arena, "not known to be alike, as not all was measured by roibench (%s, %s): %s", comparison->names[0],
                         comparison->names[differences->other], buf_text(&differences->unknown));
    }
    buf_free(&differences->unknown);
}

static const char *integer_text(struct arena *arena, int64_t integer)
{
    return arena_printf(arena, "%lld", (long long)integer);
}

/* Equal plans are not equal work where a server stops before it was asked to, or counts other prompts. */
static void compare_tokens(struct differences *differences, const char *title, const struct mean_tokens *a, const struct mean_tokens *b)
{
    struct arena *arena = differences->comparison->arena;
    double tolerance = fmax(TOKENS_TOLERANCE * fmax(a->mean, b->mean), STANDARD_ERRORS * hypot(a->std_error, b->std_error));
    if (a->requests > 0 && b->requests > 0 && fabs(a->mean - b->mean) > tolerance)
        add_difference(differences, title, arena_printf(arena, "%.4g", a->mean), arena_printf(arena, "%.4g", b->mean));
}

static void compare_facts(struct differences *differences, const struct run_facts *a, const struct run_facts *b)
{
    struct arena *arena = differences->comparison->arena;
    struct workload_fact of_a[WORKLOAD_FACTS], of_b[WORKLOAD_FACTS];
    workload_list(a, arena, of_a);
    workload_list(b, arena, of_b);
    for (int k = 0; k < WORKLOAD_FACTS; k++) {
        if (!of_a[k].of_plans)
            add_fact_difference(differences, of_a[k].title, of_a[k].text, of_b[k].text);
        else if (!a->imported && !b->imported)
            add_difference(differences, of_a[k].title, of_a[k].text, of_b[k].text);
    }
    tell_unknown(differences);
    compare_tokens(differences, "mean length of the prompts that the server counted", &a->prompt, &b->prompt);
    compare_tokens(differences, "mean length of the outputs that came", &a->output, &b->output);
}

static void find_differences(struct comparison *comparison)
{
    struct differences differences = {comparison, ARENA_ARRAY(comparison->arena, comparison->count * DIFFERENCES_MAX, const char *), 0,
                                      BUF_INIT(UNKNOWN_MAX)};
    for (differences.other = 1; differences.other < comparison->count; differences.other++)
        compare_facts(&differences, &comparison->runs[0]->facts, &comparison->runs[differences.other]->facts);
    comparison->differences = differences.list;
}

/* ---- deployments ---- */

#define DEPLOYMENT_DIFFERENCES_MAX 9 /* of two runs */
#define ARGUMENTS_MAX ((size_t)64 << 10)

static void add_deployment_difference(struct comparison *comparison, size_t other, const char **list, const char *title, const char *a, const char *b)
{
    if (strcmp(a, b) != 0)
        list[comparison->deployment_difference_count++] =
            arena_printf(comparison->arena, "%s: %s (%s) against %s (%s)", title, a[0] ? a : "none", comparison->names[0], b[0] ? b : "none",
                         comparison->names[other]);
}

static const char *hardware_text(struct arena *arena, const struct kubernetes_facts *facts)
{
    cleanup_buf struct buf text = BUF_INIT(ARGUMENTS_MAX);
    kubernetes_describe_hardware(facts, &text);
    return arena_strdup(arena, buf_text(&text));
}

static const char *own_arguments(struct arena *arena, const struct kubernetes_facts *facts, const struct kubernetes_facts *others)
{
    cleanup_buf struct buf text = BUF_INIT(ARGUMENTS_MAX);
    kubernetes_describe_own_arguments(facts, others, &text);
    return arena_strdup(arena, buf_text(&text));
}

static void find_deployment_differences(struct comparison *comparison)
{
    struct arena *arena = comparison->arena;
    const char **list = ARENA_ARRAY(arena, comparison->count * DEPLOYMENT_DIFFERENCES_MAX, const char *);
    const struct kubernetes_facts *a = comparison->runs[0]->facts.kubernetes;
    for (size_t other = 1; other < comparison->count; other++) {
        const struct kubernetes_facts *b = comparison->runs[other]->facts.kubernetes;
        const char *server = comparison->runs[0]->facts.server, *other_server = comparison->runs[other]->facts.server;
        if (server[0] && other_server[0])
            add_deployment_difference(comparison, other, list, "server", server, other_server);
        if (!a || !b || !a->kind[0] || !b->kind[0])
            continue;
        bool digests = a->image_digest[0] && b->image_digest[0];
        add_deployment_difference(comparison, other, list, "image", digests ? a->image_digest : a->image, digests ? b->image_digest : b->image);
        add_deployment_difference(comparison, other, list, "runtime", a->runtime, b->runtime);
        add_deployment_difference(comparison, other, list, "hardware", hardware_text(arena, a), hardware_text(arena, b));
        add_deployment_difference(comparison, other, list, "pods", integer_text(arena, (int64_t)a->pod_count), integer_text(arena, (int64_t)b->pod_count));
        add_deployment_difference(comparison, other, list, "arguments", own_arguments(arena, a, b), own_arguments(arena, b, a));
    }
    comparison->deployment_differences = list;
}

/* ---- what a dollar buys ---- */

static const char *common_unit(const struct comparison *comparison)
{
    for (size_t k = 0; k < comparison->runs[0]->points_count; k++) {
        const char *unit = comparison->runs[0]->points[k].unit;
        size_t have = 0;
        for (size_t run = 0; run < comparison->count; run++)
            have += run_summary_points(comparison->runs[run], unit) != NULL;
        if (have == comparison->count)
            return unit;
    }
    return NULL;
}

static void fill_roi(struct comparison *comparison)
{
    comparison->unit = common_unit(comparison);
    if (!comparison->unit)
        return;
    comparison->deployments = ARENA_ARRAY(comparison->arena, comparison->count, struct roi_deployment);
    for (size_t k = 0; k < comparison->count; k++) {
        const struct run_summary *run = comparison->runs[k];
        comparison->deployments[k] = (struct roi_deployment){
            .name = comparison->names[k],
            .price_micro_usd = run->facts.price_micro_usd,
            .gpus = run->facts.gpus,
            .points = run_summary_points(run, comparison->unit),
            .levels = run->levels,
            .level_count = run->level_count,
            .repeated = run->repeated,
            .repeated_count = run->repeated_count,
            .pair_id = run->facts.pair_id,
            .claim = run->facts.claim,
        };
    }
    roi_find(&comparison->roi, comparison->arena, comparison->deployments, comparison->count, comparison->unit);
    comparison->same_loads = same_loads_find(comparison->arena, comparison->deployments, comparison->count, &comparison->same_load_count,
                                             &comparison->same_load_left_out);
}

/* Imports have no plan. */
static const struct run_summary *other_planned(const struct comparison *comparison, const struct run_summary *first)
{
    for (size_t k = 0; k < comparison->count; k++) {
        const struct sla *planned = comparison->runs[k]->facts.planned_sla;
        if (planned && !sla_equal(planned, first->facts.planned_sla))
            return comparison->runs[k];
    }
    return NULL;
}

static void note_sla(struct comparison *comparison)
{
    struct arena *arena = comparison->arena;
    const struct run_summary *first = NULL;
    for (size_t k = 0; k < comparison->count && !first; k++)
        if (comparison->runs[k]->facts.planned_sla)
            first = comparison->runs[k];
    const struct run_summary *other = first ? other_planned(comparison, first) : NULL;
    if (other)
        comparison->sla_note = arena_printf(arena, "The plans have different SLA classes: %s by %s, %s by %s. Here all runs are judged by the same: %s",
                                            first->facts.run_id, sla_title(first->facts.planned_sla, arena), other->facts.run_id,
                                            sla_title(other->facts.planned_sla, arena), sla_title(comparison->runs[0]->sla, arena));
}

static void judge_validity(struct comparison *comparison)
{
    const char **validity = ARENA_ARRAY(comparison->arena, comparison->count, const char *);
    for (size_t k = 0; k < comparison->count; k++)
        validity[k] = conclusion_of_validity(comparison->arena, comparison->runs[k]);
    comparison->validity = validity;
}

struct comparison *comparison_make(const struct run_summary *const *runs, size_t count, struct error *err)
{
    if (check_runs(runs, count, err) < 0)
        return NULL;
    struct comparison *comparison = mem_alloc(sizeof *comparison);
    *comparison = (struct comparison){.arena = arena_new(), .runs = runs, .count = count};
    comparison->id = make_id(comparison->arena, runs, count);
    comparison->names = make_names(comparison->arena, runs, count);
    find_differences(comparison);
    find_deployment_differences(comparison);
    note_sla(comparison);
    judge_validity(comparison);
    fill_roi(comparison);
    comparison->conclusion = conclusion_make(comparison);
    return comparison;
}

void comparison_free(struct comparison *comparison)
{
    if (!comparison)
        return;
    arena_free(comparison->arena);
    free(comparison);
}
