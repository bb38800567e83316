#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "ship/destination.h"
#include "support/put_server.h"
#include "support/archive_of.h"
#include "support/temp_folder.h"

#define CONTENT_SIZE ((size_t)3 << 20) /* more than libcurl sends without asking (Expect: 100-continue) */

struct scene {
    struct put_server *server;
    char *root, *content;
    struct archive_plan plan;
};

static int make_scene(void **state)
{
    struct scene *scene = mem_alloc(sizeof *scene);

    scene->server = put_server_start();
    scene->root = temp_folder_make();
    scene->content = mem_alloc(CONTENT_SIZE);
    for (size_t k = 0; k < CONTENT_SIZE; k++)
        scene->content[k] = (char)(k * k >> 7);
    /* What is gzip is stored as it is, and stays large. */
    scene->content[0] = '\x1f';
    scene->content[1] = (char)0x8b;
    scene->content[2] = 8;
    archive_of(scene->root, scene->content, CONTENT_SIZE, &scene->plan);
    free(scene->content);
    scene->content = archive_bytes(&scene->plan);
    assert_true(scene->plan.size > CONTENT_SIZE);
    *state = scene;
    return 0;
}

static int remove_scene(void **state)
{
    struct scene *scene = *state;

    put_server_stop(scene->server);
    archive_plan_free(&scene->plan);
    temp_folder_remove(scene->root);
    free(scene->content);
    free(scene);
    return 0;
}

/* delivery must be freed. */
static int put(const struct scene *scene, const char *rest, bool overwrite, struct delivery *delivery, struct error *err)
{
    const struct destination_settings settings = {.overwrite = overwrite, .stall_timeout_ns = 20 * NS_PER_S};
    cleanup_free char *to = mem_printf("http://127.0.0.1:%d%s", put_server_port(scene->server), rest);

    return destination_put(to, &scene->plan, &settings, delivery, err);
}

static void assert_put(const struct scene *scene, const char *rest, bool overwrite, bool already_there, int status)
{
    struct delivery delivery;
    struct error err = {0};

    if (put(scene, rest, overwrite, &delivery, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(delivery.already_there, already_there);
    assert_int_equal(delivery.status, status);
    assert_string_equal(delivery.etag, already_there ? "\"e0\"" : "\"e1\"");
    delivery_free(&delivery);
}

static void assert_not_put(const struct scene *scene, const char *rest, const char *says)
{
    struct delivery delivery;
    struct error err = {0};

    assert_int_equal(put(scene, rest, false, &delivery, &err), -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
    if (!strstr(err.text, says))
        fail_msg("got '%s', expected '%s'", err.text, says);
    assert_null(strstr(err.text, "secret"));
    assert_null(strstr(delivery.to, "secret"));
    delivery_free(&delivery);
}

static void assert_stored(const struct scene *scene, const char *path)
{
    size_t length;
    const char *bytes = put_server_content(scene->server, path, &length);

    assert_non_null(bytes);
    assert_int_equal(length, scene->plan.size);
    assert_memory_equal(bytes, scene->content, length);
}

static void assert_requests(const struct scene *scene, const char *expected)
{
    cleanup_free char *requests = put_server_requests(scene->server);

    assert_string_equal(requests, expected);
}

static void test_a_folder_url(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *line = mem_printf("%s  r.tar.gz\n", scene->plan.sha256);
    size_t length;

    assert_put(scene, "/dir/", false, false, 201);
    assert_stored(scene, "/dir/r.tar.gz");
    assert_string_equal(put_server_content(scene->server, "/dir/r.tar.gz.sha256", &length), line);
    assert_requests(scene, "HEAD /dir/r.tar.gz\nPUT /dir/r.tar.gz.sha256\nPUT /dir/r.tar.gz\n");
}

static void test_a_url_of_its_own(void **state)
{
    assert_put(*state, "/mine.tgz", false, false, 201);
    assert_stored(*state, "/mine.tgz");
    assert_requests(*state, "HEAD /mine.tgz\nPUT /mine.tgz.sha256\nPUT /mine.tgz\n");
}

static void test_a_signed_url_gets_one_put(void **state)
{
    struct delivery delivery;

    assert_int_equal(put(*state, "/x?signature=secret", false, &delivery, NULL), 0);
    assert_null(strstr(delivery.to, "secret"));
    assert_requests(*state, "PUT /x?signature=secret\n");
    delivery_free(&delivery);
}

static void test_what_is_there_is_kept(void **state)
{
    const struct scene *scene = *state;
    cleanup_free char *other = mem_printf("/d/r.%.12s.tar.gz", scene->plan.sha256);
    cleanup_free char *other_checksum = mem_printf("%s.sha256", other);

    assert_put(scene, "/d/", false, false, 201);
    assert_put(scene, "/d/", false, true, 200);
    assert_requests(scene, "HEAD /d/r.tar.gz\nPUT /d/r.tar.gz.sha256\nPUT /d/r.tar.gz\n"
                           "HEAD /d/r.tar.gz\nGET /d/r.tar.gz.sha256\n");
    put_server_store(scene->server, "/d/r.tar.gz.sha256", "00", 2);
    assert_put(scene, "/d/", false, false, 201);
    assert_stored(scene, other);
    assert_put(scene, "/d/", false, true, 200);
    put_server_store(scene->server, other_checksum, "00", 2);
    assert_not_put(scene, "/d/", "is there already, with other content or without its .sha256. Give --overwrite");
    assert_put(scene, "/d/", true, false, 201);
    assert_put(scene, "/d/", false, true, 200);
}

static void expect_later(const struct scene *scene, const char *refused)
{
    put_server_refuse_once(scene->server, refused);
    assert_not_put(scene, "/d/", "HTTP 503: later");
    assert_put(scene, "/d/", false, false, 201);
    assert_stored(scene, "/d/r.tar.gz");
    assert_put(scene, "/d/", false, true, 200);
}

/* 503 with Retry-After and without: the settings' retries, and each of them counted. */
static void test_tries_again(void **state)
{
    const struct scene *scene = *state;
    struct destination_settings settings = {.retries = 1, .retry_wait_ns = NS_PER_MS, .verify = true, .stall_timeout_ns = 20 * NS_PER_S};
    cleanup_free char *to = mem_printf("http://127.0.0.1:%d/d/", put_server_port(scene->server));
    struct delivery delivery;
    struct error err = {0};

    put_server_refuse_once(scene->server, ".tar.gz");
    if (destination_put(to, &scene->plan, &settings, &delivery, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(delivery.tries, 2);
    assert_true(delivery.verified);
    assert_stored(scene, "/d/r.tar.gz");
    delivery_free(&delivery);
}

static void test_what_was_interrupted_is_completed(void **state)
{
    const struct scene *scene = *state;

    expect_later(scene, ".sha256");
    /* A part of it, as a server keeps it that lost the connection. */
    put_server_store(scene->server, "/d/r.tar.gz", scene->content, CONTENT_SIZE / 2);
    assert_put(scene, "/d/", false, false, 201);
    assert_stored(scene, "/d/r.tar.gz");
}

static void test_an_archive_that_was_refused_once(void **state)
{
    expect_later(*state, ".tar.gz");
}

static void test_a_server_that_takes_no_head(void **state)
{
    const struct scene *scene = *state;

    put_server_answer(scene->server, 0, "", 405);
    assert_put(scene, "/d/", false, false, 201);
    assert_stored(scene, "/d/r.tar.gz");
}

static const struct {
    int status;
    const char *body, *says;
} refusals[] = {
    {400, "quota of\033[2J project\nis full", "/d/r.tar.gz.sha256: HTTP 400: quota of?[2J project is full"},
    {403, "", "HTTP 403. The server wants credentials"},
    {403, "<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code>\n<Message>no\033</Message></Error>\n",
     "HTTP 403: AccessDenied no?. The server wants credentials"},
    {404, "", "HTTP 404. Does the folder exist there?"},
    {405, "", "HTTP 405. The server takes no PUT"},
    {413, "", "larger than the server allows"},
    {302, "", "/elsewhere/x. Give the URL that it means"},
    {500, "oops", "HTTP 500: oops"},
};

static void test_refusals_are_told(void **state)
{
    const struct scene *scene = *state;

    for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++) {
        put_server_answer(scene->server, refusals[k].status, refusals[k].body, 404);
        assert_not_put(scene, "/d/", refusals[k].says);
    }
    put_server_answer(scene->server, 403, "", 404);
    assert_not_put(scene, "/d/x?token=secret", "HTTP 403");
}

static void test_nobody_listens(void **state)
{
    const struct scene *scene = *state;
    const struct destination_settings settings = {.stall_timeout_ns = 20 * NS_PER_S};
    struct put_server *gone = put_server_start();
    cleanup_free char *to = mem_printf("http://127.0.0.1:%d/d/?token=secret", put_server_port(gone));
    struct delivery delivery;
    struct error err = {0};

    put_server_stop(gone);
    assert_int_equal(destination_put(to, &scene->plan, &settings, &delivery, &err), -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
    assert_non_null(strstr(err.text, "/d/r.tar.gz: "));
    assert_non_null(strstr(err.text, "refused"));
    assert_null(strstr(err.text, "secret"));
    delivery_free(&delivery);
}

static void test_the_file_went_away(void **state)
{
    struct scene *scene = *state;

    scene->plan.size++;
    assert_not_put(scene, "/d/", "the data ended before the announced length");
}

static void test_small_objects(void **state)
{
    const struct scene *scene = *state;
    const struct destination_settings settings = {.stall_timeout_ns = 20 * NS_PER_S};
    cleanup_free char *url = mem_printf("http://127.0.0.1:%d/d/", put_server_port(scene->server));
    const struct destination_objects *objects = destination_objects_of(url);
    cleanup_buf struct buf bytes = BUF_INIT(4);
    struct error err = {0};
    bool missing = false;
    size_t length;

    assert_non_null(objects);
    assert_null(objects->list);
    assert_int_equal(objects->get(url, "index/a.json", &settings, &bytes, &missing, &err), 0);
    assert_true(missing);
    assert_int_equal(objects->put(url, "index/a.json", "application/json", "{}\n", 3, &settings, &err), 0);
    assert_string_equal(put_server_content(scene->server, "/d/index/a.json", &length), "{}\n");
    assert_int_equal(objects->get(url, "index/a.json", &settings, &bytes, &missing, &err), 0);
    assert_false(missing);
    assert_string_equal(buf_text(&bytes), "{}\n");
    assert_int_equal(objects->get(url, "index/a.json", &settings, &bytes, &missing, &err), -1); /* past the ceiling */
    put_server_answer(scene->server, 403, "no", 404);
    assert_int_equal(objects->put(url, "index/a.json", "application/json", "{}\n", 3, &settings, &err), -1);
    assert_int_equal(err.class, ERROR_PUBLISH);
    assert_non_null(strstr(err.text, "/d/index/a.json: HTTP 403: no"));
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, remove_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(test_a_folder_url),
        HTTP_TEST(test_a_url_of_its_own),
        HTTP_TEST(test_a_signed_url_gets_one_put),
        HTTP_TEST(test_what_is_there_is_kept),
        HTTP_TEST(test_what_was_interrupted_is_completed),
        HTTP_TEST(test_tries_again),
        HTTP_TEST(test_an_archive_that_was_refused_once),
        HTTP_TEST(test_a_server_that_takes_no_head),
        HTTP_TEST(test_refusals_are_told),
        HTTP_TEST(test_nobody_listens),
        HTTP_TEST(test_the_file_went_away),
        HTTP_TEST(test_small_objects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
