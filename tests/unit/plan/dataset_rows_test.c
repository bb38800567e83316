/* Rows in the workspace: written, found again by number, refused when somebody changed them; bodies made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "plan/dataset_body.h"
#include "plan/dataset_rows.h"
#include "plan/prompts.h"
#include "support/temp_folder.h"

static const char *const chat_line =
    "{\"prompt_tokens\":30,\"counted\":true,\"output_tokens\":5,\"head\":38,\"messages\":[{\"role\":\"user\",\"content\":\"What?\"}]}";
static const char *const prompt_line = "{\"prompt_tokens\":31,\"counted\":false,\"output_tokens\":6,\"head\":10,\"prompt\":\"Why \\\"x\\\"?\"}";
static const char *const trace_lines[] = {
    "{\"prompt_tokens\":50,\"counted\":true,\"output_tokens\":7,\"hash_ids\":[1,2,3]}",
    "{\"prompt_tokens\":60,\"counted\":true,\"output_tokens\":7,\"hash_ids\":[1,2,-4]}",
    "{\"prompt_tokens\":60,\"counted\":true,\"output_tokens\":7,\"hash_ids\":[5,2,3]}",
    "{\"prompt_tokens\":60,\"counted\":true,\"output_tokens\":7}",
    "{\"prompt_tokens\":60,\"counted\":true,\"output_tokens\":7}",
};

static struct dataset_rows *write_rows(const char *folder, const char *const *lines, size_t count)
{
    struct error err = {0};
    struct dataset_rows *rows = NULL;
    struct dataset_writer *writer = dataset_writer_open(folder, 1, &err);
    assert_non_null(writer);
    for (size_t k = 0; k < count; k++)
        assert_int_equal(dataset_writer_add(writer, lines[k], strlen(lines[k]), &err), 0);
    assert_int_equal(dataset_writer_close(writer, &rows, &err), 0);
    return rows;
}

static void test_rows_are_found_by_number(void **state)
{
    (void)state;
    char *folder = temp_folder_make();
    const char *const lines[] = {chat_line, prompt_line, trace_lines[1], trace_lines[3]};
    struct buf line = BUF_INIT(DATASET_LINE_MAX);
    struct dataset_line read;
    struct error err = {0};
    dataset_rows_free(write_rows(folder, lines, 4));
    struct dataset_rows *rows = dataset_rows_open(folder, &err);
    assert_non_null(rows);
    assert_int_equal(dataset_rows_count(rows), 4);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(dataset_rows_read(rows, 3, &line, &read, &err), 0);
        assert_null(read.member);
        assert_null(read.hash_ids);
        assert_int_equal(dataset_rows_read(rows, 1, &line, &read, &err), 0);
        assert_false(read.counted);
        assert_int_equal(read.prompt_tokens, 31);
        assert_int_equal(read.output_tokens, 6);
        assert_int_equal(read.head, 10);
        assert_memory_equal(read.member, "\"prompt\":\"Why \\\"x\\\"?\"", read.member_length);
        assert_int_equal(dataset_rows_read(rows, 2, &line, &read, &err), 0);
        assert_true(read.counted);
        assert_memory_equal(read.hash_ids, "1,2,-4]", 7);
    }
    dataset_rows_free(rows);
    buf_free(&line);
    temp_folder_remove(folder);
}

static void test_dry_run_keeps_the_first_row_in_memory(void **state)
{
    (void)state;
    const char *const lines[] = {chat_line, prompt_line};
    struct buf line = BUF_INIT(DATASET_LINE_MAX);
    struct dataset_line read;
    struct error err = {0};
    struct dataset_rows *rows = write_rows(NULL, lines, 2);
    assert_int_equal(dataset_rows_count(rows), 1);
    assert_int_equal(dataset_rows_read(rows, 0, &line, &read, &err), 0);
    assert_string_equal(line.data, chat_line);
    dataset_rows_free(rows);
    buf_free(&line);
}

static void test_changed_files_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "{}", "{\"prompt_tokens\":1}", "{\"prompt_tokens\":1,\"counted\":maybe,\"output_tokens\":1}",
        "{\"prompt_tokens\":-1,\"counted\":true,\"output_tokens\":1}", "{\"prompt_tokens\":99999999999999999999,\"counted\":true,\"output_tokens\":1}",
        "{\"prompt_tokens\":1,\"counted\":true,\"output_tokens\":1,\"head\":5000,\"prompt\":\"a\"}",
        "{\"prompt_tokens\":1,\"counted\":true,\"output_tokens\":1,\"head\":9,\"prompt\":\"a\"",
        "{\"prompt_tokens\":1,\"counted\":true,\"output_tokens\":1,\"head\":9,", "{\"prompt_tokens\":1,\"counted\":true,\"output_tokens\":1,\"hash_ids\":[1,2",
        "{\"prompt_tokens\":1,\"counted\":true,\"output_tokens\":1,\"head\":13,\"prompt\":\"a\"}", "", "x"};
    char *folder = temp_folder_make();
    struct buf line = BUF_INIT(DATASET_LINE_MAX);
    struct dataset_line read;
    struct error err = {0};
    for (size_t k = 0; k < sizeof broken / sizeof broken[0]; k++) {
        struct dataset_rows *rows = write_rows(folder, &broken[k], 1);
        if (dataset_rows_read(rows, 0, &line, &read, &err) == 0)
            fail_msg("taken: %s", broken[k]);
        assert_int_equal(err.class, ERROR_USAGE);
        dataset_rows_free(rows);
    }
    dataset_rows_free(write_rows(folder, &chat_line, 1));
    temp_file_write(folder, DATASET_ROWS_FILE, chat_line, 20); /* cut off */
    assert_null(dataset_rows_open(folder, &err));
    assert_non_null(strstr(err.text, "do not belong together"));
    temp_file_write(folder, DATASET_INDEX_FILE, "\0\0\0\0\0\0\0\0", 8);
    assert_null(dataset_rows_open(folder, &err));
    /* An index that leads behind the end, or backwards. */
    temp_file_write(folder, DATASET_INDEX_FILE, "\0\0\0\0\0\0\0\0\xff\xff\xff\0\0\0\0\0\x14\0\0\0\0\0\0\0", 24);
    struct dataset_rows *rows = dataset_rows_open(folder, &err);
    assert_non_null(rows);
    assert_int_equal(dataset_rows_read(rows, 0, &line, &read, &err), -1);
    assert_int_equal(dataset_rows_read(rows, 1, &line, &read, &err), -1);
    dataset_rows_free(rows);
    buf_free(&line);
    temp_folder_remove(folder);
}

static void test_orders(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 2, 3, 4, 5, 16, 17, 1000};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        int64_t count = counts[c], same = 0;
        bool *seen = mem_calloc((size_t)count, sizeof *seen);
        for (int64_t i = 0; i < count; i++) {
            int64_t row = dataset_row_of(i, count, true, 7);
            assert_true(row >= 0 && row < count && !seen[row]);
            seen[row] = true;
            same += row == i;
            assert_int_equal(dataset_row_of(i + count, count, true, 7), row);
            assert_int_equal(dataset_row_of(i + 3 * count, count, false, 7), i);
        }
        free(seen);
        assert_true(count < 1000 || same < 20);
    }
    int64_t differ = 0;
    for (int64_t i = 0; i < 1000; i++)
        differ += dataset_row_of(i, 1000, true, 7) != dataset_row_of(i, 1000, true, 8);
    assert_true(differ > 900);
}

/* --- bodies ------------------------------------------------------------------------------------- */

static struct plan *make_plan(enum endpoint endpoint, int64_t rows)
{
    struct plan *plan = plan_new();
    plan->model = "tiny";
    plan->workload.endpoint = endpoint;
    plan->workload.data.rows = rows;
    plan->workload.data.block_tokens = 16;
    plan->server.usage = true;
    plan->server.kind = "vllm";
    plan->seed = 3;
    memcpy(plan->nonce, "00112233445566778899aabbccddeeff", PLAN_NONCE_SIZE);
    return plan;
}

/* Words " aa" to " zz" of one token each. */
static struct material make_words(void)
{
    size_t count = (size_t)26 * 26;
    struct material material = {.words = mem_calloc(count, sizeof *material.words), .word_count = count, .overhead = 9};
    for (size_t k = 0; k < count; k++) {
        char text[] = {' ', (char)('a' + k / 26), (char)('a' + k % 26), '\0'};
        memcpy(material.words[k].text, text, sizeof text);
        material.words[k].cost = 1;
    }
    return material;
}

struct making {
    struct plan *plan;
    struct prompts *prompts;
    char *folder;
};

static struct making begin(enum endpoint endpoint, const char *const *lines, size_t count, bool allow_prefix_cache)
{
    struct making making = {.plan = make_plan(endpoint, (int64_t)count), .folder = temp_folder_make()};
    struct material words = make_words();
    making.plan->workload.allow_prefix_cache = allow_prefix_cache;
    making.prompts = prompts_new(making.plan, &words);
    prompts_use_rows(making.prompts, write_rows(making.folder, lines, count));
    return making;
}

static void end(struct making *making)
{
    prompts_free(making->prompts);
    plan_free(making->plan);
    temp_folder_remove(making->folder);
}

/* The text of request i; free() it. */
static char *text_of(const struct making *making, int level, int64_t i, struct prompt_lengths *lengths)
{
    struct buf out = BUF_INIT(PROMPT_BODY_MAX);
    struct error err = {0};
    if (prompts_body(making->prompts, level, 0, i, &out, lengths, &err) < 0)
        fail_msg("%s", err.text);
    json_t *body = json_loads(buf_text(&out), 0, NULL);
    assert_non_null(body);
    assert_int_equal(json_integer_value(json_object_get(body, "max_tokens")), lengths->output_tokens);
    const json_t *text = json_object_get(body, "prompt");
    if (!text)
        text = json_object_get(json_array_get(json_object_get(body, "messages"), 0), "content");
    char *copy = mem_strdup(json_string_value(text));
    json_decref(body);
    buf_free(&out);
    return copy;
}

static void test_texts_have_heads_of_their_own(void **state)
{
    (void)state;
    for (int allow = 0; allow < 2; allow++) {
        struct making making = begin(ENDPOINT_COMPLETIONS, &prompt_line, 1, allow == 1);
        struct prompt_lengths lengths;
        char *first = text_of(&making, 0, 0, &lengths), *again = text_of(&making, 0, 0, &lengths), *later = text_of(&making, 0, 1, &lengths),
             *level = text_of(&making, 1, 0, &lengths);
        assert_int_equal(lengths.prompt_tokens, 31);
        assert_string_equal(first, again);
        if (allow) {
            assert_string_equal(first, "Why \"x\"?");
            assert_string_equal(first, later);
            assert_string_equal(first, level);
        } else {
            assert_memory_equal(first, "Text: ", 6);
            assert_string_equal(strstr(first, "\n\n"), "\n\nWhy \"x\"?");
            assert_string_not_equal(first, later);
            assert_string_not_equal(first, level);
            assert_int_equal(strlen(first), strlen(later));
        }
        free(first);
        free(again);
        free(later);
        free(level);
        end(&making);
    }
    struct making making = begin(ENDPOINT_CHAT, &chat_line, 1, false);
    struct prompt_lengths lengths;
    char *text = text_of(&making, 0, 5, &lengths);
    assert_string_equal(strstr(text, "\n\n"), "\n\nWhat?");
    free(text);
    end(&making);
}

static size_t common(const char *a, const char *b)
{
    size_t length = 0;
    while (a[length] && a[length] == b[length])
        length++;
    return length;
}

#define WORD 3
#define OPENING 5 /* "Text:" */

static void test_equal_hash_ids_are_equal_blocks(void **state)
{
    (void)state;
    struct making making = begin(ENDPOINT_CHAT, trace_lines, 5, false);
    struct prompt_lengths lengths;
    char *texts[5];
    for (int i = 0; i < 5; i++) {
        texts[i] = text_of(&making, 0, i, &lengths);
        assert_int_equal(lengths.prompt_tokens, i == 0 ? 50 : 60);
        assert_int_equal(strlen(texts[i]), OPENING + WORD * (lengths.prompt_tokens - 9)); /* exactly as long as asked */
    }
    /* 1 and 2 in common: two blocks of 16 tokens, and then they part. */
    size_t alike = common(texts[0], texts[1]);
    assert_true(alike >= OPENING + (size_t)32 * WORD && alike < OPENING + (size_t)34 * WORD);
    /* The second block is the same text wherever it stands; the first is another. */
    assert_memory_equal(texts[0] + OPENING + 16 * WORD, texts[2] + OPENING + 16 * WORD, (size_t)16 * WORD);
    assert_true(common(texts[0], texts[2]) < OPENING + 2 * WORD);
    assert_true(common(texts[3], texts[4]) < OPENING + 2 * WORD); /* without ids nothing is shared */
    char *other_level = text_of(&making, 1, 0, &lengths);
    assert_true(common(texts[0], other_level) < OPENING + 2 * WORD);
    assert_string_equal(texts[0] + OPENING + 16 * WORD, other_level + OPENING + 16 * WORD); /* but only its head is */
    free(other_level);
    for (int i = 0; i < 5; i++)
        free(texts[i]);
    end(&making);
}

static void test_traces_of_token_ids(void **state)
{
    (void)state;
    struct plan *plan = make_plan(ENDPOINT_COMPLETIONS, 3);
    struct material material = {.ids = mem_calloc(500, sizeof *material.ids), .id_count = 500};
    for (int k = 0; k < 500; k++)
        material.ids[k] = 1000 + k;
    struct prompts *prompts = prompts_new(plan, &material);
    prompts_use_rows(prompts, write_rows(NULL, trace_lines, 1));
    struct buf out = BUF_INIT(PROMPT_BODY_MAX);
    struct prompt_lengths lengths;
    struct error err = {0};
    assert_int_equal(prompts_body(prompts, 0, 0, 0, &out, &lengths, &err), 0);
    json_t *body = json_loads(buf_text(&out), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(body, "prompt")), 50);
    json_decref(body);
    prompts_use_rows(prompts, write_rows(NULL, &prompt_line, 1)); /* a text needs a head of words */
    assert_int_equal(prompts_body(prompts, 0, 0, 0, &out, &lengths, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    buf_free(&out);
    prompts_free(prompts);
    plan_free(plan);
}

static void test_a_plan_and_its_rows_belong_together(void **state)
{
    (void)state;
    struct making making = begin(ENDPOINT_CHAT, &chat_line, 1, false);
    struct material words = make_words();
    struct error err = {0};
    char *path = file_join(making.folder, "prompts.jsonl.gz");
    assert_int_equal(material_write(&words, path, &err), 0);
    struct prompts *prompts = prompts_read(making.plan, making.folder, &err);
    assert_non_null(prompts);
    prompts_free(prompts);
    making.plan->workload.data.rows = 2;
    assert_null(prompts_read(making.plan, making.folder, &err));
    assert_non_null(strstr(err.text, "has 1 rows, and the plan 2"));
    free(path);
    material_free(&words);
    end(&making);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_found_by_number),
        cmocka_unit_test(test_dry_run_keeps_the_first_row_in_memory),
        cmocka_unit_test(test_changed_files_are_refused),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_texts_have_heads_of_their_own),
        cmocka_unit_test(test_equal_hash_ids_are_equal_blocks),
        cmocka_unit_test(test_traces_of_token_ids),
        cmocka_unit_test(test_a_plan_and_its_rows_belong_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
