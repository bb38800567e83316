#include "support/mutate.h"

#include <string.h>

struct word {
    const char *bytes;
    size_t length;
};

#define WORD(literal) {literal, sizeof(literal) - 1}
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Values for a member: of every type, at the ends of what is taken and beyond. */
static const struct word VALUES[] = {
    WORD("null"), WORD("true"), WORD("false"), WORD("{}"), WORD("[]"), WORD("\"\""), WORD("\"x\""), WORD("[1,2]"), WORD("[\"\"]"), WORD("[[]]"),
    WORD("{\"a\":[{}]}"), WORD("\"error\""), WORD("\"\\u0000\""), WORD("\"\\ud83d\\ude00\""), WORD("\"\\u00e9\\n\""), WORD("\"\xF0\x9F\x98\x80\""),
    WORD("\"\xC2\x85\xEF\xBF\xBD\""), WORD("0"), WORD("7"), WORD("-1"), WORD("-0"), WORD("1.5"), WORD("1e3"), WORD("2E+02"), WORD("1e-400"),
    WORD("999999999999999"), WORD("1000000000000000"), WORD("18446744073709551616"), WORD("{\"message\":\"m\"}"), WORD("{\"content\":\"\"}"),
    WORD("{\"content\":[],\"tokens\":[1]}"), WORD("{\"content\":null,\"role\":\"x\"}"), WORD("[{\"text\":\"\"}]"), WORD("[null]"),
    WORD("\"stop\""), WORD("{\"cached_tokens\":3}"), WORD(" \t\r\n1 "),
};

/* Members that mean something somewhere in a chunk, to stand in front of another. */
static const struct word MEMBERS[] = {
    WORD("\"error\":null,"), WORD("\"error\":false,"), WORD("\"error\":\"x\","), WORD("\"error\":{\"message\":\"m\"},"), WORD("\"object\":\"error\","),
    WORD("\"object\":7,"), WORD("\"choices\":[],"), WORD("\"choices\":[{\"text\":\"a\"},{\"delta\":{}}],"), WORD("\"usage\":null,"),
    WORD("\"usage\":{\"completion_tokens\":9},"), WORD("\"delta\":{},"), WORD("\"delta\":null,"), WORD("\"delta\":{\"content\":\"\"},"),
    WORD("\"text\":\"\","), WORD("\"text\":null,"), WORD("\"text\":[1],"), WORD("\"content\":null,"), WORD("\"content\":\"\","),
    WORD("\"role\":\"assistant\","), WORD("\"role\":null,"), WORD("\"token_ids\":[1,2],"), WORD("\"token_ids\":[],"), WORD("\"token_ids\":null,"),
    WORD("\"logprobs\":{\"content\":[1]},"), WORD("\"logprobs\":{\"tokens\":[]},"), WORD("\"logprobs\":null,"), WORD("\"finish_reason\":\"stop\","),
    WORD("\"finish_reason\":\"\","), WORD("\"finish_reason\":null,"), WORD("\"stop_reason\":null,"), WORD("\"tool_calls\":[{}],"),
    WORD("\"tool_calls\":[],"), WORD("\"reasoning_content\":\"x\","), WORD("\"reasoning\":\"\","), WORD("\"prompt_progress\":{},"),
    WORD("\"prompt_progress\":null,"), WORD("\"message\":{\"content\":\"x\"},"), WORD("\"te\\u0078t\":\"x\","), WORD("\"a\\u0000\":1,"),
    WORD("\"completion_tokens\":7,"), WORD("\"prompt_tokens_details\":{\"cached_tokens\":3},"), WORD("\"\":0,"),
};

/* What breaks parsers. */
static const struct word JUNK[] = {
    WORD("["), WORD("{"), WORD("]"), WORD("}"), WORD(","), WORD(":"), WORD("\""), WORD("\\"), WORD("\\u0000"), WORD("\\ud800"), WORD("\\udc00"),
    WORD("\\n"), WORD("\\x"), WORD("\0"), WORD("\x1F"), WORD("\x7F"), WORD("\xFF"), WORD("\xC0\x80"), WORD("\xED\xA0\x80"),
    WORD("\xF4\x90\x80\x80"), WORD("\xC2"), WORD("\xEF\xBB\xBF"), WORD("007"), WORD("1e999"), WORD("9223372036854775807"),
    WORD("[[[[[[[[[[[[[[[[[[[[[[[["), WORD("{\"a\":{\"a\":{\"a\":"), WORD(" "), WORD("\t"), WORD("\r"), WORD("\n"), WORD("\r\n"), WORD("\n\n"),
    WORD("data: "), WORD("data"), WORD(": x\n"), WORD("[DONE]"), WORD("#"), WORD("NaN"), WORD("+Inf"), WORD("{a=\"b\"} "), WORD("\\\""),
};

static size_t draw_below(struct random *random, size_t bound)
{
    return bound > 0 ? (size_t)random_below(random, bound) : 0;
}

static void replace(struct buf *out, size_t at, size_t removed, const char *bytes, size_t length)
{
    char tail[65536];
    size_t rest = out->len - at - removed;
    if (rest > sizeof tail)
        return;
    memcpy(tail, out->data + at + removed, rest);
    out->len = at;
    buf_append(out, bytes, length);
    buf_append(out, tail, rest);
}

/* The first of `bytes` at or behind a drawn place, else the end. */
static size_t find_any(struct random *random, const struct buf *out, const char *bytes)
{
    size_t at = draw_below(random, out->len);
    while (at < out->len && (out->data[at] == '\0' || !strchr(bytes, out->data[at])))
        at++;
    return at;
}

/* The length of the string or scalar at `at`. */
static size_t measure_value(const struct buf *out, size_t at)
{
    size_t end = at;
    if (end < out->len && out->data[end] == '"') {
        end++;
        while (end < out->len && out->data[end] != '"')
            end += out->data[end] == '\\' && end + 1 < out->len ? 2 : 1;
        return (end < out->len ? end + 1 : end) - at;
    }
    while (end < out->len && out->data[end] != '\0' && !strchr(",]}[{", out->data[end]))
        end++;
    return end - at;
}

static void change_value(struct random *random, struct buf *out)
{
    const struct word *word = &VALUES[draw_below(random, COUNT(VALUES))];
    size_t at = find_any(random, out, ":[");
    if (at < out->len)
        replace(out, at + 1, measure_value(out, at + 1), word->bytes, word->length);
}

static void add_member(struct random *random, struct buf *out)
{
    const struct word *word = &MEMBERS[draw_below(random, COUNT(MEMBERS))];
    size_t at = find_any(random, out, "{");
    if (at < out->len)
        replace(out, at + 1, 0, word->bytes, word->length);
}

static void add_junk(struct random *random, struct buf *out)
{
    const struct word *word = &JUNK[draw_below(random, COUNT(JUNK))];
    size_t at = draw_below(random, out->len), removed = draw_below(random, 8);
    replace(out, at, removed < out->len - at ? removed : 0, word->bytes, word->length);
}

static void move_piece(struct random *random, struct buf *out)
{
    char piece[256];
    size_t from = draw_below(random, out->len), length = draw_below(random, sizeof piece);
    length = length < out->len - from ? length : out->len - from;
    memcpy(piece, out->data + from, length);
    if (random_below(random, 2) == 0)
        replace(out, from, length, "", 0);
    replace(out, draw_below(random, out->len + 1), 0, piece, length);
}

static void change_once(struct random *random, struct buf *out)
{
    size_t at = draw_below(random, out->len);
    switch (draw_below(random, 16)) {
    case 0:
        out->data[at] = (char)(out->data[at] ^ (1 << draw_below(random, 8)));
        break;
    case 1:
        out->data[at] = (char)random_below(random, 256);
        break;
    case 2:
        replace(out, at, 1, "", 0);
        break;
    case 3:
        move_piece(random, out);
        break;
    case 4:
        replace(out, at, out->len - at, "", 0);
        break;
    case 5:
        add_junk(random, out);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
        add_member(random, out);
        break;
    default:
        change_value(random, out);
        break;
    }
}

void mutate(struct random *random, const char *bytes, size_t length, struct buf *out)
{
    buf_reset(out);
    buf_append(out, bytes, length);
    size_t changes = 1 + draw_below(random, 4);
    for (size_t i = 0; i < changes && out->len > 0; i++)
        change_once(random, out);
}
