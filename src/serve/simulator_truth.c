#include "serve/simulator_truth.h"

#include "base/clock.h"
#include "base/json.h"

void truth_range_add(struct truth_range *range, int64_t ns, uint64_t times)
{
    if (times == 0)
        return;
    if (range->count == 0 || ns < range->min)
        range->min = ns;
    if (range->count == 0 || ns > range->max)
        range->max = ns;
    range->count += times;
    range->sum += ns * (int64_t)times;
}

void truth_cached(struct truth *truth, struct truth_request *request, int64_t tokens)
{
    request->cached_tokens += tokens;
    truth->cached_tokens += (uint64_t)tokens;
}

void truth_due(struct truth *truth, struct truth_request *request, int64_t due)
{
    truth_file_due(truth->file, &request->times, due);
}

void truth_sent(struct truth *truth, struct truth_request *request, const struct truth_write *write, int64_t now)
{
    if (request->first_sent == TIME_NEVER) {
        request->first_sent = now;
        truth->prompt_tokens += (uint64_t)request->prompt_tokens;
        truth_range_add(&truth->ttft, now - request->arrived, 1);
    } else {
        int64_t gap = now - request->last_sent;
        truth_range_add(&truth->itl, gap / write->tokens, (uint64_t)write->tokens);
        request->gap_max = gap > request->gap_max ? gap : request->gap_max;
    }
    request->last_sent = now;
    request->tokens += write->tokens;
    request->chunks += write->chunks;
    truth->generation_tokens += (uint64_t)write->tokens;
    truth->chunks += write->chunks;
    lag_add(&truth->send_lateness, now - write->due);
    if (!write->taken) {
        request->buffered += write->tokens;
        truth->buffered += (uint64_t)write->tokens;
    }
    truth_file_sent(truth->file, &request->times, write->tokens, now);
}

void truth_ended(struct truth *truth, struct truth_request *request)
{
    truth_file_end(truth->file, request);
    if (truth->request_ended)
        truth->request_ended(truth->context, request);
    if (request->disconnected)
        truth->disconnected++;
    else if (request->struck)
        truth->struck++;
    else
        truth->completed++;
    truth->list[truth->listed++ % TRUTH_LIST_MAX] = *request;
}

static void write_range(json_t *object, const char *key, const struct truth_range *range)
{
    json_t *member = json_add_object(object, key);
    json_set_integer(member, "count", (int64_t)range->count);
    json_set_integer(member, "sum", range->sum);
    if (range->count == 0) {
        json_set_null(member, "min");
        json_set_null(member, "max");
        return;
    }
    json_set_integer(member, "min", range->min);
    json_set_integer(member, "max", range->max);
}

static void write_lag(json_t *object, const char *key, const struct lag *lag)
{
    json_t *member = json_add_object(object, key);
    struct lag_summary summary = lag_summarize(lag);
    json_set_integer(member, "count", (int64_t)lag->total);
    json_set_integer_if(member, "p50", summary.p50, summary.p50 >= 0);
    json_set_integer_if(member, "p99", summary.p99, summary.p99 >= 0);
    json_set_integer_if(member, "max", summary.max, summary.max >= 0);
}

static void set_after(json_t *object, const char *key, int64_t time, int64_t start)
{
    if (time == TIME_NEVER)
        json_set_null(object, key);
    else
        json_set_integer(object, key, time - start);
}

static void write_request(json_t *array, const struct truth_request *request)
{
    json_t *object = json_object();
    json_set_integer(object, "prompt_tokens", request->prompt_tokens);
    json_set_integer(object, "cached_tokens", request->cached_tokens);
    json_set_integer(object, "output_tokens", request->tokens);
    json_set_integer(object, "chunks", (int64_t)request->chunks);
    json_set_bool(object, "stream", request->stream);
    json_set_bool(object, "disconnected", request->disconnected);
    if (request->fault)
        json_set_text(object, "fault", request->fault);
    set_after(object, "first_token_ns", request->first_sent, request->arrived);
    set_after(object, "last_token_ns", request->last_sent, request->arrived);
    json_set_integer(object, "gap_max_ns", request->gap_max);
    json_array_append_new(array, object);
}

static void write_faults(json_t *object, const struct truth *truth)
{
    for (size_t kind = 0; kind < FAULT_KINDS; kind++)
        if (truth->faults[kind] > 0)
            json_set_integer(object, fault_name((enum fault_kind)kind), (int64_t)truth->faults[kind]);
}

void truth_write(const struct truth *truth, json_t *object)
{
    json_t *requests = json_add_object(object, "requests");
    json_set_integer(requests, "received", (int64_t)truth->received);
    json_set_integer(requests, "completed", (int64_t)truth->completed);
    json_set_integer(requests, "disconnected", (int64_t)truth->disconnected);
    json_set_integer(requests, "refused", (int64_t)truth->refused);
    json_set_integer(requests, "struck", (int64_t)truth->struck);
    json_set_integer(object, "prompt_tokens", (int64_t)truth->prompt_tokens);
    json_set_integer(object, "cached_tokens", (int64_t)truth->cached_tokens);
    json_set_integer(object, "generation_tokens", (int64_t)truth->generation_tokens);
    json_set_integer(object, "chunks", (int64_t)truth->chunks);
    json_set_integer(object, "buffered_tokens", (int64_t)truth->buffered);
    write_range(object, "ttft_ns", &truth->ttft);
    write_range(object, "itl_ns", &truth->itl);
    write_range(object, "lateness_ns", &truth->lateness);
    write_lag(object, "send_lateness_ns", &truth->send_lateness);
    json_set_integer(object, "resynchronized", (int64_t)truth->resynchronized);
    write_faults(json_add_object(object, "faults"), truth);
    json_t *recent = json_add_array(object, "recent");
    uint64_t oldest = truth->listed > TRUTH_LIST_MAX ? truth->listed - TRUTH_LIST_MAX : 0;
    for (uint64_t k = oldest; k < truth->listed; k++)
        write_request(recent, &truth->list[k % TRUTH_LIST_MAX]);
}
