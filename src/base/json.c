#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

#define JSON_SHOWN_MAX 40 /* bytes of a wrong value that a message shows */
#define JSON_DIGITS 12    /* significant digits of a number that is not whole: times of 1,000 s in ms to the ns */
#define JSON_WHOLE_MIN 1e11 /* from here on what is behind the point is rounded off */
#define JSON_EXACT_MAX 9007199254740992.0 /* 2^53 */

/* ---- lines ---- */

void json_lines_add(struct json_lines *lines, const char *path, size_t line)
{
    MEM_GROW(lines->items, lines->capacity, lines->count + 1);
    lines->items[lines->count++] = (struct json_line){mem_strdup(path), line};
}

void json_lines_free(struct json_lines *lines)
{
    for (size_t k = 0; k < lines->count; k++)
        free(lines->items[k].path);
    free(lines->items);
    *lines = (struct json_lines){0};
}

/* Of a member; where it is missing, of what it is missing in. 0: not known. */
static size_t json_find_line(const struct json_lines *lines, const char *path)
{
    size_t best = 0, line = 0;

    for (size_t k = 0; lines && k < lines->count; k++) {
        const size_t length = strlen(lines->items[k].path);

        if (length > best && strncmp(path, lines->items[k].path, length) == 0 && strchr(".[", path[length])) { /* or its end */
            best = length;
            line = lines->items[k].line;
        }
    }
    return line;
}

/* ---- opening ---- */

/* "roibench/plan/v1" -> its length without "v1" and the 1; 0 when it does not end so. */
static size_t json_split_version(const char *schema, unsigned long *version)
{
    const char *slash = strrchr(schema, '/');
    char *end;

    if (!slash || slash[1] != 'v' || slash[2] < '0' || slash[2] > '9')
        return 0;
    *version = strtoul(slash + 2, &end, 10);
    return *end ? 0 : (size_t)(slash + 1 - schema);
}

int json_check_schema(struct json_reader *reader, const json_t *root, const char *schema)
{
    const char *found = json_get_text(reader, root, "schema");
    unsigned long found_version = 0, version = 0;

    if (reader->failed)
        return -1;
    if (strcmp(found, schema) == 0)
        return 0;

    const size_t found_base = json_split_version(found, &found_version), base = json_split_version(schema, &version);

    if (base > 0 && base == found_base && strncmp(found, schema, base) == 0 && found_version > version)
        return json_fail(reader, "schema", "expected \"%s\", got \"%.*s\": the file is of a newer roibench than this one",
                         schema, JSON_SHOWN_MAX, found);
    return json_fail(reader, "schema", "expected \"%s\", got \"%.*s\"", schema, JSON_SHOWN_MAX, found);
}

json_t *json_parse(struct json_reader *reader, const char *bytes, size_t length, const char *name, const char *schema,
                   struct error *err)
{
    json_error_t where;

    *reader = (struct json_reader){.file = name, .err = err};

    json_t *root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);

    if (!root) {
        reader->failed = true;
        error_set(err, ERROR_USAGE, "%s: line %d, column %d: not JSON: %s", name, where.line, where.column, where.text);
        return NULL;
    }
    if (!json_is_object(root)) {
        json_fail(reader, "", "expected a JSON object");
        json_decref(root);
        return NULL;
    }
    if (schema && json_check_schema(reader, root, schema) < 0) {
        json_decref(root);
        return NULL;
    }
    return root;
}

json_t *json_open(struct json_reader *reader, const char *path, const char *schema, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(JSON_FILE_MAX);

    *reader = (struct json_reader){.file = path, .err = err};
    if (file_read(path, &text, ERROR_USAGE, err) < 0) {
        reader->failed = true;
        return NULL;
    }
    return json_parse(reader, buf_text(&text), text.len, path, schema, err);
}

size_t json_enter(struct json_reader *reader, const char *key, int index)
{
    const size_t mark = strlen(reader->path);

    if (index < 0)
        snprintf(reader->path + mark, sizeof reader->path - mark, "%s.", key);
    else
        snprintf(reader->path + mark, sizeof reader->path - mark, "%s[%d].", key, index);
    return mark;
}

void json_leave(struct json_reader *reader, size_t mark)
{
    if (mark < sizeof reader->path)
        reader->path[mark] = '\0';
}

int json_fail(struct json_reader *reader, const char *key, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list arguments;

    if (reader->failed)
        return -1;
    reader->failed = true;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    char path[2 * JSON_PATH_MAX], where[32] = "";

    snprintf(path, sizeof path, "%s%s", reader->path, key);

    const size_t line = json_find_line(reader->lines, path);

    if (line > 0)
        snprintf(where, sizeof where, "line %zu: ", line);
    return error_set(reader->err, ERROR_USAGE, "%s: %s%s%s%s", reader->file, where, path, *path ? ": " : "", text);
}

/* ---- reading ---- */

struct json_shown {
    char text[JSON_SHOWN_MAX + sizeof "..."];
    size_t length;
};

/* Keeps the first bytes of a dump and then stops it: a wrong value may be a whole document. */
static int json_show_part(const char *bytes, size_t length, void *context)
{
    struct json_shown *shown = context;

    for (size_t i = 0; i < length; i++) {
        if (shown->length == JSON_SHOWN_MAX) {
            if (((unsigned char)bytes[i] & 0xC0) == 0x80) /* in the middle of a character: leave it out */
                while (shown->length > 0 && ((unsigned char)shown->text[--shown->length] & 0xC0) == 0x80)
                    ;
            memcpy(shown->text + shown->length, "...", sizeof "...");
            return -1;
        }
        shown->text[shown->length++] = bytes[i];
        shown->text[shown->length] = '\0';
    }
    return 0;
}

static int json_fail_type(struct json_reader *reader, const char *key, const char *expected, const json_t *found)
{
    struct json_shown shown = {.length = 0};

    if (!found)
        return json_fail(reader, key, "expected %s, but it is missing", expected);
    json_dump_callback(found, json_show_part, &shown, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(JSON_DIGITS));
    return json_fail(reader, key, "expected %s, got %s", expected, shown.text);
}

static bool json_is_type(const json_t *value, json_type type)
{
    if (type == JSON_TRUE)
        return json_is_boolean(value);
    if (type == JSON_REAL)
        return json_is_number(value);
    if (type == JSON_INTEGER && json_is_real(value)) { /* 5.0 and 1e6 are whole numbers, too */
        const double real = json_real_value(value);

        return real == trunc(real) && fabs(real) <= JSON_EXACT_MAX;
    }
    return json_typeof(value) == type;
}

static const char *json_type_name(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return "true or false";
}

/* The member, or NULL: reader failed, absent and not required, or wrong (then the reader fails here). */
static json_t *json_find(struct json_reader *reader, const json_t *object, const char *key, json_type type, bool required)
{
    if (reader->failed)
        return NULL;

    json_t *value = json_object_get(object, key);

    if (!required && (!value || json_is_null(value)))
        return NULL;
    if (!value || !json_is_type(value, type)) {
        json_fail_type(reader, key, json_type_name(type), value);
        return NULL;
    }
    return value;
}

static int64_t json_to_integer(const json_t *value)
{
    return json_is_real(value) ? (int64_t)json_real_value(value) : json_integer_value(value);
}

const char *json_get_text(struct json_reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_find(reader, object, key, JSON_STRING, true);

    return value ? json_string_value(value) : "";
}

int64_t json_get_integer(struct json_reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_find(reader, object, key, JSON_INTEGER, true);

    return value ? json_to_integer(value) : 0;
}

double json_get_number(struct json_reader *reader, const json_t *object, const char *key)
{
    return json_number_value(json_find(reader, object, key, JSON_REAL, true));
}

bool json_get_bool(struct json_reader *reader, const json_t *object, const char *key)
{
    return json_is_true(json_find(reader, object, key, JSON_TRUE, true));
}

json_t *json_get_object(struct json_reader *reader, const json_t *object, const char *key)
{
    return json_find(reader, object, key, JSON_OBJECT, true);
}

json_t *json_get_array(struct json_reader *reader, const json_t *object, const char *key)
{
    return json_find(reader, object, key, JSON_ARRAY, true);
}

const char *json_get_text_or(struct json_reader *reader, const json_t *object, const char *key, const char *fallback)
{
    const json_t *value = json_find(reader, object, key, JSON_STRING, false);

    return value ? json_string_value(value) : reader->failed ? "" : fallback;
}

int64_t json_get_integer_or(struct json_reader *reader, const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_find(reader, object, key, JSON_INTEGER, false);

    return value ? json_to_integer(value) : reader->failed ? 0 : fallback;
}

double json_get_number_or(struct json_reader *reader, const json_t *object, const char *key, double fallback)
{
    const json_t *value = json_find(reader, object, key, JSON_REAL, false);

    return value ? json_number_value(value) : reader->failed ? 0 : fallback;
}

bool json_get_bool_or(struct json_reader *reader, const json_t *object, const char *key, bool fallback)
{
    const json_t *value = json_find(reader, object, key, JSON_TRUE, false);

    return value ? json_is_true(value) : !reader->failed && fallback;
}

json_t *json_get_object_or_null(struct json_reader *reader, const json_t *object, const char *key)
{
    return json_find(reader, object, key, JSON_OBJECT, false);
}

json_t *json_get_array_or_null(struct json_reader *reader, const json_t *object, const char *key)
{
    return json_find(reader, object, key, JSON_ARRAY, false);
}

char *json_scalar_text(const json_t *value)
{
    if (json_is_string(value))
        return mem_strdup(json_string_value(value));
    if (json_is_integer(value))
        return mem_printf("%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return mem_printf("%.15g", json_real_value(value));
    if (json_is_boolean(value))
        return mem_strdup(json_is_true(value) ? "true" : "false");
    return NULL;
}

/* ---- writing ---- */

static char *json_repair_text(const char *text)
{
    size_t left = strlen(text);
    struct buf fixed = BUF_INIT(SIZE_MAX / 2);

    while (left > 0) {
        const size_t length = utf8_character((const unsigned char *)text, left), step = length ? length : 1;

        if (length)
            buf_append(&fixed, text, length);
        else
            buf_append_text(&fixed, "\xEF\xBF\xBD");
        text += step;
        left -= step;
    }
    return buf_steal(&fixed);
}

/* jansson returns -1 only for memory, a NULL value or a key that is not UTF-8: our own fault, all of them. */
static void json_set_new(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        abort();
}

/* A new reference. */
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);

    if (!value) {
        cleanup_free char *repaired = json_repair_text(text);

        value = json_string(repaired);
    }
    return value;
}

void json_set_text(json_t *object, const char *key, const char *text_or_null)
{
    if (text_or_null)
        json_set_new(object, key, text_value(text_or_null));
    else
        json_set_null(object, key);
}

void json_set_text_if_any(json_t *object, const char *key, const char *text)
{
    json_set_text(object, key, text && *text ? text : NULL);
}

void json_set_integer(json_t *object, const char *key, int64_t integer)
{
    json_set_new(object, key, json_integer(integer));
}

void json_set_integer_if(json_t *object, const char *key, int64_t integer, bool known)
{
    if (known)
        json_set_integer(object, key, integer);
    else
        json_set_null(object, key);
}

static json_t *json_new_number(double number)
{
    char text[64];

    if (!isfinite(number))
        return json_null();
    if ((number == trunc(number) || fabs(number) >= JSON_WHOLE_MIN) && fabs(number) <= JSON_EXACT_MAX)
        return json_integer(llround(number));
    snprintf(text, sizeof text, "%.*g", JSON_DIGITS, number);
    return json_real(strtod(text, NULL));
}

void json_set_number(json_t *object, const char *key, double number)
{
    json_set_new(object, key, json_new_number(number));
}

void json_append_number(json_t *array, double number)
{
    json_array_append_new(array, json_new_number(number));
}

void json_set_bool(json_t *object, const char *key, bool value)
{
    json_set_new(object, key, json_boolean(value));
}

void json_set_null(json_t *object, const char *key)
{
    json_set_new(object, key, json_null());
}

json_t *json_add_object(json_t *object, const char *key)
{
    json_t *member = json_object();

    json_set_new(object, key, member);
    return member;
}

json_t *json_add_array(json_t *object, const char *key)
{
    json_t *member = json_array();

    json_set_new(object, key, member);
    return member;
}

void json_set_texts(json_t *object, const char *key, const char *const *texts, size_t count)
{
    json_t *array = json_add_array(object, key);
    for (size_t k = 0; k < count; k++)
        json_array_append_new(array, text_value(texts[k]));
}

static int json_dump_part(const char *bytes, size_t length, void *context)
{
    return buf_append(context, bytes, length);
}

int json_append_pretty(const json_t *document, struct buf *out)
{
    if (json_dump_callback(document, json_dump_part, out, JSON_INDENT(2) | JSON_REAL_PRECISION(JSON_DIGITS)) < 0)
        return -1;
    return buf_append_char(out, '\n');
}

int json_write_file(const json_t *document, const char *path, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(JSON_FILE_MAX);

    if (json_append_pretty(document, &text) < 0)
        return error_set(err, ERROR_INTERNAL, "cannot write %s: the document is larger than %zu bytes", path,
                         JSON_FILE_MAX);
    return file_write_atomic(path, text.data, text.len, err);
}

void json_append_compact(const json_t *document, struct buf *out)
{
    json_dump_callback(document, json_dump_part, out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(JSON_DIGITS));
}

static void json_append_escaped(struct buf *out, unsigned char c)
{
    static const char letters[] = "btnvfr"; /* of 8 to 13 */

    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c >= 8 && c <= 13 && c != 11)
        buf_printf(out, "\\%c", letters[c - 8]);
    else
        buf_printf(out, "\\u%04x", c);
}

void json_append_quoted(struct buf *out, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + length;

    buf_append_char(out, '"');
    while (at < end) {
        const unsigned char *plain = at;
        size_t step;

        while (at < end && *at >= 0x20 && *at != '"' && *at != '\\' && (step = utf8_character(at, (size_t)(end - at))))
            at += step;
        buf_append(out, plain, (size_t)(at - plain));
        if (at == end)
            break;
        if (*at < 0x80)
            json_append_escaped(out, *at);
        else
            buf_append_text(out, "\xEF\xBF\xBD");
        at++;
    }
    buf_append_char(out, '"');
}
