#include "stats/conversations.h"

#include <math.h>

#include "base/units.h"

#define SECONDS_PER_HOUR 3600.0

struct conversations conversations_of(const struct level_summary *level, int64_t calls, int64_t price_micro_usd)
{
    double per_turn = (double)calls, turns = level->rate[RATE_REQUEST_RPS] / per_turn;
    double price = price_micro_usd > 0 && turns > 0 ? units_usd(price_micro_usd) : NAN;
    return (struct conversations){
        .at_once = level_is_open_loop(level) ? NAN : level->load / per_turn,
        .turns_per_s = turns,
        .turn_ms = level->latency[LATENCY_E2E].percentile[P50] * per_turn,
        .usd_per_1000_turns = price / (turns * SECONDS_PER_HOUR) * 1000,
    };
}
