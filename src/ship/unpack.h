/* An archive's files again, from a tar.gz that anybody may have made.
 *
 * Written is only what an archive of ours can hold: regular files named "<run-id>/<file>" or "comparisons/<id>/<file>", each once. A link of
 * either kind, a device, an absolute name, "..", a hidden or temporary name, a receipt, or a name with control characters is an error, and so is an archive that ends
 * early. No path of the archive is ever followed: its names are checked as text, and files are created anew by openat(2) in folders that were
 * just made. Times, owners and modes are not taken over.
 *
 * Bounds: UNPACK_MEMBERS_MAX files; UNPACK_BYTES_MAX bytes in all; and no more than UNPACK_RATIO_MAX times the archive's own size plus UNPACK_FREE_BYTES
 * (real ones reach 10: most of their members are compressed by themselves). */
#ifndef ROIBENCH_SHIP_UNPACK_H
#define ROIBENCH_SHIP_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"

#define UNPACK_MEMBERS_MAX ((size_t)100000)
#define UNPACK_BYTES_MAX ((uint64_t)1 << 40)
#define UNPACK_RATIO_MAX 100
#define UNPACK_FREE_BYTES ((uint64_t)64 << 20)
#define UNPACK_FOLDERS_MAX ((size_t)1001) /* a comparison and its runs */

struct unpacked {
    char **folders; /* "<run-id>", "comparisons/<id>": as they lie in the folder, in the archive's order */
    size_t folder_count;
    size_t file_count;
    uint64_t bytes;
};

/* Unpacks the file `archive` into the empty folder `into`. ERROR_PUBLISH: what the archive holds; ERROR_INTERNAL: the disk. When it fails, what was
 * written so far stays there. *unpacked is unpacked_free's in any case. */
int archive_unpack(const char *archive, const char *into, const stop_flag *stop, struct unpacked *unpacked, struct error *err);
void unpacked_free(struct unpacked *unpacked);

#endif
