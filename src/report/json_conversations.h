/* What loads are worth in conversations, as it stands in summary.json and comparison.json. */
#ifndef ROIBENCH_REPORT_JSON_CONVERSATIONS_H
#define ROIBENCH_REPORT_JSON_CONVERSATIONS_H

#include <jansson.h>

#include "stats/summary.h"

/* Of one level, with the reasons of what is null. */
void json_conversations_set(json_t *object, const struct level_summary *level, int64_t calls, int64_t price_micro_usd);
/* The member "conversations" of a run: of each load the level that stands for it. Nothing where a turn is one call. */
void json_conversations_add(json_t *root, const struct run_summary *summary);

#endif
