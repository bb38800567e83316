#include "wire/aws_keys.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wire/xml.h"

#define KEY_MAX 8192 /* bytes of a key or token */

void aws_secret_free(char *secret)
{
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

void aws_keys_free(struct aws_keys *keys)
{
    free(keys->access_key_id);
    aws_secret_free(keys->secret_access_key);
    aws_secret_free(keys->session_token);
    *keys = (struct aws_keys){0};
}

static bool is_visible(const char *text)
{
    const size_t length = strlen(text);

    for (size_t k = 0; k < length; k++) {
        if (text[k] <= ' ' || text[k] >= 0x7f)
            return false;
    }
    return length > 0 && length <= KEY_MAX;
}

int aws_keys_check(const struct aws_keys *keys, const char *from, struct error *err)
{
    if (!is_visible(keys->access_key_id) || strpbrk(keys->access_key_id, "/,="))
        return error_set(err, ERROR_PUBLISH, "the access key id from %s is none: it has letters and digits only", from);
    if (!is_visible(keys->secret_access_key))
        return error_set(err, ERROR_PUBLISH, "the secret access key from %s is none: it is empty, or has a space or line break in it", from);
    if (keys->session_token && !is_visible(keys->session_token))
        return error_set(err, ERROR_PUBLISH, "the session token from %s is none: it is empty, or has a space or line break in it", from);
    return 0;
}

/* ---- JSON ---- */

/* jansson frees its strings as they are: their bytes are cleared before. */
static void clear_texts(const json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (json_is_string(value))
            OPENSSL_cleanse((char *)(uintptr_t)json_string_value(value), json_string_length(value));
    }
}

static int take_members(const json_t *object, struct aws_keys *keys, struct error *err)
{
    const char *id = json_string_value(json_object_get(object, "AccessKeyId"));
    const char *secret = json_string_value(json_object_get(object, "SecretAccessKey"));
    const char *token = json_string_value(json_object_get(object, "Token"));
    const char *expires = json_string_value(json_object_get(object, "Expiration"));

    if (!id || !secret)
        return error_set(err, ERROR_TARGET, "no keys in the answer");
    *keys = (struct aws_keys){.expires_ns = TIME_FOREVER};
    if (expires && clock_parse_rfc3339(expires, &keys->expires_ns) < 0)
        return error_set(err, ERROR_TARGET, "Expiration of the keys is no time");
    keys->access_key_id = mem_strdup(id);
    keys->secret_access_key = mem_strdup(secret);
    keys->session_token = token ? mem_strdup(token) : NULL;
    return 0;
}

int aws_keys_read_json(const char *bytes, size_t length, struct aws_keys *keys, struct error *err)
{
    json_t *root = json_loadb(bytes, length, 0, NULL);
    const int result = json_is_object(root) ? take_members(root, keys, err) : error_set(err, ERROR_TARGET, "the answer is no object of JSON");

    if (json_is_object(root))
        clear_texts(root);
    json_decref(root);
    return result;
}

/* ---- STS ---- */

struct sts_reading {
    struct aws_keys keys;
    bool bad_time;
};

static void take_credential(void *context, const char *path, const char *text)
{
    static const char prefix[] = "/AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/";
    struct sts_reading *reading = context;

    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return;

    const char *name = path + sizeof prefix - 1;
    char **into = NULL;

    if (strcmp(name, "Expiration") == 0)
        reading->bad_time |= clock_parse_rfc3339(text, &reading->keys.expires_ns) < 0;
    else if (strcmp(name, "AccessKeyId") == 0)
        into = &reading->keys.access_key_id;
    else if (strcmp(name, "SecretAccessKey") == 0)
        into = &reading->keys.secret_access_key;
    else if (strcmp(name, "SessionToken") == 0)
        into = &reading->keys.session_token;
    if (into) {
        aws_secret_free(*into);
        *into = mem_strdup(text);
    }
}

int aws_keys_read_sts(const char *bytes, size_t length, struct aws_keys *keys, struct error *err)
{
    struct sts_reading reading = {.keys = {.expires_ns = TIME_FOREVER}};
    int result = xml_read(bytes, length, take_credential, &reading, err);

    if (result == 0 && (!reading.keys.access_key_id || !reading.keys.secret_access_key || reading.bad_time))
        result = error_set(err, ERROR_TARGET, "no keys in the answer");
    if (result < 0)
        aws_keys_free(&reading.keys);
    else
        *keys = reading.keys;
    return result;
}

/* ---- files ---- */

struct line {
    const char *text;
    size_t length;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct line trimmed(const char *text, size_t length)
{
    while (length > 0 && is_blank(text[length - 1]))
        length--;
    while (length > 0 && is_blank(*text)) {
        text++;
        length--;
    }
    return (struct line){text, length};
}

static bool equals(struct line line, const char *text)
{
    return line.length == strlen(text) && memcmp(line.text, text, line.length) == 0;
}

/* Is "[...]" the section of this profile? */
static bool is_section_of(struct line line, const char *name, bool config)
{
    const char *end = memchr(line.text, ']', line.length);
    struct line inside = end ? trimmed(line.text + 1, (size_t)(end - line.text) - 1) : (struct line){line.text, 0};
    static const char word[] = "profile";

    if (!end)
        return false;
    if (!config || (strcmp(name, "default") == 0 && equals(inside, name)))
        return equals(inside, name);
    if (inside.length < sizeof word || memcmp(inside.text, word, sizeof word - 1) != 0 || !is_blank(inside.text[sizeof word - 1]))
        return false;
    inside = trimmed(inside.text + sizeof word - 1, inside.length - (sizeof word - 1));
    if (inside.length >= 2 && *inside.text == '"' && inside.text[inside.length - 1] == '"')
        inside = (struct line){inside.text + 1, inside.length - 2};
    return equals(inside, name);
}

static char **member_of(struct aws_profile *profile, struct line key)
{
    const struct {
        const char *name;
        char **member;
    } rows[] = {
        {"aws_access_key_id", &profile->access_key_id},
        {"aws_secret_access_key", &profile->secret_access_key},
        {"aws_session_token", &profile->session_token},
        {"region", &profile->region},
        {"role_arn", &profile->role_arn},
        {"role_session_name", &profile->role_session_name},
        {"web_identity_token_file", &profile->web_identity_token_file},
        {"endpoint_url", &profile->endpoint_url},
    };

    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        if (equals(key, rows[k].name))
            return rows[k].member;
    }
    return NULL;
}

static bool is_foreign(struct line key)
{
    static const char *const names[] = {"credential_process", "sso_session", "sso_start_url", "source_profile", "credential_source", "login_session"};

    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        if (equals(key, names[k]))
            return true;
    }
    return false;
}

/* The keys of one file belong together: those of another must not complete them. */
static bool is_key(const struct aws_profile *profile, char *const *member)
{
    return member == &profile->access_key_id || member == &profile->secret_access_key || member == &profile->session_token;
}

static void take_line(struct aws_profile *profile, struct line line, bool keys_known)
{
    const char *sign = memchr(line.text, '=', line.length);

    if (!sign)
        return;

    const struct line key = trimmed(line.text, (size_t)(sign - line.text));
    const struct line value = trimmed(sign + 1, line.length - (size_t)(sign - line.text) - 1);
    char **member = member_of(profile, key);

    if (member && keys_known && is_key(profile, member))
        return;
    if (!member && !profile->foreign && is_foreign(key))
        profile->foreign = mem_strndup(key.text, key.length);
    if (member && !*member && value.length > 0 && value.length <= KEY_MAX && !memchr(value.text, '\0', value.length))
        *member = mem_strndup(value.text, value.length);
}

void aws_profile_read(struct aws_profile *profile, const char *text, size_t length, const char *name, bool config)
{
    const bool keys_known = profile->access_key_id || profile->secret_access_key;
    bool inside = false;

    for (size_t at = 0; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        const size_t end = newline ? (size_t)(newline - text) : length;
        const bool indented = text[at] == ' ' || text[at] == '\t';
        const struct line line = trimmed(text + at, end - at);

        at = end + 1;
        if (line.length == 0 || *line.text == '#' || *line.text == ';' || indented)
            continue;
        if (*line.text == '[') {
            inside = is_section_of(line, name, config);
            profile->found |= inside;
        } else if (inside) {
            take_line(profile, line, keys_known);
        }
    }
}

void aws_profile_free(struct aws_profile *profile)
{
    free(profile->access_key_id);
    aws_secret_free(profile->secret_access_key);
    aws_secret_free(profile->session_token);
    free(profile->region);
    free(profile->role_arn);
    free(profile->role_session_name);
    free(profile->web_identity_token_file);
    free(profile->endpoint_url);
    free(profile->foreign);
    *profile = (struct aws_profile){0};
}
