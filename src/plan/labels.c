#include "plan/labels.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* The label of that name, or a new one behind the others; NULL: there are too many. */
static struct label *find_or_add(struct deployment *deployment, struct arena *arena, const char *name)
{
    for (size_t k = 0; k < deployment->label_count; k++)
        if (strcmp(deployment->labels[k].name, name) == 0)
            return &deployment->labels[k];
    if (deployment->label_count == LABELS_MAX)
        return NULL;
    if (!deployment->labels)
        deployment->labels = ARENA_ARRAY(arena, LABELS_MAX, struct label);
    struct label *label = &deployment->labels[deployment->label_count++];
    label->name = arena_strdup(arena, name);
    return label;
}

static int set(struct plan *plan, const char *name, const char *value, struct error *err)
{
    if (!*name || strlen(name) > LABEL_TEXT_MAX || strlen(value) > LABEL_TEXT_MAX)
        return error_set(err, ERROR_USAGE, "a label is NAME=VALUE, each of at most %d bytes, not '%.100s=%.100s'", LABEL_TEXT_MAX, name, value);
    struct label *label = find_or_add(&plan->deployment, plan->arena, name);
    if (!label)
        return error_set(err, ERROR_USAGE, "more than %d labels", LABELS_MAX);
    label->value = arena_strdup(plan->arena, value);
    return 0;
}

int labels_add(struct plan *plan, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        return error_set(err, ERROR_USAGE, "a label is NAME=VALUE, not '%.100s'", text);
    cleanup_free char *name = mem_strndup(text, (size_t)(equals - text));
    return set(plan, name, equals + 1, err);
}

void labels_write(const struct deployment *deployment, json_t *object)
{
    if (deployment->label_count == 0)
        return;
    json_t *labels = json_add_object(object, "labels");
    for (size_t k = 0; k < deployment->label_count; k++)
        json_set_text(labels, deployment->labels[k].name, deployment->labels[k].value);
}

void labels_read(struct json_reader *reader, const json_t *object, struct plan *plan)
{
    json_t *labels = json_get_object_or_null(reader, object, "labels"), *value;
    const char *name;
    struct error wrong;
    json_object_foreach(labels, name, value)
    {
        const char *text = json_string_value(value);
        if (!reader->failed && (!text || set(plan, name, text, &wrong) < 0))
            json_fail(reader, "labels", "%s", text ? wrong.text : "expected texts");
    }
}
