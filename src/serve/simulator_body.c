#include "serve/simulator_body.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define INPUT_SHOWN 120
#define MESSAGE_MAX (SIMULATOR_BODY_MAX + ((size_t)64 << 10)) /* it may repeat a part of the body */

int simulator_error(const struct simulator *simulator, struct buf *reply, int status, const char *type, const char *param,
                    const char *format, ...)
{
    cleanup_buf struct buf message = BUF_INIT(MESSAGE_MAX);
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&message, format, arguments);
    va_end(arguments);
    return simulator->dialect->error(reply, status, type, param, &message);
}

json_t *reading_open(struct reading *reading, const char *body, size_t length)
{
    json_error_t error;
    json_t *document = json_loadb(body, length, JSON_ALLOW_NUL, &error);
    if (!document) {
        char place[32];
        snprintf(place, sizeof place, "body.%d", error.position);
        reading->status = simulator_error(
            reading->simulator, reading->reply, 400, "Bad Request", place,
            "1 validation error:\n  {'type': 'json_invalid', 'loc': '%s', 'msg': 'JSON decode error', 'input': "
            "'<dict of 0 items>', 'ctx': {'error': '%s'}}", place, error.text);
    } else if (!json_is_object(document)) {
        reading->status = simulator_error(
            reading->simulator, reading->reply, 400, "Bad Request", "body",
            "1 validation error:\n  {'type': 'model_attributes_type', 'loc': 'body', 'msg': 'Input should be a valid dictionary'}");
        json_decref(document);
        document = NULL;
    }
    reading->body = document;
    return document;
}

void reading_refuse_type(struct reading *reading, const char *key, const char *type, const char *says)
{
    cleanup_buf struct buf input = BUF_INIT(SIMULATOR_BODY_MAX), place = BUF_INIT(256);
    const json_t *member = json_object_get(reading->body, key), *value = member ? member : reading->body; /* a missing one: where it is missing */
    if (json_is_string(value))
        buf_printf(&input, "'%s'", json_string_value(value));
    else
        json_append_compact(value, &input);
    buf_printf(&place, "body.%s", key);
    reading->status = simulator_error(reading->simulator, reading->reply, 400, "Bad Request", buf_text(&place),
                                      "1 validation error:\n  {'type': '%s', 'loc': '%s', 'msg': '%s', 'input': %.*s}", type,
                                      buf_text(&place), says, INPUT_SHOWN, buf_text(&input));
}

const json_t *reading_member(const struct reading *reading, const char *key)
{
    const json_t *value = reading->status ? NULL : json_object_get(reading->body, key);
    return json_is_null(value) ? NULL : value;
}

bool reading_flag(struct reading *reading, const char *key, bool fallback)
{
    const json_t *value = reading_member(reading, key);
    if (value && !json_is_boolean(value))
        reading_refuse_type(reading, key, "bool_parsing", "Input should be a valid boolean, unable to interpret input");
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

int64_t reading_integer(struct reading *reading, const char *key, int64_t fallback)
{
    const json_t *value = reading_member(reading, key);
    if (!value)
        return fallback;
    if (!json_is_integer(value))
        reading_refuse_type(reading, key, "int_parsing", "Input should be a valid integer, unable to parse input as an integer");
    return json_integer_value(value);
}

double reading_number(struct reading *reading, const char *key, double fallback)
{
    const json_t *value = reading_member(reading, key);
    if (!value)
        return fallback;
    if (!json_is_number(value))
        reading_refuse_type(reading, key, "float_parsing",
                            json_is_string(value) ? "Input should be a valid number, unable to parse string as a number"
                                                  : "Input should be a valid number");
    return json_number_value(value);
}

void reading_check_model(struct reading *reading)
{
    const char *served = reading->simulator->settings.model;
    const json_t *model = reading_member(reading, "model");
    if (!model || reading->simulator->dialect->any_model)
        return;
    if (!json_is_string(model))
        reading_refuse_type(reading, "model", "string_type", "Input should be a valid string");
    else if (json_string_length(model) != strlen(served) || strcmp(json_string_value(model), served) != 0)
        reading->status = simulator_error(reading->simulator, reading->reply, 404, "NotFoundError", "model",
                                          "The model `%s` does not exist. Valid aliases: %s.", json_string_value(model), served);
}
