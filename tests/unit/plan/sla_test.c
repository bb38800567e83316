#include "plan/sla.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "support/properties_sla.h"

#define HEAD "schema: roibench/sla/v1\n"

struct bench {
    struct arena *arena;
    struct sla sla;
    struct error err;
};

static int setup(void **state)
{
    static struct bench bench;
    bench = (struct bench){.arena = arena_new()};
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    arena_free(bench->arena);
    return 0;
}

static int parse(struct bench *bench, const char *text)
{
    return sla_parse(text, strlen(text), "conf/sla.yaml", "--sla of prepare", bench->arena, &bench->sla, &bench->err);
}

static void test_a_file(void **state)
{
    struct bench *bench = *state;
    static const char text[] = HEAD "name: interactive chat\n"
                                    "ttft_ms: {excellent: \"< 300\", acceptable: 0.8 s, degraded: \"<= 1500 ms\"}\n"
                                    "user_tps:\n  excellent: \"> 40 tok/s\"\n  acceptable: \">= 15\"\n  degraded: 8\n"
                                    "error_rate: {excellent: 0, acceptable: 0.1%, degraded: 0.02}\n";
    if (parse(bench, text) < 0)
        fail_msg("%s", bench->err.text);
    const struct sla_bound *ttft = bench->sla.row[SLA_TTFT].bound, *speed = bench->sla.row[SLA_USER_TPS].bound;
    assert_true(ttft[0].limit == 300 && ttft[1].limit == 800 && ttft[2].limit == 1500);
    assert_true(!ttft[0].included && !ttft[1].included && ttft[2].included);
    assert_true(speed[0].limit == 40 && speed[1].limit == 15 && speed[2].limit == 8);
    assert_true(!speed[0].included && speed[1].included && speed[2].included); /* said; and the last as by default */
    assert_true(bench->sla.row[SLA_ERROR_RATE].bound[1].limit == 0.001);
    assert_true(bench->sla.row[SLA_KV_CACHE].bound[2].limit == sla_default.row[SLA_KV_CACHE].bound[2].limit);
    assert_string_equal(sla_title(&bench->sla, bench->arena), "interactive chat, of sla.yaml (--sla of prepare)");
    assert_true(sla_is_given(&bench->sla));
    assert_false(sla_equal(&bench->sla, &sla_default));
}

static void test_json_and_equal_bounds(void **state)
{
    struct bench *bench = *state;
    if (parse(bench, "{\"schema\": \"roibench/sla/v1\", \"ttft_ms\": {\"excellent\": 500, \"acceptable\": 1000, \"degraded\": 2000}}") < 0)
        fail_msg("%s", bench->err.text);
    assert_true(sla_equal(&bench->sla, &sla_default));
    assert_true(sla_is_given(&bench->sla)); /* where they come from is told all the same */
    assert_string_equal(sla_title(&bench->sla, bench->arena), "sla.yaml (--sla of prepare)");
    assert_string_equal(sla_title(&sla_default, bench->arena), "roibench's default bounds");
}

static void test_what_is_refused(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "conf/sla.yaml: it has no bounds: expected schema: roibench/sla/v1"},
        {"[1]", "it has no bounds"},
        {HEAD, "it has no bounds: expected some of ttft_ms, user_tps, kv_cache, queue_depth, error_rate"},
        {"ttft_ms: {excellent: 1, acceptable: 2, degraded: 3}\n", "schema: "},
        {"schema: roibench/sla/v2\nttft_ms: {}\n", "of a newer roibench"},
        {"schema: roibench/model/v1\nttft_ms: {}\n", "expected \"roibench/sla/v1\", got \"roibench/model/v1\""},
        {HEAD "ttft: {excellent: 1, acceptable: 2, degraded: 3}\n",
         "ttft: there is no such member: expected schema, name, ttft_ms, user_tps, kv_cache, queue_depth, error_rate"},
        {HEAD "ttft_ms:\n  excellent: 1\n  acceptable: 2\n  degraded: x\n", "conf/sla.yaml: line 5: ttft_ms.degraded: expected a number"},
        {HEAD "# said\nttft_ms:\n  excellent: 1\n", "conf/sla.yaml: line 3: ttft_ms.acceptable: it is missing"},
        {HEAD "ttft_ms: 5\n", "conf/sla.yaml: line 2: ttft_ms: expected its bounds: {excellent: ..., acceptable: ..., degraded: ...}"},
        {HEAD "ttft_ms: {good: 1, acceptable: 2, degraded: 3}\n", "ttft_ms.good: there is no such class: expected excellent, acceptable, degraded"},
        {HEAD "ttft_ms: {excellent: 1, acceptable: 2, degraded: 3, breaking: 4}\n",
         "ttft_ms.breaking: it has no bound of its own: it is what lies beyond degraded"},
        {HEAD "ttft_ms: {excellent: 1, degraded: 3}\n", "ttft_ms.acceptable: it is missing: a metric has all of excellent, acceptable and degraded"},
        {HEAD "ttft_ms: {excellent: 1, acceptable: 1, degraded: 3}\n",
         "ttft_ms.acceptable: expected more than 1, the bound of excellent; got 1: no value would be acceptable"},
        {HEAD "user_tps: {excellent: 10, acceptable: 20, degraded: 50}\n", "user_tps.acceptable: expected less than 10, the bound of excellent; got 20"},
        {HEAD "ttft_ms: {excellent: -1, acceptable: 2, degraded: 3}\n", "ttft_ms.excellent: expected a number from 0 to 1e+09 (ms), or a text with < or <= "
                                                                        "before it, as \"< 500\"; got -1"},
        {HEAD "ttft_ms: {excellent: .nan, acceptable: 2, degraded: 3}\n", "ttft_ms.excellent: expected a number"},
        {HEAD "ttft_ms: {excellent: .inf, acceptable: 2, degraded: 3}\n", "ttft_ms.excellent: expected a number"},
        {HEAD "ttft_ms: {excellent: 1, acceptable: 2, degraded: 1e400}\n", "ttft_ms.degraded: expected a number"},
        {HEAD "ttft_ms: {excellent: \"> 1\", acceptable: 2, degraded: 3}\n", "ttft_ms.excellent: expected a number"},
        {HEAD "ttft_ms: {excellent: 1 min, acceptable: 2, degraded: 3}\n", "ttft_ms.excellent: expected a number"},
        {HEAD "ttft_ms: {excellent: true, acceptable: 2, degraded: 3}\n", "ttft_ms.excellent: expected a number"},
        {HEAD "ttft_ms: {excellent: null, acceptable: 2, degraded: 3}\n", "ttft_ms.excellent: expected a number"},
        {HEAD "ttft_ms: {excellent: \"< 0\", acceptable: 2, degraded: 3}\n", "ttft_ms.excellent: no value is below 0"},
        {HEAD "user_tps: {excellent: 2, acceptable: 1, degraded: 0}\n", "user_tps.degraded: no value is below 0: nothing would be breaking"},
        {HEAD "kv_cache: {excellent: 70, acceptable: 85, degraded: 95}\n", "kv_cache.excellent: expected a number from 0 to 1 (a share as 0.05 or \"5%\")"},
        {HEAD "kv_cache: {excellent: 70%, acceptable: 85%, degraded: 195%}\n", "kv_cache.degraded: expected a number from 0 to 1"},
        {HEAD "queue_depth: {excellent: 1%, acceptable: 2, degraded: 3}\n", "queue_depth.excellent: expected a number"},
        {HEAD "ttft_ms: {excellent: 1, acceptable: 2, degraded: 3}\nttft_ms: {excellent: 1, acceptable: 2, degraded: 3}\n", "twice"},
        {HEAD "ttft_ms: {excellent: 1, excellent: 1, acceptable: 2, degraded: 3}\n", "twice"},
        {HEAD "name: 5\nttft_ms: {excellent: 1, acceptable: 2, degraded: 3}\n", "name: expected"},
        {HEAD "name: \"a\\nb\"\nttft_ms: {excellent: 1, acceptable: 2, degraded: 3}\n", "name: expected a text of one line"},
        {HEAD "source: me\nttft_ms: {excellent: 1, acceptable: 2, degraded: 3}\n", "source: there is no such member"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        bench->err = (struct error){0};
        if (parse(bench, cases[k].text) == 0)
            fail_msg("%s: was read", cases[k].text);
        if (!strstr(bench->err.text, cases[k].says))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[k].text, bench->err.text, cases[k].says);
        assert_int_equal(bench->err.class, ERROR_USAGE);
    }
    bench->err = (struct error){0};
    assert_int_equal(sla_open("/nowhere/sla.yaml", "a test", bench->arena, &bench->sla, &bench->err), -1);
    assert_non_null(strstr(bench->err.text, "/nowhere/sla.yaml"));
}

static void test_of_a_model_and_of_a_plan(void **state)
{
    struct bench *bench = *state;
    struct json_reader reader = {.file = "models/tiny.json", .err = &bench->err};
    json_t *model = json_loads("{\"sla\": {\"name\": \"batch\", \"ttft_ms\": {\"excellent\": 5000, \"acceptable\": 20000, \"degraded\": 60000}}}", 0, NULL);
    json_t *wrong = json_loads("{\"sla\": {\"ttft_ms\": {\"excellent\": 5000}}}", 0, NULL), *root = json_object();
    bench->sla = sla_default;
    sla_read_of_model(&bench->sla, &reader, root, bench->arena); /* has none */
    assert_false(sla_is_given(&bench->sla));
    sla_write(&bench->sla, root);
    assert_true(json_is_null(json_object_get(root, "sla")));
    sla_read_of_model(&bench->sla, &reader, model, bench->arena);
    assert_false(reader.failed);
    assert_string_equal(sla_title(&bench->sla, bench->arena), "batch, of tiny.json (the model's file)");
    sla_write(&bench->sla, root);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json_object_get(root, "sla"), "ttft_ms"), "degraded")), "<= 60000");
    struct sla again;
    sla_read(&again, &reader, root, bench->arena);
    assert_true(sla_equal(&again, &bench->sla));
    assert_string_equal(again.source, bench->sla.source);
    sla_read_of_model(&again, &reader, wrong, bench->arena);
    assert_string_equal(bench->err.text, "models/tiny.json: sla.ttft_ms.acceptable: it is missing: a metric has all of excellent, acceptable and degraded");
    json_decref(model);
    json_decref(wrong);
    json_decref(root);
}

static void test_common_bounds(void **state)
{
    (void)state;
    struct sla a = sla_default, b = sla_default;
    const struct sla *all[] = {&a, &b};
    a.source = "a.yaml";
    assert_ptr_equal(sla_common(all, 2), &a); /* the same, wherever they come from */
    b.row[SLA_KV_CACHE].bound[1].included = true;
    assert_ptr_equal(sla_common(all, 2), &sla_default);
    assert_ptr_equal(sla_common(all + 1, 1), &b);
    assert_ptr_equal(sla_common(NULL, 0), &sla_default);
}

static void test_texts(void **state)
{
    struct bench *bench = *state;
    const struct sla_row *ttft = &sla_default.row[SLA_TTFT], *speed = &sla_default.row[SLA_USER_TPS];
    assert_string_equal(sla_bound_text(ttft, SLA_ACCEPTABLE, bench->arena), "< 1 s");
    assert_string_equal(sla_bound_text(ttft, SLA_BREAKING, bench->arena), "> 2 s");
    assert_string_equal(sla_bound_text(speed, SLA_BREAKING, bench->arena), "< 10 tok/s");
    assert_string_equal(sla_interval_text(ttft, SLA_ACCEPTABLE, bench->arena), "[500 ms, 1 s)");
    assert_string_equal(sla_interval_text(speed, SLA_DEGRADED, bench->arena), "[10 tok/s, 20 tok/s]");
    assert_string_equal(sla_interval_text(speed, SLA_ACCEPTABLE, bench->arena), "(20 tok/s, 50 tok/s]");
    assert_string_equal(sla_bounds_text(&sla_default.row[SLA_ERROR_RATE], bench->arena), "<= 0 %, <= 0.1 %, <= 5 %");
}

static void test_random_files(void **state)
{
    (void)state;
    static const char *const words[] = {HEAD, "name: x\n", "ttft_ms: ", "user_tps: ", "kv_cache: ", "error_rate: ", "{excellent: ", ", acceptable: ",
                                        ", degraded: ", "}\n", "\"< 5\"", "1", "0.5", "0.25%", "0", "\">= 2\"", "3e2", "-", "\n", "'", "[", "breaking: "};
    struct random random;
    random_seed(&random, 7);
    for (int k = 0; k < 20000; k++) {
        cleanup_buf struct buf text = BUF_INIT(1024);
        buf_append_text(&text, HEAD);
        for (uint64_t count = random_below(&random, 12); count > 0; count--)
            buf_append_text(&text, words[random_below(&random, sizeof words / sizeof words[0])]);
        property_sla((const uint8_t *)text.data, text.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_and_equal_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_a_model_and_of_a_plan, setup, teardown),
        cmocka_unit_test(test_common_bounds),
        cmocka_unit_test_setup_teardown(test_texts, setup, teardown),
        cmocka_unit_test(test_random_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
