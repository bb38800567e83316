#include "support/mutate.h"

#include <string.h>

#define ROW(literal) {literal, sizeof(literal) - 1}

static const struct {
    const char *bytes;
    size_t length;
} WORDS[] = {
    ROW("null"), ROW("true"), ROW("false"), ROW("{}"), ROW("[]"), ROW("\"\""), ROW("["), ROW("{"), ROW("]"), ROW("}"), ROW(","),
    ROW(":"), ROW("\""), ROW("\\"), ROW("\\u0000"), ROW("\\ud800"), ROW("\\udc00"), ROW("\\ud83d\\ude00"), ROW("\\u00e9"),
    ROW("\\n"), ROW("\\x"), ROW("\0"), ROW("\x1F"), ROW("\x7F"), ROW("\xFF"), ROW("\xC0\x80"), ROW("\xED\xA0\x80"),
    ROW("\xF0\x9F\x98\x80"), ROW("\xF4\x90\x80\x80"), ROW("\xC2"), ROW("\xEF\xBB\xBF"), ROW("0"), ROW("-1"), ROW("007"), ROW("1.5"),
    ROW("1e3"), ROW("1e999"), ROW("-0"), ROW("999999999999999"), ROW("1000000000000000"), ROW("18446744073709551616"),
    ROW("9223372036854775807"), ROW("\"error\":"), ROW("\"error\":null,"), ROW("\"error\":\"x\","), ROW("\"error\":{\"message\":\"m\"},"),
    ROW("\"object\":\"error\","), ROW("\"choices\":[],"), ROW("\"choices\":"), ROW("\"usage\":"), ROW("\"usage\":null,"), ROW("\"delta\":{},"),
    ROW("\"delta\":{\"content\":\"\"},"), ROW("\"text\":\"\","), ROW("\"text\":null,"), ROW("\"content\":null,"), ROW("\"role\":\"assistant\","),
    ROW("\"role\":null,"), ROW("\"token_ids\":[1,2],"), ROW("\"token_ids\":[],"), ROW("\"logprobs\":{\"content\":[1]},"),
    ROW("\"logprobs\":{\"tokens\":[]},"), ROW("\"finish_reason\":\"stop\","), ROW("\"finish_reason\":\"\","), ROW("\"stop_reason\":null,"),
    ROW("\"tool_calls\":[{}],"), ROW("\"reasoning_content\":\"x\","), ROW("\"prompt_progress\":{},"), ROW("\"message\":{\"content\":\"x\"},"),
    ROW("\"te\\u0078t\":\"x\","), ROW("\"completion_tokens\":7,"), ROW("\"prompt_tokens_details\":{\"cached_tokens\":3},"),
    ROW("[[[[[[[[[[[[[[[[[[[[[[[["), ROW("{\"a\":{\"a\":{\"a\":"), ROW(" "), ROW("\t"), ROW("\r"), ROW("\n"), ROW("\r\n"), ROW("\n\n"),
    ROW("data: "), ROW("data"), ROW(": x\n"), ROW("[DONE]"), ROW("#"), ROW("NaN"), ROW("+Inf"), ROW("{a=\"b\"} "), ROW("\\\""),
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

static void change_once(struct random *random, struct buf *out)
{
    char piece[256];
    size_t at = draw_below(random, out->len), other = draw_below(random, out->len);
    size_t span = draw_below(random, sizeof piece);
    span = span < out->len - other ? span : out->len - other;
    size_t here = span < out->len - at ? span : out->len - at;
    size_t word = draw_below(random, sizeof WORDS / sizeof *WORDS);
    switch (draw_below(random, 7)) {
    case 0:
        out->data[at] = (char)(out->data[at] ^ (1 << draw_below(random, 8)));
        break;
    case 1:
        out->data[at] = (char)random_below(random, 256);
        break;
    case 2:
        replace(out, at, here, "", 0);
        break;
    case 3:
        memcpy(piece, out->data + other, span);
        replace(out, at, 0, piece, span);
        break;
    case 4:
        replace(out, at, draw_below(random, here < 8 ? here + 1 : 8), WORDS[word].bytes, WORDS[word].length);
        break;
    case 5: /* behind a comma or a brace a whole member may be welcome */
        while (at < out->len && !strchr(",{[:", out->data[at]))
            at++;
        at += at < out->len ? 1 : 0;
        replace(out, at, 0, WORDS[word].bytes, WORDS[word].length);
        break;
    default:
        replace(out, at, out->len - at, "", 0);
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
