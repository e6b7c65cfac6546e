// SPDX-License-Identifier: Apache-2.0
// Row kernels for grouped devices (GPUs): a group of 32 work-items takes a row; work-item l is
// lanes l and l + 32 of the canonical sum (some drivers run no more than 32 of a large kernel).
// Lanes fold in local memory. Phases are as in write_row.c.
#include <stdio.h>

#include "base/log.h"
#include "compile/row.h"

enum { LANES = 64, ITEMS = 32 };

bool weir_rows_are_grouped(const weir_device *dev)
{
    return !weir_device_has(dev, WEIR_CAP_WIDE) && dev->info.caps.max_group >= ITEMS;
}

static bool reduces_in(const struct weir_step *s, int p)
{
    return s->v->op->cls == WEIR_OP_REDUCE && s->level == p + 1;
}

// Declares <set>_<step> of each reduction of the phase: the accumulators of both lanes.
static void declare(const struct weir_row *r, int p, char set, const char *indent,
                    struct weir_strbuf *out)
{
    for (int i = 0; i < r->b->n_steps; i++) {
        if (!reduces_in(&r->b->step[i], p))
            continue;
        struct weir_fold f = weir_fold_of(r->b->step[i].v);
        weir_strbuf_printf(out, "%s%s %c_%d[2] = { %s, %s };\n", indent, weir_fold_ctype(&f, false),
                           set, i, f.identity, f.identity);
    }
}

// The terms of both lanes in [from, stop).
static void pass(const struct weir_row *r, int p, const char *from, const char *stop,
                 const char *indent, struct weir_strbuf *out)
{
    char in[64], acc[32];
    snprintf(in, sizeof(in), "%s        ", indent);
    weir_strbuf_printf(out, "%sfor (int h = 0; h < 2; h++)\n", indent);
    weir_strbuf_printf(out, "%s    for (int j = %s + lane + %d * h; j < %s; j += %d) {\n", indent,
                       from, ITEMS, stop, LANES);
    weir_body_eval(r->b, r->want, false, in, out);
    for (int i = 0; i < r->b->n_steps; i++) {
        const struct weir_step *s = &r->b->step[i];
        if (!reduces_in(s, p))
            continue;
        struct weir_fold f = weir_fold_of(s->v);
        snprintf(acc, sizeof(acc), "a_%d[h]", i);
        weir_strbuf_printf(out, "%s%s = ", in, acc);
        weir_fold_term(r->b, &f, &s->use[0], acc, false, out);
        weir_strbuf_puts(out, ";\n");
    }
    weir_row_store(r, p, false, in, out);
    weir_strbuf_printf(out, "%s    }\n", indent);
}

// Leaves the fold of all lanes' `set`_<step> in t_<letter>[0]; every lane may read it before the
// barrier that follows its use.
static void fold(const struct weir_fold *f, char set, int step, const char *indent,
                 struct weir_strbuf *out)
{
    weir_strbuf_printf(out, "%st_%c[lane] = weir_%s_%c(%c_%d[0], %c_%d[1]);\n"
                            "%sbarrier(CLK_LOCAL_MEM_FENCE);\n",
                       indent, f->letter, f->combine, f->letter, set, step, set, step, indent);
    weir_strbuf_printf(out, "%sfor (int apart = 16; apart > 0; apart /= 2) {\n", indent);
    weir_strbuf_printf(out, "%s    if (lane < apart)\n"
                            "%s        t_%c[lane] = weir_%s_%c(t_%c[lane], t_%c[lane + apart]);\n",
                       indent, indent, f->letter, f->combine, f->letter, f->letter, f->letter);
    weir_strbuf_printf(out, "%s    barrier(CLK_LOCAL_MEM_FENCE);\n%s}\n", indent, indent);
}

static void fold_chunk(const struct weir_row *r, int p, struct weir_strbuf *out)
{
    for (int i = 0; i < r->b->n_steps; i++) {
        if (!reduces_in(&r->b->step[i], p))
            continue;
        struct weir_fold f = weir_fold_of(r->b->step[i].v);
        fold(&f, 'a', i, "        ", out);
        weir_strbuf_printf(
            out,
            "        if (lane == (chunk & 31))\n"
            "            b_%d[chunk >> 5 & 1] = weir_%s_%c(b_%d[chunk >> 5 & 1], t_%c[0]);\n"
            "        barrier(CLK_LOCAL_MEM_FENCE);\n",
            i, f.combine, f.letter, i, f.letter);
    }
}

static void fold_row(const struct weir_row *r, int p, char set, struct weir_strbuf *out)
{
    for (int i = 0; i < r->b->n_steps; i++) {
        if (!reduces_in(&r->b->step[i], p))
            continue;
        struct weir_fold f = weir_fold_of(r->b->step[i].v);
        fold(&f, set, i, "    ", out);
        weir_strbuf_printf(out, "    const %s r_%d = t_%c[0];\n    barrier(CLK_LOCAL_MEM_FENCE);\n",
                           weir_fold_ctype(&f, false), i, f.letter);
    }
}

static void phase(const struct weir_row *r, int p, struct weir_strbuf *out)
{
    char end[32], from[32];
    if (!weir_phase_want(r->b, p, r->want))
        return;
    snprintf(end, sizeof(end), "%lld", (long long)r->n);
    if (r->n <= WEIR_ROW_CHUNK) {
        declare(r, p, 'a', "    ", out);
        pass(r, p, "0", end, "    ", out);
        fold_row(r, p, 'a', out);
        return;
    }
    declare(r, p, 'b', "    ", out);
    weir_strbuf_printf(out, "    for (int chunk = 0; chunk < %lld; chunk++) {\n"
                            "        const int stop = min(%d * chunk + %d, %s);\n",
                       (long long)((r->n + WEIR_ROW_CHUNK - 1) / WEIR_ROW_CHUNK), WEIR_ROW_CHUNK,
                       WEIR_ROW_CHUNK, end);
    declare(r, p, 'a', "        ", out);
    snprintf(from, sizeof(from), "%d * chunk", WEIR_ROW_CHUNK);
    pass(r, p, from, "stop", "        ", out);
    fold_chunk(r, p, out);
    weir_strbuf_puts(out, "    }\n");
    fold_row(r, p, 'b', out);
}

static void begin(const struct weir_row *r, struct weir_strbuf *out)
{
    bool used[3] = { false };
    static const char letters[] = "fiu";
    static const char *const types[] = { "float", "int", "uint" };
    for (int i = 0; i < r->b->n_steps; i++)
        if (r->b->step[i].v->op->cls == WEIR_OP_REDUCE)
            for (int t = 0; t < 3; t++)
                used[t] = used[t] || weir_fold_of(r->b->step[i].v).letter == letters[t];
    weir_strbuf_printf(out, "kernel __attribute__((reqd_work_group_size(%d, 1, 1)))\nvoid $K(",
                       ITEMS);
    weir_body_params(r->b, out);
    weir_strbuf_puts(out, ")\n{\n");
    for (int t = 0; t < 3; t++)
        if (used[t])
            weir_strbuf_printf(out, "    local %s t_%c[%d];\n", types[t], letters[t], ITEMS);
    weir_body_offsets(r->b, out);
    weir_strbuf_printf(out, "    const int lane = get_local_id(0), item = get_global_id(0) / %d;\n",
                       ITEMS);
}

static void launch(struct weir_row *r, const struct weir_group *g, const char *hint, int64_t groups,
                   struct weir_strbuf *text)
{
    const size_t global[3] = { (size_t)groups * ITEMS, 1, 1 }, local[3] = { ITEMS, 1, 1 };
    weir_body_launch(r->b, g, weir_kernel_add_buf(r->b->c, hint, text), global, local);
}

enum weir_status weir_write_row_groups(struct weir_row *r, const struct weir_group *g)
{
    struct weir_strbuf out = { 0 };
    uint32_t outer = (1u << (r->b->space.rank - 1)) - 1;
    begin(r, &out);
    weir_body_decode(r->b, outer, "item", "    ", &out);
    weir_body_bases(r->b, outer, "    ", &out);
    weir_body_hoist(r->b, "    ", &out);
    weir_row_values(r, 0, "    ", "if (lane == 0) ", &out); // every lane computes, the first stores
    for (int p = 0; p < r->phases; p++) {
        phase(r, p, &out);
        weir_row_values(r, p + 1, "    ", "if (lane == 0) ", &out);
    }
    weir_strbuf_puts(&out, "}\n");
    launch(r, g, "row", r->rows, &out);
    return r->b->c->status;
}

enum weir_status weir_write_chunk_groups(struct weir_row *r, const struct weir_group *g,
                                         int partial, const struct weir_fold *f)
{
    struct weir_strbuf out = { 0 };
    uint32_t outer = (1u << (r->b->space.rank - 1)) - 1;
    int64_t chunks = (r->n + WEIR_ROW_CHUNK - 1) / WEIR_ROW_CHUNK;
    char from[32];
    begin(r, &out);
    weir_strbuf_printf(&out, "    const int chunk = item %% %lld, row = item / %lld;\n"
                             "    const int stop = min(%d * chunk + %d, %lld);\n",
                       (long long)chunks, (long long)chunks, WEIR_ROW_CHUNK, WEIR_ROW_CHUNK,
                       (long long)r->n);
    weir_body_decode(r->b, outer, "row", "    ", &out);
    weir_body_bases(r->b, outer, "    ", &out);
    weir_body_hoist(r->b, "    ", &out);
    weir_phase_want(r->b, 0, r->want);
    declare(r, 0, 'a', "    ", &out);
    snprintf(from, sizeof(from), "%d * chunk", WEIR_ROW_CHUNK);
    pass(r, 0, from, "stop", "    ", &out);
    fold(f, 'a', r->b->n_steps - 1, "    ", &out);
    weir_strbuf_printf(&out, "    if (lane == 0)\n        p%d[item] = t_%c[0];\n}\n",
                       r->b->access[partial].param, f->letter);
    launch(r, g, "chunk", r->rows * chunks, &out);
    return r->b->c->status;
}
