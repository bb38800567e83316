/* A model's deployment as Kubernetes describes it: out of the API's objects, into plan.json's `kubernetes`, into one line for people.
 *
 * The objects come from a peer: whatever is not of the expected type counts as absent, every text is cut at KUBERNETES_TEXT_MAX bytes and
 * has no control characters, every list has a ceiling. All strings belong to the arena and are never NULL; "" is unknown.
 *
 * Fields that are read (Kubernetes core/v1, KServe serving.kserve.io/v1beta1 and v1alpha1):
 *   InferenceService     status.address.url, status.url, status.conditions[Ready], spec.predictor.{minReplicas,maxReplicas,model.runtime}
 *   LLMInferenceService  status.address.url, status.addresses[].url, status.url, status.conditions[Ready], spec.replicas
 *   Pod                  spec.nodeName, spec.containers[].{image,command,args,resources}, status.{conditions,containerStatuses}
 *   Node                 metadata.labels of the instance's type and of the GPU's product, as NVIDIA's, AMD's and Intel's device plugins set them */
#ifndef ROIBENCH_WIRE_KUBERNETES_H
#define ROIBENCH_WIRE_KUBERNETES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

#define KUBERNETES_TEXT_MAX ((size_t)512)
#define KUBERNETES_ARGUMENTS_MAX 128
#define KUBERNETES_PODS_MAX 64
#define KUBERNETES_NODES_MAX 16
#define KUBERNETES_NOTES_MAX 16
#define KUBERNETES_COUNT_MAX 1000000 /* of replicas, restarts */
#define KUBERNETES_GPUS_MAX 1024 /* of one pod */
#define KUBERNETES_WITHHELD "(withheld)"

struct kubernetes_pod {
    const char *name, *uid, *node;
    int64_t restarts;      /* of the model's container */
    bool ready;
};

struct kubernetes_node {
    const char *name, *instance_type, *gpu_product;
};

struct kubernetes_facts {
    const char *namespace, *kind, *name; /* kind "" : no such service is known */
    bool gave_target;              /* the plan's target is the address that it says */
    const char *runtime;           /* the ServingRuntime's name */
    int64_t min_replicas, max_replicas; /* -1: not told */
    const char *image;             /* as the pod asks for it */
    const char *image_digest;      /* "sha256:...": what the node really runs */
    const char *gpu_resource;      /* "nvidia.com/gpu" */
    int64_t gpus_per_pod;          /* 0: none asked for */
    const char **arguments;        /* command and args of the model's container, secrets withheld */
    size_t argument_count;
    struct kubernetes_pod *pods;   /* sorted as the API lists them, those that have ended left out */
    size_t pod_count;
    struct kubernetes_node *nodes; /* that pods run on, each once */
    size_t node_count;
    const char **notes;            /* sentences: what could not be learned and why, what is not alike */
    size_t note_count;
};

/* All unknown. */
struct kubernetes_facts *kubernetes_facts_new(struct arena *arena, const char *namespace, const char *name);
/* More than KUBERNETES_NOTES_MAX are dropped. */
void kubernetes_note(struct kubernetes_facts *facts, struct arena *arena, const char *note);

/* The address a service says it has: inside the cluster if it tells one; "" none. */
const char *kubernetes_service_url(const json_t *service, struct arena *arena);
/* Its condition Ready. *why, where it is not: "Ready is False: PredictorNotReady: ...". */
bool kubernetes_service_ready(const json_t *service, struct arena *arena, const char **why);
/* Takes runtime and replicas. */
void kubernetes_read_service(struct kubernetes_facts *facts, const json_t *service, struct arena *arena);
/* Takes an array of Pods. Image, GPUs and arguments are those of the first that is ready; pods that differ in them are noted. */
void kubernetes_read_pods(struct kubernetes_facts *facts, const json_t *pods, struct arena *arena);
/* Takes a Node's labels for the row of that name, which is there. */
void kubernetes_read_node(struct kubernetes_facts *facts, const char *name, const json_t *node, struct arena *arena);

/* One argument with what looks like a secret withheld: --api-key=x, HF_TOKEN=x, user:x@host; a whole script too. *next becomes true when
 * the argument after it is the secret ("--api-key" "x"), and is looked at for this one. */
const char *kubernetes_withhold(const char *argument, bool *next, struct arena *arena);

/* plan.json's member, and back; reading fails by the reader. */
void kubernetes_facts_write(json_t *root, const struct kubernetes_facts *facts); /* facts NULL: nothing */
struct kubernetes_facts *kubernetes_facts_read(struct json_reader *reader, const json_t *root, struct arena *arena); /* NULL: none, or failed */

/* GPUs of all its pods; 0 unknown. */
int64_t kubernetes_gpus(const struct kubernetes_facts *facts);
/* "2 x NVIDIA-L4 on g6.12xlarge"; "" when neither is known. Appends. */
void kubernetes_describe_hardware(const struct kubernetes_facts *facts, struct buf *out);
/* "InferenceService a in namespace b, 2 x NVIDIA-L4 on g6.12xlarge, 1 pod, runtime r, image sha256:...". Appends. */
void kubernetes_describe(const struct kubernetes_facts *facts, struct buf *out);
/* Arguments with a blank between them. Appends. */
void kubernetes_describe_arguments(const struct kubernetes_facts *facts, struct buf *out);
/* Those that `others` does not have: "--max-model-len=8192, --kv-cache-dtype fp8"; "" where it has all. Appends. */
void kubernetes_describe_own_arguments(const struct kubernetes_facts *facts, const struct kubernetes_facts *others, struct buf *out);

#endif
