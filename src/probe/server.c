#include "probe/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "wire/openai.h"

char *probe_url(const struct probe *probe, const char *path)
{
    return mem_printf("%s%s", probe->target, path);
}

int probe_refused(const char *what, const char *url, const struct http_response *response, struct error *err)
{
    char message[OPENAI_MESSAGE_SIZE];
    if (response->location[0]) {
        cleanup_free char *location = http_url_redacted(response->location);
        return error_set(err, ERROR_TARGET, "%s: %s: HTTP %d: redirected to %s; requests are not sent on. --target is the API's root there", what,
                         url, response->status, location);
    }
    openai_error_message(buf_text(&response->body), response->body.len, message, sizeof message);
    return error_set(err, ERROR_TARGET, "%s: %s: HTTP %d: %s%s", what, url, response->status, message, openai_refusal_advice(response->status));
}
