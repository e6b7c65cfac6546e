// SPDX-License-Identifier: Apache-2.0
// What a loop does not need: results that nobody reads, and with them the carried values, slices
// and captures that only those were for. Derivatives are built whole and cut to size here.
#include <string.h>

#include "compile/simplify.h"
#include "graph/loop.h"
#include "graph/op.h"

struct prune {
    const struct weir_loop *l;
    bool *needed; // by id in the body
    bool *part;   // of the loop
};

static void mark_body(struct prune *p)
{
    const weir_graph *body = p->l->body;
    for (int id = body->n_values - 1; id >= 0; id--) {
        const weir_value *v = body->values[id];
        if (!p->needed[id])
            continue;
        for (int i = 0; i < v->arity && !v->body; i++)
            p->needed[v->arg[i]->id] = true;
        if (v->body)
            p->needed[v->body->id] = true;
    }
}

// A carried value that an iteration reads must have a next one.
static void mark(struct prune *p)
{
    const struct weir_loop *l = p->l;
    for (bool again = true; again;) {
        again = false;
        for (int k = 0; k < l->n_carry + l->n_ys; k++)
            if (p->part[k])
                p->needed[(k < l->n_carry ? l->next[k] : l->y[k - l->n_carry])->id] = true;
        mark_body(p);
        for (int k = 0; k < l->n_carry; k++)
            if (p->needed[l->param[k]->id] && !p->part[k])
                again = p->part[k] = true;
    }
}

static bool keeps(const struct prune *p, int argument)
{
    return argument < p->l->n_carry ? p->part[argument] : p->needed[p->l->param[argument]->id];
}

// Cuts v, and numbers its parts anew: number[old] = new.
static bool cut(struct prune *p, weir_arena *arena, weir_value *v, int *number)
{
    const struct weir_loop *l = p->l;
    struct weir_loop *to = weir_arena_memdup(arena, l, sizeof(*l));
    size_t n = (size_t)(v->arity + v->n_parts) + 1, size = sizeof(weir_value *);
    weir_value **param = weir_arena_array(arena, n, size), **arg = weir_arena_array(arena, n, size);
    weir_value **next = weir_arena_array(arena, n, size), **y = weir_arena_array(arena, n, size);
    struct weir_type *parts = weir_arena_array(arena, n, sizeof(*parts));
    if (!to || !param || !arg || !next || !y || !parts)
        return false;
    to->n_carry = to->n_xs = to->n_captures = to->n_ys = 0;
    int n_arg = 0, n_parts = 0;
    for (int k = 0; k < v->arity; k++) {
        if (!keeps(p, k))
            continue;
        arg[n_arg] = v->arg[k];
        param[n_arg++] = l->param[k];
        ++*(k < l->n_carry ? &to->n_carry : k < l->n_carry + l->n_xs ? &to->n_xs : &to->n_captures);
    }
    for (int k = 0; k < v->n_parts; k++) {
        if (!p->part[k])
            continue;
        if (k < l->n_carry)
            next[n_parts] = l->next[k];
        else
            y[to->n_ys++] = l->y[k - l->n_carry];
        parts[n_parts] = v->parts[k];
        number[k] = n_parts++;
    }
    to->param = param;
    to->next = next;
    to->y = y;
    v->arg = arg;
    v->arity = n_arg;
    v->parts = parts;
    v->n_parts = n_parts;
    v->type = parts[0];
    v->attrs.loop.l = to;
    return true;
}

bool weir_prune_loop(weir_arena *arena, weir_value *v, weir_value *const *list, int n,
                     const bool *live)
{
    struct prune p = {.l = v->attrs.loop.l};
    p.needed = weir_arena_array(arena, (size_t)p.l->body->n_values + 1, sizeof(*p.needed));
    p.part = weir_arena_array(arena, (size_t)v->n_parts + 1, sizeof(*p.part));
    int *number = weir_arena_array(arena, (size_t)v->n_parts + 1, sizeof(*number));
    if (!p.needed || !p.part || !number)
        return false;
    for (int id = v->id + 1; id < n; id++)
        if (live[id] && list[id]->op->cls == WEIR_OP_PART && list[id]->arg[0] == v)
            p.part[list[id]->attrs.part.index] = true;
    mark(&p);
    if (!cut(&p, arena, v, number))
        return false;
    for (int id = v->id + 1; id < n; id++)
        if (live[id] && list[id]->op->cls == WEIR_OP_PART && list[id]->arg[0] == v)
            list[id]->attrs.part.index = number[list[id]->attrs.part.index];
    return true;
}
