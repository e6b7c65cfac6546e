// SPDX-License-Identifier: Apache-2.0
// A growing text buffer. Running out of memory sticks: the calls between need no checks.
#ifndef WEIR_BASE_STRBUF_H
#define WEIR_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

// Zeroed = empty. `s` is NULL while nothing was written, else ends in 0.
struct weir_strbuf {
    char *s;
    size_t n, cap; // characters without the final 0, bytes allocated
    bool failed;   // an allocation failed: later calls do nothing
};

void weir_strbuf_printf(struct weir_strbuf *buf, const char *format, ...) WEIR_PRINTF(2, 3);
void weir_strbuf_puts(struct weir_strbuf *buf, const char *text);
void weir_strbuf_write(struct weir_strbuf *buf, const void *data, size_t size); // may hold zeros

// Hands the text over (the caller frees it) and leaves the buffer empty. An empty buffer gives "".
// NULL when memory ran out on the way.
char *weir_strbuf_finish(struct weir_strbuf *buf);

void weir_strbuf_free(struct weir_strbuf *buf); // drops the text and leaves the buffer empty

#endif
