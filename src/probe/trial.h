/* One streamed request, sent alone and read to its end: what the server can do, and how long it takes. */
#ifndef ROIBENCH_PROBE_TRIAL_H
#define ROIBENCH_PROBE_TRIAL_H

#include "probe/server.h"

struct trial {
    int status;                 /* HTTP; 0: no response */
    bool usage;                 /* some chunk had a usage */
    bool continuous_usage;      /* every chunk with a token before the last had one, which counted it */
    int64_t prompt_tokens, output_tokens; /* of the last usage; -1: none */
    int64_t e2e_ns;             /* wall time of the whole request */
};

/* Sends the JSON body to the probe's endpoint; the answer must be complete within timeout_ns. ERROR_TARGET with the server's own words
 * when it refuses, before or in the middle of the stream; *trial is filled as far as it came. */
int trial_send(const struct probe *probe, const char *body, size_t length, int64_t timeout_ns, struct trial *trial, struct error *err);

#endif
