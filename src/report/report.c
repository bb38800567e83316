#include "report/report.h"

#include <stdlib.h>
#include <string.h>

const struct report_format report_formats[] = {
#define FORMAT(format, run, comparison) {#format, run, comparison, report_##format##_run, report_##format##_comparison},
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
