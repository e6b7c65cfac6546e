// SPDX-License-Identifier: Apache-2.0
// 16-bit operands of a gather that its kernel would read again and again (wide devices): an f32 copy in
// scratch memory, dense where the operand is a part of something larger.
#include <stdlib.h>

#include "compile/contract_parts.h"
#include "device/kernel_text.h"

// A work-item's elements.
#define STEP 4096

enum { MOST = 14 };

// The loops of a gather that move one of its operands.
struct loops {
    struct weir_axis *axis[MOST];
    int n;
};

static int64_t *stride_of(struct weir_axis *x, bool b)
{
    return b ? &x->b : &x->a;
}

static void add_loops(struct loops *l, struct weir_axis *x, int n, bool b)
{
    for (int i = 0; i < n; i++)
        if (x[i].n > 1 && *stride_of(&x[i], b) != 0)
            l->axis[l->n++] = &x[i];
}

// Sorted by stride, the largest first; false where two loops reach the same element, or one goes back.
static bool sort(struct loops *l, bool b)
{
    for (int i = 1; i < l->n; i++)
        for (int k = i; k > 0 && *stride_of(l->axis[k], b) > *stride_of(l->axis[k - 1], b); k--) {
            struct weir_axis *x = l->axis[k];
            l->axis[k] = l->axis[k - 1];
            l->axis[k - 1] = x;
        }
    int64_t reach = 1;
    for (int i = l->n - 1; i >= 0; i--) {
        if (*stride_of(l->axis[i], b) < reach)
            return false;
        reach += *stride_of(l->axis[i], b) * (l->axis[i]->n - 1);
    }
    return true;
}

// far: the last element that is read.
static void launch(struct weir_emit *e, struct weir_strbuf *t, struct weir_gather_source *s, int64_t n,
                   int64_t far, bool vector)
{
    const char *type = weir_dtype_name(s->arg.dtype);
    weir_strbuf_printf(t, "#define WD_NAME $K\n#define WD_INT %s\n#define WD_N (%lld)\n",
                       n < INT32_MAX / 2 && far < INT32_MAX ? "int" : "long", (long long)n);
    weir_strbuf_printf(t, "#define WD_LOAD weir_ld_%s\n#define WD_LOAD16 weir_ldv_%s\n", type, type);
    weir_strbuf_printf(t, "#define WD_VECTOR %d\n#define WD_STEP %d\n", vector, STEP);
    weir_strbuf_puts(t, weir_kernel_text("contract_widen.cl"));
    // sixteen floats more than the operand, because panels of columns are read by whole vectors
    struct weir_emit_arg args[2] = {s->arg, {weir_emit_scratch(e, WEIR_F32, n + 16), WEIR_F32, 0}};
    struct weir_emit_launch l = {.kernel = weir_emit_kernel_buf(e, "widen", t),
                                 .label = "widen",
                                 .n_args = 2,
                                 .args = args,
                                 .global = {(size_t)div_up(n, STEP), 1, 1},
                                 .local = {1, 1, 1}};
    weir_emit_launch(e, &l);
    *s = (struct weir_gather_source){args[1], true};
}

// The element at index i of the dense copy, as an offset in the operand.
static void define_at(struct weir_strbuf *t, const struct loops *l, bool b)
{
    int64_t inside = 1;
    weir_strbuf_puts(t, "#define WD_AT(i) (");
    for (int k = l->n - 1; k >= 0; k--) {
        weir_strbuf_printf(t, "(i) / %lld", (long long)inside);
        if (k > 0)
            weir_strbuf_printf(t, " %% %lld", (long long)l->axis[k]->n);
        weir_strbuf_printf(t, " * %lld%s", (long long)*stride_of(l->axis[k], b), k > 0 ? " + " : "");
        inside *= l->axis[k]->n;
    }
    weir_strbuf_puts(t, ")\n");
}

void weir_gather_widen(struct weir_emit *e, struct weir_gather *g, bool b)
{
    struct weir_gather_source *s = b ? &g->b : &g->a;
    int64_t *origin = b ? &g->b0 : &g->a0, lo = *origin, hi = *origin, n = 1;
    struct loops l = {0};
    struct weir_strbuf t = {0};
    if (s->arg.dtype == WEIR_F32)
        return;
    add_loops(&l, g->batch, 6, b);
    add_loops(&l, b ? g->col : g->row, 4, b);
    add_loops(&l, g->term, 4, b);
    for (int i = 0; i < l.n; i++) {
        int64_t reach = *stride_of(l.axis[i], b) * (l.axis[i]->n - 1);
        lo += reach < 0 ? reach : 0;
        hi += reach > 0 ? reach : 0;
        n *= l.axis[i]->n;
    }
    bool apart = sort(&l, b) && hi - lo + 1 > n + n / 2;
    s->arg.offset += lo;
    *origin -= lo;
    if (!apart) { // all there is between the first and the last
        weir_strbuf_puts(&t, "#define WD_AT(i) (i)\n");
        launch(e, &t, s, hi - lo + 1, hi - lo, true);
        return;
    }
    struct weir_axis *inner = l.axis[l.n - 1];
    bool vector = *stride_of(inner, b) == 1 && inner->n % 16 == 0;
    define_at(&t, &l, b);
    launch(e, &t, s, n, hi - lo, vector);
    int64_t step = 1;
    for (int k = l.n - 1; k >= 0; k--) {
        *stride_of(l.axis[k], b) = step;
        step *= l.axis[k]->n;
    }
}
