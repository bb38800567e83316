#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNITS_DURATION_MAX_S 1e9
#define MICRO INT64_C(1000000)

/* Length of the decimal number at the start of text (no sign, no hex, no "inf"); 0: none. */
static size_t units_span_number(const char *text)
{
    size_t whole = strspn(text, "0123456789"), length = whole, digits = whole;

    if (text[length] == '.') {
        size_t fraction = strspn(text + length + 1, "0123456789");

        digits += fraction;
        length += 1 + fraction;
    }
    if (digits == 0)
        return 0;
    if (text[length] == 'e' || text[length] == 'E') {
        size_t sign = text[length + 1] == '-' || text[length + 1] == '+';
        size_t exponent = strspn(text + length + 1 + sign, "0123456789");

        if (exponent > 0)
            length += 1 + sign + exponent;
    }
    return length;
}

int units_parse_duration(const char *text, int64_t *ns)
{
    static const struct {
        const char *suffix;
        double seconds;
    } units[] = {{"", 1}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
    const size_t length = units_span_number(text);

    if (length == 0)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + length, units[i].suffix) != 0)
            continue;

        const double seconds = strtod(text, NULL) * units[i].seconds;

        if (!(seconds <= UNITS_DURATION_MAX_S))
            return -1;
        *ns = llround(seconds * 1e9);
        return 0;
    }
    return -1;
}

int units_parse_number(const char *text, double *number)
{
    const size_t sign = *text == '-' || *text == '+', length = units_span_number(text + sign);

    if (length == 0 || text[sign + length] != '\0')
        return -1;

    const double value = strtod(text, NULL);

    if (!isfinite(value))
        return -1;
    *number = value;
    return 0;
}

int units_parse_integer(const char *text, int64_t *integer)
{
    const size_t sign = *text == '-' || *text == '+', digits = strspn(text + sign, "0123456789");

    if (digits == 0 || text[sign + digits] != '\0')
        return -1;
    errno = 0;

    const intmax_t value = strtoimax(text, NULL, 10);

    if (errno == ERANGE)
        return -1;
    *integer = value;
    return 0;
}

int units_parse_usd(const char *text, int64_t *micro_usd)
{
    text += *text == '$';

    const size_t whole = strspn(text, "0123456789");
    const char *point = text + whole;
    const size_t fraction = *point == '.' ? strspn(point + 1, "0123456789") : 0;
    int64_t amount = 0, scale = MICRO;

    if (whole + fraction == 0 || fraction > 6 || point[*point == '.' ? 1 + fraction : 0] != '\0')
        return -1;
    for (size_t i = 0; i < whole; i++) {
        amount = amount * 10 + (text[i] - '0');
        if (amount > UNITS_USD_MAX)
            return -1;
    }
    amount *= MICRO;
    for (size_t i = 1; i <= fraction; i++) {
        scale /= 10;
        amount += scale * (point[i] - '0');
    }
    if (amount > UNITS_USD_MAX * MICRO)
        return -1;
    *micro_usd = amount;
    return 0;
}

const char *units_format_duration(int64_t ns, char *buffer)
{
    const char *sign = ns < 0 ? "-" : "";
    const double seconds = fabs((double)ns / 1e9);

    if (seconds < 0.9995) {
        const double ms = seconds * 1e3;

        snprintf(buffer, UNITS_TEXT_SIZE, "%s%.*f ms", sign, ms == 0 || ms >= 9.95 ? 0 : ms >= 0.995 ? 1 : 2, ms);
    } else if (seconds < 59.95) {
        snprintf(buffer, UNITS_TEXT_SIZE, "%s%.1f s", sign, seconds);
    } else if (seconds < 3599.5) {
        const int64_t whole = llround(seconds);

        snprintf(buffer, UNITS_TEXT_SIZE, "%s%" PRId64 " m %02" PRId64 " s", sign, whole / 60, whole % 60);
    } else {
        const int64_t minutes = llround(seconds / 60);

        snprintf(buffer, UNITS_TEXT_SIZE, "%s%" PRId64 " h %02" PRId64 " m", sign, minutes / 60, minutes % 60);
    }
    return buffer;
}

const char *units_format_bytes(uint64_t bytes, char *buffer)
{
    static const char *const names[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes / 1000;
    size_t i = 0;

    if (bytes < 1000) {
        snprintf(buffer, UNITS_TEXT_SIZE, "%" PRIu64 " B", bytes);
        return buffer;
    }
    for (; value >= 999.95 && i + 1 < sizeof names / sizeof *names; i++)
        value /= 1000;
    snprintf(buffer, UNITS_TEXT_SIZE, "%.1f %s", value, names[i]);
    return buffer;
}

/* Above this a double has no digits after the point, and commas no longer help. */
#define UNITS_PLAIN_MAX 1e15

const char *units_format_number(double number, int decimals, char *buffer)
{
    char plain[UNITS_TEXT_SIZE];
    size_t out = 0;

    decimals = decimals < 0 ? 0 : decimals > 9 ? 9 : decimals;
    if (!isfinite(number) || fabs(number) >= UNITS_PLAIN_MAX) {
        snprintf(buffer, UNITS_TEXT_SIZE, isnan(number) ? "-" : "%.6g", number);
        return buffer;
    }
    snprintf(plain, sizeof plain, "%.*f", decimals, fabs(number));
    if (number < 0 && strspn(plain, "0.") < strlen(plain))
        buffer[out++] = '-';

    const size_t whole = strcspn(plain, ".");

    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0)
            buffer[out++] = ',';
        buffer[out++] = plain[i];
    }
    snprintf(buffer + out, UNITS_TEXT_SIZE - out, "%s", plain + whole);
    return buffer;
}

const char *units_format_load(double load, char *buffer)
{
    snprintf(buffer, UNITS_TEXT_SIZE, "%.10g", load);
    return buffer;
}

double units_usd(int64_t micro_usd)
{
    return micro_usd < 0 ? NAN : (double)micro_usd / (double)MICRO;
}

const char *units_format_usd(int64_t micro_usd, char *buffer)
{
    const uint64_t amount = micro_usd < 0 ? -(uint64_t)micro_usd : (uint64_t)micro_usd;
    int length = snprintf(buffer, UNITS_TEXT_SIZE, "%s$%" PRIu64 ".%06" PRIu64, micro_usd < 0 ? "-" : "", amount / MICRO,
                          amount % MICRO);

    for (int zeros = 0; zeros < 4 && buffer[length - 1] == '0'; zeros++)
        buffer[--length] = '\0';
    return buffer;
}

const char *units_format_usd_rounded(double usd, char *buffer)
{
    /* Cents are enough for a price, not for a million cheap tokens. */
    const double step = fabs(usd) >= 1 ? 1e2 : 1e4;

    return units_format_usd(llround(round(usd * step) * (MICRO / step)), buffer);
}
