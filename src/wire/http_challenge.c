#include "wire/http_challenge.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define BLANK " \t"

/* Of a token, and of what careless servers write without quotes: up to a blank, a comma, or an equals sign. */
static size_t word_length(const char *text)
{
    return strcspn(text, " \t,=\"");
}

/* Copies a value, quoted or not, into out (size > 0; "" when it does not fit); out NULL: steps over it. Returns what follows. */
static const char *take_value(const char *at, char *out, size_t size)
{
    const bool quoted = *at == '"';
    size_t length = 0;

    for (at += quoted; *at && (quoted ? *at != '"' : !strchr(BLANK ",", *at)); at++) {
        if (quoted && *at == '\\' && at[1])
            at++;
        if (out && length < size)
            out[length] = *at;
        length++;
    }
    if (out)
        out[length < size ? length : 0] = '\0';
    return at + (*at == '"');
}

static void choose(struct http_challenge *challenge, const char *name, size_t length, char **out, size_t *size)
{
    const struct {
        const char *name;
        char *out;
        size_t size;
    } rows[] = {
        {"realm", challenge->realm, sizeof challenge->realm},
        {"service", challenge->service, sizeof challenge->service},
        {"scope", challenge->scope, sizeof challenge->scope},
        {"error", challenge->error, sizeof challenge->error},
    };

    *out = NULL;
    *size = 0;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        if (strlen(rows[k].name) == length && strncasecmp(rows[k].name, name, length) == 0 && *rows[k].out == '\0') {
            *out = rows[k].out;
            *size = rows[k].size;
        }
    }
}

/* "name = value" at `at`: what follows the name and the blanks is an equals sign with something behind it that is no padding of a token68. */
static const char *parameter_value(const char *at, size_t name_length)
{
    const char *sign = at + name_length + strspn(at + name_length, BLANK);

    if (name_length == 0 || *sign != '=')
        return NULL;

    const char *value = sign + 1 + strspn(sign + 1, BLANK);

    return *value == '\0' || *value == ',' || *value == '=' ? NULL : value;
}

bool http_challenge_find(const char *header, const char *scheme, struct http_challenge *challenge)
{
    bool found = false, inside = false;

    *challenge = (struct http_challenge){0};
    for (const char *at = header; *(at += strspn(at, BLANK ",")) != '\0';) {
        const size_t length = word_length(at);
        const char *value = parameter_value(at, length);

        if (value) {
            char *out = NULL;
            size_t size = 0;

            if (inside)
                choose(challenge, at, length, &out, &size);
            at = take_value(value, out, size);
            continue;
        }
        if (length == 0) { /* a quote or an equals sign where a name should be */
            at = *at == '"' ? take_value(at, NULL, 0) : at + 1;
            continue;
        }
        if (found)
            return true; /* another scheme begins, or a token68 of ours: it has no parameters */
        found = inside = strlen(scheme) == length && strncasecmp(at, scheme, length) == 0;
        at += length;
        if (*at == '=')
            at += strspn(at, "=");
    }
    return found;
}
