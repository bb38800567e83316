/* One transfer of transport_curl on its way, and its libcurl handle, which is used again and again. Inside net only.
 *
 * What libcurl calls back with becomes the four calls of struct transfer_handler, and how it ended one of
 * enum transport_result; who flies when is transport_curl's business. */
#ifndef ROIBENCH_NET_FLIGHT_H
#define ROIBENCH_NET_FLIGHT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/curl_setup.h"
#include "net/timeouts.h"
#include "net/transport.h"
#include "wire/http_chunks.h"

#define FLIGHT_MESSAGE_SIZE 300
#define FLIGHT_HEADERS_MAX ((size_t)256 << 10) /* all lines of a response's heads and trailers together */
#define FLIGHT_READ_MAX ((size_t)64 << 10)     /* bytes of a stream at a time, past libcurl */

/* What all flights of a transport share. */
struct flight_field {
    const struct clock *clock;
    double time_scale;                  /* spans in messages are wall time times this */
    struct net_setup *setup;
    struct curl_slist *headers;
    int64_t stamp;                      /* of this turn: all that was ready together has this time */
    bool handled;                       /* something was told since the owner set it to false */
    struct timeout_list stalls, wholes; /* every flight is in both, from flight_begin to flight_land */
    char *bytes;                        /* FLIGHT_READ_MAX, for flight_read */
};

/* A multi handle of libcurl and the flights that it drives, always the same ones. libcurl walks through all connections of a multi handle for
 * every request, twice; with thousands in one, that would be most of our work. */
#define FLIGHT_LANE_MAX 64
struct flight_lane {
    void *owner;
    CURLM *multi;
    struct curl_slist *resolve;    /* for CURLOPT_RESOLVE of its next flight, which tells all: a connection cache has one memory of hosts */
    int64_t deadline;              /* when libcurl wants to be called; TIME_FOREVER: never */
    size_t flights;
    bool acted;                    /* libcurl was called: flights may have ended */
    struct flight_lane *next_acted;
};

struct flight {
    struct timeout_node stall, whole; /* stall first: see flight_of_stall */
    struct flight_field *field;
    struct flight_lane *lane;
    struct transfer *transfer;
    CURL *easy;
    bool pending;                     /* begun and not yet given to libcurl, which may be calling us just then */
    bool again;                       /* it was sent a second time by us, on a fresh connection */
    bool sent, reused, answered, headed;
    bool chunked, plain, direct;      /* the body comes in chunks; without TLS; and may be read past libcurl: see flight_read */
    struct http_chunks chunks;
    int fd;                           /* that libcurl wants to be watched; -1: none */
    int socket_errno, watch_errno;    /* why there is no socket, or none that can be waited for; 0: there is */
    size_t header_bytes;
    int64_t sent_time;
    enum transport_result forced;     /* TRANSPORT_OK: as libcurl says */
    struct flight *next;              /* in one of the owner's lists */
    char error[CURL_ERROR_SIZE];
};

struct flight *flight_new(struct flight_field *field, struct flight_lane *lane);
/* Its handle must be out of the multi handle. */
void flight_free(struct flight *flight);

/* Takes the transfer and begins its time limits; nothing of libcurl is called. */
void flight_begin(struct flight *flight, struct transfer *transfer);
/* Makes the handle ready to be added to the multi handle. */
void flight_prepare(struct flight *flight);
/* Reads what is ready on the flight's connection, if it is no more than data of its body (`direct`), and tells the transfer.
 *
 * A chunk of a stream is some 250 bytes, and libcurl's way to them costs as much as everything else that we do for a token. So libcurl
 * sees a response's begin and its end, and of what comes between, whole chunks are taken out of the socket before it looks: a
 * body with fewer chunks is as good to it. Only where it stands between two chunks, and leaving it there, so that it may look whenever it
 * likes; and not with TLS, whose bytes are not ours to take. The bytes are looked at first and only then received: what is
 * not there to its end, what we do not understand, or what ends the body, stays where it is. */
enum flight_read {
    FLIGHT_READ_ALL,
    FLIGHT_READ_REST,  /* something is there that only libcurl knows what to do with */
    FLIGHT_READ_BROKEN /* the connection is: socket_errno says why */
};
enum flight_read flight_read(struct flight *flight);

/* The handle was taken out of the multi handle: tells the transfer that it `ended`. The flight is free before that, so it
 * must be in the list of free ones already. */
void flight_land(struct flight *flight, enum transport_result result, const char *message);

/* How it ended as libcurl says; *message ("" for TRANSPORT_OK) for people. Before the handle is taken out. */
enum transport_result flight_judge(const struct flight *flight, CURLcode code, char message[FLIGHT_MESSAGE_SIZE]);
/* A connection that its server had closed while it lay idle: nothing was lost, so the request may go out once more, on a
 * fresh one. libcurl goes again by itself, unseen but for another `sent`, when it is reading that fails; it does not when
 * writing a body beyond its first 64 kB fails, and gives up after six dead connections in a row: these come here.
 * Both take an answer for begun when a whole line of it came: of less, libcurl tells nobody. */
bool flight_may_go_again(const struct flight *flight, enum transport_result result);
/* How it ends when one of its limits is over. */
enum transport_result flight_judge_late(const struct flight *flight, bool stalled, char message[FLIGHT_MESSAGE_SIZE]);

struct flight *flight_of_stall(struct timeout_node *node);
struct flight *flight_of_whole(struct timeout_node *node);

#endif
