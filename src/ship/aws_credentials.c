#include "ship/aws_credentials.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "wire/s3_answers.h"
#include "wire/sigv4.h"

#define FILE_MAX ((size_t)256 << 10)
#define FORM_MAX ((size_t)512 << 10)
#define REFRESH_NS (300 * NS_PER_S)
#define SERVICE_TIMEOUT_NS (20 * NS_PER_S)
#define METADATA_TIMEOUT_NS (2 * NS_PER_S)
#define ROLE_NAME_MAX 256
#define METADATA_URL "http://169.254.169.254"
#define CONTAINER_URL "http://169.254.170.2"

#define cleanup_secret __attribute__((cleanup(free_secret)))
#define cleanup_answer __attribute__((cleanup(free_answer)))
CLEANUP_DEFINE(struct http_client, http_client_free)

struct aws_credentials {
    const struct net_settings *net;
    char *(*environment)(const char *name);
    const struct clock *clock;
    char *profile_name;
    struct aws_profile profile;
    pthread_mutex_t lock; /* of what follows */
    struct aws_keys keys;
    char *source;
};

static void free_secret(char **secret)
{
    aws_secret_free(*secret);
}

/* Bodies of these answers hold keys and tokens. */
static void free_answer(struct http_response *response)
{
    if (response->body.data)
        OPENSSL_cleanse(response->body.data, response->body.cap);
    http_response_free(response);
}

/* NULL: not set, or empty. */
static const char *look_up(const struct aws_credentials *credentials, const char *name)
{
    const char *value = credentials->environment ? credentials->environment(name) : NULL;

    return value && *value ? value : NULL;
}

static const char *first_of(const char *a, const char *b)
{
    return a ? a : b;
}

/* ---- files ---- */

/* The whole file, for aws_secret_free. NULL with *err. */
static char *read_secret(const char *path, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = mem_alloc(FILE_MAX + 1);
    size_t length = 0;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && length < FILE_MAX) {
        got = read(fd, text + length, FILE_MAX - length);
        length += got > 0 ? (size_t)got : 0;
    }
    if (got == 0)
        return text;
    if (got < 0)
        error_set_errno(err, ERROR_PUBLISH, errno, "cannot read %s", path);
    else
        error_set(err, ERROR_PUBLISH, "%s is too long for what it should hold", path);
    OPENSSL_cleanse(text, FILE_MAX);
    free(text);
    return NULL;
}

/* A token alone in its file, perhaps with a line end. */
static char *read_token(const char *path, struct error *err)
{
    char *token = read_secret(path, err);
    size_t length = token ? strlen(token) : 0;

    while (length > 0 && isspace((unsigned char)token[length - 1]))
        token[--length] = '\0';
    if (!token || length > 0)
        return token;
    aws_secret_free(token);
    error_set(err, ERROR_PUBLISH, "%s is empty: a token is expected there", path);
    return NULL;
}

/* A file that is not there says nothing, unless it was named. */
static int read_profile_file(struct aws_credentials *credentials, const char *variable, const char *usual, bool config, struct error *err)
{
    const char *named = look_up(credentials, variable), *home = look_up(credentials, "HOME");

    if (!named && !home)
        return 0;

    cleanup_free char *path = named ? mem_strdup(named) : file_join(home, usual);

    if (!named && !file_exists(path))
        return 0;

    cleanup_secret char *text = read_secret(path, err);

    if (!text)
        return error_wrap(err, "%s", named ? variable : "AWS credentials");
    aws_profile_read(&credentials->profile, text, strlen(text), credentials->profile_name, config);
    return 0;
}

struct aws_credentials *aws_credentials_new(const struct net_settings *net, char *(*environment)(const char *name), const struct clock *clock,
                                            struct error *err)
{
    struct aws_credentials *credentials = mem_alloc(sizeof *credentials);

    credentials->net = net;
    credentials->environment = environment;
    credentials->clock = clock;
    pthread_mutex_init(&credentials->lock, NULL);

    const char *name = first_of(look_up(credentials, "AWS_PROFILE"), look_up(credentials, "AWS_DEFAULT_PROFILE"));

    credentials->profile_name = mem_strdup(name ? name : "default");
    if (read_profile_file(credentials, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", false, err) == 0 &&
        read_profile_file(credentials, "AWS_CONFIG_FILE", ".aws/config", true, err) == 0)
        return credentials;
    aws_credentials_free(credentials);
    return NULL;
}

void aws_credentials_free(struct aws_credentials *credentials)
{
    if (!credentials)
        return;
    aws_keys_free(&credentials->keys);
    aws_profile_free(&credentials->profile);
    pthread_mutex_destroy(&credentials->lock);
    free(credentials->profile_name);
    free(credentials->source);
    free(credentials);
}

const char *aws_credentials_region(const struct aws_credentials *credentials)
{
    const char *named = first_of(look_up(credentials, "AWS_REGION"), look_up(credentials, "AWS_DEFAULT_REGION"));

    return first_of(named, credentials->profile.region);
}

const char *aws_credentials_endpoint(const struct aws_credentials *credentials)
{
    const char *named = first_of(look_up(credentials, "AWS_ENDPOINT_URL_S3"), look_up(credentials, "AWS_ENDPOINT_URL"));

    return first_of(named, credentials->profile.endpoint_url);
}

const char *aws_credentials_source(const struct aws_credentials *credentials)
{
    return credentials->source ? credentials->source : "nowhere";
}

/* ---- asking services ---- */

static bool is_passing(const struct http_response *response)
{
    return response->status == 0 ? response->trouble != HTTP_STOPPED && response->trouble != HTTP_TLS && response->trouble != HTTP_LOCAL
                                 : response->status == 429 || response->status >= 500;
}

/* One request with at most one header. 0: whatever the status. */
static int ask(const struct aws_credentials *credentials, struct http_request *request, const char *header, struct http_response *response,
               struct error *err)
{
    cleanup_with(http_client_free) struct http_client *client = http_client_new(credentials->net, err);
    const char *const headers[] = {header};

    if (!client)
        return -1;
    request->headers = headers;
    request->header_count = header ? 1 : 0;

    const int result = http_client_request(client, request, response, err);

    request->headers = NULL;
    return result < 0 ? error_reclass(err, ERROR_PUBLISH) : 0;
}

static void append_form(struct buf *form, const char *name, const char *value)
{
    buf_printf(form, "%s%s=", form->len > 0 ? "&" : "", name);
    sigv4_append_encoded(form, value, false);
}

static char *sts_url(const struct aws_credentials *credentials)
{
    const char *named = first_of(look_up(credentials, "AWS_ENDPOINT_URL_STS"), look_up(credentials, "AWS_ENDPOINT_URL"));
    const char *region = aws_credentials_region(credentials);

    if (named)
        return mem_printf("%s%s", named, named[strlen(named) - 1] == '/' ? "" : "/");
    if (!region)
        return mem_strdup("https://sts.amazonaws.com/");
    return mem_printf("https://sts.%s.amazonaws.com%s/", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

static int read_sts(const struct http_response *response, const char *url, const char *role, struct aws_keys *keys, struct error *err)
{
    struct s3_fault fault;

    if (response->status == 200)
        return aws_keys_read_sts(buf_text(&response->body), response->body.len, keys, err) < 0 ? error_wrap(err, "POST %s", url) : 0;
    s3_read_fault(buf_text(&response->body), response->body.len, &fault);
    return error_set(err, ERROR_PUBLISH, "POST %s: HTTP %d%s%s%s%s: no keys for the role %.200s. Does its trust policy name this service account?", url,
                     response->status, *fault.code ? " " : "", fault.code, *fault.message ? ": " : "", fault.message, role);
}

/* Exchanges the token in the file for keys of the role. */
static int assume_role(const struct aws_credentials *credentials, const char *role, const char *token_file, const char *session_name,
                       struct aws_keys *keys, bool *passing, struct error *err)
{
    cleanup_secret char *token = read_token(token_file, err);
    cleanup_free char *url = sts_url(credentials);
    cleanup_free char *room = mem_alloc(FORM_MAX); /* a token's copy is not left behind by a buffer that grows */
    struct buf form = {.data = room, .cap = FORM_MAX, .max = FORM_MAX - 1};
    cleanup_answer struct http_response response = {0};

    if (!token)
        return -1;
    if (http_url_check(url, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    append_form(&form, "Action", "AssumeRoleWithWebIdentity");
    append_form(&form, "Version", "2011-06-15");
    append_form(&form, "RoleArn", role);
    append_form(&form, "RoleSessionName", session_name ? session_name : "roibench");
    append_form(&form, "WebIdentityToken", token);

    struct http_request request = {.method = "POST", .url = url, .content_type = "application/x-www-form-urlencoded", .body = form.data,
                                   .length = form.len, .timeout_ns = SERVICE_TIMEOUT_NS};
    int result = form.overflowed ? error_set(err, ERROR_PUBLISH, "%s is too long for a token", token_file)
                                 : ask(credentials, &request, NULL, &response, err);

    OPENSSL_cleanse(room, FORM_MAX);
    *passing = is_passing(&response);
    return result < 0 ? -1 : read_sts(&response, url, role, keys, err);
}

static int read_keys(const struct http_response *response, const char *url, struct aws_keys *keys, struct error *err)
{
    cleanup_free char *shown = http_url_redacted(url);

    if (response->status != 200)
        return error_set(err, ERROR_PUBLISH, "GET %s: HTTP %d instead of keys", shown, response->status);
    return aws_keys_read_json(buf_text(&response->body), response->body.len, keys, err) < 0 ? error_wrap(err, "GET %s", shown) : 0;
}

/* A container's endpoint is asked without TLS only where the way does not leave the machine. */
static bool is_near(const char *url)
{
    const char *host = strncasecmp(url, "http://", 7) == 0 ? url + 7 : "";
    const size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    static const char *const near[] = {"localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
    struct in_addr address;

    for (size_t k = 0; k < sizeof near / sizeof *near; k++) {
        if (strlen(near[k]) == length && strncasecmp(near[k], host, length) == 0)
            return true;
    }

    cleanup_free char *name = mem_strndup(host, strnlen(host, length));

    return inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static char *container_authorization(const struct aws_credentials *credentials, bool *failed, struct error *err)
{
    const char *file = look_up(credentials, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *plain = look_up(credentials, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    cleanup_secret char *token = file ? read_token(file, err) : plain ? mem_strdup(plain) : NULL;

    *failed = file && !token;
    if (token && strpbrk(token, "\r\n")) {
        *failed = true;
        error_set(err, ERROR_PUBLISH, "the token for the container's credentials has a line break in it");
        return NULL;
    }
    return token ? mem_printf("Authorization: %s", token) : NULL;
}

static int ask_container(const struct aws_credentials *credentials, const char *url, struct aws_keys *keys, bool *passing, struct error *err)
{
    bool failed = false;
    cleanup_answer struct http_response response = {0};
    struct http_request request = {.method = "GET", .url = url, .timeout_ns = SERVICE_TIMEOUT_NS};

    if (http_url_check(url, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    if (!http_url_is_https(url) && !is_near(url))
        return error_set(err, ERROR_PUBLISH, "AWS_CONTAINER_CREDENTIALS_FULL_URI is http to another machine: keys are asked for by https only");

    cleanup_secret char *authorization = container_authorization(credentials, &failed, err);

    if (failed || ask(credentials, &request, authorization, &response, err) < 0) {
        *passing = !failed && is_passing(&response);
        return -1;
    }
    *passing = is_passing(&response);
    return read_keys(&response, url, keys, err);
}

/* ---- instance metadata ---- */

static int get_metadata(const struct aws_credentials *credentials, const char *base, const char *header, const char *role,
                        struct http_response *response, struct error *err)
{
    cleanup_free char *url = mem_printf("%s/latest/meta-data/iam/security-credentials/%s", base, role);
    struct http_request request = {.method = "GET", .url = url, .timeout_ns = METADATA_TIMEOUT_NS};

    return ask(credentials, &request, header, response, err);
}

/* The name of the instance's role; NULL: it has none. free() it. */
static char *ask_role(const struct aws_credentials *credentials, const char *base, const char *header)
{
    cleanup_answer struct http_response response = {0};

    if (get_metadata(credentials, base, header, "", &response, NULL) < 0 || response.status != 200)
        return NULL;

    const char *text = buf_text(&response.body);
    const size_t length = strcspn(text, "\r\n");
    cleanup_free char *name = mem_strndup(text, length);
    cleanup_buf struct buf encoded = BUF_INIT(4 * ROLE_NAME_MAX);

    sigv4_append_encoded(&encoded, name, false);
    return length > 0 && length <= ROLE_NAME_MAX ? buf_steal(&encoded) : NULL;
}

/* 1: keys; 0: there is no such service, or it has none; -1. */
static int ask_metadata(const struct aws_credentials *credentials, struct aws_keys *keys, bool *passing, struct error *err)
{
    const char *named = look_up(credentials, "AWS_EC2_METADATA_SERVICE_ENDPOINT"), *off = look_up(credentials, "AWS_EC2_METADATA_DISABLED");
    cleanup_free char *base = mem_strdup(named ? named : METADATA_URL);
    cleanup_free char *url = NULL;
    cleanup_answer struct http_response session = {0}, response = {0};

    if (off && strcasecmp(off, "true") == 0)
        return 0;
    for (size_t length = strlen(base); length > 0 && base[length - 1] == '/';)
        base[--length] = '\0';
    url = mem_printf("%s/latest/api/token", base);

    struct http_request request = {.method = "PUT", .url = url, .timeout_ns = METADATA_TIMEOUT_NS};

    if (ask(credentials, &request, "X-aws-ec2-metadata-token-ttl-seconds: 21600", &session, NULL) < 0 || session.status != 200)
        return 0;

    const char *token = buf_text(&session.body);

    if (strpbrk(token, "\r\n"))
        return error_set(err, ERROR_PUBLISH, "PUT %s: the answer is no token", url);

    cleanup_secret char *header = mem_printf("X-aws-ec2-metadata-token: %s", token);
    cleanup_free char *role = ask_role(credentials, base, header);

    if (!role)
        return 0;
    if (get_metadata(credentials, base, header, role, &response, err) < 0) {
        *passing = is_passing(&response);
        return -1;
    }
    *passing = is_passing(&response);

    cleanup_free char *shown = mem_printf("%s/latest/meta-data/iam/security-credentials/%s", base, role);

    return read_keys(&response, shown, keys, err) < 0 ? -1 : 1;
}

/* ---- the chain ---- */

static void set_source(struct aws_credentials *credentials, char *source)
{
    free(credentials->source);
    credentials->source = source;
}

static int take_environment(const char *id, const char *secret, const char *token, struct aws_keys *keys, struct error *err)
{
    if (!id || !secret)
        return error_set(err, ERROR_PUBLISH, "%s is set and %s is not: keys are a pair", id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                         id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    *keys = (struct aws_keys){.access_key_id = mem_strdup(id), .secret_access_key = mem_strdup(secret),
                              .session_token = token ? mem_strdup(token) : NULL, .expires_ns = TIME_FOREVER};
    return 0;
}

/* 1: keys; 0: the profile has none; -1. */
static int take_profile(struct aws_credentials *credentials, struct aws_keys *keys, bool *passing, struct error *err)
{
    const struct aws_profile *profile = &credentials->profile;
    const char *name = credentials->profile_name;

    if (!profile->found && look_up(credentials, "AWS_PROFILE"))
        return error_set(err, ERROR_PUBLISH, "AWS_PROFILE names %.100s, and neither the credentials file nor the config file has that profile", name);
    set_source(credentials, mem_printf("profile %.100s", name));
    if (profile->access_key_id && profile->secret_access_key)
        return take_environment(profile->access_key_id, profile->secret_access_key, profile->session_token, keys, err) < 0 ? -1 : 1;
    if (profile->access_key_id || profile->secret_access_key)
        return error_set(err, ERROR_PUBLISH, "profile %.100s has one of aws_access_key_id and aws_secret_access_key: keys are a pair", name);
    if (profile->role_arn && profile->web_identity_token_file)
        return assume_role(credentials, profile->role_arn, profile->web_identity_token_file, profile->role_session_name, keys, passing, err) < 0
                   ? -1
                   : 1;
    if (profile->foreign)
        return error_set(err, ERROR_PUBLISH, "profile %.100s gets its keys by %s, which only AWS's own tools do: run 'aws configure "
                                             "export-credentials --format env' and set what it prints", name, profile->foreign);
    return 0;
}

static int take_role(struct aws_credentials *credentials, const char *token_file, struct aws_keys *keys, bool *passing, struct error *err)
{
    const char *role = look_up(credentials, "AWS_ROLE_ARN");

    set_source(credentials, mem_strdup("AWS_WEB_IDENTITY_TOKEN_FILE"));
    if (!role)
        return error_set(err, ERROR_PUBLISH, "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not: whose keys shall it get?");
    return assume_role(credentials, role, token_file, look_up(credentials, "AWS_ROLE_SESSION_NAME"), keys, passing, err);
}

static int take_services(struct aws_credentials *credentials, struct aws_keys *keys, bool *passing, struct error *err)
{
    const char *full = look_up(credentials, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *relative = look_up(credentials, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");

    if (relative || full) {
        cleanup_free char *url = relative ? mem_printf(CONTAINER_URL "%s", relative) : mem_strdup(full);

        set_source(credentials, mem_strdup("the container's endpoint"));
        return ask_container(credentials, url, keys, passing, err);
    }
    set_source(credentials, mem_strdup("the instance's metadata"));

    const int found = ask_metadata(credentials, keys, passing, err);

    if (found != 0)
        return found < 0 ? -1 : 0;
    return error_set(err, ERROR_PUBLISH, "no AWS keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and "
                                         "AWS_ROLE_ARN, or give profile %.100s keys in ~/.aws/credentials; no container's endpoint is named, and "
                                         "no instance's metadata has any", credentials->profile_name);
}

static int find_keys(struct aws_credentials *credentials, struct aws_keys *keys, bool *passing, struct error *err)
{
    const char *id = look_up(credentials, "AWS_ACCESS_KEY_ID"), *secret = look_up(credentials, "AWS_SECRET_ACCESS_KEY");
    const char *token_file = look_up(credentials, "AWS_WEB_IDENTITY_TOKEN_FILE");

    if (id || secret) {
        set_source(credentials, mem_strdup("the environment"));
        return take_environment(id, secret, look_up(credentials, "AWS_SESSION_TOKEN"), keys, err);
    }
    if (token_file)
        return take_role(credentials, token_file, keys, passing, err);

    const int found = take_profile(credentials, keys, passing, err);

    if (found != 0)
        return found < 0 ? -1 : 0;
    return take_services(credentials, keys, passing, err);
}

/* ---- handing them out ---- */

static int renew(struct aws_credentials *credentials, bool *passing, struct error *err)
{
    struct aws_keys keys = {0};

    if (find_keys(credentials, &keys, passing, err) < 0)
        return error_reclass(err, ERROR_PUBLISH);
    if (aws_keys_check(&keys, credentials->source, err) < 0) {
        aws_keys_free(&keys);
        return -1;
    }
    aws_keys_free(&credentials->keys);
    credentials->keys = keys;
    return 0;
}

int aws_credentials_get(struct aws_credentials *credentials, struct aws_keys *keys, bool *passing, struct error *err)
{
    const int64_t now = clock_realtime(credentials->clock);
    int result = 0;

    *passing = false;
    pthread_mutex_lock(&credentials->lock);

    const bool have = credentials->keys.access_key_id != NULL;

    if (!have || credentials->keys.expires_ns - REFRESH_NS < now) {
        /* what is still good is used when there is nothing newer */
        const bool still_good = have && credentials->keys.expires_ns > now;

        result = renew(credentials, passing, still_good ? NULL : err);
        if (still_good)
            result = 0;
    }
    if (result == 0) {
        const struct aws_keys *own = &credentials->keys;

        *keys = (struct aws_keys){.access_key_id = mem_strdup(own->access_key_id), .secret_access_key = mem_strdup(own->secret_access_key),
                                  .session_token = own->session_token ? mem_strdup(own->session_token) : NULL, .expires_ns = own->expires_ns};
    }
    pthread_mutex_unlock(&credentials->lock);
    return result;
}
