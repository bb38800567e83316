#include "stats/growth.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

/* One-sided 99 % points of Student's t. */
#define T_99_BACKLOG 2.8214379 /* GROWTH_BATCHES - 1 = 9 degrees of freedom */
#define T_99_TTFT 2.8964594    /* GROWTH_BATCHES - 2 = 8 */

void growth_free(struct growth *growth)
{
    free(growth->counts);
    free(growth->ttfts);
    *growth = (struct growth){0};
}

void growth_add_count(struct growth *growth, int64_t t, int64_t due, int64_t ended)
{
    MEM_GROW(growth->counts, growth->count_capacity, growth->count + 1);
    growth->counts[growth->count++] = (struct growth_count){t, due, ended};
}

void growth_add_ttft(struct growth *growth, int64_t first_token, int64_t ttft)
{
    MEM_GROW(growth->ttfts, growth->ttft_capacity, growth->ttft_count + 1);
    growth->ttfts[growth->ttft_count++] = (struct growth_ttft){first_token, ttft};
}

/* ---- the backlog ---- */

/* The newest count at or before t; the oldest where there is none. */
static const struct growth_count *count_at(const struct growth *growth, int64_t t)
{
    size_t low = 0, high = growth->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (growth->counts[middle].t <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return &growth->counts[low > 0 ? low - 1 : 0];
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

static int compare_ttfts(const void *a, const void *b)
{
    const struct growth_ttft *x = a, *y = b;
    return x->t != y->t ? (x->t > y->t) - (x->t < y->t) : (x->ttft > y->ttft) - (x->ttft < y->ttft);
}

struct group {
    double t, ttft; /* means, s */
};

static struct group group_of(const struct growth_ttft *ttfts, size_t count)
{
    struct group group = {0, 0};
    for (size_t k = 0; k < count; k++) {
        group.t += (double)ttfts[k].t / (double)NS_PER_S / (double)count;
        group.ttft += (double)ttfts[k].ttft / (double)NS_PER_S / (double)count;
    }
    return group;
}

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

static struct growth_slope ttft_slope(struct growth *growth, int64_t from, int64_t to)
{
    if (growth->ttft_count == 0)
        return (struct growth_slope){NAN, NAN};
    qsort(growth->ttfts, growth->ttft_count, sizeof *growth->ttfts, compare_ttfts);
    size_t first = 0, last = growth->ttft_count;
    while (first < last && growth->ttfts[first].t < from)
        first++;
    while (last > first && growth->ttfts[last - 1].t > to)
        last--;
    size_t count = last - first;
    if (count < GROWTH_BATCHES)
        return (struct growth_slope){NAN, NAN};
    struct group groups[GROWTH_BATCHES];
    for (size_t k = 0; k < GROWTH_BATCHES; k++) {
        size_t begin = first + count * k / GROWTH_BATCHES, end = first + count * (k + 1) / GROWTH_BATCHES;
        groups[k] = group_of(growth->ttfts + begin, end - begin);
    }
    return line_through(groups);
}

/* ---- both ---- */

struct growth_slopes growth_slopes(struct growth *growth, int64_t now)
{
    return (struct growth_slopes){backlog_slope(growth, now / 2, now), ttft_slope(growth, now / 2, now)};
}

static bool is_growth(const struct growth_slope *slope)
{
    return slope->low > 0 && slope->mean >= GROWTH_SHARE_MIN;
}

bool growth_found(struct growth *growth, int64_t now)
{
    if (now < GROWTH_TIME_MIN_S * NS_PER_S || growth->ttft_count < GROWTH_REQUESTS_MIN || now < growth->next_look)
        return false;
    growth->next_look = (int64_t)((double)now * GROWTH_LOOK_FACTOR);
    struct growth_slopes slopes = growth_slopes(growth, now);
    growth->yes_in_a_row = is_growth(&slopes.backlog) && is_growth(&slopes.ttft) ? growth->yes_in_a_row + 1 : 0;
    return growth->yes_in_a_row >= GROWTH_LOOKS;
}
