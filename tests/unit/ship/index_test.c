/* The pages of an index, at a destination that is a table in memory: what is fetched, what is put when others put at the same time, what fails. */
#include "ship/index.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "support/temp_folder.h"

#define OBJECTS_MAX 40

/* What lies at the destination. Tests are single-threaded but for the last, which uses a folder. */
static struct store {
    struct {
        char *name, *bytes;
        int version; /* its tag */
        bool listed_only; /* gone when it is asked for */
    } objects[OBJECTS_MAX];
    size_t count;
    int receipt_gets, lists, page_puts;
    const char *late;      /* a receipt that somebody else puts after our next page */
    const char *fail_on;   /* the name whose put fails, or "list" */
    bool without_tags;
} store;

static const struct destination_settings plain;

static int reset_store(void **state)
{
    (void)state;
    for (size_t k = 0; k < store.count; k++) {
        free(store.objects[k].name);
        free(store.objects[k].bytes);
    }
    store = (struct store){0};
    return 0;
}

static size_t store_find(const char *name)
{
    size_t k = 0;

    while (k < store.count && strcmp(store.objects[k].name, name) != 0)
        k++;
    return k;
}

static void store_put(const char *name, const char *bytes, size_t length)
{
    const size_t k = store_find(name);

    assert_true(k < OBJECTS_MAX);
    if (k == store.count)
        store.objects[store.count++].name = mem_strdup(name);
    free(store.objects[k].bytes);
    store.objects[k].bytes = mem_strndup(bytes, length);
    store.objects[k].version++;
}

static void store_receipt(const char *id, const char *model)
{
    cleanup_free char *name = mem_printf("index/%s.json", id);
    cleanup_free char *bytes = mem_printf("{\"id\":\"%s\",\"model\":\"%s\",\"started\":\"2026-11-24T04:06:51Z\",\"archive\":{\"name\":\"%s.tar.gz\"}}", id, model, id);

    store_put(name, bytes, strlen(bytes));
}

static const char *stored(const char *name)
{
    const size_t k = store_find(name);

    return k < store.count ? store.objects[k].bytes : "";
}

static char *fake_place(const char *to, const char *name)
{
    return file_join(to, name);
}

static int fake_put(const char *to, const char *name, const char *type, const void *bytes, size_t length, const struct destination_settings *settings,
                    struct error *err)
{
    (void)to;
    (void)settings;
    assert_non_null(type);
    if (store.fail_on && strcmp(store.fail_on, name) == 0)
        return error_set(err, ERROR_PUBLISH, "cannot put %s", name);
    store_put(name, bytes, length);
    if (strcmp(name, "index.html") == 0) {
        store.page_puts++;
        if (store.late)
            store_receipt(store.late, "late");
        store.late = NULL;
    }
    return 0;
}

static int fake_get(const char *to, const char *name, const struct destination_settings *settings, struct buf *bytes, bool *missing, struct error *err)
{
    const size_t k = store_find(name);

    (void)to;
    (void)settings;
    store.receipt_gets += strncmp(name, "index/", 6) == 0;
    *missing = k == store.count || store.objects[k].listed_only;
    if (*missing)
        return 0;
    return buf_append_text(bytes, store.objects[k].bytes) < 0 ? error_set(err, ERROR_PUBLISH, "too large") : 0;
}

static int fake_list(const char *to, const char *folder, const struct destination_settings *settings, destination_note note, void *context,
                     struct error *err)
{
    (void)to;
    (void)settings;
    assert_string_equal(folder, "index");
    store.lists++;
    if (store.fail_on && strcmp(store.fail_on, "list") == 0)
        return error_set(err, ERROR_PUBLISH, "cannot list");
    for (size_t k = store.count; k-- > 0;) {
        cleanup_free char *tag = store.without_tags ? mem_strdup("") : mem_printf("v%d", store.objects[k].version);

        if (strncmp(store.objects[k].name, "index/", 6) == 0 && note(context, store.objects[k].name + 6, tag, err) < 0)
            return -1;
    }
    return 0;
}

static const struct destination_objects fake = {.place = fake_place, .put = fake_put, .get = fake_get, .list = fake_list};

static void refresh(void)
{
    struct error err = {0};

    if (index_refresh("fake", &fake, &plain, &err) < 0)
        fail_msg("%s", err.text);
}

static void test_rows(void **state)
{
    (void)state;
    store_receipt("b", "two");
    store_receipt("a", "one");
    store_put("index/README", "no receipt", 10);
    refresh();
    assert_non_null(strstr(stored("index.html"), "href=\"./a.tar.gz\""));
    assert_non_null(strstr(stored("index.html"), "href=\"./b.tar.gz\""));
    assert_true(strstr(stored("index.json"), "\"a.json\"") < strstr(stored("index.json"), "\"b.json\""));
    assert_int_equal(store.page_puts, 1);
    assert_int_equal(store.lists, 2);
}

static void test_only_what_is_new_is_fetched(void **state)
{
    (void)state;
    store_receipt("a", "one");
    store_receipt("b", "two");
    refresh();
    assert_int_equal(store.receipt_gets, 2);
    store_receipt("c", "three");
    store_receipt("a", "changed");
    refresh();
    assert_int_equal(store.receipt_gets, 4);
    assert_non_null(strstr(stored("index.html"), "changed"));
    assert_null(strstr(stored("index.html"), ">one<"));
    refresh();
    assert_int_equal(store.receipt_gets, 4);
    store.without_tags = true;
    refresh();
    assert_int_equal(store.receipt_gets, 4 + 2 * 3);
}

/* Its own page may have been made before ours: nobody else has to put another. */
static void test_what_comes_between_is_in_the_last_page(void **state)
{
    (void)state;
    store_receipt("a", "one");
    store.late = "z";
    refresh();
    assert_non_null(strstr(stored("index.html"), "href=\"./z.tar.gz\""));
    assert_int_equal(store.page_puts, 2);
    assert_int_equal(store.lists, 3);
}

static void test_what_went_away_is_no_row(void **state)
{
    (void)state;
    store_receipt("a", "one");
    store_receipt("b", "two");
    store.objects[0].listed_only = true;
    refresh();
    assert_null(strstr(stored("index.html"), ">one<"));
    assert_null(strstr(stored("index.html"), "could not be read"));
    assert_non_null(strstr(stored("index.html"), ">two<"));
}

static void test_somebody_elses_pages(void **state)
{
    static const char *const documents[] = {NULL, "{\"schema\":\"other\"}", "[]", "text"};

    for (size_t k = 0; k < sizeof documents / sizeof *documents; k++) {
        struct error err = {0};

        reset_store(state);
        store_receipt("a", "one");
        store_put("index.html", "mine", 4);
        if (documents[k])
            store_put("index.json", documents[k], strlen(documents[k]));
        assert_int_equal(index_refresh("fake", &fake, &plain, &err), -1);
        assert_non_null(strstr(err.text, "fake/index.html is somebody else's page"));
        assert_string_equal(stored("index.html"), "mine");
    }
}

static void test_failures(void **state)
{
    static const char *const names[] = {"index.json", "index.html", "list"};

    for (size_t k = 0; k < 3; k++) {
        struct error err = {0};

        reset_store(state);
        store_receipt("a", "one");
        store.fail_on = names[k];
        assert_int_equal(index_refresh("fake", &fake, &plain, &err), -1);
        assert_int_equal(err.class, ERROR_PUBLISH);
        assert_non_null(strstr(err.text, "cannot"));
    }
}

/* ---- a folder ---- */

#define PUBLISHERS 8

struct publisher {
    const char *to, *folder;
    struct archive_plan plan;
    int number;
};

static void *publish(void *context)
{
    const struct publisher *publisher = context;
    cleanup_free char *place = mem_printf("%s/run-%d.tar.gz", publisher->to, publisher->number), *id = mem_printf("run-%d", publisher->number);
    const struct delivery delivery = {.to = place};
    const struct index_publication publication = {.folder = publisher->folder, .id = id, .identity = "x"};
    struct secrets *secrets = secrets_new(NULL, 0, NULL);
    struct error err = {0};
    const int result = index_publish(publisher->to, &delivery, &publisher->plan, &publication, secrets, &plain, &err);

    secrets_free(secrets);
    return result < 0 ? mem_strdup(err.text) : NULL;
}

static void test_side_by_side(void **state)
{
    struct publisher publishers[PUBLISHERS];
    pthread_t threads[PUBLISHERS];
    char *root = temp_folder_make();
    cleanup_free char *to = file_join(root, "out");
    size_t length;

    (void)state;
    for (int k = 0; k < PUBLISHERS; k++) {
        publishers[k] = (struct publisher){.to = to, .folder = root, .plan = {.name = NULL}, .number = k};
        memset(publishers[k].plan.sha256, '0' + k, 64);
        assert_int_equal(pthread_create(&threads[k], NULL, publish, &publishers[k]), 0);
    }
    for (int k = 0; k < PUBLISHERS; k++) {
        void *failed;

        pthread_join(threads[k], &failed);
        if (failed)
            fail_msg("%s", (char *)failed);
    }

    cleanup_free char *page = temp_file_read(to, "index.html", &length);

    for (int k = 0; k < PUBLISHERS; k++) {
        cleanup_free char *link = mem_printf("href=\"./run-%d.tar.gz\"", k);

        assert_non_null(strstr(page, link));
    }
    temp_folder_remove(root);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, reset_store, reset_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_rows),
        STORE_TEST(test_only_what_is_new_is_fetched),
        STORE_TEST(test_what_comes_between_is_in_the_last_page),
        STORE_TEST(test_what_went_away_is_no_row),
        STORE_TEST(test_somebody_elses_pages),
        STORE_TEST(test_failures),
        cmocka_unit_test(test_side_by_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
