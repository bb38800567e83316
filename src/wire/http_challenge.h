/* WWW-Authenticate as RFC 9110 (11.2 to 11.6) has it: a list of challenges in one header, each a scheme with parameters or a token.
 *
 *     Basic realm="a", Bearer realm="https://auth.example/token",service="registry",scope="repository:x:pull"
 *
 * Forgiving where servers are careless (blanks, empty elements, no quotes around URLs); what does not fit into a member is as if it were not there. */
#ifndef ROIBENCH_WIRE_HTTP_CHALLENGE_H
#define ROIBENCH_WIRE_HTTP_CHALLENGE_H

#include <stdbool.h>

/* "": not told. */
struct http_challenge {
    char realm[1024];
    char service[512];
    char scope[1024];
    char error[64]; /* RFC 6750: "invalid_token", "insufficient_scope" */
};

/* The first challenge of this scheme ("Bearer", in any case) of a header's value. false: there is none; *challenge is empty then. */
bool http_challenge_find(const char *header, const char *scheme, struct http_challenge *challenge);

#endif
