/* The address that a server of serve/httpd listens at, also for a while not: not for others than httpd. */
#ifndef ROIBENCH_SERVE_LISTENER_H
#define ROIBENCH_SERVE_LISTENER_H

#include <stdbool.h>

#include "base/error.h"

struct event_base;
struct evhttp;
struct listener;

/* Listens for http at "127.0.0.1:8000", "[::1]:0"...: see httpd_settings. Base and http are borrowed. */
struct listener *listener_new(struct event_base *base, struct evhttp *http, const char *address, struct error *err);
/* After evhttp_free, which closes the socket that listens; NULL is fine. */
void listener_free(struct listener *listener);

const char *listener_address(const struct listener *listener); /* with the real port */
int listener_port(const struct listener *listener);

/* Accepts again, when it stopped for want of descriptors. To be called now and then. */
void listener_wake(struct listener *listener);

/* As httpd's functions of these names. */
int listener_refuse(struct listener *listener, struct error *err);
int listener_listen_again(struct listener *listener, struct error *err);
bool listener_is_open(const struct listener *listener);

#endif
