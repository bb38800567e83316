#include "plan/model_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define SCHEMA "roibench/model/v1"
#define SUFFIX ".json"

static int set_option(struct options *options, const char *path, const char *key, const json_t *value, struct error *err)
{
    cleanup_free char *name = mem_strdup(key);
    cleanup_free char *where = mem_printf("%s: %s", path, key);
    for (char *c = name; *c; c++)
        if (*c == '_')
            *c = '-';
    cleanup_free char *text = json_scalar_text(value);
    if (!text)
        return error_set(err, ERROR_USAGE, "%s: expected a string, a number, true or false", where);
    return options_set_from_model(options, name, text, where, err);
}

static int take_key(struct options *options, const char *path, const char *key, const json_t *value, struct error *err)
{
    static const char *const no_options[] = {"schema", "sla", "publish"}; /* read as a whole, elsewhere */
    for (size_t k = 0; k < sizeof no_options / sizeof no_options[0]; k++)
        if (strcmp(key, no_options[k]) == 0)
            return 0;
    return set_option(options, path, key, value, err);
}

/* 1: *root is what the model's file at *path holds; json_decref() and free() them. 0: it has none; a name like org/model cannot be a file's. */
static int open_file(const char *folder, const char *model, struct json_reader *reader, char **path, json_t **root, struct error *err)
{
    *path = NULL;
    *root = NULL;
    if (!model[0] || model[0] == '.' || strchr(model, '/'))
        return 0;
    cleanup_free char *name = mem_printf("%s%s", model, SUFFIX);
    *path = file_join(folder, name);
    if (!file_exists(folder))
        return error_set(err, ERROR_USAGE, "--models: there is no folder %s", folder);
    if (!file_exists(*path))
        return 0;
    *root = json_open(reader, *path, SCHEMA, err);
    return *root ? 1 : -1;
}

int model_file_read(const char *folder, const char *model, struct options *options, struct arena *arena, struct sla *sla, struct error *err)
{
    struct json_reader reader;
    cleanup_free char *path;
    json_t *root, *value;
    const char *key;
    int status = open_file(folder, model, &reader, &path, &root, err);
    if (status <= 0)
        return status;
    json_object_foreach(root, key, value) {
        if (status > 0 && take_key(options, path, key, value, err) < 0)
            status = -1;
    }
    if (status > 0)
        sla_read_of_model(sla, &reader, root, arena);
    json_decref(root);
    return reader.failed ? -1 : status;
}

int model_file_publish(const char *folder, const char *model, struct arena *arena, const char *const **destinations, size_t *count, struct error *err)
{
    struct json_reader reader;
    cleanup_free char *path;
    json_t *root;
    int status = open_file(folder, model, &reader, &path, &root, err);
    *destinations = NULL;
    *count = 0;
    if (status <= 0)
        return status;
    const json_t *list = json_object_get(root, "publish"), *item;
    const char **texts = ARENA_ARRAY(arena, json_array_size(list) + 1, const char *);
    bool fine = !list || json_is_array(list);
    size_t k;
    json_array_foreach(list, k, item)
    {
        fine &= json_is_string(item);
        if (fine)
            texts[(*count)++] = arena_strdup(arena, json_string_value(item));
    }
    status = fine ? 0 : json_fail(&reader, "publish", "expected an array of destinations, as publish --to has them");
    json_decref(root);
    *destinations = texts;
    return status;
}

static int is_model_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), suffix = strlen(SUFFIX);
    return entry->d_name[0] != '.' && length > suffix && strcmp(entry->d_name + length - suffix, SUFFIX) == 0;
}

static int read_entry(const char *folder, const char *name, struct arena *arena, struct model_file *file, struct error *err)
{
    struct json_reader reader;
    cleanup_free char *path = file_join(folder, name);
    json_t *root = json_open(&reader, path, SCHEMA, err);
    file->model = arena_printf(arena, "%.*s", (int)(strlen(name) - strlen(SUFFIX)), name);
    file->has_target = json_object_get(root, "target") != NULL;
    json_decref(root);
    return root ? 0 : -1;
}

int model_file_list(const char *folder, struct arena *arena, struct model_file **files, size_t *count, struct error *err)
{
    struct dirent **entries;
    int found = scandir(folder, &entries, is_model_file, alphasort), status = 0;
    if (found < 0)
        return error_set_errno(err, ERROR_USAGE, errno, "cannot read the folder %s", folder);
    *files = ARENA_ARRAY(arena, (size_t)found + 1, struct model_file);
    *count = (size_t)found;
    for (int k = 0; k < found; k++) {
        if (status == 0)
            status = read_entry(folder, entries[k]->d_name, arena, &(*files)[k], err);
        free(entries[k]);
    }
    free(entries);
    return status;
}
