/* What the simulator does wrong on purpose, and to whom: parsing and selection. No sockets, no clock.
 *
 *     KIND[=VALUE][:KEY=VALUE,...]        reset:rate=0.1,after=5    status=503:every=10    refuse:from=5,to=8
 *
 * KIND=VALUE is short for the kind's first own key. A table row of faults.def makes a kind; what it does is a function
 * of simulator_fault.c. Keys that select, for every kind but as its moment allows:
 *   from, to           the window, from the moment the fault was set; model time. [from, to)
 *   rate               share of the requests, drawn from the seed and the request's number: the same ones every time
 *   every, first, at   every N-th request, the first N, the N-th. At most one of these four; none: all requests
 * A fault counts the requests that it could strike inside its window from 1 on, whether another fault took them or not.
 * A request suffers one fault: the first in the list that selects it.
 *
 * Times of a fault are ns of model time, except retry-after, which is said to the client as it is. */
#ifndef ROIBENCH_SERVE_FAULT_H
#define ROIBENCH_SERVE_FAULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define FAULTS_MAX 64
#define FAULT_TEXT_SIZE 160

enum fault_kind {
#define FAULT(identifier_, name_, moment_, keys_, help_) FAULT_##identifier_,
#include "serve/faults.def"
#undef FAULT
    FAULT_KINDS
};

/* When a fault acts. */
enum fault_moment {
    FAULT_SERVER_WINDOW, /* the whole server, during its window */
    FAULT_SERVER_EVENT,  /* the whole server, once: at `from`, or when its `at`-th request comes */
    FAULT_SERVER_REPLY,  /* every reply in its window */
    FAULT_REQUEST,       /* instead of the answer to a request for tokens, streamed or not */
    FAULT_ANSWER,        /* before the answer begins, streamed or not */
    FAULT_STREAM,        /* from the beginning of a stream */
    FAULT_TOKEN,         /* when `after` tokens of a stream have been sent; 0: behind its headers */
    FAULT_CONNECTION,    /* the same; 0: before its headers */
    FAULT_END,           /* instead of the end of a stream */
};

enum fault_key {
    FAULT_KEY_FROM, FAULT_KEY_TO, FAULT_KEY_RATE, FAULT_KEY_EVERY, FAULT_KEY_FIRST, FAULT_KEY_AT, /* that select */
    FAULT_KEY_CODE, FAULT_KEY_RETRY_AFTER, FAULT_KEY_DELAY, FAULT_KEY_DOWN, FAULT_KEY_LOADING, FAULT_KEY_BY, FAULT_KEY_BYTES,
    FAULT_KEY_AFTER,
    FAULT_KEYS
};
#define FAULT_KEY(name) (1U << FAULT_KEY_##name)

struct fault {
    enum fault_kind kind;
    char text[FAULT_TEXT_SIZE]; /* as it was given */
    int64_t set;                /* when it was set: ns of the clock */
    double rate;                /* < 0: not given */
    int64_t integers[FAULT_KEYS]; /* of every other key; durations in ns; the default where none was given, 0: none */
    uint64_t seen, struck;      /* requests that it could have struck; what it did */
    bool fired;                 /* FAULT_SERVER_EVENT: it has happened; FAULT_SERVER_WINDOW: the window has been opened */
    uint64_t number;            /* of the list's faults, those that are gone too */
    unsigned holders;           /* the list, and whoever called fault_hold */
};

struct fault_list {
    struct fault *items[FAULTS_MAX];
    size_t count;
    uint64_t numbers;
    uint64_t seed;
    double time_scale;          /* model time / wall time */
};

/* Reads one. ERROR_USAGE, naming what is known. */
int fault_parse(const char *text, struct fault *fault, struct error *err);
/* Appends a copy, set at `now`. ERROR_USAGE: there are FAULTS_MAX. */
int fault_list_add(struct fault_list *list, const struct fault *fault, int64_t now, struct error *err);
/* Empties it. Faults that somebody holds live until they are let go. */
void fault_list_clear(struct fault_list *list);
struct fault *fault_hold(struct fault *fault); /* fault may be NULL, here and there */
void fault_let_go(struct fault *fault);

/* The kind's name, moment, and one line about it. */
const char *fault_name(enum fault_kind kind);
enum fault_moment fault_moment(enum fault_kind kind);
const char *fault_help(enum fault_kind kind);

static inline int64_t fault_integer(const struct fault *fault, enum fault_key key)
{
    return fault->integers[key];
}

/* A request for tokens has come at `now` (of the clock): counts it, and returns the fault that it suffers, or NULL.
 * Faults of streams do not see other requests. May be one of FAULT_SERVER_EVENT. */
struct fault *fault_list_select(struct fault_list *list, bool stream, int64_t now);

/* `now` lies in the fault's window. */
bool fault_is_open(const struct fault_list *list, const struct fault *fault, int64_t now);
/* One that happens at a time, not at a request. */
bool fault_is_timed(const struct fault *fault);
/* When the next window of a FAULT_SERVER_WINDOW begins or ends, or a timed FAULT_SERVER_EVENT is due: after `now`, or
 * overdue and not fired. Ns of the clock; TIME_FOREVER: never. */
int64_t fault_list_next(const struct fault_list *list, int64_t now);

/* [{"fault": text, "kind", "seen", "struck"}] */
json_t *fault_list_describe(const struct fault_list *list);

#endif
