/* JSON by jansson, with errors that name the file, the path in it and what was expected:
 * "plan.json: levels[2].load: expected a number > 0, got \"x\"".
 *
 * Reading: a struct json_reader carries the file name and the first error.
 * After an error every further getter returns its zero value and changes
 * nothing, so that a whole object is read without a check a line; the caller
 * looks at reader.failed once.
 *
 *     struct json_reader r;
 *     json_t *root = json_open(&r, path, "roibench/plan/v1", err);
 *     plan->model = json_get_text(&r, root, "model");     // required
 *     plan->seed = json_get_integer_or(&r, root, "seed", 0);
 */
#ifndef ROIBENCH_BASE_JSON_H
#define ROIBENCH_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define JSON_FILE_MAX ((size_t)256 << 20)
#define JSON_PATH_MAX 256

/* In which line each member of a document stands, by its path ("levels[2].load"): known where it was read by something else than jansson. */
struct json_lines {
    struct json_line {
        char *path;
        size_t line;
    } *items;
    size_t count, capacity;
};
void json_lines_add(struct json_lines *lines, const char *path, size_t line);
void json_lines_free(struct json_lines *lines);

struct json_reader {
    const char *file;   /* for messages; borrowed */
    const struct json_lines *lines; /* for messages: "<file>: line 4: <path>: ..."; NULL: not known */
    struct error *err;
    bool failed;
    char path[JSON_PATH_MAX]; /* prefix put before keys: "levels[2]." */
};

/* Parses a file. `schema` ("roibench/plan/v1") must equal the document's "schema"; a newer major version is said to be
 * newer. NULL: any. Returns a new reference (json_decref) or NULL with *err (ERROR_USAGE: it is an input file). */
json_t *json_open(struct json_reader *reader, const char *path, const char *schema, struct error *err);
/* The same for bytes in memory; name is used in messages. */
json_t *json_parse(struct json_reader *reader, const char *bytes, size_t length, const char *name, const char *schema, struct error *err);

/* Of a document that was read otherwise: is its "schema" this one? Fails. */
int json_check_schema(struct json_reader *reader, const json_t *root, const char *schema);

/* Enter and leave an element: json_enter(&r, "levels", 2) makes messages begin with levels[2]. Index < 0: an object.
 * Returns the old length, to be given to json_leave. */
size_t json_enter(struct json_reader *reader, const char *key, int index);
void json_leave(struct json_reader *reader, size_t mark);

/* Fails at key: "<file>: <path><key>: <text>". Returns -1. */
int json_fail(struct json_reader *reader, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Required members. Strings and objects are borrowed from the document. */
const char *json_get_text(struct json_reader *reader, const json_t *object, const char *key);
int64_t json_get_integer(struct json_reader *reader, const json_t *object, const char *key);
double json_get_number(struct json_reader *reader, const json_t *object, const char *key);
bool json_get_bool(struct json_reader *reader, const json_t *object, const char *key);
json_t *json_get_object(struct json_reader *reader, const json_t *object, const char *key);
json_t *json_get_array(struct json_reader *reader, const json_t *object, const char *key);
/* Optional members: absent or null gives the fallback, a wrong type is an error. */
const char *json_get_text_or(struct json_reader *reader, const json_t *object, const char *key, const char *fallback);
int64_t json_get_integer_or(struct json_reader *reader, const json_t *object, const char *key, int64_t fallback);
double json_get_number_or(struct json_reader *reader, const json_t *object, const char *key, double fallback);
bool json_get_bool_or(struct json_reader *reader, const json_t *object, const char *key, bool fallback);
json_t *json_get_object_or_null(struct json_reader *reader, const json_t *object, const char *key);
json_t *json_get_array_or_null(struct json_reader *reader, const json_t *object, const char *key);

/* A string, a number, true or false as the text that a command line would have; NULL: none of them. free() it. */
char *json_scalar_text(const json_t *value);

/* Writing. Members keep the order in which they were set. NAN and infinities become null (missing is not zero). Numbers are
 * rounded to 12 significant digits; whole ones, and those from 10^11 on rounded to whole ones, are written as integers up to 2^53. */
void json_set_text(json_t *object, const char *key, const char *text_or_null);
void json_set_text_if_any(json_t *object, const char *key, const char *text); /* "" and NULL: null */
void json_set_integer(json_t *object, const char *key, int64_t integer);
void json_set_integer_if(json_t *object, const char *key, int64_t integer, bool known); /* not known: null */
void json_set_number(json_t *object, const char *key, double number);
void json_append_number(json_t *array, double number); /* likewise */
void json_set_bool(json_t *object, const char *key, bool value);
void json_set_null(json_t *object, const char *key);
json_t *json_add_object(json_t *object, const char *key); /* borrowed */
json_t *json_add_array(json_t *object, const char *key);  /* borrowed */
void json_set_texts(json_t *object, const char *key, const char *const *texts, size_t count); /* an array, perhaps of none */

/* Pretty: indent 2, keeps order, ends in a newline. -1: it does not fit below out->max. */
int json_append_pretty(const json_t *document, struct buf *out);
/* The same into a file, atomically. */
int json_write_file(const json_t *document, const char *path, struct error *err);
/* One line, compact, no newline. */
void json_append_compact(const json_t *document, struct buf *out);
/* Appends text as a JSON string with quotes; broken UTF-8 becomes U+FFFD. */
void json_append_quoted(struct buf *out, const char *text, size_t length);

#endif
