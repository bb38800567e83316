/* Waits until a target serves its model.
 *
 * Waited for, with a pause that grows from 0.1 s to 5 s: no address, no connection, 404, 429 and 5xx (a gateway in
 * front of a pod that starts), an empty list of models, a list without the model while /health says 503. Not waited for: 401
 * and 403, a TLS failure, a 404 of a URL that does not end in /v1 (it is the wrong one), a redirect that is not followed
 * (probe/redirect.h), and a model that is not among those that a healthy server has: they are listed. */
#ifndef ROIBENCH_PROBE_READY_H
#define ROIBENCH_PROBE_READY_H

#include "probe/server.h"
#include "wire/openai.h"

/* model NULL: the only one there is. *models (openai_models_free) and *index are filled: the one to use. ERROR_TARGET at the end of
 * wait_ns (wall time), naming URL, last error, number of tries; ERROR_USAGE when several models are there and none was named.
 * probe->target may be another one afterwards: where redirects led. */
int ready_wait(struct probe *probe, const char *model, int64_t wait_ns, struct openai_models *models, size_t *index,
               struct error *err);

#endif
