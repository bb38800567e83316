/* roibench doctor: is everything there that a run needs? Loads nothing and writes nothing that stays. */
#include "cmd/roibench/doctor.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/terminal.h"
#include "cmd/roibench/run_session.h"
#include "load/engine.h"
#include "plan/plan.h"

#define LINE_MAX_BYTES ((size_t)16 << 10)
#define STREAMS_DEFAULT 512

CLEANUP_DEFINE(struct plan, plan_free)

static const struct option_row doctor_options[] = {
    {.type = OPTION_GROUP, .name = "Doctor"},
    {.type = OPTION_TEXT, .name = "target", .argument = "URL", .repeatable = true,
     .help = "the server's OpenAI API, as in http://host:8000/v1; default: those of the plan in the workspace, if there is one"},
    {.type = OPTION_INTEGER, .name = "streams", .argument = "N", .min = 1, .max = PLAN_STREAMS_MAX,
     .help = "requests at once that this machine has to do with; default: the plan's, else 512"},
    {.type = OPTION_INTEGER, .name = "workers", .argument = "N", .min = 1, .max = ENGINE_WORKERS_MAX,
     .help = "threads that share the streams (default: the CPUs that this container may use)"},
    COMMAND_NET_OPTIONS,
    {.type = OPTION_END},
};

static void append_visible(struct buf *out, const char *text)
{
    while (*text) {
        size_t control = terminal_control_length(text, SIZE_MAX);
        if (control > 0)
            buf_append_char(out, '?');
        else
            buf_append_char(out, *text);
        text += control > 0 ? control : 1;
    }
}

void doctor_tell(struct doctor *doctor, enum health health, const char *name, const char *format, ...)
{
    static const char *const names[] = {[HEALTH_FINE] = "ok", [HEALTH_WARNING] = "warning", [HEALTH_LACKS] = "LACKS"};
    char text[LINE_MAX_BYTES];
    cleanup_buf struct buf line = BUF_INIT(2 * LINE_MAX_BYTES);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    append_visible(&line, text);
    fprintf(doctor->app->out, "%-8s %-12s %s\n", names[health], name, buf_text(&line));
    fflush(doctor->app->out); /* some checks take seconds */
    doctor->count++;
    doctor->machine_lacks += health == HEALTH_LACKS;
}

/* --- what is asked --------------------------------------------------------------------------- */

/* Returns an array to free(); its texts are the options' or the plan's. */
static const char **choose_targets(const struct options *options, const struct plan *plan, size_t *count)
{
    size_t given = options_count(options, "target");
    *count = given > 0 ? given : plan ? 1 + plan->other_target_count : 0;
    const char **targets = mem_calloc(*count + 1, sizeof *targets);
    for (size_t k = 0; k < *count; k++)
        targets[k] = given > 0 ? options_item(options, "target", k) : k == 0 ? plan->target : plan->other_targets[k - 1];
    return targets;
}

static int check_targets(const char *const *targets, size_t count, struct error *err)
{
    for (size_t k = 0; k < count; k++)
        if (http_url_check(targets[k], err) < 0)
            return error_wrap(err, "--target");
    return 0;
}

static int conclude(const struct doctor *doctor, struct error *err)
{
    int lacks = doctor->machine_lacks + doctor->target_lacks;
    if (lacks == 0)
        return 0;
    const char *whose = doctor->machine_lacks == 0 ? "the target" : doctor->target_lacks == 0 ? "this machine" : "this machine and the target";
    return error_set(err, doctor->machine_lacks > 0 ? ERROR_INTERNAL : ERROR_TARGET, "%d of %d checks say that a run would not work: %s", lacks,
                     doctor->count, whose);
}

static int doctor_run(struct app *app, struct options *options, struct error *err)
{
    cleanup_with(plan_free) struct plan *plan = command_find_plan(app, options);
    struct doctor doctor = {
        .app = app,
        .workspace = options_text(options, "workspace"),
        .streams = options_integer(options, "streams", plan ? run_session_streams(plan) : STREAMS_DEFAULT),
        .workers = (int)options_integer(options, "workers", cgroup_cpus("")),
    };
    cleanup_free const char **targets = choose_targets(options, plan, &doctor.target_count);
    doctor.targets = targets;
    struct command_net net;
    int status = check_targets(targets, doctor.target_count, err);
    if (status == 0) {
        status = command_net_read(app, options, &net, err);
        if (status == 0) {
            if (plan && options_count(options, "target") == 0) {
                net.settings.ca_file = net.settings.ca_file || !plan->ca_file[0] ? net.settings.ca_file : plan->ca_file;
                net.settings.insecure = net.settings.insecure || plan->insecure;
            }
            doctor.net = &net.settings;
            doctor_look_at_machine(&doctor);
            for (size_t k = 0; k < doctor.target_count && !*app->stop; k++)
                doctor_look_at_target(&doctor, targets[k]);
            if (doctor.target_count == 0)
                log_info(&app->log, "no target was looked at: give --target, or a workspace with a plan");
            status = conclude(&doctor, err);
        }
        command_net_free(&net);
    }
    return status;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "look whether this machine and the target have what a run needs",
    .usage = "[--target URL]... [--workspace DIR] [options]",
    .options = doctor_options,
    .run = doctor_run,
};
