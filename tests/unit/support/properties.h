/* What must hold for every input of the readers, hostile ones included: abort() when it does not.
 *
 * The fuzzers of tests/fuzz call them, and so do unit tests with captures and mutations of these. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_H

#include <stddef.h>
#include <stdint.h>

typedef void (*property)(const uint8_t *data, size_t size);

/* Cut anywhere, a stream gives the same events. The first two bytes choose the cuts. */
void property_sse(const uint8_t *data, size_t size);
/* Cut anywhere, a body in chunks is the same, and so is what is plainly data taken first. The first two bytes choose the cuts. */
void property_http_chunks(const uint8_t *data, size_t size);
/* The scanner and jansson say the same of a chunk, in clean lines of text. */
void property_openai_chunk(const uint8_t *data, size_t size);
/* So do they of lines that are the chunks of one stream, whatever the scanner remembers of those before. */
void property_openai_stream(const uint8_t *data, size_t size);
/* Responses, errors and lists of models: read or refused, in clean lines of text. */
void property_openai_body(const uint8_t *data, size_t size);
/* Lines are independent; what is handed out lies inside the text. */
void property_promtext(const uint8_t *data, size_t size);
/* A record that was read is written and read again as the same, but for its finish_reason, which is only shown. */
void property_record_line(const uint8_t *data, size_t size);
/* Fields lie inside the text, end, and there are no more than asked for; reading ends. */
void property_csv(const uint8_t *data, size_t size);
/* YAML: read, or refused with a reason; what was read is the same when it is read again from its JSON. */
void property_yaml(const uint8_t *data, size_t size);
/* A value of one of GuideLLM's options, likewise. */
void property_guidellm_arguments(const uint8_t *data, size_t size);
/* An object of Kubernetes' API, whatever it is: its facts are clean lines within their ceilings, and plan.json gives them back. */
void property_kubernetes(const uint8_t *data, size_t size);
/* An answer of Prometheus' API: samples have times that fit and finite values; what is refused is told in a line. */
void property_prometheus_api(const uint8_t *data, size_t size);

#endif
