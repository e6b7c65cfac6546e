// SPDX-License-Identifier: Apache-2.0
// Data sets that lie in memory as one array of items and one of labels: idx (MNIST and its
// relatives) and npz. Bytes stay bytes until an item is asked for.
#include "data/arrays.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/log.h"
#include "data/dtype.h"
#include "data/idx.h"

struct arrays {
    const unsigned char *bytes; // one of the two: images of bytes,
    const float *floats;        // or anything in f32
    int32_t *labels;            // NULL = none
    size_t item_size;           // elements
    void *owned;                // behind bytes or floats
};

static enum weir_status get_item(const struct weir_dataset *data, int64_t index, float *item,
                                 int32_t *label)
{
    const struct arrays *a = data->priv;
    enum weir_status status = WEIR_OK;
    weir_require(data->log, index >= 0 && index < data->n);
    size_t at = (size_t)index * a->item_size;
    if (a->floats)
        memcpy(item, a->floats + at, a->item_size * sizeof(float));
    for (size_t i = 0; !a->floats && i < a->item_size; i++)
        item[i] = weir_pixel(a->bytes[at + i]);
    *label = a->labels ? a->labels[index] : 0;
error:
    return status;
}

static void arrays_free(struct arrays *a)
{
    free(a->owned);
    free(a->labels);
    free(a);
}

static void close_arrays(struct weir_dataset *data)
{
    arrays_free(data->priv);
}

// (n, ...) → n, and the shape of an item: images (n, h, w) get their channel axis.
static enum weir_status set_shapes(const struct weir_log *log, const char *path,
                                   const struct weir_shape *shape, struct weir_dataset *data)
{
    char text[160];
    struct weir_shape item = {.rank = shape->rank - 1};
    for (int i = 0; i < item.rank; i++)
        item.dim[i] = shape->dim[i + 1];
    if (item.rank == 2)
        item.dim[item.rank++] = 1;
    bool empty = shape->rank < 2;
    for (int i = 0; i < shape->rank; i++)
        empty = empty || shape->dim[i] == 0;
    if (empty || shape->rank == WEIR_MAX_RANK)
        return weir_fail(
            log, WEIR_FORMAT,
            "%s: shape %s; expected points (n, d) or images (n, h, w[, c]), none empty", path,
            weir_file_shape_text(shape, text, sizeof(text)));
    data->n = shape->dim[0];
    data->item = item;
    return WEIR_OK;
}

// Counts the classes: labels must lie in 0 .. 65535.
static enum weir_status set_labels(const struct weir_log *log, const char *path, int32_t *labels,
                                   struct weir_dataset *data)
{
    int32_t top = 0;
    for (int64_t i = 0; i < data->n; i++) {
        if (labels[i] < 0 || labels[i] > 65535)
            return weir_fail(log, WEIR_FORMAT,
                             "%s: label %" PRId32 " of item %" PRId64 "; expected 0 to 65535", path,
                             labels[i], i);
        top = labels[i] > top ? labels[i] : top;
    }
    data->n_classes = top + 1;
    return WEIR_OK;
}

static enum weir_status no_memory(const struct weir_log *log, const char *path)
{
    return weir_fail(log, WEIR_NOMEM, "out of memory: data of '%s'", path);
}

static size_t item_size(const struct weir_dataset *data)
{
    size_t n = 1;
    for (int i = 0; i < data->item.rank; i++)
        n *= (size_t)data->item.dim[i];
    return n;
}

// ---- idx ----

static enum weir_status read_idx_labels(const struct weir_log *log, const char *path,
                                        struct arrays *a, struct weir_dataset *data)
{
    struct weir_idx idx = {.data = NULL};
    enum weir_status status = weir_idx_read(log, path, &idx);
    if (status)
        return status;
    if (idx.shape.rank != 1 || idx.shape.dim[0] != data->n) {
        char text[160];
        status = weir_fail(log, WEIR_FORMAT, "%s: labels of shape %s, expected (%" PRId64 ")", path,
                           weir_file_shape_text(&idx.shape, text, sizeof(text)), data->n);
    } else if (!(a->labels = malloc((size_t)data->n * sizeof(*a->labels)))) {
        status = no_memory(log, path);
    } else {
        for (int64_t i = 0; i < data->n; i++)
            a->labels[i] = idx.data[i];
        status = set_labels(log, path, a->labels, data);
    }
    free(idx.data);
    return status;
}

static enum weir_status open_idx_files(const struct weir_log *log, const char *images,
                                       const char *labels, struct weir_dataset *data)
{
    struct arrays *a = calloc(1, sizeof(*a));
    struct weir_idx idx = {.data = NULL};
    if (!a)
        return no_memory(log, images);
    enum weir_status status = weir_idx_read(log, images, &idx);
    if (!status) {
        a->owned = idx.data;
        a->bytes = idx.data;
        status = set_shapes(log, images, &idx.shape, data);
    }
    if (!status && labels)
        status = read_idx_labels(log, labels, a, data);
    if (status) {
        arrays_free(a);
        return status;
    }
    a->item_size = item_size(data);
    data->get = get_item;
    data->priv = a;
    return WEIR_OK;
}

static enum weir_status open_idx(const struct weir_log *log,
                                 const struct weir_dataset_params *params,
                                 const struct weir_dataset_kind *kind, struct weir_dataset *data)
{
    return open_idx_files(log, params->path, params->labels, data);
}

const struct weir_dataset_kind weir_data_idx = {
    .name = "idx",
    .desc = "images in an idx file (.gz too), labels in another",
    .needs_path = true,
    .open = open_idx,
    .close = close_arrays,
};

// ---- folders laid out as MNIST's ----

// path/stem or path/stem.gz, whichever is there (the message names the first).
static char *find_file(const char *path, const char *stem)
{
    char *name = NULL;
    if (asprintf(&name, "%s/%s.gz", path, stem) < 0)
        return NULL;
    if (!weir_file_exists(name))
        name[strlen(name) - 3] = 0;
    return name;
}

static enum weir_status open_mnist(const struct weir_log *log,
                                   const struct weir_dataset_params *params,
                                   const struct weir_dataset_kind *kind, struct weir_dataset *data)
{
    if (!weir_dir_exists(params->path))
        return weir_fail(
            log, WEIR_IO,
            "no folder '%s' with Fashion-MNIST (Debian: package dataset-fashion-mnist)",
            params->path);
    char *images = find_file(params->path,
                             params->test ? "t10k-images-idx3-ubyte" : "train-images-idx3-ubyte");
    char *labels = find_file(params->path,
                             params->test ? "t10k-labels-idx1-ubyte" : "train-labels-idx1-ubyte");
    enum weir_status status =
        images && labels ? open_idx_files(log, images, labels, data) : no_memory(log, params->path);
    free(images);
    free(labels);
    return status;
}

const struct weir_dataset_kind weir_data_fashion_mnist = {
    .name = "fashion-mnist",
    .desc = "70,000 garments, 28 x 28 grey, 10 classes (or any folder with MNIST's file names)",
    .needs_path = true,
    .default_path = "/usr/share/datasets/fashion-mnist",
    .open = open_mnist,
    .close = close_arrays,
};

// ---- npz ----

static const struct weir_file_array *find_any(const struct weir_npz *file, const char *const *names)
{
    for (; *names; names++)
        if (weir_npz_find(file, *names))
            return weir_npz_find(file, *names);
    return NULL;
}

// Bytes are images and stay bytes; all else becomes f32 as it is.
static enum weir_status take_items(const struct weir_log *log, const char *path,
                                   const struct weir_file_array *items, struct arrays *a,
                                   struct weir_dataset *data)
{
    enum weir_status status = set_shapes(log, path, &items->shape, data);
    if (status)
        return status;
    a->item_size = item_size(data);
    size_t n = (size_t)data->n * a->item_size;
    if (items->dtype == WEIR_FILE_U8) {
        a->owned = malloc(n);
        if (a->owned)
            memcpy(a->owned, items->data, n);
        a->bytes = a->owned;
    } else {
        float *floats = n > SIZE_MAX / sizeof(float) ? NULL : malloc(n * sizeof(float));
        if (floats)
            weir_file_to_f32(items->dtype, items->data, n, floats);
        a->owned = floats;
        a->floats = floats;
    }
    return a->owned ? WEIR_OK : no_memory(log, path);
}

static enum weir_status take_labels(const struct weir_log *log, const char *path,
                                    const struct weir_file_array *labels, struct arrays *a,
                                    struct weir_dataset *data)
{
    char text[160];
    size_t bad = 0;
    if (labels->shape.rank != 1 || labels->shape.dim[0] != data->n)
        return weir_fail(log, WEIR_FORMAT, "%s: '%s' of shape %s, expected (%" PRId64 ")", path,
                         labels->name, weir_file_shape_text(&labels->shape, text, sizeof(text)),
                         data->n);
    a->labels = malloc((size_t)data->n * sizeof(*a->labels));
    if (!a->labels)
        return no_memory(log, path);
    if (weir_file_to_i32(labels->dtype, labels->data, (size_t)data->n, a->labels, &bad))
        return weir_fail(log, WEIR_FORMAT, "%s: '%s': element %zu is no integer of 32 bits", path,
                         labels->name, bad);
    return set_labels(log, path, a->labels, data);
}

static enum weir_status open_npz(const struct weir_log *log,
                                 const struct weir_dataset_params *params,
                                 const struct weir_dataset_kind *kind, struct weir_dataset *data)
{
    static const char *const item_names[] = {"x", "images", "arr_0", "", NULL};
    static const char *const label_names[] = {"y", "labels", "arr_1", NULL};
    struct weir_npz *file = NULL;
    enum weir_status status = weir_npz_read(log, params->path, &file);
    if (status)
        return status;
    const struct weir_file_array *items = find_any(file, item_names);
    const struct weir_file_array *labels = find_any(file, label_names);
    struct arrays *a = calloc(1, sizeof(*a));
    if (!a)
        status = no_memory(log, params->path);
    else if (!items)
        status = weir_fail(log, WEIR_FORMAT, "%s: no array named x, images or arr_0", params->path);
    else
        status = take_items(log, params->path, items, a, data);
    if (!status && labels)
        status = take_labels(log, params->path, labels, a, data);
    data->get = get_item;
    data->priv = a;
    weir_npz_destroy(&file);
    if (status && a)
        arrays_free(a);
    return status;
}

const struct weir_dataset_kind weir_data_npz = {
    .name = "npz",
    .desc = "an npz or npy: x, images or arr_0 (bytes are images), y, labels or arr_1",
    .needs_path = true,
    .open = open_npz,
    .close = close_arrays,
};
