/* docs/schema tells the truth: every golden document fits its schema, and a document that lost or gained a member does not.
 *
 * The validator below knows the part of JSON Schema that these four files use, and fails on anything else. python3-jsonschema looks at the same
 * documents in tests/cli/formats.bats. */
#include <fnmatch.h>
#include <glob.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/missing.h"

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *document = json_load_file(path, 0, &error);
    if (!document)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return document;
}

#define SCHEMAS "docs/schema/"
#define SCHEMA_FILES_MAX 8

/* Each file is read once: they refer to each other. Freed by free_schemas. */
static struct {
    char file[64];
    json_t *schema;
} schemas[SCHEMA_FILES_MAX];

static json_t *load_schema_file(const char *file)
{
    char path[256];
    size_t k = 0;
    for (; k < SCHEMA_FILES_MAX && schemas[k].schema; k++)
        if (strcmp(schemas[k].file, file) == 0)
            return schemas[k].schema;
    assert_true(k < SCHEMA_FILES_MAX);
    snprintf(path, sizeof path, SCHEMAS "%s", file);
    snprintf(schemas[k].file, sizeof schemas[k].file, "%s", file);
    schemas[k].schema = load(path);
    return schemas[k].schema;
}

static json_t *load_schema(const char *kind)
{
    char file[64];
    snprintf(file, sizeof file, "%s.schema.json", kind);
    return load_schema_file(file);
}

static int free_schemas(void **state)
{
    (void)state;
    for (size_t k = 0; k < SCHEMA_FILES_MAX; k++)
        json_decref(schemas[k].schema);
    return 0;
}

/* ---- the validator: true, or false with the place in where ---- */

#define WHERE_MAX 256

static bool is_of_type(const json_t *value, const char *type)
{
    if (strcmp(type, "object") == 0)
        return json_is_object(value);
    if (strcmp(type, "array") == 0)
        return json_is_array(value);
    if (strcmp(type, "string") == 0)
        return json_is_string(value);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value);
    if (strcmp(type, "number") == 0)
        return json_is_number(value);
    if (strcmp(type, "boolean") == 0)
        return json_is_boolean(value);
    assert_string_equal(type, "null");
    return json_is_null(value);
}

static bool type_fits(const json_t *value, const json_t *types)
{
    size_t k;
    const json_t *type;
    if (json_is_string(types))
        return is_of_type(value, json_string_value(types));
    json_array_foreach(types, k, type)
        if (is_of_type(value, json_string_value(type)))
            return true;
    return false;
}

static bool is_one_of(const json_t *value, const json_t *list)
{
    size_t k;
    const json_t *item;
    json_array_foreach(list, k, item)
        if (json_equal(item, value))
            return true;
    return false;
}

static bool fits(const json_t *root, const json_t *schema, json_t *value, char *where);

static bool note(char *where, const char *what)
{
    if (!where[0])
        snprintf(where, WHERE_MAX, "%s", what);
    return false;
}

static bool members_fit(const json_t *root, const json_t *schema, json_t *value, char *where)
{
    size_t k;
    const char *key;
    json_t *item;
    const json_t *properties = json_object_get(schema, "properties"), *extra = json_object_get(schema, "additionalProperties");
    json_array_foreach(json_object_get(schema, "required"), k, item)
        if (!json_object_get(value, json_string_value(item)))
            return note(where, json_string_value(item));
    json_object_foreach(value, key, item)
    {
        const json_t *inner = json_object_get(properties, key);
        if (!inner && json_is_false(extra))
            return note(where, key);
        inner = inner ? inner : extra;
        if (json_is_object(inner) && !fits(root, inner, item, where))
            return note(where, key);
    }
    return true;
}

static bool items_fit(const json_t *root, const json_t *schema, json_t *value, char *where)
{
    size_t k;
    json_t *item;
    const json_t *least = json_object_get(schema, "minItems"), *most = json_object_get(schema, "maxItems");
    if ((least && json_array_size(value) < (size_t)json_integer_value(least)) ||
        (most && json_array_size(value) > (size_t)json_integer_value(most)))
        return note(where, "number of items");
    json_array_foreach(value, k, item)
        if (!fits(root, json_object_get(schema, "items"), item, where))
            return false;
    return true;
}

static bool any_fits(const json_t *root, const json_t *list, json_t *value)
{
    size_t k;
    const json_t *schema;
    json_array_foreach(list, k, schema)
    {
        char ignored[WHERE_MAX] = "";
        if (fits(root, schema, value, ignored))
            return true;
    }
    return false;
}

static void check_keywords(const json_t *schema)
{
    static const char *const known[] = {"$schema", "title", "$defs", "$ref", "anyOf", "type", "enum", "const", "properties", "required",
                                        "additionalProperties", "items", "minItems", "maxItems", "minimum", "pattern", "description"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)schema, key, value)
    {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            found |= strcmp(known[k], key) == 0;
        if (!found)
            fail_msg("the validator of this test does not know \"%s\"", key);
    }
}

static bool has_form(const char *text, const char *pattern)
{
    regex_t compiled;
    assert_int_equal(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

static bool fits(const json_t *root, const json_t *schema, json_t *value, char *where)
{
    check_keywords(schema);
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    if (reference && reference[0] != '#') {
        char file[64]; /* "summary.schema.json", "sla.schema.json#/$defs/recorded" */
        size_t length = strcspn(reference, "#");
        snprintf(file, sizeof file, "%.*s", (int)length, reference);
        json_t *other = load_schema_file(file);
        const json_t *part = reference[length] ? json_object_get(json_object_get(other, "$defs"), reference + length + strlen("#/$defs/")) : other;
        assert_non_null(part);
        return fits(other, part, value, where);
    }
    if (reference) {
        const json_t *target = json_object_get(json_object_get(root, "$defs"), reference + strlen("#/$defs/"));
        assert_non_null(target);
        return fits(root, target, value, where);
    }
    const json_t *any = json_object_get(schema, "anyOf"), *types = json_object_get(schema, "type");
    const json_t *list = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");
    const json_t *least = json_object_get(schema, "minimum"), *pattern = json_object_get(schema, "pattern");
    if (any && !any_fits(root, any, value))
        return note(where, "anyOf");
    if (types && !type_fits(value, types))
        return note(where, "type");
    if ((list && !is_one_of(value, list)) || (only && !json_equal(only, value)))
        return note(where, "value");
    if (least && json_is_number(value) && json_number_value(value) < json_number_value(least))
        return note(where, "minimum");
    if (pattern && json_is_string(value) && !has_form(json_string_value(value), json_string_value(pattern)))
        return note(where, "pattern");
    if (json_is_object(value))
        return members_fit(root, schema, value, where);
    return !json_is_array(value) || items_fit(root, schema, value, where);
}

/* ---- documents ---- */

static void check_documents(const char *pattern)
{
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    json_t *summary = load_schema("summary"), *comparison = load_schema("comparison"), *plan = load_schema("plan");
    for (size_t k = 0; k < found.gl_pathc; k++) {
        char where[WHERE_MAX] = "";
        json_t *document = load(found.gl_pathv[k]);
        const char *kind = json_string_value(json_object_get(document, "schema"));
        const json_t *schema = strstr(kind, "/plan/") ? plan : strstr(kind, "/summary/") ? summary : comparison;
        if (!fits(schema, schema, document, where))
            fail_msg("%s does not fit its schema: %s", found.gl_pathv[k], where);
        json_decref(document);
    }
    globfree(&found);
}

static void test_reports_fit(void **state)
{
    (void)state;
    check_documents("tests/golden/*/expect.json");
}

static void test_plans_fit(void **state)
{
    (void)state;
    check_documents("tests/golden/*/*/plan.json");
}

static void test_records_fit(void **state)
{
    (void)state;
    char line[4096];
    glob_t found;
    json_t *schema = load_schema("records");
    assert_int_equal(glob("tests/golden/*/*/records.jsonl", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        FILE *file = fopen(found.gl_pathv[k], "re");
        assert_non_null(file);
        while (fgets(line, sizeof line, file)) {
            char where[WHERE_MAX] = "";
            json_t *record = json_loads(line, 0, NULL);
            assert_non_null(record);
            if (!fits(schema, schema, record, where))
                fail_msg("%s: %s", found.gl_pathv[k], line);
            json_decref(record);
        }
        fclose(file);
    }
    globfree(&found);
}

static void test_a_changed_document_does_not_fit(void **state)
{
    (void)state;
    char where[WHERE_MAX] = "";
    json_t *schema = load_schema("summary"), *document = load("tests/golden/sweep/expect.json");
    json_t *level = json_array_get(json_object_get(document, "levels"), 0);
    assert_true(fits(schema, schema, document, where));
    json_object_set_new(level, "invented", json_integer(1));
    assert_false(fits(schema, schema, document, where));
    json_object_del(level, "invented");
    json_object_set_new(level, "unit", json_string("users"));
    assert_false(fits(schema, schema, document, where));
    json_object_set_new(level, "unit", json_string("streams"));
    json_object_del(level, "output_tps");
    assert_false(fits(schema, schema, document, where));
    json_decref(document);
}

/* ---- reasons ---- */

static void check_nulls(const json_t *missing, const json_t *value, const char *path, const char *file)
{
    const char *key;
    json_t *member, *reason;
    size_t index;
    char inner[512];
    const json_t *own = json_object_get(value, "missing");
    if (own) { /* its own reasons are for what is below it */
        missing = own;
        path = "";
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const char *pattern;
        bool found = strcmp(key, "plan") == 0;
        snprintf(inner, sizeof inner, "%s%s%s", path, path[0] ? "." : "", key);
        if (!json_is_null(member)) {
            if (!found)
                check_nulls(missing, member, inner, file);
            continue;
        }
        json_object_foreach((json_t *)(uintptr_t)missing, pattern, reason)
        {
            found |= fnmatch(pattern, inner, 0) == 0 && strcmp(json_string_value(reason), MISSING_UNEXPLAINED) != 0;
        }
        snprintf(inner, sizeof inner, "%s_missing", key); /* of members of a whole document */
        if (!found && !json_object_get(value, inner))
            fail_msg("%s: %s%s%s is null and nothing says why", file, path, path[0] ? "." : "", key);
    }
    json_array_foreach(value, index, member)
    {
        snprintf(inner, sizeof inner, "%s%s%zu", path, path[0] ? "." : "", index);
        check_nulls(missing, member, inner, file);
    }
}

static void test_every_null_has_a_reason(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob("tests/golden/*/expect.json", 0, NULL, &found), 0);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        json_t *document = load(found.gl_pathv[k]);
        check_nulls(NULL, document, "", found.gl_pathv[k]);
        json_decref(document);
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports_fit),
        cmocka_unit_test(test_plans_fit),
        cmocka_unit_test(test_records_fit),
        cmocka_unit_test(test_a_changed_document_does_not_fit),
        cmocka_unit_test(test_every_null_has_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, free_schemas);
}
