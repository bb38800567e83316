#include "plan/guidellm_flags.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/units.h"
#include "plan/guidellm_scenarios.h"
#include "wire/guidellm_arguments.h"
#include "wire/yaml_reader.h"

#define WHERE_SIZE 160
#define SETTING "GUIDELLM__"
#define SPEC_SETTING "GUIDELLM__SPEC__"
#define LABEL_SETTING "GUIDELLM__METADATA__LABELS__"
#define OPTION_VARIABLE "GUIDELLM_"

CLEANUP_DEFINE(json_t, json_decref)

/* Settings of all versions that have a meaning here. */
static const struct {
    const char *name, *path;
} settings[] = {
    {"DEFAULT_SWEEP_NUMBER", "settings.sweep_size"},
    {"MAX_CONCURRENCY", "settings.max_concurrency"},
    {"DEFAULT_RESULTS_DIR", "settings.results_dir"},
    {"PREFERRED_ROUTE", "settings.route"},
    {"REQUEST_TIMEOUT", "backend.timeout"},
    {"REQUEST_FOLLOW_REDIRECTS", "backend.follow_redirects"},
    {"OPENAI__API_KEY", "backend.api_key"},
    {"OPENAI__BEARER_TOKEN", "backend.bearer_token"},
    {"OPENAI__HEADERS", "backend.headers"},
    {"OPENAI__ORGANIZATION", "backend.organization"},
    {"OPENAI__PROJECT", "backend.project"},
    {"OPENAI__BASE_URL", "backend.target"},
    {"OPENAI__MAX_OUTPUT_TOKENS", "backend.max_tokens"},
    {"OPENAI__VERIFY", "backend.verify"},
};

static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; length > 0 && (at = strstr(at, name)); at += length) {
        bool begins = at == list || at[-1] == ' ', ends = at[length] == '\0' || at[length] == ',';
        if (begins && ends)
            return true;
    }
    return false;
}

void guidellm_ignore(struct buf *ignored, const char *name)
{
    if (*name && !is_listed(buf_text(ignored), name))
        buf_printf(ignored, "%s%s", ignored->len > 0 ? ", " : "", name);
}

/* --- one option ---------------------------------------------------------------------------------- */

/* The list that the path leads to; made if there is none. Borrowed. */
static json_t *need_list(json_t *spec, const char *path, const char *where, struct error *err)
{
    json_t *found = spec;
    cleanup_free char *copy = mem_strdup(path);
    char *rest = copy, *name;
    while ((name = strsep(&rest, ".")))
        found = json_object_get(found, name);
    if (json_is_array(found))
        return found;
    json_t *list = json_array();
    return guidellm_arguments_set(spec, path, list, where, err) < 0 ? NULL : list;
}

static int set_number(json_t *spec, const char *path, const char *text, const char *where, struct error *err)
{
    double number;
    if (units_parse_number(text, &number) < 0)
        return error_set(err, ERROR_USAGE, "%s: '%.100s' is not a number", where, text);
    return guidellm_arguments_set(spec, path, json_real(number), where, err);
}

/* Words of a comma-separated list, as numbers or as they are. */
static int add_words(json_t *spec, const char *path, const char *text, bool numbers, const char *where, struct error *err)
{
    json_t *list = need_list(spec, path, where, err);
    cleanup_free char *copy = mem_strdup(text);
    char *rest = copy, *word;
    while (list && (word = strsep(&rest, ","))) {
        double number;
        word += strspn(word, " ");
        word[strcspn(word, " ")] = '\0';
        if (numbers && units_parse_number(word, &number) < 0)
            return error_set(err, ERROR_USAGE, "%s: '%.100s' is not a number", where, word);
        if (numbers || *word)
            json_array_append_new(list, numbers ? json_real(number) : json_string(word));
    }
    return list ? 0 : -1;
}

static int set_object(json_t *spec, const struct guidellm_flag *flag, const char *text, const char *where, struct error *err)
{
    cleanup_with(json_decref) json_t *value = guidellm_arguments_parse(text, where, err);
    if (!value)
        return -1;
    if (json_is_object(value)) {
        cleanup_with(json_decref) json_t *layer = json_object();
        if (guidellm_arguments_set(layer, flag->path, json_incref(value), where, err) < 0)
            return -1;
        guidellm_arguments_merge(spec, layer);
        return 0;
    }
    if (flag->value == GUIDELLM_GROUP) {
        cleanup_free char *path = mem_printf("%s.kind", flag->path);
        return json_is_string(value) ? guidellm_arguments_set(spec, path, json_incref(value), where, err)
                                     : error_set(err, ERROR_USAGE, "%s: '%.100s' is neither a kind nor kind=...", where, text);
    }
    return guidellm_arguments_set(spec, flag->path, json_incref(value), where, err);
}

static int add_item(json_t *spec, const struct guidellm_flag *flag, const char *text, const char *where, struct error *err)
{
    json_t *list = need_list(spec, flag->path, where, err), *value = list ? guidellm_arguments_parse(text, where, err) : NULL;
    return value ? json_array_append_new(list, value) : -1;
}

static int set_label(struct guidellm_command *command, const char *text, const char *where, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return error_set(err, ERROR_USAGE, "%s: '%.100s' is not NAME=VALUE", where, text);
    cleanup_free char *name = mem_strndup(text, (size_t)(equals - text));
    return json_object_set_new(command->labels, name, json_string(equals + 1)) < 0 ? error_set(err, ERROR_USAGE, "%s: this is no UTF-8", where) : 0;
}

static bool says_kind(const char *text)
{
    return strncmp(text, "kind=", 5) == 0 || strstr(text, ",kind=") || strstr(text, "\"kind\"");
}

static int apply(struct guidellm_command *command, json_t *spec, const struct guidellm_flag *flag, const char *text, const char *where,
                 struct error *err)
{
    switch (flag->value) {
    case GUIDELLM_TEXT:
    case GUIDELLM_SCENARIO: {
        json_t *value = json_string(text);
        return value ? guidellm_arguments_set(spec, flag->path, value, where, err) : error_set(err, ERROR_USAGE, "%s: this is no UTF-8", where);
    }
    case GUIDELLM_NUMBER:
        return set_number(spec, flag->path, text, where, err);
    case GUIDELLM_NUMBERS:
    case GUIDELLM_WORDS:
        return add_words(spec, flag->path, text, flag->value == GUIDELLM_NUMBERS, where, err);
    case GUIDELLM_OBJECT:
    case GUIDELLM_GROUP:
        command->by_kinds |= says_kind(text);
        return set_object(spec, flag, text, where, err);
    case GUIDELLM_ITEM:
        command->by_kinds |= strcmp(flag->since, "0.7") == 0;
        return add_item(spec, flag, text, where, err);
    case GUIDELLM_TRUE:
        return guidellm_arguments_set(spec, flag->path, json_true(), where, err);
    case GUIDELLM_LABEL:
        command->by_kinds = true;
        return set_label(command, text, where, err);
    case GUIDELLM_OVERRIDE: /* takes two values: see take_override */
    case GUIDELLM_NOTHING:
    case GUIDELLM_NO_FLAG:
        break;
    }
    guidellm_ignore(&command->ignored, where);
    return 0;
}

/* Only what a level's load is can differ between the levels of a plan. */
static int take_override(json_t *spec, const char *path, const char *list, const char *where, struct error *err)
{
    if (strcmp(path, "profile.rate") != 0 && strcmp(path, "profile.streams") != 0)
        return error_set(err, ERROR_USAGE, "%s: only profile.rate and profile.streams can differ between levels here, not '%.100s'", where, path);
    return add_words(spec, path, list, true, where, err);
}

static const struct guidellm_flag *find_flag(const char *name, size_t length)
{
    for (const struct guidellm_flag *flag = guidellm_flags; flag->names[0]; flag++)
        for (const char *const *known = flag->names; *known; known++)
            if (strlen(*known) == length && strncmp(*known, name, length) == 0)
                return flag;
    return NULL;
}

/* --- environment ---------------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* "BACKEND__TARGET" is "backend.target". free() it. */
static char *path_of_variable(const char *name, size_t length)
{
    struct buf path = BUF_INIT(length + 1);
    for (size_t k = 0; k < length; k++) {
        bool dot = name[k] == '_' && k + 1 < length && name[k + 1] == '_';
        buf_append_char(&path, dot ? '.' : (char)tolower((unsigned char)name[k]));
        k += dot;
    }
    return buf_steal(&path);
}

/* GUIDELLM__...: what it sets, by path; NULL: nothing that is known here. free() it. */
static char *path_of_setting(const char *variable, size_t length)
{
    if (starts_with(variable, SPEC_SETTING))
        return path_of_variable(variable + strlen(SPEC_SETTING), length - strlen(SPEC_SETTING));
    for (size_t k = 0; k < sizeof settings / sizeof settings[0]; k++)
        if (strlen(settings[k].name) == length - strlen(SETTING) &&
            strncasecmp(settings[k].name, variable + strlen(SETTING), length - strlen(SETTING)) == 0)
            return mem_strdup(settings[k].path);
    return NULL;
}

static int take_setting(struct guidellm_command *command, json_t *spec, const char *variable, const char *value, const char *where, struct error *err)
{
    size_t length = (size_t)(value - 1 - variable);
    cleanup_free char *path = path_of_setting(variable, length);
    if (starts_with(variable, LABEL_SETTING)) {
        cleanup_free char *label = mem_printf("%.*s=%s", (int)(length - strlen(LABEL_SETTING)), variable + strlen(LABEL_SETTING), value);
        return set_label(command, label, where, err);
    }
    if (!path) {
        guidellm_ignore(&command->ignored, where);
        return 0;
    }
    json_t *parsed = strchr("[{", *value) ? yaml_parse(value, strlen(value), YAML_1_1, where, NULL, err) : yaml_scalar(value, strlen(value), YAML_1_1);
    return parsed ? guidellm_arguments_set(spec, path, parsed, where, err) : error_set(err, ERROR_USAGE, "%s: it cannot be read", where);
}

/* GUIDELLM_MAX_SECONDS is --max-seconds, as click has it. */
static int take_option_variable(struct guidellm_command *command, json_t *spec, const char *variable, const char *value, const char *where,
                                struct error *err)
{
    size_t length = (size_t)(value - 1 - variable) - strlen(OPTION_VARIABLE);
    cleanup_free char *name = mem_strndup(variable + strlen(OPTION_VARIABLE), length);
    for (char *c = name; *c; c++)
        *c = (char)(*c == '_' ? '-' : tolower((unsigned char)*c));
    const struct guidellm_flag *flag = find_flag(name, length);
    if (flag && flag->value == GUIDELLM_TRUE) {
        cleanup_with(json_decref) json_t *truth = yaml_scalar(value, strlen(value), YAML_1_1);
        return json_is_true(truth) || (json_is_integer(truth) && json_integer_value(truth) != 0) ? apply(command, spec, flag, value, where, err) : 0;
    }
    if (flag && flag->value != GUIDELLM_OVERRIDE)
        return apply(command, spec, flag, value, where, err);
    guidellm_ignore(&command->ignored, where);
    return 0;
}

/* Settings go below a scenario, options above it. */
static int read_environment(struct guidellm_command *command, char *const *environment, json_t *below, json_t *above, struct error *err)
{
    for (; *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        char where[WHERE_SIZE];
        if (!equals || !equals[1] || !starts_with(*environment, OPTION_VARIABLE))
            continue;
        snprintf(where, sizeof where, "%.*s", (int)(equals - *environment), *environment);
        int status = starts_with(*environment, SETTING) ? take_setting(command, below, *environment, equals + 1, where, err)
                                                        : take_option_variable(command, above, *environment, equals + 1, where, err);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* --- scenarios -------------------------------------------------------------------------------------- */

/* {"max_seconds": 60, "data": ["..."]}, as until 0.6: each key is an option. */
static int take_flat_member(struct guidellm_command *command, json_t *spec, const char *key, const json_t *value, const char *where, struct error *err)
{
    cleanup_free char *name = mem_strdup(key), *text = json_scalar_text(value);
    cleanup_free char *inside = mem_printf("%s: %s", where, key);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    const struct guidellm_flag *flag = find_flag(name, strlen(name));
    if (json_is_null(value) || (flag && json_is_false(value) && flag->value == GUIDELLM_TRUE))
        return 0;
    if (!flag || flag->value == GUIDELLM_OVERRIDE || flag->value == GUIDELLM_SCENARIO) {
        guidellm_ignore(&command->ignored, inside);
        return 0;
    }
    if (json_is_array(value)) {
        int status = 0;
        for (size_t k = 0; k < json_array_size(value) && status == 0; k++)
            status = take_flat_member(command, spec, key, json_array_get(value, k), where, err);
        return status;
    }
    if (!text) {
        struct buf dumped = BUF_INIT(GUIDELLM_SCENARIO_MAX);
        json_append_compact(value, &dumped);
        text = buf_steal(&dumped);
    }
    return apply(command, spec, flag, text, inside, err);
}

static int take_flat(struct guidellm_command *command, json_t *spec, const json_t *document, const char *where, struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)document, key, value)
    {
        if (take_flat_member(command, spec, key, value, where, err) < 0)
            return -1;
    }
    return 0;
}

/* [{"profile.streams": 1}, {"profile.streams": 50}] */
static int take_benchmarks(json_t *spec, const json_t *benchmarks, const char *where, struct error *err)
{
    for (size_t k = 0; k < json_array_size(benchmarks); k++) {
        const char *path;
        json_t *value;
        json_object_foreach(json_array_get(benchmarks, k), path, value)
        {
            cleanup_free char *text = json_scalar_text(value);
            if (take_override(spec, path, text ? text : "", where, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* What a scenario, or the report of an earlier run, configures. */
static int take_document(struct guidellm_command *command, json_t *spec, json_t *document, const char *where, struct error *err)
{
    const char *name;
    json_t *value, *inner = json_object_get(document, "config");
    inner = inner ? inner : json_object_get(document, "args");
    document = json_is_object(inner) ? inner : document;
    if (!json_is_object(json_object_get(document, "spec")))
        return take_flat(command, spec, document, where, err);
    guidellm_arguments_merge(spec, json_object_get(document, "spec"));
    json_t *labels = json_object_get(json_object_get(document, "metadata"), "labels");
    json_object_foreach(labels, name, value)
    {
        json_object_set(command->labels, name, value);
    }
    command->by_kinds = true;
    return take_benchmarks(spec, json_object_get(document, "benchmarks"), where, err);
}

static int read_scenario(struct guidellm_command *command, json_t *spec, const char *name, struct error *err)
{
    const char *pairs = guidellm_scenario(name);
    if (pairs) {
        cleanup_with(json_decref) json_t *parsed = guidellm_arguments_parse(pairs, name, err);
        if (parsed)
            guidellm_arguments_merge(spec, parsed);
        return parsed ? 0 : -1;
    }
    if (!file_exists(name))
        return error_set(err, ERROR_USAGE, "--scenario %s: neither a file nor one of %s", name, guidellm_scenario_names());
    cleanup_buf struct buf text = BUF_INIT(GUIDELLM_SCENARIO_MAX);
    if (file_read(name, &text, ERROR_USAGE, err) < 0)
        return -1;
    cleanup_with(json_decref) json_t *document = yaml_parse(buf_text(&text), text.len, YAML_1_1, name, NULL, err);
    if (!document)
        return -1;
    return json_is_object(document) ? take_document(command, spec, document, name, err)
                                    : error_set(err, ERROR_USAGE, "%s: a scenario is an object", name);
}

/* --- command line -------------------------------------------------------------------------------------- */

static void keep_own(struct guidellm_command *command, const char *option)
{
    MEM_GROW(command->own, command->own_capacity, command->own_count + 1);
    command->own[command->own_count++] = option;
}

/* An argument of the command line and what follows it. used: how many of them. */
struct argument {
    const char *text, *next, *after;
    size_t used;
};

static int take_value(struct argument *argument, const char **value, const char *where, struct error *err)
{
    const char *equals = strchr(argument->text, '=');
    bool inline_value = argument->text[0] == '-' && argument->text[1] == '-' && equals;
    if (inline_value) {
        *value = equals + 1;
        return 0;
    }
    if (!argument->next)
        return error_set(err, ERROR_USAGE, "%s needs a value", where);
    *value = argument->next;
    argument->used = 2;
    return 0;
}

static int take_own(struct guidellm_command *command, struct argument *argument, const char *name, enum guidellm_own kind, struct error *err)
{
    const char *value = NULL;
    if (kind == GUIDELLM_OWN_FLAG) {
        keep_own(command, arena_strdup(command->arena, argument->text));
        return 0;
    }
    if (take_value(argument, &value, argument->text, err) < 0)
        return -1;
    keep_own(command, arena_printf(command->arena, "--%s=%s", name, value));
    return 0;
}

static int take_flag(struct guidellm_command *command, json_t *spec, const struct guidellm_flag *flag, struct argument *argument, const char *where,
                     struct error *err)
{
    const char *value = "";
    bool alone = flag->value == GUIDELLM_TRUE || flag->value == GUIDELLM_NO_FLAG;
    if (alone && strchr(argument->text, '='))
        return error_set(err, ERROR_USAGE, "%s takes no value", where);
    if (!alone && take_value(argument, &value, where, err) < 0)
        return -1;
    if (flag->value != GUIDELLM_OVERRIDE)
        return apply(command, spec, flag, value, where, err);
    command->by_kinds = true;
    if (!argument->after || argument->used != 2)
        return error_set(err, ERROR_USAGE, "%s needs a name and a list: %s profile.rate 1,2,4", where, where);
    argument->used = 3;
    return take_override(spec, value, argument->after, where, err);
}

static int take_long(struct guidellm_command *command, json_t *spec, struct argument *argument, guidellm_own_lookup own, const void *context,
                     struct error *err)
{
    const char *name = argument->text + 2;
    size_t length = strcspn(name, "=");
    const struct guidellm_flag *flag = find_flag(name, length);
    char where[WHERE_SIZE];
    snprintf(where, sizeof where, "--%.*s", (int)length, name);
    if (flag)
        return take_flag(command, spec, flag, argument, where, err);
    cleanup_free char *copy = mem_strndup(name, length);
    enum guidellm_own kind = own(context, copy);
    if (kind != GUIDELLM_UNKNOWN)
        return take_own(command, argument, copy, kind, err);
    return error_set(err, ERROR_USAGE, "unknown option %.100s: no version of GuideLLM has it that is known here, and roibench has none of that name", where);
}

/* -c FILE, -cFILE. */
static int take_letter(struct guidellm_command *command, json_t *spec, struct argument *argument, struct error *err)
{
    const struct guidellm_flag *flag = guidellm_flags;
    while (flag->names[0] && flag->letter != argument->text[1])
        flag++;
    if (!flag->names[0])
        return error_set(err, ERROR_USAGE, "unknown option %.100s", argument->text);
    const char where[] = {'-', flag->letter, '\0'};
    if (argument->text[2])
        return apply(command, spec, flag, argument->text + 2, where, err);
    return take_flag(command, spec, flag, argument, where, err);
}

static int take_argument(struct guidellm_command *command, json_t *spec, struct argument *argument, guidellm_own_lookup own, const void *context,
                         struct error *err)
{
    if (strcmp(argument->text, "--help") == 0 || strcmp(argument->text, "-h") == 0)
        command->help = true;
    else if (strcmp(argument->text, "--version") == 0)
        command->version = true;
    else if (argument->text[0] == '-' && argument->text[1] == '-' && argument->text[2])
        return take_long(command, spec, argument, own, context, err);
    else if (argument->text[0] == '-' && argument->text[1] && argument->text[1] != '-')
        return take_letter(command, spec, argument, err);
    else
        return error_set(err, ERROR_USAGE, "unexpected argument '%.100s'", argument->text);
    return 0;
}

/* --- all together ------------------------------------------------------------------------------------------ */

/* A list [{"kind": "max_requests", "count": 10}] becomes {"max_requests": {"count": 10}}. */
static int key_constraints(json_t *spec, struct error *err)
{
    cleanup_with(json_decref) json_t *list = json_incref(json_object_get(spec, "constraints"));
    if (!json_is_array(list))
        return 0;
    json_t *by_kind = json_object();
    json_object_set_new(spec, "constraints", by_kind);
    for (size_t k = 0; k < json_array_size(list); k++) {
        json_t *item = json_array_get(list, k);
        const char *kind = json_string_value(json_object_get(item, "kind"));
        if (!kind)
            return error_set(err, ERROR_USAGE, "--constraint: expected kind=..., such as kind=max_requests,count=100");
        json_t *copy = json_copy(item);
        json_object_set_new(by_kind, kind, copy);
        json_object_del(copy, "kind");
    }
    return 0;
}

static void take_console(struct guidellm_command *command)
{
    const json_t *console = json_object_get(command->spec, "console");
    command->no_console = json_is_true(json_object_get(console, "none"));
    command->no_progress = command->no_console || json_is_true(json_object_get(console, "no_progress"));
    json_object_del(command->spec, "console");
}

enum { BELOW, SCENARIO, VARIABLES, LINE, LAYERS };

static int merge_layers(struct guidellm_command *command, json_t *const layers[LAYERS], struct error *err)
{
    for (int k = 0; k < LAYERS; k++) {
        if (key_constraints(layers[k], err) < 0)
            return -1;
        guidellm_arguments_merge(command->spec, layers[k]);
    }
    take_console(command);
    return 0;
}

static const char *scenario_of(json_t *const layers[LAYERS])
{
    const json_t *line = json_object_get(layers[LINE], "scenario"), *variable = json_object_get(layers[VARIABLES], "scenario");
    return json_string_value(line ? line : variable);
}

static int parse_layers(int argc, char *const *argv, char *const *environment, guidellm_own_lookup own, const void *context,
                        struct guidellm_command *command, json_t *const layers[LAYERS], struct error *err)
{
    for (int k = 0; k < argc;) {
        struct argument argument = {argv[k], k + 1 < argc ? argv[k + 1] : NULL, k + 2 < argc ? argv[k + 2] : NULL, 1};
        if (take_argument(command, layers[LINE], &argument, own, context, err) < 0)
            return -1;
        k += (int)argument.used;
    }
    if (read_environment(command, environment, layers[BELOW], layers[VARIABLES], err) < 0)
        return -1;
    const char *scenario = scenario_of(layers);
    if (scenario && read_scenario(command, layers[SCENARIO], scenario, err) < 0)
        return -1;
    json_object_del(layers[LINE], "scenario");
    json_object_del(layers[VARIABLES], "scenario");
    return merge_layers(command, layers, err);
}

int guidellm_flags_parse(int argc, char *const *argv, char *const *environment, guidellm_own_lookup own, const void *context,
                         struct guidellm_command *command, struct error *err)
{
    json_t *layers[LAYERS];
    *command = (struct guidellm_command){
        .arena = arena_new(), .spec = json_object(), .labels = json_object(), .ignored = BUF_INIT(GUIDELLM_IGNORED_MAX)};
    for (int k = 0; k < LAYERS; k++)
        layers[k] = json_object();
    int status = parse_layers(argc, argv, environment, own, context, command, layers, err);
    for (int k = 0; k < LAYERS; k++)
        json_decref(layers[k]);
    return status;
}

void guidellm_command_free(struct guidellm_command *command)
{
    json_decref(command->spec);
    json_decref(command->labels);
    free(command->own);
    buf_free(&command->ignored);
    arena_free(command->arena);
    *command = (struct guidellm_command){.arena = NULL};
}
