#include <jansson.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/openai.h"

#define TOKENS_MAX INT64_C(1000000000000) /* no context is longer; a double holds it exactly */

static int64_t read_tokens(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    double tokens = json_is_number(value) ? json_number_value(value) : -1;
    return tokens >= 1 && tokens <= (double)TOKENS_MAX ? (int64_t)tokens : -1;
}

static const char *text_or_empty(const json_t *value)
{
    return json_is_string(value) ? json_string_value(value) : "";
}

static void add_model(struct openai_models *models, const json_t *element)
{
    const json_t *id = json_object_get(element, "id");
    if (!json_is_string(id))
        return;
    int64_t tokens = read_tokens(element, "max_model_len");
    if (tokens < 0)
        tokens = read_tokens(json_object_get(element, "meta"), "n_ctx");
    models->ids[models->count] = mem_strdup(json_string_value(id));
    models->max_model_len[models->count] = tokens;
    models->owned_by[models->count] = mem_strdup(text_or_empty(json_object_get(element, "owned_by")));
    models->count++;
}

static int read_list(const json_t *list, struct openai_models *models, struct error *err)
{
    size_t count = json_array_size(list);
    if (count > OPENAI_MODELS_MAX)
        return error_set(err, ERROR_TARGET, "the list of models has %zu entries, at most %d are read", count,
                         OPENAI_MODELS_MAX);
    models->ids = mem_calloc(count + 1, sizeof *models->ids);
    models->max_model_len = mem_calloc(count + 1, sizeof *models->max_model_len);
    models->owned_by = mem_calloc(count + 1, sizeof *models->owned_by);
    for (size_t i = 0; i < count; i++)
        add_model(models, json_array_get(list, i));
    return 0;
}

int openai_models_read(const char *body, size_t length, struct openai_models *models, struct error *err)
{
    *models = (struct openai_models){.count = 0};
    json_error_t where;
    json_t *document = json_loadb(body, length, JSON_DECODE_INT_AS_REAL, &where);
    const json_t *list = json_object_get(document, "data");
    int result;
    if (!document)
        result = error_set(err, ERROR_TARGET, "the list of models is not JSON: %s", where.text);
    else if (json_is_array(list) || json_is_null(list)) /* null: Ollama without a model */
        result = read_list(list, models, err);
    else
        result = error_set(err, ERROR_TARGET, "the list of models has no \"data\": is this an OpenAI-compatible server?");
    json_decref(document);
    return result;
}

void openai_models_free(struct openai_models *models)
{
    for (size_t i = 0; i < models->count; i++) {
        free(models->ids[i]);
        free(models->owned_by[i]);
    }
    free(models->ids);
    free(models->max_model_len);
    free(models->owned_by);
    *models = (struct openai_models){.count = 0};
}
