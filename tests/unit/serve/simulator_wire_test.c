#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/stop.h"
#include "serve/dialect.h"
#include "serve/preset.h"
#include "serve/simulator.h"
#include "support/captures.h"

/* Every request that vLLM and llama.cpp were sent goes to the simulator as it is, byte by byte, and the answers have the same structure:
 * status, content type (llama.cpp: the names of all headers), and for each event the same members in the same order with values of the
 * same types; of /metrics the names and types of all series. Values that
 * are no accident (object, role, finish_reason) are equal. What may differ in number - tokens a generation, events of one
 * structure in a row, items of an array of numbers, comments - is counted once. */

#define REPLY_MAX ((size_t)1 << 22)
#define PATIENCE_S 60
#define MODEL "mistral-3-int4"

struct server {
    pid_t pid;
    int port;
};

static stop_flag stop;

static void on_term(int number)
{
    stop = number;
}

static void serve(const struct simulator_settings *settings, int port_pipe)
{
    struct error err;
    struct sigaction action = {.sa_handler = on_term};
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    alarm(2 * PATIENCE_S);
    struct simulator *simulator = simulator_new(settings, &err);
    int port = simulator ? simulator_port(simulator) : 0;
    if (write(port_pipe, &port, sizeof port) != sizeof port)
        _exit(8);
    int result = simulator ? simulator_run(simulator, &stop, &err) : 1;
    simulator_free(simulator);
    exit(result);
}

static struct server start(const struct simulator_settings *settings)
{
    int port_pipe[2];
    struct server server;
    assert_int_equal(pipe(port_pipe), 0);
    server.pid = fork();
    if (server.pid == 0)
        serve(settings, port_pipe[1]);
    close(port_pipe[1]);
    assert_int_equal(read(port_pipe[0], &server.port, sizeof server.port), sizeof server.port);
    close(port_pipe[0]);
    assert_true(server.port > 0);
    return server;
}

/* It must end cleanly: under the sanitizers that means without a leak. */
static void finish(const struct server *server)
{
    int status;
    kill(server->pid, SIGTERM);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool is_whole(const struct buf *reply)
{
    static const char end[] = "\r\n0\r\n\r\n", length[] = "content-length: ";
    const char *head = strstr(buf_text(reply), "\r\n\r\n");
    if (!head)
        return false;
    const char *known = strcasestr(buf_text(reply), length);
    if (known && known < head)
        return reply->len - (size_t)(head + 4 - reply->data) >= strtoull(known + sizeof length - 1, NULL, 10);
    return reply->len > sizeof end - 1 && memcmp(reply->data + reply->len - (sizeof end - 1), end, sizeof end - 1) == 0;
}

static struct buf ask(const struct server *server, const struct buf *request)
{
    struct buf reply = BUF_INIT(REPLY_MAX);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    char bytes[65536];
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, request->data, request->len, MSG_NOSIGNAL), request->len);
    while (!is_whole(&reply) && (got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        buf_append(&reply, bytes, (size_t)got);
    close(fd);
    return reply;
}

/* --- structure ------------------------------------------------------------------------------- */

static bool is_fixed(const char *key)
{
    return strcmp(key, "object") == 0 || strcmp(key, "role") == 0 || strcmp(key, "finish_reason") == 0;
}

/* "top_logprobs" of completions: its keys are tokens. */
static bool is_dictionary(const char *key, const json_t *value)
{
    return strcmp(key, "top_logprobs") == 0 && !json_object_get(value, "token");
}

static void append_structure(const char *key, const json_t *value, struct buf *out);

static void append_object(const char *key, const json_t *value, struct buf *out)
{
    const char *name, *separator = "";
    json_t *member;
    bool first_only = is_dictionary(key, value);
    buf_append_char(out, '{');
    json_object_foreach((json_t *)value, name, member)
    {
        buf_printf(out, "%s%s:", separator, first_only ? "*" : name);
        append_structure(name, member, out);
        separator = ",";
        if (first_only)
            break;
    }
    buf_append_char(out, '}');
}

/* Items of one structure in a row count once. */
static void append_array(const char *key, const json_t *value, struct buf *out)
{
    cleanup_buf struct buf before = BUF_INIT(REPLY_MAX);
    buf_append_char(out, '[');
    for (size_t k = 0; k < json_array_size(value); k++) {
        cleanup_buf struct buf item = BUF_INIT(REPLY_MAX);
        append_structure(key, json_array_get(value, k), &item);
        if (k > 0 && strcmp(buf_text(&item), buf_text(&before)) == 0)
            continue;
        buf_printf(out, k ? ",%s" : "%s", buf_text(&item));
        buf_reset(&before);
        buf_append_text(&before, buf_text(&item));
    }
    buf_append_char(out, ']');
}

static void append_structure(const char *key, const json_t *value, struct buf *out)
{
    if (json_is_object(value))
        append_object(key, value, out);
    else if (strcmp(key, "bytes") == 0)
        buf_append_text(out, json_is_array(value) ? "numbers" : "none"); /* a token without text has none */
    else if (json_is_array(value))
        append_array(key, value, out);
    else if (json_is_string(value) && is_fixed(key))
        buf_append_text(out, json_string_value(value));
    else
        buf_append_text(out, json_is_string(value) ? "text" : json_is_number(value) ? "number" : json_is_null(value) ? "null" : "bool");
}

static void append_line(struct buf *out, const char *bytes, size_t length)
{
    cleanup_buf struct buf line = BUF_INIT(REPLY_MAX);
    json_t *document = json_loadb(bytes, length, JSON_ALLOW_NUL, NULL);
    if (document)
        append_structure("", document, &line);
    else
        buf_append(&line, bytes, length);
    buf_append_char(&line, '\n');
    json_decref(document);
    bool repeated = out->len >= line.len && memcmp(out->data + out->len - line.len, line.data, line.len) == 0 &&
                    (out->len == line.len || out->data[out->len - line.len - 1] == '\n');
    if (!repeated)
        buf_append(out, line.data, line.len);
}

/* A page of /metrics without values and help. */
static void append_page(struct buf *out, const char *text)
{
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        size_t shown = text[0] == '#' ? length : strcspn(text, " \n");
        if (strncmp(text, "# HELP", 6) != 0)
            buf_printf(out, "%.*s\n", (int)shown, text);
    }
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Sorted, in their case, without Date, which ours has always. */
static void append_header_names(struct buf *out, const struct buf *reply)
{
    char *names[32];
    size_t count = 0;
    const char *line = buf_text(reply) + strcspn(buf_text(reply), "\n") + 1;
    for (; *line != '\r' && count < sizeof names / sizeof names[0]; line += strcspn(line, "\n") + 1)
        if (strncmp(line, "Date:", 5) != 0)
            names[count++] = strndup(line, strcspn(line, ":"));
    qsort(names, count, sizeof names[0], compare_texts);
    for (size_t k = 0; k < count; k++) {
        buf_printf(out, k ? " %s" : "%s", names[k]);
        free(names[k]);
    }
    buf_append_char(out, '\n');
}

/* A line for the head, and one for each event, or for the whole body. */
static struct buf structure_of(const struct buf *reply, bool with_headers)
{
    struct buf out = BUF_INIT(REPLY_MAX);
    static const char type_header[] = "\r\ncontent-type: ";
    char path[] = "/tmp/roibench-wire-XXXXXX";
    int status, fd = mkstemp(path);
    assert_int_equal(write(fd, reply->data, reply->len), reply->len);
    close(fd);
    cleanup_buf struct buf body = capture_read_body(path, &status);
    unlink(path);
    const char *type = strcasestr(buf_text(reply), type_header), *head = type ? type + sizeof type_header - 1 : "-";
    buf_printf(&out, "%d %.*s\n", status, (int)strcspn(head, "\r"), head);
    if (with_headers)
        append_header_names(&out, reply);
    if (strncmp(head, "text/plain", 10) == 0) {
        append_page(&out, buf_text(&body));
        return out;
    }
    if (strncmp(head, "text/event-stream", 17) != 0) {
        append_line(&out, body.data, body.len);
        return out;
    }
    struct events events = events_new();
    struct sse sse;
    sse_init(&sse, events_add, &events);
    assert_int_equal(sse_feed(&sse, body.data, body.len), 0);
    assert_false(stream_is_cut(&sse));
    sse_free(&sse);
    for (size_t k = 0; k < events.count; k++) {
        size_t length;
        const char *data = events_data(&events, k, &length);
        append_line(&out, data, length);
    }
    events_free(&events);
    return out;
}

/* --- what differs on purpose ------------------------------------------------------------------ */

#define CHUNK_OF_A_COMPLETION \
    "{id:text,object:text_completion,created:number,model:text,choices:[{index:number,text:text,logprobs:null,finish_reason:null," \
    "stop_reason:null,prompt_token_ids:null,token_ids:null}]}\n"

/* The first occurrence of theirs counts as ours. Why:
 *   queued-stream-ping: llama.cpp has run out of threads for connections, and says that it will close this one.
 *   cmpl-stop-tokid: its list holds 1,500 low ids, of which the real model's first token was one; ours says other words first. */
static const struct difference {
    const char *capture, *theirs, *ours;
} differences[] = {
    {"vllm/cmpl-stop-tokid", "charset=utf-8\n", "charset=utf-8\n" CHUNK_OF_A_COMPLETION},
    {"llamacpp-auth/queued-stream-ping", "Connection Content-Type", "Content-Type Keep-Alive"},
};

static void accept_differences(const char *name, struct buf *theirs)
{
    for (size_t k = 0; k < sizeof differences / sizeof differences[0]; k++) {
        const struct difference *difference = &differences[k];
        char *found = strcmp(name, difference->capture) == 0 ? strstr(theirs->data, difference->theirs) : NULL;
        if (!found)
            continue;
        struct buf changed = BUF_INIT(REPLY_MAX);
        buf_append(&changed, theirs->data, (size_t)(found - theirs->data));
        buf_append_text(&changed, difference->ours);
        buf_append_text(&changed, found + strlen(difference->theirs));
        buf_free(theirs);
        *theirs = changed;
    }
}

/* --- the captures ----------------------------------------------------------------------------- */

static bool has_headers(const char *name)
{
    return strncmp(name, "llamacpp", 8) == 0;
}

/* Returns 1 if the reply to the request has another structure than the capture, after it has said so. */
static int compare_reply(const char *name, const struct buf *request, const struct server *server)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.raw", CAPTURES_FOLDER, name);
    cleanup_buf struct buf raw = capture_read(path), reply = ask(server, request);
    cleanup_buf struct buf ours = structure_of(&reply, has_headers(name)), theirs = structure_of(&raw, has_headers(name));
    accept_differences(name, &theirs);
    if (strcmp(buf_text(&ours), buf_text(&theirs)) == 0)
        return 0;
    print_error("%s\n--- captured\n%s--- simulator\n%s\n", name, buf_text(&theirs), buf_text(&ours));
    return 1;
}

/* Compares all captures of a folder that have a request, but `except`; returns how many. */
static int compare_folder(const char *folder, const char *except, const struct server *server)
{
    struct captures captures = captures_list();
    int compared = 0, different = 0;
    for (size_t k = 0; k < captures.count; k++) {
        char path[512], name[256];
        snprintf(path, sizeof path, "%s/%s/", CAPTURES_FOLDER, folder);
        if (strncmp(captures.paths[k], path, strlen(path)) != 0)
            continue;
        snprintf(name, sizeof name, "%s", captures.paths[k] + strlen(CAPTURES_FOLDER) + 1);
        name[strlen(name) - strlen(".raw")] = '\0';
        snprintf(path, sizeof path, "%s/%s.req", CAPTURES_FOLDER, name);
        if (access(path, R_OK) != 0 || strcmp(name, except) == 0)
            continue;
        cleanup_buf struct buf request = capture_read(path);
        different += compare_reply(name, &request, server);
        compared++;
    }
    captures_free(&captures);
    assert_int_equal(different, 0);
    return compared;
}

/* A capture whose request was not kept, and one that asks for the same. */
struct question {
    const char *capture, *path, *body; /* body NULL: GET */
};

static void compare_questions(const struct question *questions, size_t count, const struct server *server)
{
    int different = 0;
    for (size_t k = 0; k < count; k++) {
        cleanup_buf struct buf request = BUF_INIT(REPLY_MAX);
        if (questions[k].body)
            buf_printf(&request, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                       questions[k].path, strlen(questions[k].body), questions[k].body);
        else
            buf_printf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", questions[k].path);
        different += compare_reply(questions[k].capture, &request, server);
    }
    assert_int_equal(different, 0);
}

static struct simulator_settings settings_of(const char *preset)
{
    const struct preset *found = preset_find(preset);
    return (struct simulator_settings){.listen = "127.0.0.1:0", .model = MODEL, .preset = preset, .time_scale = 1,
                                       .scheduler = found->scheduler, .max_model_len = 2048, .stream_interval = 1,
                                       .clock = clock_system()};
}

static void defaults_answer_as_vllm_does(void **state)
{
    (void)state;
    struct simulator_settings settings = settings_of("instant");
    struct server server = start(&settings);
    assert_int_equal(compare_folder("vllm", "", &server), 17);
    finish(&server);
}

static void with_a_key_and_prompt_details(void **state)
{
    (void)state;
    struct simulator_settings settings = settings_of("instant");
    settings.api_key = "sk-test";
    settings.prompt_tokens_details = true;
    struct server server = start(&settings);
    assert_int_equal(compare_folder("vllm-auth", "", &server), 3);
    finish(&server);
}

static void with_intervals_comments_and_metrics(void **state)
{
    (void)state;
    struct simulator_settings settings = settings_of("l4-int4");
    settings.time_scale = 100;
    settings.stream_interval = 4;
    settings.keep_alive = NS_PER_MS;
    settings.force_include_usage = true;
    settings.per_request_metrics = true;
    struct server server = start(&settings);
    assert_int_equal(compare_folder("vllm-v3", "", &server), 4);
    finish(&server);
}

#define LONG_PROMPT "one two three four five six seven eight nine ten "

static void llamacpp_answers_as_llamacpp_does(void **state)
{
    (void)state;
    static const struct question questions[] = {
        {"llamacpp/get_health", "/health", NULL},
        {"llamacpp/get_v1_health", "/v1/health", NULL},
        {"llamacpp/get_v1_models", "/v1/models", NULL},
        {"llamacpp/get_version", "/version", NULL},
        {"llamacpp/get_metrics", "/metrics", NULL},
        {"llamacpp/err-404path", "/v1/nothing", "{}"},
        {"llamacpp/err-badjson", "/v1/completions", "{\"model\":\"mistral"},
        {"llamacpp/err-noprompt", "/v1/completions", "{\"max_tokens\":2}"},
        {"llamacpp/err-tokid", "/v1/completions", "{\"prompt\":[1,99999999]}"},
        {"llamacpp/err-ctx", "/v1/completions", "{\"prompt\":\"" LONG_PROMPT LONG_PROMPT LONG_PROMPT "\"}"},
        {"llamacpp/err-ctx-stream", "/v1/completions", "{\"stream\":true,\"prompt\":\"" LONG_PROMPT LONG_PROMPT LONG_PROMPT "\"}"},
        {"llamacpp/err-model404", "/v1/completions", "{\"model\":\"nobody's\",\"prompt\":\"a\",\"max_tokens\":2}"},
        {"llamacpp/over-maxtok", "/v1/completions", "{\"prompt\":\"a\",\"max_tokens\":100000,\"ignore_eos\":true}"},
        {"llamacpp/cmpl-plain", "/v1/completions", "{\"prompt\":\"Hello my name is\",\"max_tokens\":8}"},
        {"llamacpp/chat-plain", "/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}],\"max_tokens\":8}"},
        {"llamacpp/tokenize", "/tokenize", "{\"content\":\"Hello \xf0\x9f\x99\x82 you \xf0\x9f\x99\x82\",\"add_special\":true,\"with_pieces\":true}"},
        {"llamacpp/tokenize-vllmbody", "/tokenize", "{\"model\":\"m\",\"prompt\":\"Hello\"}"},
    };
    struct simulator_settings settings = settings_of("instant");
    settings.dialect = &dialect_llamacpp;
    settings.max_model_len = 32;
    struct server server = start(&settings);
    compare_questions(questions, sizeof questions / sizeof questions[0], &server);
    finish(&server);
    settings.max_model_len = 1024;
    server = start(&settings);
    assert_int_equal(compare_folder("llamacpp", "llamacpp/native-stream", &server), 10); /* not the OpenAI API */
    finish(&server);
}

static void llamacpp_with_a_key(void **state)
{
    (void)state;
    static const struct question questions[] = {
        {"llamacpp-auth/noauth_health", "/health", NULL},
        {"llamacpp-auth/noauth_metrics", "/metrics", NULL},
        {"llamacpp-auth/noauth_v1_models", "/v1/models", NULL},
        {"llamacpp-auth/noauth_tokenize", "/tokenize", "{}"},
        {"llamacpp-auth/err-noauth", "/v1/completions", "{\"prompt\":\"a\"}"},
    };
    struct simulator_settings settings = settings_of("l4-int4");
    settings.dialect = &dialect_llamacpp;
    settings.api_key = "sk-test";
    settings.time_scale = 100;
    struct server server = start(&settings);
    compare_questions(questions, sizeof questions / sizeof questions[0], &server);
    assert_int_equal(compare_folder("llamacpp-auth", "", &server), 1);
    finish(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_answer_as_vllm_does),
        cmocka_unit_test(with_a_key_and_prompt_details),
        cmocka_unit_test(with_intervals_comments_and_metrics),
        cmocka_unit_test(llamacpp_answers_as_llamacpp_does),
        cmocka_unit_test(llamacpp_with_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
