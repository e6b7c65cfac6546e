// SPDX-License-Identifier: Apache-2.0
// Row groups with column axes before the channels, as group norm has in (n, h, w, groups, channels of a
// group): a work-item takes one outer index. In each phase the column axes are walked once with one
// accumulator a channel and axis (w is summed into h, h into the total), a slice of the channels after
// the other; then each group's channels fold as a row. The row's values are kept spread over the channels: e_<step>.v[j / 16].
#include <stdio.h>

#include "base/log.h"
#include "compile/group_choice.h"
#include "compile/reduce.h"

enum { SLICE_MAX = 8 };

// Vectors of a slice are kept in registers.
#define UNROLL "#pragma unroll\n"

struct channels {
    struct weir_body *b;
    int first, last;      // column axes
    int64_t n;            // channels
    int slice;            // vectors of channels that go through the column axes together
    uint32_t outer;       // axes
    int phases;
    bool *want, *store;   // by step
};

static bool is_reduce(const struct weir_step *s)
{
    return s->v->op->cls == WEIR_OP_REDUCE;
}

static bool choose(const struct channels *k, int p)
{
    for (int i = 0; i < k->b->n_steps; i++) {
        const struct weir_step *s = &k->b->step[i];
        k->store[i] = !s->row && s->store >= 0 && s->level == p;
    }
    return weir_phase_want(k->b, p, k->want);
}

// Calls `each` for the reductions of phase p.
static void for_reductions(const struct channels *k, int p, struct weir_strbuf *out, int axis,
                           void (*each)(const struct channels *, int step, int axis,
                                        const struct weir_fold *, struct weir_strbuf *))
{
    for (int i = 0; i < k->b->n_steps; i++)
        if (is_reduce(&k->b->step[i]) && k->b->step[i].level == p + 1) {
            struct weir_fold f = weir_fold_of(k->b->step[i].v);
            each(k, i, axis, &f, out);
        }
}

// t_<step>: the totals of all channels.
static void declare_total(const struct channels *k, int step, int axis, const struct weir_fold *f,
                          struct weir_strbuf *out)
{
    weir_strbuf_printf(out, "    $K_%c t_%d;\n", f->letter, step);
}

// a<axis>_<step>: what column axis `axis` has summed so far, for the vectors of one slice.
static void declare(const struct channels *k, int step, int axis, const struct weir_fold *f,
                    struct weir_strbuf *out)
{
    const char *type = weir_fold_ctype(f, true);
    weir_strbuf_printf(out, "        %s a%d_%d[%d];\n" UNROLL
                            "        for (int u = 0; u < %d; u++)\n            a%d_%d[u] = (%s)(%s);\n",
                       type, axis, step, k->slice, k->slice, axis, step, type, f->identity);
}

static void accumulate(const struct channels *k, int step, int axis, const struct weir_fold *f,
                       struct weir_strbuf *out)
{
    char acc[48];
    snprintf(acc, sizeof(acc), "a%d_%d[u]", axis, step);
    weir_strbuf_printf(out, "            %s = ", acc);
    weir_fold_term(k->b, f, &k->b->step[step].use[0], acc, true, out);
    weir_strbuf_puts(out, ";\n");
}

static void add_inner(const struct channels *k, int step, int axis, const struct weir_fold *f,
                      struct weir_strbuf *out)
{
    weir_strbuf_printf(out, UNROLL "        for (int u = 0; u < %d; u++)\n"
                            "            a%d_%d[u] = weir_%s_%cv(a%d_%d[u], a%d_%d[u]);\n",
                       k->slice, axis, step, f->combine, f->letter, axis, step, axis + 1, step);
}

static void keep_total(const struct channels *k, int step, int axis, const struct weir_fold *f,
                       struct weir_strbuf *out)
{
    weir_strbuf_printf(out, UNROLL "        for (int u = 0; u < %d; u++)\n"
                            "            t_%d.v[slice / 16 + u] = a%d_%d[u];\n",
                       k->slice, step, axis, step);
}

// The total of each channel becomes the fold of its group, spread over the group.
static void fold_groups(const struct channels *k, int step, int axis, const struct weir_fold *f,
                        struct weir_strbuf *out)
{
    long long per = (long long)k->b->per_group;
    if (per == 1 || k->b->step[step].channel) {
        weir_strbuf_printf(out, "    for (int q = 0; q < %lld; q++)\n        e_%d.v[q] = t_%d.v[q];\n",
                           (long long)k->n / 16, step, step);
        return;
    }
    weir_strbuf_printf(out, "    for (int g = 0; g < %lld; g++) {\n"
                            "        const %s fold = weir_fold_run_%s_%c(t_%d.s + %lld * g, %lld, %s);\n",
                       (long long)k->b->n_groups, weir_fold_ctype(f, false), f->combine, f->letter, step,
                       per, per, f->identity);
    weir_strbuf_printf(out, "        for (int c = 0; c < %lld; c++)\n            e_%d.s[%lld * g + c] = fold;\n"
                            "    }\n",
                       per, step, per);
}

static void phase(const struct channels *k, int p, struct weir_strbuf *out)
{
    struct weir_body *b = k->b;
    if (!choose(k, p))
        return;
    for_reductions(k, p, out, k->first, declare_total);
    weir_strbuf_printf(out, "    for (int slice = 0; slice < %lld; slice += %d) {\n", (long long)k->n,
                       16 * k->slice);
    for (int d = k->first; d <= k->last; d++) {
        for_reductions(k, p, out, d, declare);
        weir_strbuf_printf(out, "    for (int r%d = 0; r%d < %lld; r%d++) {\n", d, d,
                           (long long)b->space.dim[d], d);
    }
    weir_body_bases(b, (1u << (b->space.rank - 1)) - 1, "        ", out);
    weir_body_hoist(b, "        ", out);
    weir_strbuf_printf(out, UNROLL "        for (int u = 0; u < %d; u++) {\n"
                            "            const int j = slice + 16 * u;\n", k->slice);
    weir_body_eval(b, k->want, true, "            ", out);
    for_reductions(k, p, out, k->last, accumulate);
    weir_body_store(b, k->store, true, "            ", out);
    weir_strbuf_puts(out, "        }\n");
    for (int d = k->last; d >= k->first; d--) {
        weir_strbuf_puts(out, "    }\n");
        for_reductions(k, p, out, d > k->first ? d - 1 : d, d > k->first ? add_inner : keep_total);
    }
    weir_strbuf_puts(out, "    }\n");
    for_reductions(k, p, out, k->first, fold_groups);
}

// The rows' own values with `level` reductions behind them, and their stores.
static void row_values(const struct channels *k, int level, struct weir_strbuf *out)
{
    struct weir_body *b = k->b;
    bool any = false;
    for (int i = 0; i < b->n_steps; i++)
        any = any || (b->step[i].row && b->step[i].level == level &&
                      (!is_reduce(&b->step[i]) || b->step[i].store >= 0));
    if (!any)
        return;
    bool *loaded = weir_arena_array(b->c->scratch, (size_t)b->n_access + 1, sizeof(*loaded));
    weir_strbuf_puts(out, "    {\n");
    weir_body_bases(b, k->outer, "        ", out);
    weir_body_hoist(b, "        ", out);
    weir_strbuf_printf(out, "        for (int j = 0; j < %lld; j += 16) {\n", (long long)k->n);
    for (int i = 0; i < b->n_steps && loaded; i++) {
        const struct weir_step *s = &b->step[i];
        if (!s->row || is_reduce(s) || s->level != level)
            continue;
        for (int u = 0; u < s->n_use; u++)
            weir_body_load(b, &s->use[u], loaded, true, "            ", out);
        weir_body_step(b, s, true, "            ", out);
        weir_strbuf_printf(out, "            e_%d.v[j / 16] = r_%d;\n", i, i);
    }
    weir_strbuf_puts(out, "        }\n");
    for (int i = 0; i < b->n_steps; i++) {
        const struct weir_step *s = &b->step[i];
        if (!s->row || s->level != level || s->store < 0)
            continue;
        const struct weir_access *a = &b->access[s->store];
        const char *dtype = weir_dtype_name(a->operand.dtype);
        if (s->channel) {
            weir_strbuf_printf(out, "        for (int q = 0; q < %lld; q++)\n"
                                    "            weir_stv_%s(p%d + i%d + 16 * q, e_%d.v[q]);\n",
                               (long long)k->n / 16, dtype, a->param, a->cls, i);
            continue;
        }
        int64_t stride = a->group_stride ? a->group_stride
                                         : a->stride[b->space.rank - 1] * b->per_group;
        weir_strbuf_printf(out, "        for (int g = 0; g < %lld; g++)\n"
                                "            weir_st_%s(p%d + i%d + %lld * g, e_%d.s[%lld * g]);\n",
                           (long long)b->n_groups, dtype, a->param, a->cls, (long long)stride, i, (long long)b->per_group);
    }
    weir_strbuf_puts(out, "    }\n");
}

// Declares the spread values and fills those that come from memory.
static void spread_values(const struct channels *k, struct weir_strbuf *out)
{
    struct weir_body *b = k->b;
    for (int i = 0; i < b->n_steps; i++)
        if (b->step[i].row)
            weir_strbuf_printf(out, "    $K_%c e_%d;\n", weir_type_letter(b->step[i].v->type.dtype), i);
    for (int i = 0; i < b->n_access; i++)
        if (b->access[i].group_stride != 0 && !b->access[i].written)
            weir_strbuf_printf(out, "    $K_%c e%d;\n",
                               weir_type_letter(b->access[i].operand.dtype), i);
    weir_strbuf_puts(out, "    {\n");
    weir_body_bases(b, k->outer, "        ", out);
    for (int i = 0; i < b->n_access; i++) {
        const struct weir_access *a = &b->access[i];
        if (a->group_stride == 0 || a->written)
            continue;
        weir_strbuf_printf(out, "        for (int c = 0; c < %lld; c++)\n"
                                "            e%d.s[c] = weir_ld_%s(p%d + i%d + c / %lld * %lld);\n",
                           (long long)k->n, i, weir_dtype_name(a->operand.dtype), a->param, a->cls,
                           (long long)b->per_group, (long long)a->group_stride);
    }
    weir_strbuf_puts(out, "    }\n");
}

static void text(const struct channels *k, struct weir_strbuf *out)
{
    static const char *const types[][3] = { { "f", "float16", "float" }, { "i", "int16", "int" },
                                            { "u", "uint16", "uint" } };
    for (int i = 0; i < 3; i++)
        weir_strbuf_printf(out, "typedef union {\n    %s v[%lld];\n    %s s[%lld];\n} $K_%s;\n", types[i][1],
                           (long long)k->n / 16, types[i][2], (long long)k->n, types[i][0]);
    weir_strbuf_puts(out, "WEIR_KERNEL void $K(");
    weir_body_params(k->b, out);
    weir_strbuf_puts(out, " WEIR_PLACE)\n{\n");
    weir_body_offsets(k->b, out);
    weir_strbuf_puts(out, "    const int row = WEIR_AT(0);\n");
    weir_body_decode(k->b, k->outer, "row", "    ", out);
    spread_values(k, out);
    row_values(k, 0, out);
    for (int p = 0; p < k->phases; p++) {
        phase(k, p, out);
        row_values(k, p + 1, out);
    }
    weir_strbuf_puts(out, "}\n");
}

enum weir_status weir_write_channels(struct weir_body *b, const struct weir_group *g)
{
    enum weir_status status = weir_body_channels(b);
    if (status != WEIR_OK)
        return status;
    struct channels k = { .b = b, .n = b->space.dim[b->space.rank - 1], .last = b->space.rank - 2 };
    const int slice = k.n % 32 == 0 ? 2 : 1;
    k.slice = (int)weir_group_knob(b->c, WEIR_KNOB_SLICE, slice, SLICE_MAX);
    k.slice = k.n % (16 * k.slice) == 0 ? k.slice : slice;
    struct weir_strbuf out = { 0 };
    size_t items = 1;
    while (b->label[k.first] < WEIR_AXIS_COLUMN) {
        k.outer |= 1u << k.first;
        items *= (size_t)b->space.dim[k.first++];
    }
    k.want = weir_arena_array(b->c->scratch, (size_t)b->n_steps + 1, sizeof(*k.want));
    k.store = weir_arena_array(b->c->scratch, (size_t)b->n_steps + 1, sizeof(*k.store));
    if (!k.want || !k.store)
        return WEIR_NOMEM;
    for (int i = 0; i < b->n_steps; i++)
        k.phases = b->step[i].level >= k.phases ? b->step[i].level + 1 : k.phases;
    weir_body_keep(b, k.phases);
    weir_phases_share(b, k.phases, b->c->n_launches);
    text(&k, &out);
    const size_t global[3] = { items, 1, 1 }, local[3] = { 1, 1, 1 };
    weir_body_launch(b, g, weir_kernel_add_buf(b->c, "channels", &out), global, local);
    return b->c->status;
}
