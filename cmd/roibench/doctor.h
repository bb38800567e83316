/* What `doctor` looks at: each check is a line that says what was found and, where it is not enough, what is needed and what to do.
 * doctor.c has the command, doctor_machine.c and doctor_target.c the checks. */
#ifndef ROIBENCH_CMD_DOCTOR_H
#define ROIBENCH_CMD_DOCTOR_H

#include "cmd/roibench/command.h"

enum health {
    HEALTH_FINE,
    HEALTH_WARNING, /* a run works, but its numbers may suffer; or it could not be found out */
    HEALTH_LACKS,   /* a run as planned does not work */
};

struct doctor {
    struct app *app;
    const struct net_settings *net;
    const char *workspace;
    int64_t streams;  /* at once, as many as the plan has */
    int workers;
    const char *const *targets; /* ".../v1" */
    size_t target_count;
    int count, machine_lacks, target_lacks;
};

/* The line. Text of a server in it does not steer the terminal. */
void doctor_tell(struct doctor *doctor, enum health health, const char *name, const char *format, ...) __attribute__((format(printf, 4, 5)));

void doctor_look_at_machine(struct doctor *doctor);
/* Counts what is lacking as the target's. false: told to stop. */
void doctor_look_at_target(struct doctor *doctor, const char *target);

#endif
