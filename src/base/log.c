#include "base/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/terminal.h"

#define LOG_MESSAGE_MAX 8192

static const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        break;
    }
    return "debug";
}

/* What a server sent must not steer the terminal, nor add lines to the one that a message is: no control characters but tabs. */
static void log_disarm(char *text)
{
    while (*text) {
        size_t control = *text == '\t' ? 0 : terminal_control_length(text, SIZE_MAX);
        memset(text, *text == '\n' ? ' ' : '?', control);
        text += control > 0 ? control : 1;
    }
}

static void log_format_text(const struct log *log, enum log_level level, char *message, struct buf *line)
{
    char stamp[CLOCK_RFC3339_SIZE];

    log_disarm(message);
    switch (level) {
    case LOG_LEVEL_ERROR:
        buf_printf(line, "roibench %s: %s\n", log->command, message);
        break;
    case LOG_LEVEL_WARNING:
        buf_printf(line, "roibench %s: warning: %s\n", log->command, message);
        break;
    case LOG_LEVEL_INFO:
    case LOG_LEVEL_DEBUG:
        clock_format_rfc3339(clock_realtime(log->clock), 0, stamp);
        buf_printf(line, "%.8s %s\n", strchr(stamp, 'T') + 1, message);
        break;
    }
}

/* fields NULL: none. */
static void log_format_json(const struct log *log, enum log_level level, const char *message, const char *key, const json_t *fields,
                            struct buf *line)
{
    char stamp[CLOCK_RFC3339_SIZE];

    buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"command\":",
               clock_format_rfc3339(clock_realtime(log->clock), 3, stamp), log_level_name(level));
    json_append_quoted(line, log->command, strlen(log->command));
    buf_append_text(line, ",\"message\":");
    json_append_quoted(line, message, strlen(message));
    if (fields) {
        buf_append_char(line, ',');
        json_append_quoted(line, key, strlen(key));
        buf_append_char(line, ':');
        json_append_compact(fields, line);
    }
    buf_append_text(line, "}\n");
}

/* One write: lines of several processes do not mix. */
static void log_put(const struct log *log, const struct buf *line)
{
    fwrite(buf_text(line), 1, line->len, log->stream);
    fflush(log->stream);
}

void log_info_fields(const struct log *log, const char *key, const json_t *fields, const char *message)
{
    cleanup_buf struct buf line = BUF_INIT(LOG_MESSAGE_MAX * 8);

    if (!log || LOG_LEVEL_INFO > log->threshold)
        return;
    if (!log->json) {
        log_info(log, "%s", message);
        return;
    }
    log_format_json(log, LOG_LEVEL_INFO, message, key, fields, &line);
    log_put(log, &line);
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
    char message[LOG_MESSAGE_MAX];
    cleanup_buf struct buf line = BUF_INIT(LOG_MESSAGE_MAX * 8);
    va_list arguments;

    if (!log || level > log->threshold)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (log->json)
        log_format_json(log, level, message, NULL, NULL, &line);
    else
        log_format_text(log, level, message, &line);
    log_put(log, &line);
}
