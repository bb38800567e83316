/* A small HTTP server on a thread, for tests of what uploads: it keeps what is PUT in memory and answers GET and HEAD from it. */
#ifndef ROIBENCH_TESTS_PUT_SERVER_H
#define ROIBENCH_TESTS_PUT_SERVER_H

#include <stddef.h>

struct put_server;

/* Listens on a free port of 127.0.0.1. */
struct put_server *put_server_start(void);
void put_server_stop(struct put_server *server);
int put_server_port(const struct put_server *server);

/* From now on every PUT gets this status and body (0: stores and says 201), and every HEAD this one (0: what is stored). */
void put_server_answer(struct put_server *server, int put_status, const char *put_body, int head_status);

/* As if somebody had put it there. */
void put_server_store(struct put_server *server, const char *path, const char *bytes, size_t length);
/* The next PUT to a path that ends so gets 503, those after it go on. suffix must live as long. */
void put_server_refuse_once(struct put_server *server, const char *suffix);

/* What is stored under a path ("/x"); NULL: nothing. Valid until the server stops. */
const char *put_server_content(struct put_server *server, const char *path, size_t *length);
/* "PUT /x\n" of every request so far. free() it. */
char *put_server_requests(struct put_server *server);

#endif
