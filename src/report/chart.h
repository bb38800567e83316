/* A line chart as SVG: a few series over numbers, limits as dashed lines, every point with its value for the mouse and for a
 * screen reader. Colours are the page's (classes series-0 ..., limit): light, dark and paper are its business. */
#ifndef ROIBENCH_REPORT_CHART_H
#define ROIBENCH_REPORT_CHART_H

#include <stddef.h>

#include "base/buf.h"

#define CHART_SERIES_MAX 8
#define CHART_POINTS_MAX 64 /* of a series; more are left out */
#define CHART_LIMITS_MAX 4

struct chart_point {
    double x, y; /* one that is not finite is left out */
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
};

/* NULL: there is no room for another. */
struct chart_series *chart_add_series(struct chart *chart, const char *name);
void chart_add_point(struct chart_series *series, double x, double y);
void chart_add_limit(struct chart *chart, double y, const char *name);
/* Nothing where no series has two points, or one. A limit far above all points is not drawn. */
void chart_write(const struct chart *chart, struct buf *out);

#endif
