#include "cmd/roibench/summarize_sla.h"

static bool agree(struct plan *const *plans, size_t count)
{
    for (size_t k = 1; k < count; k++)
        if (!sla_equal(&plans[0]->sla, &plans[k]->sla))
            return false;
    return true;
}

int summarize_sla(const struct options *options, struct plan *const *plans, size_t count, struct arena *arena, struct sla *sla, struct error *err)
{
    const char *path = options_text(options, "sla");
    *sla = count > 0 && agree(plans, count) ? plans[0]->sla : sla_default;
    if (path && sla_open(path, "--sla of summarize", arena, sla, err) < 0)
        return error_wrap(err, "--sla");
    return 0;
}
