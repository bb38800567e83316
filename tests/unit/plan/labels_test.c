/* Labels of a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "plan/labels.h"

static void test_adding(void **state)
{
    (void)state;
    struct error err = {0};
    struct plan *plan = plan_new();
    assert_int_equal(labels_add(plan, "env=staging", &err), 0);
    assert_int_equal(labels_add(plan, "note=", &err), 0);
    assert_int_equal(labels_add(plan, "env=a=b", &err), 0);
    assert_int_equal(plan->deployment.label_count, 2);
    assert_string_equal(plan->deployment.labels[0].name, "env");
    assert_string_equal(plan->deployment.labels[0].value, "a=b");
    assert_string_equal(plan->deployment.labels[1].value, "");
    assert_int_equal(labels_add(plan, "env", &err), -1);
    assert_string_equal(err.text, "a label is NAME=VALUE, not 'env'");
    assert_int_equal(labels_add(plan, "=x", &err), -1);
    for (int k = 0; k < LABELS_MAX - 2; k++) {
        char text[32];
        snprintf(text, sizeof text, "l%d=%d", k, k);
        assert_int_equal(labels_add(plan, text, &err), 0);
    }
    assert_int_equal(labels_add(plan, "one=more", &err), -1);
    assert_string_equal(err.text, "more than 64 labels");
    plan_free(plan);
}

/* plan.json, from its text. */
static int read_labels(const char *json, struct plan *plan, struct error *err)
{
    struct json_reader reader;
    json_t *object = json_parse(&reader, json, strlen(json), "plan.json", NULL, err);
    assert_non_null(object);
    labels_read(&reader, object, plan);
    json_decref(object);
    return reader.failed ? -1 : 0;
}

static void test_reading(void **state)
{
    (void)state;
    struct error err = {0};
    struct plan *plan = plan_new();
    assert_int_equal(read_labels("{}", plan, &err), 0);
    assert_int_equal(read_labels("{\"labels\": null}", plan, &err), 0);
    assert_int_equal(plan->deployment.label_count, 0);
    assert_int_equal(read_labels("{\"labels\": {\"a\": 5}}", plan, &err), -1);
    assert_string_equal(err.text, "plan.json: labels: expected texts");
    assert_int_equal(read_labels("{\"labels\": {\"\": \"x\"}}", plan, &err), -1);
    assert_int_equal(read_labels("{\"labels\": [1]}", plan, &err), -1);
    assert_int_equal(read_labels("{\"labels\": {\"a\": \"x\"}}", plan, &err), 0);
    assert_string_equal(plan->deployment.labels[0].value, "x");
    plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding),
        cmocka_unit_test(test_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
