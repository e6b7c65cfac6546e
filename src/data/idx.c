// SPDX-License-Identifier: Apache-2.0
// idx: 0 0 type rank, rank big-endian extents, elements. The extents are believed only as far as
// the file's size can bear them out.
#include "data/idx.h"

#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "data/bytes.h"
#include "data/dtype.h"
#include "data/inflate.h"

enum { TYPE_U8 = 8 };

// The bytes behind `raw`: itself, or what it decompresses to.
struct source {
    const struct weir_log *log;
    const char *path;
    const unsigned char *raw;
    size_t size;
    bool gzip;
};

// Reads the first n bytes; *got may be fewer. *exact: the content has n bytes and no more.
static enum weir_status read_head(const struct source *s, unsigned char *dst, size_t n, size_t *got,
                                  bool *exact)
{
    if (!s->gzip) {
        *got = n < s->size ? n : s->size;
        memcpy(dst, s->raw, *got);
        *exact = n == s->size;
        return WEIR_OK;
    }
    const char *wrong = weir_inflate(WEIR_INFLATE_GZIP, s->raw, s->size, dst, n, got, exact);
    return wrong ? weir_fail(s->log, WEIR_FORMAT, "%s: gzip: %s", s->path, wrong) : WEIR_OK;
}

static enum weir_status parse_header(const struct source *s, struct weir_shape *shape, size_t *skip,
                                     size_t *size)
{
    unsigned char head[4 + 4 * WEIR_MAX_RANK] = {0};
    size_t got = 0;
    bool exact;
    enum weir_status status = read_head(s, head, sizeof(head), &got, &exact);
    if (status)
        return status;
    if (got < 4 || head[0] || head[1])
        return weir_fail(s->log, WEIR_FORMAT,
                         "%s: not an idx file: starts with %02x %02x, expected 00 00", s->path,
                         head[0], head[1]);
    if (head[2] != TYPE_U8)
        return weir_fail(s->log, WEIR_UNSUPPORTED,
                         "%s: idx element type 0x%02x; only unsigned bytes (0x08) are read",
                         s->path, head[2]);
    if (head[3] < 1 || head[3] > WEIR_MAX_RANK)
        return weir_fail(s->log, WEIR_FORMAT, "%s: idx rank %d, expected 1 to %d", s->path, head[3],
                         WEIR_MAX_RANK);
    *skip = 4 + 4 * (size_t)head[3];
    if (got < *skip)
        return weir_fail(s->log, WEIR_FORMAT, "%s: ends inside the idx header: %zu bytes of %zu",
                         s->path, got, *skip);
    shape->rank = head[3];
    for (int i = 0; i < shape->rank; i++)
        shape->dim[i] = weir_be32(head + 4 + 4 * i);
    char text[128];
    size_t most = s->gzip ? weir_inflate_limit(s->size) : s->size;
    if (!weir_file_array_size(WEIR_FILE_U8, shape, size) || *size > most)
        return weir_fail(s->log, WEIR_FORMAT,
                         "%s: the idx header promises %s bytes, more than the file can hold",
                         s->path, weir_file_shape_text(shape, text, sizeof(text)));
    return WEIR_OK;
}

static enum weir_status read_body(const struct source *s, struct weir_idx *out)
{
    size_t skip = 0, size = 0, got = 0;
    enum weir_status status = parse_header(s, &out->shape, &skip, &size);
    if (status)
        return status;
    unsigned char *data = malloc(skip + size);
    if (!data)
        return weir_fail(s->log, WEIR_NOMEM, "out of memory: %zu bytes of '%s'", size, s->path);
    bool exact = false;
    status = read_head(s, data, skip + size, &got, &exact);
    if (!status && (got < skip + size || !exact)) {
        char text[128];
        weir_file_shape_text(&out->shape, text, sizeof(text));
        if (got < skip + size)
            status =
                weir_fail(s->log, WEIR_FORMAT, "%s: truncated: %zu bytes of data, %s needs %zu",
                          s->path, got > skip ? got - skip : 0, text, size);
        else
            status =
                weir_fail(s->log, WEIR_FORMAT, "%s: %s after the %zu bytes of %s", s->path,
                          s->gzip ? "no clean end of the gzip stream" : "extra bytes", size, text);
    }
    if (status) {
        free(data);
        return status;
    }
    memmove(data, data + skip, size);
    out->data = data;
    return WEIR_OK;
}

enum weir_status weir_idx_read(const struct weir_log *log, const char *path, struct weir_idx *idx)
{
    char *raw = NULL;
    struct source s = {.log = log, .path = path};
    enum weir_status status = weir_file_read(log, path, &raw, &s.size);
    if (status)
        return status;
    s.raw = (unsigned char *)raw;
    s.gzip = s.size >= 2 && s.raw[0] == 0x1f && s.raw[1] == 0x8b;
    struct weir_idx out = {.data = NULL};
    status = read_body(&s, &out);
    free(raw);
    if (!status)
        *idx = out;
    return status;
}
