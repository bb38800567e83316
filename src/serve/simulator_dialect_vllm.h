/* What a dialect close to vLLM's has in common with it: see serve/dialect.h for what each does. */
#ifndef ROIBENCH_SERVE_SIMULATOR_DIALECT_VLLM_H
#define ROIBENCH_SERVE_SIMULATOR_DIALECT_VLLM_H

#include "serve/simulator_state.h"

void vllm_answer_health(struct simulator *simulator, struct httpd_request *request);
void vllm_answer_tokenize(struct simulator *simulator, struct httpd_request *request);
void vllm_answer_detokenize(struct simulator *simulator, struct httpd_request *request);
void vllm_headers(struct httpd_request *request, int status, const char *type);
void vllm_refuse(struct simulator *simulator, struct httpd_request *request, int status, const char *allowed);
void vllm_tokens(struct generation *generation, struct buf *out);
void vllm_end(struct answer *answer, struct buf *out);

#endif
