/* What Prometheus is asked, what it answers, and what is refused. */
#include "wire/prometheus_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/properties.h"

static void assert_url(const char *base, const char *expression, int64_t t, const char *wanted)
{
    struct buf url = BUF_INIT(4096);
    prometheus_query_url(&url, base, expression, t);
    assert_string_equal(buf_text(&url), wanted);
    buf_free(&url);
}

static void test_the_url_of_a_query(void **state)
{
    (void)state;
    assert_url("http://p:9090", "up{a=\"b\"}[60s]", 1764000000123456789, "http://p:9090/api/v1/query?query=up%7Ba%3D%22b%22%7D%5B60s%5D&time=1764000000.123");
    assert_url("https://t/path//", "x", 5000000, "https://t/path/api/v1/query?query=x&time=0.005");
}

struct seen {
    size_t series, samples;
    struct prometheus_sample last;
    char pod[32];
};

static void see(void *context, const json_t *labels, const struct prometheus_sample *samples, size_t count)
{
    struct seen *seen = context;
    seen->series++;
    seen->samples += count;
    seen->last = samples[count - 1];
    snprintf(seen->pod, sizeof seen->pod, "%s", prometheus_label(labels, "pod"));
}

static void test_a_matrix(void **state)
{
    static const char body[] = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
                               "{\"metric\":{\"UUID\":\"a\"},\"values\":[[1764000000.123,\"68.2\"],[1764000015,\"NaN\"]]},"
                               "{\"metric\":{\"UUID\":\"b\"},\"values\":[[1,\"+Inf\"]]},"
                               "{\"metric\":{\"UUID\":\"c\",\"pod\":\"llama-0\"},\"values\":[[1764000000,\"1\"],[1764000015.5,\"1e3\"]]}]}}";
    struct seen seen = {0};
    (void)state;
    assert_int_equal(prometheus_read_matrix(body, strlen(body), see, &seen, NULL), 0);
    assert_int_equal(seen.series, 2); /* what is not finite is no sample, and a series without one is none */
    assert_int_equal(seen.samples, 3);
    assert_int_equal(seen.last.realtime_ns, 1764000015500000000);
    assert_true(seen.last.value == 1000);
    assert_string_equal(seen.pod, "llama-0");
}

static void test_answers_that_are_refused(void **state)
{
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"", "no answer of Prometheus' API"},
        {"<html>", "no answer of Prometheus' API"},
        {"[]", "it is no object"},
        {"{}", "it has no status"},
        {"{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error\"}", "Prometheus says: parse error"},
        {"{\"status\":\"error\"}", "Prometheus says: error"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}", "it is no matrix"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\"}}", "it is no matrix"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{}]}}", "a series without"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1]]}]}}", "no time and number"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1,\"x\"]]}]}}", "no time and number"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1e300,\"1\"]]}]}}", "no time and number"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct seen seen = {0};
        struct error err = {.class = ERROR_NONE};
        assert_int_equal(prometheus_read_matrix(cases[k].body, strlen(cases[k].body), see, &seen, &err), -1);
        assert_int_equal(err.class, ERROR_TARGET);
        assert_non_null(strstr(err.text, cases[k].says));
        assert_int_equal(seen.series, 0);
        property_prometheus_api((const uint8_t *)cases[k].body, strlen(cases[k].body));
    }
}

static void test_selectors(void **state)
{
    static const char *const good[] = {"", " ", "a=\"b\"", "namespace=\"models\",pod=~\"llama-.*\"", "a != \"x\" , b!~\"\\\"\"", "_a1=\"\",", "a=\"ü\""};
    static const char *const bad[] = {"a", "a=b", "a=\"b", "=\"b\"", "1a=\"b\"", "a=\"b\"c=\"d\"", "a=\"b\"}", "{a=\"b\"}", "a=\"b\\", "a==\"b\"", "a=\"b\n\""};
    (void)state;
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++)
        assert_int_equal(prometheus_selector_check(good[k], NULL), 0);
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        struct error err = {.class = ERROR_NONE};
        assert_int_equal(prometheus_selector_check(bad[k], &err), -1);
        assert_int_equal(err.class, ERROR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_url_of_a_query),
        cmocka_unit_test(test_a_matrix),
        cmocka_unit_test(test_answers_that_are_refused),
        cmocka_unit_test(test_selectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
