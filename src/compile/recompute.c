// SPDX-License-Identifier: Apache-2.0
// Recomputation: what only lives on from the forward to the backward pass because something late
// reads it is computed again there where that is cheaper than to keep it.
//
// The list is cut where most bytes are alive. Of the values before the cut some are kept and the
// rest of what is needed behind it is computed again from those: a minimum cut of the graph of
// values, in which keeping a value costs its bytes times a price beside the traffic it makes, and
// computing it again costs its arithmetic and, where a contraction or the like reads it, a write.
// The price is the knob: at 0 only what makes the step no slower is computed again; compiling for a
// limit of memory raises it until the plan fits. The same operations on the same operands give the
// same bits.
//
// Values behind a cut never join groups before it (scope.era): a kernel of the forward pass would
// compute them there and keep the result.
#include <string.h>

#include "base/log.h"
#include "compile/attention.h"
#include "compile/body.h"
#include "compile/compile.h"
#include "compile/min_cut.h"
#include "graph/flop.h"

enum {
    MAX_CUTS = 32, // one a microbatch, and some
    ROUNDS = 6,
    NEAR = 4,       // contractions between a value and its last reader
    FAR = 10,       // contractions between two late readers, from which on a value is kept again
    WORTH = 32,     // of what is alive at a cut: less is left as it is
    UNIT = 16,      // costs are counted in sixteenths of a byte moved
    LAUNCH = 16384, // bytes that a kernel could move in the time its start takes
    FLOP_PER_BYTE = 16,
};

struct pass {
    struct weir_emit_state *c;
    weir_arena *arena;
    weir_value **list;
    int n, at;          // [0, at) lies before the cut
    bool *kept_anyway;  // by id: outputs
    bool *banned;       // by id: computed again it would live as long as if it were kept
    bool *again;        // by id: chosen
    bool *early, *late; // by id: a contraction or the like reads it before, behind the cut
    int *first, *last;  // by id: where it is read behind the cut, n and -1 = nowhere
    bool *read_late;    // by id: something behind the cut reads it, be it a view
    int *until;         // by id: its last reader, be it of a view of it
    int *contracts;     // before this place
    weir_value **copy;  // by id: the one behind the cut
    weir_value *mark[MAX_CUTS];
    int n_marks;
};

static bool is_view(const weir_value *v)
{
    return v->op->cls == WEIR_OP_VIEW;
}

static int64_t elements(const weir_value *v)
{
    return weir_shape_size(&v->type.shape);
}

static int64_t bytes(const weir_value *v)
{
    if (v->n_parts > 1 || v->op->cls == WEIR_OP_LEAF || v->op->cls == WEIR_OP_ASSIGN)
        return 0; // its parts count; has memory of its own in any case
    return elements(v) * (int64_t)weir_dtype_size(v->type.dtype);
}

// Made by an earlier cut, in a region after the graph's own.
static bool is_copy(const weir_value *v)
{
    return v->recompute > v->graph->n_recompute;
}

// Reads its arguments from memory.
static bool is_reader(const weir_value *v)
{
    enum weir_op_class c = v->op->cls;
    return c == WEIR_OP_CONTRACT || c == WEIR_OP_OPAQUE || c == WEIR_OP_LOOP || c == WEIR_OP_CALL;
}

// An attention that is one kernel stands where its contractions stood: distances are counted in those.
static int contractions(const weir_value *v)
{
    if (v->op == &weir_op_attention_kernel)
        return 2;
    if (v->op == &weir_op_attention_grad_kernel)
        return 5;
    return v->op->cls == WEIR_OP_CONTRACT;
}

// Where little is to be gained, what is read again soon is left where it is: most of it is never in
// memory, and a cut tears the kernels of its neighbourhood apart.
static bool lives_long(const struct pass *p, int id)
{
    int until = p->until[id], near = p->c->price < 0.5 ? NEAR : 0;
    return until > id && p->contracts[until] - p->contracts[id + 1] >= near;
}

// What a run pays for computing v once more, in units.
static int64_t cost_again(const struct pass *p, const weir_value *v)
{
    switch (v->op->cls) {
    case WEIR_OP_VIEW:
        return 0;
    case WEIR_OP_MAP:
    case WEIR_OP_GEN:
    case WEIR_OP_REDUCE:
    case WEIR_OP_CONTRACT:
        break;
    default:
        if (!weir_is_gather(v))
            return WEIR_CUT_NEVER;
    }
    if (p->banned[v->id] || v->n_parts > 1 || is_copy(v) ||
        (p->read_late[v->id] && !lives_long(p, v->id)))
        return WEIR_CUT_NEVER;
    double cost = LAUNCH + weir_value_flop(v) / FLOP_PER_BYTE;
    if (p->late[v->id] || is_reader(v))
        cost += (double)bytes(v);
    if (is_reader(v) || v->op->cls == WEIR_OP_REDUCE) // what it reads is not in registers
        for (int a = 0; a < v->arity; a++)
            cost += (double)bytes(v->arg[a]);
    return (int64_t)(UNIT * cost);
}

// What it costs to keep v: a late read, a write if nothing else wants it in memory, and the price.
static int64_t cost_kept(const struct pass *p, const weir_value *v)
{
    if (v->op->cls == WEIR_OP_LEAF || v->n_parts > 1)
        return 0;
    if (is_view(v))
        return WEIR_CUT_NEVER; // what it shows is kept
    double traffic = is_reader(v) || v->op->cls == WEIR_OP_PART || p->early[v->id] ? 1 : 2;
    if (!p->kept_anyway[v->id])
        traffic += p->c->price;
    return (int64_t)(UNIT * traffic * (double)bytes(v));
}

// The place where most bytes are alive; `contracts` and the readers of every value on the way.
static int find_peak(struct pass *p, int64_t *most)
{
    int64_t *change = weir_arena_array(p->arena, (size_t)p->n + 1, sizeof(*change)), now = 0;
    int peak = 0;
    p->until = weir_arena_array(p->arena, (size_t)p->n, sizeof(*p->until));
    p->contracts = weir_arena_array(p->arena, (size_t)p->n + 1, sizeof(*p->contracts));
    if (!p->until || !change || !p->contracts)
        return -1;
    for (int i = 0; i < p->n; i++)
        p->contracts[i + 1] = p->contracts[i] + contractions(p->list[i]);
    for (int i = p->n - 1; i >= 0; i--) {
        const weir_value *v = p->list[i];
        if (p->kept_anyway[i])
            p->until[i] = p->n - 1;
        for (int a = 0; a < v->arity; a++) {
            int *l = &p->until[v->arg[a]->id], until = is_view(v) ? p->until[i] : i;
            *l = until > *l ? until : *l;
        }
        if (!is_view(v) && lives_long(p, i)) {
            change[i] += bytes(v);
            change[p->until[i]] -= bytes(v);
        }
    }
    *most = 0;
    for (int i = 0; i < p->n; i++) {
        now += change[i];
        if (now > *most) {
            *most = now;
            peak = i;
        }
    }
    return peak + 1;
}

static bool find_readers(struct pass *p)
{
    p->early = weir_arena_array(p->arena, (size_t)p->n, sizeof(*p->early));
    p->late = weir_arena_array(p->arena, (size_t)p->n, sizeof(*p->late));
    p->read_late = weir_arena_array(p->arena, (size_t)p->n, sizeof(*p->read_late));
    if (!p->early || !p->late || !p->read_late)
        return false;
    for (int i = p->n - 1; i >= 0; i--) {
        const weir_value *v = p->list[i];
        for (int a = 0; a < v->arity; a++) {
            int of = v->arg[a]->id;
            p->read_late[of] |= i >= p->at;
            if (is_reader(v))
                *(i < p->at ? &p->early[of] : &p->late[of]) = true;
            if (is_view(v)) {
                p->early[of] |= p->early[i];
                p->late[of] |= p->late[i];
            }
        }
    }
    return true;
}

static bool solve(struct pass *p)
{
    struct weir_min_cut *m = weir_min_cut_create(p->arena, 2 * p->at + 2);
    bool *side = weir_arena_array(p->arena, 2 * (size_t)p->at + 2, sizeof(*side)), ok = m && side;
    const int from = 2 * p->at,
              to = from + 1; // value v is node 2 v, and 2 v + 1 once it is at hand
    for (int i = 0; i < p->at && ok; i++) {
        const weir_value *v = p->list[i];
        ok = weir_min_cut_arc(m, from, 2 * i, cost_again(p, v)) &&
             weir_min_cut_arc(m, 2 * i, 2 * i + 1, cost_kept(p, v));
        for (int a = 0; a < v->arity && ok; a++)
            ok = weir_min_cut_arc(m, 2 * v->arg[a]->id + 1, 2 * i, WEIR_CUT_NEVER);
    }
    for (int i = p->at; i < p->n && ok; i++)
        for (int a = 0; a < p->list[i]->arity && ok; a++)
            if (p->list[i]->arg[a]->id < p->at)
                ok = weir_min_cut_arc(m, 2 * p->list[i]->arg[a]->id + 1, to, WEIR_CUT_NEVER);
    if (!ok)
        return false;
    weir_min_cut_solve(m, from, to, side);
    for (int i = 0; i < p->at; i++)
        p->again[i] = !side[2 * i];
    return true;
}

// Where the values computed again are read first and last; what nobody reads is not computed.
// Returns the bytes of those.
static int64_t find_uses(struct pass *p)
{
    int64_t n = 0;
    for (int i = 0; i < p->at; i++) {
        p->first[i] = p->n;
        p->last[i] = -1;
    }
    for (int i = p->n - 1; i >= 0; i--) {
        int where = i < p->at ? p->first[i] : i,
            until = i < p->at && is_view(p->list[i]) ? p->last[i] : where;
        if (i < p->at && (!p->again[i] || where == p->n)) {
            p->again[i] = false;
            continue;
        }
        n += i < p->at && !is_view(p->list[i]) ? bytes(p->list[i]) : 0;
        for (int a = 0; a < p->list[i]->arity; a++) {
            int of = p->list[i]->arg[a]->id;
            if (of >= p->at)
                continue;
            p->first[of] = where < p->first[of] ? where : p->first[of];
            p->last[of] = until > p->last[of] ? until : p->last[of];
        }
    }
    return n;
}

// Chains of values that each have late readers of their own, as in a residual stream: the first one
// needed late needs them all, and they would live on until their own readers.
static bool ban_far(struct pass *p)
{
    bool any = false;
    for (int i = 0; i < p->at; i++) {
        if (!p->again[i] || is_view(p->list[i]) || bytes(p->list[i]) < LAUNCH)
            continue;
        if (p->contracts[p->last[i]] - p->contracts[p->first[i]] > FAR)
            any = p->banned[i] = true;
    }
    return any;
}

// Reads what is computed again instead of the original.
static void read_copies(const struct pass *p, weir_value *v)
{
    for (int a = 0; a < v->arity; a++)
        if (p->copy[v->arg[a]->id])
            v->arg[a] = p->copy[v->arg[a]->id];
}

static weir_value *compute_again(struct pass *p, const weir_value *v)
{
    weir_value *copy = weir_arena_memdup(p->c->arena, v, sizeof(*v));
    if (copy && v->arity > 0)
        copy->arg = weir_arena_memdup(p->c->arena, v->arg, (size_t)v->arity * sizeof(*v->arg));
    if (!copy || (v->arity > 0 && !copy->arg))
        return NULL;
    read_copies(p, copy);
    copy->recompute = v->graph->n_recompute + 1 + p->n_marks;
    p->copy[v->id] = copy;
    struct weir_recomputed *r = &p->c->recomputed;
    r->values += !is_view(v);
    r->flop += weir_value_flop(v);
    if (!is_view(v) && (p->late[v->id] || is_reader(v)))
        r->bytes += (size_t)bytes(v);
    return copy;
}

static void describe(struct pass *p, int64_t most, int64_t gain)
{
    struct weir_strbuf *out = &p->c->dump_recompute;
    char shape[160];
    weir_strbuf_printf(out, "cut before %%%d, where %.1f MB are alive: %.1f MB computed again\n",
                       p->at, 1e-6 * (double)most, 1e-6 * (double)gain);
    for (int i = 0; i < p->at; i++) {
        const weir_value *v = p->list[i];
        if (is_view(v) || v->op->cls == WEIR_OP_LEAF || bytes(v) < LAUNCH ||
            (!p->again[i] && p->last[i] < 0))
            continue;
        weir_strbuf_printf(out, "  %s %%%d = %s %s %s, read late from %%%d to %%%d%s%s\n",
                           p->again[i] ? "again" : "kept ", i, v->op->name,
                           weir_dtype_name(v->type.dtype),
                           weir_shape_text(&v->type.shape, shape, sizeof(shape)), p->first[i],
                           p->last[i], v->name ? "  # " : "", v->name ? v->name : "");
    }
}

// Puts the copies before their first readers.
static bool rebuild(struct pass *p)
{
    weir_value **list = weir_arena_array(p->c->arena, (size_t)(p->n + p->at) + 1, sizeof(*list));
    int *here = weir_arena_array(p->arena, 2 * (size_t)p->n + 1, sizeof(*here)), n = p->at;
    int *next = here ? here + p->n + 1 : NULL; // 1 + the value copied at a place, and after another
    p->copy = weir_arena_array(p->arena, (size_t)p->n, sizeof(*p->copy));
    if (!list || !p->copy || !here)
        return false;
    memcpy(list, p->list, (size_t)n * sizeof(*list));
    for (int i = p->at - 1; i >= 0; i--)
        if (p->again[i]) {
            next[i] = here[p->first[i]];
            here[p->first[i]] = 1 + i;
        }
    for (int i = p->at; i < p->n; i++) {
        for (int k = here[i]; k > 0; k = next[k - 1])
            if (!(list[n++] = compute_again(p, p->list[k - 1])))
                return false;
        read_copies(p, p->list[i]);
        list[n++] = p->list[i];
    }
    p->mark[p->n_marks++] = list[p->at];
    for (int i = 0; i < n; i++)
        list[i]->id = i;
    p->c->scope.live = list;
    p->c->scope.n_live = n;
    return true;
}

static bool begin(struct pass *p)
{
    p->list = p->c->scope.live;
    p->n = p->c->scope.n_live;
    size_t n = (size_t)p->n + 1;
    p->kept_anyway = weir_arena_array(p->arena, n, sizeof(*p->kept_anyway));
    p->banned = weir_arena_array(p->arena, n, sizeof(*p->banned));
    p->again = weir_arena_array(p->arena, n, sizeof(*p->again));
    p->first = weir_arena_array(p->arena, n, sizeof(*p->first));
    p->last = weir_arena_array(p->arena, n, sizeof(*p->last));
    if (!p->kept_anyway || !p->banned || !p->again || !p->first || !p->last)
        return false;
    for (int i = 0; i < p->c->scope.n_outputs; i++)
        p->kept_anyway[p->c->scope.outputs[i]->id] = true;
    return true;
}

// One cut; *done when there is nothing to gain.
static bool cut(struct pass *p, bool *done)
{
    int64_t most = 0;
    if (!begin(p))
        return false;
    p->at = find_peak(p, &most);
    *done = p->at == p->n;
    for (int i = 0; i < p->n_marks && p->at < p->n; i++)
        *done |= p->mark[i] == p->list[p->at];
    if (p->at < 0 || *done)
        return p->at >= 0;
    if (!find_readers(p))
        return false;
    int64_t n = 0;
    for (int round = 0; round < ROUNDS; round++) {
        if (!solve(p))
            return false;
        n = find_uses(p);
        if (!ban_far(p))
            break;
    }
    *done = n <= most / WORTH;
    if (*done)
        return true;
    if (p->c->params->dump_dir)
        describe(p, most, n);
    return rebuild(p);
}

static bool find_eras(struct pass *p)
{
    struct weir_scope *s = &p->c->scope;
    s->era = weir_arena_array(p->c->arena, (size_t)s->n_live + 1, sizeof(*s->era));
    for (int i = 0; i < s->n_live && s->era; i++)
        for (int k = 0; k < p->n_marks; k++)
            s->era[i] += p->mark[k]->id <= i;
    return s->era != NULL;
}

enum weir_status weir_recompute(struct weir_emit_state *c)
{
    struct pass p = {.c = c, .arena = weir_arena_create()};
    bool ok = p.arena != NULL, done = c->price < 0 || c->scope.n_live == 0;
    while (ok && !done && p.n_marks < MAX_CUTS) {
        weir_arena_reset(p.arena);
        ok = cut(&p, &done);
    }
    if (ok && p.n_marks > 0)
        ok = find_eras(&p);
    weir_arena_destroy(&p.arena);
    return ok ? WEIR_OK
              : weir_fail(&c->log, WEIR_NOMEM, "recompute: no memory for %d values",
                          c->scope.n_live);
}
