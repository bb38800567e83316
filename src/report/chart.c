#include "report/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
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
#define MARK_WIDTH 70.0 /* what a mark's name takes */
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

static void add_point(struct chart_series *series, struct chart_point point)
{
    if (series && isfinite(point.x) && isfinite(point.y) && series->count < CHART_POINTS_MAX)
        series->points[series->count++] = point;
}

void chart_add_point(struct chart_series *series, double x, double y)
{
    add_point(series, (struct chart_point){.x = x, .y = y});
}

void chart_add_first_point(struct chart_series *series, double x, double y)
{
    add_point(series, (struct chart_point){.x = x, .y = y, .first = true});
}

void chart_add_faint_point(struct chart_series *series, double x, double y)
{
    add_point(series, (struct chart_point){.x = x, .y = y, .faint = true});
}

void chart_add_mark(struct chart *chart, double x, const char *name)
{
    if (chart->mark_count == CHART_MARKS_MAX || !isfinite(x))
        return;
    struct chart_mark *mark = &chart->marks[chart->mark_count++];
    mark->x = x;
    snprintf(mark->name, sizeof mark->name, "%s", name);
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

/* Names that would lie on each other are left out, but not their lines. */
static void write_marks(const struct chart *chart, const struct scale *x, struct buf *out)
{
    double free_from = LEFT;
    for (size_t k = 0; k < chart->mark_count; k++) {
        double place = at(x, chart->marks[k].x);
        if (chart->marks[k].x > x->max)
            continue;
        buf_printf(out, "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", place, place, TOP, HEIGHT - BOTTOM);
        if (place < free_from)
            continue;
        buf_printf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">", place + 3, TOP + 10);
        html_text(out, chart->marks[k].name);
        buf_append_text(out, "</text>\n");
        free_from = place + MARK_WIDTH;
    }
}

static const char *value_text(double value, char text[UNITS_TEXT_SIZE])
{
    return units_format_number(value, fabs(value) < 100 ? 2 : 0, text);
}

/* Times are told to a tenth. */
static const char *place_text(const struct chart *chart, double x, char text[UNITS_TEXT_SIZE])
{
    return chart->dense ? units_format_number(x, 1, text) : units_format_load(x, text);
}

static void write_line(const struct chart *chart, size_t number, const struct scale *x, const struct scale *y, struct buf *out)
{
    const struct chart_series *series = &chart->series[number];
    buf_printf(out, "<polyline class=\"series-%zu\" points=\"", number);
    for (size_t k = 0; k < series->count; k++) {
        if (k > 0 && series->points[k].first)
            buf_printf(out, "\"/><polyline class=\"series-%zu\" points=\"", number);
        buf_printf(out, "%s%.1f,%.1f", k > 0 && !series->points[k].first ? " " : "", at(x, series->points[k].x), at(y, series->points[k].y));
    }
    buf_append_text(out, "\"/>\n");
}

static void write_dots(const struct chart *chart, size_t number, const struct scale *x, const struct scale *y, struct buf *out)
{
    const struct chart_series *series = &chart->series[number];
    char x_text[UNITS_TEXT_SIZE], y_text[UNITS_TEXT_SIZE];
    for (size_t k = 0; k < series->count; k++) {
        const struct chart_point *point = &series->points[k];
        buf_printf(out, "<circle class=\"series-%zu%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>", number, point->faint ? " faint" : "", at(x, point->x), at(y, point->y));
        html_text(out, series->name);
        buf_printf(out, ": %s ", value_text(point->y, y_text));
        html_text(out, chart->y_unit);
        buf_printf(out, " at %s ", units_format_load(point->x, x_text));
        html_text(out, chart->x_title);
        buf_append_text(out, point->faint ? ", dominated</title></circle>\n" : "</title></circle>\n");
    }
}

/* ---- all values of one place together ---- */

/* NAN: the series has no point there. */
static double value_at(const struct chart_series *series, double x)
{
    for (size_t k = 0; k < series->count; k++)
        if (series->points[k].x == x)
            return series->points[k].y;
    return NAN;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The places of all series' points, each once, ascending. free() them. */
static double *collect_places(const struct chart *chart, size_t *count)
{
    double *places = mem_calloc(CHART_SERIES_MAX * CHART_POINTS_MAX + 1, sizeof *places);
    size_t all = 0;
    for (size_t s = 0; s < chart->series_count; s++)
        for (size_t k = 0; k < chart->series[s].count; k++)
            places[all++] = chart->series[s].points[k].x;
    qsort(places, all, sizeof *places, compare_numbers);
    *count = 0;
    for (size_t k = 0; k < all; k++)
        if (*count == 0 || places[*count - 1] != places[k])
            places[(*count)++] = places[k];
    return places;
}

/* "8 streams" of the level that the place lies in; "" none. */
static const char *mark_before(const struct chart *chart, double x)
{
    const char *name = "";
    for (size_t k = 0; k < chart->mark_count && chart->marks[k].x <= x; k++)
        name = chart->marks[k].name;
    return name;
}

/* A place to point at, as broad as the way to the next. */
static void write_steps(const struct chart *chart, const struct scale *x, struct buf *out)
{
    char text[UNITS_TEXT_SIZE];
    size_t count;
    double *places = collect_places(chart, &count);
    for (size_t k = 0; k < count; k++) {
        double from = at(x, k > 0 ? (places[k - 1] + places[k]) / 2 : places[k]), to = at(x, k + 1 < count ? (places[k] + places[k + 1]) / 2 : places[k]);
        buf_printf(out, "<rect x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%.0f\"><title>%s ", from, TOP, fmax(to - from, 1), HEIGHT - BOTTOM - TOP,
                   place_text(chart, places[k], text));
        html_text(out, chart->x_title);
        const char *mark = mark_before(chart, places[k]);
        buf_append_text(out, mark[0] ? ", " : "");
        html_text(out, mark);
        for (size_t s = 0, told = 0; s < chart->series_count; s++) {
            double value = value_at(&chart->series[s], places[k]);
            if (isnan(value))
                continue;
            buf_append_text(out, told++ == 0 ? ": " : "; ");
            html_text(out, chart->series[s].name);
            buf_printf(out, " %s", value_text(value, text));
        }
        buf_append_text(out, "</title></rect>\n");
    }
    free(places);
}

/* Of a load that was measured several times, all of them. */
static void write_values(const struct chart_series *series, double x, struct buf *out)
{
    char text[UNITS_TEXT_SIZE];
    size_t found = 0;
    buf_append_text(out, "<td class=\"number\">");
    for (size_t k = 0; k < series->count; k++)
        if (series->points[k].x == x)
            buf_printf(out, "%s%s", found++ > 0 ? " / " : "", value_text(series->points[k].y, text));
    buf_append_text(out, found == 0 ? "-</td>" : "</td>");
}

static void write_table(const struct chart *chart, struct buf *out)
{
    char text[UNITS_TEXT_SIZE];
    size_t count;
    double *places = collect_places(chart, &count);
    buf_append_text(out, "<details><summary>Values</summary><div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\" class=\"number\">");
    html_text(out, chart->x_title);
    buf_append_text(out, "</th>");
    for (size_t s = 0; s < chart->series_count; s++) {
        buf_append_text(out, "<th scope=\"col\" class=\"number\">");
        html_text(out, chart->series[s].name);
        buf_append_text(out, "</th>");
    }
    buf_append_text(out, "</tr></thead>\n<tbody>\n");
    for (size_t k = 0; k < count; k++) {
        buf_printf(out, "<tr><td class=\"number\">%s</td>", place_text(chart, places[k], text));
        for (size_t s = 0; s < chart->series_count; s++)
            write_values(&chart->series[s], places[k], out);
        buf_append_text(out, "</tr>\n");
    }
    buf_append_text(out, "</tbody></table></div></details>\n");
    free(places);
}

/* ---- the whole ---- */

/* "Throughput. output: 19.20 tok/s at 1, 192 tok/s at 15 streams." */
static void write_description(const struct chart *chart, struct buf *out)
{
    char y_text[UNITS_TEXT_SIZE], x_text[UNITS_TEXT_SIZE];
    html_text(out, chart->title);
    for (size_t s = 0; s < chart->series_count; s++) {
        const struct chart_series *series = &chart->series[s];
        if (series->count == 0)
            continue;
        const struct chart_point *first = &series->points[0], *last = &series->points[series->count - 1];
        buf_append_text(out, ". ");
        html_text(out, series->name);
        buf_printf(out, ": %s ", value_text(first->y, y_text));
        html_text(out, chart->y_unit);
        buf_printf(out, " at %s, %s ", place_text(chart, first->x, x_text), value_text(last->y, y_text));
        html_text(out, chart->y_unit);
        buf_printf(out, " at %s ", place_text(chart, last->x, x_text));
        html_text(out, chart->x_title);
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
    buf_printf(out, "</figcaption>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" tabindex=\"0\" aria-label=\"", WIDTH, HEIGHT);
    write_description(chart, out);
    buf_append_text(out, "\">\n");
    write_axes(chart, &x, &y, out);
    write_limits(chart, &y, out);
    write_marks(chart, &x, out);
    for (size_t k = 0; k < chart->series_count; k++) {
        write_line(chart, k, &x, &y, out);
        if (!chart->dense)
            write_dots(chart, k, &x, &y, out);
    }
    if (chart->dense)
        write_steps(chart, &x, out);
    buf_append_text(out, "</svg>\n<p class=\"value\" aria-live=\"polite\"></p>\n");
    write_legend(chart, out);
    write_table(chart, out);
    buf_append_text(out, "</figure>\n");
}
