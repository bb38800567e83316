#include "report/report.h"

#include <stdlib.h>
#include <string.h>

const struct report_format report_formats[] = {
#define FORMAT(identifier, name, when, run, comparison) {name, run, comparison, report_##identifier##_run, report_##identifier##_comparison},
#define FORMAT_OF_REQUESTS(identifier, name, when, run) {name, run, NULL, report_##identifier##_run, NULL},
#include "report/formats.def"
#undef FORMAT
    {0},
};

const struct report_format *report_format_find(const char *name)
{
    for (const struct report_format *format = report_formats; format->name; format++)
        if (strcmp(format->name, name) == 0)
            return format;
    abort();
}
