/* A sink in front of another one, with a thread between: whoever measures never waits for a disk.
 *
 * add and tick copy what they are given into a queue, from any thread; a thread of the queue's own hands it on, in the order it came, when
 * the engine asks for a flush (twice a second) or SINK_QUEUE_WAKE bytes have come together. level_start, level_end and
 * sink_queue_free wait until all that came before has been handed on.
 *
 * A disk that is too slow fills the queue. From SINK_QUEUE_FULL bytes on the engine sends nothing new (struct sink, `full`) and reports
 * how long; requests in flight are read and stamped as ever, and what they add beyond that is bounded by their number.
 * An error of the other sink comes back from the next call of any kind. */
#ifndef ROIBENCH_LOAD_SINK_QUEUE_H
#define ROIBENCH_LOAD_SINK_QUEUE_H

#include "base/error.h"
#include "load/sink.h"

#define SINK_QUEUE_WAKE ((size_t)256 << 10)
#define SINK_QUEUE_FULL ((size_t)64 << 20)

struct sink_queue;

/* target is borrowed. NULL with *err: no thread. */
struct sink_queue *sink_queue_new(struct sink *target, struct error *err);
/* What an engine is given. */
struct sink *sink_queue_sink(struct sink_queue *queue);
/* Hands on what is left; -1 with *err when the other sink failed, now or before. Frees in any case; NULL is allowed. */
int sink_queue_free(struct sink_queue *queue, struct error *err);

#endif
