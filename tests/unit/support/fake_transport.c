#include "support/fake_transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum fake_kind { FAKE_SENT, FAKE_HEADERS, FAKE_TOKEN, FAKE_TAIL, FAKE_ERROR_BODY, FAKE_ENDED };

struct fake_event {
    int64_t time;
    uint64_t sequence;
    enum fake_kind kind;
    struct transfer *transfer;
    struct fake_answer answer;
    int token; /* index of the chunk */
};

static void push(struct fake_transport *fake, int64_t time, enum fake_kind kind, struct transfer *transfer,
                 const struct fake_answer *answer, int token)
{
    MEM_GROW(fake->events, fake->capacity, fake->count + 1);
    size_t k = fake->count++;
    /* Insertion into a list sorted from the latest to the earliest: the earliest is taken from the end. */
    while (k > 0 && fake->events[k - 1].time <= time) {
        fake->events[k] = fake->events[k - 1];
        k--;
    }
    fake->events[k] = (struct fake_event){
        .time = time, .sequence = fake->sequence++, .kind = kind, .transfer = transfer, .answer = *answer, .token = token,
    };
}

static void fake_start(struct transport *transport, struct transfer *transfer)
{
    struct fake_transport *fake = (struct fake_transport *)transport;
    int64_t now = fake->time.now;
    struct fake_answer answer = fake->answer(fake->context, transfer, now, fake->started++);
    if (++fake->in_flight > fake->in_flight_max)
        fake->in_flight_max = fake->in_flight;
    if (answer.result == TRANSPORT_CONNECT || answer.result == TRANSPORT_DNS || answer.result == TRANSPORT_TLS)
        push(fake, now + answer.connect, FAKE_ENDED, transfer, &answer, 0);
    else
        push(fake, now + answer.connect, FAKE_SENT, transfer, &answer, 0);
}

static void drop_events(struct fake_transport *fake, const struct transfer *transfer)
{
    size_t kept = 0;
    for (size_t k = 0; k < fake->count; k++)
        if (fake->events[k].transfer != transfer)
            fake->events[kept++] = fake->events[k];
    fake->count = kept;
}

static void fake_cancel(struct transport *transport, struct transfer *transfer)
{
    struct fake_transport *fake = (struct fake_transport *)transport;
    struct fake_answer cancelled = {.result = TRANSPORT_CANCELLED};
    drop_events(fake, transfer);
    push(fake, fake->time.now, FAKE_ENDED, transfer, &cancelled, 0);
}

static void deliver(const struct fake_event *event, const char *text)
{
    size_t length = strlen(text), piece = event->answer.cut > 0 ? (size_t)event->answer.cut : length;
    for (size_t k = 0; k < length; k += piece)
        event->transfer->handler->bytes(event->transfer, event->time, text + k, length - k < piece ? length - k : piece);
}

static int chunk_size(const struct fake_answer *answer)
{
    return answer->tokens_a_chunk > 0 ? answer->tokens_a_chunk : 1;
}

static void deliver_token(const struct fake_event *event)
{
    char text[512], usage[128] = "";
    const struct fake_answer *answer = &event->answer;
    int so_far = (event->token + 1) * chunk_size(answer);
    if (answer->continuous_usage)
        snprintf(usage, sizeof usage, ",\"usage\":{\"prompt_tokens\":7,\"total_tokens\":%d,\"completion_tokens\":%d}", 7 + so_far, so_far);
    bool last = so_far >= answer->tokens && !answer->no_done;
    snprintf(text, sizeof text,
             "data: {\"id\":\"x\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\" w\",\"logprobs\":null,"
             "\"finish_reason\":%s}]%s}\n\n", last ? "\"length\"" : "null", usage);
    deliver(event, answer->not_json ? "data: <html>\n\n" : text);
}

static void deliver_tail(const struct fake_event *event)
{
    char text[512];
    const struct fake_answer *answer = &event->answer;
    int total = answer->tokens + answer->final_usage_extra;
    if (answer->error_event)
        deliver(event, "data: {\"error\":{\"message\":\"engine died\",\"type\":\"InternalServerError\",\"param\":null,\"code\":500}}\n\n");
    if (!answer->no_usage && !answer->error_event && !answer->no_done) {
        snprintf(text, sizeof text, "data: {\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"total_tokens\":%d,"
                 "\"completion_tokens\":%d}}\n\n", 7 + total, total);
        deliver(event, text);
    }
    if (!answer->no_done)
        deliver(event, "data: [DONE]\n\n");
}

/* What follows this event of the same answer. */
static void push_next(struct fake_transport *fake, const struct fake_event *event)
{
    const struct fake_answer *answer = &event->answer;
    int chunks = (answer->tokens + chunk_size(answer) - 1) / chunk_size(answer);
    int64_t now = event->time;
    switch (event->kind) {
    case FAKE_SENT:
        push(fake, now, FAKE_HEADERS, event->transfer, answer, 0);
        break;
    case FAKE_HEADERS:
        if (answer->hang)
            break;
        if (answer->status)
            push(fake, now + answer->ttft, FAKE_ERROR_BODY, event->transfer, answer, 0);
        else
            push(fake, now + answer->ttft, chunks ? FAKE_TOKEN : FAKE_TAIL, event->transfer, answer, 0);
        break;
    case FAKE_TOKEN:
        if (event->token + 1 < chunks)
            push(fake, now + answer->itl, FAKE_TOKEN, event->transfer, answer, event->token + 1);
        else
            push(fake, now, FAKE_TAIL, event->transfer, answer, 0);
        break;
    case FAKE_TAIL:
    case FAKE_ERROR_BODY:
        push(fake, now, FAKE_ENDED, event->transfer, answer, 0);
        break;
    case FAKE_ENDED:
        break;
    }
}

static void handle(struct fake_transport *fake, const struct fake_event *event)
{
    struct transfer *transfer = event->transfer;
    const struct transfer_handler *handler = transfer->handler;
    push_next(fake, event);
    switch (event->kind) {
    case FAKE_SENT: handler->sent(transfer, event->time, event->answer.connect ? event->time : TIME_NEVER, !event->answer.connect); break;
    case FAKE_HEADERS: handler->headers(transfer, event->time, event->answer.status ? event->answer.status : 200); break;
    case FAKE_TOKEN: deliver_token(event); break;
    case FAKE_TAIL: deliver_tail(event); break;
    case FAKE_ERROR_BODY: deliver(event, event->answer.error_body ? event->answer.error_body : ""); break;
    case FAKE_ENDED:
        fake->in_flight--;
        handler->ended(transfer, event->time, event->answer.result, event->answer.message);
        break;
    }
}

static int fake_wait(struct transport *transport, int64_t deadline, struct error *err)
{
    struct fake_transport *fake = (struct fake_transport *)transport;
    if (fake->broken_from && fake->time.now >= fake->broken_from)
        return error_set(err, ERROR_INTERNAL, "cannot wait for the network");
    bool quiet = fake->count == 0 || fake->events[fake->count - 1].time > deadline;
    int64_t until = quiet ? deadline : fake->events[fake->count - 1].time;
    if (fake->stopped_for && until >= fake->stopped_from) {
        until += fake->stopped_for;
        fake->stopped_for = 0;
    }
    if (until > fake->time.now)
        fake->time.now = until;
    while (fake->count > 0 && fake->events[fake->count - 1].time <= until) {
        struct fake_event event = fake->events[--fake->count];
        handle(fake, &event);
    }
    if (fake->after_wait)
        fake->after_wait(fake->context, fake->time.now);
    return 0;
}

static void fake_free(struct transport *transport)
{
    struct fake_transport *fake = (struct fake_transport *)transport;
    while (fake->count > 0) {
        struct transfer *transfer = fake->events[fake->count - 1].transfer;
        drop_events(fake, transfer);
        fake->in_flight--;
        transfer->handler->ended(transfer, fake->time.now, TRANSPORT_CANCELLED, "freed");
    }
}

static const struct transport_operations operations = {
    .start = fake_start, .cancel = fake_cancel, .wait = fake_wait, .free = fake_free,
};

void fake_transport_init(struct fake_transport *fake)
{
    *fake = (struct fake_transport){.transport = {.operations = &operations}, .time = {.now = 1000 * NS_PER_S}};
    fake->clock = clock_fake_clock(&fake->time);
}

void fake_transport_clear(struct fake_transport *fake)
{
    free(fake->events);
    fake->events = NULL;
    fake->count = fake->capacity = 0;
}
