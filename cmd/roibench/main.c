/* roibench: what a model deployment is worth. The table of subcommands, and what all of them need. */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/stop.h"
#include "cmd/roibench/command.h"

#ifndef ROIBENCH_VERSION
#define ROIBENCH_VERSION "unknown"
#endif

#define HELP_MAX ((size_t)1 << 20)
#define SIGNAL_EXIT_BASE 128

static const struct command *const commands[] = {
    &command_prepare, &command_run, &command_summarize, &command_publish, &command_simulate, &command_calibrate, &command_doctor,
    &command_benchmark, &command_list, &command_gate, &command_prune, &command_dispatch,
};

/* The only thing a signal handler touches. Handed down as app.stop, never used by name elsewhere. */
static stop_flag stop_signal;

static stop_flag ends_at_once; /* of the command that runs */

static void on_signal(int number)
{
    if (ends_at_once)
        _exit(SIGNAL_EXIT_BASE + number);
    stop_signal = number;
}

static void handle_signals(void)
{
    /* No SA_RESTART: a blocking call comes back at once, so that the stop is noticed. */
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) /* nohup means it */
        sigaction(SIGHUP, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* a file that may not grow is an error of write(2), with a sentence */
}

static const struct command *find_command(const char *name)
{
    for (size_t k = 0; k < sizeof commands / sizeof commands[0]; k++)
        if (strcmp(commands[k]->name, name) == 0)
            return commands[k];
    return NULL;
}

static void print_overview(FILE *stream)
{
    fputs("usage: roibench <command> [options]\n\n"
          "Measures an OpenAI-compatible LLM server: where it saturates, where it breaks, and what a dollar buys.\n\n"
          "commands:\n", stream);
    for (size_t k = 0; k < sizeof commands / sizeof commands[0]; k++)
        fprintf(stream, "  %-10s  %s\n", commands[k]->name, commands[k]->summary);
    fputs("\n`roibench <command> --help` lists a command's options; `roibench --version` the version.\n", stream);
}

static int usage_error(const char *what, const char *name)
{
    fprintf(stderr, "roibench: %s%s%s. Known:", what, name ? " " : "", name ? name : "");
    for (size_t k = 0; k < sizeof commands / sizeof commands[0]; k++)
        fprintf(stderr, "%s %s", k ? "," : "", commands[k]->name);
    fputs(". See roibench --help\n", stderr);
    return ERROR_USAGE;
}

/* What was printed is out, or it is an error. */
static int finish_output(const char *name)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "roibench%s%s: cannot write to standard output\n", name ? " " : "", name ? name : "");
    return ERROR_INTERNAL;
}

static int print_version(const char *name)
{
    puts("roibench " ROIBENCH_VERSION);
    return finish_output(name);
}

static int print_help(const struct command *command, const struct options *options)
{
    cleanup_buf struct buf text = BUF_INIT(HELP_MAX);
    cleanup_buf struct buf usage = BUF_INIT(HELP_MAX);
    buf_printf(&usage, "roibench %s %s", command->name, command->usage);
    options_print_help(options, buf_text(&usage), command->summary, &text);
    fputs(buf_text(&text), stdout);
    return finish_output(command->name);
}

/* All arguments behind a "--", so that none is taken for an option of ours. */
static int read_raw(struct options *options, int argc, char **argv, struct error *err)
{
    cleanup_free char **all = mem_calloc((size_t)argc + 2, sizeof *all);
    char end[] = "--";
    all[0] = end;
    memcpy(all + 1, argv, (size_t)argc * sizeof *all);
    return options_parse_argv(options, argc + 1, all, err);
}

/* argv first, so that --help and --config are known; the file's and the environment's values do not replace argv's. */
static int read_options(const struct command *command, struct options *options, int argc, char **argv, struct error *err)
{
    extern char **environ;
    if (command->raw_arguments)
        return read_raw(options, argc, argv, err);
    if (options_parse_argv(options, argc, argv, err) < 0)
        return -1;
    if (options_flag(options, "help") || options_flag(options, "version"))
        return 0;
    if (!command->takes_positional && options_positional_count(options) > 0)
        return error_set(err, ERROR_USAGE, "unexpected argument '%s'", options_positional(options, 0));
    if (options_parse_environment(options, environ, err) < 0)
        return -1;
    const char *config = options_text(options, "config");
    return config ? options_parse_config(options, config, err) : 0;
}

static struct app make_app(const struct command *command, const struct options *options)
{
    struct app app = {
        .clock = clock_system(),
        .out = stdout,
        .out_terminal = isatty(STDOUT_FILENO) == 1,
        .err_terminal = isatty(STDERR_FILENO) == 1,
        .quiet = options_flag(options, "quiet"),
        .verbose = options_flag(options, "verbose"),
        .stop = &stop_signal,
        .version = ROIBENCH_VERSION,
    };
    app.log = (struct log){
        .stream = stderr,
        .clock = app.clock,
        .command = command->name,
        .json = strcmp(options_text(options, "log-format"), "json") == 0,
        .threshold = app.quiet ? LOG_LEVEL_WARNING : app.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
    };
    return app;
}

static bool ends_sentence(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && strchr(".?!", text[length - 1]);
}

static bool has_option(const struct command *command, const char *name)
{
    for (const struct option_row *row = command->options; row->type != OPTION_END; row++)
        if (row->name && strcmp(row->name, name) == 0)
            return true;
    return false;
}

/* Why a step failed stands nowhere in a PipelineRun but in the log of its pod: so it is a result too. */
static void put_error_result(const struct command *command, const struct options *options, const struct error *err)
{
    if (!has_option(command, "tekton-results"))
        return;
    /* The environment may not have been read as far as this. */
    const char *given = options_text(options, "tekton-results"), *dir = given ? given : getenv("ROIBENCH_TEKTON_RESULTS");
    struct error trouble;
    if (dir && dir[0] && command_tekton_error(dir, err->text, &trouble) < 0)
        fprintf(stderr, "roibench %s: %s\n", command->name, trouble.text);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct options *options = command_options_new(command);
    struct error err = {.class = ERROR_NONE};
    int exit_code = 0;
    if (read_options(command, options, argc, argv, &err) < 0) {
        const char *stop = ends_sentence(err.text) ? "" : ".";
        fprintf(stderr, "roibench %s: %s%s See roibench %s --help\n", command->name, err.text, stop, command->name);
        exit_code = (int)err.class;
    } else if (options_flag(options, "help")) {
        exit_code = print_help(command, options);
    } else if (options_flag(options, "version")) {
        exit_code = print_version(command->name);
    } else {
        struct app app = make_app(command, options);
        ends_at_once = command->ends_at_once;
        if (command->run(&app, options, &err) < 0) {
            log_error(&app.log, "%s", err.text);
            exit_code = (int)err.class;
        }
        if (exit_code == 0)
            exit_code = finish_output(command->name);
        if (stop_signal)
            exit_code = SIGNAL_EXIT_BASE + stop_signal;
    }
    if (err.class != ERROR_NONE)
        put_error_result(command, options, &err);
    options_free(options);
    return exit_code;
}

/* Is this program called by that name, whatever its path? */
static bool is_called(const char *program, const char *name)
{
    const char *slash = strrchr(program, '/');
    return strcmp(slash ? slash + 1 : program, name) == 0;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "C.UTF-8"); /* numbers keep their point, names their bytes */
    umask(002);                     /* another UID of group 0 may go on where this one stopped */
    handle_signals();
    if (argc > 0 && is_called(argv[0], "guidellm"))
        return run_command(&command_benchmark, argc - 1, argv + 1);
    if (argc < 2) {
        print_overview(stderr);
        return ERROR_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_overview(stdout);
        return finish_output(NULL);
    }
    if (strcmp(argv[1], "--version") == 0)
        return print_version(NULL);
    const struct command *command = find_command(argv[1]);
    if (!command)
        return usage_error(argv[1][0] == '-' ? "unknown option" : "unknown command", argv[1]);
    int skipped = command->raw_arguments ? 1 : 2;
    return run_command(command, argc - skipped, argv + skipped);
}
