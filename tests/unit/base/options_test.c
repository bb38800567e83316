#include "base/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

static const struct option_row common[] = {
    {.type = OPTION_GROUP, .name = "Common options"},
    {.type = OPTION_FLAG, .name = "help", .help = "Shows this text.", .command_line_only = true},
    {.type = OPTION_TEXT, .name = "workspace", .argument = "DIR", .help = "Where runs are kept.", .default_text = "."},
    {.type = OPTION_TEXT, .name = "config", .argument = "FILE", .help = "A JSON file of options.", .command_line_only = true},
    {.type = OPTION_FLAG, .name = "token-gaps", .help = "Stores gaps.", .default_text = "true"},
    {.type = OPTION_END},
};

static const struct option_row special[] = {
    {.type = OPTION_GROUP, .name = "Load"},
    {.type = OPTION_TEXT, .name = "header", .argument = "'K: V'", .help = "A header.", .repeatable = true},
    {.type = OPTION_INTEGER, .name = "max-requests", .argument = "N", .help = "Requests of a level.", .min = 1, .max = 1e6, .from_model_file = true},
    {.type = OPTION_NUMBER, .name = "rate", .help = "Requests a second.", .min = 0, .max = 1e18},
    {.type = OPTION_DURATION, .name = "timeout", .help = "Limit.", .default_text = "2m", .max = 3600},
    {.type = OPTION_USD, .name = "price-per-hour", .argument = "USD", .help = "Price.", .from_model_file = true},
    {.type = OPTION_CHOICE, .name = "profile", .choices = "sweep|concurrent|poisson", .help = "How load grows.", .default_text = "sweep"},
    {.type = OPTION_CHOICES, .name = "format", .choices = "markdown|json|csv", .help = "What is written.", .default_text = "markdown,json"},
    {.type = OPTION_END},
};

static struct options *new_options(void)
{
    const struct option_row *const tables[] = {common, special};

    return options_new(tables, 2);
}

static int parse(struct options *options, struct error *err, char *const *words)
{
    int count = 0;

    while (words[count])
        count++;
    return options_parse_argv(options, count, words, err);
}
#define PARSE(options, err, ...) parse((options), (err), (char *const[]){__VA_ARGS__, NULL})

static void test_defaults(void **state)
{
    struct options *o = new_options();

    (void)state;
    assert_string_equal(options_text(o, "workspace"), ".");
    assert_int_equal(options_source(o, "workspace"), OPTION_DEFAULT);
    assert_true(options_given(o, "workspace"));
    assert_false(options_given(o, "rate"));
    assert_true(options_flag(o, "token-gaps"));
    assert_false(options_flag(o, "help"));
    assert_int_equal(options_duration(o, "timeout", 0), INT64_C(120000000000));
    assert_int_equal(options_integer(o, "max-requests", -1), -1);
    assert_true(options_number(o, "rate", 2.5) == 2.5);
    assert_int_equal(options_usd(o, "price-per-hour", 7), 7);
    assert_null(options_text(o, "header"));
    assert_int_equal(options_count(o, "header"), 0);
    assert_true(options_chosen(o, "format", "json"));
    assert_false(options_chosen(o, "format", "csv"));
    assert_false(options_chosen(o, "format", "js"));
    options_free(o);
}

static void test_command_line_forms(void **state)
{
    struct options *o = new_options();
    struct error err = {0};

    (void)state;
    assert_int_equal(PARSE(o, &err, "a", "--rate", "0.5", "--timeout=250ms", "--header", "A: 1", "--header=B: 2", "-", "--no-token-gaps",
                           "--price-per-hour", "$3.40", "--max-requests=12", "--profile", "poisson", "--format", "csv,json", "-h",
                           "--workspace=--odd", "--", "--rate", "-x"),
                     0);
    assert_true(options_number(o, "rate", 0) == 0.5);
    assert_int_equal(options_duration(o, "timeout", 0), 250000000);
    assert_int_equal(options_count(o, "header"), 2);
    assert_string_equal(options_item(o, "header", 0), "A: 1");
    assert_string_equal(options_item(o, "header", 1), "B: 2");
    assert_null(options_item(o, "header", 2));
    assert_false(options_flag(o, "token-gaps"));
    assert_true(options_flag(o, "help"));
    assert_int_equal(options_usd(o, "price-per-hour", 0), 3400000);
    assert_int_equal(options_integer(o, "max-requests", 0), 12);
    assert_string_equal(options_text(o, "profile"), "poisson");
    assert_true(options_chosen(o, "format", "csv"));
    assert_string_equal(options_text(o, "workspace"), "--odd");
    assert_int_equal(options_positional_count(o), 4);
    assert_string_equal(options_positional(o, 0), "a");
    assert_string_equal(options_positional(o, 1), "-");
    assert_string_equal(options_positional(o, 2), "--rate");
    assert_string_equal(options_positional(o, 3), "-x");
    assert_null(options_positional(o, 4));
    options_free(o);
}

static void expect_error(char *first, char *second, const char *expected)
{
    struct options *o = new_options();
    struct error err = {0};

    if (PARSE(o, &err, first, second) != -1)
        fail_msg("accepted: %s", first);
    assert_int_equal(err.class, ERROR_USAGE);
    if (!strstr(err.text, expected))
        fail_msg("%s\ndoes not say\n%s", err.text, expected);
    options_free(o);
}

static void test_command_line_errors(void **state)
{
    (void)state;
    expect_error("--rat", "1", "unknown option --rat, did you mean --rate?");
    expect_error("--max_requests=1", NULL, "did you mean --max-requests?");
    expect_error("--nothing-like-it", NULL, "unknown option --nothing-like-it");
    expect_error("--no-rate", NULL, "unknown option --no-rate");
    expect_error("--Load", NULL, "unknown option");
    expect_error("-r", NULL, "unknown option -r");
    expect_error("--rate", NULL, "--rate needs a value: --rate VALUE");
    expect_error("--workspace", NULL, "--workspace needs a value: --workspace DIR");
    expect_error("--workspace", "--rate", "--workspace needs a value, got '--rate' (if that is the value: --workspace=--rate)");
    expect_error("--help=yes", NULL, "--help takes no value");
    expect_error("--rate=1", "--rate=2", "--rate is given twice ('1' and '2')");
    expect_error("--token-gaps", "--no-token-gaps", "given twice");
    expect_error("--rate=x", NULL, "--rate: 'x' is not a number, 0 or more");
    expect_error("--rate=-1", NULL, "--rate: '-1' is not a number, 0 or more");
    expect_error("--rate=", NULL, "--rate: '' is not a number");
    expect_error("--max-requests", "0", "--max-requests: '0' is not a whole number from 1 to 1000000");
    expect_error("--max-requests", "1.5", "is not a whole number");
    expect_error("--timeout", "2h", "--timeout: '2h' is not a duration (30, 250ms, 1.5s, 2m, 1h) from 0 to 3600");
    expect_error("--price-per-hour", "1.2345678", "not an amount of dollars");
    expect_error("--profile", "sweeep", "--profile: 'sweeep' is unknown, did you mean 'sweep'? Known: sweep concurrent poisson");
    expect_error("--profile", "", "--profile: '' is unknown. Known:");
    expect_error("--format", "json,,csv", "--format: '' is unknown");
    expect_error("--format", "json,html", "--format: 'html' is unknown. Known: markdown json csv");
}

static void test_precedence(void **state)
{
    struct options *o = new_options();
    struct error err = {0};
    char *const environment[] = {"HOME=/root", "ROIBENCH_RATE=3", "ROIBENCH_HEADER=X: 1\n\nY: 2\n", "ROIBENCH_TIMEOUT=", "ROIBENCH_OTHER=1",
                                 "ROIBENCH_HELP=true", "ROIBENCH_TOKEN_GAPS=false", NULL};
    char path[] = "/tmp/roibench-options-test-XXXXXX";

    (void)state;
    close(mkstemp(path));

    static const char config[] = "{\"rate\":4,\"timeout\":\"5s\",\"header\":[\"Z: 9\"],\"max-requests\":7,\"format\":[\"csv\",\"json\"],"
                                 "\"price-per-hour\":0.85}";

    assert_int_equal(file_write_atomic(path, config, strlen(config), &err), 0);
    assert_int_equal(PARSE(o, &err, "--rate", "2"), 0);
    assert_int_equal(options_parse_environment(o, environment, &err), 0);
    assert_int_equal(options_parse_config(o, path, &err), 0);
    assert_int_equal(options_set_from_model(o, "max-requests", "99", "m.json: max_requests", &err), 0);
    unlink(path);

    assert_true(options_number(o, "rate", 0) == 2.0);
    assert_int_equal(options_source(o, "rate"), OPTION_ARGV);
    assert_int_equal(options_count(o, "header"), 2);
    assert_string_equal(options_item(o, "header", 1), "Y: 2");
    assert_int_equal(options_source(o, "header"), OPTION_ENVIRONMENT);
    assert_int_equal(options_duration(o, "timeout", 0), INT64_C(5000000000));
    assert_int_equal(options_integer(o, "max-requests", 0), 7);
    assert_int_equal(options_source(o, "max-requests"), OPTION_CONFIG_FILE);
    assert_int_equal(options_usd(o, "price-per-hour", 0), 850000);
    assert_true(options_chosen(o, "format", "csv"));
    assert_false(options_flag(o, "help"));
    assert_false(options_flag(o, "token-gaps"));

    /* a stronger source that comes later replaces all values */
    assert_int_equal(PARSE(o, &err, "--header", "only"), 0);
    assert_int_equal(options_count(o, "header"), 1);
    assert_string_equal(options_item(o, "header", 0), "only");
    options_free(o);
}

static void test_every_source_is_checked_and_named(void **state)
{
    static const struct {
        const char *config, *expected;
    } cases[] = {
        {"{\"rate\":\"x\"}", ": rate: 'x' is not a number"},
        {"{\"rate\":[1]}", ": rate: expected a string, a number, true or false"},
        {"{\"rate\":null}", ": rate: expected"},
        {"{\"header\":[\"a\",{}]}", ": header[1]: expected"},
        {"{\"help\":true}", ": help can be given on the command line only"},
        {"{\"raet\":1}", ": unknown key 'raet'"},
        {"{\"qqqqqq\":1}", ": unknown key 'qqqqqq'. Known: workspace token-gaps header max-requests rate timeout"},
        {"{\"format\":[\"csv\",7]}", ": format: '' is unknown"},
        {"[]", "expected a JSON object"},
        {"{\"token-gaps\":\"maybe\"}", ": token-gaps: 'maybe' is not true or false"},
    };
    struct options *o = new_options();
    struct error err = {0};
    char *const environment[] = {"ROIBENCH_RATE=0,x", NULL};
    char path[] = "/tmp/roibench-options-test-XXXXXX";

    (void)state;
    close(mkstemp(path));
    assert_int_equal(PARSE(o, &err, "--rate", "2"), 0);
    assert_int_equal(options_parse_environment(o, environment, &err), -1); /* although the command line is stronger */
    assert_string_equal(err.text, "ROIBENCH_RATE: '0,x' is not a number, 0 or more");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(file_write_atomic(path, cases[i].config, strlen(cases[i].config), &err), 0);
        assert_int_equal(options_parse_config(o, path, &err), -1);
        assert_int_equal(err.class, ERROR_USAGE);
        assert_memory_equal(err.text, path, strlen(path));
        if (!strstr(err.text, cases[i].expected))
            fail_msg("%s\ndoes not say\n%s", err.text, cases[i].expected);
    }
    unlink(path);
    assert_int_equal(options_set_from_model(o, "max-requests", "x", "m.json: max_requests", &err), -1);
    assert_string_equal(err.text, "m.json: max_requests: 'x' is not a whole number from 1 to 1000000");
    assert_int_equal(options_set_from_model(o, "rate", "1", "m.json: rate", &err), -1);
    assert_string_equal(err.text, "m.json: rate: a model file has no such key. Known: max_requests, price_per_hour");
    options_free(o);
}

static void test_help_is_complete_and_narrow(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(100000);
    struct options *o = new_options();

    (void)state;
    options_print_help(o, "roibench run [options]",
                       "A summary that is long enough to be wrapped because it goes on and on and on beyond the hundred columns that are allowed.",
                       &out);
    assert_memory_equal(out.data, "Usage: roibench run [options]\n\nA summary", 40);
    assert_non_null(strstr(out.data, "\nCommon options:\n"));
    assert_non_null(strstr(out.data, "\n  --help                      Shows this text.\n"));
    assert_non_null(strstr(out.data, "\n  --header 'K: V'             A header. (may be repeated)\n"));
    assert_non_null(strstr(out.data, "\n  --timeout VALUE             Limit. [default: 2m]\n"));
    assert_non_null(strstr(out.data, "How load grows. (sweep, concurrent, poisson) [default: sweep]\n"));
    assert_non_null(strstr(out.data, "[default; --no-token-gaps turns it off]\n"));
    for (const char *line = out.data; *line;) {
        const size_t length = strcspn(line, "\n");

        assert_true(length <= 100);
        line += length + 1;
    }
    options_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_command_line_forms),
        cmocka_unit_test(test_command_line_errors),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_every_source_is_checked_and_named),
        cmocka_unit_test(test_help_is_complete_and_narrow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
