// SPDX-License-Identifier: Apache-2.0
// f32 of f16 or bf16 is made where it is read: each elementwise reader and reduction gets a widening cast
// of its own, right before it. So the cast joins its reader's kernel, what is in memory is the 16 bits,
// and what recompute weighs against each other are those.
#include "base/log.h"
#include "compile/compile.h"
#include "graph/ops/rows.h"

static bool widens(const weir_value *v)
{
    return v->op == &weir_op_cast && v->type.dtype == WEIR_F32 &&
           weir_is_storage(v->arg[0]->type.dtype);
}

// Reads its arguments into registers.
static bool in_registers(const weir_value *v)
{
    return v->op->cls == WEIR_OP_MAP || v->op->cls == WEIR_OP_REDUCE;
}

struct pass {
    struct weir_emit_state *c;
    weir_value **list;
    int n;
};

static bool made_since(const struct pass *p, int start, const weir_value *v)
{
    for (int i = start; i < p->n; i++)
        if (p->list[i] == v)
            return true;
    return false;
}

// Makes v's arguments that are widening casts anew, each once.
static bool widen_arguments(struct pass *p, weir_value *v)
{
    const int start = p->n;
    for (int a = 0; a < v->arity; a++) {
        weir_value *from = v->arg[a];
        if (!widens(from) || made_since(p, start, from))
            continue;
        weir_value *own = weir_arena_memdup(p->c->arena, from, sizeof(*from));
        if (!own)
            return false;
        p->list[p->n++] = own;
        for (int k = a; k < v->arity; k++)
            if (v->arg[k] == from)
                v->arg[k] = own;
    }
    return true;
}

// Casts that nobody reads any more go; the rest is numbered anew.
static void drop_unread(struct pass *p, bool *read)
{
    int n = 0;
    for (int i = 0; i < p->n; i++)
        p->list[i]->id = i;
    for (int i = 0; i < p->c->scope.n_outputs; i++)
        read[p->c->scope.outputs[i]->id] = true;
    for (int i = 0; i < p->n; i++)
        for (int a = 0; a < p->list[i]->arity; a++)
            read[p->list[i]->arg[a]->id] = true;
    for (int i = 0; i < p->n; i++)
        if (read[i] || !widens(p->list[i]))
            p->list[n++] = p->list[i];
    for (int i = 0; i < n; i++)
        p->list[i]->id = i;
    p->n = n;
}

enum weir_status weir_widen_late(struct weir_emit_state *c)
{
    struct weir_scope *s = &c->scope;
    size_t most = (size_t)s->n_live + 1;
    if (c->params->no_fusion || weir_device_is_host(c->dev))
        return WEIR_OK; // a group is one operation: the fewer the better
    for (int i = 0; i < s->n_live; i++)
        most += (size_t)s->live[i]->arity;
    struct pass p = {.c = c, .list = weir_arena_array(c->arena, most, sizeof(*p.list))};
    bool *read = weir_arena_array(c->arena, most, sizeof(*read)), ok = p.list && read;
    for (int i = 0; i < s->n_live && ok; i++) {
        ok = !in_registers(s->live[i]) || widen_arguments(&p, s->live[i]);
        p.list[p.n++] = s->live[i];
    }
    if (!ok)
        return weir_fail(&c->log, WEIR_NOMEM, "no memory for %d values", s->n_live);
    drop_unread(&p, read);
    s->live = p.list;
    s->n_live = p.n;
    return WEIR_OK;
}
