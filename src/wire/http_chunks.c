#include "wire/http_chunks.h"

#include <string.h>

void http_chunks_begin(struct http_chunks *chunks)
{
    *chunks = (struct http_chunks){.part = HTTP_CHUNKS_SIZE};
}

bool http_chunks_is_between(const struct http_chunks *chunks)
{
    return chunks->part == HTTP_CHUNKS_SIZE && chunks->digits == 0;
}

/* -1: none. */
static int digit_of(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static void take_size_byte(struct http_chunks *chunks, char byte)
{
    int digit = digit_of(byte);
    if (digit >= 0 && chunks->digits < HTTP_CHUNKS_DIGITS_MAX) {
        chunks->left = chunks->left * 16 + (uint64_t)digit;
        chunks->digits++;
    } else if (digit >= 0 || chunks->digits == 0) {
        chunks->part = HTTP_CHUNKS_OVER;
    } else {
        chunks->part = HTTP_CHUNKS_SIZE_END;
    }
}

/* Up to the line's end; extensions mean nothing. */
static void take_size_end_byte(struct http_chunks *chunks, char byte)
{
    if (byte == '\n')
        chunks->part = chunks->left > 0 ? HTTP_CHUNKS_DATA : HTTP_CHUNKS_OVER;
}

static void take_data_end_byte(struct http_chunks *chunks, char byte)
{
    if (byte == '\n')
        http_chunks_begin(chunks);
    else if (byte != '\r')
        chunks->part = HTTP_CHUNKS_OVER;
}

static void close_data(struct http_chunks *chunks, size_t length)
{
    chunks->left -= length;
    if (chunks->left == 0)
        chunks->part = HTTP_CHUNKS_DATA_END;
}

void http_chunks_feed(struct http_chunks *chunks, const char *bytes, size_t length, http_chunks_piece piece, void *context)
{
    const char *end = bytes + length;
    while (bytes < end && chunks->part != HTTP_CHUNKS_OVER) {
        size_t step = 1;
        switch (chunks->part) {
        case HTTP_CHUNKS_SIZE:
            take_size_byte(chunks, *bytes);
            step = chunks->part == HTTP_CHUNKS_SIZE_END ? 0 : 1; /* the byte behind the digits may be the line's end */
            break;
        case HTTP_CHUNKS_SIZE_END:
            take_size_end_byte(chunks, *bytes);
            break;
        case HTTP_CHUNKS_DATA:
            step = (uint64_t)(end - bytes) < chunks->left ? (size_t)(end - bytes) : (size_t)chunks->left;
            close_data(chunks, step);
            piece(context, bytes, step);
            break;
        case HTTP_CHUNKS_DATA_END:
            take_data_end_byte(chunks, *bytes);
            break;
        case HTTP_CHUNKS_OVER:
            break;
        }
        bytes += step;
    }
}

/* The length of a whole line that says how long a chunk is, and no more than that; 0: it is none. */
static size_t size_line_length(const char *bytes, size_t length, uint64_t *size)
{
    size_t digits = 0;
    int digit;
    *size = 0;
    while (digits < length && digits < HTTP_CHUNKS_DIGITS_MAX - 1 && (digit = digit_of(bytes[digits])) >= 0) {
        *size = *size * 16 + (uint64_t)digit;
        digits++;
    }
    bool whole = digits > 0 && length - digits >= 2 && memcmp(bytes + digits, "\r\n", 2) == 0;
    return whole && *size > 0 ? digits + 2 : 0;
}

size_t http_chunks_whole_length(const struct http_chunks *chunks, const char *bytes, size_t length)
{
    size_t at = 0;
    while (http_chunks_is_between(chunks) && at < length) {
        uint64_t size;
        size_t line = size_line_length(bytes + at, length - at, &size), left = length - at - line;
        if (line == 0 || left < 2 || size > left - 2 || memcmp(bytes + at + line + size, "\r\n", 2) != 0)
            break;
        at += line + (size_t)size + 2;
    }
    return at;
}
