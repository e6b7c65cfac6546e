// SPDX-License-Identifier: Apache-2.0
// File formats: round trips, files made by others, and every way a file can be wrong. Each valid
// file is also cut at every byte (must be refused, with a message) and has random bytes changed
// (must not crash, and if refused, with a message; run it under ASan).
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/compiler.h"
#include "base/files.h"
#include "data/idx.h"
#include "support/support.h"
#include "weir/formats.h"

// ---- one function a format: read and destroy ----

static enum weir_status read_npz(const char *path)
{
    struct weir_npz *file = NULL;
    enum weir_status status = weir_npz_read(&test_log, path, &file);
    ck_assert((status == WEIR_OK) == (file != NULL));
    weir_npz_destroy(&file);
    return status;
}

static enum weir_status read_safetensors(const char *path)
{
    struct weir_safetensors *file = NULL;
    enum weir_status status = weir_safetensors_read(&test_log, path, &file);
    ck_assert((status == WEIR_OK) == (file != NULL));
    weir_safetensors_destroy(&file);
    return status;
}

static enum weir_status read_png(const char *path)
{
    struct weir_image image = {.pixels = NULL};
    enum weir_status status = weir_png_read(&test_log, path, &image);
    ck_assert((status == WEIR_OK) == (image.pixels != NULL));
    weir_image_finish(&image);
    return status;
}

static enum weir_status read_idx(const char *path)
{
    struct weir_idx idx = {.data = NULL};
    enum weir_status status = weir_idx_read(&test_log, path, &idx);
    ck_assert((status == WEIR_OK) == (idx.data != NULL));
    free(idx.data);
    return status;
}

typedef enum weir_status reader(const char *path);

static void expect(reader *read, const void *bytes, size_t size, enum weir_status expected,
                   const char *fragment)
{
    const char *path = test_path("file");
    test_write(path, bytes, size);
    test_status(read(path), expected, fragment);
    if (expected != WEIR_OK)
        ck_assert_ptr_nonnull(strstr(test_log_text(), "/file")); // names the file
}

static void torture(reader *read, const char *source)
{
    size_t size;
    unsigned char *bytes = (unsigned char *)test_read(source, &size);
    const char *path = test_path("tortured");
    ck_assert_int_eq(read(source), WEIR_OK);
    for (size_t cut = 0; cut < size; cut++) {
        test_write(path, bytes, cut);
        test_log_clear();
        enum weir_status status = read(path);
        ck_assert_msg(status == WEIR_FORMAT, "cut at %zu of %zu: %s (%s)", cut, size,
                      weir_status_name(status), test_log_text());
        ck_assert_ptr_nonnull(strstr(test_log_text(), path));
    }
    uint64_t seed = 1;
    for (int i = 0; i < 3000; i++) {
        uint64_t r = test_next(&seed);
        size_t at = (size_t)(r >> 8) % size, at2 = (size_t)(r >> 36) % size;
        unsigned char old = bytes[at], old2 = bytes[at2];
        bytes[at] = (unsigned char)r;
        if (i % 2)
            bytes[at2] ^= (unsigned char)(1u << (r >> 61));
        test_write(path, bytes, size);
        test_log_clear();
        enum weir_status status = read(path);
        ck_assert_msg(status == WEIR_OK || strstr(test_log_text(), path), "%s without a message",
                      weir_status_name(status));
        bytes[at2] = old2;
        bytes[at] = old;
    }
    free(bytes);
}

// ---- element types ----

START_TEST(conversions)
{
    float f[4];
    int32_t i[4];
    size_t bad = 99;
    weir_file_to_f32(WEIR_FILE_F64, (double[]){0.1, -1e300, 0x1p-149, -0.0}, 4, f);
    ck_assert(f[0] == 0.1f && f[1] == -INFINITY && f[2] == 0x1p-149f && f[3] == 0 && signbit(f[3]));
    weir_file_to_f32(WEIR_FILE_F16, (uint16_t[]){0x3c00, 0x8001, 0xfc00, 0x7e00}, 4, f);
    ck_assert(f[0] == 1 && f[1] == -0x1p-24f && f[2] == -INFINITY && isnan(f[3]));
    weir_file_to_f32(WEIR_FILE_BF16, (uint16_t[]){0x3f80, 0xc000}, 2, f);
    ck_assert(f[0] == 1 && f[1] == -2);
    weir_file_to_f32(WEIR_FILE_I8, (int8_t[]){-128, 127}, 2, f);
    ck_assert(f[0] == -128 && f[1] == 127);
    weir_file_to_f32(WEIR_FILE_U64, (uint64_t[]){UINT64_MAX}, 1, f);
    ck_assert(f[0] == 0x1p64f);
    ck_assert_int_eq(weir_file_to_i32(WEIR_FILE_I64, (int64_t[]){-5, INT32_MAX}, 2, i, &bad), 0);
    ck_assert(i[0] == -5 && i[1] == INT32_MAX);
    ck_assert_int_eq(weir_file_to_i32(WEIR_FILE_I64, (int64_t[]){0, 1ll << 31}, 2, i, &bad),
                     WEIR_INVALID);
    ck_assert_uint_eq(bad, 1);
    ck_assert_int_eq(weir_file_to_i32(WEIR_FILE_F32, (float[]){2.0f, 2.5f}, 2, i, &bad),
                     WEIR_INVALID);
    ck_assert_int_eq(weir_file_to_i32(WEIR_FILE_F64, (double[]){NAN}, 1, i, NULL), WEIR_INVALID);
    ck_assert_int_eq(weir_file_to_i32(WEIR_FILE_U64, (uint64_t[]){UINT64_MAX}, 1, i, NULL),
                     WEIR_INVALID);
    ck_assert_int_eq(weir_file_to_i32(WEIR_FILE_U8, (uint8_t[]){255}, 1, i, NULL), WEIR_OK);
    ck_assert_int_eq(i[0], 255);
    for (int t = 0; t < WEIR_N_FILE_DTYPES; t++)
        ck_assert(weir_file_dtype_size((enum weir_file_dtype)t) > 0);
    ck_assert_str_eq(weir_file_dtype_name(WEIR_FILE_BF16), "BF16");
    ck_assert_str_eq(weir_file_dtype_name(WEIR_N_FILE_DTYPES), "?");
}
END_TEST

// ---- npy, npz ----

// numpy.savez_compressed(f, x=numpy.arange(6, dtype="<f4").reshape(3, 2) / 4,
// y=numpy.array([2, 0, 1], dtype="<i8")), NumPy 1.24.2.
static const char numpy_file[] =
    "\x50\x4b\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x21\x00\x89\xbf\x9c\x33\x56\x00\x00\x00"
    "\x98\x00\x00\x00\x05\x00\x14\x00\x78\x2e\x6e\x70\x79\x01\x00\x10\x00\x98\x00\x00\x00\x00"
    "\x00\x00\x00\x56\x00\x00\x00\x00\x00\x00\x00\x9b\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50"
    "\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0\x6e\x93\x66\xa2\xae\xa3\xa0\x9e\x96\x5f\x54\x52"
    "\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29\x4e\x05\x8a\x17\x67\x24\x16\xa4\x02"
    "\xf9\x1a\xc6\x3a\x0a\x46\x9a\x3a\x0a\xb5\x0a\x64\x03\x2e\x06\x30\x68\xb0\x03\x12\xf6\x0c"
    "\x0c\x0e\x40\xdc\x00\xc4\x0b\xec\x01\x50\x4b\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x21"
    "\x00\x8a\x1a\xce\x13\x4a\x00\x00\x00\x98\x00\x00\x00\x05\x00\x14\x00\x79\x2e\x6e\x70\x79"
    "\x01\x00\x10\x00\x98\x00\x00\x00\x00\x00\x00\x00\x4a\x00\x00\x00\x00\x00\x00\x00\x9b\xec"
    "\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0\x6e\x93\x69"
    "\xa1\xae\xa3\xa0\x9e\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29"
    "\x4e\x05\x8a\x17\x67\x24\x16\xa4\x02\xf9\x1a\xc6\x3a\x9a\x3a\x0a\xb5\x0a\x14\x00\x2e\x26"
    "\x06\x54\xc0\x08\xa5\x01\x50\x4b\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00\x00\x00\x21\x00"
    "\x89\xbf\x9c\x33\x56\x00\x00\x00\x98\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x80\x01\x00\x00\x00\x00\x78\x2e\x6e\x70\x79\x50\x4b\x01\x02\x14\x03\x14\x00\x00"
    "\x00\x08\x00\x00\x00\x21\x00\x8a\x1a\xce\x13\x4a\x00\x00\x00\x98\x00\x00\x00\x05\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x8d\x00\x00\x00\x79\x2e\x6e\x70\x79\x50\x4b"
    "\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00\x66\x00\x00\x00\x0e\x01\x00\x00\x00\x00";

START_TEST(npz_by_numpy)
{
    const char *path = test_path("numpy.npz");
    test_write(path, numpy_file, sizeof(numpy_file) - 1);
    struct weir_npz *file = NULL;
    test_ok(weir_npz_read(&test_log, path, &file));
    ck_assert_uint_eq(file->n, 2);
    const struct weir_file_array *x = weir_npz_find(file, "x"), *y = weir_npz_find(file, "y");
    ck_assert(x && x->dtype == WEIR_FILE_F32 && x->shape.rank == 2 && x->shape.dim[0] == 3);
    ck_assert(y && y->dtype == WEIR_FILE_I64 && y->shape.rank == 1 && y->shape.dim[0] == 3);
    float f[6];
    int32_t i[3];
    weir_file_to_f32(x->dtype, x->data, 6, f);
    ck_assert_int_eq(weir_file_to_i32(y->dtype, y->data, 3, i, NULL), WEIR_OK);
    ck_assert(f[0] == 0 && f[5] == 1.25f && i[0] == 2 && i[1] == 0 && i[2] == 1);
    ck_assert_ptr_null(weir_npz_find(file, "z"));
    weir_npz_destroy(&file);
    weir_npz_destroy(&file);
    torture(read_npz, path);
}
END_TEST

START_TEST(npz_round_trip)
{
    static const uint8_t bytes[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const double scalar = 0.5;
    struct weir_file_array arrays[3] = {
        {.name = "arr_0", .dtype = WEIR_FILE_U8, .shape = weir_shape(3, 2, 2), .data = bytes},
        {.name = "scalar", .dtype = WEIR_FILE_F64, .data = &scalar, .size = 8},
        {.name = "empty", .dtype = WEIR_FILE_F32, .shape = weir_shape(0, 5)},
    };
    const char *path = test_path("ours.npz"), *again = test_path("again.npz");
    test_ok(weir_npz_write(&test_log, path, arrays, 3));
    test_ok(weir_npz_write(&test_log, again, arrays, 3));
    size_t size, size2;
    char *a = test_read(path, &size), *b = test_read(again, &size2);
    ck_assert(size == size2 && !memcmp(a, b, size));
    free(a);
    free(b);
    struct weir_npz *file = NULL;
    test_ok(weir_npz_read(&test_log, path, &file));
    ck_assert_uint_eq(file->n, 3);
    for (int i = 0; i < 3; i++) {
        const struct weir_file_array *got = weir_npz_find(file, arrays[i].name);
        ck_assert(got && got->dtype == arrays[i].dtype);
        ck_assert(!memcmp(&got->shape, &arrays[i].shape, sizeof(got->shape)));
        ck_assert(got->size == 0 || !memcmp(got->data, arrays[i].data, got->size));
    }
    ck_assert_uint_eq(file->arrays[2].size, 0);
    weir_npz_destroy(&file);
    torture(read_npz, path);

    test_ok(weir_npy_write(&test_log, path, &arrays[0]));
    test_ok(weir_npz_read(&test_log, path, &file));
    ck_assert(file->n == 1 && weir_npz_find(file, "")->size == 12);
    weir_npz_destroy(&file);
    torture(read_npz, path);

    arrays[0].size = 11;
    test_status(weir_npz_write(&test_log, path, arrays, 3), WEIR_INVALID, "11 bytes given, its sh");
    arrays[0].size = 0;
    arrays[0].dtype = WEIR_FILE_BF16;
    test_status(weir_npy_write(&test_log, path, arrays), WEIR_UNSUPPORTED, "BF16");
    test_status(weir_npz_write(&test_log, "/proc/x.npz", arrays, 0), WEIR_IO, "/proc/x.npz");
}
END_TEST

static void expect_npy(const char *header, size_t data_size, enum weir_status expected,
                       const char *fragment)
{
    char file[400] = "\x93NUMPY\x01";
    size_t n = strlen(header);
    file[8] = (char)n;
    memcpy(file + 10, header, n);
    expect(read_npz, file, 10 + n + data_size, expected, fragment);
}

START_TEST(npy_headers)
{
    expect_npy("{'descr':'<f4','fortran_order':False,'shape':(2,)}", 8, WEIR_OK, "");
    expect_npy("{\"shape\": (), 'fortran_order': False, 'descr': '<f8', }  \n", 8, WEIR_OK, "");
    expect_npy("{'descr': '<f4', 'fortran_order': True, 'shape': (3,)}", 12, WEIR_OK, "");
    expect_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9, WEIR_FORMAT,
               "9 bytes of elements, (2) of F32 needs 8");
    expect_npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", 8, WEIR_UNSUPPORTED,
               "element type '>f4'");
    expect_npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", 8, WEIR_UNSUPPORTED, "|O");
    expect_npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1)}", 8, WEIR_UNSUPPORTED,
               "Fortran order");
    expect_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4,
               WEIR_UNSUPPORTED, "more than 8 axes");
    expect_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", 0,
               WEIR_FORMAT, "overflows");
    expect_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 0, WEIR_FORMAT,
               "header");
    expect_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3)}", 12, WEIR_FORMAT, "header");
    expect_npy("{'descr': '<f4', 'fortran_order': False}", 4, WEIR_FORMAT, "header");
    expect_npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4,
               WEIR_FORMAT, "header");
    expect_npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4, WEIR_FORMAT,
               "header");
    expect_npy("", 0, WEIR_FORMAT, "header");
    expect(read_npz, "\x93NUMPY\x04\0\0\0\0\0", 12, WEIR_UNSUPPORTED, "npy version 4");
    expect(read_npz, "hello", 5, WEIR_FORMAT, "neither an npz nor an npy");
    test_status(read_npz("/nowhere/x.npz"), WEIR_IO, "/nowhere/x.npz");
}
END_TEST

START_TEST(npz_lies)
{
    char bytes[sizeof(numpy_file)];
    size_t n = sizeof(numpy_file) - 1, central = n - 22 - 102;
    memcpy(bytes, numpy_file, sizeof(bytes));
    bytes[central + 16] ^= 1;
    expect(read_npz, bytes, n, WEIR_FORMAT, "'x': CRC ");
    memcpy(bytes, numpy_file, sizeof(bytes));
    bytes[central + 26] = 1; // 64 KB more than it unpacks to
    expect(read_npz, bytes, n, WEIR_FORMAT, "152 bytes unpacked, expected 65688");
    bytes[central + 27] = 1;
    expect(read_npz, bytes, n, WEIR_FORMAT, "86 packed bytes cannot hold 16842904");
    memcpy(bytes, numpy_file, sizeof(bytes));
    bytes[central + 10] = 12;
    expect(read_npz, bytes, n, WEIR_UNSUPPORTED, "packed by method 12");
    bytes[central + 8] = 1;
    expect(read_npz, bytes, n, WEIR_UNSUPPORTED, "encrypted");
    memcpy(bytes, numpy_file, sizeof(bytes));
    bytes[central + 51 + 46] = 'x'; // y becomes x
    expect(read_npz, bytes, n, WEIR_FORMAT, "two members are named 'x'");
    memcpy(bytes, numpy_file, sizeof(bytes));
    bytes[central + 51 + 42] = 7;
    expect(read_npz, bytes, n, WEIR_FORMAT, "not where the directory says");
    memset(bytes + central + 24, 0xff, 4);
    expect(read_npz, bytes, n, WEIR_UNSUPPORTED, "ZIP64");
}
END_TEST

// ---- safetensors ----

static void expect_safetensors(const char *header, size_t data_size, enum weir_status expected,
                               const char *fragment)
{
    char file[600] = {0};
    size_t n = strlen(header);
    file[0] = (char)n;
    file[1] = (char)(n >> 8);
    memcpy(file + 8, header, n);
    expect(read_safetensors, file, 8 + n + data_size, expected, fragment);
}

#define T(dtype, shape, begin, end)                                                                \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

START_TEST(safetensors_valid)
{
    expect_safetensors("{}", 0, WEIR_OK, "");
    expect_safetensors("{\"a\":" T("F32", "[2]", "0", "8") "}   ", 8, WEIR_OK, "");
    expect_safetensors("{\"b\":" T("U8", "[]", "8", "9") ",\"a\":" T("F32", "[1,2]", "0", "8") "}",
                       9, WEIR_OK, "");
    expect_safetensors(
        "{\"a\":" T("F32", "[0]", "0", "0") ",\"b\":" T("F32", "[0,3]", "0", "0") "}", 0, WEIR_OK,
        "");
    expect_safetensors("{\"__metadata__\":{\"k\":\"v\"}}", 0, WEIR_OK, "");
}
END_TEST

START_TEST(safetensors_lies)
{
    expect(read_safetensors, "short", 5, WEIR_FORMAT, "5 bytes: too short");
    expect(read_safetensors, "\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10, WEIR_FORMAT,
           "said to have 9223372036854775807 bytes; the file has 2");
    expect(read_safetensors, "\3\0\0\0\0\0\0\0{}", 10, WEIR_FORMAT, "said to have 3 bytes");
    expect_safetensors("", 0, WEIR_FORMAT, "does not start with '{'");
    expect_safetensors("[]", 0, WEIR_FORMAT, "does not start with '{'");
    expect_safetensors(" {}", 0, WEIR_FORMAT, "does not start with '{'");
    expect_safetensors("{\"a\"}", 0, WEIR_FORMAT, "header: ");
    expect_safetensors("{} x", 0, WEIR_FORMAT, "header: ");
    expect_safetensors("{\"a\":" T("F32", "[1]", "0", "4") ",\"a\":" T("F32", "[1]", "0", "4") "}",
                       4, WEIR_FORMAT, "duplicate");
    expect_safetensors("{\"a\":" T("F32", "[1]", "0", "4") ",\"b\":" T("F32", "[1]", "2", "6") "}",
                       6, WEIR_FORMAT, "'b' begins at byte 2, expected 4: it overlaps");
    expect_safetensors("{\"a\":" T("F32", "[1]", "0", "4") ",\"b\":" T("F32", "[1]", "8", "12") "}",
                       12, WEIR_FORMAT, "'b' begins at byte 8, expected 4: a hole");
    expect_safetensors("{\"a\":" T("F32", "[1]", "4", "8") "}", 8, WEIR_FORMAT, "a hole");
    expect_safetensors("{\"a\":" T("F32", "[1]", "0", "4") "}", 5, WEIR_FORMAT,
                       "5 bytes of data, the tensors take 4");
    expect_safetensors("{\"a\":" T("F32", "[2]", "0", "8") "}", 7, WEIR_FORMAT,
                       "bytes 0 to 8 do not lie in the 7 bytes of data");
    expect_safetensors("{\"a\":" T("F32", "[2]", "0", "4") "}", 4, WEIR_FORMAT,
                       "4 bytes, but (2) of F32 needs 8");
    expect_safetensors("{\"a\":" T("F32", "[1]", "4", "0") "}", 4, WEIR_FORMAT, "bytes 4 to 0");
    expect_safetensors("{\"a\":" T("F32", "[1]", "-4", "0") "}", 4, WEIR_FORMAT, "bytes -4 to 0");
    expect_safetensors("{\"a\":" T("F32", "[4294967296,4294967296]", "0", "0") "}", 0, WEIR_FORMAT,
                       "overflows");
    expect_safetensors("{\"a\":" T("F32", "[-1]", "0", "0") "}", 0, WEIR_FORMAT, "extent");
    expect_safetensors("{\"a\":" T("F32", "[1.5]", "0", "6") "}", 6, WEIR_FORMAT, "extent");
    expect_safetensors("{\"a\":" T("F32", "3", "0", "6") "}", 6, WEIR_FORMAT, "no shape");
    expect_safetensors("{\"a\":" T("F8_E4M3", "[1]", "0", "1") "}", 1, WEIR_UNSUPPORTED, "F8_E4M3");
    expect_safetensors("{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, WEIR_UNSUPPORTED,
                       "9 axes");
    expect_safetensors("{\"a\":7}", 0, WEIR_FORMAT, "no dtype");
    expect_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0]}}", 0,
                       WEIR_FORMAT, "data_offsets is not");
    expect_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":1}}", 4,
                       WEIR_FORMAT, "and no other");
    expect_safetensors("{\"__metadata__\":{\"k\":1}}", 0, WEIR_FORMAT, "'k' is not a string");
    expect_safetensors("{\"__metadata__\":[]}", 0, WEIR_FORMAT, "__metadata__ is not an object");
}
END_TEST

START_TEST(safetensors_round_trip)
{
    static const float weight[6] = {1, -2, 3.5f, 4, 5, 6};
    static const int64_t step = 77;
    const struct weir_file_array arrays[] = {
        {.name = "conv_in.weight",
         .dtype = WEIR_FILE_F32,
         .shape = weir_shape(3, 2),
         .data = weight},
        {.name = "\xc3\xa9\"\\", .dtype = WEIR_FILE_I64, .data = &step},
        {.name = "empty", .dtype = WEIR_FILE_BF16, .shape = weir_shape(0, 4)},
        {.name = "a", .dtype = WEIR_FILE_U8, .shape = weir_shape(3), .data = "abc"},
    };
    const struct weir_file_text meta[] = {{"format", "pt"}, {"config", "{\"width\": 32}\n"}};
    const char *path = test_path("m.safetensors"), *again = test_path("m2.safetensors");
    test_ok(weir_safetensors_write(&test_log, path, arrays, 4, meta, 2));

    weir_safetensors_writer *w = NULL; // byte by byte: the same file
    test_ok(weir_safetensors_begin(&test_log, again, arrays, 4, meta, 2, &w));
    for (size_t i = 0; i < sizeof(weight); i++)
        weir_safetensors_put(w, (const char *)weight + i, 1);
    weir_safetensors_put(w, &step, 8);
    weir_safetensors_put(w, "abc", 3);
    test_ok(weir_safetensors_commit(&w));
    ck_assert_ptr_null(w);
    size_t size, size2;
    char *a = test_read(path, &size), *b = test_read(again, &size2);
    ck_assert(size == size2 && !memcmp(a, b, size));
    ck_assert_int_eq(a[0] % 8, 0); // the data is aligned
    ck_assert(!strncmp(a + 8, "{\"__metadata__\":{\"format\":\"pt\",", 31));
    free(a);
    free(b);

    struct weir_safetensors *file = NULL;
    test_ok(weir_safetensors_read(&test_log, path, &file));
    ck_assert(file->n == 4 && file->n_meta == 2);
    ck_assert_str_eq(weir_safetensors_meta(file, "config"), "{\"width\": 32}\n");
    ck_assert_ptr_null(weir_safetensors_meta(file, "none"));
    ck_assert_ptr_null(weir_safetensors_find(file, "none"));
    for (size_t i = 0; i < 4; i++) {
        const struct weir_file_array *got = weir_safetensors_find(file, arrays[i].name);
        ck_assert(got && got->dtype == arrays[i].dtype);
        ck_assert(!memcmp(&got->shape, &arrays[i].shape, sizeof(got->shape)));
        ck_assert(got->size == 0 || !memcmp(got->data, arrays[i].data, got->size));
    }
    ck_assert_str_eq(file->arrays[0].name, "conv_in.weight"); // order of the bytes
    ck_assert_str_eq(file->arrays[3].name, "a");
    weir_safetensors_destroy(&file);
    weir_safetensors_destroy(&file);
    torture(read_safetensors, path);
}
END_TEST

START_TEST(safetensors_writer_errors)
{
    const char *path = test_path("w.safetensors");
    struct weir_file_array arrays[] = {
        {.name = "a", .dtype = WEIR_FILE_U8, .shape = weir_shape(3), .data = "abc"},
        {.name = "a", .dtype = WEIR_FILE_U8, .shape = weir_shape(3), .data = "abc"},
    };
    test_status(weir_safetensors_write(&test_log, path, arrays, 2, NULL, 0), WEIR_INVALID,
                "'a': the name stands twice");
    arrays[1].name = "\xff";
    test_status(weir_safetensors_write(&test_log, path, arrays, 2, NULL, 0), WEIR_INVALID, "UTF-8");
    arrays[0].shape.dim[0] = -1;
    test_status(weir_safetensors_write(&test_log, path, arrays, 1, NULL, 0), WEIR_INVALID,
                "impossible shape");
    arrays[0].shape.dim[0] = 3;
    test_status(weir_safetensors_write(&test_log, path, arrays, 1,
                                       (struct weir_file_text[]){{"k", "1"}, {"k", "2"}}, 2),
                WEIR_INVALID, "'k': the name stands twice");
    weir_safetensors_writer *w = NULL;
    test_ok(weir_safetensors_begin(&test_log, path, arrays, 1, NULL, 0, &w));
    weir_safetensors_put(w, "ab", 2);
    test_status(weir_safetensors_commit(&w), WEIR_INVALID, "2 bytes were given, the arrays need 3");
    test_ok(weir_safetensors_begin(&test_log, path, arrays, 1, NULL, 0, &w));
    weir_safetensors_put(w, "abcd", 4);
    test_status(weir_safetensors_commit(&w), WEIR_INVALID, "4 bytes were given");
    ck_assert(!weir_file_exists(path));
    test_status(weir_safetensors_begin(&test_log, "/proc/w", arrays, 1, NULL, 0, &w), WEIR_IO,
                "/proc/w");
}
END_TEST

// ---- PNG ----

START_TEST(png_round_trip)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        unsigned char pixels[7 * 5 * 3];
        for (size_t i = 0; i < sizeof(pixels); i++)
            pixels[i] = (unsigned char)(i * 37);
        struct weir_image image = {7, 5, channels, pixels}, back = {0};
        const struct weir_file_text texts[] = {{"seed", "7"}, {"sampler", "heun"}};
        const char *path = test_path("x.png");
        test_ok(weir_png_write(&test_log, path, &image, texts, 2));
        test_ok(weir_png_read(&test_log, path, &back));
        ck_assert(back.width == 7 && back.height == 5 && back.channels == channels);
        ck_assert(!memcmp(back.pixels, pixels, (size_t)(35 * channels)));
        weir_image_finish(&back);
        size_t size;
        char *bytes = test_read(path, &size);
        ck_assert_ptr_nonnull(memmem(bytes, size,
                                     "tEXtseed\0"
                                     "7",
                                     10));
        ck_assert_ptr_nonnull(memmem(bytes, size, "tEXtsampler\0heun", 16));
        free(bytes);
        torture(read_png, path);
    }
}
END_TEST

START_TEST(png_errors)
{
    expect(read_png, "GIF89a..", 8, WEIR_FORMAT, "not a PNG file");
    // A header of 2^31 - 1 pixels a side.
    unsigned char lie[45] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02";
    uint32_t crc = (uint32_t)crc32(0, lie + 12, 17);
    for (int i = 0; i < 4; i++)
        lie[29 + i] = (unsigned char)(crc >> (24 - 8 * i));
    memcpy(lie + 33, "\0\0\0\0IEND\xae\x42\x60\x82", 12);
    expect(read_png, lie, sizeof(lie), WEIR_FORMAT, "damaged PNG: Invalid IHDR data");
    expect(read_png, lie, 33, WEIR_FORMAT, "ends without an IEND chunk");
    lie[33] = 1;
    expect(read_png, lie, sizeof(lie), WEIR_FORMAT, "a chunk of 16777216 bytes at byte 33, 0 are");
    test_status(read_png("/nowhere.png"), WEIR_IO, "/nowhere.png");
    struct weir_image image = {2, 2, 2, (unsigned char[8]){0}};
    test_status(weir_png_write(&test_log, test_path("x"), &image, NULL, 0), WEIR_INVALID,
                "channels");
}
END_TEST

START_TEST(image_grid)
{
    float x[3 * 2 * 2]; // three images of 2 x 2, two a row
    for (int i = 0; i < 12; i++)
        x[i] = i < 4 ? -1.0f : i < 8 ? 0.0f : 1.0f;
    x[0] = NAN;
    x[1] = -7;
    x[8] = INFINITY;
    struct weir_image grid = {0};
    test_ok(weir_image_grid(&test_log, x, 3, 2, 2, 1, 2, 1, &grid));
    static const unsigned char wanted[7 * 7] = {
        0, 0,   0,   0, 0,   0,   0, //
        0, 0,   0,   0, 128, 128, 0, //
        0, 0,   0,   0, 128, 128, 0, //
        0, 0,   0,   0, 0,   0,   0, //
        0, 255, 255, 0, 0,   0,   0, //
        0, 255, 255, 0, 0,   0,   0, //
        0, 0,   0,   0, 0,   0,   0,
    };
    ck_assert(grid.width == 7 && grid.height == 7 && grid.channels == 1);
    ck_assert(!memcmp(grid.pixels, wanted, sizeof(wanted)));
    weir_image_finish(&grid);
    test_status(weir_image_grid(&test_log, x, 0, 2, 2, 1, 2, 1, &grid), WEIR_INVALID, "n > 0");
    test_status(weir_image_grid(&test_log, x, 3, 2, 2, 2, 2, 1, &grid), WEIR_INVALID, "channels");
}
END_TEST

// ---- idx ----

static const unsigned char idx_images[4 + 12 + 12] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,  0,  0,
                                                      0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

START_TEST(idx_plain)
{
    const char *path = test_path("images");
    test_write(path, idx_images, sizeof(idx_images));
    struct weir_idx idx = {.data = NULL};
    test_ok(weir_idx_read(&test_log, path, &idx));
    ck_assert(idx.shape.rank == 3 && idx.shape.dim[0] == 2 && idx.shape.dim[2] == 3);
    ck_assert(idx.data[0] == 1 && idx.data[11] == 12);
    free(idx.data);
    torture(read_idx, path);
}
END_TEST

START_TEST(idx_gzip)
{
    const char *path = test_path("images.gz");
    gzFile gz = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(gz, idx_images, sizeof(idx_images)), sizeof(idx_images));
    gzclose(gz);
    struct weir_idx idx = {.data = NULL};
    test_ok(weir_idx_read(&test_log, path, &idx));
    ck_assert(idx.shape.rank == 3 && idx.data[0] == 1 && idx.data[11] == 12);
    free(idx.data);
    torture(read_idx, path);
}
END_TEST

START_TEST(idx_lies)
{
    unsigned char bytes[sizeof(idx_images) + 1] = {0};
    memcpy(bytes, idx_images, sizeof(idx_images));
    expect(read_idx, bytes, sizeof(bytes), WEIR_FORMAT, "extra bytes after the 12 bytes");
    bytes[7] = 9;
    expect(read_idx, bytes, sizeof(idx_images), WEIR_FORMAT, "promises (9, 2, 3) bytes");
    bytes[4] = bytes[8] = bytes[12] = 0xff;
    expect(read_idx, bytes, sizeof(idx_images), WEIR_FORMAT, "promises (4278190089, ");
    bytes[2] = 13;
    expect(read_idx, bytes, sizeof(idx_images), WEIR_UNSUPPORTED, "type 0x0d");
    bytes[2] = 8;
    bytes[3] = 9;
    expect(read_idx, bytes, sizeof(idx_images), WEIR_FORMAT, "rank 9");
    bytes[0] = 7;
    expect(read_idx, bytes, sizeof(idx_images), WEIR_FORMAT, "starts with 07 00");
    expect(read_idx, "", 0, WEIR_FORMAT, "not an idx file");
    expect(read_idx, idx_images, 9, WEIR_FORMAT, "ends inside the idx header");
    expect(read_idx, idx_images, 20, WEIR_FORMAT, "truncated: 4 bytes of data");
}
END_TEST

int main(void)
{
    return test_run("data-formats", 60, conversions, npz_by_numpy, npz_round_trip, npy_headers,
                    npz_lies, safetensors_valid, safetensors_lies, safetensors_round_trip,
                    safetensors_writer_errors, png_round_trip, png_errors, image_grid, idx_plain,
                    idx_gzip, idx_lies);
}
