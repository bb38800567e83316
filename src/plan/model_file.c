#include "plan/model_file.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define SCHEMA "roibench/model/v1"

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

/* Keys of the format that other versions use: a file is written for all of them. */
static bool is_unused(const char *key)
{
    static const char *const keys[] = {"sla", "publish"};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
        if (strcmp(key, keys[k]) == 0)
            return true;
    return false;
}

static int take_key(struct options *options, const char *path, const char *key, const json_t *value, struct buf *unused, struct error *err)
{
    if (strcmp(key, "schema") == 0)
        return 0;
    if (!is_unused(key))
        return set_option(options, path, key, value, err);
    buf_printf(unused, "%s%s", unused->len ? ", " : "", key);
    return 0;
}

int model_file_read(const char *folder, const char *model, struct options *options, struct buf *unused, struct error *err)
{
    struct json_reader reader;
    if (!model[0] || model[0] == '.' || strchr(model, '/'))
        return 0; /* a name like org/model cannot be a file's: the template is used */
    cleanup_free char *name = mem_printf("%s.json", model);
    cleanup_free char *path = file_join(folder, name);
    if (!file_exists(folder))
        return error_set(err, ERROR_USAGE, "--models: there is no folder %s", folder);
    if (!file_exists(path))
        return 0;
    json_t *root = json_open(&reader, path, SCHEMA, err);
    if (!root)
        return -1;
    const char *key;
    json_t *value;
    int status = 1;
    json_object_foreach(root, key, value) {
        if (status > 0 && take_key(options, path, key, value, unused, err) < 0)
            status = -1;
    }
    json_decref(root);
    return status;
}
