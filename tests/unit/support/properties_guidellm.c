#include "support/properties_guidellm.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/guidellm_dotenv.h"
#include "plan/guidellm_options.h"
#include "support/must.h"

#define WORDS_MAX 64

static enum guidellm_own own(const void *context, const char *name)
{
    (void)context;
    return strcmp(name, "quiet") == 0 ? GUIDELLM_OWN_FLAG : strcmp(name, "levels") == 0 ? GUIDELLM_OWN_VALUE : GUIDELLM_UNKNOWN;
}

static bool names_a_scenario(const char *word)
{
    return strstr(word, "scenario") || strstr(word, "SCENARIO") || strstr(word, "config") || strstr(word, "CONFIG") || strncmp(word, "-c", 2) == 0;
}

static void check_options(const struct guidellm_options *options)
{
    static const char *const kinds[] = {"json", "yaml", "csv", "html"};
    must(options->count <= GUIDELLM_OPTIONS_MAX && options->output_count <= GUIDELLM_OUTPUTS_MAX);
    for (size_t k = 0; k < options->count; k++)
        must(options->options[k].name && options->options[k].name[0]);
    for (size_t k = 0; k < options->output_count; k++) {
        bool known = false;
        for (size_t n = 0; n < sizeof kinds / sizeof kinds[0]; n++)
            known = known || strcmp(options->outputs[k].kind, kinds[n]) == 0;
        must(known && options->outputs[k].path);
    }
}

/* The same bytes as a .env file. */
static void check_dotenv(const char *text)
{
    char *variables[GUIDELLM_DOTENV_MAX];
    struct arena *arena = arena_new();
    size_t count = guidellm_dotenv_parse(text, arena, variables);
    for (size_t k = 0; k < count; k++)
        must(strchr(variables[k], '=') && !strchr(variables[k], '\n'));
    arena_free(arena);
}

void property_guidellm_command(const uint8_t *data, size_t size)
{
    char *text = mem_strndup((const char *)data, size), *words[WORDS_MAX] = {NULL}, *environment[WORDS_MAX] = {NULL};
    int count = 0, variables = 0;
    bool follows = false;
    check_dotenv(text);
    for (char *rest = text, *word; (word = strsep(&rest, "\n"));) {
        follows = follows || names_a_scenario(word);
        if (word[0] != '-' && strncmp(word, "GUIDELLM", 8) == 0 && variables < WORDS_MAX - 1)
            environment[variables++] = word;
        else if (count < WORDS_MAX - 1)
            words[count++] = word;
    }
    struct guidellm_command command;
    struct guidellm_options options;
    struct error err = {0};
    if (!follows) {
        int status = guidellm_flags_parse(count, words, environment, own, NULL, &command, &err);
        if (status == 0 && guidellm_options_make(&command, &options, &err) == 0)
            check_options(&options);
        else
            must(err.class == ERROR_USAGE && err.text[0]);
        guidellm_command_free(&command);
    }
    free(text);
}
