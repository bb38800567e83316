#include "serve/fault.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/units.h"

#define ERROR_LIST_MAX ((size_t)1024)
#define WINDOW_KEYS (FAULT_KEY(FROM) | FAULT_KEY(TO))
#define WHICH_KEYS (FAULT_KEY(RATE) | FAULT_KEY(EVERY) | FAULT_KEY(FIRST) | FAULT_KEY(AT))

static const struct fault_row {
    const char *name;
    enum fault_moment moment;
    unsigned keys;
    const char *help;
} rows[FAULT_KINDS] = {
#define FAULT(identifier_, name_, moment_, keys_, help_) \
    [FAULT_##identifier_] = {.name = (name_), .moment = (moment_), .keys = (keys_), .help = (help_)},
#include "serve/faults.def"
#undef FAULT
};

enum key_type { KEY_COUNT, KEY_SHARE, KEY_DURATION, KEY_SIGNED_DURATION };

/* min and max of a count; fallback in the unit in which it is kept. */
static const struct key_row {
    const char *name;
    enum key_type type;
    int64_t min, max, fallback;
    const char *expects;
} keys[FAULT_KEYS] = {
    [FAULT_KEY_FROM] = {"from", KEY_DURATION, 0, 0, 0, "seconds since the fault was set"},
    [FAULT_KEY_TO] = {"to", KEY_DURATION, 0, 0, TIME_FOREVER, "seconds since the fault was set, after from"},
    [FAULT_KEY_RATE] = {"rate", KEY_SHARE, 0, 0, 0, "a share of the requests, from 0 to 1"},
    [FAULT_KEY_EVERY] = {"every", KEY_COUNT, 1, INT64_MAX, 0, "a whole number from 1 on"},
    [FAULT_KEY_FIRST] = {"first", KEY_COUNT, 1, INT64_MAX, 0, "a whole number from 1 on"},
    [FAULT_KEY_AT] = {"at", KEY_COUNT, 1, INT64_MAX, 0, "the number of a request, from 1 on"},
    [FAULT_KEY_CODE] = {"code", KEY_COUNT, 400, 599, 503, "a status from 400 to 599"},
    [FAULT_KEY_RETRY_AFTER] = {"retry-after", KEY_COUNT, 0, 86400, -1, "whole seconds, at most 86400"},
    [FAULT_KEY_DELAY] = {"delay", KEY_DURATION, 0, 0, 5 * NS_PER_S, "seconds"},
    [FAULT_KEY_DOWN] = {"down", KEY_DURATION, 0, 0, NS_PER_S, "seconds"},
    [FAULT_KEY_LOADING] = {"loading", KEY_DURATION, 0, 0, NS_PER_S, "seconds"},
    [FAULT_KEY_BY] = {"by", KEY_SIGNED_DURATION, 0, 0, 3600 * NS_PER_S, "seconds, also negative ones"},
    [FAULT_KEY_BYTES] = {"bytes", KEY_COUNT, 1, (int64_t)1 << 40, (int64_t)64 << 20, "a number of bytes, at most 2^40"},
    [FAULT_KEY_AFTER] = {"after", KEY_COUNT, 0, INT64_MAX, 1, "a number of tokens, from 0 on"},
};

const char *fault_name(enum fault_kind kind)
{
    return rows[kind].name;
}

enum fault_moment fault_moment(enum fault_kind kind)
{
    return rows[kind].moment;
}

const char *fault_help(enum fault_kind kind)
{
    return rows[kind].help;
}

static unsigned keys_of(enum fault_kind kind)
{
    switch (rows[kind].moment) {
    case FAULT_SERVER_WINDOW:
    case FAULT_SERVER_REPLY: return rows[kind].keys | WINDOW_KEYS;
    case FAULT_SERVER_EVENT: return rows[kind].keys | FAULT_KEY(FROM) | FAULT_KEY(AT);
    default: return rows[kind].keys | WINDOW_KEYS | WHICH_KEYS;
    }
}

/* --- parsing ----------------------------------------------------------------------------------- */

static void append_name(struct buf *list, const char *name)
{
    buf_printf(list, "%s%s", list->len > 0 ? ", " : "", name);
}

static int fail_kind(const char *text, struct error *err)
{
    cleanup_buf struct buf known = BUF_INIT(ERROR_LIST_MAX);
    for (size_t kind = 0; kind < FAULT_KINDS; kind++)
        append_name(&known, rows[kind].name);
    return error_set(err, ERROR_USAGE, "'%s' is no fault: expected KIND[:KEY=VALUE,...], KIND one of %s", text, buf_text(&known));
}

static int fail_key(enum fault_kind kind, const char *word, struct error *err)
{
    cleanup_buf struct buf known = BUF_INIT(ERROR_LIST_MAX);
    for (size_t key = 0; key < FAULT_KEYS; key++)
        if (keys_of(kind) & 1U << key)
            append_name(&known, keys[key].name);
    return error_set(err, ERROR_USAGE, "the fault %s has no '%s'; it knows %s", rows[kind].name, word, buf_text(&known));
}

static int parse_share(const char *text, double *share)
{
    return units_parse_number(text, share) < 0 || *share < 0 || *share > 1 ? -1 : 0;
}

static int parse_integer(const struct key_row *row, const char *text, int64_t *value)
{
    bool negative = row->type == KEY_SIGNED_DURATION && text[0] == '-';
    if (row->type == KEY_COUNT)
        return units_parse_integer(text, value) < 0 || *value < row->min || *value > row->max ? -1 : 0;
    if (units_parse_duration(text + negative, value) < 0)
        return -1;
    *value = negative ? -*value : *value;
    return 0;
}

static int set_key(struct fault *fault, enum fault_key key, const char *text, unsigned *given, struct error *err)
{
    const struct key_row *row = &keys[key];
    if (*given & 1U << key)
        return error_set(err, ERROR_USAGE, "the fault %s has '%s' twice", rows[fault->kind].name, row->name);
    *given |= 1U << key;
    if (row->type == KEY_SHARE ? parse_share(text, &fault->rate) < 0 : parse_integer(row, text, &fault->integers[key]) < 0)
        return error_set(err, ERROR_USAGE, "the fault %s: %s='%s': expected %s", rows[fault->kind].name, row->name, text, row->expects);
    return 0;
}

static int set_pair(struct fault *fault, char *pair, unsigned *given, struct error *err)
{
    char *equals = strchr(pair, '=');
    if (!equals)
        return error_set(err, ERROR_USAGE, "the fault %s: '%s' is not KEY=VALUE", rows[fault->kind].name, pair);
    *equals = '\0';
    for (enum fault_key key = 0; key < FAULT_KEYS; key++)
        if ((keys_of(fault->kind) & 1U << key) && strcmp(keys[key].name, pair) == 0)
            return set_key(fault, key, equals + 1, given, err);
    return fail_key(fault->kind, pair, err);
}

/* KIND=VALUE: the first of the kind's own keys, in the order of enum fault_key. */
static int set_value(struct fault *fault, const char *value, unsigned *given, struct error *err)
{
    unsigned own = rows[fault->kind].keys;
    if (own == 0)
        return error_set(err, ERROR_USAGE, "the fault %s takes no value ('%s')", rows[fault->kind].name, value);
    return set_key(fault, (enum fault_key)__builtin_ctz(own), value, given, err);
}

static int check(const struct fault *fault, unsigned given, struct error *err)
{
    if (__builtin_popcount(given & WHICH_KEYS) > 1)
        return error_set(err, ERROR_USAGE, "the fault %s can have one of rate, every, first and at", rows[fault->kind].name);
    if (fault->integers[FAULT_KEY_TO] <= fault->integers[FAULT_KEY_FROM])
        return error_set(err, ERROR_USAGE, "the fault %s ends (to) before it begins (from)", rows[fault->kind].name);
    return 0;
}

static void set_defaults(struct fault *fault)
{
    fault->rate = -1;
    for (size_t key = 0; key < FAULT_KEYS; key++)
        fault->integers[key] = keys[key].fallback;
}

static int find_kind(const char *name, enum fault_kind *kind)
{
    for (size_t k = 0; k < FAULT_KINDS; k++)
        if (strcmp(rows[k].name, name) == 0) {
            *kind = (enum fault_kind)k;
            return 0;
        }
    return -1;
}

int fault_parse(const char *text, struct fault *fault, struct error *err)
{
    char copy[FAULT_TEXT_SIZE];
    unsigned given = 0;
    if (strlen(text) >= sizeof copy)
        return error_set(err, ERROR_USAGE, "a fault has at most %d characters: '%.40s...'", FAULT_TEXT_SIZE - 1, text);
    memcpy(copy, text, strlen(text) + 1);
    *fault = (struct fault){.kind = FAULT_KINDS};
    set_defaults(fault);
    memcpy(fault->text, text, strlen(text) + 1);
    char *rest = strchr(copy, ':');
    if (rest)
        *rest++ = '\0';
    char *value = strchr(copy, '=');
    if (value)
        *value++ = '\0';
    if (find_kind(copy, &fault->kind) < 0)
        return fail_kind(text, err);
    if (value && set_value(fault, value, &given, err) < 0)
        return -1;
    for (char *pair = rest; pair; pair = rest) {
        rest = strchr(pair, ',');
        if (rest)
            *rest++ = '\0';
        if (set_pair(fault, pair, &given, err) < 0)
            return -1;
    }
    return check(fault, given, err);
}

/* --- lists ------------------------------------------------------------------------------------- */

int fault_list_add(struct fault_list *list, const struct fault *fault, int64_t now, struct error *err)
{
    if (list->count == FAULTS_MAX)
        return error_set(err, ERROR_USAGE, "more than %d faults", FAULTS_MAX);
    struct fault *copy = mem_alloc(sizeof *copy);
    *copy = *fault;
    copy->set = now;
    copy->number = list->numbers++;
    copy->holders = 1;
    list->items[list->count++] = copy;
    return 0;
}

void fault_list_clear(struct fault_list *list)
{
    while (list->count > 0)
        fault_let_go(list->items[--list->count]);
}

struct fault *fault_hold(struct fault *fault)
{
    if (fault)
        fault->holders++;
    return fault;
}

void fault_let_go(struct fault *fault)
{
    if (fault && --fault->holders == 0)
        free(fault);
}

/* --- selection --------------------------------------------------------------------------------- */

static int64_t age(const struct fault_list *list, const struct fault *fault, int64_t now)
{
    return (int64_t)((double)(now - fault->set) * list->time_scale);
}

bool fault_is_open(const struct fault_list *list, const struct fault *fault, int64_t now)
{
    int64_t since = age(list, fault, now);
    return since >= fault->integers[FAULT_KEY_FROM] && since < fault->integers[FAULT_KEY_TO];
}

bool fault_is_timed(const struct fault *fault)
{
    return rows[fault->kind].moment == FAULT_SERVER_EVENT && fault->integers[FAULT_KEY_AT] == 0;
}

static bool can_strike(const struct fault_list *list, const struct fault *fault, bool stream, int64_t now)
{
    switch (rows[fault->kind].moment) {
    case FAULT_SERVER_WINDOW:
    case FAULT_SERVER_REPLY: return false;
    case FAULT_SERVER_EVENT: return !fault->fired && !fault_is_timed(fault) && fault_is_open(list, fault, now);
    case FAULT_REQUEST:
    case FAULT_ANSWER: return fault_is_open(list, fault, now);
    default: return stream && fault_is_open(list, fault, now);
    }
}

/* The request that has just been counted. */
static bool selects(const struct fault_list *list, const struct fault *fault)
{
    struct random random;
    const int64_t *integers = fault->integers, number = (int64_t)fault->seen;
    if (integers[FAULT_KEY_EVERY] > 0)
        return number % integers[FAULT_KEY_EVERY] == 0;
    if (integers[FAULT_KEY_FIRST] > 0)
        return number <= integers[FAULT_KEY_FIRST];
    if (integers[FAULT_KEY_AT] > 0)
        return number == integers[FAULT_KEY_AT];
    if (fault->rate < 0)
        return true;
    random_derive(&random, list->seed, "fault", fault->number, fault->seen);
    return random_uniform(&random) < fault->rate;
}

struct fault *fault_list_select(struct fault_list *list, bool stream, int64_t now)
{
    struct fault *selected = NULL;
    for (size_t k = 0; k < list->count; k++) {
        struct fault *fault = list->items[k];
        if (!can_strike(list, fault, stream, now))
            continue;
        fault->seen++;
        if (!selected && selects(list, fault))
            selected = fault;
    }
    return selected;
}

/* The first nanosecond at which age() says `since` or more: what doubles make of the division is not enough. */
static int64_t clock_of(const struct fault_list *list, const struct fault *fault, int64_t since)
{
    double wall = (double)since / list->time_scale;
    if (since == TIME_FOREVER || wall > (double)(TIME_FOREVER / 2 - fault->set))
        return TIME_FOREVER;
    int64_t time = fault->set + (int64_t)wall;
    while (age(list, fault, time) < since)
        time++;
    while (time > fault->set && age(list, fault, time - 1) >= since)
        time--;
    return time;
}

static void take_earlier(int64_t *next, int64_t time)
{
    *next = time < *next ? time : *next;
}

int64_t fault_list_next(const struct fault_list *list, int64_t now)
{
    int64_t next = TIME_FOREVER;
    for (size_t k = 0; k < list->count; k++) {
        const struct fault *fault = list->items[k];
        int64_t from = clock_of(list, fault, fault->integers[FAULT_KEY_FROM]);
        if (fault_is_timed(fault)) {
            if (!fault->fired)
                take_earlier(&next, from);
        } else if (rows[fault->kind].moment == FAULT_SERVER_WINDOW) {
            int64_t to = clock_of(list, fault, fault->integers[FAULT_KEY_TO]);
            if (from > now)
                take_earlier(&next, from);
            else if (to > now)
                take_earlier(&next, to);
        }
    }
    return next;
}

json_t *fault_list_describe(const struct fault_list *list)
{
    json_t *array = json_array();
    for (size_t k = 0; k < list->count; k++) {
        const struct fault *fault = list->items[k];
        json_t *object = json_object();
        json_set_text(object, "fault", fault->text);
        json_set_text(object, "kind", rows[fault->kind].name);
        json_set_integer(object, "seen", (int64_t)fault->seen);
        json_set_integer(object, "struck", (int64_t)fault->struck);
        json_array_append_new(array, object);
    }
    return array;
}
