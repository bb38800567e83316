#include "support/properties_registry.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "support/must.h"
#include "wire/docker_config.h"
#include "wire/http_challenge.h"

void property_http_challenge(const uint8_t *data, size_t size)
{
    static const char *const schemes[] = {"Bearer", "Basic"};
    cleanup_free char *header = mem_printf("%.*s", (int)size, size ? (const char *)data : "");
    struct http_challenge challenge;

    for (size_t k = 0; k < 2; k++) {
        const bool found = http_challenge_find(header, schemes[k], &challenge);

        must(found || (!*challenge.realm && !*challenge.service && !*challenge.scope && !*challenge.error));
        must(!found || strcasestr(header, schemes[k]) != NULL);
        must(strchr(header, '\\') != NULL || strstr(header, challenge.realm) != NULL);
        must(strlen(challenge.realm) < sizeof challenge.realm && strlen(challenge.scope) < sizeof challenge.scope);
    }
}

static bool is_line(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; c && *c; c++) {
        if (*c < ' ' || *c == 0x7F)
            return false;
    }
    return true;
}

void property_docker_config(const uint8_t *data, size_t size)
{
    struct registry_login login;
    struct error err = {.class = ERROR_NONE};
    const int found = docker_config_find((const char *)data, size, "config.json", "registry.example:5000", "team/results", &login, &err);

    must(found >= -1 && found <= 1 && (found < 0) == (err.class != ERROR_NONE));
    if (found == 1)
        must((login.user != NULL) == (login.password != NULL) && (login.user || login.identity_token || login.registry_token));
    if (found >= 0)
        must(is_line(login.user) && is_line(login.password) && is_line(login.identity_token) && is_line(login.registry_token));
    registry_login_free(&login);
}
