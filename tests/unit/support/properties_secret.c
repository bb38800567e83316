#include "support/properties_secret.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wire/pattern.h"
#include "wire/secret_scan.h"

#define TEXT_MAX 4000 /* within SECRET_LOOK_MAX nothing is cut */

enum secret_shape search_in_pieces(struct secret_scan *scan, const char *bytes, size_t length, size_t piece, uint64_t *offset)
{
    secret_scan_begin(scan);
    for (size_t k = 0; k < length; k += piece) {
        const enum secret_shape shape = secret_scan_feed(scan, bytes + k, length - k < piece ? length - k : piece, offset);

        if (shape != SECRET_NONE)
            return shape;
    }
    return secret_scan_end(scan, offset);
}

/* Shapes as expressions, where an expression can say all of it. */
static bool expressions_find(const char *bytes, size_t length)
{
    static const char *const expressions[] = {
        "(^|[^A-Za-z0-9])A[KS]IA[A-Z0-9]{16}($|[^A-Za-z0-9])",
        "(^|[^A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{13,}\\.eyJ[A-Za-z0-9_-]{8}",
    };

    for (size_t k = 0; k < sizeof expressions / sizeof *expressions; k++) {
        struct pattern *pattern = pattern_new(expressions[k], NULL);
        size_t at;

        if (!pattern)
            abort();

        const bool found = pattern_search(pattern, bytes, length, &at) == PATTERN_FOUND || pattern_end(pattern) == PATTERN_FOUND;

        pattern_free(pattern);
        if (found)
            return true;
    }
    return false;
}

void property_secret(const uint8_t *data, size_t size)
{
    struct secret_scan *scan = secret_scan_new();
    const size_t length = size < TEXT_MAX ? size : TEXT_MAX;
    const char *bytes = (const char *)data;
    uint64_t whole_at = 0, pieces_at = 0;
    const enum secret_shape whole = search_in_pieces(scan, bytes, length, TEXT_MAX, &whole_at), pieces = search_in_pieces(scan, bytes, length, 7, &pieces_at);

    if (whole != pieces || whole_at != pieces_at || whole_at > length)
        abort();
    if (whole == SECRET_NONE && expressions_find(bytes, length))
        abort();
    secret_scan_free(scan);
}
