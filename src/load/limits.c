#include "load/limits.h"

#include <math.h>

#include "base/clock.h"

#define Z_99 2.3263478740408408 /* the 99 % point of the normal distribution */

bool limits_too_many_errors(double limit, int64_t ended, int64_t failed_by_server)
{
    if (!(limit < 1) || ended < LIMITS_ERRORS_MIN)
        return false;
    double n = (double)ended, p = (double)failed_by_server / n, z2 = Z_99 * Z_99;
    double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = Z_99 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    return centre - half > limit;
}

int64_t limits_micro_usd(const struct plan *plan, int64_t elapsed)
{
    int64_t price = plan->deployment.price_micro_usd;
    return price > 0 ? llround((double)price * ((double)elapsed / (3600.0 * (double)NS_PER_S))) : 0;
}

enum level_reason limits_ceiling(const struct plan *plan, int64_t tokens, int64_t elapsed)
{
    const struct limits *limits = &plan->limits;
    if (limits->max_tokens_total > 0 && tokens >= limits->max_tokens_total)
        return LEVEL_MAX_TOKENS_TOTAL;
    if (limits->max_micro_usd >= 0 && plan->deployment.price_micro_usd >= 0 && limits_micro_usd(plan, elapsed) >= limits->max_micro_usd)
        return LEVEL_MAX_USD;
    return LEVEL_MAX_SECONDS;
}

bool limits_is_ceiling(enum level_reason reason)
{
    return reason == LEVEL_MAX_TOKENS_TOTAL || reason == LEVEL_MAX_USD;
}
