// SPDX-License-Identifier: Apache-2.0
// weir_custom_vjp and weir_checkpoint: composites whose body the caller builds. The walks of grad.c
// and jvp.c know the row: without a vjp, and forwards always, the body is differentiated; a
// checkpoint is built anew first, in a recompute region of its own.
#include <stdio.h>
#include <string.h>

#include "graph/diff.h"
#include "graph/ops/rows.h"

static weir_value *make(weir_body_fn *build, weir_body_vjp_fn *vjp, void *ctx, bool checkpoint,
                        weir_value *const *in, int n_in)
{
    weir_value *body = build(ctx, in);
    if (weir_is_poison(body))
        return body;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.custom.build = build;
    attrs.custom.vjp = vjp;
    attrs.custom.ctx = ctx;
    attrs.custom.checkpoint = checkpoint;
    return weir_op_make_composite(&weir_op_custom, in, n_in, &attrs, body);
}

weir_value *weir_custom_vjp(weir_body_fn *build, weir_body_vjp_fn *vjp, void *ctx,
                            weir_value *const *in, int n_in)
{
    return make(build, vjp, ctx, false, in, n_in);
}

weir_value *weir_checkpoint(weir_body_fn *build, void *ctx, weir_value *const *in, int n_in)
{
    return make(build, NULL, ctx, true, in, n_in);
}

static void custom_vjp(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    v->attrs.custom.vjp(v->attrs.custom.ctx, v->arg, v, dy[0], dx);
}

// Cases: p[0] = 0 a rule given, 1 a checkpoint, 2 a checkpoint in a checkpoint.
static weir_value *wave(void *ctx, weir_value *const *in)
{
    return weir_mul(weir_sin(in[0]), weir_exp(weir_neg(weir_square(in[1]))));
}

static void wave_vjp(void *ctx, weir_value *const *in, weir_value *y, weir_value *dy,
                     weir_value **dx)
{
    weir_value *e = weir_exp(weir_neg(weir_square(in[1])));
    dx[0] = weir_mul(dy, weir_mul(weir_cos(in[0]), e));
    dx[1] = weir_mul(dy, weir_mul(weir_mul_c(in[1], -2.0), y));
}

static weir_value *nested(void *ctx, weir_value *const *in)
{
    weir_value *y = weir_checkpoint(wave, NULL, in, 2);
    return weir_mul(y, weir_sigmoid(y));
}

static weir_value *build(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    weir_value *y = c->p[0] == 0 ? weir_custom_vjp(wave, wave_vjp, NULL, in, 2)
                                 : weir_checkpoint(c->p[0] == 1 ? wave : nested, NULL, in, 2);
    return y;
}

static bool cases(int idx, struct weir_op_case *c)
{
    static const char *const labels[] = {"own rule", "checkpoint", "nested checkpoint"};
    if (idx >= 3)
        return false;
    c->build = build;
    c->p[0] = idx;
    snprintf(c->label, sizeof(c->label), "%s", labels[idx]);
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, weir_dims(3, 37));
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, weir_dims(3, 37));
    return true;
}

const struct weir_op weir_op_custom = {.name = "custom",
                                       .desc = "a body with the caller's rule, or a checkpoint",
                                       .arity = -1,
                                       .cls = WEIR_OP_COMPOSITE,
                                       .vjp = custom_vjp,
                                       .cases = cases};
