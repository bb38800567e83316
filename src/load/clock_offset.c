#include "load/clock_offset.h"

#include <string.h>

#define COARSE_NS (20 * NS_PER_MS)
#define FINE_NS (2 * NS_PER_MS)
#define AGE_NS (1100 * NS_PER_MS)    /* of a date that may be old: servers that make one a second are late at times */
#define GOOD_ENOUGH_NS (4 * NS_PER_MS)
#define ASK_TIMEOUT_NS NS_PER_S

/* What is known: lower < offset <= upper. */
struct bounds {
    bool known, old;    /* old: dates are taken to be up to AGE_NS old */
    int64_t lower, upper;
    int64_t date;       /* the newest */
    int changes;        /* of it */
    int64_t round_trip; /* the shortest */
};

static void forget(struct bounds *bounds, bool old)
{
    *bounds = (struct bounds){.old = old, .round_trip = INT64_MAX};
}

/* false: that cannot be. Dates that are a second old leave at least a second. */
static bool learn(struct bounds *bounds, int64_t asked, int64_t answered, int64_t date)
{
    int64_t lower = asked - date - NS_PER_S - (bounds->old ? AGE_NS : 0), upper = answered - date;
    if (!bounds->known || lower > bounds->lower)
        bounds->lower = lower;
    if (!bounds->known || upper < bounds->upper)
        bounds->upper = upper;
    if (answered - asked < bounds->round_trip)
        bounds->round_trip = answered - asked;
    bounds->changes += bounds->known && date != bounds->date;
    bounds->date = date;
    bounds->known = true;
    return bounds->upper - bounds->lower > (bounds->old ? NS_PER_S : 0);
}

/* Without what no question can find out. */
static int64_t width(const struct bounds *bounds)
{
    return bounds->upper - bounds->lower - (bounds->old ? AGE_NS : 0);
}

static bool is_good_enough(const struct bounds *bounds)
{
    int64_t reachable = bounds->old ? 2 * COARSE_NS : GOOD_ENOUGH_NS;
    /* The second change must come where the first says, or dates are old. */
    return bounds->changes >= (bounds->old ? 1 : 2) && width(bounds) <= reachable + 2 * bounds->round_trip;
}

/* How long to wait before an answer can tell something new: where the second may change at the target. */
static int64_t until_next(const struct bounds *bounds, int64_t realtime)
{
    int64_t span = width(bounds), spacing = span / 10;
    int64_t behind = (realtime - bounds->lower) % NS_PER_S;
    spacing = spacing > COARSE_NS ? COARSE_NS : spacing < FINE_NS ? FINE_NS : spacing;
    if (behind < 0)
        behind += NS_PER_S;
    return behind < span || bounds->old ? spacing : NS_PER_S - behind + spacing;
}

void clock_offset_watch(const struct clock *clock, int64_t deadline, clock_asker ask, void *context, struct clock_check *check)
{
    struct bounds bounds;
    check->offset_ns = 0;
    check->error_ns = -1;
    forget(&bounds, false);
    while (clock_now(clock) < deadline && !is_good_enough(&bounds)) {
        struct clock_answer answer;
        int64_t asked = clock_realtime(clock);
        if (ask(context, &answer) < 0)
            return;
        int64_t answered = clock_realtime(clock);
        if (answer.may_be_old && !bounds.old)
            forget(&bounds, true);
        if (!learn(&bounds, asked, answered, answer.date)) {
            if (bounds.old)
                return; /* older still, or somebody sets a clock */
            forget(&bounds, true);
            continue;
        }
        int64_t next = clock_now(clock) + until_next(&bounds, answered);
        if (next >= deadline)
            break;
        if (!is_good_enough(&bounds))
            clock_sleep_until(clock, next);
    }
    if (!bounds.known)
        return;
    check->offset_ns = bounds.lower + (bounds.upper - bounds.lower) / 2;
    check->error_ns = (bounds.upper - bounds.lower + 1) / 2;
}

/* ---- by HTTP ---- */

struct http_asking {
    struct http_client *client;
    const char *url;
    bool cached_date;
};

static int ask_http(void *context, struct clock_answer *answer)
{
    const struct http_asking *asking = context;
    struct http_response response;
    int status = http_client_get(asking->client, asking->url, ASK_TIMEOUT_NS, &response, NULL);
    *answer = (struct clock_answer){response.date_ns, asking->cached_date || strncmp(response.server, "uvicorn", strlen("uvicorn")) == 0};
    if (status == 0 && response.date_ns == TIME_NEVER)
        status = -1;
    http_response_free(&response);
    return status;
}

void clock_offset_measure(const struct net_settings *net, const struct clock *clock, const char *url, bool cached_date, int64_t deadline,
                          struct clock_check *check)
{
    struct http_asking asking = {.client = http_client_new(net, NULL), .url = url, .cached_date = cached_date};
    check->offset_ns = 0;
    check->error_ns = -1;
    if (!asking.client)
        return;
    clock_offset_watch(clock, deadline, ask_http, &asking, check);
    http_client_free(asking.client);
}
