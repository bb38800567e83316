/* POSIX extended regular expressions, searched for in a stream of bytes, in time that is linear in it whatever the expression.
 *
 * regexec(3) may need time that is exponential in a line, and memory that is proportional to it, and cannot be stopped; here an expression comes
 * from a user, and the bytes from anywhere. Each byte is one step of a deterministic automaton, whose states are made as they are needed (Thompson,
 * "Regular expression search algorithm", CACM 11(6), 1968; Aho, Sethi, Ullman, "Compilers", 3.9). What making states may cost is bounded, too:
 * an expression that needs more (PATTERN_WORK_MAX) is given up with an error.
 *
 * As grep -E has it: a match lies in one line, "^" and "$" are its begin and end, "." and "[^a]" match no line end. Characters are bytes: of
 * UTF-8 outside of ASCII, literal text matches itself, and "." one byte. Classes ("[[:alpha:]]") are ASCII's. What POSIX leaves undefined is an
 * error: an ordinary character after "\", "*" or "{" where there is nothing to repeat. So are back-references ("\1"), which are no part of
 * extended expressions, and an expression that matches the empty text, and so every line. */
#ifndef ROIBENCH_WIRE_PATTERN_H
#define ROIBENCH_WIRE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define PATTERN_LENGTH_MAX ((size_t)4096)          /* bytes of an expression */
#define PATTERN_REPEAT_MAX 255                     /* in {m,n}; RE_DUP_MAX of POSIX */
#define PATTERN_INSTRUCTIONS_MAX 4000              /* of an expression when all its {m,n} are written out */
#define PATTERN_STATES_MAX 1024                    /* kept at once: below 2 MB of memory */
#define PATTERN_WORK_MAX ((uint64_t)200 * 1000000) /* instructions looked at to make states: about a second */

struct pattern;

/* ERROR_USAGE: "at character 5: ..."; the text, which may be a secret itself, is not repeated. */
struct pattern *pattern_new(const char *text, struct error *err);
void pattern_free(struct pattern *pattern);

enum pattern_result { PATTERN_NONE, PATTERN_FOUND, PATTERN_TOO_COMPLEX };

/* One stream at a time: begin it, give its bytes in pieces of any size, end it. Once something was found, the stream is over. */
void pattern_begin(struct pattern *pattern);
/* *at: how many of the bytes are before the end of the first match (an empty end of line: before its '\n'). */
enum pattern_result pattern_search(struct pattern *pattern, const char *bytes, size_t length, size_t *at);
/* A last line without '\n' ends, too. */
enum pattern_result pattern_end(struct pattern *pattern);

#endif
