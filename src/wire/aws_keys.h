/* Keys of AWS: what they are, where they stand in files, and how services hand them out.
 *
 * The files are "~/.aws/credentials" and "~/.aws/config" (AWS SDKs and Tools Reference Guide, "Shared config and credentials
 * files"): "[name]" or in config "[profile name]", then "key = value" lines; what is indented below a
 * key belongs to that key and is passed over. Services answer in JSON (instance metadata, container endpoint) or XML (STS).
 *
 * Secrets are cleared when they are let go. Texts of errors name no value. */
#ifndef ROIBENCH_WIRE_AWS_KEYS_H
#define ROIBENCH_WIRE_AWS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct aws_keys {
    char *access_key_id, *secret_access_key;
    char *session_token; /* NULL: keys that last */
    int64_t expires_ns;  /* realtime; TIME_FOREVER: they do not */
};
void aws_keys_free(struct aws_keys *keys);
/* Are they texts that can stand in a header? ERROR_PUBLISH; `from` is told. */
int aws_keys_check(const struct aws_keys *keys, const char *from, struct error *err);

/* free() after clearing it; NULL is fine. */
void aws_secret_free(char *secret);

/* {"AccessKeyId","SecretAccessKey","Token","Expiration"}; ERROR_TARGET. */
int aws_keys_read_json(const char *bytes, size_t length, struct aws_keys *keys, struct error *err);
/* AssumeRoleWithWebIdentityResponse; ERROR_TARGET. */
int aws_keys_read_sts(const char *bytes, size_t length, struct aws_keys *keys, struct error *err);

/* What the files say of one profile; NULL: nothing. */
struct aws_profile {
    char *access_key_id, *secret_access_key, *session_token;
    char *region, *role_arn, *role_session_name, *web_identity_token_file, *endpoint_url;
    char *foreign; /* the name of a key by which other tools get credentials, and we do not ("credential_process", "sso_session") */
    bool found;    /* the profile is in one of the files */
};
/* Adds what `text` says and what is not set yet: read the credentials file first. config: sections are "profile name". Lines that are none are
 * passed over, as AWS's tools do. */
void aws_profile_read(struct aws_profile *profile, const char *text, size_t length, const char *name, bool config);
void aws_profile_free(struct aws_profile *profile);

#endif
