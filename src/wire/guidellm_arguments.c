#include "wire/guidellm_arguments.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "wire/yaml_reader.h"

#define PATH_DEPTH_MAX 16

CLEANUP_DEFINE(json_t, json_decref)

/* --- paths ------------------------------------------------------------------------------------ */

/* One step of a path: a name, and perhaps an index into the list of that name. */
struct step {
    char *name;
    long index; /* -1: none */
    const char *rest; /* behind the dot; NULL: this is the last one */
};

static int parse_step(const char *path, struct step *step, const char *where, struct error *err)
{
    size_t length = strcspn(path, ".[");
    const char *behind = path + length;
    char *end;
    *step = (struct step){.index = -1};
    if (*behind == '[') {
        step->index = strtol(behind + 1, &end, 10);
        if (end == behind + 1 || *end != ']' || step->index < 0 || step->index >= GUIDELLM_INDEX_MAX)
            return error_set(err, ERROR_USAGE, "%s: '%.100s': expected [N] with N below %d", where, path, GUIDELLM_INDEX_MAX);
        behind = end + 1;
    }
    if (length == 0 || (*behind && *behind != '.'))
        return error_set(err, ERROR_USAGE, "%s: '%.100s' is no name such as rate or constraints[0].seconds", where, path);
    step->name = mem_strndup(path, length);
    step->rest = *behind == '.' ? behind + 1 : NULL;
    return 0;
}

/* The member, made anew where there is none of that type. Borrowed. */
static json_t *need_member(json_t *object, const char *name, bool list)
{
    json_t *member = json_object_get(object, name);
    if (member && (list ? json_is_array(member) : json_is_object(member)))
        return member;
    json_object_set_new(object, name, list ? json_array() : json_object());
    return json_object_get(object, name);
}

/* Of a list, which grows with nulls up to there. Takes value over. */
static void set_item(json_t *list, size_t index, json_t *value)
{
    while (json_array_size(list) <= index)
        json_array_append_new(list, json_null());
    json_array_set_new(list, index, value);
}

static json_t *need_item(json_t *list, size_t index)
{
    if (!json_is_object(json_array_get(list, index)))
        set_item(list, index, json_object());
    return json_array_get(list, index);
}

int guidellm_arguments_set(json_t *object, const char *path, json_t *value, const char *where, struct error *err)
{
    cleanup_with(json_decref) json_t *owned = value;
    for (int depth = 0; depth < PATH_DEPTH_MAX; depth++) {
        struct step step;
        if (parse_step(path, &step, where, err) < 0)
            return -1;
        cleanup_free char *name = step.name;
        json_t *list = step.index >= 0 ? need_member(object, name, true) : NULL;
        if (!step.rest && list)
            set_item(list, (size_t)step.index, json_incref(owned));
        else if (!step.rest)
            json_object_set(object, name, owned);
        if (!step.rest)
            return 0;
        object = list ? need_item(list, (size_t)step.index) : need_member(object, name, false);
        path = step.rest;
    }
    return error_set(err, ERROR_USAGE, "%s: a name of more than %d parts", where, PATH_DEPTH_MAX);
}

void guidellm_arguments_merge(json_t *object, const json_t *more)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)more, key, value)
    {
        json_t *old = json_object_get(object, key);
        if (json_is_object(old) && json_is_object(value))
            guidellm_arguments_merge(old, value);
        else
            json_object_set_new(object, key, json_deep_copy(value));
    }
}

/* --- pairs ------------------------------------------------------------------------------------- */

/* Up to the comma that ends a pair: not one inside brackets, braces or quotes. */
static size_t pair_length(const char *text)
{
    int depth = 0;
    char quote = '\0';
    const char *c = text;
    for (; *c && (*c != ',' || depth > 0 || quote); c++) {
        if (quote)
            quote = *c == quote ? '\0' : quote;
        else if ((*c == '"' || *c == '\'') && c > text && strchr("=[{,: ", c[-1]))
            quote = *c;
        else
            depth += *c == '[' || *c == '{' ? 1 : *c == ']' || *c == '}' ? -1 : 0;
    }
    return (size_t)(c - text);
}

static const char *trim(const char *text, size_t *length)
{
    while (*length > 0 && strchr(" \t\r\n", *text)) {
        text++;
        (*length)--;
    }
    while (*length > 0 && strchr(" \t\r\n", text[*length - 1]))
        (*length)--;
    return text;
}

/* A list or an object as YAML's flow style has them; else a scalar as it is, whatever it holds (URLs have colons). */
static json_t *pair_value(const char *text, size_t length, const char *where, struct error *err)
{
    text = trim(text, &length);
    if (length > 0 && strchr("[{\"'", *text))
        return yaml_parse(text, length, YAML_1_1, where, NULL, err);
    json_t *value = yaml_scalar(text, length, YAML_1_1);
    if (!value)
        error_set(err, ERROR_USAGE, "%s: this is no UTF-8", where);
    return value;
}

static int take_pair(json_t *object, const char *text, size_t length, const char *where, struct error *err)
{
    text = trim(text, &length);
    const char *equals = memchr(text, '=', length);
    if (!equals || equals == text)
        return error_set(err, ERROR_USAGE, "%s: expected NAME=VALUE, got '%.*s'", where, (int)(length < 100 ? length : 100), text);
    size_t name_length = (size_t)(equals - text);
    const char *begin = trim(text, &name_length);
    cleanup_free char *name = mem_strndup(begin, name_length);
    json_t *value = pair_value(equals + 1, length - (size_t)(equals + 1 - text), where, err);
    return value ? guidellm_arguments_set(object, name, value, where, err) : -1;
}

static json_t *parse_pairs(const char *text, const char *where, struct error *err)
{
    cleanup_with(json_decref) json_t *object = json_object();
    for (size_t length;; text += length + 1) {
        length = pair_length(text);
        if (take_pair(object, text, length, where, err) < 0)
            return NULL;
        if (!text[length])
            return steal_pointer(&object);
    }
}

/* Does it begin with "name=", as no JSON and no YAML does that anybody writes here? */
static bool has_pairs(const char *text)
{
    text += strspn(text, " \t\r\n");
    size_t length = strcspn(text, "= :{\"'\n");
    return length > 0 && *text != '[' && text[length] == '=';
}

json_t *guidellm_arguments_parse(const char *text, const char *where, struct error *err)
{
    if (has_pairs(text))
        return parse_pairs(text, where, err);
    const char *begin = text + strspn(text, " \t\r\n");
    bool one_line = !strchr(begin, '\n');
    if (*begin != '{' && one_line && !strstr(begin, ": "))
        return pair_value(begin, strlen(begin), where, err);
    return yaml_parse(text, strlen(text), YAML_1_1, where, NULL, err);
}
