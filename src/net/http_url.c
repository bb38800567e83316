#include <curl/curl.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "net/resolve.h"

#define URL_MAX 8192

CLEANUP_DEFINE(CURLU, curl_url_cleanup)

static void http_url_free_part(char **part)
{
    curl_free(*part);
}
#define cleanup_part __attribute__((cleanup(http_url_free_part)))

char *http_url_redacted(const char *url)
{
    const char *scheme_end = strstr(url, "://");
    const char *authority = scheme_end && scheme_end < url + strcspn(url, "/?#") + 1 ? scheme_end + 3 : url;
    const char *path = authority + strcspn(authority, "/?#");
    const char *host = authority;

    for (const char *c = authority; c < path; c++)
        if (*c == '@')
            host = c + 1;
    return mem_printf("%.*s%.*s", (int)(authority - url), url, (int)strcspn(host, "?#"), host);
}

bool http_url_ends_in_v1(const char *url)
{
    const size_t length = strlen(url);

    return length >= 3 && strcmp(url + length - 3, "/v1") == 0;
}

bool http_url_is_https(const char *url)
{
    return strncasecmp(url, "https://", strlen("https://")) == 0;
}

/* "http://H/x" -> "h:80", https on its usual port too. */
static char *http_url_host_and_port(const char *url)
{
    cleanup_with(curl_url_cleanup) CURLU *parts = curl_url();
    cleanup_part char *host = NULL;
    cleanup_part char *port = NULL;

    if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK || curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return mem_strdup("");
    curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);

    const bool usual = strcmp(port, http_url_is_https(url) ? "443" : "80") == 0;

    return mem_printf("%s:%s", host, usual ? "80" : port);
}

bool http_url_same_host(const char *a, const char *b)
{
    cleanup_free char *first = http_url_host_and_port(a);
    cleanup_free char *second = http_url_host_and_port(b);

    return *first && strcasecmp(first, second) == 0;
}

char *http_url_resolve(const char *base, const char *location)
{
    cleanup_with(curl_url_cleanup) CURLU *parts = curl_url();
    cleanup_part char *url = NULL;

    for (const unsigned char *c = (const unsigned char *)location; *c; c++)
        if (*c <= ' ' || *c == 0x7F)
            return NULL;
    if (curl_url_set(parts, CURLUPART_URL, base, 0) != CURLUE_OK || curl_url_set(parts, CURLUPART_URL, location, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_URL, &url, 0) != CURLUE_OK || http_url_check(url, NULL) < 0)
        return NULL;
    return mem_strdup(url);
}

char *http_url_beside(const char *target, const char *path)
{
    const size_t length = strlen(target) - (http_url_ends_in_v1(target) ? 3 : 0);

    return mem_printf("%.*s%s", (int)length, target, path);
}

static int http_url_check_parts(CURLU *parts, const char *shown, struct error *err)
{
    cleanup_part char *scheme = NULL;
    cleanup_part char *user = NULL;
    cleanup_part char *host = NULL;

    curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    curl_url_get(parts, CURLUPART_HOST, &host, 0);
    if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        return error_set(err, ERROR_USAGE, "%s: expected a URL that begins with http:// or https://", shown);
    if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK)
        return error_set(err, ERROR_USAGE, "%s: a user name in the URL is not supported; give a key or a header by its own option", shown);
    if (!host || !*host)
        return error_set(err, ERROR_USAGE, "%s: the URL names no host", shown);
    return 0;
}

int http_url_check(const char *url, struct error *err)
{
    cleanup_free char *shown = http_url_redacted(url);

    for (const unsigned char *c = (const unsigned char *)url; *c; c++)
        if (*c <= ' ' || *c == 0x7F)
            return error_set(err, ERROR_USAGE, "'%.200s': a URL holds no spaces or control characters", shown);
    if (strlen(url) > URL_MAX)
        return error_set(err, ERROR_USAGE, "%.100s...: the URL is longer than %d bytes", shown, URL_MAX);

    const char *authority = strstr(url, "://");

    if (!authority || (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0))
        return error_set(err, ERROR_USAGE, "'%s': expected a URL that begins with http:// or https://", shown);
    if (strchr("/?#", authority[3])) /* the end of the text, too; libcurl takes "http:///x" for http://x */
        return error_set(err, ERROR_USAGE, "%s: the URL names no host", shown);

    cleanup_with(curl_url_cleanup) CURLU *parts = curl_url();
    const CURLUcode code = curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);

    if (code != CURLUE_OK)
        return error_set(err, ERROR_USAGE, "%s: not a URL: %s", shown, curl_url_strerror(code));
    return http_url_check_parts(parts, shown, err);
}

/* "host:port:addresses": a host that is looked up is a name, without colons. */
int http_url_look_up(const char *url, struct buf *addresses, struct error *err)
{
    struct curl_slist *pinned = NULL;
    const int status = resolve_pin(url, &pinned, err);

    if (status == 0 && pinned)
        buf_append_text(addresses, strchr(strchr(pinned->data, ':') + 1, ':') + 1);
    else if (status == 0)
        buf_append_text(addresses, "an address");
    curl_slist_free_all(pinned);
    return status;
}
