/* Plans of small archives, and their bytes. */
#ifndef ROIBENCH_TESTS_ARCHIVE_OF_H
#define ROIBENCH_TESTS_ARCHIVE_OF_H

#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "ship/archive.h"
#include "support/temp_folder.h"

/* All of a plan's bytes; free() them. */
static inline char *archive_bytes(const struct archive_plan *plan)
{
    struct archive_stream *stream = archive_stream_open(plan);
    char *bytes = mem_alloc((size_t)plan->size + 1);
    struct error err = {0};
    size_t length = 0;
    long got;

    while ((got = archive_stream_read(stream, bytes + length, (size_t)plan->size + 1 - length, &err)) > 0)
        length += (size_t)got;
    archive_stream_close(stream);
    if (got < 0)
        fail_msg("%s", err.text);
    assert_int_equal(length, plan->size);
    return bytes;
}

/* "r.tar.gz" with one file, r/content, in the new folder <root>/r. */
static inline void archive_of(const char *root, const char *bytes, size_t length, struct archive_plan *plan)
{
    char *path = file_join(root, "r");
    const struct archive_folder folder = {path, "r"};
    const struct archive_request request = {.folders = &folder, .folder_count = 1, .name = "r.tar.gz"};
    struct error err = {0};

    assert_int_equal(mkdir(path, 0777), 0);
    temp_file_write(path, "content", bytes, length);
    if (archive_plan_make(&request, plan, &err) < 0)
        fail_msg("%s", err.text);
    free(path);
}

#endif
