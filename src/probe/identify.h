/* What server is it, and which of the things that differ between servers can it do? Each is asked by a request, not looked up. */
#ifndef ROIBENCH_PROBE_IDENTIFY_H
#define ROIBENCH_PROBE_IDENTIFY_H

#include "base/arena.h"
#include "probe/server.h"

/* Fills *server; its strings go into arena. owned_by and max_model_len: what /v1/models said of the model. ERROR_TARGET when not even the
 * plainest request is answered (the server's own words). */
int identify_server(const struct probe *probe, const char *model, const char *owned_by, int64_t max_model_len, struct arena *arena,
                    struct server_identity *server, struct error *err);

#endif
