/* Inside base/options: the values of a table and how one is set. Not for others. */
#ifndef ROIBENCH_BASE_OPTIONS_TABLE_H
#define ROIBENCH_BASE_OPTIONS_TABLE_H

#include "base/options.h"

struct options_value {
    const struct option_row *row;
    enum option_source source;
    char **items; /* as written; more than one only if repeatable */
    size_t count, capacity;
    int64_t integer; /* OPTION_INTEGER, _DURATION (ns), _USD (micro-dollars), _FLAG (0 or 1) */
    double number;   /* OPTION_NUMBER */
};

struct options {
    struct options_value *values; /* group headings included, in the order of the tables */
    size_t count, capacity;
    char **positionals;
    size_t positional_count, positional_capacity;
};

/* Longest option name, dashes not counted. */
#define OPTIONS_NAME_MAX 48

/* NULL: no row of that name. */
struct options_value *options_find(const struct options *options, const char *name);

/* Checks text and, if source is not weaker than the one that is set, takes a copy. where names the source in errors. */
int options_set(struct options_value *value, enum option_source source, const char *text, const char *where, struct error *err);

/* "ROIBENCH_MAX_SECONDS" for "max-seconds"; name_size > OPTIONS_NAME_MAX + 16. */
void options_environment_name(const struct option_row *row, char *name, size_t name_size);

/* The known name nearest to what was typed, by edit distance; NULL if none is near. */
const char *options_nearest(const struct options *options, const char *typed);
/* The same among the words of "a|b|c"; copied to nearest (OPTIONS_NAME_MAX), false if none. */
bool options_nearest_choice(const char *choices, const char *typed, char *nearest);

#endif
