#include "base/random.h"

#include <errno.h>
#include <math.h>
#include <sys/random.h>

static uint64_t random_splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

#define FNV_OFFSET UINT64_C(0xCBF29CE484222325)
#define FNV_PRIME UINT64_C(0x100000001B3)

static uint64_t random_hash_text(const char *text)
{
    uint64_t hash = FNV_OFFSET;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
    return hash;
}

static uint64_t random_hash_number(uint64_t number)
{
    uint64_t hash = FNV_OFFSET;

    for (int i = 0; i < 8; i++)
        hash = (hash ^ (number >> (8 * i) & 0xFF)) * FNV_PRIME;
    return hash;
}

void random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = random_splitmix(&seed);
}

void random_derive(struct random *random, uint64_t seed, const char *label, uint64_t a, uint64_t b)
{
    const uint64_t parts[] = {random_hash_text(label), random_hash_number(a), random_hash_number(b)};

    for (int i = 0; i < 3; i++) {
        uint64_t state = random_splitmix(&seed) ^ parts[i];

        seed = random_splitmix(&state);
    }
    random_seed(random, seed);
}

static uint64_t random_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t random_u64(struct random *random)
{
    uint64_t *s = random->state;
    const uint64_t result = random_rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = random_rotate(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    __extension__ unsigned __int128 product = random_u64(random);

    product *= bound;
    if ((uint64_t)product < bound) {
        const uint64_t threshold = -bound % bound;

        while ((uint64_t)product < threshold) {
            product = random_u64(random);
            product *= bound;
        }
    }
    return (uint64_t)(product >> 64);
}

double random_uniform(struct random *random)
{
    return (double)(random_u64(random) >> 11) * 0x1p-53;
}

#define LN2_HIGH 0x1.62e42fefa3800p-1
#define LN2_LOW 0x1.ef35793c76730p-45

/* log and exp of libm differ in their last bit between processors with and without fused multiply-add, and plans
 * must not: these two use + - * / only. x > 0 and normal; ln((1+s)/(1-s)) = 2 (s + s^3/3 + s^5/5 + ...), |s| < 0.172. */
static double random_log(double x)
{
    int exponent;
    double mantissa = frexp(x, &exponent);

    if (mantissa < M_SQRT1_2) {
        mantissa *= 2;
        exponent--;
    }

    const double s = (mantissa - 1) / (mantissa + 1), square = s * s;
    double sum = 0;

    for (int k = 23; k >= 1; k -= 2)
        sum = sum * square + 1.0 / k;
    return exponent * LN2_HIGH + (exponent * LN2_LOW + 2 * s * sum);
}

/* e^x = 2^k e^r with |r| <= ln 2 / 2, e^r by its Taylor series. */
static double random_exp(double x)
{
    if (x > 709.0)
        return HUGE_VAL;
    if (x < -708.0)
        return 0;

    const double k = nearbyint(x / M_LN2), r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double sum = 1;

    for (int n = 16; n >= 1; n--)
        sum = 1 + sum * r / n;
    return ldexp(sum, (int)k);
}

/* (0, 1): its logarithm is finite. */
static double random_positive(struct random *random)
{
    return ((double)(random_u64(random) >> 12) + 0.5) * 0x1p-52;
}

double random_exponential(struct random *random, double mean)
{
    return -mean * random_log(random_positive(random));
}

double random_normal(struct random *random, double mean, double stddev)
{
    double u, v, square;

    do {
        u = 2 * random_uniform(random) - 1;
        v = 2 * random_uniform(random) - 1;
        square = u * u + v * v;
    } while (square >= 1 || square < 0x1p-100);
    return mean + stddev * u * sqrt(-2 * random_log(square) / square);
}

double random_gamma(struct random *random, double shape, double scale)
{
    if (shape < 1) { /* gamma(a) = gamma(a + 1) U^(1/a), the end of their section 6 */
        const double power = random_exp(random_log(random_positive(random)) / shape);

        return random_gamma(random, shape + 1, scale) * power;
    }

    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

    for (;;) {
        const double x = random_normal(random, 0, 1), v = (1 + c * x) * (1 + c * x) * (1 + c * x);

        if (v > 0 && random_log(random_positive(random)) < 0.5 * x * x + d - d * v + d * random_log(v))
            return d * v * scale;
    }
}

double random_lognormal(struct random *random, double mu, double sigma)
{
    return random_exp(random_normal(random, mu, sigma));
}

int random_bytes(void *bytes, size_t length)
{
    unsigned char *at = bytes;

    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        at += got;
        length -= (size_t)got;
    }
    return 0;
}
