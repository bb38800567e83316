#include "support/properties_dataset.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "plan/dataset.h"
#include "plan/dataset_rows.h"
#include "plan/plan.h"
#include "plan/synthetic.h"
#include "support/must.h"

#define LOG_MAX ((size_t)16 << 20)

struct bytes_source {
    const uint8_t *data;
    size_t size, step;
};

static int64_t read_bytes(void *context, void *to, size_t size, struct error *err)
{
    struct bytes_source *source = context;
    size_t take = source->size < source->step ? source->size : source->step;
    (void)err;
    must(size > 0);
    if (take > size)
        take = size;
    if (take > 0)
        memcpy(to, source->data, take);
    source->data += take;
    source->size -= take;
    return (int64_t)take;
}

static void must_be_clean(const char *text, size_t length)
{
    must(length > 0 && strlen(text) == length);
    for (size_t k = 0; k < length;) {
        size_t width = utf8_character((const unsigned char *)text + k, length - k);
        must(width > 0);
        k += width;
    }
}

static void must_be_a_sentence(const struct error *err)
{
    must(err->class == ERROR_USAGE && err->text[0]);
    for (const char *c = err->text; *c; c++)
        must((unsigned char)*c >= ' ');
}

static void log_row(const struct dataset_row *row, struct buf *log)
{
    must(row->line > 0 && row->output_tokens >= -1 && row->output_tokens <= PLAN_TOKENS_MAX);
    if (row->kind == DATASET_TEXT) {
        must_be_clean(row->text, row->text_length);
        buf_append(log, row->text, row->text_length);
    } else if (row->kind == DATASET_MESSAGES) {
        char *messages = json_dumps(row->messages, JSON_COMPACT);
        must(messages && json_array_size(row->messages) > 0);
        buf_append_text(log, messages);
        free(messages);
    } else {
        must(row->prompt_tokens > 0 && row->prompt_tokens <= PLAN_TOKENS_MAX && json_array_size(row->hash_ids) <= DATASET_HASH_IDS_MAX);
    }
    buf_printf(log, "|%d %d %d|", (int)row->line, (int)row->prompt_tokens, (int)row->output_tokens);
}

static void read_all(const uint8_t *data, size_t size, size_t step, const struct dataset_settings *settings, struct buf *log)
{
    struct bytes_source source = {data, size, step};
    struct error err = {0};
    struct dataset_row row;
    int64_t rows = 0;
    int status = -1;
    struct dataset *dataset = dataset_open_source("file", (struct row_source){read_bytes, &source}, settings, &err);
    while (dataset && (status = dataset_next(dataset, &row, &err)) > 0) {
        log_row(&row, log);
        must(++rows <= (int64_t)size && dataset_counts(dataset).good == rows);
    }
    must(status == 0 || status == -1);
    if (status < 0)
        must_be_a_sentence(&err);
    if (dataset)
        must(settings->skip_bad || status < 0 || dataset_counts(dataset).bad == 0);
    buf_append_text(log, err.text);
    dataset_free(dataset);
}

void property_dataset(const uint8_t *data, size_t size)
{
    if (size < 2)
        return;
    const struct dataset_format *format = dataset_format_at((size_t)(data[1] & 0x7f) >> 1);
    struct dataset_settings settings = {.format = format ? format->name : NULL, .skip_bad = (data[1] & 1) != 0,
                                        .conversations = (data[1] & 0x80) != 0};
    struct buf whole = BUF_INIT(LOG_MAX), parts = BUF_INIT(LOG_MAX);
    read_all(data + 2, size - 2, size, &settings, &whole);
    read_all(data + 2, size - 2, (size_t)data[0] + 1, &settings, &parts);
    must(strcmp(buf_text(&whole), buf_text(&parts)) == 0);
    buf_free(&whole);
    buf_free(&parts);
}

void property_dataset_line(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct dataset_rows *rows = NULL;
    struct dataset_line read;
    struct buf line = BUF_INIT(DATASET_LINE_MAX);
    struct dataset_writer *writer = dataset_writer_open(NULL, 1, &err);
    must(writer && dataset_writer_add(writer, (const char *)data, size, &err) == 0 && dataset_writer_close(writer, &rows, &err) == 0);
    if (dataset_rows_read(rows, 0, &line, &read, &err) == 0) {
        must(read.prompt_tokens >= 0 && read.output_tokens >= 0 && line.len == size);
        if (read.member)
            must(read.member >= line.data && read.member + read.member_length < line.data + line.len + 1 && read.head <= read.member_length);
        if (read.hash_ids)
            must(read.hash_ids > line.data && read.hash_ids < line.data + line.len);
    } else {
        must_be_a_sentence(&err);
    }
    dataset_rows_free(rows);
    buf_free(&line);
}

void property_synthetic(const uint8_t *data, size_t size)
{
    char *text = mem_strndup((const char *)data, size);
    struct token_lengths prompt, output;
    struct error err = {0};
    struct buf unused = BUF_INIT(1024);
    if (synthetic_parse(text, &prompt, &output, &unused, &err) == 0)
        must(prompt.min >= 1 && prompt.max <= PLAN_TOKENS_MAX && output.min >= 1 && output.max <= PLAN_TOKENS_MAX);
    else
        must(err.class == ERROR_USAGE && err.text[0]);
    buf_free(&unused);
    free(text);
}
