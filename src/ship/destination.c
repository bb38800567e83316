#include "ship/destination.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#define SCHEMES_TEXT_MAX 1024
#define SHA256_HEX 64
#define NAME_DIGITS 12 /* of the sha256 in a new name */
#define RETRY_WAIT_NS NS_PER_S
#define RETRY_WAIT_MAX_NS (60 * NS_PER_S)
#define RETRY_AFTER_MAX_NS (600 * NS_PER_S) /* who is told to wait longer had better be told so */
#define WAIT_STEP_NS (20 * NS_PER_MS)

static const struct {
    const char *scheme;
    const struct destination *destination;
} rows[] = {
#define DESTINATION(scheme, name) {#scheme, &destination_##name},
#include "ship/destinations.def"
#undef DESTINATION
};

#define ROW_COUNT (sizeof rows / sizeof *rows)

/* The length of the scheme of "scheme://...", 0 for a path. */
static size_t scheme_length(const char *to)
{
    const size_t length = strspn(to, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    return strncmp(to + length, "://", 3) == 0 ? length : 0;
}

static int fail_unknown(const char *to, size_t length, struct error *err)
{
    cleanup_buf struct buf known = BUF_INIT(SCHEMES_TEXT_MAX);

    for (size_t k = 0; k < ROW_COUNT; k++)
        buf_printf(&known, "%s://, ", rows[k].scheme);
    return error_set(err, ERROR_USAGE, "unknown kind of destination '%.*s://'. Known: %sor a path", length > 40 ? 40 : (int)length, to,
                     buf_text(&known));
}

static const struct destination *find(const char *to, struct error *err)
{
    const size_t length = scheme_length(to);

    if (length == 0)
        return &destination_dir;
    for (size_t k = 0; k < ROW_COUNT; k++) {
        if (strlen(rows[k].scheme) == length && strncasecmp(rows[k].scheme, to, length) == 0)
            return rows[k].destination;
    }
    fail_unknown(to, length, err);
    return NULL;
}

int destination_check(const char *to, struct error *err)
{
    const struct destination *destination = find(to, err);

    return destination ? destination->check(to, err) : -1;
}

char *destination_folder(const char *to)
{
    const struct destination *destination = find(to, NULL);

    return destination && destination->folder ? destination->folder(to) : NULL;
}

const struct destination_objects *destination_objects_of(const char *to)
{
    const struct destination *destination = find(to, NULL);
    cleanup_free char *place = destination && destination->objects ? destination->objects->place(to, "index") : NULL;

    return place ? destination->objects : NULL;
}

bool destination_read_checksum(const char *line, char *hex)
{
    for (size_t k = 0; k < SHA256_HEX; k++) {
        if (!isxdigit((unsigned char)line[k]))
            return false;
        hex[k] = (char)tolower((unsigned char)line[k]);
    }
    hex[SHA256_HEX] = '\0';
    return !isxdigit((unsigned char)line[SHA256_HEX]);
}

/* ---- reading back ---- */

struct readback {
    EVP_MD_CTX *digest;
    uint64_t size;
};

static int readback_take(void *context, const char *bytes, size_t length, struct error *err)
{
    struct readback *readback = context;

    (void)err;
    EVP_DigestUpdate(readback->digest, bytes, length);
    readback->size += length;
    return 0;
}

static int verify(const struct destination *destination, const char *to, const struct archive_plan *plan,
                  const struct destination_settings *settings, struct delivery *delivery, struct error *err)
{
    struct readback readback = {.digest = EVP_MD_CTX_new()};
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char named[65] = "", hex[65] = "";

    if (!readback.digest || EVP_DigestInit_ex(readback.digest, EVP_sha256(), NULL) != 1)
        abort();

    const int result = destination->get(to, plan->name, settings, readback_take, &readback, named, err);

    EVP_DigestFinal_ex(readback.digest, bytes, &length);
    EVP_MD_CTX_free(readback.digest);
    if (result < 0)
        return error_wrap(err, "reading back");
    for (unsigned k = 0; k < length; k++)
        snprintf(hex + (size_t)2 * k, 3, "%02x", bytes[k]);
    delivery->verified = strcmp(hex, plan->sha256) == 0;
    if (delivery->verified)
        return 0;
    return error_set(err, ERROR_PUBLISH, "%s gives back %llu bytes with sha256 %s instead of the archive. Publish again with --overwrite",
                     delivery->to, (unsigned long long)readback.size, hex);
}

/* ---- trying ---- */

bool destination_wait(int64_t wait_ns, const stop_flag *stop)
{
    const struct clock *clock = clock_system();
    const int64_t end = clock_now(clock) + wait_ns;

    for (int64_t now; (now = clock_now(clock)) < end;) {
        if (stop && *stop)
            return false;
        clock_sleep_until(clock, now + WAIT_STEP_NS < end ? now + WAIT_STEP_NS : end);
    }
    return true;
}

static int try_put(const struct destination *destination, const char *to, const struct archive_plan *plan,
                   const struct destination_settings *settings, struct delivery *delivery, struct error *err)
{
    int64_t wait_ns = settings->retry_wait_ns > 0 ? settings->retry_wait_ns : RETRY_WAIT_NS;

    for (int retry = 0;; retry++) {
        struct error own = {0};

        delivery->tries++;
        delivery->other_content = delivery->passing = false;
        delivery->retry_after_ns = -1;
        if (destination->put(to, plan, settings, delivery, &own) == 0)
            return 0;

        const bool too_long = delivery->retry_after_ns > RETRY_AFTER_MAX_NS;
        const int64_t pause = delivery->retry_after_ns >= 0 ? delivery->retry_after_ns : wait_ns;

        const bool again = delivery->passing && retry < settings->retries && !too_long;

        if (again && settings->before_retry)
            settings->before_retry(settings->before_retry_context, own.text, pause);
        if (!again || !destination_wait(pause, settings->net.stop)) {
            if (err)
                *err = own;
            return -1;
        }
        wait_ns = wait_ns < RETRY_WAIT_MAX_NS / 2 ? wait_ns * 2 : RETRY_WAIT_MAX_NS;
    }
}

/* "run.tar.gz" -> "run.0123456789ab.tar.gz" */
static char *new_name(const struct archive_plan *plan)
{
    const size_t length = strlen(plan->name), end = strlen(".tar.gz");
    const bool usual = length > end && strcmp(plan->name + length - end, ".tar.gz") == 0;

    return mem_printf("%.*s.%.*s%s", (int)(usual ? length - end : length), plan->name, NAME_DIGITS, plan->sha256, usual ? ".tar.gz" : "");
}

static int put_under(const struct destination *destination, const char *to, const struct archive_plan *plan,
                     const struct destination_settings *settings, struct delivery *delivery, struct error *err)
{
    if (try_put(destination, to, plan, settings, delivery, err) < 0)
        return -1;
    if ((settings->verify || delivery->doubted) && !delivery->verified && destination->get)
        return verify(destination, to, plan, settings, delivery, err);
    return 0;
}

int destination_put(const char *to, const struct archive_plan *plan, const struct destination_settings *settings,
                    struct delivery *delivery, struct error *err)
{
    *delivery = (struct delivery){0};

    const struct destination *destination = find(to, err);

    if (!destination || destination->check(to, err) < 0)
        return -1;
    delivery->to = destination->place(to, plan->name);
    if (put_under(destination, to, plan, settings, delivery, err) == 0)
        return 0;
    if (!delivery->other_content)
        return -1;

    cleanup_free char *name = new_name(plan);
    char *place = destination->place(to, name);
    struct archive_plan renamed = *plan;

    if (strcmp(place, delivery->to) == 0) {
        free(place);
        return -1;
    }
    free(delivery->to);
    delivery->to = place;
    renamed.name = name;
    return put_under(destination, to, &renamed, settings, delivery, err);
}

int destination_get(const char *from, const struct destination_settings *settings, destination_take take, void *context, char *sha256,
                    struct error *err)
{
    const struct destination *destination = find(from, err);

    *sha256 = '\0';
    if (!destination || destination->check(from, err) < 0)
        return -1;
    if (!destination->get)
        return error_set(err, ERROR_USAGE, "%.40s: nothing can be fetched from there", from);
    return destination->get(from, NULL, settings, take, context, sha256, err);
}

void delivery_free(struct delivery *delivery)
{
    free(delivery->to);
    delivery->to = NULL;
}
