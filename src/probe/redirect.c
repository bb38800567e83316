#include "probe/redirect.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

bool redirect_is(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* "https://h/v1/models/" -> "https://h/v1", or NULL: that is no list of models. free() it. */
static char *find_root(const char *location)
{
    static const char list[] = "/models";
    size_t length = strlen(location);
    while (length > 0 && location[length - 1] == '/')
        length--;
    if (length < strlen(list) || strncmp(location + length - strlen(list), list, strlen(list)) != 0)
        return NULL;
    char *root = mem_printf("%.*s", (int)(length - strlen(list)), location);
    if (http_url_check(root, NULL) == 0)
        return root;
    free(root);
    return NULL;
}

/* NULL: nothing; else why what only this server may know does not go there. */
static const char *find_leak(const struct probe *probe, const char *url, const char *root)
{
    if (!probe->has_secrets)
        return NULL;
    if (!http_url_same_host(url, root))
        return "The API key and headers given are not sent to another host";
    return http_url_is_https(url) && !http_url_is_https(root) ? "The API key and headers given are not sent without TLS" : NULL;
}

int redirect_follow(struct probe *probe, const char *url, const struct http_response *response, struct error *err)
{
    if (!response->location[0])
        return error_set(err, ERROR_TARGET, "%s: HTTP %d, a redirect that does not say where to", url, response->status);
    cleanup_free char *location = http_url_redacted(response->location);
    cleanup_free char *root = find_root(location);
    if (!root)
        return error_set(err, ERROR_TARGET, "%s: HTTP %d: redirected to %s, which is no list of models: a page to log in, or a proxy's? "
                         "--target is the API's root, as in http://host:8000/v1", url, response->status, location);
    if (!probe->moves)
        return error_set(err, ERROR_TARGET, "%s: HTTP %d: redirected to %s. If that is what shall be measured, give --target %s, or --allow-redirect",
                         url, response->status, location, root);
    const char *leak = find_leak(probe, url, root);
    if (leak)
        return error_set(err, ERROR_TARGET, "%s: HTTP %d: redirected to %s. %s. If that is what shall be measured, give --target %s", url,
                         response->status, location, leak, root);
    if (probe->moved == REDIRECTS_MAX)
        return error_set(err, ERROR_TARGET, "%s: HTTP %d: redirected to %s, after %d redirects: none more are followed", url, response->status,
                         location, REDIRECTS_MAX);
    probe->moved++;
    probe->moved_from = probe->moved_from ? probe->moved_from : probe->target;
    probe->target = arena_strdup(probe->moves, root);
    return 0;
}
