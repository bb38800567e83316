/* Extended regular expressions: what they find, what is none, and that none takes for ever. */
#include "wire/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/random.h"
#include "support/mutate.h"
#include "support/properties_pattern.h"

#define NOWHERE SIZE_MAX

CLEANUP_DEFINE(struct pattern, pattern_free)

static const struct {
    const char *expression, *text;
    size_t at; /* end of the first match */
} finds[] = {
    {"abc", "xxabcxx", 5},
    {"abc", "ababc", 5},
    {"abc", "ab\nc", NOWHERE},
    {"a.c", "a\nc", NOWHERE},
    {"a[^b]c", "a\nc", NOWHERE},
    {"a[^b]c", "abcadc", 6},
    {"^b", "ab\nb", 4},
    {"^b", "ab", NOWHERE},
    {"a$", "ab\nba\nx", 5},
    {"a$", "ba", 2},
    {"^$", "a\n\nb", 2},
    {"^$", "a\n", NOWHERE},
    {"^$", "", NOWHERE},
    {"^a*$", "ba\naaa\n", 6},
    {"x(a|)y", "xy", 2},
    {"x()y", "xy", 2},
    {"a|bc|d", "xxbc", 4},
    {"(ab)+c", "ababc", 5},
    {"a{3}", "aa aaa", 6},
    {"a{2,3}b", "ab", NOWHERE},
    {"a{2,3}b", "xaab", 4},
    {"^a{2,3}b", "aaaab", NOWHERE},
    {"^a{2,}b", "aaaaab", 6},
    {"^xa{,2}b", "xaab", 4},
    {"^xa{,2}b", "xaaab", NOWHERE},
    {"^(a{2}){2}$", "aaaa", 4},
    {"[[:digit:]]+-[[:upper:]]", "1-a 22-B", 8},
    {"[]x]y", "]y", 2},
    {"[^]x]y", "]yzy", 4},
    {"[a-]z", "-z", 2},
    {"[+--]z", ",z", 2},
    {"[\\]z", "\\z", 2},
    {"[[.-.]]z", "-z", 2},
    {"[[=a=]]z", "az", 2},
    {"a\\.b\\{", "a.b{", 4},
    {"]}", "]}", 2},
    {"\xc3\xa9", "caf\xc3\xa9", 5},
    {"a.b", "a\xffz a\xff" "b", 7},
    {"sk-[0-9a-z]{8,}", "\"sk-0123456x\"", 12},
    {"$a", "a$a\n", NOWHERE},
    {"(^|x)a", "ya\na", 4},
};

static size_t find(struct pattern *pattern, const char *text, size_t piece)
{
    const size_t length = strlen(text);
    size_t at = 0;

    pattern_begin(pattern);
    for (size_t k = 0; k < length; k += piece) {
        if (pattern_search(pattern, text + k, length - k < piece ? length - k : piece, &at) == PATTERN_FOUND)
            return k + at;
    }
    return pattern_end(pattern) == PATTERN_FOUND ? length : NOWHERE;
}

static void test_finds(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof finds / sizeof *finds; k++) {
        struct error err = {0};
        cleanup_with(pattern_free) struct pattern *pattern = pattern_new(finds[k].expression, &err);

        if (!pattern)
            fail_msg("%s: %s", finds[k].expression, err.text);
        for (size_t piece = 1; piece < 5; piece++) {
            if (find(pattern, finds[k].text, piece) != finds[k].at)
                fail_msg("%s in %s: %zu", finds[k].expression, finds[k].text, find(pattern, finds[k].text, piece));
        }
    }
}

static const struct {
    const char *expression, *says;
} wrong[] = {
    {"ab(c", "at character 3: this ( is never closed"},
    {"abc)", "at character 4: this ) closes nothing"},
    {"[abc", "at character 5: the expression ends in [brackets]"},
    {"a[[:word:]]", "at character 5: no class of characters"},
    {"a[[:alpha]", "at character 5: no class of characters"},
    {"[z-a]", "at character 2: this range ends before it begins"},
    {"[a-c-e]", "at character 5: a - between others"},
    {"[a-[:digit:]]", "at character 2: a class ends no range"},
    {"[[.ab.]]", "at character 2: only single characters"},
    {"*a", "at character 1: there is nothing to repeat"},
    {"a|+", "at character 3: there is nothing to repeat"},
    {"(?:a)", "at character 2: there is nothing to repeat"},
    {"{\"key\"", "at character 1: there is nothing to repeat before this; the character itself is written with a \\"},
    {"^*a", "at character 2: a line's begin or end is not repeated"},
    {"a{x", "at character 2: { begins no count"},
    {"a{}", "at character 2: { begins no count"},
    {"a{,}", "at character 2: { begins no count"},
    {"a{3,2}", "at character 2: { begins no count"},
    {"a{256}", "at character 3: more than 255"},
    {"a{99999999999}", "at character 3: more than 255"},
    {"(a)\\1", "at character 4: extended expressions have no back-references"},
    {"\\d+", "at character 1: \\ and this character mean nothing in POSIX"},
    {"abc\\", "at character 4: nothing follows this \\"},
    {"a\nb", "at character 2: a match lies in one line"},
    {"", "matches the empty text"},
    {"a*", "matches the empty text"},
    {"^", "matches the empty text"},
    {"$", "matches the empty text"},
    {"a|b?", "matches the empty text"},
    {"(a{100}){100}", "the expression is too large"},
    {"(((((){255}){255}){255}){255})x", "the expression is too large"},
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        struct error err = {0};

        assert_null(pattern_new(wrong[k].expression, &err));
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, wrong[k].says))
            fail_msg("%s: %s", wrong[k].expression, err.text);
    }
}

static void test_limits(void **state)
{
    struct error err = {0};
    cleanup_free char *deep = mem_alloc(2002), *lengthy = mem_alloc(PATTERN_LENGTH_MAX + 2);

    (void)state;
    memset(deep, '(', 2000);
    assert_null(pattern_new(deep, &err));
    assert_non_null(strstr(err.text, "at character 101: parentheses are nested too deeply"));
    memset(lengthy, 'a', PATTERN_LENGTH_MAX + 1);
    assert_null(pattern_new(lengthy, &err));
    assert_non_null(strstr(err.text, "longer than"));
}

/* What takes other machines exponential time, or memory: here each byte is a step, or it is given up. */
static void test_none_takes_for_ever(void **state)
{
    static const char *const expressions[] = {"(a*)*b", "(a|a)*c", "(a|aa)+$x", "(x+x+)+y", "([a-z]*){20}[0-9]", "(.*)(.*)(.*)(.*)(.*)(.*)Z"};
    const size_t size = (size_t)1 << 20;
    cleanup_free char *text = mem_alloc(size);
    size_t at;

    (void)state;
    memset(text, 'a', size);
    for (size_t k = 0; k < sizeof expressions / sizeof *expressions; k++) {
        cleanup_with(pattern_free) struct pattern *pattern = pattern_new(expressions[k], NULL);

        assert_non_null(pattern);
        assert_int_equal(pattern_search(pattern, text, size, &at), PATTERN_NONE);
    }
}

static void test_too_many_states(void **state)
{
    const size_t size = (size_t)1 << 20;
    cleanup_with(pattern_free) struct pattern *pattern = pattern_new("a[ab]{200}c", NULL);
    cleanup_free char *text = mem_alloc(size);
    enum pattern_result result = PATTERN_NONE;
    struct random random;
    size_t at, pieces = 0;

    (void)state;
    random_seed(&random, 1);
    for (size_t k = 0; k < size; k++)
        text[k] = random_below(&random, 2) ? 'a' : 'b';
    for (; result == PATTERN_NONE && pieces < 100; pieces++)
        result = pattern_search(pattern, text, size, &at);
    assert_int_equal(result, PATTERN_TOO_COMPLEX);
    assert_int_equal(find(pattern, "xyz", 1), NOWHERE); /* and lives on */
}

static void test_property(void **state)
{
    struct random random;
    struct buf changed = BUF_INIT(1000);

    (void)state;
    random_seed(&random, 20261124);
    for (size_t k = 0; k < 20000; k++) {
        const size_t row = k % (sizeof finds / sizeof *finds);
        cleanup_free char *input = mem_printf("%s\n%s", finds[row].expression, finds[row].text);

        property_pattern((const uint8_t *)input, strlen(input));
        mutate(&random, input, strlen(input), &changed);
        property_pattern((const uint8_t *)buf_text(&changed), changed.len);
    }
    buf_free(&changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_none_takes_for_ever),
        cmocka_unit_test(test_too_many_states),
        cmocka_unit_test(test_property),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
