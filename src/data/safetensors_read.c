// SPDX-License-Identifier: Apache-2.0
// safetensors: u64 header length, JSON {name: {dtype, shape, data_offsets}}, bytes. Every rule of
// the format is checked, for the file may come from anywhere:
// https://github.com/huggingface/safetensors
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/files.h"
#include "data/bytes.h"
#include "data/dtype.h"

enum { MAX_HEADER = 100000000 };

struct priv {
    char *raw;
    weir_arena *arena;
    struct weir_file_array *arrays;
    struct weir_file_text *meta;
    const struct weir_file_array **by_name; // sorted, for find
};

struct reader {
    const struct weir_log *log;
    const char *path;
    const unsigned char *data; // behind the header
    size_t data_size;
    struct priv *priv;
};

static enum weir_status malformed(const struct reader *r, const char *name, const char *what)
{
    return weir_fail(r->log, WEIR_FORMAT, "%s: tensor '%s': %s", r->path, name, what);
}

static enum weir_status no_memory(const struct reader *r)
{
    return weir_fail(r->log, WEIR_NOMEM, "out of memory: reading '%s'", r->path);
}

static enum weir_status read_shape(const struct reader *r, const char *name, const json_t *list,
                                   struct weir_shape *shape)
{
    if (!json_is_array(list))
        return malformed(r, name, "no shape");
    size_t rank = json_array_size(list);
    if (rank > WEIR_MAX_RANK)
        return weir_fail(r->log, WEIR_UNSUPPORTED,
                         "%s: tensor '%s' has %zu axes; up to %d are read", r->path, name, rank,
                         WEIR_MAX_RANK);
    shape->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(list, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return malformed(r, name, "an extent of the shape is not an integer of at least 0");
        shape->dim[i] = json_integer_value(extent);
    }
    return WEIR_OK;
}

// [begin, end) in the data, against what dtype and shape need.
static enum weir_status read_range(const struct reader *r, const json_t *list,
                                   struct weir_file_array *array)
{
    const json_t *b = json_array_get(list, 0), *e = json_array_get(list, 1);
    if (json_array_size(list) != 2 || !json_is_integer(b) || !json_is_integer(e))
        return malformed(r, array->name, "data_offsets is not a list of two integers");
    int64_t begin = json_integer_value(b), end = json_integer_value(e);
    if (begin < 0 || end < begin || (uint64_t)end > r->data_size)
        return weir_fail(r->log, WEIR_FORMAT,
                         "%s: tensor '%s': bytes %" PRId64 " to %" PRId64
                         " do not lie in the %zu bytes of data",
                         r->path, array->name, begin, end, r->data_size);
    char text[160];
    size_t wanted = 0;
    weir_file_shape_text(&array->shape, text, sizeof(text));
    if (!weir_file_array_size(array->dtype, &array->shape, &wanted))
        return weir_fail(r->log, WEIR_FORMAT, "%s: tensor '%s': shape %s overflows", r->path,
                         array->name, text);
    if ((uint64_t)(end - begin) != wanted)
        return weir_fail(
            r->log, WEIR_FORMAT, "%s: tensor '%s': %" PRId64 " bytes, but %s of %s needs %zu",
            r->path, array->name, end - begin, text, weir_file_dtype_name(array->dtype), wanted);
    array->data = r->data + begin;
    array->size = wanted;
    return WEIR_OK;
}

static enum weir_status read_tensor(const struct reader *r, const char *name, const json_t *entry,
                                    struct weir_file_array *array)
{
    array->name = weir_arena_strdup(r->priv->arena, name);
    if (!array->name)
        return no_memory(r);
    const char *word = json_string_value(json_object_get(entry, "dtype"));
    if (!word)
        return malformed(r, name, "no dtype");
    array->dtype = weir_file_dtype_find(word);
    if (array->dtype == WEIR_N_FILE_DTYPES)
        return weir_fail(r->log, WEIR_UNSUPPORTED, "%s: tensor '%s': dtype '%.40s' is not read",
                         r->path, name, word);
    if (json_object_size(entry) != 3)
        return malformed(r, name, "expected the keys dtype, shape and data_offsets and no other");
    enum weir_status status = read_shape(r, name, json_object_get(entry, "shape"), &array->shape);
    return status ? status : read_range(r, json_object_get(entry, "data_offsets"), array);
}

static enum weir_status read_meta(const struct reader *r, json_t *object,
                                  struct weir_safetensors *out)
{
    if (!json_is_object(object))
        return weir_fail(r->log, WEIR_FORMAT, "%s: __metadata__ is not an object", r->path);
    struct weir_file_text *meta =
        weir_arena_array(r->priv->arena, json_object_size(object), sizeof(*meta));
    if (!meta)
        return no_memory(r);
    const char *key;
    json_t *value;
    size_t n = 0;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            return weir_fail(r->log, WEIR_FORMAT, "%s: __metadata__ '%s' is not a string", r->path,
                             key);
        meta[n].key = weir_arena_strdup(r->priv->arena, key);
        meta[n].value = weir_arena_strdup(r->priv->arena, json_string_value(value));
        if (!meta[n].key || !meta[n].value)
            return no_memory(r);
        n++;
    }
    r->priv->meta = meta;
    out->meta = meta;
    out->n_meta = n;
    return WEIR_OK;
}

static int by_offset(const void *x, const void *y)
{
    const struct weir_file_array *a = x, *b = y;
    const unsigned char *pa = a->data, *pb = b->data;
    if (pa != pb)
        return pa < pb ? -1 : 1;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1; // empty tensors first: they share a place
    return strcmp(a->name, b->name);
}

static int by_name(const void *x, const void *y)
{
    const struct weir_file_array *const *a = x, *const *b = y;
    return strcmp((*a)->name, (*b)->name);
}

// No hole, no overlap, nothing left over; then the index by name.
static enum weir_status check_layout(const struct reader *r, struct weir_safetensors *out)
{
    struct weir_file_array *arrays = r->priv->arrays;
    if (out->n)
        qsort(arrays, out->n, sizeof(*arrays), by_offset);
    size_t at = 0;
    for (size_t i = 0; i < out->n; i++) {
        size_t begin = (size_t)((const unsigned char *)arrays[i].data - r->data);
        if (begin != at)
            return weir_fail(r->log, WEIR_FORMAT,
                             "%s: tensor '%s' begins at byte %zu, expected %zu: %s", r->path,
                             arrays[i].name, begin, at,
                             begin < at ? "it overlaps the one before" : "a hole");
        at += arrays[i].size;
    }
    if (at != r->data_size)
        return weir_fail(r->log, WEIR_FORMAT, "%s: %zu bytes of data, the tensors take %zu",
                         r->path, r->data_size, at);
    const struct weir_file_array **index = weir_arena_array(r->priv->arena, out->n, sizeof(*index));
    if (!index)
        return no_memory(r);
    for (size_t i = 0; i < out->n; i++)
        index[i] = &arrays[i];
    if (out->n)
        qsort(index, out->n, sizeof(*index), by_name);
    r->priv->by_name = index;
    return WEIR_OK;
}

static enum weir_status read_header(const struct reader *r, json_t *root,
                                    struct weir_safetensors *out)
{
    if (!json_is_object(root))
        return weir_fail(r->log, WEIR_FORMAT, "%s: the header is not a JSON object", r->path);
    size_t most = json_object_size(root);
    struct weir_file_array *arrays = weir_arena_array(r->priv->arena, most, sizeof(*arrays));
    if (!arrays)
        return no_memory(r);
    r->priv->arrays = arrays;
    out->arrays = arrays;
    enum weir_status status = WEIR_OK;
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry)
    {
        if (!strcmp(name, "__metadata__"))
            status = read_meta(r, entry, out);
        else
            status = read_tensor(r, name, entry, &arrays[out->n++]);
        if (status)
            return status;
    }
    return check_layout(r, out);
}

static enum weir_status read_bytes(struct reader *r, const unsigned char *raw, size_t size,
                                   struct weir_safetensors *out)
{
    if (size < 8)
        return weir_fail(r->log, WEIR_FORMAT, "%s: %zu bytes: too short for a safetensors file",
                         r->path, size);
    uint64_t header = weir_le64(raw);
    if (header > MAX_HEADER || header > size - 8)
        return weir_fail(r->log, WEIR_FORMAT,
                         "%s: the header is said to have %" PRIu64
                         " bytes; the file has %zu after its length, the format allows %d",
                         r->path, header, size - 8, MAX_HEADER);
    r->data = raw + 8 + header;
    r->data_size = size - 8 - (size_t)header;
    json_error_t error;
    json_t *root = NULL;
    if (header && raw[8] == '{')
        root = json_loadb((const char *)raw + 8, (size_t)header, JSON_REJECT_DUPLICATES, &error);
    else
        strcpy(error.text, "it does not start with '{'");
    if (!root)
        return weir_fail(r->log, WEIR_FORMAT, "%s: header: %s", r->path, error.text);
    enum weir_status status = read_header(r, root, out);
    json_decref(root);
    return status;
}

enum weir_status weir_safetensors_read(const struct weir_log *log, const char *path,
                                       struct weir_safetensors **file)
{
    struct weir_safetensors *out = calloc(1, sizeof(*out));
    struct priv *priv = calloc(1, sizeof(*priv));
    weir_arena *arena = weir_arena_create();
    struct reader r = {.log = log, .path = path, .priv = priv};
    if (!out || !priv || !arena) {
        free(out);
        free(priv);
        weir_arena_destroy(&arena);
        return no_memory(&r);
    }
    out->priv = priv;
    priv->arena = arena;
    size_t size = 0;
    enum weir_status status = weir_file_read(log, path, &priv->raw, &size);
    if (!status)
        status = read_bytes(&r, (const unsigned char *)priv->raw, size, out);
    if (status) {
        weir_safetensors_destroy(&out);
        return status;
    }
    *file = out;
    return WEIR_OK;
}

void weir_safetensors_destroy(struct weir_safetensors **file)
{
    if (!file || !*file)
        return;
    struct priv *priv = (*file)->priv;
    weir_arena_destroy(&priv->arena);
    free(priv->raw);
    free(priv);
    free(*file);
    *file = NULL;
}

const struct weir_file_array *weir_safetensors_find(const struct weir_safetensors *file,
                                                    const char *name)
{
    const struct priv *priv = file->priv;
    struct weir_file_array wanted = {.name = name};
    const struct weir_file_array *key = &wanted;
    const struct weir_file_array **found =
        file->n ? bsearch(&key, priv->by_name, file->n, sizeof(key), by_name) : NULL;
    return found ? *found : NULL;
}

const char *weir_safetensors_meta(const struct weir_safetensors *file, const char *key)
{
    for (size_t i = 0; i < file->n_meta; i++)
        if (!strcmp(file->meta[i].key, key))
            return file->meta[i].value;
    return NULL;
}
