/* By which SLA classes runs are judged: --sla FILE; else the one plan's; else of several plans those that all have. Plans that do not agree are all
 * judged by the defaults, which the comparison says. Imports have none of their own. */
#ifndef ROIBENCH_CMD_SUMMARIZE_SLA_H
#define ROIBENCH_CMD_SUMMARIZE_SLA_H

#include "base/error.h"
#include "base/options.h"
#include "plan/plan.h"

#define SUMMARIZE_SLA_OPTIONS                                                                                                        \
    {.type = OPTION_TEXT, .name = "sla", .argument = "FILE",                                                                         \
     .help = "the bounds of SLA classes to judge by, instead of those that the plan has: docs/sla.md"}

/* The sla's texts are the arena's or a plan's. */
int summarize_sla(const struct options *options, struct plan *const *plans, size_t count, struct arena *arena, struct sla *sla, struct error *err);

#endif
