#include "stats/footnotes.h"

#include <math.h>

#include "base/units.h"

static double per_usd(const struct roi_row *row, int at)
{
    return row->at[at].yield[YIELD_TOTAL_PER_USD];
}

static void add(struct roi *roi, const char *text)
{
    roi->footnotes[roi->footnote_count++] = text;
}

/* ---- two operating points ---- */

struct mixed {
    double ratio;
    int of_a, of_b;
};

/* What the ratio of a to b would be were their figures of different operating points: the smallest and the largest. */
static bool find_mixed(const struct roi_row *a, const struct roi_row *b, struct mixed *least, struct mixed *most)
{
    bool found = false;
    for (int x = 0; x < OPERATING_COUNT; x++)
        for (int y = 0; y < OPERATING_COUNT; y++) {
            double ratio = per_usd(a, x) / per_usd(b, y);
            if (x == y || !isfinite(ratio) || ratio <= 0)
                continue;
            if (!found || ratio < least->ratio)
                *least = (struct mixed){ratio, x, y};
            if (!found || ratio > most->ratio)
                *most = (struct mixed){ratio, x, y};
            found = true;
        }
    return found;
}

static void tell_mixed(struct roi *roi, struct arena *arena, const struct roi_row *a, const struct roi_row *b)
{
    struct mixed least = {NAN, 0, 0}, most = least;
    if (!find_mixed(a, b, &least, &most) || least.ratio == most.ratio)
        return;
    add(roi, arena_printf(arena,
                          "Figures of two operating points make no ratio: tokens a dollar of %s against those of %s would be anything from %.1f (%s against "
                          "%s) to %.1f times (%s against %s)",
                          a->deployment->name, b->deployment->name, least.ratio, roi->title[least.of_a], roi->title[least.of_b], most.ratio,
                          roi->title[most.of_a], roi->title[most.of_b]));
}

/* ---- published figures ---- */

/* The operating points that have the claimed figure, as bits. */
static unsigned points_with(const struct roi_row *row)
{
    unsigned points = 0;
    for (int at = 0; at < OPERATING_COUNT; at++)
        if (fabs(per_usd(row, at) / row->deployment->claim - 1) <= CLAIM_TOLERANCE)
            points |= 1U << at;
    return points;
}

static const char *names_of(const struct roi *roi, struct arena *arena, unsigned points)
{
    const char *names = "";
    for (int at = 0; at < OPERATING_COUNT; at++)
        if (points & (1U << at))
            names = arena_printf(arena, "%s%s%s", names, names[0] ? ", " : "", roi->title[at]);
    return names;
}

static const char *level_text(struct arena *arena, const struct roi_deployment *deployment, const struct level_summary *level)
{
    char number[UNITS_TEXT_SIZE];
    return arena_printf(arena, "%s (%s tok/s)", points_load_text(arena, level->load, deployment->points->unit),
                        units_format_number(roi_figure(deployment, level, FIGURE_TOTAL_TPS).value, 0, number));
}

/* Between which tested loads the throughput lies. */
static const char *place_text(struct arena *arena, const struct roi_deployment *deployment, double tps)
{
    const struct level_summary *below = NULL, *above = NULL, *most = deployment->points->max_throughput;
    for (size_t k = 0; k < deployment->points->load_count && !above; k++) {
        const struct level_summary *level = deployment->points->loads[k];
        double has = roi_figure(deployment, level, FIGURE_TOTAL_TPS).value;
        if (has >= tps)
            above = level;
        else if (!isnan(has))
            below = level;
    }
    if (!above)
        return most ? arena_printf(arena, "which is more than any load gave: at most %s", level_text(arena, deployment, most)) : "and no throughput is known";
    if (!below)
        return arena_printf(arena, "which is less than the lowest load gave: %s", level_text(arena, deployment, above));
    return arena_printf(arena, "which lies between %s and %s, and at none of the operating points", level_text(arena, deployment, below),
                        level_text(arena, deployment, above));
}

static bool has_claim(const struct roi_row *row)
{
    return row->deployment->claim > 0;
}

static void tell_claim(struct roi *roi, struct arena *arena, const struct roi_row *row)
{
    const struct roi_deployment *deployment = row->deployment;
    char claim[UNITS_TEXT_SIZE], tps[UNITS_TEXT_SIZE], price[UNITS_TEXT_SIZE];
    units_format_load(deployment->claim, claim);
    if (deployment->price_micro_usd <= 0) {
        add(roi, arena_printf(arena, "%s tok/s per $/h, as published for %s, cannot be looked for: %s", claim, deployment->name,
                              roi_price_missing(deployment->price_micro_usd)));
        return;
    }
    double total = deployment->claim * units_usd(deployment->price_micro_usd);
    unsigned points = points_with(row);
    const char *where = points ? arena_printf(arena, "which is that of: %s", names_of(roi, arena, points)) : place_text(arena, deployment, total);
    add(roi, arena_printf(arena, "%s tok/s per $/h, as published for %s, is %s tok/s at %s, %s", claim, deployment->name,
                          units_format_number(total, 0, tps), units_format_usd(deployment->price_micro_usd, price), where));
}

/* The ratio of two published figures, beside what it is at one operating point. */
static void tell_claims(struct roi *roi, struct arena *arena, const struct roi_row *a, const struct roi_row *b)
{
    const char *ratios = "";
    for (int at = 0; at < OPERATING_COUNT; at++) {
        double ratio = per_usd(a, at) / per_usd(b, at);
        if (isfinite(ratio))
            ratios = arena_printf(arena, "%s%s%.1f (%s)", ratios, ratios[0] ? ", " : "", ratio, roi->title[at]);
    }
    unsigned common = points_with(a) & points_with(b);
    const char *how = common ? arena_printf(arena, "both are of one operating point: %s", names_of(roi, arena, common))
                             : "they are not of one operating point";
    add(roi, arena_printf(arena, "The published figures of %s and %s make a ratio of %.1f, and %s; at one operating point it is %s", a->deployment->name,
                          b->deployment->name, a->deployment->claim / b->deployment->claim, how,
                          ratios[0] ? ratios : "not known"));
}

void footnotes_make(struct roi *roi, struct arena *arena)
{
    roi->footnotes = ARENA_ARRAY(arena, roi->pair_count + roi->row_count * (roi->row_count + 1) + 1, const char *);
    if (roi->pair_count > 0)
        tell_mixed(roi, arena, &roi->rows[roi->pairs[0].cheap], &roi->rows[roi->pairs[0].dear]);
    for (size_t k = 0; k < roi->row_count; k++)
        if (has_claim(&roi->rows[k]))
            tell_claim(roi, arena, &roi->rows[k]);
    for (size_t k = 0; k < roi->row_count; k++)
        for (size_t other = k + 1; other < roi->row_count; other++)
            if (has_claim(&roi->rows[k]) && has_claim(&roi->rows[other]))
                tell_claims(roi, arena, &roi->rows[k], &roi->rows[other]);
}
