#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "net/http_client.h"

#define RESOLVE_LINE_MAX 8192 /* host, port and some hundred addresses */

CLEANUP_DEFINE(CURLU, curl_url_cleanup)
CLEANUP_DEFINE(CURL, curl_easy_cleanup)
CLEANUP_DEFINE(struct addrinfo, freeaddrinfo)

static void resolve_free_part(char **part)
{
    curl_free(*part);
}
#define cleanup_part __attribute__((cleanup(resolve_free_part)))

/* Appends ",address" of every address; those beyond the ceiling are left out. */
static void resolve_append_addresses(const struct addrinfo *list, struct buf *line)
{
    char address[NI_MAXHOST];
    bool first = true;

    for (; list; list = list->ai_next) {
        if (getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) != 0)
            continue;

        const bool bracket = list->ai_family == AF_INET6;

        buf_printf(line, "%s%s%s%s", first ? "" : ",", bracket ? "[" : "", address, bracket ? "]" : "");
        first = false;
    }
}

static int resolve_look_up(const char *host, const char *port, struct buf *line, struct error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    cleanup_with(freeaddrinfo) struct addrinfo *list = NULL;
    const int result = getaddrinfo(host, NULL, &hints, &list);

    if (result == EAI_SYSTEM)
        return error_set_errno(err, ERROR_TARGET, errno, "cannot look up the host %s", host);
    if (result != 0)
        return error_set(err, ERROR_TARGET, "cannot look up the host %s: %s. Is the name right, and does DNS answer here?", host,
                         gai_strerror(result));
    buf_printf(line, "%s:%s:", host, port);
    resolve_append_addresses(list, line);
    return 0;
}

static bool resolve_is_address(const char *host)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_flags = AI_NUMERICHOST};
    cleanup_with(freeaddrinfo) struct addrinfo *list = NULL;

    return host[0] == '[' || getaddrinfo(host, NULL, &hints, &list) == 0;
}

int resolve_pin(const char *url, struct curl_slist **pinned, struct error *err)
{
    cleanup_with(curl_url_cleanup) CURLU *parts = curl_url();
    cleanup_part char *host = NULL;
    cleanup_part char *port = NULL;
    cleanup_buf struct buf line = BUF_INIT(RESOLVE_LINE_MAX);

    if (http_url_check(url, err) < 0)
        return -1;
    if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK || curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return error_set(err, ERROR_USAGE, "%s: not a URL", url);
    if (resolve_is_address(host))
        return 0;
    if (resolve_look_up(host, port, &line, err) < 0)
        return -1;
    *pinned = curl_slist_append(*pinned, buf_text(&line));
    return 0;
}

/* "host:port:addresses" -> "-host:port". A host that is pinned is a name: its first two colons are these. */
struct curl_slist *resolve_unpin(const struct curl_slist *pinned)
{
    struct curl_slist *list = NULL;

    for (; pinned; pinned = pinned->next) {
        cleanup_buf struct buf line = BUF_INIT(RESOLVE_LINE_MAX);
        const char *port = strchr(pinned->data, ':') + 1;

        buf_printf(&line, "-%.*s", (int)(strcspn(port, ":") + (size_t)(port - pinned->data)), pinned->data);
        list = curl_slist_append(list, buf_text(&line));
    }
    return list;
}

static curl_socket_t resolve_refuse_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context, (void)purpose, (void)address;
    return CURL_SOCKET_BAD;
}

bool resolve_is_left_to_proxy(struct net_setup *setup, const char *url)
{
    cleanup_with(curl_easy_cleanup) CURL *easy = curl_easy_init();

    if (!easy)
        return false;
    net_setup_apply(setup, easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, resolve_refuse_socket);
    return curl_easy_perform(easy) == CURLE_COULDNT_CONNECT;
}
