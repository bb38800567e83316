/* Which words of a command line look like secrets. It is better to withhold too much. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "wire/kubernetes.h"

#define WORD_MAX ((size_t)32)
#define SECRET_LENGTH_MIN 20 /* of what begins like a token of somebody's */

static bool is_one_of(const char *word, size_t length, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == length && strncasecmp(*list, word, length) == 0)
            return true;
    return false;
}

/* "--hf-token", "API_KEY", "clientSecret": --max-num-batched-tokens and --tokenizer are none, as a last word must be "token" itself. */
static bool is_secret_name(const char *name, size_t length)
{
    static const char *const anywhere[] = {"secret", "secrets", "password", "passwd", "passphrase", "credential", "credentials", "apikey",
                                           "authorization", "bearer", NULL};
    static const char *const last[] = {"key", "keys", "token", "pass", "pwd", "auth", "basic", NULL};
    size_t begin = 0;
    for (size_t k = 0; k <= length; k++) {
        bool camel = k > 0 && k < length && isupper((unsigned char)name[k]) && islower((unsigned char)name[k - 1]);
        if (k < length && isalnum((unsigned char)name[k]) && !camel)
            continue;
        if (k > begin && (is_one_of(name + begin, k - begin, anywhere) || (k == length && is_one_of(name + begin, k - begin, last))))
            return true;
        begin = camel ? k : k + 1;
    }
    return false;
}

/* Names inside JSON or a configuration: any that stands before a quote, a colon or an equals sign. */
static bool holds_secret_name(const char *text)
{
    for (const char *at = text; *at;) {
        size_t length = 0;
        while (isalnum((unsigned char)at[length]) || at[length] == '_' || at[length] == '-')
            length++;
        if (length > 0 && at[length] && strchr("\"':=", at[length]) && is_secret_name(at, length))
            return true;
        at += length > 0 ? length : 1;
    }
    return false;
}

/* What tokens of well-known services begin with. */
static bool is_secret_value(const char *value)
{
    static const char *const beginnings[] = {"hf_", "sk-", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "eyJ", "AKIA", "nvapi-", NULL};
    for (const char *const *beginning = beginnings; *beginning; beginning++)
        if (strncmp(value, *beginning, strlen(*beginning)) == 0 && strlen(value) >= SECRET_LENGTH_MIN)
            return true;
    return false;
}

/* "s3://user:secret@host/x" -> "s3://(withheld)@host/x". */
static void append_value(struct buf *out, const char *value)
{
    const char *scheme = strstr(value, "://"), *host = scheme ? scheme + 3 : NULL;
    size_t user = host ? strcspn(host, "@/?#\"' ") : 0;
    if (host && host[user] == '@')
        buf_printf(out, "%.*s" KUBERNETES_WITHHELD "%s", (int)(host - value), value, host + user);
    else
        buf_append_text(out, is_secret_value(value) ? KUBERNETES_WITHHELD : value);
}

/* One word without blanks. */
static void append_word(struct buf *out, const char *word, bool *next)
{
    size_t name = strcspn(word, "=:");
    bool was_next = *next, is_scheme = strncmp(word + name, "://", 3) == 0, bare = word[name] == '\0' || word[name + 1] == '\0';
    *next = !is_scheme && bare && is_secret_name(word, name);
    if (was_next && !(word[0] == '-' && word[1] == '-'))
        buf_append_text(out, KUBERNETES_WITHHELD);
    else if (!is_scheme && !bare && is_secret_name(word, name))
        buf_printf(out, "%.*s" KUBERNETES_WITHHELD, (int)name + 1, word);
    else {
        size_t before = word[name] == '=' ? name + 1 : 0;
        buf_append(out, word, before);
        append_value(out, word + before);
    }
}

const char *kubernetes_withhold(const char *argument, bool *next, struct arena *arena)
{
    static const char blanks[] = " \t\r\n\v\f";
    cleanup_buf struct buf out = BUF_INIT(WORD_MAX * KUBERNETES_TEXT_MAX);
    cleanup_free char *copy = mem_strndup(argument, KUBERNETES_TEXT_MAX);
    if (strpbrk(argument, "{[") && holds_secret_name(argument)) {
        size_t name = strcspn(copy, "={[ \t\r\n");
        *next = false;
        return arena_printf(arena, "%.*s" KUBERNETES_WITHHELD, (int)(copy[name] == '=' ? name + 1 : 0), copy);
    }
    for (char *rest = copy, *word; (word = strsep(&rest, blanks));)
        if (word[0]) {
            if (out.len > 0)
                buf_append_char(&out, ' ');
            append_word(&out, word, next);
        }
    return arena_strdup(arena, buf_text(&out));
}
