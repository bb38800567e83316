/* Why the plan is as it is. */
#include <string.h>

#include "base/mem.h"
#include "cmd/roibench/prepare_plan.h"
#include "plan/profile.h"

#define REASONS_MAX 16

static const char *where(const struct options *options, const char *name)
{
    switch (options_source(options, name)) {
    case OPTION_ARGV: return "on the command line";
    case OPTION_ENVIRONMENT: return "in the environment";
    case OPTION_CONFIG_FILE: return "in the --config file";
    case OPTION_MODEL_FILE: return "in the model's file";
    case OPTION_DEFAULT:
    case OPTION_UNSET: break;
    }
    return "by default";
}

static void explain(struct plan *plan, const char *what, const char *why)
{
    plan->reasons[plan->reason_count++] = (struct plan_reason){what, why};
}

static void explain_option(const struct options *options, struct plan *plan, const char *what, const char *name)
{
    explain(plan, what, arena_printf(plan->arena, "--%s, %s", name, where(options, name)));
}

/* The first of the options that was given; else the words. */
static void explain_first(const struct options *options, struct plan *plan, const char *what, const char *const *names, const char *otherwise)
{
    for (; *names; names++)
        if (options_source(options, *names) > OPTION_DEFAULT) {
            explain_option(options, plan, what, *names);
            return;
        }
    explain(plan, what, otherwise);
}

/* As prepare_plan.c takes them: the levels of a model's file step back where a rate is given. */
static void explain_levels(const struct options *options, struct plan *plan)
{
    static const char *const by_levels[] = {"levels", NULL}, *const by_rate[] = {"rate", "find", NULL};
    bool levels = options_given(options, "levels") && !options_given(options, "rate") && profile_find(plan->profile)->next_level;
    explain_first(options, plan, "levels", levels ? by_levels : by_rate, "the profile's default");
}

static const char *why_exact(const struct plan *plan)
{
    if (strcmp(plan->calibration.method, "token_ids") == 0)
        return "the server takes arrays of token ids";
    if (strcmp(plan->calibration.method, "tokenize") == 0)
        return "the server counts a text by /tokenize";
    return "the server has no /tokenize: it counted prompts in the usage of small requests";
}

void prepare_explain(const struct options *options, struct plan *plan, const char *moved_from)
{
    static const char *const targets[] = {"target", NULL}, *const models[] = {"model", NULL},
                             *const times[] = {"max-seconds", NULL}, *const workloads[] = {"data", "prompt-tokens", "scenario", NULL},
                             *const nonces[] = {"nonce", NULL};
    plan->reasons = ARENA_ARRAY(plan->arena, REASONS_MAX, struct plan_reason);
    plan->reason_count = 0;
    const struct kubernetes_facts *kubernetes = plan->kubernetes;
    if (moved_from)
        explain(plan, "target", arena_printf(plan->arena, "--allow-redirect: %s is redirected there", moved_from));
    else if (kubernetes && kubernetes->gave_target)
        explain(plan, "target", arena_printf(plan->arena, "the address of %s %s in namespace %s", kubernetes->kind, kubernetes->name, kubernetes->namespace));
    else
        explain_first(options, plan, "target", targets, "--target-template, filled in with --model and --namespace");
    explain_first(options, plan, "model", models, "the only one that the server has");
    explain_option(options, plan, "profile", "profile");
    explain_levels(options, plan);
    explain_first(options, plan, "max_seconds", times,
                  plan->limits.max_requests > 0 ? "no limit of time: --max-requests ends a level" : "by default: neither --max-seconds nor --max-requests");
    explain_first(options, plan, "workload", workloads, "by default");
    explain(plan, "prompts", why_exact(plan));
    explain(plan, "answers", plan->server.ignore_eos ? "the server takes ignore_eos: they are as long as asked"
                                                     : "the server does not take ignore_eos: they may be shorter than asked");
    explain(plan, "tokens", !plan->server.usage              ? "the server gives no usage: chunks are counted"
                            : plan->server.continuous_usage ? "the server counts them in each chunk"
                                                            : "the server counts them at the end of each answer");
    explain_option(options, plan, "seed", "seed");
    explain_first(options, plan, "nonce", nonces, "drawn for this run, so that no cache knows its prompts");
}
