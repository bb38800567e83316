#include "plan/guidellm_dotenv.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define SETTING "GUIDELLM__"
#define NOT_THERE "GUIDELLM__SPEC__"
#define SPACES " \t\r"

static const char *skip_export(const char *line)
{
    static const char word[] = "export ";
    line += strspn(line, SPACES);
    if (strncmp(line, word, sizeof word - 1) == 0)
        line += sizeof word - 1;
    return line + strspn(line, SPACES);
}

/* Between quotes, or up to a comment; without spaces at its end. */
static const char *value_of(const char *text, size_t length, size_t *value_length)
{
    size_t spaces = strspn(text, SPACES);
    spaces = spaces < length ? spaces : length;
    const char *value = text + spaces, *end = text + length;
    if (value < end && (*value == '"' || *value == '\'')) {
        const char *close = memchr(value + 1, *value, (size_t)(end - value - 1));
        *value_length = close ? (size_t)(close - value - 1) : (size_t)(end - value - 1);
        return value + 1;
    }
    for (const char *c = value; c < end; c++)
        if (*c == '#' && c > value && strchr(SPACES, c[-1]))
            end = c;
    while (end > value && strchr(SPACES, end[-1]))
        end--;
    *value_length = (size_t)(end - value);
    return value;
}

/* One line of `length` bytes; NULL: it is none of ours. */
static char *parse_line(const char *line, size_t length, struct arena *arena)
{
    const char *end = line + length, *name = skip_export(line), *equals = name < end ? memchr(name, '=', (size_t)(end - name)) : NULL;
    if (!equals || strncasecmp(name, SETTING, strlen(SETTING)) != 0 || strncasecmp(name, NOT_THERE, strlen(NOT_THERE)) == 0)
        return NULL;
    size_t name_length = (size_t)(equals - name), value_length;
    while (name_length > 0 && strchr(SPACES, name[name_length - 1]))
        name_length--;
    const char *value = value_of(equals + 1, (size_t)(end - equals - 1), &value_length);
    return arena_printf(arena, "%.*s=%.*s", (int)name_length, name, (int)value_length, value);
}

size_t guidellm_dotenv_parse(const char *text, struct arena *arena, char **variables)
{
    size_t count = 0;
    for (size_t length; *text && count < GUIDELLM_DOTENV_MAX; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        char *variable = parse_line(text, length, arena);
        if (variable)
            variables[count++] = variable;
    }
    return count;
}
