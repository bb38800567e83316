/* summarize --import: results of other tools as runs beside our own. */
#ifndef ROIBENCH_CMD_SUMMARIZE_IMPORT_H
#define ROIBENCH_CMD_SUMMARIZE_IMPORT_H

#include "import/import.h"

extern const char summarize_import_help[]; /* of the option */

/* Reads "FORMAT:FILE". Its run-id is none of the `count` that are taken, nor that of a run that was measured in this workspace: "-imported"
 * and a number are put behind it. NULL with *err. run_summary_free() it. */
struct run_summary *summarize_import(const char *spec, const char *workspace, const struct sla *sla, const char *const *taken, size_t count,
                                     struct error *err);

#endif
