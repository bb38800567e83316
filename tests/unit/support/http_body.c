#include "support/http_body.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_body_init(struct http_body *body, http_body_piece piece, void *context)
{
    memset(body, 0, sizeof *body);
    body->piece = piece;
    body->context = context;
    body->part = HTTP_HEAD;
}

static void take_head_line(struct http_body *body)
{
    if (body->head_lines++ == 0)
        body->status = body->line_length > 9 ? (int)strtol(body->line + 9, NULL, 10) : 0;
    else if (strncasecmp(body->line, "transfer-encoding: chunked", 26) == 0)
        body->chunked = true;
    else if (body->line_length == 0)
        body->part = body->chunked ? HTTP_SIZE : HTTP_REST;
}

static void take_line(struct http_body *body)
{
    body->line[body->line_length] = '\0';
    if (body->part == HTTP_HEAD) {
        take_head_line(body);
    } else if (body->part == HTTP_DATA_END) {
        body->part = HTTP_SIZE;
    } else {
        body->left = strtoul(body->line, NULL, 16);
        body->part = body->left > 0 ? HTTP_DATA : HTTP_END;
    }
    body->line_length = 0;
}

static size_t feed_line(struct http_body *body, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            take_line(body);
            return i + 1;
        }
        if (bytes[i] != '\r' && body->line_length + 1 < sizeof body->line)
            body->line[body->line_length++] = bytes[i];
    }
    return length;
}

int http_body_feed(struct http_body *body, const char *bytes, size_t length)
{
    while (length > 0 && body->part != HTTP_END) {
        size_t taken;
        if (body->part != HTTP_DATA && body->part != HTTP_REST) {
            taken = feed_line(body, bytes, length);
        } else {
            taken = body->part == HTTP_DATA && body->left < length ? body->left : length;
            int result = body->piece(body->context, bytes, taken);
            if (result != 0)
                return result;
            if (body->part == HTTP_DATA && (body->left -= taken) == 0)
                body->part = HTTP_DATA_END;
        }
        bytes += taken;
        length -= taken;
    }
    return 0;
}
