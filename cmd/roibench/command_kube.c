#include "cmd/roibench/command_kube.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

bool command_kube_is_on(const struct options *options)
{
    return strcmp(options_text(options, "kube"), "on") == 0;
}

static int open_client(const struct app *app, const char *url, const char *account, struct kube_client **client, struct error *err)
{
    bool secure = strncmp(url, "https:", 6) == 0; /* a token never travels in the clear */
    cleanup_free char *token = file_join(account, "token"), *ca_file = file_join(account, "ca.crt");
    bool has_token = secure && file_exists(token), has_ca = secure && file_exists(ca_file);
    if (has_token && !has_ca)
        return error_set(err, ERROR_USAGE, "%s is not there: a token goes to no server but one that the account's own CA vouches for", ca_file);
    const struct kube_settings settings = {
        .url = url,
        .token_file = has_token ? token : NULL,
        .ca_file = has_ca ? ca_file : NULL,
        .clock = app->clock,
        .stop = app->stop,
    };
    *client = kube_client_new(&settings, err);
    return *client ? 0 : -1;
}

int command_kube_open(const struct app *app, const struct options *options, struct kube_client **client, struct error *err)
{
    const char *account = options_text(options, "kube-account"), *given = options_text(options, "kube-api");
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    cleanup_free char *token = file_join(account, "token");
    *client = NULL;
    if (strcmp(options_text(options, "kube"), "off") == 0)
        return 0;
    bool in_pod = host && host[0] && file_exists(token);
    if (!given && !in_pod && command_kube_is_on(options))
        return error_set(err, ERROR_USAGE, "--kube on: this is no pod with a service account (KUBERNETES_SERVICE_HOST is %s, %s is %s). --kube-api URL "
                         "names an API, such as that of kubectl proxy", host && host[0] ? "set" : "not set", token, file_exists(token) ? "there" : "not there");
    if (!given && !in_pod)
        return 0;
    cleanup_free char *url = given ? mem_strdup(given) : kube_url(host, port && port[0] ? port : "443");
    while (strlen(url) > 0 && url[strlen(url) - 1] == '/')
        url[strlen(url) - 1] = '\0';
    if (open_client(app, url, account, client, err) == 0)
        return 0;
    if (given || command_kube_is_on(options))
        return error_wrap(err, given ? "--kube-api" : "--kube on");
    log_warning(&app->log, "Kubernetes is not asked: %s", err->text);
    return 0;
}
