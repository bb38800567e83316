#include "support/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void on_sent(struct transfer *transfer, int64_t time, int64_t connected, bool reused)
{
    struct told *told = (struct told *)transfer;

    told->sent++;
    told->sent_time = time;
    told->connected = connected;
    told->reused = reused;
}

static void on_headers(struct transfer *transfer, int64_t time, int status)
{
    struct told *told = (struct told *)transfer;

    told->headers++;
    told->headers_time = time;
    told->status = status;
}

static void on_bytes(struct transfer *transfer, int64_t time, const char *bytes, size_t length)
{
    struct told *told = (struct told *)transfer;

    if (told->bytes.len == 0)
        told->first_bytes_time = time;
    told->last_bytes_time = time;
    assert_int_equal(buf_append(&told->bytes, bytes, length), 0);
    if (told->cancel_on_bytes) {
        told->cancel_on_bytes = false;
        transport_cancel(told->transport, transfer);
    }
    if (told->start_on_bytes) {
        transport_start(told->transport, &told->start_on_bytes->transfer);
        told->start_on_bytes = NULL;
    }
}

static void on_ended(struct transfer *transfer, int64_t time, enum transport_result result, const char *message)
{
    struct told *told = (struct told *)transfer;

    told->ended++;
    told->ended_time = time;
    told->result = result;
    snprintf(told->message, sizeof told->message, "%s", message ? message : "");
    if (told->all_ended)
        ++*told->all_ended;
    if (told->restarts > 0) {
        told->restarts--;
        transport_start(told->transport, transfer);
    }
}

static const struct transfer_handler handler = {on_sent, on_headers, on_bytes, on_ended};

struct told told_new(struct transport *transport, const char *url)
{
    return (struct told){
        .transfer = {.handler = &handler, .url = url, .body = TOLD_BODY, .body_length = strlen(TOLD_BODY)},
        .transport = transport,
        .bytes = BUF_INIT((size_t)64 << 20),
    };
}

struct transport *told_transport_with(const struct transport_curl_settings *settings)
{
    struct error err = {0};
    struct transport *transport = transport_curl_new(settings, &err);

    if (!transport)
        fail_msg("%s", err.text);
    return transport;
}

struct transport *told_transport(int64_t timeout_ns, int64_t stall_ns)
{
    return told_transport_with(&(struct transport_curl_settings){
        .clock = clock_system(), .timeout_ns = timeout_ns, .stall_timeout_ns = stall_ns});
}

void told_wait(struct transport *transport, const struct told *told, int ended)
{
    struct error err = {0};

    while (told->ended < ended)
        if (transport_wait(transport, TIME_FOREVER, &err) < 0)
            fail_msg("%s", err.text);
}

struct told told_run(tiny_script *script, void *context, int64_t timeout_ns, int64_t stall_ns)
{
    struct tiny_server *server = tiny_server_start(script, context);
    struct transport *transport = told_transport(timeout_ns, stall_ns);
    struct told told = told_new(transport, tiny_server_url(server));

    transport_start(transport, &told.transfer);
    told_wait(transport, &told, 1);
    transport_free(transport);
    tiny_server_stop(server);
    assert_int_equal(told.ended, 1);
    assert_null(told.transfer.implementation);
    return told;
}

void told_serve_text(struct tiny_server *server, void *context)
{
    const int fd = tiny_accept(server);

    if (tiny_keep_request(server, fd))
        tiny_send(fd, context);
    tiny_wait_gone(fd);
    tiny_close(fd);
}
