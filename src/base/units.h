/* Numbers with units, as people type and read them. */
#ifndef ROIBENCH_BASE_UNITS_H
#define ROIBENCH_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "30" (seconds), "250ms", "1.5s", "2m", "1h" -> ns. Returns 0, or -1: not a duration, negative, or beyond 10^9 s. */
int units_parse_duration(const char *text, int64_t *ns);
/* A whole text that is one finite number. */
int units_parse_number(const char *text, double *number);
int units_parse_integer(const char *text, int64_t *integer);
#define UNITS_USD_MAX INT64_C(1000000000) /* dollars */
/* Dollars to integer micro-dollars: "0.85", "$3.40". At most 6 decimals, at most UNITS_USD_MAX. */
int units_parse_usd(const char *text, int64_t *micro_usd);

/* Micro-dollars as dollars, for output; what is below 0 is not known: NAN. */
double units_usd(int64_t micro_usd);

#define UNITS_TEXT_SIZE 48

/* "850 ms", "1.2 s", "2 m 05 s" */
const char *units_format_duration(int64_t ns, char *buffer);
/* "512 B", "1.4 kB", "3.2 MB" (powers of 1000) */
const char *units_format_bytes(uint64_t bytes, char *buffer);
/* Thousands separated by commas, `decimals` digits after the point: "12,345.6" */
const char *units_format_number(double number, int decimals, char *buffer);
/* A load without needless zeros: 5, 0.25, 12.5 */
const char *units_format_load(double load, char *buffer);
/* "$3.40", "$0.000123": at least two decimals, at most six */
const char *units_format_usd(int64_t micro_usd, char *buffer);
/* Of a price that was computed: cents, below a dollar four decimals. Finite, below UNITS_USD_MAX. */
const char *units_format_usd_rounded(double usd, char *buffer);

#endif
