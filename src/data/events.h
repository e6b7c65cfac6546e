// SPDX-License-Identifier: Apache-2.0
// TensorBoard's event files: records of a protobuf, each with two checksums.
#ifndef WEIR_DATA_EVENTS_H
#define WEIR_DATA_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

typedef struct weir_events weir_events;

// Opens `path` (TensorBoard looks for names with "tfevents" in them) for adding records.
// last_step < 0: a new file. Else an existing file is cut at its first record that is damaged, cut
// off, or of a step > last_step. `time` and the later ones: seconds since 1970. Errors: IO, NOMEM.
enum weir_status weir_events_open(const struct weir_log *log, const char *path, double time,
                                  int64_t last_step, weir_events **events);

enum weir_status weir_events_scalar(weir_events *events, double time, int64_t step, const char *tag,
                                    float value);

// `png`: a whole PNG file in memory, of width x height pixels and 1 or 3 channels.
enum weir_status weir_events_image(weir_events *events, double time, int64_t step, const char *tag,
                                   int width, int height, int channels, const void *png,
                                   size_t png_size);

void weir_events_close(weir_events **events); // accepts a pointer to NULL

// CRC-32C (Castagnoli), and as it stands in the files: rotated and offset.
uint32_t weir_crc32c(const void *data, size_t size);
uint32_t weir_crc32c_masked(const void *data, size_t size);

#endif
