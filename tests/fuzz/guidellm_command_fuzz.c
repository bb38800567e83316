#include "support/properties_guidellm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    property_guidellm_command(data, size);
    return 0;
}
