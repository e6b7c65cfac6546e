// SPDX-License-Identifier: Apache-2.0
// Element types of files and their conversion to what training uses, f32 and i32.
#include "data/dtype.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/bytes.h"

static const struct {
    const char *name, *numpy;
    size_t size;
} rows[] = {
#define X(name, numpy, size) {#name, numpy, size},
    WEIR_FILE_DTYPE_MAP(X)
#undef X
};

const char *weir_file_dtype_name(enum weir_file_dtype dtype)
{
    return (unsigned)dtype < WEIR_N_FILE_DTYPES ? rows[dtype].name : "?";
}

size_t weir_file_dtype_size(enum weir_file_dtype dtype)
{
    return (unsigned)dtype < WEIR_N_FILE_DTYPES ? rows[dtype].size : 0;
}

const char *weir_file_dtype_numpy(enum weir_file_dtype dtype)
{
    return (unsigned)dtype < WEIR_N_FILE_DTYPES ? rows[dtype].numpy : "";
}

enum weir_file_dtype weir_file_dtype_find(const char *name)
{
    int i = 0;
    while (i < WEIR_N_FILE_DTYPES && strcmp(rows[i].name, name))
        i++;
    return (enum weir_file_dtype)i;
}

enum weir_file_dtype weir_file_dtype_find_numpy(const char *word, size_t n)
{
    int i = 0;
    while (i < WEIR_N_FILE_DTYPES &&
           (n == 0 || strlen(rows[i].numpy) != n || strncmp(rows[i].numpy, word, n)))
        i++;
    return (enum weir_file_dtype)i;
}

bool weir_file_array_size(enum weir_file_dtype dtype, const struct weir_shape *shape, size_t *size)
{
    uint64_t n = weir_file_dtype_size(dtype);
    bool zero = false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0)
            return false;
        zero = zero || shape->dim[i] == 0;
    }
    for (int i = 0; i < shape->rank && !zero; i++) {
        if (n > (uint64_t)PTRDIFF_MAX / (uint64_t)shape->dim[i])
            return false;
        n *= (uint64_t)shape->dim[i];
    }
    *size = zero ? 0 : (size_t)n;
    return true;
}

char *weir_file_shape_text(const struct weir_shape *shape, char *dst, size_t n)
{
    int used = snprintf(dst, n, "(");
    for (int i = 0; i < shape->rank && used < (int)n; i++)
        used += snprintf(dst + used, n - (size_t)used, "%s%lld", i ? ", " : "",
                         (long long)shape->dim[i]);
    if (used < (int)n)
        snprintf(dst + used, n - (size_t)used, ")");
    return dst;
}

static float f32_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

static float f32_of_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
    if (exponent == 31)
        return f32_of_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent)
        return f32_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f; // subnormal: exact
    return sign ? -magnitude : magnitude;
}

static double f64_of(const unsigned char *p)
{
    uint64_t bits = weir_le64(p);
    double d;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

void weir_file_to_f32(enum weir_file_dtype dtype, const void *src, size_t n, float *dst)
{
    const unsigned char *p = src;
    size_t step = weir_file_dtype_size(dtype);
    for (size_t i = 0; i < n; i++, p += step) {
        switch (dtype) {
        case WEIR_FILE_F32:
            dst[i] = f32_of_bits(weir_le32(p));
            break;
        case WEIR_FILE_F64:
            dst[i] = (float)f64_of(p);
            break;
        case WEIR_FILE_F16:
            dst[i] = f32_of_f16(weir_le16(p));
            break;
        case WEIR_FILE_BF16:
            dst[i] = f32_of_bits((uint32_t)weir_le16(p) << 16);
            break;
        case WEIR_FILE_I64:
            dst[i] = (float)(int64_t)weir_le64(p);
            break;
        case WEIR_FILE_I32:
            dst[i] = (float)(int32_t)weir_le32(p);
            break;
        case WEIR_FILE_I16:
            dst[i] = (int16_t)weir_le16(p);
            break;
        case WEIR_FILE_I8:
            dst[i] = (int8_t)*p;
            break;
        case WEIR_FILE_U64:
            dst[i] = (float)weir_le64(p);
            break;
        case WEIR_FILE_U32:
            dst[i] = (float)weir_le32(p);
            break;
        case WEIR_FILE_U16:
            dst[i] = weir_le16(p);
            break;
        case WEIR_FILE_U8:
            dst[i] = *p;
            break;
        case WEIR_FILE_BOOL:
            dst[i] = *p != 0;
            break;
        case WEIR_N_FILE_DTYPES:
            break;
        }
    }
}

// False when the element is not an integer of 64 bits.
static bool i64_of(enum weir_file_dtype dtype, const unsigned char *p, int64_t *v)
{
    switch (dtype) {
    case WEIR_FILE_I64:
        *v = (int64_t)weir_le64(p);
        return true;
    case WEIR_FILE_U64:
        *v = (int64_t)weir_le64(p);
        return *v >= 0;
    case WEIR_FILE_I32:
        *v = (int32_t)weir_le32(p);
        return true;
    case WEIR_FILE_U32:
        *v = weir_le32(p);
        return true;
    case WEIR_FILE_F64: {
        double d = f64_of(p);
        if (!(d >= -0x1p31 && d < 0x1p31) || d != floor(d))
            return false;
        *v = (int64_t)d;
        return true;
    }
    default: { // 32 bits or fewer: exact in f32 but for F32 itself, which is checked
        float f;
        weir_file_to_f32(dtype, p, 1, &f);
        if (!(f >= -0x1p31f && f < 0x1p31f) || f != floorf(f))
            return false;
        *v = (int64_t)f;
        return true;
    }
    }
}

enum weir_status weir_file_to_i32(enum weir_file_dtype dtype, const void *src, size_t n,
                                  int32_t *dst, size_t *bad)
{
    const unsigned char *p = src;
    size_t step = weir_file_dtype_size(dtype);
    for (size_t i = 0; i < n; i++, p += step) {
        int64_t v = 0;
        if (!i64_of(dtype, p, &v) || v < INT32_MIN || v > INT32_MAX) {
            if (bad)
                *bad = i;
            return WEIR_INVALID;
        }
        dst[i] = (int32_t)v;
    }
    return WEIR_OK;
}

enum weir_status weir_file_array_check(const struct weir_log *log,
                                       const struct weir_file_array *array, size_t *size)
{
    const char *name = array->name ? array->name : "";
    size_t wanted = 0;
    if (array->shape.rank < 0 || array->shape.rank > WEIR_MAX_RANK ||
        !weir_file_array_size(array->dtype, &array->shape, &wanted))
        return weir_fail(log, WEIR_INVALID, "array '%s': impossible shape", name);
    if (array->size && array->size != wanted)
        return weir_fail(log, WEIR_INVALID, "array '%s': %zu bytes given, its shape needs %zu",
                         name, array->size, wanted);
    *size = wanted;
    return WEIR_OK;
}
