/* One benchmark of one model as an object of Kubernetes: a Job or a PipelineRun, made of a template that its user wrote.
 *
 * The object is the template with
 *   metadata.name      <model>-<stamp>, as a DNS label: what does not fit one is replaced by '-', and cut (generateName is dropped)
 *   metadata.labels    app=guidellm, model, benchmark-run=<stamp>, profile where one is given; on a Job's pods too
 * a Job besides
 *   spec.ttlSecondsAfterFinished
 *   of each container  image, where the template has none; env ROIBENCH_RUN_ID, ROIBENCH_MODEL, ROIBENCH_PROFILE where one is given,
 *                      ROIBENCH_NAMESPACE, in place of the template's of those names
 * a PipelineRun
 *   spec.params        model-name, profile where one is given, in place of the template's of those names
 * The run-id is the object's name for a Job, and <name>-<model> for a PipelineRun, as the Pipeline guidellm-benchmark composes it. */
#ifndef ROIBENCH_KUBE_LAUNCH_H
#define ROIBENCH_KUBE_LAUNCH_H

#include <jansson.h>

#include "base/arena.h"
#include "base/log.h"
#include "kube/client.h"

enum launch_kind { LAUNCH_JOB, LAUNCH_PIPELINE_RUN };

struct launch_settings {
    enum launch_kind kind;
    const json_t *template; /* launch_check_template */
    const char *namespace;
    const char *stamp;   /* when, of letters, digits and '-': "20261124-020000" */
    const char *image;   /* of containers without one; NULL: they are an error */
    const char *profile; /* NULL: the template's, or the default */
    int64_t ttl_s;       /* a Job is deleted so long after its end */
};

struct launched {
    const char *model;
    const char *name;   /* of the object */
    const char *run_id;
    enum { LAUNCH_GOES_ON, LAUNCH_SUCCEEDED, LAUNCH_FAILED } state;
    const char *why;    /* of LAUNCH_FAILED, in the API's words; "" else */
};

/* "Job", "PipelineRun" */
const char *launch_kind_name(enum launch_kind kind);
struct kube_resource launch_resource(enum launch_kind kind, const char *namespace);

/* Is it an object of that kind with what is needed of it? ERROR_USAGE saying what is missing where. */
int launch_check_template(enum launch_kind kind, const json_t *template, const char *image, struct error *err);

/* Name and run-id for a model; state LAUNCH_GOES_ON. Strings are the arena's. */
void launch_name(const struct launch_settings *settings, const char *model, struct arena *arena, struct launched *launched);
/* The object. A new reference. */
json_t *launch_make(const struct launch_settings *settings, const struct launched *launched);

/* Makes the object of a model. An API that did not answer in time may have made it: it is asked again, and the name, which nobody else has, tells.
 * KUBE_OK, or *err. */
enum kube_outcome launch_create(struct kube_client *client, const struct launch_settings *settings, const json_t *object, struct error *err);

/* Takes the states of those that go on out of one listing by their label. What is gone has failed. KUBE_OK, or *err. */
enum kube_outcome launch_look(struct kube_client *client, const struct launch_settings *settings, struct launched *launched, size_t count, struct arena *arena,
                              struct error *err);

#endif
