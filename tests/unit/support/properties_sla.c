#include "support/properties_sla.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan/sla.h"
#include "stats/verdict.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_read_back(const struct sla *sla, struct arena *arena)
{
    struct sla again;
    struct json_reader reader = {.file = "plan.json"};
    json_t *root = json_object();
    sla_write(sla, root);
    sla_read(&again, &reader, root, arena);
    json_decref(root);
    require(!reader.failed && sla_equal(&again, sla));
    require(strcmp(again.name, sla->name) == 0 && strcmp(again.source, sla->source) == 0);
}

static void check_row(const struct sla_row *row, struct arena *arena)
{
    for (int k = 0; k < SLA_BOUNDS; k++) {
        const struct sla_bound *bound = &row->bound[k];
        require(bound->limit >= 0 && bound->limit <= row->most);
        require(k == 0 || (row->higher_is_better ? bound->limit < bound[-1].limit : bound->limit > bound[-1].limit));
        enum sla_class class = (enum sla_class)(SLA_EXCELLENT + k);
        require(sla_classify(row, bound->limit) == (bound->included ? class : class + 1));
    }
    for (int class = SLA_EXCELLENT; class <= SLA_BREAKING; class++)
        require(sla_bound_text(row, (enum sla_class)class, arena)[0] && sla_interval_text(row, (enum sla_class)class, arena)[0]);
    double beyond = row->higher_is_better ? -INFINITY : INFINITY;
    require(sla_classify(row, beyond) == SLA_BREAKING && sla_classify(row, -beyond) == SLA_EXCELLENT);
}

void property_sla(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct error err = {0};
    struct sla sla;
    if (sla_parse((const char *)data, size, "conf/sla.yaml", "a test", arena, &sla, &err) < 0) {
        require(err.class == ERROR_USAGE && strncmp(err.text, "conf/sla.yaml", strlen("conf/sla.yaml")) == 0);
    } else {
        require(strcmp(sla.source, "sla.yaml (a test)") == 0);
        for (int k = 0; k < SLA_METRIC_COUNT; k++)
            check_row(&sla.row[k], arena);
        check_read_back(&sla, arena);
    }
    arena_free(arena);
}
