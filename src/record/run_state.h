/* How far a run has come, by the files in its folder. */
#ifndef ROIBENCH_RECORD_RUN_STATE_H
#define ROIBENCH_RECORD_RUN_STATE_H

#include <stdint.h>

enum run_stage { RUN_PREPARED, RUN_RUNNING, RUN_MEASURED, RUN_SUMMARIZED, RUN_PUBLISHED };

/* How its measurement ended: of a run that is prepared or running RUN_END_NONE. */
enum run_end {
    RUN_END_NONE,
    RUN_END_WHOLE,
    RUN_END_STOPPED, /* `run` ended with another exit code than 0 */
    RUN_END_CUT_OFF, /* there are records, and nobody wrote down how it ended: killed */
};

struct run_state {
    enum run_stage stage;
    enum run_end end;
    uint64_t bytes; /* of all files */
};

struct run_state run_state_find(const char *folder);

/* "prepared", "running", "measured", "summarized", "published" */
const char *run_stage_name(enum run_stage stage);
/* "stopped", "cut off"; NULL: neither */
const char *run_end_name(enum run_end end);

#endif
