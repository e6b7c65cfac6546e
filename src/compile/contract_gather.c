// SPDX-License-Identifier: Apache-2.0
// What the kernels of a gather share on all kinds of devices: the text of its knobs, where results go,
// and split sums, whose chunk sums are computed side by side, then added in order.
#include "compile/contract_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "device/kernel_text.h"
#include "graph/ops/rows.h"

// Chunk sums held at a time by a split sum, in floats (16 MiB).
#define PARTIALS_MAX (4 << 20)

// Drops axes of extent 1 and joins loops that walk every operand evenly.
static void collapse(struct weir_axis *x, int n)
{
    int top = n; // x[top..n) is done
    for (int i = n - 1; i >= 0; i--) {
        struct weir_axis *in = top < n ? &x[top] : NULL;
        if (x[i].n == 1)
            continue;
        if (in && x[i].a == in->n * in->a && x[i].b == in->n * in->b && x[i].o == in->n * in->o)
            in->n *= x[i].n;
        else
            x[--top] = x[i];
    }
    for (int i = 0; i < top; i++)
        x[i] = (struct weir_axis){.n = 1};
}

// --- text ---

static void define(struct weir_strbuf *t, const char *name, int i, int64_t value)
{
    weir_strbuf_printf(t, "#define CT_%s%d (%lld)\n", name, i, (long long)value);
}

void weir_gather_define_type(struct weir_strbuf *t, char which, enum weir_dtype dtype)
{
    static const char *const loads[][2] = {{"LOAD", "ld"}, {"LOAD4", "ld4"}, {"LOAD16", "ldv"}};
    if (!weir_is_storage(dtype))
        return;
    weir_strbuf_printf(t, "#define CT_%c_T ushort\n", which);
    for (int i = 0; i < 3; i++)
        weir_strbuf_printf(t, "#define CT_%c_%s weir_%s_%s\n", which, loads[i][0], loads[i][1],
                           weir_dtype_name(dtype));
}

bool weir_gather_needs_long(const struct weir_gather *g)
{
    const struct {
        const struct weir_axis *x;
        int n;
    } nests[] = {{g->row, 4}, {g->col, 4}, {g->term, 4}, {g->batch, 6}};
    int64_t a = llabs(g->a0), b = llabs(g->b0), o = llabs(g->o0), size = 1;
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < nests[k].n; i++) {
            const struct weir_axis *x = &nests[k].x[i];
            a += llabs(x->a) * (x->n - 1);
            b += llabs(x->b) * (x->n - 1);
            o += llabs(x->o) * (x->n - 1);
            size = k < 2 ? size * x->n : size;
        }
    const int64_t most = INT32_MAX / 2; // room for the padding of tiles
    return a > most || b > most || o > most || size > most;
}

void weir_gather_define(struct weir_strbuf *t, const struct weir_gather *g)
{
    if (g->cut) {
        weir_strbuf_puts(t, "#define CT_CUT(c) (");
        for (int64_t i = 0; i + 1 < g->chunks; i++)
            weir_strbuf_printf(t, "(c) <= %lld ? %lld : ", (long long)i, (long long)g->cut[i]);
        weir_strbuf_printf(t, "%lld)\n", (long long)g->cut[g->chunks - 1]);
    }
    weir_strbuf_printf(t, "#define CT_NAME $K\n#define CT_INT %s\n",
                       weir_gather_needs_long(g) ? "long" : "int");
    weir_gather_define_type(t, 'A', g->a.arg.dtype);
    weir_gather_define_type(t, 'B', g->b.arg.dtype);
    for (int i = 0; i < 4; i++) {
        define(t, "ROW", i, g->row[i].n);
        define(t, "A_ROW", i, g->row[i].a);
        define(t, "O_ROW", i, g->row[i].o);
        define(t, "COL", i, g->col[i].n);
        define(t, "B_COL", i, g->col[i].b);
        define(t, "O_COL", i, g->col[i].o);
        define(t, "TERM", i, g->term[i].n);
        define(t, "A_TERM", i, g->term[i].a);
        define(t, "B_TERM", i, g->term[i].b);
    }
    for (int i = 0; i < 6; i++) {
        define(t, "BATCH", i, g->batch[i].n);
        define(t, "A_BATCH", i, g->batch[i].a);
        define(t, "B_BATCH", i, g->batch[i].b);
        define(t, "O_BATCH", i, g->batch[i].o);
    }
    define1(t, "A", g->a0);
    define1(t, "B", g->b0);
    define1(t, "O", g->o0);
    define1(t, "CHUNKS", g->chunks);
}

void weir_bound_define(struct weir_strbuf *t, const struct weir_bound *b)
{
    for (int i = 0; i < 3; i++)
        weir_strbuf_printf(t,
                           "#define CT_STRIDE%d %lld\n#define CT_DILATION%d (%lld)\n"
                           "#define CT_ORIGIN%d (%lld)\n#define CT_IN%d %lld\n",
                           i, (long long)b->stride[i], i, (long long)b->dilation[i], i,
                           (long long)b->origin[i], i, (long long)b->in[i]);
}

// The last axis of the result, from which epilogues count columns.
static int64_t last_extent(const struct weir_emit *e)
{
    const struct weir_shape *s = &e->out[0].shape;
    return s->rank ? s->dim[s->rank - 1] : 1;
}

// Where results go: the epilogue, or the output itself. Appends the launch's arguments.
static void define_results(struct weir_emit *e, struct weir_strbuf *t, struct weir_emit_launch *l)
{
    const struct weir_emit_epilogue *p = e->epilogue;
    if (!p) {
        l->args[l->n_args++] = weir_emit_arg(&e->out[0]);
        return;
    }
    long long last = (long long)last_extent(e);
    // Several kernels of a program may have this epilogue: its functions appear once, unless they
    // carry the kernel's name.
    bool own = strstr(p->decls, "$K") != NULL;
    unsigned long long id = weir_hash64(p->decls, strlen(p->decls), 0);
    if (!own)
        weir_strbuf_printf(t, "#ifndef CT_EPILOGUE_%llx\n#define CT_EPILOGUE_%llx\n", id, id);
    weir_strbuf_puts(t, p->decls);
    weir_strbuf_puts(t, own ? "" : "\n#endif");
    weir_strbuf_printf(t, "\n#define CT_PARAMS %s\n", p->params);
    weir_strbuf_printf(t, "#define CT_BODY(x, o, c) %s\n#define CT_BODY16(x, o, c) %s\n", p->put,
                       p->put16);
    weir_strbuf_printf(t, "#define CT_PUT(x, o) CT_BODY(x, (o), (int)((o) %% %lld))\n", last);
    weir_strbuf_printf(t, "#define CT_PUT16(x, o) CT_BODY16(x, (o), (int)((o) %% %lld))\n", last);
    for (int i = 0; i < p->n_args; i++)
        l->args[l->n_args++] = p->args[i];
}

// --- split sums ---

static void launch_fold(struct weir_emit *e, const struct weir_split *s, int64_t chunk, int64_t chunks)
{
    bool wide = weir_device_has(e->dev, WEIR_CAP_WIDE);
    int step = wide ? 256 : 1, local = wide ? 1 : weir_group_flat(e->dev);
    int64_t n = chunk + s->batch < chunks ? s->batch : chunks - chunk;
    struct weir_emit_arg args[WEIR_LAUNCH_MAX_BUFS] = {s->partial, s->running};
    struct weir_emit_launch l = {.label = "contract_fold",
                                 .n_args = 2,
                                 .args = args,
                                 .n_ints = 3,
                                 .ints = {(int32_t)n, chunk == 0, chunk + n == chunks}};
    bool large = s->results * s->batch > INT32_MAX / 2;
    struct weir_strbuf t = {0};
    weir_strbuf_printf(&t, "#define CT_NAME $K\n#define CT_STEP %d\n#define CT_INT %s\n", step,
                       large ? "long" : "int");
    if (e->epilogue || large) {
        define1(&t, "PARTIAL", s->results);
        define1(&t, "COL3", last_extent(e));
    } else { // one kernel for all: a driver takes longer to compile it than to run it a hundred times
        weir_strbuf_puts(&t, "#define CT_FOLD_INTS , int partial, int columns\n"
                             "#define CT_PARTIAL partial\n#define CT_COL3 columns\n");
        l.ints[l.n_ints++] = (int32_t)s->results;
        l.ints[l.n_ints++] = (int32_t)last_extent(e);
    }
    define_results(e, &t, &l);
    weir_strbuf_puts(&t, weir_kernel_text("contract_fold.cl"));
    l.kernel = weir_emit_kernel_buf(e, "fold", &t);
    l.global[0] = (size_t)(div_up(div_up(s->results, step), local) * local);
    l.global[1] = l.global[2] = 1;
    l.local[0] = (size_t)local;
    l.local[1] = l.local[2] = 1;
    weir_emit_launch(e, &l);
}

void weir_gather_begin(struct weir_emit *e, const struct weir_gather *g, const struct weir_split *s,
                       struct weir_strbuf *t, struct weir_emit_launch *l)
{
    weir_gather_define(t, g);
    if (!s->batch) {
        define_results(e, t, l);
        return;
    }
    weir_strbuf_puts(t, "#define CT_SPLIT 1\n");
    define1(t, "PARTIAL", s->results);
    l->args[l->n_args++] = s->partial;
    l->n_ints = 1;
}

void weir_gather_launch(struct weir_emit *e, const struct weir_gather *g,
                        const struct weir_split *s, struct weir_emit_launch *l, int n)
{
    double flops = 2.0 * (double)(extent(g->row, 4) * extent(g->col, 4)) *
                   (double)(extent(g->term, 4) * extent(g->batch, 6));
    int64_t z = extent(g->batch, 6), step = s->batch ? s->batch : g->chunks;
    for (int64_t chunk = 0; chunk == 0 || chunk < g->chunks; chunk += step) {
        int64_t now = chunk + step < g->chunks ? step : g->chunks - chunk;
        for (int i = 0; i < n; i++) {
            l[i].ints[0] = (int32_t)chunk;
            l[i].flops = s->batch ? flops * (double)now / (double)g->chunks : flops;
            l[i].global[2] = (size_t)(s->batch ? z * now : z);
            weir_emit_launch(e, &l[i]);
        }
        if (!s->batch)
            return;
        launch_fold(e, s, chunk, g->chunks);
    }
}

bool weir_split_possible(const struct weir_emit *e, const struct weir_gather *g)
{
    int64_t results = extent(g->row, 4) * extent(g->col, 4) * extent(g->batch, 6);
    return g->chunks >= 2 && results == weir_shape_size(&e->out[0].shape);
}

struct weir_split weir_split_make(struct weir_emit *e, const struct weir_gather *g)
{
    struct weir_split s = {0};
    int64_t results = extent(g->row, 4) * extent(g->col, 4) * extent(g->batch, 6);
    s.results = results;
    s.batch = PARTIALS_MAX / results;
    s.batch = s.batch < 1 ? 1 : s.batch > g->chunks ? g->chunks : s.batch;
    s.partial =
        (struct weir_emit_arg){weir_emit_scratch(e, WEIR_F32, results * s.batch), WEIR_F32, 0};
    s.running = s.partial; // not touched when one batch holds all chunks
    if (s.batch < g->chunks)
        s.running = (struct weir_emit_arg){weir_emit_scratch(e, WEIR_F32, results), WEIR_F32, 0};
    return s;
}

static enum weir_status emit_int(struct weir_emit *e, const struct weir_gather *g)
{
    struct weir_strbuf t = {0};
    weir_gather_define(&t, g);
    weir_strbuf_puts(&t, weir_kernel_text("contract_int.cl"));
    struct weir_emit_arg args[3] = {g->a.arg, g->b.arg, weir_emit_arg(&e->out[0])};
    struct weir_emit_launch l = {.kernel = weir_emit_kernel_buf(e, "matmul_i8", &t),
                                 .label = "matmul_i8",
                                 .n_args = 3,
                                 .args = args,
                                 .global = {(size_t)extent(g->col, 4), (size_t)extent(g->row, 4),
                                            (size_t)extent(g->batch, 6)}};
    weir_emit_launch(e, &l);
    return WEIR_OK;
}

void weir_gather_simplify(struct weir_gather *g)
{
    if (g->bound.of != WEIR_BOUND_A) // a bound speaks of loops as they are
        collapse(g->row, 4);
    if (g->bound.of != WEIR_BOUND_B)
        collapse(g->col, 4);
    if (g->bound.of == WEIR_BOUND_NONE)
        collapse(g->term, 4);
    collapse(g->batch, 6);
}

enum weir_status weir_gather_emit(struct weir_emit *e, const struct weir_gather *from)
{
    struct weir_gather g = *from;
    if (extent(g.row, 4) * extent(g.col, 4) * extent(g.batch, 6) == 0)
        return WEIR_OK;
    if (extent(g.term, 4) == 0) {
        for (int i = 0; i < 4; i++)
            g.term[i] = (struct weir_axis){.n = 1};
        g.chunks = 0;
    }
    weir_gather_simplify(&g);
    if (extent(g.term, 4) > INT32_MAX / 2)
        return weir_fail(&e->dev->log, WEIR_UNSUPPORTED, "%s: a sum over %lld terms", g.hint,
                         (long long)extent(g.term, 4));
    if (e->in[0].dtype == WEIR_I8)
        return emit_int(e, &g);
    struct weir_candidate c = weir_candidate_for(e, &g);
    if (!c.kernel || !c.kernel->emit)
        return weir_fail(&e->dev->log, WEIR_UNSUPPORTED,
                         "%s: no kernel for it; the device has %d work-items and %llu bytes of local "
                         "memory a group", g.hint, e->dev->info.caps.max_group,
                         (unsigned long long)e->dev->info.caps.local_size);
    return c.kernel->emit(e, &g, c.knob);
}
