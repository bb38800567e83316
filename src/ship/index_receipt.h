/* Inside of ship/: what a receipt tells of a run or a comparison, read of its folder. */
#ifndef ROIBENCH_SHIP_INDEX_RECEIPT_H
#define ROIBENCH_SHIP_INDEX_RECEIPT_H

#include "ship/index.h"

/* All of it but archive and report; what the folder does not tell is null. A new reference. */
json_t *index_receipt_new(const struct index_publication *publication);

#endif
