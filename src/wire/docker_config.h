/* Credentials of container registries as their tools keep them: Docker's config.json, a Secret of type kubernetes.io/dockerconfigjson, and
 * auth.json of Podman, Buildah and Skopeo (containers-auth.json(5)).
 *
 *     {"auths": {"registry.example:5000": {"auth": "<base64 of user:password>"}, "quay.example/team": {…}}, "credHelpers": {…}, "credsStore": "…"}
 *
 * Keys are a host, a host with the begin of a repository, or Docker's older "https://host/v1/"; the longest that fits is taken. Values hold `auth`,
 * or `username` and `password`, or `identitytoken` (an OAuth 2 refresh token), or `registrytoken` (a bearer token as it is). */
#ifndef ROIBENCH_WIRE_DOCKER_CONFIG_H
#define ROIBENCH_WIRE_DOCKER_CONFIG_H

#include <stddef.h>

#include "base/error.h"

#define DOCKER_CONFIG_MAX ((size_t)4 << 20) /* bytes of such a file */

struct registry_login {
    char *user, *password; /* both or none */
    char *identity_token, *registry_token;
    char *helper; /* the program that would be asked for what is not in the file: "docker-credential-<this>"; NULL: none is named */
};

/* What the file has for this registry ("host" or "host:port") and repository ("team/results"): 1; 0: nothing (helper may be set); -1 with *err
 * (ERROR_USAGE): it is malformed; the text holds nothing of its values. login must be given to registry_login_free in every case. */
int docker_config_find(const char *bytes, size_t length, const char *file, const char *registry, const char *repository,
                       struct registry_login *login, struct error *err);
/* Overwrites what was secret. */
void registry_login_free(struct registry_login *login);

#endif
