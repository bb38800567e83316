/* Settings of a .env file. Expected values are python-dotenv 1.0's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "plan/guidellm_dotenv.h"

static void test_lines(void **state)
{
    (void)state;
    static const char text[] = "# GUIDELLM__A=1\n"
                               "GUIDELLM__DEFAULT_SWEEP_NUMBER=5\n"
                               "  export GUIDELLM__OPENAI__API_KEY = \"sk-1 # x\"  # said\r\n"
                               "guidellm__openai__verify='false'\n"
                               "GUIDELLM__X=a b  # comment\n"
                               "GUIDELLM__Y=a#b\n"
                               "GUIDELLM__EMPTY=\n"
                               "GUIDELLM__SPEC__PROFILE=x\n"
                               "OTHER=1\n"
                               "GUIDELLM__NOTHING\n"
                               "\n"
                               "GUIDELLM__OPEN=\"never closed";
    static const char *const expected[] = {
        "GUIDELLM__DEFAULT_SWEEP_NUMBER=5", "GUIDELLM__OPENAI__API_KEY=sk-1 # x", "guidellm__openai__verify=false", "GUIDELLM__X=a b",
        "GUIDELLM__Y=a#b",                  "GUIDELLM__EMPTY=",                   "GUIDELLM__OPEN=never closed",
    };
    char *variables[GUIDELLM_DOTENV_MAX];
    struct arena *arena = arena_new();
    size_t count = guidellm_dotenv_parse(text, arena, variables);
    assert_int_equal(count, sizeof expected / sizeof expected[0]);
    for (size_t k = 0; k < count; k++)
        assert_string_equal(variables[k], expected[k]);
    assert_int_equal(guidellm_dotenv_parse("", arena, variables), 0);
    arena_free(arena);
}

static void test_ceiling(void **state)
{
    (void)state;
    char text[(GUIDELLM_DOTENV_MAX + 10) * 15 + 1] = "";
    char *variables[GUIDELLM_DOTENV_MAX];
    struct arena *arena = arena_new();
    for (size_t k = 0; k < GUIDELLM_DOTENV_MAX + 10; k++)
        memcpy(text + 15 * k, "GUIDELLM__AB=1\n", 16);
    assert_int_equal(guidellm_dotenv_parse(text, arena, variables), GUIDELLM_DOTENV_MAX);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
