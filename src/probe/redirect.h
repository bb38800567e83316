/* A target that answers "it is over there": what is measured must be named, and a key must not travel on. */
#ifndef ROIBENCH_PROBE_REDIRECT_H
#define ROIBENCH_PROBE_REDIRECT_H

#include "probe/server.h"

#define REDIRECTS_MAX 5

/* 301, 302, 303, 307 and 308. */
bool redirect_is(int status);

/* url: that of the list of models, which was answered by a redirect to response->location. Where the probe allows it, its target becomes the
 * root over there, and 0 comes back; it must be asked anew. Otherwise ERROR_TARGET with the location and what to give as --target: not
 * allowed, a location that is no list of models, more than REDIRECTS_MAX, a client with a key or headers of the user's that would go to another host
 * or without TLS where there was TLS. */
int redirect_follow(struct probe *probe, const char *url, const struct http_response *response, struct error *err);

#endif
