/* Data files: what each format's rows are, how they are recognised, and one sentence with line and column for each way to be broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "plan/dataset.h"
#include "support/mutate.h"
#include "support/properties_dataset.h"
#include "support/temp_folder.h"

#define SHOWN_MAX ((size_t)1 << 20)

struct text_source {
    const char *text;
    size_t length;
};

static int64_t read_text(void *context, void *to, size_t size, struct error *err)
{
    struct text_source *source = context;
    size_t take = source->length < size ? source->length : size;
    (void)err;
    memcpy(to, source->text, take);
    source->text += take;
    source->length -= take;
    return (int64_t)take;
}

static void show_row(const struct dataset_row *row, struct buf *out)
{
    buf_printf(out, "%d ", (int)row->line);
    if (row->kind == DATASET_TEXT) {
        buf_printf(out, "'%s'", row->text);
        assert_int_equal(strlen(row->text), row->text_length);
    } else if (row->kind == DATASET_MESSAGES) {
        char *messages = json_dumps(row->messages, JSON_COMPACT);
        buf_append_text(out, messages);
        free(messages);
    } else {
        buf_printf(out, "%d tokens", (int)row->prompt_tokens);
    }
    if (row->output_tokens >= 0)
        buf_printf(out, " -> %d", (int)row->output_tokens);
    if (row->answer_length > 0)
        buf_printf(out, " -> %zu bytes", row->answer_length);
    if (row->timestamp_ms >= 0)
        buf_printf(out, " at %d", (int)row->timestamp_ms);
    if (row->hash_ids)
        buf_printf(out, " of %zu blocks", json_array_size(row->hash_ids));
    buf_append_char(out, '|');
}

/* "format: rows|" and "! error", or what was left out. */
static void show(const char *text, size_t length, const struct dataset_settings *settings, struct buf *out)
{
    struct text_source source = {text, length};
    struct error err = {0};
    struct dataset_row row;
    int status = -1;
    buf_reset(out);
    struct dataset *dataset = dataset_open_source("file", (struct row_source){read_text, &source}, settings, &err);
    if (dataset) {
        buf_printf(out, "%s: ", dataset_recognised(dataset)->name);
        while ((status = dataset_next(dataset, &row, &err)) > 0)
            show_row(&row, out);
        struct dataset_counts counts = dataset_counts(dataset);
        if (status == 0 && counts.bad > 0)
            buf_printf(out, " (%d bad: %s)", (int)counts.bad, counts.first_bad);
    }
    if (status < 0) {
        assert_int_equal(err.class, ERROR_USAGE);
        buf_printf(out, "! %s", err.text);
    }
    dataset_free(dataset);
}

struct expectation {
    const char *text, *shown;
    struct dataset_settings settings;
};

static void check(const struct expectation *expectations, size_t count)
{
    struct buf out = BUF_INIT(SHOWN_MAX);
    for (size_t k = 0; k < count; k++) {
        show(expectations[k].text, strlen(expectations[k].text), &expectations[k].settings, &out);
        if (strcmp(buf_text(&out), expectations[k].shown) != 0)
            fail_msg("%s\ngives %s\nand not %s", expectations[k].text, buf_text(&out), expectations[k].shown);
    }
    buf_free(&out);
}

#define CHECK(expectations) check(expectations, sizeof(expectations) / sizeof(expectations)[0])

static void test_rows_of_columns(void **state)
{
    (void)state;
    static const struct expectation expectations[] = {
        {.text = "[{\"prompt\": \"a\"}, {\"prompt\": \"b\", \"max_tokens\": 7},\n\"c\"]", .shown = "json: 1 'a'|1 'b' -> 7|2 'c'|"},
        {.text = "{\"text\":\"a\",\"output_tokens\":\"12\"}\n\n\"b\"\n", .shown = "jsonl: 1 'a' -> 12|3 'b'|"},
        {.text = "{\"instruction\":\"Do\",\"input\":\"this\",\"output\":\"done\"}", .shown = "jsonl: 1 'Do\n\nthis' -> 4 bytes|"},
        {.text = "{\"question\":\"Why?\",\"prompt\":null,\"answer\":\"So.\"}", .shown = "jsonl: 1 'Why?' -> 3 bytes|"},
        {.text = "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"bc\"}]}",
         .shown = "jsonl: 1 [{\"role\":\"user\",\"content\":\"a\"}] -> 2 bytes|"},
        {.text = "{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"}]}", .shown = "jsonl: 1 [{\"role\":\"user\",\"content\":\"a\"}]|"},
        {.text = "{\"q\":{\"de\":\"ja\"},\"n\":3,\"prompt\":\"no\"}", .shown = "jsonl: 1 'ja' -> 3|", .settings = {.columns = {.prompt = "q.de", .output = "n"}}},
        {.text = "{\"a.b\":\"dotted\",\"reply\":\"12345\"}", .shown = "jsonl: 1 'dotted' -> 5 bytes|", .settings = {.columns = {.prompt = "a.b", .answer = "reply"}}},
        {.text = "prompt,max_tokens\n\"a, \"\"b\"\"\nc\",5\n# d,6\r\n", .shown = "csv: 2 'a, \"b\"\nc' -> 5|4 '# d' -> 6|"},
        {.text = "\xEF\xBB\xBFTimestamp,Request tokens,Response tokens\n5,472,18\n", .shown = "csv: 2 472 tokens -> 18|"},
        {.text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n", .shown = "csv: 2 4808 tokens -> 10|"},
    };
    CHECK(expectations);
}

static void test_rows_of_known_formats(void **state)
{
    (void)state;
    static const struct expectation expectations[] = {
        {.text = "[{\"id\":\"x\",\"conversations\":[{\"from\":\"system\",\"value\":\"s\"},{\"from\":\"human\",\"value\":\"Hi\"},{\"from\":\"gpt\",\"value\":\"Hello\"},"
                 "{\"from\":\"human\",\"value\":\"more\"}]}]",
         .shown = "sharegpt: 1 'Hi' -> 5 bytes|"},
        {.text = "{\"conversations\":[{\"from\":\"user\",\"value\":\"Hi\"}]}", .shown = "sharegpt: 1 'Hi'|"},
        {.text = "{\"custom_id\":\"1\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
                 "\"max_tokens\":9}}\n{\"body\":{\"prompt\":\"b\"}}",
         .shown = "openai_batch: 1 [{\"role\":\"user\",\"content\":\"a\"}] -> 9|2 'b'|"},
        {.text = "{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47]}\n"
                 "{\"timestamp\": 30535, \"input_length\": 6472, \"output_length\": 0, \"hash_ids\": []}",
         .shown = "mooncake: 1 6955 tokens -> 52 at 27482 of 2 blocks|2 6472 tokens -> 1 at 30535 of 0 blocks|"},
        {.text = "{\"input_length\": 10, \"output_length\": 5, \"prompt\":\"p\",\"timestamp\":1}", .shown = "jsonl: 1 'p' -> 5|", .settings = {.format = "jsonl"}},
    };
    CHECK(expectations);
}

#define TALK(...) "{\"conversations\":[" __VA_ARGS__ "]}"
#define SAID(from, value) "{\"from\":\"" from "\",\"value\":\"" value "\"}"
#define WHOLE .settings = {.conversations = true, .skip_bad = true}

static void test_whole_conversations(void **state)
{
    (void)state;
    static const struct expectation expectations[] = {
        {.text = TALK(SAID("system", "s") "," SAID("gpt", "late") "," SAID("human", "a") "," SAID("gpt", "b") "," SAID("human", "c") "," SAID("gpt", "de")),
         .shown = "sharegpt: 1 [{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"},"
                  "{\"role\":\"user\",\"content\":\"c\"}] -> 2 bytes|", WHOLE},
        {.text = TALK(SAID("user", "a")) "\n" TALK(SAID("human", "a") "," SAID("tool", "b")),
         .shown = "sharegpt: 1 [{\"role\":\"user\",\"content\":\"a\"}]| (1 bad: line 2, column 1: conversations[1]: expected \"from\": human, gpt or system, and "
                  "\"value\": a text)", WHOLE},
        {.text = TALK(SAID("human", "a") ",{\"from\":\"gpt\",\"value\":null}"),
         .shown = "sharegpt:  (1 bad: line 1, column 1: conversations[1]: expected \"from\": human, gpt or system, and \"value\": a text)", WHOLE},
        {.text = TALK(SAID("gpt", "a")), .shown = "sharegpt:  (1 bad: line 1, column 1: conversations: expected an array of {\"role\", \"content\"})", WHOLE},
        {.text = "{\"prompt\":\"a\"}\n{\"messages\":[{\"role\":\"user\",\"content\":\"b\"}]}",
         .shown = "jsonl: 2 [{\"role\":\"user\",\"content\":\"b\"}]| (1 bad: line 1, column 1: expected the messages of a conversation)", WHOLE},
    };
    CHECK(expectations);
}

#define SKIP .settings = {.skip_bad = true}

static void test_what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    static const struct expectation expectations[] = {
        {.text = "{\"prompt\":\"a\"}\n{\"prompt\":\"b\",}\n",
         .shown = "jsonl: 1 'a'|! file: line 2, column 15: expected JSON: string or '}' expected near '}'. 1 row before it was good; --skip-bad counts such rows "
                  "and leaves them out"},
        {.text = "{\"prompt\":\"a\"}\n{\"prompt\":\"b\",}\n{\"prompt\":\"c\"}",
         .shown = "jsonl: 1 'a'|3 'c'| (1 bad: line 2, column 15: expected JSON: string or '}' expected near '}')", SKIP},
        {.text = "[{\"prompt\":\"a\"},\n {\"prompt\": 7}]",
         .shown = "json: 1 'a'|! file: line 2, column 2: prompt: expected a text that is not empty. 1 row before it was good; --skip-bad counts such rows and leaves "
                  "them out"},
        {.text = "[{\"prompt\":\"a\"},\n {\"prompt\": 7}, \"b\"]",
         .shown = "json: 1 'a'|2 'b'| (1 bad: line 2, column 2: prompt: expected a text that is not empty)", SKIP},
        {.text = "[\"a\",\n\"b\n", .shown = "json: 1 'a'| (1 bad: line 3, column 1: expected the end of the value that begins in line 2, found the end of the file)", SKIP},
        {.text = "{\n \"prompt\": \"a\"\n}\n",
         .shown = "! file: line 1, column 1: expected JSON: string or '}' expected near end of file (expected one whole object a line, or a JSON array of objects). 0 rows "
                  "before it were good; --skip-bad counts such rows and leaves them out"},
        {.text = "{\"id\":1,\"url\":\"u\"}",
         .shown = "jsonl: ! file: line 1, column 1: expected a prompt in a column prompt, text, instruction, question, messages or the like; the row has: id, url. Name it by "
                  "--data-column prompt=NAME. 0 rows before it were good; --skip-bad counts such rows and leaves them out"},
        {.text = "{\"prompt\":\"a\"}", .shown = "jsonl:  (1 bad: line 1, column 1: expected a column q that is filled; the row has: prompt)",
         .settings = {.skip_bad = true, .columns = {.prompt = "q"}}},
        {.text = "{\"prompt\":\"a\",\"max_tokens\":1e300}", .shown = "jsonl:  (1 bad: line 1, column 1: max_tokens: expected a number of tokens, 1 to 4194304)", SKIP},
        {.text = "{\"prompt\":\"a\",\"max_tokens\":99999999999999999999}\n\"b\"", .shown = "jsonl: 2 'b'| (1 bad: line 1, column 47: expected JSON: too big integer near "
         "'99999999999999999999')", SKIP},
        {.text = "{\"prompt\":\"\"}\n{\"prompt\":\"x\\u0000y\"}\n\"\xFF\"\n\"b\"",
         .shown = "jsonl: 4 'b'| (3 bad: line 1, column 1: expected a prompt in a column prompt, text, instruction, question, messages or the like; the row has: prompt. Name "
                  "it by --data-column prompt=NAME)", SKIP},
        {.text = "prompt,n\na,1\nb\n\"c,3\n",
         .shown = "csv: 2 'a'| (2 bad: line 3, column 1: expected 2 fields as in the first line, found 1)", SKIP},
        {.text = "prompt\na\"b\n\"c\"d\n", .shown = "csv:  (2 bad: line 2, column 1: expected CSV: a quote stands inside a field that does not begin with one)", SKIP},
        {.text = "prompt\n\xC3\x28\n", .shown = "csv:  (1 bad: line 2, column 1: expected UTF-8, found the byte 0xc3)", SKIP},
        {.text = "Dear all,\nthis is no data.\n",
         .shown = "! file: line 1: expected a prompt in a column prompt, text, instruction, question, messages or the like; the row has: Dear all, . Name it by --data-column "
                  "prompt=NAME (read as CSV; --data-format forces another format)"},
        {.text = "", .shown = "! file is empty: expected a row for each request"},
        {.text = " \n\n", .shown = "! file begins with nothing but blanks: expected a row for each request"},
        {.text = "[]", .shown = "! file has no row that can be read"},
        {.text = "[1,2}", .shown = "json:  (2 bad: line 1, column 2: expected an object with a prompt, or a text)", SKIP},
        {.text = "PAR1....", .shown = "! file is a Parquet file: write it as JSON Lines first"},
        {.text = "\xFF\xFE{", .shown = "! file is UTF-16: write it as UTF-8 first"},
        {.text = "[{\"conversations\":[]},{\"conversations\":[{\"from\":\"gpt\",\"value\":\"a\"}]}]",
         .shown = "sharegpt:  (2 bad: line 1, column 2: conversations: expected a turn from \"human\" or \"user\", found none among 0)", SKIP},
        {.text = "{\"input_length\":5,\"output_length\":1,\"hash_ids\":[1,\"x\"]}", .shown = "mooncake:  (1 bad: line 1, column 1: hash_ids[1]: expected a whole number)", SKIP},
        {.text = "{\"input_length\":5,\"output_length\":1,\"timestamp\":-1}",
         .shown = "mooncake:  (1 bad: line 1, column 1: timestamp: expected milliseconds since the trace began)", SKIP},
        {.text = "{\"body\":{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"}]}}",
         .shown = "openai_batch:  (1 bad: line 1, column 1: body.messages: expected a message before the assistant's)", SKIP},
        {.text = "{\"messages\":[{\"role\":\"user\",\"content\":5}]}",
         .shown = "jsonl:  (1 bad: line 1, column 1: messages[0]: expected {\"role\": text, \"content\": text or array})", SKIP},
    };
    CHECK(expectations);
}

/* Bytes that no table can hold. */
static void check_made(const struct buf *text, const char *expected)
{
    struct buf out = BUF_INIT(SHOWN_MAX);
    show(text->data, text->len, &(struct dataset_settings){.skip_bad = true}, &out);
    if (!strstr(buf_text(&out), expected))
        fail_msg("gives %s\nwithout %s", buf_text(&out), expected);
    buf_free(&out);
}

static void repeat(struct buf *out, const char *text, size_t times)
{
    for (size_t k = 0; k < times; k++)
        buf_append_text(out, text);
}

static void test_hostile_rows_are_counted(void **state)
{
    (void)state;
    struct buf text = BUF_INIT((size_t)64 << 20);
    repeat(&text, "[", 100000);
    buf_append_text(&text, "\n");
    check_made(&text, "! file has no row that can be read");

    buf_reset(&text);
    buf_append_text(&text, "\"a\"\n{\"x\":");
    repeat(&text, "[", 100000);
    buf_append_text(&text, "\n\"b\"");
    check_made(&text, "1 'a'|3 'b'| (1 bad: line 2, column 69: expected JSON that is not nested so deeply)");

    buf_reset(&text);
    buf_append_text(&text, "\"a\"\n[");
    repeat(&text, "0,", 300000);
    buf_append_text(&text, "0]\n\"b\"");
    check_made(&text, "1 'a'|3 'b'| (1 bad: line 2, column 400003: expected a row with fewer values)");

    buf_reset(&text);
    buf_append_text(&text, "\"a\"\n\"");
    repeat(&text, "0123456789abcdef", DATASET_ROW_MAX / 16 + 1);
    buf_append_text(&text, "\"\n\"b\"");
    check_made(&text, "1 'a'|3 'b'| (1 bad: line 2, column 1: expected a row of at most 8 MB)");

    buf_reset(&text);
    buf_append(&text, "\"a\"\n\0\0\0\n\"b\"", 11);
    check_made(&text, "1 'a'|3 'b'| (1 bad: line 2, column 1: expected JSON");

    buf_reset(&text);
    buf_append(&text, " \0", 2);
    check_made(&text, "! file begins with a NUL byte: this is no text");

    buf_reset(&text);
    buf_append(&text, "prompt\na\0b\nc", 12);
    check_made(&text, "3 'c'| (1 bad: line 2, column 1: expected text, found a NUL byte)");
    buf_free(&text);
}

static void test_a_row_that_the_caller_refuses_is_a_bad_one(void **state)
{
    (void)state;
    struct dataset_settings settings = {.skip_bad = true};
    struct text_source source = {"\"a\"\n\"b\"", 7};
    struct error err = {0}, reason = {.class = ERROR_USAGE, .text = "expected more"};
    struct dataset_row row;
    struct dataset *dataset = dataset_open_source("file", (struct row_source){read_text, &source}, &settings, &err);
    assert_non_null(dataset);
    assert_int_equal(dataset_next(dataset, &row, &err), 1);
    assert_int_equal(dataset_next(dataset, &row, &err), 1);
    assert_int_equal(dataset_refuse(dataset, &row, &reason, &err), 0);
    assert_int_equal(dataset_counts(dataset).good, 1);
    assert_int_equal(dataset_counts(dataset).bad, 1);
    assert_string_equal(dataset_counts(dataset).first_bad, "line 2, column 1: expected more");
    dataset_free(dataset);
}

static void test_files_and_gzip(void **state)
{
    (void)state;
    char *folder = temp_folder_make(), *path = file_join(folder, "a.json.gz"), *missing = file_join(folder, "none");
    struct dataset_settings settings = {0};
    struct dataset_row row;
    struct error err = {0};
    gzFile file = gzopen(path, "w");
    gzputs(file, "[\"packed\"]");
    gzclose(file);
    struct dataset *dataset = dataset_open(path, &settings, &err);
    assert_non_null(dataset);
    assert_int_equal(dataset_next(dataset, &row, &err), 1);
    assert_string_equal(row.text, "packed");
    assert_int_equal(dataset_next(dataset, &row, &err), 0);
    dataset_free(dataset);
    assert_null(dataset_open(missing, &settings, &err));
    assert_int_equal(err.class, ERROR_USAGE);
    assert_non_null(strstr(err.text, missing));
    free(path);
    free(missing);
    temp_folder_remove(folder);
}

/* The seeds of the fuzzer, broken in some thousand ways. */
static void test_broken_files_keep_the_properties(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "\x01\xFE[{\"prompt\": \"a\", \"max_tokens\": 7},\n \"b\"]",
        "\x05\xFF{\"text\":\"gr\xC3\xBC\\u00df\",\"output_tokens\":\"12\"}\n\n\"b\"\n{\"instruction\":\"Do\",\"input\":\"this\"}\n",
        "\x02\xFFprompt,max_tokens\r\n\"a, \"\"b\"\"\nc\",5\r\n# d,6\n",
        "\x07\xFF[{\"conversations\":[{\"from\":\"human\",\"value\":\"Hi\"},{\"from\":\"gpt\",\"value\":\"Hello\"}]}]",
        "\x04\xFF{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47]}",
    };
    struct random random;
    struct buf broken = BUF_INIT(SHOWN_MAX);
    random_seed(&random, 6);
    for (size_t k = 0; k < sizeof seeds / sizeof seeds[0]; k++) {
        for (int round = 0; round < 400; round++) {
            mutate(&random, seeds[k], strlen(seeds[k]), &broken);
            property_dataset((const uint8_t *)buf_text(&broken), broken.len);
            property_dataset_line((const uint8_t *)buf_text(&broken), broken.len);
        }
    }
    buf_free(&broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_files_keep_the_properties),
        cmocka_unit_test(test_rows_of_columns),
        cmocka_unit_test(test_rows_of_known_formats),
        cmocka_unit_test(test_whole_conversations),
        cmocka_unit_test(test_what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(test_hostile_rows_are_counted),
        cmocka_unit_test(test_a_row_that_the_caller_refuses_is_a_bad_one),
        cmocka_unit_test(test_files_and_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
