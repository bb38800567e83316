#include "stats/growth.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sort.h"

/* One-sided 99 % points of Student's t. */
#define T_99_BACKLOG 2.8214379 /* GROWTH_BATCHES - 1 = 9 degrees of freedom */
#define T_99_TTFT 2.8964594    /* GROWTH_BATCHES - 2 = 8 */

void growth_free(struct growth *growth)
{
    free(growth->counts);
    free(growth->ttfts);
    *growth = (struct growth){0};
}

/* Until when what is seen at t is one entry. */
static int64_t resolution_at(int64_t t)
{
    double seconds = fmax(GROWTH_RESOLUTION_S, GROWTH_RESOLUTION * (double)t / (double)NS_PER_S);
    return t + (int64_t)(seconds * (double)NS_PER_S);
}

void growth_add_count(struct growth *growth, int64_t t, int64_t due, int64_t ended)
{
    if (growth->count > 0 && t < resolution_at(growth->counts[growth->count - 1].t))
        return;
    MEM_GROW(growth->counts, growth->count_capacity, growth->count + 1);
    growth->counts[growth->count++] = (struct growth_count){t, due, ended};
}

void growth_add_ttft(struct growth *growth, int64_t first_token, int64_t ttft)
{
    if (growth->ttft_count == 0 || first_token >= growth->ttfts[growth->ttft_count - 1].until) {
        MEM_GROW(growth->ttfts, growth->ttft_capacity, growth->ttft_count + 1);
        growth->ttfts[growth->ttft_count++] = (struct growth_ttft){.until = resolution_at(first_token)};
    }
    struct growth_ttft *newest = &growth->ttfts[growth->ttft_count - 1];
    newest->count++;
    newest->t += (double)first_token / (double)NS_PER_S;
    newest->ttft += (double)ttft / (double)NS_PER_S;
    growth->first_tokens++;
}

/* ---- the backlog ---- */

/* The newest count at or before t; the oldest where there is none. */
static const struct growth_count *count_at(const struct growth *growth, int64_t t)
{
    size_t until = sort_count_until(growth->counts, growth->count, sizeof *growth->counts, t);
    return &growth->counts[until > 0 ? until - 1 : 0];
}

static int64_t backlog_of(const struct growth_count *count)
{
    return count->due - count->ended;
}

static struct growth_slope backlog_slope(const struct growth *growth, int64_t from, int64_t to)
{
    struct growth_slope slope = {NAN, NAN};
    if (growth->count < 2)
        return slope;
    const struct growth_count *first = count_at(growth, from), *last = count_at(growth, to), *before = first;
    double due = (double)(last->due - first->due), mean = 0, squares = 0;
    if (!(due > 0))
        return slope;
    for (int k = 1; k <= GROWTH_BATCHES; k++) {
        const struct growth_count *here = count_at(growth, from + (to - from) * k / GROWTH_BATCHES);
        double added = (double)(backlog_of(here) - backlog_of(before)), old = mean;
        mean += (added - mean) / k;
        squares += (added - old) * (added - mean);
        before = here;
    }
    double half = T_99_BACKLOG * sqrt(squares / (GROWTH_BATCHES - 1) / GROWTH_BATCHES);
    slope.mean = mean * GROWTH_BATCHES / due;
    slope.low = (mean - half) * GROWTH_BATCHES / due;
    return slope;
}

/* ---- TTFT ---- */

struct group {
    double t, ttft; /* means, s */
};

static struct growth_slope line_through(const struct group *groups)
{
    double t = 0, ttft = 0, tt = 0, tv = 0, vv = 0;
    for (int k = 0; k < GROWTH_BATCHES; k++) {
        t += groups[k].t / GROWTH_BATCHES;
        ttft += groups[k].ttft / GROWTH_BATCHES;
    }
    for (int k = 0; k < GROWTH_BATCHES; k++) {
        double x = groups[k].t - t, y = groups[k].ttft - ttft;
        tt += x * x;
        tv += x * y;
        vv += y * y;
    }
    if (!(tt > 0))
        return (struct growth_slope){NAN, NAN};
    double slope = tv / tt, rest = fmax(0, vv - slope * tv);
    return (struct growth_slope){slope, slope - T_99_TTFT * sqrt(rest / (GROWTH_BATCHES - 2) / tt)};
}

static bool is_between(const struct growth_ttft *entry, double from, double to)
{
    double t = entry->t / entry->count;
    return t >= from && t <= to;
}

/* from, to: s. */
static struct growth_slope ttft_slope(const struct growth *growth, double from, double to)
{
    struct growth_ttft sums[GROWTH_BATCHES] = {{0}};
    struct group groups[GROWTH_BATCHES];
    double count = 0, before = 0;
    for (size_t k = 0; k < growth->ttft_count; k++)
        count += is_between(&growth->ttfts[k], from, to) ? growth->ttfts[k].count : 0;
    for (size_t k = 0; k < growth->ttft_count; k++) {
        const struct growth_ttft *entry = &growth->ttfts[k];
        if (!is_between(entry, from, to))
            continue;
        struct growth_ttft *sum = &sums[(int)(before * GROWTH_BATCHES / count)];
        sum->count += entry->count;
        sum->t += entry->t;
        sum->ttft += entry->ttft;
        before += entry->count;
    }
    for (int k = 0; k < GROWTH_BATCHES; k++) {
        if (!(sums[k].count > 0)) /* fewer than there are groups, or most of them at one time */
            return (struct growth_slope){NAN, NAN};
        groups[k] = (struct group){sums[k].t / sums[k].count, sums[k].ttft / sums[k].count};
    }
    return line_through(groups);
}

/* ---- both ---- */

struct growth_slopes growth_slopes(const struct growth *growth, int64_t now)
{
    double seconds = (double)now / (double)NS_PER_S;
    return (struct growth_slopes){backlog_slope(growth, now / 2, now), ttft_slope(growth, seconds / 2, seconds)};
}

static bool is_growth(const struct growth_slope *slope)
{
    return slope->low > 0 && slope->mean >= GROWTH_SHARE_MIN;
}

bool growth_found(struct growth *growth, int64_t now)
{
    if (now < GROWTH_TIME_MIN_S * NS_PER_S || growth->first_tokens < GROWTH_REQUESTS_MIN || now < growth->next_look)
        return false;
    growth->next_look = (int64_t)((double)now * GROWTH_LOOK_FACTOR);
    struct growth_slopes slopes = growth_slopes(growth, now);
    growth->yes_in_a_row = is_growth(&slopes.backlog) && is_growth(&slopes.ttft) ? growth->yes_in_a_row + 1 : 0;
    return growth->yes_in_a_row >= GROWTH_LOOKS;
}
