#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "serve/dialect.h"
#include "serve/preset.h"
#include "serve/simulator.h"

static const char *const names[] = {
#define DIALECT(identifier_) #identifier_,
#include "serve/dialects.def"
#undef DIALECT
};

static void every_row_is_found_by_its_name(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        const struct dialect *dialect = dialect_find(names[k]);
        assert_non_null(dialect);
        assert_string_equal(dialect->name, names[k]);
    }
    assert_string_equal(names[0], "vllm");
    assert_null(dialect_find("cobol"));
}

/* What every client needs: models and both kinds of completions, and a stream that ends. */
static void every_dialect_is_whole(void **state)
{
    (void)state;
    static const char *const paths[] = {"/v1/models", "/v1/completions", "/v1/chat/completions"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        const struct dialect *dialect = dialect_find(names[k]);
        for (size_t j = 0; j < sizeof paths / sizeof paths[0]; j++) {
            const struct dialect_route *route = dialect->routes;
            while (route->path && strcmp(route->path, paths[j]) != 0)
                route++;
            assert_non_null(route->path);
            assert_non_null(route->answer);
            assert_false(dialect->is_open(paths[j]));
        }
        assert_true(strncmp(dialect->done, "data:", 5) == 0 && strcmp(dialect->done + strlen(dialect->done) - 2, "\n\n") == 0);
    }
}

static void settings_beyond_a_dialect_are_refused(void **state)
{
    (void)state;
    const struct preset *preset = preset_find("instant");
    struct simulator_settings settings = {.listen = "127.0.0.1:0", .model = "m", .preset = "instant", .time_scale = 1, .scheduler = preset->scheduler,
                                          .max_model_len = 2048, .stream_interval = 1, .clock = clock_system(), .dialect = &dialect_tgi};
    struct error err;
    bool *const flags[] = {&settings.force_include_usage, &settings.prompt_tokens_details, &settings.per_request_metrics};
    for (size_t k = 0; k < sizeof flags / sizeof flags[0]; k++) {
        *flags[k] = true;
        assert_null(simulator_new(&settings, &err));
        assert_int_equal(err.class, ERROR_USAGE);
        assert_non_null(strstr(err.text, "dialect tgi"));
        *flags[k] = false;
    }
    settings.reasoning_tokens = 1;
    assert_null(simulator_new(&settings, &err));
    settings.dialect = &dialect_openai;
    struct simulator *simulator = simulator_new(&settings, &err);
    assert_non_null(simulator);
    simulator_free(simulator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_its_name),
        cmocka_unit_test(every_dialect_is_whole),
        cmocka_unit_test(settings_beyond_a_dialect_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
