/* What several subcommands share: options, API key, Tekton results, the manifest's step. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "cmd/roibench/command.h"
#include "record/manifest.h"
#include "record/run_file.h"
#include "record/workspace.h"

#define API_KEY_MAX 16384
#define HOST_SIZE 256

const struct option_row workspace_options[] = {
    {.type = OPTION_GROUP, .name = "Workspace"},
    {.type = OPTION_TEXT, .name = "workspace", .argument = "DIR", .help = "folder in which the steps meet", .default_text = "."},
    {.type = OPTION_END},
};

const struct option_row run_id_options[] = {
    {.type = OPTION_TEXT, .name = "run-id", .argument = "ID",
     .help = "the run; default: a new one (prepare), the one named in <workspace>/latest (others)"},
    {.type = OPTION_END},
};

const struct option_row common_options[] = {
    {.type = OPTION_GROUP, .name = "Common"},
    {.type = OPTION_TEXT, .name = "config", .argument = "FILE", .help = "JSON file of options by the same names",
     .command_line_only = true},
    {.type = OPTION_CHOICE, .name = "log-format", .argument = "FORMAT", .help = "of what goes to stderr",
     .choices = "text|json", .default_text = "text"},
    {.type = OPTION_FLAG, .name = "quiet", .help = "warnings and errors only"},
    {.type = OPTION_FLAG, .name = "verbose", .help = "more detail"},
    {.type = OPTION_FLAG, .name = "help", .help = "this text", .command_line_only = true},
    {.type = OPTION_FLAG, .name = "version", .help = "the version", .command_line_only = true},
    {.type = OPTION_END},
};

static int key_check(const char *key, const char *where, struct error *err)
{
    if (key[0] == '\0')
        return error_set(err, ERROR_USAGE, "%s: the API key is empty", where);
    for (const char *c = key; *c; c++)
        if (iscntrl((unsigned char)*c) || *c == ' ')
            return error_set(err, ERROR_USAGE, "%s: the API key holds white space or control characters", where);
    return 0;
}

struct options *command_options_new(const struct command *command)
{
    const struct option_row *tables[] = {command->options, common_options, workspace_options, run_id_options};
    return options_new(tables, command->without_workspace ? 2 : command->without_run_id ? 3 : 4);
}

int command_api_key(const struct options *options, char **key, struct error *err)
{
    *key = NULL;
    const char *path = options_text(options, "api-key-file");
    const char *from_environment = getenv("ROIBENCH_API_KEY");
    if (path) {
        cleanup_buf struct buf text = BUF_INIT(API_KEY_MAX);
        if (file_read(path, &text, ERROR_USAGE, err) < 0)
            return error_wrap(err, "--api-key-file");
        while (text.len > 0 && isspace((unsigned char)text.data[text.len - 1]))
            text.data[--text.len] = '\0';
        if (key_check(buf_text(&text), path, err) < 0)
            return -1;
        *key = buf_steal(&text);
    } else if (from_environment && from_environment[0]) {
        if (key_check(from_environment, "ROIBENCH_API_KEY", err) < 0)
            return -1;
        *key = mem_strdup(from_environment);
    }
    return 0;
}

/* Of "Authorization: Bearer sk-1" the part that nobody may see, in whatever words it is shown. */
static const char *last_word(const char *header)
{
    size_t end = strlen(header);
    while (end > 0 && header[end - 1] == ' ')
        end--;
    while (end > 0 && header[end - 1] != ' ' && header[end - 1] != ':')
        end--;
    return header + end;
}

static int take_headers(const struct options *options, struct command_net *net, struct error *err)
{
    size_t count = options_count(options, "header");
    net->headers = mem_calloc(count + 1, sizeof *net->headers);
    net->secrets = mem_calloc(count + 1, sizeof *net->secrets);
    if (net->key)
        net->secrets[net->secret_count++] = net->key;
    for (size_t k = 0; k < count; k++) {
        const char *header = options_item(options, "header", k);
        if (net_header_check(header, err) < 0)
            return error_wrap(err, "--header");
        net->headers[k] = header;
        net->secrets[net->secret_count++] = last_word(header);
    }
    net->settings.headers = net->headers;
    net->settings.header_count = count;
    return 0;
}

int command_net_read(const struct app *app, const struct options *options, struct command_net *net, struct error *err)
{
    *net = (struct command_net){
        .settings = {
            .ca_file = options_text(options, "cacert"),
            .ca_environment = getenv("SSL_CERT_FILE"),
            .insecure = options_flag(options, "insecure"),
            .stop = app->stop,
        },
    };
    if (command_api_key(options, &net->key, err) < 0)
        return -1;
    net->settings.api_key = net->key;
    if (net->settings.insecure && net->settings.ca_file)
        return error_set(err, ERROR_USAGE, "--cacert says whom to believe, and --insecure to believe everybody: one of them");
    return take_headers(options, net, err);
}

void command_net_free(struct command_net *net)
{
    free(net->key);
    free(net->headers);
    free(net->secrets);
    *net = (struct command_net){0};
}

char *command_find_run_folder(const char *workspace, const char *name, struct error *err)
{
    if (file_is_folder(name))
        return mem_strdup(name);
    if (!strchr(name, '/') && workspace_check_run_id(name, NULL) == 0) {
        cleanup_free char *folder = workspace_run_folder(workspace, name);
        if (file_is_folder(folder))
            return steal_pointer(&folder);
    }
    error_set(err, ERROR_USAGE, "there is no run %s: neither a folder nor a run of the workspace %s", name, workspace);
    return NULL;
}

char *command_current_run_folder(const struct options *options, struct error *err)
{
    const char *workspace = options_text(options, "workspace");
    cleanup_free char *run_id = workspace_find_run_id(workspace, options_text(options, "run-id"), err);
    if (!run_id)
        return NULL;
    cleanup_free char *folder = workspace_run_folder(workspace, run_id);
    if (file_is_folder(folder))
        return steal_pointer(&folder);
    error_set(err, ERROR_USAGE, "there is no run %s: %s is no folder", run_id, folder);
    return NULL;
}

int command_check_workspace(const char *workspace, struct error *err)
{
    return file_is_folder(workspace) ? 0 : error_set(err, ERROR_USAGE, "the workspace %s is no folder. Give --workspace DIR", workspace);
}

struct plan *command_find_plan(const struct app *app, const struct options *options)
{
    struct error err;
    const char *workspace = options_text(options, "workspace");
    cleanup_free char *run_id = workspace_find_run_id(workspace, options_text(options, "run-id"), &err);
    if (!run_id)
        return NULL;
    cleanup_free char *folder = workspace_run_folder(workspace, run_id);
    cleanup_free char *path = file_join(folder, "plan.json");
    struct plan *plan = plan_read(path, &err);
    if (!plan)
        log_warning(&app->log, "%s; it is left out of account", err.text);
    return plan;
}

int command_tekton_result(const char *dir, const char *name, const char *text, struct error *err)
{
    if (!dir)
        return 0;
    size_t length = strlen(text);
    if (length > TEKTON_RESULT_MAX)
        return error_set(err, ERROR_INTERNAL, "Tekton result %s is %zu bytes long; the limit is %d", name, length, TEKTON_RESULT_MAX);
    if (file_make_folder(dir, err) < 0)
        return error_wrap(err, "--tekton-results");
    cleanup_free char *path = file_join(dir, name);
    return file_write_atomic(path, text, length, err);
}

int command_tekton_error(const char *dir, const char *text, struct error *err)
{
    static const char cut[] = "...";
    char shown[TEKTON_RESULT_MAX + 1];
    if (strlen(text) <= TEKTON_RESULT_MAX)
        return command_tekton_result(dir, "error", text, err);
    memcpy(shown, text, TEKTON_RESULT_MAX);
    size_t length = TEKTON_RESULT_MAX - strlen(cut);
    while (length > 0 && ((unsigned char)shown[length] & 0xc0) == 0x80) /* in the middle of a character of UTF-8 */
        length--;
    memcpy(shown + length, cut, sizeof cut);
    return command_tekton_result(dir, "error", shown, err);
}

/* host holds HOST_SIZE and lives as long as the step. */
static struct manifest_step make_step(const struct app *app, const char *step, int64_t started, char *host)
{
    snprintf(host, HOST_SIZE, "unknown");
    gethostname(host, HOST_SIZE);
    host[HOST_SIZE - 1] = '\0';
    return (struct manifest_step){
        .step = step, .version = app->version, .host = host, .started = started, .ended = clock_realtime(app->clock)};
}

int command_manifest_shard(const struct app *app, const char *folder, const char *step, int shard, int64_t started, int exit_code,
                           const char *note, struct error *err)
{
    char host[HOST_SIZE];
    struct manifest_step row = make_step(app, step, started, host);
    row.exit_code = exit_code;
    row.note = note;
    return shard == NO_SHARD ? manifest_update(folder, &row, err) : manifest_update_shard(folder, &row, shard, err);
}

int command_manifest(const struct app *app, const char *folder, const char *step, int64_t started, int exit_code,
                     const char *note, struct error *err)
{
    return command_manifest_shard(app, folder, step, NO_SHARD, started, exit_code, note, err);
}

int command_manifest_complete(const struct app *app, const char *folder, const char *step, int64_t started, struct buf *differing,
                              struct error *err)
{
    char host[HOST_SIZE];
    const struct manifest_step row = make_step(app, step, started, host);
    return manifest_complete(folder, &row, differing, err);
}
