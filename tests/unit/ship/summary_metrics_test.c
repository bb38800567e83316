#include "ship/summary_metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char summary[] =
    "{\"run\":{\"run_id\":\"r\\\"1\",\"started\":\"2026-11-24T04:07:00Z\",\"gpus\":null,\"price_per_hour\":0,\"simulated\":false,\"server\":\"vllm\","
    "\"plan\":{\"deployment\":{\"labels\":{\"a-b\":\"x\\ny\",\"a.b\":\"twice\"}}}},"
    "\"levels\":[{\"index\":0,\"repeat\":1,\"load\":0.5,\"unit\":\"req/s\",\"ttft_ms\":{\"p50\":250,\"p95\":null},\"itl_ms\":null,\"error_rate\":0,"
    "\"requests\":{\"ok\":3},\"classes\":{\"level\":\"good\"},\"validity\":{\"verdict\":null}}],\"points\":null}";

static void write_page(struct buf *out, size_t count)
{
    json_t *document = json_loads(summary, 0, NULL);
    const struct summary_metrics_run runs[] = {{document, "0123456789ab"}, {document, "ba9876543210"}};

    assert_non_null(document);
    assert_int_equal(summary_metrics_write(runs, count, out, NULL), 0);
    json_decref(document);
}

static void test_what_is_known_has_a_sample(void **state)
{
    static const char *const lines[] = {
        "\nroibench_time_to_first_token_seconds{run_id=\"r\\\"1\",level=\"0\",load=\"0.5\",repeat=\"1\",unit=\"req/s\",percentile=\"50\"} 0.25\n",
        "\nroibench_error_ratio{run_id=\"r\\\"1\",level=\"0\",load=\"0.5\",repeat=\"1\",unit=\"req/s\"} 0.0\n",
        "\nroibench_price_usd_per_hour{run_id=\"r\\\"1\"} 0.0\n",
        "archive=\"0123456789ab\",server=\"vllm\",simulated=\"false\",label_a_b=\"x\\ny\"} 1.0\n",
        "class=\"good\"} 1.0\n",
    };
    struct buf out = BUF_INIT(SUMMARY_METRICS_MAX);

    (void)state;
    write_page(&out, 1);
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
        if (!strstr(buf_text(&out), lines[k]))
            fail_msg("%s is not in\n%s", lines[k], buf_text(&out));
    }
    buf_free(&out);
}

/* Missing is not zero, and a metric without a sample is not announced. */
static void test_what_is_not_known_has_none(void **state)
{
    static const char *const absent[] = {"percentile=\"95\"", "roibench_gpus", "inter_token", "roibench_level_validity", "_load{", "outcome=\"error\"", "nan"};
    struct buf out = BUF_INIT(SUMMARY_METRICS_MAX);

    (void)state;
    write_page(&out, 1);
    for (size_t k = 0; k < sizeof absent / sizeof *absent; k++) {
        if (strstr(buf_text(&out), absent[k]))
            fail_msg("%s is in\n%s", absent[k], buf_text(&out));
    }
    buf_free(&out);
}

static void test_runs_of_one_page_share_heads(void **state)
{
    struct buf out = BUF_INIT(SUMMARY_METRICS_MAX);
    const char *head;

    (void)state;
    write_page(&out, 2);
    head = strstr(buf_text(&out), "# TYPE roibench_run_info gauge\n");
    assert_non_null(head);
    assert_null(strstr(head + 1, "# TYPE roibench_run_info gauge\n"));
    assert_non_null(strstr(head, "ba9876543210"));
    buf_free(&out);
}

static void test_a_page_has_a_ceiling(void **state)
{
    json_t *document = json_loads(summary, 0, NULL);
    const struct summary_metrics_run run = {document, "0123456789ab"};
    struct buf out = BUF_INIT((size_t)300);
    struct error err = {0};

    (void)state;
    assert_int_equal(summary_metrics_write(&run, 1, &out, &err), -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
    buf_free(&out);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_known_has_a_sample),
        cmocka_unit_test(test_what_is_not_known_has_none),
        cmocka_unit_test(test_runs_of_one_page_share_heads),
        cmocka_unit_test(test_a_page_has_a_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
