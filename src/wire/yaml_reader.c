#include "wire/yaml_reader.h"

#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/units.h"

CLEANUP_DEFINE(json_t, json_decref)
#define cleanup_event __attribute__((cleanup(yaml_event_delete)))

static const char not_read[] = "anchors, aliases and tags (& * !) are not read here; write the value out";

struct reader {
    yaml_parser_t parser;
    enum yaml_version version;
    const char *text;
    size_t length;
    const char *name;
    struct json_lines *lines; /* NULL: nobody asks */
    struct error *err;
    int depth;
};

static json_t *read_value(struct reader *reader, const yaml_event_t *event, const char *path);

static json_t *fail(const struct reader *reader, const yaml_mark_t *mark, const char *what)
{
    size_t line = 1; /* the end of a text is a line of its own to libyaml */
    for (size_t k = 0; k + 1 < reader->length && line < mark->line + 1; k++)
        line += reader->text[k] == '\n';
    error_set(reader->err, ERROR_USAGE, "%s: line %zu: %s", reader->name, line, what);
    return NULL;
}

/* The next event is to be deleted, also where there is none: -1, and *err says why. */
static int next(struct reader *reader, yaml_event_t *event)
{
    const yaml_parser_t *parser = &reader->parser;
    if (yaml_parser_parse(&reader->parser, event))
        return 0;
    if (parser->error == YAML_READER_ERROR) /* it has no mark: bytes that are no character */
        return error_set(reader->err, ERROR_USAGE, "%s: byte %zu: %s", reader->name, parser->problem_offset, parser->problem);
    const char *problem = parser->problem ? parser->problem : "it cannot be read";
    cleanup_free char *text = parser->context ? mem_printf("%s %s", parser->context, problem) : mem_strdup(problem);
    fail(reader, &parser->problem_mark, text);
    return -1;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

json_t *yaml_scalar(const char *text, size_t length, enum yaml_version version)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL}, *const more_trues[] = {"yes", "Yes", "YES", "on", "On", "ON", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL}, *const more_falses[] = {"no", "No", "NO", "off", "Off", "OFF", NULL};
    cleanup_free char *copy = mem_strndup(text, length);
    int64_t integer;
    double number;
    if (strlen(copy) != length)
        return NULL;
    if (is_one_of(copy, nulls))
        return json_null();
    if (is_one_of(copy, trues) || (version == YAML_1_1 && is_one_of(copy, more_trues)))
        return json_true();
    if (is_one_of(copy, falses) || (version == YAML_1_1 && is_one_of(copy, more_falses)))
        return json_false();
    if (units_parse_integer(copy, &integer) == 0)
        return json_integer(integer);
    if (units_parse_number(copy, &number) == 0)
        return json_real(number);
    return json_stringn(text, length);
}

static json_t *read_scalar(const struct reader *reader, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (memchr(text, '\0', length))
        return fail(reader, &event->start_mark, "a text has a NUL");
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? yaml_scalar(text, length, reader->version) : json_stringn(text, length);
}

static json_t *read_sequence(struct reader *reader, const char *path)
{
    cleanup_with(json_decref) json_t *all = json_array();
    for (;;) {
        cleanup_event yaml_event_t event = {0};
        if (next(reader, &event) < 0)
            return NULL;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            return steal_pointer(&all);
        cleanup_free char *below = mem_printf("%s[%zu]", path, json_array_size(all));
        json_t *value = read_value(reader, &event, below);
        if (!value)
            return NULL;
        json_array_append_new(all, value);
    }
}

/* NULL: *err. */
static const char *key_text(const struct reader *reader, const yaml_event_t *key, const json_t *mapping)
{
    const char *text = (const char *)key->data.scalar.value, *wrong = NULL;
    size_t length = key->data.scalar.length;
    if (key->type != YAML_SCALAR_EVENT || memchr(text, '\0', length))
        wrong = "a key is no text";
    else if (key->data.scalar.anchor || key->data.scalar.tag)
        wrong = not_read;
    else if (length > YAML_KEY_MAX)
        wrong = "a key is too long";
    else if (json_object_get(mapping, text))
        wrong = "a key stands twice in one mapping";
    if (wrong)
        fail(reader, &key->start_mark, wrong);
    return wrong ? NULL : text;
}

static int read_member(struct reader *reader, const yaml_event_t *key, json_t *mapping, const char *path)
{
    cleanup_event yaml_event_t event = {0};
    const char *text = key_text(reader, key, mapping);
    if (!text)
        return -1;
    cleanup_free char *below = mem_printf("%s%s%s", path, path[0] ? "." : "", text);
    if (reader->lines)
        json_lines_add(reader->lines, below, key->start_mark.line + 1);
    json_t *value = next(reader, &event) < 0 ? NULL : read_value(reader, &event, below);
    return value ? json_object_set_new(mapping, text, value) : -1;
}

static json_t *read_mapping(struct reader *reader, const char *path)
{
    cleanup_with(json_decref) json_t *all = json_object();
    for (;;) {
        cleanup_event yaml_event_t event = {0};
        if (next(reader, &event) < 0)
            return NULL;
        if (event.type == YAML_MAPPING_END_EVENT)
            return steal_pointer(&all);
        if (read_member(reader, &event, all, path) < 0)
            return NULL;
    }
}

/* An anchor stands in each kind of node at another place. */
static bool is_plain_node(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: return !event->data.scalar.anchor && !event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT: return !event->data.sequence_start.anchor && !event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT: return !event->data.mapping_start.anchor && !event->data.mapping_start.tag;
    default: return false;
    }
}

/* That begins with this event. */
static json_t *read_value(struct reader *reader, const yaml_event_t *event, const char *path)
{
    if (!is_plain_node(event))
        return fail(reader, &event->start_mark, not_read);
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(reader, event);
    if (reader->depth == YAML_DEPTH_MAX)
        return fail(reader, &event->start_mark, "nested too deep");
    reader->depth++;
    json_t *value = event->type == YAML_SEQUENCE_START_EVENT ? read_sequence(reader, path) : read_mapping(reader, path);
    reader->depth--;
    return value;
}

/* The stream's beginning, a document's, or the end; NULL: *err. Of nothing but comments there is no document: null. */
static json_t *read_stream(struct reader *reader)
{
    cleanup_with(json_decref) json_t *value = NULL;
    for (;;) {
        cleanup_event yaml_event_t event = {0};
        if (next(reader, &event) < 0)
            return NULL;
        if (event.type == YAML_STREAM_END_EVENT)
            return value ? steal_pointer(&value) : json_null();
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_END_EVENT)
            continue;
        if (event.type == YAML_DOCUMENT_START_EVENT && value)
            return fail(reader, &event.start_mark, "a second document begins, and one is read");
        if (event.type != YAML_DOCUMENT_START_EVENT && !(value = read_value(reader, &event, "")))
            return NULL;
    }
}

json_t *yaml_parse(const char *text, size_t length, enum yaml_version version, const char *name, struct json_lines *lines, struct error *err)
{
    struct reader reader = {.version = version, .text = text, .length = length, .name = name, .lines = lines, .err = err};
    if (!yaml_parser_initialize(&reader.parser)) {
        error_set(err, ERROR_INTERNAL, "%s: there is no memory to read it", name);
        return NULL;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    json_t *value = read_stream(&reader);
    yaml_parser_delete(&reader.parser);
    return value;
}
