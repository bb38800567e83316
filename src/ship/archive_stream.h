/* Inside of ship/: a stream of a plan whose sha256 is still "" is the first pass, which finds it. */
#ifndef ROIBENCH_SHIP_ARCHIVE_STREAM_H
#define ROIBENCH_SHIP_ARCHIVE_STREAM_H

#include "ship/archive.h"

/* Of a stream that was read to its end. hex holds 65. */
void archive_stream_sha256(const struct archive_stream *stream, char *hex);

#endif
