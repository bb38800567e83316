/* What a person is told while the program works: to stderr, through one struct
 * that cmd/ makes and hands down.
 *
 * text: "12:04:05 level 3 of 6 (5 streams): ...". json: one object a line
 * {"time","level","command","message"} and what a message is made of. Quiet shows warnings and errors only.
 * Error sentences have the form "roibench <command>: <text>". */
#ifndef ROIBENCH_BASE_LOG_H
#define ROIBENCH_BASE_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
    FILE *stream;
    const struct clock *clock; /* realtime for the stamp */
    const char *command;       /* "run" */
    bool json;
    enum log_level threshold;
};

void log_write(const struct log *log, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* An info that has numbers of its own: json shows them as the member `key`, text the message alone. fields is borrowed. */
void log_info_fields(const struct log *log, const char *key, const json_t *fields, const char *message);
#define log_error(log, ...) log_write((log), LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_write((log), LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(log, ...) log_write((log), LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write((log), LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
