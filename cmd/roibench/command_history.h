/* What summarize, gate and list know of the other runs of a workspace. */
#ifndef ROIBENCH_CMD_COMMAND_HISTORY_H
#define ROIBENCH_CMD_COMMAND_HISTORY_H

#include "cmd/roibench/command.h"
#include "stats/gate.h"
#include "stats/history.h"
#include "stats/trend.h"

/* All runs of a workspace that can be read, the oldest first. */
struct command_history {
    struct history_run **runs;
    size_t count;
};

/* A run without summary.json has no levels; one whose plan.json or summary.json cannot be read is left out, with a warning. */
int command_history_read(const struct app *app, const char *workspace, struct command_history *history, struct error *err);
void command_history_free(struct command_history *history);

/* The trend of the series of `newest`, which need not be in the history; NULL: it has too few runs. Runs that began later are left out. */
struct trend *command_history_trend(struct arena *arena, const struct command_history *history, const struct history_run *newest);

/* Rows for the table of a command that compares with a baseline and stops at conditions. */
#define COMMAND_GATE_OPTIONS                                                                                                           \
    {.type = OPTION_TEXT, .name = "baseline", .argument = "RUN",                                                                       \
     .help = "an earlier run to compare with: a folder, a run of the workspace, or `previous`, the newest one before this of the same model, " \
             "hardware and workload"},                                                                                                 \
    {.type = OPTION_TEXT, .name = "fail-on", .argument = "CONDITION", .repeatable = true,                                              \
     .help = "end with exit code 5 when it is met: breaking (no load can be advised), degraded (the load advised is degraded, or worse), " \
             "invalid (a level is), regression=5% (something is worse than in the baseline beyond noise, by that much)"}

/* --fail-on; ERROR_USAGE also where regression is asked for without --baseline. */
int command_gate_read(const struct options *options, struct gate *gate, struct error *err);

/* --baseline, compared with `is`: NULL in *baseline where it is not given, or where `previous` finds none (which is told). ERROR_USAGE: there is no
 * such run, or the gate asks for regression and the two had different workloads. */
int command_baseline(const struct app *app, const struct options *options, const struct gate *gate, struct arena *arena,
                     const struct history_run *is, const struct command_history *history, struct baseline **baseline, struct error *err);

/* ERROR_CONDITION naming the conditions that are met; 0: none is. */
int command_gate_conclude(const struct gate_answer *answers, size_t count, struct error *err);

#endif
