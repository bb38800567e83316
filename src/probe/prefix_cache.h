/* Are prompts that begin alike served from a cache? Asked by one prompt that is sent twice: the second answer's usage tells how many of its
 * tokens were cached, where the server tells such things. */
#ifndef ROIBENCH_PROBE_PREFIX_CACHE_H
#define ROIBENCH_PROBE_PREFIX_CACHE_H

#include "probe/server.h"

/* Two requests for one token, with a prompt of some 600 tokens, or as many as fit. server: as identify_server found it so far. A server that
 * refuses them, or gives no prompt_tokens_details.cached_tokens: CACHING_UNKNOWN. */
enum caching prefix_cache_ask(const struct probe *probe, const char *model, const struct server_identity *server);

#endif
