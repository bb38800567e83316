/* Keys to sign with, from where AWS's own tools have them, and in their order:
 *
 *   1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   2. AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN (IRSA): a service account's token, exchanged at STS
 *   3. the profile AWS_PROFILE ("default") of ~/.aws/credentials and ~/.aws/config (AWS_SHARED_CREDENTIALS_FILE,
 *      AWS_CONFIG_FILE): keys, or a role and a token file
 *   4. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI: a container's endpoint (ECS, EKS Pod Identity)
 *   5. the instance metadata service, version 2, unless AWS_EC2_METADATA_DISABLED is true
 *
 * The first that there is, is taken, whatever comes of it: a broken one is an error and not a reason to use other keys. Keys
 * that expire are got anew five minutes before. They are in memory only, cleared when they are let go, and in no text. */
#ifndef ROIBENCH_SHIP_AWS_CREDENTIALS_H
#define ROIBENCH_SHIP_AWS_CREDENTIALS_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/http_client.h"
#include "wire/aws_keys.h"

struct aws_credentials;

/* Reads the profile, asks nobody. net and what it points to, and environment (getenv), outlive it. ERROR_PUBLISH. */
struct aws_credentials *aws_credentials_new(const struct net_settings *net, char *(*environment)(const char *name), const struct clock *clock,
                                            struct error *err);
void aws_credentials_free(struct aws_credentials *credentials);

/* AWS_REGION, AWS_DEFAULT_REGION or the profile's; NULL: none says. */
const char *aws_credentials_region(const struct aws_credentials *credentials);
/* Of S3: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile's; NULL: none says. */
const char *aws_credentials_endpoint(const struct aws_credentials *credentials);

/* A copy of the keys, for aws_keys_free. Any thread. ERROR_PUBLISH; *passing: trying again later may help. */
int aws_credentials_get(struct aws_credentials *credentials, struct aws_keys *keys, bool *passing, struct error *err);
/* "the environment", "profile nightly"; for texts, once keys were got. */
const char *aws_credentials_source(const struct aws_credentials *credentials);

#endif
