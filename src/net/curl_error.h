/* What a CURLcode means in the program's own classes (transport.h). Inside net only.
 *
 * libcurl's codes alone do not tell a broken chunk from a broken connection, nor
 * a full table of ports from a refused connection: its text and the errno of the
 * socket call decide there. */
#ifndef ROIBENCH_NET_CURL_ERROR_H
#define ROIBENCH_NET_CURL_ERROR_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/transport.h"

struct net_failure {
    CURLcode code;
    long errno_value;  /* CURLINFO_OS_ERRNO or that of socket(2); 0: unknown */
    bool sent;         /* the request had begun to be written */
    const char *text;  /* CURLOPT_ERRORBUFFER; may be "" */
    const char *url;   /* that was asked for; NULL: unknown */
};

/* CURLE_OK gives TRANSPORT_OK. */
enum transport_result net_failure_class(const struct net_failure *failure);
/* "connection refused": what a person is told, without the URL; a proxy that did not let us connect is named. */
void net_failure_describe(const struct net_failure *failure, char *message, size_t size);

#endif
