/* plan.json: everything `run` needs to know, written by `prepare`; and the same as a struct.
 *
 * All durations and rates of a plan are in MODEL time: what a person asked for. A simulated server that runs
 * `server.time_scale` times faster than its model has them divided (durations) or multiplied (rates) by the engine;
 * on real servers the scale is 1. Times of records stay wall time. `calibration.e2e_ns` was measured and is wall time.
 *
 * A plan owns all its strings through its arena: plan_free frees everything. Strings are never NULL unless said. */
#ifndef ROIBENCH_PLAN_PLAN_H
#define ROIBENCH_PLAN_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "plan/arrival_shape.h"
#include "plan/sla.h"
#include "plan/slo.h"
#include "plan/variate.h"
#include "wire/kubernetes.h"

#define PLAN_SCHEMA "roibench/plan/v1"
#define PLAN_LEVELS_MAX 1000
#define PLAN_STREAMS_MAX 1000000
#define PLAN_NONCE_SIZE 33 /* 32 hex digits */
#define PLAN_TOKENS_MAX ((int64_t)1 << 22) /* of one prompt, and of one answer */
#define PLAN_TURNS_MAX 1000
#define PLAN_GROUPS_MAX 1000000
#define PLAN_BLOCK_TOKENS 512 /* that a hash id of a trace stands for: as in Mooncake's traces */
#define PLAN_SECONDS_MAX 1e6 /* of any duration; at the smallest scale its wall time is 10^18 ns, to which a clock's time can be added */
#define PLAN_REPEATS_MAX 1000
#define PLAN_TARGETS_MAX 64
#define PLAN_MICRO_USD_MAX ((int64_t)1000000000000000) /* 10^9 dollars */
#define PLAN_LONGER_MAX 10 /* times max_seconds that a level may last until it has its min_requests */
#define PLAN_TIME_SCALE_MIN 0.001
#define PLAN_TIME_SCALE_MAX 10000

enum load_unit { LOAD_STREAMS, LOAD_REQUESTS_PER_S };
const char *load_unit_name(enum load_unit unit); /* "streams", "req/s" */


/* One step of the load. kind is the name of a profile that has a schedule (plan/profile.h). */
struct level {
    int index;
    char kind[16];
    double load; /* streams (closed loop), or requests per second of model time (open loop) */
    enum load_unit unit;
};

/* What is known of a finished level when the next one is chosen. */
struct level_result {
    struct level level;
    double request_rps; /* ended ok inside the level, after its start phase, / that time; model time */
    bool broke, saturated; /* with --find only: as the report will say */
};

/* How many tokens: fixed when stddev is 0, else a normal distribution, rounded, drawn again outside [min, max]; PLAN_TOKENS_MAX at most.
 * Or of another kind, or as often as the bins say (plan/token_lengths.h). */
struct token_bin {
    int64_t tokens;
    double weight;
};
struct token_lengths {
    int64_t mean, stddev, min, max;
    enum variate_kind kind; /* VARIATE_CONSTANT: as stddev says; else exponential, lognormal or uniform */
    double sigma;           /* of a lognormal one */
    const struct token_bin *bins;
    size_t bin_count;       /* 0: no histogram */
    double weight;          /* of all bins */
};

/* Cut off at a level's beginning or end: a share of the level (0 <= share < 1), a time, or what stats/steady.h finds
 * (then the engine cuts nothing). */
struct trim {
    enum { TRIM_NONE, TRIM_SHARE, TRIM_TIME, TRIM_AUTO } kind;
    double share;
    int64_t ns;
};

/* The share of a level of that length (0: not known) that it cuts off; 0 where that is not known before. */
double trim_share(const struct trim *trim, int64_t level_ns);

enum endpoint { ENDPOINT_CHAT, ENDPOINT_COMPLETIONS };
enum stream_start { STREAM_START_SPREAD, STREAM_START_TOGETHER };
const char *endpoint_name(enum endpoint endpoint);         /* "chat", "completions" */
const char *endpoint_path(enum endpoint endpoint);         /* what follows the target: "/chat/completions", "/completions" */
const char *stream_start_name(enum stream_start start);    /* "spread", "together" */

/* What --find looks for: the bracket of two loads between which this begins. */
enum find_goal { FIND_NOTHING, FIND_SATURATION, FIND_BREAKING };
const char *find_goal_name(enum find_goal goal); /* NULL, "saturation", "breaking" */

/* Are prompts that begin alike served from a cache? */
enum caching { CACHING_UNKNOWN, CACHING_OFF, CACHING_ON };

/* The server as prepare's probes found it. */
struct server_identity {
    const char *kind;    /* "vllm", "sglang", "llamacpp", "tgi", "ollama", "simulator", "openai" */
    const char *version; /* "" unknown */
    const char *preset;  /* of a simulator, else "" */
    double time_scale;   /* 1 but for a simulator */
    int64_t max_model_len; /* -1 unknown */
    bool usage, continuous_usage, ignore_eos, token_ids, tokenize, metrics;
    enum caching prefix_caching; /* of equal prompts; those of a run differ in their heads */
    bool max_completion_tokens; /* what limits a chat's answer is called so, and not max_tokens */
    /* token_ids: takes arrays of token ids as prompts of /v1/completions. */
};

/* A data file that prompts come from (plan/dataset.h), as prepare left it in the workspace (plan/dataset_rows.h). */
struct workload_data {
    const char *file;      /* its name, without folders; "": none, prompts are made */
    const char *format;    /* of datasets.def */
    int64_t rows;          /* that requests take their prompts from; of conversations, one a turn */
    int64_t bad, too_long; /* left out: could not be read; do not fit into the context */
    int64_t too_short;     /* conversations of fewer turns than the plan's, left out */
    int64_t trimmed;       /* shortened until they fit */
    int64_t counted;       /* whose tokens the server counted, or which are made as long as told; of the others they are estimated */
    int64_t block_tokens;  /* that a hash id of a trace stands for */
    bool shuffled;         /* rows are taken in an order of the seed's, not the file's */
};

struct workload {
    const char *scenario; /* "" none of the named */
    enum endpoint endpoint;
    struct token_lengths prompt, output; /* of data: what its rows have */
    bool allow_prefix_cache;             /* prompts begin alike in every run of a seed; else the nonce decides their first tokens */
    struct workload_data data;
    int64_t shared_prefix_tokens;        /* of text, behind the template, that prompts of a group have in common; 0: none */
    int64_t shared_prefix_groups;        /* at least 1: how many such prefixes there are, each as likely as the others */
    int64_t turns;                       /* of a conversation that a stream holds, each request carrying what was said before; 1: requests alone */
    const char *language; /* of plan/language.h: that prompts are made in */
};

struct limits {
    int64_t max_seconds_ns; /* per level; 0: none */
    int64_t max_requests;   /* per level; 0: none */
    int64_t drain_ns, timeout_ns, stall_timeout_ns; /* timeout 0: none */
    int64_t max_concurrency;
    struct trim warmup, cooldown;
    int64_t min_requests;      /* per level: with fewer it goes on beyond max_seconds, for at most PLAN_LONGER_MAX times that; 0: none */
    double max_error_rate;     /* a level ends when a larger share of its ended requests failed by the server's doing; 1: never */
    bool stop_when_saturated;  /* an open-loop level ends when its queue grows without end (stats/growth.h) */
    int64_t max_tokens_total;  /* of the run, prompts and answers of all levels and repeats; 0: none */
    int64_t max_micro_usd;     /* of the run: its time at the deployment's price, which is known then; -1: none */
};

struct label {
    const char *name, *value;
};

struct deployment {
    const char *hardware;      /* "" unknown */
    int64_t gpus;              /* 0 unknown */
    int64_t price_micro_usd;   /* per hour, all GPUs together; -1 unknown */
    const char *price_source;  /* "" unknown */
    struct label *labels;      /* what a person wants to find the run by (plan/labels.h) */
    size_t label_count;
};

/* Why a decision was made as it was: "given by --target", "the server takes them". For people. */
struct plan_reason {
    const char *what, *why;
};

struct calibration {
    const char *method;        /* "token_ids", "tokenize", "usage": how prompt lengths were made exact */
    bool exact;                /* the server counted every checked prompt as asked */
    int64_t template_tokens;   /* tokens that the chat template (or BOS) adds to an empty prompt, inside the asked length */
    int64_t turn_tokens;       /* that the chat template adds to a later turn: around the answer before it and around its message */
    int64_t e2e_ns;            /* wall time of one full-length request, alone; 0 unknown */
};

struct plan {
    struct arena *arena;
    const char *run_id;
    int64_t created;           /* realtime ns */
    const char *target;        /* "http(s)://host.../v1", no trailing slash, no secrets */
    const char **other_targets; /* the same model elsewhere: requests go to all in turn, `target` first */
    size_t other_target_count;
    bool insecure;             /* its certificate was not verified, as the user wished */
    const char **header_names; /* headers that requests must carry; their values may be secrets and are given again */
    size_t header_count;
    const char *ca_file;       /* that its certificate was verified with, absolute; "": the usual roots */
    const char *model;
    struct server_identity server;
    const char *profile;       /* name of a row of profiles.def */
    struct level *levels;      /* none for a sweep that finds its own */
    size_t level_count;
    int64_t sweep_levels;      /* how many levels such a sweep has */
    const char *sweep_arrivals; /* "constant" | "poisson" */
    struct arrival_shape arrival_shape;
    enum stream_start stream_start;
    struct variate think_time; /* of a closed loop's stream, from an answer's end to its next request, s; all zero: none */
    int64_t repeat;            /* how often each level is run, at least once */
    enum find_goal find;
    int64_t refine;            /* halvings of the bracket that `find` looks for */
    struct workload workload;
    struct limits limits;
    struct sla sla;            /* by which its levels are judged; texts are the arena's */
    struct slo slo;            /* what a request has to meet for goodput; all zero: nothing was given */
    struct deployment deployment;
    struct kubernetes_facts *kubernetes; /* NULL: not asked */
    uint64_t seed;
    char nonce[PLAN_NONCE_SIZE];
    struct calibration calibration;
    struct plan_reason *reasons;
    size_t reason_count;
};

struct plan *plan_new(void); /* all zero, strings "", time_scale 1, price -1, nothing limited, each level once */
void plan_free(struct plan *plan);

/* A new reference (json_decref). */
json_t *plan_to_json(const struct plan *plan);
/* Reads and checks <folder>/plan.json: ranges too, so that nobody behind it need check again. ERROR_USAGE naming file, path, expected. */
struct plan *plan_read(const char *path, struct error *err);
/* "6 levels of concurrent: 1, 3, 5, 8, 10, 15 streams; 256 + 256 tokens; 60 s each" for people. Appends to out. */
void plan_describe(const struct plan *plan, struct buf *out);

/* Request i of a closed-loop level of so many streams: which conversation it belongs to, by a number of the level, and which of its turns it is. */
struct turn {
    int64_t conversation;
    int64_t turn; /* from 0; -1: the plan has no conversations */
};
struct turn plan_turn(const struct plan *plan, int64_t streams, int64_t i);
/* Of a whole conversation's requests, on average, and of its last at most: turns carry all that was said before. (Lengths of data have it in them.) */
double plan_mean_prompt_tokens(const struct plan *plan);
int64_t plan_max_prompt_tokens(const struct plan *plan);

/* A duration of the plan (model time) as wall time. */
int64_t plan_wall_ns(const struct plan *plan, int64_t model_ns);

/* The think time before request i of a closed-loop level: wall time, the same whoever asks and in which order. */
int64_t plan_think_ns(const struct plan *plan, int level, int repeat, int64_t i);
/* Its mean, wall time. */
int64_t plan_mean_think_ns(const struct plan *plan);

/* The level that follows `done_count` finished ones. 1: *next is filled; 0: the plan is done. */
int plan_next_level(const struct plan *plan, const struct level_result *done, size_t done_count, struct level *next);

#endif
