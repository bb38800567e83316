#include "wire/aws_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/properties_aws.h"

static const char credentials[] = "# two\n"
                                  "[default]\n"
                                  "aws_access_key_id = AKIADEFAULT\r\n"
                                  "aws_secret_access_key=abc/d=e+\n"
                                  "\n"
                                  "[ nightly ]\n"
                                  "aws_access_key_id=AKIANIGHTLY\n"
                                  "; a comment\n"
                                  "aws_secret_access_key\t=  secret two  \n"
                                  "aws_session_token=token\n"
                                  "aws_access_key_id=AKIASECOND\n";

static const char config[] = "[default]\n"
                             "region = us-west-2\n"
                             "s3 =\n"
                             "    region = nested\n"
                             "[profile nightly]\n"
                             "region=eu-central-1\n"
                             "role_arn = arn:aws:iam::1:role/r\n"
                             "web_identity_token_file=/token\n"
                             "aws_session_token=of-another-file\n"
                             "endpoint_url = https://s3.example.com\n"
                             "[profile \"two words\"]\n"
                             "sso_session = x\n"
                             "[nightly]\n"
                             "region = wrong\n";

static void test_profiles(void **state)
{
    struct aws_profile profile = {0};

    (void)state;
    aws_profile_read(&profile, credentials, strlen(credentials), "nightly", false);
    aws_profile_read(&profile, config, strlen(config), "nightly", true);
    assert_true(profile.found);
    assert_string_equal(profile.access_key_id, "AKIANIGHTLY");
    assert_string_equal(profile.secret_access_key, "secret two");
    assert_string_equal(profile.session_token, "token");
    assert_string_equal(profile.region, "eu-central-1");
    assert_string_equal(profile.role_arn, "arn:aws:iam::1:role/r");
    assert_string_equal(profile.web_identity_token_file, "/token");
    assert_string_equal(profile.endpoint_url, "https://s3.example.com");
    assert_null(profile.foreign);
    aws_profile_free(&profile);

    aws_profile_read(&profile, credentials, strlen(credentials), "default", false);
    aws_profile_read(&profile, config, strlen(config), "default", true);
    assert_string_equal(profile.secret_access_key, "abc/d=e+");
    assert_string_equal(profile.region, "us-west-2");
    assert_null(profile.session_token);
    aws_profile_free(&profile);

    aws_profile_read(&profile, config, strlen(config), "two words", true);
    assert_string_equal(profile.foreign, "sso_session");
    aws_profile_free(&profile);
    aws_profile_read(&profile, config, strlen(config), "other", true);
    assert_false(profile.found);
    aws_profile_free(&profile);
}

/* A session token of the one file must not be sent with keys of the other. */
static void test_keys_of_two_files_are_not_mixed(void **state)
{
    static const char lasting[] = "[p]\naws_access_key_id=A\naws_secret_access_key=S\n", session[] = "[profile p]\naws_session_token=T\nregion=r\n";
    struct aws_profile profile = {0};

    (void)state;
    aws_profile_read(&profile, lasting, strlen(lasting), "p", false);
    aws_profile_read(&profile, session, strlen(session), "p", true);
    assert_null(profile.session_token);
    assert_string_equal(profile.region, "r");
    aws_profile_free(&profile);
}

static void test_keys_of_a_service(void **state)
{
    static const char body[] = "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"2026-05-17T15:09:54Z\"}";
    static const struct {
        const char *body, *says;
    } bad[] = {{"[]", "no object"}, {"nothing", "no object"}, {"{}", "no keys"}, {"{\"Code\":\"Failed\"}", "no keys"},
               {"{\"AccessKeyId\":1,\"SecretAccessKey\":\"s\"}", "no keys"},
               {"{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s3cr3t\",\"Expiration\":\"soon\"}", "no time"}};
    struct aws_keys keys = {0};
    struct error err = {0};
    int64_t expires;

    (void)state;
    assert_int_equal(clock_parse_rfc3339("2026-05-17T15:09:54Z", &expires), 0);
    assert_int_equal(aws_keys_read_json(body, strlen(body), &keys, &err), 0);
    assert_string_equal(keys.access_key_id, "ASIA");
    assert_string_equal(keys.secret_access_key, "s");
    assert_string_equal(keys.session_token, "t");
    assert_true(keys.expires_ns == expires);
    aws_keys_free(&keys);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_int_equal(aws_keys_read_json(bad[k].body, strlen(bad[k].body), &keys, &err), -1);
        if (!strstr(err.text, bad[k].says) || strstr(err.text, "s3cr3t"))
            fail_msg("%s: %s", bad[k].body, err.text);
    }
}

static void test_keys_of_a_role(void **state)
{
    static const char body[] = "<AssumeRoleWithWebIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleWithWebIdentityResult>"
                               "<Credentials><SessionToken>t</SessionToken><SecretAccessKey>s</SecretAccessKey>"
                               "<Expiration>2014-10-24T23:00:23Z</Expiration><AccessKeyId>A</AccessKeyId></Credentials>"
                               "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    static const char *const bad[] = {"<AssumeRoleWithWebIdentityResponse/>", "<Credentials><AccessKeyId>A</AccessKeyId></Credentials>", "{}"};
    struct aws_keys keys = {0};

    (void)state;
    assert_int_equal(aws_keys_read_sts(body, strlen(body), &keys, NULL), 0);
    assert_string_equal(keys.access_key_id, "A");
    assert_string_equal(keys.secret_access_key, "s");
    assert_string_equal(keys.session_token, "t");
    assert_true(keys.expires_ns == INT64_C(1414191623) * NS_PER_S);
    aws_keys_free(&keys);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_int_equal(aws_keys_read_sts(bad[k], strlen(bad[k]), &keys, NULL), -1);
}

static void test_keys_that_are_none(void **state)
{
    static const struct {
        struct aws_keys keys;
        const char *says; /* NULL: they are good */
    } rows[] = {
        {{"AKIA", "s/+=", NULL, 0}, NULL},      {{"AKIA", "s", "t/+=", 0}, NULL},      {{"", "s", NULL, 0}, "access key id"},
        {{"A/B", "s", NULL, 0}, "access key id"}, {{"A B", "s", NULL, 0}, "access key id"}, {{"A", "se cret", NULL, 0}, "secret access key"},
        {{"A", "", NULL, 0}, "secret access key"}, {{"A", "secret\n", NULL, 0}, "secret access key"}, {{"A", "s", "se\r\ncret", 0}, "session token"},
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct error err = {0};

        assert_int_equal(aws_keys_check(&rows[k].keys, "the environment", &err), rows[k].says ? -1 : 0);
        if (rows[k].says && (!strstr(err.text, rows[k].says) || strstr(err.text, "cret\n") || strstr(err.text, "se ")))
            fail_msg("%s", err.text);
    }
}

static void test_files_that_break_off(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof config; length++)
        property_aws_keys((const uint8_t *)config, length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_keys_of_two_files_are_not_mixed),
        cmocka_unit_test(test_keys_of_a_service),
        cmocka_unit_test(test_keys_of_a_role),
        cmocka_unit_test(test_keys_that_are_none),
        cmocka_unit_test(test_files_that_break_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
