/* Bodies of requests to the OpenAI-compatible API: /completions with token ids or a text, /chat/completions with one user message.
 *
 * Written straight into a buffer, without a document in between: one body a request, on the hot path.
 * The order of the members is fixed, so equal requests are equal bytes. */
#ifndef ROIBENCH_WIRE_OPENAI_REQUEST_H
#define ROIBENCH_WIRE_OPENAI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct openai_request {
    const char *model;
    bool chat;                /* "messages", else "prompt" */

    /* The prompt; all borrowed. member goes before token_ids (completions only), these before text. */
    const char *member;       /* NULL: none; "messages":[...] or "prompt":"..." as JSON, written as it is */
    size_t member_length;
    const int32_t *token_ids; /* NULL: none */
    size_t token_count;
    const char *text;         /* any bytes; broken UTF-8 becomes U+FFFD */
    size_t text_length;

    int64_t max_tokens;         /* 0: leave it to the server */
    bool max_completion_tokens; /* max_tokens is written by this name: OpenAI's models that reason take no other (chat only) */
    bool ignore_eos;

    bool stream;
    bool include_usage;         /* a last chunk with usage; only with stream */
    bool continuous_usage;      /* vLLM: usage in every chunk; only with include_usage */

    bool no_prompt_cache;       /* llama.cpp: "cache_prompt": false */
};

/* Appends the body to *out. Returns 0, or -1: it does not fit below out->max (what is in *out then is no body). */
int openai_request_write(const struct openai_request *request, struct buf *out);

#endif
