// SPDX-License-Identifier: Apache-2.0
// zlib in memory, for idx.gz and the deflated members of an npz.
#include "data/inflate.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

size_t weir_inflate_limit(size_t src_size)
{
    return src_size > SIZE_MAX / 1040 ? SIZE_MAX : src_size * 1040; // deflate: 1032 to 1 at best
}

// zlib counts in unsigned int: feed it at most 1 GB at a time.
static uInt portion(size_t left)
{
    return left > 1u << 30 ? 1u << 30 : (uInt)left;
}

const char *weir_inflate(enum weir_inflate_kind kind, const void *src, size_t src_size, void *dst,
                         size_t dst_size, size_t *got, bool *ended)
{
    z_stream z;
    memset(&z, 0, sizeof(z));
    *got = 0;
    *ended = false;
    if (inflateInit2(&z, kind == WEIR_INFLATE_GZIP ? 15 + 16 : -15) != Z_OK)
        return "out of memory";
    const unsigned char *in = src;
    unsigned char *out = dst, spare; // one byte more than wanted shows whether the stream goes on
    size_t in_left = src_size, out_left = dst_size;
    const char *message = NULL;
    int result = Z_OK;
    while (result == Z_OK) {
        uInt in_now = portion(in_left), out_now = portion(out_left);
        z.next_in = (Bytef *)in;
        z.avail_in = in_now;
        z.next_out = out_left ? out : &spare;
        z.avail_out = out_left ? out_now : 1;
        result = inflate(&z, Z_NO_FLUSH);
        in += in_now - z.avail_in;
        in_left -= in_now - z.avail_in;
        if (out_left) {
            out += out_now - z.avail_out;
            out_left -= out_now - z.avail_out;
        } else if (z.avail_out == 0) {
            break; // full, and there is more
        }
    }
    *got = dst_size - out_left;
    if (result == Z_STREAM_END)
        *ended = in_left == 0;
    else if (result == Z_BUF_ERROR)
        message = NULL; // the input ended early: *got and *ended say so
    else if (result == Z_MEM_ERROR)
        message = "out of memory";
    else if (result != Z_OK)
        message = z.msg ? "damaged compressed data" : "not compressed data";
    inflateEnd(&z);
    return message;
}
