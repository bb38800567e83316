/* Nearly all positions are passed over by one look at two bytes, and only at every other position: every shape has three bytes ("sk-", "eyJ") of which
 * either the first two or the last two stand at an even place. */
#include "wire/secret_scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PIECE ((size_t)256 << 10)
#define BEFORE ((size_t)8) /* bytes kept before the next position: a shape is looked for one before it, and looks back at "----" */
#define BLANKS_MAX 8

struct secret_scan {
    bool marks[1 << 16]; /* two bytes as they lie in memory: may a shape be here */
    uint64_t offset;     /* in the stream, of bytes[0] */
    size_t length, next; /* of bytes; the first position that was not looked at */
    char bytes[BEFORE + SECRET_LOOK_MAX + PIECE];
};

const char *secret_shape_text(enum secret_shape shape)
{
    switch (shape) {
    case SECRET_BEARER: return "a Bearer token";
    case SECRET_SK: return "an API key (sk-...)";
    case SECRET_AWS: return "an AWS access key (AKIA...)";
    case SECRET_JWT: return "a JSON web token";
    case SECRET_PEM: return "a private key (PEM)";
    case SECRET_NONE: break;
    }
    return "nothing";
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || is_capital(c) || (c >= 'a' && c <= 'z');
}

static bool is_base64url(char c)
{
    return is_alphanumeric(c) || c == '-' || c == '_';
}

static bool is_base64(char c)
{
    return is_alphanumeric(c) || c == '+' || c == '/' || c == '=';
}

static bool is_bearer(char c)
{
    return is_base64(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static size_t run_of(const char *at, const char *end, bool (*is)(char c))
{
    const char *first = at;

    while (at < end && is(*at))
        at++;
    return (size_t)(at - first);
}

static bool begins(const char *at, const char *end, const char *text)
{
    const size_t length = strlen(text);

    return (size_t)(end - at) >= length && memcmp(at, text, length) == 0;
}

/* ---- shapes: `at` is where the three bytes are; before: the byte in front of them, or NUL ---- */

static bool is_token_of_bearer(const char *at, const char *end)
{
    size_t blanks = 0, length;

    if (end - at < 7 || strncasecmp(at, "bearer", 6) != 0)
        return false;
    for (at += 6; at < end && (*at == ' ' || *at == '\t'); at++)
        blanks++;
    length = run_of(at, end, is_bearer);
    if (blanks == 0 || blanks > BLANKS_MAX || length < 16)
        return false;
    for (size_t k = 0; k < length; k++) {
        if (is_digit(at[k]))
            return true;
    }
    return false;
}

static bool is_sk_key(const char *at, const char *end, char before)
{
    size_t stretch = 0;
    bool digit = false;

    if (is_base64url(before) || run_of(at + 3, end, is_base64url) < 20)
        return false;
    for (at += 3; at < end && is_base64url(*at); at++) {
        const bool inside = is_alphanumeric(*at);

        digit = inside && (digit || is_digit(*at));
        stretch = inside ? stretch + 1 : 0;
        if (stretch >= 16 && digit)
            return true;
    }
    return false;
}

static bool is_capital_or_digit(char c)
{
    return is_capital(c) || is_digit(c);
}

/* at: of "KIA" or "SIA"; the letter before is part of it. */
static bool is_aws_key(const char *begin, const char *at, const char *end, char before_it)
{
    if (at == begin || at[-1] != 'A' || is_alphanumeric(before_it))
        return false;
    at += 3;
    return run_of(at, end, is_capital_or_digit) == 16 && (at + 16 == end || !is_alphanumeric(at[16]));
}

static bool is_web_token(const char *at, const char *end, char before)
{
    if (is_base64url(before))
        return false;

    const size_t header = run_of(at, end, is_base64url);

    return header >= 16 && begins(at + header, end, ".eyJ") && run_of(at + header + 1, end, is_base64url) >= 11;
}

/* Behind the label's dashes: blanks and line ends, also as JSON and shells escape them, then what a key begins with. */
static bool is_material(const char *at, const char *end)
{
    while (at < end) {
        if (strchr(" \t\r\n", *at) && *at)
            at++;
        else if (end - at >= 2 && *at == '\\' && strchr("nrt\\", at[1]) && at[1])
            at += at[1] == '\\' ? 1 : 2;
        else
            break;
    }
    return run_of(at, end, is_base64) >= 16 || begins(at, end, "Proc-Type:") || begins(at, end, "Version:") || begins(at, end, "Comment:");
}

static bool is_label(char c)
{
    return is_capital_or_digit(c) || c == ' ';
}

/* at: of "-BE" */
static bool is_private_key(const char *begin, const char *at, const char *end)
{
    static const char *const kinds[] = {"PRIVATE KEY", "PRIVATE KEY BLOCK"};

    if (at - begin < 4 || end - at < 7 || memcmp(at - 4, "-----BEGIN ", 11) != 0)
        return false;
    at += 7;

    const size_t length = run_of(at, end, is_label);

    if (!begins(at + length, end, "-----"))
        return false;
    for (size_t k = 0; k < 2; k++) {
        const size_t kind = strlen(kinds[k]);

        if (length >= kind && memcmp(at + length - kind, kinds[k], kind) == 0)
            return is_material(at + length + 5, end);
    }
    return false;
}

/* Is there one whose three bytes are at `at`? */
static enum secret_shape shape_at(const struct secret_scan *scan, size_t position)
{
    const size_t left = scan->length - position;
    const char *begin = scan->bytes, *at = begin + position, *end = at + (left < SECRET_LOOK_MAX ? left : SECRET_LOOK_MAX);
    const char before = (char)(position > 0 ? at[-1] : '\0'), before_it = (char)(position > 1 ? at[-2] : '\0');

    if (begins(at, end, "sk-"))
        return is_sk_key(at, end, before) ? SECRET_SK : SECRET_NONE;
    if (begins(at, end, "eyJ"))
        return is_web_token(at, end, before) ? SECRET_JWT : SECRET_NONE;
    if (begins(at, end, "KIA") || begins(at, end, "SIA"))
        return is_aws_key(begin, at, end, before_it) ? SECRET_AWS : SECRET_NONE;
    if (begins(at, end, "-BE"))
        return is_private_key(begin, at, end) ? SECRET_PEM : SECRET_NONE;
    return is_token_of_bearer(at, end) ? SECRET_BEARER : SECRET_NONE;
}

/* ---- the stream ---- */

static uint16_t pair_at(const char *bytes)
{
    uint16_t pair;

    memcpy(&pair, bytes, sizeof pair);
    return pair;
}

struct secret_scan *secret_scan_new(void)
{
    static const char *const pairs[] = {"sk", "k-", "ey", "yJ", "KI", "SI", "IA", "-B", "BE", "Be", "be", "ea", "EA"};
    struct secret_scan *scan = mem_alloc(sizeof *scan);

    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
        scan->marks[pair_at(pairs[k])] = true;
    return scan;
}

void secret_scan_free(struct secret_scan *scan)
{
    free(scan);
}

void secret_scan_begin(struct secret_scan *scan)
{
    scan->offset = 0;
    scan->length = scan->next = 0;
}

/* The first of every other position from `at` where a shape may be; `end` or more: none before it. */
static size_t next_mark(const struct secret_scan *scan, size_t at, size_t end)
{
    while (at < end && !scan->marks[pair_at(scan->bytes + at)])
        at += 2;
    return at;
}

/* Looks at the positions that have `room` bytes behind them. */
static enum secret_shape look(struct secret_scan *scan, size_t room, uint64_t *offset)
{
    const size_t behind = room > 0 ? room : 1, end = scan->length > behind ? scan->length - behind : 0;

    for (; (scan->next = next_mark(scan, scan->next, end)) < end; scan->next += 2) {
        for (size_t k = scan->next > 0 ? scan->next - 1 : 0; k <= scan->next; k++) {
            const enum secret_shape shape = shape_at(scan, k);

            if (shape != SECRET_NONE) {
                *offset = scan->offset + k;
                return shape;
            }
        }
    }
    return SECRET_NONE;
}

/* What is before the next position, but for the last bytes, is not needed any more. */
static void make_room(struct secret_scan *scan)
{
    const size_t gone = scan->next > BEFORE ? scan->next - BEFORE : 0;

    memmove(scan->bytes, scan->bytes + gone, scan->length - gone);
    scan->offset += gone;
    scan->length -= gone;
    scan->next -= gone;
}

enum secret_shape secret_scan_feed(struct secret_scan *scan, const char *bytes, size_t length, uint64_t *offset)
{
    while (length > 0) {
        if (scan->length == sizeof scan->bytes)
            make_room(scan);

        const size_t room = sizeof scan->bytes - scan->length, taken = length < room ? length : room;

        memcpy(scan->bytes + scan->length, bytes, taken);
        scan->length += taken;
        bytes += taken;
        length -= taken;

        const enum secret_shape shape = look(scan, SECRET_LOOK_MAX, offset);

        if (shape != SECRET_NONE)
            return shape;
    }
    return SECRET_NONE;
}

enum secret_shape secret_scan_end(struct secret_scan *scan, uint64_t *offset)
{
    return look(scan, 0, offset);
}
