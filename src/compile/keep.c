// SPDX-License-Identifier: Apache-2.0
// The phases of a row kernel: each walks the elements once, for the reductions of its level and the
// results with as many behind them. What two of them need is computed twice, unless it costs more
// than memory does: then the first one keeps it in the place of a result that the second one writes.
#include "compile/body.h"

// Instructions an element that are worth a store and a load of it.
enum { KEEP_PAYS = 24 };

bool weir_phase_want(struct weir_body *b, int p, bool *want)
{
    bool any = false;
    b->phase = p;
    for (int i = 0; i < b->n_steps; i++)
        want[i] = false;
    for (int i = 0; i < b->n_steps; i++) {
        const struct weir_step *s = &b->step[i];
        bool reduce = s->v->op->cls == WEIR_OP_REDUCE;
        if (reduce ? s->level == p + 1 : !s->row && s->store >= 0 && s->level == p) {
            weir_body_want(b, s, want);
            any = true;
        }
    }
    return any;
}

// Instructions an element of phase p.
static int cost(struct weir_body *b, int p, bool *want)
{
    int sum = 0;
    weir_phase_want(b, p, want);
    for (int i = 0; i < b->n_steps; i++) {
        const struct weir_step *s = &b->step[i];
        bool read = s == b->kept.step && p == b->kept.from;
        if (want[i] && !s->row && !read)
            sum += s->v->op->instructions;
    }
    return sum;
}

// Whether element after element of a result of its own lies there.
static bool is_place(const struct weir_body *b, int access)
{
    const struct weir_access *a = &b->access[access];
    return a->operand.dtype == WEIR_F32 && a->stride[b->space.rank - 1] == 1 &&
           a->group_stride == 0;
}

// The place of a result of phase p; -1: there is none.
static int place_in(const struct weir_body *b, int p)
{
    for (int i = 0; i < b->n_steps; i++)
        if (!b->step[i].row && b->step[i].store >= 0 && b->step[i].level == p &&
            is_place(b, b->step[i].store))
            return b->step[i].store;
    return -1;
}

// The latest phase before p that computes step i (that stores it, if one does); -1: none.
static int computed_in(struct weir_body *b, int i, int p, bool *want)
{
    const struct weir_step *s = &b->step[i];
    if (s->store >= 0)
        return is_place(b, s->store) && s->level < p ? s->level : -1;
    for (p--; p >= 0; p--)
        if (weir_phase_want(b, p, want) && want[i])
            return p;
    return -1;
}

void weir_body_keep(struct weir_body *b, int phases)
{
    bool *want = weir_arena_array(b->c->scratch, (size_t)b->n_steps + 1, sizeof(*want));
    struct weir_kept best = {0};
    int most = KEEP_PAYS;
    for (int p = 1; p < phases && want; p++) {
        const int all = cost(b, p, want), place = place_in(b, p);
        for (int i = 0; i < b->n_steps && all > most; i++) {
            const struct weir_step *s = &b->step[i];
            const int access = s->store >= 0 ? s->store : place;
            if (s->row || s->v->type.dtype != WEIR_F32 || access < 0 ||
                s->v->op->cls == WEIR_OP_REDUCE || !weir_phase_want(b, p, want) || !want[i])
                continue;
            const int in = computed_in(b, i, p, want);
            if (in < 0)
                continue;
            b->kept = (struct weir_kept){s, access, in, p};
            const int saved = all - cost(b, p, want);
            if (saved > most) {
                most = saved;
                best = b->kept;
            }
            b->kept = (struct weir_kept){0};
        }
    }
    b->kept = best;
}

// The phase that writes the result of step s first.
static int first_written(const struct weir_body *b, const struct weir_step *s)
{
    return b->kept.step && b->kept.access == s->store ? b->kept.in : s->level;
}

// The last phase that reads access i; -1: none.
static int last_read(struct weir_body *b, int i, int phases, bool *want)
{
    for (int p = phases - 1; p >= 0; p--) {
        weir_phase_want(b, p, want);
        for (int s = 0; s < b->n_steps; s++) {
            bool kept = &b->step[s] == b->kept.step && p == b->kept.from;
            for (int u = 0; want[s] && !kept && u < b->step[s].n_use; u++)
                if (b->step[s].use[u].kind == WEIR_USE_ACCESS && b->step[s].use[u].index == i)
                    return p;
        }
    }
    return -1;
}

void weir_phases_share(struct weir_body *b, int phases, int launch)
{
    bool *want = weir_arena_array(b->c->scratch, (size_t)b->n_steps + 1, sizeof(*want));
    for (int i = 0; i < b->n_access && want; i++) {
        int same = 0;
        for (int k = 0; k < b->n_access; k++)
            same += !b->access[k].index && b->access[k].operand.slot == b->access[i].operand.slot;
        if (b->access[i].index || b->access[i].written || same > 1)
            continue;
        const int last = last_read(b, i, phases, want);
        for (int s = 0; s < b->n_steps; s++)
            if (!b->step[s].row && b->step[s].store >= 0 && first_written(b, &b->step[s]) >= last)
                weir_may_share(b->c, launch, &b->access[b->step[s].store].operand,
                               &b->access[i].operand);
    }
}
