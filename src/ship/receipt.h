/* publish.json: what was published where. It lies in the folder and never in an archive.
 *
 * {"schema":"roibench/publish/v1","identity":"<sha256>","archive":{"name","size","sha256"},
 *  "destinations":[{"to","status","etag","already_there","verified","tries","started","ended","error"}…]}
 * status and etag are null where there is no HTTP, error is null when all went well. "unfinished" is there while
 * an upload in parts can be gone on with: {"s3://bucket/key":"<sha256 of the archive> <upload id>"}; it is written before the
 * first part is sent, so that it is there after a crash, too. */
#ifndef ROIBENCH_SHIP_RECEIPT_H
#define ROIBENCH_SHIP_RECEIPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ship/archive.h"
#include "ship/destination.h"

struct receipt_row {
    struct delivery delivery;
    int64_t started, ended; /* realtime ns */
    char *error;            /* NULL: delivered */
};

/* Replaces <folder>/publish.json. identity: of the folder (record/manifest). */
int receipt_write(const char *folder, const char *identity, const struct archive_plan *plan, const struct receipt_row *rows,
                  size_t count, struct error *err);

/* What was kept for a place, by delivery->to; NULL: nothing. free() it. */
char *receipt_recall(const char *folder, const char *place);
/* Keeps a text for a place, NULL: none any more, in <folder>/publish.json; the rest of it stays. */
int receipt_keep(const char *folder, const char *place, const char *text, struct error *err);

#endif
