/* When a run took place, told by its headers and journals. */
#include "record/run_span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "record/record_writer.h"
#include "support/temp_folder.h"

#define DATE ((int64_t)1764000000 * NS_PER_S)

static int make_folder(void **state)
{
    *state = temp_folder_make();
    return 0;
}

static int remove_folder(void **state)
{
    temp_folder_remove(*state);
    return 0;
}

static struct record_writer *begin(const char *folder, int shard, int64_t anchor)
{
    struct record_writer *writer = record_writer_open(folder, shard, NULL);
    const struct record_header header = {.run_id = "a", .anchor_realtime_ns = anchor, .shards = shard == NO_SHARD ? 0 : 2};
    assert_non_null(writer);
    assert_int_equal(record_writer_header(writer, &header, NULL), 0);
    return writer;
}

static void tell(struct record_writer *writer, const char *text)
{
    json_t *line = json_loads(text, 0, NULL);
    assert_int_equal(record_writer_journal(writer, line, NULL), 0);
    json_decref(line);
}

static void assert_span(const char *folder, int64_t anchor, int64_t from, int64_t to)
{
    struct run_span span;
    assert_int_equal(run_span_read(folder, &span, NULL), 0);
    assert_int_equal(span.anchor_realtime_ns, anchor);
    assert_int_equal(span.from_realtime_ns, from);
    assert_int_equal(span.to_realtime_ns, to);
}

static void test_a_whole_run(void **state)
{
    struct record_writer *writer = begin(*state, NO_SHARD, DATE);
    tell(writer, "{\"level_start\":{\"index\":0,\"start\":1000}}");
    tell(writer, "{\"level_end\":{\"index\":0,\"start\":1000,\"end\":9000}}");
    tell(writer, "{\"tick\":{\"t\":9500,\"tokens\":1}}"); /* cut off in the next level */
    assert_int_equal(record_writer_close(writer, NULL), 0);
    assert_span(*state, DATE, DATE + 1000, DATE + 9500);
}

static void test_shards_have_anchors_of_their_own(void **state)
{
    for (int shard = 0; shard < 2; shard++) {
        struct record_writer *writer = begin(*state, shard, DATE + shard * 500);
        tell(writer, "{\"level_end\":{\"index\":0,\"start\":1000,\"end\":9000}}");
        assert_int_equal(record_writer_close(writer, NULL), 0);
    }
    assert_span(*state, DATE, DATE + 1000, DATE + 9500);
}

static void test_what_tells_nothing(void **state)
{
    struct run_span span;
    struct error err = {.class = ERROR_NONE};
    assert_int_equal(run_span_read(*state, &span, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    assert_int_equal(record_writer_close(begin(*state, NO_SHARD, DATE), NULL), 0);
    assert_int_equal(run_span_read(*state, &span, &err), -1);
    assert_non_null(strstr(err.text, "when the run took place"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_whole_run, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_shards_have_anchors_of_their_own, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_tells_nothing, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
