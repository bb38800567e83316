#include "support/number_groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void read_groups(char *text, struct number_groups *line)
{
    char *rest;
    *line = (struct number_groups){0};
    for (char *group = strtok_r(text, "|\n", &rest); group; group = strtok_r(NULL, "|\n", &rest)) {
        assert_true(line->count < GROUPS_MAX);
        struct number_group *out = &line->groups[line->count++];
        char *inner;
        for (char *number = strtok_r(group, " ", &inner); number; number = strtok_r(NULL, " ", &inner)) {
            assert_true(out->count < GROUP_NUMBERS_MAX);
            out->numbers[out->count++] = strtod(number, NULL);
        }
    }
}

void number_groups_each(const char *path, const char *kind, void (*check)(const struct number_groups *line))
{
    char text[8192];
    struct number_groups line;
    size_t found = 0;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(text, sizeof text, file)) {
        char *tab = strchr(text, '\t');
        assert_non_null(tab);
        *tab = '\0';
        if (strcmp(text, kind) != 0)
            continue;
        read_groups(tab + 1, &line);
        check(&line);
        found++;
    }
    fclose(file);
    assert_true(found > 0);
}
