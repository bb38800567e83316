#include "wire/promwrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void promwrite_head(struct buf *out, const char *name, const char *suffix, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix, type);
}

void promwrite_sample(struct buf *out, const char *name, const char *suffix, const char *labels, double value)
{
    buf_printf(out, labels[0] ? "%s%s{%s} " : "%s%s%s ", name, suffix, labels);
    promwrite_number(out, value);
    buf_append_char(out, '\n');
}

void promwrite_number(struct buf *out, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value)
            break;
    }
    int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent < 6) {
        int decimals = (int)(strchr(text, 'e') - text) - 2 - exponent;
        snprintf(text, sizeof text, "%.*f", decimals > 1 ? decimals : 1, value);
    }
    char *mantissa_end = strchr(text, 'e');
    size_t length = mantissa_end ? (size_t)(mantissa_end - text) : strlen(text);
    while (length > 1 && text[length - 1] == '0' && (mantissa_end || text[length - 2] != '.'))
        length--;
    if (mantissa_end && text[length - 1] == '.')
        length--;
    buf_append(out, text, length);
    if (mantissa_end)
        buf_append_text(out, mantissa_end);
}

void promwrite_label_value(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            buf_append_char(out, '\\');
        if (*text == '\n')
            buf_append_text(out, "\\n");
        else
            buf_append_char(out, *text);
    }
}
