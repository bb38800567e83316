#include "base/yaml.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define INDENT 2
#define DIGITS_LEAST 15 /* that a double always keeps; up to 17 may be needed to tell it from its neighbours */
#define DIGITS_MOST 17

/* ---- texts ---- */

/* Characters beyond ASCII that are not printable for YAML, or end a line for some readers of it: C1 controls (and NEL), line and paragraph
 * separator, the byte order mark, and U+FFFE, U+FFFF. 0: it can stand as it is. */
static unsigned unprintable(const unsigned char *at, size_t length)
{
    unsigned code = 0;
    if (length == 2)
        code = (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu);
    else if (length == 3)
        code = (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    bool escaped = (code >= 0x80 && code <= 0x9F) || code == 0x2028 || code == 0x2029 || code == 0xFEFF || code >= 0xFFFE;
    return escaped ? code : 0;
}

/* Texts of a JSON document are UTF-8. */
static void append_text(struct buf *out, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;
    buf_append_char(out, '"');
    while (at < end) {
        size_t step = utf8_character(at, (size_t)(end - at));
        unsigned code = unprintable(at, step);
        if (code)
            buf_printf(out, "\\u%04x", code);
        else if (*at == '"' || *at == '\\')
            buf_printf(out, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7F)
            buf_printf(out, "\\x%02x", *at);
        else
            buf_append(out, at, step);
        at += step ? step : 1;
    }
    buf_append_char(out, '"');
}

/* A word that no reader takes for anything but a text. */
static bool is_plain(const char *key)
{
    static const char *const taken[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    if (!isalpha((unsigned char)key[0]) && key[0] != '_')
        return false;
    if (key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] != '\0')
        return false;
    for (size_t k = 0; k < sizeof taken / sizeof taken[0]; k++)
        if (strcasecmp(key, taken[k]) == 0)
            return false;
    return true;
}

static void append_key(struct buf *out, const char *key)
{
    if (is_plain(key))
        buf_append_text(out, key);
    else
        append_text(out, key, strlen(key));
    buf_append_char(out, ':');
}

/* ---- numbers ---- */

/* "%g" gives 1e-05, 1e+20 and 5: a point is put in where there is none. The exponent has its sign already. */
static void append_real(struct buf *out, double number)
{
    char text[40];
    int digits = DIGITS_LEAST;
    do
        snprintf(text, sizeof text, "%.*g", digits, number);
    while (digits++ < DIGITS_MOST && strtod(text, NULL) != number);
    size_t whole = strcspn(text, ".e");
    buf_append(out, text, whole);
    if (text[whole] != '.')
        buf_append_text(out, ".0");
    buf_append_text(out, text + whole);
}

/* ---- the tree ---- */

static void append_scalar(struct buf *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        append_text(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        append_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_append_text(out, "true");
        break;
    case JSON_FALSE:
        buf_append_text(out, "false");
        break;
    case JSON_OBJECT:
        buf_append_text(out, "{}"); /* an empty one */
        break;
    case JSON_ARRAY:
        buf_append_text(out, "[]");
        break;
    case JSON_NULL:
        buf_append_text(out, "null");
        break;
    }
    buf_append_char(out, '\n');
}

static bool has_parts(const json_t *value)
{
    return json_object_size(value) > 0 || json_array_size(value) > 0;
}

static void append_indent(struct buf *out, int depth)
{
    for (int k = 0; k < depth * INDENT; k++)
        buf_append_char(out, ' ');
}

/* What is behind "key:" or "-": a scalar on the same line, or a block. The first member of an object in a list stands on its "-"'s line. */
static void append_parts(struct buf *out, const json_t *value, int depth, bool on_line)
{
    const char *key;
    json_t *part;
    size_t index;
    json_object_foreach((json_t *)(uintptr_t)value, key, part)
    {
        if (!on_line)
            append_indent(out, depth);
        on_line = false;
        append_key(out, key);
        buf_append_char(out, has_parts(part) ? '\n' : ' ');
        if (has_parts(part))
            append_parts(out, part, depth + 1, false);
        else
            append_scalar(out, part);
    }
    json_array_foreach(value, index, part)
    {
        if (!on_line)
            append_indent(out, depth);
        on_line = false;
        buf_append_text(out, "- ");
        if (has_parts(part))
            append_parts(out, part, depth + 1, true);
        else
            append_scalar(out, part);
    }
}

int yaml_append(const json_t *document, struct buf *out)
{
    if (has_parts(document))
        append_parts(out, document, 0, false);
    else
        append_scalar(out, document);
    return out->overflowed ? -1 : 0;
}
