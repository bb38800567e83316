#include "serve/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    size_t tokens;
} EXAMPLES[] = {
    {"", 0},
    {"a", 1},
    {"Hello", 1},
    {"Hello world", 2},
    {" Hello", 1},
    {"extraordinary", 3},        /* 5 + 5 + 3 letters */
    {" extraordinary", 3},       /* the space goes with the first */
    {"12345", 2},
    {" 7", 2},                   /* a space goes with letters only */
    {"a  b", 3},                 /* one space is left over */
    {"a   b", 3},
    {"a\n\nb", 3},
    {"        ", 1},             /* 8 */
    {"         ", 2},
    {"x, y.", 4},
    {"{}!", 3},
    {"w\xc3\xb6rld", 3},         /* w, o with dots, rld */
    {"\xf0\x9f\x99\x82", 2},     /* 4 bytes */
};

static void texts_have_known_lengths(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof EXAMPLES / sizeof EXAMPLES[0]; k++) {
        size_t tokens = tokenizer_encode(EXAMPLES[k].text, strlen(EXAMPLES[k].text), NULL, 0);
        if (tokens != EXAMPLES[k].tokens)
            fail_msg("'%s' has %zu tokens, expected %zu", EXAMPLES[k].text, tokens, EXAMPLES[k].tokens);
    }
}

static void same_bytes_have_the_same_id(void **state)
{
    (void)state;
    uint32_t ids[6];
    assert_int_equal(tokenizer_encode(" red blue red", 13, ids, 6), 3);
    assert_int_equal(ids[0], ids[2]);
    assert_int_not_equal(ids[0], ids[1]);
    for (size_t k = 0; k < 3; k++)
        assert_in_range(ids[k], TOKENIZER_SPECIAL, TOKENIZER_VOCABULARY - 1);
}

static void nothing_is_written_beyond_max(void **state)
{
    (void)state;
    uint32_t ids[3] = {7, 7, 7};
    assert_int_equal(tokenizer_encode("a b c d", 7, ids, 2), 4);
    assert_int_equal(ids[2], 7);
}

static void zero_bytes_are_tokens(void **state)
{
    (void)state;
    assert_int_equal(tokenizer_encode("a\0b", 3, NULL, 0), 3);
}

static void generated_words_are_one_token_each(void **state)
{
    (void)state;
    size_t empty = 0;
    for (int64_t k = 0; k < 300; k++) {
        const char *word = tokenizer_output(3, k);
        empty += word[0] == '\0';
        assert_int_equal(tokenizer_encode(word, strlen(word), NULL, 0), word[0] != '\0');
        assert_ptr_equal(word, tokenizer_output(3, k));
    }
    assert_int_equal(empty, 20);
    assert_true(tokenizer_output(1, 0)[0] != '\0'); /* the first token can be seen */
}

static void a_token_s_id_is_its_texts(void **state)
{
    (void)state;
    for (int64_t k = 0; k < 100; k++) {
        const char *word = tokenizer_output(3, k);
        uint32_t id = 0;
        tokenizer_encode(word, strlen(word), &id, 1);
        assert_int_equal(tokenizer_output_id(3, k), word[0] ? id : TOKENIZER_HALF);
    }
}

static void alternatives_are_all_different(void **state)
{
    (void)state;
    for (int64_t k = 0; k < 60; k++)
        for (int64_t a = 0; a <= TOKENIZER_ALTERNATIVES; a++)
            for (int64_t b = a + 1; b <= TOKENIZER_ALTERNATIVES; b++) {
                const char *left = a == 0 ? tokenizer_output(3, k) : tokenizer_alternative(3, k, a);
                assert_string_not_equal(left, tokenizer_alternative(3, k, b));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_known_lengths),      cmocka_unit_test(same_bytes_have_the_same_id),
        cmocka_unit_test(nothing_is_written_beyond_max), cmocka_unit_test(zero_bytes_are_tokens),
        cmocka_unit_test(generated_words_are_one_token_each), cmocka_unit_test(a_token_s_id_is_its_texts),
        cmocka_unit_test(alternatives_are_all_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
