#include "ship/secrets.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "record/gzip_members.h"
#include "ship/archive_members.h"
#include "wire/pattern.h"
#include "wire/secret_scan.h"

#define CHUNK ((size_t)256 << 10)
#define TOLD_TEXT_MAX ((size_t)16 << 10)
#define NO_PATTERN SIZE_MAX

struct secrets {
    struct secret_scan *scan;
    struct pattern **patterns;
    size_t count;
    char *chunk;
};

/* The first in a stream. */
struct find {
    enum secret_shape shape;
    size_t pattern;  /* NO_PATTERN: it is none, or a shape */
    uint64_t offset; /* in the stream */
};

CLEANUP_DEFINE(struct gzip_source, gzip_source_free)

struct secrets *secrets_new(const char *const *patterns, size_t count, struct error *err)
{
    struct secrets *secrets = mem_alloc(sizeof *secrets);

    *secrets = (struct secrets){.scan = secret_scan_new(), .patterns = mem_calloc(count + 1, sizeof *secrets->patterns), .chunk = mem_alloc(CHUNK)};
    if (count > SECRETS_PATTERNS_MAX) {
        error_set(err, ERROR_USAGE, "more than %d expressions", SECRETS_PATTERNS_MAX);
        secrets_free(secrets);
        return NULL;
    }
    for (; secrets->count < count; secrets->count++) {
        secrets->patterns[secrets->count] = pattern_new(patterns[secrets->count], err);
        if (!secrets->patterns[secrets->count]) {
            if (count > 1)
                error_wrap(err, "number %zu", secrets->count + 1);
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
    for (size_t k = 0; k < secrets->count; k++)
        pattern_free(secrets->patterns[k]);
    free(secrets->patterns);
    secret_scan_free(secrets->scan);
    free(secrets->chunk);
    free(secrets);
}

/* ---- a stream ---- */

static void begin(struct secrets *secrets)
{
    secret_scan_begin(secrets->scan);
    for (size_t k = 0; k < secrets->count; k++)
        pattern_begin(secrets->patterns[k]);
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
static int feed(struct secrets *secrets, const char *bytes, size_t length, uint64_t offset, struct find *find, struct error *err)
{
    find->shape = secret_scan_feed(secrets->scan, bytes, length, &find->offset);
    if (find->shape != SECRET_NONE)
        return 1;
    for (size_t k = 0; k < secrets->count; k++) {
        size_t at = 0;
        const enum pattern_result result = pattern_search(secrets->patterns[k], bytes, length, &at);
        const int noted = note(result, k, offset + at, find, err);

        if (noted != 0)
            return noted;
    }
    return 0;
}

static int end(struct secrets *secrets, uint64_t offset, struct find *find, struct error *err)
{
    find->shape = secret_scan_end(secrets->scan, &find->offset);
    if (find->shape != SECRET_NONE)
        return 1;
    for (size_t k = 0; k < secrets->count; k++) {
        const int noted = note(pattern_end(secrets->patterns[k]), k, offset, find, err);

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

static int search_file(struct secrets *secrets, const struct archive_member *member, const stop_flag *stop, struct find *find, struct error *err)
{
    cleanup_with(gzip_source_free) struct gzip_source *source = gzip_source_open(member->path, NULL, err);
    uint64_t offset = 0;
    int64_t got;

    if (!source)
        return fail_file(member->name, err);
    begin(secrets);
    while ((got = gzip_source_read(source, secrets->chunk, CHUNK, err)) > 0) {
        const int found = feed(secrets, secrets->chunk, (size_t)got, offset, find, err);

        if (found != 0)
            return found;
        if (stop && *stop)
            return error_set(err, ERROR_PUBLISH, "stopped while searching %s for secrets", member->name);
        offset += (uint64_t)got;
    }
    return got < 0 ? fail_file(member->name, err) : end(secrets, offset, find, err);
}

static uint64_t count_lines(const char *bytes, size_t length)
{
    uint64_t count = 0;

    for (const char *end_of = bytes + length; (bytes = memchr(bytes, '\n', (size_t)(end_of - bytes))); bytes++)
        count++;
    return count;
}

/* Lines are counted when somebody wants to know: of what is found. 0: the file cannot be read any more. */
static uint64_t line_of(struct secrets *secrets, const char *path, uint64_t offset)
{
    cleanup_with(gzip_source_free) struct gzip_source *source = gzip_source_open(path, NULL, NULL);
    uint64_t line = 1;
    int64_t got = 0;

    for (; source && offset > 0; offset -= (uint64_t)got) {
        got = gzip_source_read(source, secrets->chunk, offset < CHUNK ? (size_t)offset : CHUNK, NULL);
        if (got <= 0)
            return 0;
        line += count_lines(secrets->chunk, (size_t)got);
    }
    return source ? line : 0;
}

/* ---- what is told ---- */

static void tell(const struct secrets *secrets, const char *name, uint64_t line, const struct find *find, struct buf *text)
{
    buf_printf(text, "%s%s, line %llu, holds ", text->len > 0 ? "; " : "", name, (unsigned long long)line);
    if (find->shape != SECRET_NONE)
        buf_printf(text, "what looks like %s", secret_shape_text(find->shape));
    else if (secrets->count == 1)
        buf_append_text(text, "what --redact looks for");
    else
        buf_printf(text, "what --redact (number %zu) looks for", find->pattern + 1);
}

int secrets_search(struct secrets *secrets, const struct archive_plan *plan, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(TOLD_TEXT_MAX);
    size_t finds = 0;
    bool only_prompts = true;

    for (size_t k = 0; k < plan->member_count; k++) {
        const struct archive_member *member = &plan->members[k];
        struct find find = {.pattern = NO_PATTERN};
        const int found = search_file(secrets, member, plan->stop, &find, err);

        if (found < 0)
            return -1;
        if (found == 0)
            continue;
        only_prompts = only_prompts && archive_member_has_prompts(member->name);
        if (finds++ < SECRETS_TOLD)
            tell(secrets, member->name, line_of(secrets, member->path, find.offset), &find, &text);
    }
    if (finds == 0)
        return 0;
    if (finds > SECRETS_TOLD)
        buf_printf(&text, "; and %zu more files hold such things", finds - SECRETS_TOLD);
    return error_set(err, ERROR_PUBLISH, "%s: nothing was published. %s", buf_text(&text),
                     only_prompts ? "Give --no-prompts, or take it out of the file" : "Take it out, or remove the file");
}

int secrets_search_bytes(struct secrets *secrets, const char *name, const char *bytes, size_t length, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(TOLD_TEXT_MAX);
    struct find find = {.pattern = NO_PATTERN};

    begin(secrets);

    int found = feed(secrets, bytes, length, 0, &find, err);

    if (found == 0)
        found = end(secrets, length, &find, err);
    if (found <= 0)
        return found;
    tell(secrets, name, 1 + count_lines(bytes, (size_t)find.offset), &find, &text);
    return error_set(err, ERROR_PUBLISH, "%s", buf_text(&text));
}
