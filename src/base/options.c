#include "base/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/options_table.h"
#include "base/units.h"

/* A range this wide is none: do not print it. */
#define OPTIONS_BOUND_MAX 1e16
#define OPTIONS_SHOWN_MAX 100 /* characters of a wrong value that a message shows */

/* ---- values ---- */

static void options_add_row(struct options *options, const struct option_row *row)
{
    MEM_GROW(options->values, options->capacity, options->count + 1);

    struct options_value *value = &options->values[options->count++];

    *value = (struct options_value){.row = row};
    if (row->type == OPTION_GROUP || !row->default_text)
        return;

    struct error err;

    if (options_set(value, OPTION_DEFAULT, row->default_text, row->name, &err) < 0) {
        fprintf(stderr, "roibench: default of an option: %s\n", err.text);
        abort();
    }
}

struct options *options_new(const struct option_row *const *tables, size_t table_count)
{
    struct options *options = mem_alloc(sizeof *options);

    for (size_t i = 0; i < table_count; i++)
        for (const struct option_row *row = tables[i]; row->type != OPTION_END; row++)
            options_add_row(options, row);
    return options;
}

static void options_clear(struct options_value *value)
{
    for (size_t i = 0; i < value->count; i++)
        free(value->items[i]);
    value->count = 0;
}

void options_free(struct options *options)
{
    if (!options)
        return;
    for (size_t i = 0; i < options->count; i++) {
        options_clear(&options->values[i]);
        free(options->values[i].items);
    }
    for (size_t i = 0; i < options->positional_count; i++)
        free(options->positionals[i]);
    free(options->positionals);
    free(options->values);
    free(options);
}

struct options_value *options_find(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->count; i++)
        if (options->values[i].row->type != OPTION_GROUP && strcmp(options->values[i].row->name, name) == 0)
            return &options->values[i];
    return NULL;
}

void options_environment_name(const struct option_row *row, char *name, size_t name_size)
{
    snprintf(name, name_size, "ROIBENCH_%s", row->name);
    for (char *c = name; *c; c++)
        *c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
}

/* ---- nearest name ---- */

/* Levenshtein's distance; names above OPTIONS_NAME_MAX are far from everything. */
static size_t options_distance(const char *a, const char *b)
{
    const size_t a_length = strlen(a), b_length = strlen(b);
    size_t row[OPTIONS_NAME_MAX + 1];

    if (a_length > OPTIONS_NAME_MAX || b_length > OPTIONS_NAME_MAX)
        return SIZE_MAX;
    for (size_t k = 0; k <= b_length; k++)
        row[k] = k;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t k = 1; k <= b_length; k++) {
            const size_t changed = diagonal + (a[i - 1] != b[k - 1]);
            const size_t removed = row[k] + 1, added = row[k - 1] + 1;

            diagonal = row[k];
            row[k] = changed < removed ? changed : removed;
            row[k] = row[k] < added ? row[k] : added;
        }
    }
    return row[b_length];
}

/* A third of the letters may be wrong; one may always be. */
static size_t options_distance_max(const char *typed)
{
    const size_t third = strlen(typed) / 3;

    return third ? third : 1;
}

const char *options_nearest(const struct options *options, const char *typed)
{
    const char *nearest = NULL;
    size_t best = options_distance_max(typed) + 1;

    for (size_t i = 0; i < options->count; i++) {
        const struct option_row *row = options->values[i].row;
        const size_t distance = row->type == OPTION_GROUP ? SIZE_MAX : options_distance(typed, row->name);

        if (distance < best) {
            best = distance;
            nearest = row->name;
        }
    }
    return nearest;
}

bool options_nearest_choice(const char *choices, const char *typed, char *nearest)
{
    size_t best = options_distance_max(typed) + 1;
    bool found = false;

    for (size_t length; *choices; choices += length + (choices[length] == '|')) {
        char word[OPTIONS_NAME_MAX];

        length = strcspn(choices, "|");
        snprintf(word, sizeof word, "%.*s", (int)length, choices);

        const size_t distance = options_distance(typed, word);

        if (distance < best) {
            best = distance;
            found = true;
            memcpy(nearest, word, sizeof word);
        }
    }
    return found;
}

/* ---- checks ---- */

static bool options_is_choice(const char *choices, const char *text, size_t text_length)
{
    for (size_t length; *choices; choices += length + (choices[length] == '|')) {
        length = strcspn(choices, "|");
        if (length == text_length && strncmp(choices, text, length) == 0)
            return true;
    }
    return false;
}

static int options_check_choice(const struct option_row *row, const char *text, size_t length, const char *where,
                                struct error *err)
{
    char typed[OPTIONS_NAME_MAX + 1], nearest[OPTIONS_NAME_MAX], known[1024];

    if (options_is_choice(row->choices, text, length))
        return 0;
    snprintf(known, sizeof known, "%s", row->choices);
    for (char *bar = known; (bar = strchr(bar, '|'));)
        *bar = ' ';
    snprintf(typed, sizeof typed, "%.*s", (int)(length < sizeof typed ? length : sizeof typed - 1), text);
    if (options_nearest_choice(row->choices, typed, nearest))
        return error_set(err, ERROR_USAGE, "%s: '%s' is unknown, did you mean '%s'? Known: %s", where, typed, nearest, known);
    return error_set(err, ERROR_USAGE, "%s: '%s' is unknown. Known: %s", where, typed, known);
}

static int options_check_choices(const struct option_row *row, const char *text, const char *where, struct error *err)
{
    for (size_t length;; text += length + 1) {
        length = strcspn(text, ",");
        if (options_check_choice(row, text, length, where, err) < 0)
            return -1;
        if (!text[length])
            return 0;
    }
}

static int options_fail_value(const struct option_row *row, const char *text, const char *where, const char *what,
                              struct error *err)
{
    const bool bounded = row->min != 0 || row->max != 0; /* NOLINT: exact by definition */
    char range[96] = "";

    if (bounded && row->max >= OPTIONS_BOUND_MAX)
        snprintf(range, sizeof range, ", %.15g or more", row->min);
    else if (bounded)
        snprintf(range, sizeof range, " from %.15g to %.15g", row->min, row->max);
    return error_set(err, ERROR_USAGE, "%s: '%.*s' is not %s%s", where, OPTIONS_SHOWN_MAX, text, what, range);
}

static bool options_in_range(const struct option_row *row, double number)
{
    const bool bounded = row->min != 0 || row->max != 0; /* NOLINT: exact by definition */

    return !bounded || (number >= row->min && number <= row->max);
}

/* Checks text and leaves what it means in value->integer and ->number. */
static int options_parse_value(struct options_value *value, const char *text, const char *where, struct error *err)
{
    const struct option_row *row = value->row;

    switch (row->type) {
    case OPTION_FLAG:
        value->integer = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
        if (value->integer || strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
            return 0;
        return options_fail_value(row, text, where, "true or false (or 1 or 0)", err);
    case OPTION_INTEGER:
        if (units_parse_integer(text, &value->integer) == 0 && options_in_range(row, (double)value->integer))
            return 0;
        return options_fail_value(row, text, where, "a whole number", err);
    case OPTION_NUMBER:
        if (units_parse_number(text, &value->number) == 0 && options_in_range(row, value->number))
            return 0;
        return options_fail_value(row, text, where, "a number", err);
    case OPTION_DURATION:
        if (units_parse_duration(text, &value->integer) == 0 && options_in_range(row, (double)value->integer / 1e9))
            return 0;
        return options_fail_value(row, text, where, "a duration (30, 250ms, 1.5s, 2m, 1h)", err);
    case OPTION_USD:
        if (units_parse_usd(text, &value->integer) == 0 && options_in_range(row, (double)value->integer / 1e6))
            return 0;
        return options_fail_value(row, text, where, "an amount of dollars (0.85) with at most 6 decimals", err);
    case OPTION_CHOICE:
        return options_check_choice(row, text, strlen(text), where, err);
    case OPTION_CHOICES:
        return options_check_choices(row, text, where, err);
    case OPTION_TEXT:
    case OPTION_GROUP:
    case OPTION_END:
        break;
    }
    return 0;
}

int options_set(struct options_value *value, enum option_source source, const char *text, const char *where, struct error *err)
{
    struct options_value checked = *value;

    if (options_parse_value(&checked, text, where, err) < 0)
        return -1;
    if (source < value->source)
        return 0;
    if (source == value->source && !value->row->repeatable)
        return error_set(err, ERROR_USAGE, "%s is given twice ('%.*s' and '%.*s')", where, OPTIONS_SHOWN_MAX,
                         value->items[0], OPTIONS_SHOWN_MAX, text);
    if (source > value->source)
        options_clear(value);
    value->source = source;
    value->integer = checked.integer;
    value->number = checked.number;
    MEM_GROW(value->items, value->capacity, value->count + 1);
    value->items[value->count++] = mem_strdup(text);
    return 0;
}

/* ---- getters ---- */

/* The value of `name`, which must have one of two types; OPTION_END: any. */
static const struct options_value *options_value_of(const struct options *options, const char *name, enum option_type type)
{
    const struct options_value *value = options_find(options, name);

    if (!value || (type != OPTION_END && value->row->type != type)) {
        fprintf(stderr, "roibench: no option of that type: %s\n", name);
        abort();
    }
    return value;
}

bool options_given(const struct options *options, const char *name)
{
    return options_value_of(options, name, OPTION_END)->source != OPTION_UNSET;
}

enum option_source options_source(const struct options *options, const char *name)
{
    return options_value_of(options, name, OPTION_END)->source;
}

const char *options_text(const struct options *options, const char *name)
{
    const struct options_value *value = options_value_of(options, name, OPTION_END);

    return value->count ? value->items[0] : NULL;
}

bool options_flag(const struct options *options, const char *name)
{
    return options_value_of(options, name, OPTION_FLAG)->integer != 0;
}

int64_t options_integer(const struct options *options, const char *name, int64_t if_absent)
{
    const struct options_value *value = options_value_of(options, name, OPTION_INTEGER);

    return value->count ? value->integer : if_absent;
}

double options_number(const struct options *options, const char *name, double if_absent)
{
    const struct options_value *value = options_value_of(options, name, OPTION_NUMBER);

    return value->count ? value->number : if_absent;
}

int64_t options_duration(const struct options *options, const char *name, int64_t if_absent)
{
    const struct options_value *value = options_value_of(options, name, OPTION_DURATION);

    return value->count ? value->integer : if_absent;
}

int64_t options_usd(const struct options *options, const char *name, int64_t if_absent)
{
    const struct options_value *value = options_value_of(options, name, OPTION_USD);

    return value->count ? value->integer : if_absent;
}

size_t options_count(const struct options *options, const char *name)
{
    return options_value_of(options, name, OPTION_END)->count;
}

const char *options_item(const struct options *options, const char *name, size_t index)
{
    const struct options_value *value = options_value_of(options, name, OPTION_END);

    return index < value->count ? value->items[index] : NULL;
}

bool options_chosen(const struct options *options, const char *name, const char *choice)
{
    const struct options_value *value = options_value_of(options, name, OPTION_CHOICES);
    const char *text = value->count ? value->items[0] : "";

    for (size_t length; *text; text += length + (text[length] == ',')) {
        length = strcspn(text, ",");
        if (strlen(choice) == length && strncmp(text, choice, length) == 0)
            return true;
    }
    return false;
}

size_t options_positional_count(const struct options *options)
{
    return options->positional_count;
}

const char *options_positional(const struct options *options, size_t index)
{
    return index < options->positional_count ? options->positionals[index] : NULL;
}
