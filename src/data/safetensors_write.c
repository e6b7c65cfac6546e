// SPDX-License-Identifier: Apache-2.0
// safetensors, streamed: the header follows from names, types and shapes alone, so it is written
// first and the bytes behind it as they come. The same input gives the same file.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "data/bytes.h"
#include "data/dtype.h"

struct weir_safetensors_writer {
    const struct weir_log *log;
    char *path;
    weir_atomic *file;
    size_t expected, written;
};

// Adds key: value to the object. Fails on a key that is there already or is not UTF-8; eats
// `value`.
static enum weir_status add(const struct weir_log *log, const char *path, json_t *object,
                            const char *key, json_t *value)
{
    const char *wrong = NULL;
    if (json_object_get(object, key))
        wrong = "the name stands twice";
    else if (!value || json_object_set(object, key, value))
        wrong = "not UTF-8, or out of memory";
    json_decref(value);
    return wrong ? weir_fail(log, WEIR_INVALID, "'%s': '%s': %s", path, key, wrong) : WEIR_OK;
}

static json_t *entry_of(const struct weir_file_array *array, size_t begin, size_t size)
{
    json_t *shape = json_array();
    for (int i = 0; i < array->shape.rank; i++)
        json_array_append_new(shape, json_integer(array->shape.dim[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", weir_file_dtype_name(array->dtype), "shape",
                     shape, "data_offsets", (json_int_t)begin, (json_int_t)(begin + size));
}

static enum weir_status build_header(const struct weir_log *log, const char *path,
                                     const struct weir_file_array *arrays, size_t n,
                                     const struct weir_file_text *meta, size_t n_meta, json_t *root,
                                     size_t *total)
{
    enum weir_status status = WEIR_OK;
    if (n_meta) {
        json_t *object = json_object();
        for (size_t i = 0; i < n_meta && !status; i++)
            status = add(log, path, object, meta[i].key, json_string(meta[i].value));
        if (status) {
            json_decref(object);
            return status;
        }
        status = add(log, path, root, "__metadata__", object);
    }
    for (size_t i = 0; i < n && !status; i++) {
        size_t size = 0;
        status = weir_file_array_check(log, &arrays[i], &size);
        if (!status)
            status = add(log, path, root, arrays[i].name, entry_of(&arrays[i], *total, size));
        *total += size;
    }
    return status;
}

// Length and JSON, padded with blanks so that the data starts at a multiple of 8.
static enum weir_status write_header(weir_safetensors_writer *w, const json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT);
    if (!text)
        return weir_fail(w->log, WEIR_NOMEM, "out of memory: the header of '%s'", w->path);
    size_t n = strlen(text), padded = (n + 7) / 8 * 8;
    unsigned char length[8];
    weir_put_le(length, padded, 8);
    weir_atomic_write(w->file, length, 8);
    weir_atomic_write(w->file, text, n);
    weir_atomic_write(w->file, "        ", padded - n);
    free(text);
    return WEIR_OK;
}

enum weir_status weir_safetensors_begin(const struct weir_log *log, const char *path,
                                        const struct weir_file_array *arrays, size_t n,
                                        const struct weir_file_text *meta, size_t n_meta,
                                        weir_safetensors_writer **writer)
{
    enum weir_status status = WEIR_OK;
    json_t *root = json_object();
    weir_safetensors_writer *w = calloc(1, sizeof(*w));
    if (!root || !w || !(w->path = strdup(path))) {
        status = weir_fail(log, WEIR_NOMEM, "out of memory: writing '%s'", path);
        goto error;
    }
    w->log = log;
    status = build_header(log, path, arrays, n, meta, n_meta, root, &w->expected);
    if (!status)
        status = weir_atomic_open(log, path, &w->file);
    if (!status)
        status = write_header(w, root);
error:
    json_decref(root);
    if (status) {
        weir_safetensors_abort(&w);
        return status;
    }
    *writer = w;
    return WEIR_OK;
}

void weir_safetensors_put(weir_safetensors_writer *writer, const void *data, size_t size)
{
    writer->written += size;
    if (writer->written <= writer->expected)
        weir_atomic_write(writer->file, data, size);
}

enum weir_status weir_safetensors_commit(weir_safetensors_writer **writer)
{
    weir_safetensors_writer *w = *writer;
    enum weir_status status;
    if (w->written != w->expected)
        status = weir_fail(w->log, WEIR_INVALID, "'%s': %zu bytes were given, the arrays need %zu",
                           w->path, w->written, w->expected);
    else
        status = weir_atomic_commit(&w->file);
    weir_safetensors_abort(writer);
    return status;
}

void weir_safetensors_abort(weir_safetensors_writer **writer)
{
    if (!writer || !*writer)
        return;
    weir_atomic_abort(&(*writer)->file);
    free((*writer)->path);
    free(*writer);
    *writer = NULL;
}

enum weir_status weir_safetensors_write(const struct weir_log *log, const char *path,
                                        const struct weir_file_array *arrays, size_t n,
                                        const struct weir_file_text *meta, size_t n_meta)
{
    weir_safetensors_writer *w = NULL;
    enum weir_status status = weir_safetensors_begin(log, path, arrays, n, meta, n_meta, &w);
    if (status)
        return status;
    for (size_t i = 0; i < n; i++) {
        size_t size = 0;
        weir_file_array_size(arrays[i].dtype, &arrays[i].shape, &size);
        weir_safetensors_put(w, arrays[i].data, size);
    }
    return weir_safetensors_commit(&w);
}
