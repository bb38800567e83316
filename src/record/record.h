/* One request as it was measured: the line of records.jsonl.gz.
 *
 * Times are integer ns from the run's anchor; TIME_NEVER: it never happened (the field is absent in the file).
 * Counts of -1 are unknown (absent in the file). Definitions: docs/metrics.md. */
#ifndef ROIBENCH_RECORD_RECORD_H
#define ROIBENCH_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

enum __attribute__((packed)) outcome { OUTCOME_OK, OUTCOME_ERROR, OUTCOME_INCOMPLETE };

enum __attribute__((packed)) failure {
    FAILURE_NONE,
    FAILURE_DNS, FAILURE_LOCAL, FAILURE_CONNECT, FAILURE_TLS, FAILURE_TIMEOUT, FAILURE_STALL, FAILURE_RESET,
    FAILURE_TRUNCATED, FAILURE_PROTOCOL, FAILURE_HTTP_4XX, FAILURE_HTTP_429, FAILURE_HTTP_5XX, FAILURE_ERROR_EVENT,
    FAILURE_CANCELLED,
    FAILURE_COUNT
};

enum __attribute__((packed)) chunk_tokens { CHUNK_TOKENS_NONE, CHUNK_TOKENS_EXACT, CHUNK_TOKENS_INFERRED, CHUNK_TOKENS_COUNTED };

const char *outcome_name(enum outcome outcome);
const char *failure_name(enum failure failure); /* "" for none */
const char *chunk_tokens_name(enum chunk_tokens how); /* "" for none */
/* By whose doing: server (connect, timeout, stall, reset, truncated, protocol, http_429, http_5xx, error_event),
 * client (dns, tls, local, http_4xx but 429), neither (none, cancelled). */
bool failure_by_server(enum failure failure);
bool failure_by_client(enum failure failure);

/* How a machine's clock stood before the load: what tells shards on several machines apart. */
struct clock_check {
    int64_t offset_ns;    /* the machine's minus the target's, by the Date of its answers */
    int64_t error_ns;     /* +/- of that; -1: not known */
    int synchronized;     /* by the kernel's word: 1 yes, 0 no, -1 not known */
    int64_t max_error_ns; /* of a synchronized clock, by the kernel's word; -1: not known */
};

#define RECORD_ID_SIZE 48

/* A run may have millions: what needs little room comes together. */
struct record {
    int level, repeat, shard, stream; /* stream: -1 in an open loop */
    int status;                       /* HTTP; 0: none came */
    int reconnected;
    int target;
    enum outcome outcome;
    enum failure failure;
    enum chunk_tokens chunk_tokens;
    bool reused;
    int64_t i;                        /* index that the body was drawn by */
    int64_t intended, sent, connected, headers, first_token, last_token, end;
    int64_t prompt_tokens, output_tokens, cached_tokens;
    int64_t chunks, arrivals, coalesced, first_tokens; /* chunks: events of the stream but [DONE] */
    int64_t bytes;                    /* of the response's body */
    int64_t conversation, turn; /* of a plan with turns, else -1; conversation: a number of the level, turn: from 0 */
    char finish_reason[32];
};

/* All times never, tokens unknown; what we count ourselves (chunks, arrivals, coalesced, bytes) is 0. */
struct record record_empty(void);

/* "<level>.<repeat>.<i>" */
void record_format_id(const struct record *record, char id[RECORD_ID_SIZE]);
int record_parse_id(const char *id, size_t length, int *level, int *repeat, int64_t *i);

/* What a line may say: small enough that differences of times and sums over a file's records fit into 64 bits. */
#define RECORD_TIME_MAX (INT64_C(2208988800) * NS_PER_S)
#define RECORD_COUNT_MAX INT64_C(100000000000)

/* One JSON object, no newline. */
void record_append_json(const struct record *record, struct buf *out);
/* Reads what record_append_json wrote (and tolerates further fields): a hand-made reader for this flat shape, since
 * 100,000 lines through a DOM would take seconds. -1: not a record; *err names what is wrong. */
int record_parse_json(const char *line, size_t length, struct record *record, struct error *err);

#endif
