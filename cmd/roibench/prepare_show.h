/* A plan for people: what `prepare --dry-run` and `prepare --check` print. */
#ifndef ROIBENCH_CMD_PREPARE_SHOW_H
#define ROIBENCH_CMD_PREPARE_SHOW_H

#include "base/buf.h"
#include "plan/plan.h"

/* Appends what is measured, with the reason of each decision; the levels with what each will take; and what all of it takes. */
void prepare_show(const struct plan *plan, struct buf *out);

#endif
