/* Errors: one sentence for the user and one class for the exit code.
 *
 * A function that can fail takes `struct error *err` as its last argument and
 * returns -1 (or NULL); it then has filled *err. On success *err is untouched.
 * The text says what was tried, on what, and what happened, and where there is
 * something to do, what: "cannot open plan.json: no such file". Whoever knows
 * more wraps the text on the way up: error_wrap(err, "reading %s", path) makes
 * "reading <path>: <old text>". Texts longer than ERROR_TEXT_MAX are cut and
 * end in "...". err may be NULL: the caller does not care about the reason.
 *
 * The struct is plain memory of the caller's: nothing to free. */
#ifndef ROIBENCH_BASE_ERROR_H
#define ROIBENCH_BASE_ERROR_H

#define ERROR_TEXT_MAX 2048

/* The classes are the exit codes of the program (README.md). */
enum error_class {
    ERROR_NONE = 0,
    ERROR_INTERNAL = 1,  /* our own fault, or a file or folder that cannot be read or written */
    ERROR_USAGE = 2,     /* command line, option value or input file */
    ERROR_TARGET = 3,    /* target unreachable, not ready, or it refuses */
    ERROR_NO_DATA = 4,   /* no level has a single ended request */
    ERROR_CONDITION = 5, /* a --fail-on condition was met */
    ERROR_PUBLISH = 6,   /* a destination did not take the archive */
};

struct error {
    enum error_class class;
    char text[ERROR_TEXT_MAX];
};

/* Fills *err; always returns -1, so that callers can `return error_set(...)`. */
int error_set(struct error *err, enum error_class class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* error_set with ": <strerror(errno_value)>" appended. */
int error_set_errno(struct error *err, enum error_class class, int errno_value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<text>: " before what *err says; keeps the class. Returns -1. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Another class for *err: what failed below is, up here, another kind of trouble. Returns -1. */
int error_reclass(struct error *err, enum error_class class);

#endif
