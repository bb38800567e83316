/* Calibration against tokenizers of very different kinds. Each is a function from bytes to a count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "plan/calibrate.h"
#include "plan/scenario.h"
#include "serve/tokenizer.h"

#define TEMPLATE_TOKENS 9

typedef int64_t (*tokenizer)(const char *text, size_t length);

struct server {
    tokenizer tokens;
    int64_t asked, refuse_from; /* refuse_from 0: never */
    int64_t context;            /* refuses what is longer, with a token of an answer; 0: takes all */
};

static int64_t count(void *context, const char *text, size_t length, struct error *err)
{
    struct server *server = context;
    server->asked++;
    if (server->refuse_from > 0 && server->asked >= server->refuse_from)
        return error_set(err, ERROR_TARGET, "refused");
    int64_t tokens = TEMPLATE_TOKENS + server->tokens(text, length);
    return server->context > 0 && tokens >= server->context ? error_set(err, ERROR_TARGET, "%d tokens", (int)tokens) : tokens;
}

/* --- tokenizers ------------------------------------------------------------------------------ */

static int64_t bytes(const char *text, size_t length)
{
    (void)text;
    return (int64_t)length;
}

/* A word with the space before it is one token, as in most vocabularies. */
static int64_t words(const char *text, size_t length)
{
    int64_t tokens = length > 0;
    for (size_t k = 1; k < length; k++)
        tokens += text[k] == ' ' || text[k] == ':';
    return tokens;
}

/* A small byte-level vocabulary: greedy pieces of at most three letters, a space alone. */
static int64_t pieces(const char *text, size_t length)
{
    int64_t tokens = 0;
    for (size_t k = 0; k < length; tokens++) {
        size_t run = 1;
        while (text[k] != ' ' && run < 3 && k + run < length && text[k + run] != ' ')
            run++;
        k += run;
    }
    return tokens;
}

/* As words, but some pairs are one token: merges across the space between them. */
static bool merges(const char *text, size_t length, const char *first, const char *second)
{
    size_t a = strlen(first), b = strlen(second);
    return length >= a + b && memcmp(text, first, a) == 0 && memcmp(text + a, second, b) == 0 &&
           (length == a + b || text[a + b] == ' ');
}

static int64_t pairs(const char *text, size_t length)
{
    int64_t tokens = words(text, length);
    for (size_t k = 0; k < length; k++)
        tokens -= merges(text + k, length - k, " time", " way") || merges(text + k, length - k, " light", " year") ||
                  merges(text + k, length - k, " day", " light");
    return tokens;
}

/* The opening's ':' is one token with the word behind it. */
static int64_t opening_merges(const char *text, size_t length)
{
    const char *colon = memchr(text, ':', length);
    return words(text, length) - (colon && colon + 1 < text + length);
}

/* Four bytes a token, whatever they are. */
static int64_t quarters(const char *text, size_t length)
{
    (void)text;
    return ((int64_t)length + 3) / 4;
}

static uint64_t hash_text(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(1469598103934665603);
    for (size_t k = 0; k < length; k++)
        hash = (hash ^ (unsigned char)text[k]) * UINT64_C(1099511628211);
    return hash;
}

/* Depends on the whole text: nothing adds up. */
static int64_t chaos(const char *text, size_t length)
{
    return (int64_t)length / 5 + (int64_t)(hash_text(text, length) >> 61);
}

/* A word a token, and from 0 to 3 more that depend on all of the text. */
static int64_t noisy(const char *text, size_t length)
{
    return words(text, length) + (int64_t)(hash_text(text, length) >> 62);
}

/* Half of the words are two tokens. */
static int64_t rare_words(const char *text, size_t length)
{
    int64_t tokens = words(text, length);
    for (size_t k = 0; k + 1 < length; k++)
        tokens += text[k] == ' ' && text[k + 1] > 'l';
    return tokens;
}

/* No letters, no words: every byte costs two tokens, so only even sums can be had. */
static int64_t doubled(const char *text, size_t length)
{
    return 2 * bytes(text, length);
}

static int64_t simulated(const char *text, size_t length)
{
    return (int64_t)tokenizer_encode(text, length, NULL, 0);
}

/* --- what is asserted ------------------------------------------------------------------------- */

static struct token_lengths asked;

static bool calibrate(struct server *server, tokenizer tokens, int64_t length, struct material *material)
{
    struct calibrate_counter counter = {.count = count, .context = server};
    struct error err = {0};
    bool exact = false;
    server->tokens = tokens;
    asked = token_lengths_fixed(length);
    int status = calibrate_text(&counter, language_find(LANGUAGE_DEFAULT), &asked, 1, material, &exact, &err);
    if (status < 0)
        print_error("%s\n", err.text);
    assert_int_equal(status, 0);
    assert_in_range(server->asked, 10, CALIBRATE_REQUESTS_MAX);
    return exact;
}

/* Prompts drawn by other seeds than calibration's have the length too: how many of 200 do not. */
static int wrong_lengths(const struct material *material, tokenizer tokens, int64_t length)
{
    int wrong = 0;
    for (uint64_t k = 0; k < 200; k++) {
        struct random head, tail;
        struct buf text = BUF_INIT((size_t)1 << 24);
        random_seed(&head, 1000 + k);
        random_seed(&tail, 7000 + k);
        material_draw_text(material, length - material->overhead, &head, &tail, &text, NULL);
        wrong += TEMPLATE_TOKENS + tokens(text.data, text.len) != length;
        buf_free(&text);
    }
    return wrong;
}

static void assert_exact(tokenizer tokens, int64_t length, int64_t requests_max)
{
    struct server server = {0};
    struct material material;
    assert_true(calibrate(&server, tokens, length, &material));
    assert_int_equal(wrong_lengths(&material, tokens, length), 0);
    assert_in_range(server.asked, 10, requests_max);
    material_free(&material);
}

static void test_words_take_few_requests(void **state)
{
    (void)state;
    assert_exact(words, 256, 13);
    assert_exact(words, 4096, 13);
    assert_exact(simulated, 256, 15);
}

static void test_a_vocabulary_of_bytes(void **state)
{
    (void)state;
    assert_exact(bytes, 64, 60);
    assert_exact(bytes, 1000, 60);
}

static void test_a_vocabulary_of_short_pieces(void **state)
{
    (void)state;
    assert_exact(pieces, 128, 70);
}

static void test_words_that_cost_more_are_left_out(void **state)
{
    (void)state;
    assert_exact(rare_words, 200, 80);
}

static void test_the_opening_may_merge_with_what_follows(void **state)
{
    (void)state;
    assert_exact(opening_merges, 100, 20);
}

static void test_words_that_merge_are_found_and_left_out(void **state)
{
    (void)state;
    struct server server = {0};
    struct material material;
    assert_true(calibrate(&server, pairs, 8000, &material));
    assert_int_equal(wrong_lengths(&material, pairs, 8000), 0);
    assert_in_range(material.word_count, 100, 127);
    material_free(&material);
}

/* Only words whose bytes fill tokens add up; whether that is enough is the checks' business. */
static void test_tokens_of_four_bytes(void **state)
{
    (void)state;
    struct server server = {0};
    struct material material;
    bool exact = calibrate(&server, quarters, 256, &material);
    int wrong = wrong_lengths(&material, quarters, 256);
    assert_true(!exact || wrong == 0);
    material_free(&material);
}

static void test_a_tokenizer_that_does_not_add_up_is_said_to_be_inexact(void **state)
{
    (void)state;
    struct server server = {.tokens = chaos};
    struct calibrate_counter counter = {.count = count, .context = &server};
    struct token_lengths lengths = token_lengths_fixed(300);
    struct material material;
    struct error err;
    bool exact = true;
    int status = calibrate_text(&counter, language_find(LANGUAGE_DEFAULT), &lengths, 1, &material, &exact, &err);
    material_free(&material);
    assert_false(status == 0 && exact);
    assert_in_range(server.asked, 1, CALIBRATE_REQUESTS_MAX);
}

static void test_lengths_that_are_not_exact_are_right_on_average(void **state)
{
    (void)state;
    struct server server = {0};
    struct material material;
    int64_t sum = 0;
    assert_false(calibrate(&server, noisy, 300, &material));
    for (uint64_t k = 0; k < 200; k++) {
        struct random random;
        struct buf text = BUF_INIT((size_t)1 << 20);
        random_seed(&random, k);
        material_draw_text(&material, 300 - material.overhead, &random, &random, &text, NULL);
        sum += TEMPLATE_TOKENS + noisy(text.data, text.len);
        buf_free(&text);
    }
    material_free(&material);
    assert_in_range(sum, 200 * 298, 200 * 302);
}

static void test_a_length_that_cannot_be_reached_is_approached(void **state)
{
    (void)state;
    struct server server = {0};
    struct material material;
    assert_false(calibrate(&server, doubled, 250, &material)); /* 9 + 10 + even */
    struct random random;
    struct buf text = BUF_INIT((size_t)1 << 20);
    random_seed(&random, 3);
    material_draw_text(&material, 250 - material.overhead, &random, &random, &text, NULL);
    assert_in_range(TEMPLATE_TOKENS + doubled(text.data, text.len), 249, 251);
    buf_free(&text);
    material_free(&material);
}

static void test_lengths_of_a_distribution_are_checked_at_both_ends(void **state)
{
    (void)state;
    struct server server = {.tokens = words};
    struct calibrate_counter counter = {.count = count, .context = &server, .check_max = 500};
    struct token_lengths lengths = {.mean = 300, .stddev = 100, .min = 20, .max = 4000};
    struct material material;
    struct error err;
    bool exact;
    assert_int_equal(calibrate_text(&counter, language_find(LANGUAGE_DEFAULT), &lengths, 1, &material, &exact, &err), 0);
    assert_true(exact);
    int64_t drawn[CALIBRATE_CHECKS];
    calibrate_draw_lengths(&lengths, 500, 1, drawn);
    assert_int_equal(drawn[0], 300);
    assert_int_equal(drawn[1], 20);
    assert_int_equal(drawn[2], 500);
    for (int k = 3; k < CALIBRATE_CHECKS; k++)
        assert_in_range(drawn[k], 20, 500);
    material_free(&material);
}

/* Nothing that is asked is longer than the server can count; where that is not known, it refuses. */
static void test_a_small_context(void **state)
{
    (void)state;
    static const tokenizer tokenizers[] = {words, pairs};
    struct token_lengths lengths = token_lengths_fixed(256); /* as of data, whose lengths are not known yet */
    for (size_t k = 0; k < 4; k++) {
        struct server server = {.tokens = tokenizers[k / 2], .context = 128};
        struct calibrate_counter counter = {.count = count, .context = &server, .check_max = 64, .room = k % 2 == 0 ? 128 : 0};
        struct material material;
        struct error err = {0};
        bool exact;
        int status = calibrate_text(&counter, language_find(LANGUAGE_DEFAULT), &lengths, 1, &material, &exact, &err);
        assert_int_equal(status, counter.room > 0 ? 0 : -1);
        assert_true(status < 0 || exact);
        material_free(&material);
    }
}

static void test_lengths_below_the_template_are_refused(void **state)
{
    (void)state;
    struct server server = {.tokens = words};
    struct calibrate_counter counter = {.count = count, .context = &server};
    struct token_lengths lengths = token_lengths_fixed(TEMPLATE_TOKENS + 2);
    struct material material;
    struct error err = {0};
    bool exact;
    assert_int_equal(calibrate_text(&counter, language_find(LANGUAGE_DEFAULT), &lengths, 1, &material, &exact, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_non_null(strstr(err.text, "11 tokens are too few"));
    assert_non_null(strstr(err.text, "at least 12"));
    material_free(&material);
    lengths = token_lengths_fixed(TEMPLATE_TOKENS + 3); /* template, "Text", ":" and one word */
    assert_int_equal(calibrate_text(&counter, language_find(LANGUAGE_DEFAULT), &lengths, 1, &material, &exact, &err), 0);
    assert_true(exact);
    material_free(&material);
}

/* Whichever request fails, its error comes back, and nothing is leaked (the sanitizers watch). */
static void test_every_request_may_fail(void **state)
{
    (void)state;
    for (int64_t at = 1; at <= 60; at++) {
        struct server server = {.tokens = pieces, .refuse_from = at};
        struct calibrate_counter counter = {.count = count, .context = &server};
        struct token_lengths lengths = token_lengths_fixed(100);
        struct material material;
        struct error err = {0};
        bool exact;
        int status = calibrate_text(&counter, language_find(LANGUAGE_DEFAULT), &lengths, 1, &material, &exact, &err);
        assert_true(status == 0 || strcmp(err.text, "refused") == 0);
        assert_int_equal(status, server.asked >= at ? -1 : 0);
        material_free(&material);
    }
}

static const char *const languages[] = {"en", "de", "fr", "es", "zh"};

/* Whatever the language: distinct words that a material has room for, and nothing in them that a template might take for its own. */
static void test_the_words_have_no_special_tokens_and_are_distinct(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof languages / sizeof languages[0]; k++) {
        const struct language *language = language_find(languages[k]);
        struct buf text = BUF_INIT(1 << 16);
        calibrate_append_words(language, &text);
        assert_int_equal(strcspn(buf_text(&text), "<>|[]{}\\#*_/0123456789"), text.len);
        buf_free(&text);
        assert_in_range(language->word_count, 40, 300);
        assert_in_range(language->first_count, language->lines ? 0 : 12, MATERIAL_FIRSTS_MAX);
        for (size_t a = 0; a < language->word_count; a++) {
            assert_in_range(strlen(language->words[a]), 1, MATERIAL_WORD_MAX - 1);
            for (size_t b = 0; b < a; b++)
                assert_string_not_equal(language->words[a], language->words[b]);
        }
    }
    assert_null(language_find("tlh"));
}

/* Of each language, by tokenizers that know no language, prompts are exact: what costs several tokens is measured. */
static void test_every_language_is_exact(void **state)
{
    (void)state;
    static const tokenizer tokenizers[] = {bytes, simulated};
    for (size_t k = 0; k < sizeof languages / sizeof languages[0]; k++)
        for (size_t t = 0; t < 2; t++) {
            struct server server = {.tokens = tokenizers[t]};
            struct calibrate_counter counter = {.count = count, .context = &server};
            struct token_lengths lengths = token_lengths_fixed(700);
            struct material material;
            struct error err;
            bool exact = false;
            assert_int_equal(calibrate_text(&counter, language_find(languages[k]), &lengths, 1, &material, &exact, &err), 0);
            if (!exact || wrong_lengths(&material, tokenizers[t], 700) > 0)
                fail_msg("%s, tokenizer %zu: not exact after %d requests, %zu words", languages[k], t, (int)server.asked, material.word_count);
            material_free(&material);
        }
}

/* Sentences: a capital letter behind each full stop, the last sign is one, and no comma or stop stands behind another. */
static void test_text_looks_like_text(void **state)
{
    (void)state;
    struct server server = {0};
    struct material material;
    int frequent = 0, rare = 0, stops = 0, commas = 0;
    assert_true(calibrate(&server, simulated, 400, &material));
    assert_true(material.stop.cost == 1 && material.comma.cost == 1 && material.first_count == 16);
    for (uint64_t k = 0; k < 50; k++) {
        struct random random;
        struct buf text = BUF_INIT((size_t)1 << 20);
        random_seed(&random, k);
        material_draw_text(&material, 400 - material.overhead, &random, &random, &text, NULL);
        const char *at = buf_text(&text);
        assert_int_equal(at[text.len - 1], '.');
        for (; *at; at++) {
            assert_true(at[0] != '.' || at[1] == '\0' || (at[1] == ' ' && at[2] >= 'A' && at[2] <= 'Z'));
            assert_true(at[0] != ',' || (at[1] == ' ' && at[2] >= 'a'));
            stops += at[0] == '.';
            commas += at[0] == ',';
            frequent += strncmp(at, " the ", 5) == 0;
            rare += strncmp(at, " voice ", 7) == 0;
        }
        buf_free(&text);
    }
    assert_in_range(stops, 50 * 400 / 22, 50 * 400 / 8);
    assert_in_range(commas, 50 * 400 / 20, 50 * 400 / 8);
    assert_true(frequent > 20 * (rare + 1));
    material_free(&material);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_take_few_requests),
        cmocka_unit_test(test_a_vocabulary_of_bytes),
        cmocka_unit_test(test_a_vocabulary_of_short_pieces),
        cmocka_unit_test(test_words_that_cost_more_are_left_out),
        cmocka_unit_test(test_the_opening_may_merge_with_what_follows),
        cmocka_unit_test(test_words_that_merge_are_found_and_left_out),
        cmocka_unit_test(test_tokens_of_four_bytes),
        cmocka_unit_test(test_a_tokenizer_that_does_not_add_up_is_said_to_be_inexact),
        cmocka_unit_test(test_lengths_that_are_not_exact_are_right_on_average),
        cmocka_unit_test(test_a_length_that_cannot_be_reached_is_approached),
        cmocka_unit_test(test_lengths_of_a_distribution_are_checked_at_both_ends),
        cmocka_unit_test(test_a_small_context),
        cmocka_unit_test(test_lengths_below_the_template_are_refused),
        cmocka_unit_test(test_every_request_may_fail),
        cmocka_unit_test(test_every_language_is_exact),
        cmocka_unit_test(test_text_looks_like_text),
        cmocka_unit_test(test_the_words_have_no_special_tokens_and_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
