#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/options_table.h"

#define OPTIONS_ENVIRONMENT_NAME_SIZE (OPTIONS_NAME_MAX + 16)

CLEANUP_DEFINE(json_t, json_decref)

/* ---- command line ---- */

static int options_fail_unknown(const struct options *options, const char *argument, const char *name, struct error *err)
{
    const char *nearest = options_nearest(options, name);

    if (nearest)
        return error_set(err, ERROR_USAGE, "unknown option %.100s, did you mean --%s?", argument, nearest);
    return error_set(err, ERROR_USAGE, "unknown option %.100s", argument);
}

/* --name and --no-name. */
static int options_parse_flag(struct options_value *value, bool on, const char *inline_value, struct error *err)
{
    char where[OPTIONS_NAME_MAX + 8];

    snprintf(where, sizeof where, "--%s%s", on ? "" : "no-", value->row->name);
    if (inline_value)
        return error_set(err, ERROR_USAGE, "%s takes no value, got '%.100s'; --no-%s turns it off", where, inline_value,
                         value->row->name);
    return options_set(value, OPTION_ARGV, on ? "true" : "false", where, err);
}

static int options_parse_valued(struct options_value *value, const char *inline_value, const char *next, struct error *err)
{
    char where[OPTIONS_NAME_MAX + 8];
    const char *text = inline_value ? inline_value : next;

    snprintf(where, sizeof where, "--%s", value->row->name);
    if (!text)
        return error_set(err, ERROR_USAGE, "%s needs a value: %s %s", where, where,
                         value->row->argument ? value->row->argument : "VALUE");
    if (!inline_value && strncmp(text, "--", 2) == 0)
        return error_set(err, ERROR_USAGE, "%s needs a value, got '%.100s' (if that is the value: %s=%.100s)", where, text,
                         where, text);
    return options_set(value, OPTION_ARGV, text, where, err);
}

/* One argument that begins with "--" and perhaps the next; returns how many were used, or -1. */
static int options_parse_argument(struct options *options, const char *argument, const char *next, struct error *err)
{
    const char *equals = strchr(argument, '=');
    cleanup_free char *name = mem_strndup(argument + 2, equals ? (size_t)(equals - argument - 2) : strlen(argument));
    const char *inline_value = equals ? equals + 1 : NULL;
    struct options_value *value = options_find(options, name);

    if (value && value->row->type != OPTION_FLAG) {
        const int result = options_parse_valued(value, inline_value, next, err);

        return result < 0 ? -1 : inline_value ? 1 : 2;
    }
    if (value)
        return options_parse_flag(value, true, inline_value, err) < 0 ? -1 : 1;
    if (strncmp(name, "no-", 3) == 0 && (value = options_find(options, name + 3)) && value->row->type == OPTION_FLAG)
        return options_parse_flag(value, false, inline_value, err) < 0 ? -1 : 1;
    return options_fail_unknown(options, argument, name, err);
}

static void options_add_positional(struct options *options, const char *argument)
{
    MEM_GROW(options->positionals, options->positional_capacity, options->positional_count + 1);
    options->positionals[options->positional_count++] = mem_strdup(argument);
}

int options_parse_argv(struct options *options, int argc, char *const *argv, struct error *err)
{
    bool ended = false;

    for (int i = 0; i < argc;) {
        const char *argument = argv[i];

        if (ended || argument[0] != '-' || argument[1] == '\0') {
            options_add_positional(options, argument);
            i++;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            ended = true;
            i++;
            continue;
        }
        if (strcmp(argument, "-h") == 0 && options_find(options, "help"))
            argument = "--help";
        if (argument[1] != '-')
            return options_fail_unknown(options, argument, argument + 1, err);

        const int used = options_parse_argument(options, argument, i + 1 < argc ? argv[i + 1] : NULL, err);

        if (used < 0)
            return -1;
        i += used;
    }
    return 0;
}

/* ---- environment ---- */

/* The text behind "NAME=", or NULL. */
static const char *options_environment_value(char *const *environment, const char *name)
{
    const size_t length = strlen(name);

    for (; *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static int options_set_lines(struct options_value *value, const char *text, const char *where, struct error *err)
{
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        if (length == 0)
            continue;

        cleanup_free char *line = mem_strndup(text, length);

        if (options_set(value, OPTION_ENVIRONMENT, line, where, err) < 0)
            return -1;
    }
    return 0;
}

int options_parse_environment(struct options *options, char *const *environment, struct error *err)
{
    char name[OPTIONS_ENVIRONMENT_NAME_SIZE];

    for (size_t i = 0; i < options->count; i++) {
        struct options_value *value = &options->values[i];

        if (value->row->type == OPTION_GROUP || value->row->command_line_only)
            continue;
        options_environment_name(value->row, name, sizeof name);

        const char *text = options_environment_value(environment, name);

        if (!text || !*text)
            continue;
        if ((value->row->repeatable ? options_set_lines(value, text, name, err)
                                    : options_set(value, OPTION_ENVIRONMENT, text, name, err)) < 0)
            return -1;
    }
    return 0;
}

/* ---- configuration file ---- */

static int options_set_json(struct options_value *value, const json_t *item, const char *where, struct error *err)
{
    cleanup_free char *text = json_scalar_text(item);
    const char *expected = value->row->repeatable || value->row->type == OPTION_CHOICES
                               ? "a string, a number, or an array of these"
                               : "a string, a number, true or false";

    if (!text)
        return error_set(err, ERROR_USAGE, "%s: expected %s", where, expected);
    return options_set(value, OPTION_CONFIG_FILE, text, where, err);
}

static int options_set_json_array(struct options_value *value, const json_t *array, const char *where, struct error *err)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        cleanup_free char *item_where = mem_printf("%s[%zu]", where, i);

        if (options_set_json(value, json_array_get(array, i), item_where, err) < 0)
            return -1;
    }
    return 0;
}

/* ["json", "csv"] is "json,csv". */
static int options_set_json_choices(struct options_value *value, const json_t *array, const char *where, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(4096);

    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *choice = json_string_value(json_array_get(array, i));

        buf_printf(&text, "%s%s", i ? "," : "", choice ? choice : "");
    }
    return options_set(value, OPTION_CONFIG_FILE, buf_text(&text), where, err);
}

static int options_fail_key(const struct options *options, const char *path, const char *key, struct error *err)
{
    cleanup_buf struct buf known = BUF_INIT(ERROR_TEXT_MAX);
    const char *nearest = options_nearest(options, key);

    for (size_t i = 0; i < options->count; i++)
        if (options->values[i].row->type != OPTION_GROUP && !options->values[i].row->command_line_only)
            buf_printf(&known, "%s%s", known.len ? " " : "", options->values[i].row->name);
    if (nearest)
        return error_set(err, ERROR_USAGE, "%s: unknown key '%.100s', did you mean '%s'? Known: %s", path, key, nearest,
                         buf_text(&known));
    return error_set(err, ERROR_USAGE, "%s: unknown key '%.100s'. Known: %s", path, key, buf_text(&known));
}

static int options_set_member(struct options *options, const char *path, const char *key, const json_t *item, struct error *err)
{
    struct options_value *value = options_find(options, key);
    cleanup_free char *where = mem_printf("%s: %.100s", path, key);

    if (!value)
        return options_fail_key(options, path, key, err);
    if (value->row->command_line_only)
        return error_set(err, ERROR_USAGE, "%s can be given on the command line only", where);
    if (json_is_array(item) && value->row->repeatable)
        return options_set_json_array(value, item, where, err);
    if (json_is_array(item) && value->row->type == OPTION_CHOICES)
        return options_set_json_choices(value, item, where, err);
    return options_set_json(value, item, where, err);
}

int options_parse_config(struct options *options, const char *path, struct error *err)
{
    struct json_reader reader;
    const char *key;
    json_t *item;
    cleanup_with(json_decref) json_t *root = json_open(&reader, path, NULL, err);

    if (!root)
        return -1;
    json_object_foreach(root, key, item)
        if (options_set_member(options, path, key, item, err) < 0)
            return -1;
    return 0;
}

/* Names of the rows that a model file may set, as it spells them. */
static void options_list_model_keys(const struct options *options, struct buf *out)
{
    for (size_t i = 0; i < options->count; i++) {
        if (!options->values[i].row->from_model_file)
            continue;
        buf_append_text(out, out->len ? ", " : "");
        for (const char *c = options->values[i].row->name; *c; c++)
            buf_append_char(out, *c == '-' ? '_' : *c);
    }
}

int options_set_from_model(struct options *options, const char *name, const char *value, const char *where, struct error *err)
{
    struct options_value *found = options_find(options, name);

    if (!found || !found->row->from_model_file) {
        cleanup_buf struct buf known = BUF_INIT(1024);

        options_list_model_keys(options, &known);
        return error_set(err, ERROR_USAGE, "%s: a model file has no such key. Known: %s", where, buf_text(&known));
    }
    return options_set(found, OPTION_MODEL_FILE, value, where, err);
}
