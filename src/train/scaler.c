// SPDX-License-Identifier: Apache-2.0
// The state of loss scaling and its rule (torch.amp.GradScaler: growth 2, backoff 1/2, interval 2000).
#include "train/scaler.h"

#include <string.h>

enum weir_status weir_scaler_init(weir_device *dev, const struct weir_scaler_state *start, struct weir_scaler *out)
{
    memset(out, 0, sizeof(*out));
    enum weir_status status = weir_state_create(dev, WEIR_F32, weir_scalar_shape, "loss-scale", &out->scale);
    if (!status)
        status = weir_state_create(dev, WEIR_U32, weir_scalar_shape, "good-steps", &out->good);
    if (!status)
        status = weir_state_create(dev, WEIR_U32, weir_scalar_shape, "skipped-steps", &out->skipped);
    if (!status)
        status = weir_scaler_write(out, start);
    if (status)
        weir_scaler_finish(out);
    return status;
}

void weir_scaler_finish(struct weir_scaler *s)
{
    weir_state_destroy(&s->scale);
    weir_state_destroy(&s->good);
    weir_state_destroy(&s->skipped);
}

enum weir_status weir_scaler_write(const struct weir_scaler *s, const struct weir_scaler_state *from)
{
    enum weir_status status = weir_state_write(s->scale, &from->scale);
    if (!status)
        status = weir_state_write(s->good, &from->good);
    return status ? status : weir_state_write(s->skipped, &from->skipped);
}

enum weir_status weir_scaler_read(const struct weir_scaler *s, struct weir_scaler_state *out)
{
    struct weir_scaler_state got;
    enum weir_status status = weir_state_read(s->scale, &got.scale);
    if (!status)
        status = weir_state_read(s->good, &got.good);
    if (!status)
        status = weir_state_read(s->skipped, &got.skipped);
    if (!status)
        *out = got;
    return status;
}

weir_value *weir_scaler_scale(const struct weir_scaler *s, weir_graph *g)
{
    return weir_state_value(g, s->scale);
}

weir_value *weir_scaler_may_shrink(const struct weir_scaler *s, weir_graph *g)
{
    return weir_gt(weir_scaler_scale(s, g), weir_f32(g, WEIR_SCALER_LEAST));
}

void weir_scaler_update(const struct weir_scaler *s, weir_value *going, weir_value *finite)
{
    weir_graph *g = weir_value_graph(going);
    weir_value *scale = weir_scaler_scale(s, g), *zero = weir_u32(g, 0), *one = weir_u32(g, 1);
    weir_value *good = weir_state_value(g, s->good), *skipped = weir_state_value(g, s->skipped);
    weir_value *next = weir_add(good, one), *grows = weir_eq(next, weir_u32(g, WEIR_SCALER_GROWS_AFTER));
    weir_value *doubled = weir_mul(scale, weir_f32(g, 2));
    weir_value *grown = weir_select(weir_and(grows, weir_is_finite(doubled)), doubled, scale);
    weir_value *new_scale = weir_select(finite, grown, weir_mul(scale, weir_f32(g, .5)));
    weir_value *new_good = weir_select(weir_and(finite, weir_not(grows)), next, zero);
    weir_value *new_skipped = weir_select(finite, skipped, weir_add(skipped, one));
    weir_assign(s->scale, weir_select(going, new_scale, scale));
    weir_assign(s->good, weir_select(going, new_good, good));
    weir_assign(s->skipped, weir_select(going, new_skipped, skipped));
}
