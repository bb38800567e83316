#include "ship/secrets.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/thread.h"
#include "record/gzip_members.h"
#include "ship/archive_members.h"
#include "wire/pattern.h"
#include "wire/secret_scan.h"

#define CHUNK ((size_t)256 << 10)
#define TOLD_TEXT_MAX ((size_t)16 << 10)
#define NO_PATTERN SIZE_MAX
#define NO_MEMBER SIZE_MAX
#define THREADS 4 /* unpacking is what takes time: so many files at once */

/* What one thread searches with. */
struct searcher {
    struct secret_scan *scan;
    struct pattern **patterns;
    size_t count;
    char *chunk;
};

struct secrets {
    struct searcher searchers[THREADS];
};

/* The first in a stream. */
struct find {
    enum secret_shape shape;
    size_t pattern;  /* NO_PATTERN: it is none, or a shape */
    uint64_t offset; /* in the stream */
};

CLEANUP_DEFINE(struct gzip_source, gzip_source_free)

static int searcher_open(struct searcher *searcher, const char *const *patterns, size_t count, struct error *err)
{
    *searcher = (struct searcher){.scan = secret_scan_new(), .patterns = mem_calloc(count + 1, sizeof *searcher->patterns), .chunk = mem_alloc(CHUNK)};
    for (; searcher->count < count; searcher->count++) {
        searcher->patterns[searcher->count] = pattern_new(patterns[searcher->count], err);
        if (!searcher->patterns[searcher->count])
            return count > 1 ? error_wrap(err, "number %zu", searcher->count + 1) : -1;
    }
    return 0;
}

static void searcher_close(struct searcher *searcher)
{
    for (size_t k = 0; k < searcher->count; k++)
        pattern_free(searcher->patterns[k]);
    free(searcher->patterns);
    secret_scan_free(searcher->scan);
    free(searcher->chunk);
}

struct secrets *secrets_new(const char *const *patterns, size_t count, struct error *err)
{
    if (count > SECRETS_PATTERNS_MAX) {
        error_set(err, ERROR_USAGE, "more than %d expressions", SECRETS_PATTERNS_MAX);
        return NULL;
    }

    struct secrets *secrets = mem_alloc(sizeof *secrets);

    for (size_t k = 0; k < THREADS; k++) {
        if (searcher_open(&secrets->searchers[k], patterns, count, err) < 0) {
            secrets_free(secrets);
            return NULL;
        }
    }
    return secrets;
}

void secrets_free(struct secrets *secrets)
{
    if (!secrets)
        return;
    for (size_t k = 0; k < THREADS; k++)
        searcher_close(&secrets->searchers[k]);
    free(secrets);
}

/* ---- a stream ---- */

static void begin(struct searcher *searcher)
{
    secret_scan_begin(searcher->scan);
    for (size_t k = 0; k < searcher->count; k++)
        pattern_begin(searcher->patterns[k]);
}

static int note(enum pattern_result result, size_t pattern, uint64_t offset, struct find *find, struct error *err)
{
    if (result == PATTERN_TOO_COMPLEX)
        return error_set(err, ERROR_USAGE, "--redact (number %zu) is too complex to be searched for: write it without counts such as {9} behind what "
                                           "matches nearly everything", pattern + 1);
    if (result == PATTERN_FOUND) {
        find->pattern = pattern;
        find->offset = offset;
    }
    return result == PATTERN_FOUND;
}

/* Bytes that begin at `offset` of the stream; 1: found, 0, -1. */
static int feed(struct searcher *searcher, const char *bytes, size_t length, uint64_t offset, struct find *find, struct error *err)
{
    find->shape = secret_scan_feed(searcher->scan, bytes, length, &find->offset);
    if (find->shape != SECRET_NONE)
        return 1;
    for (size_t k = 0; k < searcher->count; k++) {
        size_t at = 0;
        const enum pattern_result result = pattern_search(searcher->patterns[k], bytes, length, &at);
        const int noted = note(result, k, offset + at, find, err);

        if (noted != 0)
            return noted;
    }
    return 0;
}

static int end(struct searcher *searcher, uint64_t offset, struct find *find, struct error *err)
{
    find->shape = secret_scan_end(searcher->scan, &find->offset);
    if (find->shape != SECRET_NONE)
        return 1;
    for (size_t k = 0; k < searcher->count; k++) {
        const int noted = note(pattern_end(searcher->patterns[k]), k, offset, find, err);

        if (noted != 0)
            return noted;
    }
    return 0;
}

/* ---- a file ---- */

static int fail_file(const char *name, struct error *err)
{
    error_reclass(err, ERROR_PUBLISH);
    return error_wrap(err, "searching %s for secrets", name);
}

static int search_file(struct searcher *searcher, const struct archive_member *member, const stop_flag *stop, struct find *find, struct error *err)
{
    cleanup_with(gzip_source_free) struct gzip_source *source = gzip_source_open(member->path, NULL, err);
    uint64_t offset = 0;
    int64_t got;

    if (!source)
        return fail_file(member->name, err);
    begin(searcher);
    while ((got = gzip_source_read(source, searcher->chunk, CHUNK, err)) > 0) {
        const int found = feed(searcher, searcher->chunk, (size_t)got, offset, find, err);

        if (found != 0)
            return found;
        if (stop && *stop)
            return error_set(err, ERROR_PUBLISH, "stopped while searching %s for secrets", member->name);
        offset += (uint64_t)got;
    }
    return got < 0 ? fail_file(member->name, err) : end(searcher, offset, find, err);
}

static uint64_t count_lines(const char *bytes, size_t length)
{
    uint64_t count = 0;

    for (const char *end_of = bytes + length; (bytes = memchr(bytes, '\n', (size_t)(end_of - bytes))); bytes++)
        count++;
    return count;
}

/* Lines are counted when somebody wants to know: of what is found. 0: the file cannot be read any more. */
static uint64_t line_of(struct searcher *searcher, const char *path, uint64_t offset)
{
    cleanup_with(gzip_source_free) struct gzip_source *source = gzip_source_open(path, NULL, NULL);
    uint64_t line = 1;
    int64_t got = 0;

    for (; source && offset > 0; offset -= (uint64_t)got) {
        got = gzip_source_read(source, searcher->chunk, offset < CHUNK ? (size_t)offset : CHUNK, NULL);
        if (got <= 0)
            return 0;
        line += count_lines(searcher->chunk, (size_t)got);
    }
    return source ? line : 0;
}

/* ---- what is told ---- */

static void tell(size_t pattern_count, const char *name, uint64_t line, const struct find *find, struct buf *text)
{
    buf_printf(text, "%s%s, line %llu, holds ", text->len > 0 ? "; " : "", name, (unsigned long long)line);
    if (find->shape != SECRET_NONE)
        buf_printf(text, "what looks like %s", secret_shape_text(find->shape));
    else if (pattern_count == 1)
        buf_append_text(text, "what --redact looks for");
    else
        buf_printf(text, "what --redact (number %zu) looks for", find->pattern + 1);
}

/* ---- all files ---- */

/* Of one file that holds something. */
struct outcome {
    bool found;
    struct find find;
    uint64_t line;
};

struct search {
    const struct archive_plan *plan;
    struct outcome *outcomes; /* of each member */
    atomic_size_t next;       /* the member that nobody has taken yet */
    atomic_bool failed;       /* no more need be taken */
};

struct search_thread {
    struct search *search;
    struct searcher *searcher;
    size_t failed_at; /* the member at which it failed with err; NO_MEMBER: it did not */
    struct error err;
    pthread_t thread;
    bool started;
};

static void *search_files(void *context)
{
    struct search_thread *own = context;
    struct search *search = own->search;
    size_t k;

    while (!search->failed && (k = search->next++) < search->plan->member_count) {
        const struct archive_member *member = &search->plan->members[k];
        struct outcome *outcome = &search->outcomes[k];
        const int found = search_file(own->searcher, member, search->plan->stop, &outcome->find, &own->err);

        if (found < 0) {
            own->failed_at = k;
            search->failed = true;
            break;
        }
        outcome->found = found == 1;
        outcome->line = found == 1 ? line_of(own->searcher, member->path, outcome->find.offset) : 0;
    }
    return NULL;
}

/* The error of the first file that has one. */
static int search_by_threads(struct secrets *secrets, struct search *search, struct error *err)
{
    struct search_thread threads[THREADS];
    const struct search_thread *failed = NULL;

    for (size_t k = 0; k < THREADS; k++) {
        threads[k] = (struct search_thread){.search = search, .searcher = &secrets->searchers[k], .failed_at = NO_MEMBER};
        /* The last one is ours: so it goes on when there can be no others. */
        if (k + 1 < THREADS && k + 1 < search->plan->member_count)
            threads[k].started = thread_start(&threads[k].thread, search_files, &threads[k]) == 0;
    }
    search_files(&threads[THREADS - 1]);
    for (size_t k = 0; k < THREADS; k++) {
        if (threads[k].started)
            pthread_join(threads[k].thread, NULL);
        if (threads[k].failed_at != NO_MEMBER && (!failed || threads[k].failed_at < failed->failed_at))
            failed = &threads[k];
    }
    if (failed && err)
        *err = failed->err;
    return failed ? -1 : 0;
}

static int tell_all(const struct search *search, size_t pattern_count, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(TOLD_TEXT_MAX);
    size_t finds = 0;
    bool only_prompts = true;

    for (size_t k = 0; k < search->plan->member_count; k++) {
        const struct outcome *outcome = &search->outcomes[k];
        const char *name = search->plan->members[k].name;

        if (!outcome->found)
            continue;
        only_prompts = only_prompts && archive_member_has_prompts(name);
        if (finds++ < SECRETS_TOLD)
            tell(pattern_count, name, outcome->line, &outcome->find, &text);
    }
    if (finds == 0)
        return 0;
    if (finds > SECRETS_TOLD)
        buf_printf(&text, "; and %zu more files hold such things", finds - SECRETS_TOLD);
    return error_set(err, ERROR_PUBLISH, "%s: nothing was published. %s", buf_text(&text),
                     only_prompts ? "Give --no-prompts, or take it out of the file" : "Take it out, or remove the file");
}

int secrets_search(struct secrets *secrets, const struct archive_plan *plan, struct error *err)
{
    cleanup_free struct outcome *outcomes = mem_calloc(plan->member_count + 1, sizeof *outcomes);
    struct search search = {.plan = plan, .outcomes = outcomes};

    if (search_by_threads(secrets, &search, err) < 0)
        return -1;
    return tell_all(&search, secrets->searchers[0].count, err);
}

int secrets_search_bytes(struct secrets *secrets, const char *name, const char *bytes, size_t length, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(TOLD_TEXT_MAX);
    struct find find = {.pattern = NO_PATTERN};
    struct searcher *searcher = &secrets->searchers[0];

    begin(searcher);

    int found = feed(searcher, bytes, length, 0, &find, err);

    if (found == 0)
        found = end(searcher, length, &find, err);
    if (found <= 0)
        return found;
    tell(searcher->count, name, 1 + count_lines(bytes, (size_t)find.offset), &find, &text);
    return error_set(err, ERROR_PUBLISH, "%s", buf_text(&text));
}
