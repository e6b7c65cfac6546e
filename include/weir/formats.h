// SPDX-License-Identifier: Apache-2.0
// Files that others read and write too: safetensors, NumPy's npy and npz, PNG. Readers trust
// nothing: a truncated or lying file is WEIR_FORMAT with a message that names the file, what was
// found and what was expected; a valid file of a kind that is not handled is WEIR_UNSUPPORTED.
// Writers replace a file as a whole or not at all, and write the same bytes for the same content.
// Every call may fail with IO (the message has the path and the system's reason) or NOMEM; all are
// safe to call from several threads on different objects.
#ifndef WEIR_FORMATS_H
#define WEIR_FORMATS_H

#include <stddef.h>
#include <stdint.h>

#include "weir/log.h"
#include "weir/status.h"
#include "weir/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

// X(name = the word in safetensors, NumPy's word or "", bytes). Little-endian in files.
#define WEIR_FILE_DTYPE_MAP(X) \
    X(F32, "<f4", 4)           \
    X(F64, "<f8", 8)           \
    X(F16, "<f2", 2)           \
    X(BF16, "", 2)             \
    X(I64, "<i8", 8)           \
    X(I32, "<i4", 4)           \
    X(I16, "<i2", 2)           \
    X(I8, "|i1", 1)            \
    X(U64, "<u8", 8)           \
    X(U32, "<u4", 4)           \
    X(U16, "<u2", 2)           \
    X(U8, "|u1", 1)            \
    X(BOOL, "|b1", 1)

enum weir_file_dtype {
#define X(name, numpy, size) WEIR_FILE_##name,
    WEIR_FILE_DTYPE_MAP(X)
#undef X
    WEIR_N_FILE_DTYPES
};

const char *weir_file_dtype_name(enum weir_file_dtype dtype); // "F32"
size_t weir_file_dtype_size(enum weir_file_dtype dtype);

// dst[i] = src[i] for n elements. `src` needs no alignment. To f32: rounded to nearest even. To
// i32: INVALID when an element is no integer of 32 bits (then *bad is its index, if bad is given).
void weir_file_to_f32(enum weir_file_dtype dtype, const void *src, size_t n, float *dst);
enum weir_status weir_file_to_i32(enum weir_file_dtype dtype, const void *src, size_t n,
                                  int32_t *dst, size_t *bad);

// A named array of a file: row-major, `size` bytes. From a reader: borrowed from it, perhaps not
// aligned. For a writer: borrowed for the call.
struct weir_file_array {
    const char *name;
    enum weir_file_dtype dtype;
    struct weir_shape shape;
    const void *data;
    size_t size; // bytes; writers may be given 0 = what dtype and shape say
};

struct weir_file_text { // a key and its text: safetensors' __metadata__, PNG's tEXt
    const char *key, *value;
};

// ---- safetensors ----

// Arrays are in the order of their bytes in the file.
struct weir_safetensors {
    size_t n, n_meta;
    const struct weir_file_array *arrays;
    const struct weir_file_text *meta;
    void *priv;
};

// Reads the whole file into memory. Checked: header length (100 MB at most), JSON, duplicate
// names, dtypes, shapes against byte ranges, overlaps, holes, bytes missing or left over.
enum weir_status weir_safetensors_read(const struct weir_log *log, const char *path,
                                       struct weir_safetensors **file);
void weir_safetensors_destroy(struct weir_safetensors **file);
// NULL when there is none of that name.
const struct weir_file_array *weir_safetensors_find(const struct weir_safetensors *file,
                                                    const char *name);
const char *weir_safetensors_meta(const struct weir_safetensors *file, const char *key);

// Writes in pieces, for checkpoints that are read off a device array by array: the arrays' data
// pointers are not looked at by `begin`; `put` takes the bytes of all of them, in order, in pieces
// of any size. Arrays and metadata stand in the file in the order given. `log` must outlive the
// writer. Errors: INVALID (a name twice, text that is not UTF-8; at commit, too few or many bytes).
typedef struct weir_safetensors_writer weir_safetensors_writer;
enum weir_status weir_safetensors_begin(const struct weir_log *log, const char *path,
                                        const struct weir_file_array *arrays, size_t n,
                                        const struct weir_file_text *meta, size_t n_meta,
                                        weir_safetensors_writer **writer);
void weir_safetensors_put(weir_safetensors_writer *writer, const void *data, size_t size);
enum weir_status weir_safetensors_commit(weir_safetensors_writer **writer); // destroys it
void weir_safetensors_abort(weir_safetensors_writer **writer);              // leaves no file

// The same in one call.
enum weir_status weir_safetensors_write(const struct weir_log *log, const char *path,
                                        const struct weir_file_array *arrays, size_t n,
                                        const struct weir_file_text *meta, size_t n_meta);

// ---- npy, npz ----

// The arrays of an npz (a ZIP of npy files, stored or deflated), or the one of an npy, whose name
// is "". C order, little-endian, rank up to 8; files of 4 GB and more are UNSUPPORTED.
struct weir_npz {
    size_t n;
    const struct weir_file_array *arrays;
    void *priv;
};

enum weir_status weir_npz_read(const struct weir_log *log, const char *path,
                               struct weir_npz **file); // .npy too: told by content
void weir_npz_destroy(struct weir_npz **file);
const struct weir_file_array *weir_npz_find(const struct weir_npz *file, const char *name);

// Stored, not compressed, as numpy.savez. `name` without ".npy".
enum weir_status weir_npz_write(const struct weir_log *log, const char *path,
                                const struct weir_file_array *arrays, size_t n);
enum weir_status weir_npy_write(const struct weir_log *log, const char *path,
                                const struct weir_file_array *array);

// ---- PNG ----

struct weir_image {
    int width, height, channels; // 1 grey, 3 RGB
    uint8_t *pixels;             // (height, width, channels); free by weir_image_finish
};

void weir_image_finish(struct weir_image *image);

// 8 bits a sample: palettes are looked up, 16 bits cut to 8, transparency dropped; gamma and colour
// profiles are left alone, as common loaders do.
enum weir_status weir_png_read(const struct weir_log *log, const char *path,
                               struct weir_image *image);

// `texts` become tEXt chunks (seed, sampler, ...).
enum weir_status weir_png_write(const struct weir_log *log, const char *path,
                                const struct weir_image *image,
                                const struct weir_file_text *texts, size_t n_texts);
// The same bytes in memory, the caller frees *data (a TensorBoard image).
enum weir_status weir_png_encode(const struct weir_log *log, const struct weir_image *image,
                                 const struct weir_file_text *texts, size_t n_texts,
                                 unsigned char **data, size_t *size);

// A grid of n images, `columns` a row (0 = 8), `padding` black pixels around each (as torchvision's
// make_grid). x (n, height, width, channels) f32 from -1 to 1; pixel = clip(floor(127.5 x + 128)),
// NaN gives 0.
enum weir_status weir_image_grid(const struct weir_log *log, const float *x, int n, int height,
                                 int width, int channels, int columns, int padding,
                                 struct weir_image *grid);

#ifdef __cplusplus
}
#endif
#endif
