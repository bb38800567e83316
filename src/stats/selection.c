#include "stats/selection.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BIN_BITS 12                       /* of the mantissa */
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

struct selection {
    uint64_t *octave[OCTAVES]; /* NULL: no sample yet */
    uint32_t *choice[OCTAVES]; /* per bin: 1 + index of chosen, 0: not wanted; NULL: none in the octave */
    uint64_t count;
    wide sum, squares;
    double min, max;
    uint64_t wanted[WANTED_MAX]; /* ranks; 0: there is none */
    struct chosen chosen[WANTED_MAX];
    size_t chosen_count;
};

struct selection *selection_new(void)
{
    struct selection *selection = mem_alloc(sizeof *selection);
    selection->min = INFINITY;
    selection->max = -INFINITY;
    return selection;
}

void selection_free(struct selection *selection)
{
    if (!selection)
        return;
    for (int k = 0; k < OCTAVES; k++) {
        free(selection->octave[k]);
        free(selection->choice[k]);
    }
    for (size_t k = 0; k < selection->chosen_count; k++) {
        free(selection->chosen[k].tally.values);
        free(selection->chosen[k].tally.times);
    }
    free(selection);
}

static int64_t clip_gap(int64_t gap)
{
    return gap < 0 ? 0 : gap > SELECTION_GAP_MAX ? SELECTION_GAP_MAX : gap;
}

static double sample_value(int64_t gap, uint32_t n)
{
    return n == 1 ? (double)gap : (double)gap / (double)n;
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

void selection_count(struct selection *selection, int64_t gap, uint32_t n)
{
    int64_t clipped = clip_gap(gap);
    double value = sample_value(clipped, n);
    uint32_t bin = bin_of(value);
    uint64_t **octave = &selection->octave[bin >> BIN_BITS];
    if (!*octave)
        *octave = mem_calloc(BINS_PER_OCTAVE, sizeof **octave);
    (*octave)[bin & (BINS_PER_OCTAVE - 1)] += n;
    selection->count += n;
    wide square = (wide)(uint64_t)clipped * (wide)(uint64_t)clipped << SQUARE_SHIFT;
    selection->sum += (wide)(uint64_t)clipped;
    selection->squares += n == 1 ? square : square / n;
    if (value < selection->min)
        selection->min = value;
    if (value > selection->max)
        selection->max = value;
}

/* Percentiles first, then the lower and upper ranks of the intervals. */
static void set_wanted_ranks(struct selection *selection)
{
    uint64_t *wanted = selection->wanted;
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        *wanted++ = series_rank(selection->count, percentile_per_mille((enum percentile)k));
    for (int k = 0; k < INTERVAL_COUNT; k++, wanted += 2)
        series_interval_ranks(selection->count, percentile_per_mille(interval_percentile(k)), &wanted[0], &wanted[1]);
}

static bool bin_is_wanted(const struct selection *selection, uint64_t before, uint64_t inside)
{
    for (int k = 0; k < WANTED_MAX; k++)
        if (selection->wanted[k] > before && selection->wanted[k] <= before + inside)
            return true;
    return false;
}

static void choose_bin(struct selection *selection, uint32_t bin, uint64_t before)
{
    uint32_t **choice = &selection->choice[bin >> BIN_BITS];
    if (!*choice)
        *choice = mem_calloc(BINS_PER_OCTAVE, sizeof **choice);
    selection->chosen[selection->chosen_count++] = (struct chosen){.bin = bin, .before = before};
    (*choice)[bin & (BINS_PER_OCTAVE - 1)] = (uint32_t)selection->chosen_count;
}

void selection_choose(struct selection *selection)
{
    if (selection->count == 0)
        return;
    set_wanted_ranks(selection);
    uint64_t before = 0;
    for (uint32_t octave = 0; octave < OCTAVES; octave++) {
        const uint64_t *bins = selection->octave[octave];
        for (uint32_t bin = 0; bins && bin < BINS_PER_OCTAVE; bin++) {
            if (bins[bin] == 0)
                continue;
            if (bin_is_wanted(selection, before, bins[bin]))
                choose_bin(selection, octave << BIN_BITS | bin, before);
            before += bins[bin];
        }
    }
}

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

void selection_collect(struct selection *selection, int64_t gap, uint32_t n)
{
    double value = sample_value(clip_gap(gap), n);
    uint32_t bin = bin_of(value);
    const uint32_t *choice = selection->choice[bin >> BIN_BITS];
    if (!choice)
        return;
    uint32_t index = choice[bin & (BINS_PER_OCTAVE - 1)];
    if (index != 0)
        tally_add(&selection->chosen[index - 1].tally, value, n);
}

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
static void answer_bin(const struct selection *selection, const struct chosen *chosen, double *answers)
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
            if (selection->wanted[w] > before && selection->wanted[w] <= before + pairs[k].times)
                answers[w] = pairs[k].value;
    free(pairs);
}

static void describe_moments(const struct selection *selection, double unit, struct distribution *out)
{
    long double count = (long double)selection->count;
    long double mean = (long double)selection->sum / count;
    out->mean = (double)(mean / (long double)unit);
    if (selection->count < 2)
        return;
    /* n x squares - sum^2 without rounding where it fits: nothing is lost when all samples are nearly equal. */
    wide scaled, square;
    long double deviation;
    if (!__builtin_mul_overflow(selection->squares, (wide)selection->count, &scaled) &&
        !__builtin_mul_overflow(selection->sum, selection->sum, &square) && square <= ~(wide)0 >> SQUARE_SHIFT) {
        square <<= SQUARE_SHIFT;
        deviation = scaled > square ? (long double)(scaled - square) / count : 0;
    } else {
        deviation = (long double)selection->squares - ((long double)selection->sum * mean) * (1 << SQUARE_SHIFT);
    }
    deviation /= 1 << SQUARE_SHIFT;
    out->std = deviation > 0 ? (double)(sqrtl(deviation / (count - 1)) / (long double)unit) : 0;
}

struct distribution selection_describe(struct selection *selection, double unit)
{
    struct distribution out = distribution_empty();
    out.count = selection->count;
    if (selection->count == 0)
        return out;
    double answers[WANTED_MAX];
    for (int k = 0; k < WANTED_MAX; k++)
        answers[k] = NAN;
    for (size_t k = 0; k < selection->chosen_count; k++)
        answer_bin(selection, &selection->chosen[k], answers);
    for (int k = 0; k < PERCENTILE_COUNT; k++)
        out.percentile[k] = answers[k] / unit;
    for (int k = 0; k < INTERVAL_COUNT; k++)
        out.interval[k] = (struct interval){answers[PERCENTILE_COUNT + 2 * k] / unit, answers[PERCENTILE_COUNT + 2 * k + 1] / unit};
    out.min = selection->min / unit;
    out.max = selection->max / unit;
    describe_moments(selection, unit, &out);
    return out;
}
