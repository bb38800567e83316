/* summary.yaml and comparison.yaml: what summary.json and comparison.json say. */
#include "base/yaml.h"
#include "report/report_json.h"

static void append_document(json_t *document, struct buf *out)
{
    yaml_append(document, out); /* what does not fit shows in out->overflowed */
    json_decref(document);
}

void report_yaml_run(const struct run_summary *summary, struct buf *out)
{
    append_document(report_json_of_run(summary), out);
}

void report_yaml_comparison(const struct comparison *comparison, struct buf *out)
{
    append_document(report_json_of_comparison(comparison), out);
}
