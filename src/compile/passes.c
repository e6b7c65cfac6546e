// SPDX-License-Identifier: Apache-2.0
// The passes in their order, as often as a limit of memory asks: each time a byte kept for the
// backward pass is worth more, so that more is computed again, until the plan fits.
#include <string.h>

#include "base/log.h"
#include "compile/attention.h"
#include "compile/compile.h"
#include "graph/flop.h"
#include "graph/ops/rows.h"

// Bytes moved that a byte kept is worth. The first one is taken where no limit is set: it gives up
// what costs a step no more than the memory traffic it saves, and little besides. Plans need not
// get smaller all the way: the last ones compute so much again that their own tensors pile up.
static const double prices[] = {0.25, 0.5, 1, 2, 4, 6, 8, 12, 16, 32, 64};

static enum weir_status check_states(struct weir_emit_state *c)
{
    for (int i = 0; i < c->scope.n_live; i++) {
        const weir_value *v = c->scope.live[i];
        if ((v->op == &weir_op_state || v->op == &weir_op_assign) &&
            v->attrs.state.state->dev != c->dev)
            return weir_fail(&c->log, WEIR_INVALID, "state %s belongs to another device",
                             v->attrs.state.state->name);
    }
    return WEIR_OK;
}

static enum weir_status run_passes(struct weir_emit_state *c, weir_graph *g,
                                   weir_value *const *outputs)
{
    enum weir_status status =
        weir_values_make(c, g, outputs, c->scope.n_outputs, &c->dump_values);
    if (status == WEIR_OK)
        status = check_states(c);
    for (int i = 0; i < c->scope.n_live && status == WEIR_OK; i++)
        c->flop += weir_value_flop(c->scope.live[i]);
    if (status == WEIR_OK)
        status = weir_widen_late(c);
    if (status == WEIR_OK)
        status = weir_recompute(c);
    if (status == WEIR_OK)
        status = weir_schedule(c);
    if (status == WEIR_OK)
        status = weir_device_is_host(c->dev) ? weir_write_host(c) : weir_write_groups(c);
    const bool device = !weir_device_is_host(c->dev);
    if (status == WEIR_OK && device && !c->params->no_fusion && !c->params->no_merge)
        status = weir_merge(c);
    if (status == WEIR_OK)
        status = weir_plan(c);
    if (status == WEIR_OK && device)
        status = weir_write_merged(c);
    return status == WEIR_OK && device ? weir_write_module(c) : status;
}

void weir_passes_finish(struct weir_emit_state *c)
{
    weir_arena_destroy(&c->arena);
    weir_arena_destroy(&c->scratch);
    weir_strbuf_free(&c->text);
    weir_strbuf_free(&c->dump_values);
    weir_strbuf_free(&c->dump_recompute);
    weir_strbuf_free(&c->dump_schedule);
    weir_strbuf_free(&c->dump_choices);
    weir_strbuf_free(&c->dump_merge);
    weir_strbuf_free(&c->dump_plan);
    weir_strbuf_free(&c->dump_bodies);
}

// Everything anew, at this price.
static enum weir_status attempt(const struct weir_emit_state *from, double price, weir_graph *g,
                                weir_value *const *outputs, struct weir_emit_state *c)
{
    *c = *from;
    c->price = price;
    c->arena = weir_arena_create();
    c->scratch = weir_arena_create();
    c->scope.outputs =
        weir_arena_array(c->arena, (size_t)c->scope.n_outputs, sizeof(*c->scope.outputs));
    if (!c->scope.outputs || !c->scratch)
        return weir_fail(&c->log, WEIR_NOMEM, "no memory for a program");
    return run_passes(c, g, outputs);
}

// What the device would hold with this program on it.
static size_t held(const struct weir_emit_state *c)
{
    return c->dev->bytes_live + c->arena_size + c->inputs_size + c->constants_size;
}

static enum weir_status does_not_fit(const struct weir_emit_state *c)
{
    weir_plan_explain(c);
    return weir_fail(
        &c->log, WEIR_NOMEM,
        "the limit is %zu bytes; %zu is the least this program can do with: %zu for buffers that "
        "are there already (parameters and their like), %zu for inputs and constants, %zu for "
        "tensors",
        c->params->memory, held(c), c->dev->bytes_live, c->inputs_size + c->constants_size,
        c->arena_size);
}

// The price to begin with; of one operation a group computing again always costs.
static double first_price(const struct weir_emit_state *c)
{
    bool fused = !c->params->no_fusion && !weir_device_is_host(c->dev);
    if (c->params->no_recompute)
        return -1;
    return c->params->keep_price > 0 ? c->params->keep_price : fused ? prices[0] : -1;
}

enum weir_status weir_passes(struct weir_emit_state *c, weir_graph *g, weir_value *const *outputs)
{
    const struct weir_emit_state start = *c;
    const size_t limit = c->params->memory;
    const int n = c->params->no_recompute ? 0 : (int)(sizeof(prices) / sizeof(prices[0]));
    double price = first_price(c), best = price;
    size_t least = SIZE_MAX;
    for (int k = 0;; price = prices[k]) {
        enum weir_status status = attempt(&start, price, g, outputs, c);
        if (status != WEIR_OK || limit == 0 || held(c) <= limit)
            return status;
        if (held(c) < least) {
            least = held(c);
            best = price;
        }
        weir_passes_finish(c);
        while (k < n && prices[k] <= price)
            k++;
        if (k == n)
            break;
    }
    enum weir_status status = attempt(&start, best, g, outputs, c);
    return status == WEIR_OK ? does_not_fit(c) : status;
}
