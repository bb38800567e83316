#include "base/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

static int64_t clock_read(clockid_t id)
{
    struct timespec at = {0};

    clock_gettime(id, &at);
    return (int64_t)at.tv_sec * NS_PER_S + at.tv_nsec;
}

static int64_t clock_system_now(void *context)
{
    (void)context;
    return clock_read(CLOCK_MONOTONIC);
}

static int64_t clock_system_realtime(void *context)
{
    (void)context;
    return clock_read(CLOCK_REALTIME);
}

static void clock_system_sleep_until(void *context, int64_t deadline)
{
    (void)context;
    if (deadline <= 0)
        return;

    struct timespec at = {.tv_sec = deadline / NS_PER_S, .tv_nsec = deadline % NS_PER_S};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

const struct clock *clock_system(void)
{
    static const struct clock system_clock = {
        .now = clock_system_now,
        .realtime = clock_system_realtime,
        .sleep_until = clock_system_sleep_until,
    };

    return &system_clock;
}

int clock_system_synchronized(int64_t *max_error_ns)
{
    struct timex state = {0};
    const int result = adjtimex(&state);

    *max_error_ns = -1;
    if (result < 0)
        return -1;
    if (result == TIME_ERROR || (state.status & STA_UNSYNC))
        return 0;
    *max_error_ns = state.maxerror * NS_PER_US;
    return 1;
}

static int64_t clock_fake_now(void *context)
{
    return ((struct clock_fake *)context)->now;
}

static int64_t clock_fake_realtime(void *context)
{
    const struct clock_fake *fake = context;

    return fake->now + fake->realtime_offset;
}

static void clock_fake_sleep_until(void *context, int64_t deadline)
{
    struct clock_fake *fake = context;

    if (deadline > fake->now)
        fake->now = deadline;
}

struct clock clock_fake_clock(struct clock_fake *fake)
{
    return (struct clock){
        .now = clock_fake_now,
        .realtime = clock_fake_realtime,
        .sleep_until = clock_fake_sleep_until,
        .context = fake,
    };
}

const char *clock_format_rfc3339(int64_t realtime_ns, int digits, char *buffer)
{
    int64_t seconds = realtime_ns / NS_PER_S, fraction = realtime_ns % NS_PER_S;
    struct tm date;
    char point[16] = "";

    if (fraction < 0) {
        fraction += NS_PER_S;
        seconds--;
    }
    gmtime_r(&seconds, &date);
    if (digits > 0) {
        snprintf(point, sizeof point, ".%09d", (int)fraction);
        point[1 + (digits < 9 ? digits : 9)] = '\0';
    }

    size_t length = strftime(buffer, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &date);

    snprintf(buffer + length, CLOCK_RFC3339_SIZE - length, "%sZ", point);
    return buffer;
}

/* Reads exactly `count` digits and then `end` (any, if 0); moves *text behind them. -1: not there. */
static int clock_parse_digits(const char **text, int count, char end)
{
    int value = 0;

    for (int i = 0; i < count; i++, (*text)++) {
        if (!isdigit((unsigned char)**text))
            return -1;
        value = value * 10 + (**text - '0');
    }
    if (end) {
        if (**text != end)
            return -1;
        (*text)++;
    }
    return value;
}

/* ".123" -> 123000000. Returns -1 when there is a point and no 1 to 9 digits behind it. */
static int64_t clock_parse_fraction(const char **text)
{
    int64_t value = 0;
    int digits = 0;

    if (**text != '.')
        return 0;
    for ((*text)++; isdigit((unsigned char)**text); (*text)++, digits++) {
        if (digits == 9)
            return -1;
        value = value * 10 + (**text - '0');
    }
    if (digits == 0)
        return -1;
    for (; digits < 9; digits++)
        value *= 10;
    return value;
}

/* Z or +hh:mm up to the end of the text, in seconds. */
static int clock_parse_zone(const char *text, int64_t *seconds)
{
    const bool west = *text == '-';

    *seconds = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return 0;
    if (*text != '+' && *text != '-')
        return -1;
    text++;

    int hours = clock_parse_digits(&text, 2, ':'), minutes = hours < 0 ? -1 : clock_parse_digits(&text, 2, 0);

    if (minutes < 0 || hours > 23 || minutes > 59 || *text)
        return -1;
    *seconds = (west ? -60 : 60) * (int64_t)(hours * 60 + minutes);
    return 0;
}

/* Does the calendar have this day, the day this time? timegm would make 1 March of 29 February. */
static bool clock_is_date(const struct tm *date)
{
    struct tm day = {.tm_year = date->tm_year, .tm_mon = date->tm_mon, .tm_mday = date->tm_mday};

    timegm(&day);
    return day.tm_mday == date->tm_mday && day.tm_mon == date->tm_mon && date->tm_hour < 24 && date->tm_min < 60 &&
           date->tm_sec <= 60;
}

int clock_parse_rfc3339(const char *text, int64_t *realtime_ns)
{
    struct tm date = {0};
    int64_t zone, fraction, seconds;

    if ((date.tm_year = clock_parse_digits(&text, 4, '-')) < 0 || (date.tm_mon = clock_parse_digits(&text, 2, '-')) < 1 ||
        (date.tm_mday = clock_parse_digits(&text, 2, 0)) < 1 || (*text != 'T' && *text != 't'))
        return -1;
    text++;
    if ((date.tm_hour = clock_parse_digits(&text, 2, ':')) < 0 || (date.tm_min = clock_parse_digits(&text, 2, ':')) < 0 ||
        (date.tm_sec = clock_parse_digits(&text, 2, 0)) < 0 || (fraction = clock_parse_fraction(&text)) < 0 ||
        clock_parse_zone(text, &zone) < 0)
        return -1;
    date.tm_year -= 1900;
    date.tm_mon -= 1;
    if (!clock_is_date(&date))
        return -1;
    seconds = timegm(&date) - zone;
    if (__builtin_mul_overflow(seconds, NS_PER_S, &seconds) || __builtin_add_overflow(seconds, fraction, realtime_ns))
        return -1;
    return 0;
}
