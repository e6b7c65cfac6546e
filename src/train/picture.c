// SPDX-License-Identifier: Apache-2.0
// Samples as a picture: image grids, or the density of points in the plane.
#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "train/train.h"
#include "weir/formats.h"

enum { SIDE = 384 };
static const double SPAN = 4; // points are drawn in [-SPAN, SPAN]²

static int64_t columns_of(const struct weir_setup *setup, int64_t n)
{
    if (setup->classes)
        return (n + setup->classes - 1) / setup->classes;
    return (int64_t)ceil(sqrt((double)n));
}

void weir_grid_labels(const struct weir_setup *setup, int64_t n, int32_t *labels)
{
    int64_t columns = columns_of(setup, n);
    for (int64_t i = 0; i < n; i++)
        labels[i] = setup->classes ? (int32_t)(i / columns) : 0;
}

static enum weir_status points_png(const struct weir_log *log, const char *path, const float *x,
                                   int64_t n)
{
    struct weir_image image = { SIDE, SIDE, 1, calloc(SIDE, SIDE) };
    uint32_t *count = calloc((size_t)SIDE * SIDE, sizeof(*count)), most = 1;
    if (!image.pixels || !count) {
        free(count);
        weir_image_finish(&image);
        return weir_fail(log, WEIR_NOMEM, "no memory for %s", path);
    }
    for (int64_t i = 0; i < n; i++) {
        double u = (x[2 * i] + SPAN) / (2 * SPAN) * SIDE,
               v = (SPAN - x[2 * i + 1]) / (2 * SPAN) * SIDE;
        if (!(u >= 0 && u < SIDE && v >= 0 && v < SIDE))
            continue;
        uint32_t *c = &count[(size_t)v * SIDE + (size_t)u];
        if (++*c > most)
            most = *c;
    }
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++)
        image.pixels[i] = (uint8_t)(count[i] ? 80 + 175 * count[i] / most : 0);
    enum weir_status status = weir_png_write(log, path, &image, NULL, 0);
    free(count);
    weir_image_finish(&image);
    return status;
}

enum weir_status weir_samples_png(const struct weir_log *log, const char *path,
                                  const struct weir_setup *setup, const float *samples, int64_t n)
{
    const struct weir_shape *item = &setup->config.item;
    if (item->rank == 1 && item->dim[0] == 2)
        return points_png(log, path, samples, n);
    if (item->rank != 3)
        return weir_fail(log, WEIR_UNSUPPORTED,
                         "%s: samples of this shape make no picture; write an .npz", path);
    struct weir_image grid = { 0 };
    enum weir_status status =
        weir_image_grid(log, samples, (int)n, (int)item->dim[0], (int)item->dim[1],
                        (int)item->dim[2], (int)columns_of(setup, n), 2, &grid);
    if (!status)
        status = weir_png_write(log, path, &grid, NULL, 0);
    weir_image_finish(&grid);
    return status;
}
