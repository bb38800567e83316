/* Random numbers that can be drawn again.
 *
 * The generator is xoshiro256** (Blackman and Vigna, 2018), seeded through
 * splitmix64. random_derive makes an independent stream from a seed and a few
 * labels (64-bit FNV-1a over each, mixed by splitmix64), so that arrivals,
 * lengths and bodies of level 3, repeat 1 are the same whatever was drawn
 * before: the same seed gives byte-identical plans on every machine.
 * Not for secrets: nonces come from random_bytes, which reads getrandom(2). */
#ifndef ROIBENCH_BASE_RANDOM_H
#define ROIBENCH_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);
/* label names the use ("arrivals", "lengths"), a and b e.g. level and repeat. */
void random_derive(struct random *random, uint64_t seed, const char *label, uint64_t a, uint64_t b);

uint64_t random_u64(struct random *random);
uint64_t random_below(struct random *random, uint64_t bound);  /* 0 <= x < bound, unbiased (Lemire); bound > 0 */
double random_uniform(struct random *random);                   /* [0, 1), 53 bits */
double random_exponential(struct random *random, double mean);  /* inverse transform */
double random_normal(struct random *random, double mean, double stddev); /* Marsaglia's polar method */
double random_gamma(struct random *random, double shape, double scale);  /* Marsaglia and Tsang 2000 */
/* mu and sigma are those of the underlying normal. */
double random_lognormal(struct random *random, double mu, double sigma);

/* Unpredictable bytes from the kernel. Returns 0, or -1 when it has none. */
int random_bytes(void *bytes, size_t length);

#endif
