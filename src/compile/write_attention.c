// SPDX-License-Identifier: Apache-2.0
// Writes attention: the knobs of kernels/attention_*.cl for its operands, and the launches.
#include <stdlib.h>

#include "compile/attention_parts.h"
#include "compile/contract_parts.h"
#include "device/kernel_text.h"
#include "graph/flop.h"
#include "graph/ops/rows.h"

// The leading axes are those of the first result, forward the output, backward dq.
struct weir_attention weir_attention_of(const weir_value *v)
{
    struct weir_attention a = {.queries = weir_dim(v->arg[0], -2),
                               .depth = weir_dim(v->arg[0], -1),
                               .keys = weir_dim(v->arg[1], -2),
                               .width = weir_dim(v->arg[2], -1),
                               .batches = 1,
                               .masked = v->attrs.any.i[0] != 0,
                               .scale = (float)v->attrs.any.f[0]};
    for (int i = 0; i + 2 < v->type.shape.rank; i++)
        a.batches *= v->type.shape.dim[i];
    return a;
}

// What the decompose counts: products, and for each score its scaling, the maximum (forward), the mask,
// the difference, the exponential, the sum (forward) or the quotient and dS (backward).
static double forward_flop(const weir_value *v)
{
    struct weir_attention a = weir_attention_of(v);
    double rows = (double)(a.batches * a.queries), score = 4 + a.masked + weir_op_exp.instructions;
    return rows * ((double)a.keys * ((double)(2 * (a.depth + a.width)) + score) +
                   (double)(a.width * weir_op_div.instructions));
}

static double backward_flop(const weir_value *v)
{
    struct weir_attention a = weir_attention_of(v);
    double score = 5 + a.masked + weir_op_exp.instructions + weir_op_div.instructions;
    return (double)(a.batches * a.queries) * (double)a.keys *
           ((double)(6 * a.depth + 4 * a.width) + score);
}

const struct weir_op weir_op_attention_kernel = {
    .name = "attention",
    .desc = "softmax(scale q kT + mask) v, its row maxima and sums",
    .arity = -1,
    .cls = WEIR_OP_CONTRACT,
    .flop = forward_flop};

const struct weir_op weir_op_attention_grad_kernel = {
    .name = "attention_grad",
    .desc = "the gradients of attention",
    .arity = -1,
    .cls = WEIR_OP_CONTRACT,
    .flop = backward_flop};

// Where the rows of batch z of an operand begin, z counted over the leading axes of `all`; a last axis
// or one before it of one element stands for as many as there are.
static void knob_operand(struct weir_strbuf *t, const char *name, const struct weir_operand *o,
                         const struct weir_shape *all)
{
    int64_t inner = 1;
    int r = o->shape.rank, lead = all->rank - r;
    weir_strbuf_printf(t, "#define AT_%s_ROW (%lld)\n", name,
                       r > 1 && o->shape.dim[r - 2] > 1 ? (long long)o->stride[r - 2] : 0LL);
    weir_strbuf_printf(t, "#define AT_%s_COL (%lld)\n", name,
                       o->shape.dim[r - 1] > 1 ? (long long)o->stride[r - 1] : 0LL);
    weir_strbuf_printf(t, "#define AT_%s_BATCH(z) (0", name);
    for (int i = all->rank - 3; i >= 0; i--) {
        int k = i - lead;
        if (k >= 0 && o->shape.dim[k] > 1)
            weir_strbuf_printf(t, " + (z) / %lld %% %lld * (%lld)", (long long)inner,
                               (long long)all->dim[i], (long long)o->stride[k]);
        inner *= all->dim[i];
    }
    weir_strbuf_puts(t, ")\n");
}

// The farthest element of any operand.
static bool needs_long(const struct weir_emit *e)
{
    int64_t most = 0;
    for (int i = 0; i < e->n_in + e->n_out; i++) {
        const struct weir_operand *o = i < e->n_in ? &e->in[i] : &e->out[i - e->n_in];
        int64_t last = 0;
        for (int k = 0; k < o->shape.rank; k++)
            last += llabs(o->stride[k]) * (o->shape.dim[k] - 1);
        most = last > most ? last : most;
    }
    return most > INT32_MAX / 2;
}

void weir_attention_knobs(struct weir_strbuf *t, const struct weir_emit *e, const struct weir_attention *a)
{
    weir_strbuf_printf(t, "#define AT_NAME $K\n#define AT_INT %s\n#define AT_SCALE (%af)\n",
                       needs_long(e) ? "long" : "int", (double)a->scale);
    knob(t, "QUERIES", a->queries);
    knob(t, "KEYS", a->keys);
    knob(t, "DEPTH", a->depth);
    knob(t, "WIDTH", a->width);
    knob(t, "MASKED", a->masked);
    static const char *const names[] = {"Q", "K", "V", "M", "G", "TOP", "TOTAL", "SHIFT"};
    for (int i = 0; i < e->n_in; i++)
        knob_operand(t, names[i + (i > 2 && !a->masked)], &e->in[i], &e->v->type.shape);
}

// Rows and vectors of columns of a tile of results: as many sums as there are registers for.
static void knob_tile(struct weir_strbuf *t, int64_t width)
{
    int64_t vecs = width / 16, per = vecs % 2 == 0 ? 2 : vecs % 3 == 0 ? 3 : vecs == 5 ? 5 : 1;
    knob(t, "TILE_VECS", per);
    knob(t, "TILE_ROWS", per == 1 ? 16 : per == 5 ? 4 : 8);
}

// The tile of scores: as many keys as there are registers for.
static void knob_keys(struct weir_strbuf *t, int64_t keys, int vecs)
{
    const int64_t most = vecs == 1 ? 16 : 14;
    knob(t, "VECS", vecs);
    knob(t, "TILE_KEYS", div_up(keys, div_up(keys, most)));
}

int weir_attention_arguments(const struct weir_emit *e, struct weir_emit_arg *args)
{
    int n = 0;
    for (int i = 0; i < e->n_in; i++)
        args[n++] = weir_emit_arg(&e->in[i]);
    for (int i = 0; i < e->n_out; i++)
        args[n++] = weir_emit_arg(&e->out[i]);
    return n;
}

// `strips` of 16 vecs queries each, from query `first` on.
static void strips_kernel(struct weir_emit *e, const struct weir_attention *a, int64_t first,
                          int64_t strips, int vecs)
{
    struct weir_emit_arg args[8];
    struct weir_strbuf t = {0};
    weir_attention_knobs(&t, e, a);
    knob(&t, "FIRST", first);
    knob_keys(&t, a->keys, vecs);
    knob_tile(&t, a->width);
    weir_strbuf_puts(&t, weir_kernel_text("attention_wide.cl"));
    struct weir_emit_launch l = {.kernel = weir_emit_kernel_buf(e, "attention", &t),
                                 .label = "attention",
                                 .n_args = weir_attention_arguments(e, args),
                                 .args = args,
                                 .global = {(size_t)strips, (size_t)a->batches, 1},
                                 .local = {1, 1, 1}};
    l.flops = weir_value_flop(e->v) * (double)(strips * vecs) / (double)div_up(a->queries, 16);
    weir_emit_launch(e, &l);
}

static void forward_wide(struct weir_emit *e, const struct weir_attention *a)
{
    int vecs = weir_attention_vecs(a->keys);
    int64_t all = div_up(a->queries, 16), strips = all / vecs; // vectors that fill whole strips
    if (vecs == 2 && strips > 0)
        strips_kernel(e, a, 0, strips, 2);
    if (vecs == 1 || all % 2)
        strips_kernel(e, a, vecs == 1 ? 0 : strips * 32, vecs == 1 ? all : 1, 1);
}

static void backward_wide(struct weir_emit *e, const struct weir_attention *a)
{
    struct weir_emit_arg args[16];
    struct weir_strbuf t = {0};
    int n = weir_attention_arguments(e, args);
    bool split = a->queries > 512;
    weir_attention_knobs(&t, e, a);
    knob(&t, "SPLIT", split);
    knob_keys(&t, a->keys, a->queries > 16 ? 2 : 1);
    knob_tile(&t, a->depth);
    knob(&t, "SUM_VECS", a->depth % 32 == 0 && a->width % 32 == 0 ? 2 : 1);
    weir_strbuf_puts(&t, weir_kernel_text("attention_wide_grad.cl"));
    for (int i = 0; split && i < 2; i++) {
        int64_t size = a->batches * a->keys * (i ? a->width : a->depth);
        args[n++] = (struct weir_emit_arg){weir_emit_scratch(e, WEIR_F32, size), WEIR_F32, 0};
    }
    struct weir_emit_launch l = {.kernel = weir_emit_kernel_buf(e, "attention_grad", &t),
                                 .label = "attention_grad",
                                 .n_args = n,
                                 .args = args,
                                 .global = {(size_t)a->batches, 1, 1},
                                 .local = {1, 1, 1}};
    l.flops = weir_value_flop(e->v);
    weir_emit_launch(e, &l);
}

enum weir_status weir_attention_emit(struct weir_emit *e)
{
    struct weir_attention a = weir_attention_of(e->v);
    bool wide = weir_device_has(e->dev, WEIR_CAP_WIDE);
    if (e->v->op == &weir_op_attention_kernel)
        (wide ? forward_wide : weir_attention_grouped)(e, &a);
    else
        (wide ? backward_wide : weir_attention_grouped_grad)(e, &a);
    return WEIR_OK;
}
