#include "net/curl_setup.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

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
    if (net_setup_read_ca_file(setup, settings->ca_file, err) < 0) {
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
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL); /* ours come by the callback, read once */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, net_setup_give_roots);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, setup);
}

static struct curl_slist *net_setup_append(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);

    if (!longer)
        abort();
    return longer;
}

struct curl_slist *net_setup_headers(const struct net_setup *setup, const char *content_type, bool expect)
{
    struct curl_slist *list = NULL;

    if (setup->authorization)
        list = net_setup_append(list, setup->authorization);
    if (content_type) {
        cleanup_free char *line = mem_printf("Content-Type: %s", content_type);

        list = net_setup_append(list, line);
    }
    if (!expect)
        list = net_setup_append(list, "Expect:");
    return list;
}
