/* What s3:// makes of answers that a healthy server does not give, and of services that hand out keys. Against a real server: tests/e2e/publish_s3.bats. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ship/aws_credentials.h"
#include "ship/destination.h"
#include "support/archive_of.h"
#include "support/temp_folder.h"
#include "support/tiny_server.h"

#define VARIABLES_MAX 4

/* The environment of the test under way, NAME and value in turn. */
static const char *variables[2 * VARIABLES_MAX + 1];

static char *environment(const char *name)
{
    for (size_t k = 0; variables[k]; k += 2) {
        if (strcmp(variables[k], name) == 0)
            return (char *)(uintptr_t)variables[k + 1];
    }
    return NULL;
}

static void set_environment(const char *const *pairs)
{
    size_t count = 0;

    for (; pairs[count]; count++)
        variables[count] = pairs[count];
    variables[count] = NULL;
}

/* One answer a connection, as often as the context has some. */
static void serve_in_turn(struct tiny_server *server, void *context)
{
    const char *const *answers = context;
    int fd;

    while (*answers && (fd = tiny_accept(server)) >= 0) {
        if (tiny_keep_request(server, fd))
            tiny_send(fd, *answers++);
        tiny_close(fd);
    }
    while ((fd = tiny_accept(server)) >= 0)
        tiny_close(fd);
}

#define ABSENT "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
#define FAULT(status, headers, body) "HTTP/1.1 " status "\r\nConnection: close\r\n" headers "\r\n" body

/* ---- faults ---- */

static void test_faults_are_told_with_what_to_do(void **state)
{
    static const struct {
        const char *answers[3];
        const char *says[2];
        bool passing;
        int64_t retry_after_ns;
    } rows[] = {
        {{ABSENT, FAULT("403 Forbidden", "Date: Wed, 21 Oct 2015 07:28:00 GMT\r\n", "<Error><Code>RequestTimeTooSkewed</Code><Message>Too far.</Message></Error>")},
         {"403 RequestTimeTooSkewed: Too far. This machine's clock is ", " ahead of the server's: set it"}, false, -1},
        {{ABSENT, FAULT("400 Bad Request", "", "<Error><Code>ExpiredToken</Code></Error>")},
         {"HTTP 400 ExpiredToken", "The session token from the environment is over: get new keys"}, false, -1},
        {{ABSENT, FAULT("503 Slow Down", "Retry-After: 7\r\n", "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>")},
         {"PUT s3://bucket/runs/r.tar.gz: HTTP 503 SlowDown: Reduce your request rate", ""}, true, 7 * NS_PER_S},
        {{ABSENT, FAULT("400 Bad Request", "", "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>")},
         {"AuthorizationHeaderMalformed", "The bucket is in region eu-west-1: give --s3-region eu-west-1"}, false, -1},
        {{FAULT("400 Bad Request", "x-amz-bucket-region: us-west-2\r\nContent-Length: 0\r\n", "")},
         {"HEAD s3://bucket/runs/r.tar.gz", "give --s3-region us-west-2"}, false, -1},
        {{FAULT("503 Service Unavailable", "Content-Length: 0\r\n", "")}, {"HEAD s3://bucket/runs/r.tar.gz: HTTP 503", ""}, true, -1},
        {{ABSENT, FAULT("404 Not Found", "", "<Error><Code>NoSuchBucket</Code></Error>")}, {"There is no bucket bucket at http://127.0.0.1:", ""}, false, -1},
        {{ABSENT, FAULT("500 Oops", "", "no XML \x1b[31m")}, {"HTTP 500", ""}, true, -1},
    };
    static const char *const keys[] = {"AWS_ACCESS_KEY_ID", "AKIAX", "AWS_SECRET_ACCESS_KEY", "s3cr3t", "AWS_SESSION_TOKEN", "t0k3n", NULL};
    char *root = temp_folder_make();
    struct archive_plan plan;

    (void)state;
    set_environment(keys);
    archive_of(root, "records", 7, &plan);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct tiny_server *server = tiny_server_start(serve_in_turn, (void *)(uintptr_t)rows[k].answers);
        const struct destination_settings settings = {.environment = environment, .stall_timeout_ns = 20 * NS_PER_S,
                                                      .s3 = {.endpoint = tiny_server_url(server), .region = "eu-central-1"}};
        struct delivery delivery;
        struct error err = {0};

        assert_int_equal(destination_put("s3://bucket/runs/", &plan, &settings, &delivery, &err), -1);
        assert_int_equal(err.class, ERROR_PUBLISH);
        if (!strstr(err.text, rows[k].says[0]) || !strstr(err.text, rows[k].says[1]) || strpbrk(err.text, "\x1b\n") || strstr(err.text, "3cr3t") ||
            strstr(err.text, "t0k3n"))
            fail_msg("row %zu: %s", k, err.text);
        assert_int_equal(delivery.passing, rows[k].passing);
        assert_true(delivery.retry_after_ns == rows[k].retry_after_ns);
        assert_non_null(strstr(tiny_server_request(server), "x-amz-security-token: t0k3n\r\n"));
        assert_null(strstr(tiny_server_request(server), "s3cr3t"));
        delivery_free(&delivery);
        tiny_server_stop(server);
    }
    archive_plan_free(&plan);
    temp_folder_remove(root);
}

/* ---- services that hand out keys ---- */

#define TEXT(body) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body
#define KEYS TEXT("{\"AccessKeyId\":\"ASIAX\",\"SecretAccessKey\":\"s3cr3t\",\"Token\":\"t0k3n\",\"Expiration\":\"2099-01-01T00:00:00Z\"}")

static int get_keys(const char *const *pairs, struct aws_keys *keys, struct error *err)
{
    static const struct net_settings net = {0};
    bool passing;

    set_environment(pairs);

    struct aws_credentials *credentials = aws_credentials_new(&net, environment, clock_system(), err);
    const int result = credentials ? aws_credentials_get(credentials, keys, &passing, err) : -1;

    aws_credentials_free(credentials);
    return result;
}

static void test_keys_of_an_instance(void **state)
{
    static const char *const answers[] = {TEXT("session"), TEXT("nightly\n"), KEYS, NULL};
    struct tiny_server *server = tiny_server_start(serve_in_turn, (void *)(uintptr_t)answers);
    const char *const pairs[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT", tiny_server_url(server), NULL};
    struct aws_keys keys = {0};
    struct error err = {0};

    (void)state;
    if (get_keys(pairs, &keys, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(keys.access_key_id, "ASIAX");
    assert_string_equal(keys.session_token, "t0k3n");
    assert_memory_equal(tiny_server_request(server), "GET /latest/meta-data/iam/security-credentials/nightly HTTP/1.1", 63);
    assert_non_null(strstr(tiny_server_request(server), "X-aws-ec2-metadata-token: session\r\n"));
    aws_keys_free(&keys);
    tiny_server_stop(server);
}

static void test_keys_of_a_container(void **state)
{
    static const char *const answers[] = {KEYS, NULL};
    struct tiny_server *server = tiny_server_start(serve_in_turn, (void *)(uintptr_t)answers);
    const char *const pairs[] = {"AWS_CONTAINER_CREDENTIALS_FULL_URI", tiny_server_url(server), "AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc", NULL};
    struct aws_keys keys = {0};
    struct error err = {0};

    (void)state;
    if (get_keys(pairs, &keys, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(keys.secret_access_key, "s3cr3t");
    assert_non_null(strstr(tiny_server_request(server), "Authorization: Basic abc\r\n"));
    aws_keys_free(&keys);
    tiny_server_stop(server);
}

static void test_keys_that_are_not_got(void **state)
{
    static const struct {
        const char *pairs[5];
        const char *says;
    } rows[] = {
        {{"AWS_ACCESS_KEY_ID", "AKIAX"}, "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"},
        {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"}, "AWS_ROLE_ARN is not"},
        {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/nothing/there", "AWS_ROLE_ARN", "r"}, "cannot read /nothing/there"},
        {{"AWS_PROFILE", "nightly"}, "AWS_PROFILE names nightly"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/"}, "by https only"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1.example.com/"}, "by https only"},
        {{"AWS_SHARED_CREDENTIALS_FILE", "/nothing/there"}, "cannot read /nothing/there"},
        {{"AWS_EC2_METADATA_DISABLED", "true"}, "no AWS keys"},
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct aws_keys keys = {0};
        struct error err = {0};

        assert_int_equal(get_keys(rows[k].pairs, &keys, &err), -1);
        assert_int_equal(err.class, ERROR_PUBLISH);
        if (!strstr(err.text, rows[k].says))
            fail_msg("row %zu: %s", k, err.text);
    }
}

static void test_names(void **state)
{
    static const struct {
        const char *to, *says; /* NULL: it is good */
    } rows[] = {
        {"s3://bucket", NULL}, {"s3://bucket/a/b/", NULL}, {"s3://my.bucket-1/\xc3\xa4 b", NULL}, {"s3://", "names no bucket"},
        {"s3://ab/x", "names no bucket"}, {"s3://-bucket/x", "names no bucket"}, {"s3://buc ket/x", "names no bucket"}, {"s3://bucket/a/../b", "'.' and '..'"},
        {"s3://bucket/a//b", "no empty parts"}, {"s3://bucket/a\nb", "control characters"}, {"s3://bucket/\xff", "UTF-8"},
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct error err = {0};

        assert_int_equal(destination_check(rows[k].to, &err), rows[k].says ? -1 : 0);
        if (rows[k].says && !strstr(err.text, rows[k].says))
            fail_msg("%s: %s", rows[k].to, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_are_told_with_what_to_do),
        cmocka_unit_test(test_keys_of_an_instance),
        cmocka_unit_test(test_keys_of_a_container),
        cmocka_unit_test(test_keys_that_are_not_got),
        cmocka_unit_test(test_names),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
