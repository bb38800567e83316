#include "net/curl_setup.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"

#ifndef ROIBENCH_VERSION
#define ROIBENCH_VERSION "unknown"
#endif

/* Where distributions keep their bundle: Debian, Fedora and RHEL, RHEL's extracted one, SUSE, Alpine. */
static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

/* What Kubernetes and OpenShift mount into a pod: the CA of the cluster, that of its services. */
static const char *const pod_bundles[] = {
    "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
    "/var/run/secrets/kubernetes.io/serviceaccount/service-ca.crt",
};

#define DNS_SECONDS 2L /* libcurl keeps addresses for a minute otherwise: too long for a pod that moved */
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct net_setup {
    char *ca_environment;
    char *authorization; /* the whole header; NULL: none */
    char *user_agent;
    struct curl_slist *headers; /* the user's own */
    bool insecure;
    X509_STORE *roots;   /* NULL: not read yet */
};

/* ---- roots ---- */

static X509_STORE *net_setup_new_store(void)
{
    X509_STORE *store = X509_STORE_new();

    if (!store)
        abort();
    /* as libcurl does: an intermediate or a server's own certificate may be the root */
    X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    return store;
}

static bool net_setup_add_roots(X509_STORE *store, const char *path)
{
    const bool loaded = X509_STORE_load_file(store, path) == 1;

    ERR_clear_error();
    return loaded;
}

static void net_setup_find_roots(struct net_setup *setup)
{
    bool found = setup->ca_environment && net_setup_add_roots(setup->roots, setup->ca_environment);

    for (size_t i = 0; i < COUNT(system_bundles) && !found; i++)
        found = net_setup_add_roots(setup->roots, system_bundles[i]);
    for (size_t i = 0; i < COUNT(pod_bundles); i++)
        net_setup_add_roots(setup->roots, pod_bundles[i]);
}

static CURLcode net_setup_give_roots(CURL *easy, void *context, void *user)
{
    struct net_setup *setup = user;

    (void)easy;
    if (setup->insecure)
        return CURLE_OK;
    if (!setup->roots) {
        setup->roots = net_setup_new_store();
        net_setup_find_roots(setup);
    }
    SSL_CTX_set1_cert_store(context, setup->roots);
    return CURLE_OK;
}

/* ---- construction ---- */

static bool net_setup_is_header_text(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7F)
            return false;
    return *text != '\0';
}

static int net_setup_read_ca_file(struct net_setup *setup, const char *path, struct error *err)
{
    if (!path)
        return 0;
    setup->roots = net_setup_new_store();
    if (net_setup_add_roots(setup->roots, path))
        return 0;
    return error_set(err, ERROR_USAGE, "cannot read certificates from %s: expected a file of PEM certificates", path);
}

size_t net_header_name_length(const char *header)
{
    return strcspn(header, ":");
}

/* RFC 9110, 5.6.2: what names are made of. */
static bool net_setup_is_token(const char *text, size_t length)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t k = 0; k < length; k++)
        if (!isalnum((unsigned char)text[k]) && !strchr(marks, text[k]))
            return false;
    return length > 0;
}

int net_header_check(const char *header, struct error *err)
{
    static const char *const ours[] = {"Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Expect", "Accept", "TE",
                                       "Upgrade"};
    const size_t length = net_header_name_length(header);

    if (header[length] != ':' || !net_setup_is_token(header, length))
        return error_set(err, ERROR_USAGE, "a header is 'Name: value', and a name has letters, digits and -");
    if (!net_setup_is_header_text(header) || strspn(header + length + 1, " ") == strlen(header + length + 1))
        return error_set(err, ERROR_USAGE, "the header %.*s has no value, or one with a line break or control character", (int)length, header);
    for (size_t k = 0; k < COUNT(ours); k++)
        if (strlen(ours[k]) == length && strncasecmp(header, ours[k], length) == 0)
            return error_set(err, ERROR_USAGE, "the header %s is not the user's to set", ours[k]);
    return 0;
}

static struct curl_slist *net_setup_append(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);

    if (!longer)
        abort();
    return longer;
}

static int net_setup_take_headers(struct net_setup *setup, const struct net_settings *settings, struct error *err)
{
    for (size_t k = 0; k < settings->header_count; k++) {
        const char *header = settings->headers[k];

        if (net_header_check(header, err) < 0)
            return -1;
        if (setup->authorization && strncasecmp(header, "Authorization:", strlen("Authorization:")) == 0)
            return error_set(err, ERROR_USAGE, "an Authorization header and an API key are both given: which shall it be?");
        setup->headers = net_setup_append(setup->headers, header);
    }
    return 0;
}

struct net_setup *net_setup_new(const struct net_settings *settings, struct error *err)
{
    if (settings->api_key && !net_setup_is_header_text(settings->api_key)) {
        error_set(err, ERROR_USAGE, "the API key is empty or holds a line break or control character");
        return NULL;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        error_set(err, ERROR_INTERNAL, "cannot start libcurl");
        return NULL;
    }

    struct net_setup *setup = mem_alloc(sizeof *setup);

    setup->ca_environment = settings->ca_environment && *settings->ca_environment ? mem_strdup(settings->ca_environment) : NULL;
    setup->authorization = settings->api_key ? mem_printf("Authorization: Bearer %s", settings->api_key) : NULL;
    setup->user_agent = mem_strdup(settings->user_agent ? settings->user_agent : "roibench/" ROIBENCH_VERSION);
    setup->insecure = settings->insecure;
    if (net_setup_read_ca_file(setup, settings->ca_file, err) < 0 || net_setup_take_headers(setup, settings, err) < 0) {
        net_setup_free(setup);
        return NULL;
    }
    return setup;
}

void net_setup_free(struct net_setup *setup)
{
    if (!setup)
        return;
    X509_STORE_free(setup->roots);
    free(setup->ca_environment);
    free(setup->authorization);
    free(setup->user_agent);
    curl_slist_free_all(setup->headers);
    free(setup);
    curl_global_cleanup();
}

/* ---- handles ---- */

void net_setup_apply(struct net_setup *setup, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, DNS_SECONDS); /* what is pinned stays (net/resolve.h) */
    curl_easy_setopt(easy, CURLOPT_USERAGENT, setup->user_agent);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, setup->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, setup->insecure ? 0L : 2L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL); /* ours come by the callback, read once */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, net_setup_give_roots);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, setup);
}

struct curl_slist *net_setup_headers(const struct net_setup *setup, const char *content_type, const char *const *more, size_t more_count,
                                     bool expect)
{
    struct curl_slist *list = NULL;

    if (setup->authorization)
        list = net_setup_append(list, setup->authorization);
    if (content_type) {
        cleanup_free char *line = mem_printf("Content-Type: %s", content_type);

        list = net_setup_append(list, line);
    } else {
        list = net_setup_append(list, "Content-Type:"); /* a POST without one would get that of a form */
    }
    for (size_t k = 0; k < more_count; k++)
        list = net_setup_append(list, more[k]);
    for (const struct curl_slist *own = setup->headers; own; own = own->next)
        list = net_setup_append(list, own->data);
    if (!expect)
        list = net_setup_append(list, "Expect:");
    return list;
}
