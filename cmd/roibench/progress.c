#include "cmd/roibench/progress.h"

#include <math.h>

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
    snprintf(load, sizeof load, "%s %s %s", now->level.kind, units_format_load(now->level.load, load_text),
             load_unit_name(now->level.unit));
    format_time(now, time, sizeof time);
    if (isfinite(now->ttft_ms))
        units_format_duration((int64_t)(now->ttft_ms * (double)NS_PER_MS), ttft);
    snprintf(row, ROW_MAX, "%-5s  %-22s %10s  %6lld  %6lld  %6lld  %9lld  %13.1f  %11s%s", level, load, time, (long long)now->sent,
             (long long)now->ended, (long long)now->failed, (long long)now->in_flight, now->tokens_per_s, ttft,
             now->draining && now->in_flight > 0 ? "  draining" : "");
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
    if (!app->err_terminal || app->log.json) {
        if (!progress->header_shown)
            log_info(&app->log, "%s", header);
        log_info(&app->log, "%s", row);
        if (now->failed > 0 && now->last_error)
            log_info(&app->log, "%lld failed so far; the newest: %s", (long long)now->failed, now->last_error);
    } else {
        if (!progress->header_shown)
            fprintf(stderr, "\033[1m%s\033[0m\n", header);
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
