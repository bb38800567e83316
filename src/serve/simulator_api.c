/* Routes, keys and the small answers. */
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "serve/simulator_state.h"

#define JSON_TYPE "application/json" /* of requests */
#define REQUEST_ID_MAX 200

void simulator_reply(const struct simulator *simulator, struct httpd_request *request, int status, const char *type, const void *body,
                     size_t length)
{
    simulator->dialect->headers(request, status, type);
    httpd_reply(request, status, body, length);
}

void simulator_reply_scratch(const struct simulator *simulator, struct httpd_request *request, int status)
{
    simulator_reply(simulator, request, status, simulator->dialect->json_type, simulator->scratch.data, simulator->scratch.len);
}

/* --- posts ------------------------------------------------------------------------------------- */

/* vLLM refuses every other type, before it looks at the body. */
static bool check_content_type(struct simulator *simulator, struct httpd_request *request)
{
    const char *type = httpd_header(request, "content-type");
    size_t length = type ? strcspn(type, "; \t") : 0;
    if (!simulator->dialect->json_only)
        return true;
    if (length == sizeof JSON_TYPE - 1 && strncasecmp(type, JSON_TYPE, length) == 0)
        return true;
    simulator_error(simulator, &simulator->scratch, 400, "Bad Request", NULL,
                    "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed");
    simulator->truth.refused++;
    simulator_reply_scratch(simulator, request, 400);
    return false;
}

static void generate(struct simulator *simulator, struct httpd_request *request, bool chat)
{
    size_t length;
    struct simulator_task task;
    if (!check_content_type(simulator, request))
        return;
    const char *body = httpd_body(request, &length);
    int status = simulator_task_read(simulator, chat, body, length, &task, &simulator->scratch);
    if (status) {
        simulator->truth.refused++;
        simulator_reply_scratch(simulator, request, status);
        return;
    }
    const char *id = httpd_header(request, "x-request-id");
    simulator_generate(simulator, request, &task, id && id[0] && strlen(id) <= REQUEST_ID_MAX ? id : NULL);
}

void simulator_answer_chat(struct simulator *simulator, struct httpd_request *request)
{
    generate(simulator, request, true);
}

void simulator_answer_completions(struct simulator *simulator, struct httpd_request *request)
{
    generate(simulator, request, false);
}

void simulator_answer_json(struct simulator *simulator, struct httpd_request *request,
                           int (*convert)(struct simulator *simulator, const char *body, size_t length, struct buf *reply))
{
    size_t length;
    if (!check_content_type(simulator, request))
        return;
    const char *body = httpd_body(request, &length);
    int status = convert(simulator, body, length, &simulator->scratch);
    simulator_reply_scratch(simulator, request, status ? status : 200);
}

/* --- the simulator's own ----------------------------------------------------------------------- */

void simulator_add_identity(const struct simulator *simulator, json_t *object)
{
    json_set_text(object, "preset", simulator->settings.preset);
    json_set_number(object, "time_scale", simulator->settings.time_scale);
}

static void answer_truth(struct simulator *simulator, struct httpd_request *request)
{
    json_t *document = json_object();
    json_set_text(document, "schema", "roibench/truth/v1");
    json_set_text(document, "model", simulator->settings.model);
    simulator_add_identity(simulator, document);
    json_set_integer(document, "uptime_ns", clock_now(simulator->settings.clock) - simulator->started);
    json_set_integer(document, "running", (int64_t)scheduler_running(simulator->scheduler));
    json_set_integer(document, "waiting", (int64_t)scheduler_waiting(simulator->scheduler));
    json_set_integer(document, "preemptions", scheduler_preemptions(simulator->scheduler));
    truth_write(&simulator->truth, document);
    truth_file_flush(simulator->truth.file);
    json_append_compact(document, &simulator->scratch);
    json_decref(document);
    simulator_reply_scratch(simulator, request, 200);
}

/* --- routes ------------------------------------------------------------------------------------ */

static const struct dialect_route own_routes[] = {
    {"/sim/truth", "GET", false, answer_truth},
    {"/sim/fault", NULL, false, simulator_fault_api},
    {NULL, NULL, false, NULL},
};

static const struct dialect_route *find_route(const struct dialect_route *routes, const char *path)
{
    for (const struct dialect_route *route = routes; route->path; route++)
        if (strcmp(route->path, path) == 0)
            return route;
    return NULL;
}

/* Takes as long for a key that is nearly right as for any other. */
static bool is_key(const char *given, const char *key)
{
    size_t length = strlen(key);
    unsigned difference = strlen(given) != length;
    for (size_t k = 0; k < length && given[k]; k++)
        difference |= (unsigned)(given[k] ^ key[k]);
    return difference == 0;
}

static bool is_allowed(const struct simulator *simulator, const struct httpd_request *request, const char *path)
{
    static const char bearer[] = "Bearer ";
    const char *key = simulator->settings.api_key, *given = httpd_header(request, "authorization");
    if (!key || find_route(own_routes, path) || simulator->dialect->is_open(path))
        return true;
    return given && strncasecmp(given, bearer, sizeof bearer - 1) == 0 && is_key(given + sizeof bearer - 1, key);
}

static bool is_ready(const struct simulator *simulator)
{
    int64_t now = clock_now(simulator->settings.clock);
    return now - simulator->started >= simulator->settings.ready_after && now >= simulator->loading_until;
}

void simulator_handle(void *context, struct httpd_request *request)
{
    struct simulator *simulator = context;
    const struct dialect *dialect = simulator->dialect;
    const char *path = httpd_path(request);
    const struct dialect_route *own = find_route(own_routes, path), *route = own ? own : find_route(dialect->routes, path);
    buf_reset(&simulator->scratch);
    if (simulator_fault_handle(simulator, request))
        return;
    if (!is_allowed(simulator, request, path)) {
        dialect->refuse(simulator, request, 401, NULL);
    } else if (!route) {
        dialect->refuse(simulator, request, 404, NULL);
    } else if (route->method && strcmp(httpd_method(request), route->method) != 0) {
        dialect->refuse(simulator, request, 405, route->method);
    } else if (route->needs_model && !is_ready(simulator)) {
        simulator_error(simulator, &simulator->scratch, 503, "Service Unavailable", NULL, "The model is still being loaded.");
        simulator->truth.refused += strcmp(httpd_method(request), "POST") == 0;
        simulator_reply_scratch(simulator, request, 503);
    } else {
        route->answer(simulator, request);
    }
}
