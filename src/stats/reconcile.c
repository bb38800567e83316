#include "stats/reconcile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/prompt_sum.h"

#define MS 1e6 /* ns of one */
#define HEAD_SHARE_MAX 0.5   /* of the TTFT: a head that comes later was held back until there was a token */
#define UNSEEN_SHARE 0.5     /* of the server's TTFT; or so many ms of wall time: what a network and a front end may take unseen */
#define UNSEEN_MS 100.0
#define STEP_TOKENS_MIN 1.02 /* a step of so many tokens makes more than one */
#define ARRIVAL_TOKENS_MIN 1.05

/* What we saw between two scrapes. */
struct client_side {
    double requests, output_tokens; /* ended ok; their tokens, as the usage tells them */
    struct prompt_sum begun, ended; /* prompts of requests by their first token, and by their end */
    double first_tokens, ttft_ms, heads, head_ms, e2e_ms, longest_output;
    double cut, cut_tokens;         /* sent, and not ended ok (whenever): the server may have counted any part of them */
};

struct comparing {
    struct level_summary *out;
    const struct run_data *data;
    const struct run_level *level;
    struct arena *arena;
    struct server_span whole; /* of the level */
    struct client_side window, all;
};

/* ---- our side ---- */

static bool is_between(int64_t t, const struct server_span *span)
{
    return t != TIME_NEVER && t >= span->from && t < span->to;
}

static void add_begun(struct client_side *side, const struct record *record)
{
    side->first_tokens++;
    side->ttft_ms += (double)(record->first_token - record->sent) / MS;
    if (record->headers != TIME_NEVER) {
        side->heads++;
        side->head_ms += (double)(record->headers - record->sent) / MS;
    }
    prompt_sum_add(&side->begun, record);
}

static void add_ended(struct client_side *side, const struct record *record)
{
    side->requests++;
    side->e2e_ms += (double)(record->end - record->sent) / MS;
    side->output_tokens += record->output_tokens > 0 ? (double)record->output_tokens : 0;
    side->longest_output = fmax(side->longest_output, (double)record->output_tokens);
    prompt_sum_add(&side->ended, record);
}

static void add_cut(struct client_side *side, const struct record *record)
{
    side->cut++;
    side->cut_tokens += record->output_tokens > 0 ? (double)record->output_tokens : 0;
}

static struct client_side count_side(const struct comparing *comparing, const struct server_span *span)
{
    struct client_side side = {0};
    for (size_t k = 0; span->known && k < comparing->level->record_count; k++) {
        const struct record *record = &comparing->data->file.records[comparing->level->records[k]];
        if (record->sent == TIME_NEVER)
            continue;
        if (is_between(record->first_token, span))
            add_begun(&side, record);
        if (record->outcome != OUTCOME_OK)
            add_cut(&side, record);
        else if (is_between(record->end, span))
            add_ended(&side, record);
    }
    return side;
}

/* ---- the server's side ---- */

static double difference(const struct comparing *comparing, const struct server_span *span, enum server_quantity quantity)
{
    return scrapes_difference(&comparing->data->scrapes, span, quantity);
}

static double mean_ms(const struct comparing *comparing, enum server_quantity sum, enum server_quantity count)
{
    double seconds = difference(comparing, &comparing->level->span, sum), n = difference(comparing, &comparing->level->span, count);
    return n > 0 ? seconds * comparing->data->time_scale * 1000 / n : NAN;
}

/* From before the level's first request to after its last one's end, and nothing of another level between. */
static struct server_span find_whole(const struct run_data *data, const struct run_level *level)
{
    struct server_span whole = scrapes_span(&data->scrapes, level->bounds.start, level->drained);
    for (size_t k = 0; whole.known && k < data->level_count; k++) {
        const struct run_level *other = &data->levels[k];
        whole.known = other == level || other->record_count == 0 || other->bounds.start >= whole.to || other->drained <= whole.from;
    }
    return whole;
}

/* For how long the first scrape was still under way when the level had begun: what of that time it counted is not known. */
static double scrape_seconds(const struct comparing *comparing, const struct server_span *span)
{
    const struct scrape *first = &comparing->data->scrapes.items[span->first];
    int64_t over = first->t + first->took - comparing->level->bounds.start;
    return over > 0 ? (double)over / 1e9 : 0;
}

/* ---- verdicts ---- */

static struct reconciled *both_of(const struct comparing *comparing, enum reconciled_item item)
{
    return &comparing->out->server.sums.both[item];
}

static void conclude(struct reconciled *both, enum agreement agreement, const char *why)
{
    both->agreement = agreement;
    both->why = why;
}

/* slack: what may be missing or too much for reasons that are known, named by `reason`. */
static void judge_count(const struct comparing *comparing, enum reconciled_item item, const char *noun, double slack, const char *reason)
{
    struct reconciled *both = both_of(comparing, item);
    double more = both->server - both->client;
    if (isnan(more))
        return;
    if (fabs(more) < 0.5)
        conclude(both, AGREEMENT_AGREES, NULL);
    else if (fabs(more) <= slack)
        conclude(both, AGREEMENT_EXPLAINED, reason);
    else if (more > 0)
        conclude(both, more > RECONCILE_COUNT_SHARE * both->client ? AGREEMENT_DIFFERS : AGREEMENT_EXPLAINED,
                 arena_printf(comparing->arena, "%.0f %s (%.1f %%) that are not ours", more, noun, 100 * more / both->server));
    else if (both->server > 0)
        conclude(both, -more > RECONCILE_COUNT_SHARE * both->client ? AGREEMENT_DIFFERS : AGREEMENT_EXPLAINED,
                 arena_printf(comparing->arena, "%.1f %% of ours: its metrics are of one of several servers behind the address, or lag behind",
                              100 * both->server / both->client));
    else
        conclude(both, AGREEMENT_DIFFERS, "it counted none of ours: its metrics are of another server, or count later");
}

/* Requests that the server may have counted at another time, or in part; *reason says why. */
static double slack_requests(const struct comparing *comparing, bool at_end, const char **reason)
{
    const double *rate = comparing->out->rate;
    double late = at_end && isfinite(rate[RATE_CONCURRENCY]) ? ceil(rate[RATE_CONCURRENCY]) : 0, cut = comparing->all.cut;
    double scraped = isfinite(rate[RATE_REQUEST_RPS]) ? ceil(rate[RATE_REQUEST_RPS] * scrape_seconds(comparing, &comparing->whole)) : 0;
    *reason = cut > 0 ? arena_printf(comparing->arena, "%.0f of our requests did not end well: the server may have counted any part of them", cut)
              : at_end ? "the server counts a request when it has ended: the last ones may come later"
                       : "what came while its metrics were under way";
    return cut + late + scraped;
}

static void compare_count(const struct comparing *comparing, enum reconciled_item item, enum server_quantity quantity, double client,
                          double per_request, const char *noun)
{
    const char *reason;
    double slack = per_request * slack_requests(comparing, comparing->data->scrapes.at_end[quantity], &reason);
    *both_of(comparing, item) = (struct reconciled){.server = difference(comparing, &comparing->whole, quantity), .client = client};
    judge_count(comparing, item, noun, slack, reason);
}

static void compare_counts(const struct comparing *comparing)
{
    const struct client_side *all = &comparing->all;
    const bool *at_end = comparing->data->scrapes.at_end;
    if (!comparing->whole.known)
        return;
    double prompt = all->begun.known > 0 ? all->begun.tokens / (double)all->begun.known : 0;
    compare_count(comparing, RECONCILED_REQUESTS, SERVER_E2E_COUNT, all->requests, 1, "requests");
    compare_count(comparing, RECONCILED_PROMPT_TOKENS, SERVER_PROMPT_TOKENS,
                  prompt_sum_tokens(at_end[SERVER_PROMPT_TOKENS] ? &all->ended : &all->begun), prompt, "prompt tokens");
    compare_count(comparing, RECONCILED_OUTPUT_TOKENS, SERVER_OUTPUT_TOKENS,
                  all->output_tokens + (at_end[SERVER_OUTPUT_TOKENS] ? 0 : all->cut_tokens), all->longest_output, "output tokens");
}

/* The mean time until the response's head; NAN: it is not known, or was held back until there was a token. */
static double head_ms(const struct client_side *side)
{
    double mean = side->heads > 0 ? side->head_ms / side->heads : NAN;
    return side->heads == side->first_tokens && mean <= HEAD_SHARE_MAX * side->ttft_ms / side->first_tokens ? mean : NAN;
}

static double tolerance_ms(const struct comparing *comparing, double server)
{
    return fmax(RECONCILE_SHARE * server, RECONCILE_MS * comparing->data->time_scale);
}

/* Our TTFT is longer by `more` ms, or shorter. head: how long the response's head took; NAN: it does not tell. */
static void explain_wait(const struct comparing *comparing, struct reconciled *both, double more, double server, double head)
{
    struct arena *arena = comparing->arena;
    double tolerance = tolerance_ms(comparing, server);
    double counted = difference(comparing, &comparing->level->span, SERVER_TTFT_COUNT);
    if (fabs(more) <= tolerance)
        conclude(both, AGREEMENT_AGREES, NULL);
    else if (fabs(counted - comparing->window.first_tokens) > RECONCILE_SHARE * comparing->window.first_tokens)
        conclude(both, AGREEMENT_EXPLAINED, arena_printf(arena, "not of the same requests: the server counted %.0f first tokens where %.0f came to us", counted,
                                                         comparing->window.first_tokens));
    else if (more < 0)
        conclude(both, AGREEMENT_DIFFERS, arena_printf(arena, "the server says %.3g ms more than passed at our side", -more));
    else if (more <= head + tolerance)
        conclude(both, AGREEMENT_EXPLAINED,
                 arena_printf(arena, "network and the server's front end: the response's head took %.3g ms", head));
    else if (isnan(head))
        conclude(both, more <= fmax(UNSEEN_SHARE * server, UNSEEN_MS * comparing->data->time_scale) ? AGREEMENT_EXPLAINED : AGREEMENT_DIFFERS,
                 arena_printf(arena, "%.3g ms on the way and in front of the server, before its clock starts", more));
    else
        conclude(both, AGREEMENT_DIFFERS,
                 arena_printf(arena, "%.3g ms that the server does not know of, and the response's head took %.3g ms: network, gateway or front end hold requests or answers back",
                              more, head));
}

static void compare_ttft(const struct comparing *comparing)
{
    struct reconciled *both = both_of(comparing, RECONCILED_TTFT_MEAN);
    both->server = mean_ms(comparing, SERVER_TTFT_SUM, SERVER_TTFT_COUNT);
    both->client = comparing->window.first_tokens > 0 ? comparing->window.ttft_ms / comparing->window.first_tokens : NAN;
    if (isfinite(both->server) && isfinite(both->client))
        explain_wait(comparing, both, both->client - both->server, both->server, head_ms(&comparing->window));
}

/* What explains the TTFT explains the whole as well. */
static void compare_e2e(const struct comparing *comparing)
{
    struct reconciled *both = both_of(comparing, RECONCILED_E2E_MEAN);
    const struct reconciled *ttft = both_of(comparing, RECONCILED_TTFT_MEAN);
    both->server = mean_ms(comparing, SERVER_E2E_SUM, SERVER_E2E_COUNT);
    both->client = comparing->window.requests > 0 ? comparing->window.e2e_ms / comparing->window.requests : NAN;
    double more = both->client - both->server, tolerance = tolerance_ms(comparing, both->server);
    if (isnan(more))
        return;
    if (fabs(more) <= tolerance)
        conclude(both, AGREEMENT_AGREES, NULL);
    else if (isfinite(ttft->client) && isfinite(ttft->server) && fabs(more - (ttft->client - ttft->server)) <= tolerance)
        conclude(both, ttft->agreement == AGREEMENT_DIFFERS ? AGREEMENT_DIFFERS : AGREEMENT_EXPLAINED, "as the TTFT");
    else
        conclude(both, AGREEMENT_DIFFERS,
                 arena_printf(comparing->arena, "%.3g ms %s from the first token to the end", fabs(more), more > 0 ? "more" : "less"));
}

static void compare_itl(const struct comparing *comparing)
{
    struct reconciled *both = both_of(comparing, RECONCILED_ITL_MEAN);
    const struct token_sums *tokens = &comparing->level->tokens;
    const struct server_span *span = &comparing->level->span;
    double steps = difference(comparing, span, SERVER_ITL_COUNT);
    double later_tokens = difference(comparing, span, SERVER_OUTPUT_TOKENS) - difference(comparing, span, SERVER_TTFT_COUNT);
    both->server = mean_ms(comparing, SERVER_ITL_SUM, SERVER_ITL_COUNT);
    both->client = comparing->level->token_source == TOKENS_BY_FRAMES && tokens->span_gap_tokens > 0 ? tokens->span_gap_ns / MS / tokens->span_gap_tokens : NAN;
    if (!isfinite(both->server) || !isfinite(both->client))
        return;
    bool live = !comparing->data->scrapes.at_end[SERVER_OUTPUT_TOKENS];
    double a_step = live && later_tokens > STEP_TOKENS_MIN * steps ? later_tokens / steps : 1, an_arrival = tokens->span_gap_tokens / tokens->span_gaps;
    double per_token = both->server / a_step, more = both->client - per_token;
    double tolerance = fmax(RECONCILE_SHARE * per_token, 0.5 * comparing->data->time_scale);
    if (fabs(more) <= tolerance && a_step > 1)
        conclude(both, AGREEMENT_EXPLAINED, arena_printf(comparing->arena, "the server's is of a step, which makes %.3g tokens", a_step));
    else if (fabs(more) <= tolerance)
        conclude(both, AGREEMENT_AGREES, NULL);
    else if (an_arrival >= ARRIVAL_TOKENS_MIN)
        conclude(both, AGREEMENT_EXPLAINED, arena_printf(comparing->arena, "%.3g tokens came at a time: of those inside an arrival we see no gap", an_arrival));
    else
        conclude(both, AGREEMENT_DIFFERS, arena_printf(comparing->arena, "tokens came %.3g ms %s apart than the server made them", fabs(more),
                                                       more > 0 ? "further" : "less"));
}

/* ---- who is with the server ---- */

static bool is_ours(const struct reconciled *count)
{
    return count->agreement == AGREEMENT_AGREES || count->agreement == AGREEMENT_EXPLAINED;
}

static void compare_in_flight(const struct comparing *comparing)
{
    struct reconciled *both = both_of(comparing, RECONCILED_IN_FLIGHT);
    const struct server_summary *server = &comparing->out->server;
    both->server = server->running.mean + server->queue_depth.mean;
    both->client = comparing->out->rate[RATE_CONCURRENCY];
    double more = both->server - both->client;
    if (isnan(more))
        return;
    if (fabs(more) <= fmax(RECONCILE_REQUESTS, RECONCILE_FLIGHT_SHARE * both->client))
        conclude(both, AGREEMENT_AGREES, NULL);
    else if (more > 0 && (is_ours(both_of(comparing, RECONCILED_REQUESTS)) || is_ours(both_of(comparing, RECONCILED_OUTPUT_TOKENS))))
        conclude(both, AGREEMENT_EXPLAINED, "looked at now and then: a sample. It counted no more than ours");
    else if (more > 0)
        conclude(both, AGREEMENT_DIFFERS, arena_printf(comparing->arena, "%.3g requests on average that are not ours", more));
    else
        conclude(both, AGREEMENT_EXPLAINED,
                 arena_printf(comparing->arena, "%.3g of ours on average were on the way, in a queue in front of the server, or with another server", -more));
}

/* ---- what a dashboard shows ---- */

/* p95 of all our first tokens between the two scrapes, ms; NAN: none. *head: p95 of the responses' heads; NAN where the mean of them tells nothing. */
static double our_ttft_p95(const struct comparing *comparing, double *head)
{
    const struct run_level *level = comparing->level;
    double *values = mem_calloc(level->record_count + 1, sizeof *values), *heads = mem_calloc(level->record_count + 1, sizeof *heads), p95 = NAN;
    size_t count = 0;
    for (size_t k = 0; k < level->record_count; k++) {
        const struct record *record = &comparing->data->file.records[level->records[k]];
        if (record->sent == TIME_NEVER || !is_between(record->first_token, &comparing->whole))
            continue;
        values[count] = (double)(record->first_token - record->sent) / MS;
        heads[count++] = record->headers == TIME_NEVER ? INFINITY : (double)(record->headers - record->sent) / MS;
    }
    if (count > 0) {
        p95 = series_select(values, count, percentile_per_mille(P95));
        *head = isnan(head_ms(&comparing->all)) ? NAN : series_select(heads, count, percentile_per_mille(P95));
    }
    free(values);
    free(heads);
    return p95;
}

/* As Prometheus' histogram_quantile has it: linear inside the bucket. ms of model time. */
static double bucket_p95(const struct server_buckets *buckets, double scale, double *low, double *high)
{
    double wanted = 0.95 * buckets->count[buckets->n - 1], to_ms = 1000 * scale;
    size_t k = 0;
    while (k + 1 < buckets->n && buckets->count[k] < wanted)
        k++;
    double below = k > 0 ? buckets->count[k - 1] : 0, inside = buckets->count[k] - below;
    *low = (k > 0 ? buckets->bound[k - 1] : 0) * to_ms;
    *high = buckets->bound[k] * to_ms;
    if (isinf(*high) || !(inside > 0))
        return *low;
    return *low + (*high - *low) * (wanted - below) / inside;
}

static void compare_ttft_p95(const struct comparing *comparing)
{
    struct reconciled *both = both_of(comparing, RECONCILED_TTFT_P95);
    struct server_buckets added;
    double low, high, head = NAN;
    if (!scrapes_ttft_buckets(&comparing->data->scrapes, &comparing->whole, &added) || !(added.count[added.n - 1] > 0))
        return;
    both->server = bucket_p95(&added, comparing->data->time_scale, &low, &high);
    both->client = our_ttft_p95(comparing, &head);
    if (isnan(both->client))
        return;
    if (fabs(both->client - both->server) <= tolerance_ms(comparing, both->server))
        conclude(both, AGREEMENT_AGREES, NULL);
    else if (both->client > low && both->client <= high)
        conclude(both, AGREEMENT_EXPLAINED,
                 arena_printf(comparing->arena, "coarse buckets: the server knows only that it lies between %.4g and %.4g ms", low, high));
    else
        explain_wait(comparing, both, both->client > high ? both->client - high : both->client - low, both->server, head);
}

/* ---- the whole ---- */

static void fill_sums(struct server_sums *sums, const struct comparing *comparing)
{
    const struct server_span *span = &comparing->level->span;
    const struct scrapes *scrapes = &comparing->data->scrapes;
    sums->from_s = (double)span->from / 1e9;
    sums->to_s = (double)span->to / 1e9;
    sums->output_tokens = difference(comparing, span, SERVER_OUTPUT_TOKENS);
    sums->prompt_tokens = difference(comparing, span, SERVER_PROMPT_TOKENS);
    sums->client_output_tokens = scrapes->at_end[SERVER_OUTPUT_TOKENS]   ? comparing->window.output_tokens
                                 : comparing->level->token_source == TOKENS_BY_FRAMES ? comparing->level->tokens.in_span
                                                                                      : NAN;
    sums->client_prompt_tokens = prompt_sum_tokens(scrapes->at_end[SERVER_PROMPT_TOKENS] ? &comparing->window.ended : &comparing->window.begun);
    sums->queue_time_mean_ms = mean_ms(comparing, SERVER_QUEUE_TIME_SUM, SERVER_QUEUE_TIME_COUNT);
    sums->preemptions = difference(comparing, span, SERVER_PREEMPTIONS);
    double hits = difference(comparing, span, SERVER_CACHE_HITS), queries = difference(comparing, span, SERVER_CACHE_QUERIES);
    if (isnan(queries))
        queries = sums->prompt_tokens; /* SGLang looks every prompt up, and counts them once */
    sums->prefix_cache_hit_share = queries > 0 ? hits / queries : NAN;
}

/* The server counted more than ours, beyond what is known of: the first that says so. */
static void find_foreign(struct server_sums *sums, struct arena *arena)
{
    static const enum reconciled_item items[] = {RECONCILED_REQUESTS, RECONCILED_OUTPUT_TOKENS, RECONCILED_PROMPT_TOKENS, RECONCILED_IN_FLIGHT};
    for (size_t k = 0; k < sizeof items / sizeof items[0]; k++) {
        const struct reconciled *both = &sums->both[items[k]];
        if (both->agreement != AGREEMENT_DIFFERS || both->server < both->client)
            continue;
        sums->foreign = arena_printf(arena, "the server had traffic beside ours: %s", both->why);
        return;
    }
}

void reconcile_level(struct level_summary *out, const struct run_data *data, const struct run_level *level, struct arena *arena)
{
    struct comparing comparing = {.out = out, .data = data, .level = level, .arena = arena};
    if (level->span.known) {
        comparing.window = count_side(&comparing, &level->span);
        fill_sums(&out->server.sums, &comparing);
    }
    if (level->span.known && out->ended) {
        compare_ttft(&comparing);
        compare_itl(&comparing);
        compare_e2e(&comparing);
        comparing.whole = find_whole(data, level);
        comparing.all = count_side(&comparing, &comparing.whole);
        compare_counts(&comparing);
        compare_ttft_p95(&comparing);
    }
    if (out->ended)
        compare_in_flight(&comparing);
    find_foreign(&out->server.sums, arena);
}
