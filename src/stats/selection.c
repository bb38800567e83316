#include "stats/selection.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BIN_BITS 11                       /* of the mantissa; more are slower, since the bins no longer fit beside the rest in the nearest caches */
#define BINS_PER_OCTAVE (1U << BIN_BITS)
#define OCTAVES 64                        /* [0, 1) and then one for every doubling */
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define WANTED_MAX (PERCENTILE_COUNT + 2 * INTERVAL_COUNT + 2)
#define SQUARE_SHIFT 8                    /* g^2 / n is summed in units of 1/256 */

__extension__ typedef unsigned __int128 wide;

/* Values and how often: open addressing, empty where times is 0. */
struct tally {
    double *values;
    uint64_t *times;
    size_t used, size;
};

/* A bin that holds a wanted rank. */
struct chosen {
    uint32_t bin;
    uint64_t before; /* samples in the bins below */
    struct tally tally;
};

struct histogram {
    uint64_t *octave[OCTAVES]; /* NULL: no sample yet */
    uint64_t count;
    wide sum, squares; /* of the gaps; squares: in units of 1 / 256 */
    double min, max;
};

/* What is picked out for one distribution. */
struct pick {
    uint32_t *choice[OCTAVES];   /* per bin: 1 + index of chosen, 0: not wanted; NULL: none in the octave */
    uint64_t wanted[WANTED_MAX]; /* ranks; 0: there is none */
    struct chosen chosen[WANTED_MAX];
    size_t chosen_count;
};

/* Gaps of single tokens are in both distributions; of the others each has its own. */
enum part { ONE_TOKEN, OTHERS_AS_GAPS, OTHERS_AS_ITL, PART_COUNT };

struct selection {
    struct histogram part[PART_COUNT];
    struct pick pick[SELECTION_OF_COUNT];
    unsigned char *wanted_bin[OCTAVES]; /* per bin: 1 where it is chosen for one distribution or both; NULL: none in the octave */
};

struct selection *selection_new(void)
{
    struct selection *selection = mem_alloc(sizeof *selection);
    for (int k = 0; k < PART_COUNT; k++) {
        selection->part[k].min = INFINITY;
        selection->part[k].max = -INFINITY;
    }
    return selection;
}

static void free_pick(struct pick *pick)
{
    for (int k = 0; k < OCTAVES; k++)
        free(pick->choice[k]);
    for (size_t k = 0; k < pick->chosen_count; k++) {
        free(pick->chosen[k].tally.values);
        free(pick->chosen[k].tally.times);
    }
}

void selection_free(struct selection *selection)
{
    if (!selection)
        return;
    for (int k = 0; k < OCTAVES; k++) {
        for (int part = 0; part < PART_COUNT; part++)
            free(selection->part[part].octave[k]);
        free(selection->wanted_bin[k]);
    }
    for (int of = 0; of < SELECTION_OF_COUNT; of++)
        free_pick(&selection->pick[of]);
    free(selection);
}

static int64_t clip_gap(int64_t gap)
{
    return gap < 0 ? 0 : gap > SELECTION_GAP_MAX ? SELECTION_GAP_MAX : gap;
}

/* Octave in the high part, bin in the low one. The bits of a positive double grow with its value. */
static uint32_t bin_of(double value)
{
    if (value < 1)
        return 0;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t octave = (bits >> MANTISSA_BITS) - EXPONENT_BIAS + 1;
    uint64_t bin = bits >> (MANTISSA_BITS - BIN_BITS) & (BINS_PER_OCTAVE - 1);
    return (uint32_t)(octave << BIN_BITS | bin);
}

/* ---- first pass ---- */

static inline void count_value(struct histogram *histogram, double value, uint64_t times)
{
    uint32_t bin = bin_of(value);
    uint64_t **octave = &histogram->octave[bin >> BIN_BITS];
    if (__builtin_expect(!*octave, 0))
        *octave = mem_calloc(BINS_PER_OCTAVE, sizeof **octave);
    (*octave)[bin & (BINS_PER_OCTAVE - 1)] += times;
    if (value < histogram->min)
        histogram->min = value;
    if (value > histogram->max)
        histogram->max = value;
}

static void count_others(struct selection *selection, int64_t gap, int32_t n)
{
    wide square = (wide)(uint64_t)gap * (wide)(uint64_t)gap << SQUARE_SHIFT;
    struct histogram *gaps = &selection->part[OTHERS_AS_GAPS], *itl = &selection->part[OTHERS_AS_ITL];
    count_value(gaps, (double)gap, 1);
    gaps->count++;
    gaps->sum += (wide)(uint64_t)gap;
    gaps->squares += square;
    if (n <= 0)
        return;
    count_value(itl, (double)gap / n, (uint64_t)n);
    itl->count += (uint64_t)n;
    itl->sum += (wide)(uint64_t)gap;
    itl->squares += square / (wide)(uint32_t)n;
}

void selection_count(struct selection *selection, const int64_t *gaps, const int32_t *n, size_t count)
{
    struct histogram *one = &selection->part[ONE_TOKEN];
    wide sum = 0, squares = 0;
    size_t others = 0;
    for (size_t k = 0; k < count; k++) {
        int64_t gap = clip_gap(gaps[k]);
        if (n[k] != 1) {
            count_others(selection, gap, n[k]);
            others++;
            continue;
        }
        count_value(one, (double)gap, 1);
        sum += (wide)(uint64_t)gap;
        squares += (wide)(uint64_t)gap * (wide)(uint64_t)gap;
    }
    one->count += count - others;
    one->sum += sum;
    one->squares += squares << SQUARE_SHIFT;
}

/* ---- between the passes ---- */

/* The second histogram of a distribution, beside that of single tokens. */
static const struct histogram *others_of(const struct selection *selection, enum selection_of of)
{
    return &selection->part[of == SELECTION_GAPS ? OTHERS_AS_GAPS : OTHERS_AS_ITL];
}

static uint64_t count_of(const struct selection *selection, enum selection_of of)
{
    return selection->part[ONE_TOKEN].count + others_of(selection, of)->count;
}

/* Percentiles first, then the lower and upper ranks of the intervals. */
static void set_wanted_ranks(struct pick *pick, uint64_t count)
{
    uint64_t *wanted = pick->wanted;
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        *wanted++ = series_rank(count, percentile_per_mille((enum percentile)k));
    for (int k = 0; k < INTERVAL_COUNT; k++, wanted += 2)
        series_interval_ranks(count, percentile_per_mille(interval_percentile(k)), &wanted[0], &wanted[1]);
}

static bool bin_is_wanted(const struct pick *pick, uint64_t before, uint64_t inside)
{
    for (int k = 0; k < WANTED_MAX; k++)
        if (pick->wanted[k] > before && pick->wanted[k] <= before + inside)
            return true;
    return false;
}

static void choose_bin(struct selection *selection, struct pick *pick, uint32_t bin, uint64_t before)
{
    uint32_t octave = bin >> BIN_BITS, at = bin & (BINS_PER_OCTAVE - 1);
    if (!pick->choice[octave])
        pick->choice[octave] = mem_calloc(BINS_PER_OCTAVE, sizeof *pick->choice[octave]);
    if (!selection->wanted_bin[octave])
        selection->wanted_bin[octave] = mem_calloc(BINS_PER_OCTAVE, sizeof *selection->wanted_bin[octave]);
    pick->chosen[pick->chosen_count++] = (struct chosen){.bin = bin, .before = before};
    pick->choice[octave][at] = (uint32_t)pick->chosen_count;
    selection->wanted_bin[octave][at] = 1;
}

static void choose_for(struct selection *selection, enum selection_of of)
{
    struct pick *pick = &selection->pick[of];
    const struct histogram *one = &selection->part[ONE_TOKEN], *others = others_of(selection, of);
    uint64_t before = 0, count = count_of(selection, of);
    if (count == 0)
        return;
    set_wanted_ranks(pick, count);
    for (uint32_t octave = 0; octave < OCTAVES; octave++) {
        const uint64_t *a = one->octave[octave], *b = others->octave[octave];
        for (uint32_t bin = 0; (a || b) && bin < BINS_PER_OCTAVE; bin++) {
            uint64_t inside = (a ? a[bin] : 0) + (b ? b[bin] : 0);
            if (inside == 0)
                continue;
            if (bin_is_wanted(pick, before, inside))
                choose_bin(selection, pick, octave << BIN_BITS | bin, before);
            before += inside;
        }
    }
}

void selection_choose(struct selection *selection)
{
    choose_for(selection, SELECTION_GAPS);
    choose_for(selection, SELECTION_ITL);
}

/* ---- second pass ---- */

static size_t tally_slot(const struct tally *tally, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits *= UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing: 2^64 / the golden ratio */
    size_t slot = (size_t)(bits >> 32) & (tally->size - 1);
    while (tally->times[slot] != 0 && tally->values[slot] != value)
        slot = (slot + 1) & (tally->size - 1);
    return slot;
}

static void tally_grow(struct tally *tally)
{
    struct tally bigger = {.size = tally->size ? tally->size * 2 : 64, .used = tally->used};
    bigger.values = mem_calloc(bigger.size, sizeof *bigger.values);
    bigger.times = mem_calloc(bigger.size, sizeof *bigger.times);
    for (size_t k = 0; k < tally->size; k++)
        if (tally->times[k] != 0) {
            size_t slot = tally_slot(&bigger, tally->values[k]);
            bigger.values[slot] = tally->values[k];
            bigger.times[slot] = tally->times[k];
        }
    free(tally->values);
    free(tally->times);
    *tally = bigger;
}

static void tally_add(struct tally *tally, double value, uint64_t times)
{
    if (tally->used * 2 >= tally->size)
        tally_grow(tally);
    size_t slot = tally_slot(tally, value);
    if (tally->times[slot] == 0) {
        tally->values[slot] = value;
        tally->used++;
    }
    tally->times[slot] += times;
}

static bool is_wanted(const struct selection *selection, uint32_t bin)
{
    const unsigned char *wanted = selection->wanted_bin[bin >> BIN_BITS];
    return wanted && wanted[bin & (BINS_PER_OCTAVE - 1)];
}

static void collect_value(struct pick *pick, uint32_t bin, double value, uint64_t times)
{
    const uint32_t *choice = pick->choice[bin >> BIN_BITS];
    uint32_t index = choice ? choice[bin & (BINS_PER_OCTAVE - 1)] : 0;
    if (index != 0)
        tally_add(&pick->chosen[index - 1].tally, value, times);
}

void selection_collect(struct selection *selection, const int64_t *gaps, const int32_t *n, size_t count)
{
    struct pick *of_gaps = &selection->pick[SELECTION_GAPS], *of_itl = &selection->pick[SELECTION_ITL];
    for (size_t k = 0; k < count; k++) {
        double gap = (double)clip_gap(gaps[k]);
        uint32_t bin = bin_of(gap);
        if (n[k] == 1 && !is_wanted(selection, bin)) /* nearly all */
            continue;
        collect_value(of_gaps, bin, gap, 1);
        if (n[k] > 0)
            collect_value(of_itl, bin_of(gap / n[k]), gap / n[k], (uint64_t)n[k]);
    }
}

/* ---- answers ---- */

struct pair {
    double value;
    uint64_t times;
};

static int compare_pairs(const void *a, const void *b)
{
    double x = ((const struct pair *)a)->value, y = ((const struct pair *)b)->value;
    return (x > y) - (x < y);
}

/* Answers every wanted rank that lies in this bin. */
static void answer_bin(const struct pick *pick, const struct chosen *chosen, double *answers)
{
    size_t count = 0;
    struct pair *pairs = mem_calloc(chosen->tally.used + 1, sizeof *pairs);
    for (size_t k = 0; k < chosen->tally.size; k++)
        if (chosen->tally.times[k] != 0)
            pairs[count++] = (struct pair){chosen->tally.values[k], chosen->tally.times[k]};
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    uint64_t before = chosen->before;
    for (size_t k = 0; k < count; before += pairs[k++].times)
        for (int w = 0; w < WANTED_MAX; w++)
            if (pick->wanted[w] > before && pick->wanted[w] <= before + pairs[k].times)
                answers[w] = pairs[k].value;
    free(pairs);
}

static void describe_moments(uint64_t samples, wide sum, wide squares, double unit, struct distribution *out)
{
    long double count = (long double)samples;
    long double mean = (long double)sum / count;
    out->mean = (double)(mean / (long double)unit);
    if (samples < 2)
        return;
    /* n x squares - sum^2 without rounding where it fits: nothing is lost when all samples are nearly equal. */
    wide scaled, square;
    long double deviation;
    if (!__builtin_mul_overflow(squares, (wide)samples, &scaled) && !__builtin_mul_overflow(sum, sum, &square) &&
        square <= ~(wide)0 >> SQUARE_SHIFT) {
        square <<= SQUARE_SHIFT;
        deviation = scaled > square ? (long double)(scaled - square) / count : 0;
    } else {
        deviation = (long double)squares - ((long double)sum * mean) * (1 << SQUARE_SHIFT);
    }
    deviation /= 1 << SQUARE_SHIFT;
    out->std = deviation > 0 ? (double)(sqrtl(deviation / (count - 1)) / (long double)unit) : 0;
}

struct distribution selection_describe(struct selection *selection, enum selection_of of, double unit)
{
    const struct pick *pick = &selection->pick[of];
    const struct histogram *one = &selection->part[ONE_TOKEN], *others = others_of(selection, of);
    struct distribution out = distribution_empty();
    out.count = count_of(selection, of);
    if (out.count == 0)
        return out;
    double answers[WANTED_MAX];
    for (int k = 0; k < WANTED_MAX; k++)
        answers[k] = NAN;
    for (size_t k = 0; k < pick->chosen_count; k++)
        answer_bin(pick, &pick->chosen[k], answers);
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        out.percentile[k] = answers[k] / unit;
    for (int k = 0; k < INTERVAL_COUNT; k++)
        out.interval[k] = (struct interval){answers[PERCENTILE_COUNT + 2 * k] / unit, answers[PERCENTILE_COUNT + 2 * k + 1] / unit};
    out.min = fmin(one->min, others->min) / unit;
    out.max = fmax(one->max, others->max) / unit;
    describe_moments(out.count, one->sum + others->sum, one->squares + others->squares, unit, &out);
    return out;
}
