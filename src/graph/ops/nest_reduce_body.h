// SPDX-License-Identifier: Apache-2.0
// The reduction template of nest_reduce.c, for one NAME, element TYPE and function COMBINE.
// IDENTITY is what a missing lane holds (-0 for sums: x + -0 is x for every x), EMPTY the result of
// no terms.

static TYPE NAME(chunk)(const TYPE *x, int64_t n)
{
    TYPE lane[LANES];
    for (int l = 0; l < LANES; l++)
        lane[l] = IDENTITY;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
#pragma omp simd
        for (int l = 0; l < LANES; l++)
            lane[l] = COMBINE(lane[l], x[i + l]);
    }
    for (int l = 0; i + l < n; l++)
        lane[l] = COMBINE(lane[l], x[i + l]);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] = COMBINE(lane[l], lane[l + half]);
    return lane[0];
}

static TYPE NAME(row)(const struct nest_walk *w, int64_t first, int64_t n, int threads)
{
    TYPE sums[CHUNK], top[CHUNK];
    int64_t n_top = 0, group = (int64_t)CHUNK * CHUNK;
    for (int64_t at = 0; at < n; at += group) {
        int64_t left = n - at < group ? n - at : group, chunks = (left + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
        for (int64_t k = 0; k < chunks; k++) {
            TYPE stage[CHUNK];
            int64_t m = left - k * CHUNK < CHUNK ? left - k * CHUNK : CHUNK;
            sums[k] = NAME(chunk)(nest_read(w, first + at + k * CHUNK, m, stage), m);
        }
        top[n_top++] = chunks == 1 ? sums[0] : NAME(chunk)(sums, chunks);
    }
    return n_top == 1 ? top[0] : NAME(chunk)(top, n_top);
}

struct NAME(runs) {
    TYPE sum[LEVELS][COLUMNS];
    int count[LEVELS];
};

static void NAME(push)(struct NAME(runs) *r, int level, const TYPE *x, int64_t n)
{
    TYPE *sum = r->sum[level];
    if (r->count[level] == 0) {
        memcpy(sum, x, (size_t)n * sizeof(TYPE));
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            sum[i] = COMBINE(sum[i], x[i]);
    }
    if (++r->count[level] == RUN) {
        r->count[level] = 0;
        NAME(push)(r, level + 1, sum, n);
    }
}

static void NAME(column)(const struct weir_nest_call *c, const struct nest_walk *w,
                          const struct reduce_column *s, TYPE *out)
{
    int64_t width = column_block(c, s->a, s->b), blocks = (s->b + width - 1) / width;
    int threads = task_threads(c, s->a * blocks, s->a * s->n * s->b);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t task = 0; task < s->a * blocks; task++) {
        int64_t a = task / blocks, b = task % blocks * width;
        int64_t m = s->b - b < width ? s->b - b : width;
        struct NAME(runs) r;
        TYPE stage[COLUMNS];
        memset(r.count, 0, sizeof(r.count));
        for (int64_t i = 0; i < s->n; i++)
            NAME(push)(&r, 0, nest_read(w, (a * s->n + i) * s->b + b, m, stage), m);
        int level = 0, last = LEVELS - 1;
        while (r.count[last] == 0)
            last--;
        for (; level < last; level++)
            if (r.count[level] > 0) {
                NAME(push)(&r, level + 1, r.sum[level], m);
                last = r.count[last] == 0 ? last + 1 : last;
            }
        memcpy(out + a * s->b + b, r.sum[last], (size_t)m * sizeof(TYPE));
    }
}

static TYPE NAME(short)(const struct nest_walk *w, int64_t first, int64_t n)
{
    TYPE stage[CHUNK];
    return NAME(chunk)(nest_read(w, first, n, stage), n);
}

static void NAME(run)(const struct weir_nest_call *c, void *const *ptr)
{
    const struct weir_nd *nd = &c->in[0];
    struct reduce_plan p = reduce_plan(nd->rank, nd->dim, c->attrs.reduce.axes);
    struct nest_walk w = nest_walk(nd, ptr[0]);
    int64_t n_out = nest_count(&c->out[0]), n_in = nest_count(nd);
    TYPE *out = ptr[1], *scratch = ptr[2];
    if (n_in == 0) {
        for (int64_t i = 0; i < n_out; i++)
            out[i] = EMPTY;
        return;
    }
    for (int k = 0; k < p.n_columns; k++) {
        const struct reduce_column *s = &p.column[k];
        bool last = k == p.n_columns - 1 && p.row == 1;
        TYPE *dst = last ? out : scratch;
        NAME(column)(c, &w, s, dst);
        if (last)
            return;
        w = (struct nest_walk){(unsigned char *)dst, sizeof(TYPE), 1, {s->a * s->b}, {1}};
        scratch += s->a * s->b;
    }
    int threads = task_threads(c, p.rows, n_in);
    if (p.rows < c->threads) {
        for (int64_t i = 0; i < p.rows; i++)
            out[i] = NAME(row)(&w, i * p.row, p.row, nest_threads(c, p.row));
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < p.rows; i++)
        out[i] = p.row <= CHUNK ? NAME(short)(&w, i * p.row, p.row)
                                : NAME(row)(&w, i * p.row, p.row, 1);
}

#undef NAME
#undef TYPE
#undef IDENTITY
#undef EMPTY
#undef COMBINE
