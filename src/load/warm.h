/* Opens a worker's connections before a level's first request, so that no request has to wait for TCP and TLS. Private to the load layer.
 *
 * Each is opened by a small GET, all at once: what answers at the same time needs a connection of its own, which the transport keeps. */
#ifndef ROIBENCH_LOAD_WARM_H
#define ROIBENCH_LOAD_WARM_H

#include "load/level.h"

struct warm {
    struct worker *worker;
    struct share share;  /* in: connections are numbered as streams are, and go to the targets that these will */
    int64_t connections; /* wanted; in: 0 or more */
    int64_t warmed;      /* out: so many GETs were answered */
};

/* On the worker's thread; at most WARM_SECONDS. Failures are the level's to tell: it will meet them too. */
#define WARM_SECONDS 10
void warm_connections(struct warm *warm);

#endif
