#include "support/temp_folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

static void need(int condition, const char *what)
{
    if (condition)
        return;
    perror(what);
    abort();
}

char *temp_folder_make(void)
{
    char *folder = mem_strdup("/tmp/roibench-test-XXXXXX");

    need(mkdtemp(folder) != NULL, folder);
    return folder;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void temp_folder_remove(char *folder)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

void temp_file_write(const char *folder, const char *name, const void *bytes, size_t length)
{
    cleanup_free char *path = file_join(folder, name);
    FILE *file = fopen(path, "wb");

    need(file && fwrite(bytes, 1, length, file) == length, path);
    need(fclose(file) == 0, path);
}

char *temp_file_read(const char *folder, const char *name, size_t *length)
{
    cleanup_free char *path = file_join(folder, name);
    FILE *file = fopen(path, "rb");

    need(file && fseek(file, 0, SEEK_END) == 0, path);

    const long size = ftell(file);

    need(size >= 0, path);
    rewind(file);

    char *bytes = mem_alloc((size_t)size + 1);

    *length = fread(bytes, 1, (size_t)size, file);
    need(*length == (size_t)size, path);
    fclose(file);
    return bytes;
}
