#include "cmd/roibench/summarize_sla.h"

int summarize_sla(const struct options *options, struct plan *const *plans, size_t count, struct arena *arena, struct sla *sla, struct error *err)
{
    const char *path = options_text(options, "sla");
    const struct sla **planned = ARENA_ARRAY(arena, count + 1, const struct sla *);
    for (size_t k = 0; k < count; k++)
        planned[k] = &plans[k]->sla;
    *sla = *sla_common(planned, count);
    if (path && sla_open(path, "--sla of summarize", arena, sla, err) < 0)
        return error_wrap(err, "--sla");
    return 0;
}
