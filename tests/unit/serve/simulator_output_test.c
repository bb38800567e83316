#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "serve/simulator_state.h"
#include "serve/tokenizer.h"

#define OUT_MAX ((size_t)1 << 20)
#define SEED 1
#define TOKENS 60

/* A generation of one choice, planned. Free it with discard; `task` stays the caller's. */
static struct generation *plan(const struct simulator_settings *settings, struct simulator_task task, uint64_t seed)
{
    struct simulator *simulator = mem_alloc(sizeof *simulator);
    struct answer *answer = mem_alloc(sizeof *answer + sizeof answer->generations[0]);
    simulator->settings = *settings;
    task.max_tokens = task.max_tokens ? task.max_tokens : TOKENS;
    answer->simulator = simulator;
    answer->task = task;
    answer->generations[0] = (struct generation){.answer = answer, .seed = seed};
    output_plan(&answer->generations[0]);
    return &answer->generations[0];
}

static void discard(struct generation *generation)
{
    free(generation->answer->simulator);
    free(generation->answer);
}

/* The words of the seed's tokens [from, to). */
static struct buf words(int64_t from, int64_t to)
{
    struct buf text = BUF_INIT(OUT_MAX);
    for (int64_t k = from; k < to; k++)
        buf_append_text(&text, tokenizer_output(SEED, k));
    return text;
}

/* All that is sent when the tokens come `each` at a time; every byte that cannot be taken back by a stop is there at once. */
static struct buf sent(struct generation *generation, int64_t each)
{
    struct buf text = BUF_INIT(OUT_MAX);
    int64_t limit = generation->scheduled.output_limit;
    for (int64_t k = 0; k < limit;) {
        k = k + each < limit ? k + each : limit;
        generation->scheduled.output_tokens = k;
        output_append_text(generation, &text);
        cleanup_buf struct buf made = words(0, k);
        size_t held = generation->answer->task.stop_count && !generation->answer->task.include_stop ? generation->answer->task.stop_longest - 1 : 0;
        if (k < limit)
            assert_int_equal(text.len, made.len > held ? made.len - held : 0);
    }
    return text;
}

static const struct simulator_settings PLAIN = {.seed = 42};

static void without_a_stop_the_length_is_the_one_asked_for(void **state)
{
    (void)state;
    struct generation *generation = plan(&PLAIN, (struct simulator_task){0}, SEED);
    assert_int_equal(generation->scheduled.output_limit, TOKENS);
    assert_false(generation->stopped || generation->eos);
    cleanup_buf struct buf all = sent(generation, 3), expected = words(0, TOKENS);
    assert_string_equal(buf_text(&all), buf_text(&expected));
    discard(generation);
}

/* A stop in the words of tokens 20 and 21, and what is expected of it. */
static void expect_stop(const struct simulator_stop *stop, bool include, int64_t each, int64_t tokens)
{
    struct simulator_stop stops[2] = {{.text = (char *)"@@@@@@@@@@@@", .length = 12}, *stop};
    struct simulator_task task = {.stops = stops, .stop_count = 2, .stop_longest = 12, .include_stop = include};
    struct generation *generation = plan(&PLAIN, task, SEED);
    assert_int_equal(generation->scheduled.output_limit, tokens);
    assert_true(generation->stopped && !generation->eos);
    assert_ptr_equal(generation->stop, &stops[1]);
    cleanup_buf struct buf all = sent(generation, each), made = words(0, tokens);
    const char *at = memmem(made.data, made.len, stop->text, stop->length);
    assert_non_null(at);
    size_t length = (size_t)(at - made.data) + (include ? stop->length : 0);
    assert_int_equal(all.len, length);
    assert_memory_equal(buf_text(&all), made.data, length);
    discard(generation);
}

static void a_stop_string_ends_it_where_its_last_token_comes(void **state)
{
    (void)state;
    cleanup_buf struct buf both = words(20, 22);
    const struct simulator_stop spanning = {.text = both.data + 1, .length = both.len - 2};
    for (int64_t each = 1; each < 30; each += 3) {
        expect_stop(&spanning, false, each, 22);
        expect_stop(&spanning, true, each, 22);
    }
}

static void min_tokens_lets_stops_pass(void **state)
{
    (void)state;
    cleanup_buf struct buf first = words(2, 3);
    struct simulator_stop stop = {.text = first.data, .length = first.len};
    struct simulator_task task = {.stops = &stop, .stop_count = 1, .stop_longest = stop.length};
    struct generation *early = plan(&PLAIN, task, SEED);
    assert_int_equal(early->scheduled.output_limit, 3);
    task.min_tokens = 3;
    struct generation *late = plan(&PLAIN, task, SEED);
    assert_true(late->scheduled.output_limit > 3);
    discard(early);
    discard(late);
}

static void a_stop_token_has_no_text_unless_it_is_included(void **state)
{
    (void)state;
    uint32_t ids[2] = {tokenizer_output_id(SEED, 5), TOKENIZER_VOCABULARY - 1};
    struct simulator_task task = {.stop_ids = ids, .stop_id_count = 2};
    for (int include = 0; include < 2; include++) {
        task.include_stop = include;
        struct generation *generation = plan(&PLAIN, task, SEED);
        cleanup_buf struct buf all = sent(generation, 1), expected = words(0, 5 + include);
        assert_int_equal(generation->scheduled.output_limit, 6);
        assert_int_equal(generation->stop_id, ids[0]);
        assert_int_equal(output_token_id(generation, 5), ids[0]);
        assert_string_equal(buf_text(&all), buf_text(&expected));
        discard(generation);
    }
}

static double mean_length(const struct simulator_settings *settings, const struct simulator_task *task, int count)
{
    double sum = 0;
    for (int k = 0; k < count; k++) {
        struct generation *generation = plan(settings, *task, (uint64_t)k);
        sum += (double)generation->scheduled.output_limit;
        assert_int_equal(generation->eos, generation->scheduled.output_limit < task->max_tokens || generation->stopped);
        discard(generation);
    }
    return sum / count;
}

static void ends_are_drawn_with_the_probability(void **state)
{
    (void)state;
    struct simulator_settings settings = {.seed = 42, .eos_probability = 0.05};
    struct simulator_task task = {.max_tokens = 1000000};
    double mean = mean_length(&settings, &task, 4000); /* 20, standard error 0.31 */
    assert_true(mean > 18.5 && mean < 21.5);
    task.min_tokens = 100;
    mean = mean_length(&settings, &task, 4000);
    assert_true(mean > 118.5 && mean < 121.5);
    settings.eos_probability = 1;
    assert_true(mean_length(&settings, &task, 10) == 101);
    task.ignore_eos = true;
    task.max_tokens = 500;
    assert_true(mean_length(&settings, &task, 10) == 500);
    task.ignore_eos = false;
    task.min_tokens = 500;
    assert_true(mean_length(&settings, &task, 10) == 500);
}

static void the_seed_decides_the_ends(void **state)
{
    (void)state;
    struct simulator_settings one = {.seed = 1, .eos_probability = 0.01}, two = {.seed = 2, .eos_probability = 0.01};
    struct simulator_task task = {.max_tokens = 100000};
    struct generation *a = plan(&one, task, 7), *b = plan(&one, task, 7), *c = plan(&two, task, 7);
    assert_int_equal(a->scheduled.output_limit, b->scheduled.output_limit);
    assert_int_not_equal(a->scheduled.output_limit, c->scheduled.output_limit);
    assert_int_equal(output_token_id(a, a->scheduled.output_limit - 1), TOKENIZER_EOS);
    assert_string_equal(output_piece(a, a->scheduled.output_limit - 1), "");
    discard(a), discard(b), discard(c);
}

static void reasoning_comes_first_and_is_not_searched(void **state)
{
    (void)state;
    struct simulator_settings settings = {.seed = 42, .reasoning_tokens = 10};
    cleanup_buf struct buf third = words(2, 3);
    struct simulator_stop stop = {.text = third.data, .length = third.len};
    struct simulator_task task = {.chat = true, .stops = &stop, .stop_count = 1, .stop_longest = stop.length, .include_stop = true};
    struct generation *generation = plan(&settings, task, SEED);
    assert_int_equal(generation->reasoning_tokens, 10);
    assert_true(generation->scheduled.output_limit > 10);
    generation->scheduled.output_tokens = generation->scheduled.output_limit;
    cleanup_buf struct buf content = BUF_INIT(OUT_MAX), expected = words(10, generation->scheduled.output_limit);
    output_append_text(generation, &content);
    assert_memory_equal(buf_text(&content), expected.data, content.len);
    assert_true(content.len > 0);
    discard(generation);
    task = (struct simulator_task){.chat = true, .max_tokens = 4};
    generation = plan(&settings, task, SEED);
    assert_int_equal(generation->reasoning_tokens, 4);
    discard(generation);
}

static void arguments_of_a_call_are_json(void **state)
{
    (void)state;
    for (int64_t tokens = 1; tokens < 20; tokens++) {
        struct simulator_task task = {.chat = true, .tool = (char *)"\"look\"", .max_tokens = tokens};
        struct generation *generation = plan(&PLAIN, task, SEED);
        cleanup_buf struct buf arguments = BUF_INIT(OUT_MAX);
        assert_true(generation->calls_tool);
        for (int64_t k = 0; k < tokens; k++)
            buf_append_text(&arguments, output_piece(generation, k));
        json_t *document = json_loadb(arguments.data, arguments.len, 0, NULL);
        assert_true(json_is_object(document));
        assert_int_equal(json_is_string(json_object_get(document, "text")), tokens > 1);
        json_decref(document);
        discard(generation);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_stop_the_length_is_the_one_asked_for),
        cmocka_unit_test(a_stop_string_ends_it_where_its_last_token_comes),
        cmocka_unit_test(min_tokens_lets_stops_pass),
        cmocka_unit_test(a_stop_token_has_no_text_unless_it_is_included),
        cmocka_unit_test(ends_are_drawn_with_the_probability),
        cmocka_unit_test(the_seed_decides_the_ends),
        cmocka_unit_test(reasoning_comes_first_and_is_not_searched),
        cmocka_unit_test(arguments_of_a_call_are_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
