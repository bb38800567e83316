/* The sink that writes into a run's folder: records, tokens, journal (formats: docs/workspace.md). */
#ifndef ROIBENCH_LOAD_SINK_WORKSPACE_H
#define ROIBENCH_LOAD_SINK_WORKSPACE_H

#include "load/sink.h"
#include "record/record_writer.h"

struct sink_workspace {
    struct sink sink; /* hand out &x.sink */
    struct record_writer *writer;
    /* Called after a level's end was written; NULL: none. */
    void (*level_ended)(void *context, const struct level_end *end);
    void *context;
};

/* writer is borrowed. */
void sink_workspace_init(struct sink_workspace *sink, struct record_writer *writer);

#endif
