#include "serve/preset_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"

static char path[] = "/tmp/preset_file_test.XXXXXX";

static const struct preset PRESET = {
    .name = "mine",
    .summary = "a deployment",
    .scheduler = {.cost = {.base = 50.5e6, .sequence = 280000, .context_token = 0.25, .prefill_token = 0},
                  .max_num_seqs = 65536, .max_num_batched_tokens = 2048, .kv_blocks = 3700, .block_size = 16, .prefix_caching = true},
    .max_model_len = 8192,
};

static int read_back(struct arena *arena, struct preset *preset, struct error *err)
{
    *err = (struct error){.class = ERROR_NONE};
    return preset_file_read(path, arena, preset, err);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct error err;
    struct preset got;
    struct arena *arena = arena_new();
    json_t *document = preset_file_document(&PRESET);
    json_add_object(document, "fit"); /* what is not known is left alone */
    assert_int_equal(json_write_file(document, path, &err), 0);
    json_decref(document);
    assert_int_equal(read_back(arena, &got, &err), 0);
    assert_string_equal(got.name, PRESET.name);
    assert_string_equal(got.summary, PRESET.summary);
    assert_memory_equal(&got.scheduler, &PRESET.scheduler, sizeof got.scheduler);
    assert_int_equal(got.max_model_len, PRESET.max_model_len);
    arena_free(arena);
}

/* A member of a good document gets another value: what is said of it. */
static void assert_refused(const char *object, const char *member, json_t *value, const char *expected)
{
    struct error err;
    struct preset got;
    struct arena *arena = arena_new();
    json_t *document = preset_file_document(&PRESET);
    json_object_set_new(object ? json_object_get(document, object) : document, member, value);
    assert_int_equal(json_write_file(document, path, &err), 0);
    json_decref(document);
    assert_int_equal(read_back(arena, &got, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, expected))
        fail_msg("'%s' says nothing of '%s'", err.text, expected);
    arena_free(arena);
}

static void what_no_option_could_say_is_refused(void **state)
{
    (void)state;
    assert_refused(NULL, "schema", json_string("roibench/plan/v1"), "schema: expected \"roibench/preset/v1\"");
    assert_refused(NULL, "name", json_string(""), "name: expected a name");
    assert_refused(NULL, "step_ns", json_null(), "step_ns: expected an object, got null");
    assert_refused("step_ns", "base", json_real(-1), "step_ns.base: expected ns from 0 to 1e+12, got -1");
    assert_refused("step_ns", "prefill_token", json_real(2e12), "step_ns.prefill_token: expected ns from 0 to 1e+12, got 2e+12");
    assert_refused("step_ns", "sequence", json_string("1"), "step_ns.sequence: expected a number");
    assert_refused(NULL, "max_model_len", json_integer(1), "max_model_len: expected a whole number from 2 to 100000000, got 1");
    assert_refused(NULL, "max_num_seqs", json_integer(65537), "max_num_seqs: expected a whole number from 1 to 65536, got 65537");
    assert_refused(NULL, "block_size", json_integer(65537), "block_size: expected a whole number from 1 to 65536, got 65537");
    assert_refused(NULL, "kv_blocks", json_integer(0), "kv_blocks: expected a whole number from 1 to 100000000, got 0");
    assert_refused(NULL, "max_num_batched_tokens", json_real(1.5), "max_num_batched_tokens: expected a whole number, got 1.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_no_option_could_say_is_refused),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
