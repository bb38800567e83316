/* A server on a thread that does exactly what its script says: raw bytes on raw sockets, for tests of what a client does
 * with servers that are slow, broken or gone. */
#ifndef ROIBENCH_TESTS_TINY_SERVER_H
#define ROIBENCH_TESTS_TINY_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct tiny_server;

/* The script; runs on the server's thread. It must return when tiny_accept gives -1. */
typedef void tiny_script(struct tiny_server *server, void *context);

/* Listens on a free port of 127.0.0.1 and runs the script. */
struct tiny_server *tiny_server_start(tiny_script *script, void *context);
/* Ends accepting and waits for the script's end. */
void tiny_server_stop(struct tiny_server *server);
/* "http://127.0.0.1:<port>"; owned by the server. */
const char *tiny_server_url(const struct tiny_server *server);

/* --- for scripts --- */
/* To poll before tiny_accept, for scripts that serve several connections at once; POLLHUP: the test is over. */
int tiny_server_listener(const struct tiny_server *server);
/* The next connection, or -1 when the test is over. */
int tiny_accept(struct tiny_server *server);
/* Reads a request's head and its Content-Length of body. false: the client went away first. */
bool tiny_read_request(int fd);
/* The head and body that were read last, NUL-terminated. For the test once the request was answered. */
const char *tiny_server_request(const struct tiny_server *server);
bool tiny_keep_request(struct tiny_server *server, int fd); /* tiny_read_request, and keeps it for tiny_server_request */
void tiny_send(int fd, const char *text);
void tiny_send_bytes(int fd, const char *bytes, size_t length);
void tiny_close(int fd);
/* Closes with RST instead of FIN. */
void tiny_reset(int fd);
/* Waits until the client closes. */
void tiny_wait_gone(int fd);

#endif
