#include "load/sink_workspace.h"

#include <math.h>

#include "base/json.h"

static struct record_writer *writer_of(struct sink *sink)
{
    return ((struct sink_workspace *)sink)->writer;
}

static struct level_header header_of(const struct level *level)
{
    return (struct level_header){
        .index = level->index, .kind = level->kind, .load = level->load, .unit = load_unit_name(level->unit),
    };
}

static void set_lag(json_t *object, const char *key, const struct lag_summary *lag)
{
    json_t *values = json_add_object(object, key);
    const char *const names[] = {"p50", "p99", "max"};
    const int64_t numbers[] = {lag->p50, lag->p99, lag->max};
    for (int k = 0; k < 3; k++)
        json_set_integer_if(values, names[k], numbers[k], numbers[k] >= 0);
}

static json_t *level_line(json_t *line, const char *what, const struct level *level, int repeat, int64_t start)
{
    json_t *object = json_add_object(line, what);
    json_set_integer(object, "index", level->index);
    json_set_integer(object, "repeat", repeat);
    json_set_text(object, "kind", level->kind);
    json_set_number(object, "load", level->load);
    json_set_text(object, "unit", load_unit_name(level->unit));
    json_set_integer(object, "start", start);
    return object;
}

static int write_line(struct sink *sink, json_t *line, struct error *err)
{
    int status = record_writer_journal(writer_of(sink), line, err);
    json_decref(line);
    return status;
}

static int level_start(struct sink *sink, const struct level *level, int repeat, int64_t start, int64_t measure_start,
                       struct error *err)
{
    json_t *line = json_object();
    json_t *object = level_line(line, "level_start", level, repeat, start);
    json_set_integer(object, "measure_start", measure_start);
    return write_line(sink, line, err);
}

static int level_end(struct sink *sink, const struct level_end *end, struct error *err)
{
    struct level_header header = header_of(&end->level);
    if (record_writer_level_end(writer_of(sink), &header, end->repeat, end->start, end->end, end->window_start, end->window_end, err) < 0)
        return -1;
    json_t *line = json_object();
    json_t *object = level_line(line, "level_end", &end->level, end->repeat, end->start);
    json_set_integer(object, "end", end->end);
    json_set_integer(object, "drawn", end->drawn);
    json_set_integer(object, "sent", end->sent);
    set_lag(object, "lag_ns", &end->lag);
    set_lag(object, "slip_ns", &end->slip);
    set_lag(object, "stamp_delay_ns", &end->stamp_delay);
    json_t *cpu = json_add_array(object, "cpu"); /* one number a worker */
    for (int worker = 0; worker < end->workers; worker++)
        json_array_append_new(cpu, isfinite(end->cpu[worker]) ? json_real(end->cpu[worker]) : json_null());
    json_set_integer_if(object, "throttled_ns", end->throttled_ns, end->throttled_ns >= 0);
    json_t *switches = json_add_object(object, "context_switches");
    json_set_integer_if(switches, "voluntary", end->switches.voluntary, end->switches.voluntary >= 0);
    json_set_integer_if(switches, "involuntary", end->switches.involuntary, end->switches.involuntary >= 0);
    json_set_integer(object, "pause_ns", end->pause_ns);
    json_set_integer(object, "record_stall_ns", end->record_stall_ns);
    json_set_integer(object, "connections_warmed", end->connections_warmed);
    json_set_text(object, "reason", level_reason_name(end->reason));
    if (write_line(sink, line, err) < 0)
        return -1;
    struct sink_workspace *workspace = (struct sink_workspace *)sink;
    if (workspace->level_ended)
        workspace->level_ended(workspace->context, end);
    return 0;
}

static int add(struct sink *sink, const struct record *record, const int64_t *gaps, const int32_t *n, size_t arrivals, struct error *err)
{
    return record_writer_add(writer_of(sink), record, gaps, n, arrivals, err);
}

static int tick(struct sink *sink, int64_t t, int64_t tokens, struct error *err)
{
    return record_writer_tick(writer_of(sink), t, tokens, err);
}

static int flush(struct sink *sink, struct error *err)
{
    return record_writer_flush(writer_of(sink), err);
}

void sink_workspace_init(struct sink_workspace *sink, struct record_writer *writer)
{
    *sink = (struct sink_workspace){
        .sink = {.level_start = level_start, .level_end = level_end, .add = add, .tick = tick, .flush = flush},
        .writer = writer,
    };
}
