#include "serve/vocabulary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "serve/tokenizer.h"

#define TEXT_MAX 4096

static struct buf decode(struct vocabulary *vocabulary, const uint32_t *ids, size_t count)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    for (size_t k = 0; k < count; k++) {
        size_t length;
        const char *word = vocabulary_text(vocabulary, ids[k], &length);
        buf_append(&text, word, length);
    }
    return text;
}

static void what_was_learned_comes_back(void **state)
{
    (void)state;
    static const char text[] = "Wörter,  zwölf 12345 of\tthem and\0more";
    uint32_t ids[64];
    struct vocabulary *vocabulary = vocabulary_new();
    size_t count = tokenizer_encode(text, sizeof text - 1, ids, 64);
    assert_in_range(count, 10, 64);
    vocabulary_learn(vocabulary, text, sizeof text - 1);
    cleanup_buf struct buf back = decode(vocabulary, ids, count);
    assert_int_equal(back.len, sizeof text - 1);
    assert_memory_equal(back.data, text, sizeof text - 1);
    vocabulary_free(vocabulary);
}

static void generated_words_are_known(void **state)
{
    (void)state;
    struct vocabulary *vocabulary = vocabulary_new();
    for (int64_t k = 0; k < 500; k++) {
        uint32_t id = tokenizer_output_id(9, k);
        cleanup_buf struct buf word = decode(vocabulary, &id, 1);
        assert_string_equal(buf_text(&word), tokenizer_output(9, k));
    }
    vocabulary_free(vocabulary);
}

/* Whatever ids a client makes up: they have a text, and the text has them. */
static void every_id_has_a_word_that_encodes_to_it(void **state)
{
    (void)state;
    struct vocabulary *vocabulary = vocabulary_new();
    for (uint32_t id = 0; id < TOKENIZER_VOCABULARY; id++) {
        size_t length;
        const char *word = vocabulary_text(vocabulary, id, &length);
        uint32_t back = 0;
        if (id < TOKENIZER_SPECIAL) {
            assert_int_equal(length, 0);
            continue;
        }
        assert_int_equal(tokenizer_encode(word, length, &back, 1), 1);
        assert_int_equal(back, id);
    }
    vocabulary_free(vocabulary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_learned_comes_back),
        cmocka_unit_test(generated_words_are_known),
        cmocka_unit_test(every_id_has_a_word_that_encodes_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
