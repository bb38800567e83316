/* XML of a peer, by expat: each element at its end, with where it stands and the text directly inside it.
 *
 * "<a xmlns='x'><b>1</b><b> </b></a>" gives ("/a/b", "1"), ("/a/b", " "), ("/a", ""). Prefixes of names are left out. Attributes,
 * comments and processing instructions are passed over. A document type is refused, so that no entities are defined that
 * grow. The text may be a secret: what was collected of it is cleared at the end. */
#ifndef ROIBENCH_WIRE_XML_H
#define ROIBENCH_WIRE_XML_H

#include <stddef.h>

#include "base/error.h"

#define XML_DEPTH_MAX 32
#define XML_TEXT_MAX ((size_t)1 << 20) /* of all elements that are open */

/* path and text are valid during the call. */
typedef void (*xml_handler)(void *context, const char *path, const char *text);

/* -1 with *err (ERROR_TARGET): it is no XML, or passes a ceiling; elements before were told. */
int xml_read(const char *bytes, size_t length, xml_handler handler, void *context, struct error *err);

#endif
