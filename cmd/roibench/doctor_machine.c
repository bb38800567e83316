#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/lag.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/roibench/doctor.h"
#include "net/headroom.h"

#define MACHINE ""
#define MEMORY_BASE ((int64_t)64 << 20)   /* of a run with few streams, the measured results in writing included */
#define MEMORY_A_STREAM ((int64_t)40000)  /* connection, request, arrivals: twice the ceiling that tests/bench holds it to */
#define READINGS 1000
#define READING_SLOW_NS 500 /* a clock that is read by a system call: not by the vDSO */
#define WAITS 100
#define LATE_NS NS_PER_MS   /* what validity allows the client */
#define PROBE_BYTES ((size_t)1 << 20)
#define SYNC_SLOW_NS NS_PER_S
#define ROOM_LOW ((uint64_t)1 << 30)
#define ROOM_NEEDED ((uint64_t)8 << 20) /* run refuses to begin with less */
#define NAME_SIZE 64

/* --- CPU and memory ---------------------------------------------------------------------------- */

static void look_at_cpu(struct doctor *doctor)
{
    double quota = cgroup_cpu_quota(MACHINE);
    int cpus = cgroup_cpus(MACHINE);
    struct cgroup_throttling throttling = cgroup_throttling(MACHINE);
    char limit[NAME_SIZE] = "no quota", span[UNITS_TEXT_SIZE], since[NAME_SIZE + UNITS_TEXT_SIZE] = "";
    if (isfinite(quota))
        snprintf(limit, sizeof limit, "a quota of %.3g", quota);
    if (throttling.periods > 0 && throttling.throttled_ns >= 0)
        snprintf(since, sizeof since, "; throttled %lld times since it was started, for %s", (long long)throttling.periods,
                 units_format_duration(throttling.throttled_ns, span));
    if (quota < 1)
        doctor_tell(doctor, HEALTH_WARNING, "cpu",
                    "%s CPUs%s. The client stands still when that is used up, and what comes then is stamped late: give it 1 or more, or no limit",
                    limit, since);
    else
        doctor_tell(doctor, HEALTH_FINE, "cpu", "%d CPU%s (%s) for %d worker%s%s", cpus, cpus == 1 ? "" : "s", limit, doctor->workers,
                    doctor->workers == 1 ? "" : "s", since);
}

static void look_at_memory(struct doctor *doctor)
{
    int64_t limit = cgroup_memory_limit(MACHINE), needed = MEMORY_BASE + doctor->streams * MEMORY_A_STREAM;
    int64_t pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const char *what = limit >= 0 ? "the container's limit" : "the machine's";
    char found_text[UNITS_TEXT_SIZE], needed_text[UNITS_TEXT_SIZE];
    int64_t found = limit >= 0 ? limit : pages > 0 && page > 0 ? pages * page : -1;
    if (found < 0) {
        doctor_tell(doctor, HEALTH_WARNING, "memory", "cannot be found out");
        return;
    }
    units_format_bytes((uint64_t)found, found_text);
    units_format_bytes((uint64_t)needed, needed_text);
    if (found < needed)
        doctor_tell(doctor, HEALTH_LACKS, "memory", "%s (%s), and %lld streams need some %s. Raise the limit, or use fewer streams", found_text, what,
                    (long long)doctor->streams, needed_text);
    else
        doctor_tell(doctor, HEALTH_FINE, "memory", "%s (%s); %lld streams need some %s", found_text, what, (long long)doctor->streams, needed_text);
}

/* --- connections --------------------------------------------------------------------------------- */

static void look_at_files(struct doctor *doctor, const struct headroom *room)
{
    int64_t needed = headroom_files(doctor->streams, doctor->target_count, doctor->workers);
    if (room->files_max < 0)
        doctor_tell(doctor, HEALTH_WARNING, "open files", "the limit cannot be found out");
    else if (room->files_max < needed)
        doctor_tell(doctor, HEALTH_LACKS, "open files",
                    "at most %lld, and %lld streams need %lld. Raise the limit (ulimit -n, or the container runtime's setting), or use fewer streams",
                    (long long)room->files_max, (long long)doctor->streams, (long long)needed);
    else
        doctor_tell(doctor, HEALTH_FINE, "open files", "up to %lld; %lld streams need %lld", (long long)room->files_max, (long long)doctor->streams,
                    (long long)needed);
}

static void look_at_ports(struct doctor *doctor, const struct headroom *room)
{
    if (room->ports < 0) {
        doctor_tell(doctor, HEALTH_WARNING, "local ports", "/proc/sys/net/ipv4/ip_local_port_range cannot be read");
        return;
    }
    long long there = room->ports - room->ports_in_use;
    if (there < doctor->streams)
        doctor_tell(doctor, HEALTH_LACKS, "local ports",
                    "%lld of %lld are free, and %lld streams need one each. Widen net.ipv4.ip_local_port_range, wait a minute (TIME_WAIT), or use "
                    "fewer streams", there, (long long)room->ports, (long long)doctor->streams);
    else
        doctor_tell(doctor, HEALTH_FINE, "local ports", "%lld of %lld are free%s; %lld streams need one each", there, (long long)room->ports,
                    doctor->target_count > 0 ? " towards the target" : "", (long long)doctor->streams);
}

/* --- time ------------------------------------------------------------------------------------------ */

/* Without its line end; "" if there is no such file. */
static void read_name(const char *path, char name[NAME_SIZE])
{
    cleanup_buf struct buf text = BUF_INIT(NAME_SIZE - 1);
    name[0] = '\0';
    if (file_read(path, &text, ERROR_INTERNAL, NULL) == 0)
        snprintf(name, NAME_SIZE, "%.*s", (int)strcspn(buf_text(&text), "\n"), buf_text(&text));
}

static void look_at_clock(struct doctor *doctor)
{
    const struct clock *clock = doctor->app->clock;
    struct timespec resolution = {0};
    char source[NAME_SIZE];
    read_name("/sys/devices/system/clocksource/clocksource0/current_clocksource", source);
    clock_getres(CLOCK_MONOTONIC, &resolution);
    int64_t begun = clock_now(clock);
    for (int k = 0; k < READINGS; k++)
        clock_now(clock);
    int64_t reading = (clock_now(clock) - begun) / READINGS, step = resolution.tv_sec * NS_PER_S + resolution.tv_nsec;
    const char *name = source[0] ? source : "unknown";
    if (reading > READING_SLOW_NS || step > NS_PER_US)
        doctor_tell(doctor, HEALTH_WARNING, "clock",
                    "source %s: %lld ns a reading, resolution %lld ns. Every arrival is stamped: better are the clock sources tsc and kvm-clock",
                    name, (long long)reading, (long long)step);
    else
        doctor_tell(doctor, HEALTH_FINE, "clock", "source %s: %lld ns a reading, resolution %lld ns", name, (long long)reading, (long long)step);
}

/* Dates in reports, and the only thing that shards on several machines meet by. */
static void look_at_synchronization(struct doctor *doctor)
{
    int64_t error_ns = -1;
    char span[UNITS_TEXT_SIZE];
    int synchronized = clock_system_synchronized(&error_ns);
    if (synchronized == 1)
        doctor_tell(doctor, HEALTH_FINE, "date", "synchronized, by the kernel's word to within %s", units_format_duration(error_ns, span));
    else
        doctor_tell(doctor, HEALTH_WARNING, "date", "%s. Only shards on several machines (run --shard) need that: let NTP run there",
                    synchronized == 0 ? "not synchronized" : "the kernel does not tell whether it is synchronized");
}

/* How late we wake up from waiting for a deadline, as the event loop does. */
static void look_at_timers(struct doctor *doctor)
{
    const struct clock *clock = doctor->app->clock;
    struct lag *late = mem_alloc(sizeof *late);
    for (int k = 0; k < WAITS && !*doctor->app->stop; k++) {
        const struct timespec span = {.tv_nsec = NS_PER_MS};
        int64_t deadline = clock_now(clock) + NS_PER_MS;
        if (ppoll(NULL, 0, &span, NULL) == 0)
            lag_add(late, clock_now(clock) - deadline);
    }
    struct lag_summary summary = lag_summarize(late);
    int slack = prctl(PR_GET_TIMERSLACK);
    free(late);
    if (summary.p99 > LATE_NS)
        doctor_tell(doctor, HEALTH_WARNING, "timers",
                    "%d waits of 1 ms ended late by %.0f us (p50) and %.0f us (p99); slack %d us. The CPU is not there when it is needed: fewer "
                    "neighbours, or a CPU request as high as the limit", WAITS, (double)summary.p50 / 1e3, (double)summary.p99 / 1e3, slack / 1000);
    else
        doctor_tell(doctor, HEALTH_FINE, "timers", "%d waits of 1 ms ended late by %.0f us (p50) and %.0f us (p99); slack %d us", WAITS,
                    (double)summary.p50 / 1e3, (double)summary.p99 / 1e3, slack / 1000);
}

/* --- disk -------------------------------------------------------------------------------------------- */

/* Writes and syncs 1 MB; ns, or -1 with errno. Leaves nothing. */
static int64_t time_sync(const struct doctor *doctor, const char *folder)
{
    cleanup_free char *path = file_join(folder, ".doctor.XXXXXX");
    cleanup_free char *bytes = mem_calloc(PROBE_BYTES, 1);
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    unlink(path);
    int64_t begun = clock_now(doctor->app->clock);
    ssize_t written = write(fd, bytes, PROBE_BYTES);
    int status = written == (ssize_t)PROBE_BYTES ? fsync(fd) : -1;
    int64_t took = clock_now(doctor->app->clock) - begun;
    int reason = written >= 0 && written < (ssize_t)PROBE_BYTES ? ENOSPC : errno;
    close(fd);
    errno = reason;
    return status < 0 ? -1 : took;
}

static void look_at_disk(struct doctor *doctor)
{
    const char *folder = doctor->workspace;
    struct statvfs room;
    char room_text[UNITS_TEXT_SIZE], reason[128], took_text[UNITS_TEXT_SIZE];
    if (!file_exists(folder)) {
        doctor_tell(doctor, HEALTH_WARNING, "workspace", "%s is not there yet: prepare makes it", folder);
        return;
    }
    int64_t took = file_is_folder(folder) ? time_sync(doctor, folder) : (errno = ENOTDIR, -1);
    if (took < 0) {
        doctor_tell(doctor, HEALTH_LACKS, "workspace", "%s: nothing can be written there: %s. Mount it writable, or give another --workspace", folder,
                    strerror_r(errno, reason, sizeof reason));
        return;
    }
    uint64_t bytes = statvfs(folder, &room) == 0 ? (uint64_t)room.f_bavail * room.f_frsize : 0;
    units_format_bytes(bytes, room_text);
    units_format_duration(took, took_text);
    if (bytes < ROOM_NEEDED)
        doctor_tell(doctor, HEALTH_LACKS, "workspace", "%s: %s are left. Make room", folder, room_text);
    else if (bytes < ROOM_LOW || took > SYNC_SLOW_NS)
        doctor_tell(doctor, HEALTH_WARNING, "workspace", "%s: %s are left, 1 MB is on the disk after %s. New requests wait "
                    "for a disk that does not keep up with the records", folder, room_text, took_text);
    else
        doctor_tell(doctor, HEALTH_FINE, "workspace", "%s: %s are left, 1 MB is on the disk after %s", folder, room_text, took_text);
}

void doctor_look_at_machine(struct doctor *doctor)
{
    struct headroom room;
    headroom_look(MACHINE, doctor->target_count > 0 ? doctor->targets[0] : "http://127.0.0.1/", &room);
    look_at_cpu(doctor);
    look_at_memory(doctor);
    look_at_files(doctor, &room);
    look_at_ports(doctor, &room);
    look_at_clock(doctor);
    look_at_synchronization(doctor);
    look_at_timers(doctor);
    look_at_disk(doctor);
}
