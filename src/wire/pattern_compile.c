/* Text to a tree of nodes by recursive descent, the tree to instructions; {m,n} writes its node out as often as it says. */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/pattern.h"
#include "wire/pattern_program.h"

#define DEPTH_MAX 100      /* of parentheses */
#define EMIT_MAX 100000    /* nodes written out, those that make no instruction included */
#define UNBOUNDED (-1)
#define NOTHING UINT32_MAX /* no node: the empty text */

enum node_kind { NODE_SET, NODE_LINE_BEGIN, NODE_LINE_END, NODE_BOTH, NODE_EITHER, NODE_REPEAT };

struct node {
    enum node_kind kind;
    uint32_t set;
    uint32_t first, second; /* nodes, or NOTHING */
    int least, most;        /* of NODE_REPEAT */
};

struct parser {
    struct pattern_program *program;
    const char *text;
    size_t at;
    int depth;
    struct node *nodes;
    size_t count, capacity;
    unsigned emitted;
    struct error *err;
};

static int fail_at(const struct parser *parser, size_t at, const char *what)
{
    return error_set(parser->err, ERROR_USAGE, "at character %zu: %s", at + 1, what);
}

static uint32_t add_node(struct parser *parser, struct node node)
{
    MEM_GROW(parser->nodes, parser->capacity, parser->count + 1);
    parser->nodes[parser->count] = node;
    return (uint32_t)parser->count++;
}

static uint32_t add_set(struct parser *parser, const struct pattern_set *set)
{
    struct pattern_program *program = parser->program;

    for (size_t k = 0; k < program->set_count; k++) {
        if (memcmp(&program->sets[k], set, sizeof *set) == 0)
            return (uint32_t)k;
    }
    MEM_GROW(program->sets, program->set_capacity, program->set_count + 1);
    program->sets[program->set_count] = *set;
    return (uint32_t)program->set_count++;
}

static uint32_t add_set_node(struct parser *parser, const struct pattern_set *set)
{
    return add_node(parser, (struct node){.kind = NODE_SET, .set = add_set(parser, set)});
}

static void set_add(struct pattern_set *set, unsigned char byte)
{
    set->words[byte >> 6] |= UINT64_C(1) << (byte & 63);
}

/* All that is not in it, and never a line end. */
static void set_invert(struct pattern_set *set)
{
    for (size_t k = 0; k < 4; k++)
        set->words[k] = ~set->words[k];
    set->words['\n' >> 6] &= ~(UINT64_C(1) << ('\n' & 63));
}

/* ---- brackets ---- */

static const struct {
    const char *name;
    int (*has)(int byte);
} classes[] = {
    {"alpha", isalpha}, {"digit", isdigit}, {"alnum", isalnum}, {"upper", isupper}, {"lower", islower}, {"space", isspace},
    {"blank", isblank}, {"punct", ispunct}, {"print", isprint}, {"graph", isgraph}, {"cntrl", iscntrl}, {"xdigit", isxdigit},
};

/* Behind "[:". */
static int parse_class(struct parser *parser, struct pattern_set *set)
{
    const char *name = parser->text + parser->at, *end = strstr(name, ":]");

    for (size_t k = 0; end && k < sizeof classes / sizeof *classes; k++) {
        if (strlen(classes[k].name) != (size_t)(end - name) || strncmp(classes[k].name, name, (size_t)(end - name)) != 0)
            continue;
        /* The program never calls setlocale: these are ASCII's. */
        for (int byte = 0; byte < 128; byte++) {
            if (byte != '\n' && classes[k].has(byte))
                set_add(set, (unsigned char)byte);
        }
        parser->at += (size_t)(end - name) + 2;
        return 0;
    }
    return fail_at(parser, parser->at, "no class of characters has this name; there are alpha, digit, alnum, upper, lower, space, blank, punct, "
                                       "print, graph, cntrl and xdigit");
}

/* One character of brackets, also as "[.a.]" or "[=a=]". -1: none. */
static int parse_bracket_character(struct parser *parser)
{
    const char *at = parser->text + parser->at;

    if (at[0] == '[' && (at[1] == '.' || at[1] == '=')) {
        if (at[2] == '\0' || at[3] != at[1] || at[4] != ']')
            return fail_at(parser, parser->at, "only single characters may stand in [. .] and [= =]");
        parser->at += 5;
        return (unsigned char)at[2];
    }
    if (*at == '\0')
        return fail_at(parser, parser->at, "the expression ends in [brackets]");
    parser->at++;
    return (unsigned char)*at;
}

static int parse_range(struct parser *parser, struct pattern_set *set)
{
    const size_t begin = parser->at;
    const int first = parse_bracket_character(parser);
    int last = first;

    if (first < 0)
        return -1;
    if (parser->text[parser->at] == '-' && parser->text[parser->at + 1] != ']' && parser->text[parser->at + 1] != '\0') {
        parser->at++;
        if (strncmp(parser->text + parser->at, "[:", 2) == 0)
            return fail_at(parser, begin, "a class ends no range");
        last = parse_bracket_character(parser);
        if (last < 0)
            return -1;
    }
    if (last < first)
        return fail_at(parser, begin, "this range ends before it begins");
    for (int byte = first; byte <= last; byte++) {
        if (byte != '\n')
            set_add(set, (unsigned char)byte);
    }
    return 0;
}

/* Behind "[". */
static int parse_brackets(struct parser *parser, uint32_t *node)
{
    struct pattern_set set = {0};
    const bool inverted = parser->text[parser->at] == '^';
    bool first = true;

    parser->at += inverted;
    for (; first || parser->text[parser->at] != ']'; first = false) {
        const bool class = strncmp(parser->text + parser->at, "[:", 2) == 0;

        if (!first && parser->text[parser->at] == '-' && parser->text[parser->at + 1] != ']')
            return fail_at(parser, parser->at, "a - between others stands for no range here; the character itself is the first or the last in [brackets]");
        if (class)
            parser->at += 2;
        if ((class ? parse_class : parse_range)(parser, &set) < 0)
            return -1;
    }
    parser->at++;
    if (inverted)
        set_invert(&set);
    *node = add_set_node(parser, &set);
    return 0;
}

/* ---- what is repeated, and how often ---- */

static int parse_either(struct parser *parser, uint32_t *node);

/* Behind "(". */
static int parse_group(struct parser *parser, uint32_t *node)
{
    const size_t begin = parser->at - 1;

    if (++parser->depth > DEPTH_MAX)
        return fail_at(parser, begin, "parentheses are nested too deeply");
    if (parse_either(parser, node) < 0)
        return -1;
    if (parser->text[parser->at] != ')')
        return fail_at(parser, begin, "this ( is never closed");
    parser->depth--;
    parser->at++;
    return 0;
}

/* Behind "\". */
static int parse_escape(struct parser *parser, uint32_t *node)
{
    struct pattern_set set = {0};
    const char c = parser->text[parser->at];

    if (c == '\0')
        return fail_at(parser, parser->at - 1, "nothing follows this \\");
    if (c >= '1' && c <= '9')
        return fail_at(parser, parser->at - 1, "extended expressions have no back-references");
    if (!strchr("\\.[](){}*+?|^$/-\"'#@:,;=<>~!%&_` ", c))
        return fail_at(parser, parser->at - 1, "\\ and this character mean nothing in POSIX; classes are [0-9], [[:space:]], [[:alnum:]_]");
    parser->at++;
    set_add(&set, (unsigned char)c);
    *node = add_set_node(parser, &set);
    return 0;
}

static int parse_atom(struct parser *parser, uint32_t *node)
{
    struct pattern_set set = {0};
    const char c = parser->text[parser->at++];

    switch (c) {
    case '(': return parse_group(parser, node);
    case '[': return parse_brackets(parser, node);
    case '\\': return parse_escape(parser, node);
    case '*':
    case '+':
    case '?':
    case '{': return fail_at(parser, parser->at - 1, "there is nothing to repeat before this; the character itself is written with a \\ before it");
    case '^': *node = add_node(parser, (struct node){.kind = NODE_LINE_BEGIN}); return 0;
    case '$': *node = add_node(parser, (struct node){.kind = NODE_LINE_END}); return 0;
    case '.': set_invert(&set); break;
    case '\n': return fail_at(parser, parser->at - 1, "a match lies in one line");
    default: set_add(&set, (unsigned char)c); break;
    }
    *node = add_set_node(parser, &set);
    return 0;
}

/* Digits; *number stays when there are none. false: more than PATTERN_REPEAT_MAX. */
static bool parse_count(struct parser *parser, int *number)
{
    if (!isdigit((unsigned char)parser->text[parser->at]))
        return true;
    *number = 0;
    for (; isdigit((unsigned char)parser->text[parser->at]); parser->at++) {
        *number = *number * 10 + parser->text[parser->at] - '0';
        if (*number > PATTERN_REPEAT_MAX)
            return false;
    }
    return true;
}

/* Behind "{": m}, m,}, ,n} or m,n}. */
static int parse_bounds(struct parser *parser, struct node *repeat)
{
    const size_t begin = parser->at;
    int least = UNBOUNDED;

    if (!parse_count(parser, &least))
        return fail_at(parser, begin, "more than 255 repetitions");
    repeat->most = least;
    if (parser->text[parser->at] == ',') {
        parser->at++;
        repeat->most = UNBOUNDED;
        if (!parse_count(parser, &repeat->most))
            return fail_at(parser, begin, "more than 255 repetitions");
        if (least == UNBOUNDED && repeat->most != UNBOUNDED)
            least = 0;
    }
    repeat->least = least;
    if (least == UNBOUNDED || parser->text[parser->at] != '}' || (repeat->most != UNBOUNDED && repeat->most < least))
        return fail_at(parser, begin - 1, "{ begins no count such as {2}, {2,} or {2,4}; the character itself is \\{");
    parser->at++;
    return 0;
}

static int parse_repeated(struct parser *parser, uint32_t *node)
{
    const bool anchor = parser->text[parser->at] == '^' || parser->text[parser->at] == '$';

    if (parse_atom(parser, node) < 0)
        return -1;
    for (char c; (c = parser->text[parser->at]) && strchr("*+?{", c);) {
        struct node repeat = {.kind = NODE_REPEAT, .first = *node, .least = c == '+', .most = c == '?' ? 1 : UNBOUNDED};

        if (anchor)
            return fail_at(parser, parser->at, "a line's begin or end is not repeated");
        parser->at++;
        if (c == '{' && parse_bounds(parser, &repeat) < 0)
            return -1;
        *node = add_node(parser, repeat);
    }
    return 0;
}

static int parse_sequence(struct parser *parser, uint32_t *node)
{
    *node = NOTHING;
    while (parser->text[parser->at] && !strchr("|)", parser->text[parser->at])) {
        uint32_t next = NOTHING;

        if (parse_repeated(parser, &next) < 0)
            return -1;
        *node = *node == NOTHING ? next : add_node(parser, (struct node){.kind = NODE_BOTH, .first = *node, .second = next});
    }
    return 0;
}

static int parse_either(struct parser *parser, uint32_t *node)
{
    if (parse_sequence(parser, node) < 0)
        return -1;
    while (parser->text[parser->at] == '|') {
        uint32_t other = NOTHING;

        parser->at++;
        if (parse_sequence(parser, &other) < 0)
            return -1;
        *node = add_node(parser, (struct node){.kind = NODE_EITHER, .first = *node, .second = other});
    }
    return 0;
}

/* ---- instructions ---- */

static uint32_t emit_instruction(struct parser *parser, enum pattern_operation operation, uint32_t set)
{
    struct pattern_program *program = parser->program;

    MEM_GROW(program->instructions, program->capacity, program->count + 1);
    program->instructions[program->count] = (struct pattern_instruction){.operation = operation, .set = set};
    return (uint32_t)program->count++;
}

static int emit(struct parser *parser, uint32_t index);

/* Splits to what follows it at once, and to what follows its node. */
static int emit_optional(struct parser *parser, uint32_t node, bool again)
{
    struct pattern_program *program = parser->program;
    const uint32_t split = emit_instruction(parser, PATTERN_SPLIT, 0);

    if (emit(parser, node) < 0)
        return -1;
    if (again) {
        const uint32_t jump = emit_instruction(parser, PATTERN_JUMP, 0);

        program->instructions[jump].first = split;
    }
    program->instructions[split].first = split + 1;
    program->instructions[split].second = (uint32_t)program->count;
    return 0;
}

static int emit_repeat(struct parser *parser, const struct node *repeat)
{
    for (int k = 0; k < repeat->least; k++) {
        if (emit(parser, repeat->first) < 0)
            return -1;
    }
    if (repeat->most == UNBOUNDED)
        return emit_optional(parser, repeat->first, true);
    for (int k = repeat->least; k < repeat->most; k++) {
        if (emit_optional(parser, repeat->first, false) < 0)
            return -1;
    }
    return 0;
}

static int emit_either(struct parser *parser, const struct node *either)
{
    struct pattern_program *program = parser->program;
    const uint32_t split = emit_instruction(parser, PATTERN_SPLIT, 0);

    if (emit(parser, either->first) < 0)
        return -1;

    const uint32_t jump = emit_instruction(parser, PATTERN_JUMP, 0);

    program->instructions[split].first = split + 1;
    program->instructions[split].second = (uint32_t)program->count;
    if (emit(parser, either->second) < 0)
        return -1;
    program->instructions[jump].first = (uint32_t)program->count;
    return 0;
}

static int emit(struct parser *parser, uint32_t index)
{
    if (++parser->emitted > EMIT_MAX || parser->program->count > PATTERN_INSTRUCTIONS_MAX)
        return error_set(parser->err, ERROR_USAGE, "the expression is too large: its repetitions written out, it may have %d steps", PATTERN_INSTRUCTIONS_MAX);
    if (index == NOTHING)
        return 0;

    const struct node node = parser->nodes[index];

    switch (node.kind) {
    case NODE_SET: emit_instruction(parser, PATTERN_BYTE, node.set); return 0;
    case NODE_LINE_BEGIN: emit_instruction(parser, PATTERN_LINE_BEGIN, 0); return 0;
    case NODE_LINE_END: emit_instruction(parser, PATTERN_LINE_END, 0); return 0;
    case NODE_BOTH: return emit(parser, node.first) < 0 || emit(parser, node.second) < 0 ? -1 : 0;
    case NODE_EITHER: return emit_either(parser, &node);
    case NODE_REPEAT: return emit_repeat(parser, &node);
    }
    return 0;
}

int pattern_compile(struct pattern_program *program, const char *text, struct error *err)
{
    struct parser parser = {.program = program, .text = text, .err = err};
    uint32_t root = NOTHING;

    *program = (struct pattern_program){0};
    if (strlen(text) > PATTERN_LENGTH_MAX)
        return error_set(err, ERROR_USAGE, "the expression is longer than %zu bytes", PATTERN_LENGTH_MAX);

    int result = parse_either(&parser, &root);

    if (result == 0 && *(text + parser.at) == ')')
        result = fail_at(&parser, parser.at, "this ) closes nothing; the character itself is \\)");
    if (result == 0)
        result = emit(&parser, root);
    if (result == 0)
        emit_instruction(&parser, PATTERN_MATCH, 0);
    free(parser.nodes);
    return result;
}

void pattern_program_free(struct pattern_program *program)
{
    free(program->instructions);
    free(program->sets);
    *program = (struct pattern_program){0};
}
