/* Lines of a table that a script wrote: a kind, a tab, groups of numbers with "|" between them. */
#ifndef ROIBENCH_TESTS_NUMBER_GROUPS_H
#define ROIBENCH_TESTS_NUMBER_GROUPS_H

#include <stddef.h>

#define GROUPS_MAX 4
#define GROUP_NUMBERS_MAX 64

struct number_groups {
    struct number_group {
        double numbers[GROUP_NUMBERS_MAX];
        size_t count;
    } groups[GROUPS_MAX];
    size_t count;
};

/* Calls check for each line of this kind; fails the test where there is none. */
void number_groups_each(const char *path, const char *kind, void (*check)(const struct number_groups *line));

#endif
