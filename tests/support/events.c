// SPDX-License-Identifier: Apache-2.0
#include "support/events.h"

#include "data/bytes.h"
#include "data/events.h"
#include "support/support.h"

const unsigned char *test_record(const unsigned char *file, size_t file_size, int n, size_t *size)
{
    size_t at = 0;
    while (at < file_size) {
        const unsigned char *p = file + at;
        ck_assert_uint_ge(file_size - at, 16);
        *size = (size_t)weir_le64(p);
        ck_assert_uint_eq(weir_le32(p + 8), weir_crc32c_masked(p, 8));
        ck_assert_uint_le(*size, file_size - at - 16);
        ck_assert_uint_eq(weir_le32(p + 12 + *size), weir_crc32c_masked(p + 12, *size));
        if (n-- == 0)
            return p + 12;
        at += 16 + *size;
    }
    return NULL;
}

// A varint at *p; false when it is cut off.
static bool varint(const unsigned char **p, const unsigned char *end, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; *p < end && shift < 64; shift += 7) {
        *value |= (uint64_t)(**p & 0x7f) << shift;
        if (!(*(*p)++ & 0x80))
            return true;
    }
    return false;
}

const unsigned char *test_proto_field(const unsigned char *message, size_t size, int number, uint64_t *value)
{
    enum { VARINT, FIXED64, BYTES, FIXED32 = 5 };
    const unsigned char *p = message, *end = message + size;
    uint64_t key;
    while (varint(&p, end, &key)) {
        const unsigned char *at = p;
        size_t left = (size_t)(end - p), fixed = (key & 7) == FIXED64 ? 8 : 4;
        if ((key & 7) == VARINT || (key & 7) == BYTES) {
            if (!varint(&p, end, value))
                return NULL;
            at = (key & 7) == BYTES ? p : at;
            if ((key & 7) == BYTES && *value > (uint64_t)(end - p))
                return NULL;
            p += (key & 7) == BYTES ? *value : 0;
        } else if (((key & 7) == FIXED64 || (key & 7) == FIXED32) && fixed <= left) {
            *value = fixed == 8 ? weir_le64(p) : weir_le32(p);
            p += fixed;
        } else {
            return NULL;
        }
        if (key >> 3 == (uint64_t)number)
            return at;
    }
    return NULL;
}
