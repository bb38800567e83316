#include "ship/registry_place.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "net/http_client.h"

#define DIGEST_PREFIX "sha256:"
#define SHA256_HEX 64
#define REPOSITORY_MAX 255

void registry_place_free(struct registry_place *place)
{
    free(place->host);
    free(place->base);
    free(place->repository);
    free(place->tag);
    free(place->digest);
    *place = (struct registry_place){0};
}

bool registry_place_is_digest(const char *text)
{
    const size_t prefix = strlen(DIGEST_PREFIX);

    return strncmp(text, DIGEST_PREFIX, prefix) == 0 && strspn(text + prefix, "0123456789abcdef") == SHA256_HEX && text[prefix + SHA256_HEX] == '\0';
}

/* [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} */
static bool is_tag_char(char c, bool first)
{
    return isalnum((unsigned char)c) || c == '_' || (!first && (c == '.' || c == '-'));
}

static bool is_tag(const char *text)
{
    size_t length = 0;

    while (text[length] && is_tag_char(text[length], length == 0))
        length++;
    return length > 0 && length <= OCI_TAG_MAX && text[length] == '\0';
}

char *registry_place_tag_of(const char *name)
{
    const size_t length = strlen(name), end = strlen(".tar.gz");
    const bool usual = length > end && strcmp(name + length - end, ".tar.gz") == 0;
    char *tag = mem_printf("%.*s", (int)(usual ? length - end : length), name);

    for (size_t k = 0; tag[k]; k++) {
        if (!is_tag_char(tag[k], k == 0))
            tag[k] = k == 0 ? '_' : '-';
    }
    /* The end tells archives apart: a new name has digits of its content there. */
    if (strlen(tag) > OCI_TAG_MAX)
        memmove(tag, tag + strlen(tag) - OCI_TAG_MAX, OCI_TAG_MAX + 1);
    if (!is_tag_char(*tag, true))
        *tag = '_';
    return tag;
}

/* Parts of [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*, with slashes between. */
static bool is_repository(const char *text)
{
    bool was_mark = true;

    if (strlen(text) > REPOSITORY_MAX)
        return false;
    for (const char *c = text; *c; c++) {
        if (islower((unsigned char)*c) || isdigit((unsigned char)*c)) {
            was_mark = false;
        } else if (*c == '/') {
            if (was_mark)
                return false;
            was_mark = true;
        } else {
            const size_t marks = strspn(c, *c == '-' ? "-" : *c == '_' ? "_" : *c == '.' ? "." : "");

            if (was_mark || marks == 0 || (*c == '.' && marks > 1) || (*c == '_' && marks > 2))
                return false;
            was_mark = true;
            c += marks - 1;
        }
    }
    return !was_mark;
}

static bool is_this_machine(const char *host)
{
    return strncasecmp(host, "localhost", 9) == 0 ? host[9] == ':' || host[9] == '\0'
                                                   : strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0;
}

static int check(const struct registry_place *place, const char *to, struct error *err)
{
    if (http_url_check(place->base, err) < 0)
        return -1;
    if (strpbrk(place->host, "?#"))
        return error_set(err, ERROR_USAGE, "%.200s: a registry is a host, or host:port", to);
    if (!is_repository(place->repository))
        return error_set(err, ERROR_USAGE, "%.200s: expected oci://registry/repository or oci://registry/repository:tag, the repository in small letters, digits and . _ - /",
                         to);
    if (place->tag && !is_tag(place->tag))
        return error_set(err, ERROR_USAGE, "%.200s: a tag has letters, digits, . _ and -, %d at most, and begins with neither . nor -", to, OCI_TAG_MAX);
    if (place->digest && !registry_place_is_digest(place->digest))
        return error_set(err, ERROR_USAGE, "%.200s: a digest is sha256: and %d digits", to, SHA256_HEX);
    return 0;
}

int registry_place_parse(const char *to, struct registry_place *place, struct error *err)
{
    const char *host = strstr(to, "://") + 3, *path = host + strcspn(host, "/");
    const bool plain = strncasecmp(to, "oci+http:", strlen("oci+http:")) == 0;
    cleanup_free char *rest = mem_strdup(*path ? path + 1 : "");
    char *at = strchr(rest, '@'), *digest = at ? at + 1 : NULL;

    if (at)
        *at = '\0';

    char *colon = strchr(rest, ':'), *tag = colon ? colon + 1 : NULL;

    if (colon)
        *colon = '\0';
    *place = (struct registry_place){.host = mem_printf("%.*s", (int)(path - host), host), .repository = mem_strdup(rest),
                                     .tag = tag ? mem_strdup(tag) : NULL, .digest = digest ? mem_strdup(digest) : NULL};
    place->base = mem_printf("%s://%s", plain || is_this_machine(place->host) ? "http" : "https", place->host);
    if (check(place, to, err) == 0)
        return 0;
    registry_place_free(place);
    return -1;
}
