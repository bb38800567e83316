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
#include "base/file.h"
#include "base/mem.h"
#include "ship/destination.h"
#include "support/archive_of.h"
#include "support/temp_folder.h"
#include "support/tiny_server.h"

struct scene {
    char *root, *to;
    struct archive_plan plan;
};

static int make_scene(void **state)
{
    struct scene *scene = mem_alloc(sizeof *scene);

    scene->root = temp_folder_make();
    scene->to = mem_printf("presigned://%s/upload.json", scene->root);
    archive_of(scene->root, "what was measured", 17, &scene->plan);
    *state = scene;
    return 0;
}

static int free_scene(void **state)
{
    struct scene *scene = *state;

    archive_plan_free(&scene->plan);
    temp_folder_remove(scene->root);
    free(scene->to);
    free(scene);
    return 0;
}

static void serve_answers(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    while (fd >= 0 && tiny_keep_request(server, fd))
        tiny_send(fd, context);
    if (fd >= 0)
        tiny_close(fd);
}

static int put(const struct scene *scene, const char *upload, struct delivery *delivery, struct error *err)
{
    const struct destination_settings settings = {.stall_timeout_ns = 10 * NS_PER_S};

    temp_file_write(scene->root, "upload.json", upload, strlen(upload));
    return destination_put(scene->to, &scene->plan, &settings, delivery, err);
}

static void test_a_form(void **state)
{
    static char answer[] = "HTTP/1.1 204 No Content\r\nETag: \"e\"\r\n\r\n";
    const struct scene *scene = *state;
    struct tiny_server *server = tiny_server_start(serve_answers, answer);
    cleanup_free char *upload = mem_printf("{\"url\":\"%s/bucket\",\"fields\":{\"key\":\"runs/${filename}\",\"policy\":\"cG9saWN5\"}}", tiny_server_url(server));
    cleanup_free char *shown = mem_printf("%s/bucket/runs/r.tar.gz", tiny_server_url(server));
    struct delivery delivery;
    struct error err = {0};

    if (put(scene, upload, &delivery, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(delivery.to, shown);
    assert_int_equal(delivery.status, 204);
    assert_string_equal(delivery.etag, "\"e\"");

    const char *request = tiny_server_request(server), *boundary = strstr(request, "boundary=");

    assert_memory_equal(request, "POST /bucket HTTP/1.1\r\n", 23);
    assert_non_null(boundary);
    assert_non_null(strstr(request, "name=\"key\"\r\n\r\nruns/${filename}\r\n--roibench-"));
    assert_true(strstr(request, "name=\"policy\"\r\n\r\ncG9saWN5\r\n") > strstr(request, "name=\"key\""));
    assert_non_null(strstr(request, "name=\"file\"; filename=\"r.tar.gz\"\r\nContent-Type: application/gzip\r\n\r\n\x1f\x8b"));
    delivery_free(&delivery);
    tiny_server_stop(server);
}

static void test_a_url_with_headers(void **state)
{
    static char answer[] = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    const struct scene *scene = *state;
    struct tiny_server *server = tiny_server_start(serve_answers, answer);
    cleanup_free char *upload = mem_printf("{\"url\":\"%s/c/x?sig=very-secret\",\"headers\":{\"x-ms-blob-type\":\"BlockBlob\",\"content-type\":\"a/b\"}}",
                                           tiny_server_url(server));
    cleanup_free char *shown = mem_printf("%s/c/x", tiny_server_url(server));
    struct delivery delivery;
    struct error err = {0};

    if (put(scene, upload, &delivery, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(delivery.to, shown);
    assert_memory_equal(tiny_server_request(server), "PUT /c/x?sig=very-secret HTTP/1.1\r\n", 35);
    assert_non_null(strstr(tiny_server_request(server), "\r\nx-ms-blob-type: BlockBlob\r\n"));
    assert_non_null(strstr(tiny_server_request(server), "\r\nContent-Type: a/b\r\n"));
    delivery_free(&delivery);
    tiny_server_stop(server);
}

/* Stores repeat what they were sent, and what they would have signed. */
static void test_an_expired_one_tells_no_secret(void **state)
{
    static const char *const bodies[] = {
        "<Error><Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message><StringToSign>very-secret</StringToSign></Error>",
        "<Error><Code>SignatureDoesNotMatch</Code><Message>not very-secret</Message></Error>",
        "you sent very-secret",
    };
    static const char *const says[] = {"AccessDenied: Invalid according to Policy: Policy expired.", "SignatureDoesNotMatch", "repeat the signature"};
    const struct scene *scene = *state;

    for (size_t k = 0; k < 3; k++) {
        char *answer = mem_printf("HTTP/1.1 403 Forbidden\r\nContent-Length: %zu\r\n\r\n%s", strlen(bodies[k]), bodies[k]);
        struct tiny_server *server = tiny_server_start(serve_answers, answer);
        cleanup_free char *upload = mem_printf("{\"url\":\"%s/c?a=1&sig=very-secret\"}", tiny_server_url(server));
        struct delivery delivery;
        struct error err = {0};

        assert_int_equal(put(scene, upload, &delivery, &err), -1);
        assert_int_equal(err.class, ERROR_PUBLISH);
        if (!strstr(err.text, says[k]) || !strstr(err.text, "expired?") || strstr(err.text, "very-secret"))
            fail_msg("%s", err.text);
        assert_false(delivery.passing);
        delivery_free(&delivery);
        tiny_server_stop(server);
        free(answer);
    }
}

static void test_files_that_are_no_uploads(void **state)
{
    static const char *const bad[] = {
        "", "[]", "{\"url\":1}", "{\"url\":\"ftp://very-secret\"}", "{\"url\":\"http://h\",\"fields\":[]}", "{\"url\":\"http://h\",\"fields\":{\"a\":1}}",
        "{\"url\":\"http://h\",\"fields\":{\"a\\\"b\":\"very-secret\"}}", "{\"url\":\"http://h\",\"fields\":{\"file\":\"x\"}}",
        "{\"url\":\"http://h\",\"fields\":{\"a\":\"x\"},\"method\":\"PUT\"}", "{\"url\":\"http://h\",\"method\":\"GET\"}",
        "{\"url\":\"http://h\",\"headers\":{\"x\":\"very-secret\\r\\ny: z\"}}", "{\"url\":\"http://h\",\"headers\":{\"Host\":\"x\"}}", "{\"url\":\"very-secret",
    };
    const struct scene *scene = *state;

    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct delivery delivery;
        struct error err = {0};

        if (put(scene, bad[k], &delivery, &err) != -1)
            fail_msg("%s", bad[k]);
        assert_int_equal(err.class, ERROR_PUBLISH);
        assert_non_null(strstr(err.text, "upload.json: "));
        if (k != 3)
            assert_null(strstr(err.text, "very-secret"));
        delivery_free(&delivery);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_form, make_scene, free_scene),
        cmocka_unit_test_setup_teardown(test_a_url_with_headers, make_scene, free_scene),
        cmocka_unit_test_setup_teardown(test_an_expired_one_tells_no_secret, make_scene, free_scene),
        cmocka_unit_test_setup_teardown(test_files_that_are_no_uploads, make_scene, free_scene),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
