// SPDX-License-Identifier: Apache-2.0
// Numbers in files, read and written byte by byte: right on every machine, at any alignment.
#ifndef WEIR_DATA_BYTES_H
#define WEIR_DATA_BYTES_H

#include <stdint.h>

static inline uint16_t weir_le16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t weir_le32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t weir_le64(const unsigned char *p)
{
    return weir_le32(p) | (uint64_t)weir_le32(p + 4) << 32;
}

static inline uint32_t weir_be32(const unsigned char *p)
{
    return p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

static inline void weir_put_le(unsigned char *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (unsigned char)(v >> 8 * i);
}

#endif
