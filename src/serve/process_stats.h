/* What the process uses, for the process_* series of /metrics. Linux. */
#ifndef ROIBENCH_SERVE_PROCESS_STATS_H
#define ROIBENCH_SERVE_PROCESS_STATS_H

struct process_stats {
    double virtual_bytes, resident_bytes; /* 0: /proc is not there */
    double cpu_seconds;                   /* user and system */
    double open_fds, max_fds;
};

struct process_stats process_stats_read(void);

#endif
