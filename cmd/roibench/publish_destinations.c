#include "cmd/roibench/publish_destinations.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "plan/model_file.h"
#include "plan/plan.h"
#include "record/workspace.h"

/* Those of the model whose run it is, of --models. */
static int list_of_model(const struct app *app, const struct options *options, const struct publication *publication, struct arena *arena,
                         const char *const **list, size_t *count, struct error *err)
{
    cleanup_free char *path = file_join(publication->folder, "plan.json");
    struct plan *plan = file_exists(path) ? plan_read(path, err) : NULL;
    int status = 0;

    if (plan)
        status = model_file_publish(options_text(options, "models"), plan->model, arena, list, count, err);
    else
        log_warning(&app->log, "%s cannot be read: --models is of no use, since nobody knows which model it was", path);
    plan_free(plan);
    return status;
}

int publish_list_destinations(const struct app *app, const struct options *options, const struct publication *publication, struct arena *arena,
                              const char *const **list, size_t *count, struct error *err)
{
    const size_t given = options_count(options, "to");

    *count = 0;
    if (given == 0 && options_given(options, "models") && !options_given(options, "comparison") &&
        list_of_model(app, options, publication, arena, list, count, err) < 0)
        return -1;
    if (*count > 0)
        return 0;

    const char **texts = ARENA_ARRAY(arena, given + 1, const char *);

    for (size_t k = 0; k < given; k++)
        texts[(*count)++] = options_item(options, "to", k);
    if (given == 0) {
        cleanup_free char *archives = workspace_archives_folder(options_text(options, "workspace"));

        texts[(*count)++] = arena_strdup(arena, archives);
    }
    *list = texts;
    return 0;
}
