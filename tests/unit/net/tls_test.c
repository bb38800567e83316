/* TLS is always verified, against the roots that were given, over both clients and through a proxy: a server with a certificate
 * made here. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "support/temp_folder.h"
#include "support/tiny_server.h"
#include "support/told.h"

#define LIMIT_NS (60 * NS_PER_S)

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static void add_extension(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* A certificate that signs itself, for the given subjectAltName, valid in this span from now on. */
static struct identity make_identity_valid(const char *names, long from_s, long to_s)
{
    struct identity identity = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    X509_NAME *name = X509_get_subject_name(identity.certificate);

    X509_set_version(identity.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(identity.certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(identity.certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(identity.certificate), to_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(identity.certificate, name);
    X509_set_pubkey(identity.certificate, identity.key);
    add_extension(identity.certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(identity.certificate, NID_subject_alt_name, names);
    assert_true(X509_sign(identity.certificate, identity.key, EVP_sha256()) > 0);
    return identity;
}

static struct identity make_identity(const char *names)
{
    return make_identity_valid(names, -3600, 86400);
}

static void write_certificate(const struct identity *identity, const char *folder, const char *name)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;

    PEM_write_bio_X509(memory, identity->certificate);

    const long length = BIO_get_mem_data(memory, &text);

    temp_file_write(folder, name, text, (size_t)length);
    BIO_free(memory);
}

static void free_identity(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

static SSL_CTX *settings_of(const struct identity *identity)
{
    SSL_CTX *settings = SSL_CTX_new(TLS_server_method());

    SSL_CTX_use_certificate(settings, identity->certificate);
    SSL_CTX_use_PrivateKey(settings, identity->key);
    return settings;
}

/* One answer a connection, over TLS. */
static void serve(struct tiny_server *server, void *context)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret";
    SSL_CTX *settings = settings_of(context);

    for (int fd; (fd = tiny_accept(server)) >= 0;) {
        SSL *session = SSL_new(settings);
        char request[4096];

        SSL_set_fd(session, fd);
        if (SSL_accept(session) == 1 && SSL_read(session, request, sizeof request) > 0) {
            SSL_write(session, answer, (int)strlen(answer));
            SSL_shutdown(session);
        }
        ERR_clear_error();
        SSL_free(session);
        tiny_close(fd);
    }
    SSL_CTX_free(settings);
}

/* What the client says of a server with this identity, when it knows these roots. */
static enum http_trouble ask(struct identity *identity, const struct net_settings *settings, struct error *err)
{
    struct tiny_server *server = tiny_server_start(serve, identity);
    cleanup_free char *url = mem_printf("https%s", strchr(tiny_server_url(server), ':'));
    struct http_client *client = http_client_new(settings, err);
    struct http_response response;

    assert_non_null(client);

    const int result = http_client_get(client, url, LIMIT_NS, &response, err);
    const enum http_trouble trouble = response.trouble;

    assert_int_equal(result, trouble == HTTP_FINE ? 0 : -1);
    assert_string_equal(buf_text(&response.body), result == 0 ? "secret" : "");
    http_response_free(&response);
    http_client_free(client);
    tiny_server_stop(server);
    return trouble;
}

static void test_roots_decide(void **state)
{
    char *folder = temp_folder_make();
    struct identity ours = make_identity("IP:127.0.0.1"), other = make_identity("IP:127.0.0.1");
    cleanup_free char *ours_file = file_join(folder, "ours.pem"), *other_file = file_join(folder, "other.pem");
    struct error err = {0};

    (void)state;
    write_certificate(&ours, folder, "ours.pem");
    write_certificate(&other, folder, "other.pem");
    assert_int_equal(ask(&ours, &(struct net_settings){0}, &err), HTTP_TLS);
    assert_int_equal(err.class, ERROR_TARGET);
    assert_non_null(strstr(err.text, "--cacert"));
    assert_int_equal(ask(&ours, &(struct net_settings){.ca_file = ours_file}, &err), HTTP_FINE);
    assert_int_equal(ask(&other, &(struct net_settings){.insecure = true}, &err), HTTP_FINE); /* whoever it is */
    assert_int_equal(ask(&ours, &(struct net_settings){.ca_environment = ours_file}, &err), HTTP_FINE);
    assert_int_equal(ask(&ours, &(struct net_settings){.ca_file = other_file}, &err), HTTP_TLS);
    /* --cacert alone counts */
    assert_int_equal(ask(&ours, &(struct net_settings){.ca_file = other_file, .ca_environment = ours_file}, &err), HTTP_TLS);
    /* a stale SSL_CERT_FILE is passed over */
    assert_int_equal(ask(&ours, &(struct net_settings){.ca_environment = "/nonexistent.pem"}, &err), HTTP_TLS);
    free_identity(&ours);
    free_identity(&other);
    temp_folder_remove(folder);
}

static void test_the_name_must_be_the_server_s(void **state)
{
    char *folder = temp_folder_make();
    struct identity foreign = make_identity("DNS:example.org,IP:127.0.0.2");
    cleanup_free char *file = file_join(folder, "foreign.pem");
    struct error err = {0};

    (void)state;
    write_certificate(&foreign, folder, "foreign.pem");
    assert_int_equal(ask(&foreign, &(struct net_settings){.ca_file = file}, &err), HTTP_TLS);
    free_identity(&foreign);
    temp_folder_remove(folder);
}

/* Each says which, and does not ask for a CA that would not help. */
static void test_what_is_wrong_with_a_certificate(void **state)
{
    static const struct {
        const char *names, *says;
        long from_s, to_s;
        bool known; /* its CA was given */
    } cases[] = {
        {"IP:127.0.0.1", "certificate has expired; it, or one that it is signed with, must be renewed", -7200, -3600, true},
        {"IP:127.0.0.1", "not yet valid; is this machine's clock right?", 3600, 7200, true},
        {"DNS:example.org", "subject name", -3600, 3600, true},
        {"DNS:example.org", "another host's: use a name that it was made for", -3600, 3600, true},
        {"IP:127.0.0.1", "if its CA is a private one, give it by --cacert", -3600, 3600, false},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char *folder = temp_folder_make();
        struct identity identity = make_identity_valid(cases[k].names, cases[k].from_s, cases[k].to_s);
        cleanup_free char *file = file_join(folder, "it.pem");
        struct error err = {0};

        write_certificate(&identity, folder, "it.pem");
        assert_int_equal(ask(&identity, &(struct net_settings){.ca_file = cases[k].known ? file : NULL}, &err), HTTP_TLS);
        if (!strstr(err.text, cases[k].says) || (cases[k].known && strstr(err.text, "--cacert")))
            fail_msg("'%s' does not say '%s'", err.text, cases[k].says);
        free_identity(&identity);
        temp_folder_remove(folder);
    }
}

/* ---- streams ---- */

/* Takes a TLS session on fd and answers a request, as often as it comes, in three pieces. */
static void stream_over_tls(SSL_CTX *settings, int fd)
{
    static const char *const pieces[] = {TOLD_CHUNKED "5\r\nhello\r\n", "6\r\n world\r\n", "0\r\n\r\n"};
    SSL *session = SSL_new(settings);
    char request[4096];

    SSL_set_fd(session, fd);
    if (SSL_accept(session) == 1)
        while (SSL_read(session, request, sizeof request) > 0)
            for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++)
                SSL_write(session, pieces[k], (int)strlen(pieces[k]));
    ERR_clear_error();
    SSL_free(session);
}

static void serve_streams(struct tiny_server *server, void *context)
{
    SSL_CTX *settings = settings_of(context);

    for (int fd; (fd = tiny_accept(server)) >= 0; tiny_close(fd))
        stream_over_tls(settings, fd);
    SSL_CTX_free(settings);
}

/* What a proxy's client gets: a tunnel, at whose other end the same program serves. */
static void serve_tunnel(struct tiny_server *server, void *context)
{
    SSL_CTX *settings = settings_of(context);

    for (int fd; (fd = tiny_accept(server)) >= 0; tiny_close(fd)) {
        if (!tiny_keep_request(server, fd))
            continue;
        tiny_send(fd, "HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n");
        stream_over_tls(settings, fd);
    }
    SSL_CTX_free(settings);
}

/* `times` requests, one after the other, to this URL. */
static struct told stream(const char *url, const char *ca_file, int times)
{
    struct transport *transport = told_transport_with(
        &(struct transport_curl_settings){.net = {.ca_file = ca_file}, .clock = clock_system()});
    struct told told = told_new(transport, url);

    told.restarts = times - 1;
    transport_start(transport, &told.transfer);
    told_wait(transport, &told, times);
    transport_free(transport);
    return told;
}

static void expect_refused(const char *url, const char *ca_file)
{
    struct told told = stream(url, ca_file, 1);

    assert_int_equal(told.result, TRANSPORT_TLS);
    assert_int_equal(told.sent, 0); /* nothing was said to somebody unknown, the key least of all */
    assert_int_equal(told.bytes.len, 0);
    if (!strstr(told.message, "certificate"))
        fail_msg("'%s'", told.message);
}

static void test_streams_are_verified_as_well(void **state)
{
    char *folder = temp_folder_make();
    struct identity ours = make_identity("IP:127.0.0.1"), other = make_identity("IP:127.0.0.1");
    cleanup_free char *ours_file = file_join(folder, "ours.pem"), *other_file = file_join(folder, "other.pem");
    struct tiny_server *server = tiny_server_start(serve_streams, &ours);
    cleanup_free char *url = mem_printf("https%s", strchr(tiny_server_url(server), ':'));

    (void)state;
    write_certificate(&ours, folder, "ours.pem");
    write_certificate(&other, folder, "other.pem");
    expect_refused(url, NULL);
    expect_refused(url, other_file);

    struct told told = stream(url, ours_file, 3);

    assert_int_equal(told.result, TRANSPORT_OK);
    assert_string_equal(buf_text(&told.bytes), "hello worldhello worldhello world");
    assert_int_equal(told.sent, 3);
    assert_true(told.reused); /* a handshake each would be the server's burden, and ours */
    buf_free(&told.bytes);
    tiny_server_stop(server);
    free_identity(&ours);
    free_identity(&other);
    temp_folder_remove(folder);
}

static void test_streams_through_a_tunnel(void **state)
{
    char *folder = temp_folder_make();
    struct identity ours = make_identity("DNS:model.invalid"); /* a name that only the proxy knows */
    cleanup_free char *file = file_join(folder, "ours.pem");
    struct tiny_server *proxy = tiny_server_start(serve_tunnel, &ours);

    (void)state;
    write_certificate(&ours, folder, "ours.pem");
    setenv("https_proxy", tiny_server_url(proxy), 1);
    expect_refused("https://model.invalid:8443/v1", NULL);

    struct told told = stream("https://model.invalid:8443/v1", file, 2);

    unsetenv("https_proxy");
    assert_int_equal(told.result, TRANSPORT_OK);
    assert_string_equal(buf_text(&told.bytes), "hello worldhello world");
    assert_int_equal(told.status, 200);
    assert_int_equal(told.headers, 2); /* not the proxy's */
    assert_true(told.reused);
    assert_memory_equal(tiny_server_request(proxy), "CONNECT model.invalid:8443 HTTP/1.1\r\n", 37);
    buf_free(&told.bytes);
    tiny_server_stop(proxy);
    free_identity(&ours);
    temp_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots_decide),
        cmocka_unit_test(test_the_name_must_be_the_server_s),
        cmocka_unit_test(test_what_is_wrong_with_a_certificate),
        cmocka_unit_test(test_streams_are_verified_as_well),
        cmocka_unit_test(test_streams_through_a_tunnel),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
