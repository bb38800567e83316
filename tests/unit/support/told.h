/* One transfer over the real transport and what was told of it, for tests with a tiny_server. */
#ifndef ROIBENCH_TESTS_TOLD_H
#define ROIBENCH_TESTS_TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/transport.h"
#include "support/tiny_server.h"

/* Head of a response with a chunked body. */
#define TOLD_CHUNKED "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define TOLD_BODY "{\"model\":\"m\",\"stream\":true}" /* what is posted */

struct told {
    struct transfer transfer; /* first: the handler gets this */
    struct transport *transport;
    int sent, headers, ended, status;
    int64_t sent_time, headers_time, first_bytes_time, last_bytes_time, ended_time, connected;
    bool reused;
    struct buf bytes;
    enum transport_result result;
    char message[300];
    int restarts;          /* start again from within ended, so often */
    bool cancel_on_bytes;
    struct told *start_on_bytes;
    int *all_ended;
};

/* buf_free its bytes in the end. */
struct told told_new(struct transport *transport, const char *url);
/* With room for a few streams; limits as in transport_curl_settings. */
struct transport *told_transport(int64_t timeout_ns, int64_t stall_ns);
/* One that must be had; transport_free it. */
struct transport *told_transport_with(const struct transport_curl_settings *settings);
/* Waits until told was told of `ended` ends. A test that hangs is ended by the runner. */
void told_wait(struct transport *transport, const struct told *told, int ended);
/* Runs one transfer against a script. */
struct told told_run(tiny_script *script, void *context, int64_t timeout_ns, int64_t stall_ns);

/* Answers one request with the text that is its context, then waits until the client hangs up. */
void told_serve_text(struct tiny_server *server, void *context);

#endif
