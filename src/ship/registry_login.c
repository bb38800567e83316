#include "ship/registry_login.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define ACCOUNT_TOKEN "/var/run/secrets/kubernetes.io/serviceaccount/token" /* the same in every pod */
#define ACCOUNT_TOKEN_MAX ((size_t)64 << 10)
#define OPENSHIFT_REGISTRY "image-registry.openshift-image-registry.svc"

void registry_credentials_free(struct registry_credentials *credentials)
{
    registry_login_free(&credentials->login);
    free(credentials->found_in);
    free(credentials->helper);
    *credentials = (struct registry_credentials){0};
}

static void forget(struct buf *secret)
{
    if (secret->data)
        OPENSSL_cleanse(secret->data, secret->cap);
    buf_free(secret);
}

/* 1: found; 0: not in this file, or there is no such file; -1. */
static int look_into(const char *path, const struct registry_place *place, struct registry_credentials *credentials, struct error *err)
{
    __attribute__((cleanup(forget))) struct buf text = BUF_INIT(DOCKER_CONFIG_MAX);

    if (!file_exists(path))
        return 0;
    if (file_read(path, &text, ERROR_PUBLISH, err) < 0)
        return -1;

    const int found = docker_config_find(buf_text(&text), text.len, path, place->host, place->repository, &credentials->login, err);

    if (found == 1)
        credentials->found_in = mem_strdup(path);
    else if (credentials->login.helper && !credentials->helper)
        credentials->helper = mem_printf("%s names the program docker-credential-%.64s for them", path, credentials->login.helper);
    if (found <= 0)
        registry_login_free(&credentials->login);
    return found;
}

/* "<value of variable><tail>" or, where it is not set, "<HOME><home_tail>"; NULL: neither is known. free() it. */
static char *usual_path(const struct destination_settings *settings, const char *variable, const char *tail, const char *home_tail)
{
    const char *value = settings->environment(variable);

    if (value && *value)
        return mem_printf("%s%s", value, tail);

    const char *home = home_tail ? settings->environment("HOME") : NULL;

    return home && *home ? mem_printf("%s%s", home, home_tail) : NULL;
}

static int look_into_usual(const struct registry_place *place, const struct destination_settings *settings,
                           struct registry_credentials *credentials, struct error *err)
{
    static const struct {
        const char *variable, *tail, *home_tail;
    } places[] = {
        {"DOCKER_CONFIG", "/config.json", "/.docker/config.json"},
        {"XDG_RUNTIME_DIR", "/containers/auth.json", NULL},
        {"XDG_CONFIG_HOME", "/containers/auth.json", "/.config/containers/auth.json"},
    };
    int found = 0;

    for (size_t k = 0; k < sizeof places / sizeof *places && found == 0; k++) {
        cleanup_free char *path = usual_path(settings, places[k].variable, places[k].tail, places[k].home_tail);

        if (path)
            found = look_into(path, place, credentials, err);
    }
    return found;
}

/* The registry inside of OpenShift takes any user name beside the token of an account. */
static int look_at_the_account(const struct registry_place *place, struct registry_credentials *credentials, struct error *err)
{
    const char *rest = strncmp(place->host, OPENSHIFT_REGISTRY, strlen(OPENSHIFT_REGISTRY)) == 0 ? place->host + strlen(OPENSHIFT_REGISTRY) : "no";
    __attribute__((cleanup(forget))) struct buf text = BUF_INIT(ACCOUNT_TOKEN_MAX);

    if (strncmp(rest, ".cluster.local", strlen(".cluster.local")) == 0)
        rest += strlen(".cluster.local");
    if ((*rest != ':' && *rest != '\0') || !http_url_is_https(place->base) || !file_exists(ACCOUNT_TOKEN))
        return 0;
    if (file_read(ACCOUNT_TOKEN, &text, ERROR_PUBLISH, err) < 0)
        return -1;
    credentials->login.user = mem_strdup("serviceaccount");
    credentials->login.password = mem_printf("%.*s", (int)strcspn(buf_text(&text), "\r\n"), buf_text(&text));
    credentials->found_in = mem_strdup(ACCOUNT_TOKEN);
    return 1;
}

int registry_credentials_find(const struct registry_place *place, const struct destination_settings *settings,
                              struct registry_credentials *credentials, struct error *err)
{
    *credentials = (struct registry_credentials){0};

    const char *named = settings->environment("REGISTRY_AUTH_FILE");
    int found = 0;

    if (named && *named) {
        if (!file_exists(named))
            return error_set(err, ERROR_PUBLISH, "REGISTRY_AUTH_FILE names %s, which is not there", named);
        found = look_into(named, place, credentials, err);
    }
    if (found == 0)
        found = look_into_usual(place, settings, credentials, err);
    if (found == 0)
        found = look_at_the_account(place, credentials, err);
    return found < 0 ? error_reclass(err, ERROR_PUBLISH) : 0;
}
