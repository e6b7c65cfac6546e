// SPDX-License-Identifier: Apache-2.0
// What the writers of attention share, for wide devices (write_attention.c) and grouped ones
// (write_attention_grouped.c): the knobs that say what there is and where it lies.
#ifndef WEIR_COMPILE_ATTENTION_PARTS_H
#define WEIR_COMPILE_ATTENTION_PARTS_H

#include "compile/attention.h"
#include "compile/emit.h"

static inline void knob(struct weir_strbuf *t, const char *name, int64_t value)
{
    weir_strbuf_printf(t, "#define AT_%s (%lld)\n", name, (long long)value);
}

// The knobs of every kernel: name, extents, operands.
void weir_attention_knobs(struct weir_strbuf *t, const struct weir_emit *e,
                          const struct weir_attention *a);
// All operands, then all results; returns how many.
int weir_attention_arguments(const struct weir_emit *e, struct weir_emit_arg *args);

// The launches on a grouped device that weir_attention_room found fit.
void weir_attention_grouped(struct weir_emit *e, const struct weir_attention *a);
void weir_attention_grouped_grad(struct weir_emit *e, const struct weir_attention *a);

#endif
