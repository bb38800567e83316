/* What must hold for every input of the readers that container registries need: abort() when it does not. */
#ifndef ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_REGISTRY_H
#define ROIBENCH_TESTS_UNIT_SUPPORT_PROPERTIES_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

/* A WWW-Authenticate header: reading ends; what was not found is empty; what was found stands in the header. */
void property_http_challenge(const uint8_t *data, size_t size);
/* A config.json: read, or refused by a sentence without its values; what is read fits a header line. */
void property_docker_config(const uint8_t *data, size_t size);

#endif
