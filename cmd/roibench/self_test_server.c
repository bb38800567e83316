#include "cmd/roibench/self_test_server.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/stop.h"
#include "base/thread.h"
#include "serve/preset.h"
#include "serve/simulator.h"
#include "serve/simulator_truth.h"

struct self_test_server {
    struct simulator *simulator;
    char *url;
    pthread_t thread;
    bool running;
    stop_flag stop;
    int status;          /* of simulator_run, and why */
    struct error failure;
    struct self_test_sight *truth; /* the thread's, until it was stopped */
    size_t count, capacity;
};

static void note_truth(void *context, const struct truth_request *request)
{
    struct self_test_server *server = context;
    if (request->first_sent == TIME_NEVER)
        return;
    MEM_GROW(server->truth, server->capacity, server->count + 1);
    server->truth[server->count++] = (struct self_test_sight){
        .key = self_test_key(request->prompt_tokens, request->tokens), .request = request->arrived, .token = request->first_sent,
    };
}

static void *serve(void *context)
{
    struct self_test_server *server = context;
    server->status = simulator_run(server->simulator, &server->stop, &server->failure);
    return NULL;
}

static int start_thread(struct self_test_server *server, struct error *err)
{
    int status = thread_start(&server->thread, serve, server);
    server->running = status == 0;
    return status == 0 ? 0 : error_set(err, ERROR_INTERNAL, "cannot start the simulator's thread: %s", strerror(status));
}

struct self_test_server *self_test_server_start(const struct clock *clock, int64_t step_ns, struct error *err)
{
    struct self_test_server *server = mem_alloc(sizeof *server);
    const struct preset *instant = preset_find("instant");
    struct simulator_settings settings = {
        .listen = "127.0.0.1:0",
        .model = SELF_TEST_MODEL,
        .preset = instant->name,
        .time_scale = 1,
        .scheduler = instant->scheduler,
        .max_model_len = instant->max_model_len,
        .stream_interval = 1,
        .seed = 1,
        .request_ended = note_truth,
        .context = server,
        .clock = clock,
    };
    settings.scheduler.cost.base = (double)step_ns;
    server->simulator = simulator_new(&settings, err);
    if (!server->simulator || start_thread(server, err) < 0) {
        self_test_server_free(server);
        return NULL;
    }
    server->url = mem_printf("http://%s/v1/chat/completions", simulator_address(server->simulator));
    return server;
}

const char *self_test_server_url(const struct self_test_server *server)
{
    return server->url;
}

int64_t self_test_server_cpu_ns(const struct self_test_server *server)
{
    clockid_t clock;
    struct timespec time;
    if (pthread_getcpuclockid(server->thread, &clock) != 0 || clock_gettime(clock, &time) < 0)
        return -1;
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

int self_test_server_stop(struct self_test_server *server, struct error *err)
{
    server->stop = 1;
    pthread_join(server->thread, NULL);
    server->running = false;
    if (server->status < 0)
        *err = server->failure;
    return server->status;
}

struct self_test_sight *self_test_server_truth(const struct self_test_server *server, size_t *count)
{
    *count = server->count;
    return server->truth;
}

void self_test_server_free(struct self_test_server *server)
{
    struct error ignored;
    if (!server)
        return;
    if (server->running)
        self_test_server_stop(server, &ignored);
    simulator_free(server->simulator);
    free(server->url);
    free(server->truth);
    free(server);
}
