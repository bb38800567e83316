/* A line chart as SVG: a few series over numbers, limits as dashed lines, marks as upright ones. Its values are there for the mouse (a title
 * for each point, or for each step of a dense chart), for a screen reader (what each line begins and ends with) and as a table below. Colours are
 * the page's (classes series-0 ..., limit, mark, faint): light, dark and paper are its business; so is a script that reads the titles out. */
#ifndef ROIBENCH_REPORT_CHART_H
#define ROIBENCH_REPORT_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define CHART_SERIES_MAX 8
#define CHART_POINTS_MAX 256 /* of a series; more are left out */
#define CHART_LIMITS_MAX 4
#define CHART_MARKS_MAX 64

struct chart_point {
    double x, y; /* one that is not finite is left out */
    bool first;  /* the line does not come here from the point before */
    bool faint;
};

struct chart_series {
    const char *name;
    struct chart_point points[CHART_POINTS_MAX];
    size_t count;
};

struct chart {
    const char *title, *x_title, *y_title, *y_unit;
    struct chart_series series[CHART_SERIES_MAX];
    size_t series_count;
    struct {
        double y;
        const char *name;
    } limits[CHART_LIMITS_MAX];
    size_t limit_count;
    struct chart_mark {
        double x;
        char name[32];
    } marks[CHART_MARKS_MAX]; /* ascending */
    size_t mark_count;
    bool dense; /* many points, at the same places in all series: lines without dots, from 0 to the last point */
};

/* NULL: there is no room for another. */
struct chart_series *chart_add_series(struct chart *chart, const char *name);
void chart_add_point(struct chart_series *series, double x, double y);
/* Where a line begins anew. */
void chart_add_first_point(struct chart_series *series, double x, double y);
/* Of less interest than the others. */
void chart_add_faint_point(struct chart_series *series, double x, double y);
/* Beyond CHART_MARKS_MAX none is added. */
void chart_add_mark(struct chart *chart, double x, const char *name);
void chart_add_limit(struct chart *chart, double y, const char *name);
/* Nothing where no series has two points, or one. A limit far above all points is not drawn. */
void chart_write(const struct chart *chart, struct buf *out);

#endif
