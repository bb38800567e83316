/* roibench benchmark: GuideLLM's command lines. What they ask for is prepared, run and summarized in one process, and GuideLLM's tables and files come out. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "cmd/roibench/benchmark_help.h"
#include "cmd/roibench/benchmark_outputs.h"
#include "cmd/roibench/command.h"
#include "plan/guidellm_dotenv.h"
#include "plan/guidellm_flags.h"
#include "plan/guidellm_options.h"
#include "record/workspace.h"

#define STEPS 3
#define ARGUMENTS_MAX (GUIDELLM_OPTIONS_MAX + 8)
#define LINE_MAX ((size_t)64 << 10)
#define DOTENV_MAX ((size_t)1 << 20)

extern char **environ;

enum { PREPARE, RUN, SUMMARIZE };
static const struct command *const steps[STEPS] = {&command_prepare, &command_run, &command_summarize};

struct benchmark {
    struct app *app;
    struct guidellm_command command;
    struct guidellm_options translated;
    struct options *options[STEPS];
    bool schema_2;     /* the report is to be one of 0.7 and 0.8 */
    char *workspace, *run_id, *folder;
};

static void benchmark_free(struct benchmark *benchmark)
{
    for (int step = 0; step < STEPS; step++)
        options_free(benchmark->options[step]);
    guidellm_command_free(&benchmark->command);
    free(benchmark->workspace);
    free(benchmark->run_id);
    free(benchmark->folder);
}

/* --- options of ours among GuideLLM's -------------------------------------------------------- */

static const struct option_row *find_row(const struct option_row *rows, const char *name)
{
    for (; rows->type != OPTION_END; rows++)
        if (rows->type != OPTION_GROUP && strcmp(rows->name, name) == 0)
            return rows;
    return NULL;
}

static const struct option_row *row_of_step(const struct command *step, const char *name)
{
    const struct option_row *const tables[] = {step->options, workspace_options, run_id_options, common_options};
    for (size_t k = 0; k < sizeof tables / sizeof tables[0]; k++) {
        const struct option_row *row = find_row(tables[k], name);
        if (row)
            return row;
    }
    return NULL;
}

/* "no-quiet" is the flag "quiet". */
static const char *flag_name(const char *name)
{
    return strncmp(name, "no-", 3) == 0 ? name + 3 : name;
}

static enum guidellm_own look_up_own(const void *context, const char *name)
{
    (void)context;
    for (int step = 0; step < STEPS; step++) {
        const struct option_row *row = row_of_step(steps[step], name), *negated = row_of_step(steps[step], flag_name(name));
        if (row && row->type != OPTION_FLAG)
            return GUIDELLM_OWN_VALUE;
        if (row || (negated && negated->type == OPTION_FLAG))
            return GUIDELLM_OWN_FLAG;
    }
    return GUIDELLM_UNKNOWN;
}

static char *name_of_argument(const char *argument)
{
    return mem_strndup(argument + 2, strcspn(argument + 2, "="));
}

/* Was an option of that name given among GuideLLM's? It then replaces what GuideLLM's would become. */
static bool has_own(const struct benchmark *benchmark, const char *name)
{
    for (size_t k = 0; k < benchmark->command.own_count; k++) {
        cleanup_free char *own = name_of_argument(benchmark->command.own[k]);
        if (strcmp(own, name) == 0)
            return true;
    }
    return false;
}

/* Levels of ours say all that GuideLLM's rates say. */
static bool is_replaced(const struct benchmark *benchmark, const char *name)
{
    bool own_levels = has_own(benchmark, "levels") || has_own(benchmark, "find");
    if (own_levels && (strcmp(name, "rate") == 0 || strcmp(name, "sweep-arrivals") == 0))
        return true;
    bool repeatable = strcmp(name, "header") == 0 || strcmp(name, "label") == 0 || strcmp(name, "data-column") == 0;
    return !repeatable && has_own(benchmark, name);
}

/* --- options of the steps --------------------------------------------------------------------- */

/* A command line for a step; what is added is free()d with it. */
struct line {
    char *arguments[ARGUMENTS_MAX];
    int count;
};

static void line_free(struct line *line)
{
    for (int k = 0; k < line->count; k++)
        free(line->arguments[k]);
}

static void line_add(struct line *line, char *argument)
{
    if (line->count == ARGUMENTS_MAX)
        abort(); /* own options are counted before */
    line->arguments[line->count++] = argument;
}

/* The first step that has an option decides what it means: --gpus of summarize is another one than prepare's. */
static bool takes_own(int step, const char *name)
{
    const struct option_row *row = row_of_step(steps[step], name);
    for (int before = 0; row && before < step; before++) {
        const struct option_row *first = row_of_step(steps[before], name);
        if (first)
            return first->type == row->type;
    }
    return row != NULL;
}

static void line_add_own(struct line *line, const struct benchmark *benchmark, int step)
{
    for (size_t k = 0; k < benchmark->command.own_count; k++) {
        cleanup_free char *name = name_of_argument(benchmark->command.own[k]);
        if (takes_own(step, name) || takes_own(step, flag_name(name)))
            line_add(line, mem_strdup(benchmark->command.own[k]));
    }
}

static void line_add_option(struct line *line, const struct benchmark *benchmark, const char *name, const char *value)
{
    if (!is_replaced(benchmark, name))
        line_add(line, value ? mem_printf("--%s=%s", name, value) : mem_printf("--%s", name));
}

static int parse_line(struct benchmark *benchmark, int step, const struct line *line, struct error *err)
{
    benchmark->options[step] = command_options_new(steps[step]);
    if (options_parse_argv(benchmark->options[step], line->count, line->arguments, err) < 0 ||
        options_parse_environment(benchmark->options[step], environ, err) < 0)
        return error_wrap(err, "%s", steps[step]->name);
    return 0;
}

/* Beside the first file, where a volume is mounted, unless we were told. */
static void choose_workspace(struct benchmark *benchmark)
{
    if (!has_own(benchmark, "workspace") && !getenv("ROIBENCH_WORKSPACE") && benchmark->translated.output_count > 0)
        benchmark->workspace = benchmark_folder_of(benchmark->translated.outputs[0].path);
}

static int make_prepare(struct benchmark *benchmark, struct error *err)
{
    __attribute__((cleanup(line_free))) struct line line = {.count = 0};
    const struct guidellm_options *translated = &benchmark->translated;
    for (size_t k = 0; k < translated->count; k++)
        line_add_option(&line, benchmark, translated->options[k].name, translated->options[k].value);
    if (benchmark->workspace)
        line_add_option(&line, benchmark, "workspace", benchmark->workspace);
    line_add_own(&line, benchmark, PREPARE);
    if (parse_line(benchmark, PREPARE, &line, err) < 0)
        return -1;
    const char *workspace = options_text(benchmark->options[PREPARE], "workspace");
    free(benchmark->workspace);
    benchmark->workspace = mem_strdup(workspace);
    return 0;
}

/* Of run and summarize; what they are told again are the headers, whose values the plan does not keep, and what concerns TLS. */
static int make_step(struct benchmark *benchmark, int step, struct error *err)
{
    __attribute__((cleanup(line_free))) struct line line = {.count = 0};
    static const char *const again[] = {"header", "insecure", "cacert"};
    for (size_t k = 0; k < benchmark->translated.count; k++)
        for (size_t a = 0; step == RUN && a < sizeof again / sizeof again[0]; a++)
            if (strcmp(benchmark->translated.options[k].name, again[a]) == 0)
                line_add_option(&line, benchmark, again[a], benchmark->translated.options[k].value);
    line_add_option(&line, benchmark, "workspace", benchmark->workspace);
    line_add_option(&line, benchmark, "run-id", benchmark->run_id);
    if (step == SUMMARIZE)
        line_add_option(&line, benchmark, "format", benchmark_formats(benchmark->schema_2));
    line_add_own(&line, benchmark, step);
    return parse_line(benchmark, step, &line, err);
}

/* --- what it becomes -------------------------------------------------------------------------- */

static void append_quoted(struct buf *text, const char *argument)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.,:/%@+";
    if (argument[strspn(argument, plain)] == '\0') {
        buf_append_text(text, argument);
        return;
    }
    buf_append_char(text, '\'');
    for (const char *c = argument; *c; c++)
        buf_append_text(text, *c == '\'' ? "'\\''" : (char[]){*c, '\0'});
    buf_append_char(text, '\'');
}

/* Values of headers may be secrets. */
static void append_option(struct buf *text, const char *name, const char *value)
{
    bool header = strcmp(name, "header") == 0;
    buf_printf(text, " --%s", name);
    if (!value)
        return;
    cleanup_free char *shown = header ? mem_printf("%.*s: ...", (int)strcspn(value, ":"), value) : mem_strdup(value);
    buf_append_char(text, ' ');
    append_quoted(text, shown);
}

static void tell_translation(const struct benchmark *benchmark)
{
    cleanup_buf struct buf text = BUF_INIT(LINE_MAX);
    const struct guidellm_options *translated = &benchmark->translated;
    const struct app *app = benchmark->app;
    for (size_t k = 0; k < translated->count; k++)
        if (!is_replaced(benchmark, translated->options[k].name))
            append_option(&text, translated->options[k].name, translated->options[k].value);
    for (size_t k = 0; k < benchmark->command.own_count; k++)
        if (strncmp(benchmark->command.own[k], "--header", 8) != 0) {
            buf_append_char(&text, ' ');
            append_quoted(&text, benchmark->command.own[k]);
        }
    log_info(&app->log, "in steps of roibench this is: roibench prepare --workspace %s%s; roibench run --workspace %s; roibench summarize --workspace %s",
             benchmark->workspace, buf_text(&text), benchmark->workspace, benchmark->workspace);
    if (benchmark->command.ignored.len > 0)
        log_warning(&app->log, "these have no meaning here and change nothing: %s", buf_text(&benchmark->command.ignored));
}

/* The log is as the options for it say, which stand among the others. */
static void set_log(struct benchmark *benchmark)
{
    struct app *app = benchmark->app;
    const struct options *options = benchmark->options[PREPARE];
    app->quiet = options_flag(options, "quiet") || benchmark->command.no_console;
    app->verbose = options_flag(options, "verbose");
    app->log.json = strcmp(options_text(options, "log-format"), "json") == 0;
    app->log.threshold = app->quiet ? LOG_LEVEL_WARNING : app->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

/* --- the steps --------------------------------------------------------------------------------- */

/* Runs a step; what it prints is kept and not shown. *printed: free() it. */
static int run_step(struct benchmark *benchmark, int step, char **printed, struct error *err)
{
    struct app app = *benchmark->app;
    size_t length;
    app.out = open_memstream(printed, &length);
    if (!app.out)
        return error_set(err, ERROR_INTERNAL, "no memory for what %s prints", steps[step]->name);
    app.out_terminal = false;
    if (step == RUN && benchmark->command.no_progress)
        app.quiet = true;
    int status = steps[step]->run(&app, benchmark->options[step], err);
    fclose(app.out);
    return status < 0 ? error_wrap(err, "%s", steps[step]->name) : 0;
}

/* prepare prints the run's id. */
static int prepare(struct benchmark *benchmark, struct error *err)
{
    cleanup_free char *printed = NULL;
    if (run_step(benchmark, PREPARE, &printed, err) < 0)
        return -1;
    printed[strcspn(printed, "\n")] = '\0';
    benchmark->run_id = steal_pointer(&printed);
    benchmark->folder = workspace_run_folder(benchmark->workspace, benchmark->run_id);
    return 0;
}

static int run_and_summarize(struct benchmark *benchmark, struct error *err)
{
    cleanup_free char *of_run = NULL, *of_summarize = NULL;
    if (make_step(benchmark, RUN, err) < 0 || make_step(benchmark, SUMMARIZE, err) < 0)
        return -1;
    struct error trouble = {.class = ERROR_NONE};
    int status = run_step(benchmark, RUN, &of_run, &trouble);
    /* What was measured before the trouble is worth a report. */
    struct error ignored;
    int summary = run_step(benchmark, SUMMARIZE, &of_summarize, status < 0 ? &ignored : err);
    if (summary == 0)
        summary = benchmark_write_outputs(benchmark->app, &benchmark->translated, !benchmark->command.no_console, benchmark->folder,
                                          benchmark->schema_2, status < 0 ? &ignored : err);
    if (status == 0)
        return summary;
    if (err)
        *err = trouble;
    return -1;
}

static int carry_out(struct benchmark *benchmark, struct error *err)
{
    if (guidellm_options_make(&benchmark->command, &benchmark->translated, err) < 0)
        return -1;
    if (benchmark->command.own_count + benchmark->translated.count > GUIDELLM_OPTIONS_MAX)
        return error_set(err, ERROR_USAGE, "more than %d options", GUIDELLM_OPTIONS_MAX);
    choose_workspace(benchmark);
    if (make_prepare(benchmark, err) < 0)
        return -1;
    set_log(benchmark);
    tell_translation(benchmark);
    if (benchmark_check_outputs(&benchmark->translated, err) < 0)
        return -1;
    /* Where prepare and run look for it; it is nowhere else kept. */
    if (benchmark->translated.api_key && setenv("ROIBENCH_API_KEY", benchmark->translated.api_key, 1) != 0)
        return error_set(err, ERROR_INTERNAL, "no memory for the API key");
    return prepare(benchmark, err) < 0 ? -1 : run_and_summarize(benchmark, err);
}

/* Settings of ./.env, which the environment's replace, and the environment. free() the list, whose texts are borrowed. */
static int read_environment(struct arena *arena, char ***variables, struct error *err)
{
    cleanup_buf struct buf text = BUF_INIT(DOTENV_MAX);
    size_t count = 0;
    while (environ[count])
        count++;
    *variables = mem_calloc(count + GUIDELLM_DOTENV_MAX + 1, sizeof **variables);
    if (file_exists(".env") && file_read(".env", &text, ERROR_USAGE, err) < 0)
        return -1;
    size_t settings = guidellm_dotenv_parse(buf_text(&text), arena, *variables);
    memcpy(*variables + settings, environ, count * sizeof **variables);
    return 0;
}

/* Words and environment to the command. */
static int parse(struct benchmark *benchmark, int count, char *const *words, struct error *err)
{
    struct arena *arena = arena_new();
    char **variables = NULL;
    int status = read_environment(arena, &variables, err);
    if (status == 0)
        status = guidellm_flags_parse(count, words, variables, look_up_own, NULL, &benchmark->command, err);
    free(variables);
    arena_free(arena);
    return status;
}

static int benchmark_run(struct app *app, struct options *options, struct error *err)
{
    __attribute__((cleanup(benchmark_free))) struct benchmark benchmark = {.app = app};
    size_t count = options_positional_count(options);
    cleanup_free char **words = mem_calloc(count + 1, sizeof *words);
    for (size_t k = 0; k < count; k++)
        words[k] = mem_strdup(options_positional(options, k));
    size_t first = 0;
    int status = benchmark_words(words, count, &first, &benchmark.schema_2, err);
    if (status == 0)
        status = parse(&benchmark, (int)(count - first), words + first, err);
    for (size_t k = 0; k < count; k++)
        free(words[k]);
    benchmark.schema_2 = benchmark.schema_2 || benchmark.command.by_kinds;
    if (status < 0)
        return -1;
    if (benchmark.command.help || benchmark.command.version)
        return benchmark_print_help(app, benchmark.command.version, err);
    return carry_out(&benchmark, err);
}

static const struct option_row benchmark_options[] = {{.type = OPTION_END}};

const struct command command_benchmark = {
    .name = "benchmark",
    .summary = "GuideLLM's command lines of 0.2 to 0.8: prepare, run and summarize in one go; also by the name guidellm",
    .usage = "[run] --target URL --profile NAME --rate LIST --data TEXT [options of GuideLLM, prepare, run, summarize]",
    .options = benchmark_options,
    .raw_arguments = true,
    .run = benchmark_run,
};
