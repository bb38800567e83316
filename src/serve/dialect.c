#include "serve/dialect.h"

#include <stddef.h>
#include <string.h>

static const struct dialect *const dialects[] = {
#define DIALECT(identifier_) &dialect_##identifier_,
#include "serve/dialects.def"
#undef DIALECT
};

const struct dialect *dialect_find(const char *name)
{
    for (size_t k = 0; k < sizeof dialects / sizeof dialects[0]; k++)
        if (strcmp(dialects[k]->name, name) == 0)
            return dialects[k];
    return NULL;
}
