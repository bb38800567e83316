#include "serve/http_metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

#define CAPTURE "tests/data/wire/vllm/get_metrics.raw"

static void count(struct http_metrics *metrics, const char *method, const char *path, int status, double seconds)
{
    struct httpd_exchange exchange = {.method = method, .path = path, .status = status, .request_length = 10, .reply_length = 452,
                                      .arrived = 100, .ended = 100 + (int64_t)(seconds * (double)NS_PER_S)};
    http_metrics_count(metrics, &exchange, 1795485938.5);
}

static struct buf page_of(const struct http_metrics *metrics)
{
    struct buf page = BUF_INIT(1 << 20);
    http_metrics_write(metrics, 1795485894.25, &page);
    assert_false(page.overflowed);
    return page;
}

static void routes_methods_and_classes_are_told_apart(void **state)
{
    (void)state;
    struct http_metrics *metrics = mem_alloc(sizeof *metrics);
    count(metrics, "POST", "/v1/completions", 200, 0.3);
    count(metrics, "POST", "/v1/completions", 200, 7);
    count(metrics, "POST", "/v1/completions", 503, 0.01);
    count(metrics, "GET", "/v1/completions", 405, 0);
    count(metrics, "GET", "/v1/nothing", 404, 0);
    count(metrics, "POST", "/v1/completions", 0, 9); /* gone before it had a status */
    count(metrics, "GET", "/metrics", 200, 1);
    count(metrics, "GET", "/sim/truth", 200, 1);
    cleanup_buf struct buf page = page_of(metrics);
#define HAS(line) assert_non_null(strstr(buf_text(&page), "\n" line "\n"))
    HAS("http_requests_total{handler=\"/v1/completions\",method=\"POST\",status=\"2xx\"} 2.0");
    HAS("http_requests_total{handler=\"/v1/completions\",method=\"POST\",status=\"5xx\"} 1.0");
    HAS("http_requests_total{handler=\"/v1/completions\",method=\"GET\",status=\"4xx\"} 1.0");
    HAS("http_requests_total{handler=\"none\",method=\"GET\",status=\"4xx\"} 1.0");
    HAS("http_requests_created{handler=\"none\",method=\"GET\",status=\"4xx\"} 1.7954859385e+09");
    HAS("http_request_size_bytes_sum{handler=\"/v1/completions\"} 40.0");
    HAS("http_response_size_bytes_count{handler=\"/v1/completions\"} 4.0");
    HAS("http_request_duration_seconds_bucket{handler=\"/v1/completions\",le=\"0.1\",method=\"POST\"} 1.0");
    HAS("http_request_duration_seconds_bucket{handler=\"/v1/completions\",le=\"0.5\",method=\"POST\"} 2.0");
    HAS("http_request_duration_seconds_bucket{handler=\"/v1/completions\",le=\"+Inf\",method=\"POST\"} 3.0");
    HAS("http_request_duration_seconds_sum{handler=\"/v1/completions\",method=\"POST\"} 7.31");
    HAS("http_request_duration_highr_seconds_bucket{le=\"0.01\"} 3.0");
    HAS("http_request_duration_highr_seconds_count 5.0");
    assert_null(strstr(buf_text(&page), "/metrics"));
    assert_null(strstr(buf_text(&page), "/sim/"));
    free(metrics);
}

/* "name{labels} " of a sample, "# TYPE ..." as it is; "" for the rest. */
static const char *shape_of(const char *line, char *shape, size_t size)
{
    snprintf(shape, size, "%.*s", (int)strcspn(line, "\n"), line);
    if (strncmp(shape, "http_", 5) == 0)
        *strrchr(shape, ' ') = '\0';
    else if (strncmp(shape, "# TYPE http_", 12) != 0)
        shape[0] = '\0';
    return shape;
}

static void append_shapes(const char *text, struct buf *out)
{
    char shape[512];
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (shape_of(line, shape, sizeof shape)[0])
            buf_printf(out, "%s\n", shape);
}

/* The capture was taken after one GET of /v1/models. */
static void the_page_has_the_captures_lines(void **state)
{
    (void)state;
    static char capture[1 << 17];
    FILE *file = fopen(CAPTURE, "r");
    assert_non_null(file);
    capture[fread(capture, 1, sizeof capture - 1, file)] = '\0';
    fclose(file);
    struct http_metrics *metrics = mem_alloc(sizeof *metrics);
    count(metrics, "GET", "/v1/models", 200, 0.0011);
    cleanup_buf struct buf page = page_of(metrics), ours = BUF_INIT(1 << 20), vllms = BUF_INIT(1 << 20);
    append_shapes(buf_text(&page), &ours);
    append_shapes(capture, &vllms);
    assert_true(ours.len > 1000);
    assert_string_equal(buf_text(&ours), buf_text(&vllms));
    free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_methods_and_classes_are_told_apart),
        cmocka_unit_test(the_page_has_the_captures_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
