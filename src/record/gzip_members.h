/* Reading a file of gzip members (or a plain one) block by block, and writing without losing errors: inside of record/, for data
 * files (plan/dataset), and for what is searched before it leaves (ship/secrets).
 *
 * The source never fails on a file that was cut off: it ends early and sets
 * `truncated`. What is no gzip at all in the middle of a file is an error that
 * says at which byte. Zero bytes up to the end of the file count as cut off: so
 * some file systems leave a file after the power went. */
#ifndef ROIBENCH_RECORD_GZIP_MEMBERS_H
#define ROIBENCH_RECORD_GZIP_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define GZIP_WINDOW_BITS (15 + 16) /* zlib: the largest window, a gzip header */
#define GZIP_STEP_MAX (1U << 30)   /* fed to zlib at once: its lengths have 32 bits */

struct gzip_source; /* opaque */

/* NULL with *missing set when there is no such file, NULL with *err otherwise. missing may be NULL: then that is an error too. */
struct gzip_source *gzip_source_open(const char *path, bool *missing, struct error *err);
/* Up to `size` bytes into `to`: how many, 0 at the end, -1 with *err. */
int64_t gzip_source_read(struct gzip_source *source, void *to, size_t size, struct error *err);
bool gzip_source_truncated(const struct gzip_source *source);
void gzip_source_free(struct gzip_source *source);

/* "cannot write <path>: <reason>", with what to do about a full disk. Returns -1. */
int record_write_error(struct error *err, int errno_value, const char *path);
/* write(2) until all is written. */
int record_write_all(int fd, const char *path, const void *bytes, size_t length, struct error *err);
/* fsync and close; the descriptor is gone either way. */
int record_sync_and_close(int fd, const char *path, struct error *err);

#endif
