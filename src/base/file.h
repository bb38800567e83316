/* Files: read whole with a ceiling, written whole and atomically. */
#ifndef ROIBENCH_BASE_FILE_H
#define ROIBENCH_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends the whole file to *out; a file larger than out->max is an error that says so. Errors name the path. */
int file_read(const char *path, struct buf *out, enum error_class class, struct error *err);

/* Writes to file_temporary_name in the same folder, fsyncs, renames over path, fsyncs the folder.
 * Either the old or the whole new file is there, whatever happens. Mode 0666 & ~umask. */
int file_write_atomic(const char *path, const void *bytes, size_t length, struct error *err);

/* "<path>.<16 random hex digits>.tmp", of a long name as much as a folder takes: where what will be at path grows. free() it. */
char *file_temporary_name(const char *path);

/* mkdir -p, mode 0777 & ~umask. */
int file_make_folder(const char *path, struct error *err);

/* Is it a folder that we can write to and is there room? Creates it, writes and removes a probe file of 4 kB. */
int file_check_writable(const char *folder, struct error *err);

bool file_exists(const char *path);
bool file_is_folder(const char *path);
/* Do permissions and mount allow us to write to this file or folder? Says nothing about room. */
bool file_may_write(const char *path);

/* The path without links, "." and ".."; of what does not exist yet as far as it does. free() it. */
char *file_resolve(const char *path);

/* "<a>/<b>"; free() it. */
char *file_join(const char *a, const char *b);

/* Lower-case hex sha256 of a file's bytes, size in *size. hex holds 65. */
int file_sha256(const char *path, char *hex, unsigned long long *size, struct error *err);
/* Of bytes in memory. */
void file_sha256_bytes(const void *bytes, size_t length, char *hex);

#endif
