/* How many tokens is a prompt? Asked of the server: by /tokenize where it has one (vLLM), else by the usage of a request for one token. */
#ifndef ROIBENCH_PROBE_COUNT_H
#define ROIBENCH_PROBE_COUNT_H

#include "probe/server.h"

struct counter {
    const struct probe *probe;
    const char *model;
    bool tokenize;  /* /tokenize as vLLM has it */
    bool max_completion_tokens; /* as struct server_identity has it */
    int64_t asked;  /* requests so far */
};

/* For calibrate_counter: context is a struct counter. */
int64_t counter_count(void *context, const char *text, size_t length, struct error *err);

/* Tokens of a /completions prompt of ids, by usage; -1 with *err. */
int64_t counter_count_ids(struct counter *counter, const int32_t *ids, size_t count, struct error *err);

/* Tokens of a prompt that is given as the member of a request's body: "messages":[...] or "prompt":"...". COUNTER_REFUSED when the server does not
 * take this one (400, 413, 422: *err has its words); -1 when it cannot be asked. */
#define COUNTER_REFUSED (-2)
int64_t counter_count_member(struct counter *counter, const char *member, size_t length, struct error *err);

/* Token ids of a text, none of them special, by /tokenize as vLLM or llama.cpp have it: at most `size` into ids; -1 with *err. */
int64_t counter_token_ids(struct counter *counter, const char *text, int32_t *ids, size_t size, struct error *err);

#endif
