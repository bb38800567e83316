#include "serve/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define START (7 * NS_PER_S)

/* --- parsing --------------------------------------------------------------------------------- */

static struct fault parsed(const char *text)
{
    struct fault fault;
    struct error err = {0};
    int result = fault_parse(text, &fault, &err);
    if (result < 0)
        fail_msg("%s: %s", text, err.text);
    return fault;
}

static void keys_and_defaults(void **state)
{
    (void)state;
    struct fault fault = parsed("reset:rate=0.25,from=1.5,to=2m,after=7");
    assert_int_equal(fault.kind, FAULT_reset);
    assert_string_equal(fault.text, "reset:rate=0.25,from=1.5,to=2m,after=7");
    assert_true(fault.rate == 0.25);
    assert_int_equal(fault_integer(&fault, FAULT_KEY_FROM), 1500 * NS_PER_MS);
    assert_int_equal(fault_integer(&fault, FAULT_KEY_TO), 120 * NS_PER_S);
    assert_int_equal(fault_integer(&fault, FAULT_KEY_AFTER), 7);
    fault = parsed("status");
    assert_int_equal(fault_integer(&fault, FAULT_KEY_CODE), 503);
    assert_int_equal(fault_integer(&fault, FAULT_KEY_RETRY_AFTER), -1);
    assert_int_equal(fault_integer(&fault, FAULT_KEY_TO), TIME_FOREVER);
    assert_true(fault.rate < 0);
}

static void a_value_is_the_first_own_key(void **state)
{
    (void)state;
    struct fault fault = parsed("status=429:retry-after=3,every=2");
    assert_int_equal(fault_integer(&fault, FAULT_KEY_CODE), 429);
    assert_int_equal(fault_integer(&fault, FAULT_KEY_RETRY_AFTER), 3);
    assert_int_equal(fault_integer(&fault, FAULT_KEY_EVERY), 2);
    fault = parsed("slow-headers=250ms");
    assert_int_equal(fault_integer(&fault, FAULT_KEY_DELAY), 250 * NS_PER_MS);
    fault = parsed("clock-skew=-5m");
    assert_int_equal(fault_integer(&fault, FAULT_KEY_BY), -300 * NS_PER_S);
    fault = parsed("endless-line=1000");
    assert_int_equal(fault_integer(&fault, FAULT_KEY_BYTES), 1000);
    fault = parsed("restart=2");
    assert_int_equal(fault_integer(&fault, FAULT_KEY_DOWN), 2 * NS_PER_S);
    fault = parsed("reset=0");
    assert_int_equal(fault_integer(&fault, FAULT_KEY_AFTER), 0);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "'' is no fault: expected KIND[:KEY=VALUE,...], KIND one of refuse, restart, sigterm, "},
        {"Reset", "'Reset' is no fault"},
        {"reset:", "'' is not KEY=VALUE"},
        {"reset:rate", "'rate' is not KEY=VALUE"},
        {"reset:rate=0.1,", "'' is not KEY=VALUE"},
        {"reset:=1", "the fault reset has no ''"},
        {"reset:code=500", "the fault reset has no 'code'; it knows from, to, rate, every, first, at, after"},
        {"refuse:at=1", "the fault refuse has no 'at'; it knows from, to"},
        {"restart:to=1", "the fault restart has no 'to'; it knows from, at, down, loading"},
        {"clock-skew:rate=1", "it knows from, to, by"},
        {"no-usage=1", "takes no value ('1')"},
        {"no-usage=", "takes no value ('')"},
        {"status=", "code='': expected a status from 400 to 599"},
        {"status=399", "expected a status from 400 to 599"},
        {"status=600", "expected a status from 400 to 599"},
        {"status=4e2", "expected a status from 400 to 599"},
        {"status=503:code=500", "the fault status has 'code' twice"},
        {"reset:rate=1.01", "expected a share of the requests, from 0 to 1"},
        {"reset:rate=-0.1", "expected a share of the requests, from 0 to 1"},
        {"reset:rate=nan", "expected a share of the requests, from 0 to 1"},
        {"reset:every=0", "every='0': expected a whole number from 1 on"},
        {"reset:at=1.5", "at='1.5': expected the number of a request"},
        {"reset:after=-1", "after='-1': expected a number of tokens"},
        {"reset:from=-1", "from='-1': expected seconds"},
        {"reset:from=x", "from='x': expected seconds"},
        {"reset:from=5,to=5", "the fault reset ends (to) before it begins (from)"},
        {"reset:every=2,rate=0.5", "can have one of rate, every, first and at"},
        {"slow-headers=-1", "delay='-1': expected seconds"},
        {"clock-skew=--5", "by='--5': expected seconds, also negative ones"},
    };
    for (size_t k = 0; k < COUNT(cases); k++) {
        struct fault fault;
        struct error err = {0};
        if (fault_parse(cases[k].text, &fault, &err) == 0)
            fail_msg("'%s' was taken", cases[k].text);
        assert_int_equal(err.class, ERROR_USAGE);
        if (!strstr(err.text, cases[k].says))
            fail_msg("'%s': says %s", cases[k].text, err.text);
    }
}

static void a_text_has_a_ceiling(void **state)
{
    (void)state;
    char text[FAULT_TEXT_SIZE + 1];
    struct fault fault;
    struct error err = {0};
    memset(text, '0', sizeof text);
    memcpy(text, "reset:after=", strlen("reset:after="));
    text[FAULT_TEXT_SIZE - 1] = '\0';
    assert_int_equal(fault_parse(text, &fault, &err), 0);
    assert_string_equal(fault.text, text);
    text[FAULT_TEXT_SIZE - 1] = '0';
    text[FAULT_TEXT_SIZE] = '\0';
    assert_int_equal(fault_parse(text, &fault, &err), -1);
    assert_non_null(strstr(err.text, "at most 159 characters"));
}

/* --- selection ------------------------------------------------------------------------------- */

static struct fault_list *list_of(double time_scale, uint64_t seed)
{
    struct fault_list *list = mem_alloc(sizeof *list);
    list->time_scale = time_scale;
    list->seed = seed;
    return list;
}

static void add(struct fault_list *list, const char *text)
{
    struct fault fault = parsed(text);
    assert_int_equal(fault_list_add(list, &fault, START, NULL), 0);
}

static void list_free(struct fault_list *list)
{
    fault_list_clear(list);
    free(list);
}

/* One letter a request: the index of the fault that takes it, or '.'. */
static const char *taken(struct fault_list *list, size_t requests, char *letters)
{
    for (size_t k = 0; k < requests; k++) {
        const struct fault *fault = fault_list_select(list, true, START);
        letters[k] = '.';
        for (size_t i = 0; i < list->count; i++)
            if (list->items[i] == fault)
                letters[k] = (char)('0' + i);
    }
    letters[requests] = '\0';
    return letters;
}

static void by_number(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *taken;
    } cases[] = {
        {"reset", "0000000000"},        {"reset:every=3", "..0..0..0."}, {"reset:every=1", "0000000000"},
        {"reset:first=4", "0000......"}, {"reset:at=1", "0........."},    {"reset:at=10", ".........0"},
        {"reset:rate=0", ".........."},  {"reset:rate=1", "0000000000"},  {"refuse", ".........."},
        {"clock-skew", ".........."},    {"restart", ".........."},       {"restart:at=2", ".0........"},
    };
    char letters[16];
    for (size_t k = 0; k < COUNT(cases); k++) {
        struct fault_list *list = list_of(1, 1);
        add(list, cases[k].fault);
        assert_string_equal(taken(list, 10, letters), cases[k].taken);
        list_free(list);
    }
}

static void the_first_takes_it_and_all_count_it(void **state)
{
    (void)state;
    char letters[16];
    struct fault_list *list = list_of(1, 1);
    add(list, "reset:every=4");
    add(list, "stall:every=2");
    add(list, "garbage:first=3");
    assert_string_equal(taken(list, 9, letters), "2120.1.0.");
    list_free(list);
}

static void shares_are_drawn_and_drawn_again(void **state)
{
    (void)state;
    char first[1001], again[1001], other[1001];
    struct fault_list *list = list_of(1, 42), *same = list_of(1, 42), *different = list_of(1, 43);
    add(list, "reset:rate=0.3");
    add(same, "reset:rate=0.3");
    add(different, "reset:rate=0.3");
    taken(list, 1000, first);
    assert_string_equal(taken(same, 1000, again), first);
    assert_string_not_equal(taken(different, 1000, other), first);
    size_t hits = 0;
    for (size_t k = 0; k < 1000; k++)
        hits += first[k] == '0';
    assert_in_range(hits, 250, 350); /* 3.4 standard deviations */
    list_free(list);
    list_free(same);
    list_free(different);
}

static void two_shares_are_independent(void **state)
{
    (void)state;
    char letters[1001];
    struct fault_list *list = list_of(1, 42);
    add(list, "reset:rate=0.5");
    add(list, "stall:rate=0.5");
    taken(list, 1000, letters);
    size_t second = 0;
    for (size_t k = 0; k < 1000; k++)
        second += letters[k] == '1';
    assert_in_range(second, 200, 300); /* half of what the first left; 0, were they the same draw */
    list_free(list);
}

static void windows_are_model_time(void **state)
{
    (void)state;
    struct fault_list *list = list_of(10, 1);
    add(list, "reset:from=5,to=8");
    assert_null(fault_list_select(list, true, START));
    assert_null(fault_list_select(list, true, START + 500 * NS_PER_MS - 1));
    assert_non_null(fault_list_select(list, true, START + 500 * NS_PER_MS));
    assert_non_null(fault_list_select(list, true, START + 800 * NS_PER_MS - 1));
    assert_null(fault_list_select(list, true, START + 800 * NS_PER_MS));
    assert_int_equal(list->items[0]->seen, 2);
    list_free(list);
}

static void streams_only(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        bool also_whole;
    } cases[] = {{"status", true},  {"slow-headers", true}, {"restart:at=1", true}, {"reset", false},
                 {"garbage", false}, {"no-usage", false},   {"no-done", false}};
    for (size_t k = 0; k < COUNT(cases); k++) {
        struct fault_list *list = list_of(1, 1);
        add(list, cases[k].fault);
        const struct fault *fault = fault_list_select(list, false, START);
        assert_int_equal(fault != NULL, cases[k].also_whole);
        assert_int_equal(list->items[0]->seen, cases[k].also_whole);
        list_free(list);
    }
}

/* --- what the server has to do when -------------------------------------------------------------- */

static void the_next_time_to_look(void **state)
{
    (void)state;
    struct fault_list *list = list_of(2, 1);
    assert_int_equal(fault_list_next(list, START), TIME_FOREVER);
    add(list, "reset:from=1,to=2");
    add(list, "restart:at=3");
    assert_int_equal(fault_list_next(list, START), TIME_FOREVER);
    add(list, "refuse:from=4,to=6");
    add(list, "sigterm:from=5");
    assert_int_equal(fault_list_next(list, START), START + 2 * NS_PER_S);
    assert_int_equal(fault_list_next(list, START + 2 * NS_PER_S), START + 2500 * NS_PER_MS);
    list->items[3]->fired = true;
    assert_int_equal(fault_list_next(list, START + 2 * NS_PER_S), START + 3 * NS_PER_S);
    assert_int_equal(fault_list_next(list, START + 3 * NS_PER_S), TIME_FOREVER);
    list_free(list);
}

/* Scales that divide nothing evenly: at the time that was named the window is open, a nanosecond before it is not. */
static void times_to_look_are_not_early(void **state)
{
    (void)state;
    static const double scales[] = {0.001, 0.3, 1, 3, 7.77, 50, 1000};
    for (size_t k = 0; k < COUNT(scales); k++) {
        struct fault_list *list = list_of(scales[k], 1);
        add(list, "refuse:from=1.234567891,to=987654.321");
        int64_t opens = fault_list_next(list, START), closes = fault_list_next(list, opens);
        assert_false(fault_is_open(list, list->items[0], opens - 1));
        assert_true(fault_is_open(list, list->items[0], opens));
        assert_true(fault_is_open(list, list->items[0], closes - 1));
        assert_false(fault_is_open(list, list->items[0], closes));
        list_free(list);
    }
}

static void a_held_fault_outlives_its_list(void **state)
{
    (void)state;
    struct fault_list *list = list_of(1, 1);
    add(list, "stall");
    struct fault *fault = fault_hold(list->items[0]);
    list_free(list);
    assert_int_equal(fault->kind, FAULT_stall);
    fault_let_go(fault);
    fault_let_go(NULL);
}

static void a_list_has_a_ceiling(void **state)
{
    (void)state;
    struct fault_list *list = list_of(1, 1);
    struct fault fault = parsed("stall");
    struct error err = {0};
    for (size_t k = 0; k < FAULTS_MAX; k++)
        add(list, "stall");
    assert_int_equal(fault_list_add(list, &fault, START, &err), -1);
    assert_int_equal(err.class, ERROR_USAGE);
    list_free(list);
}

static void every_kind_parses_by_its_name(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < FAULT_KINDS; kind++) {
        struct fault fault = parsed(fault_name((enum fault_kind)kind));
        assert_int_equal(fault.kind, kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_defaults),
        cmocka_unit_test(a_value_is_the_first_own_key),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_text_has_a_ceiling),
        cmocka_unit_test(by_number),
        cmocka_unit_test(the_first_takes_it_and_all_count_it),
        cmocka_unit_test(shares_are_drawn_and_drawn_again),
        cmocka_unit_test(two_shares_are_independent),
        cmocka_unit_test(windows_are_model_time),
        cmocka_unit_test(streams_only),
        cmocka_unit_test(the_next_time_to_look),
        cmocka_unit_test(times_to_look_are_not_early),
        cmocka_unit_test(a_held_fault_outlives_its_list),
        cmocka_unit_test(a_list_has_a_ceiling),
        cmocka_unit_test(every_kind_parses_by_its_name),
    };
    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
