// SPDX-License-Identifier: Apache-2.0
// Writes the ops that are kernels of their own: their skeleton in kernels/ after #defines of the
// extents and attributes (kernels/opaque_knobs.cl lists them). One launch of op->items work-items,
// with inputs, outputs, then scratch as arguments; concat has a launch an argument.
#include <scalar.h>
#include <stdio.h>
#include <string.h>

#include "compile/emit.h"
#include "device/kernel_text.h"
#include "graph/view.h"

static void knob(struct weir_strbuf *t, const char *name, int64_t value)
{
    weir_strbuf_printf(t, "#define OP_%s %lld\n", name, (long long)value);
}

static void knob_list(struct weir_strbuf *t, const char *name, const int64_t *value, int n)
{
    weir_strbuf_printf(t, "#define OP_%s {%lld", name, n ? (long long)value[0] : 1);
    for (int i = 1; i < n; i++)
        weir_strbuf_printf(t, ", %lld", (long long)value[i]);
    weir_strbuf_puts(t, "}\n");
}

// The unsigned integer that moves an element as bits.
static const char *bits_type(enum weir_dtype dtype)
{
    size_t size = weir_dtype_size(dtype);
    return size == 4 ? "uint" : size == 2 ? "ushort" : "uchar";
}

static void knob_axis(struct weir_strbuf *t, const struct weir_shape *s, int axis)
{
    int64_t outer = 1, inner = 1;
    for (int a = 0; a < axis; a++)
        outer *= s->dim[a];
    for (int a = axis + 1; a < s->rank; a++)
        inner *= s->dim[a];
    knob(t, "OUTER", outer);
    knob(t, "N", s->dim[axis]);
    knob(t, "INNER", inner);
}

static void indexed_knobs(struct weir_strbuf *t, const weir_value *v)
{
    const struct weir_shape *idx = &v->arg[1]->type.shape;
    bool along = v->attrs.axis.along, add = strncmp(v->op->name, "scatter_add", 11) == 0;
    const char *type = bits_type(v->type.dtype);
    weir_strbuf_printf(t, "#define OP_T %s\n", add && v->type.dtype == WEIR_F32 ? "float" : type);
    knob_axis(t, &v->arg[0]->type.shape, v->attrs.axis.axis);
    knob(t, "M", along ? idx->dim[v->attrs.axis.axis] : weir_shape_size(idx));
    knob(t, "ALONG", along);
    knob(t, "KIND", add);
}

static void dynamic_knobs(struct weir_strbuf *t, const weir_value *v)
{
    const struct weir_shape *x = &v->arg[0]->type.shape;
    bool update = v->arity == 3;
    const struct weir_shape *box = update ? &v->arg[1]->type.shape : &v->type.shape;
    int64_t stride[WEIR_MAX_RANK];
    weir_strides(x, stride);
    weir_strbuf_printf(t, "#define OP_T %s\n", bits_type(v->type.dtype));
    knob(t, "KIND", update);
    knob(t, "RANK", x->rank);
    knob_list(t, "DIM", x->dim, x->rank);
    knob_list(t, "BOX", box->dim, x->rank);
    knob_list(t, "STRIDE", stride, x->rank);
}

static uint32_t pad_bits(enum weir_dtype dtype, double value)
{
    switch (dtype) {
    case WEIR_F32:
        return weir_as_u((float)value);
    case WEIR_F16:
        return weir_f32_to_f16((float)value);
    case WEIR_BF16:
        return weir_f32_to_bf16((float)value);
    case WEIR_I32:
        return (uint32_t)(int32_t)value;
    case WEIR_U32:
        return (uint32_t)value;
    case WEIR_BOOL:
        return value != 0;
    default:
        return (uint8_t)(int8_t)value;
    }
}

static void pad_knobs(struct weir_strbuf *t, const weir_value *v)
{
    const struct weir_shape *x = &v->arg[0]->type.shape;
    int64_t step[WEIR_MAX_RANK];
    for (int a = 0; a < x->rank; a++)
        step[a] = v->attrs.pad.interior[a] + 1;
    weir_strbuf_printf(t, "#define OP_T %s\n#define OP_VALUE 0x%xu\n", bits_type(v->type.dtype),
                       (unsigned)pad_bits(v->type.dtype, v->attrs.pad.value));
    knob(t, "RANK", x->rank);
    knob_list(t, "DIM", v->type.shape.dim, x->rank);
    knob_list(t, "BOX", x->dim, x->rank);
    knob_list(t, "LO", v->attrs.pad.lo, x->rank);
    knob_list(t, "STEP", step, x->rank);
}

static void scan_knobs(struct weir_strbuf *t, const weir_value *v)
{
    weir_strbuf_printf(t, "#define OP_T %s\n", v->type.dtype == WEIR_F32 ? "float" : "uint");
    knob_axis(t, &v->type.shape, v->attrs.axis.axis);
}

static void sort_knobs(struct weir_strbuf *t, const weir_value *v)
{
    enum weir_dtype dtype = v->arg[0]->type.dtype;
    knob_axis(t, &v->type.shape, v->attrs.axis.axis);
    knob(t, "KIND", strcmp(v->op->name, "argsort") == 0);
    knob(t, "M", dtype == WEIR_F32 ? 0 : dtype == WEIR_I32 ? 1 : 2);
}

static void linalg_knobs(struct weir_strbuf *t, const weir_value *v)
{
    const struct weir_shape *a = &v->arg[0]->type.shape, *x = &v->type.shape;
    bool solve = strcmp(v->op->name, "triangular_solve") == 0;
    knob(t, "KIND", solve ? 1 : strcmp(v->op->name, "lu") == 0 ? 2 : 0);
    knob(t, "N", a->dim[a->rank - 1]);
    knob(t, "M", x->dim[x->rank - 1]);
    knob(t, "LOWER", v->attrs.solve.lower);
    knob(t, "TRANSPOSE", v->attrs.solve.transpose);
    knob(t, "UNIT", v->attrs.solve.unit);
}

static void fft_knobs(struct weir_strbuf *t, const weir_value *v)
{
    knob(t, "N", v->type.shape.dim[v->type.shape.rank - 2]);
    knob(t, "INVERSE", v->attrs.fft.inverse);
}

static const struct skeleton {
    const char *name;
    void (*knobs)(struct weir_strbuf *t, const weir_value *v);
} skeletons[] = {
    {"gather", indexed_knobs}, {"scatter", indexed_knobs}, {"dynamic", dynamic_knobs},
    {"pad", pad_knobs},        {"scan", scan_knobs},       {"sort", sort_knobs},
    {"linalg", linalg_knobs},  {"fft", fft_knobs},
};

static bool needs_long(const struct weir_emit *e, int64_t items)
{
    int64_t most = items;
    for (int i = 0; i < e->n_in; i++)
        most = weir_shape_size(&e->in[i].shape) > most ? weir_shape_size(&e->in[i].shape) : most;
    for (int i = 0; i < e->n_out; i++)
        most = weir_shape_size(&e->out[i].shape) > most ? weir_shape_size(&e->out[i].shape) : most;
    return most > INT32_MAX / 4;
}

// Begins a kernel's text: its name, index type and number of work-items.
static void begin(struct weir_strbuf *t, const struct weir_emit *e, int64_t items)
{
    weir_strbuf_printf(t, "#define OP_NAME $K\n#define OP_INT %s\n",
                       needs_long(e, items) ? "long" : "int");
    knob(t, "ITEMS", items);
}

static enum weir_status finish(struct weir_emit *e, struct weir_strbuf *t, const char *skeleton,
                               int64_t items, struct weir_emit_arg *args, int n_args)
{
    char file[64];
    snprintf(file, sizeof(file), "%s.cl", skeleton);
    const char *text = weir_kernel_text(file);
    if (!text) {
        weir_strbuf_free(t);
        return WEIR_UNSUPPORTED;
    }
    weir_strbuf_puts(t, text);
    const char *kernel = weir_emit_kernel_buf(e, e->v->op->name, t);
    if (!kernel)
        return WEIR_NOMEM;
    struct weir_emit_launch l = {
        .kernel = kernel, .label = e->v->op->name, .n_args = n_args, .args = args};
    // Whole groups where there are many items, so that the driver is free in its choice of a size.
    l.global[0] = (size_t)(items < 64 ? items : (items + 63) / 64 * 64);
    l.global[1] = l.global[2] = 1;
    weir_emit_launch(e, &l);
    return WEIR_OK;
}

static enum weir_status emit_concat(struct weir_emit *e)
{
    const struct weir_shape *y = &e->v->type.shape;
    int axis = e->v->attrs.axis.axis;
    int64_t outer = 1, inner = 1, done = 0;
    for (int a = 0; a < y->rank; a++) {
        outer *= a < axis ? y->dim[a] : 1;
        inner *= a > axis ? y->dim[a] : 1;
    }
    for (int i = 0; i < e->n_in; i++) {
        int64_t n = e->in[i].shape.dim[axis] * inner, items = outer * ((n + 15) / 16);
        struct weir_emit_arg args[2] = {weir_emit_arg(&e->in[i]), weir_emit_arg(&e->out[0])};
        args[1].offset += done;
        done += n;
        if (items == 0)
            continue;
        struct weir_strbuf t = {0};
        begin(&t, e, items);
        weir_strbuf_printf(&t, "#define OP_T %s\n", bits_type(e->v->type.dtype));
        knob(&t, "N", n);
        knob(&t, "M", y->dim[axis] * inner);
        enum weir_status status = finish(e, &t, "concat", items, args, 2);
        if (status != WEIR_OK)
            return status;
    }
    return WEIR_OK;
}

enum weir_status weir_opaque_emit(struct weir_emit *e)
{
    const weir_value *v = e->v;
    if (!v->op->skeleton || !v->op->items)
        return WEIR_UNSUPPORTED;
    if (strcmp(v->op->skeleton, "concat") == 0)
        return emit_concat(e);
    for (size_t i = 0; i < WEIR_COUNT(skeletons); i++) {
        if (strcmp(v->op->skeleton, skeletons[i].name) != 0)
            continue;
        int64_t items = v->op->items(v);
        if (items == 0)
            return WEIR_OK;
        struct weir_emit_arg args[WEIR_LAUNCH_MAX_BUFS];
        int n = 0;
        for (int k = 0; k < e->n_in; k++)
            args[n++] = weir_emit_arg(&e->in[k]);
        for (int k = 0; k < e->n_out; k++)
            args[n++] = weir_emit_arg(&e->out[k]);
        if (v->op->scratch) { // here always as much as the result; the oracle's elements are wider
            int slot = weir_emit_scratch(e, v->type.dtype, weir_shape_size(&v->type.shape));
            args[n++] = (struct weir_emit_arg){slot, v->type.dtype, 0};
        }
        struct weir_strbuf t = {0};
        begin(&t, e, items);
        skeletons[i].knobs(&t, v);
        return finish(e, &t, skeletons[i].name, items, args, n);
    }
    return WEIR_UNSUPPORTED;
}
