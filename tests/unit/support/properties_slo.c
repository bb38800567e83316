#include "support/properties_slo.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "plan/slo.h"

#define MOST_NS INT64_C(1000000000000000)

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_read_back(const struct slo *slo)
{
    struct slo again = {0};
    struct json_reader reader = {.file = "plan.json"};
    json_t *root = json_object();
    slo_write(slo, root);
    slo_read(&again, &reader, root);
    json_decref(root);
    require(!reader.failed);
    for (int k = 0; k < SLO_LATENCY_COUNT; k++)
        require(llabs(again.most_ns[k] - slo->most_ns[k]) <= slo->most_ns[k] / 100000000000 + 1);
}

void property_slo(const uint8_t *data, size_t size)
{
    cleanup_free char *text = mem_alloc(size + 1);
    cleanup_buf struct buf described = BUF_INIT(SLO_TEXT_MAX);
    struct error err = {0};
    struct slo slo;
    memcpy(text, data, size);
    text[size] = '\0';
    if (slo_parse(text, &slo, &err) < 0) {
        require(err.class == ERROR_USAGE && strncmp(err.text, "--slo: ", strlen("--slo: ")) == 0);
        return;
    }
    require(slo_is_given(&slo));
    for (int k = 0; k < SLO_LATENCY_COUNT; k++)
        require(slo.most_ns[k] >= 0 && slo.most_ns[k] <= MOST_NS);
    slo_describe(&slo, &described);
    require(!described.overflowed && described.len > 0);
    check_read_back(&slo);
}
