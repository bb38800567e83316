/* prompts: what bodies of 5,000 prompt tokens cost, as text and as ids: seconds of CPU for 10,000 of them, and calls of the allocator.
 *
 * The material is learned from the simulator's tokenizer, without a server. Ends 1 beyond the limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "plan/calibrate.h"
#include "plan/prompts.h"
#include "plan/scenario.h"
#include "serve/tokenizer.h"

#define BODIES 10000
#define TOKENS 5000
#define SECONDS_MAX 5
#define WARM 3 /* bodies until the buffers have grown */

void *__libc_malloc(size_t size);                /* NOLINT: glibc's names */
void *__libc_realloc(void *block, size_t size);  /* NOLINT */
void *__libc_calloc(size_t count, size_t size);  /* NOLINT */

static long allocations;

void *malloc(size_t size) /* NOLINT */
{
    allocations++;
    return __libc_malloc(size);
}

void *realloc(void *block, size_t size) /* NOLINT */
{
    allocations++;
    return __libc_realloc(block, size);
}

void *calloc(size_t count, size_t size) /* NOLINT */
{
    allocations++;
    return __libc_calloc(count, size);
}

static int64_t count(void *context, const char *text, size_t length, struct error *err)
{
    (void)context;
    (void)err;
    return (int64_t)tokenizer_encode(text, length, NULL, 0);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int measure(const char *name, enum endpoint endpoint, struct material *material, int64_t prefix)
{
    struct plan *plan = plan_new();
    struct buf body = BUF_INIT(PROMPT_BODY_MAX);
    struct prompt_lengths lengths;
    struct error err;
    plan->model = "bench";
    plan->workload.endpoint = endpoint;
    plan->workload.prompt = token_lengths_fixed(TOKENS);
    plan->workload.output = token_lengths_fixed(100);
    plan->workload.shared_prefix_tokens = prefix;
    memcpy(plan->nonce, "00112233445566778899aabbccddeeff", PLAN_NONCE_SIZE);
    struct prompts *prompts = prompts_new(plan, material);
    double bytes = 0, begin = 0;
    long before = 0;
    for (int64_t i = -WARM; i < BODIES; i++) {
        if (i == 0) {
            begin = cpu_seconds();
            before = allocations;
        }
        if (prompts_body(prompts, 0, 0, i + WARM, &body, &lengths, &err) < 0)
            return 1;
        bytes += (double)body.len;
    }
    double seconds = cpu_seconds() - begin;
    long allocated = allocations - before;
    int over = seconds > SECONDS_MAX || allocated > 1 + BODIES / 1000; /* a longer text than any before makes a buffer grow */
    printf("%-22s %5.2f s for %d bodies of %d tokens (%.0f ns a token, %.0f MB/s), %ld allocations: %s\n", name, seconds, BODIES, TOKENS,
           seconds / BODIES / TOKENS * 1e9, bytes / seconds / 1e6, allocated, over ? "BEYOND" : "ok");
    prompts_free(prompts);
    plan_free(plan);
    buf_free(&body);
    return over;
}

static void learn(struct material *material)
{
    struct calibrate_counter counter = {.count = count};
    struct token_lengths wanted = token_lengths_fixed(TOKENS);
    struct error err;
    bool exact;
    if (calibrate_text(&counter, language_find(LANGUAGE_DEFAULT), &wanted, 1, material, &exact, &err) < 0 || !exact)
        exit(1);
}

int main(void)
{
    struct material words, prefixed, ids = {.ids = mem_calloc(1000, sizeof *ids.ids), .id_count = 1000};
    for (size_t k = 0; k < ids.id_count; k++)
        ids.ids[k] = (int32_t)(1000 + 97 * k);
    learn(&words);
    learn(&prefixed);
    int over = measure("text", ENDPOINT_CHAT, &words, 0);
    over |= measure("text, shared prefix", ENDPOINT_CHAT, &prefixed, TOKENS / 2);
    over |= measure("token ids", ENDPOINT_COMPLETIONS, &ids, 0);
    return over;
}
