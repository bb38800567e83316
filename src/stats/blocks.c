#include "stats/blocks.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"
#include "stats/series.h"

#define SEED 20150811 /* any: the same blocks give the same interval */
#define DRAW_BITS 16  /* of a random number, for one block: four draws a number, with a bias of a 3000th */
#define DRAWS_AT_ONCE 4

__extension__ typedef __int128 wide;

struct blocks blocks_cut(int64_t start, int64_t end, int64_t median_e2e)
{
    struct blocks blocks = {start, end, 0};
    if (median_e2e <= 0 || end <= start)
        return blocks;
    int64_t fit = (end - start) / median_e2e;
    blocks.count = fit < BLOCKS_MIN ? 0 : fit < BLOCKS ? (size_t)fit : BLOCKS;
    return blocks;
}

int64_t blocks_bound(const struct blocks *blocks, size_t k)
{
    return blocks->start + (int64_t)((wide)(blocks->end - blocks->start) * (wide)k / (wide)blocks->count);
}

size_t blocks_find(const struct blocks *blocks, int64_t t)
{
    size_t k = (size_t)((wide)(t - blocks->start) * (wide)blocks->count / (wide)(blocks->end - blocks->start));
    if (k + 1 < blocks->count && t >= blocks_bound(blocks, k + 1)) /* bounds are rounded down */
        k++;
    return k;
}

double blocks_seconds(const struct blocks *blocks)
{
    return (double)(blocks->end - blocks->start) / (double)blocks->count / 1e9;
}

struct interval blocks_mean_interval(const double *values, size_t count)
{
    return count < BLOCKS_MIN ? interval_unknown : interval_above_zero(uncertain_mean(values, count).interval);
}

/* The share of replicates that is left out at each end. */
static double expanded_tail(size_t count)
{
    double n = (double)count;
    return 0.5 * erfc(sqrt(n / (n - 1)) * student_quantile(0.975, n - 1) / M_SQRT2);
}

/* sum(a) / sum(b) over as many blocks, drawn with replacement. NAN: b is 0 in all of them. */
static double resample(const double *a, const double *b, size_t count, struct random *random)
{
    double over = 0, under = 0;
    uint64_t draws = 0;
    for (size_t k = 0; k < count; k++, draws >>= DRAW_BITS) {
        if (k % DRAWS_AT_ONCE == 0)
            draws = random_u64(random);
        size_t at = (draws & ((UINT64_C(1) << DRAW_BITS) - 1)) * count >> DRAW_BITS;
        over += a[at];
        under += b[at];
    }
    return under > 0 ? over / under : NAN;
}

static bool is_all_zero(const double *values, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (values[k] != 0)
            return false;
    return true;
}

struct interval blocks_ratio_interval(const double *a, const double *b, size_t count)
{
    struct random random;
    size_t known = 0;
    if (count < BLOCKS_MIN || is_all_zero(a, count))
        return interval_unknown;
    double *ratios = mem_calloc(BLOCKS_RESAMPLES, sizeof *ratios);
    random_seed(&random, SEED);
    for (int k = 0; k < BLOCKS_RESAMPLES; k++) {
        double ratio = resample(a, b, count, &random);
        if (isfinite(ratio))
            ratios[known++] = ratio;
    }
    struct interval interval = interval_unknown;
    size_t rank = (size_t)(expanded_tail(count) * (double)known) + 1;
    if (known > BLOCKS_RESAMPLES / 2) {
        interval.low = series_select_rank(ratios, known, rank);
        interval.high = series_select_rank(ratios, known, known + 1 - rank);
    }
    free(ratios);
    return interval;
}
