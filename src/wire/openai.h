/* The OpenAI-compatible API: what one chunk of a stream says, error bodies, model lists. Request bodies: openai_request.h.
 *
 * openai_chunk_read looks at one SSE event's data. The shapes that vLLM and llama.cpp
 * really send are scanned once, without allocation; what the scanner does not know goes through jansson, and
 * both must agree (a test proves it on all captures and on mutated input).
 *
 * When is a chunk a token? (METRICS.md; checked against the usage totals of tests/data/wire.) Of each choice, in this order:
 *   1. its token ids, or else its logprobs, say how many: more than none is a token, whatever the text;
 *   2. a text that is not empty (text; delta: content, reasoning, reasoning_content, tool_calls) is one;
 *   3. an empty text is one (half a UTF-8 character, a special token), but not
 *      - if ids or logprobs are there and count none,
 *      - beside a role: the first chunk of a chat,
 *      - in a chunk with `prompt_progress`: llama.cpp tells how far the prompt is,
 *      - with a finish_reason and no `stop_reason`: llama.cpp (and OpenAI) close a stream by such a chunk and do not count
 *        it in usage, while vLLM's last token comes with the finish_reason, perhaps with an empty text, and counts; only vLLM
 *        writes `stop_reason` (null or not) beside it;
 *   4. no text at all (delta {}, content null, choices []) is none. */
#ifndef ROIBENCH_WIRE_OPENAI_H
#define ROIBENCH_WIRE_OPENAI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define OPENAI_FINISH_REASON_SIZE 32
#define OPENAI_MESSAGE_SIZE 512
#define OPENAI_DEPTH_MAX 64 /* a chunk nested deeper is refused */
#define OPENAI_COUNT_MAX INT64_C(1000000000000000) /* a count beyond it, negative or broken is taken as absent */

struct openai_chunk {
    bool done;      /* "[DONE]" */
    bool error;     /* an error object: the request failed, whatever the HTTP status said */
    bool token;     /* carries at least one token: see above */
    bool text_empty; /* token, but its text is "" (or none) */
    int64_t token_ids;         /* how many in all choices, by token_ids or logprobs; -1: neither is there */
    int64_t prompt_tokens, completion_tokens, cached_tokens; /* from usage; -1: absent */
    char finish_reason[OPENAI_FINISH_REASON_SIZE]; /* of the last choice that has one; "" until it is set */
    char message[OPENAI_MESSAGE_SIZE];             /* of an error, valid UTF-8, no control characters, cut */
};

/* 0, or -1: not JSON, or no object (`protocol`). Fills *chunk whole. */
int openai_chunk_read(const char *data, size_t length, struct openai_chunk *chunk);

/* What the last chunk of a stream began with, up to the value of `choices`: id, object, created and model are the same in all of
 * them. Bytes that are equal to it were scanned before and said nothing, so they are not scanned again. One for each stream; all
 * zero in the beginning, and it may stay as it is from one stream to the next. */
#define OPENAI_PREFIX_MAX 248
struct openai_prefix {
    size_t length; /* 0: none */
    char bytes[OPENAI_PREFIX_MAX];
};
/* The same as openai_chunk_read, whatever the prefix holds: only sooner. */
int openai_chunk_read_next(struct openai_prefix *prefix, const char *data, size_t length, struct openai_chunk *chunk);
/* Only the slow way, by jansson: for the test that both agree. */
int openai_chunk_read_by_json(const char *data, size_t length, struct openai_chunk *chunk);

/* A response that was not streamed: the same fields, `token` when any text came, or none that can be seen but usage counts some. */
int openai_response_read(const char *body, size_t length, struct openai_chunk *response);

/* The message of an error body of any shape met: {"error":{"message"}}, {"error":"text"}, {"detail":...}, {"message"}, an HTML
 * page's title, or the first line of plain text; valid UTF-8, every run of white space and control characters one space.
 * Always writes a NUL-terminated message; "" when the body says nothing. */
void openai_error_message(const char *body, size_t length, char *message, size_t size);

/* What to do about a refusal, as it follows the server's words: ". It needs an API key: ..."; "" when nothing is known. */
const char *openai_refusal_advice(int status);

/* Ids of GET /v1/models, with what is told of each. More than OPENAI_MODELS_MAX are an error. */
#define OPENAI_MODELS_MAX 4096
struct openai_models {
    char **ids;          /* openai_models_free */
    int64_t *max_model_len; /* tokens: max_model_len, or llama.cpp's meta.n_ctx; -1: not told */
    char **owned_by;     /* "vllm", "llamacpp", "" */
    size_t count;
};
/* 0, or -1 with *err (ERROR_TARGET) and nothing to free. */
int openai_models_read(const char *body, size_t length, struct openai_models *models, struct error *err);
void openai_models_free(struct openai_models *models);

#endif
