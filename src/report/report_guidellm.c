/* A run as a report of GuideLLM 0.7 and 0.8 (schema 2), which they load themselves. */
#include "base/json.h"
#include "report/guidellm.h"
#include "report/report.h"

/* {"kind": …} alone: everything else of it is as GuideLLM has it by default, and says nothing of us. */
static void add_kind(json_t *spec, const char *key, const char *kind)
{
    json_set_text(json_add_object(spec, key), "kind", kind);
}

static json_t *profile(const struct run_summary *summary)
{
    json_t *object = guidellm_profile(summary, "kind");
    json_object_set_new(object, "warmup", guidellm_transient(&summary->facts, "warmup"));
    json_object_set_new(object, "cooldown", guidellm_transient(&summary->facts, "cooldown"));
    return object;
}

static json_t *constraints(const struct run_facts *facts)
{
    json_t *all = guidellm_constraints(facts), *list = json_array(), *constraint;
    const char *key;
    json_object_foreach(all, key, constraint)
    {
        json_array_append(list, constraint);
    }
    json_decref(all);
    return list;
}

static void add_spec(json_t *config, const struct run_summary *summary)
{
    json_t *spec = json_add_object(config, "spec"), *seed = json_object_get(summary->facts.plan, "seed");
    json_object_set_new(spec, "backend", guidellm_backend(&summary->facts));
    json_object_set_new(spec, "profile", profile(summary));
    json_object_set_new(spec, "constraints", constraints(&summary->facts));
    json_array_append_new(json_add_array(spec, "data"), guidellm_data(&summary->facts));
    add_kind(spec, "seed", "static");
    json_object_set(json_object_get(spec, "seed"), "value", seed);
    json_add_array(spec, "outputs");
    add_kind(spec, "metrics", "generative");
    json_set_integer(json_object_get(spec, "metrics"), "sample_size", guidellm_most_kept(summary));
}

void report_guidellm_run(const struct run_summary *summary, struct buf *out)
{
    json_t *root = json_object();
    json_object_set_new(root, "metadata", guidellm_metadata(GUIDELLM_SCHEMA_2));
    json_t *config = json_add_object(root, "config");
    json_t *labels = json_add_object(json_add_object(config, "metadata"), "labels");
    json_set_text(labels, "run_id", summary->facts.run_id);
    json_object_update(labels, json_object_get(json_object_get(summary->facts.plan, "deployment"), "labels"));
    add_spec(config, summary);
    json_array_append_new(json_add_array(config, "benchmarks"), json_null());
    json_object_set_new(root, "benchmarks", guidellm_benchmarks(summary, GUIDELLM_SCHEMA_2));
    guidellm_append(root, out);
}
