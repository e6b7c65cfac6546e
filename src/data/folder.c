// SPDX-License-Identifier: Apache-2.0
// A folder of PNG files. Sub-folders are classes, numbered in the order of their names; without
// sub-folders there are no labels. All images have one size; each is decoded when asked for.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/log.h"
#include "data/arrays.h"
#include "weir/formats.h"

struct entry {
    const char *path;
    int32_t label;
};

struct folder {
    weir_arena *arena;
    struct entry *entries;
    size_t n, cap;
};

static bool is_png(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && name[0] != '.' && !strcasecmp(name + n - 4, ".png");
}

static bool push(struct folder *f, const char *folder, const char *name, int32_t label)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 256;
        struct entry *more = realloc(f->entries, cap * sizeof(*more));
        if (!more)
            return false;
        f->entries = more;
        f->cap = cap;
    }
    struct entry *entry = &f->entries[f->n++];
    entry->path = weir_arena_printf(f->arena, "%s/%s", folder, name);
    entry->label = label;
    return entry->path;
}

static enum weir_status no_memory(const struct weir_log *log, const char *path)
{
    return weir_fail(log, WEIR_NOMEM, "out of memory: the images of '%s'", path);
}

static enum weir_status add_images(const struct weir_log *log, struct folder *f, const char *path,
                                   int32_t label)
{
    char **names;
    size_t n;
    enum weir_status status = weir_dir_list(log, path, f->arena, &names, &n);
    for (size_t i = 0; i < n && !status; i++)
        if (is_png(names[i]) && !push(f, path, names[i], label))
            status = no_memory(log, path);
    return status;
}

// Every sub-folder is a class; *n_classes = how many there are.
static enum weir_status add_classes(const struct weir_log *log, struct folder *f, const char *path,
                                    int *n_classes)
{
    char **names;
    size_t n;
    enum weir_status status = weir_dir_list(log, path, f->arena, &names, &n);
    for (size_t i = 0; i < n && !status; i++) {
        char *child = weir_arena_printf(f->arena, "%s/%s", path, names[i]);
        if (!child)
            return no_memory(log, path);
        if (names[i][0] == '.' || !weir_dir_exists(child))
            continue;
        size_t before = f->n;
        status = add_images(log, f, child, (*n_classes)++);
        if (!status && f->n == before)
            status = weir_fail(log, WEIR_FORMAT, "%s: no PNG files in this class", child);
    }
    return status;
}

static enum weir_status get_image(const struct weir_dataset *data, int64_t index, float *item,
                                  int32_t *label)
{
    const struct folder *f = data->priv;
    enum weir_status status = WEIR_OK;
    struct weir_image image = {.pixels = NULL};
    weir_require(data->log, index >= 0 && index < data->n);
    status = weir_png_read(data->log, f->entries[index].path, &image);
    if (status)
        return status;
    const int64_t *dim = data->item.dim;
    if (image.height != dim[0] || image.width != dim[1] || image.channels != dim[2]) {
        status = weir_fail(data->log, WEIR_FORMAT,
                           "%s: %d x %d pixels of %d channels; %s has %d x %d of %d",
                           f->entries[index].path, image.width, image.height, image.channels,
                           f->entries[0].path, (int)dim[1], (int)dim[0], (int)dim[2]);
        goto error;
    }
    for (int64_t i = 0; i < dim[0] * dim[1] * dim[2]; i++)
        item[i] = weir_pixel(image.pixels[i]);
    *label = f->entries[index].label;
error:
    weir_image_finish(&image);
    return status;
}

static void folder_free(struct folder *f)
{
    weir_arena_destroy(&f->arena);
    free(f->entries);
    free(f);
}

static void close_folder(struct weir_dataset *data)
{
    folder_free(data->priv);
}

static enum weir_status fill(const struct weir_log *log, const char *path, struct folder *f,
                             struct weir_dataset *data)
{
    enum weir_status status = add_classes(log, f, path, &data->n_classes);
    if (!status && data->n_classes == 0)
        status = add_images(log, f, path, 0);
    if (!status && f->n == 0)
        status = weir_fail(log, WEIR_FORMAT, "%s: no PNG files here or one folder down", path);
    struct weir_image first = {.pixels = NULL};
    if (!status)
        status = weir_png_read(log, f->entries[0].path, &first);
    if (status)
        return status;
    data->n = (int64_t)f->n;
    data->item = (struct weir_shape){.rank = 3, .dim = {first.height, first.width, first.channels}};
    weir_image_finish(&first);
    return WEIR_OK;
}

static enum weir_status open_folder(const struct weir_log *log,
                                    const struct weir_dataset_params *params,
                                    const struct weir_dataset_kind *kind, struct weir_dataset *data)
{
    struct folder *f = calloc(1, sizeof(*f));
    if (!f || !(f->arena = weir_arena_create())) {
        free(f);
        return no_memory(log, params->path);
    }
    enum weir_status status = fill(log, params->path, f, data);
    if (status) {
        folder_free(f);
        return status;
    }
    data->get = get_image;
    data->priv = f;
    return WEIR_OK;
}

const struct weir_dataset_kind weir_data_folder = {
    .name = "folder",
    .desc = "PNG files of one size; sub-folders are classes",
    .needs_path = true,
    .open = open_folder,
    .close = close_folder,
};
