#include "plan/arrival_shape.h"

#include <stdbool.h>

static bool is_ramp(const struct arrival_shape *shape)
{
    return shape->ramp_from + shape->ramp_to > 0;
}

void arrival_shape_describe(const struct arrival_shape *shape, struct buf *out)
{
    if (shape->burstiness > 0)
        buf_printf(out, "burstiness %g", shape->burstiness);
    if (shape->burst_size > 0)
        buf_printf(out, "%lld at once", (long long)shape->burst_size);
    if (is_ramp(shape))
        buf_printf(out, "from %g to %g req/s", shape->ramp_from, shape->ramp_to);
    if (shape->replay_file)
        buf_printf(out, "%s at %g times its speed", shape->replay_file, shape->replay_speed);
}

void arrival_shape_write(const struct arrival_shape *shape, json_t *root)
{
    if (shape->burstiness <= 0 && shape->burst_size == 0 && !is_ramp(shape) && !shape->replay_file) {
        json_set_null(root, "arrivals");
        return;
    }
    json_t *object = json_add_object(root, "arrivals");
    if (shape->burstiness > 0)
        json_set_number(object, "burstiness", shape->burstiness);
    if (shape->burst_size > 0)
        json_set_integer(object, "burst_size", shape->burst_size);
    if (is_ramp(shape)) {
        json_set_number(object, "from", shape->ramp_from);
        json_set_number(object, "to", shape->ramp_to);
    }
    if (shape->replay_file) {
        json_set_text(object, "replay_file", shape->replay_file);
        json_set_number(object, "replay_speed", shape->replay_speed);
        json_set_integer(object, "replay_count", shape->replay_count);
    }
}

void arrival_shape_read(struct arrival_shape *shape, struct json_reader *reader, const json_t *root, struct arena *arena)
{
    json_t *object = json_get_object_or_null(reader, root, "arrivals");
    if (!object)
        return;
    size_t mark = json_enter(reader, "arrivals", -1);
    shape->burstiness = json_get_number_or(reader, object, "burstiness", 0);
    shape->burst_size = json_get_integer_or(reader, object, "burst_size", 0);
    shape->ramp_from = json_get_number_or(reader, object, "from", 0);
    shape->ramp_to = json_get_number_or(reader, object, "to", 0);
    const char *file = json_get_text_or(reader, object, "replay_file", NULL);
    shape->replay_file = file ? arena_strdup(arena, file) : NULL;
    shape->replay_speed = json_get_number_or(reader, object, "replay_speed", 0);
    shape->replay_count = json_get_integer_or(reader, object, "replay_count", 0);
    json_leave(reader, mark);
}
