/* Why a member of summary.json or comparison.json is null: no null is written without a reason.
 *
 * An object that has nulls says so in its own member "missing": {"<path>": "<reason>"}. Paths begin at the object, their parts
 * are joined by "."; a * in a path stands for any text, so that what many members share is said once. */
#ifndef ROIBENCH_REPORT_MISSING_H
#define ROIBENCH_REPORT_MISSING_H

#include <jansson.h>

#include "stats/level_summary.h"

/* The reason of a null that has no rule here: a mistake in the program, which the tests look for in documents of every kind. */
#define MISSING_UNEXPLAINED "not known"

/* Each puts "missing" into the object it is given, for every null in it and below (an object below that has a "missing" of its own is
 * left alone), after all its other members were set. */
void missing_explain_level(json_t *object, const struct level_summary *level);
void missing_explain_run(json_t *run);
void missing_explain_totals(json_t *totals);
void missing_explain_timeline(json_t *timeline);
void missing_explain_points(json_t *points);
void missing_explain_repeats(json_t *load);
void missing_explain_roi(json_t *roi);
void missing_explain_same_load(json_t *load);

#endif
