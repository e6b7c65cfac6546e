// SPDX-License-Identifier: Apache-2.0
// Fast mode: gathers that are products of matrices, one or many at equal distances, by the device's
// own library (WEIR_CAP_GEMM).
#include <math.h>

#include "compile/compile.h"
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
    if (batch.n > 1 && row.n > 1 && batch.o < (row.n - 1) * out->ldc + col.n)
        return false; // results of one batch lie among those of another, as groups' do
    return (col.n == 1 || col.o == 1) && out->ldc >= col.n && batch.a >= 0 && batch.b >= 0 &&
           batch.o >= 0;
}

static double flops_of(const struct weir_gemm *m)
{
    return 2.0 * (double)m->m * (double)m->n * (double)m->k;
}

static bool fits(const struct weir_emit *e, const struct weir_gather *g, const int *knob)
{
    struct weir_gemm m;
    return e->fast && e->library >= 0 && !e->epilogue && g->a.arg.dtype == WEIR_F32 &&
           g->b.arg.dtype == WEIR_F32 && e->out[0].dtype == WEIR_F32 && describe(g, &m) &&
           weir_device_admits_gemm(e->dev); // last: the first time it is tried
}

static bool wants(const struct weir_emit *e, const struct weir_gather *g)
{
    struct weir_gemm m;
    bool large = describe(g, &m) && m.m >= LEAST_EXTENT && m.n >= LEAST_EXTENT &&
                 flops_of(&m) >= 2.0 * LEAST_MULTIPLIES;
    return e->library > 0 || (e->dev->info.caps.is_gpu && large && !has_engine(e->dev));
}

// Products go to the library one by one, in bands of whole tiles of rows where one would take too
// long. What it reads and writes: the matrices, and its copies of them.
static void cut(const struct weir_emit *e, struct weir_gemm *m)
{
    enum { TILE = 64 };
    double elements = (double)(m->m * m->k) + (double)(m->k * m->n) + (double)(m->m * m->n);
    double parts = weir_launch_parts(e->state, flops_of(m), 3 * sizeof(float) * elements);
    if (parts < 2)
        return;
    m->rows = (int64_t)((double)m->m / floor(parts));
    if (m->rows > TILE)
        m->rows -= m->rows % TILE;
    m->rows = m->rows < 1 ? 1 : m->rows;
}

static enum weir_status emit(struct weir_emit *e, const struct weir_gather *g, const int *knob)
{
    struct weir_gemm *m = weir_arena_array(e->arena, 1, sizeof(*m));
    if (!m || !describe(g, m))
        return m ? WEIR_UNSUPPORTED : WEIR_NOMEM;
    struct weir_emit_arg args[4] = {g->a.arg, g->b.arg, weir_emit_arg(&e->out[0])};
    args[0].offset += g->a0;
    args[1].offset += g->b0;
    args[2].offset += g->o0;
    cut(e, m);
    size_t scratch = 0;
    enum weir_status status = weir_gemm_scratch(e->dev, m, &scratch);
    if (status != WEIR_OK)
        return status;
    if (scratch > 0)
        args[3].slot = weir_emit_scratch(e, WEIR_F32, div_up((int64_t)scratch, sizeof(float)));
    args[3].dtype = WEIR_F32;
    struct weir_emit_launch l = {.gemm = m,
                                 .label = "library_gemm",
                                 .n_args = scratch > 0 ? 4 : 3,
                                 .args = args,
                                 .global = {1, 1, 1},
                                 .flops = flops_of(m) * (double)m->batch};
    weir_emit_launch(e, &l);
    return WEIR_OK;
}

const struct weir_contract_kernel weir_contract_library = {
    .name = "library", .fits = fits, .wants = wants, .emit = emit};
