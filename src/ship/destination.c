#include "ship/destination.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define SCHEMES_TEXT_MAX 1024

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

int destination_put(const char *to, const struct archive_file *file, const struct destination_settings *settings,
                    struct delivery *delivery, struct error *err)
{
    *delivery = (struct delivery){0};

    const struct destination *destination = find(to, err);

    if (!destination || destination->check(to, err) < 0)
        return -1;
    delivery->to = destination->place(to, file->name);
    return destination->put(to, file, settings, delivery, err);
}

void delivery_free(struct delivery *delivery)
{
    free(delivery->to);
    delivery->to = NULL;
}
