#include "report/chart.h"

#include <math.h>
#include <stdbool.h>

#include "base/units.h"
#include "report/html.h"

/* The picture, in units of its own. */
#define WIDTH 640.0
#define HEIGHT 340.0
#define LEFT 74.0
#define RIGHT 20.0
#define TOP 16.0
#define BOTTOM 50.0
#define TICKS 5
#define LIMIT_REACH 2.5 /* a limit so many times above the largest value would flatten the lines */

struct scale {
    double max, step; /* from 0 */
    int steps;        /* to max */
    double from, to;  /* where 0 and max are drawn */
};

struct chart_series *chart_add_series(struct chart *chart, const char *name)
{
    if (chart->series_count == CHART_SERIES_MAX)
        return NULL;
    struct chart_series *series = &chart->series[chart->series_count++];
    series->name = name;
    return series;
}

void chart_add_point(struct chart_series *series, double x, double y)
{
    if (series && isfinite(x) && isfinite(y) && series->count < CHART_POINTS_MAX)
        series->points[series->count++] = (struct chart_point){x, y};
}

void chart_add_limit(struct chart *chart, double y, const char *name)
{
    if (chart->limit_count == CHART_LIMITS_MAX)
        return;
    chart->limits[chart->limit_count].y = y;
    chart->limits[chart->limit_count++].name = name;
}

/* 1, 2 or 5 times a power of ten: at most TICKS of them to the largest value. */
static struct scale scale_to(double largest, double from, double to)
{
    double rough = largest > 0 ? largest / TICKS : 0.2, power = pow(10, floor(log10(rough)));
    double step = rough <= power ? power : rough <= 2 * power ? 2 * power : rough <= 5 * power ? 5 * power : 10 * power;
    int steps = largest > 0 ? (int)ceil(largest / step) : 1;
    return (struct scale){.max = step * steps, .step = step, .steps = steps, .from = from, .to = to};
}

static double at(const struct scale *scale, double value)
{
    return scale->from + (scale->to - scale->from) * value / scale->max;
}

static void find_largest(const struct chart *chart, double *x, double *y, size_t *points)
{
    *x = *y = 0;
    *points = 0;
    for (size_t s = 0; s < chart->series_count; s++)
        for (size_t k = 0; k < chart->series[s].count; k++) {
            *x = fmax(*x, chart->series[s].points[k].x);
            *y = fmax(*y, chart->series[s].points[k].y);
            ++*points;
        }
}

static const char *format(double value, double step, char text[UNITS_TEXT_SIZE])
{
    int decimals = step >= 1 ? 0 : (int)ceil(-log10(step));
    return units_format_number(value, decimals > 6 ? 6 : decimals, text);
}

static void write_axes(const struct chart *chart, const struct scale *x, const struct scale *y, struct buf *out)
{
    char text[UNITS_TEXT_SIZE];
    for (int k = 0; k <= y->steps; k++) {
        double place = at(y, k * y->step);
        buf_printf(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT, place, place);
        buf_printf(out, "<text class=\"tick end\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", LEFT - 6, place + 4, format(k * y->step, y->step, text));
    }
    for (int k = 0; k <= x->steps; k++)
        buf_printf(out, "<text class=\"tick middle\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", at(x, k * x->step), HEIGHT - BOTTOM + 17,
                   format(k * x->step, x->step, text));
    buf_printf(out, "<text class=\"axis middle\" x=\"%.1f\" y=\"%.1f\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
    html_text(out, chart->x_title);
    buf_printf(out, "</text>\n<text class=\"axis middle\" transform=\"translate(14 %.1f) rotate(-90)\">", (TOP + HEIGHT - BOTTOM) / 2);
    html_text(out, chart->y_title);
    buf_append_text(out, "</text>\n");
}

static void write_limits(const struct chart *chart, const struct scale *y, struct buf *out)
{
    for (size_t k = 0; k < chart->limit_count; k++) {
        if (chart->limits[k].y > y->max)
            continue;
        double place = at(y, chart->limits[k].y);
        buf_printf(out, "<line class=\"limit\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT, place, place);
        buf_printf(out, "<text class=\"tick end limit-name\" x=\"%.1f\" y=\"%.1f\">", WIDTH - RIGHT, place - 4);
        html_text(out, chart->limits[k].name);
        buf_append_text(out, "</text>\n");
    }
}

static void write_series(const struct chart *chart, size_t number, const struct scale *x, const struct scale *y, struct buf *out)
{
    const struct chart_series *series = &chart->series[number];
    char x_text[UNITS_TEXT_SIZE], y_text[UNITS_TEXT_SIZE];
    buf_printf(out, "<polyline class=\"series-%zu\" points=\"", number);
    for (size_t k = 0; k < series->count; k++)
        buf_printf(out, "%s%.1f,%.1f", k > 0 ? " " : "", at(x, series->points[k].x), at(y, series->points[k].y));
    buf_append_text(out, "\"/>\n");
    for (size_t k = 0; k < series->count; k++) {
        const struct chart_point *point = &series->points[k];
        buf_printf(out, "<circle class=\"series-%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>", number, at(x, point->x), at(y, point->y));
        html_text(out, series->name);
        buf_printf(out, ": %s ", units_format_number(point->y, point->y < 100 ? 2 : 0, y_text));
        html_text(out, chart->y_unit);
        buf_printf(out, " at %s ", units_format_load(point->x, x_text));
        html_text(out, chart->x_title);
        buf_append_text(out, "</title></circle>\n");
    }
}

static void write_legend(const struct chart *chart, struct buf *out)
{
    buf_append_text(out, "<ul class=\"legend\">");
    for (size_t k = 0; k < chart->series_count; k++) {
        buf_printf(out, "<li><span class=\"key series-%zu\"></span>", k);
        html_text(out, chart->series[k].name);
        buf_append_text(out, "</li>");
    }
    buf_append_text(out, "</ul>\n");
}

void chart_write(const struct chart *chart, struct buf *out)
{
    double largest_x, largest_y;
    size_t points;
    find_largest(chart, &largest_x, &largest_y, &points);
    if (points == 0)
        return;
    for (size_t k = 0; k < chart->limit_count; k++)
        if (chart->limits[k].y <= largest_y * LIMIT_REACH)
            largest_y = fmax(largest_y, chart->limits[k].y);
    struct scale x = scale_to(largest_x, LEFT, WIDTH - RIGHT), y = scale_to(largest_y, HEIGHT - BOTTOM, TOP);
    buf_append_text(out, "<figure><figcaption>");
    html_text(out, chart->title);
    buf_printf(out, "</figcaption>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    html_text(out, chart->title);
    buf_append_text(out, "\">\n");
    write_axes(chart, &x, &y, out);
    write_limits(chart, &y, out);
    for (size_t k = 0; k < chart->series_count; k++)
        write_series(chart, k, &x, &y, out);
    buf_append_text(out, "</svg>\n");
    write_legend(chart, out);
    buf_append_text(out, "</figure>\n");
}
