// SPDX-License-Identifier: Apache-2.0
// Reductions that are not part of a row kernel's phases: column steps, arg reductions, and what all
// reduction kernels share.
#include "compile/reduce.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "compile/contract.h"
#include "compile/group_choice.h"
#include "graph/ops/rows.h"

struct weir_fold weir_fold_of(const weir_value *reduce)
{
    char letter = weir_type_letter(reduce->arg[0]->type.dtype);
    if (reduce->op == &weir_op_any)
        return (struct weir_fold) { "max", 'i', "0", "0", true };
    if (reduce->op == &weir_op_all)
        return (struct weir_fold) { "min", 'i', "1", "1", true };
    if (reduce->op == &weir_op_sum)
        return (struct weir_fold) { "add", letter, letter == 'f' ? "-0.0f" : "0", "0", false };
    const char *low = letter == 'f' ? "-INFINITY" : letter == 'i' ? "(-2147483647 - 1)" : "0u";
    const char *high = letter == 'f' ? "INFINITY" : letter == 'i' ? "2147483647" : "0xffffffffu";
    bool max = reduce->op == &weir_op_reduce_max;
    return (struct weir_fold) { max ? "max" : "min", letter, max ? low : high, max ? low : high, false };
}

enum weir_dtype weir_fold_dtype(const struct weir_fold *f)
{
    return f->letter == 'f' ? WEIR_F32 : f->letter == 'i' ? WEIR_I32 : WEIR_U32;
}

const char *weir_fold_ctype(const struct weir_fold *f, bool wide)
{
    return weir_ctype(weir_fold_dtype(f), wide);
}

void weir_fold_term(const struct weir_body *b, const struct weir_fold *f, const struct weir_use *u,
                    const char *acc, bool wide, struct weir_strbuf *out)
{
    const char *v = wide ? "v" : "";
    weir_strbuf_printf(out, "weir_%s_%c%s(%s, ", f->combine, f->letter, v, acc);
    if (f->truth)
        weir_strbuf_printf(out, "weir_b2i%s(", v);
    weir_body_use(b, u, wide, out);
    weir_strbuf_puts(out, f->truth ? "))" : ")");
}

enum {
    RUN = 64,
    ITEMS_A_UNIT = 1024,   // work-items that a compute unit of a GPU wants
    WIDE_ITEMS_A_UNIT = 8, // and of a CPU
    VECS = 4,              // vectors of columns that a work-item keeps in registers on wide devices
    VECS_MAX = 64          // and in its memory, where it reads longer stretches of each term
};

// The column axis as a mask of space axes: those with the label of the innermost column axis.
static uint32_t column_axes(const struct weir_body *b, int64_t *n)
{
    uint32_t axes = 0;
    int label = WEIR_AXIS_KEPT;
    *n = 1;
    for (int d = b->space.rank - 1; d >= 0; d--) {
        if (label == WEIR_AXIS_KEPT && b->label[d] >= WEIR_AXIS_COLUMN)
            label = b->label[d];
        if (label != WEIR_AXIS_KEPT && b->label[d] == label) {
            axes |= 1u << d;
            *n *= b->space.dim[d];
        }
    }
    return axes;
}

static void indent_by(int n, struct weir_strbuf *out)
{
    for (int i = 0; i < n; i++)
        weir_strbuf_puts(out, "    ");
}

struct column {
    struct weir_body *b;
    struct weir_fold fold;
    const struct weir_step *reduce;
    uint32_t axes;
    int64_t n;
    int64_t inner, rows; // the innermost axis, all others that are kept
    int levels;
    int64_t runs; // of which a work-item takes one; 0 = it takes all terms
    int vecs;     // vectors of columns of a work-item
    int to;       // access
    bool *want;   // by step
};

static int64_t power(int level)
{
    int64_t n = 1;
    while (level-- > 0)
        n *= RUN;
    return n;
}

// The accumulators, and one loop a level around the terms.
static void open_levels(const struct column *k, const char *ctype, const char *count, int *depth, bool wide,
                        struct weir_strbuf *out)
{
    for (int l = 0; l < k->levels; l++) {
        indent_by(*depth, out);
        weir_strbuf_printf(out, "%s a%d[%d];\n", ctype, l, wide ? k->vecs : 16);
    }
    for (int l = k->levels - 1; l >= 0; l--) {
        indent_by(*depth, out);
        weir_strbuf_printf(out, "for (int q = 0; q < %s; q++)\n", count);
        indent_by(*depth + 1, out);
        weir_strbuf_printf(out, "a%d[q] = (%s)(%s);\n", l, ctype, k->fold.identity);
        indent_by(*depth, out);
        if (k->runs)
            weir_strbuf_printf(out, "for (int t0 = %d * run; t0 < min(%d * run + %d, %lld); t0++) {\n", RUN,
                               RUN, RUN, (long long)k->n);
        else if (l == k->levels - 1)
            weir_strbuf_printf(out, "for (int t%d = 0; t%d < %lld; t%d += %lld) {\n", l, l,
                               (long long)k->n, l, (long long)power(l));
        else
            weir_strbuf_printf(out, "for (int t%d = t%d; t%d < min(t%d + %lld, %lld); t%d += %lld) {\n",
                               l, l + 1, l, l + 1, (long long)power(l + 1), (long long)k->n, l,
                               (long long)power(l));
        ++*depth;
    }
}

// Each level's sum becomes a term of the next.
static void close_levels(const struct column *k, const char *count, int *depth, bool wide, struct weir_strbuf *out)
{
    for (int l = 0; l < k->levels; l++) {
        --*depth;
        indent_by(*depth, out);
        weir_strbuf_puts(out, "}\n");
        if (l + 1 == k->levels)
            break;
        indent_by(*depth, out);
        weir_strbuf_printf(out, "for (int q = 0; q < %s; q++)\n", count);
        indent_by(*depth + 1, out);
        weir_strbuf_printf(out, "a%d[q] = weir_%s_%c%s(a%d[q], a%d[q]);\n", l + 1, k->fold.combine,
                           k->fold.letter, wide ? "v" : "", l + 1, l);
    }
}

// Where the sum of `run` goes: among (rows before the column, runs, rows after it, inner).
static void run_place(const struct column *k, struct weir_strbuf *out)
{
    struct weir_body *b = k->b;
    int64_t after = 1;
    for (int d = b->space.rank - 2; d >= 0 && !(k->axes >> d & 1); d--)
        after *= b->space.dim[d];
    weir_strbuf_printf(out, "((row / %lld * %lld + run) * %lld + row %% %lld) * %lld", (long long)after,
                       (long long)k->runs, (long long)after, (long long)after, (long long)k->inner);
}

static void column_store(const struct column *k, bool wide, const char *count, int depth, struct weir_strbuf *out)
{
    struct weir_body *b = k->b;
    const struct weir_access *to = &b->access[k->to];
    char ind[64];
    memset(ind, ' ', sizeof(ind));
    ind[4 * depth + 4] = 0;
    indent_by(depth, out);
    weir_strbuf_puts(out, "{\n");
    for (int d = 0; d < b->space.rank; d++)
        if (k->axes >> d & 1)
            weir_strbuf_printf(out, "%sconst int r%d = 0;\n", ind, d);
    weir_body_bases(b, (1u << (b->space.rank - 1)) - 1, ind, out);
    weir_strbuf_printf(out, "%sfor (int q = 0; q < %s; q++)\n%s    weir_st%s_%s(p%d + ", ind, count, ind,
                       wide ? "v" : "", weir_dtype_name(to->operand.dtype), to->param);
    if (k->runs)
        run_place(k, out);
    else
        weir_strbuf_printf(out, "i%d", to->cls);
    weir_strbuf_printf(out, " + c + %s, ", wide ? "16 * q" : "q");
    if (to->operand.dtype == WEIR_BOOL && wide)
        weir_strbuf_printf(out, "weir_i2bv(a%d[q]));\n", k->levels - 1);
    else
        weir_strbuf_printf(out, "a%d[q]);\n", k->levels - 1);
    indent_by(depth, out);
    weir_strbuf_puts(out, "}\n");
}

// Runs of 64 terms; their sums are the terms of the next level. Missing terms are the identity.
static void column_loops(const struct column *k, bool wide, const char *count, int depth,
                         struct weir_strbuf *out)
{
    struct weir_body *b = k->b;
    char ind[64];
    open_levels(k, weir_fold_ctype(&k->fold, wide), count, &depth, wide, out);
    memset(ind, ' ', sizeof(ind));
    ind[4 * depth] = 0;
    weir_body_decode(b, k->axes, "t0", ind, out);
    weir_body_bases(b, (1u << (b->space.rank - 1)) - 1, ind, out);
    weir_body_hoist(b, ind, out);
    weir_strbuf_printf(out, "%sfor (int q = 0; q < %s; q++) {\n", ind, count);
    weir_strbuf_printf(out, "%s    const int j = c + %s;\n", ind, wide ? "16 * q" : "q");
    ind[4 * depth] = ' ';
    ind[4 * depth + 4] = 0;
    weir_body_eval(b, k->want, wide, ind, out);
    weir_strbuf_printf(out, "%sa0[q] = ", ind);
    weir_fold_term(b, &k->fold, &k->reduce->use[0], "a0[q]", wide, out);
    weir_strbuf_puts(out, ";\n");
    weir_body_store(b, NULL, wide, ind, out);
    ind[4 * depth] = 0;
    weir_strbuf_printf(out, "%s}\n", ind);
    close_levels(k, count, &depth, wide, out);
    column_store(k, wide, count, depth, out);
}

// The row, and the run where work-items take one, of a work-item.
static void item_text(const struct column *k, struct weir_strbuf *out)
{
    weir_strbuf_puts(out, "    const int item = WEIR_AT(1);\n");
    if (k->runs)
        weir_strbuf_printf(out, "    const int run = item %% %lld, row = item / %lld;\n", (long long)k->runs,
                           (long long)k->runs);
    else
        weir_strbuf_puts(out, "    const int row = item;\n");
}

static void column_text(const struct column *k, struct weir_strbuf *out)
{
    struct weir_body *b = k->b;
    uint32_t others = ((1u << (b->space.rank - 1)) - 1) & ~k->axes;
    int64_t vectors = k->inner / 16, tail = k->inner % 16, blocks = (vectors + k->vecs - 1) / k->vecs;
    char all[16];
    snprintf(all, sizeof(all), "%d", k->vecs);
    weir_strbuf_puts(out, "WEIR_KERNEL void $K(");
    weir_body_params(b, out);
    weir_strbuf_puts(out, " WEIR_PLACE)\n{\n");
    weir_body_offsets(b, out);
    item_text(k, out);
    weir_body_decode(b, others, "row", "    ", out);
    if (vectors > 0) {
        weir_strbuf_printf(out, "    if (WEIR_AT(0) < %lld) {\n", (long long)blocks);
        weir_strbuf_printf(out, "        const int c = (int)WEIR_AT(0) * %d;\n", 16 * k->vecs);
        if (vectors % k->vecs != 0)
            weir_strbuf_printf(out, "        const int count = min(%d, %lld - c / 16);\n", k->vecs,
                               (long long)vectors);
        column_loops(k, true, vectors % k->vecs == 0 ? all : "count", 2, out);
        weir_strbuf_puts(out, "    }\n");
    }
    if (tail > 0) {
        char count[16] = { 0 };
        count[0] = (char)(tail >= 10 ? '1' : '0' + tail);
        if (tail >= 10)
            count[1] = (char)('0' + tail - 10);
        weir_strbuf_printf(out, "    if (WEIR_AT(0) == %lld) {\n        const int c = %lld;\n",
                           (long long)blocks, (long long)(16 * vectors));
        column_loops(k, false, count, 2, out);
        weir_strbuf_puts(out, "    }\n");
    }
    weir_strbuf_puts(out, "}\n");
}

// On grouped devices a work-item takes one column, or (runs > 0) one run of a column.
static void column_text_grouped(const struct column *k, struct weir_strbuf *out)
{
    struct weir_body *b = k->b;
    uint32_t others = ((1u << (b->space.rank - 1)) - 1) & ~k->axes;
    weir_strbuf_puts(out, "WEIR_KERNEL void $K(");
    weir_body_params(b, out);
    weir_strbuf_puts(out, " WEIR_PLACE)\n{\n");
    weir_body_offsets(b, out);
    weir_strbuf_puts(out, "    const int c = WEIR_AT(0);\n");
    item_text(k, out);
    weir_body_decode(b, others, "row", "    ", out);
    weir_strbuf_printf(out, "    if (c < %lld && row < %lld) {\n", (long long)k->inner,
                       (long long)k->rows);
    column_loops(k, false, "1", 2, out);
    weir_strbuf_puts(out, "    }\n}\n");
}

// Groups along the columns, of several rows where columns are few.
static void launch_grouped(const struct column *k, const struct weir_group *g, int64_t items,
                           const char *kernel)
{
    int64_t flat = weir_group_flat(k->b->c->dev), across = 1;
    while (across < k->inner && across < flat)
        across *= 2;
    int64_t down = flat / across;
    const size_t local[3] = { (size_t)across, (size_t)down, 1 };
    const size_t global[3] = { (size_t)((k->inner + across - 1) / across * across),
                               (size_t)((items + down - 1) / down * down), 1 };
    weir_body_launch(k->b, g, kernel, global, local);
}

static enum weir_status column_init(struct column *k)
{
    struct weir_body *b = k->b;
    if (k->to < 0)
        return b->c->status;
    weir_body_collapse(b);
    k->want = weir_arena_array(b->c->scratch, (size_t)b->n_steps + 1, sizeof(*k->want));
    if (!k->want)
        return WEIR_NOMEM;
    weir_body_want(b, k->reduce, k->want);
    for (int i = 0; i < b->n_steps; i++) // what is stored on the way
        if (b->step[i].store >= 0)
            weir_body_want(b, &b->step[i], k->want);
    k->axes = column_axes(b, &k->n);
    for (k->levels = 1; !k->runs && power(k->levels) < k->n; k->levels++)
        ;
    k->inner = b->space.dim[b->space.rank - 1];
    k->rows = 1;
    for (int d = 0; d + 1 < b->space.rank; d++)
        if (!(k->axes >> d & 1))
            k->rows *= b->space.dim[d];
    return WEIR_OK;
}

// As many neighbouring columns as leave enough work-items.
static int choose_vecs(const struct column *k, int64_t items)
{
    int64_t vectors = k->inner / 16, least = WIDE_ITEMS_A_UNIT * k->b->c->dev->info.caps.compute_units;
    int vecs = vectors <= VECS ? VECS : vectors < VECS_MAX ? (int)vectors : VECS_MAX;
    while (vecs > VECS && items * ((vectors + vecs - 1) / vecs) < least)
        vecs = vecs / 2 < VECS ? VECS : vecs / 2;
    return vecs;
}

static enum weir_status write_column(struct column *k, const struct weir_group *g, const char *hint)
{
    struct weir_strbuf text = { 0 };
    struct weir_emit_state *c = k->b->c;
    enum weir_status status = column_init(k);
    if (status != WEIR_OK)
        return status;
    int64_t items = k->rows * (k->runs ? k->runs : 1);
    if (!weir_device_has(c->dev, WEIR_CAP_WIDE)) {
        column_text_grouped(k, &text);
        launch_grouped(k, g, items, weir_kernel_add_buf(c, hint, &text));
        return c->status;
    }
    k->vecs = (int)weir_group_knob(c, WEIR_KNOB_VECTORS, choose_vecs(k, items), VECS_MAX);
    column_text(k, &text);
    const size_t blocks = (size_t)((k->inner / 16 + k->vecs - 1) / k->vecs + (k->inner % 16 > 0));
    const size_t global[3] = { blocks, (size_t)items, 1 }, local[3] = { 1, 1, 1 };
    weir_body_share(k->b, c->n_launches);
    weir_body_launch(k->b, g, weir_kernel_add_buf(c, hint, &text), global, local);
    return c->status;
}

enum weir_status weir_write_column(struct weir_body *b, const struct weir_group *g,
                                   const weir_value *reduce, int to)
{
    struct column k = { .b = b, .fold = weir_fold_of(reduce), .reduce = &b->step[b->step_of[reduce->id]],
                        .to = weir_body_column_result(b, reduce->type.dtype, to) };
    return write_column(&k, g, "column");
}

int64_t weir_column_runs(const struct weir_body *b, const weir_value *reduce, int64_t *results)
{
    int64_t n, items = 1;
    uint32_t axes = column_axes(b, &n);
    for (int d = 0; d < b->space.rank; d++)
        if (!(axes >> d & 1))
            items *= b->space.dim[d];
    bool wide = weir_device_has(b->c->dev, WEIR_CAP_WIDE);
    int64_t units = b->c->dev->info.caps.compute_units;
    int64_t enough = wide ? 16 * VECS * WIDE_ITEMS_A_UNIT * units : ITEMS_A_UNIT * units;
    if (reduce->type.dtype == WEIR_BOOL || n <= (wide ? 8 : 2) * RUN || items >= enough)
        return 0;
    *results = items * ((n + RUN - 1) / RUN);
    return (n + RUN - 1) / RUN;
}

enum weir_status weir_write_column_runs(struct weir_body *b, const struct weir_group *g,
                                        const weir_value *reduce, int64_t runs, int to)
{
    struct column k = { .b = b, .fold = weir_fold_of(reduce), .runs = runs,
                        .reduce = &b->step[b->step_of[reduce->id]],
                        .to = weir_body_plain_result(b, reduce->type.dtype, to) };
    return write_column(&k, g, "runs");
}

int weir_fold_empty_slot(struct weir_emit_state *c, const weir_value *reduce)
{
    static const float low_f = -INFINITY, high_f = INFINITY;
    static const int32_t low_i = INT32_MIN, high_i = INT32_MAX;
    static const uint32_t zero = 0, ones = UINT32_MAX;
    static const uint8_t truth = 1;
    char letter = weir_type_letter(reduce->type.dtype);
    bool max = reduce->op == &weir_op_reduce_max, min = reduce->op == &weir_op_reduce_min;
    struct weir_slot slot = { .home = WEIR_SLOT_CONSTANT, .dtype = reduce->type.dtype, .data = &zero,
                              .size = weir_dtype_size(reduce->type.dtype), .name = "no terms" };
    if (reduce->op == &weir_op_all)
        slot.data = &truth;
    else if (max && letter != 'u')
        slot.data = letter == 'f' ? (const void *)&low_f : &low_i;
    else if (min)
        slot.data = letter == 'f' ? (const void *)&high_f : letter == 'i' ? (const void *)&high_i : &ones;
    return weir_slot_add(c, &slot);
}

// One work-item an output: the index of the best term by the order of weir_order_*.
enum weir_status weir_write_arg(struct weir_emit_state *c, const struct weir_group *g)
{
    weir_value *v = g->nodes[g->n_nodes - 1];
    struct weir_body b;
    enum weir_status status = weir_body_init(&b, c, g->nodes, g->n_nodes, g->outputs, g->n_outputs);
    if (status != WEIR_OK)
        return status;
    const struct weir_step *s = &b.step[b.step_of[v->id]];
    bool *want = weir_arena_array(c->scratch, (size_t)b.n_steps + 1, sizeof(*want));
    if (!want)
        return WEIR_NOMEM;
    weir_body_want(&b, s, want);
    weir_body_pad_axis(&b); // so that the innermost axis, which j runs along, has one element
    weir_body_collapse(&b);
    uint32_t kept = 0, reduced = 0;
    int64_t items = 1, n = 1;
    int last = b.space.rank - 1;
    for (int d = 0; d < last; d++) {
        *(b.label[d] == WEIR_AXIS_KEPT ? &kept : &reduced) |= 1u << d;
        *(b.label[d] == WEIR_AXIS_KEPT ? &items : &n) *= b.space.dim[d];
    }
    char letter = weir_type_letter(v->arg[0]->type.dtype);
    bool min = v->op == &weir_op_argmin;
    struct weir_strbuf t = { 0 };
    weir_strbuf_puts(&t, "WEIR_KERNEL void $K(");
    weir_body_params(&b, &t);
    weir_strbuf_puts(&t, " WEIR_PLACE)\n{\n    const int j = 0;\n    const int item = WEIR_AT(0);\n");
    weir_body_offsets(&b, &t);
    weir_body_decode(&b, kept, "item", "    ", &t);
    weir_strbuf_printf(&t, "    int best = 0, at = 0;\n    for (int t = 0; t < %lld; t++) {\n",
                       (long long)n);
    weir_body_decode(&b, reduced, "t", "        ", &t);
    weir_body_bases(&b, kept | reduced, "        ", &t);
    weir_body_hoist(&b, "        ", &t);
    weir_body_eval(&b, want, false, "        ", &t);
    weir_strbuf_printf(&t, "        const int key = %sweir_order_%c(%s", min && letter != 'f' ? "~" : "",
                       letter, min && letter == 'f' ? "weir_neg_f(" : "");
    weir_body_use(&b, &s->use[0], false, &t);
    weir_strbuf_printf(&t, "%s);\n        if (t == 0 || key > best) {\n            best = key;\n"
                           "            at = t;\n        }\n    }\n    {\n",
                       min && letter == 'f' ? ")" : "");
    weir_body_decode(&b, reduced, "0", "        ", &t);
    weir_body_bases(&b, kept | reduced, "        ", &t);
    weir_strbuf_printf(&t, "        *(p%d + i%d) = at;\n    }\n}\n", b.access[s->store].param,
                       b.access[s->store].cls);
    const size_t global[3] = { (size_t)items, 1, 1 }, local[3] = { 1, 1, 1 };
    weir_body_launch(&b, g, weir_kernel_add_buf(c, v->op->name, &t), global, local);
    return c->status;
}
