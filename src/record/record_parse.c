/* The reader of one line of records.jsonl.gz: a flat object whose known members go straight into the struct.
 * RFC 8259 is enforced as far as is needed to never misread a line; members that nobody knows are skipped. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "record/record.h"

#define SKIP_DEPTH_MAX 32 /* of arrays and objects in a member that is skipped */
#define KEY_SHOWN_MAX 40

enum field_kind { FIELD_INT, FIELD_TIME, FIELD_COUNT, FIELD_BOOL, FIELD_TEXT, FIELD_OUTCOME, FIELD_FAILURE, FIELD_CHUNK_TOKENS };

struct field {
    const char *name;
    size_t name_length;
    enum field_kind kind;
    size_t offset;
};

#define FIELD(kind, key, member) {key, sizeof key - 1, FIELD_##kind, offsetof(struct record, member)}

/* In the order in which they are written, so that the next key is nearly always the next row. */
static const struct field fields[] = {
    FIELD(INT, "level", level),
    FIELD(INT, "repeat", repeat),
    FIELD(INT, "shard", shard),
    FIELD(INT, "stream", stream),
    FIELD(COUNT, "i", i),
    FIELD(TIME, "intended", intended),
    FIELD(TIME, "sent", sent),
    FIELD(TIME, "connected", connected),
    FIELD(TIME, "headers", headers),
    FIELD(TIME, "first_token", first_token),
    FIELD(TIME, "last_token", last_token),
    FIELD(TIME, "end", end),
    FIELD(INT, "status", status),
    FIELD(OUTCOME, "outcome", outcome),
    FIELD(FAILURE, "error", failure),
    FIELD(COUNT, "prompt_tokens", prompt_tokens),
    FIELD(COUNT, "output_tokens", output_tokens),
    FIELD(COUNT, "cached_tokens", cached_tokens),
    FIELD(COUNT, "chunks", chunks),
    FIELD(COUNT, "arrivals", arrivals),
    FIELD(COUNT, "coalesced", coalesced),
    FIELD(COUNT, "first_tokens", first_tokens),
    FIELD(CHUNK_TOKENS, "chunk_tokens", chunk_tokens),
    FIELD(TEXT, "finish_reason", finish_reason),
    FIELD(COUNT, "bytes", bytes),
    FIELD(BOOL, "reused", reused),
    FIELD(INT, "reconnected", reconnected),
    FIELD(INT, "target", target),
    FIELD(COUNT, "conversation", conversation),
    FIELD(COUNT, "turn", turn),
};

#define FIELD_ROWS (sizeof fields / sizeof *fields)
_Static_assert(FIELD_ROWS <= 32, "the members seen are kept in a 32-bit set");

/* Rows that a record cannot do without: level, repeat, i, outcome. */
static const size_t required_rows[] = {0, 1, 4, 13};

struct text {
    const char *begin; /* between the quotes, escapes as they stand */
    size_t length;
};

struct line_reader {
    const char *line, *at, *end;
    size_t next_row;
    uint32_t seen;
    struct error *err;
};

static int fail(const struct line_reader *reader, const char *what)
{
    error_set(reader->err, ERROR_USAGE, "%s at byte %zu", what, (size_t)(reader->at - reader->line));
    return -1;
}

static int fail_key(const struct line_reader *reader, const struct text *key, const char *what)
{
    return error_set(reader->err, ERROR_USAGE, "\"%.*s\": %s", key->length > KEY_SHOWN_MAX ? KEY_SHOWN_MAX : (int)key->length,
                     key->begin, what);
}

static void skip_space(struct line_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r'))
        reader->at++;
}

static bool take(struct line_reader *reader, char c)
{
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static bool take_word(struct line_reader *reader, const char *word)
{
    const size_t length = strlen(word);

    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of an escape, from what follows the backslash on (one byte at least); 0: JSON has none like it. */
static size_t escape_length(const char *at, const char *end)
{
    size_t digits = 0;

    if (*at == '\0' || !strchr("\"\\/bfnrtu", *at))
        return 0;
    if (*at++ != 'u')
        return 1;
    while (digits < 4 && at + digits < end && hex_digit(at[digits]) >= 0)
        digits++;
    return digits == 4 ? 1 + digits : 0;
}

static int read_text(struct line_reader *reader, struct text *text)
{
    if (!take(reader, '"'))
        return fail(reader, "expected a string");
    *text = (struct text){.begin = reader->at};
    while (reader->at < reader->end) {
        const char c = *reader->at++;

        if (c == '"') {
            text->length = (size_t)(reader->at - 1 - text->begin);
            return 0;
        }
        if ((unsigned char)c < ' ')
            return fail(reader, "a control character in a string");
        if (c == '\\' && reader->at < reader->end) {
            const size_t length = escape_length(reader->at, reader->end);

            if (length == 0)
                return fail(reader, "an escape that JSON does not know");
            reader->at += length;
        }
    }
    return fail(reader, "a string without its end");
}

static int read_integer(struct line_reader *reader, int64_t *number)
{
    const bool negative = take(reader, '-');
    const char *begin = reader->at;
    int64_t value = 0;

    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *reader->at - '0', &value))
            return fail(reader, "a number beyond 64 bits");
    }
    if (reader->at == begin)
        return fail(reader, "expected a whole number");
    if (reader->at < reader->end && (*reader->at == '.' || *reader->at == 'e' || *reader->at == 'E'))
        return fail(reader, "expected a whole number, got a fraction");
    *number = negative ? -value : value;
    return 0;
}

static int skip_scalar(struct line_reader *reader)
{
    struct text text;

    if (*reader->at == '"')
        return read_text(reader, &text);

    const char *begin = reader->at;

    while (reader->at < reader->end && !strchr(",]} \t\r", *reader->at))
        reader->at++;
    return reader->at > begin ? 0 : fail(reader, "expected a value");
}

/* Whatever follows: brackets are only counted, since what is inside belongs to nobody here. */
static int skip_value(struct line_reader *reader)
{
    int depth = 0;

    do {
        skip_space(reader);
        if (reader->at == reader->end)
            return fail(reader, "the line ends in the middle");
        if (*reader->at == '{' || *reader->at == '[') {
            if (++depth > SKIP_DEPTH_MAX)
                return fail(reader, "nested too deeply");
            reader->at++;
        } else if (depth > 0 && (*reader->at == '}' || *reader->at == ']')) {
            depth--;
            reader->at++;
        } else if (depth > 0 && (*reader->at == ',' || *reader->at == ':')) {
            reader->at++;
        } else if (skip_scalar(reader) < 0) {
            return -1;
        }
    } while (depth > 0);
    return 0;
}

/* \u0041 below 0x80 is decoded, others become '?': they are only ever shown. */
static char decode_unicode(const char **at)
{
    int code = 0;

    for (int k = 0; k < 4; k++)
        code = code * 16 + hex_digit(*(*at)++);
    return code >= ' ' && code < 0x80 ? (char)code : '?';
}

/* read_text has seen that it is a whole one. */
static char decode_escape(const char **at)
{
    const char c = *(*at)++;

    switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'u': return decode_unicode(at);
    default: return c;
    }
}

/* Cuts what does not fit. */
static void copy_text(const struct text *text, char *to, size_t size)
{
    const char *at = text->begin, *end = text->begin + text->length;
    size_t length = 0;

    while (at < end && length + 1 < size) {
        char c = *at++;

        if (c == '\\')
            c = decode_escape(&at);
        to[length++] = c;
    }
    to[length] = '\0';
}

static bool text_is(const struct text *text, const char *name)
{
    return strlen(name) == text->length && memcmp(name, text->begin, text->length) == 0;
}

static int read_outcome(struct line_reader *reader, const struct text *key, enum outcome *outcome)
{
    struct text text;

    if (read_text(reader, &text) < 0)
        return -1;
    for (int k = OUTCOME_OK; k <= OUTCOME_INCOMPLETE; k++) {
        if (text_is(&text, outcome_name((enum outcome)k))) {
            *outcome = (enum outcome)k;
            return 0;
        }
    }
    return fail_key(reader, key, "expected ok, error or incomplete");
}

static int read_failure(struct line_reader *reader, const struct text *key, enum failure *failure)
{
    struct text text;

    if (read_text(reader, &text) < 0)
        return -1;
    for (int k = FAILURE_NONE; k < FAILURE_COUNT; k++) {
        if (text_is(&text, failure_name((enum failure)k))) {
            *failure = (enum failure)k;
            return 0;
        }
    }
    return fail_key(reader, key, "not an error class that this version knows");
}

static int read_chunk_tokens(struct line_reader *reader, const struct text *key, enum chunk_tokens *how)
{
    struct text text;

    if (read_text(reader, &text) < 0)
        return -1;
    for (int k = CHUNK_TOKENS_NONE; k <= CHUNK_TOKENS_COUNTED; k++) {
        if (text_is(&text, chunk_tokens_name((enum chunk_tokens)k))) {
            *how = (enum chunk_tokens)k;
            return 0;
        }
    }
    return fail_key(reader, key, "expected exact, inferred or counted");
}

static int read_bool(struct line_reader *reader, const struct text *key, bool *value)
{
    skip_space(reader);
    *value = take_word(reader, "true");
    return *value || take_word(reader, "false") ? 0 : fail_key(reader, key, "expected true or false");
}

static int read_number_field(struct line_reader *reader, const struct text *key, enum field_kind kind, void *to)
{
    int64_t number = 0;

    if (read_integer(reader, &number) < 0)
        return -1;
    if (kind == FIELD_TIME) {
        *(int64_t *)to = number;
        return number >= -RECORD_TIME_MAX && number <= RECORD_TIME_MAX ? 0 : fail_key(reader, key, "a time beyond 70 years");
    }
    if (number < 0)
        return fail_key(reader, key, "expected a number from 0 on");
    if (number > RECORD_COUNT_MAX)
        return fail_key(reader, key, "a number beyond 10^11");
    if (kind == FIELD_COUNT) {
        *(int64_t *)to = number;
        return 0;
    }
    if (number > INT32_MAX)
        return fail_key(reader, key, "expected a number below 2^31");
    *(int *)to = (int)number;
    return 0;
}

static int read_field(struct line_reader *reader, const struct text *key, const struct field *field, struct record *record)
{
    void *to = (char *)record + field->offset;
    struct text text;

    switch (field->kind) {
    case FIELD_INT:
    case FIELD_TIME:
    case FIELD_COUNT: return read_number_field(reader, key, field->kind, to);
    case FIELD_BOOL: return read_bool(reader, key, to);
    case FIELD_OUTCOME: return read_outcome(reader, key, to);
    case FIELD_FAILURE: return read_failure(reader, key, to);
    case FIELD_CHUNK_TOKENS: return read_chunk_tokens(reader, key, to);
    case FIELD_TEXT:
        if (read_text(reader, &text) < 0)
            return -1;
        copy_text(&text, to, sizeof record->finish_reason);
        return 0;
    }
    return 0;
}

/* The row of a key, looked for from the row after the last one on; FIELD_ROWS: nobody's. */
static size_t find_row(const struct line_reader *reader, const struct text *key)
{
    for (size_t k = 0; k < FIELD_ROWS; k++) {
        const size_t row = (reader->next_row + k) % FIELD_ROWS;

        if (fields[row].name_length == key->length && memcmp(fields[row].name, key->begin, key->length) == 0)
            return row;
    }
    return FIELD_ROWS;
}

static int read_member(struct line_reader *reader, struct record *record)
{
    struct text key;

    if (read_text(reader, &key) < 0)
        return -1;
    if (!take(reader, ':'))
        return fail(reader, "expected ':'");
    skip_space(reader);

    const size_t row = find_row(reader, &key);

    if (row == FIELD_ROWS || take_word(reader, "null"))
        return row == FIELD_ROWS ? skip_value(reader) : 0;
    reader->next_row = row + 1;
    reader->seen |= UINT32_C(1) << row;
    return read_field(reader, &key, &fields[row], record);
}

static int check_required(const struct line_reader *reader)
{
    for (size_t k = 0; k < sizeof required_rows / sizeof *required_rows; k++) {
        if (!(reader->seen & UINT32_C(1) << required_rows[k]))
            return error_set(reader->err, ERROR_USAGE, "\"%s\" is missing", fields[required_rows[k]].name);
    }
    return 0;
}

int record_parse_json(const char *line, size_t length, struct record *record, struct error *err)
{
    struct line_reader reader = {.line = line, .at = line, .end = line + length, .err = err};

    *record = record_empty();
    record->chunks = record->arrivals = record->coalesced = record->bytes = -1;
    if (!take(&reader, '{'))
        return fail(&reader, "expected an object");
    do {
        if (read_member(&reader, record) < 0)
            return -1;
    } while (take(&reader, ','));
    if (!take(&reader, '}'))
        return fail(&reader, "expected ',' or '}'");
    skip_space(&reader);
    if (reader.at != reader.end)
        return fail(&reader, "something follows the object");
    return check_required(&reader);
}
