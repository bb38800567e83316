/* The index of a destination: who looks there finds what was published, without unpacking anything.
 *
 *   index/<stem>.json    a receipt of each archive <stem>.tar.gz, written once by whoever put the archive there
 *   reports/<stem>.html  its report
 *   index.html, index.json   all of them (report/index_page.h), made by listing the receipts
 *
 * Pages are never changed by what they said before: they are made anew of what is listed, so no Job that publishes at the same time can lose another's row.
 * Whoever has put a page lists once more, and when there is something new, makes it once more: so the last page that is put has every receipt that was
 * put before it, and a receipt that is put later has a page put after it.
 *
 * A receipt, "roibench/published/v1":
 *   {"schema","kind":"run|comparison","id","model","hardware","server","gpus","price_per_hour","started","unit","advised_load","ttft_p95_ms","total_tps",
 *    "usd_per_million_tokens","breaking_point","peak_total_tps","conclusion","published","identity","archive":{"name","size","sha256"},"report"}
 * The numbers are those of summary.json: the first token's p95, tokens per second and price at the advised load (of repeats the worst), the breaking
 * point as a text, the peak; null where they are not known. report: is there one beside.
 *
 * index.json, "roibench/index/v1": {"schema","receipts":[{"file","tag","receipt"}...]}. A receipt whose tag is the listed one is taken from there instead of
 * being fetched. */
#ifndef ROIBENCH_SHIP_INDEX_H
#define ROIBENCH_SHIP_INDEX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ship/archive.h"
#include "ship/destination.h"
#include "ship/secrets.h"

#define INDEX_RECEIPTS_MAX ((size_t)10000)
#define INDEX_RECEIPT_SIZE_MAX ((size_t)64 << 10)
#define INDEX_REPORT_SIZE_MAX ((size_t)16 << 20) /* a report that is larger stays in the archive alone */

struct index_publication {
    const char *folder;   /* of the run or comparison: summary.json or comparison.json, plan.json, report.html */
    const char *id;
    bool comparison;
    bool with_report;     /* the archive holds it, so it may be seen */
    const char *identity;
    int64_t published;    /* realtime ns */
};

/* After the archive of *plan was delivered to `to`. Does nothing where the destination keeps nothing beside archives; where it cannot list, puts receipt
 * and report and no pages. Pages that are somebody else's (an index.html without our index.json) stay. A receipt that tells of the same archive stays,
 * too. ERROR_PUBLISH: the archive is there, and what of the index is not. */
int index_publish(const char *to, const struct delivery *delivery, const struct archive_plan *plan, const struct index_publication *publication,
                  struct secrets *secrets, const struct destination_settings *settings, struct error *err);
/* Makes the pages anew of what is listed; objects can list. Part of the above. */
int index_refresh(const char *to, const struct destination_objects *objects, const struct destination_settings *settings, struct error *err);

#endif
