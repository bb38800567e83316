/* What every probe needs: the target, a client, a clock. */
#ifndef ROIBENCH_PROBE_SERVER_H
#define ROIBENCH_PROBE_SERVER_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stop.h"
#include "net/http_client.h"
#include "plan/plan.h"

#define PROBE_TIMEOUT_NS (120 * NS_PER_S) /* of one probe: a cold server compiles at its first request */

struct probe {
    struct http_client *client;
    const struct clock *clock;
    const struct log *log;
    const char *target;  /* ".../v1"; ready_wait changes it where a redirect is followed */
    enum endpoint endpoint;
    const stop_flag *stop;
    bool has_secrets;    /* the client sends a key or headers of the user's, which are for `target` alone */
    struct arena *moves; /* redirects are followed, and the text of new targets goes here; NULL: they are not (probe/redirect.h) */
    int moved;           /* so many were followed, */
    const char *moved_from; /* from this target; NULL: none */
};

/* "<target><path>" */
char *probe_url(const struct probe *probe, const char *path);

/* *err from an answer that is not 200: ERROR_TARGET with the server's own words; for 401 and 403 what to do. Returns -1. */
int probe_refused(const char *what, const char *url, const struct http_response *response, struct error *err);

#endif
