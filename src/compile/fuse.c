// SPDX-License-Identifier: Apache-2.0
// Fusion: values join the group of one of their arguments where one kernel can compute both. A map
// joins a map group of the same elements, or a row group as an element or as a value of the row; a
// reduction turns its argument's map group into a row group (reductions over the innermost axis,
// whose results may be used by further members) or closes it as a reduce group (any other). Whether
// a kernel can be written is asked of the writer itself (weir_body_init); groups never depend on
// each other in a circle.
#include "compile/fuse.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/body.h"
#include "graph/ops/rows.h"

enum { BUFFERS = 40, NODES = 160, PARALLEL_ROWS = 16, SHORT_ROW = 16384 };

struct cluster {
    enum weir_group_kind kind;
    weir_value **nodes; // by id
    int n, cap;
    int64_t size;       // elements of its space
    uint64_t *deps;     // clusters it needs, directly or not
    bool closed;        // nothing joins any more
    bool placed;
};

struct fuser {
    struct weir_emit_state *c;
    struct weir_arena *arena; // of the clusters
    struct cluster *cluster;
    int n, words;
    int *home;    // by value id: cluster, or -1
    bool *stored; // by value id: something that cannot join a map reads it
};

static bool has(const uint64_t *set, int i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static void add(uint64_t *set, int i)
{
    set[i / 64] |= (uint64_t)1 << (i % 64);
}

static bool is_memory(void *ctx, const weir_value *v)
{
    return ((const bool *)ctx)[v->id];
}

// The value whose memory or registers argument `a` of v reads.
static weir_value *base_of(const struct fuser *f, const weir_value *v, int a)
{
    struct weir_layout l;
    weir_layout_of(v->arg[a], is_memory, f->c->scope.has_memory, &l);
    return l.base->op->cls == WEIR_OP_PART ? l.base->arg[0] : l.base;
}

// A view that is copied reads through itself.
static weir_value *source_of(const struct fuser *f, weir_value *v, int a)
{
    if (v->op->cls != WEIR_OP_VIEW)
        return base_of(f, v, a);
    struct weir_layout l;
    weir_layout_of(v->arg[0], is_memory, f->c->scope.has_memory, &l);
    return l.base->op->cls == WEIR_OP_PART ? l.base->arg[0] : l.base;
}

static void depend(struct fuser *f, int group, int on)
{
    struct cluster *g = &f->cluster[group];
    if (on < 0 || on == group || has(g->deps, on))
        return;
    uint64_t *more = f->cluster[on].deps;
    for (int i = 0; i < f->n; i++)
        if (i == group || has(f->cluster[i].deps, group)) {
            for (int w = 0; w < f->words; w++)
                f->cluster[i].deps[w] |= more[w];
            add(f->cluster[i].deps, on);
        }
}

// Whether no cut of the recompute pass lies between v and `group`.
static bool same_era(const struct fuser *f, const weir_value *v, int group)
{
    const int *era = f->c->scope.era;
    const struct cluster *g = &f->cluster[group];
    return !era || g->n == 0 || era[v->id] == era[g->nodes[0]->id];
}

// Whether v may join `group` without a circle (nothing else that v needs depends on the group) in
// its own era.
static bool may_join(const struct fuser *f, weir_value *v, int group)
{
    for (int a = 0; a < v->arity; a++) {
        int home = f->home[source_of(f, v, a)->id];
        if (home >= 0 && home != group && has(f->cluster[home].deps, group))
            return false;
    }
    return same_era(f, v, group);
}

static bool push(struct fuser *f, struct cluster *g, weir_value *v)
{
    if (!weir_grow(f->arena, (void **)&g->nodes, g->n, &g->cap, sizeof(*g->nodes)))
        return false;
    int at = g->n++;
    for (; at > 0 && g->nodes[at - 1]->id > v->id; at--)
        g->nodes[at] = g->nodes[at - 1];
    g->nodes[at] = v;
    return true;
}

static int64_t space_size(const weir_value *v)
{
    return weir_shape_size(&(v->op->cls == WEIR_OP_REDUCE ? v->arg[0] : v)->type.shape);
}

static bool is_map(const weir_value *v)
{
    return v->op->cls == WEIR_OP_MAP || v->op->cls == WEIR_OP_GEN || weir_is_gather(v);
}

static int open_cluster(struct fuser *f, enum weir_group_kind kind, weir_value *v)
{
    struct cluster *g = &f->cluster[f->n];
    *g = (struct cluster) { .kind = kind, .size = space_size(v) };
    g->deps = weir_arena_array(f->arena, (size_t)f->words, sizeof(*g->deps));
    if (!g->deps || !push(f, g, v))
        return -1;
    f->home[v->id] = f->n++;
    for (int a = 0; a < v->arity; a++)
        depend(f, f->n - 1, f->home[source_of(f, v, a)->id]);
    return f->n - 1;
}

// Asks the writer: do these nodes fit together?
static bool resolves(struct fuser *f, weir_value **nodes, int n, struct weir_body *b)
{
    weir_arena_reset(f->c->scratch);
    f->c->trial = true;
    bool ok = weir_body_init(b, f->c, nodes, n, NULL, 0) == WEIR_OK;
    if (ok)
        weir_body_collapse(b);
    f->c->trial = false;
    return ok;
}

// Are these nodes one kernel?
static bool writable(struct fuser *f, weir_value **nodes, int n, struct weir_body *b)
{
    bool ok = resolves(f, nodes, n, b);
    int buffers = ok ? b->n_access : 0;
    for (int i = 0; i < n; i++)
        buffers += f->stored[nodes[i]->id];
    return ok && buffers <= BUFFERS;
}

// Both lists in order of ids.
static int merge_nodes(weir_value **a, int n_a, weir_value **b, int n_b, weir_value **out)
{
    int n = 0, i = 0, k = 0;
    while (i < n_a || k < n_b)
        out[n++] = k == n_b || (i < n_a && a[i]->id < b[k]->id) ? a[i++] : b[k++];
    return n;
}

static bool fits(struct fuser *f, const struct cluster *g, weir_value *v, struct weir_body *b)
{
    weir_value *nodes[NODES + 1];
    return g->n < NODES && writable(f, nodes, merge_nodes(g->nodes, g->n, &v, 1, nodes), b);
}

// A row group reduces one innermost axis, or axes before the channels and then groups of channels.
static bool is_row_form(struct fuser *f, const struct weir_body *b)
{
    int last = b->space.rank - 1;
    bool row = true;
    for (int d = 0; d <= last; d++)
        row = row && b->label[d] == (d == last ? WEIR_AXIS_ROW : WEIR_AXIS_KEPT);
    return row || weir_body_is_channels(b);
}

static bool enough_rows(const struct weir_body *b)
{
    int64_t rows = 1, n = b->space.dim[b->space.rank - 1];
    if (weir_body_is_channels(b))
        return true; // it asked already
    for (int d = 0; d + 1 < b->space.rank; d++)
        rows *= b->space.dim[d];
    return rows >= PARALLEL_ROWS || n * rows <= SHORT_ROW;
}

// Why v may not join: sizes first, since they are cheap to compare.
static bool join_map(struct fuser *f, weir_value *v, int group)
{
    struct cluster *g = &f->cluster[group];
    struct weir_body b;
    if (g->closed || (g->kind != WEIR_GROUP_MAP && g->kind != WEIR_GROUP_ROW))
        return false;
    if (g->kind == WEIR_GROUP_MAP && space_size(v) != g->size)
        return false;
    if (space_size(v) > g->size || !may_join(f, v, group) || !fits(f, g, v, &b))
        return false;
    return g->kind == WEIR_GROUP_MAP || is_row_form(f, &b);
}

static bool join_reduce(struct fuser *f, weir_value *v, int group, enum weir_group_kind *kind)
{
    struct cluster *g = &f->cluster[group];
    struct weir_body b;
    if (g->closed || (g->kind != WEIR_GROUP_MAP && g->kind != WEIR_GROUP_ROW) ||
        g->size != space_size(v) || !may_join(f, v, group) || !fits(f, g, v, &b))
        return false;
    *kind = WEIR_GROUP_ROW;
    if (is_row_form(f, &b) && enough_rows(&b))
        return true;
    *kind = WEIR_GROUP_REDUCE;
    for (int d = 0; d + 1 < b.space.rank; d++)
        if (b.label[d] == WEIR_AXIS_ROW)
            return false; // strides cannot walk it as one row
    return g->kind == WEIR_GROUP_MAP;
}

static bool join(struct fuser *f, weir_value *v, int group, enum weir_group_kind kind)
{
    struct cluster *g = &f->cluster[group];
    if (!push(f, g, v))
        return false;
    g->kind = kind;
    g->closed = kind == WEIR_GROUP_REDUCE;
    f->home[v->id] = group;
    for (int a = 0; a < v->arity; a++)
        depend(f, group, f->home[source_of(f, v, a)->id]);
    return true;
}

// A reduction that begins a group: of the row form it may take members, else it is closed.
static bool alone(struct fuser *f, weir_value *v)
{
    struct weir_body b;
    struct cluster none = { 0 };
    bool trivial = space_size(v) == 0 || space_size(v) == weir_shape_size(&v->type.shape);
    bool arg = v->op == &weir_op_argmax || v->op == &weir_op_argmin;
    bool row = !trivial && !arg && fits(f, &none, v, &b) && is_row_form(f, &b) && enough_rows(&b);
    int g = open_cluster(f, row ? WEIR_GROUP_ROW : WEIR_GROUP_REDUCE, v);
    if (g >= 0)
        f->cluster[g].closed = !row;
    return g >= 0;
}

// Whether a third cluster lies on a path from `from` to `to`.
static bool detour(const struct fuser *f, int from, int to)
{
    for (int i = 0; i < f->n; i++)
        if (i != from && i != to && has(f->cluster[i].deps, from) && has(f->cluster[to].deps, i))
            return true;
    return false;
}

static void unite(struct fuser *f, int to, int from, weir_value **nodes, int n)
{
    struct cluster *g = &f->cluster[to], *h = &f->cluster[from];
    for (int i = 0; i < h->n; i++)
        f->home[h->nodes[i]->id] = to;
    for (int w = 0; w < f->words; w++)
        g->deps[w] |= h->deps[w];
    g->deps[to / 64] &= ~((uint64_t)1 << (to % 64));
    g->deps[from / 64] &= ~((uint64_t)1 << (from % 64));
    for (int i = 0; i < f->n; i++)
        if (i != to && i != from &&
            (has(f->cluster[i].deps, from) || has(f->cluster[i].deps, to))) {
            for (int w = 0; w < f->words; w++)
                f->cluster[i].deps[w] |= g->deps[w];
            add(f->cluster[i].deps, to);
        }
    g->nodes = nodes;
    g->n = g->cap = n;
    g->kind = h->kind == WEIR_GROUP_ROW ? WEIR_GROUP_ROW : g->kind;
    h->placed = true; // an empty cluster: nothing is left to emit
    h->closed = true;
    h->n = 0;
}

// Two clusters that v brought together become one where a kernel can compute both.
static void try_unite(struct fuser *f, int to, int from)
{
    struct cluster *g = &f->cluster[to], *h = &f->cluster[from];
    struct weir_body b;
    bool g_ok = g->kind == WEIR_GROUP_MAP || g->kind == WEIR_GROUP_ROW;
    bool h_ok = h->kind == WEIR_GROUP_MAP || h->kind == WEIR_GROUP_ROW;
    if (!g_ok || !h_ok || g->closed || h->closed || g->size != h->size || g->n + h->n > NODES ||
        !same_era(f, h->nodes[0], to) || detour(f, to, from) || detour(f, from, to))
        return;
    weir_value **nodes = weir_arena_array(f->arena, (size_t)(g->n + h->n), sizeof(*nodes));
    if (!nodes)
        return;
    int n = merge_nodes(g->nodes, g->n, h->nodes, h->n, nodes);
    bool rows = g->kind == WEIR_GROUP_ROW || h->kind == WEIR_GROUP_ROW;
    if (writable(f, nodes, n, &b) && (!rows || is_row_form(f, &b)))
        unite(f, to, from, nodes, n);
}

static bool place(struct fuser *f, weir_value *v)
{
    bool map = is_map(v);
    bool reduce = v->op->cls == WEIR_OP_REDUCE && v->op != &weir_op_argmax &&
                  v->op != &weir_op_argmin && space_size(v) > 0 &&
                  space_size(v) != weir_shape_size(&v->type.shape);
    int tried = f->n; // homes in descending order
    while ((map && space_size(v) > 0) || reduce) {
        int best = -1;
        for (int a = 0; a < v->arity; a++) {
            int home = f->home[source_of(f, v, a)->id];
            if (home < tried && home > best)
                best = home;
        }
        if (best < 0)
            break;
        enum weir_group_kind kind = f->cluster[best].kind;
        if (map ? join_map(f, v, best) : join_reduce(f, v, best, &kind)) {
            if (!join(f, v, best, kind))
                return false;
            for (int a = 0; a < v->arity; a++) {
                int home = f->home[source_of(f, v, a)->id];
                if (home >= 0 && home != best)
                    try_unite(f, best, home);
            }
            return true;
        }
        tried = best;
    }
    if (v->op->cls == WEIR_OP_REDUCE)
        return alone(f, v);
    enum weir_group_kind kind = v->op->cls == WEIR_OP_VIEW ? WEIR_GROUP_COPY
                                : map                      ? WEIR_GROUP_MAP
                                                           : weir_group_kind_of(v);
    int g = open_cluster(f, kind, v);
    if (g >= 0)
        f->cluster[g].closed = !map || space_size(v) == 0;
    return g >= 0;
}

static bool in_registers(const weir_value *v)
{
    return is_map(v) || v->op->cls == WEIR_OP_REDUCE;
}

static void mark_outputs(const struct fuser *f, bool *read)
{
    for (int i = 0; i < f->c->scope.n_outputs; i++) {
        struct weir_layout l;
        weir_layout_of(f->c->scope.outputs[i], is_memory, f->c->scope.has_memory, &l);
        read[l.base->id] = true;
    }
}

// What is certain to need memory whatever is fused.
static void find_stored(struct fuser *f)
{
    mark_outputs(f, f->stored);
    for (int i = 0; i < f->c->scope.n_live; i++) {
        weir_value *v = f->c->scope.live[i];
        bool reader = weir_has_group(f->c, v) || v->op->cls == WEIR_OP_ASSIGN;
        for (int a = 0; reader && (!in_registers(v) || weir_is_gather(v)) && a < v->arity; a++)
            f->stored[source_of(f, v, a)->id] = true;
    }
}

// Values that other groups, outputs or states read get memory; the rest stay in registers.
static bool choose_memory(struct fuser *f)
{
    struct weir_emit_state *c = f->c;
    bool *read = weir_arena_array(f->arena, (size_t)c->scope.n_live + 1, sizeof(*read));
    if (!read)
        return false;
    mark_outputs(f, read);
    for (int i = 0; i < c->scope.n_live; i++) {
        weir_value *v = c->scope.live[i];
        bool reader = weir_has_group(c, v) || v->op->cls == WEIR_OP_ASSIGN;
        for (int a = 0; reader && a < v->arity; a++) {
            weir_value *x = source_of(f, v, a);
            if (f->home[x->id] < 0 || f->home[x->id] != f->home[i] || v->op->cls == WEIR_OP_ASSIGN)
                read[x->id] = true;
        }
    }
    for (int i = 0; i < c->scope.n_live; i++)
        if (in_registers(c->scope.live[i]))
            c->scope.has_memory[i] = read[i];
    return true;
}

// A group whose results turned out too many is written one by one.
static bool too_many_buffers(struct fuser *f, const struct cluster *g)
{
    struct weir_body b;
    int outputs = 0;
    for (int i = 0; i < g->n; i++)
        outputs += f->c->scope.has_memory[g->nodes[i]->id];
    return resolves(f, g->nodes, g->n, &b) && b.n_access + outputs > WEIR_LAUNCH_MAX_BUFS;
}

static bool emit_apart(struct fuser *f, const struct cluster *g)
{
    for (int i = 0; i < g->n; i++) {
        f->c->scope.has_memory[g->nodes[i]->id] = true;
        if (!weir_group_single(f->c, g->nodes[i]))
            return false;
        if (is_map(g->nodes[i])) // a gather takes any views this way
            f->c->scope.groups[f->c->scope.n_groups - 1].kind = WEIR_GROUP_MAP;
    }
    return true;
}

static bool emit(struct fuser *f, const struct cluster *from)
{
    struct weir_emit_state *c = f->c;
    if (from->kind == WEIR_GROUP_COPY)
        return weir_group_copy(c, from->nodes[0]);
    if (from->n == 1 && from->closed)
        return weir_group_single(c, from->nodes[0]);
    if (from->n > 1 && too_many_buffers(f, from))
        return emit_apart(f, from);
    struct weir_group *g = weir_group_add(c, from->kind);
    weir_value **outputs = weir_arena_array(c->arena, (size_t)from->n, sizeof(*outputs));
    if (!g || !outputs)
        return false;
    g->nodes = weir_arena_memdup(c->arena, from->nodes, (size_t)from->n * sizeof(*g->nodes));
    g->n_nodes = from->n;
    g->outputs = outputs;
    for (int i = 0; i < from->n; i++)
        if (c->scope.has_memory[from->nodes[i]->id])
            outputs[g->n_outputs++] = from->nodes[i];
    return g->nodes != NULL;
}

// Groups in an order of execution: of those that are ready, the one that ends earliest in the list.
static bool emit_all(struct fuser *f)
{
    for (int done = 0; done < f->n; done++) {
        int best = -1, best_last = 0;
        for (int i = 0; i < f->n; i++) {
            struct cluster *g = &f->cluster[i];
            bool ready = !g->placed;
            for (int k = 0; ready && k < f->n; k++)
                ready = !has(g->deps, k) || f->cluster[k].placed;
            int last = ready ? g->nodes[g->n - 1]->id : 0;
            if (ready && (best < 0 || last < best_last)) {
                best = i;
                best_last = last;
            }
        }
        if (best < 0)
            break; // all that is left was united with another
        f->cluster[best].placed = true;
        if (!emit(f, &f->cluster[best]))
            return false;
    }
    return true;
}

enum weir_status weir_fuse(struct weir_emit_state *c)
{
    struct fuser f = { .c = c, .arena = weir_arena_create(), .words = c->scope.n_live / 64 + 1 };
    enum weir_status status = WEIR_NOMEM;
    f.cluster = weir_arena_array(f.arena, (size_t)c->scope.n_live + 1, sizeof(*f.cluster));
    f.home = weir_arena_array(f.arena, (size_t)c->scope.n_live + 1, sizeof(*f.home));
    f.stored = weir_arena_array(f.arena, (size_t)c->scope.n_live + 1, sizeof(*f.stored));
    if (!f.cluster || !f.home || !f.stored)
        goto error;
    find_stored(&f);
    for (int i = 0; i < c->scope.n_live; i++)
        f.home[i] = -1;
    for (int i = 0; i < c->scope.n_live; i++)
        if (weir_has_group(c, c->scope.live[i]) && !place(&f, c->scope.live[i]))
            goto error;
    if (choose_memory(&f) && emit_all(&f))
        status = WEIR_OK;
error:
    weir_arena_destroy(&f.arena);
    return status;
}
