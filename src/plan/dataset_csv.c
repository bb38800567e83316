/* CSV whose first record names the columns. */
#include "plan/dataset.h"

const struct dataset_format dataset_csv = {
    .name = "csv",
    .summary = "CSV whose first record names the columns",
    .container = DATASET_CSV,
    .read = dataset_read_columns,
};
