#include "ship/archive.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "ship/archive_members.h"
#include "ship/archive_stream.h"

#define FIRST_PASS_SIZE ((size_t)256 << 10)

CLEANUP_DEFINE(struct archive_stream, archive_stream_close)

/* The first pass: size and sha256. */
static int measure(struct archive_plan *plan, struct error *err)
{
    cleanup_with(archive_stream_close) struct archive_stream *stream = archive_stream_open(plan);
    cleanup_free char *bytes = mem_alloc(FIRST_PASS_SIZE);
    uint64_t size = 0;
    long got;

    while ((got = archive_stream_read(stream, bytes, FIRST_PASS_SIZE, err)) > 0)
        size += (uint64_t)got;
    if (got < 0)
        return -1;
    archive_stream_sha256(stream, plan->sha256);
    plan->size = size;
    return 0;
}

int archive_plan_make(const struct archive_request *request, struct archive_plan *plan, struct error *err)
{
    *plan = (struct archive_plan){.name = mem_strdup(request->name), .mtime = request->mtime, .stop = request->stop};

    if (archive_members_find(plan, request, err) == 0 && measure(plan, err) == 0)
        return 0;
    archive_plan_free(plan);
    return -1;
}

void archive_plan_free(struct archive_plan *plan)
{
    for (size_t k = 0; k < plan->member_count; k++) {
        free(plan->members[k].name);
        free(plan->members[k].path);
    }
    free(plan->members);
    free(plan->name);
    *plan = (struct archive_plan){0};
}

char *archive_checksum_line(const struct archive_plan *plan)
{
    return mem_printf("%s  %s\n", plan->sha256, plan->name);
}
