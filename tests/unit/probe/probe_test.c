/* What a server's answers make of it: waiting, refusals, kinds and features, counts. The answers are canned, per path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/stop.h"
#include "probe/count.h"
#include "probe/identify.h"
#include "probe/ready.h"
#include "probe/trial.h"
#include "support/captures.h"
#include "support/tiny_server.h"

#define MODELS_ONE "{\"object\":\"list\",\"data\":[{\"id\":\"tiny\",\"owned_by\":\"vllm\",\"max_model_len\":2048}]}"
#define MODELS_TWO "{\"object\":\"list\",\"data\":[{\"id\":\"tiny\"},{\"id\":\"large\"}]}"
#define CHUNK(usage) "data: {\"choices\":[{\"index\":0,\"text\":\" x\",\"finish_reason\":null,\"stop_reason\":null}]" usage "}\n\n"
#define USAGE(n) ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":" n ",\"total_tokens\":9}"
#define LAST "data: {\"choices\":[]" USAGE("3") "}\n\ndata: [DONE]\n\n"
#define STREAM_CONTINUOUS CHUNK(USAGE("1")) CHUNK(USAGE("2")) CHUNK(USAGE("3")) LAST
#define STREAM_PLAIN CHUNK("") CHUNK("") CHUNK("") LAST
#define ANSWER_ONE "{\"choices\":[{\"index\":0,\"text\":\" x\",\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":1}}"

/* The first row whose path, and text in the request if there is one, fits; its turns come down with each use. */
struct answer {
    const char *path, *text;
    int status, turns; /* turns 0: always */
    const char *body;
};

struct site {
    struct answer answers[12];
    int asked;
};

static struct answer *find_answer(struct site *site, const char *request)
{
    for (struct answer *answer = site->answers; answer->path; answer++) {
        const char *space = strchr(request, ' ');
        size_t length = strlen(answer->path);
        bool fits = space && strncmp(space + 1, answer->path, length) == 0 && space[1 + length] == ' ';
        if (fits && answer->turns >= 0 && (!answer->text || strstr(request, answer->text)))
            return answer;
    }
    return NULL;
}

static void serve(struct tiny_server *server, void *context)
{
    struct site *site = context;
    int fd;
    while ((fd = tiny_accept(server)) >= 0) {
        if (tiny_keep_request(server, fd)) {
            struct answer *answer = find_answer(site, tiny_server_request(server));
            const char *body = answer ? answer->body : "{\"detail\":\"Not Found\"}";
            char *response = mem_printf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                                        answer ? answer->status : 404, strlen(body), body);
            site->asked++; /* before the answer, which is what the test waits for */
            tiny_send(fd, response);
            free(response);
            if (answer && answer->turns > 0 && --answer->turns == 0)
                answer->turns = -1; /* used up */
        }
        tiny_close(fd);
    }
}

struct bench {
    struct site site;
    struct tiny_server *server;
    struct http_client *client;
    struct clock_fake time;
    struct clock clock;
    char *target;
    stop_flag stop;
    struct probe probe;
    struct error err;
    struct arena *arena;
};

static struct bench bench;

static void start_at(const char *suffix, const struct answer *answers, size_t count)
{
    struct net_settings net = {0};
    bench = (struct bench){.arena = arena_new()};
    memcpy(bench.site.answers, answers, count * sizeof *answers);
    bench.server = tiny_server_start(serve, &bench.site);
    bench.client = http_client_new(&net, &bench.err);
    bench.target = mem_printf("%s%s", tiny_server_url(bench.server), suffix);
    bench.clock = clock_fake_clock(&bench.time);
    bench.probe = (struct probe){.client = bench.client, .clock = &bench.clock, .target = bench.target, .endpoint = ENDPOINT_COMPLETIONS,
                                 .stop = &bench.stop};
}

#define start(...) start_at("/v1", (const struct answer[]){__VA_ARGS__}, sizeof(const struct answer[]){__VA_ARGS__} / sizeof(struct answer))

static void stop(void)
{
    tiny_server_stop(bench.server);
    http_client_free(bench.client);
    arena_free(bench.arena);
    free(bench.target);
}

/* --- ready ---------------------------------------------------------------------------------------- */

static int wait_for(const char *model, double seconds, char *chosen)
{
    struct openai_models models;
    size_t index;
    int status = ready_wait(&bench.probe, model, (int64_t)(seconds * 1e9), &models, &index, &bench.err);
    if (status == 0) {
        snprintf(chosen, 64, "%s", models.ids[index]);
        openai_models_free(&models);
    }
    return status;
}

static void assert_fails(int status, enum error_class class, const char *says)
{
    assert_int_equal(status, -1);
    assert_int_equal(bench.err.class, class);
    if (!strstr(bench.err.text, says))
        fail_msg("'%s' does not say '%s'", bench.err.text, says);
}

static void test_the_only_model_is_taken(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 200, 0, MODELS_ONE});
    assert_int_equal(wait_for(NULL, 5, chosen), 0);
    assert_string_equal(chosen, "tiny");
    stop();
}

static void test_several_models_want_a_name(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 200, 0, MODELS_TWO});
    assert_fails(wait_for(NULL, 100, chosen), ERROR_USAGE, "several models; choose one by --model: tiny, large");
    assert_int_equal(wait_for("large", 100, chosen), 0);
    assert_string_equal(chosen, "large");
    stop();
}

static void test_of_many_models_twenty_are_named(void **state)
{
    (void)state;
    char chosen[64], list[2048] = "{\"object\":\"list\",\"data\":[";
    for (int k = 1; k <= 50; k++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s{\"id\":\"m%d\"}", k > 1 ? "," : "", k);
    snprintf(list + strlen(list), sizeof list - strlen(list), "]}");
    start({"/v1/models", NULL, 200, 0, list});
    assert_fails(wait_for(NULL, 100, chosen), ERROR_USAGE, "m19, m20 and 30 more");
    assert_int_equal(wait_for("m50", 100, chosen), 0);
    stop();
}

static void test_an_unknown_model_lists_those_there_are_at_once(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 200, 0, MODELS_TWO}, {"/health", NULL, 200, 0, ""});
    assert_fails(wait_for("huge", 100, chosen), ERROR_TARGET, "no model 'huge'; it has: tiny, large");
    assert_int_equal(bench.time.now, 0); /* nothing was waited for */
    stop();
}

static void test_a_model_not_yet_there_is_waited_for_while_the_server_loads(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 200, 2, MODELS_TWO}, {"/v1/models", NULL, 200, 0, "{\"data\":[{\"id\":\"huge\"}]}"},
          {"/health", NULL, 503, 0, ""});
    assert_int_equal(wait_for("huge", 100, chosen), 0);
    stop();
}

static void test_a_server_that_starts_is_waited_for(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 502, 1, ""}, {"/v1/models", NULL, 503, 1, "<title>Application is not available</title>"},
          {"/v1/models", NULL, 504, 1, ""}, {"/v1/models", NULL, 404, 1, "{}"}, {"/v1/models", NULL, 429, 1, ""},
          {"/v1/models", NULL, 200, 1, "{\"data\":[]}"}, {"/v1/models", NULL, 200, 0, MODELS_ONE});
    assert_int_equal(wait_for("tiny", 100, chosen), 0);
    assert_int_equal(bench.time.now, (100 + 200 + 400 + 800 + 1600 + 3200) * NS_PER_MS); /* the pauses double */
    stop();
}

static void test_a_key_is_asked_for_at_once(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 401, 0, "{\"error\":\"Unauthorized\"}"});
    assert_fails(wait_for("tiny", 100, chosen), ERROR_TARGET, "needs an API key: --api-key-file or ROIBENCH_API_KEY");
    assert_int_equal(bench.time.now, 0);
    stop();
}

static void test_a_proxy_s_user_is_asked_for_at_once(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 407, 0, "<title>Proxy Authentication Required</title>"});
    assert_fails(wait_for("tiny", 100, chosen), ERROR_TARGET, "The proxy of the environment wants a user");
    assert_int_equal(bench.time.now, 0);
    stop();
}

static void test_a_target_without_v1_is_told(void **state)
{
    (void)state;
    char chosen[64];
    start_at("", (const struct answer[]){{"/v1/models", NULL, 200, 0, MODELS_ONE}}, 1);
    assert_fails(wait_for(NULL, 100, chosen), ERROR_TARGET, "/v1 the target?");
    assert_int_equal(bench.site.asked, 1);
    stop();
}

static void test_nobody_there_names_url_error_tries_and_time(void **state)
{
    (void)state;
    char chosen[64];
    start({"/none", NULL, 200, 0, ""});
    bench.probe.target = "http://127.0.0.1:1/v1";
    assert_fails(wait_for("tiny", 60, chosen), ERROR_TARGET, "http://127.0.0.1:1/v1/models");
    /* 0.1 s doubled up to 5 s: tries at 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 11.3, ..., 56.3, and at the end */
    assert_non_null(strstr(bench.err.text, "refused"));
    assert_non_null(strstr(bench.err.text, "tried 18 times in 1 m 00 s"));
    stop();
}

static void test_without_waiting_there_is_one_try(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 503, 0, "{\"error\":{\"message\":\"loading\"}}"});
    assert_fails(wait_for("tiny", 0, chosen), ERROR_TARGET, "tried 1 time");
    assert_non_null(strstr(bench.err.text, "loading"));
    stop();
}

static void test_a_signal_ends_the_waiting(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 503, 0, ""});
    bench.stop = 15;
    assert_fails(wait_for("tiny", 1000, chosen), ERROR_TARGET, "stopped");
    assert_int_equal(bench.site.asked, 1);
    stop();
}

static void test_what_is_no_model_list_is_not_waited_for(void **state)
{
    (void)state;
    char chosen[64];
    start({"/v1/models", NULL, 200, 0, "<html>hello</html>"});
    assert_fails(wait_for("tiny", 1000, chosen), ERROR_TARGET, "not JSON");
    stop();
}

/* --- identify --------------------------------------------------------------------------------------- */

static struct server_identity identify(const char *owned_by)
{
    struct server_identity server = {0};
    if (identify_server(&bench.probe, "tiny", owned_by, 2048, bench.arena, &server, &bench.err) < 0)
        fail_msg("%s", bench.err.text);
    return server;
}

static void test_a_vllm(void **state)
{
    (void)state;
    start({"/version", NULL, 200, 0, "{\"version\":\"0.32.0\"}"}, {"/metrics", NULL, 200, 0, "vllm:num_requests_running{engine=\"0\"} 0\n"},
          {"/tokenize", NULL, 200, 0, "{\"count\":4,\"max_model_len\":2048,\"tokens\":[300,301,302,303]}"},
          {"/v1/completions", "\"stream\":true", 200, 0, STREAM_CONTINUOUS}, {"/v1/completions", "[300,301,302,303]", 200, 0, ANSWER_ONE});
    struct server_identity server = identify("vllm");
    assert_string_equal(server.kind, "vllm");
    assert_string_equal(server.version, "0.32.0");
    assert_true(server.usage && server.continuous_usage && server.ignore_eos && server.metrics && server.tokenize && server.token_ids);
    assert_true(server.time_scale == 1);
    assert_int_equal(server.max_model_len, 2048);
    stop();
}

static void test_a_llamacpp(void **state)
{
    (void)state;
    start({"/props", NULL, 200, 0, "{\"build_info\":\"b6789-abc\"}"}, {"/metrics", NULL, 200, 0, "llamacpp:requests_processing 0\n"},
          {"/tokenize", "\"content\"", 200, 0, "{\"tokens\":[300,301,302,303]}"}, {"/tokenize", NULL, 200, 0, "{\"tokens\":[]}"},
          {"/v1/completions", "\"stream\":true", 200, 0, STREAM_PLAIN}, {"/v1/completions", "[300,301,302,303]", 200, 0, ANSWER_ONE});
    struct server_identity server = identify("llamacpp");
    assert_string_equal(server.kind, "llamacpp");
    assert_string_equal(server.version, "b6789-abc");
    assert_true(server.usage && server.metrics && server.token_ids);
    assert_false(server.continuous_usage || server.tokenize);
    stop();
}

/* SGLang has no owner of its own in old versions' lists; the names of its metrics tell it as well. */
static void test_an_sglang(void **state)
{
    (void)state;
    for (int renamed = 0; renamed < 2; renamed++) {
        start({renamed ? "/server_info" : "/get_server_info", NULL, 200, 0, "{\"version\":\"0.5.2\",\"model_path\":\"/m\"}"},
              {"/metrics", NULL, 200, 0, "sglang:num_running_reqs{tp_rank=\"0\"} 0\n"},
              {"/tokenize", NULL, 200, 0, "{\"count\":4,\"max_model_len\":2048,\"tokens\":[300,301,302,303]}"},
              {"/v1/completions", "\"stream\":true", 200, 0, STREAM_CONTINUOUS}, {"/v1/completions", "[300,301,302,303]", 200, 0, ANSWER_ONE});
        struct server_identity server = identify(renamed ? "sglang" : "");
        assert_string_equal(server.kind, "sglang");
        assert_string_equal(server.version, "0.5.2");
        assert_true(server.usage && server.continuous_usage && server.ignore_eos && server.metrics && server.tokenize && server.token_ids);
        assert_int_equal(server.prefix_caching, CACHING_UNKNOWN);
        stop();
    }
}

/* Both read over what they do not know: that a wish for ignore_eos was taken says nothing. */
static void test_a_tgi(void **state)
{
    (void)state;
    start({"/info", NULL, 200, 0, "{\"model_id\":\"tiny\",\"router\":\"text-generation-router\",\"version\":\"3.3.6\",\"max_total_tokens\":4096}"},
          {"/v1/completions", "\"stream\":true", 200, 0, STREAM_PLAIN});
    struct server_identity server = {0};
    assert_int_equal(identify_server(&bench.probe, "tiny", "tiny", -1, bench.arena, &server, &bench.err), 0);
    assert_string_equal(server.kind, "tgi");
    assert_string_equal(server.version, "3.3.6");
    assert_int_equal(server.max_model_len, 4096);
    assert_true(server.usage);
    assert_false(server.ignore_eos || server.continuous_usage || server.metrics || server.tokenize || server.token_ids);
    stop();
    start({"/metrics", NULL, 200, 0, "tgi_queue_size 0\n"}, {"/v1/completions", NULL, 200, 0, STREAM_PLAIN});
    server = identify("tiny");
    assert_string_equal(server.kind, "tgi");
    assert_true(server.metrics);
    stop();
}

static void test_an_ollama(void **state)
{
    (void)state;
    start({"/", NULL, 200, 0, "Ollama is running"}, {"/api/version", NULL, 200, 0, "{\"version\":\"0.12.0\"}"},
          {"/v1/completions", NULL, 200, 0, STREAM_PLAIN});
    struct server_identity server = identify("library");
    assert_string_equal(server.kind, "ollama");
    assert_string_equal(server.version, "0.12.0");
    assert_true(server.usage);
    assert_false(server.ignore_eos || server.metrics || server.tokenize || server.token_ids);
    stop();
}

/* A version's page alone makes no Ollama: others have one too. */
static void test_a_version_at_api_is_not_enough(void **state)
{
    (void)state;
    start({"/", NULL, 200, 0, "<title>Chat</title>"}, {"/api/version", NULL, 200, 0, "{\"version\":\"1\"}"},
          {"/v1/completions", NULL, 200, 0, STREAM_PLAIN});
    assert_string_equal(identify("").kind, "openai");
    stop();
}

#define ANSWER_CACHED(n)                                                                                                       \
    "{\"choices\":[{\"text\":\" a\"}],\"usage\":{\"prompt_tokens\":640,\"completion_tokens\":1,"              \
    "\"prompt_tokens_details\":{\"cached_tokens\":" n "}}}"

static void test_prefix_caching_is_seen_or_told(void **state)
{
    static const struct {
        const char *first, *second, *metrics;
        enum caching expected;
    } cases[] = {
        {ANSWER_CACHED("0"), ANSWER_CACHED("512"), "", CACHING_ON},
        {ANSWER_CACHED("512"), ANSWER_CACHED("512"), "", CACHING_ON},
        {ANSWER_CACHED("0"), ANSWER_CACHED("0"), "", CACHING_OFF},
        {ANSWER_ONE, ANSWER_ONE, "", CACHING_UNKNOWN},
        {ANSWER_ONE, ANSWER_ONE, "vllm:cache_config_info{block_size=\"16\",enable_prefix_caching=\"True\"} 1\n", CACHING_ON},
        {ANSWER_ONE, ANSWER_ONE, "vllm:cache_config_info{block_size=\"16\",enable_prefix_caching=\"False\"} 1\n", CACHING_OFF},
        {ANSWER_CACHED("0"), ANSWER_CACHED("0"), "vllm:cache_config_info{enable_prefix_caching=\"True\"} 1\n", CACHING_OFF},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        start({"/metrics", NULL, 200, 0, cases[k].metrics}, {"/v1/completions", "\"stream\":true", 200, 0, STREAM_PLAIN},
              {"/v1/completions", " time time time", 200, 1, cases[k].first}, {"/v1/completions", " time time time", 200, 1, cases[k].second});
        assert_int_equal(identify("").prefix_caching, cases[k].expected);
        stop();
    }
}

static void test_a_simulator(void **state)
{
    (void)state;
    start({"/version", NULL, 200, 0, "{\"version\":\"0.32.0-simulated\",\"simulator\":{\"preset\":\"l4-int4\",\"time_scale\":10}}"},
          {"/v1/completions", NULL, 200, 0, STREAM_CONTINUOUS});
    struct server_identity server = identify("vllm");
    assert_string_equal(server.kind, "simulator");
    assert_string_equal(server.preset, "l4-int4");
    assert_true(server.time_scale == 10);
    stop();
}

/* --- the same with what real servers sent ------------------------------------------------------------ */

struct page {
    const char *path, *text, *capture;
};

/* Starts a server whose answers are these captures, waits for its model and identifies it. */
static struct server_identity identify_captured(const struct page *pages, size_t count)
{
    struct answer answers[12] = {{0}};
    struct buf bodies[12];
    struct openai_models models;
    struct server_identity server;
    size_t index;
    for (size_t k = 0; k < count; k++) {
        answers[k] = (struct answer){.path = pages[k].path, .text = pages[k].text};
        bodies[k] = capture_read_body(pages[k].capture, &answers[k].status);
        answers[k].body = buf_text(&bodies[k]);
    }
    start_at("/v1", answers, count);
    if (ready_wait(&bench.probe, NULL, 0, &models, &index, &bench.err) < 0)
        fail_msg("%s", bench.err.text);
    assert_string_equal(models.ids[index], "mistral-3-int4");
    if (identify_server(&bench.probe, models.ids[index], models.owned_by[index], models.max_model_len[index], bench.arena, &server,
                        &bench.err) < 0)
        fail_msg("%s", bench.err.text);
    openai_models_free(&models);
    for (size_t k = 0; k < count; k++)
        buf_free(&bodies[k]);
    return server;
}

static void test_a_captured_vllm(void **state)
{
    static const struct page pages[] = {
        {"/v1/models", NULL, CAPTURES_FOLDER "/vllm/get_v1_models.raw"},
        {"/version", NULL, CAPTURES_FOLDER "/vllm/get_version.raw"},
        {"/metrics", NULL, CAPTURES_FOLDER "/vllm/get_metrics.raw"},
        {"/tokenize", NULL, CAPTURES_FOLDER "/vllm/tokenize-nospecial.raw"},
        {"/v1/completions", "\"stream\":true", CAPTURES_FOLDER "/vllm/cmpl-stream-contusage.raw"},
        {"/v1/completions", NULL, CAPTURES_FOLDER "/vllm/cmpl-idprompt.raw"},
    };
    (void)state;
    struct server_identity server = identify_captured(pages, sizeof pages / sizeof *pages);
    assert_string_equal(server.kind, "vllm");
    assert_string_equal(server.version, "0.32.0");
    assert_int_equal(server.max_model_len, 2048);
    assert_true(server.usage && server.continuous_usage && server.ignore_eos && server.metrics && server.tokenize);
    stop();
}

/* Its /version is a 404, its lists of tokens have no count, and it has no word for continuous usage. */
static void test_a_captured_llamacpp(void **state)
{
    static const struct page pages[] = {
        {"/v1/models", NULL, CAPTURES_FOLDER "/llamacpp/get_v1_models.raw"},
        {"/version", NULL, CAPTURES_FOLDER "/llamacpp/get_version.raw"},
        {"/metrics", NULL, CAPTURES_FOLDER "/llamacpp/get_metrics.raw"},
        {"/tokenize", "\"content\"", CAPTURES_FOLDER "/llamacpp/tokenize.raw"},
        {"/tokenize", NULL, CAPTURES_FOLDER "/llamacpp/tokenize-vllmbody.raw"},
        {"/v1/completions", "\"stream\":true", CAPTURES_FOLDER "/llamacpp/cmpl-stream-contusage.raw"},
        {"/v1/completions", NULL, CAPTURES_FOLDER "/llamacpp/cmpl-idprompt.raw"},
    };
    (void)state;
    struct server_identity server = identify_captured(pages, sizeof pages / sizeof *pages);
    assert_string_equal(server.kind, "llamacpp");
    assert_string_equal(server.version, "");
    assert_true(server.usage && server.ignore_eos && server.metrics);
    assert_false(server.continuous_usage || server.tokenize);
    stop();
}

/* What each answers without its key. */
static void test_captured_refusals_ask_for_the_key(void **state)
{
    static const char *const captures[] = {
        CAPTURES_FOLDER "/vllm-auth/models-noauth.raw",
        CAPTURES_FOLDER "/llamacpp-auth/noauth_v1_models.raw",
    };
    (void)state;
    for (size_t k = 0; k < sizeof captures / sizeof *captures; k++) {
        int status;
        char chosen[64];
        struct buf body = capture_read_body(captures[k], &status);
        start({"/v1/models", NULL, status, 0, buf_text(&body)});
        assert_fails(wait_for(NULL, 100, chosen), ERROR_TARGET, "needs an API key");
        assert_int_equal(bench.site.asked, 1);
        stop();
        buf_free(&body);
    }
}

/* A server's word is not printed as it comes, and a senseless scale is none. */
static void test_hostile_identities(void **state)
{
    (void)state;
    char *long_text = mem_alloc(5000), *version;
    memset(long_text, 'v', 4999);
    version = mem_printf("{\"version\":\"\\u001b[2J%s\",\"simulator\":{\"preset\":7,\"time_scale\":1e300}}", long_text);
    start({"/version", NULL, 200, 0, version}, {"/v1/completions", NULL, 200, 0, STREAM_PLAIN});
    struct server_identity server = identify("");
    assert_int_equal(strlen(server.version), 64);
    assert_null(strchr(server.version, '\x1b'));
    assert_string_equal(server.preset, "");
    assert_true(server.time_scale == 1);
    stop();
    free(version);
    free(long_text);
}

static void test_what_is_refused_is_left_away(void **state)
{
    (void)state;
    start({"/v1/completions", "continuous_usage_stats", 400, 0, "{\"error\":{\"message\":\"unknown field\"}}"},
          {"/v1/completions", "ignore_eos", 422, 0, "{\"error\":{\"message\":\"unknown field\"}}"},
          {"/v1/completions", NULL, 200, 0, STREAM_PLAIN});
    struct server_identity server = identify("someone");
    assert_string_equal(server.kind, "openai");
    assert_true(server.usage);
    assert_false(server.ignore_eos || server.continuous_usage || server.metrics || server.tokenize || server.token_ids);
    stop();
}

static void test_a_server_that_refuses_all_is_quoted(void **state)
{
    (void)state;
    struct server_identity server;
    start({"/v1/completions", NULL, 400, 0, "{\"error\":{\"message\":\"this model cannot complete\"}}"});
    assert_fails(identify_server(&bench.probe, "tiny", "", -1, bench.arena, &server, &bench.err), ERROR_TARGET, "this model cannot complete");
    stop();
    start({"/v1/completions", NULL, 500, 0, "{\"error\":{\"message\":\"broken\"}}"});
    assert_fails(identify_server(&bench.probe, "tiny", "", -1, bench.arena, &server, &bench.err), ERROR_TARGET, "broken");
    stop();
}

/* --- trial and count ---------------------------------------------------------------------------------- */

static void test_a_trial_reads_usage_and_errors_in_the_stream(void **state)
{
    (void)state;
    struct trial trial;
    start({"/v1/completions", NULL, 200, 1, STREAM_PLAIN},
          {"/v1/completions", NULL, 200, 0, CHUNK("") "data: {\"error\":{\"message\":\"EngineCore died\",\"code\":500}}\n\ndata: [DONE]\n\n"});
    assert_int_equal(trial_send(&bench.probe, "{}", 2, NS_PER_S * 5, &trial, &bench.err), 0);
    assert_int_equal(trial.prompt_tokens, 5);
    assert_int_equal(trial.output_tokens, 3);
    assert_true(trial.usage && !trial.continuous_usage && trial.e2e_ns > 0);
    assert_fails(trial_send(&bench.probe, "{}", 2, NS_PER_S * 5, &trial, &bench.err), ERROR_TARGET, "EngineCore died");
    stop();
}

static void test_an_answer_that_is_no_stream_is_refused(void **state)
{
    (void)state;
    struct trial trial;
    start({"/v1/completions", NULL, 200, 1, "{\"choices\":[{\"text\":\" a\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}"},
          {"/v1/completions", NULL, 200, 0, ""});
    for (int k = 0; k < 2; k++)
        assert_fails(trial_send(&bench.probe, "{}", 2, NS_PER_S * 5, &trial, &bench.err), ERROR_TARGET, "the answer is no stream of events");
    stop();
}

/* A count that stands still beside a text, or falls, counts no chunks. */
static void test_usage_is_continuous_only_if_it_grows(void **state)
{
    static const struct {
        const char *stream;
        bool continuous;
    } STREAMS[] = {
        {STREAM_CONTINUOUS, true},
        {CHUNK(USAGE("2")) CHUNK(USAGE("3")) LAST, true},
        {CHUNK(USAGE("0")) CHUNK(USAGE("0")) CHUNK(USAGE("0")) LAST, false},
        {CHUNK(USAGE("1")) CHUNK(USAGE("1")) CHUNK(USAGE("3")) LAST, false},
        {CHUNK(USAGE("2")) CHUNK(USAGE("1")) CHUNK(USAGE("3")) LAST, false},
        {CHUNK(USAGE("1")) CHUNK("") CHUNK(USAGE("3")) LAST, false},
        {LAST, false},
    };
    (void)state;
    for (size_t k = 0; k < sizeof STREAMS / sizeof *STREAMS; k++) {
        struct trial trial;
        start({"/v1/completions", NULL, 200, 0, STREAMS[k].stream});
        assert_int_equal(trial_send(&bench.probe, "{}", 2, NS_PER_S * 5, &trial, &bench.err), 0);
        if (trial.continuous_usage != STREAMS[k].continuous)
            fail_msg("stream %zu", k);
        stop();
    }
}

static void test_a_trial_reads_no_further_than_it_must(void **state)
{
    (void)state;
    struct trial trial;
    char *large = mem_alloc(SSE_EVENT_MAX + 100);
    memset(large, 'x', SSE_EVENT_MAX + 99);
    start({"/v1/completions", NULL, 200, 1, STREAM_PLAIN "data: {\"error\":{\"message\":\"behind the end\"}}\n\n"},
          {"/v1/completions", NULL, 200, 1, "data: {\"error\":\"first\"}\n\ndata: {\"error\":\"second\"}\n\n" LAST},
          {"/v1/completions", NULL, 200, 1, large});
    assert_int_equal(trial_send(&bench.probe, "{}", 2, NS_PER_S * 5, &trial, &bench.err), 0);
    assert_fails(trial_send(&bench.probe, "{}", 2, NS_PER_S * 5, &trial, &bench.err), ERROR_TARGET, "first");
    assert_int_equal(trial.prompt_tokens, -1);
    assert_fails(trial_send(&bench.probe, "{}", 2, NS_PER_S * 5, &trial, &bench.err), ERROR_TARGET, "too large");
    stop();
    free(large);
}

static void test_tokens_are_counted_by_tokenize_or_by_usage(void **state)
{
    (void)state;
    start({"/tokenize", NULL, 200, 0, "{\"count\":12,\"tokens\":[]}"}, {"/v1/completions", "\"max_tokens\":1", 200, 0, ANSWER_ONE});
    struct counter counter = {.probe = &bench.probe, .model = "tiny", .tokenize = true};
    assert_int_equal(counter_count(&counter, "x", 1, &bench.err), 12);
    counter.tokenize = false;
    assert_int_equal(counter_count(&counter, "x", 1, &bench.err), 4);
    assert_int_equal(counter.asked, 2);
    stop();
}

static void test_counts_that_are_missing_or_mad_are_errors(void **state)
{
    (void)state;
    int32_t ids[4];
    start({"/tokenize", "\"add_special\"", 200, 0, "{\"tokens\":[-1,99999999999,\"x\",7,8,9,10,11,12]}"},
          {"/tokenize", "maltese", 200, 0, "<html>maltese</html>"}, {"/tokenize", NULL, 200, 0, "{\"count\":\"many\"}"},
          {"/v1/completions", NULL, 200, 0, "{\"choices\":[]}"});
    struct counter counter = {.probe = &bench.probe, .model = "tiny", .tokenize = true};
    assert_fails((int)counter_count(&counter, "x", 1, &bench.err), ERROR_TARGET, "no count");
    assert_fails((int)counter_count(&counter, "maltese", 7, &bench.err), ERROR_TARGET, "/tokenize"); /* no JSON, but no bad input file */
    assert_int_equal(counter_token_ids(&counter, "x", ids, 4, &bench.err), 4); /* what fits, of those that are ids */
    assert_int_equal(ids[0], 7);
    counter.tokenize = false;
    assert_fails((int)counter_count(&counter, "x", 1, &bench.err), ERROR_TARGET, "no usage.prompt_tokens");
    bench.stop = 15;
    assert_fails((int)counter_count(&counter, "x", 1, &bench.err), ERROR_TARGET, "stopped");
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_only_model_is_taken),
        cmocka_unit_test(test_several_models_want_a_name),
        cmocka_unit_test(test_of_many_models_twenty_are_named),
        cmocka_unit_test(test_an_unknown_model_lists_those_there_are_at_once),
        cmocka_unit_test(test_a_model_not_yet_there_is_waited_for_while_the_server_loads),
        cmocka_unit_test(test_a_server_that_starts_is_waited_for),
        cmocka_unit_test(test_a_key_is_asked_for_at_once),
        cmocka_unit_test(test_a_proxy_s_user_is_asked_for_at_once),
        cmocka_unit_test(test_a_target_without_v1_is_told),
        cmocka_unit_test(test_nobody_there_names_url_error_tries_and_time),
        cmocka_unit_test(test_without_waiting_there_is_one_try),
        cmocka_unit_test(test_a_signal_ends_the_waiting),
        cmocka_unit_test(test_what_is_no_model_list_is_not_waited_for),
        cmocka_unit_test(test_a_vllm),
        cmocka_unit_test(test_a_llamacpp),
        cmocka_unit_test(test_an_sglang),
        cmocka_unit_test(test_a_tgi),
        cmocka_unit_test(test_an_ollama),
        cmocka_unit_test(test_a_version_at_api_is_not_enough),
        cmocka_unit_test(test_prefix_caching_is_seen_or_told),
        cmocka_unit_test(test_a_simulator),
        cmocka_unit_test(test_a_captured_vllm),
        cmocka_unit_test(test_a_captured_llamacpp),
        cmocka_unit_test(test_captured_refusals_ask_for_the_key),
        cmocka_unit_test(test_hostile_identities),
        cmocka_unit_test(test_what_is_refused_is_left_away),
        cmocka_unit_test(test_a_server_that_refuses_all_is_quoted),
        cmocka_unit_test(test_a_trial_reads_usage_and_errors_in_the_stream),
        cmocka_unit_test(test_an_answer_that_is_no_stream_is_refused),
        cmocka_unit_test(test_usage_is_continuous_only_if_it_grows),
        cmocka_unit_test(test_a_trial_reads_no_further_than_it_must),
        cmocka_unit_test(test_tokens_are_counted_by_tokenize_or_by_usage),
        cmocka_unit_test(test_counts_that_are_missing_or_mad_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
