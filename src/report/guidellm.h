/* GuideLLM's report: parts that its two schemas have in common. 1 is that of GuideLLM 0.5 and 0.6, 2 that of 0.7 and 0.8.
 *
 * Numbers are what GuideLLM's names say of our requests, by stats/endings.h. GuideLLM has no null in a distribution: one without any
 * observation is all zero, its count too. What it would have to make up (its own processes and queues, the texts) is -1, null or an
 * empty distribution, as in its own files. */
#ifndef ROIBENCH_REPORT_GUIDELLM_H
#define ROIBENCH_REPORT_GUIDELLM_H

#include <jansson.h>

#include "base/buf.h"
#include "stats/endings.h"
#include "stats/summary.h"

enum guidellm_schema { GUIDELLM_SCHEMA_1 = 1, GUIDELLM_SCHEMA_2 = 2 };

/* New references (json_decref), all of them. */
/* {"version", "guidellm_version", …}: that no GuideLLM has measured this. */
json_t *guidellm_metadata(enum guidellm_schema schema);
/* Every level of the run; summary->endings is there. */
json_t *guidellm_benchmarks(const struct run_summary *summary, enum guidellm_schema schema);
json_t *guidellm_metrics(const struct level_summary *level, const struct level_endings *endings);
/* The requests that were kept, by their ending. */
json_t *guidellm_requests(const struct level_endings *endings, const struct run_facts *facts);
/* A level as a scheduling strategy. GuideLLM knows no gamma, ramp, burst and replay: they are called poisson, since their arrivals are drawn. */
json_t *guidellm_strategy(const struct run_facts *facts, const struct level_summary *level);
/* The profile of a run; `kind`: the name of its member that says which ("kind", "type_"). */
json_t *guidellm_profile(const struct run_summary *summary, const char *kind);
/* {"max_duration": {…}, "max_requests": {…}}, as far as the plan has them. */
json_t *guidellm_constraints(const struct run_facts *facts);
/* Warm-up or cool-down ("warmup", "cooldown") of the plan; none where it was looked for (auto). */
json_t *guidellm_transient(const struct run_facts *facts, const char *key);
/* Which server was asked for what, with the path of its endpoint. */
json_t *guidellm_backend(const struct run_facts *facts);
/* Lengths of prompts and answers as GuideLLM's synthetic text has them; those of a file as their mean. */
json_t *guidellm_data(const struct run_facts *facts);
/* At most so many requests of an ending were kept of a level. */
int64_t guidellm_most_kept(const struct run_summary *summary);

/* A number that keeps all its digits: a date in seconds. */
void guidellm_set_real(json_t *object, const char *key, double number);
/* keys end with NULL. */
void guidellm_set_null(json_t *object, const char *const *keys);
/* Compact, with all digits. Takes the document. */
void guidellm_append(json_t *document, struct buf *out);

#endif
