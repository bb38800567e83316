#include "cmd/roibench/publish_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/units.h"
#include "cmd/roibench/publish_deliver.h"
#include "record/manifest.h"
#include "record/run_lock.h"
#include "record/workspace.h"
#include "record/workspace_remove.h"
#include "ship/destination.h"
#include "ship/unpack.h"

#define LEFT_OUT_MAX ((size_t)1 << 20) /* bytes of names */
#define COMPARISONS "comparisons/"

/* How the workspace stands to a folder that was fetched. */
enum standing {
    STANDING_NEW,
    STANDING_THERE, /* all of it, with the same content */
    STANDING_PART,  /* of the same run, but without some of these files */
};

struct fetching {
    const struct app *app;
    const char *workspace, *from;
    char *name, *folder;    /* ".fetched-<random>" in the workspace */
    char *archive, *inside; /* "<folder>/archive.tar.gz", "<folder>/content" */
    char sha256[65];
    unsigned long long size;
    struct unpacked unpacked;
    enum standing *standings; /* of unpacked.folders */
};

static void fetching_free(struct fetching *fetching)
{
    bool in_use;

    if (fetching->folder && file_is_folder(fetching->folder))
        workspace_remove(fetching->workspace, fetching->name, &in_use, NULL);
    unpacked_free(&fetching->unpacked);
    free(fetching->standings);
    free(fetching->name);
    free(fetching->folder);
    free(fetching->archive);
    free(fetching->inside);
}

static int make_folder(struct fetching *fetching, struct error *err)
{
    uint64_t random = 0;

    random_bytes(&random, sizeof random);
    fetching->name = mem_printf(".fetched-%016" PRIx64, random);
    fetching->folder = file_join(fetching->workspace, fetching->name);
    fetching->archive = file_join(fetching->folder, "archive.tar.gz");
    fetching->inside = file_join(fetching->folder, "content");
    return file_make_folder(fetching->inside, err);
}

/* ---- the bytes ---- */

struct taking {
    FILE *file;
    const char *path;
    uint64_t size;
};

static int take(void *context, const char *bytes, size_t length, struct error *err)
{
    struct taking *taking = context;

    taking->size += length;
    if (taking->size > UNPACK_BYTES_MAX)
        return error_set(err, ERROR_PUBLISH, "more than %llu bytes came: no archive is so large", (unsigned long long)UNPACK_BYTES_MAX);
    if (fwrite(bytes, 1, length, taking->file) == length)
        return 0;
    return error_set_errno(err, ERROR_INTERNAL, errno, "cannot write %s", taking->path);
}

static int take_archive(struct fetching *fetching, const struct destination_settings *settings, char *expected, struct error *err)
{
    cleanup_fclose FILE *file = fopen(fetching->archive, "wxe");
    struct taking taking = {.file = file, .path = fetching->archive};

    if (!file)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot create %s", fetching->archive);
    if (destination_get(fetching->from, settings, take, &taking, expected, err) < 0)
        return -1;
    return fflush(file) != 0 ? error_set_errno(err, ERROR_INTERNAL, errno, "cannot write %s", fetching->archive) : 0;
}

static int check_archive(struct fetching *fetching, const char *expected, struct error *err)
{
    if (file_sha256(fetching->archive, fetching->sha256, &fetching->size, err) < 0)
        return -1;
    if (!*expected) {
        log_warning(&fetching->app->log, "there is no .sha256 beside the archive: it is checked only by the manifest inside");
        return 0;
    }
    if (strcmp(expected, fetching->sha256) == 0)
        return 0;
    return error_set(err, ERROR_PUBLISH, "what came is not the archive that was published: %llu bytes with sha256 %s, but %s was to come", fetching->size,
                     fetching->sha256, expected);
}

/* ---- what is in it ---- */

static int check_id(const char *folder, struct error *err)
{
    const size_t before = strlen(COMPARISONS);
    const bool comparison = strncmp(folder, COMPARISONS, before) == 0;

    return comparison ? workspace_check_comparison_id(folder + before, err) : workspace_check_run_id(folder, err);
}

static int check_content(const struct fetching *fetching, struct error *err)
{
    for (size_t k = 0; k < fetching->unpacked.folder_count; k++) {
        const char *folder = fetching->unpacked.folders[k];
        cleanup_free char *path = file_join(fetching->inside, folder);
        cleanup_buf struct buf left_out = BUF_INIT(LEFT_OUT_MAX);

        if (check_id(folder, err) < 0 || manifest_check(path, &left_out, err) < 0)
            return error_wrap(err, "the archive's content is not what was published");
        if (left_out.len > 0)
            log_info(&fetching->app->log, "%s: not in this archive: %s", folder, buf_text(&left_out));
    }
    return 0;
}

/* ---- into the workspace ---- */

static int same_content(const char *a, const char *b, bool *same, struct error *err)
{
    char sha256[2][65];
    unsigned long long size[2];

    if (file_sha256(a, sha256[0], &size[0], err) < 0 || file_sha256(b, sha256[1], &size[1], err) < 0)
        return -1;
    *same = strcmp(sha256[0], sha256[1]) == 0;
    return 0;
}

/* Calls for each file of the folder; they are regular, unpack saw to that. */
static int each_file(const char *folder, int (*call)(void *context, const char *name, struct error *err), void *context, struct error *err)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    int result = 0;

    if (!directory)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot read the folder %s", folder);
    /* cppcheck-suppress readdirCalled ; no other thread has this stream */
    while (result == 0 && (entry = readdir(directory))) {
        if (*entry->d_name != '.')
            result = call(context, entry->d_name, err);
    }
    closedir(directory);
    return result;
}

struct folder_pair {
    const char *fetched, *there;
    bool missing;       /* the workspace lacks a file */
    bool same_manifest;
};

static int compare_file(void *context, const char *name, struct error *err)
{
    struct folder_pair *pair = context;
    cleanup_free char *fetched = file_join(pair->fetched, name);
    cleanup_free char *there = file_join(pair->there, name);
    const bool manifest = strcmp(name, "manifest.json") == 0;
    bool same = false;

    if (!file_exists(there)) {
        pair->missing = true;
        return 0;
    }
    if (same_content(fetched, there, &same, err) < 0)
        return -1;
    if (manifest)
        pair->same_manifest = same;
    if (same || manifest)
        return 0;
    return error_set(err, ERROR_PUBLISH, "%s is there already, and is another: %s differs. Nothing was written; move it away, or fetch into another --workspace",
                     pair->there, name);
}

static int find_standing(const struct fetching *fetching, const char *folder, enum standing *standing, struct error *err)
{
    cleanup_free char *fetched = file_join(fetching->inside, folder);
    cleanup_free char *there = file_join(fetching->workspace, folder);
    struct folder_pair pair = {.fetched = fetched, .there = there};
    struct stat status;

    *standing = STANDING_NEW;
    if (lstat(there, &status) < 0)
        return errno == ENOENT ? 0 : error_set_errno(err, ERROR_INTERNAL, errno, "cannot look at %s", there);
    if (!S_ISDIR(status.st_mode))
        return error_set(err, ERROR_PUBLISH, "%s is there already, and is no folder. Move it away", there);
    if (run_lock_is_held(there))
        return error_set(err, ERROR_PUBLISH, "%s: roibench run is still writing into it. Nothing was written", there);
    if (each_file(fetched, compare_file, &pair, err) < 0)
        return -1;
    if (pair.missing && !pair.same_manifest)
        return error_set(err, ERROR_PUBLISH, "%s is there already, with another manifest.json and without some of the archive's files. Nothing was written; move it away, "
                                             "or fetch into another --workspace", there);
    *standing = pair.missing ? STANDING_PART : STANDING_THERE;
    return 0;
}

static int add_file(void *context, const char *name, struct error *err)
{
    const struct folder_pair *pair = context;
    cleanup_free char *fetched = file_join(pair->fetched, name);
    cleanup_free char *there = file_join(pair->there, name);

    if (link(fetched, there) == 0 || errno == EEXIST || (!file_exists(there) && rename(fetched, there) == 0))
        return 0;
    return error_set_errno(err, ERROR_INTERNAL, errno, "cannot write %s", there);
}

static int settle(const struct fetching *fetching, size_t k, struct error *err)
{
    const char *folder = fetching->unpacked.folders[k];
    const enum standing standing = fetching->standings[k];
    cleanup_free char *fetched = file_join(fetching->inside, folder);
    cleanup_free char *there = file_join(fetching->workspace, folder);
    struct folder_pair pair = {.fetched = fetched, .there = there};
    int result = 0;

    if (standing == STANDING_PART)
        result = each_file(fetched, add_file, &pair, err);
    else if (standing == STANDING_NEW && rename(fetched, there) < 0)
        result = error_set_errno(err, ERROR_INTERNAL, errno, "cannot write %s", there);
    if (result < 0)
        return -1;
    fprintf(fetching->app->out, "%s %s\n", standing == STANDING_THERE ? "already there:" : standing == STANDING_PART ? "completed" : "fetched", there);
    return 0;
}

/* What gets a run's name is whole, also after a loss of power. */
static int write_through(const struct fetching *fetching, struct error *err)
{
    cleanup_close int fd = open(fetching->inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || syncfs(fd) < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "cannot write %s", fetching->inside);
    return 0;
}

static int settle_all(struct fetching *fetching, struct error *err)
{
    const size_t count = fetching->unpacked.folder_count;
    bool comparison = false;

    fetching->standings = mem_calloc(count, sizeof *fetching->standings);
    for (size_t k = 0; k < count; k++) {
        comparison |= strncmp(fetching->unpacked.folders[k], COMPARISONS, strlen(COMPARISONS)) == 0;
        if (find_standing(fetching, fetching->unpacked.folders[k], &fetching->standings[k], err) < 0)
            return -1;
    }
    if (comparison) {
        cleanup_free char *parent = file_join(fetching->workspace, "comparisons");

        if (file_make_folder(parent, err) < 0)
            return -1;
    }
    if (write_through(fetching, err) < 0)
        return -1;
    for (size_t k = 0; k < count; k++) {
        if (settle(fetching, k, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- the command ---- */

static int check_alone(const struct options *options, struct error *err)
{
    static const char *const others[] = {"to", "comparison", "run-id", "include", "no-prompts", "redact", "overwrite", "summarize-missing"};

    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        if (options_source(options, others[k]) == OPTION_ARGV)
            return error_set(err, ERROR_USAGE, "--fetch and --%s exclude each other", others[k]);
    }
    return 0;
}

static int fetch(struct fetching *fetching, const struct destination_settings *settings, struct error *err)
{
    char expected[65] = "", size[UNITS_TEXT_SIZE];

    if (make_folder(fetching, err) < 0 || take_archive(fetching, settings, expected, err) < 0 || check_archive(fetching, expected, err) < 0 ||
        archive_unpack(fetching->archive, fetching->inside, fetching->app->stop, &fetching->unpacked, err) < 0 || check_content(fetching, err) < 0)
        return -1;
    fprintf(fetching->app->out, "archive of %zu files, %s, sha256 %s\n", fetching->unpacked.file_count, units_format_bytes(fetching->size, size),
            fetching->sha256);
    return settle_all(fetching, err);
}

int publish_fetch(const struct app *app, const struct options *options, struct error *err)
{
    __attribute__((cleanup(fetching_free))) struct fetching fetching = {.app = app, .workspace = options_text(options, "workspace"),
                                                                        .from = options_text(options, "fetch")};
    const struct destination_settings settings = publish_settings(app, options);

    if (check_alone(options, err) < 0)
        return -1;
    if (destination_check(fetching.from, err) < 0)
        return error_wrap(err, "--fetch");
    if (fetch(&fetching, &settings, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    return 0;
}
