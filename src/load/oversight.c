#include "load/oversight.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "plan/profile.h"
#include "stats/level_judge.h"

static int64_t model_ns(const struct oversight *oversight, int64_t wall)
{
    return wall == TIME_NEVER ? wall : llround((double)wall * oversight->plan->server.time_scale);
}

void oversight_init(struct oversight *oversight, const struct plan *plan)
{
    *oversight = (struct oversight){.plan = plan};
    pthread_mutex_init(&oversight->lock, NULL);
}

void oversight_free(struct oversight *oversight)
{
    pthread_mutex_destroy(&oversight->lock);
    free(oversight->samples);
    growth_free(&oversight->growth);
}

void oversight_begin(struct oversight *oversight, const struct level *level, int64_t measure_start)
{
    oversight->open_loop = level->unit == LOAD_REQUESTS_PER_S;
    oversight->finds = oversight->plan->find != FIND_NOTHING;
    oversight->watches = oversight->plan->limits.stop_when_saturated && oversight->open_loop;
    oversight->measure_start = measure_start;
    oversight->count = 0;
    growth_free(&oversight->growth);
}

void oversight_first_token(struct oversight *oversight, const struct record *record)
{
    if (!oversight->watches)
        return;
    pthread_mutex_lock(&oversight->lock);
    growth_add_ttft(&oversight->growth, model_ns(oversight, record->first_token - oversight->measure_start),
                    model_ns(oversight, record->first_token - record->intended));
    pthread_mutex_unlock(&oversight->lock);
}

void oversight_add(struct oversight *oversight, const struct record *record)
{
    if (!oversight->finds)
        return;
    struct level_sample sample = level_sample_of(record);
    int64_t *const times[] = {&sample.intended, &sample.sent, &sample.first_token, &sample.end};
    for (size_t k = 0; k < sizeof times / sizeof times[0]; k++)
        *times[k] = model_ns(oversight, *times[k]);
    pthread_mutex_lock(&oversight->lock);
    MEM_GROW(oversight->samples, oversight->capacity, oversight->count + 1);
    oversight->samples[oversight->count++] = sample;
    pthread_mutex_unlock(&oversight->lock);
}

bool oversight_sees_growth(struct oversight *oversight, int64_t now, int64_t due, int64_t ended)
{
    if (!oversight->watches || now < oversight->measure_start)
        return false;
    int64_t t = model_ns(oversight, now - oversight->measure_start);
    pthread_mutex_lock(&oversight->lock);
    growth_add_count(&oversight->growth, t, due, ended);
    bool found = growth_found(&oversight->growth, t);
    pthread_mutex_unlock(&oversight->lock);
    return found;
}

void oversight_judge(struct oversight *oversight, const struct level_end *end, double queue_share_above, struct level_result *result)
{
    const struct limits *limits = &oversight->plan->limits;
    if (!oversight->finds)
        return;
    struct level_to_judge level = {
        .steady = {
            .open_loop = oversight->open_loop,
            .changes = profile_load_changes(profile_find(end->level.kind)),
            .max_requests_ended = end->reason == LEVEL_MAX_REQUESTS,
            .warmup = limits->warmup.kind == TRIM_AUTO,
            .cooldown = limits->cooldown.kind == TRIM_AUTO,
        },
        .window_start = model_ns(oversight, end->window_start),
        .window_end = model_ns(oversight, end->window_end),
        .end = model_ns(oversight, end->end),
        .grew = end->reason == LEVEL_SATURATED,
        .queue_share_above = queue_share_above,
    };
    struct level_judgement judgement = level_judge_samples(oversight->samples, oversight->count, &level, &oversight->plan->sla);
    result->saturated = judgement.saturation.answer == ANSWER_YES;
    result->broke = judgement.breaking.answer == ANSWER_YES;
}
