/* The prompt of a data row as the member of a request's body, and where its head goes. */
#ifndef ROIBENCH_CMD_PREPARE_MEMBER_H
#define ROIBENCH_CMD_PREPARE_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "plan/dataset.h"
#include "plan/material.h"
#include "plan/plan.h"

struct prepare_member {
    struct buf json;   /* "messages":[...] or "prompt":"..." */
    size_t head;       /* byte of json before which a head is put: the begin of the first text */
    size_t text_bytes; /* of all texts in it, as UTF-8 */
    size_t messages;   /* of a chat; 1 otherwise */
    /* What it was made of, to be shortened: borrowed from the row. */
    enum endpoint endpoint;
    const char *text;
    size_t text_length;
    json_t *rows_messages;
};

void prepare_member_init(struct prepare_member *member);
void prepare_member_free(struct prepare_member *member);

/* -1 with a sentence: messages for an endpoint that takes none, or without any text. */
int prepare_member_of_row(struct prepare_member *member, const struct dataset_row *row, enum endpoint endpoint, struct error *err);
/* Keeps `share` (0 to 1) of the text (of a chat: of its longest message). false: nothing would be left. */
bool prepare_member_shorten(struct prepare_member *member, double share);
/* Appends it with a head made of the material; NULL: without one. */
void prepare_member_with_head(const struct prepare_member *member, const struct material *material, struct random *random, struct buf *out);

#endif
