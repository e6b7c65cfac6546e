// SPDX-License-Identifier: Apache-2.0
// The last pass: buffers are made, the module is built, launches get their addresses and are recorded.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/compile.h"

static enum weir_status make_buffer(struct weir_emit_state *c, size_t size, weir_buf **out)
{
    return size > 0 ? weir_buf_create(c->dev, size, out) : WEIR_OK;
}

static enum weir_status fill_constants(struct weir_emit_state *c, weir_buf *buf)
{
    for (int i = 0; i < c->n_slots; i++) {
        const struct weir_slot *s = &c->slots[i];
        if (s->home != WEIR_SLOT_CONSTANT || s->first < 0 || !s->data)
            continue;
        enum weir_status status = weir_buf_write(buf, s->offset, s->data, s->size);
        if (status != WEIR_OK)
            return status;
    }
    return WEIR_OK;
}

static enum weir_status make_guards(const struct weir_emit_state *c, struct weir_program *p)
{
    enum weir_status status = weir_guards_take(c, p);
    if (status == WEIR_OK)
        status = weir_guards_fill(p->constants, 0);
    return status == WEIR_OK ? weir_guards_fill(p->inputs, 0) : status;
}

static enum weir_status make_buffers(struct weir_emit_state *c, struct weir_program *p)
{
    const size_t before = c->dev->bytes_live;
    enum weir_status status = make_buffer(c, c->constants_size, &p->constants);
    if (status == WEIR_OK)
        status = make_buffer(c, c->inputs_size, &p->inputs);
    if (status == WEIR_OK)
        status = make_buffer(c, c->arena_size, &p->memory);
    p->info.allocated = c->dev->bytes_live - before;
    if (status == WEIR_OK && c->params->guards)
        status = make_guards(c, p);
    if (status == WEIR_OK)
        status = fill_constants(c, p->constants);
    if (status == WEIR_NOMEM)
        weir_plan_explain(c);
    return status;
}

static weir_buf *buffer_of(const struct weir_emit_state *c, const struct weir_program *p, int slot)
{
    slot = weir_slot_base(c, slot);
    switch (c->slots[slot].home) {
    case WEIR_SLOT_CONSTANT:
        return p->constants;
    case WEIR_SLOT_INPUT:
        return p->inputs;
    case WEIR_SLOT_STATE:
        return c->slots[slot].state->home->buf;
    default:
        return p->memory;
    }
}

// Appends to steps[] how the slot of argument `arg` moves in the loops around its launch.
static void add_steps(const struct weir_emit_state *c, int slot, int arg, struct weir_launch_step *steps, int *n_steps)
{
    for (const struct weir_slot *s = &c->slots[slot]; s->alias >= 0 || s->home == WEIR_SLOT_WINDOW;
         s = &c->slots[s->alias >= 0 ? s->alias : s->of])
        if (s->alias < 0 && s->step != 0)
            steps[(*n_steps)++] = (struct weir_launch_step) { arg, c->loops[s->loop].depth, s->step };
}

// No launch of a GPU may take so long that the screen stands still. A unit of the slowest does some 4
// GFLOP/s and .25 GB/s (a 24-unit laptop GPU: 100 and 6), so what is estimated takes less.
enum { FLOPS_A_MS = 4000000, BYTES_A_MS = 250000, LAUNCH_MS = 100, MOST_PARTS = 1000 };

double weir_launch_parts(const struct weir_emit_state *c, double flops, double bytes)
{
    double units = c->dev->info.caps.compute_units, most = c->params->launch_ms;
    double ms = (flops / FLOPS_A_MS + bytes / BYTES_A_MS) / (units > 0 ? units : 1);
    return weir_device_has(c->dev, WEIR_CAP_WIDE) ? 1 : ms / (most > 0 ? most : LAUNCH_MS) + 1;
}

static int parts_of(const struct weir_emit_state *c, double flops, double bytes, const struct weir_launch *to)
{
    if (to->gemm) // it was cut when it was written
        return (int)(to->gemm->batch * (to->gemm->rows ? (to->gemm->m + to->gemm->rows - 1) / to->gemm->rows : 1));
    if (!to->kernel)
        return 1;
    double parts = weir_launch_parts(c, flops, bytes);
    int along, splits = weir_launch_splits(to, &along);
    splits = splits < MOST_PARTS ? splits : MOST_PARTS;
    return parts < splits ? (int)parts : splits;
}

static enum weir_status bind(const struct weir_emit_state *c, const struct weir_program *p,
                             const struct weir_planned *from, struct weir_launch *to)
{
    struct weir_launch_step *steps = NULL;
    int n_steps = 0;
    double bytes = 0;
    if (from->loop >= 0) // no more than one window a loop around the launch
        steps = weir_arena_array(p->arena, (size_t)(from->n_args * WEIR_LOOP_MAX_DEPTH), sizeof(*steps));
    if (from->loop >= 0 && !steps)
        return WEIR_NOMEM;
    *to = (struct weir_launch) { .module = from->kernel ? p->module : NULL, .kernel = from->kernel,
                                 .gemm = from->gemm, .fn = from->fn, .desc = from->desc,
                                 .host_callback = from->host_callback, .written = from->written,
                                 .n_bufs = from->n_args, .n_ints = from->n_ints,
                                 .label = from->label };
    memcpy(to->ints, from->ints, sizeof(to->ints));
    memcpy(to->global, from->global, sizeof(to->global));
    memcpy(to->local, from->local, sizeof(to->local));
    for (int a = 0; a < from->n_args; a++) {
        const struct weir_emit_arg *arg = &from->args[a];
        size_t size = weir_dtype_size(arg->dtype);
        size_t view = (size_t)arg->offset * size;
        to->bufs[a].buf = buffer_of(c, p, arg->slot);
        to->bufs[a].offset = weir_slot_place(c, arg->slot) + view;
        add_steps(c, arg->slot, a, steps, &n_steps);
        to->bufs[a].elem_size = (uint32_t)size;
        to->buf_size[a] = c->slots[arg->slot].size - view;
        bytes += (double)c->slots[arg->slot].size;
    }
    to->steps = steps;
    to->n_steps = n_steps;
    to->parts = parts_of(c, from->flops, bytes, to);
    return WEIR_OK;
}

static void bind_batch(const struct weir_emit_state *c, const struct weir_program *p, const struct weir_batch *b,
                       struct weir_launch *to)
{
    *to = (struct weir_launch) { .module = p->module, .kernel = b->kernel, .label = b->kernel,
                                 .n_bufs = b->n_bufs + 1, .global = { b->groups * b->local[0], b->local[1], b->local[2] } };
    memcpy(to->local, b->local, sizeof(to->local));
    for (int i = 0; i < b->n_bufs; i++) {
        to->bufs[i] = (struct weir_buf_ref) { buffer_of(c, p, b->buf[i]), 0, 1 };
        to->buf_size[i] = to->bufs[i].buf->size;
    }
    const struct weir_slot *table = &c->slots[b->table];
    to->bufs[b->n_bufs] = (struct weir_buf_ref) { p->constants, table->offset, sizeof(uint32_t) };
    to->buf_size[b->n_bufs] = table->size;
    to->parts = parts_of(c, b->flops, b->bytes, to);
}

// The loop that stands in `parent` and begins with launch i.
static int loop_at(const struct weir_emit_state *c, int i, int parent)
{
    int k = c->launches[i].loop;
    while (c->loops[k].parent != parent)
        k = c->loops[k].parent;
    return k;
}

// Launches [first, end) of `loop`, each loop in it with a launch before its own; returns their number.
static enum weir_status bind_range(const struct weir_emit_state *c, const struct weir_program *p,
                                   int first, int end, int loop, struct weir_launch *l, int *n)
{
    enum weir_status status = WEIR_OK;
    for (int i = first; i < end && status == WEIR_OK; i++) {
        if (c->launches[i].loop == loop) {
            const struct weir_batch *b = c->launches[i].batch ? &c->batches[c->launches[i].batch - 1] : NULL;
            if (b && b->kernel) {
                bind_batch(c, p, b, &l[(*n)++]);
                i = b->end - 1;
            } else if (!c->launches[i].dropped)
                status = bind(c, p, &c->launches[i], &l[(*n)++]);
            continue;
        }
        int inner = loop_at(c, i, loop), at = (*n)++;
        status = bind_range(c, p, i, c->loops[inner].end, inner, l, n);
        l[at] = (struct weir_launch) { .span = *n - at - 1, .repeat = c->loops[inner].n, .label = "loop" };
        if (l[at].span == 0)
            (*n)--;
        i = c->loops[inner].end - 1;
    }
    return status;
}

static enum weir_status record_launches(struct weir_emit_state *c, struct weir_program *p)
{
    struct weir_launch *l = calloc((size_t)(c->n_launches + c->n_loops) + 1, sizeof(*l));
    if (!l)
        return weir_fail(&c->log, WEIR_NOMEM, "no memory for %d launches", c->n_launches);
    int n = 0;
    enum weir_status status = bind_range(c, p, 0, c->n_launches, -1, l, &n);
    if (status == WEIR_OK)
        status = weir_list_record(c->dev, l, n, &p->list);
    p->info.launches = n;
    for (int i = 0; i < n; i++)
        p->info.parts += l[i].parts;
    if (!c->params->no_replay) {
        free(l);
        return status;
    }
    p->launches = l;
    p->n_launches = n;
    p->kernels = c->kernels;
    p->n_kernels = c->n_kernels;
    return status;
}

static enum weir_status take_ends(struct weir_emit_state *c, struct weir_program *p)
{
    for (int i = 0; i < c->n_slots; i++) {
        const struct weir_slot *s = &c->slots[i];
        if (s->home != WEIR_SLOT_INPUT || s->first < 0)
            continue;
        p->input[s->input].offset = s->offset;
        p->input[s->input].used = true;
    }
    p->n_outputs = c->scope.n_outputs;
    p->output = weir_arena_array(p->arena, (size_t)c->scope.n_outputs + 1, sizeof(*p->output));
    if (!p->output)
        return weir_fail(&c->log, WEIR_NOMEM, "no memory for %d outputs", c->scope.n_outputs);
    for (int i = 0; i < c->scope.n_outputs; i++) {
        const weir_value *v = c->scope.outputs[i];
        p->output[i].buf = buffer_of(c, p, c->scope.output_slot[i]);
        p->output[i].offset = c->slots[c->scope.output_slot[i]].offset;
        p->output[i].size = (size_t)weir_shape_size(&v->type.shape) * weir_dtype_size(v->type.dtype);
        p->output[i].dtype = v->type.dtype;
    }
    return WEIR_OK;
}

static enum weir_status build_module(struct weir_emit_state *c, struct weir_program *p)
{
    if (c->n_kernels == 0)
        return WEIR_OK;
    if (c->text.failed || !c->text.s)
        return weir_fail(&c->log, WEIR_NOMEM, "no memory for the kernels' text");
    struct weir_build_params build = { .source = c->text.s, .label = p->label, .fast = c->fast };
    return weir_module_build(c->dev, &build, &p->module);
}

enum weir_status weir_record(struct weir_emit_state *c, struct weir_program *p)
{
    enum weir_status status = make_buffers(c, p);
    if (status == WEIR_OK)
        status = build_module(c, p);
    if (status == WEIR_OK)
        status = record_launches(c, p);
    return status == WEIR_OK ? take_ends(c, p) : status;
}
