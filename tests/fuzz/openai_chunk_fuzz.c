#include "support/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    property_openai_chunk(data, size);
    property_openai_stream(data, size);
    return 0;
}
