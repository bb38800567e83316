#include "record/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "record/run_file.h"

#define MANIFEST_SCHEMA "roibench/manifest/v1"
#define SHA256_HEX_SIZE 65
#define ANY_SHARD (-2)
#define STEP_NAME_SIZE 64
#define IDENTITY_TEXT_MAX (MANIFEST_FILES_MAX * (NAME_MAX + SHA256_HEX_SIZE + 2))

struct content_file {
    char *name;
    unsigned long long size;
    char sha256[SHA256_HEX_SIZE];
};

struct content {
    struct content_file *files; /* by name */
    size_t count, capacity;
};

static void cleanup_content(struct content *content)
{
    for (size_t k = 0; k < content->count; k++)
        free(content->files[k].name);
    free(content->files);
}

static bool is_content_name(const char *name)
{
    const size_t length = strlen(name);

    return strcmp(name, "manifest.json") != 0 && strcmp(name, "publish.json") != 0 &&
           !(length > 4 && strcmp(name + length - 4, ".tmp") == 0);
}

/* A name must survive JSON and stand on a line of the identity. */
static int check_name(const char *folder, const char *name, struct error *err)
{
    json_t *text = json_string(name);
    const bool fine = text && !strpbrk(name, "\n\r");

    json_decref(text);
    return fine ? 0 : error_set(err, ERROR_INTERNAL, "%s holds a file whose name is no text of one line. Remove it", folder);
}

static int content_add(struct content *content, const char *folder, const char *name, struct error *err)
{
    if (check_name(folder, name, err) < 0)
        return -1;
    if (content->count == MANIFEST_FILES_MAX)
        return error_set(err, ERROR_INTERNAL, "%s holds more than %zu files: no folder of a run", folder, MANIFEST_FILES_MAX);
    MEM_GROW(content->files, content->capacity, content->count + 1);

    struct content_file *file = &content->files[content->count++];
    cleanup_free char *path = file_join(folder, name);

    *file = (struct content_file){.name = mem_strdup(name)};
    return file_sha256(path, file->sha256, &file->size, err);
}

/* As an earlier manifest has it. sha256 may be NULL. */
static void content_keep(struct content *content, const char *name, const char *sha256, unsigned long long size)
{
    MEM_GROW(content->files, content->capacity, content->count + 1);

    struct content_file *file = &content->files[content->count++];

    *file = (struct content_file){.name = mem_strdup(name), .size = size};
    snprintf(file->sha256, sizeof file->sha256, "%s", sha256 ? sha256 : "");
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct content_file *)a)->name, ((const struct content_file *)b)->name);
}

static bool is_of_another_shard(const char *name, int shard)
{
    int number;

    return shard != ANY_SHARD && run_file_parse(name, NULL, &number) && number != NO_SHARD && number != shard;
}

static int content_read_folder(struct content *content, const char *folder, DIR *directory, int shard, struct error *err)
{
    const struct dirent *entry;
    struct stat status;

    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (errno = 0, (entry = readdir(directory))) {
        if (!is_content_name(entry->d_name) || is_of_another_shard(entry->d_name, shard))
            continue;
        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read %s/%s", folder, entry->d_name);
        if (S_ISREG(status.st_mode) && content_add(content, folder, entry->d_name, err) < 0)
            return -1;
    }
    if (errno != 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the folder %s", folder);
    if (content->count > 0)
        qsort(content->files, content->count, sizeof *content->files, compare_files);
    return 0;
}

/* shard: leave out the files of others; ANY_SHARD: all files. */
static int content_read(struct content *content, const char *folder, int shard, struct error *err)
{
    DIR *directory = opendir(folder);

    if (!directory)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the folder %s", folder);

    const int result = content_read_folder(content, folder, directory, shard, err);

    closedir(directory);
    return result;
}

static void content_identity(const struct content *content, char *hex)
{
    cleanup_buf struct buf lines = BUF_INIT(IDENTITY_TEXT_MAX);

    for (size_t k = 0; k < content->count; k++)
        buf_printf(&lines, "%s %s\n", content->files[k].name, content->files[k].sha256);
    file_sha256_bytes(buf_text(&lines), lines.len, hex);
}

int manifest_identity(const char *folder, char *hex, struct error *err)
{
    __attribute__((cleanup(cleanup_content))) struct content content = {0};

    if (content_read(&content, folder, ANY_SHARD, err) < 0)
        return -1;
    content_identity(&content, hex);
    return 0;
}

/* ---- the document ---- */

static json_t *step_to_json(const struct manifest_step *step)
{
    char date[CLOCK_RFC3339_SIZE];
    json_t *object = json_object();

    json_set_text(object, "step", step->step);
    json_set_text(object, "version", step->version);
    json_set_text(object, "host", step->host);
    json_set_text(object, "started", clock_format_rfc3339(step->started, 3, date));
    json_set_text(object, "ended", clock_format_rfc3339(step->ended, 3, date));
    json_set_integer(object, "exit_code", step->exit_code);
    if (step->note)
        json_set_text(object, "note", step->note);
    return object;
}

static void put_step(json_t *steps, const struct manifest_step *step)
{
    json_t *before;
    size_t k;

    json_array_foreach(steps, k, before) {
        const char *name = json_string_value(json_object_get(before, "step"));

        if (name && strcmp(name, step->step) == 0) {
            json_array_set_new(steps, k, step_to_json(step));
            return;
        }
    }
    json_array_append_new(steps, step_to_json(step));
}

static json_t *manifest_build(const struct content *content, json_t *steps, const struct manifest_step *step)
{
    char identity[SHA256_HEX_SIZE];
    json_t *document = json_object();

    json_set_text(document, "schema", MANIFEST_SCHEMA);

    json_t *tool = json_add_object(document, "tool");

    json_set_text(tool, "name", "roibench");
    json_set_text(tool, "version", step->version);
    content_identity(content, identity);
    json_set_text(document, "identity", identity);

    json_t *files = json_add_object(document, "files");

    for (size_t k = 0; k < content->count; k++) {
        json_t *file = json_add_object(files, content->files[k].name);

        json_set_text(file, "sha256", content->files[k].sha256);
        json_set_integer(file, "size", (int64_t)content->files[k].size);
    }
    put_step(steps, step);
    json_object_set(document, "steps", steps);
    return document;
}

static int manifest_write(const struct content *content, json_t *steps, const struct manifest_step *step, const char *path, struct error *err)
{
    json_t *document = manifest_build(content, steps, step);
    const int result = json_write_file(document, path, err);

    json_decref(document);
    return result;
}

/* The document, NULL without error when there is no manifest yet, NULL with *failed. */
static json_t *manifest_open(const char *folder, struct json_reader *reader, char **path, bool *failed, struct error *err)
{
    *path = file_join(folder, "manifest.json");
    *failed = false;
    if (!file_exists(*path))
        return NULL;

    json_t *document = json_open(reader, *path, MANIFEST_SCHEMA, err);

    *failed = !document;
    return document;
}

/* -1: nothing is held. Close it to let go. Network file systems lock only what is open for writing. */
static int manifest_lock(const char *folder)
{
    cleanup_free char *path = file_join(folder, "plan.json");
    int fd = open(path, O_RDWR | O_CLOEXEC), result;

    if (fd < 0)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    do
        result = fd < 0 ? 0 : flock(fd, LOCK_EX);
    while (result < 0 && errno == EINTR);
    return fd;
}

/* What other shards wrote down. */
static void keep_other_shards(struct content *content, const json_t *files, int shard)
{
    const char *name;
    const json_t *entry;

    json_object_foreach((json_t *)(uintptr_t)files, name, entry) {
        const char *sha256 = json_string_value(json_object_get(entry, "sha256"));

        if (is_of_another_shard(name, shard))
            content_keep(content, name, sha256, (unsigned long long)json_integer_value(json_object_get(entry, "size")));
    }
    if (content->count > 0)
        qsort(content->files, content->count, sizeof *content->files, compare_files);
}

static bool is_as_recorded(const json_t *entry, const struct content_file *file)
{
    const char *sha256 = json_string_value(json_object_get(entry, "sha256"));

    return sha256 && strcmp(sha256, file->sha256) == 0;
}

static bool is_step_of(const json_t *row, const struct manifest_step *step)
{
    const char *name = json_string_value(json_object_get(row, "step")), *note = json_string_value(json_object_get(row, "note"));

    return name && strcmp(name, step->step) == 0 && json_integer_value(json_object_get(row, "exit_code")) == step->exit_code &&
           strcmp(note ? note : "", step->note ? step->note : "") == 0;
}

/* Has the step been there with this end, and are all files what they were? */
static bool is_nothing_new(const json_t *before, const struct content *content, const struct manifest_step *step)
{
    const json_t *files = json_object_get(before, "files"), *row;
    bool there = false;
    size_t k;

    if (json_object_size(files) != content->count)
        return false;
    for (k = 0; k < content->count; k++) {
        if (!is_as_recorded(json_object_get(files, content->files[k].name), &content->files[k]))
            return false;
    }
    json_array_foreach(json_object_get(before, "steps"), k, row)
        there |= is_step_of(row, step);
    return there;
}

static int manifest_update_files(const char *folder, const struct manifest_step *step, int shard, struct error *err)
{
    __attribute__((cleanup(cleanup_content))) struct content content = {0};
    cleanup_close int lock = manifest_lock(folder);
    cleanup_free char *path = NULL;
    struct json_reader reader;
    bool failed;
    (void)lock; /* held until we return */
    json_t *before = manifest_open(folder, &reader, &path, &failed, err);

    if (failed)
        return -1;

    json_t *steps = before ? json_get_array_or_null(&reader, before, "steps") : NULL;
    const json_t *files = before && shard != ANY_SHARD ? json_get_object(&reader, before, "files") : NULL;
    int result = before && reader.failed ? -1 : content_read(&content, folder, shard, err);

    steps = steps ? json_incref(steps) : json_array();
    if (result == 0) {
        keep_other_shards(&content, files, shard);
        if (!before || !is_nothing_new(before, &content, step))
            result = manifest_write(&content, steps, step, path, err);
    }
    json_decref(steps);
    json_decref(before);
    return result;
}

int manifest_update(const char *folder, const struct manifest_step *step, struct error *err)
{
    return manifest_update_files(folder, step, ANY_SHARD, err);
}

int manifest_update_shard(const char *folder, const struct manifest_step *step, int shard, struct error *err)
{
    char name[STEP_NAME_SIZE];
    struct manifest_step numbered = *step;

    snprintf(name, sizeof name, "%s-%d", step->step, shard);
    numbered.step = name;
    return manifest_update_files(folder, &numbered, shard, err);
}

/* ---- completing ---- */

static bool has_step(const json_t *steps, const char *wanted)
{
    const json_t *step;
    size_t k;

    json_array_foreach(steps, k, step) {
        const char *name = json_string_value(json_object_get(step, "step"));

        if (name && strcmp(name, wanted) == 0)
            return true;
    }
    return false;
}

static void tell_differing(struct buf *differing, const char *name)
{
    buf_printf(differing, "%s%s", differing->len ? ", " : "", name);
}

/* Puts the recorded entry over the file's own: what differs stays as it was written down. false: there is no such entry. */
static bool keep_recorded(struct content_file *file, const json_t *entry, struct buf *differing)
{
    if (!entry)
        return false;
    if (!is_as_recorded(entry, file)) {
        const char *sha256 = json_string_value(json_object_get(entry, "sha256"));

        tell_differing(differing, file->name);
        snprintf(file->sha256, sizeof file->sha256, "%s", sha256 ? sha256 : "");
        file->size = (unsigned long long)json_integer_value(json_object_get(entry, "size"));
    }
    return true;
}

/* Entries of files that are gone stay too. */
static void keep_missing(struct content *content, const json_t *files, struct buf *differing)
{
    const size_t present = content->count;
    const char *name;
    const json_t *entry;

    json_object_foreach((json_t *)(uintptr_t)files, name, entry) {
        const struct content_file wanted = {.name = (char *)(uintptr_t)name};
        const char *sha256 = json_string_value(json_object_get(entry, "sha256"));

        if (present && bsearch(&wanted, content->files, present, sizeof wanted, compare_files))
            continue;
        tell_differing(differing, name);
        content_keep(content, name, sha256, (unsigned long long)json_integer_value(json_object_get(entry, "size")));
    }
    if (content->count > present)
        qsort(content->files, content->count, sizeof *content->files, compare_files);
}

/* What the manifest will list. Returns how many files it did not know. */
static size_t content_merge(struct content *content, const json_t *files, struct buf *differing)
{
    size_t unknown = 0;

    for (size_t k = 0; k < content->count; k++)
        unknown += !keep_recorded(&content->files[k], json_object_get(files, content->files[k].name), differing);
    keep_missing(content, files, differing);
    return unknown;
}

int manifest_complete(const char *folder, const struct manifest_step *step, struct buf *differing, struct error *err)
{
    __attribute__((cleanup(cleanup_content))) struct content content = {0};
    cleanup_close int lock = manifest_lock(folder);
    cleanup_free char *path = NULL;
    struct json_reader reader;
    bool failed;
    (void)lock; /* held until we return */
    json_t *before = manifest_open(folder, &reader, &path, &failed, err);

    if (failed)
        return -1;

    const json_t *files = before ? json_get_object(&reader, before, "files") : NULL;
    json_t *steps = before ? json_get_array_or_null(&reader, before, "steps") : NULL;
    int result = (before && reader.failed) || content_read(&content, folder, ANY_SHARD, err) < 0 ? -1 : 0;

    steps = steps ? json_incref(steps) : json_array();
    if (result == 0 && (content_merge(&content, files, differing) > 0 || !has_step(steps, step->step)))
        result = manifest_write(&content, steps, step, path, err);
    json_decref(steps);
    json_decref(before);
    return result;
}

/* ---- checking ---- */

/* The list as content. -1: an entry is malformed. */
static int content_of_document(struct content *content, struct json_reader *reader, const json_t *document)
{
    const json_t *files = json_get_object(reader, document, "files");
    const char *name;
    const json_t *entry;

    if (reader->failed)
        return -1;
    if (json_object_size(files) > MANIFEST_FILES_MAX)
        return json_fail(reader, "files", "more than %zu", MANIFEST_FILES_MAX);
    json_object_foreach((json_t *)(uintptr_t)files, name, entry) {
        const size_t mark = json_enter(reader, "files", -1);
        const char *sha256 = json_get_text(reader, entry, "sha256");
        const int64_t size = json_get_integer(reader, entry, "size");

        if (!reader->failed && (strlen(sha256) != SHA256_HEX_SIZE - 1 || size < 0 || strpbrk(name, "\n\r/")))
            json_fail(reader, "sha256", "expected a file's name, its checksum and its size");
        if (reader->failed)
            return -1;
        json_leave(reader, mark);
        content_keep(content, name, sha256, (unsigned long long)size);
    }
    if (content->count > 0)
        qsort(content->files, content->count, sizeof *content->files, compare_files);
    return 0;
}

static const struct content_file *content_find(const struct content *content, const char *name)
{
    const struct content_file wanted = {.name = (char *)(uintptr_t)name};

    return content->count ? bsearch(&wanted, content->files, content->count, sizeof wanted, compare_files) : NULL;
}

static int compare_with_list(const char *folder, const struct content *present, const struct content *listed, struct buf *left_out,
                             struct error *err)
{
    for (size_t k = 0; k < present->count; k++) {
        const struct content_file *file = &present->files[k], *entry = content_find(listed, file->name);

        if (!entry)
            return error_set(err, ERROR_USAGE, "%s/%s is not in the manifest", folder, file->name);
        if (entry->size != file->size || strcmp(entry->sha256, file->sha256) != 0)
            return error_set(err, ERROR_USAGE, "%s/%s is not what the manifest says: %llu bytes, sha256 %s", folder, file->name, file->size,
                             file->sha256);
    }
    for (size_t k = 0; k < listed->count; k++) {
        if (!content_find(present, listed->files[k].name))
            tell_differing(left_out, listed->files[k].name);
    }
    return 0;
}

int manifest_check(const char *folder, struct buf *left_out, struct error *err)
{
    __attribute__((cleanup(cleanup_content))) struct content present = {0}, listed = {0};
    cleanup_free char *path = file_join(folder, "manifest.json");
    char identity[SHA256_HEX_SIZE];
    struct json_reader reader;
    json_t *document = json_open(&reader, path, MANIFEST_SCHEMA, err);

    if (!document)
        return -1;

    const char *said = json_get_text(&reader, document, "identity");
    int result = content_of_document(&listed, &reader, document);

    if (result == 0) {
        content_identity(&listed, identity);
        if (strcmp(identity, said) != 0)
            result = json_fail(&reader, "identity", "is not that of the files that it lists");
    }
    json_decref(document);
    if (result < 0 || content_read(&present, folder, ANY_SHARD, err) < 0)
        return -1;
    return compare_with_list(folder, &present, &listed, left_out, err);
}

int manifest_first_start(const char *folder, int64_t *realtime_ns, struct error *err)
{
    cleanup_free char *path = NULL;
    struct json_reader reader;
    bool failed;
    json_t *document = manifest_open(folder, &reader, &path, &failed, err);

    *realtime_ns = 0;
    if (!document)
        return failed ? -1 : 0;

    const json_t *first = json_array_get(json_get_array_or_null(&reader, document, "steps"), 0);

    if (first && !reader.failed) {
        json_enter(&reader, "steps", 0);

        const char *started = json_get_text(&reader, first, "started");

        if (started && clock_parse_rfc3339(started, realtime_ns) < 0)
            json_fail(&reader, "started", "expected an RFC 3339 date");
    }
    json_decref(document);
    return reader.failed ? -1 : 0;
}

/* "run", or of a shard "run-3". */
static bool is_step(const char *name, const char *wanted)
{
    const size_t length = strlen(wanted);

    return name && strncmp(name, wanted, length) == 0 && (name[length] == '\0' || name[length] == '-');
}

int manifest_exit_code(const char *folder, const char *step)
{
    cleanup_free char *path = NULL;
    struct json_reader reader;
    bool failed;
    json_t *document = manifest_open(folder, &reader, &path, &failed, NULL);
    const json_t *row;
    size_t k;
    int worst = -1;

    json_array_foreach(json_object_get(document, "steps"), k, row) {
        const int code = (int)json_integer_value(json_object_get(row, "exit_code"));

        if (is_step(json_string_value(json_object_get(row, "step")), step) && code > worst)
            worst = code;
    }
    json_decref(document);
    return worst;
}
