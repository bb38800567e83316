#include "probe/kind.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "wire/promtext.h"

#define ASK_TIMEOUT_NS (10 * NS_PER_S)
#define NAME_MAX_BYTES 64 /* of a version or preset */

static const struct kind {
    const char *name;
    const char *owner;          /* "owned_by" of its models; NULL: says nothing */
    const char *metrics;        /* how the names of its metrics begin; NULL: it has none */
    const char *version_pages[2], *version_key;
} kinds[] = {
    {"vllm", "vllm", "vllm:", {"/version"}, "version"},
    {"sglang", "sglang", "sglang:", {"/get_server_info", "/server_info"}, "version"}, /* the second is the newer name */
    {"llamacpp", "llamacpp", "llamacpp:", {"/props"}, "build_info"},
    {"tgi", NULL, "tgi_", {"/info"}, "version"},
    {"ollama", NULL, NULL, {"/api/version"}, "version"},
    {"openai", NULL, NULL, {"/version"}, "version"}, /* the last: whoever is none of the others */
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])
#define KIND_OTHER (KIND_COUNT - 1)

/* GET beside /v1. False: no answer, or another status than 200. http_response_free it in both cases. */
static bool get_page(const struct probe *probe, const char *path, struct http_response *response)
{
    cleanup_free char *url = http_url_beside(probe->target, path);
    return http_client_get(probe->client, url, ASK_TIMEOUT_NS, response, NULL) == 0 && response->status == 200;
}

/* The JSON object there, or NULL. */
static json_t *get_object(const struct probe *probe, const char *path)
{
    struct http_response response;
    struct json_reader reader;
    json_t *object = NULL;
    if (get_page(probe, path, &response))
        object = json_parse(&reader, buf_text(&response.body), response.body.len, path, NULL, NULL);
    http_response_free(&response);
    return object;
}

/* A member's text: printable ASCII, cut; "" when there is none. */
static const char *short_text(const json_t *object, const char *key, struct arena *arena)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text)
        return "";
    char *copy = arena_printf(arena, "%.*s", NAME_MAX_BYTES, text);
    for (char *c = copy; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return copy;
}

static void read_simulator(const json_t *root, struct arena *arena, struct server_identity *server)
{
    const json_t *simulator = json_object_get(root, "simulator");
    double scale = json_number_value(json_object_get(simulator, "time_scale"));
    if (!json_is_object(simulator))
        return;
    server->kind = "simulator";
    server->preset = short_text(simulator, "preset", arena);
    if (scale >= PLAN_TIME_SCALE_MIN && scale <= PLAN_TIME_SCALE_MAX)
        server->time_scale = scale;
}

/* --- metrics ----------------------------------------------------------------------------------- */

struct metrics_seen {
    bool of[KIND_COUNT];
    enum caching caching; /* as vLLM tells its configuration: in a label */
};

static bool holds(const char *text, size_t length, const char *part)
{
    return memmem(text, length, part, strlen(part)) != NULL;
}

static void note_sample(void *context, const struct promtext_sample *sample)
{
    static const char cache[] = "vllm:cache_config_info{";
    struct metrics_seen *seen = context;
    for (size_t k = 0; k < KIND_COUNT; k++) {
        size_t length = kinds[k].metrics ? strlen(kinds[k].metrics) : sample->name_length;
        seen->of[k] = seen->of[k] || (sample->name_length > length && memcmp(sample->series, kinds[k].metrics, length) == 0);
    }
    if (sample->series_length < strlen(cache) || memcmp(sample->series, cache, strlen(cache)) != 0)
        return;
    if (holds(sample->series, sample->series_length, "enable_prefix_caching=\"True\""))
        seen->caching = CACHING_ON;
    else if (holds(sample->series, sample->series_length, "enable_prefix_caching=\"False\""))
        seen->caching = CACHING_OFF;
}

static struct metrics_seen ask_metrics(const struct probe *probe)
{
    struct http_response response;
    struct metrics_seen seen = {.caching = CACHING_UNKNOWN};
    if (get_page(probe, "/metrics", &response))
        promtext_read(buf_text(&response.body), response.body.len, note_sample, &seen, NULL);
    http_response_free(&response);
    return seen;
}

/* --- which it is --------------------------------------------------------------------------------- */

static bool is_tgi(const struct probe *probe)
{
    json_t *info = get_object(probe, "/info");
    bool is = json_is_string(json_object_get(info, "router")) && json_is_integer(json_object_get(info, "max_total_tokens"));
    json_decref(info);
    return is;
}

static bool is_ollama(const struct probe *probe)
{
    struct http_response response;
    bool is = get_page(probe, "/", &response) && holds(buf_text(&response.body), response.body.len, "Ollama is running");
    http_response_free(&response);
    return is;
}

static size_t find_kind(const struct probe *probe, const char *owned_by, const struct metrics_seen *seen)
{
    for (size_t k = 0; k < KIND_COUNT; k++)
        if (kinds[k].owner && strcmp(kinds[k].owner, owned_by) == 0)
            return k;
    for (size_t k = 0; k < KIND_COUNT; k++)
        if (seen->of[k])
            return k;
    bool tgi = is_tgi(probe), ollama = !tgi && is_ollama(probe);
    const char *name = tgi ? "tgi" : ollama ? "ollama" : kinds[KIND_OTHER].name;
    size_t found = 0;
    while (strcmp(kinds[found].name, name) != 0)
        found++;
    return found;
}

void kind_ask(const struct probe *probe, const char *owned_by, struct arena *arena, struct server_identity *server)
{
    const struct metrics_seen seen = ask_metrics(probe);
    const struct kind *kind = &kinds[find_kind(probe, owned_by, &seen)];
    server->kind = kind->name;
    server->version = server->preset = "";
    server->time_scale = 1;
    server->prefix_caching = seen.caching;
    for (size_t k = 0; k < KIND_COUNT; k++)
        server->metrics = server->metrics || seen.of[k];
    for (size_t k = 0; k < 2 && kind->version_pages[k] && server->version[0] == '\0'; k++) {
        json_t *page = get_object(probe, kind->version_pages[k]);
        server->version = short_text(page, kind->version_key, arena);
        read_simulator(page, arena, server);
        json_int_t room = json_integer_value(json_object_get(page, "max_total_tokens")); /* TGI's word for the context */
        if (server->max_model_len <= 0 && strcmp(kind->name, "tgi") == 0 && room > 0)
            server->max_model_len = room;
        json_decref(page);
    }
}

bool kind_passes_over_ignore_eos(const char *kind)
{
    return strcmp(kind, "tgi") == 0 || strcmp(kind, "ollama") == 0;
}
