#include "cmd/roibench/prepare_member.h"

#include <string.h>

#include "base/json.h"
#include "plan/dataset_body.h"

void prepare_member_init(struct prepare_member *member)
{
    *member = (struct prepare_member){.json = BUF_INIT(DATASET_LINE_MAX)};
}

void prepare_member_free(struct prepare_member *member)
{
    buf_free(&member->json);
}

/* A text in quotes; the first one is where the head goes. */
static void append_text(struct prepare_member *member, const char *text, size_t length)
{
    if (member->head == 0)
        member->head = member->json.len + 1;
    member->text_bytes += length;
    json_append_quoted(&member->json, text, length);
}

static void append_key(struct prepare_member *member, const char *key, bool first)
{
    if (!first)
        buf_append_char(&member->json, ',');
    json_append_quoted(&member->json, key, strlen(key));
    buf_append_char(&member->json, ':');
}

static void append_object(struct prepare_member *member, json_t *object, const char *text_key);

/* Of a content that is an array. */
static void append_part(struct prepare_member *member, json_t *part)
{
    if (json_is_object(part))
        append_object(member, part, "text");
    else
        json_append_compact(part, &member->json);
}

/* An object as it is, but for the text under `key`, which is written as a text of the prompt; so are the parts of an array under it. */
static void append_object(struct prepare_member *member, json_t *object, const char *text_key)
{
    const char *key;
    json_t *value;
    bool first = true;
    buf_append_char(&member->json, '{');
    json_object_foreach(object, key, value)
    {
        bool content = strcmp(key, text_key) == 0;
        append_key(member, key, first);
        first = false;
        if (content && json_is_string(value)) {
            append_text(member, json_string_value(value), json_string_length(value));
        } else if (content && json_is_array(value)) {
            buf_append_char(&member->json, '[');
            for (size_t k = 0; k < json_array_size(value); k++) {
                if (k > 0)
                    buf_append_char(&member->json, ',');
                append_part(member, json_array_get(value, k));
            }
            buf_append_char(&member->json, ']');
        } else {
            json_append_compact(value, &member->json);
        }
    }
    buf_append_char(&member->json, '}');
}

static void write_messages(struct prepare_member *member)
{
    member->messages = json_array_size(member->rows_messages);
    buf_append_text(&member->json, "\"messages\":[");
    for (size_t k = 0; k < member->messages; k++) {
        if (k > 0)
            buf_append_char(&member->json, ',');
        append_object(member, json_array_get(member->rows_messages, k), "content");
    }
    buf_append_char(&member->json, ']');
}

static void write_member(struct prepare_member *member)
{
    buf_reset(&member->json);
    member->head = member->text_bytes = 0;
    member->messages = 1;
    if (member->rows_messages) {
        write_messages(member);
    } else if (member->endpoint == ENDPOINT_CHAT) {
        buf_append_text(&member->json, "\"messages\":[{\"role\":\"user\",\"content\":");
        append_text(member, member->text, member->text_length);
        buf_append_text(&member->json, "}]");
    } else {
        buf_append_text(&member->json, "\"prompt\":");
        append_text(member, member->text, member->text_length);
    }
}

int prepare_member_of_row(struct prepare_member *member, const struct dataset_row *row, enum endpoint endpoint, struct error *err)
{
    member->rows_messages = row->kind == DATASET_MESSAGES ? row->messages : NULL;
    member->endpoint = endpoint;
    member->text = row->text;
    member->text_length = row->text_length;
    if (member->rows_messages && endpoint != ENDPOINT_CHAT)
        return error_set(err, ERROR_USAGE, "expected a prompt, found messages: these go to --endpoint chat");
    write_member(member);
    if (member->head == 0)
        return error_set(err, ERROR_USAGE, "expected messages with a text");
    return member->json.overflowed ? error_set(err, ERROR_USAGE, "expected a prompt that is not so large") : 0;
}

/* Not within a character. */
static size_t cut(const char *text, size_t length, double share)
{
    size_t kept = (size_t)((double)length * share);
    while (kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80)
        kept--;
    return kept;
}

/* Of a chat, the longest message is shortened by all that is too much. */
static bool shorten_messages(struct prepare_member *member, double share)
{
    double excess = (double)member->text_bytes * (1 - share);
    json_t *longest = NULL;
    size_t length = 0;
    for (size_t k = 0; k < json_array_size(member->rows_messages); k++) {
        json_t *message = json_array_get(member->rows_messages, k);
        if (json_string_length(json_object_get(message, "content")) > length) {
            longest = message;
            length = json_string_length(json_object_get(message, "content"));
        }
    }
    if ((double)length <= excess)
        return false;
    const char *text = json_string_value(json_object_get(longest, "content"));
    size_t kept = cut(text, length, 1 - excess / (double)length);
    json_object_set_new(longest, "content", json_stringn(text, kept));
    return kept > 0;
}

bool prepare_member_shorten(struct prepare_member *member, double share)
{
    if (share >= 1)
        return false;
    if (member->rows_messages) {
        if (!shorten_messages(member, share))
            return false;
    } else {
        member->text_length = cut(member->text, member->text_length, share);
        if (member->text_length == 0)
            return false;
    }
    write_member(member);
    return true;
}

void prepare_member_with_head(const struct prepare_member *member, const struct material *material, struct random *random, struct buf *out)
{
    buf_append(out, member->json.data, member->head);
    if (material)
        dataset_append_head(material, random, out);
    buf_append(out, member->json.data + member->head, member->json.len - member->head);
}
