#include "probe/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/openai.h"

char *probe_url(const struct probe *probe, const char *path)
{
    return mem_printf("%s%s", probe->target, path);
}

int probe_refused(const char *what, const char *url, const struct http_response *response, struct error *err)
{
    char message[OPENAI_MESSAGE_SIZE];
    openai_error_message(buf_text(&response->body), response->body.len, message, sizeof message);
    return error_set(err, ERROR_TARGET, "%s: %s: HTTP %d: %s%s", what, url, response->status, message, openai_refusal_advice(response->status));
}
