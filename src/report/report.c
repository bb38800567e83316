#include "report/report.h"

const struct report_format report_formats[] = {
#define FORMAT(format, run, comparison) {#format, run, comparison, report_##format##_run, report_##format##_comparison},
#include "report/formats.def"
#undef FORMAT
    {0},
};
