#include "support/properties_pattern.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "wire/pattern.h"

#define EXPRESSION_MAX 40 /* regcomp(3) and regexec(3) need for ever for some longer ones */
#define TEXT_MAX 400

/* The end of the first line in which the C library finds it; NULL: in none. The text holds no NUL. */
static const char *referee(const regex_t *regex, const char *text, size_t length)
{
    const char *end = text + length;

    for (const char *at = text; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));

        if (!line_end)
            line_end = end;

        cleanup_free char *line = mem_strndup(at, (size_t)(line_end - at));

        if (regexec(regex, line, 0, NULL, 0) == 0)
            return line_end;
        at = line_end + 1;
    }
    return NULL;
}

/* The same by ours, in pieces. */
static const char *found(struct pattern *pattern, const char *text, size_t length, size_t piece)
{
    pattern_begin(pattern);
    for (size_t k = 0; k < length; k += piece) {
        const size_t size = length - k < piece ? length - k : piece;
        size_t at = 0;
        const enum pattern_result result = pattern_search(pattern, text + k, size, &at);

        if (result == PATTERN_TOO_COMPLEX || at > size)
            abort();
        if (result == PATTERN_FOUND) {
            const char *line_end = memchr(text + k + at, '\n', length - k - at);

            return line_end ? line_end : text + length;
        }
    }
    return pattern_end(pattern) == PATTERN_FOUND ? text + length : NULL;
}

static void compare(struct pattern *pattern, const char *expression, const char *text, size_t length)
{
    regex_t regex;

    for (const char *c = expression; *c; c++) {
        if (strncmp(c, "[.", 2) == 0 || strncmp(c, "[=", 2) == 0)
            return; /* of these it thinks differently */
    }
    if (regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB) != 0)
        abort();
    if (referee(&regex, text, length) != found(pattern, text, length, 7))
        abort();
    regfree(&regex);
}

void property_pattern(const uint8_t *data, size_t size)
{
    const uint8_t *line_end = size > 0 ? memchr(data, '\n', size) : NULL;

    if (!line_end || line_end - data > EXPRESSION_MAX)
        return;

    cleanup_free char *expression = mem_strndup((const char *)data, (size_t)(line_end - data));
    const char *text = (const char *)line_end + 1;
    size_t length = size - (size_t)(line_end - data) - 1;
    struct pattern *pattern = pattern_new(expression, NULL);

    if (length > TEXT_MAX)
        length = TEXT_MAX;
    if (!pattern)
        return;
    if (found(pattern, text, length, 1) != found(pattern, text, length, TEXT_MAX + 1))
        abort();
    if (!memchr(text, '\0', length))
        compare(pattern, expression, text, length);
    pattern_free(pattern);
}
