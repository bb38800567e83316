/* What every libcurl handle of the program needs: TLS roots, headers, limits. Inside net only.
 *
 * Roots are read once, on the first TLS connection (a program that speaks http
 * to its pod never reads them), and shared by all handles of one net_setup. */
#ifndef ROIBENCH_NET_CURL_SETUP_H
#define ROIBENCH_NET_CURL_SETUP_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/error.h"
#include "net/http_client.h"

struct net_setup;

/* Copies the settings. Fails (ERROR_USAGE) when ca_file holds no certificate or the key is no header text. */
struct net_setup *net_setup_new(const struct net_settings *settings, struct error *err);
/* After the last handle it was applied to. */
void net_setup_free(struct net_setup *setup);

/* Sets the common options of a new or reset handle; setup must outlive it. */
void net_setup_apply(struct net_setup *setup, CURL *easy);

/* Authorization, Content-Type (NULL: none, not even one of libcurl's own), `more`; without expect: no waiting for "100 Continue".
 * curl_slist_free_all it. */
struct curl_slist *net_setup_headers(const struct net_setup *setup, const char *content_type, const char *const *more, size_t more_count,
                                     bool expect);

#endif
