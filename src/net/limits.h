/* What the machine allows: connections need file descriptors and ports of their own. Inside net only. */
#ifndef ROIBENCH_NET_LIMITS_H
#define ROIBENCH_NET_LIMITS_H

#include <stddef.h>

#include "base/error.h"

/* Makes room for `streams` connections to one address at once: raises the process's soft limit of open files as far as they
 * need it, where the hard limit allows that. ERROR_INTERNAL when it does not, or there are fewer local ports than streams;
 * then the limit is left as it was. */
int limits_make_room(size_t streams, struct error *err);

#endif
