#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/doctor.h"
#include "load/clock_offset.h"
#include "net/http_client.h"
#include "wire/openai.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define NAMES_MAX ((size_t)4096)
#define APART_NS NS_PER_S
#define FORBIDDEN 403
#define UNAUTHORIZED 401
#define NOT_FOUND 404
#define FINE 200

CLEANUP_DEFINE(struct http_client, http_client_free)

static void look_up(struct doctor *doctor, const char *target)
{
    cleanup_buf struct buf addresses = BUF_INIT(NAMES_MAX);
    struct error err;
    char span[UNITS_TEXT_SIZE];
    int64_t begun = clock_now(doctor->app->clock);
    if (http_url_look_up(target, &addresses, &err) < 0)
        /* Whether a proxy knows the name is seen by the request. */
        doctor_tell(doctor, HEALTH_WARNING, "dns", "%s", err.text);
    else
        doctor_tell(doctor, HEALTH_FINE, "dns", "%s: %s, after %s", target, buf_text(&addresses),
                    units_format_duration(clock_now(doctor->app->clock) - begun, span));
}

static const char *advice_of(enum http_trouble trouble)
{
    switch (trouble) {
    case HTTP_DNS: return ". Is the name right, and does DNS answer here?";
    case HTTP_CONNECT: return ". Is the server up, and does a network policy let this pod reach it?";
    case HTTP_TIMEOUT: return ". It does not answer in time: is it starting, or busy?";
    default: return ""; /* of a certificate, the message says what helps */
    }
}

static void tell_models(struct doctor *doctor, const char *url, const struct http_response *response)
{
    struct openai_models models;
    struct error err;
    cleanup_buf struct buf names = BUF_INIT(NAMES_MAX);
    if (openai_models_read(buf_text(&response->body), response->body.len, &models, &err) < 0) {
        doctor_tell(doctor, HEALTH_LACKS, "models", "%s: %s. Is this an OpenAI API, as in http://host:8000/v1?", url, err.text);
        return;
    }
    for (size_t k = 0; k < models.count; k++)
        buf_printf(&names, "%s%s", k ? ", " : "", models.ids[k]);
    doctor_tell(doctor, models.count > 0 ? HEALTH_FINE : HEALTH_LACKS, "models", "%s",
                models.count > 0 ? buf_text(&names) : "the server has none yet: wait until it has loaded it");
    openai_models_free(&models);
}

static void tell_key(struct doctor *doctor, const char *url, const struct http_response *response)
{
    bool given = doctor->net->api_key != NULL;
    char message[OPENAI_MESSAGE_SIZE];
    if (response->status == UNAUTHORIZED || response->status == FORBIDDEN) {
        openai_error_message(buf_text(&response->body), response->body.len, message, sizeof message);
        doctor_tell(doctor, HEALTH_LACKS, "key", "HTTP %d: %s: %s. %s", response->status, message,
                    given ? "the key is not accepted" : "a key is asked for",
                    given ? "Give another --api-key-file" : "Give --api-key-file, or ROIBENCH_API_KEY");
        return;
    }
    doctor_tell(doctor, HEALTH_FINE, "key", "%s", given ? "accepted, or not looked at" : "none given, none asked for");
    cleanup_free char *location = http_url_redacted(response->location);
    if (response->status == FINE)
        tell_models(doctor, url, response);
    else if (location[0])
        doctor_tell(doctor, HEALTH_LACKS, "models", "%s: HTTP %d: redirected to %s, and requests are not sent on. Give the API's root there as the target",
                    url, response->status, location);
    else
        doctor_tell(doctor, HEALTH_LACKS, "models", "%s: HTTP %d%s", url, response->status,
                    response->status == NOT_FOUND && !strstr(url, "/v1/models") ? ". The target of an OpenAI API ends in /v1" : "");
}

/* The second request finds the connection open: what it takes is a round trip and the server's own time. */
static bool reach(struct doctor *doctor, const char *url)
{
    struct error err;
    cleanup_with(http_client_free) struct http_client *client = http_client_new(doctor->net, &err);
    if (!client) {
        doctor_tell(doctor, HEALTH_LACKS, "reach", "%s", err.text);
        return false;
    }
    struct http_response first, second;
    char first_text[UNITS_TEXT_SIZE], second_text[UNITS_TEXT_SIZE];
    bool reached = http_client_get(client, url, PATIENCE_NS, &first, &err) == 0;
    if (!reached) {
        doctor_tell(doctor, HEALTH_LACKS, "reach", "%s%s", err.text, advice_of(first.trouble));
    } else {
        struct error ignored;
        bool again = http_client_get(client, url, PATIENCE_NS, &second, &ignored) == 0;
        doctor_tell(doctor, HEALTH_FINE, "reach", "%s answers after %s%s%s%s", url, units_format_duration(first.total_ns, first_text),
                    again ? ", on an open connection after " : "", again ? units_format_duration(second.total_ns, second_text) : "",
                    strncmp(url, "https:", 6) != 0 ? "" : doctor->net->insecure ? "; TLS, not verified" : "; TLS, verified");
        tell_key(doctor, url, &first);
        http_response_free(&second);
    }
    http_response_free(&first);
    return reached;
}

static void compare_clocks(struct doctor *doctor, const char *target)
{
    struct clock_check check = {.error_ns = -1};
    cleanup_free char *url = http_url_beside(target, "/health");
    clock_offset_measure(doctor->net, doctor->app->clock, url, false, clock_now(doctor->app->clock) + CLOCK_OFFSET_TIME_NS, &check);
    int64_t apart = check.offset_ns < 0 ? -check.offset_ns : check.offset_ns;
    char apart_text[UNITS_TEXT_SIZE], error_text[UNITS_TEXT_SIZE];
    if (check.error_ns < 0) {
        doctor_tell(doctor, HEALTH_WARNING, "its clock", "cannot be compared: the answers have no date");
        return;
    }
    units_format_duration(apart, apart_text);
    units_format_duration(check.error_ns, error_text);
    bool far = apart - check.error_ns > APART_NS;
    doctor_tell(doctor, far ? HEALTH_WARNING : HEALTH_FINE, "its clock", "ours is %s %s, +/- %s%s", apart_text,
                check.offset_ns < 0 ? "behind" : "ahead", error_text, far ? ". Latencies do not depend on it, dates and shards do: let NTP run" : "");
}

void doctor_look_at_target(struct doctor *doctor, const char *target)
{
    int before = doctor->machine_lacks;
    cleanup_free char *url = mem_printf("%s/models", target);
    look_up(doctor, target);
    if (reach(doctor, url) && !*doctor->app->stop)
        compare_clocks(doctor, target);
    doctor->target_lacks += doctor->machine_lacks - before;
    doctor->machine_lacks = before;
}
