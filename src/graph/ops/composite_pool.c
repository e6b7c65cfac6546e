// SPDX-License-Identifier: Apache-2.0
// Pooling over the spatial axes of x (N, spatial.., C), as a chain over the window's offsets in
// row-major order, each a strided slice of the padded input: y = max(max(s0, s1), s2).. or
// ((s0 + s1) + s2).. · (1/w). Gradients go through this body, so a tie's goes to the first offset.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/ops/composite.h"
#include "graph/ops/rows.h"

struct pool {
    int nd;
    int64_t window[3], stride[3], pad[3], out[3];
    int64_t size; // elements of the window
};

static const char *describe(const weir_value *x, const int64_t *window, const int64_t *stride,
                            const int64_t *pad, struct pool *p)
{
    *p = (struct pool){.nd = x->type.shape.rank - 2, .size = 1};
    if (p->nd < 1 || p->nd > 3)
        return "needs 1 to 3 spatial axes";
    for (int i = 0; i < p->nd; i++) {
        p->window[i] = window[i];
        p->stride[i] = stride ? stride[i] : window[i];
        p->pad[i] = pad ? pad[i] : 0;
        if (p->window[i] < 1 || p->stride[i] < 1 || p->pad[i] < 0 || p->pad[i] >= p->window[i])
            return "needs window and stride of at least 1, padding below the window";
        int64_t room = x->type.shape.dim[1 + i] + 2 * p->pad[i] - p->window[i];
        if (room < 0)
            return "the window is larger than the padded input";
        p->out[i] = room / p->stride[i] + 1;
        p->size *= p->window[i];
    }
    return NULL;
}

static weir_value *padded(weir_value *x, const struct pool *p, double value)
{
    int64_t edge[WEIR_MAX_RANK] = {0};
    bool any = false;
    for (int i = 0; i < p->nd; i++) {
        edge[1 + i] = p->pad[i];
        any |= p->pad[i] > 0;
    }
    return any ? weir_pad(x, edge, edge, NULL, value) : x;
}

// The elements of x that stand at the k-th offset of every window.
static weir_value *at_offset(weir_value *x, const struct pool *p, int64_t k)
{
    for (int i = p->nd - 1; i >= 0; i--) {
        int64_t start = k % p->window[i];
        k /= p->window[i];
        x = weir_slice(x, 1 + i, start, start + (p->out[i] - 1) * p->stride[i] + 1, p->stride[i]);
    }
    return x;
}

static weir_value *make(const struct weir_op *op, weir_value *x, const struct pool *p,
                        weir_value *body)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    for (int i = 0; i < p->nd; i++) {
        attrs.any.i[i] = (int)p->window[i];
        attrs.any.l[i] = p->stride[i];
        attrs.any.l[3 + i] = p->pad[i];
    }
    return weir_op_make_composite(op, &x, 1, &attrs, body);
}

weir_value *weir_max_pool(weir_value *x, const int64_t *window, const int64_t *stride,
                          const int64_t *pad)
{
    if (weir_is_poison(x))
        return x;
    struct pool p;
    const char *why = describe(x, window, stride, pad, &p);
    if (why)
        return weir_graph_fail(x->graph, "max_pool: %s", why);
    weir_value *from = padded(x, &p, -INFINITY), *y = at_offset(from, &p, 0);
    for (int64_t k = 1; k < p.size; k++)
        y = weir_max(y, at_offset(from, &p, k));
    return make(&weir_op_max_pool, x, &p, y);
}

weir_value *weir_mean_pool(weir_value *x, const int64_t *window, const int64_t *stride,
                           const int64_t *pad)
{
    if (weir_is_poison(x))
        return x;
    struct pool p;
    const char *why = describe(x, window, stride, pad, &p);
    if (why)
        return weir_graph_fail(x->graph, "mean_pool: %s", why);
    weir_value *from = padded(x, &p, 0.0), *y = at_offset(from, &p, 0);
    for (int64_t k = 1; k < p.size; k++)
        y = weir_add(y, at_offset(from, &p, k));
    return make(&weir_op_mean_pool, x, &p, weir_mul_c(y, 1.0 / (double)p.size));
}

// Cases: p[0] spatial axes, p[1..3] window, p[4..6] stride, p[7..9] padding.
static bool cases(int idx, struct weir_op_case *c)
{
    static const struct {
        int64_t dims[6];
        int64_t p[10];
    } rows[] = {{{2, 8, 6, 3, -1}, {2, 2, 2, 0, 2, 2, 0, 0, 0, 0}},
                {{1, 7, 5, 2, -1}, {2, 3, 3, 0, 2, 1, 0, 1, 1, 0}},
                {{2, 13, 4, -1}, {1, 3, 0, 0, 2, 0, 0, 0, 0, 0}},
                {{1, 4, 5, 4, 2, -1}, {3, 2, 3, 2, 2, 2, 2, 1, 0, 1}}};
    if (idx >= (int)WEIR_COUNT(rows))
        return false;
    snprintf(c->label, sizeof(c->label), "%d-d window %d", (int)rows[idx].p[0], idx);
    for (int i = 0; i < 10; i++)
        c->p[i] = rows[idx].p[i];
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, rows[idx].dims);
    return true;
}

static weir_value *build_max(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_max_pool(in[0], c->p + 1, c->p + 4, c->p + 7);
}

static weir_value *build_mean(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_mean_pool(in[0], c->p + 1, c->p + 4, c->p + 7);
}

static bool cases_max(int idx, struct weir_op_case *c)
{
    c->build = build_max;
    return cases(idx, c);
}

static bool cases_mean(int idx, struct weir_op_case *c)
{
    c->build = build_mean;
    return cases(idx, c);
}

const struct weir_op weir_op_max_pool = {.name = "max_pool",
                                         .desc = "maximum over a window, padding -inf",
                                         .arity = 1,
                                         .cls = WEIR_OP_COMPOSITE,
                                         .cases = cases_max};
const struct weir_op weir_op_mean_pool = {.name = "mean_pool",
                                          .desc = "mean over a window, padding counts as 0",
                                          .arity = 1,
                                          .cls = WEIR_OP_COMPOSITE,
                                          .cases = cases_mean};
