/* Four requests, three of which got tokens, in one level or in two shards of it: what tells their tokens when files are lost, or end too soon. */
#include "stats/token_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 4
#define SECONDS(s) ((int64_t)((s) * (double)NS_PER_S))

struct bench {
    struct arena *arena;
    struct record records[COUNT];
    uint32_t order[COUNT];
    struct record_part files[2];
    struct level_part parts[2];
    struct tick ticks[2];
    int64_t last_ticks[2];
    struct run_level level;
    struct run_data data;
};

/* A window until 10 s. frames: how many requests' tokens are in tokens.bin.gz; below 0: there is none. */
static void begin(struct bench *bench, size_t parts, int frames)
{
    *bench = (struct bench){.arena = arena_new()};
    for (int k = 0; k < COUNT; k++) {
        bench->records[k] = record_empty();
        bench->order[k] = (uint32_t)k;
        if (k > 0)
            bench->records[k].first_token = SECONDS(k);
    }
    for (size_t p = 0; p < 2; p++) {
        bench->parts[p] = (struct level_part){.begun = true, .bounds = {.ended = true, .window_end = SECONDS(10)}};
        bench->last_ticks[p] = TIME_NEVER;
    }
    bench->level = (struct run_level){.bounds = {.ended = true}, .records = bench->order, .record_count = COUNT, .parts = bench->parts};
    bench->level.tokens.frames = frames < 0 ? 0 : (uint64_t)frames;
    bench->data = (struct run_data){.time_scale = 1, .levels = &bench->level, .level_count = 1, .has_tokens = frames >= 0, .ticks = bench->ticks,
                                    .last_ticks = bench->last_ticks};
    bench->data.file.records = bench->records;
    bench->data.file.record_count = COUNT;
    bench->data.file.parts = bench->files;
    bench->data.file.part_count = parts;
}

/* Part p's journal has a tick at this time. */
static void tick(struct bench *bench, size_t p, double seconds)
{
    size_t first = bench->data.tick_count;
    bench->ticks[bench->data.tick_count++] = (struct tick){SECONDS(seconds), 5};
    token_source_note_ticks(&bench->data, p, first);
}

static void expect(struct bench *bench, enum token_source source, const char *note)
{
    token_source_find(&bench->data);
    assert_int_equal(bench->level.token_source, source);
    const char *text = token_source_note(bench->arena, &bench->data);
    if (note)
        assert_string_equal(text, note);
    else
        assert_null(text);
    arena_free(bench->arena);
}

static void test_frames_of_all_requests_that_got_tokens(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 1, 3);
    expect(&bench, TOKENS_BY_FRAMES, NULL);
    assert_false(token_source_lacks_frames(&bench.data, &bench.level));
    begin(&bench, 1, 2);
    tick(&bench, 0, 10);
    expect(&bench, TOKENS_BY_TICKS,
           "tokens.bin.gz tells of 2 of 3 requests: in 1 level where some are lost throughput is rounded to the ticks of journal.jsonl; itl and arrival gaps are "
           "of the others");
    assert_true(token_source_lacks_frames(&bench.data, &bench.level));
}

static void test_neither(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 1, -1);
    bench.parts[0].health.known = true; /* but there is not one tick */
    assert_string_equal(token_source_missing_text(bench.arena, &bench.data, &bench.level), "neither tokens.bin.gz nor ticks in journal.jsonl");
    expect(&bench, TOKENS_NOWHERE,
           "there are no token gaps (tokens.bin.gz): throughput is not known, for journal.jsonl has no ticks there; itl and arrival gaps are missing");
    begin(&bench, 1, 0);
    token_source_find(&bench.data);
    assert_string_equal(token_source_missing_text(bench.arena, &bench.data, &bench.level),
                        "tokens.bin.gz tells of 0 of 3 requests, and journal.jsonl has no ticks of this level");
    arena_free(bench.arena);
}

/* What ends a second before the window does not tell of that second, unless the journal goes on to say how the level ended. */
static void test_ticks_have_to_reach_the_end(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 1, -1);
    tick(&bench, 0, 9);
    expect(&bench, TOKENS_NOWHERE,
           "there are no token gaps (tokens.bin.gz): throughput is not known, for journal.jsonl has no ticks there; itl and arrival gaps are missing");
    begin(&bench, 1, -1);
    tick(&bench, 0, 9);
    bench.parts[0].health.known = true;
    expect(&bench, TOKENS_BY_TICKS,
           "there are no token gaps (tokens.bin.gz): throughput is rounded to the ticks of journal.jsonl; itl and arrival gaps are missing");
    begin(&bench, 1, -1); /* of a run that was killed the last moment is not on disk: model time runs ten times as fast */
    tick(&bench, 0, 9);
    bench.parts[0].bounds.ended = false;
    token_source_find(&bench.data);
    assert_int_equal(bench.level.token_source, TOKENS_BY_TICKS);
    bench.parts[0].bounds.window_end = SECONDS(28);
    token_source_find(&bench.data);
    assert_int_equal(bench.level.token_source, TOKENS_NOWHERE);
    bench.data.time_scale = 10;
    token_source_find(&bench.data);
    assert_int_equal(bench.level.token_source, TOKENS_BY_TICKS);
    arena_free(bench.arena);
}

static void test_ticks_of_some_shards_only(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2, -1);
    tick(&bench, 0, 10);
    token_source_find(&bench.data);
    assert_int_equal(bench.level.token_source, TOKENS_NOWHERE);
    tick(&bench, 1, 11);
    token_source_find(&bench.data);
    assert_int_equal(bench.level.token_source, TOKENS_BY_TICKS);
    bench.data.last_ticks[1] = TIME_NEVER;
    bench.parts[1].begun = false; /* it had no share in the level */
    token_source_find(&bench.data);
    assert_int_equal(bench.level.token_source, TOKENS_BY_TICKS);
    arena_free(bench.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_of_all_requests_that_got_tokens),
        cmocka_unit_test(test_neither),
        cmocka_unit_test(test_ticks_have_to_reach_the_end),
        cmocka_unit_test(test_ticks_of_some_shards_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
