#include "cmd/roibench/run_kube.h"

#include "base/json.h"
#include "kube/context.h"

#define CHANGES_MAX ((size_t)2048)

int run_kube_note_changes(const struct app *app, struct kube_client *client, const struct plan *plan, struct record_writer *writer, struct error *err)
{
    cleanup_buf struct buf changes = BUF_INIT(CHANGES_MAX);
    struct error unknown = {.class = ERROR_NONE};
    if (!client || !plan->kubernetes || plan->kubernetes->pod_count == 0)
        return 0;
    int count = kube_compare_pods(client, plan->kubernetes, &changes, &unknown);
    if (count > 0)
        log_warning(&app->log, "the model's pods are no longer those that prepare saw: %s. All levels are suspect", buf_text(&changes));
    else if (count < 0)
        log_warning(&app->log, "whether the model's pods were restarted is not known: %s", unknown.text);
    json_t *line = json_object(), *object = json_add_object(line, "kubernetes");
    json_set_text_if_any(object, "changes", buf_text(&changes));
    json_set_text_if_any(object, "unknown", unknown.text);
    int status = record_writer_journal(writer, line, err);
    json_decref(line);
    return status;
}
