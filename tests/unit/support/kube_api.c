#include "support/kube_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#define BODY_MAX ((size_t)4 << 20)

static struct kube_answer *find_answer(struct kube_api *api, const char *request)
{
    const char *path = strchr(request, ' ');
    for (struct kube_answer *answer = api->answers; path && answer->path; answer++) {
        size_t length = strlen(answer->path);
        if (strncmp(path + 1, answer->path, length) == 0 && path[1 + length] == ' ' && answer->turns >= 0)
            return answer;
    }
    return NULL;
}

static void answer_request(struct kube_api *api, int fd)
{
    struct kube_answer *answer = find_answer(api, tiny_server_request(api->server));
    const char *body = answer ? answer->body : "{\"kind\":\"Status\",\"message\":\"not found\"}";
    cleanup_buf struct buf file = BUF_INIT(BODY_MAX);
    if (strncmp(body, "tests/", 6) == 0 && file_read(body, &file, ERROR_INTERNAL, NULL) < 0)
        abort();
    body = file.len > 0 ? buf_text(&file) : body;
    cleanup_free char *response = mem_printf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                                             answer ? answer->status : 404, answer && answer->headers ? answer->headers : "", strlen(body), body);
    api->asked++; /* before the answer, which is what the test waits for */
    if (answer && answer->turns > 0 && --answer->turns == 0)
        answer->turns = -1; /* used up */
    tiny_send(fd, response);
}

static void serve(struct tiny_server *server, void *context)
{
    struct kube_api *api = context;
    int fd;
    while ((fd = tiny_accept(server)) >= 0) {
        if (tiny_keep_request(server, fd))
            answer_request(api, fd);
        tiny_close(fd);
    }
}

void kube_api_start(struct kube_api *api, const struct kube_answer *answers, size_t count)
{
    *api = (struct kube_api){.time = {.now = NS_PER_S}};
    memcpy(api->answers, answers, count * sizeof *answers);
    api->clock = clock_fake_clock(&api->time);
    api->server = tiny_server_start(serve, api);
    const struct kube_settings settings = {.url = tiny_server_url(api->server), .clock = &api->clock, .stop = &api->stop};
    api->client = kube_client_new(&settings, &api->err);
    if (!api->client)
        abort();
}

void kube_api_stop(struct kube_api *api)
{
    kube_client_free(api->client);
    tiny_server_stop(api->server);
}
