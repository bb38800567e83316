/* Runs a command and says what it cost: measure RESULT COMMAND... writes one line into the file RESULT:
 * date of the start (ns since 1970), seconds, CPU seconds (user and system, all threads), largest resident memory (MB).
 * Ends as the command ended. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    if (argc < 3) {
        fprintf(stderr, "usage: %s RESULT COMMAND...\n", argv[0]);
        return 2;
    }
    int64_t date = read_clock(CLOCK_REALTIME), begin = read_clock(CLOCK_MONOTONIC);
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
        return 1;
    double seconds = (double)(read_clock(CLOCK_MONOTONIC) - begin) / 1e9;
    FILE *result = fopen(argv[1], "w");
    if (!result)
        return 1;
    fprintf(result, "%lld %.4f %.3f %.1f\n", (long long)date, seconds, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
            (double)usage.ru_maxrss / 1024);
    fclose(result);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
