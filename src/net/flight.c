#include "net/flight.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/units.h"
#include "net/curl_error.h"
#include "net/stamp_delay.h"

/* libcurl's, one a handle, so small, for there are thousands: without TLS it reads little but heads and ends (flight_read). */
#define RECEIVE_BUFFER 1024L
#define RECEIVE_BUFFER_TLS 8192L
#define SEND_BUFFER 16384L           /* libcurl's minimum */
#define CONNECT_SECONDS_MAX 0x7fffffL /* our own limits come first */
#define STATUS_FINAL 200             /* below: 100 Continue, 103 Early Hints */

struct flight *flight_of_stall(struct timeout_node *node)
{
    return (struct flight *)((char *)node - offsetof(struct flight, stall));
}

struct flight *flight_of_whole(struct timeout_node *node)
{
    return (struct flight *)((char *)node - offsetof(struct flight, whole));
}

/* --- what libcurl tells us -------------------------------------------------------------------- */

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static int on_request_goes_out(void *context, char *address, char *local, int port, int local_port)
{
    struct flight *flight = context;
    struct flight_field *field = flight->field;
    long new_connections = 0;
    (void)address, (void)local, (void)port, (void)local_port;
    curl_easy_getinfo(flight->easy, CURLINFO_NUM_CONNECTS, &new_connections);
    flight->reused = new_connections == 0;
    flight->sent = field->handled = true;
    flight->sent_time = clock_now(field->clock);
    timeout_touch(&field->stalls, &flight->stall, field->stamp);
    flight->transfer->handler->sent(flight->transfer, flight->sent_time, flight->reused ? TIME_NEVER : flight->sent_time,
                                    flight->reused);
    return CURL_PREREQFUNC_OK;
}

/* The turn's time stamp; but an answer to what was sent within the turn did not come before it. */
static int64_t time_of(const struct flight *flight)
{
    int64_t stamp = flight->field->stamp;
    return stamp > flight->sent_time ? stamp : flight->sent_time;
}

static int64_t note_activity(struct flight *flight)
{
    flight->answered = flight->field->handled = true;
    timeout_touch(&flight->field->stalls, &flight->stall, flight->field->stamp);
    return time_of(flight);
}

/* "HTTP/1.1 200 OK" -> 200; 0: not a status line. */
static int status_of(const char *line, size_t length)
{
    const char *space = length > 5 && memcmp(line, "HTTP/", 5) == 0 ? memchr(line, ' ', length) : NULL;
    int status = 0;
    for (const char *c = space ? space + 1 : line + length; c < line + length && isdigit((unsigned char)*c) && status < 1000; c++)
        status = status * 10 + (*c - '0');
    return status;
}

/* "Transfer-Encoding: gzip, chunked", by libcurl's rule. */
static bool names_chunked(const char *line, size_t length)
{
    static const char NAME[] = "Transfer-Encoding:", CHUNKED[] = "chunked";
    const char *end = line + length;
    if (length < sizeof NAME - 1 || strncasecmp(line, NAME, sizeof NAME - 1) != 0)
        return false;
    for (const char *at = line + sizeof NAME - 1; at < end;) {
        const char *word = at, *comma = memchr(at, ',', (size_t)(end - at)), *word_end = comma ? comma : end;
        at = word_end + 1;
        while (word < word_end && isspace((unsigned char)*word))
            word++;
        while (word < word_end && isspace((unsigned char)word_end[-1]))
            word_end--;
        if ((size_t)(word_end - word) == sizeof CHUNKED - 1 && strncasecmp(word, CHUNKED, sizeof CHUNKED - 1) == 0)
            return true;
    }
    return false;
}

/* libcurl keeps every line, and bounds only the head. */
static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct flight *flight = context;
    size_t length = size * count;
    flight->header_bytes += length;
    if (flight->header_bytes > FLIGHT_HEADERS_MAX)
        return CURL_WRITEFUNC_ERROR;
    int64_t time = note_activity(flight);
    int status = flight->headed ? 0 : status_of(line, length);
    flight->chunked = flight->headed && (flight->chunked || names_chunked(line, length));
    if (status >= STATUS_FINAL) {
        flight->headed = true;
        flight->transfer->handler->headers(flight->transfer, time, status);
    }
    return length;
}

static void tell_bytes(void *context, const char *bytes, size_t length)
{
    struct flight *flight = context;
    flight->transfer->handler->bytes(flight->transfer, time_of(flight), bytes, length);
}

/* Also when it is a proxy that TLS is spoken with. */
static bool has_tls(const struct flight *flight)
{
    struct curl_tlssessioninfo *session = NULL;
    return curl_easy_getinfo(flight->easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session || session->internals;
}

/* The body as it came, in its chunks if it has any. Trailers come here too. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct flight *flight = context;
    size_t length = size * count;
    note_activity(flight);
    if (!flight->chunked) {
        tell_bytes(flight, bytes, length);
        return length;
    }
    if (flight->chunks.part == HTTP_CHUNKS_OVER)
        flight->header_bytes += length;
    if (flight->header_bytes > FLIGHT_HEADERS_MAX)
        return CURL_WRITEFUNC_ERROR;
    http_chunks_feed(&flight->chunks, bytes, length, tell_bytes, flight);
    flight->plain = flight->plain || !has_tls(flight);
    flight->direct = flight->plain && http_chunks_is_between(&flight->chunks);
    return length;
}

enum flight_read flight_read(struct flight *flight)
{
    char *bytes = flight->field->bytes;
    ssize_t got = recv(flight->fd, bytes, FLIGHT_READ_MAX, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
        flight->socket_errno = errno;
        return FLIGHT_READ_BROKEN;
    }
    size_t whole = got > 0 ? http_chunks_whole_length(&flight->chunks, bytes, (size_t)got) : 0;
    if (whole == 0)
        return FLIGHT_READ_REST;
    /* The same bytes once more; with MSG_TRUNC Linux does not copy them again. */
    if (recv(flight->fd, bytes, whole, MSG_TRUNC | MSG_DONTWAIT) != (ssize_t)whole) {
        flight->socket_errno = EIO;
        return FLIGHT_READ_BROKEN;
    }
    note_activity(flight);
    http_chunks_feed(&flight->chunks, bytes, whole, tell_bytes, flight);
    return whole == (size_t)got ? FLIGHT_READ_ALL : FLIGHT_READ_REST;
}

/* To know why there is no socket, which libcurl does not tell, and to have the kernel stamp what it receives. */
static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct flight *flight = context;
    (void)purpose;
    curl_socket_t fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    flight->socket_errno = fd < 0 ? errno : 0;
    if (fd >= 0)
        stamp_delay_watch(fd);
    return fd;
}

/* --- its life --------------------------------------------------------------------------------- */

struct flight *flight_new(struct flight_field *field, struct flight_lane *lane)
{
    struct flight *flight = mem_alloc(sizeof *flight);
    CURL *easy = curl_easy_init();
    if (!easy)
        abort(); /* out of memory, as in mem.h */
    flight->field = field;
    flight->lane = lane;
    flight->easy = easy;
    flight->fd = -1;
    net_setup_apply(field->setup, easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, flight);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, flight->error);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, field->headers);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS_MAX);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request_goes_out);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, flight);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, flight);
    curl_easy_setopt(easy, CURLOPT_HTTP_TRANSFER_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, flight);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, flight);
    return flight;
}

void flight_free(struct flight *flight)
{
    curl_easy_cleanup(flight->easy);
    free(flight);
}

static void forget_sending(struct flight *flight)
{
    flight->sent = flight->reused = flight->answered = flight->headed = false;
    flight->chunked = flight->plain = flight->direct = false;
    http_chunks_begin(&flight->chunks);
    flight->sent_time = INT64_MIN;
    flight->header_bytes = 0;
    flight->socket_errno = flight->watch_errno = 0;
    flight->error[0] = '\0';
}

void flight_begin(struct flight *flight, struct transfer *transfer)
{
    int64_t now = clock_now(flight->field->clock);
    flight->transfer = transfer;
    transfer->implementation = flight;
    flight->forced = TRANSPORT_OK;
    flight->again = false;
    flight->next = NULL;
    forget_sending(flight);
    timeout_add(&flight->field->stalls, &flight->stall, now);
    timeout_add(&flight->field->wholes, &flight->whole, now);
}

void flight_prepare(struct flight *flight)
{
    const struct transfer *transfer = flight->transfer;
    forget_sending(flight);
    curl_easy_setopt(flight->easy, CURLOPT_RESOLVE, flight->lane->resolve);
    flight->lane->resolve = NULL;
    curl_easy_setopt(flight->easy, CURLOPT_URL, transfer->url);
    curl_easy_setopt(flight->easy, CURLOPT_BUFFERSIZE,
                     strncasecmp(transfer->url, "https:", strlen("https:")) == 0 ? RECEIVE_BUFFER_TLS : RECEIVE_BUFFER);
    curl_easy_setopt(flight->easy, CURLOPT_POSTFIELDS, transfer->body);
    curl_easy_setopt(flight->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body_length);
    curl_easy_setopt(flight->easy, transfer->body ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(flight->easy, CURLOPT_FRESH_CONNECT, flight->again ? 1L : 0L);
}

void flight_land(struct flight *flight, enum transport_result result, const char *message)
{
    struct transfer *transfer = flight->transfer;
    struct flight_field *field = flight->field;
    int64_t time = time_of(flight);
    timeout_remove(&field->stalls, &flight->stall);
    timeout_remove(&field->wholes, &flight->whole);
    flight->transfer = NULL;
    flight->direct = false;
    transfer->implementation = NULL;
    field->handled = true;
    transfer->handler->ended(transfer, time, result, message);
}

/* --- how it ended ----------------------------------------------------------------------------- */

enum transport_result flight_judge(const struct flight *flight, CURLcode code, char message[FLIGHT_MESSAGE_SIZE])
{
    long system_errno = 0;
    if (flight->header_bytes > FLIGHT_HEADERS_MAX) {
        snprintf(message, FLIGHT_MESSAGE_SIZE, "the response's headers are larger than %zu bytes", FLIGHT_HEADERS_MAX);
        return TRANSPORT_PROTOCOL;
    }
    curl_easy_getinfo(flight->easy, CURLINFO_OS_ERRNO, &system_errno);
    struct net_failure failure = {
        .code = code,
        .errno_value = flight->socket_errno ? flight->socket_errno : system_errno,
        .sent = flight->sent,
        .text = flight->error,
        .url = flight->transfer->url,
    };
    enum transport_result result = net_failure_class(&failure);
    message[0] = '\0';
    if (result != TRANSPORT_OK)
        net_failure_describe(&failure, message, FLIGHT_MESSAGE_SIZE);
    return result;
}

bool flight_may_go_again(const struct flight *flight, enum transport_result result)
{
    return result == TRANSPORT_RESET && flight->reused && !flight->answered && !flight->again;
}

enum transport_result flight_judge_late(const struct flight *flight, bool stalled, char message[FLIGHT_MESSAGE_SIZE])
{
    char span[UNITS_TEXT_SIZE];
    const struct flight_field *field = flight->field;
    int64_t limit = stalled ? field->stalls.limit : field->wholes.limit;
    units_format_duration(llround((double)limit * field->time_scale), span);
    if (!flight->sent) {
        snprintf(message, FLIGHT_MESSAGE_SIZE, "no connection within %s", span);
        return TRANSPORT_CONNECT;
    }
    snprintf(message, FLIGHT_MESSAGE_SIZE, stalled ? "no byte for %s" : "no end of the response within %s", span);
    return stalled ? TRANSPORT_STALL : TRANSPORT_TIMEOUT;
}
