#include "support/properties.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/record.h"
#include "support/must.h"
#include "wire/csv_reader.h"
#include "wire/guidellm_arguments.h"
#include "wire/http_chunks.h"
#include "wire/kubernetes.h"
#include "wire/prometheus_api.h"
#include "wire/openai.h"
#include "wire/promtext.h"
#include "wire/sse.h"
#include "wire/yaml_reader.h"

/* --- sse --- */

/* Events with their lengths in front, so that no two sequences look alike. */
static int log_event(void *context, const char *data, size_t length)
{
    struct buf *log = context;
    buf_append(log, &length, sizeof length);
    buf_append(log, data, length);
    return 0;
}

struct cuts {
    size_t first, step;
};

static int feed_cut(struct sse *sse, const uint8_t *data, size_t size, struct cuts cuts)
{
    size_t at = 0;
    while (at < size) {
        size_t length = at == 0 && cuts.first > 0 ? cuts.first : cuts.step;
        length = length < size - at ? length : size - at;
        char *piece = copy_exact(data + at, length);
        int result = sse_feed(sse, piece, length);
        free(piece);
        if (result != 0)
            return result;
        at += length;
    }
    return 0;
}

void property_sse(const uint8_t *data, size_t size)
{
    if (size < 2)
        return;
    struct cuts cuts = {data[0], (size_t)data[1] + 1};
    data += 2;
    size -= 2;
    cleanup_buf struct buf whole = BUF_INIT(SIZE_MAX - 1), cut = BUF_INIT(SIZE_MAX - 1);
    struct sse sse, other;
    sse_init(&sse, log_event, &whole);
    sse_init(&other, log_event, &cut);
    must(feed_cut(&sse, data, size, (struct cuts){0, size + 1}) == feed_cut(&other, data, size, cuts));
    must(whole.len == cut.len && (whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0));
    must(sse.has_data == other.has_data);
    sse_free(&sse);
    sse_free(&other);
}

/* --- http --- */

static void append_piece(void *context, const char *bytes, size_t length)
{
    buf_append(context, bytes, length);
}

/* In pieces, and of each first what is plainly data. */
static void feed_whole_first(struct http_chunks *chunks, const char *bytes, size_t length, struct buf *body)
{
    size_t whole = http_chunks_whole_length(chunks, bytes, length), before = body->len;
    must(whole <= length);
    http_chunks_feed(chunks, bytes, whole, append_piece, body);
    must(whole == 0 || http_chunks_is_between(chunks));
    must(whole == 0 || (body->len > before && body->len - before < whole));
    http_chunks_feed(chunks, bytes + whole, length - whole, append_piece, body);
}

void property_http_chunks(const uint8_t *data, size_t size)
{
    if (size < 2)
        return;
    struct cuts cuts = {data[0], (size_t)data[1] + 1};
    cleanup_buf struct buf whole = BUF_INIT(SIZE_MAX - 1), cut = BUF_INIT(SIZE_MAX - 1);
    struct http_chunks chunks, other;
    data += 2;
    size -= 2;
    http_chunks_begin(&chunks);
    http_chunks_begin(&other);
    http_chunks_feed(&chunks, (const char *)data, size, append_piece, &whole);
    for (size_t at = 0; at < size;) {
        size_t length = at == 0 && cuts.first > 0 ? cuts.first : cuts.step;
        length = length < size - at ? length : size - at;
        char *piece = copy_exact(data + at, length);
        feed_whole_first(&other, piece, length, &cut);
        free(piece);
        at += length;
    }
    must(whole.len == cut.len && (whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0));
    must(chunks.part == other.part && chunks.left == other.left && chunks.digits == other.digits);
}

/* --- openai --- */

/* Valid UTF-8 in one line, NUL-terminated inside its room. */
static void must_be_clean(const char *text, size_t room)
{
    size_t length = strnlen(text, room);
    must(length < room);
    for (size_t at = 0; at < length;) {
        size_t step = utf8_character((const unsigned char *)text + at, length - at);
        must(step > 0);
        must((unsigned char)text[at] >= 0x20 && (unsigned char)text[at] != 0x7F);
        must(step != 2 || (unsigned char)text[at] != 0xC2 || (unsigned char)text[at + 1] >= 0xA0); /* C1 */
        at += step;
    }
}

static bool chunks_equal(const struct openai_chunk *a, const struct openai_chunk *b)
{
    return a->done == b->done && a->error == b->error && a->token == b->token && a->text_empty == b->text_empty &&
           a->token_ids == b->token_ids && a->prompt_tokens == b->prompt_tokens &&
           a->completion_tokens == b->completion_tokens && a->cached_tokens == b->cached_tokens &&
           strcmp(a->finish_reason, b->finish_reason) == 0 && strcmp(a->message, b->message) == 0;
}

void property_openai_chunk(const uint8_t *data, size_t size)
{
    struct openai_chunk chunk, slow;
    char *bytes = copy_exact(data, size);
    memset(&chunk, 0x5A, sizeof chunk); /* what is not filled shows */
    memset(&slow, 0xA5, sizeof slow);
    int result = openai_chunk_read(bytes, size, &chunk);
    must(result == openai_chunk_read_by_json(bytes, size, &slow));
    if (result == 0) {
        must(chunks_equal(&chunk, &slow));
        must_be_clean(chunk.finish_reason, sizeof chunk.finish_reason);
        must_be_clean(chunk.message, sizeof chunk.message);
        must(chunk.token || !chunk.text_empty);
    }
    free(bytes);
}

/* Lines, each a chunk of one stream: what the reader remembers of those before must change nothing. */
void property_openai_stream(const uint8_t *data, size_t size)
{
    struct openai_prefix prefix;
    memset(&prefix, 0, sizeof prefix);
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t length = end ? (size_t)(end - data) - at : size - at;
        struct openai_chunk chunk, slow;
        char *bytes = copy_exact(data + at, length);
        memset(&chunk, 0x5A, sizeof chunk);
        memset(&slow, 0xA5, sizeof slow);
        int result = openai_chunk_read_next(&prefix, bytes, length, &chunk);
        must(result == openai_chunk_read_by_json(bytes, length, &slow));
        must(result < 0 || chunks_equal(&chunk, &slow));
        must(prefix.length <= OPENAI_PREFIX_MAX);
        free(bytes);
        at += length + 1;
    }
}

void property_openai_body(const uint8_t *data, size_t size)
{
    struct openai_chunk response;
    struct openai_models models;
    struct error err;
    char message[40];
    char *bytes = copy_exact(data, size);
    if (openai_response_read(bytes, size, &response) == 0) {
        must_be_clean(response.finish_reason, sizeof response.finish_reason);
        must_be_clean(response.message, sizeof response.message);
    }
    openai_error_message(bytes, size, message, sizeof message);
    must_be_clean(message, sizeof message);
    if (openai_models_read(bytes, size, &models, &err) == 0)
        openai_models_free(&models);
    free(bytes);
}

/* --- promtext --- */

struct samples {
    const char *begin, *end;
    struct buf log;
};

static void log_sample(void *context, const struct promtext_sample *sample)
{
    struct samples *samples = context;
    must(sample->series >= samples->begin && sample->series + sample->series_length <= samples->end);
    must(sample->name_length > 0 && sample->name_length <= sample->series_length);
    buf_append(&samples->log, &sample->series_length, sizeof sample->series_length);
    buf_append(&samples->log, sample->series, sample->series_length);
    buf_append(&samples->log, &sample->value, sizeof sample->value);
}

static size_t read_samples(struct samples *samples, const char *text, size_t length, size_t *broken)
{
    samples->begin = text;
    samples->end = text + length;
    return promtext_read(text, length, log_sample, samples, broken);
}

void property_promtext(const uint8_t *data, size_t size)
{
    char *text = copy_exact(data, size);
    struct samples whole = {.log = BUF_INIT(SIZE_MAX - 1)}, parts = {.log = BUF_INIT(SIZE_MAX - 1)};
    size_t broken, first_broken, rest_broken;
    size_t cut = size / 2;
    while (cut > 0 && text[cut - 1] != '\n')
        cut--;
    size_t count = read_samples(&whole, text, size, &broken);
    size_t first = read_samples(&parts, text, cut, &first_broken);
    size_t rest = read_samples(&parts, text + cut, size - cut, &rest_broken);
    must(count == first + rest && broken == first_broken + rest_broken);
    must(whole.log.len == parts.log.len);
    must(whole.log.len == 0 || memcmp(whole.log.data, parts.log.data, whole.log.len) == 0);
    buf_free(&whole.log);
    buf_free(&parts.log);
    free(text);
}

/* --- record --- */

void property_record_line(const uint8_t *data, size_t size)
{
    char *line = copy_exact(data, size);
    struct record record = record_empty(), again = record_empty();
    struct error err;
    cleanup_buf struct buf written = BUF_INIT(65536), rewritten = BUF_INIT(65536);
    if (record_parse_json(line, size, &record, &err) == 0) {
        must(strnlen(record.finish_reason, sizeof record.finish_reason) < sizeof record.finish_reason);
        record.finish_reason[0] = '\0'; /* broken UTF-8 grows when it is written */
        record_append_json(&record, &written);
        must(!written.overflowed);
        must(record_parse_json(buf_text(&written), written.len, &again, &err) == 0);
        record_append_json(&again, &rewritten);
        must(written.len == rewritten.len && memcmp(written.data, rewritten.data, written.len) == 0);
    }
    free(line);
}

void property_csv(const uint8_t *data, size_t size)
{
    char *text = mem_alloc(size + 1), *fields[4];
    size_t count, rows = 0;
    if (size > 0)
        memcpy(text, data, size);
    struct csv_reader reader = csv_reader_begin(text, size);
    while (csv_reader_row(&reader, fields, 4, &count, NULL) > 0) {
        must(count > 0 && count <= 4 && ++rows <= size);
        for (size_t k = 0; k < count; k++)
            must(fields[k] >= text && fields[k] + strlen(fields[k]) <= text + size);
    }
    free(text);
}

/* --- YAML, GuideLLM's arguments --- */

/* YAML is stricter than JSON only with characters that are not printed, and with escapes of halves of one. */
static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

/* GuideLLM's pairs may have keys of any length. */
static bool has_long_key(const json_t *value)
{
    const char *key;
    json_t *member;
    size_t index;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
        if (strlen(key) > YAML_KEY_MAX || has_long_key(member))
            return true;
    json_array_foreach(value, index, member)
        if (has_long_key(member))
            return true;
    return false;
}

/* Its JSON is YAML, too. Takes the value. */
static void must_survive(json_t *value, const struct error *err)
{
    struct error trouble = {0};
    if (!value) {
        must(err->class == ERROR_USAGE && err->text[0]);
        return;
    }
    char *json = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    must(json);
    json_t *again = yaml_parse(json, strlen(json), YAML_1_1, "again", NULL, &trouble);
    must(again ? json_equal(value, again) : !is_printable(json) || has_long_key(value));
    json_decref(again);
    json_decref(value);
    free(json);
}

void property_yaml(const uint8_t *data, size_t size)
{
    struct error err = {0};
    char *text = mem_strndup((const char *)data, size);
    must_survive(yaml_parse(text, strlen(text), YAML_1_1, "fuzz", NULL, &err), &err);
    __attribute__((cleanup(json_lines_free))) struct json_lines lines = {0};
    must_survive(yaml_parse((const char *)data, size, YAML_1_2, "fuzz", &lines, &err), &err);
    size_t newlines = 1;
    for (size_t k = 0; k < size; k++)
        newlines += data[k] == '\n' || data[k] == '\r' || data[k] >= 0x80; /* NEL, LS and PS end a line, too */
    for (size_t k = 0; k < lines.count; k++)
        must(lines.items[k].line >= 1 && lines.items[k].line <= newlines);
    free(text);
}

void property_guidellm_arguments(const uint8_t *data, size_t size)
{
    struct error err = {0};
    char *text = mem_strndup((const char *)data, size);
    must_survive(guidellm_arguments_parse(text, "--data", &err), &err);
    free(text);
}

/* --- Kubernetes --- */

static bool is_clean(const char *text)
{
    bool clean = strlen(text) <= KUBERNETES_TEXT_MAX;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        clean = clean && !iscntrl(*c);
    return clean;
}

static void read_object(struct kubernetes_facts *facts, const json_t *object, struct arena *arena)
{
    const char *why;
    kubernetes_read_service(facts, object, arena);
    must(is_clean(kubernetes_service_url(object, arena)));
    must(kubernetes_service_ready(object, arena, &why) || is_clean(why));
    kubernetes_read_pods(facts, json_object_get(object, "items"), arena);
    for (size_t k = 0; k < facts->node_count; k++)
        kubernetes_read_node(facts, facts->nodes[k].name, object, arena);
    for (size_t k = 0; k < facts->argument_count; k++)
        must(!iscntrl((unsigned char)facts->arguments[k][0]));
}

void property_kubernetes(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct kubernetes_facts *facts = kubernetes_facts_new(arena, "namespace", "name");
    json_t *object = json_loadb((const char *)data, size, 0, NULL), *once = json_object(), *twice = json_object();
    struct json_reader reader = {.file = "plan.json"};
    cleanup_buf struct buf text = BUF_INIT((size_t)1 << 20);
    read_object(facts, object, arena);
    kubernetes_facts_write(once, facts);
    const struct kubernetes_facts *again = kubernetes_facts_read(&reader, once, arena);
    must(again != NULL);
    kubernetes_facts_write(twice, again);
    must(json_equal(once, twice));
    kubernetes_describe(facts, &text);
    kubernetes_describe_arguments(facts, &text);
    kubernetes_describe_own_arguments(facts, again, &text);
    must(!text.overflowed);
    json_decref(object);
    json_decref(once);
    json_decref(twice);
    arena_free(arena);
}

/* ---- Prometheus' API ---- */

static void check_series(void *context, const json_t *labels, const struct prometheus_sample *samples, size_t count)
{
    (void)context;
    must(json_is_object(labels) && count > 0 && prometheus_label(labels, "UUID") != NULL);
    for (size_t k = 0; k < count; k++)
        must(isfinite(samples[k].value) && samples[k].realtime_ns % 1000000 == 0);
}

void property_prometheus_api(const uint8_t *data, size_t size)
{
    struct error err = {.class = ERROR_NONE};
    char selector[256];
    int status = prometheus_read_matrix((const char *)data, size, check_series, NULL, &err);
    must((status == 0) == (err.class == ERROR_NONE) && (status == 0 || err.text[0]));
    snprintf(selector, sizeof selector, "%.*s", (int)(size < sizeof selector ? size : sizeof selector - 1), (const char *)data);
    must(prometheus_selector_check(selector, NULL) <= 0);
}
