// SPDX-License-Identifier: Apache-2.0
// npy: magic, version, header length, then a Python dict literal such as
//   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 28, 28), }
// of which just this much Python is understood, and the elements.
#include "data/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/files.h"
#include "data/bytes.h"
#include "data/dtype.h"

struct cursor {
    const char *p, *end;
};

static void skip_space(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t'))
        c->p++;
}

static bool take(struct cursor *c, char wanted)
{
    skip_space(c);
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

static bool take_word(struct cursor *c, const char *word)
{
    skip_space(c);
    size_t n = strlen(word);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n))
        return false;
    c->p += n;
    return true;
}

// A quoted string without escapes.
static bool take_string(struct cursor *c, const char **text, size_t *n)
{
    skip_space(c);
    if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
        return false;
    char quote = *c->p++;
    *text = c->p;
    while (c->p < c->end && *c->p != quote && *c->p != '\\')
        c->p++;
    *n = (size_t)(c->p - *text);
    return take(c, quote);
}

static bool take_int(struct cursor *c, int64_t *v)
{
    skip_space(c);
    const char *start = c->p;
    for (*v = 0; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
        if (*v > (INT64_MAX - 9) / 10)
            return false;
        *v = *v * 10 + (*c->p - '0');
    }
    return c->p > start;
}

static bool take_shape(struct cursor *c, struct weir_shape *shape, bool *too_deep)
{
    if (!take(c, '('))
        return false;
    for (shape->rank = 0; !take(c, ')');) {
        int64_t v;
        if (!take_int(c, &v))
            return false;
        *too_deep = shape->rank == WEIR_MAX_RANK;
        if (*too_deep)
            return true;
        shape->dim[shape->rank++] = v;
        if (!take(c, ',')) {
            if (shape->rank == 1)
                return false; // (3) is a number, not a tuple
            return take(c, ')');
        }
    }
    return true;
}

struct header {
    const char *descr;
    size_t descr_size;
    bool fortran, too_deep;
    struct weir_shape shape;
    unsigned seen; // one bit a key
};

static bool parse_entry(struct cursor *c, struct header *h)
{
    const char *key;
    size_t n;
    if (!take_string(c, &key, &n) || !take(c, ':'))
        return false;
    unsigned bit;
    bool good;
    if (n == 5 && !memcmp(key, "descr", 5)) {
        bit = 1;
        good = take_string(c, &h->descr, &h->descr_size);
    } else if (n == 13 && !memcmp(key, "fortran_order", 13)) {
        bit = 2;
        h->fortran = take_word(c, "True");
        good = h->fortran || take_word(c, "False");
    } else if (n == 5 && !memcmp(key, "shape", 5)) {
        bit = 4;
        good = take_shape(c, &h->shape, &h->too_deep);
    } else {
        return false;
    }
    good = good && !(h->seen & bit);
    h->seen |= bit;
    return good;
}

static bool parse_dict(struct cursor *c, struct header *h)
{
    if (!take(c, '{'))
        return false;
    while (!take(c, '}')) {
        if (!parse_entry(c, h))
            return false;
        if (h->too_deep)
            return true;
        if (!take(c, ',')) {
            if (!take(c, '}'))
                return false;
            break;
        }
    }
    skip_space(c);
    return c->p == c->end && h->seen == 7;
}

// Everything before the elements; *skip = its length.
static enum weir_status parse_header(const struct weir_log *log, const char *where,
                                     const unsigned char *bytes, size_t size, struct header *h,
                                     size_t *skip)
{
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6))
        return weir_fail(log, WEIR_FORMAT, "%s: not an npy array: no \\x93NUMPY at the start",
                         where);
    int version = bytes[6];
    if (version < 1 || version > 3)
        return weir_fail(log, WEIR_UNSUPPORTED, "%s: npy version %d; 1 to 3 are read", where,
                         version);
    size_t start = version == 1 ? 10 : 12;
    size_t length = size < start   ? SIZE_MAX
                    : version == 1 ? weir_le16(bytes + 8)
                                   : weir_le32(bytes + 8);
    if (size < start || length > size - start)
        return weir_fail(log, WEIR_FORMAT,
                         "%s: truncated: the npy header needs more than %zu bytes", where, size);
    struct cursor c = {(const char *)bytes + start, (const char *)bytes + start + length};
    if (!parse_dict(&c, h))
        return weir_fail(
            log, WEIR_FORMAT,
            "%s: npy header is not {'descr': ..., 'fortran_order': ..., 'shape': ...}: "
            "%.*s",
            where, length < 100 ? (int)length : 100, (const char *)bytes + start);
    *skip = start + length;
    return WEIR_OK;
}

enum weir_status weir_npy_parse(const struct weir_log *log, const char *where, const void *bytes,
                                size_t size, struct weir_file_array *array)
{
    struct header h = {.seen = 0};
    size_t skip = 0, wanted = 0;
    enum weir_status status = parse_header(log, where, bytes, size, &h, &skip);
    if (status)
        return status;
    if (h.too_deep)
        return weir_fail(log, WEIR_UNSUPPORTED, "%s: more than %d axes", where, WEIR_MAX_RANK);
    enum weir_file_dtype dtype = weir_file_dtype_find_numpy(h.descr, h.descr_size);
    if (dtype == WEIR_N_FILE_DTYPES)
        return weir_fail(log, WEIR_UNSUPPORTED,
                         "%s: element type '%.*s'; little-endian floats and integers are read",
                         where, h.descr_size < 40 ? (int)h.descr_size : 40, h.descr);
    if (h.fortran && h.shape.rank > 1)
        return weir_fail(log, WEIR_UNSUPPORTED,
                         "%s: Fortran order; save numpy.ascontiguousarray(x)", where);
    char text[160];
    weir_file_shape_text(&h.shape, text, sizeof(text));
    if (!weir_file_array_size(dtype, &h.shape, &wanted))
        return weir_fail(log, WEIR_FORMAT, "%s: shape %s overflows", where, text);
    if (wanted != size - skip)
        return weir_fail(log, WEIR_FORMAT, "%s: %zu bytes of elements, %s of %s needs %zu", where,
                         size - skip, text, weir_file_dtype_name(dtype), wanted);
    array->dtype = dtype;
    array->shape = h.shape;
    array->data = (const unsigned char *)bytes + skip;
    array->size = wanted;
    return WEIR_OK;
}

enum weir_status weir_npy_header(const struct weir_log *log, const struct weir_file_array *array,
                                 struct weir_strbuf *out)
{
    const char *word = weir_file_dtype_numpy(array->dtype);
    if (!*word)
        return weir_fail(log, WEIR_UNSUPPORTED, "NumPy has no element type %s",
                         weir_file_dtype_name(array->dtype));
    struct weir_strbuf dict = {0};
    weir_strbuf_printf(&dict, "{'descr': '%s', 'fortran_order': False, 'shape': (", word);
    for (int i = 0; i < array->shape.rank; i++)
        weir_strbuf_printf(&dict, "%s%" PRId64, i ? ", " : "", array->shape.dim[i]);
    weir_strbuf_puts(&dict, array->shape.rank == 1 ? ",), }" : "), }");
    while (!dict.failed && (10 + dict.n + 1) % 64)
        weir_strbuf_puts(&dict, " ");
    weir_strbuf_puts(&dict, "\n"); // the elements start at a multiple of 64 bytes
    unsigned char head[10] = "\x93NUMPY\x01";
    weir_put_le(head + 8, dict.n, 2);
    weir_strbuf_write(out, head, sizeof(head));
    weir_strbuf_write(out, dict.s ? dict.s : "", dict.n);
    bool failed = dict.failed || out->failed;
    weir_strbuf_free(&dict);
    return failed ? weir_fail(log, WEIR_NOMEM, "out of memory: an npy header") : WEIR_OK;
}

enum weir_status weir_npy_write(const struct weir_log *log, const char *path,
                                const struct weir_file_array *array)
{
    struct weir_strbuf head = {0};
    weir_atomic *file = NULL;
    size_t size = 0;
    enum weir_status status = weir_file_array_check(log, array, &size);
    if (!status)
        status = weir_npy_header(log, array, &head);
    if (!status)
        status = weir_atomic_open(log, path, &file);
    if (!status) {
        weir_atomic_write(file, head.s, head.n);
        weir_atomic_write(file, array->data, size);
        status = weir_atomic_commit(&file);
    }
    weir_strbuf_free(&head);
    return status;
}
