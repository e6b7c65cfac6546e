// SPDX-License-Identifier: Apache-2.0
// Samples as pictures: from -1 .. 1 to bytes, and many on one sheet.
#include <limits.h>
#include <stdlib.h>

#include "base/log.h"
#include "weir/formats.h"

static uint8_t byte_of(float x)
{
    float v = x * 127.5f + 128.0f;
    return v >= 255.0f ? 255 : v >= 0.0f ? (uint8_t)v : 0; // NaN fails both compares
}

static void paste(const float *x, int height, int width, int channels, struct weir_image *grid,
                  int top, int left)
{
    for (int y = 0; y < height; y++) {
        size_t at = ((size_t)(top + y) * (size_t)grid->width + (size_t)left) * (size_t)channels;
        for (int i = 0; i < width * channels; i++)
            grid->pixels[at + (size_t)i] = byte_of(*x++);
    }
}

enum weir_status weir_image_grid(const struct weir_log *log, const float *x, int n, int height,
                                 int width, int channels, int columns, int padding,
                                 struct weir_image *grid)
{
    enum weir_status status = WEIR_OK;
    weir_require(log, n > 0 && height > 0 && width > 0 && columns >= 0 && padding >= 0);
    weir_require(log, channels == 1 || channels == 3);
    if (columns == 0)
        columns = 8;
    if (columns > n)
        columns = n;
    int rows = (n + columns - 1) / columns;
    int64_t tall = rows * ((int64_t)height + padding) + padding;
    int64_t wide = columns * ((int64_t)width + padding) + padding;
    weir_require(log, tall <= 32768 && wide <= 32768);
    struct weir_image out = {.width = (int)wide, .height = (int)tall, .channels = channels};
    out.pixels = calloc((size_t)tall, (size_t)wide * (size_t)channels);
    if (!out.pixels)
        return weir_fail(log, WEIR_NOMEM, "out of memory: a sheet of %d images", n);
    for (int i = 0; i < n; i++)
        paste(x + (size_t)i * (size_t)height * (size_t)width * (size_t)channels, height, width,
              channels, &out, i / columns * (height + padding) + padding,
              i % columns * (width + padding) + padding);
    *grid = out;
error:
    return status;
}
