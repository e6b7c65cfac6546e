// SPDX-License-Identifier: Apache-2.0
// npz: a ZIP archive of npy files. The central directory is what counts; each member's local header
// is used only to find where its bytes start. ZIP64 archives (4 GB and more) are refused.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/files.h"
#include "data/bytes.h"
#include "data/dtype.h"
#include "data/inflate.h"
#include "data/npy.h"

enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, STORED = 0, DEFLATED = 8 };

struct archive {
    const struct weir_log *log;
    const char *path;
    const unsigned char *bytes;
    size_t size;
};

struct member {
    const char *name;
    size_t packed, size, offset; // offset of the local header
    int method, flags;
    uint32_t crc;
};

struct npz_priv {
    char *raw;
    weir_arena *arena;
};

static enum weir_status malformed(const struct archive *a, const char *what)
{
    return weir_fail(a->log, WEIR_FORMAT, "%s: damaged npz: %s", a->path, what);
}

// The end record stands within the last 64 KB: it may be followed by a comment.
static enum weir_status find_end(const struct archive *a, size_t *n, size_t *start, size_t *end)
{
    size_t lowest = a->size > END_SIZE + 65535 ? a->size - END_SIZE - 65535 : 0;
    for (size_t at = a->size - END_SIZE + 1; at-- > lowest;) {
        const unsigned char *p = a->bytes + at;
        if (memcmp(p, "PK\5\6", 4) || at + END_SIZE + weir_le16(p + 20) != a->size)
            continue;
        *n = weir_le16(p + 10);
        *start = weir_le32(p + 16);
        *end = at;
        if (*n == 0xffff || *start == 0xffffffff)
            return weir_fail(a->log, WEIR_UNSUPPORTED, "%s: a ZIP64 archive (4 GB or more)",
                             a->path);
        if (weir_le16(p + 4) || weir_le16(p + 6) || weir_le16(p + 8) != *n)
            return malformed(a, "an archive of several volumes");
        if (*start > at || weir_le32(p + 12) != at - *start)
            return malformed(a, "the directory's place and length do not fit the file");
        return WEIR_OK;
    }
    return malformed(a, "no end record (truncated?)");
}

// One entry of the directory at *at; moves *at behind it.
static enum weir_status read_entry(const struct archive *a, size_t *at, size_t end,
                                   weir_arena *arena, struct member *m)
{
    const unsigned char *p = a->bytes + *at;
    if (end - *at < CENTRAL_SIZE || memcmp(p, "PK\1\2", 4))
        return malformed(a, "a directory entry is missing");
    size_t name_size = weir_le16(p + 28);
    size_t whole = CENTRAL_SIZE + name_size + weir_le16(p + 30) + weir_le16(p + 32);
    if (whole > end - *at)
        return malformed(a, "a directory entry is cut off");
    *m = (struct member){.flags = weir_le16(p + 8),
                         .method = weir_le16(p + 10),
                         .crc = weir_le32(p + 16),
                         .packed = weir_le32(p + 20),
                         .size = weir_le32(p + 24),
                         .offset = weir_le32(p + 42)};
    if (memchr(p + CENTRAL_SIZE, 0, name_size))
        return malformed(a, "a member's name holds a 0");
    const char *name = (const char *)p + CENTRAL_SIZE;
    size_t shown = name_size;
    if (shown >= 4 && !memcmp(name + shown - 4, ".npy", 4))
        shown -= 4;
    m->name = weir_arena_printf(arena, "%.*s", (int)shown, name);
    if (!m->name)
        return weir_fail(a->log, WEIR_NOMEM, "out of memory: names in '%s'", a->path);
    *at += whole;
    if (m->packed == 0xffffffff || m->size == 0xffffffff || m->offset == 0xffffffff)
        return weir_fail(a->log, WEIR_UNSUPPORTED, "%s: '%s' is a ZIP64 member (4 GB or more)",
                         a->path, m->name);
    if (m->flags & 1)
        return weir_fail(a->log, WEIR_UNSUPPORTED, "%s: '%s' is encrypted", a->path, m->name);
    if (m->method != STORED && m->method != DEFLATED)
        return weir_fail(a->log, WEIR_UNSUPPORTED,
                         "%s: '%s' is packed by method %d; 0 and 8 are read", a->path, m->name,
                         m->method);
    return WEIR_OK;
}

static enum weir_status inflate_member(const struct archive *a, const struct member *m,
                                       const unsigned char *packed, weir_arena *arena,
                                       const unsigned char **bytes)
{
    if (m->size > weir_inflate_limit(m->packed))
        return weir_fail(a->log, WEIR_FORMAT, "%s: '%s': %zu packed bytes cannot hold %zu", a->path,
                         m->name, m->packed, m->size);
    unsigned char *out = weir_arena_alloc(arena, m->size);
    if (!out)
        return weir_fail(a->log, WEIR_NOMEM, "out of memory: %zu bytes of '%s' in '%s'", m->size,
                         m->name, a->path);
    size_t got = 0;
    bool ended = false;
    const char *wrong =
        weir_inflate(WEIR_INFLATE_RAW, packed, m->packed, out, m->size, &got, &ended);
    if (wrong || got != m->size || !ended)
        return weir_fail(a->log, WEIR_FORMAT, "%s: '%s': %s: %zu bytes unpacked, expected %zu",
                         a->path, m->name, wrong ? wrong : "wrong length", got, m->size);
    *bytes = out;
    return WEIR_OK;
}

static uint32_t crc_of(const unsigned char *bytes, size_t size)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), bytes, size);
}

static enum weir_status read_member(const struct archive *a, const struct member *m,
                                    weir_arena *arena, struct weir_file_array *array)
{
    const unsigned char *p = a->bytes + m->offset;
    if (m->offset > a->size || a->size - m->offset < LOCAL_SIZE || memcmp(p, "PK\3\4", 4))
        return malformed(a, "a member is not where the directory says");
    size_t head = LOCAL_SIZE + (size_t)weir_le16(p + 26) + weir_le16(p + 28);
    size_t left = a->size - m->offset;
    if (head > left || m->packed > left - head)
        return weir_fail(a->log, WEIR_FORMAT, "%s: '%s' of %zu bytes does not fit the file",
                         a->path, m->name, m->packed);
    const unsigned char *bytes = p + head;
    enum weir_status status = WEIR_OK;
    if (m->method == DEFLATED)
        status = inflate_member(a, m, bytes, arena, &bytes);
    else if (m->size != m->packed)
        status = malformed(a, "a stored member has two lengths");
    if (status)
        return status;
    uint32_t crc = crc_of(bytes, m->size);
    if (crc != m->crc)
        return weir_fail(a->log, WEIR_FORMAT, "%s: '%s': CRC %08x, expected %08x", a->path, m->name,
                         crc, m->crc);
    char *where = weir_arena_printf(arena, "%s: '%s'", a->path, m->name);
    if (!where)
        return weir_fail(a->log, WEIR_NOMEM, "out of memory: '%s'", a->path);
    array->name = m->name;
    return weir_npy_parse(a->log, where, bytes, m->size, array);
}

static enum weir_status read_archive(const struct archive *a, weir_arena *arena,
                                     struct weir_npz *out)
{
    size_t n = 0, at = 0, end = 0;
    if (a->size < END_SIZE)
        return malformed(a, "too short");
    enum weir_status status = find_end(a, &n, &at, &end);
    if (status)
        return status;
    struct weir_file_array *arrays = weir_arena_array(arena, n, sizeof(*arrays));
    if (!arrays)
        return weir_fail(a->log, WEIR_NOMEM, "out of memory: '%s'", a->path);
    size_t packed = 0;
    for (size_t i = 0; i < n && !status; i++) {
        struct member m = {.name = NULL};
        status = read_entry(a, &at, end, arena, &m);
        if (!status && (packed += m.packed) > a->size)
            status =
                malformed(a, "members overlap"); // each unpacks: a small file could fill memory
        for (size_t j = 0; j < i && !status; j++)
            if (!strcmp(arrays[j].name, m.name))
                status = weir_fail(a->log, WEIR_FORMAT, "%s: two members are named '%s'", a->path,
                                   m.name);
        if (!status)
            status = read_member(a, &m, arena, &arrays[i]);
    }
    if (!status && at != end)
        status = malformed(a, "bytes left over in the directory");
    out->n = n;
    out->arrays = arrays;
    return status;
}

static enum weir_status read_single(const struct archive *a, weir_arena *arena,
                                    struct weir_npz *out)
{
    struct weir_file_array *array = weir_arena_alloc(arena, sizeof(*array));
    if (!array)
        return weir_fail(a->log, WEIR_NOMEM, "out of memory: '%s'", a->path);
    array->name = "";
    out->n = 1;
    out->arrays = array;
    return weir_npy_parse(a->log, a->path, a->bytes, a->size, array);
}

enum weir_status weir_npz_read(const struct weir_log *log, const char *path, struct weir_npz **file)
{
    struct archive a = {.log = log, .path = path};
    struct weir_npz *out = calloc(1, sizeof(*out));
    struct npz_priv *priv = calloc(1, sizeof(*priv));
    enum weir_status status = WEIR_OK;
    if (out)
        out->priv = priv;
    if (!out || !priv || !(priv->arena = weir_arena_create()))
        status = weir_fail(log, WEIR_NOMEM, "out of memory: '%s'", path);
    else
        status = weir_file_read(log, path, &priv->raw, &a.size);
    if (!status) {
        a.bytes = (const unsigned char *)priv->raw;
        if (a.size >= 1 && a.bytes[0] == 0x93)
            status = read_single(&a, priv->arena, out);
        else if (a.size >= 4 && !memcmp(a.bytes, "PK", 2))
            status = read_archive(&a, priv->arena, out);
        else
            status = weir_fail(log, WEIR_FORMAT, "%s: neither an npz nor an npy file", path);
    }
    if (status) {
        if (!out)
            free(priv);
        weir_npz_destroy(&out);
        return status;
    }
    *file = out;
    return WEIR_OK;
}

void weir_npz_destroy(struct weir_npz **file)
{
    if (!file || !*file)
        return;
    struct npz_priv *priv = (*file)->priv;
    if (priv) {
        weir_arena_destroy(&priv->arena);
        free(priv->raw);
    }
    free(priv);
    free(*file);
    *file = NULL;
}

const struct weir_file_array *weir_npz_find(const struct weir_npz *file, const char *name)
{
    for (size_t i = 0; i < file->n; i++)
        if (!strcmp(file->arrays[i].name, name))
            return &file->arrays[i];
    return NULL;
}

// ---- writing ----

// The fields that local header and directory entry share: version 2.0, no flags, stored,
// 1980-01-01.
static void put_common(unsigned char *p, uint32_t crc, size_t size, size_t name_size)
{
    static const unsigned char fixed[10] = {20, 0, 0, 0, STORED, 0, 0, 0, 0x21, 0};
    memcpy(p, fixed, sizeof(fixed));
    weir_put_le(p + 10, crc, 4);
    weir_put_le(p + 14, size, 4);
    weir_put_le(p + 18, size, 4);
    weir_put_le(p + 22, name_size, 2);
}

// Writes one member and appends its directory entry.
static enum weir_status write_member(const struct weir_log *log, weir_atomic *file, size_t *offset,
                                     const struct weir_file_array *array,
                                     struct weir_strbuf *directory)
{
    struct weir_strbuf head = {0};
    size_t data_size = 0, name_size = strlen(array->name) + 4;
    enum weir_status status = weir_file_array_check(log, array, &data_size);
    if (!status)
        status = weir_npy_header(log, array, &head);
    size_t size = head.n + data_size;
    if (!status && name_size > 0xffff)
        status = weir_fail(log, WEIR_INVALID, "an array's name has %zu characters", name_size - 4);
    if (!status && (size >= 0xffffffff || *offset + size >= 0xffffffff - 65536))
        status = weir_fail(log, WEIR_UNSUPPORTED, "npz files of 4 GB and more are not written");
    if (status) {
        weir_strbuf_free(&head);
        return status;
    }
    uint32_t crc = crc_of((unsigned char *)head.s, head.n);
    if (data_size) // zlib takes a NULL buffer for "start anew"
        crc = (uint32_t)crc32_z(crc, array->data, data_size);
    unsigned char local[LOCAL_SIZE] = "PK\3\4", central[CENTRAL_SIZE] = "PK\1\2\x14";
    put_common(local + 4, crc, size, name_size);
    put_common(central + 6, crc, size, name_size);
    weir_put_le(central + 42, *offset, 4);
    weir_atomic_write(file, local, LOCAL_SIZE);
    weir_atomic_write(file, array->name, name_size - 4);
    weir_atomic_write(file, ".npy", 4);
    weir_atomic_write(file, head.s, head.n);
    weir_atomic_write(file, array->data, data_size);
    weir_strbuf_write(directory, central, CENTRAL_SIZE);
    weir_strbuf_printf(directory, "%s.npy", array->name);
    *offset += LOCAL_SIZE + name_size + size;
    weir_strbuf_free(&head);
    return WEIR_OK;
}

enum weir_status weir_npz_write(const struct weir_log *log, const char *path,
                                const struct weir_file_array *arrays, size_t n)
{
    if (n >= 0xffff)
        return weir_fail(log, WEIR_UNSUPPORTED, "'%s': %zu arrays; an npz holds 65534", path, n);
    weir_atomic *file = NULL;
    struct weir_strbuf directory = {0};
    size_t offset = 0;
    enum weir_status status = weir_atomic_open(log, path, &file);
    for (size_t i = 0; i < n && !status; i++)
        status = write_member(log, file, &offset, &arrays[i], &directory);
    if (!status && directory.failed)
        status = weir_fail(log, WEIR_NOMEM, "out of memory: the directory of '%s'", path);
    if (!status) {
        unsigned char end[END_SIZE] = "PK\5\6";
        weir_put_le(end + 8, n, 2);
        weir_put_le(end + 10, n, 2);
        weir_put_le(end + 12, directory.n, 4);
        weir_put_le(end + 16, offset, 4);
        weir_atomic_write(file, directory.s, directory.n);
        weir_atomic_write(file, end, END_SIZE);
        status = weir_atomic_commit(&file);
    }
    weir_atomic_abort(&file);
    weir_strbuf_free(&directory);
    return status;
}
