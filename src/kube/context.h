/* What a result was measured on: the pods of a service, their image, arguments and GPUs, and the nodes they run on. */
#ifndef ROIBENCH_KUBE_CONTEXT_H
#define ROIBENCH_KUBE_CONTEXT_H

#include "base/arena.h"
#include "kube/client.h"
#include "kube/discovery.h"
#include "wire/kubernetes.h"

/* Never NULL: what cannot be learned is noted with the reason. Nodes belong to no namespace, so only a ClusterRole permits to read them. */
struct kubernetes_facts *kube_learn_context(struct kube_client *client, const char *namespace, const char *name, const struct kube_service *service,
                                            struct arena *arena);

/* What became of the pods that a plan knows: appends sentences as "pod x was restarted 2 times; pod y is gone". Returns their number;
 * -1 with *err: the pods cannot be listed. */
int kube_compare_pods(struct kube_client *client, const struct kubernetes_facts *then, struct buf *out, struct error *err);

#endif
