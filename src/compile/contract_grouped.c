// SPDX-License-Identifier: Apache-2.0
// Kernels and launches of one gather on grouped devices (GPUs): both operands are read through their
// strides into tiles in local memory.
#include "compile/contract_parts.h"
#include "device/kernel_text.h"

// Results of one work-item: PER x PER.
#define PER 4

enum weir_status weir_gather_emit_grouped(struct weir_emit *e, const struct weir_gather *g)
{
    int group = weir_group_edge(e->dev);
    int64_t across = div_up(extent(g->col, 4), group * PER),
            down = div_up(extent(g->row, 4), group * PER);
    struct weir_split s = {0};
    int64_t tiles = across * down * extent(g->batch, 6);
    if (weir_split_possible(e, g) && (tiles < 8 * e->dev->info.caps.compute_units || g->chunks >= 8))
        s = weir_split_make(e, g);
    struct weir_emit_arg args[WEIR_LAUNCH_MAX_BUFS] = {g->a.arg, g->b.arg};
    struct weir_emit_launch l = {.label = g->hint, .n_args = 2, .args = args};
    struct weir_strbuf t = {0};
    weir_gather_begin(e, g, &s, &t, &l);
    weir_strbuf_printf(&t, "#define CT_GROUP %d\n#define CT_PER_ROW %d\n#define CT_PER_COL %d\n",
                       group, PER, PER);
    weir_strbuf_puts(&t, weir_kernel_text("contract_grouped.cl"));
    l.kernel = weir_emit_kernel_buf(e, g->hint, &t);
    l.global[0] = (size_t)(across * group);
    l.global[1] = (size_t)(down * group);
    l.local[0] = l.local[1] = (size_t)group;
    l.local[2] = 1;
    weir_gather_launch(e, g, &s, &l, 1);
    return WEIR_OK;
}
