/* A host name looked up once, before the load: thousands of connections must not ask the resolver each. Inside net only. */
#ifndef ROIBENCH_NET_RESOLVE_H
#define ROIBENCH_NET_RESOLVE_H

#include <curl/curl.h>

#include "base/error.h"
#include "net/curl_setup.h"

/* Looks up the host of url and appends it to *pinned, a list for CURLOPT_RESOLVE (curl_slist_free_all it; a
 * host that is an address already adds nothing). TLS and the Host header keep the name. Blocks as long as getaddrinfo(3) does.
 * ERROR_TARGET when there is no such host, ERROR_USAGE when url is none. */
int resolve_pin(const char *url, struct curl_slist **pinned, struct error *err);
/* The list that takes the pin back: from then on libcurl looks the host up itself, on a thread of its own. NULL for a list of NULL. */
struct curl_slist *resolve_unpin(const struct curl_slist *pinned);

/* A name that only a proxy knows needs no look-up here: does libcurl, as setup and the environment have it, ask a proxy
 * for this URL? Looks up either the proxy's name or the URL's, and connects to neither. */
bool resolve_is_left_to_proxy(struct net_setup *setup, const char *url);

#endif
