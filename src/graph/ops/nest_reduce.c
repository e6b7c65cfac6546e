// SPDX-License-Identifier: Apache-2.0
// Loop nests of the reductions, in the canonical order of docs/numerics.md. The order matters for
// sums of floats alone; the others share the code, since their results do not depend on it.
//
//   row     chunks of 4096 terms; inside, term i goes to lane i mod 64, lanes fold as a tree; the
//           chunks' results are terms of the same rule
//   column  runs of 64 terms added in order; the runs' results are terms of the same rule
#include <math.h>

#include "graph/ops/nest_iter.h"
#include "graph/ops/reduce_plan.h"

#include <scalar.h>

enum {
    CHUNK = 4096,
    LANES = 64,
    RUN = 64,
    LEVELS = 7,    // of runs: 64^7 terms
    COLUMNS = 256, // columns that one task takes
};

// Threads for `tasks` pieces of n elements in all.
static int task_threads(const struct weir_nest_call *c, int64_t tasks, int64_t n)
{
    int64_t t = nest_threads(c, n);
    return (int)(t < tasks ? t : tasks);
}

// Columns a task takes so that every thread has work, a cache line at least.
static int64_t column_block(const struct weir_nest_call *c, int64_t a, int64_t b)
{
    int64_t w = COLUMNS;
    while (w > 16 && a * ((b + w - 1) / w) < 2 * c->threads)
        w /= 2;
    return w;
}

#define ADD(a, b) ((a) + (b))
#define OR(a, b) ((uint8_t)((a) | (b)))
#define AND(a, b) ((uint8_t)((a) & (b)))

#define NAME(part) sum_f_##part
#define TYPE weir_real
#define IDENTITY (weir_real)-0.0
#define EMPTY 0
#define COMBINE ADD
#include "graph/ops/nest_reduce_body.h"

#define NAME(part) sum_u_##part
#define TYPE uint32_t
#define IDENTITY 0
#define EMPTY 0
#define COMBINE ADD // signed sums wrap to the same bits
#include "graph/ops/nest_reduce_body.h"

#define NAME(part) max_f_##part
#define TYPE weir_real
#define IDENTITY (weir_real)-INFINITY
#define EMPTY (weir_real)-INFINITY
#define COMBINE weir_max_f
#include "graph/ops/nest_reduce_body.h"

#define NAME(part) max_i_##part
#define TYPE int32_t
#define IDENTITY INT32_MIN
#define EMPTY INT32_MIN
#define COMBINE weir_max_i
#include "graph/ops/nest_reduce_body.h"

#define NAME(part) max_u_##part
#define TYPE uint32_t
#define IDENTITY 0
#define EMPTY 0
#define COMBINE weir_max_u
#include "graph/ops/nest_reduce_body.h"

#define NAME(part) min_f_##part
#define TYPE weir_real
#define IDENTITY (weir_real)INFINITY
#define EMPTY (weir_real)INFINITY
#define COMBINE weir_min_f
#include "graph/ops/nest_reduce_body.h"

#define NAME(part) min_i_##part
#define TYPE int32_t
#define IDENTITY INT32_MAX
#define EMPTY INT32_MAX
#define COMBINE weir_min_i
#include "graph/ops/nest_reduce_body.h"

#define NAME(part) min_u_##part
#define TYPE uint32_t
#define IDENTITY UINT32_MAX
#define EMPTY UINT32_MAX
#define COMBINE weir_min_u
#include "graph/ops/nest_reduce_body.h"

#define NAME(part) any_b_##part
#define TYPE uint8_t
#define IDENTITY 0
#define EMPTY 0
#define COMBINE OR
#include "graph/ops/nest_reduce_body.h"

#define NAME(part) all_b_##part
#define TYPE uint8_t
#define IDENTITY 1
#define EMPTY 1
#define COMBINE AND
#include "graph/ops/nest_reduce_body.h"

WEIR_NEST(sum)
{
    const struct weir_nest_call *c = desc;
    (c->in[0].dtype == WEIR_F32 ? sum_f_run : sum_u_run)(c, ptr);
}

WEIR_NEST(reduce_max)
{
    const struct weir_nest_call *c = desc;
    enum weir_dtype t = c->in[0].dtype;
    (t == WEIR_F32 ? max_f_run : t == WEIR_I32 ? max_i_run : max_u_run)(c, ptr);
}

WEIR_NEST(reduce_min)
{
    const struct weir_nest_call *c = desc;
    enum weir_dtype t = c->in[0].dtype;
    (t == WEIR_F32 ? min_f_run : t == WEIR_I32 ? min_i_run : min_u_run)(c, ptr);
}

WEIR_NEST(any)
{
    any_b_run(desc, ptr);
}

WEIR_NEST(all)
{
    all_b_run(desc, ptr);
}

// Whether x replaces the best so far: strictly better, so ties keep the lowest index. NaN beats all
// numbers, and +0 is greater than -0.
static bool greater_f(weir_real x, weir_real best)
{
    if (isnan(best))
        return false;
    return isnan(x) || x > best || (x == best && signbit(best) && !signbit(x));
}

static bool less_f(weir_real x, weir_real best)
{
    return greater_f(-x, -best);
}

#define GREATER(x, best) ((x) > (best))
#define LESS(x, best) ((x) < (best))

// The output index is a * b + j; the terms of one output lie b apart.
#define ARG(name, type, better)                                                                    \
    static void name(const struct weir_nest_call *c, const struct nest_walk *w, int64_t a,         \
                     int64_t n, int64_t b, int32_t *out)                                           \
    {                                                                                              \
        int64_t width = column_block(c, a, b), blocks = (b + width - 1) / width;                   \
        int threads = task_threads(c, a * blocks, a * n * b);                                      \
        _Pragma("omp parallel for schedule(static) num_threads(threads)") for (int64_t task = 0;   \
                                                                               task < a * blocks;  \
                                                                               task++)             \
        {                                                                                          \
            int64_t row = task / blocks, col = task % blocks * width;                              \
            int64_t m = b - col < width ? b - col : width;                                         \
            int32_t *at = out + row * b + col;                                                     \
            type best[COLUMNS], stage[COLUMNS];                                                    \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type *x = nest_read(w, (row * n + i) * b + col, m, stage);                   \
                for (int64_t j = 0; j < m; j++)                                                    \
                    if (i == 0 || better(x[j], best[j])) {                                         \
                        best[j] = x[j];                                                            \
                        at[j] = (int32_t)i;                                                        \
                    }                                                                              \
            }                                                                                      \
        }                                                                                          \
    }
ARG(argmax_f, weir_real, greater_f)
ARG(argmax_i, int32_t, GREATER)
ARG(argmax_u, uint32_t, GREATER)
ARG(argmin_f, weir_real, less_f)
ARG(argmin_i, int32_t, LESS)
ARG(argmin_u, uint32_t, LESS)

typedef void arg_fn(const struct weir_nest_call *c, const struct nest_walk *w, int64_t a, int64_t n,
                    int64_t b, int32_t *out);

static void run_arg(const struct weir_nest_call *c, void *const *ptr, arg_fn *f, arg_fn *i,
                    arg_fn *u)
{
    const struct weir_nd *nd = &c->in[0];
    struct nest_walk w = nest_walk(nd, ptr[0]);
    int64_t a = 1, n = 1, b = 1;
    for (int k = 0; k < nd->rank; k++) {
        if (c->attrs.reduce.axes >> k & 1)
            n = nd->dim[k];
        else if (c->attrs.reduce.axes >> k == 0)
            b *= nd->dim[k];
        else
            a *= nd->dim[k];
    }
    if (nest_count(nd) > 0)
        (nd->dtype == WEIR_F32 ? f : nd->dtype == WEIR_I32 ? i : u)(c, &w, a, n, b, ptr[1]);
}

WEIR_NEST(argmax)
{
    run_arg(desc, ptr, argmax_f, argmax_i, argmax_u);
}

WEIR_NEST(argmin)
{
    run_arg(desc, ptr, argmin_f, argmin_i, argmin_u);
}
