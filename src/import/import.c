#include "import/import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/units.h"
#include "record/workspace.h"
#include "stats/saturation.h"

#define SPEC_MAX 4096
#define ID_MAX 64 /* bytes of a file's name that an id takes */
#define LOAD_MAX 1e9
#define TPOT_MIN_MS 1e-6 /* less is no time of a token */
#define FEW_REQUESTS 72 /* below, a p95 has no upper bound */
#define DELIVERED_MIN 0.95

static const struct import_format *const formats[] = {
#define IMPORT(identifier, name) &import_##identifier,
#include "import/imports.def"
#undef IMPORT
};
#define FORMATS (sizeof formats / sizeof formats[0])

const struct import_format *import_format_find(const char *name)
{
    for (size_t k = 0; k < FORMATS; k++)
        if (strcmp(formats[k]->name, name) == 0)
            return formats[k];
    return NULL;
}

/* ---- for the formats ---- */

struct level_summary *import_add_level(struct import *import, const char *kind, double load, enum load_unit unit, struct error *err)
{
    char text[UNITS_TEXT_SIZE];
    if (!(load > 0) || load > LOAD_MAX) {
        error_set(err, ERROR_USAGE, "level %zu: a load of %s: expected more than 0 and at most 10^9", import->level_count + 1,
                  isfinite(load) ? units_format_load(load, text) : "unknown size");
        return NULL;
    }
    if (unit == LOAD_STREAMS && load != floor(load)) {
        error_set(err, ERROR_USAGE, "level %zu: %s streams: expected a whole number", import->level_count + 1, units_format_load(load, text));
        return NULL;
    }
    if (import->level_count == IMPORT_LEVELS_MAX) {
        error_set(err, ERROR_USAGE, "more than %d levels", IMPORT_LEVELS_MAX);
        return NULL;
    }
    MEM_GROW(import->levels, import->level_cap, import->level_count + 1);
    struct level_summary *level = &import->levels[import->level_count];
    level_summary_init(level);
    level->index = (int)import->level_count++;
    level->load = load;
    level->imported = true;
    level->ended = true;
    level->requests = (struct request_counts){COUNT_UNKNOWN, COUNT_UNKNOWN, COUNT_UNKNOWN, COUNT_UNKNOWN,
                                              COUNT_UNKNOWN, COUNT_UNKNOWN, COUNT_UNKNOWN};
    snprintf(level->kind, sizeof level->kind, "%s", kind);
    snprintf(level->unit, sizeof level->unit, "%s", load_unit_name(unit));
    return level;
}

void import_note(struct import *import, const char *note)
{
    for (size_t k = 0; k < import->note_count; k++)
        if (strcmp(import->notes[k], note) == 0)
            return;
    if (import->note_count < SUMMARY_NOTES_MAX)
        import->notes[import->note_count++] = arena_strdup(import->arena, note);
}

void import_tell(struct import *import, const char **fact, const char *text)
{
    if (!(*fact)[0] && text)
        *fact = arena_strdup(import->arena, text);
}

void import_tell_model(struct import *import, const char *model)
{
    const char **fact = &import->facts->model;
    import_tell(import, fact, model);
    if (model && strcmp(*fact, model) != 0)
        import_note(import, arena_printf(import->arena, "not of one model: its files tell of %.100s and of %.100s", *fact, model));
}

/* Means that differ between levels are a spread of their own. */
void import_add_tokens(struct mean_tokens *sum, uint64_t requests, double mean, double std_error)
{
    if (requests == 0 || isnan(mean))
        return;
    if (sum->requests == 0) {
        *sum = (struct mean_tokens){requests, mean, std_error};
        return;
    }
    double a = (double)sum->requests, b = (double)requests, n = a + b, apart = (mean - sum->mean) * sqrt(a * b / n) / n;
    double within = hypot(a * sum->std_error, b * std_error) / n;
    *sum = (struct mean_tokens){sum->requests + requests, (a * sum->mean + b * mean) / n, hypot(within, apart)};
}

static const char *length_text(struct arena *arena, double mean)
{
    char number[UNITS_TEXT_SIZE];
    return arena_strdup(arena, units_format_number(mean, mean == floor(mean) ? 0 : 1, number));
}

static void tell_tokens(struct run_facts *facts, struct arena *arena)
{
    if (facts->prompt.requests == 0 || facts->output.requests == 0)
        return;
    bool exact = facts->prompt.std_error == 0 && facts->output.std_error == 0 && facts->prompt.mean == floor(facts->prompt.mean) &&
                 facts->output.mean == floor(facts->output.mean);
    facts->tokens = arena_printf(arena, "%s + %s tokens%s", length_text(arena, facts->prompt.mean), length_text(arena, facts->output.mean),
                                 exact ? "" : " on average");
    facts->prompt_tokens = llround(facts->prompt.mean);
    facts->output_tokens = llround(facts->output.mean);
}

void import_derive_speed(struct level_summary *level)
{
    double tpot = level->latency[LATENCY_TPOT].percentile[P95];
    if (tpot >= TPOT_MIN_MS)
        level->rate[RATE_USER_TPS] = 1000 / tpot;
    else
        level_add_missing(level, "user_tps", "no tpot_ms above 0 is known");
}

void import_derive_tpot(struct level_summary *level)
{
    struct distribution *tpot = &level->latency[LATENCY_TPOT];
    if (!distribution_is_known(tpot))
        *tpot = level->latency[LATENCY_TPOT_VLLM];
    if (distribution_is_known(tpot))
        level_add_derived(level, "tpot_ms", "(last token - first token) / (N - 1): the first arrival is taken for one token");
    import_derive_speed(level);
}

void import_derive_censored(struct level_summary *level)
{
    if (!distribution_is_known(&level->latency[LATENCY_TTFT]))
        return;
    level->latency[LATENCY_TTFT_CENSORED] = level->latency[LATENCY_TTFT];
    level_add_derived(level, "ttft_censored_ms", "ttft_ms: how long requests without a first token waited is not told");
}

/* ---- what is known of a level that others measured ---- */

static void judge_validity(struct level_summary *level, struct arena *arena)
{
    uint64_t count = level->latency[LATENCY_TTFT_CENSORED].count;
    double drawn = level->rate[RATE_DRAWN_RPS], delivered = level->rate[RATE_DELIVERED_RPS];
    level_add_reason(level, VALIDITY_SUSPECT, "imported",
                     "imported: whether the client kept up (its event loop, CPU, late sends) is not told");
    if (count > 0 && count < FEW_REQUESTS)
        level_add_reason(level, VALIDITY_SUSPECT, "few requests",
                         arena_printf(arena, "%llu requests: a p95 needs %d for an upper bound", (unsigned long long)count, FEW_REQUESTS));
    if (delivered < DELIVERED_MIN * drawn)
        level_add_reason(level, VALIDITY_SUSPECT, "not delivered",
                         arena_printf(arena, "%.3g of %.3g requests a second were sent: by whose doing is not told", delivered, drawn));
}

static void finish_level(struct import *import, struct level_summary *level)
{
    double values[SLA_METRIC_COUNT];
    level_sla_values(level, values);
    level->verdict = sla_judge(import->sla, values);
    judge_validity(level, import->arena);
    if (level_is_open_loop(level)) {
        level_add_missing(level, "ttft_without_first_ms", "an open loop has no streams");
        level_add_missing(level, "synchrony", "only streams of a closed loop can be in step");
    } else {
        level_add_missing(level, "offered_rps", "a closed loop has no arrivals of its own");
        level_add_missing(level, "drawn_rps", "a closed loop has no arrivals of its own");
        level_add_missing(level, "delivered_rps", "a closed loop has no arrivals of its own");
    }
    level_add_missing(level, "*", import->lacks);
}

/* What was derived, once for all levels: the first formula of each member. */
static void note_derived(struct import *import)
{
    for (size_t k = 0; k < import->level_count; k++) {
        const struct level_summary *level = &import->levels[k];
        for (size_t d = 0; d < level->derived_count; d++)
            import_note(import, arena_printf(import->arena, "derived, not measured: %s = %s", level->derived[d].field, level->derived[d].formula));
    }
}

static bool anything_happened(const struct level_summary *level)
{
    bool ok = level->requests.ok != COUNT_UNKNOWN && level->requests.ok > 0;
    bool failed = level->requests.error != COUNT_UNKNOWN && level->requests.error > 0;
    return ok || failed || level->rate[RATE_TOTAL_TPS] > 0 || distribution_is_known(&level->latency[LATENCY_TTFT]);
}

/* ---- a run ---- */

/* "benchmarks" of "out/benchmarks.json", as the name of a folder. */
static const char *make_id(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *id = arena_strdup(arena, name);
    char *dot = strrchr(id, '.');
    if (dot && dot > id)
        *dot = '\0';
    if (strlen(id) > ID_MAX)
        id[ID_MAX] = '\0';
    for (char *at = id; *at; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *at))
            *at = '-';
    if (*id == '.' || *id == '-')
        *id = '_';
    return workspace_check_run_id(id, NULL) == 0 ? id : arena_printf(arena, "import-%s", id);
}

void import_rename(struct run_summary *summary, const char *suffix)
{
    summary->facts.run_id = arena_printf(summary->arena, "%s%s", summary->facts.run_id, suffix);
}

static void begin(struct import *import, struct run_summary *summary, const struct import_format *format, const struct sla *sla)
{
    struct run_facts *facts = &summary->facts;
    *import = (struct import){.arena = summary->arena, .facts = facts, .tool = format->name, .lacks = "it is not told", .sla = sla};
    *facts = (struct run_facts){.run_id = "", .pair_id = "", .quality = "", .quality_source = "", .model = "", .target = "", .server = "", .time_scale = 1, .profile = "", .stream_start = "",
                                .arrivals = "", .think_time = "", .scenario = "", .endpoint = "", .tokens = "", .limits = "", .warmup = "",
                                .cooldown = "", .drain = "", .prompt = {0, NAN, NAN}, .output = {0, NAN, NAN}, .hardware = "",
                                .price_micro_usd = -1, .price_source = ""};
}

static void finish(struct import *import, struct run_summary *summary, struct import_origin *origin)
{
    note_derived(import);
    tell_tokens(import->facts, import->arena);
    for (size_t k = 0; k < import->level_count; k++) {
        finish_level(import, &import->levels[k]);
        summary->any_ended |= anything_happened(&import->levels[k]);
    }
    summary->levels = ARENA_ARRAY(summary->arena, import->level_count + 1, struct level_summary);
    if (import->level_count > 0)
        memcpy(summary->levels, import->levels, import->level_count * sizeof *import->levels);
    summary->level_count = import->level_count;
    memcpy(summary->notes, import->notes, sizeof import->notes);
    summary->note_count = import->note_count;
    origin->tool = import->tool;
    summary->facts.imported = origin;
    summary->facts.run_id = make_id(summary->arena, origin->files[0].name);
    if (!summary->facts.model[0])
        summary->facts.model = summary->facts.run_id;
    run_summary_find_points(summary, import->sla);
}

static int read_one(struct import *import, const struct import_format *format, const char *name, struct buf *text,
                    struct import_file *file, struct error *err)
{
    const char *slash = strrchr(name, '/');
    file->name = arena_strdup(import->arena, slash ? slash + 1 : name);
    file->size = text->len;
    file_sha256_bytes(buf_text(text), text->len, file->sha256);
    if (text->len == 0)
        return error_set(err, ERROR_USAGE, "%s: the file is empty", name);
    return format->read(import, name, text, err);
}

/* A measurement that is given twice would be a repeat that agrees with itself. */
static int check_differs(const struct import_file *files, size_t k, const char *name, struct error *err)
{
    for (size_t before = 0; before < k; before++)
        if (files[before].size == files[k].size && strcmp(files[before].sha256, files[k].sha256) == 0)
            return error_set(err, ERROR_USAGE, "%s: the same bytes as %s, which is in this run already", name, files[before].name);
    return 0;
}

/* names and texts of `count` files. */
static struct run_summary *read_all(const struct import_format *format, char **names, struct buf *texts, size_t count, const struct sla *sla,
                                    struct error *err)
{
    struct import import;
    struct run_summary *summary = mem_alloc(sizeof *summary);
    summary->arena = arena_new();
    begin(&import, summary, format, sla);
    struct import_origin *origin = ARENA_NEW(summary->arena, struct import_origin);
    *origin = (struct import_origin){.format = format->name, .files = ARENA_ARRAY(summary->arena, count, struct import_file), .file_count = count};
    int status = 0;
    for (size_t k = 0; k < count && status == 0; k++) {
        status = read_one(&import, format, names[k], &texts[k], &origin->files[k], err);
        if (status == 0)
            status = check_differs(origin->files, k, names[k], err);
    }
    if (status == 0)
        finish(&import, summary, origin);
    free(import.levels);
    if (status == 0)
        return summary;
    run_summary_free(summary);
    return NULL;
}

struct run_summary *import_read_bytes(const struct import_format *format, const char *name, const char *bytes, size_t length,
                                      const struct sla *sla, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(IMPORT_FILE_MAX);
    char *names[] = {(char *)(uintptr_t)name};
    if (buf_append(&text, bytes, length) < 0) {
        error_set(err, ERROR_USAGE, "%s: larger than %zu MB", name, IMPORT_FILE_MAX >> 20);
        return NULL;
    }
    return read_all(format, names, &text, 1, sla, err);
}

static int unknown_format(const char *spec, struct error *err)
{
    cleanup_buf struct buf names = BUF_INIT(SPEC_MAX);
    for (size_t k = 0; k < FORMATS; k++)
        buf_printf(&names, "%s%s", k > 0 ? ", " : "", formats[k]->name);
    return error_set(err, ERROR_USAGE, "--import %.200s: expected FORMAT:FILE; formats are %s", spec, buf_text(&names));
}

/* The files of a spec: one whose name has commas, or several. free() each. */
static size_t split_files(const char *list, char **names)
{
    size_t count = 0;
    if (file_exists(list)) {
        names[count++] = mem_strdup(list);
        return count;
    }
    for (const char *from = list; count < IMPORT_FILES_MAX; from += strcspn(from, ",") + 1) {
        names[count++] = mem_strndup(from, strcspn(from, ","));
        if (!from[strcspn(from, ",")])
            return count;
    }
    return 0;
}

struct run_summary *import_read(const char *spec, const struct sla *sla, struct error *err)
{
    const char *colon = strchr(spec, ':');
    cleanup_free char *name = colon ? mem_strndup(spec, (size_t)(colon - spec)) : NULL;
    const struct import_format *format = name ? import_format_find(name) : NULL;
    if (!format || !colon[1]) {
        unknown_format(spec, err);
        return NULL;
    }
    char *names[IMPORT_FILES_MAX];
    size_t count = split_files(colon + 1, names);
    cleanup_free struct buf *texts = mem_calloc(IMPORT_FILES_MAX, sizeof *texts);
    int status = count > 0 ? 0 : error_set(err, ERROR_USAGE, "--import %s: more than %d files", name, IMPORT_FILES_MAX);
    for (size_t k = 0; k < count && status == 0; k++) {
        texts[k] = BUF_INIT(IMPORT_FILE_MAX);
        status = file_read(names[k], &texts[k], ERROR_USAGE, err);
    }
    struct run_summary *summary = status == 0 ? read_all(format, names, texts, count, sla, err) : NULL;
    if (!summary)
        error_wrap(err, "--import %s", name);
    for (size_t k = 0; k < count; k++) {
        free(names[k]);
        buf_free(&texts[k]);
    }
    return summary;
}
