#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/options_table.h"

#define HELP_WIDTH 100
#define HELP_COLUMN 30 /* where the sentences begin */

/* Appends text word by word; lines after the first begin at `indent`. column: where the cursor stands. */
static void options_wrap(struct buf *out, const char *text, size_t indent, size_t column)
{
    bool first = true;

    for (size_t length; *(text += strspn(text, " ")); text += length) {
        length = strcspn(text, " ");
        if (!first && column + 1 + length > HELP_WIDTH) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        if (!first) {
            buf_append_char(out, ' ');
            column++;
        }
        buf_append(out, text, length);
        column += length;
        first = false;
    }
    buf_append_char(out, '\n');
}

/* The sentence, what may be given, the default. */
static void options_describe(const struct option_row *row, struct buf *sentence)
{
    buf_append_text(sentence, row->help ? row->help : "");
    if (row->choices) {
        buf_printf(sentence, " (%s", row->type == OPTION_CHOICES ? "any of, comma-separated: " : "");
        for (const char *c = row->choices; *c; c++)
            buf_append_text(sentence, *c == '|' ? ", " : (char[]){*c, '\0'});
        buf_append_text(sentence, ")");
    }
    if (row->repeatable)
        buf_append_text(sentence, " (may be repeated)");
    if (row->default_text && *row->default_text && row->type != OPTION_FLAG)
        buf_printf(sentence, " [default: %s]", row->default_text);
    else if (row->type == OPTION_FLAG && row->default_text && strcmp(row->default_text, "true") == 0)
        buf_printf(sentence, " [default; --no-%s turns it off]", row->name);
}

static void options_print_row(const struct option_row *row, struct buf *out)
{
    cleanup_buf struct buf sentence = BUF_INIT(8192);
    const size_t start = out->len;

    buf_printf(out, "  --%s", row->name);
    if (row->type != OPTION_FLAG)
        buf_printf(out, " %s", row->argument ? row->argument : "VALUE");

    size_t column = out->len - start;

    if (column + 2 > HELP_COLUMN) {
        buf_append_char(out, '\n');
        column = 0;
    }
    buf_printf(out, "%*s", (int)(HELP_COLUMN - column), "");
    options_describe(row, &sentence);
    options_wrap(out, buf_text(&sentence), HELP_COLUMN, HELP_COLUMN);
}

void options_print_help(const struct options *options, const char *usage, const char *summary, struct buf *out)
{
    buf_printf(out, "Usage: %s\n\n", usage);
    options_wrap(out, summary, 0, 0);
    for (size_t i = 0; i < options->count; i++) {
        const struct option_row *row = options->values[i].row;

        if (row->type == OPTION_GROUP)
            buf_printf(out, "\n%s:\n", row->name);
        else
            options_print_row(row, out);
    }
}
