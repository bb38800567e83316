#include "cmd/roibench/benchmark_help.h"

#include <string.h>

#include "base/buf.h"
#include "plan/guidellm_flags.h"

#define HELP_MAX ((size_t)64 << 10)
#define NAME_COLUMN 62 /* where versions begin */

static int refuse(const char *word, struct error *err)
{
    static const struct {
        const char *word, *instead;
    } others[] = {
        {"from-file", "roibench summarize --import guidellm:FILE reads such a report"},
        {"export", "roibench summarize --import guidellm:FILE reads such a report"},
        {"mock-server", "roibench simulate is a server to try things out on"},
        {"preprocess", "roibench prepare --data FILE reads rows of any length; --too-long trim shortens them"},
        {"config", "the variables that are read are listed in docs/guidellm.md"},
        {"env", "the variables that are read are listed in docs/guidellm.md"},
    };
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
        if (strcmp(others[k].word, word) == 0)
            return error_set(err, ERROR_USAGE, "GuideLLM's command %s is not here: %s", word, others[k].instead);
    return error_set(err, ERROR_USAGE, "unknown command '%.100s'. Known: benchmark [run], run", word);
}

int benchmark_words(char *const *words, size_t count, size_t *first, bool *newer, struct error *err)
{
    size_t k = 0;
    bool benchmark = k < count && strcmp(words[k], "benchmark") == 0;
    k += benchmark;
    bool run = k < count && strcmp(words[k], "run") == 0;
    k += run;
    *first = k;
    *newer = run && !benchmark;
    if (k < count && words[k][0] != '-')
        return refuse(words[k], err);
    if (count == 0)
        return error_set(err, ERROR_USAGE, "what shall be done? guidellm benchmark run --target URL --data prompt_tokens=256,output_tokens=128");
    return 0;
}

static void append_names(const struct guidellm_flag *flag, struct buf *out)
{
    size_t start = out->len;
    buf_append_text(out, "  ");
    if (flag->letter)
        buf_printf(out, "-%c, ", flag->letter);
    for (const char *const *name = flag->names; *name; name++)
        buf_printf(out, "%s--%s", name > flag->names ? ", " : "", *name);
    if (flag->argument)
        buf_printf(out, " %s", flag->argument);
    for (buf_append_char(out, ' '); out->len - start < NAME_COLUMN;)
        buf_append_char(out, ' ');
}

int benchmark_print_help(const struct app *app, bool version, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(HELP_MAX);
    if (version) {
        buf_printf(&text, "roibench %s, for command lines of GuideLLM 0.2 to 0.8\n", app->version);
    } else {
        buf_append_text(&text, "usage: roibench benchmark [run] OPTIONS; by the name guidellm: guidellm benchmark [run] OPTIONS, guidellm run OPTIONS\n\n"
                               "Carries out what GuideLLM's options ask for, by prepare, run and summarize in one process, and leaves GuideLLM's tables and files.\n"
                               "All spellings of all versions may be mixed. Options of prepare, run and summarize may stand among them (roibench prepare --help),\n"
                               "where GuideLLM has none of that name. How GuideLLM's become ours: docs/guidellm.md.\n\n"
                               "GuideLLM's options, the versions that have them, and what they mean here:\n");
        for (const struct guidellm_flag *flag = guidellm_flags; flag->names[0]; flag++) {
            append_names(flag, &text);
            buf_printf(&text, "%s-%s  %s\n", flag->since, flag->until, flag->help);
        }
    }
    return fputs(buf_text(&text), app->out) < 0 ? error_set(err, ERROR_INTERNAL, "cannot write to standard output") : 0;
}
