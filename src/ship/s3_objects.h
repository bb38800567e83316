/* Small objects of s3://bucket/prefix beside the archives (struct destination_objects). */
#ifndef ROIBENCH_SHIP_S3_OBJECTS_H
#define ROIBENCH_SHIP_S3_OBJECTS_H

#include "ship/destination.h"

extern const struct destination_objects destination_s3_objects;

#endif
