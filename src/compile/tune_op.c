// SPDX-License-Identifier: Apache-2.0
// The tuner's bench: a contraction taken out of its program, with the operands' strides as they are
// there and scratch of its own, through the same writers and the same recording.
#include "compile/tune_op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "graph/nest.h"
#include "graph/ops/rows.h"

#define POISON 0x7fc12345u // a NaN that no kernel makes

// One more than the last element of o.
static int64_t span_of(const struct weir_operand *o)
{
    int64_t last = o->offset;
    for (int i = 0; i < o->shape.rank; i++)
        if (o->stride[i] > 0)
            last += o->stride[i] * (o->shape.dim[i] - 1);
    return last + 1;
}

// Numbers of size one (f16: 1/32 to 1/2) with all bits of a fraction; any will do, as long as sums differ by
// their order.
static void fill(void *data, enum weir_dtype dtype, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        float x = (float)(int32_t)(seed >> 32) * 0x1p-31f;
        uint32_t bits;
        memcpy(&bits, &x, sizeof(bits));
        if (dtype == WEIR_F32)
            ((float *)data)[i] = x;
        else if (dtype == WEIR_BF16)
            ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
        else
            ((uint16_t *)data)[i] = (uint16_t)((seed >> 48 & 0x8000) | (0x2800 + (seed >> 36 & 0xfff)));
    }
}

// Their magnitudes, or as many ones.
static void flatten(void *data, enum weir_dtype dtype, int64_t n, bool ones)
{
    const uint16_t one = dtype == WEIR_BF16 ? 0x3f80 : 0x3c00;
    for (int64_t i = 0; i < n; i++)
        if (dtype == WEIR_F32)
            ((float *)data)[i] = ones ? 1 : fabsf(((float *)data)[i]);
        else
            ((uint16_t *)data)[i] = ones ? one : ((uint16_t *)data)[i] & 0x7fff;
}

static struct weir_nd nd_of(const struct weir_operand *o)
{
    struct weir_nd nd = {.dtype = o->dtype, .rank = o->shape.rank};
    memcpy(nd.dim, o->shape.dim, sizeof(nd.dim));
    memcpy(nd.stride, o->stride, sizeof(nd.stride));
    return nd;
}

static void host_result(struct weir_tune_op *op, float *dst)
{
    struct weir_nd nd[3] = {nd_of(&op->in[0]), nd_of(&op->in[1]), nd_of(&op->out)};
    struct weir_nest_call call = {2, 1, nd, nd + 2, op->like->v->attrs, op->dev->threads};
    void *ptr[4] = {NULL, NULL, dst, op->scratch};
    for (int i = 0; i < 2; i++)
        ptr[i] = (char *)op->data[i] + op->in[i].offset * (int64_t)weir_dtype_size(op->in[i].dtype);
    op->like->v->op->host.isa[weir_isa_best()](&call, ptr);
}

// What errors are measured by: the same sums of magnitudes, and of ones. The data is of no use
// afterwards.
static enum weir_status measure_sums(struct weir_tune_op *op)
{
    op->terms = calloc(op->n, sizeof(float));
    op->size = calloc(op->n, sizeof(float));
    if (!op->terms || !op->size)
        return WEIR_NOMEM;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 2; i++)
            flatten(op->data[i], op->in[i].dtype, span_of(&op->in[i]), pass == 1);
        host_result(op, pass ? op->terms : op->size);
    }
    return WEIR_OK;
}

static enum weir_status make_operand(struct weir_tune_op *op, int i)
{
    struct weir_operand *o = &op->in[i];
    int64_t n = span_of(o);
    op->data[i] = malloc((size_t)n * weir_dtype_size(o->dtype));
    if (!op->data[i])
        return WEIR_NOMEM;
    fill(op->data[i], o->dtype, n, (uint64_t)i + 1);
    enum weir_status status =
        weir_state_create(op->dev, o->dtype, weir_shape(n), "operand", &op->state[i]);
    return status ? status : weir_state_write(op->state[i], op->data[i]);
}

enum weir_status weir_tune_op_init(struct weir_tune_op *op, const struct weir_emit *like)
{
    *op = (struct weir_tune_op){.dev = like->dev,
                                .like = like,
                                .in = {like->in[0], like->in[1]},
                                .out = like->out[0],
                                .arena = weir_arena_create()};
    op->n = (size_t)weir_shape_size(&op->out.shape);
    op->out.offset = 0;
    return op->arena
               ? WEIR_OK
               : weir_fail(&op->dev->log, WEIR_NOMEM, "no memory to tune %s", like->v->op->name);
}

enum weir_status weir_tune_op_load(struct weir_tune_op *op)
{
    if (op->want)
        return WEIR_OK;
    const weir_value *v = op->like->v;
    size_t scratch = v->op->scratch ? v->op->scratch(v) : 0;
    op->want = calloc(op->n, 4);
    op->got = malloc(4 * op->n);
    op->scratch = malloc(scratch + 64);
    if (!op->want || !op->got || !op->scratch)
        return weir_fail(&op->dev->log, WEIR_NOMEM, "no memory to tune %s", op->like->v->op->name);
    enum weir_status status = make_operand(op, 0);
    if (status == WEIR_OK)
        status = make_operand(op, 1);
    if (status == WEIR_OK)
        status = weir_state_create(op->dev, WEIR_F32, weir_shape((int64_t)op->n), "result",
                                   &op->state[2]);
    if (status != WEIR_OK)
        return status;
    host_result(op, op->want);
    return op->like->fast ? measure_sums(op) : WEIR_OK;
}

void weir_tune_op_finish(struct weir_tune_op *op)
{
    for (int i = 0; i < 3; i++)
        weir_state_destroy(&op->state[i]);
    free(op->data[0]);
    free(op->data[1]);
    free(op->want);
    free(op->got);
    free(op->scratch);
    free(op->terms);
    free(op->size);
    weir_arena_destroy(&op->arena);
}

// Slots of the operands, which the emission refers to, and then its launches.
static enum weir_status emit(struct weir_tune_op *op, struct weir_emit_state *c,
                             struct weir_emit *e)
{
    struct weir_operand *o[3] = {&op->in[0], &op->in[1], &op->out};
    for (int i = 0; i < 3; i++) {
        struct weir_slot slot = {.home = WEIR_SLOT_STATE,
                                 .dtype = o[i]->dtype,
                                 .state = op->state[i],
                                 .size = weir_dtype_size(o[i]->dtype) * (size_t)span_of(o[i]),
                                 .name = "operand"};
        o[i]->slot = weir_slot_add(c, &slot);
    }
    enum weir_status status = weir_contract_emit(e);
    return status == WEIR_OK ? c->status : status;
}

// Scratch side by side: what a plan would save is of no interest here.
void weir_tune_place(struct weir_emit_state *c)
{
    for (int i = 0; i < c->n_slots; i++) {
        struct weir_slot *s = &c->slots[i];
        if (s->home != WEIR_SLOT_ARENA)
            continue;
        s->offset = c->arena_size;
        c->arena_size = weir_align_up(c->arena_size + s->size, 4096);
    }
}

enum weir_status weir_tune_op_build(struct weir_tune_op *op, const struct weir_forced *forced,
                                    int n_forced, struct weir_seen *seen, weir_program **program)
{
    static const struct weir_compile_params defaults;
    struct weir_emit_state c = {.dev = op->dev,
                                .scope.loop = -1,
                                .params = &defaults,
                                .log = op->dev->log,
                                .fast = op->like->fast};
    struct weir_emit e = *op->like;
    struct weir_program *p = calloc(1, sizeof(*p));
    c.arena = weir_arena_create();
    if (!p || !c.arena) {
        weir_arena_destroy(&c.arena);
        free(p);
        return WEIR_NOMEM;
    }
    p->dev = op->dev;
    p->arena = c.arena;
    p->label = "tuner";
    c.call_status = &p->call_status;
    e.state = &c;
    e.arena = op->arena;
    e.in = op->in;
    e.out = &op->out;
    e.forced = forced;
    e.n_forced = n_forced;
    e.seen = seen;
    e.choices = NULL;
    enum weir_status status = emit(op, &c, &e);
    weir_tune_place(&c);
    if (status == WEIR_OK)
        status = weir_write_module(&c);
    if (status == WEIR_OK && program)
        status = weir_record(&c, p);
    weir_strbuf_free(&c.text);
    if (status == WEIR_OK && program) {
        *program = p;
        p = NULL;
    }
    weir_program_destroy(&p);
    return status;
}

// A sum of n products in any order is wrong by no more than n 2^-24 of its magnitudes, and so is
// the host's.
static bool near(const struct weir_tune_op *op, double rounding)
{
    for (size_t i = 0; i < op->n; i++) {
        double unit = 2.02 * ((op->terms[i] + 2) * 0x1p-24 + rounding);
        if (!(fabs((double)op->got[i] - op->want[i]) <= unit * op->size[i])) // NaN too
            return false;
    }
    return true;
}

enum weir_status weir_tune_op_verify(struct weir_tune_op *op, weir_program *program,
                                     double rounding, bool *good)
{
    enum weir_status status = weir_buf_fill(op->state[2]->home->buf, 0, POISON, op->state[2]->room);
    if (status == WEIR_OK)
        status = weir_list_replay(op->dev, program->list);
    if (status == WEIR_OK)
        status = weir_buf_read(op->state[2]->home->buf, 0, op->got, 4 * op->n);
    *good = status == WEIR_OK &&
            (op->like->fast ? near(op, rounding) : !memcmp(op->got, op->want, 4 * op->n));
    return status;
}

enum weir_status weir_tune_time(weir_device *dev, weir_program *program, int n, double *s)
{
    enum weir_status status = weir_device_finish(dev);
    double start = weir_clock();
    for (int i = 0; i < n && status == WEIR_OK; i++)
        status = weir_list_replay(dev, program->list);
    if (status == WEIR_OK)
        status = weir_device_finish(dev);
    *s = (weir_clock() - start) / n;
    return status;
}
