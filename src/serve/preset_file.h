/* A preset as a file: what `roibench calibrate` writes and `roibench simulate --preset-file` reads.
 *
 *     {"schema": "roibench/preset/v1", "name": "my-model", "summary": "…",
 *      "step_ns": {"base": 50.5e6, "sequence": 280000, "context_token": 270, "prefill_token": 1070000},
 *      "max_model_len": 8192, "max_num_seqs": 256, "max_num_batched_tokens": 2048, "kv_blocks": 3700, "block_size": 16}
 *
 * Other members are left alone ("fit": how the numbers were found). A file may be written by hand. */
#ifndef ROIBENCH_SERVE_PRESET_FILE_H
#define ROIBENCH_SERVE_PRESET_FILE_H

#include <jansson.h>

#include "base/arena.h"
#include "base/error.h"
#include "serve/preset.h"

/* Texts belong to the arena. ERROR_USAGE: not such a file; a cost that is negative, a size that simulate has no option for. */
int preset_file_read(const char *path, struct arena *arena, struct preset *preset, struct error *err);
/* A new document, to which more may be added. */
json_t *preset_file_document(const struct preset *preset);

#endif
