#include "wire/yaml_reader.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"

#define DOCUMENT (-1) /* the column that a document's content is right of */
#define KEY_MAX 1024  /* bytes of a line in which a key's colon is looked for, as YAML has it */

CLEANUP_DEFINE(json_t, json_decref)

struct yaml {
    const char *name;
    const char *begin, *at, *end;
    struct error *err;
    int depth;
};

static json_t *parse_node(struct yaml *yaml, long parent);
static json_t *parse_flow(struct yaml *yaml);

/* --- where we are ------------------------------------------------------------------------- */

static json_t *fail(const struct yaml *yaml, const char *what)
{
    size_t line = 1;
    for (const char *c = yaml->begin; c < yaml->at && c < yaml->end; c++)
        line += *c == '\n';
    error_set(yaml->err, ERROR_USAGE, "%s: line %zu: %s", yaml->name, line, what);
    return NULL;
}

static char peek(const struct yaml *yaml, size_t ahead)
{
    return (size_t)(yaml->end - yaml->at) > ahead ? yaml->at[ahead] : '\n';
}

static long column(const struct yaml *yaml)
{
    const char *line = yaml->at;
    while (line > yaml->begin && line[-1] != '\n')
        line--;
    return yaml->at - line;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_spaces(struct yaml *yaml)
{
    while (yaml->at < yaml->end && is_space(*yaml->at))
        yaml->at++;
}

/* Spaces and a comment; a # begins one only behind a space or at a line's beginning. */
static void skip_to_line_end(struct yaml *yaml)
{
    skip_spaces(yaml);
    bool comment = peek(yaml, 0) == '#' && (yaml->at == yaml->begin || yaml->at[-1] == '\n' || is_space(yaml->at[-1]));
    while (comment && yaml->at < yaml->end && *yaml->at != '\n')
        yaml->at++;
}

/* To the next character that says something, over lines. */
static void skip_blank(struct yaml *yaml)
{
    for (skip_to_line_end(yaml); yaml->at < yaml->end && *yaml->at == '\n'; skip_to_line_end(yaml))
        yaml->at++;
}

static bool ends_word(char c)
{
    return is_space(c) || c == '\n';
}

static bool is_sequence_entry(const struct yaml *yaml)
{
    return peek(yaml, 0) == '-' && ends_word(peek(yaml, 1));
}

/* A line that begins with --- or ... */
static bool is_document_mark(const struct yaml *yaml)
{
    bool marks = yaml->end - yaml->at >= 3 && (memcmp(yaml->at, "---", 3) == 0 || memcmp(yaml->at, "...", 3) == 0);
    return marks && column(yaml) == 0 && ends_word(peek(yaml, 3));
}

static bool is_indented_by_tab(const struct yaml *yaml)
{
    for (const char *c = yaml->at - column(yaml); c < yaml->at && is_space(*c); c++)
        if (*c == '\t')
            return true;
    return false;
}

/* --- scalars ------------------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

json_t *yaml_scalar(const char *text, size_t length)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", NULL};
    cleanup_free char *copy = mem_strndup(text, length);
    int64_t integer;
    double number;
    if (strlen(copy) != length)
        return NULL;
    if (is_one_of(copy, nulls))
        return json_null();
    if (is_one_of(copy, trues))
        return json_true();
    if (is_one_of(copy, falses))
        return json_false();
    if (units_parse_integer(copy, &integer) == 0)
        return json_integer(integer);
    if (units_parse_number(copy, &number) == 0)
        return json_real(number);
    return json_stringn(text, length);
}

static json_t *text_or_fail(const struct yaml *yaml, const char *text, size_t length)
{
    json_t *value = json_stringn(text, length);
    return value ? value : fail(yaml, "this is no UTF-8");
}

static json_t *parse_single_quoted(struct yaml *yaml)
{
    cleanup_buf struct buf text = BUF_INIT((size_t)(yaml->end - yaml->begin) + 1);
    for (yaml->at++; yaml->at < yaml->end; yaml->at++) {
        if (*yaml->at == '\'' && peek(yaml, 1) != '\'') {
            yaml->at++;
            return text_or_fail(yaml, buf_text(&text), text.len);
        }
        yaml->at += *yaml->at == '\'';
        buf_append_char(&text, *yaml->at);
    }
    return fail(yaml, "a ' is not closed");
}

static json_t *parse_double_quoted(struct yaml *yaml)
{
    const char *from = yaml->at;
    json_error_t trouble;
    for (yaml->at++; yaml->at < yaml->end && *yaml->at != '"'; yaml->at++)
        yaml->at += *yaml->at == '\\' && yaml->at + 1 < yaml->end;
    if (yaml->at >= yaml->end)
        return fail(yaml, "a \" is not closed");
    yaml->at++;
    json_t *value = json_loadb(from, (size_t)(yaml->at - from), JSON_DECODE_ANY, &trouble);
    return value ? value : fail(yaml, "a quoted text has an escape or a character that JSON does not know");
}

static json_t *parse_quoted(struct yaml *yaml)
{
    return *yaml->at == '"' ? parse_double_quoted(yaml) : parse_single_quoted(yaml);
}

static json_t *plain_value(const struct yaml *yaml, const char *from, const char *to)
{
    while (to > from && is_space(to[-1]))
        to--;
    json_t *value = yaml_scalar(from, (size_t)(to - from));
    return value ? value : fail(yaml, "this is no UTF-8");
}

/* To the end of the line, or to a comment. */
static json_t *parse_plain(struct yaml *yaml)
{
    const char *from = yaml->at;
    for (; yaml->at < yaml->end && *yaml->at != '\n'; yaml->at++) {
        if (*yaml->at == '#' && yaml->at > from && is_space(yaml->at[-1]))
            break;
        if (*yaml->at == ':' && ends_word(peek(yaml, 1)))
            return fail(yaml, "a value holds ': '; put it into quotes");
    }
    return plain_value(yaml, from, yaml->at);
}

/* --- flow: { } and [ ] ----------------------------------------------------------------------- */

/* A plain scalar between commas and brackets. */
static json_t *parse_flow_plain(struct yaml *yaml)
{
    const char *from = yaml->at;
    for (; yaml->at < yaml->end && !strchr(",[]{}\n", *yaml->at); yaml->at++)
        if ((*yaml->at == ':' && (ends_word(peek(yaml, 1)) || strchr(",[]{}", peek(yaml, 1)))) ||
            (*yaml->at == '#' && yaml->at > from && is_space(yaml->at[-1])))
            break;
    return yaml->at == from ? fail(yaml, "a value is missing") : plain_value(yaml, from, yaml->at);
}

static json_t *parse_flow_value(struct yaml *yaml)
{
    char c = peek(yaml, 0);
    if (c == '{' || c == '[')
        return parse_flow(yaml);
    return c == '"' || c == '\'' ? parse_quoted(yaml) : parse_flow_plain(yaml);
}

/* The colon behind a key; behind a quoted one it needs no space. */
static int take_colon(struct yaml *yaml)
{
    skip_blank(yaml);
    if (peek(yaml, 0) != ':')
        return -1;
    yaml->at++;
    skip_blank(yaml);
    return 0;
}

/* Takes value over; NULL: it could not be read, which was said. */
static int set_member(const struct yaml *yaml, json_t *mapping, const json_t *key, json_t *value)
{
    if (!value)
        return -1;
    cleanup_free char *text = json_scalar_text(key);
    const char *wrong = !text ? "a key is no text" : json_object_get(mapping, text) ? "a key stands twice in one mapping" : NULL;
    if (!wrong)
        return json_object_set_new(mapping, text, value);
    json_decref(value);
    fail(yaml, wrong);
    return -1;
}

static int parse_flow_pair(struct yaml *yaml, json_t *mapping)
{
    char c = peek(yaml, 0);
    cleanup_with(json_decref) json_t *key = c == '"' || c == '\'' ? parse_quoted(yaml) : parse_flow_plain(yaml);
    if (!key)
        return -1;
    if (take_colon(yaml) < 0) {
        fail(yaml, "a key without a colon and a value");
        return -1;
    }
    return set_member(yaml, mapping, key, parse_flow_value(yaml));
}

static int parse_flow_item(struct yaml *yaml, json_t *sequence)
{
    json_t *value = parse_flow_value(yaml);
    return value ? json_array_append_new(sequence, value) : -1;
}

static json_t *parse_flow_items(struct yaml *yaml, char close)
{
    cleanup_with(json_decref) json_t *all = close == '}' ? json_object() : json_array();
    for (;;) {
        skip_blank(yaml);
        if (peek(yaml, 0) == close)
            break;
        if ((close == '}' ? parse_flow_pair(yaml, all) : parse_flow_item(yaml, all)) < 0)
            return NULL;
        skip_blank(yaml);
        if (peek(yaml, 0) == ',')
            yaml->at++;
        else if (peek(yaml, 0) != close)
            return fail(yaml, close == '}' ? "expected , or }" : "expected , or ]");
    }
    yaml->at++;
    return steal_pointer(&all);
}

static json_t *parse_flow(struct yaml *yaml)
{
    char close = *yaml->at == '{' ? '}' : ']';
    if (yaml->depth == YAML_DEPTH_MAX)
        return fail(yaml, "nested too deep");
    yaml->depth++;
    yaml->at++;
    json_t *value = parse_flow_items(yaml, close);
    yaml->depth--;
    return value;
}

/* --- blocks: by indentation -------------------------------------------------------------------- */

/* Is there a key, and behind it a colon, on this line? */
static bool is_mapping_entry(const struct yaml *yaml)
{
    if (peek(yaml, 0) == '{' || peek(yaml, 0) == '[')
        return false;
    char quote = peek(yaml, 0) == '"' || peek(yaml, 0) == '\'' ? peek(yaml, 0) : '\0';
    bool inside = quote != '\0';
    for (size_t k = inside ? 1 : 0; k < KEY_MAX; k++) {
        char c = peek(yaml, k);
        if (c == '\n' || (!inside && c == '#' && k > 0 && is_space(peek(yaml, k - 1))))
            return false;
        if (!inside && c == ':' && ends_word(peek(yaml, k + 1)))
            return true;
        if (inside && c == '\\' && quote == '"')
            k++;
        else if (inside && c == quote)
            inside = false;
    }
    return false;
}

static json_t *parse_key(struct yaml *yaml)
{
    if (*yaml->at == '"' || *yaml->at == '\'')
        return parse_quoted(yaml);
    const char *from = yaml->at;
    while (yaml->at < yaml->end && !(*yaml->at == ':' && ends_word(peek(yaml, 1))))
        yaml->at++;
    return plain_value(yaml, from, yaml->at);
}

/* Behind a colon or a dash, on the same line. */
static json_t *parse_inline(struct yaml *yaml)
{
    char c = peek(yaml, 0);
    json_t *value = NULL;
    if (strchr("&*!|>%@`", c))
        return fail(yaml, "anchors, aliases, tags and texts of several lines (& * ! | >) are not read here; write the value out");
    if (c == '{' || c == '[')
        value = parse_flow(yaml);
    else
        value = c == '"' || c == '\'' ? parse_quoted(yaml) : parse_plain(yaml);
    skip_to_line_end(yaml);
    if (!value || yaml->at == yaml->end || *yaml->at == '\n')
        return value;
    json_decref(value);
    return fail(yaml, "something stands behind a value");
}

/* The value of a key: on its line, or in the lines below, right of the key. A sequence may be in the key's own column. */
static json_t *parse_member(struct yaml *yaml, long column_of_key)
{
    skip_to_line_end(yaml);
    if (yaml->at < yaml->end && *yaml->at != '\n')
        return parse_inline(yaml);
    skip_blank(yaml);
    bool same_column = yaml->at < yaml->end && column(yaml) == column_of_key && is_sequence_entry(yaml);
    return parse_node(yaml, same_column ? column_of_key - 1 : column_of_key);
}

static int parse_mapping_entry(struct yaml *yaml, json_t *mapping, long own)
{
    cleanup_with(json_decref) json_t *key = parse_key(yaml);
    if (!key)
        return -1;
    skip_spaces(yaml);
    if (peek(yaml, 0) != ':') {
        fail(yaml, "a key without a colon");
        return -1;
    }
    yaml->at++;
    return set_member(yaml, mapping, key, parse_member(yaml, own));
}

static int parse_sequence_entry(struct yaml *yaml, json_t *sequence, long own)
{
    yaml->at++;
    json_t *value = parse_node(yaml, own);
    return value ? json_array_append_new(sequence, value) : -1;
}

/* All entries in one column. */
static json_t *parse_block(struct yaml *yaml, bool is_sequence)
{
    const long own = column(yaml);
    cleanup_with(json_decref) json_t *all = is_sequence ? json_array() : json_object();
    do {
        if ((is_sequence ? parse_sequence_entry(yaml, all, own) : parse_mapping_entry(yaml, all, own)) < 0)
            return NULL;
        skip_blank(yaml);
        if (yaml->at == yaml->end || column(yaml) < own || is_document_mark(yaml))
            return steal_pointer(&all);
        if (is_indented_by_tab(yaml))
            return fail(yaml, "a tab stands before its first character; YAML indents by spaces");
    } while (column(yaml) == own && (is_sequence ? is_sequence_entry(yaml) : !is_sequence_entry(yaml) && is_mapping_entry(yaml)));
    /* A sequence in the column of its key ends where the next key begins. */
    if (column(yaml) == own && is_sequence && is_mapping_entry(yaml))
        return steal_pointer(&all);
    return fail(yaml, "it is not indented like the lines before it, or has no key");
}

/* What comes next, if it stands right of the column `parent`; else null. */
static json_t *parse_node(struct yaml *yaml, long parent)
{
    skip_blank(yaml);
    if (yaml->at == yaml->end || column(yaml) <= parent || is_document_mark(yaml))
        return json_null();
    if (is_indented_by_tab(yaml))
        return fail(yaml, "a tab stands before its first character; YAML indents by spaces");
    bool is_sequence = is_sequence_entry(yaml);
    if (!is_sequence && !is_mapping_entry(yaml))
        return parse_inline(yaml);
    if (strchr("&*!?|>%@`", *yaml->at))
        return fail(yaml, "anchors, aliases, tags and keys that are no texts (& * ! ?) are not read here; write the value out");
    if (yaml->depth == YAML_DEPTH_MAX)
        return fail(yaml, "nested too deep");
    yaml->depth++;
    json_t *value = parse_block(yaml, is_sequence);
    yaml->depth--;
    return value;
}

json_t *yaml_parse(const char *text, size_t length, const char *name, struct error *err)
{
    struct yaml yaml = {.name = name, .begin = text, .at = text, .end = text + length, .err = err};
    skip_blank(&yaml);
    if (is_document_mark(&yaml))
        yaml.at += strlen("---");
    json_t *value = parse_node(&yaml, DOCUMENT);
    skip_blank(&yaml);
    if (!value || yaml.at == yaml.end)
        return value;
    json_decref(value);
    return fail(&yaml, "something stands behind the document's end");
}
