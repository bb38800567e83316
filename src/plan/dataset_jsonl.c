/* JSON Lines: an object with common column names, or a text, a line. */
#include "plan/dataset.h"

const struct dataset_format dataset_jsonl = {
    .name = "jsonl",
    .summary = "JSON Lines: {\"prompt\": ...} or a text a line",
    .container = DATASET_JSON_LINES,
    .read = dataset_read_columns,
};
