/* Which server is it? By what it says of itself: the owner of its models, the names of its metrics, pages that only it has.
 *
 *   vllm, sglang, llamacpp   "owned_by" of /v1/models, or metrics whose names begin with vllm:, sglang:, llamacpp:
 *   tgi                      metrics that begin with tgi_, or /info that names a router
 *   ollama                   the words of its root page
 *   simulator                /version has a member "simulator"
 *   openai                   none of these: an API like OpenAI's */
#ifndef ROIBENCH_PROBE_KIND_H
#define ROIBENCH_PROBE_KIND_H

#include "base/arena.h"
#include "probe/server.h"

/* Fills kind, version, preset, time_scale and metrics of *server, prefix_caching where a metric tells it (else CACHING_UNKNOWN), and
 * max_model_len where it was unknown (-1) and a page tells it. What cannot be read is unknown: this cannot fail. */
void kind_ask(const struct probe *probe, const char *owned_by, struct arena *arena, struct server_identity *server);

/* Servers that read over members of a request that they do not know, as these do with ignore_eos: that one was taken proves nothing. */
bool kind_passes_over_ignore_eos(const char *kind);

#endif
