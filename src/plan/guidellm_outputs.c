/* Where GuideLLM puts its files. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "plan/guidellm_options.h"

#define USUAL_NAME "benchmarks"

static const struct {
    const char *extension, *kind;
} extensions[] = {{".json", "json"}, {".yaml", "yaml"}, {".yml", "yaml"}, {".csv", "csv"}, {".html", "html"}};

static const char *kind_of_file(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t k = 0; dot && k < sizeof extensions / sizeof extensions[0]; k++)
        if (strcasecmp(dot, extensions[k].extension) == 0)
            return extensions[k].kind;
    return NULL;
}

static bool is_kind(const char *word)
{
    static const char *const kinds[] = {"json", "yaml", "csv", "html"};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (strcmp(word, kinds[k]) == 0)
            return true;
    return false;
}

static const char *join(struct guidellm_taking *taking, const char *folder, const char *name)
{
    bool alone = !folder || name[0] == '/' || strcmp(folder, ".") == 0;
    return alone ? arena_strdup(taking->command->arena, name) : arena_printf(taking->command->arena, "%s/%s", folder, name);
}

static int add_output(struct guidellm_taking *taking, const char *kind, const char *path)
{
    struct guidellm_options *options = taking->options;
    if (options->output_count == GUIDELLM_OUTPUTS_MAX)
        return error_set(taking->err, ERROR_USAGE, "--outputs: more than %d files", GUIDELLM_OUTPUTS_MAX);
    options->outputs[options->output_count++] = (struct guidellm_output){kind, path};
    return 0;
}

static int add_usual(struct guidellm_taking *taking, const char *kind, const char *folder)
{
    const char *name = arena_printf(taking->command->arena, USUAL_NAME ".%s", kind);
    return add_output(taking, kind, join(taking, folder, name));
}

/* "json", or the name of a file. */
static int take_word(struct guidellm_taking *taking, const char *word, const char *folder)
{
    const char *kind = kind_of_file(word);
    if (strcmp(word, "console") == 0) {
        taking->options->console = true;
        return 0;
    }
    if (!kind && is_kind(word))
        return add_usual(taking, word, folder);
    if (!kind)
        return error_set(taking->err, ERROR_USAGE, "--outputs: '%s' is neither json, yaml, csv, html nor a file that ends so", word);
    return add_output(taking, kind, join(taking, folder, word));
}

/* {"kind": "json", "path": "report.json"} */
static int take_item(struct guidellm_taking *taking, json_t *item, const char *folder)
{
    const char *kind, *path;
    if (guidellm_take_text(taking, item, "kind", &kind) < 0 || guidellm_take_text(taking, item, "path", &path) < 0)
        return error_wrap(taking->err, "--output");
    if (kind && strcmp(kind, "plot") == 0) {
        guidellm_ignore(&taking->command->ignored, "output kind=plot (the HTML has charts)");
        return 0;
    }
    if (kind && strcmp(kind, "console") == 0) {
        taking->options->console = true;
        return 0;
    }
    if (!kind || !is_kind(kind))
        return error_set(taking->err, ERROR_USAGE, "--output: kind '%s' is none of json, yaml, csv, html, console", kind ? kind : "");
    if (!path)
        return add_usual(taking, kind, folder);
    return file_is_folder(path) ? add_usual(taking, kind, path) : add_output(taking, kind, path);
}

/* A folder gets benchmarks.json; the ending of a file says what it is. */
static int take_legacy_path(struct guidellm_taking *taking, const char *path)
{
    size_t length = strlen(path);
    const char *kind = kind_of_file(path);
    bool folder = file_is_folder(path) || (length > 0 && path[length - 1] == '/');
    while (length > 0 && path[length - 1] == '/')
        length--;
    if (folder)
        return add_usual(taking, "json", arena_printf(taking->command->arena, "%.*s", (int)length, path));
    return kind ? add_output(taking, kind, path)
                : error_set(taking->err, ERROR_USAGE, "--output-path: '%s' ends neither in .json, .yaml, .csv nor .html, and is no folder", path);
}

int guidellm_take_outputs(struct guidellm_taking *taking)
{
    json_t *spec = taking->command->spec;
    const char *legacy, *folder, *results;
    if (guidellm_take_text(taking, spec, "output_path", &legacy) < 0 || guidellm_take_text(taking, spec, "output_dir", &folder) < 0 ||
        guidellm_take_text(taking, guidellm_section(taking, "settings"), "results_dir", &results) < 0)
        return -1;
    if (legacy && folder)
        return error_set(taking->err, ERROR_USAGE, "--output-path says where the file goes: --output-dir contradicts it");
    if (legacy)
        return take_legacy_path(taking, legacy);
    const json_t *list = guidellm_take(taking, spec, "outputs");
    folder = folder ? folder : results;
    for (size_t k = 0; k < json_array_size(list); k++) {
        json_t *item = json_array_get(list, k);
        const char *word = json_string_value(item);
        int status = json_is_object(item) ? take_item(taking, item, folder)
                     : word               ? take_word(taking, word, folder)
                                          : error_set(taking->err, ERROR_USAGE, "--outputs: expected names");
        if (status < 0)
            return -1;
    }
    if (json_array_size(list) > 0)
        return 0;
    return add_usual(taking, "json", folder) < 0 ? -1 : add_usual(taking, "csv", folder);
}
