#include "net/curl_error.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NET_HOST_SIZE 256 /* of a name; the format below says 255 */

/* Our own machine has run out of something. */
static bool net_failure_is_local(long errno_value)
{
    switch (errno_value) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL: /* no ephemeral port is left */
    case EADDRINUSE:
    case EACCES:
    case EPERM:
        return true;
    default:
        return false;
    }
}

static bool net_failure_says(const struct net_failure *failure, const char *words)
{
    return strstr(failure->text, words) != NULL;
}

/* The connection broke while the response was awaited or read; before the request, it was a proxy's that refused the tunnel. */
static enum transport_result net_failure_receive_class(const struct net_failure *failure)
{
    if (!failure->sent)
        return TRANSPORT_CONNECT;
    if (net_failure_says(failure, "chunked") || net_failure_says(failure, "Too large response headers"))
        return TRANSPORT_PROTOCOL;
    return TRANSPORT_RESET;
}

/* In the middle of the handshake: the peer hung up, or it and we do not agree. */
static enum transport_result net_failure_handshake_class(const struct net_failure *failure)
{
    return net_failure_says(failure, "SSL_ERROR_SYSCALL") || net_failure_says(failure, "reset by peer") ? TRANSPORT_CONNECT
                                                                                                       : TRANSPORT_TLS;
}

/* Of the environment; libcurl's text repeats it with the proxy's password, so it is not to be shown. */
static bool net_failure_is_proxy_url(const struct net_failure *failure)
{
    return net_failure_says(failure, "Unsupported proxy");
}

enum transport_result net_failure_class(const struct net_failure *failure)
{
    if (net_failure_is_proxy_url(failure))
        return TRANSPORT_LOCAL;
    switch (failure->code) {
    case CURLE_OK:
        return TRANSPORT_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return TRANSPORT_DNS;
    case CURLE_COULDNT_CONNECT:
        return net_failure_is_local(failure->errno_value) ? TRANSPORT_LOCAL : TRANSPORT_CONNECT;
    case CURLE_PROXY:
        return TRANSPORT_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
        return net_failure_handshake_class(failure);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_USE_SSL_FAILED:
        return TRANSPORT_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return failure->sent ? TRANSPORT_TIMEOUT : TRANSPORT_CONNECT;
    case CURLE_SEND_ERROR:
        return failure->sent ? TRANSPORT_RESET : TRANSPORT_CONNECT;
    case CURLE_GOT_NOTHING:
    case CURLE_SSL_SHUTDOWN_FAILED:
        return TRANSPORT_RESET;
    case CURLE_RECV_ERROR:
        return net_failure_receive_class(failure);
    case CURLE_PARTIAL_FILE:
        return TRANSPORT_TRUNCATED;
    case CURLE_ABORTED_BY_CALLBACK:
        return TRANSPORT_CANCELLED;
    case CURLE_FAILED_INIT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_READ_ERROR:
        return TRANSPORT_LOCAL;
    case CURLE_OUT_OF_MEMORY: /* also libcurl's word for a header line beyond 100 kB */
        return failure->sent ? TRANSPORT_PROTOCOL : TRANSPORT_LOCAL;
    default:
        return TRANSPORT_PROTOCOL;
    }
}

/* Does the URL, from its host on, name this host and port? */
static bool net_failure_is_target(const char *from_host, const char *usual_port, const char *host, const char *port)
{
    const size_t length = strlen(host), digits = strlen(port);
    const char *behind = from_host + length;

    if (strncasecmp(from_host, host, length) != 0 || !strchr(":/?#]", *behind))
        return false;
    behind += *behind == ']'; /* of an IPv6 address */
    if (*behind != ':')
        return strcmp(port, usual_port) == 0;
    return strncmp(behind + 1, port, digits) == 0 && !isdigit((unsigned char)behind[1 + digits]);
}

/* libcurl's "Failed to connect to HOST port PORT ..." names whom it tried: when that is not the URL's host and port, it is a proxy. */
static void net_failure_name_proxy(const struct net_failure *failure, char *message, size_t size)
{
    static const char said[] = "Failed to connect to ";
    const char *host = strstr(failure->text, said), *wanted = failure->url ? strstr(failure->url, "://") : NULL;
    char tried[NET_HOST_SIZE], port[8];

    if (!host || !wanted || sscanf(host + strlen(said), "%255s port %7[0-9]", tried, port) != 2)
        return;

    const size_t end = strlen(message);
    const char *usual = strncasecmp(failure->url, "https:", strlen("https:")) == 0 ? "443" : "80";

    if (net_failure_is_target(wanted + 3 + (wanted[3] == '['), usual, tried, port))
        return;
    snprintf(message + end, size - end, " (through the proxy %s:%s)", tried, port);
}

/* What is wrong with a certificate decides what can be done; a CA helps only where none is known. */
static const char *net_failure_certificate_advice(const struct net_failure *failure)
{
    if (net_failure_says(failure, "has expired"))
        return "it, or one that it is signed with, must be renewed: no CA helps";
    if (net_failure_says(failure, "not yet valid"))
        return "is this machine's clock right?";
    if (net_failure_says(failure, "subject name"))
        return "it is another host's: use a name that it was made for";
    return "if its CA is a private one, give it by --cacert";
}

void net_failure_describe(const struct net_failure *failure, char *message, size_t size)
{
    char reason[128];
    const bool connecting = failure->code == CURLE_COULDNT_CONNECT;
    const bool plain = failure->code == CURLE_SSL_CONNECT_ERROR && net_failure_says(failure, "wrong version number");

    const bool of_proxy = plain && failure->url && strncasecmp(failure->url, "http:", strlen("http:")) == 0;

    if (net_failure_is_proxy_url(failure))
        snprintf(message, size, "the proxy of the environment (http_proxy, https_proxy, all_proxy) is no URL that can be used: expected http://HOST:PORT");
    else if (of_proxy)
        snprintf(message, size, "the proxy of the environment (http_proxy, all_proxy) speaks plain HTTP, not TLS: is it http:// instead of https://?");
    else if (plain)
        snprintf(message, size, "the server speaks plain HTTP, not TLS: is it http:// instead of https://?");
    else if (connecting && failure->errno_value)
        snprintf(message, size, "%s", strerror_r((int)failure->errno_value, reason, sizeof reason));
    else
        snprintf(message, size, "%s", *failure->text ? failure->text : curl_easy_strerror(failure->code));
    if (size > 1 && isupper((unsigned char)message[0]) && islower((unsigned char)message[1]))
        message[0] = (char)tolower((unsigned char)message[0]);
    message[strcspn(message, "\r\n")] = '\0';
    if (connecting)
        net_failure_name_proxy(failure, message, size);
    if (failure->code == CURLE_PEER_FAILED_VERIFICATION) {
        const size_t length = strlen(message);

        snprintf(message + length, size - length, "; %s", net_failure_certificate_advice(failure));
    }
}
