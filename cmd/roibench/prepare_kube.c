#include "cmd/roibench/prepare_kube.h"

#include <string.h>

#include "base/cleanup.h"
#include "cmd/roibench/command_kube.h"
#include "kube/context.h"
#include "kube/discovery.h"
#include "net/http_client.h"

#define HARDWARE_MAX ((size_t)1024)
#define PREDICTOR "-predictor."

/* --- where the model is ------------------------------------------------------------------------ */

static const char *address_to_target(const struct plan *plan, const char *address, struct error *err)
{
    size_t length = strlen(address);
    while (length > 0 && address[length - 1] == '/')
        length--;
    const char *target = arena_printf(plan->arena, "%.*s", (int)length, address);
    if (http_url_check(target, err) < 0)
        return NULL;
    return http_url_ends_in_v1(target) ? target : arena_printf(plan->arena, "%s/v1", target);
}

static bool is_given(const struct options *options, const char *name)
{
    return options_source(options, name) > OPTION_DEFAULT;
}

static const char *service_name(const struct options *options)
{
    const char *name = options_text(options, "inference-service");
    return name ? name : options_text(options, "model");
}

int prepare_kube_find_target(const struct app *app, const struct options *options, struct kube_client *client, struct plan *plan, struct error *err)
{
    const char *namespace = options_text(options, "namespace"), *name = service_name(options);
    if (!client || options_count(options, "target") > 0 || is_given(options, "target-template"))
        return 0;
    const struct kube_waiting waiting = {.client = client, .clock = app->clock, .log = &app->log, .stop = app->stop,
                                         .wait_ns = options_duration(options, "wait", 0)};
    struct kube_service service = {.kind = NULL}; /* NULL: none was seen */
    enum kube_outcome outcome = kube_await_service(&waiting, namespace, name, plan->arena, &service, err);
    if (outcome == KUBE_OK) {
        const char *target = address_to_target(plan, service.url, err);
        json_decref(service.object);
        if (!target)
            return error_wrap(err, "the address of %s %s", service.kind, name);
        plan->target = target;
        plan->kubernetes = kubernetes_facts_new(plan->arena, namespace, name);
        plan->kubernetes->kind = service.kind;
        plan->kubernetes->gave_target = true;
        log_info(&app->log, "%s %s in namespace %s is at %s", service.kind, name, namespace, plan->target);
        return 0;
    }
    if (command_kube_is_on(options) || service.kind) /* it is there, but not ready */
        return -1;
    plan->kubernetes = kubernetes_facts_new(plan->arena, namespace, name);
    kubernetes_note(plan->kubernetes, plan->arena, err->text);
    log_warning(&app->log, "%s. --target-template gives the address: %s", err->text, plan->target);
    return 0;
}

/* --- what it runs on --------------------------------------------------------------------------- */

/* The host of a URL. */
static const char *host_of(const struct plan *plan, const char *url)
{
    const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url;
    return arena_printf(plan->arena, "%.*s", (int)strcspn(host, ":/?#"), host);
}

/* "<name>-predictor.<namespace>.svc..." says both: KServe names a predictor's Service so. */
static bool read_predictor_host(const struct plan *plan, const char **name, const char **namespace)
{
    const char *host = host_of(plan, plan->target), *mark = strstr(host, PREDICTOR);
    const char *rest = mark ? mark + strlen(PREDICTOR) : "";
    size_t length = strcspn(rest, ".");
    if (!mark || mark == host || length == 0)
        return false;
    *name = arena_printf(plan->arena, "%.*s", (int)(mark - host), host);
    *namespace = arena_printf(plan->arena, "%.*s", (int)length, rest);
    return true;
}

/* Is the target, which the user gave, one of the service's? Its Services are named after it. */
static bool is_address_of(const struct plan *plan, const struct kube_service *service, const char *name)
{
    const char *host = host_of(plan, plan->target);
    size_t length = strlen(name);
    return strcmp(host, host_of(plan, service->url)) == 0 || (strncmp(host, name, length) == 0 && strchr("-.", host[length]));
}

static enum kube_outcome learn(const struct options *options, struct kube_client *client, struct plan *plan, struct error *err)
{
    const char *namespace = options_text(options, "namespace"), *name = service_name(options) ? service_name(options) : plan->model;
    bool named = is_given(options, "inference-service"), gave_target = plan->kubernetes && plan->kubernetes->gave_target;
    struct kube_service service;
    if (!named && !gave_target)
        read_predictor_host(plan, &name, &namespace);
    plan->kubernetes = kubernetes_facts_new(plan->arena, namespace, name);
    enum kube_outcome outcome = kube_find_service(client, namespace, name, plan->arena, &service, err);
    if (outcome != KUBE_OK)
        return outcome;
    if (named || gave_target || is_address_of(plan, &service, name)) {
        plan->kubernetes = kube_learn_context(client, namespace, name, &service, plan->arena);
        plan->kubernetes->gave_target = gave_target;
    } else {
        error_set(err, ERROR_TARGET, "%s is not known to be an address of %s %s: --inference-service %s says that it is", plan->target, service.kind, name,
                  name);
        outcome = KUBE_NOT_FOUND;
    }
    json_decref(service.object);
    return outcome;
}

/* What nobody told is what the pods ask for. */
static void fill_deployment(struct plan *plan)
{
    cleanup_buf struct buf hardware = BUF_INIT(HARDWARE_MAX);
    kubernetes_describe_hardware(plan->kubernetes, &hardware);
    if (plan->deployment.gpus == 0)
        plan->deployment.gpus = kubernetes_gpus(plan->kubernetes);
    if (!plan->deployment.hardware[0])
        plan->deployment.hardware = arena_strdup(plan->arena, buf_text(&hardware));
}

int prepare_kube_learn(const struct app *app, const struct options *options, struct kube_client *client, struct plan *plan, struct error *err)
{
    /* What could not be asked a moment ago is not asked again. */
    if (!client || (plan->kubernetes && !plan->kubernetes->gave_target))
        return 0;
    enum kube_outcome outcome = learn(options, client, plan, err);
    if (outcome == KUBE_OK) {
        for (size_t k = 0; k < plan->kubernetes->note_count; k++)
            log_info(&app->log, "not learned of the deployment: %s", plan->kubernetes->notes[k]);
        fill_deployment(plan);
        return 0;
    }
    if (command_kube_is_on(options))
        return -1;
    kubernetes_note(plan->kubernetes, plan->arena, err->text);
    log_info(&app->log, "nothing is learned of the deployment: %s", err->text);
    return 0;
}
