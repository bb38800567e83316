/* Documents in JSON that other tools wrote, one a file or one a line. */
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/units.h"
#include "import/import.h"

#define NUMBER_MAX 1e15

/* Where NaN, Infinity or -Infinity stands outside of a string: its length; else 0. */
static size_t not_a_number(const char *at, size_t length)
{
    static const char *const words[] = {"NaN", "-Infinity", "Infinity"};
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (length >= strlen(words[k]) && memcmp(at, words[k], strlen(words[k])) == 0)
            return strlen(words[k]);
    return 0;
}

static void clean(const char *text, size_t length, struct buf *out)
{
    bool inside = false;
    size_t from = 0, word;
    for (size_t k = 0; k < length; k++) {
        if (inside && text[k] == '\\') {
            k++;
        } else if (text[k] == '"') {
            inside = !inside;
        } else if (!inside && (text[k] == 'N' || text[k] == 'I' || text[k] == '-') && (word = not_a_number(text + k, length - k)) > 0) {
            buf_append(out, text + from, k - from);
            buf_append_text(out, "null");
            from = k + word;
            k = from - 1;
        }
    }
    buf_append(out, text + from, length - from);
}

json_t *import_parse_json(const char *name, const char *text, size_t length, struct error *err)
{
    json_error_t where;
    json_t *root = json_loadb(text, length, JSON_ALLOW_NUL, &where);
    if (!root) {
        cleanup_buf struct buf cleaned = BUF_INIT(2 * IMPORT_FILE_MAX);
        clean(text, length, &cleaned);
        root = json_loadb(buf_text(&cleaned), cleaned.len, JSON_ALLOW_NUL, NULL);
    }
    if (!root)
        error_set(err, ERROR_USAGE, "%s: line %d, column %d: not JSON: %s", name, where.line, where.column, where.text);
    return root;
}

const json_t *import_at(const json_t *object, const char *path)
{
    char key[64];
    while (object && *path) {
        size_t length = strcspn(path, ".");
        int64_t index;
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        if (json_is_array(object))
            object = units_parse_integer(key, &index) == 0 && index >= 0 ? json_array_get(object, (size_t)index) : NULL;
        else
            object = json_object_get(object, key);
        path += length + (path[length] == '.');
    }
    return object;
}

double import_number(const json_t *object, const char *path)
{
    const json_t *value = import_at(object, path);
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    return number >= 0 && number <= NUMBER_MAX ? number : NAN;
}

const char *import_text(const json_t *object, const char *path)
{
    return json_string_value(import_at(object, path));
}

/* ---- one document a line ---- */

static size_t line_length(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return (size_t)((newline ? newline : end) - at);
}

static bool is_blank(const char *line, size_t length)
{
    for (size_t k = 0; k < length; k++)
        if (!strchr(" \t\r", line[k]))
            return false;
    return true;
}

json_t *import_first_line(const struct buf *text)
{
    const char *begin = buf_text(text);
    return json_loadb(begin, line_length(begin, begin + text->len), JSON_ALLOW_NUL, NULL);
}

int import_read_lines(const char *name, const struct buf *text, import_line_handler handler, void *context, struct error *err)
{
    const char *at = buf_text(text), *end = at + text->len;
    int status = 0;
    for (size_t number = 1; at < end && status == 0; number++) {
        size_t length = line_length(at, end);
        cleanup_free char *where = mem_printf("%s: line %zu", name, number);
        if (!is_blank(at, length)) {
            json_t *line = import_parse_json(where, at, length, err);
            status = line ? handler(context, where, line, err) : -1;
            json_decref(line);
        }
        at += length < (size_t)(end - at) ? length + 1 : length;
    }
    return status;
}
