#include "wire/docker_config.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"

#define AUTH_MAX ((size_t)64 << 10) /* characters of base64; tokens as passwords are long */

/* Docker Hub has one name for people and another in files. */
static const char *known_as(const char *registry)
{
    return strcmp(registry, "docker.io") == 0 || strcmp(registry, "registry-1.docker.io") == 0 ? "index.docker.io" : registry;
}

static void forget(char **secret)
{
    if (*secret)
        OPENSSL_cleanse(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

void registry_login_free(struct registry_login *login)
{
    forget(&login->user);
    forget(&login->password);
    forget(&login->identity_token);
    forget(&login->registry_token);
    free(login->helper);
    login->helper = NULL;
}

/* ---- which entry ---- */

/* How much of the place a key names; 0: another place. "https://host/v1/" means the host. */
static size_t fit(const char *key, const char *place)
{
    const char *from = strncasecmp(key, "https://", 8) == 0 ? key + 8 : strncasecmp(key, "http://", 7) == 0 ? key + 7 : key;
    size_t length = strlen(from);

    while (length > 0 && from[length - 1] == '/')
        length--;
    if (length > 3 && (strncmp(from + length - 3, "/v1", 3) == 0 || strncmp(from + length - 3, "/v2", 3) == 0))
        length -= 3;
    if (length == 0 || strncasecmp(from, place, length) != 0)
        return 0;
    return place[length] == '/' || place[length] == '\0' ? length : 0;
}

static const json_t *best_entry(const json_t *auths, const char *place, const char **best_key)
{
    const json_t *best = NULL;
    size_t best_length = 0;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)auths, key, value) {
        const size_t length = fit(key, place);

        if (length > best_length) {
            best = value;
            best_key[0] = key;
            best_length = length;
        }
    }
    return best;
}

static const char *helper_for(const json_t *helpers, const char *place)
{
    const char *key = NULL;
    const json_t *entry = best_entry(helpers, place, &key);

    const char *name = json_string_value(entry);

    return name && *name ? name : NULL;
}

/* ---- what it says ---- */

/* base64, with or without padding, of "user:password"; Docker itself pads with NUL bytes. */
static bool decode(const char *auth, struct registry_login *login)
{
    const size_t given = strlen(auth), padding = (4 - given % 4) % 4;

    if (given == 0 || given > AUTH_MAX || padding == 3)
        return false;

    cleanup_free char *padded = mem_printf("%s%.*s", auth, (int)padding, "===");
    char *plain = mem_alloc(given + 4);
    const int length = EVP_DecodeBlock((unsigned char *)plain, (const unsigned char *)padded, (int)(given + padding));
    char *colon = length > 0 ? memchr(plain, ':', (size_t)length) : NULL;

    if (colon && colon > plain && strlen(plain) > (size_t)(colon - plain)) {
        login->user = mem_printf("%.*s", (int)(colon - plain), plain);
        login->password = mem_strdup(colon + 1);
    }
    OPENSSL_cleanse(plain, given + 4);
    OPENSSL_cleanse(padded, given + padding);
    free(plain);
    return login->user != NULL;
}

static char *copy_if_any(const char *text)
{
    return *text ? mem_strdup(text) : NULL;
}

/* A header would end where a line ends. */
static bool is_plain(const char *text)
{
    if (!text)
        return true;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < ' ' || *c == 0x7F)
            return false;
    }
    return true;
}

/* 1; 0: it is empty; -1: something is there that nobody writes. */
static int read_entry(struct json_reader *reader, const json_t *entry, struct registry_login *login)
{
    const char *auth = json_get_text_or(reader, entry, "auth", "");
    const char *user = json_get_text_or(reader, entry, "username", ""), *password = json_get_text_or(reader, entry, "password", "");
    const char *identity = json_get_text_or(reader, entry, "identitytoken", ""), *token = json_get_text_or(reader, entry, "registrytoken", "");

    if (reader->failed)
        return -1;
    login->identity_token = copy_if_any(identity);
    login->registry_token = copy_if_any(token);
    if (*user && *password) {
        login->user = mem_strdup(user);
        login->password = mem_strdup(password);
    } else if (*auth && !decode(auth, login) && !login->identity_token) {
        return -1;
    }
    if (!is_plain(login->user) || !is_plain(login->password) || !is_plain(login->identity_token) || !is_plain(login->registry_token))
        return -1;
    return login->user || login->identity_token || login->registry_token ? 1 : 0;
}

static int find(struct json_reader *reader, const json_t *document, const char *place, struct registry_login *login, const char **key)
{
    const json_t *auths = json_get_object_or_null(reader, document, "auths"), *helpers = json_get_object_or_null(reader, document, "credHelpers");
    const char *store = json_get_text_or(reader, document, "credsStore", "");

    if (reader->failed)
        return -1;

    const json_t *entry = best_entry(auths, place, key);
    const char *helper = helper_for(helpers, place);

    login->helper = helper ? mem_strdup(helper) : copy_if_any(store);
    if (!entry)
        return 0;
    return json_is_object(entry) ? read_entry(reader, entry, login) : -1;
}

/* The texts of jansson and of base/json show a part of what is wrong, which may be a secret: they are not used. */
int docker_config_find(const char *bytes, size_t length, const char *file, const char *registry, const char *repository,
                       struct registry_login *login, struct error *err)
{
    cleanup_free char *place = mem_printf("%s/%s", known_as(registry), repository);
    const char *key = NULL;
    struct json_reader reader = {.file = file};
    json_error_t where;
    json_t *document = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &where);

    *login = (struct registry_login){0};
    if (!document)
        return error_set(err, ERROR_USAGE, "%s: line %d, column %d: not JSON", file, where.line, where.column);

    const int result = json_is_object(document) ? find(&reader, document, place, login, &key) : -1;

    if (result < 0)
        error_set(err, ERROR_USAGE, "%s: %s%.200s: not as Docker and Podman write it: an entry of auths has auth, the base64 of user:password, or identitytoken",
                  file, key ? "auths, " : "auths, credHelpers or credsStore", key ? key : "");
    json_decref(document);
    return result;
}
