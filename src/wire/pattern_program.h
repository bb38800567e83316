/* Inside of wire/pattern: an expression as instructions of a nondeterministic automaton. */
#ifndef ROIBENCH_WIRE_PATTERN_PROGRAM_H
#define ROIBENCH_WIRE_PATTERN_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum pattern_operation {
    PATTERN_BYTE,  /* takes a byte that is in sets[set], goes on behind */
    PATTERN_SPLIT, /* goes on at first and at second */
    PATTERN_JUMP,  /* goes on at first */
    PATTERN_LINE_BEGIN,
    PATTERN_LINE_END,
    PATTERN_MATCH,
};

struct pattern_instruction {
    enum pattern_operation operation;
    uint32_t set;
    uint32_t first, second;
};

struct pattern_set {
    uint64_t words[4]; /* bit b: byte b is in it */
};

struct pattern_program {
    struct pattern_instruction *instructions; /* from 0; the last one is the only PATTERN_MATCH */
    size_t count, capacity;
    struct pattern_set *sets;
    size_t set_count, set_capacity;
};

/* -1: ERROR_USAGE. pattern_program_free in both cases. */
int pattern_compile(struct pattern_program *program, const char *text, struct error *err);
void pattern_program_free(struct pattern_program *program);

static inline bool pattern_set_has(const struct pattern_set *set, unsigned char byte)
{
    return set->words[byte >> 6] >> (byte & 63) & 1;
}

#endif
