#include "cmd/roibench/summarize_import.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "record/workspace.h"

#define IMPORT(identifier, name) " " name
const char summarize_import_help[] =
    "another tool's results as a run; FILE,FILE: levels of one run. Formats (docs/import.md):"
#include "import/imports.def"
    ;
#undef IMPORT

/* By another run of this call, or by one that was measured here: its folder has a plan. */
static bool is_taken(const char *run_id, const char *workspace, const char *const *taken, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (strcmp(taken[k], run_id) == 0)
            return true;
    cleanup_free char *folder = workspace_run_folder(workspace, run_id);
    cleanup_free char *plan = file_join(folder, "plan.json");
    return file_exists(plan);
}

struct run_summary *summarize_import(const char *spec, const char *workspace, const struct sla *sla, const char *const *taken, size_t count,
                                     struct error *err)
{
    struct run_summary *run = import_read(spec, sla, err);
    const char *run_id = run ? run->facts.run_id : "";
    char suffix[32] = "-imported";
    for (int k = 2; run && is_taken(run->facts.run_id, workspace, taken, count); k++) {
        run->facts.run_id = run_id;
        import_rename(run, suffix);
        snprintf(suffix, sizeof suffix, "-imported-%d", k);
    }
    return run;
}
