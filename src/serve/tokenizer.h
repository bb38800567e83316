/* The simulator's own tokenizer: small, deterministic, and like a real one in what matters to a client -
 * a token is not a character and not a word, and templates add tokens of their own.
 *
 * Text is cut from left to right; the longest of these is one token:
 *   - up to 5 ASCII letters, together with one space directly before them;
 *   - up to 3 ASCII digits;
 *   - up to 8 white-space characters (a space that a letter follows belongs to the letters);
 *   - one other ASCII character;
 *   - up to 3 bytes outside ASCII.
 * A token's id is a hash of its bytes: the same bytes have the same id, different ones may share one.
 * A string prompt begins with one token (beginning of text); a chat has 5 tokens a message (start, role, newline,
 * end, newline) around its content, and 3 that open the answer. */
#ifndef ROIBENCH_SERVE_TOKENIZER_H
#define ROIBENCH_SERVE_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define TOKENIZER_VOCABULARY 131072
#define TOKENIZER_SPECIAL 16 /* ids below it are no text */
#define TOKENIZER_BOS 1
#define TOKENIZER_EOS 2
#define TOKENIZER_BYTES_MAX 8 /* of one token */
#define TOKENIZER_HALF 15    /* half a character: no text */

/* Appends at most `max` ids of the text; returns how many tokens the text has, whatever max is. */
size_t tokenizer_encode(const char *text, size_t length, uint32_t *ids, size_t max);

/* Bytes of the text's first token; length > 0. */
size_t tokenizer_cut(const char *text, size_t length);
/* The id of a token with these bytes. */
uint32_t tokenizer_id(const char *bytes, size_t length);

/* The special tokens of the chat template. Each writes its ids (ids may be NULL) and returns how many. */
#define TOKENIZER_MESSAGE_BEFORE 3
#define TOKENIZER_MESSAGE_AFTER 2
#define TOKENIZER_ANSWER 3
size_t tokenizer_message_before(uint32_t *ids);
size_t tokenizer_message_after(uint32_t *ids);
size_t tokenizer_answer(uint32_t *ids);

/* The text of the index-th generated token of a request (seed tells requests apart): a word of our own list, which
 * encodes to exactly one token, or "" for one token in 15, as a token that holds half a character is sent. */
const char *tokenizer_output(uint64_t seed, int64_t index);
/* Its id: what the text encodes to, or TOKENIZER_HALF. */
uint32_t tokenizer_output_id(uint64_t seed, int64_t index);
/* A text that could have come instead, rank 1 to TOKENIZER_ALTERNATIVES: all different, and none is the text itself. */
#define TOKENIZER_ALTERNATIVES 40
const char *tokenizer_alternative(uint64_t seed, int64_t index, int64_t rank);

#endif
