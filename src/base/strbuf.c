// SPDX-License-Identifier: Apache-2.0
// Text that grows by doubling: kernel sources, CSV rows, JSON and file headers.
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct weir_strbuf *buf, size_t extra)
{
    if (buf->failed || extra > SIZE_MAX / 4 - buf->n)
        goto error;
    size_t need = buf->n + extra + 1;
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap ? buf->cap : 128;
    while (cap < need)
        cap *= 2;
    char *s = realloc(buf->s, cap);
    if (!s)
        goto error;
    buf->s = s;
    buf->cap = cap;
    return true;
error:
    buf->failed = true;
    return false;
}

void weir_strbuf_write(struct weir_strbuf *buf, const void *data, size_t size)
{
    if (!reserve(buf, size))
        return;
    if (size)
        memcpy(buf->s + buf->n, data, size);
    buf->n += size;
    buf->s[buf->n] = 0;
}

void weir_strbuf_puts(struct weir_strbuf *buf, const char *text)
{
    weir_strbuf_write(buf, text, strlen(text));
}

void weir_strbuf_printf(struct weir_strbuf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        buf->failed = true;
    else if (reserve(buf, (size_t)n)) {
        vsnprintf(buf->s + buf->n, (size_t)n + 1, format, again);
        buf->n += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

char *weir_strbuf_finish(struct weir_strbuf *buf)
{
    weir_strbuf_puts(buf, ""); // an empty buffer becomes ""
    char *s = buf->failed ? NULL : buf->s;
    if (buf->failed)
        free(buf->s);
    *buf = (struct weir_strbuf){0};
    return s;
}

void weir_strbuf_free(struct weir_strbuf *buf)
{
    free(buf->s);
    *buf = (struct weir_strbuf){0};
}
