// SPDX-License-Identifier: Apache-2.0
// The OpenCL C text of a group's elementwise part. Names: p<n>, o<n> parameters; r<axis> index along an
// axis; i<class> offset of a row in all accesses of a class; j index along the innermost axis;
// x<access> a loaded element; s<access> one that does not vary along the innermost axis; v<id> a value;
// r_<id> a value of the row.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "compile/body.h"
#include "graph/ops/rows.h"

const char *weir_ctype(enum weir_dtype t, bool wide)
{
    switch (weir_type_letter(t)) {
    case 'f':
        return wide ? "float16" : "float";
    case 'u':
        return wide ? "uint16" : "uint";
    default:
        return wide ? "int16" : "int";
    }
}

const char *weir_memory_ctype(enum weir_dtype t)
{
    static const char *const names[] = { [WEIR_F32] = "float", [WEIR_I32] = "int", [WEIR_U32] = "uint",
                                         [WEIR_BOOL] = "uchar", [WEIR_F16] = "ushort",
                                         [WEIR_BF16] = "ushort", [WEIR_I8] = "char" };
    return names[t];
}

char weir_type_letter(enum weir_dtype t)
{
    switch (t) {
    case WEIR_I32:
    case WEIR_I8:
        return 'i';
    case WEIR_U32:
        return 'u';
    case WEIR_BOOL:
        return 'b';
    default:
        return 'f';
    }
}

void weir_body_params(const struct weir_body *b, struct weir_strbuf *out)
{
    for (int i = 0; i < b->n_access; i++) {
        const struct weir_access *a = &b->access[i];
        if (!a->index)
            weir_strbuf_printf(out, "%sglobal %s%s *p%d, ulong o%d", a->param ? ", " : "",
                               a->written ? "" : "const ", weir_memory_ctype(a->operand.dtype),
                               a->param, a->param);
    }
    for (int i = 0; i < b->n_ints; i++)
        weir_strbuf_printf(out, ", int n%d", i);
}

void weir_body_offsets(const struct weir_body *b, struct weir_strbuf *out)
{
    for (int i = 0; i < b->n_access; i++)
        if (!b->access[i].index)
            weir_strbuf_printf(out, "    p%d += o%d;\n", b->access[i].param, b->access[i].param);
}

// Of an elementwise operation: about what exp takes.
enum { FLOPS_A_STEP = 20 };

void weir_body_launch(struct weir_body *b, const struct weir_group *g, const char *kernel,
                      const size_t global[3], const size_t local[3])
{
    struct weir_emit_arg args[WEIR_LAUNCH_MAX_BUFS];
    struct weir_planned l = { .kernel = kernel, .label = kernel, .args = args, .group = g->id };
    for (int i = 0; i < b->n_access; i++) {
        if (b->access[i].index)
            continue;
        if (l.n_args == WEIR_LAUNCH_MAX_BUFS) {
            b->c->status = weir_fail(&b->c->log, WEIR_UNSUPPORTED, "%s wants more than %d buffers",
                                     kernel, WEIR_LAUNCH_MAX_BUFS);
            return;
        }
        args[l.n_args] = weir_emit_arg(&b->access[i].operand);
        args[l.n_args++].only_read = !b->access[i].written;
    }
    l.flops = FLOPS_A_STEP * b->n_steps;
    for (int d = 0; d < b->space.rank; d++)
        l.flops *= (double)b->space.dim[d];
    l.n_ints = b->n_ints;
    memcpy(l.ints, b->ints, sizeof(b->ints));
    memcpy(l.global, global, sizeof(l.global));
    memcpy(l.local, local, sizeof(l.local));
    if (kernel)
        weir_launch_add(b->c, &l);
}

void weir_body_decode(const struct weir_body *b, uint32_t axes, const char *from, const char *indent,
                      struct weir_strbuf *out)
{
    int64_t inside = 1, total = 1;
    for (int d = 0; d < b->space.rank; d++)
        if (axes >> d & 1)
            total *= b->space.dim[d];
    for (int d = b->space.rank - 1; d >= 0; d--) {
        if (!(axes >> d & 1))
            continue;
        weir_strbuf_printf(out, "%sconst int r%d = %s", indent, d, from);
        if (inside > 1)
            weir_strbuf_printf(out, " / %lld", (long long)inside);
        inside *= b->space.dim[d];
        if (inside < total)
            weir_strbuf_printf(out, " %% %lld", (long long)b->space.dim[d]);
        weir_strbuf_puts(out, ";\n");
    }
}

void weir_body_bases(const struct weir_body *b, uint32_t axes, const char *indent,
                     struct weir_strbuf *out)
{
    for (int k = 0; k < b->n_classes; k++) {
        const struct weir_access *a = &b->access[b->class_example[k]];
        const char *sep = "";
        weir_strbuf_printf(out, "%sconst int i%d = ", indent, k);
        for (int d = 0; d < b->space.rank; d++) {
            if (!(axes >> d & 1) || a->stride[d] == 0)
                continue;
            weir_strbuf_printf(out, "%sr%d", sep, d);
            if (a->stride[d] != 1)
                weir_strbuf_printf(out, " * %lld", (long long)a->stride[d]);
            sep = " + ";
        }
        weir_strbuf_puts(out, *sep ? ";\n" : "0;\n");
    }
}

static int64_t inner_stride(const struct weir_body *b, const struct weir_access *a)
{
    return a->stride[b->space.rank - 1];
}

void weir_body_hoist(const struct weir_body *b, const char *indent, struct weir_strbuf *out)
{
    for (int i = 0; i < b->n_access; i++) {
        const struct weir_access *a = &b->access[i];
        if (a->index || a->written || a->guarded || inner_stride(b, a) != 0 ||
            a->group_stride != 0)
            continue;
        weir_strbuf_printf(out, "%sconst %s s%d = weir_ld_%s(p%d + i%d);\n", indent,
                           weir_ctype(a->operand.dtype, false), i, weir_dtype_name(a->operand.dtype),
                           a->param, a->cls);
    }
}

// "p3 + i2 + j"
static void address(const struct weir_body *b, int access, struct weir_strbuf *out)
{
    const struct weir_access *a = &b->access[access];
    int64_t stride = inner_stride(b, a);
    if (!a->index)
        weir_strbuf_printf(out, "p%d + ", a->param);
    weir_strbuf_printf(out, "i%d", a->cls);
    if (stride == 1)
        weir_strbuf_puts(out, " + j");
    else if (stride != 0)
        weir_strbuf_printf(out, " + j * %lld", (long long)stride);
}

static void load(const struct weir_body *b, int access, bool wide, const char *indent,
                 struct weir_strbuf *out)
{
    const struct weir_access *a = &b->access[access];
    int64_t stride = inner_stride(b, a);
    if (stride == 0)
        return; // hoisted
    weir_strbuf_printf(out, "%sconst %s x%d = weir_ld%s_%s(", indent,
                       weir_ctype(a->operand.dtype, wide), access, !wide ? "" : stride == 1 ? "v" : "g",
                       weir_dtype_name(a->operand.dtype));
    address(b, access, out);
    if (wide && stride != 1)
        weir_strbuf_printf(out, ", %lld", (long long)stride);
    weir_strbuf_puts(out, ");\n");
}

static void literal(const weir_value *v, struct weir_strbuf *out)
{
    const void *data = v->attrs.constant.data;
    float f;
    int32_t i;
    uint32_t u;
    uint16_t h;
    switch (v->type.dtype) {
    case WEIR_F32:
        memcpy(&f, data, sizeof(f));
        memcpy(&u, data, sizeof(u));
        if (isfinite(f))
            weir_strbuf_printf(out, "%af", (double)f);
        else
            weir_strbuf_printf(out, "as_float(0x%08xu)", u);
        break;
    case WEIR_I32:
        memcpy(&i, data, sizeof(i));
        weir_strbuf_printf(out, i == INT32_MIN ? "(-2147483647 - 1)" : "%d", i);
        break;
    case WEIR_U32:
        memcpy(&u, data, sizeof(u));
        weir_strbuf_printf(out, "%uu", u);
        break;
    case WEIR_F16:
    case WEIR_BF16:
        memcpy(&h, data, sizeof(h));
        weir_strbuf_printf(out, "weir_%s_to_f32((ushort)%u)", weir_dtype_name(v->type.dtype), h);
        break;
    case WEIR_BOOL:
        weir_strbuf_printf(out, "%d", *(const uint8_t *)data != 0);
        break;
    default:
        weir_strbuf_printf(out, "%d", *(const int8_t *)data);
        break;
    }
}

// Spreads the scalar text that `begin` .. follows with to 16 lanes; a true lane is -1.
static void splat(enum weir_dtype t, bool wide, bool open, struct weir_strbuf *out)
{
    if (!wide)
        return;
    if (open)
        weir_strbuf_printf(out, "(%s)(%s", weir_ctype(t, true), t == WEIR_BOOL ? "-(" : "");
    else
        weir_strbuf_puts(out, t == WEIR_BOOL ? "))" : ")");
}

void weir_body_use(const struct weir_body *b, const struct weir_use *u, bool wide,
                   struct weir_strbuf *out)
{
    enum weir_dtype t;
    switch (u->kind) {
    case WEIR_USE_NODE:
        weir_strbuf_printf(out, "v%d", b->step_of[u->index]);
        break;
    case WEIR_USE_ROW:
        if (b->channels) {
            weir_strbuf_printf(out, "e_%d.v[j / 16]", b->step_of[u->index]);
            break;
        }
        t = b->step[b->step_of[u->index]].v->type.dtype;
        splat(t, wide, true, out);
        weir_strbuf_printf(out, "r_%d", b->step_of[u->index]);
        splat(t, wide, false, out);
        break;
    case WEIR_USE_LITERAL:
        splat(u->literal->type.dtype, wide, true, out);
        literal(u->literal, out);
        splat(u->literal->type.dtype, wide, false, out);
        break;
    case WEIR_USE_ACCESS:
        t = b->access[u->index].operand.dtype;
        if (b->access[u->index].group_stride != 0) {
            weir_strbuf_printf(out, "e%d.v[j / 16]", u->index);
            break;
        }
        if (inner_stride(b, &b->access[u->index]) != 0) {
            weir_strbuf_printf(out, "x%d", u->index);
            break;
        }
        splat(t, wide, true, out);
        weir_strbuf_printf(out, "s%d", u->index);
        splat(t, wide, false, out);
        break;
    }
}

static void eval_iota(const struct weir_body *b, const struct weir_step *s, bool wide,
                      struct weir_strbuf *out)
{
    const struct weir_shape *shape = &s->v->type.shape;
    int64_t inner = 1, n = shape->dim[s->v->attrs.gen.axis];
    for (int d = s->v->attrs.gen.axis + 1; d < shape->rank; d++)
        inner *= shape->dim[d];
    char letter = weir_type_letter(s->v->type.dtype);
    if (letter != 'i')
        weir_strbuf_printf(out, "weir_i2%c%s", letter, wide ? "v" : "");
    weir_strbuf_printf(out, "((%s", wide ? "((int16)(" : "(");
    address(b, s->flat, out);
    weir_strbuf_puts(out, wide ? ") + WEIR_LANES)" : ")");
    if (inner > 1)
        weir_strbuf_printf(out, " / %lld", (long long)inner);
    weir_strbuf_puts(out, ")");
    if (inner * n < weir_shape_size(shape))
        weir_strbuf_printf(out, " %% %lld", (long long)n);
    weir_strbuf_puts(out, ")");
}

// Sixteen neighbours in one row whose first element is a multiple of 16.
static bool in_one_row(const struct weir_body *b, const struct weir_step *s)
{
    const struct weir_shape *shape = &s->v->type.shape;
    int64_t n = weir_shape_size(shape) / (shape->rank > 0 ? shape->dim[0] : 1);
    int64_t inner = b->space.dim[b->space.rank - 1];
    return n % 16 == 0 && (b->space.rank == 1 || inner % 16 == 0) &&
           inner_stride(b, &b->access[s->use[0].index]) == 0;
}

// Whether 64 normals are made at a time: of short rows most would be for nothing.
static bool kept_normals(const struct weir_body *b, const struct weir_step *s)
{
    const struct weir_shape *shape = &s->v->type.shape;
    return b->in_turn && s->v->op == &weir_op_random_normal && in_one_row(b, s) &&
           weir_shape_size(shape) >= 32 * (shape->rank > 0 ? shape->dim[0] : 1);
}

void weir_body_kept(const struct weir_body *b, const char *indent, struct weir_strbuf *out)
{
    for (int i = 0; i < b->n_steps; i++)
        if (b->step[i].v->op->cls == WEIR_OP_GEN && kept_normals(b, &b->step[i]))
            weir_strbuf_printf(out, "%sweir_normals n_%d;\n%sn_%d.begin = -1;\n", indent, i, indent, i);
}

// word(element in its row, row0 + row (row0 where each row has its seed), step, stream, key). Sixteen in one row
// share Philox blocks; where a loop comes to them in turn, 64.
static void eval_random(const struct weir_body *b, const struct weir_step *s, bool wide,
                        struct weir_strbuf *out)
{
    const struct weir_shape *shape = &s->v->type.shape;
    int64_t rows = shape->rank > 0 ? shape->dim[0] : 1, n = weir_shape_size(shape) / rows;
    bool normal = s->v->op == &weir_op_random_normal, same_row = wide && in_one_row(b, s);
    if (wide && kept_normals(b, s)) {
        weir_strbuf_printf(out, "weir_random_normals(&n_%d, ", (int)(s - b->step));
        address(b, s->flat, out);
        weir_strbuf_puts(out, ", (");
    } else {
        weir_strbuf_printf(out, "weir_random_%s%s((", normal ? "normal" : "word",
                           same_row ? "16" : wide ? (normal ? "_fv" : "v") : normal ? "_f" : "");
    }
    int parts = s->v->attrs.gen.per_row ? 1 : 2; // a row with a seed of its own does not count its place
    for (int part = 0; part < parts; part++) {
        weir_strbuf_puts(out, wide && !same_row ? "(as_uint16((int16)(" : "(uint)(");
        address(b, s->flat, out);
        weir_strbuf_puts(out, wide && !same_row ? ") + WEIR_LANES))" : ")");
        weir_strbuf_printf(out, part ? " / %lldu + " : " %% %lldu), (", (long long)n);
    }
    weir_body_use(b, &s->use[3], wide && !same_row, out);
    weir_strbuf_puts(out, "), ");
    weir_body_use(b, &s->use[2], wide && !same_row, out);
    weir_strbuf_printf(out, ", (%s)(%uu), ", wide && !same_row ? "uint16" : "uint",
                       s->v->attrs.gen.stream);
    weir_body_use(b, &s->use[0], wide && !same_row, out);
    weir_strbuf_puts(out, ", ");
    weir_body_use(b, &s->use[1], wide && !same_row, out);
    weir_strbuf_puts(out, ")");
}

// A cast goes through the computing types; storage types round.
static void eval_cast(const struct weir_body *b, const struct weir_step *s, bool wide,
                      struct weir_strbuf *out)
{
    enum weir_dtype to = s->v->type.dtype, from_t = s->v->arg[0]->type.dtype;
    char from = weir_type_letter(from_t), letter = weir_type_letter(to);
    const char *v = wide ? "v" : "";
    int open = 0;
    if ((to == WEIR_F16 || to == WEIR_BF16) && from_t != to)
        open += (weir_strbuf_printf(out, "weir_round_%s%s(", weir_dtype_name(to), v), 1);
    if (to == WEIR_I8 && from_t != to)
        open += (weir_strbuf_printf(out, "weir_i8_to_i32%s(weir_i32_to_i8%s(", v, v), 2);
    if (from != letter)
        open += (weir_strbuf_printf(out, "weir_%c2%c%s(", from, letter, v), 1);
    weir_body_use(b, &s->use[0], wide, out);
    while (open-- > 0)
        weir_strbuf_puts(out, ")");
}

static void eval_step(const struct weir_body *b, const struct weir_step *s, bool wide,
                      struct weir_strbuf *out)
{
    const struct weir_op *op = s->v->op;
    if (op == &weir_op_iota) {
        eval_iota(b, s, wide, out);
    } else if (op->cls == WEIR_OP_GEN) {
        eval_random(b, s, wide, out);
    } else if (op == &weir_op_cast) {
        eval_cast(b, s, wide, out);
    } else if (!op->scalar) { // a copy
        weir_body_use(b, &s->use[0], wide, out);
    } else {
        const weir_value *typed = s->v->arg[op == &weir_op_select ? 1 : 0];
        weir_strbuf_printf(out, "weir_%s_%c%s(", op->scalar, weir_type_letter(typed->type.dtype),
                           wide ? "v" : "");
        for (int i = 0; i < s->n_use; i++) {
            weir_strbuf_puts(out, i ? ", " : "");
            weir_body_use(b, &s->use[i], wide, out);
        }
        weir_strbuf_puts(out, ")");
    }
}

// "weir_ldv_f32(p3 + i2 + j - 5);": all that is asked for lies inside.
static void gather_load(const struct weir_body *b, int access, bool wide, struct weir_strbuf *out)
{
    const struct weir_access *a = &b->access[access];
    int64_t stride = inner_stride(b, a);
    if (stride == 0 && wide)
        weir_strbuf_printf(out, "(%s)", weir_ctype(a->operand.dtype, true));
    weir_strbuf_printf(out, "%sweir_ld%s_%s(", stride == 0 ? "(" : "",
                       !wide || stride == 0 ? "" : stride == 1 ? "v" : "g",
                       weir_dtype_name(a->operand.dtype));
    address(b, access, out);
    weir_strbuf_printf(out, " - %lld", (long long)a->shift);
    if (wide && stride != 0 && stride != 1)
        weir_strbuf_printf(out, ", %lld", (long long)stride);
    weir_strbuf_puts(out, stride == 0 ? "));\n" : ");\n");
}

// The value as a constant of the computing type, rounded as a stored constant would be.
static void pad_value(enum weir_dtype t, double value, struct weir_strbuf *out)
{
    char letter = weir_type_letter(t);
    if (letter == 'i')
        weir_strbuf_printf(out, value <= INT32_MIN ? "(-2147483647 - 1)" : "%d", (int32_t)value);
    else if (letter == 'u')
        weir_strbuf_printf(out, "%uu", (uint32_t)value);
    else if (isfinite(value))
        weir_strbuf_printf(out, t == WEIR_F32 ? "%af" : t == WEIR_F16 ? "weir_round_f16(%af)"
                                                                      : "weir_round_bf16(%af)",
                           (double)(float)value);
    else
        weir_strbuf_puts(out, isnan(value) ? "as_float(0x7fc00000u)" : value > 0 ? "INFINITY" : "-INFINITY");
}

// Lanes j .. j + 15 of a guarded access whose range along the innermost axis is [lo, hi).
static void gather_lanes(const struct weir_body *b, int v, int access, const char *indent,
                         struct weir_strbuf *out)
{
    const struct weir_access *a = &b->access[access];
    int last = b->space.rank - 1;
    const char *dtype = weir_dtype_name(a->operand.dtype);
    long long lo = a->lo[last], hi = a->hi[last], stride = inner_stride(b, a), shift = a->shift;
    weir_strbuf_printf(out, "%sif (j >= %lld && j + 16 <= %lld)\n%s    v%d = ", indent, lo, hi, indent, v);
    gather_load(b, access, true, out);
    weir_strbuf_printf(out, "%selse if (j + 16 > %lld && j < %lld) {\n%s    weir_lanes_%c t;\n", indent, lo,
                       hi, indent, weir_type_letter(a->operand.dtype));
    weir_strbuf_printf(out, "%s    t.v[0] = v%d;\n", indent, v);
    weir_strbuf_printf(out, "%s    for (int l = max(0, (int)%lld - j); l < min(16, (int)%lld - j); l++)\n",
                       indent, lo, hi);
    weir_strbuf_printf(out, "%s        t.s[l] = weir_ld_%s(p%d + i%d + (j + l) * %lld - %lld);\n", indent,
                       dtype, a->param, a->cls, stride, shift);
    weir_strbuf_printf(out, "%s    v%d = t.v[0];\n%s}\n", indent, v, indent);
}

static void gather_step(const struct weir_body *b, const struct weir_step *s, bool wide,
                        const char *indent, struct weir_strbuf *out)
{
    int v = (int)(s - b->step), last = b->space.rank - 1;
    weir_strbuf_printf(out, "%s%s v%d = (%s)(", indent, weir_ctype(s->v->type.dtype, wide), v,
                       weir_ctype(s->v->type.dtype, wide));
    pad_value(s->v->type.dtype, s->v->op == &weir_op_pad ? s->v->attrs.pad.value : 0.0, out);
    weir_strbuf_puts(out, ");\n");
    for (int i = 0; i < s->n_use; i++) {
        const struct weir_access *a = &b->access[s->use[i].index];
        bool inner = a->lo[last] > 0 || a->hi[last] < b->space.dim[last];
        const char *sep = "";
        char in[80];
        snprintf(in, sizeof(in), "%s    ", indent);
        weir_strbuf_printf(out, "%sif (", indent);
        for (int d = 0; d < last; d++) {
            if (a->lo[d] > 0)
                weir_strbuf_printf(out, "%sr%d >= %lld", sep, d, (long long)a->lo[d]);
            sep = a->lo[d] > 0 ? " && " : sep;
            if (a->hi[d] < b->space.dim[d])
                weir_strbuf_printf(out, "%sr%d < %lld", sep, d, (long long)a->hi[d]);
            sep = a->hi[d] < b->space.dim[d] ? " && " : sep;
        }
        if (inner && !wide)
            weir_strbuf_printf(out, "%sj >= %lld && j < %lld", sep, (long long)a->lo[last],
                               (long long)a->hi[last]);
        weir_strbuf_puts(out, *sep || (inner && !wide) ? ") {\n" : "true) {\n");
        if (inner && wide) {
            gather_lanes(b, v, s->use[i].index, in, out);
        } else {
            weir_strbuf_printf(out, "%sv%d = ", in, v);
            gather_load(b, s->use[i].index, wide, out);
        }
        weir_strbuf_printf(out, "%s}\n", indent);
    }
}

void weir_body_step(const struct weir_body *b, const struct weir_step *s, bool wide,
                    const char *indent, struct weir_strbuf *out)
{
    if (s->gather) {
        gather_step(b, s, wide, indent, out);
        return;
    }
    weir_strbuf_printf(out, "%sconst %s %s%d = ", indent, weir_ctype(s->v->type.dtype, wide),
                       s->row ? "r_" : "v", (int)(s - b->step));
    eval_step(b, s, wide, out);
    weir_strbuf_puts(out, ";\n");
}

void weir_body_load(const struct weir_body *b, const struct weir_use *u, bool *loaded, bool wide,
                    const char *indent, struct weir_strbuf *out)
{
    if (u->kind != WEIR_USE_ACCESS || loaded[u->index] || b->access[u->index].guarded)
        return;
    load(b, u->index, wide, indent, out);
    loaded[u->index] = true;
}

static void store(const struct weir_body *b, int step, int access, bool wide, const char *indent,
                  struct weir_strbuf *out)
{
    weir_strbuf_printf(out, "%sweir_st%s_%s(", indent, wide ? "v" : "",
                       weir_dtype_name(b->step[step].v->type.dtype));
    address(b, access, out);
    weir_strbuf_printf(out, ", v%d);\n", step);
}

static void load_kept(const struct weir_body *b, bool wide, const char *indent, struct weir_strbuf *out)
{
    const struct weir_kept *k = &b->kept;
    weir_strbuf_printf(out, "%sconst %s v%d = weir_ld%s_f32(", indent, weir_ctype(WEIR_F32, wide),
                       (int)(k->step - b->step), wide ? "v" : "");
    address(b, k->access, out);
    weir_strbuf_puts(out, ");\n");
}

void weir_body_eval(struct weir_body *b, const bool *want, bool wide, const char *indent,
                    struct weir_strbuf *out)
{
    bool *loaded = weir_arena_array(b->c->scratch, (size_t)b->n_access + 1, sizeof(*loaded));
    for (int i = 0; i < b->n_steps && loaded; i++) {
        const struct weir_step *s = &b->step[i];
        bool reduce = s->v->op->cls == WEIR_OP_REDUCE;
        if ((s->row && !reduce) || (want ? !want[i] : reduce))
            continue;
        if (s == b->kept.step && b->phase == b->kept.from) {
            load_kept(b, wide, indent, out);
            continue;
        }
        for (int k = 0; k < s->n_use; k++)
            weir_body_load(b, &s->use[k], loaded, wide, indent, out);
        if (!reduce)
            weir_body_step(b, s, wide, indent, out);
        if (s == b->kept.step && b->phase == b->kept.in && b->kept.access != s->store)
            store(b, i, b->kept.access, wide, indent, out);
    }
}

void weir_body_store(const struct weir_body *b, const bool *want, bool wide, const char *indent,
                     struct weir_strbuf *out)
{
    for (int i = 0; i < b->n_steps; i++) {
        const struct weir_step *s = &b->step[i];
        if (s->row || s->store < 0 || (want && !want[i]))
            continue;
        store(b, i, s->store, wide, indent, out);
    }
}
