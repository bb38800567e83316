/* Bodies: pure, exact, told apart by their first words; the material's file; lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "plan/material.h"
#include "plan/prompts.h"
#include "plan/scenario.h"
#include "support/temp_folder.h"

#define OVERHEAD 9

static struct plan *make_plan(enum endpoint endpoint)
{
    struct plan *plan = plan_new();
    plan->model = "tiny";
    plan->profile = "concurrent";
    plan->workload = (struct workload){.scenario = "", .endpoint = endpoint, .prompt = token_lengths_fixed(60), .output = token_lengths_fixed(7), .language = "en"};
    plan->server.usage = plan->server.ignore_eos = true;
    plan->server.kind = "vllm";
    plan->seed = 3;
    memcpy(plan->nonce, "00112233445566778899aabbccddeeff", PLAN_NONCE_SIZE);
    return plan;
}

/* Words "aa" to "bz", the first half of them of one token each, the others of two. */
static struct material make_words(size_t count)
{
    struct material material = {.words = mem_calloc(count, sizeof *material.words), .word_count = count, .overhead = OVERHEAD};
    for (size_t k = 0; k < count; k++) {
        char text[] = {' ', (char)('a' + k / 26), (char)('a' + k % 26), '\0'};
        memcpy(material.words[k].text, text, sizeof text);
        material.words[k].cost = k < count / 2 ? 1 : 2;
    }
    return material;
}

static struct material make_ids(void)
{
    struct material material = {.ids = mem_calloc(100, sizeof *material.ids), .id_count = 100};
    for (size_t k = 0; k < 100; k++)
        material.ids[k] = (int32_t)(1000 + 3 * k);
    return material;
}

static char *body_of(struct prompts *prompts, int level, int repeat, int64_t i)
{
    struct buf out = BUF_INIT(PROMPT_BODY_MAX);
    struct prompt_lengths lengths;
    struct error err = {0};
    if (prompts_body(prompts, level, repeat, i, &out, &lengths, &err) < 0)
        fail_msg("%s", err.text);
    return buf_steal(&out);
}

static int64_t cost_of(const struct material *material, const char *text)
{
    int64_t cost = 0;
    assert_memory_equal(text, MATERIAL_OPENING, strlen(MATERIAL_OPENING));
    for (text += strlen(MATERIAL_OPENING); *text; text += 3) {
        size_t k = 0;
        while (k < material->word_count && strncmp(material->words[k].text, text, 3) != 0)
            k++;
        assert_true(k < material->word_count);
        cost += material->words[k].cost;
    }
    return cost;
}

static void test_a_chat_body_is_what_the_plan_says(void **state)
{
    (void)state;
    struct plan *plan = make_plan(ENDPOINT_CHAT);
    struct material material = make_words(52), kept = make_words(52);
    struct prompts *prompts = prompts_new(plan, &material);
    for (int64_t i = 0; i < 100; i++) {
        char *body = body_of(prompts, 2, 0, i);
        json_t *root = json_loads(body, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(root, "model")), "tiny");
        assert_int_equal(json_integer_value(json_object_get(root, "max_tokens")), 7);
        assert_true(json_is_true(json_object_get(root, "stream")) && json_is_true(json_object_get(root, "ignore_eos")));
        assert_true(json_is_true(json_object_get(json_object_get(root, "stream_options"), "include_usage")));
        assert_null(json_object_get(json_object_get(root, "stream_options"), "continuous_usage_stats"));
        assert_null(json_object_get(root, "cache_prompt"));
        const json_t *message = json_array_get(json_object_get(root, "messages"), 0);
        assert_int_equal(cost_of(&kept, json_string_value(json_object_get(message, "content"))), 60 - OVERHEAD);
        json_decref(root);
        free(body);
    }
    prompts_free(prompts);
    material_free(&kept);
    plan_free(plan);
}

static void test_ids_are_drawn_from_the_material(void **state)
{
    (void)state;
    struct plan *plan = make_plan(ENDPOINT_COMPLETIONS);
    struct material material = make_ids();
    struct prompts *prompts = prompts_new(plan, &material);
    char *body = body_of(prompts, 0, 0, 5);
    json_t *root = json_loads(body, 0, NULL), *ids = json_object_get(root, "prompt");
    assert_int_equal(json_array_size(ids), 60);
    for (size_t k = 0; k < 60; k++) {
        json_int_t id = json_integer_value(json_array_get(ids, k));
        assert_true(id >= 1000 && id < 1300 && (id - 1000) % 3 == 0);
    }
    json_decref(root);
    free(body);
    prompts_free(prompts);
    plan_free(plan);
}

static void test_a_body_depends_on_nothing_that_was_drawn_before(void **state)
{
    (void)state;
    struct plan *plan = make_plan(ENDPOINT_CHAT);
    struct material one = make_words(52), two = make_words(52);
    struct prompts *first = prompts_new(plan, &one), *second = prompts_new(plan, &two);
    for (int64_t i = 0; i < 20; i++) {
        char *forward = body_of(first, 1, 0, i);
        free(body_of(second, 0, 0, 1000 + i));
        char *other = body_of(second, 1, 0, i);
        assert_string_equal(forward, other);
        free(forward);
        free(other);
    }
    prompts_free(first);
    prompts_free(second);
    plan_free(plan);
}

static const char *text_in(const char *body)
{
    return strstr(body, MATERIAL_OPENING);
}

/* The nonce changes the head and leaves the rest; the seed changes the rest and leaves the head. */
static void test_heads_are_the_nonces_and_the_rest_is_the_seeds(void **state)
{
    (void)state;
    const size_t head = strlen(MATERIAL_OPENING) + 3 * (size_t)MATERIAL_HEAD_WORDS;
    struct plan *plan = make_plan(ENDPOINT_CHAT), *nonce = make_plan(ENDPOINT_CHAT), *seed = make_plan(ENDPOINT_CHAT);
    nonce->nonce[31] = '0';
    seed->seed = 4;
    struct material words = make_words(26), again = make_words(26), third = make_words(26);
    for (size_t k = 0; k < 26; k++) /* all of one token: the rest keeps its place */
        words.words[k].cost = again.words[k].cost = third.words[k].cost = 1;
    struct prompts *a = prompts_new(plan, &words), *b = prompts_new(nonce, &again), *c = prompts_new(seed, &third);
    char *x = body_of(a, 0, 0, 0), *y = body_of(b, 0, 0, 0), *z = body_of(c, 0, 0, 0);
    assert_memory_not_equal(text_in(x), text_in(y), head);
    assert_string_equal(text_in(x) + head, text_in(y) + head);
    assert_memory_equal(text_in(x), text_in(z), head);
    assert_string_not_equal(text_in(x) + head, text_in(z) + head);
    free(x);
    free(y);
    free(z);
    prompts_free(a);
    prompts_free(b);
    prompts_free(c);
    plan_free(plan);
    plan_free(nonce);
    plan_free(seed);
}

/* Prompts of a group begin alike, in every level; the next words tell them apart; the length is what was asked. */
static void test_a_shared_prefix(void **state)
{
    (void)state;
    enum { PREFIX = 30, REQUESTS = 200 };
    struct plan *plan = make_plan(ENDPOINT_CHAT), *other = make_plan(ENDPOINT_CHAT);
    plan->workload.shared_prefix_tokens = other->workload.shared_prefix_tokens = PREFIX;
    plan->workload.shared_prefix_groups = other->workload.shared_prefix_groups = 2;
    other->nonce[31] = '0';
    struct material words = make_words(52), again = make_words(52), kept = make_words(52);
    for (size_t k = 0; k < 52; k++) /* all of one token: a prefix is PREFIX words of three letters */
        words.words[k].cost = again.words[k].cost = kept.words[k].cost = 1;
    struct prompts *prompts = prompts_new(plan, &words), *another = prompts_new(other, &again);
    const size_t length = strlen(MATERIAL_OPENING) + 3 * (size_t)PREFIX, head = 3 * (size_t)MATERIAL_HEAD_WORDS;
    char *prefixes[2] = {NULL}, *foreign = body_of(another, 0, 0, 0), *heads[REQUESTS];
    int counts[2] = {0};
    for (int k = 0; k < REQUESTS; k++) {
        char *body = body_of(prompts, k % 3, 0, k);
        char *prefix = mem_strndup(text_in(body), length);
        int group = !prefixes[0] || strcmp(prefixes[0], prefix) == 0 ? 0 : 1;
        json_t *root = json_loads(body, 0, NULL);
        const char *text = json_string_value(json_object_get(json_array_get(json_object_get(root, "messages"), 0), "content"));
        assert_int_equal(cost_of(&kept, text), 60 - OVERHEAD);
        heads[k] = mem_strndup(text + length, head);
        for (int before = 0; before < k; before++)
            assert_string_not_equal(heads[before], heads[k]);
        json_decref(root);
        if (!prefixes[group])
            prefixes[group] = mem_strdup(prefix);
        assert_string_equal(prefixes[group], prefix);
        assert_memory_not_equal(text_in(foreign), prefix, length);
        counts[group]++;
        free(prefix);
        free(body);
    }
    assert_in_range(counts[0], REQUESTS / 3, REQUESTS - REQUESTS / 3);
    for (int k = 0; k < REQUESTS; k++)
        free(heads[k]);
    free(prefixes[0]);
    free(prefixes[1]);
    free(foreign);
    prompts_free(prompts);
    prompts_free(another);
    material_free(&kept);
    plan_free(plan);
    plan_free(other);
}

static const char *content(const json_t *messages, size_t k, const char *role)
{
    const json_t *message = json_array_get(messages, k);
    assert_string_equal(json_string_value(json_object_get(message, "role")), role);
    return json_string_value(json_object_get(message, "content"));
}

/* Two streams, conversations of three turns: requests 1, 3, 5 are one, 7, 9, 11 the next of stream 1. */
static void test_a_conversation_carries_what_was_said(void **state)
{
    (void)state;
    enum { TURN_TOKENS = 7, STREAMS = 2 };
    struct level level = {.kind = "concurrent", .load = STREAMS};
    struct plan *plan = make_plan(ENDPOINT_CHAT);
    plan->levels = &level;
    plan->level_count = 1;
    plan->workload.turns = 3;
    plan->workload.output = (struct token_lengths){.mean = 20, .stddev = 5, .min = 5, .max = 40};
    plan->calibration.turn_tokens = TURN_TOKENS;
    struct material words = make_words(52), kept = make_words(52);
    struct prompts *prompts = prompts_new(plan, &words);
    json_t *before = NULL;
    int64_t answers = 0;
    for (int64_t turn = 0; turn < 3; turn++) {
        struct buf out = BUF_INIT(PROMPT_BODY_MAX);
        struct prompt_lengths lengths;
        struct error err;
        int64_t i = 1 + turn * STREAMS;
        assert_int_equal(plan_turn(plan, STREAMS, i).turn, turn);
        assert_int_equal(plan_turn(plan, STREAMS, i).conversation, 1);
        assert_int_equal(plan_turn(plan, STREAMS, i + 3 * STREAMS).conversation, 3);
        assert_int_equal(prompts_body(prompts, 0, 0, i, &out, &lengths, &err), 0);
        assert_int_equal(lengths.prompt_tokens, 60 * (turn + 1) + answers);
        json_t *root = json_loads(buf_text(&out), 0, NULL), *messages = json_object_get(root, "messages");
        assert_int_equal(json_array_size(messages), 2 * turn + 1);
        int64_t sum = OVERHEAD + turn * TURN_TOKENS;
        for (size_t k = 0; k < json_array_size(messages); k++)
            sum += cost_of(&kept, content(messages, k, k % 2 ? "assistant" : "user"));
        assert_int_equal(sum, lengths.prompt_tokens);
        for (size_t k = 0; k < json_array_size(before); k++)
            assert_true(json_equal(json_array_get(before, k), json_array_get(messages, k)));
        json_decref(before);
        before = json_incref(messages);
        answers += lengths.output_tokens;
        json_decref(root);
        buf_free(&out);
    }
    json_decref(before);
    prompts_free(prompts);
    material_free(&kept);
    plan_free(plan);
}

/* Of completions they are one text or one array, which begins as the turn's before. */
static void test_a_conversation_of_completions(void **state)
{
    (void)state;
    struct level level = {.kind = "concurrent", .load = 3};
    struct plan *plan = make_plan(ENDPOINT_COMPLETIONS);
    plan->levels = &level;
    plan->level_count = 1;
    plan->workload.turns = 2;
    struct material words = make_words(52), kept = make_words(52), ids = make_ids();
    struct prompts *by_words = prompts_new(plan, &words), *by_ids = prompts_new(plan, &ids);
    char *first = body_of(by_words, 0, 0, 2), *second = body_of(by_words, 0, 0, 5), *short_array = body_of(by_ids, 0, 0, 2), *array = body_of(by_ids, 0, 0, 5);
    json_t *one = json_loads(first, 0, NULL), *two = json_loads(second, 0, NULL), *three = json_loads(array, 0, NULL), *four = json_loads(short_array, 0, NULL);
    const char *before = json_string_value(json_object_get(one, "prompt")), *after = json_string_value(json_object_get(two, "prompt"));
    assert_memory_equal(before, after, strlen(before));
    assert_int_equal(cost_of(&kept, after), 60 + 7 + 60 - OVERHEAD);
    assert_int_equal(json_array_size(json_object_get(three, "prompt")), 60 + 7 + 60);
    assert_int_equal(json_array_size(json_object_get(four, "prompt")), 60);
    for (size_t k = 0; k < 60; k++)
        assert_true(json_equal(json_array_get(json_object_get(three, "prompt"), k), json_array_get(json_object_get(four, "prompt"), k)));
    json_decref(one);
    json_decref(two);
    json_decref(three);
    json_decref(four);
    free(first);
    free(second);
    free(short_array);
    free(array);
    prompts_free(by_words);
    prompts_free(by_ids);
    material_free(&kept);
    plan_free(plan);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Over levels, repeats and requests no two heads are alike. */
static void test_no_two_heads_are_alike(void **state)
{
    (void)state;
    enum { LEVELS = 5, REPEATS = 2, REQUESTS = 300, ALL = LEVELS * REPEATS * REQUESTS };
    struct plan *plan = make_plan(ENDPOINT_CHAT);
    struct material words = make_words(52);
    struct prompts *prompts = prompts_new(plan, &words);
    char **heads = mem_calloc(ALL, sizeof *heads);
    for (int k = 0; k < ALL; k++) {
        char *body = body_of(prompts, k % LEVELS, k / LEVELS % REPEATS, k / LEVELS / REPEATS);
        heads[k] = mem_strndup(text_in(body) + strlen(MATERIAL_OPENING), 3 * (size_t)MATERIAL_HEAD_WORDS);
        free(body);
    }
    qsort(heads, ALL, sizeof *heads, compare_texts);
    for (int k = 1; k < ALL; k++)
        assert_string_not_equal(heads[k - 1], heads[k]);
    for (int k = 0; k < ALL; k++)
        free(heads[k]);
    free(heads);
    prompts_free(prompts);
    plan_free(plan);
}

static void test_the_entropy_of_a_head(void **state)
{
    (void)state;
    struct material words = make_words(32), ids = make_ids();
    assert_true(fabs(material_head_bits(&words, 1000) - 16 * 5) < 1e-9);
    assert_true(fabs(material_head_bits(&words, OVERHEAD + 3) - 2 * 5) < 1e-9); /* a word costs 1.5 on average */
    assert_true(material_head_bits(&words, OVERHEAD) <= 0);
    assert_true(fabs(material_head_bits(&ids, 3) - 3 * log2(100)) < 1e-9);
    material_free(&words);
    material_free(&ids);
}

/* --- sums -------------------------------------------------------------------------------------------- */

static void assert_reaches(const int64_t *costs, size_t count, int64_t tokens, int64_t expected)
{
    struct material material = make_words(count);
    for (size_t k = 0; k < count; k++)
        material.words[k].cost = costs[k];
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct random random;
        struct buf text = BUF_INIT(1 << 16);
        struct material_mark marks[64];
        random_seed(&random, seed);
        int64_t placed = material_draw_text(&material, tokens, &random, &random, &text, marks);
        assert_int_equal(placed, expected);
        size_t k = 0;
        while (k < (size_t)tokens && marks[k].end > 0)
            k++;
        assert_int_equal(k ? marks[k - 1].end : 0, k ? text.len : 0);
        assert_int_equal(k ? marks[k - 1].tokens : 0, placed);
        buf_free(&text);
    }
    material_free(&material);
}

static void test_every_sum_that_costs_allow_is_reached(void **state)
{
    (void)state;
    assert_reaches((const int64_t[]){1, 3}, 2, 50, 50);
    assert_reaches((const int64_t[]){2, 3}, 2, 50, 50);
    assert_reaches((const int64_t[]){2, 3}, 2, 3, 3);
    assert_reaches((const int64_t[]){3, 5, 7}, 3, 11, 11);
    assert_reaches((const int64_t[]){3, 7}, 2, 13, 13);
    assert_reaches((const int64_t[]){2, 4}, 2, 51, 50); /* nothing gives an odd sum */
    assert_reaches((const int64_t[]){5, 7}, 2, 3, 0);
}

/* --- the file ---------------------------------------------------------------------------------------- */

static void test_the_material_is_read_back(void **state)
{
    (void)state;
    char *folder = temp_folder_make(), *path = file_join(folder, "prompts.jsonl.gz");
    struct error err = {0};
    struct material words = make_words(40), ids = make_ids(), read;
    assert_int_equal(material_write(&words, path, &err), 0);
    assert_int_equal(material_read(&read, path, &err), 0);
    assert_int_equal(read.word_count, 40);
    assert_int_equal(read.overhead, OVERHEAD);
    assert_memory_equal(read.words, words.words, 40 * sizeof *words.words);
    material_free(&read);
    struct plan *plan = make_plan(ENDPOINT_CHAT);
    struct prompts *prompts = prompts_read(plan, folder, &err), *direct = prompts_new(plan, &words);
    char *a = body_of(prompts, 0, 0, 1), *b = body_of(direct, 0, 0, 1);
    assert_string_equal(a, b);
    free(a);
    free(b);
    prompts_free(prompts);
    prompts_free(direct);
    assert_int_equal(material_write(&ids, path, &err), 0);
    assert_int_equal(material_read(&read, path, &err), 0);
    assert_int_equal(read.id_count, 100);
    material_free(&read);
    assert_null(prompts_read(plan, folder, &err)); /* ids for a chat */
    assert_int_equal(err.class, ERROR_USAGE);
    material_free(&ids);
    plan_free(plan);
    free(path);
    temp_folder_remove(folder);
}

static void test_broken_material_is_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "", "{}", "{\"schema\":\"roibench/prompts/v1\"}", "{\"schema\":\"roibench/prompts/v1\",\"kind\":\"text\",\"overhead\":1}\n",
        "{\"schema\":\"roibench/prompts/v1\",\"kind\":\"text\",\"overhead\":-1}\n{\"word\":\"a\",\"cost\":1}\n",
        "{\"schema\":\"roibench/prompts/v1\",\"kind\":\"text\",\"overhead\":1}\n{\"word\":\"a\",\"cost\":0}\n",
        "{\"schema\":\"roibench/prompts/v1\",\"kind\":\"text\",\"overhead\":1}\n{\"word\":\"\",\"cost\":1}\n",
        "{\"schema\":\"roibench/prompts/v1\",\"kind\":\"text\",\"overhead\":1}\n{\"word\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"cost\":1}\n",
        "{\"schema\":\"roibench/prompts/v1\",\"kind\":\"text\",\"overhead\":1}\n{\"word\":\"b\",\"cost\":2}\n{\"word\":\"a\",\"cost\":1}\n",
        "{\"schema\":\"roibench/prompts/v1\",\"kind\":\"token_ids\",\"overhead\":0}\n{\"id\":-1}\n",
        "{\"schema\":\"roibench/prompts/v1\",\"kind\":\"token_ids\",\"overhead\":0}\n{\"id\":4294967296}\n",
    };
    char *folder = temp_folder_make();
    struct plan *plan = make_plan(ENDPOINT_COMPLETIONS);
    for (size_t k = 0; k < sizeof broken / sizeof broken[0]; k++) {
        struct error err = {0};
        temp_file_write(folder, "prompts.jsonl.gz", broken[k], strlen(broken[k]));
        if (prompts_read(plan, folder, &err))
            fail_msg("case %zu was taken", k);
        if (!strstr(err.text, "prompts.jsonl.gz"))
            fail_msg("case %zu: '%s' names no file", k, err.text);
    }
    plan_free(plan);
    temp_folder_remove(folder);
}

/* --- lengths ------------------------------------------------------------------------------------------- */

static void test_lengths_are_read(void **state)
{
    (void)state;
    struct token_lengths lengths;
    struct error err;
    assert_int_equal(token_lengths_parse("256", "--prompt-tokens", &lengths, &err), 0);
    assert_true(lengths.mean == 256 && lengths.stddev == 0 && lengths.min == 256 && lengths.max == 256);
    assert_int_equal(token_lengths_parse("100,20,10,200", "--prompt-tokens", &lengths, &err), 0);
    assert_true(lengths.mean == 100 && lengths.stddev == 20 && lengths.min == 10 && lengths.max == 200);
    static const char *const wrong[] = {"", "0", "-5", "x", "1,2", "1,2,3", "1,2,3,4,5", "100,-1,10,200", "100,20,101,200", "100,20,10,99",
                                        "100,20,0,200", "9999999999", "1.5", "100,20,10,", "x,1", "1,x,1", "1,2,3,4,5,6", "1,2,3,4,x,6,7", ",,,,,,",
                                        "4194305", "100,20,10,4194305", "100,4194305,10,200"};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        if (token_lengths_parse(wrong[k], "--prompt-tokens", &lengths, &err) == 0)
            fail_msg("'%s' was taken", wrong[k]);
        assert_non_null(strstr(err.text, "--prompt-tokens"));
    }
}

static void test_drawn_lengths_keep_their_mean_deviation_and_bounds(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    struct token_lengths lengths = {.mean = 500, .stddev = 50, .min = 300, .max = 700};
    struct random random;
    double sum = 0, squares = 0;
    random_seed(&random, 11);
    for (int k = 0; k < DRAWS; k++) {
        double length = (double)token_lengths_draw(&lengths, &random);
        assert_true(length >= 300 && length <= 700);
        sum += length;
        squares += length * length;
    }
    double mean = sum / DRAWS, deviation = sqrt(squares / DRAWS - mean * mean);
    assert_true(fabs(mean - 500) < 4 * 50 / sqrt(DRAWS));
    assert_true(fabs(deviation - 50) < 4 * 50 / sqrt(2.0 * DRAWS) + 0.1);
    lengths = (struct token_lengths){.mean = 1, .stddev = 1000000, .min = 1, .max = 1};
    assert_int_equal(token_lengths_draw(&lengths, &random), 1);
}

static struct token_lengths parse_any(struct arena *arena, const char *text)
{
    struct token_lengths lengths;
    struct error err = {0};
    if (token_lengths_parse_any(text, "--output-tokens", arena, &lengths, &err) < 0)
        fail_msg("%s", err.text);
    return lengths;
}

/* Means of 20,000 draws against the distributions' own, with bounds that cut off next to nothing. */
static void test_other_distributions_keep_their_mean(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    static const char *const texts[] = {"uniform:100-400", "exponential:mean=200,max=10000", "lognormal:mean=300,sigma=0.5,max=20000",
                                        "normal:mean=250,stddev=20"};
    static const double means[] = {250, 200, 300, 250}, deviations[] = {87, 200, 160, 20};
    struct arena *arena = arena_new();
    for (size_t k = 0; k < 4; k++) {
        struct token_lengths lengths = parse_any(arena, texts[k]);
        struct random random;
        double sum = 0;
        random_seed(&random, 5);
        for (int draw = 0; draw < DRAWS; draw++) {
            int64_t length = token_lengths_draw(&lengths, &random);
            assert_in_range(length, lengths.min, lengths.max);
            sum += (double)length;
        }
        if (fabs(sum / DRAWS - means[k]) > 4 * deviations[k] / sqrt(DRAWS) + 0.5)
            fail_msg("%s: mean %g", texts[k], sum / DRAWS);
    }
    struct token_lengths fixed = parse_any(arena, "constant:12"), open = parse_any(arena, "exponential:mean=50");
    assert_true(token_lengths_is_fixed(&fixed) && fixed.mean == 12);
    assert_int_equal(open.max, 500);
    assert_int_equal(open.min, 1);
    arena_free(arena);
}

static void test_a_histogram_is_drawn_as_its_weights_say(void **state)
{
    (void)state;
    enum { DRAWS = 10000 };
    static const char csv[] = "tokens,weight\n10,1\n20,2.5\n# nothing\n40,0\n30,0.5\n";
    char *folder = temp_folder_make(), *path = file_join(folder, "lengths.csv"), *text = mem_printf("histogram:%s", path);
    struct arena *arena = arena_new();
    int counts[31] = {0};
    temp_file_write(folder, "lengths.csv", csv, strlen(csv));
    struct token_lengths lengths = parse_any(arena, text), read = {0};
    assert_true(lengths.min == 10 && lengths.max == 30 && lengths.mean == 19 && lengths.bin_count == 4);
    struct random random;
    random_seed(&random, 6);
    for (int draw = 0; draw < DRAWS; draw++)
        counts[token_lengths_draw(&lengths, &random)]++;
    assert_int_equal(counts[10] + counts[20] + counts[30], DRAWS);
    assert_in_range(counts[10], DRAWS / 4 - 200, DRAWS / 4 + 200);
    assert_in_range(counts[30], DRAWS / 8 - 150, DRAWS / 8 + 150);
    json_t *workload = json_object();
    struct json_reader reader;
    struct error err = {0};
    token_lengths_write(&lengths, workload, "prompt_tokens");
    char *dumped = json_dumps(workload, 0);
    json_t *again = json_parse(&reader, dumped, strlen(dumped), "plan", NULL, &err);
    token_lengths_read(&reader, again, "prompt_tokens", arena, &read);
    assert_false(reader.failed);
    assert_int_equal(read.bin_count, 4);
    assert_memory_equal(read.bins, lengths.bins, 4 * sizeof *read.bins);
    assert_true(read.mean == lengths.mean && read.max == lengths.max && read.weight == lengths.weight); /* NOLINT: the same bits */
    free(dumped);
    json_decref(workload);
    json_decref(again);
    arena_free(arena);
    free(text);
    free(path);
    temp_folder_remove(folder);
}

static void assert_refused(struct arena *arena, const char *text, const char *expected)
{
    struct token_lengths lengths;
    struct error err = {0};
    if (token_lengths_parse_any(text, "--prompt-tokens", arena, &lengths, &err) == 0)
        fail_msg("'%s' was taken", text);
    if (err.class != ERROR_USAGE || !strstr(err.text, "--prompt-tokens") || !strstr(err.text, expected))
        fail_msg("'%s' does not say '%s'", err.text, expected);
}

static void test_what_is_wrong_with_a_distribution_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *csv, *expected;
    } broken[] = {{"", "no length has a weight"}, {"tokens,weight\n", "no length has a weight"}, {"10,0\n", "no length has a weight"},
                  {"10,-1\n", "from 0 on"}, {"10,1\n0,1\n", ":2: expected tokens,weight"}, {"10,1\n1.5,1\n", ":2: expected"},
                  {"10,1\nten,1\n", ":2: expected"}, {"10\n11\n", ":2: expected"}, {"5000000,1\n", ":1: expected"}, {"1,2,3\n", "too many fields"}};
    struct arena *arena = arena_new();
    char *folder = temp_folder_make(), *path = file_join(folder, "h.csv"), *text = mem_printf("histogram:%s", path);
    for (size_t k = 0; k < sizeof broken / sizeof broken[0]; k++) {
        temp_file_write(folder, "h.csv", broken[k].csv, strlen(broken[k].csv));
        assert_refused(arena, text, broken[k].expected);
    }
    assert_refused(arena, "histogram:/nowhere/h.csv", "/nowhere/h.csv");
    assert_refused(arena, "weibull:3", "lognormal:mean=256,sigma=0.8");
    assert_refused(arena, "lognormal:mean=256", "more than 0");
    assert_refused(arena, "uniform:400-100", "ascend");
    assert_refused(arena, "exponential:mean=5000000", "tokens are the most");
    assert_refused(arena, "exponential:mean=2s", "is not one of");
    assert_refused(arena, "constant:0", "1 token at least");
    arena_free(arena);
    free(text);
    free(path);
    temp_folder_remove(folder);
}

static void test_scenarios_are_known(void **state)
{
    (void)state;
    assert_null(scenario_find("poetry"));
    assert_int_equal(scenario_find("summarization")->prompt_tokens, 512);
    assert_int_equal(scenario_find("code-gen")->output_tokens, 256);
    assert_int_equal(scenario_find("stress")->prompt_tokens, 256);
    assert_int_equal(scenario_find("chat")->output_tokens, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chat_body_is_what_the_plan_says),
        cmocka_unit_test(test_ids_are_drawn_from_the_material),
        cmocka_unit_test(test_a_body_depends_on_nothing_that_was_drawn_before),
        cmocka_unit_test(test_heads_are_the_nonces_and_the_rest_is_the_seeds),
        cmocka_unit_test(test_a_shared_prefix),
        cmocka_unit_test(test_a_conversation_carries_what_was_said),
        cmocka_unit_test(test_a_conversation_of_completions),
        cmocka_unit_test(test_no_two_heads_are_alike),
        cmocka_unit_test(test_the_entropy_of_a_head),
        cmocka_unit_test(test_every_sum_that_costs_allow_is_reached),
        cmocka_unit_test(test_the_material_is_read_back),
        cmocka_unit_test(test_broken_material_is_refused),
        cmocka_unit_test(test_lengths_are_read),
        cmocka_unit_test(test_drawn_lengths_keep_their_mean_deviation_and_bounds),
        cmocka_unit_test(test_other_distributions_keep_their_mean),
        cmocka_unit_test(test_a_histogram_is_drawn_as_its_weights_say),
        cmocka_unit_test(test_what_is_wrong_with_a_distribution_is_said),
        cmocka_unit_test(test_scenarios_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
