/* A run as a report of GuideLLM 0.5 and 0.6 (schema 1), which they load themselves. */
#include "base/json.h"
#include "report/guidellm.h"
#include "report/report.h"

/* "prompt_tokens=512,output_tokens=128": what its --data takes. */
static void add_data(json_t *args, const struct run_facts *facts)
{
    cleanup_buf struct buf text = BUF_INIT(1024);
    json_t *data = guidellm_data(facts), *value;
    const char *key;
    json_object_foreach(data, key, value)
    {
        if (json_is_number(value))
            buf_printf(&text, "%s%s=%.0f", text.len > 0 ? "," : "", key, json_number_value(value));
    }
    json_array_append_new(json_add_array(args, "data"), json_string(buf_text(&text)));
    json_decref(data);
}

/* The loads of a profile that has some. */
static void add_rate(json_t *args, const json_t *profile)
{
    json_t *streams = json_object_get(profile, "streams"), *rate = json_object_get(profile, "rate");
    json_object_set(args, "rate", streams ? streams : rate ? rate : json_null());
}

static void add_args(json_t *root, const struct run_summary *summary)
{
    const struct run_facts *facts = &summary->facts;
    const json_t *limits = json_object_get(facts->plan, "limits");
    json_t *args = json_add_object(root, "args"), *profile = guidellm_profile(summary, "type_");
    add_data(args, facts);
    json_object_set(args, "profile", json_object_get(profile, "type_"));
    add_rate(args, profile);
    json_set_text(args, "target", facts->target); /* 0.5 has it here, 0.6 in backend_kwargs */
    json_set_text_if_any(args, "model", facts->model);
    json_set_text(args, "backend", "openai_http");
    json_object_set_new(args, "backend_kwargs", guidellm_backend(facts));
    json_object_set(args, "max_seconds", json_object_get(limits, "max_seconds"));
    json_object_set(args, "max_requests", json_object_get(limits, "max_requests"));
    json_object_set_new(args, "warmup", guidellm_transient(facts, "warmup"));
    json_object_set_new(args, "cooldown", guidellm_transient(facts, "cooldown"));
    json_object_set(args, "random_seed", json_object_get(facts->plan, "seed"));
    json_set_integer(args, "sample_requests", guidellm_most_kept(summary));
    json_add_array(args, "outputs");
    json_set_text(args, "output_dir", ".");
    json_decref(profile);
}

void report_guidellm_0_6_run(const struct run_summary *summary, struct buf *out)
{
    json_t *root = json_object();
    json_object_set_new(root, "metadata", guidellm_metadata(GUIDELLM_SCHEMA_1));
    add_args(root, summary);
    json_object_set_new(root, "benchmarks", guidellm_benchmarks(summary, GUIDELLM_SCHEMA_1));
    guidellm_append(root, out);
}
