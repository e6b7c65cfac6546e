// SPDX-License-Identifier: Apache-2.0
// Memory: lifetimes of slots in launch order become offsets in one arena. Large tensors are placed
// first, each at the lowest offset where nothing that lives at the same time lies; a result takes the
// place of an operand that dies in the launch that writes it; the new value of a state is written
// straight into the state where nobody still reads the old one.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/compile.h"

enum { FOREVER = INT32_MAX };

static int root_of(const struct weir_emit_state *c, int slot)
{
    while (c->slots[slot].alias >= 0)
        slot = c->slots[slot].alias;
    return slot;
}

static void touch(struct weir_slot *s, int launch)
{
    if (s->first < 0 || launch < s->first)
        s->first = launch;
    if (launch > s->last)
        s->last = launch;
}

// What outlives an iteration is needed from the first launch of the loop to the last.
static void touch_from(struct weir_emit_state *c, int launch, struct weir_slot *s)
{
    int loop = c->launches[launch].loop;
    if (loop == s->scope) {
        touch(s, launch);
        return;
    }
    while (c->loops[loop].parent != s->scope)
        loop = c->loops[loop].parent;
    touch(s, c->loops[loop].first);
    touch(s, c->loops[loop].end - 1);
}

// Launches that run as one: which of the list, first and last.
static struct weir_batch batch_of(const struct weir_emit_state *c, int launch)
{
    int batch = c->launches[launch].batch;
    return batch ? c->batches[batch - 1] : (struct weir_batch) { .first = launch, .end = launch + 1 };
}

static void find_lifetimes(struct weir_emit_state *c)
{
    for (int i = 0; i < c->n_launches; i++) {
        const struct weir_batch b = batch_of(c, i);
        for (int a = 0; a < c->launches[i].n_args; a++) {
            struct weir_slot *s = &c->slots[weir_slot_base(c, c->launches[i].args[a].slot)];
            touch_from(c, b.first, s);
            touch_from(c, b.end - 1, s);
        }
    }
    for (int i = 0; i < c->n_slots; i++)
        if (c->slots[i].home == WEIR_SLOT_KEEP)
            c->slots[i].last = FOREVER;
}

static bool listed_in_place(const struct weir_emit_state *c, int launch, int out, int in)
{
    for (int i = 0; i < c->n_in_place; i++)
        if (c->in_place[i].launch == launch && c->in_place[i].out == out && c->in_place[i].in == in)
            return true;
    return false;
}

// A copy of `src` into a state or a carried value is not needed when src can be written there in the
// first place: no launch of the program or of the iteration but the copy touches it after src's first
// write, and the one that writes src reads it, if at all, only at the index it writes. What runs at the
// same time as that counts as after it.
static bool may_write_there(const struct weir_emit_state *c, int copy, int src, int to)
{
    const struct weir_slot *s = &c->slots[src];
    int loop = c->launches[copy].loop, end = loop < 0 ? c->n_launches : c->loops[loop].end;
    for (int i = s->first; i < end; i++)
        for (int a = 0; i != copy && a < c->launches[i].n_args; a++)
            if (weir_slot_base(c, c->launches[i].args[a].slot) == weir_slot_base(c, to) &&
                (batch_of(c, i).first != s->first || !listed_in_place(c, i, src, to)))
                return false;
    return true;
}

// An iteration's result may always be written to its place in the stack: nothing else is there.
static void drop_copies(struct weir_emit_state *c)
{
    for (int i = c->n_launches - 1; i >= 0; i--) {
        struct weir_planned *l = &c->launches[i];
        if (l->copy == WEIR_COPY_PLAIN)
            continue;
        struct weir_slot *s = &c->slots[l->args[0].slot];
        if (s->home != WEIR_SLOT_ARENA || s->alias >= 0 || s->scope != l->loop ||
            (l->copy != WEIR_COPY_RESULT &&
             !may_write_there(c, i, l->args[0].slot, l->args[1].slot)))
            continue;
        s->alias = l->args[1].slot;
        l->dropped = true;
    }
}

// Whether another launch that runs at the same time touches this memory.
static bool touched_beside(const struct weir_emit_state *c, int launch, int base)
{
    const struct weir_batch b = batch_of(c, launch);
    for (int i = b.first; i < b.end; i++)
        for (int a = 0; a < c->launches[i].n_args; a++)
            if (i != launch && weir_slot_base(c, c->launches[i].args[a].slot) == base)
                return true;
    return false;
}

static void share_in_place(struct weir_emit_state *c)
{
    for (int i = 0; i < c->n_in_place; i++) {
        const struct weir_in_place *p = &c->in_place[i];
        const struct weir_batch b = batch_of(c, p->launch);
        int in = root_of(c, p->in);
        struct weir_slot *from = &c->slots[in], *to = &c->slots[p->out];
        if (from->scope != c->launches[p->launch].loop || to->scope != from->scope)
            continue; // others are there in the next iteration
        if (to->alias >= 0 || to->first != b.first || from->last != b.end - 1 || in == p->out ||
            from->home != WEIR_SLOT_ARENA || from->size < to->size || from->taken == p->launch + 1 ||
            (to->home != WEIR_SLOT_ARENA && to->home != WEIR_SLOT_KEEP) || touched_beside(c, p->launch, in))
            continue;
        to->alias = in;
        from->last = to->last;
        from->taken = p->launch + 1;
        if (to->home == WEIR_SLOT_KEEP)
            from->home = WEIR_SLOT_KEEP;
    }
}

// Offsets of the slots with this home in a buffer of their own; returns its size.
static size_t lay_out(struct weir_emit_state *c, enum weir_slot_home home)
{
    const size_t align = c->dev->info.caps.align > 128 ? c->dev->info.caps.align : 128;
    size_t at = 0;
    for (int i = 0; i < c->n_slots; i++) {
        struct weir_slot *s = &c->slots[i];
        if (s->home != home || s->first < 0)
            continue;
        if (c->params->guards) {
            weir_guards_place(c, s, &at);
            continue;
        }
        s->offset = at;
        at = weir_align_up(at + s->size, align);
    }
    return at;
}

// Bytes of the states that launches touch, each once.
static size_t size_of_states(const struct weir_emit_state *c)
{
    size_t sum = 0;
    for (int i = 0; i < c->n_slots; i++) {
        const struct weir_slot *s = &c->slots[i];
        bool known = s->home != WEIR_SLOT_STATE || s->first < 0;
        for (int k = 0; k < i && !known; k++)
            known = c->slots[k].state == s->state && c->slots[k].first >= 0;
        sum += known ? 0 : s->state->room;
    }
    return sum;
}

struct item {
    int slot;
    size_t size;
};

static int by_size(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->slot - y->slot;
}

static int by_offset(const void *a, const void *b)
{
    const struct weir_slot *x = *(const struct weir_slot *const *)a;
    const struct weir_slot *y = *(const struct weir_slot *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

// The lowest offset where `s` fits among the placed slots that live while it does.
static size_t lowest_fit(const struct weir_slot *s, size_t size, struct weir_slot **placed, int n,
                         size_t align)
{
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        const struct weir_slot *p = placed[i];
        if (p->last < s->first || p->first > s->last)
            continue;
        if (at + size <= p->offset)
            return at;
        size_t end = weir_align_up(p->offset + p->size, align);
        at = end > at ? end : at;
    }
    return at;
}

static void place_all(struct weir_emit_state *c, struct item *items, int n, struct weir_slot **placed,
                      size_t align)
{
    qsort(items, (size_t)n, sizeof(*items), by_size);
    for (int i = 0; i < n; i++) {
        struct weir_slot *s = &c->slots[items[i].slot];
        if (c->params->guards) {
            weir_guards_place(c, s, &c->arena_size);
            continue;
        }
        if (c->params->no_plan)
            s->offset = c->arena_size;
        else
            s->offset = lowest_fit(s, s->size, placed, i, align);
        size_t end = weir_align_up(s->offset + s->size, align);
        if (end > c->arena_size)
            c->arena_size = end;
        int at = i;
        for (; at > 0 && by_offset(&placed[at - 1], &s) > 0; at--)
            placed[at] = placed[at - 1];
        placed[at] = s;
    }
}

// Whether the plan places it.
static bool is_placed(const struct weir_slot *s)
{
    return (s->home == WEIR_SLOT_ARENA || s->home == WEIR_SLOT_KEEP) && s->first >= 0 && s->alias < 0;
}

// The launch at which most bytes are alive: no placement does with less.
static int find_peak(const struct weir_emit_state *c, size_t *most)
{
    int peak = 0;
    *most = 0;
    for (int i = 0; i < c->n_launches; i++) {
        size_t now = 0;
        for (int k = 0; k < c->n_slots; k++)
            if (is_placed(&c->slots[k]) && c->slots[k].first <= i && c->slots[k].last >= i)
                now += c->slots[k].size;
        if (now > *most) {
            *most = now;
            peak = i;
        }
    }
    return peak;
}

static void report(struct weir_emit_state *c, const struct item *items, int n)
{
    size_t most;
    int peak = find_peak(c, &most);
    weir_strbuf_printf(&c->dump_plan, "arena %zu bytes, all tensors together %zu bytes\n",
                       c->arena_size, c->live_size);
    weir_strbuf_printf(&c->dump_plan, "at launch %d %zu bytes are alive\n", peak, most);
    weir_strbuf_puts(&c->dump_plan, "   slot       offset         size  launches      tensor\n");
    for (int i = 0; i < n; i++) {
        const struct weir_slot *s = &c->slots[items[i].slot];
        weir_strbuf_printf(&c->dump_plan, "  s%-6d %11zu  %11zu  %5d .. ", items[i].slot, s->offset,
                           s->size, s->first);
        if (s->last == FOREVER)
            weir_strbuf_puts(&c->dump_plan, "end  ");
        else
            weir_strbuf_printf(&c->dump_plan, "%-5d", s->last);
        weir_strbuf_printf(&c->dump_plan, " %s\n", s->name ? s->name : "");
    }
    for (int i = 0; i < c->n_slots; i++)
        if (c->slots[i].alias >= 0)
            weir_strbuf_printf(&c->dump_plan, "  s%-6d in place of s%d, %zu bytes  %s\n", i,
                               c->slots[i].alias, c->slots[i].size,
                               c->slots[i].name ? c->slots[i].name : "");
}

void weir_plan_explain(const struct weir_emit_state *c)
{
    struct weir_slot *top[8];
    size_t most;
    int n = 0, peak = find_peak(c, &most);
    weir_logf(&c->log, WEIR_LOG_ERROR, "the plan wants %zu bytes; %zu are alive at launch %d (%s), the largest:",
              c->arena_size, most, peak, peak < c->n_launches && c->launches[peak].label ? c->launches[peak].label : "none");
    for (int i = 0; i < c->n_slots; i++) {
        struct weir_slot *s = &c->slots[i];
        if (!is_placed(s) || s->first > peak || s->last < peak)
            continue;
        int at = n < 8 ? n++ : 8;
        for (; at > 0 && top[at - 1]->size < s->size; at--)
            if (at < 8)
                top[at] = top[at - 1];
        if (at < 8)
            top[at] = s;
    }
    for (int i = 0; i < n; i++)
        weir_logf(&c->log, WEIR_LOG_ERROR, "  %zu bytes: %s, written by launch %d (%s)", top[i]->size,
                  top[i]->name ? top[i]->name : "scratch", top[i]->first,
                  c->launches[top[i]->first].label ? c->launches[top[i]->first].label : "");
}

enum weir_status weir_plan(struct weir_emit_state *c)
{
    const size_t align = c->dev->info.caps.align > 128 ? c->dev->info.caps.align : 128;
    find_lifetimes(c);
    if (!c->params->guards) // what is written lies in the arena then
        drop_copies(c);
    if (!c->params->no_plan && !c->params->guards)
        share_in_place(c);
    struct item *items = weir_arena_array(c->arena, (size_t)c->n_slots + 1, sizeof(*items));
    struct weir_slot **placed = weir_arena_array(c->arena, (size_t)c->n_slots + 1, sizeof(*placed));
    if (!items || !placed)
        return weir_fail(&c->log, WEIR_NOMEM, "no memory to plan %d tensors", c->n_slots);
    int n = 0;
    for (int i = 0; i < c->n_slots; i++) {
        const struct weir_slot *s = &c->slots[i];
        if ((s->home != WEIR_SLOT_ARENA && s->home != WEIR_SLOT_KEEP) || s->first < 0)
            continue;
        c->live_size += weir_align_up(s->size, align);
        if (s->alias < 0)
            items[n++] = (struct item) { i, s->size };
    }
    place_all(c, items, n, placed, align);
    c->constants_size = lay_out(c, WEIR_SLOT_CONSTANT);
    c->inputs_size = lay_out(c, WEIR_SLOT_INPUT);
    c->states_size = size_of_states(c);
    for (int i = 0; i < c->n_slots; i++)
        if (c->slots[i].home == WEIR_SLOT_STATE)
            c->slots[i].offset = c->slots[i].state->offset;
    for (int i = 0; i < c->n_slots; i++)
        if (c->slots[i].alias >= 0)
            c->slots[i].offset = c->slots[root_of(c, i)].offset;
    if (c->params->dump_dir)
        report(c, items, n);
    return WEIR_OK;
}
