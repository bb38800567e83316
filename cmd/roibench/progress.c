#include "cmd/roibench/progress.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/json.h"
#include "base/units.h"

#define ROW_MAX 512

static const char header[] = "level  load                      time    sent   ended  failed  in flight   output tok/s  TTFT median";

static void format_time(const struct engine_progress *now, char *text, size_t size)
{
    if (now->planned_s > 0)
        snprintf(text, size, "%.0f/%.0f s", now->elapsed_s, now->planned_s);
    else
        snprintf(text, size, "%.0f s", now->elapsed_s);
}

static void format_row(const struct engine_progress *now, char row[ROW_MAX])
{
    char level[24], load_text[UNITS_TEXT_SIZE], load[64], time[48], ttft[UNITS_TEXT_SIZE] = "-";
    if (now->levels_total > 0)
        snprintf(level, sizeof level, "%zu/%zu", now->levels_done + 1, now->levels_total);
    else
        snprintf(level, sizeof level, "%zu", now->levels_done + 1);
    bool one_stream = now->level.unit == LOAD_STREAMS && now->level.load == 1; /* NOLINT: exact by definition */
    snprintf(load, sizeof load, "%s %s %s", now->level.kind, units_format_load(now->level.load, load_text),
             one_stream ? "stream" : load_unit_name(now->level.unit));
    format_time(now, time, sizeof time);
    if (isfinite(now->ttft_ms))
        units_format_duration((int64_t)(now->ttft_ms * (double)NS_PER_MS), ttft);
    snprintf(row, ROW_MAX, "%-5s  %-22s %10s  %6lld  %6lld  %6lld  %9lld  %13.1f  %11s%s", level, load, time, (long long)now->sent,
             (long long)now->ended, (long long)now->failed, (long long)now->in_flight, now->tokens_per_s, ttft,
             now->draining && now->in_flight > 0 ? "  draining" : "");
}

/* A row that is longer than the terminal's would wrap, and the next one not hide it. */
static void cut_to_terminal(char *row)
{
    struct winsize window;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 && strlen(row) >= window.ws_col)
        row[window.ws_col - 1] = '\0';
}

static void show_fields(const struct app *app, const struct engine_progress *now)
{
    json_t *fields = json_object();
    json_set_integer(fields, "level", (int64_t)now->levels_done + 1);
    json_set_integer(fields, "levels", (int64_t)now->levels_total);
    json_set_text(fields, "kind", now->level.kind);
    json_set_number(fields, "load", now->level.load);
    json_set_text(fields, "unit", load_unit_name(now->level.unit));
    json_set_number(fields, "elapsed_s", now->elapsed_s);
    json_set_number(fields, "planned_s", now->planned_s > 0 ? now->planned_s : NAN);
    json_set_integer(fields, "sent", now->sent);
    json_set_integer(fields, "ended", now->ended);
    json_set_integer(fields, "failed", now->failed);
    json_set_integer(fields, "in_flight", now->in_flight);
    json_set_number(fields, "output_tps", now->tokens_per_s);
    json_set_number(fields, "ttft_median_ms", now->ttft_ms);
    json_set_bool(fields, "draining", now->draining);
    json_set_text(fields, "last_error", now->failed > 0 ? now->last_error : NULL);
    log_info_fields(&app->log, "progress", fields, "progress");
    json_decref(fields);
}

static void show_line(const struct progress *progress, const struct engine_progress *now, const char *row)
{
    const struct log *log = &progress->app->log;
    if (!progress->header_shown)
        log_info(log, "%s", header);
    log_info(log, "%s", row);
    if (now->failed > 0 && now->last_error)
        log_info(log, "%lld failed so far; the newest: %s", (long long)now->failed, now->last_error);
}

int64_t progress_interval(const struct app *app)
{
    return app->err_terminal && !app->log.json ? PROGRESS_TERMINAL_NS : PROGRESS_PIPE_NS;
}

void progress_show(void *context, const struct engine_progress *now)
{
    struct progress *progress = context;
    const struct app *app = progress->app;
    char row[ROW_MAX];
    if (app->quiet)
        return;
    format_row(now, row);
    if (app->log.json) {
        show_fields(app, now);
    } else if (!app->err_terminal) {
        show_line(progress, now, row);
    } else {
        char title[sizeof header];
        memcpy(title, header, sizeof header);
        cut_to_terminal(title);
        cut_to_terminal(row);
        if (!progress->header_shown)
            fprintf(stderr, "\033[1m%s\033[0m\n", title);
        fprintf(stderr, "\r\033[K%s", row);
        progress->row_open = true;
        fflush(stderr);
    }
    progress->header_shown = true;
}

void progress_level_ended(struct progress *progress)
{
    if (progress->row_open)
        fputc('\n', stderr);
    progress->row_open = false;
}
