/* A JSON array of objects with common column names, or of texts. */
#include "plan/dataset.h"

const struct dataset_format dataset_json = {
    .name = "json",
    .summary = "a JSON array of {\"prompt\": ...} or of texts",
    .container = DATASET_JSON_ARRAY,
    .read = dataset_read_columns,
};
