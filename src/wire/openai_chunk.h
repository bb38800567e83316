/* Shared by the two readers of chunks (openai_scan.c and openai.c): how the facts of a choice become a verdict. Not for others. */
#ifndef ROIBENCH_WIRE_OPENAI_CHUNK_H
#define ROIBENCH_WIRE_OPENAI_CHUNK_H

#include "wire/openai.h"

/* What one element of `choices` says. */
struct openai_choice {
    bool role, stop_reason; /* the key is there */
    bool text;              /* a text is there, perhaps empty */
    bool text_filled;
    bool finished;          /* finish_reason is a text */
    int64_t token_ids, logprobs; /* how many; -1: not there */
};

void openai_choice_clear(struct openai_choice *choice);
void openai_chunk_clear(struct openai_chunk *chunk);
/* progress: the chunk carries `prompt_progress`. */
void openai_chunk_add_choice(struct openai_chunk *chunk, const struct openai_choice *choice, bool progress);

/* Copies text as one clean line: valid UTF-8 (U+FFFD for broken bytes), runs of white space and control characters as one
 * space, none at the ends, cut at a whole character. Always NUL-terminates. */
void openai_copy_line(char *target, size_t size, const char *text, size_t length);

/* The fast way: 0, or -1: jansson must look at it, *chunk is meaningless. Accepts nothing that the slow way would refuse.
 * prefix: of the stream; NULL: none. */
int openai_scan_chunk(struct openai_prefix *prefix, const char *data, size_t length, struct openai_chunk *chunk);

#endif
