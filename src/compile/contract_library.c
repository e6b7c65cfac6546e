// SPDX-License-Identifier: Apache-2.0
// Fast mode: gathers that are products of matrices, one or many at equal distances, by the device's
// own library (WEIR_CAP_GEMM).
#include "compile/contract_parts.h"

// Extents from which a library tuned for large products is taken unasked, on GPUs: below them its
// launches and copies to its own tiles cost more than they save.
enum { LEAST_EXTENT = 256, LEAST_MULTIPLIES = 1 << 27 };

// The one loop of more than one iteration, or one of them; false if there are several.
static bool single(const struct weir_axis *x, int n, struct weir_axis *out)
{
    *out = (struct weir_axis){.n = 1};
    for (int i = 0; i < n; i++) {
        if (x[i].n == 1)
            continue;
        if (out->n != 1)
            return false;
        *out = x[i];
    }
    return true;
}

// A matrix of lines x terms by its strides: stored line by line (*t = 0), or term by term.
static bool stored(int64_t lines, int64_t terms, int64_t line, int64_t term, bool *t, int64_t *ld)
{
    if (terms == 1) // then the distance of terms says nothing
        term = 1;
    if (lines == 1)
        line = term == 1 ? terms : 1;
    *t = term != 1;
    *ld = *t ? term : line;
    return (term == 1 && line >= terms) || (line == 1 && term >= lines);
}

static bool describe(const struct weir_gather *g, struct weir_gemm *out)
{
    struct weir_axis row, col, term, batch;
    if (g->bound.of != WEIR_BOUND_NONE || g->cut || g->chunks == 0 || !single(g->row, 4, &row) ||
        !single(g->col, 4, &col) || !single(g->term, 4, &term) || !single(g->batch, 6, &batch))
        return false;
    *out = (struct weir_gemm){.m = row.n,
                              .n = col.n,
                              .k = term.n,
                              .batch = batch.n,
                              .batch_a = batch.a,
                              .batch_b = batch.b,
                              .batch_c = batch.o};
    bool right;
    if (!stored(row.n, term.n, row.a, term.a, &out->ta, &out->lda) ||
        !stored(col.n, term.n, col.b, term.b, &right, &out->ldb))
        return false;
    out->tb = !right; // its lines are columns
    out->ldc = row.n == 1 ? col.n : row.o;
    return (col.n == 1 || col.o == 1) && out->ldc >= col.n && batch.a >= 0 && batch.b >= 0 &&
           batch.o >= 0;
}

bool weir_library_fits(const struct weir_emit *e, const struct weir_gather *g)
{
    struct weir_gemm m;
    if (!e->fast || e->library < 0 || e->epilogue || g->a.arg.dtype != WEIR_F32 ||
        g->b.arg.dtype != WEIR_F32 || e->out[0].dtype != WEIR_F32 ||
        !weir_device_has(e->dev, WEIR_CAP_GEMM) || !describe(g, &m))
        return false;
    bool large = m.m >= LEAST_EXTENT && m.n >= LEAST_EXTENT &&
                 (double)m.m * (double)m.n * (double)m.k >= LEAST_MULTIPLIES;
    return e->library > 0 || (e->dev->info.caps.is_gpu && large && !has_engine(e->dev));
}

enum weir_status weir_gather_emit_library(struct weir_emit *e, const struct weir_gather *g)
{
    struct weir_gemm *m = weir_arena_array(e->arena, 1, sizeof(*m));
    if (!m || !describe(g, m))
        return m ? WEIR_UNSUPPORTED : WEIR_NOMEM;
    struct weir_emit_arg args[3] = {g->a.arg, g->b.arg, weir_emit_arg(&e->out[0])};
    args[0].offset += g->a0;
    args[1].offset += g->b0;
    args[2].offset += g->o0;
    struct weir_emit_launch l = {.gemm = m,
                                 .label = "library_gemm",
                                 .n_args = 3,
                                 .args = args,
                                 .global = {1, 1, 1},
                                 .flops = 2.0 * (double)m->m * (double)m->n * (double)m->k *
                                          (double)m->batch};
    weir_emit_launch(e, &l);
    return WEIR_OK;
}
