/* llama.cpp's answers: what struct dialect asks for. Not for others. */
#ifndef ROIBENCH_SERVE_SIMULATOR_CHUNK_LLAMACPP_H
#define ROIBENCH_SERVE_SIMULATOR_CHUNK_LLAMACPP_H

#include "base/buf.h"

#define LLAMACPP_BUILD "b0-simulated"

struct answer;
struct generation;

void chunk_head_llamacpp(struct answer *answer, const char *id);
void chunk_tokens_llamacpp(struct generation *generation, struct buf *out);
void chunk_whole_llamacpp(struct answer *answer, struct buf *out);

#endif
