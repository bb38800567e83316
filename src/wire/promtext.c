#include "wire/promtext.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 63 /* bytes; Prometheus's clients write at most 24 */

struct cursor {
    const char *at, *end;
};

struct span {
    const char *bytes;
    size_t length;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static void skip_blank(struct cursor *cursor)
{
    while (cursor->at < cursor->end && is_blank(*cursor->at))
        cursor->at++;
}

static bool take_byte(struct cursor *cursor, char byte)
{
    if (cursor->at == cursor->end || *cursor->at != byte)
        return false;
    cursor->at++;
    return true;
}

/* A metric's name may hold colons, a label's may not. */
static bool take_name(struct cursor *cursor, bool colons, struct span *name)
{
    name->bytes = cursor->at;
    while (cursor->at < cursor->end &&
           (is_letter(*cursor->at) || (colons && *cursor->at == ':') || (cursor->at > name->bytes && is_digit(*cursor->at))))
        cursor->at++;
    name->length = (size_t)(cursor->at - name->bytes);
    return name->length > 0;
}

/* Between the quotes, escapes as they stand. */
static bool take_quoted(struct cursor *cursor, struct span *value)
{
    if (!take_byte(cursor, '"'))
        return false;
    value->bytes = cursor->at;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        unsigned char byte = (unsigned char)*cursor->at++;
        if (byte < 0x20 || byte == 0x7F)
            return false;
        if (byte == '\\' && (cursor->at == cursor->end || (unsigned char)*cursor->at++ < 0x20))
            return false;
    }
    value->length = (size_t)(cursor->at - value->bytes);
    return take_byte(cursor, '"');
}

static bool take_label(struct cursor *cursor, struct span *label, struct span *value)
{
    skip_blank(cursor);
    if (!take_name(cursor, false, label))
        return false;
    skip_blank(cursor);
    if (!take_byte(cursor, '='))
        return false;
    skip_blank(cursor);
    if (!take_quoted(cursor, value))
        return false;
    skip_blank(cursor);
    return true;
}

/* "{a="b",c="d"}"; a comma may stand before the brace. */
static bool skip_labels(struct cursor *cursor)
{
    struct span label, value;
    if (!take_byte(cursor, '{'))
        return false;
    for (;;) {
        skip_blank(cursor);
        if (take_byte(cursor, '}'))
            return true;
        if (!take_label(cursor, &label, &value))
            return false;
        if (!take_byte(cursor, ','))
            return take_byte(cursor, '}');
    }
}

static struct span take_word(struct cursor *cursor)
{
    skip_blank(cursor);
    struct span word = {cursor->at, 0};
    while (cursor->at < cursor->end && !is_blank(*cursor->at))
        cursor->at++;
    word.length = (size_t)(cursor->at - word.bytes);
    return word;
}

/* What strtod reads but Prometheus does not write stays out: hexadecimal, "nan(1)", NULs. */
static bool read_number(struct span word, double *number)
{
    char text[NUMBER_MAX + 1], *end;
    if (word.length == 0 || word.length > NUMBER_MAX || memchr(word.bytes, 0, word.length))
        return false;
    if (!strchr("+-.0123456789NIni", word.bytes[0]))
        return false;
    memcpy(text, word.bytes, word.length);
    text[word.length] = '\0';
    if (strpbrk(text, "xX("))
        return false;
    *number = strtod(text, &end);
    return *end == '\0';
}

/* Behind the value: nothing, a timestamp, an exemplar ("# {...} 1 2"). */
static bool is_tail(struct cursor *cursor)
{
    double ignored;
    skip_blank(cursor);
    if (cursor->at == cursor->end || *cursor->at == '#')
        return true;
    if (!read_number(take_word(cursor), &ignored))
        return false;
    skip_blank(cursor);
    return cursor->at == cursor->end || *cursor->at == '#';
}

static bool read_sample(struct span line, struct promtext_sample *sample)
{
    struct cursor cursor = {line.bytes, line.bytes + line.length};
    struct span name;
    if (!take_name(&cursor, true, &name))
        return false;
    sample->series = name.bytes;
    sample->name_length = name.length;
    const char *end = cursor.at;
    skip_blank(&cursor);
    if (cursor.at < cursor.end && *cursor.at == '{') {
        if (!skip_labels(&cursor))
            return false;
        end = cursor.at;
    } else if (cursor.at == end) {
        return false;
    }
    sample->series_length = (size_t)(end - name.bytes);
    return read_number(take_word(&cursor), &sample->value) && is_tail(&cursor);
}

/* Without blanks at both ends and the CR of a CRLF. */
static struct span trim_line(const char *bytes, size_t length)
{
    while (length > 0 && (is_blank(bytes[length - 1]) || bytes[length - 1] == '\r'))
        length--;
    while (length > 0 && is_blank(*bytes)) {
        bytes++;
        length--;
    }
    return (struct span){bytes, length};
}

size_t promtext_read(const char *text, size_t length, promtext_handler handler, void *context, size_t *broken)
{
    size_t samples = 0, bad = 0;
    while (length > 0) {
        const char *lf = memchr(text, '\n', length);
        size_t size = lf ? (size_t)(lf - text) : length;
        struct span line = trim_line(text, size);
        struct promtext_sample sample;
        if (!lf) {
            bad += line.length > 0 ? 1 : 0;
            break;
        }
        if (line.length > 0 && *line.bytes != '#') {
            if (read_sample(line, &sample)) {
                samples++;
                handler(context, &sample);
            } else {
                bad++;
            }
        }
        text += size + 1;
        length -= size + 1;
    }
    if (broken)
        *broken = bad;
    return samples;
}
