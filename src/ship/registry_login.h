/* Inside of ship/: where the credentials of a registry are found; ship/registry.h says in which order. */
#ifndef ROIBENCH_SHIP_REGISTRY_LOGIN_H
#define ROIBENCH_SHIP_REGISTRY_LOGIN_H

#include "base/error.h"
#include "ship/destination.h"
#include "ship/registry_place.h"
#include "wire/docker_config.h"

struct registry_credentials {
    struct registry_login login;
    char *found_in; /* the file that has them; NULL: there are none */
    char *helper;   /* "FILE names the program docker-credential-x": why there may be none; NULL */
};

/* No credentials are no error. ERROR_PUBLISH: a file is malformed, or was named and cannot be read. For registry_credentials_free in every case. */
int registry_credentials_find(const struct registry_place *place, const struct destination_settings *settings,
                              struct registry_credentials *credentials, struct error *err);
void registry_credentials_free(struct registry_credentials *credentials);

#endif
