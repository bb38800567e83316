/* An API of Kubernetes that answers what a test wrote down, request by request: method and path, status, headers, body. */
#ifndef ROIBENCH_TESTS_KUBE_API_H
#define ROIBENCH_TESTS_KUBE_API_H

#include "base/stop.h"
#include "kube/client.h"
#include "support/tiny_server.h"

/* The first row whose path is the request's, with its query, and whose turns are not used up. A body that begins with "tests/" is a file. */
struct kube_answer {
    const char *path;
    int status;
    const char *body;
    int turns;           /* 0: always */
    const char *headers; /* "Retry-After: 1\r\n"; NULL none */
};

#define KUBE_ANSWERS_MAX 16

struct kube_api {
    struct kube_answer answers[KUBE_ANSWERS_MAX];
    int asked;
    struct tiny_server *server;
    struct clock_fake time;
    struct clock clock;
    struct kube_client *client; /* without a token */
    stop_flag stop;
    struct error err;
};

/* Starts it; what has no row is 404. */
void kube_api_start(struct kube_api *api, const struct kube_answer *answers, size_t count);
void kube_api_stop(struct kube_api *api);

#define KUBE_API_START(api, ...)                                                              \
    do {                                                                                      \
        const struct kube_answer kube_answers[] = {__VA_ARGS__};                              \
        kube_api_start((api), kube_answers, sizeof kube_answers / sizeof kube_answers[0]);    \
    } while (0)

#endif
