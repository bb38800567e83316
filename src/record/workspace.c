#include "record/workspace.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define ID_MAX 200
#define ID_STAMP_SIZE 24 /* "-20261124T040651.123Z" and the NUL, with some room */
#define LATEST_MAX 4096

static const char *const reserved_names[] = {"latest", "comparisons", "archives"};

static bool is_id_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool is_reserved(const char *name)
{
    for (size_t k = 0; k < sizeof reserved_names / sizeof *reserved_names; k++) {
        if (strcmp(name, reserved_names[k]) == 0)
            return true;
    }
    return false;
}

/* An id as it can be shown: what could play tricks on a terminal is '?'. */
static void id_for_message(const char *id, char shown[64])
{
    size_t k = 0;

    for (; k < 60 && id[k]; k++)
        shown[k] = id[k] > ' ' && id[k] < 0x7f ? id[k] : '?';
    snprintf(shown + k, 64 - k, "%s", id[k] ? "..." : "");
}

static int check_id(const char *what, const char *id, struct error *err)
{
    char shown[64];
    const size_t length = strlen(id);

    id_for_message(id, shown);
    if (length == 0)
        return error_set(err, ERROR_USAGE, "the %s is empty", what);
    if (length > ID_MAX)
        return error_set(err, ERROR_USAGE, "the %s '%s' has %zu bytes: at most %d fit into a folder name with its suffixes", what, shown,
                         length, ID_MAX);
    if (*id == '.' || *id == '-')
        return error_set(err, ERROR_USAGE, "the %s '%s' begins with '%c': it must begin with a letter, a digit or '_'", what, shown,
                         *id);
    if (is_reserved(id))
        return error_set(err, ERROR_USAGE, "the %s '%s' is a name that the workspace itself uses", what, shown);
    for (size_t k = 0; k < length; k++) {
        if (!is_id_character(id[k]))
            return error_set(err, ERROR_USAGE, "the %s '%s' is no plain folder name: letters, digits, '.', '_' and '-' only", what,
                             shown);
    }
    return 0;
}

int workspace_check_run_id(const char *run_id, struct error *err)
{
    return check_id("run-id", run_id, err);
}

int workspace_check_comparison_id(const char *id, struct error *err)
{
    return check_id("comparison", id, err);
}

static void format_stamp(int64_t realtime_ns, char stamp[ID_STAMP_SIZE])
{
    time_t seconds = (time_t)(realtime_ns / NS_PER_S);
    int milliseconds = (int)(realtime_ns % NS_PER_S / NS_PER_MS);
    struct tm utc;

    gmtime_r(&seconds, &utc);

    const size_t length = strftime(stamp, ID_STAMP_SIZE, "-%Y%m%dT%H%M%S", &utc);

    snprintf(stamp + length, ID_STAMP_SIZE - length, ".%03dZ", milliseconds % 1000);
}

char *workspace_make_run_id(const char *model, int64_t realtime_ns)
{
    char stamp[ID_STAMP_SIZE];

    format_stamp(realtime_ns < 0 ? 0 : realtime_ns, stamp);
    model += strspn(model, "./-");

    char *id = mem_printf("%.*s%s", (int)(ID_MAX - sizeof stamp), *model ? model : "run", stamp);

    for (char *at = id; *at; at++) {
        if (!is_id_character(*at))
            *at = '-';
    }
    if (*id == '-')
        *id = '_';
    return id;
}

char *workspace_run_folder(const char *workspace, const char *run_id)
{
    return file_join(workspace, run_id);
}

char *workspace_comparison_folder(const char *workspace, const char *comparison_id)
{
    return mem_printf("%s/comparisons/%s", workspace, comparison_id);
}

char *workspace_archives_folder(const char *workspace)
{
    return file_join(workspace, "archives");
}

static char *read_latest(const char *workspace, struct error *err)
{
    cleanup_free char *path = file_join(workspace, "latest");
    cleanup_buf struct buf text = BUF_INIT(LATEST_MAX);

    if (!file_exists(path)) {
        error_set(err, ERROR_USAGE, "%s does not exist: run roibench prepare first, or name a run with --run-id", path);
        return NULL;
    }
    if (file_read(path, &text, ERROR_USAGE, err) < 0)
        return NULL;
    while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]))
        text.data[--text.len] = '\0';
    if (strlen(buf_text(&text)) != text.len) {
        error_set(err, ERROR_USAGE, "%s holds no run-id. Name a run with --run-id", path);
        return NULL;
    }
    if (workspace_check_run_id(buf_text(&text), err) < 0) {
        error_wrap(err, "%s", path);
        return NULL;
    }
    return buf_steal(&text);
}

char *workspace_find_run_id(const char *workspace, const char *run_id_or_null, struct error *err)
{
    if (!run_id_or_null)
        return read_latest(workspace, err);
    return workspace_check_run_id(run_id_or_null, err) < 0 ? NULL : mem_strdup(run_id_or_null);
}

char *workspace_create_run(const char *workspace, const char *run_id, struct error *err)
{
    if (workspace_check_run_id(run_id, err) < 0)
        return NULL;

    cleanup_free char *folder = workspace_run_folder(workspace, run_id);
    cleanup_free char *plan = file_join(folder, "plan.json");

    if (file_make_folder(folder, err) < 0 || file_check_writable(folder, err) < 0)
        return NULL;
    if (file_exists(plan)) {
        error_set(err, ERROR_USAGE, "%s exists already: a run is prepared once. Choose another --run-id, or remove the folder", plan);
        return NULL;
    }
    return steal_pointer(&folder);
}

/* ---- what is in it ---- */

static int compare_ids(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool holds(const char *folder, const char *id, const char *file)
{
    cleanup_free char *path = mem_printf("%s/%s/%s", folder, id, file);

    return file_exists(path);
}

/* Subfolders whose name is an id and that hold the file. */
static int list_ids(const char *folder, const char *file, char ***ids, size_t *count, struct error *err)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    size_t capacity = 0;

    *ids = NULL;
    *count = 0;
    if (!directory && errno == ENOENT)
        return 0;
    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (directory && (errno = 0, (entry = readdir(directory)))) {
        if (workspace_check_run_id(entry->d_name, NULL) < 0 || !holds(folder, entry->d_name, file))
            continue;
        MEM_GROW(*ids, capacity, *count + 1);
        (*ids)[(*count)++] = mem_strdup(entry->d_name);
    }

    const int failure = errno;

    if (directory)
        closedir(directory);
    if (!directory || failure != 0) {
        workspace_free_ids(*ids, *count);
        return error_set_errno(err, ERROR_INTERNAL, failure, "cannot read the folder %s", folder);
    }
    if (*count > 1)
        qsort(*ids, *count, sizeof **ids, compare_ids);
    return 0;
}

int workspace_list_runs(const char *workspace, char ***ids, size_t *count, struct error *err)
{
    return list_ids(workspace, "plan.json", ids, count, err);
}

int workspace_list_comparisons(const char *workspace, char ***ids, size_t *count, struct error *err)
{
    cleanup_free char *folder = file_join(workspace, "comparisons");

    return list_ids(folder, "comparison.json", ids, count, err);
}

void workspace_free_ids(char **ids, size_t count)
{
    for (size_t k = 0; k < count; k++)
        free(ids[k]);
    free(ids);
}

int workspace_set_latest(const char *workspace, const char *run_id, struct error *err)
{
    cleanup_free char *path = file_join(workspace, "latest");
    cleanup_free char *line = mem_printf("%s\n", run_id);

    return file_write_atomic(path, line, strlen(line), err);
}
