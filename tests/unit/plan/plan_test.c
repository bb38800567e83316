/* plan.json: what is written is read back, and what is broken is named by file, path and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "plan/labels.h"
#include "plan/plan.h"
#include "plan/profile.h"
#include "support/temp_folder.h"

static char *folder, *path;

static int setup(void **state)
{
    (void)state;
    folder = temp_folder_make();
    path = file_join(folder, "plan.json");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(path);
    temp_folder_remove(folder);
    return 0;
}

static struct plan *whole_plan(void)
{
    static const char *others[] = {"http://b:8000/v1", "https://c/v1"};
    struct plan *plan = plan_new();
    struct error err;
    plan->run_id = "tiny-1";
    plan->created = INT64_C(1795485938123000000);
    plan->target = "http://127.0.0.1:8000/v1";
    plan->other_targets = others;
    plan->other_target_count = 2;
    plan->ca_file = "/etc/own-ca.pem";
    plan->model = "m\"\xc3\xa4";
    plan->server = (struct server_identity){.kind = "simulator", .version = "0.32.0", .preset = "instant", .time_scale = 10,
                                            .max_model_len = 8192, .usage = true, .ignore_eos = true, .max_completion_tokens = true,
                                            .metrics = true};
    plan->profile = "sweep";
    assert_int_equal(levels_parse("poisson:0.1-5.0/8", plan, &err), 0);
    plan->stream_start = STREAM_START_TOGETHER;
    plan->arrival_shape = (struct arrival_shape){.burstiness = 0.5, .burst_size = 8, .ramp_from = 1, .ramp_to = 9};
    plan->repeat = 3;
    plan->find = FIND_BREAKING;
    plan->refine = 4;
    plan->workload = (struct workload){.scenario = "stress", .endpoint = ENDPOINT_COMPLETIONS, .prompt = {.mean = 256, .min = 256, .max = 256},
                                       .output = {.mean = 100, .stddev = 20, .min = 10, .max = 200}, .shared_prefix_groups = 1, .turns = 1, .language = "de", .allow_prefix_cache = true,
                                       .data = {.file = "a.jsonl", .format = "jsonl", .rows = 90, .bad = 1, .too_long = 2, .trimmed = 3, .counted = 4,
                                                .block_tokens = 16, .shuffled = true}};
    plan->limits = (struct limits){.max_seconds_ns = 60 * NS_PER_S, .drain_ns = 1500 * NS_PER_MS, .stall_timeout_ns = 60 * NS_PER_S,
                                   .max_concurrency = 512, .warmup = {.kind = TRIM_SHARE, .share = 0.1},
                                   .cooldown = {.kind = TRIM_TIME, .ns = 5 * NS_PER_S}, .min_requests = 100,
                                   .max_error_rate = 0.25, .stop_when_saturated = true, .max_tokens_total = 5000000,
                                   .max_micro_usd = 1250000};
    plan->deployment = (struct deployment){.hardware = "1 x L4", .gpus = 1, .price_micro_usd = 850000, .price_source = "list"};
    assert_int_equal(labels_add(plan, "env=staging", NULL), 0);
    assert_int_equal(labels_add(plan, "note=a=b \"c\"", NULL), 0);
    plan->seed = 7;
    memcpy(plan->nonce, "00112233445566778899aabbccddeeff", PLAN_NONCE_SIZE);
    plan->calibration = (struct calibration){.method = "usage", .exact = true, .template_tokens = 9, .e2e_ns = 12345};
    return plan;
}

/* What does not go with rates and data. */
static struct plan *streams_plan(void)
{
    struct plan *plan = whole_plan();
    struct error err;
    plan->level_count = 0;
    assert_int_equal(levels_parse("concurrent:1,5", plan, &err), 0);
    plan->think_time = (struct variate){VARIATE_LOGNORMAL, 2, 0.75, 0.5, 30};
    plan->find = FIND_NOTHING;
    plan->limits.stop_when_saturated = false;
    plan->workload.data = (struct workload_data){.file = "", .format = "", .block_tokens = PLAN_BLOCK_TOKENS};
    plan->workload.shared_prefix_tokens = 100;
    plan->workload.shared_prefix_groups = 3;
    plan->workload.turns = 4;
    return plan;
}

static char *write_and_dump(const struct plan *plan)
{
    struct error err;
    json_t *json = plan_to_json(plan);
    assert_int_equal(json_write_file(json, path, &err), 0);
    json_decref(json);
    size_t length;
    return temp_file_read(folder, "plan.json", &length);
}

static void test_what_is_written_is_read_back_and_gives_the_same_bytes(void **state)
{
    (void)state;
    struct error err = {0};
    struct plan *plan = whole_plan();
    char *first = write_and_dump(plan);
    struct plan *read = plan_read(path, &err);
    if (!read)
        fail_msg("%s", err.text);
    assert_string_equal(read->model, plan->model);
    assert_int_equal(read->created, plan->created);
    assert_int_equal(read->level_count, 8);
    assert_int_equal(read->limits.cooldown.ns, 5 * NS_PER_S);
    assert_int_equal(read->limits.drain_ns, 1500 * NS_PER_MS);
    assert_int_equal(read->limits.timeout_ns, 0);
    assert_int_equal(read->deployment.price_micro_usd, 850000);
    assert_true(read->server.time_scale == 10 && read->server.metrics && !read->server.token_ids);
    assert_int_equal(read->workload.output.stddev, 20);
    const struct workload_data *data = &read->workload.data;
    assert_true(read->workload.allow_prefix_cache && data->shuffled);
    assert_string_equal(data->file, "a.jsonl");
    assert_string_equal(data->format, "jsonl");
    assert_true(data->rows == 90 && data->bad == 1 && data->too_long == 2 && data->trimmed == 3 && data->counted == 4 && data->block_tokens == 16);
    assert_int_equal(read->calibration.e2e_ns, 12345);
    assert_string_equal(read->target, "http://127.0.0.1:8000/v1");
    assert_int_equal(read->other_target_count, 2);
    assert_string_equal(read->other_targets[1], "https://c/v1");
    assert_true(read->arrival_shape.burstiness == 0.5 && read->arrival_shape.burst_size == 8);
    assert_true(read->arrival_shape.ramp_from == 1 && read->arrival_shape.ramp_to == 9);
    assert_int_equal(read->repeat, 3);
    assert_int_equal(read->find, FIND_BREAKING);
    assert_int_equal(read->refine, 4);
    assert_int_equal(read->limits.min_requests, 100);
    assert_true(read->limits.max_error_rate == 0.25 && read->limits.stop_when_saturated);
    assert_int_equal(read->limits.max_tokens_total, 5000000);
    assert_int_equal(read->limits.max_micro_usd, 1250000);
    char *second = write_and_dump(read);
    assert_string_equal(first, second);
    free(first);
    free(second);
    plan_free(plan);
    plan_free(read);
}

static void test_a_plan_of_streams_is_read_back(void **state)
{
    (void)state;
    struct error err = {0};
    struct plan *plan = streams_plan();
    char *first = write_and_dump(plan);
    struct plan *read = plan_read(path, &err);
    if (!read)
        fail_msg("%s", err.text);
    assert_int_equal(read->think_time.kind, VARIATE_LOGNORMAL);
    assert_true(read->think_time.mean == 2 && read->think_time.spread == 0.75 && read->think_time.min == 0.5 && read->think_time.max == 30);
    assert_true(read->workload.shared_prefix_tokens == 100 && read->workload.shared_prefix_groups == 3 && read->workload.turns == 4);
    char *second = write_and_dump(read);
    assert_string_equal(first, second);
    free(first);
    free(second);
    plan_free(plan);
    plan_free(read);
}

static void test_unknown_is_null_and_comes_back_as_unknown(void **state)
{
    (void)state;
    struct error err = {0};
    struct plan *plan = whole_plan();
    plan->deployment = (struct deployment){.hardware = "", .price_micro_usd = -1, .price_source = ""};
    plan->limits.max_micro_usd = -1;
    plan->server.max_model_len = -1;
    plan->server.version = "";
    plan->limits.warmup = (struct trim){.kind = TRIM_NONE};
    plan->limits.cooldown = (struct trim){.kind = TRIM_AUTO};
    char *text = write_and_dump(plan);
    assert_non_null(strstr(text, "\"price_per_hour\": null"));
    assert_non_null(strstr(text, "\"max_model_len\": null"));
    struct plan *read = plan_read(path, &err);
    assert_non_null(read);
    assert_int_equal(read->deployment.price_micro_usd, -1);
    assert_int_equal(read->server.max_model_len, -1);
    assert_int_equal(read->limits.warmup.kind, TRIM_NONE);
    assert_int_equal(read->limits.cooldown.kind, TRIM_AUTO);
    free(text);
    plan_free(plan);
    plan_free(read);
}

/* As they were written before there were these members. */
static void test_what_an_older_plan_does_not_say_limits_nothing(void **state)
{
    (void)state;
    static const char *const newer[] = {"arrivals", "think_time_seconds", "repeat", "find", "refine"};
    static const char *const newer_limits[] = {"min_requests", "max_error_rate", "stop_when_saturated", "max_tokens_total", "max_usd"};
    struct error err = {0};
    struct plan *plan = streams_plan();
    json_t *root = plan_to_json(plan);
    for (size_t k = 0; k < sizeof newer / sizeof newer[0]; k++)
        assert_int_equal(json_object_del(root, newer[k]), 0);
    for (size_t k = 0; k < sizeof newer_limits / sizeof newer_limits[0]; k++)
        assert_int_equal(json_object_del(json_object_get(root, "limits"), newer_limits[k]), 0);
    assert_int_equal(json_write_file(root, path, &err), 0);
    json_decref(root);
    struct plan *read = plan_read(path, &err);
    assert_non_null(read);
    assert_int_equal(read->repeat, 1);
    assert_true(read->think_time.mean == 0);
    assert_int_equal(read->find, FIND_NOTHING);
    assert_int_equal(read->limits.min_requests, 0);
    assert_true(read->limits.max_error_rate == 1 && !read->limits.stop_when_saturated);
    assert_int_equal(read->limits.max_tokens_total, 0);
    assert_int_equal(read->limits.max_micro_usd, -1);
    plan_free(plan);
    plan_free(read);
}

/* --- broken plans ---------------------------------------------------------------------------------- */

static json_t *at(json_t *root, const char *first, const char *second)
{
    json_t *object = json_object_get(root, first);
    return second ? json_object_get(object, second) : object;
}

/* Replaces a member by a JSON text (NULL: removes it) and expects an error that says all of it. Takes the plan over. */
static void assert_plan_refused(struct plan *plan, const char *first, const char *second, const char *key, const char *value, const char *where,
                                const char *expected)
{
    struct error err = {0};
    json_t *root = plan_to_json(plan), *object = first ? at(root, first, second) : root;
    if (value)
        json_object_set_new(object, key, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(object, key);
    assert_int_equal(json_write_file(root, path, &err), 0);
    json_decref(root);
    struct plan *read = plan_read(path, &err);
    if (read)
        fail_msg("%s = %s was taken", where, value ? value : "nothing");
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, "plan.json") || !strstr(err.text, where) || !strstr(err.text, expected))
        fail_msg("'%s' does not name '%s' and '%s'", err.text, where, expected);
    plan_free(plan);
}

static void assert_refused(const char *first, const char *second, const char *key, const char *value, const char *where, const char *expected)
{
    assert_plan_refused(whole_plan(), first, second, key, value, where, expected);
}

static void assert_streams_refused(const char *first, const char *second, const char *key, const char *value, const char *where, const char *expected)
{
    assert_plan_refused(streams_plan(), first, second, key, value, where, expected);
}

/* Each member is fine by itself. */
static void test_plans_whose_parts_do_not_go_together(void **state)
{
    (void)state;
    static const char data[] = "{\"file\":\"a\",\"format\":\"jsonl\",\"rows\":5,\"block_tokens\":512,\"order\":\"file\"}";
    static const char throughput[] = "[{\"index\":0,\"kind\":\"throughput\",\"load\":9,\"unit\":\"streams\"}]";
    static const char rates[] = "[{\"index\":0,\"kind\":\"constant\",\"load\":9,\"unit\":\"req/s\"}]";
    assert_refused("limits", "warmup", "share", "0.95", "limits.warmup", "leave something of a level");
    assert_streams_refused("limits", NULL, "stop_when_saturated", "true", "limits.stop_when_saturated", "levels of rates");
    assert_refused("workload", NULL, "shared_prefix_tokens", "10", "workload.shared_prefix_tokens", "expected none");
    assert_streams_refused("workload", NULL, "data", data, "workload.shared_prefix_tokens", "expected none");
    assert_streams_refused(NULL, NULL, "levels", throughput, "think_time_seconds", "not throughput");
    assert_streams_refused(NULL, NULL, "levels", rates, "workload.turns", "levels of streams");
    struct plan *plan = streams_plan();
    plan->workload.turns = 1;
    assert_plan_refused(plan, NULL, NULL, "levels", rates, "think_time_seconds", "levels of streams");
    plan = streams_plan();
    plan->workload.shared_prefix_tokens = 0;
    assert_plan_refused(plan, "workload", NULL, "data", data, "workload.data.rows", "a multiple of turns");
    plan = streams_plan();
    plan->limits.max_requests = 1000;
    assert_plan_refused(plan, "limits", NULL, "max_seconds", "null", "limits.min_requests", "max_seconds beside it");
    plan = whole_plan();
    plan->find = FIND_NOTHING;
    plan->level_count = 0;
    plan->sweep_levels = 3;
    assert_plan_refused(plan, NULL, NULL, "profile", "\"concurrent\"", "levels", "only a sweep finds its own");
}

/* As a person writes them. */
static void test_values_that_prepare_never_writes(void **state)
{
    (void)state;
    assert_refused(NULL, NULL, "seed", "-1", "seed", "from 0");
    assert_refused(NULL, NULL, "run_id", "\"../x\"", "run_id", "must begin with a letter");
    assert_refused(NULL, NULL, "target", "[\"http://h/v1\", \"http://i/v1\", \"http://h/v1\"]", "target", "http://h/v1 twice");
    assert_refused(NULL, NULL, "headers", "[\"X\\n: y\"]", "headers", "names of headers");
    assert_refused(NULL, NULL, "model", "\"\"", "model", "name of a model");
    assert_refused("workload", "prompt_tokens", "histogram", "[[1,2],[3]]", "workload.prompt_tokens.histogram", "weights are numbers");
    assert_refused("workload", "prompt_tokens", "histogram", "[[1,2,3]]", "workload.prompt_tokens.histogram", "weights are numbers");
    assert_refused("workload", "prompt_tokens", "histogram", "[\"a\"]", "workload.prompt_tokens.histogram", "lengths are from 1");
}

static void test_broken_plans_name_file_path_and_what_was_expected(void **state)
{
    (void)state;
    assert_refused(NULL, NULL, "schema", "\"roibench/plan/v2\"", "schema", "newer");
    assert_refused(NULL, NULL, "model", NULL, "model", "expected");
    assert_refused(NULL, NULL, "model", "5", "model", "expected");
    assert_refused(NULL, NULL, "created", "\"yesterday\"", "created", "date");
    assert_refused(NULL, NULL, "target", "[]", "target", "1 to 64 URLs");
    assert_refused(NULL, NULL, "target", "[\"http://h/v1\", 5]", "target", "URLs in the array");
    assert_refused(NULL, NULL, "target", "[\"http://h/v1\", \"ftp://h/v1\"]", "target", "http://");
    assert_streams_refused("think_time_seconds", NULL, "distribution", "\"weibull\"", "think_time_seconds.distribution", "name of a distribution");
    assert_streams_refused("think_time_seconds", NULL, "mean", "0.25", "think_time_seconds.mean", "ascend");
    assert_streams_refused("think_time_seconds", NULL, "sigma", "0", "think_time_seconds.mean", "more than 0");
    assert_streams_refused("think_time_seconds", NULL, "sigma", "null", "think_time_seconds.sigma", "expected");
    assert_streams_refused("think_time_seconds", NULL, "max", "1000001", "think_time_seconds.max", "to 1e+06");
    assert_refused(NULL, NULL, "arrivals", "5", "arrivals", "expected");
    assert_refused("arrivals", NULL, "burst_size", "1.5", "arrivals.burst_size", "expected");
    assert_refused(NULL, NULL, "levels", "[{\"index\":0,\"kind\":\"ramp\",\"load\":4,\"unit\":\"req/s\"}]", "levels", "whose --rate");
    assert_refused(NULL, NULL, "repeat", "0", "repeat", "from 1 to 1000");
    assert_refused(NULL, NULL, "levels", "[{\"index\":0,\"kind\":\"synchronous\",\"load\":1,\"unit\":\"streams\"}]", "levels", "whose --rate is one");
    assert_refused(NULL, NULL, "find", "\"knee\"", "find", "\"saturation\" or \"breaking\"");
    assert_refused(NULL, NULL, "refine", "41", "refine", "from 0 to 40");
    assert_refused("limits", NULL, "min_requests", "0", "limits.min_requests", "from 1");
    assert_refused("limits", NULL, "max_error_rate", "1.5", "limits.max_error_rate", "from 0 to 1");
    assert_refused("limits", NULL, "stop_when_saturated", "3", "limits.stop_when_saturated", "expected");
    assert_refused("limits", NULL, "max_tokens_total", "0", "limits.max_tokens_total", "from 1");
    assert_refused("limits", NULL, "max_usd", "-1", "limits.max_usd", "from 0");
    assert_refused("limits", NULL, "warmup", "\"much\"", "limits.warmup", "expected");
    assert_refused("deployment", NULL, "price_per_hour", "null", "deployment.price_per_hour", "limits.max_usd needs it");
    assert_refused(NULL, NULL, "profile", "\"sawtooth\"", "profile", "load profile");
    assert_refused(NULL, NULL, "nonce", "\"xyz\"", "nonce", "32 hexadecimal digits");
    assert_refused(NULL, NULL, "endpoint", "\"images\"", "endpoint", "\"chat\" or \"completions\"");
    assert_refused(NULL, NULL, "levels", "[{\"index\":0,\"kind\":\"concurrent\",\"load\":0,\"unit\":\"streams\"}]", "levels[0].load", "whole number");
    assert_refused(NULL, NULL, "levels", "[{\"index\":0,\"kind\":\"sweep\",\"load\":1,\"unit\":\"streams\"}]", "levels[0].kind", "load profile");
    assert_refused(NULL, NULL, "levels", "[{\"index\":1,\"kind\":\"concurrent\",\"load\":1,\"unit\":\"streams\"}]", "levels[0].index", "from 0 to 0");
    assert_refused(NULL, NULL, "levels", "[{\"index\":0,\"kind\":\"poisson\",\"load\":1,\"unit\":\"streams\"}]", "levels[0].unit", "poisson");
    assert_refused(NULL, NULL, "levels", "[]", "levels", "1 to 1000");
    assert_refused(NULL, NULL, "levels", "[{\"index\":0,\"kind\":\"synchronous\",\"load\":5,\"unit\":\"streams\"}]", "levels[0].load", "synchronous are a whole number from 1 to 1");
    assert_refused(NULL, NULL, "target", "[\"ftp://h/v1\"]", "target", "http://");
    assert_refused(NULL, NULL, "target", "[\"http://\"]", "target", "http://");
    assert_refused(NULL, NULL, "target", "[\"https:///v1\"]", "target", "http://");
    assert_refused(NULL, NULL, "target", "[\"http://h/v 1\"]", "target", "http://");
    assert_refused(NULL, NULL, "target", "[\"http://h/v1\\u007f\"]", "target", "http://");
    assert_refused(NULL, NULL, "target", "[\"http://me:secret@h/v1\"]", "target", "user name");
    assert_refused("server", NULL, "time_scale", "0", "server.time_scale", "expected a number from");
    assert_refused("server", NULL, "time_scale", "0.0009", "server.time_scale", "from 0.001 to 10000");
    assert_refused("server", NULL, "time_scale", "10001", "server.time_scale", "from 0.001 to 10000");
    assert_refused("server", "features", "usage", "1", "server.features.usage", "expected");
    assert_refused("workload", "prompt_tokens", "mean", "0", "workload.prompt_tokens.mean", "from 1");
    assert_refused("workload", "output_tokens", "max", "5", "workload.output_tokens.max", "from 100");
    assert_refused("workload", "output_tokens", "max", "4194305", "workload.output_tokens.max", "to 4194304");
    assert_refused("workload", "prompt_tokens", "mean", "4194305", "workload.prompt_tokens.mean", "to 4194304");
    assert_refused("workload", "prompt_tokens", "stddev", "4194305", "workload.prompt_tokens.stddev", "to 4194304");
    assert_refused("workload", "data", "rows", "0", "workload.data.rows", "from 1");
    assert_refused("workload", "data", "block_tokens", "0", "workload.data.block_tokens", "from 1");
    assert_refused("workload", "data", "order", "\"random\"", "workload.data.order", "shuffled");
    assert_refused("workload", "data", "counted", "-1", "workload.data.counted", "from 0");
    assert_refused("limits", NULL, "max_seconds", "null", "limits.max_seconds", "needs an end");
    assert_refused("limits", NULL, "max_seconds", "1000001", "limits.max_seconds", "from 0 to 1e+06");
    assert_refused("limits", NULL, "max_concurrency", "0", "limits.max_concurrency", "from 1");
    assert_refused("limits", NULL, "drain_seconds", "-1", "limits.drain_seconds", "from 0");
    assert_refused("limits", "warmup", "share", "1", "limits.warmup.share", "from 0");
    assert_refused("limits", "cooldown", "seconds", "1000001", "limits.cooldown.seconds", "from 0 to 1e+06");
    assert_refused("deployment", NULL, "gpus", "0", "deployment.gpus", "from 1");
    assert_refused("deployment", NULL, "price_per_hour", "-1", "deployment.price_per_hour", "from 0");
    assert_refused("calibration", NULL, "template_tokens", "-3", "calibration.template_tokens", "from 0");
}

/* What a kind of level needs beside its load. */
static void test_levels_that_lack_what_makes_their_arrivals(void **state)
{
    (void)state;
    static const char *const kinds[][2] = {{"gamma", "burstiness"}, {"burst", "burst size"}, {"ramp", "mean of its two rates"}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct error err = {0};
        struct plan *plan = whole_plan();
        plan->find = FIND_NOTHING;
        plan->level_count = 1;
        plan->arrival_shape = (struct arrival_shape){.ramp_to = 1};
        snprintf(plan->levels[0].kind, sizeof plan->levels[0].kind, "%s", kinds[k][0]);
        free(write_and_dump(plan));
        assert_null(plan_read(path, &err));
        if (!strstr(err.text, "arrivals: ") || !strstr(err.text, kinds[k][1]))
            fail_msg("%s", err.text);
        plan_free(plan);
    }
}

/* The longest duration on the slowest simulated server is a wall time that still leaves room to be added to a clock's. */
static void test_the_longest_duration_fits(void **state)
{
    (void)state;
    struct error err = {0};
    struct plan *plan = whole_plan();
    plan->server.time_scale = PLAN_TIME_SCALE_MIN;
    plan->limits.max_seconds_ns = plan->limits.drain_ns = (int64_t)PLAN_SECONDS_MAX * NS_PER_S;
    free(write_and_dump(plan));
    struct plan *read = plan_read(path, &err);
    if (!read)
        fail_msg("%s", err.text);
    assert_int_equal(plan_wall_ns(read, read->limits.max_seconds_ns), INT64_C(1000000000) * NS_PER_S);
    plan_free(plan);
    plan_free(read);
}

static void test_a_plan_that_is_no_json_or_not_there(void **state)
{
    (void)state;
    struct error err = {0};
    assert_null(plan_read(path, &err));
    assert_non_null(strstr(err.text, "plan.json"));
    temp_file_write(folder, "plan.json", "{\"schema\":", 10);
    assert_null(plan_read(path, &err));
    assert_int_equal(err.class, ERROR_USAGE);
    assert_non_null(strstr(err.text, "plan.json"));
}

/* Cut anywhere it is an error, never a crash. */
static void test_a_plan_cut_at_every_byte(void **state)
{
    (void)state;
    struct error err;
    struct plan *plan = whole_plan();
    char *text = write_and_dump(plan);
    for (size_t length = 0; length + 2 < strlen(text); length += 7) {
        temp_file_write(folder, "plan.json", text, length);
        assert_null(plan_read(path, &err));
    }
    free(text);
    plan_free(plan);
}

static void test_the_description_says_levels_tokens_and_limits(void **state)
{
    (void)state;
    struct error err;
    struct plan *plan = whole_plan();
    struct buf text = BUF_INIT(4096);
    plan->levels = NULL;
    plan->level_count = 0;
    assert_int_equal(levels_parse("concurrent:1,3,5", plan, &err), 0);
    plan->arrival_shape = (struct arrival_shape){0};
    plan_describe(plan, &text);
    assert_non_null(strstr(buf_text(&text), "concurrent 1, 3, 5 streams"));
    assert_non_null(strstr(buf_text(&text), "prompts of 256 tokens"));
    assert_non_null(strstr(buf_text(&text), "100 (standard deviation 20, 10 to 200)"));
    assert_non_null(strstr(buf_text(&text), "at most 1 m 00 s"));
    assert_non_null(strstr(buf_text(&text), "streams, until it is known where breaking begins, halved 4 times;"));
    assert_non_null(strstr(buf_text(&text), "but until it has 100 requests, for up to 10 m 00 s; 3 times"));
    plan->level_count = 1;
    plan->find = FIND_NOTHING;
    plan->limits.max_requests = 1;
    buf_reset(&text);
    plan_describe(plan, &text);
    assert_non_null(strstr(buf_text(&text), "concurrent 1 stream;"));
    assert_non_null(strstr(buf_text(&text), "or 1 request"));
    assert_null(strstr(buf_text(&text), "1 requests"));
    buf_free(&text);
    plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_written_is_read_back_and_gives_the_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_plan_of_streams_is_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_that_prepare_never_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plans_whose_parts_do_not_go_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_is_null_and_comes_back_as_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_an_older_plan_does_not_say_limits_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_plans_name_file_path_and_what_was_expected, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels_that_lack_what_makes_their_arrivals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_longest_duration_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_plan_that_is_no_json_or_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_plan_cut_at_every_byte, setup, teardown),
        cmocka_unit_test(test_the_description_says_levels_tokens_and_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
