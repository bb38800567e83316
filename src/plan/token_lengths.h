/* Lengths of prompts and answers, in tokens: fixed, normal, by another distribution (plan/variate.h), or as often as a histogram says.
 *
 *     256                                          always
 *     256,50,100,400                               mean, standard deviation, min, max of a normal distribution
 *     lognormal:mean=256,sigma=0.8,max=4000        also exponential:mean=..., uniform:100-400, normal:mean=...,stddev=...
 *     histogram:FILE                               CSV of tokens,weight; kept in plan.json, so that `run` does not need the file
 *
 * What lies outside [min, max] is drawn again; after many misses the nearer bound, so that it always ends. Without max, a distribution that has
 * none ends at ten times its mean. */
#ifndef ROIBENCH_PLAN_TOKEN_LENGTHS_H
#define ROIBENCH_PLAN_TOKEN_LENGTHS_H

#include "base/json.h"
#include "plan/plan.h"

#define TOKEN_LENGTHS_BINS_MAX 10000

/* "256", or "mean,stddev,min,max". option: for errors (ERROR_USAGE). */
int token_lengths_parse(const char *text, const char *option, struct token_lengths *lengths, struct error *err);
/* Any of the forms; bins are the arena's. */
int token_lengths_parse_any(const char *text, const char *option, struct arena *arena, struct token_lengths *lengths, struct error *err);
struct token_lengths token_lengths_fixed(int64_t tokens);
bool token_lengths_is_fixed(const struct token_lengths *lengths);
struct random;
int64_t token_lengths_draw(const struct token_lengths *lengths, struct random *random);

#define TOKEN_LENGTHS_TEXT_MAX 256
/* "256 (standard deviation 50, 100 to 400)" for people. Appends to out. */
void token_lengths_describe(const struct token_lengths *lengths, struct buf *out);

/* The member `key` of a plan's workload. */
void token_lengths_write(const struct token_lengths *lengths, json_t *workload, const char *key);
void token_lengths_read(struct json_reader *reader, const json_t *workload, const char *key, struct arena *arena, struct token_lengths *lengths);

#endif
