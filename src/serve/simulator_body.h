/* JSON bodies as vLLM's front end reads them, and its words for the first thing that is wrong. Not for others.
 *
 * A reading carries the body and the first error. After an error the getters return nothing or the fallback, so that a
 * whole body is read without a check a line; who begins something costly or dependent looks at `status` first. */
#ifndef ROIBENCH_SERVE_SIMULATOR_BODY_H
#define ROIBENCH_SERVE_SIMULATOR_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "serve/simulator_state.h"

struct reading {
    const struct simulator *simulator;
    const json_t *body;
    struct buf *reply; /* gets the error's JSON */
    int status;        /* 0 until something is wrong */
};

/* The body's object, which is reading->body as well; the caller's (json_decref). NULL: reading->status is set. */
json_t *reading_open(struct reading *reading, const char *body, size_t length);

/* A member, borrowed; NULL: absent, null, or something was wrong before. */
const json_t *reading_member(const struct reading *reading, const char *key);
bool reading_flag(struct reading *reading, const char *key, bool fallback);
int64_t reading_integer(struct reading *reading, const char *key, int64_t fallback);
double reading_number(struct reading *reading, const char *key, double fallback);

/* A model that is named must be the one that is served. */
void reading_check_model(struct reading *reading);

/* Refuses a member of the wrong type: pydantic's type of error and its sentence. */
void reading_refuse_type(struct reading *reading, const char *key, const char *type, const char *says);
/* Refuses with 400 and a formatted sentence; param: the member to blame, or NULL. */
#define reading_refuse(reading, param, ...) \
    ((reading)->status = simulator_error((reading)->simulator, (reading)->reply, 400, "BadRequestError", (param), __VA_ARGS__))

/* simulator_task.c: members that several dialects have, by vLLM's rules; and all of a body, in vLLM's dialect. */
void task_read_choices(struct reading *reading, struct simulator_task *task); /* n */
void task_read_stops(struct reading *reading, struct simulator_task *task);
void task_read_logprobs(struct reading *reading, struct simulator_task *task);
void task_read_tools(struct reading *reading, struct simulator_task *task);
void task_read(struct reading *reading, struct simulator_task *task);

/* simulator_prompt.c: the prompts of /v1/completions or the messages of a chat, as token ids, into the task. */
void reading_prompts(struct reading *reading, struct simulator_task *task);
/* The messages through the chat template; answer: with the tokens that open the answer. */
void reading_messages(struct reading *reading, bool answer, struct simulator_prompt *prompt);
void simulator_prompt_free(struct simulator_prompt *prompt);

#endif
