/* Nothing secret leaves: every file of an archive is searched, inside gzip too, before the first byte of it goes anywhere.
 *
 * What is looked for are the shapes of wire/secret_scan.h and the user's own expressions (wire/pattern.h: linear time, so that none can hang). A find
 * is told by file, line and kind; the value is in no message. Files are searched by up to four threads. Nothing is replaced: an archive holds what its manifest has the checksums of. */
#ifndef ROIBENCH_SHIP_SECRETS_H
#define ROIBENCH_SHIP_SECRETS_H

#include <stddef.h>

#include "base/error.h"
#include "ship/archive.h"

#define SECRETS_PATTERNS_MAX 32

struct secrets;

/* patterns: of --redact. ERROR_USAGE: which of them is none, and where; an expression may be a secret itself and is not repeated. */
struct secrets *secrets_new(const char *const *patterns, size_t count, struct error *err);
void secrets_free(struct secrets *secrets);

/* ERROR_PUBLISH: "run-1/data.jsonl, line 3, holds what looks like a Bearer token. ...": the first of each file, of SECRETS_TOLD files at most, and
 * what to do; or a file that cannot be searched. ERROR_USAGE: an expression that is too complex. */
int secrets_search(struct secrets *secrets, const struct archive_plan *plan, struct error *err);
/* The same of what goes beside the archive. */
int secrets_search_bytes(struct secrets *secrets, const char *name, const char *bytes, size_t length, struct error *err);

#define SECRETS_TOLD 5

#endif
