// SPDX-License-Identifier: Apache-2.0
// Row groups: reductions along the innermost axis with the elementwise work around them. A work-item
// takes whole rows. Phase k computes, in one pass over the row, the elements that depend on k
// reductions, the results among them that have memory, and the reductions of them; then the row's own
// values that follow. Sums go to 64 lanes, chunk by chunk, as docs/numerics.md says.
#include <stdio.h>

#include "base/log.h"
#include "compile/group_choice.h"
#include "compile/reduce.h"
#include "compile/row.h"
#include "graph/ops/rows.h"

enum { CHUNK = WEIR_ROW_CHUNK, ROW_WORK = 4096 };

static bool is_reduce(const struct weir_step *s)
{
    return s->v->op->cls == WEIR_OP_REDUCE;
}

void weir_row_store(const struct weir_row *r, int p, bool wide, const char *indent,
                    struct weir_strbuf *out)
{
    bool *store = weir_arena_array(r->b->c->scratch, (size_t)r->b->n_steps + 1, sizeof(*store));
    for (int i = 0; i < r->b->n_steps && store; i++)
        store[i] = r->b->step[i].level == p;
    if (store)
        weir_body_store(r->b, store, wide, indent, out);
}

static void accumulate(const struct weir_row *r, int p, bool wide, const char *indent,
                       struct weir_strbuf *out)
{
    for (int i = 0; i < r->b->n_steps; i++) {
        const struct weir_step *s = &r->b->step[i];
        if (!is_reduce(s) || s->level != p + 1)
            continue;
        struct weir_fold f = weir_fold_of(s->v);
        char acc[48];
        snprintf(acc, sizeof(acc), wide ? "a_%d.v[q]" : "a_%d.s[j & 63]", i);
        weir_strbuf_printf(out, "%s%s = ", indent, acc);
        weir_fold_term(r->b, &f, &s->use[0], acc, wide, out);
        weir_strbuf_puts(out, ";\n");
    }
}

// Clears lanes of the phase's reductions: a_<id> of the terms, b_<id> of chunk results.
static void clear(const struct weir_row *r, int p, char set, const char *indent, struct weir_strbuf *out)
{
    for (int i = 0; i < r->b->n_steps; i++) {
        const struct weir_step *s = &r->b->step[i];
        if (!is_reduce(s) || s->level != p + 1)
            continue;
        struct weir_fold f = weir_fold_of(s->v);
        weir_strbuf_printf(out, "%sweir_lanes_%c %c_%d;\n%sfor (int q = 0; q < 4; q++)\n", indent, f.letter,
                           set, i, indent);
        weir_strbuf_printf(out, "%s    %c_%d.v[q] = (%s)(%s);\n", indent, set, i,
                           weir_fold_ctype(&f, true), f.identity);
    }
}

// The elements from j0 to `stop`, which is at most a chunk further: vectors, then the odd ones.
static void pass(const struct weir_row *r, int p, const char *from, const char *stop, bool tail,
                 const char *indent, struct weir_strbuf *out)
{
    char in[64];
    snprintf(in, sizeof(in), "%s        ", indent);
    if (r->n >= 16) {
        weir_strbuf_printf(out, "%sfor (int k = %s; k + 16 <= %s; k += 64)\n", indent, from, stop);
        weir_strbuf_printf(out, "%s    for (int q = 0; q < 4 && k + 16 * q + 16 <= %s; q++) {\n", indent,
                           stop);
        weir_strbuf_printf(out, "%sconst int j = k + 16 * q;\n", in);
        weir_body_eval(r->b, r->want, true, in, out);
        accumulate(r, p, true, in, out);
        weir_row_store(r, p, true, in, out);
        weir_strbuf_printf(out, "%s    }\n", indent);
    }
    if (!tail)
        return;
    weir_strbuf_printf(out, "%sfor (int j = %s - %s %% 16; j < %s; j++) {\n", indent, stop, stop, stop);
    weir_body_eval(r->b, r->want, false, in + 4, out);
    accumulate(r, p, false, in + 4, out);
    weir_row_store(r, p, false, in + 4, out);
    weir_strbuf_printf(out, "%s}\n", indent);
}

// Folds the lanes of the phase's reductions: into r_<id>, or where there are chunks into lane `chunk`
// of a second set.
static void fold(const struct weir_row *r, int p, bool chunked, const char *indent, struct weir_strbuf *out)
{
    for (int i = 0; i < r->b->n_steps; i++) {
        const struct weir_step *s = &r->b->step[i];
        if (!is_reduce(s) || s->level != p + 1)
            continue;
        struct weir_fold f = weir_fold_of(s->v);
        int id = i;
        if (chunked)
            weir_strbuf_printf(out,
                               "%sb_%d.s[chunk & 63] = weir_%s_%c(b_%d.s[chunk & 63], "
                               "weir_fold_%s_%c(a_%d.v));\n",
                               indent, id, f.combine, f.letter, id, f.combine, f.letter, id);
        else
            weir_strbuf_printf(out, "%sconst %s r_%d = weir_fold_%s_%c(%c_%d.v);\n", indent,
                               weir_fold_ctype(&f, false), id, f.combine, f.letter,
                               r->n > CHUNK ? 'b' : 'a', id);
    }
}

void weir_row_values(const struct weir_row *r, int level, const char *indent, const char *guard,
                     struct weir_strbuf *out)
{
    const struct weir_body *b = r->b;
    for (int i = 0; i < b->n_steps; i++) {
        const struct weir_step *s = &b->step[i];
        if (!s->row || s->level != level)
            continue;
        if (!is_reduce(s))
            weir_body_step(b, s, false, indent, out);
        if (s->store < 0)
            continue;
        const struct weir_access *a = &b->access[s->store];
        weir_strbuf_printf(out, "%s%sweir_st_%s(p%d + i%d, r_%d);\n", indent, guard,
                           weir_dtype_name(a->operand.dtype), a->param, a->cls, i);
    }
}

// The length of a row: a number, but where there is one row only its kernel is told.
static void length_text(const struct weir_row *r, char *out, size_t size)
{
    if (r->b->n_ints)
        snprintf(out, size, "n0");
    else
        snprintf(out, size, "%lld", (long long)r->n);
}

static void take_length(struct weir_row *r)
{
    if (r->b->space.rank > 1)
        return;
    r->b->n_ints = 1;
    r->b->ints[0] = (int32_t)r->n;
}

static void phase(const struct weir_row *r, int p, struct weir_strbuf *out)
{
    char end[32];
    length_text(r, end, sizeof(end));
    if (!weir_phase_want(r->b, p, r->want))
        return;
    if (r->n <= CHUNK) {
        clear(r, p, 'a', "        ", out);
        pass(r, p, "0", end, r->n % 16 != 0, "        ", out);
    } else {
        clear(r, p, 'b', "        ", out);
        weir_strbuf_printf(out, "        for (int chunk = 0; chunk < (%s + %d) / %d; chunk++) {\n", end, CHUNK - 1,
                           CHUNK);
        weir_strbuf_printf(out, "            const int stop = min(%d * chunk + %d, %s);\n", CHUNK, CHUNK,
                           end);
        clear(r, p, 'a', "            ", out);
        char from[32];
        snprintf(from, sizeof(from), "%d * chunk", CHUNK);
        pass(r, p, from, "stop", r->n % 16 != 0, "            ", out);
        fold(r, p, true, "            ", out);
        weir_strbuf_puts(out, "        }\n");
    }
    fold(r, p, false, "        ", out);
}

static void row_text(const struct weir_row *r, struct weir_strbuf *out)
{
    struct weir_body *b = r->b;
    uint32_t outer = (1u << (b->space.rank - 1)) - 1;
    weir_strbuf_puts(out, "WEIR_KERNEL void $K(");
    weir_body_params(b, out);
    weir_strbuf_puts(out, " WEIR_PLACE)\n{\n");
    weir_body_offsets(b, out);
    weir_strbuf_printf(out, "    const int first = (int)WEIR_AT(0) * %lld;\n"
                            "    const int last = min(first + %lld, %lld);\n",
                       (long long)r->per_item, (long long)r->per_item, (long long)r->rows);
    weir_strbuf_puts(out, "    for (int row = first; row < last; row++) {\n");
    weir_body_decode(b, outer, "row", "        ", out);
    weir_body_bases(b, outer, "        ", out);
    weir_body_hoist(b, "        ", out);
    weir_row_values(r, 0, "        ", "", out);
    for (int p = 0; p < r->phases; p++) {
        phase(r, p, out);
        weir_row_values(r, p + 1, "        ", "", out);
    }
    weir_strbuf_puts(out, "    }\n}\n");
}

static enum weir_status write_rows(struct weir_body *b, const struct weir_group *g)
{
    struct weir_row r = { .b = b, .rows = 1 };
    struct weir_strbuf text = { 0 };
    weir_body_collapse(b);
    if (weir_body_is_channels(b))
        return weir_write_channels(b, g);
    int last = b->space.rank - 1;
    for (int d = 0; d <= last; d++)
        if (b->label[d] != (d == last ? WEIR_AXIS_ROW : WEIR_AXIS_KEPT))
            return WEIR_UNSUPPORTED;
    r.n = b->space.dim[last];
    for (int d = 0; d < last; d++)
        r.rows *= b->space.dim[d];
    r.want = weir_arena_array(b->c->scratch, (size_t)b->n_steps + 1, sizeof(*r.want));
    if (!r.want)
        return WEIR_NOMEM;
    if (r.n > (int64_t)CHUNK * CHUNK)
        return WEIR_UNSUPPORTED;
    for (int i = 0; i < b->n_steps; i++)
        r.phases = b->step[i].level >= r.phases ? b->step[i].level + 1 : r.phases;
    r.per_item = ROW_WORK / r.n > r.rows / 16 ? r.rows / 16 : ROW_WORK / r.n;
    r.per_item = r.per_item < 1 ? 1 : r.per_item;
    bool grouped = weir_rows_are_grouped(b->c->dev);
    if (!grouped && r.n <= CHUNK)
        weir_body_keep(b, r.phases);
    weir_phases_share(b, r.phases, b->c->n_launches);
    if (grouped)
        return weir_write_row_groups(&r, g);
    r.per_item = weir_group_knob(b->c, WEIR_KNOB_ROWS, r.per_item, r.rows);
    take_length(&r);
    row_text(&r, &text);
    const size_t global[3] = { (size_t)((r.rows + r.per_item - 1) / r.per_item), 1, 1 };
    const size_t local[3] = { 1, 1, 1 };
    weir_body_launch(b, g, weir_kernel_add_buf(b->c, "row", &text), global, local);
    return b->c->status;
}

static int scratch_for(struct weir_emit_state *c, enum weir_dtype dtype, int64_t n)
{
    struct weir_slot slot = { .dtype = dtype, .name = "partial" };
    slot.size = (size_t)n * weir_dtype_size(dtype);
    return weir_slot_add(c, &slot);
}

// A few long rows: one work-item a chunk, whose results are the terms of shorter rows.
static enum weir_status write_chunks(struct weir_body *b, const struct weir_group *g, weir_value *v,
                                     int to)
{
    struct weir_row r = { .b = b, .rows = 1, .phases = 2 };
    struct weir_strbuf out = { 0 };
    int partial = weir_body_plain_result(b, v->type.dtype, to);
    weir_body_collapse(b);
    int last = b->space.rank - 1;
    r.n = b->space.dim[last];
    for (int d = 0; d < last; d++)
        r.rows *= b->space.dim[d];
    r.want = weir_arena_array(b->c->scratch, (size_t)b->n_steps + 1, sizeof(*r.want));
    if (!r.want || partial < 0)
        return WEIR_NOMEM;
    int64_t chunks = (r.n + CHUNK - 1) / CHUNK;
    uint32_t outer = (1u << last) - 1;
    struct weir_fold f = weir_fold_of(v);
    if (weir_rows_are_grouped(b->c->dev))
        return weir_write_chunk_groups(&r, g, partial, &f);
    take_length(&r);
    char length[32], from[32];
    length_text(&r, length, sizeof(length));
    weir_strbuf_puts(&out, "WEIR_KERNEL void $K(");
    weir_body_params(b, &out);
    weir_strbuf_puts(&out, " WEIR_PLACE)\n{\n");
    weir_body_offsets(b, &out);
    weir_strbuf_puts(&out, "    {\n        const int item = WEIR_AT(0);\n");
    if (b->n_ints)
        weir_strbuf_puts(&out, "        const int chunk = item;\n");
    else
        weir_strbuf_printf(&out, "        const int chunk = item %% %lld, row = item / %lld;\n", (long long)chunks,
                           (long long)chunks);
    weir_strbuf_printf(&out, "        const int stop = min(%d * chunk + %d, %s);\n", CHUNK, CHUNK, length);
    weir_body_decode(b, outer, "row", "        ", &out);
    weir_body_bases(b, outer, "        ", &out);
    weir_body_hoist(b, "        ", &out);
    snprintf(from, sizeof(from), "%d * chunk", CHUNK);
    weir_phase_want(r.b, 0, r.want);
    clear(&r, 0, 'a', "        ", &out);
    pass(&r, 0, from, "stop", r.n % 16 != 0, "        ", &out);
    weir_strbuf_printf(&out, "        p%d[item] = weir_fold_%s_%c(a_%d.v);\n    }\n}\n",
                       b->access[partial].param, f.combine, f.letter, b->n_steps - 1);
    const size_t global[3] = { (size_t)(r.rows * chunks), 1, 1 }, local[3] = { 1, 1, 1 };
    weir_body_launch(b, g, weir_kernel_add_buf(b->c, "chunk", &out), global, local);
    return b->c->status;
}

// Only one reduction and what leads to it, over rows too few to keep the device busy.
static bool wants_chunks(const struct weir_body *b, const struct weir_group *g)
{
    int64_t rows = 1, n = 1;
    for (int d = 0; d < b->space.rank; d++)
        *(b->label[d] == WEIR_AXIS_ROW ? &n : &rows) *= b->space.dim[d];
    return g->kind == WEIR_GROUP_REDUCE && rows < 16 && n > 4 * CHUNK &&
           b->step[b->n_steps - 1].v->type.dtype != WEIR_BOOL;
}

static bool has_columns(const struct weir_body *b)
{
    for (int d = 0; d < b->space.rank; d++)
        if (b->label[d] >= WEIR_AXIS_COLUMN)
            return true;
    return false;
}

static bool has_row(const struct weir_body *b)
{
    for (int d = 0; d < b->space.rank; d++)
        if (b->label[d] == WEIR_AXIS_ROW && b->space.dim[d] > 1)
            return true;
    return false;
}

// One reduced axis, the innermost, once neighbours are merged.
static bool row_form(const struct weir_body *b)
{
    struct weir_body probe = *b;
    struct weir_access *access =
        weir_arena_memdup(b->c->scratch, b->access, (size_t)b->n_access * sizeof(*access));
    if (!access)
        return false;
    probe.access = access;
    weir_body_collapse(&probe);
    int last = probe.space.rank - 1;
    for (int d = 0; d <= last; d++)
        if (probe.label[d] != (d == last ? WEIR_AXIS_ROW : WEIR_AXIS_KEPT))
            return false;
    return true;
}

static int column_axes_left(const struct weir_body *b)
{
    int n = 0, label = -1;
    for (int d = 0; d < b->space.rank; d++) {
        if (b->label[d] >= WEIR_AXIS_COLUMN && b->label[d] != label)
            n++;
        label = b->label[d];
    }
    return n;
}

// One reduction of the row form, chunk by chunk where rows are few and long.
static enum weir_status write_last_row(struct weir_body *b, const struct weir_group *g, weir_value *v)
{
    struct weir_emit_state *c = b->c;
    struct weir_body rest;
    while (wants_chunks(b, g)) {
        int64_t n = 1, rows = 1;
        for (int d = 0; d < b->space.rank; d++)
            *(b->label[d] == WEIR_AXIS_ROW ? &n : &rows) *= b->space.dim[d];
        int64_t chunks = (n + CHUNK - 1) / CHUNK;
        int to = scratch_for(c, v->type.dtype, rows * chunks);
        enum weir_status status = write_chunks(b, g, v, to);
        if (status == WEIR_OK)
            status = weir_body_init_rows(&rest, c, v, rows, chunks, to);
        if (status != WEIR_OK)
            return status;
        *b = rest;
    }
    if (weir_body_row_result(b, v, weir_slot_of(c, v)) < 0)
        return c->status;
    return write_rows(b, g);
}

// Columns one axis at a time, then the row that is left.
static enum weir_status write_columns(struct weir_body *b, const struct weir_group *g, weir_value *v)
{
    struct weir_body rest;
    struct weir_emit_state *c = b->c;
    while (has_columns(b)) {
        int64_t results, runs = weir_column_runs(b, v, &results);
        if (runs > 0) {
            int partial = scratch_for(c, v->type.dtype, results);
            enum weir_status status = weir_write_column_runs(b, g, v, runs, partial);
            if (status == WEIR_OK)
                status = weir_body_init_runs(&rest, b, v, runs, partial);
            if (status != WEIR_OK)
                return status;
            *b = rest;
            continue;
        }
        bool last = column_axes_left(b) == 1 && !has_row(b);
        int to = last ? weir_slot_of(c, v) : scratch_for(c, v->type.dtype, weir_shape_size(&v->arg[0]->type.shape));
        enum weir_status status = weir_write_column(b, g, v, to);
        if (status != WEIR_OK || last)
            return status;
        status = weir_body_init_rest(&rest, b, v, to);
        if (status != WEIR_OK)
            return status;
        *b = rest;
    }
    return write_last_row(b, g, v);
}

// The argument of a reduction is copied where strides cannot walk it as one axis.
static enum weir_status write_after_copy(struct weir_emit_state *c, const struct weir_group *g)
{
    weir_value *v = g->nodes[g->n_nodes - 1];
    struct weir_body b;
    struct weir_group copy = { .kind = WEIR_GROUP_COPY, .id = g->id };
    if (g->n_nodes != 1)
        return WEIR_UNSUPPORTED;
    weir_operand_of(c, v->arg[0], &copy.from);
    copy.copy_to = scratch_for(c, v->arg[0]->type.dtype, weir_shape_size(&v->arg[0]->type.shape));
    enum weir_status status = weir_write_copy(c, &copy);
    if (status == WEIR_OK)
        status = weir_body_init_plain(&b, c, v, copy.copy_to);
    return status == WEIR_OK ? write_columns(&b, g, v) : status;
}

// A result of no terms, or of one term each.
static enum weir_status write_trivial(struct weir_emit_state *c, const struct weir_group *g, bool empty)
{
    weir_value *v = g->nodes[0];
    struct weir_group copy = { .kind = WEIR_GROUP_COPY, .id = g->id, .copy_to = weir_slot_of(c, v) };
    if (g->n_nodes != 1)
        return WEIR_UNSUPPORTED;
    weir_operand_of(c, v->arg[0], &copy.from);
    copy.from.shape = v->type.shape;
    if (empty) {
        copy.from = (struct weir_operand) { weir_fold_empty_slot(c, v), v->type.dtype, v->type.shape, 0,
                                            { 0 } };
    }
    return weir_write_copy(c, &copy);
}

enum weir_status weir_write_row(struct weir_emit_state *c, const struct weir_group *g)
{
    struct weir_body b;
    weir_value *v = g->nodes[g->n_nodes - 1];
    if (g->kind == WEIR_GROUP_REDUCE && (v->op == &weir_op_argmax || v->op == &weir_op_argmin))
        return weir_write_arg(c, g);
    if (g->kind == WEIR_GROUP_REDUCE && weir_shape_size(&v->arg[0]->type.shape) == 0)
        return write_trivial(c, g, true);
    if (g->kind == WEIR_GROUP_REDUCE &&
        weir_shape_size(&v->arg[0]->type.shape) == weir_shape_size(&v->type.shape))
        return write_trivial(c, g, false);
    weir_value **outputs = g->outputs;
    int n_outputs = g->n_outputs;
    if (g->kind == WEIR_GROUP_REDUCE) // the result of the reduction itself is the last step's business
        for (n_outputs = 0; n_outputs < g->n_outputs && g->outputs[n_outputs] != v; n_outputs++)
            ;
    enum weir_status status = weir_body_init(&b, c, g->nodes, g->n_nodes, outputs, n_outputs);
    if (status == WEIR_OK && g->kind == WEIR_GROUP_REDUCE)
        status = has_columns(&b) ? write_columns(&b, g, v)
                 : row_form(&b)  ? write_last_row(&b, g, v)
                                 : WEIR_UNSUPPORTED;
    else if (status == WEIR_OK)
        status = write_rows(&b, g);
    return status == WEIR_UNSUPPORTED ? write_after_copy(c, g) : status;
}
