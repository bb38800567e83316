/* The automaton. A state is the set of instructions at which a match may stand (a bit each; those that take no byte are already passed), and one
 * bit more: does a line begin here. Bytes that no set of the expression tells apart are one class, and a column of the table. */
#include "wire/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/pattern_program.h"

#define STATE_UNKNOWN 0
#define STATE_FOUND 1
#define STATE_FIRST 2
#define BUCKETS ((size_t)4 * PATTERN_STATES_MAX) /* a power of two, sparse */

struct pattern {
    struct pattern_program program;
    uint8_t classes[256];
    unsigned char samples[256]; /* of each class a byte */
    size_t class_count;
    size_t words;   /* of a state's set */
    uint64_t *sets; /* of states: from STATE_FIRST */
    uint16_t *next; /* of states: class_count each; from 0 */
    size_t state_count, set_capacity, next_capacity;
    uint16_t buckets[BUCKETS];
    uint16_t line_begin, state;
    uint64_t work;
    uint64_t *made;  /* the set that is being made */
    uint32_t *stack;
};

static bool set_has(const uint64_t *set, size_t bit)
{
    return set[bit >> 6] >> (bit & 63) & 1;
}

static void set_put(uint64_t *set, size_t bit)
{
    set[bit >> 6] |= UINT64_C(1) << (bit & 63);
}

/* Adds to the set being made where one may stand after coming to `from`: a line begins here, a line ends here. An instruction that was passed
 * stays in the set, so that none is passed twice. */
static void come_to(struct pattern *pattern, uint32_t from, bool begin, bool end)
{
    size_t depth = 0;

    pattern->stack[depth++] = from;
    while (depth > 0) {
        const uint32_t at = pattern->stack[--depth];
        const struct pattern_instruction *instruction = &pattern->program.instructions[at];

        if (set_has(pattern->made, at))
            continue;
        set_put(pattern->made, at);
        switch (instruction->operation) {
        case PATTERN_SPLIT: pattern->stack[depth++] = instruction->second; /* fall through */
        case PATTERN_JUMP: pattern->stack[depth++] = instruction->first; break;
        case PATTERN_LINE_BEGIN:
            if (begin)
                pattern->stack[depth++] = at + 1;
            break;
        case PATTERN_LINE_END:
            if (end)
                pattern->stack[depth++] = at + 1;
            break;
        case PATTERN_BYTE:
        case PATTERN_MATCH: break;
        }
    }
}

static bool made_has_match(const struct pattern *pattern)
{
    return set_has(pattern->made, pattern->program.count - 1);
}

static void make_empty(struct pattern *pattern)
{
    memset(pattern->made, 0, pattern->words * sizeof *pattern->made);
}

/* ---- states ---- */

static void forget_states(struct pattern *pattern)
{
    memset(pattern->buckets, 0, sizeof pattern->buckets);
    pattern->state_count = STATE_FIRST;
    pattern->line_begin = STATE_UNKNOWN;
}

/* FNV-1a over words. */
static size_t bucket_of(const struct pattern *pattern)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t k = 0; k < pattern->words; k++)
        hash = (hash ^ pattern->made[k]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 29) & (BUCKETS - 1);
}

/* The state of the set being made. When there are too many, all are forgotten: *forgot. */
static uint16_t state_of_made(struct pattern *pattern, bool *forgot)
{
    size_t bucket = bucket_of(pattern);

    for (uint16_t state; (state = pattern->buckets[bucket]) != STATE_UNKNOWN; bucket = (bucket + 1) & (BUCKETS - 1)) {
        if (memcmp(pattern->sets + state * pattern->words, pattern->made, pattern->words * sizeof *pattern->sets) == 0)
            return state;
    }
    if (pattern->state_count == PATTERN_STATES_MAX) {
        forget_states(pattern);
        *forgot = true;
        bucket = bucket_of(pattern);
    }

    const size_t state = pattern->state_count++;

    MEM_GROW(pattern->sets, pattern->set_capacity, pattern->state_count * pattern->words);
    MEM_GROW(pattern->next, pattern->next_capacity, pattern->state_count * pattern->class_count);
    memcpy(pattern->sets + state * pattern->words, pattern->made, pattern->words * sizeof *pattern->sets);
    memset(pattern->next + state * pattern->class_count, 0, pattern->class_count * sizeof *pattern->next);
    pattern->buckets[bucket] = (uint16_t)state;
    return (uint16_t)state;
}

static uint16_t begin_line(struct pattern *pattern, bool *forgot)
{
    if (pattern->line_begin == STATE_UNKNOWN) {
        make_empty(pattern);
        set_put(pattern->made, pattern->program.count);
        come_to(pattern, 0, true, false);

        const uint16_t state = state_of_made(pattern, forgot);

        pattern->line_begin = state;
    }
    return pattern->line_begin;
}

/* Does a match end where a line ends in this state? */
static bool ends_in_match(struct pattern *pattern, const uint64_t *set)
{
    const bool begin = set_has(set, pattern->program.count);

    make_empty(pattern);
    for (uint32_t k = 0; k < pattern->program.count; k++) {
        if (set_has(set, k) && pattern->program.instructions[k].operation == PATTERN_LINE_END)
            come_to(pattern, k, begin, true);
    }
    return made_has_match(pattern);
}

static uint16_t take_byte(struct pattern *pattern, const uint64_t *set, unsigned char byte, bool *forgot)
{
    const struct pattern_program *program = &pattern->program;

    make_empty(pattern);
    for (uint32_t k = 0; k < program->count; k++) {
        if (set_has(set, k) && program->instructions[k].operation == PATTERN_BYTE &&
            pattern_set_has(&program->sets[program->instructions[k].set], byte))
            come_to(pattern, k + 1, false, false);
    }
    come_to(pattern, 0, false, false);
    return made_has_match(pattern) ? STATE_FOUND : state_of_made(pattern, forgot);
}

/* The state after a byte of this class; STATE_UNKNOWN: that would be too much work. */
static uint16_t make_step(struct pattern *pattern, uint16_t state, uint8_t class)
{
    const unsigned char byte = pattern->samples[class];
    const uint64_t *set = pattern->sets + state * pattern->words;
    bool forgot = false;
    uint16_t next;

    pattern->work += pattern->program.count;
    if (pattern->work > PATTERN_WORK_MAX)
        return STATE_UNKNOWN;
    if (byte != '\n')
        next = take_byte(pattern, set, byte, &forgot);
    else
        next = ends_in_match(pattern, set) ? STATE_FOUND : begin_line(pattern, &forgot);
    if (!forgot)
        pattern->next[state * pattern->class_count + class] = next;
    return next;
}

/* ---- an expression ---- */

/* Bytes that are in the same sets are one class; a line end is one of its own. */
static void find_classes(struct pattern *pattern)
{
    const struct pattern_program *program = &pattern->program;
    size_t count = 1;
    struct pattern_set line_end = {0};

    line_end.words['\n' >> 6] = UINT64_C(1) << ('\n' & 63);
    for (size_t k = 0; k <= program->set_count; k++) {
        const struct pattern_set *set = k < program->set_count ? &program->sets[k] : &line_end;
        int inside[256]; /* of each class so far: the one of those of its bytes that are in the set; -1: none yet */
        bool outside[256] = {false};

        memset(inside, -1, sizeof inside);
        for (int byte = 0; byte < 256; byte++)
            outside[pattern->classes[byte]] |= !pattern_set_has(set, (unsigned char)byte);
        for (int byte = 0; byte < 256; byte++) {
            const uint8_t class = pattern->classes[byte];

            if (!outside[class] || !pattern_set_has(set, (unsigned char)byte))
                continue;
            if (inside[class] < 0)
                inside[class] = (int)count++;
            pattern->classes[byte] = (uint8_t)inside[class];
        }
    }
    pattern->class_count = count;
    for (int byte = 255; byte >= 0; byte--)
        pattern->samples[pattern->classes[byte]] = (unsigned char)byte;
}

static bool matches_nothing(struct pattern *pattern)
{
    make_empty(pattern);
    come_to(pattern, 0, true, false);
    if (made_has_match(pattern))
        return true;
    make_empty(pattern);
    come_to(pattern, 0, false, true);
    return made_has_match(pattern);
}

struct pattern *pattern_new(const char *text, struct error *err)
{
    struct pattern *pattern = mem_alloc(sizeof *pattern);

    if (pattern_compile(&pattern->program, text, err) < 0) {
        pattern_free(pattern);
        return NULL;
    }
    pattern->words = pattern->program.count / 64 + 1;
    pattern->made = mem_calloc(pattern->words, sizeof *pattern->made);
    pattern->stack = mem_calloc(2 * pattern->program.count + 2, sizeof *pattern->stack);
    if (matches_nothing(pattern)) {
        pattern_free(pattern);
        error_set(err, ERROR_USAGE, "the expression matches the empty text, and so every line");
        return NULL;
    }
    find_classes(pattern);
    pattern_begin(pattern);
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    pattern_program_free(&pattern->program);
    free(pattern->sets);
    free(pattern->next);
    free(pattern->made);
    free(pattern->stack);
    free(pattern);
}

void pattern_begin(struct pattern *pattern)
{
    bool forgot = false;

    if (pattern->state_count < STATE_FIRST)
        forget_states(pattern);
    pattern->work = 0;
    pattern->state = begin_line(pattern, &forgot);
}

enum pattern_result pattern_search(struct pattern *pattern, const char *bytes, size_t length, size_t *at)
{
    const size_t class_count = pattern->class_count;
    const uint16_t *next = pattern->next;
    uint16_t state = pattern->state;

    for (size_t k = 0; k < length; k++) {
        const uint8_t class = pattern->classes[(unsigned char)bytes[k]];
        uint16_t step = next[state * class_count + class];

        if (step < STATE_FIRST) {
            if (step == STATE_UNKNOWN)
                step = make_step(pattern, state, class);
            if (step == STATE_UNKNOWN)
                return PATTERN_TOO_COMPLEX;
            if (step == STATE_FOUND) {
                *at = bytes[k] == '\n' ? k : k + 1;
                return PATTERN_FOUND;
            }
            next = pattern->next;
        }
        state = step;
    }
    pattern->state = state;
    return PATTERN_NONE;
}

enum pattern_result pattern_end(struct pattern *pattern)
{
    size_t at;

    /* Behind the last line end there is no line. */
    if (set_has(pattern->sets + pattern->state * pattern->words, pattern->program.count))
        return PATTERN_NONE;
    return pattern_search(pattern, "\n", 1, &at);
}
