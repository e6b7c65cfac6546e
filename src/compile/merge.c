// SPDX-License-Identifier: Apache-2.0
// Small launches that do not need each other become one: a driver takes as long to begin a kernel
// as a CPU core takes to update some ten thousand parameters. Launches are walked in their order.
// One that does what an earlier one did, and could have been done then, joins it. A small one waits
// until another needs it, or to the end; what waits together and is independent goes out together.
// Either must not cost memory: the bytes alive at any launch stay close to the peak of the order
// that there was. At the end of a program, where only such launches are left (the optimizer,
// mostly), any size may wait.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/merge.h"

// Bytes of operands that a launch may have in order to wait, or (LIKE times as many) to join one of
// the same text: to read them again later, out of no cache, takes no longer than what a launch
// costs. The peak may grow by 1 part in PEAK_PART and SLACK bytes.
enum {
    SMALL_WIDE = 256 << 10,
    SMALL_GROUPED = 4 << 20,
    LIKE = 16,
    PEAK_PART = 64,
    SLACK = 512 << 10
};

enum { NONE = -1, MANY = -2 }; // no slot

static const struct weir_planned *launch(const struct merger *m, int i)
{
    return &m->c->launches[i];
}

static int home_of(const struct weir_emit_state *c, int slot)
{
    slot = weir_slot_base(c, slot);
    for (int i = 0; i < slot && c->slots[slot].home == WEIR_SLOT_STATE; i++)
        if (c->slots[i].home == WEIR_SLOT_STATE && c->slots[i].state == c->slots[slot].state)
            return i;
    return slot;
}

// In a loop the places of operands may move from one iteration to the next, and they are constants of a
// merged launch. What is copied to several places may come to lie in any one of them.
static int text_of(const struct merger *m, const struct weir_planned *l)
{
    if (!l->kernel || l->local[0] == 0 || l->loop >= 0)
        return -1;
    for (int a = 0; a < l->n_args; a++)
        if (m->becomes[m->home[l->args[a].slot]] == MANY)
            return -1;
    for (int i = 0; i < m->c->n_kernels; i++)
        if (strcmp(m->c->kernels[i].name, l->kernel) == 0)
            return m->merges[i] ? i : -1;
    return -1;
}

static bool in_arena(const struct merger *m, int home)
{
    enum weir_slot_home where = m->c->slots[home].home;
    int to = m->becomes[home];
    return (where == WEIR_SLOT_ARENA || where == WEIR_SLOT_KEEP) &&
           (to < 0 || m->c->slots[to].home != WEIR_SLOT_STATE);
}

static void find_alive(struct merger *m)
{
    struct weir_emit_state *c = m->c;
    for (int i = 0; i < c->n_slots; i++)
        m->first[i] = -1;
    for (int i = 0; i < c->n_launches; i++)
        for (int a = 0; a < launch(m, i)->n_args; a++) {
            int home = m->home[launch(m, i)->args[a].slot];
            m->first[home] = m->first[home] < 0 ? i : m->first[home];
            m->last[home] = i;
            m->bytes[i] += c->slots[launch(m, i)->args[a].slot].size;
        }
    for (int i = 0; i < c->n_slots; i++) {
        if (m->first[i] < 0 || !in_arena(m, i))
            continue;
        if (c->slots[i].home == WEIR_SLOT_KEEP)
            m->last[i] = c->n_launches - 1;
        for (int k = m->first[i]; k <= m->last[i]; k++)
            m->alive[k] += c->slots[i].size;
    }
    for (int i = 0; i < c->n_launches; i++)
        m->most = m->alive[i] > m->most ? m->alive[i] : m->most;
    m->most += m->most / PEAK_PART + SLACK;
}

static bool make(struct merger *m, struct weir_emit_state *c)
{
    size_t slots = (size_t)c->n_slots + 1, launches = (size_t)c->n_launches + 1;
    int **ints[] = {&m->home,        &m->becomes,        &m->first,       &m->last,
                    &m->levels.read, &m->levels.written, &m->needed.read, &m->needed.written,
                    &m->done.read,   &m->done.written};
    *m = (struct merger){.c = c};
    bool good = true;
    for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
        good = (*ints[i] = weir_arena_array(c->arena, slots, sizeof(int))) && good;
    m->text = weir_arena_array(c->arena, launches, sizeof(int));
    m->bytes = weir_arena_array(c->arena, launches, sizeof(size_t));
    m->alive = weir_arena_array(c->arena, launches, sizeof(size_t));
    m->when = weir_arena_array(c->arena, launches, sizeof(int));
    m->batch = weir_arena_array(c->arena, launches, sizeof(int));
    m->latest = weir_arena_array(c->arena, (size_t)c->n_kernels + 1, sizeof(int));
    m->merges = weir_arena_array(c->arena, (size_t)c->n_kernels + 1, sizeof(bool));
    m->large = weir_arena_array(c->arena, (size_t)c->n_kernels + 1, sizeof(bool));
    m->waiting = weir_arena_array(c->arena, launches, sizeof(*m->waiting));
    m->out = weir_arena_array(c->arena, launches, sizeof(*m->out));
    m->built = weir_arena_array(c->arena, launches, sizeof(*m->built));
    if (!good || !m->text || !m->bytes || !m->alive || !m->when || !m->batch || !m->latest ||
        !m->merges || !m->large || !m->waiting || !m->out || !m->built)
        return false;
    for (int i = 0; i < c->n_slots; i++) {
        m->home[i] = home_of(c, i);
        m->becomes[i] = NONE;
    }
    for (int i = 0; i < c->n_launches; i++)
        if (launch(m, i)->copy != WEIR_COPY_PLAIN) {
            int *to = &m->becomes[m->home[launch(m, i)->args[0].slot]];
            *to = *to == NONE ? launch(m, i)->args[1].slot : MANY;
        }
    for (int i = 0; i < c->n_kernels; i++) {
        m->merges[i] = strstr(c->kernels[i].text, WEIR_MERGEABLE) != NULL;
        m->large[i] = strstr(c->kernels[i].text, WEIR_MERGED_WITH_EQUALS) != NULL;
    }
    for (int i = 0; i < c->n_launches; i++)
        m->text[i] = text_of(m, launch(m, i));
    m->small = weir_device_has(c->dev, WEIR_CAP_WIDE) ? SMALL_WIDE : SMALL_GROUPED;
    find_alive(m);
    return true;
}

// Says that launch i touches its operands, as `value`.
static void touch(const struct merger *m, const struct touched *t, int i, int value)
{
    for (int a = 0; a < launch(m, i)->n_args; a++) {
        const struct weir_emit_arg *arg = &launch(m, i)->args[a];
        int *at = &(arg->only_read ? t->read : t->written)[m->home[arg->slot]];
        *at = value > *at ? value : *at;
    }
}

// The highest value of those that launch i must not run together with.
static int meets(const struct merger *m, const struct touched *t, int i)
{
    int most = 0;
    for (int a = 0; a < launch(m, i)->n_args; a++) {
        const struct weir_emit_arg *arg = &launch(m, i)->args[a];
        int home = m->home[arg->slot];
        int at = t->written[home];
        if (!arg->only_read && t->read[home] > at)
            at = t->read[home];
        most = at > most ? at : most;
    }
    return most;
}

// --- the new order ---

// What distinguishes the buffers that slots lie in.
static const void *buffer_key(const struct merger *m, int home)
{
    static const char arena, constants, inputs;
    const struct weir_slot *s = &m->c->slots[home];
    return s->home == WEIR_SLOT_CONSTANT ? &constants
           : s->home == WEIR_SLOT_INPUT  ? &inputs
           : s->home == WEIR_SLOT_STATE  ? (const void *)s->state->home
                                         : &arena;
}

static bool add_buffer(const struct merger *m, const void **buf, int *n, int home)
{
    const void *key = buffer_key(m, home);
    for (int i = 0; i < *n; i++)
        if (buf[i] == key)
            return true;
    if (*n == WEIR_LAUNCH_MAX_BUFS - 1) // the last one is for the table
        return false;
    buf[(*n)++] = key;
    return true;
}

static bool buffers_fit(const struct merger *m, int i, const void **buf, int *n)
{
    bool fit = true;
    for (int a = 0; a < launch(m, i)->n_args && fit; a++) {
        int home = m->home[launch(m, i)->args[a].slot];
        fit = add_buffer(m, buf, n, home) &&
              (m->becomes[home] < 0 || add_buffer(m, buf, n, m->home[m->becomes[home]]));
    }
    return fit;
}

static bool has_text(const struct built *b, int text)
{
    for (int i = 0; i < b->n_texts; i++)
        if (b->text[i] == text)
            return true;
    return false;
}

// Bytes of the tensors that launch i is the first to touch.
static size_t made(const struct merger *m, int i)
{
    size_t size = 0;
    for (int a = 0; a < launch(m, i)->n_args; a++) {
        int home = m->home[launch(m, i)->args[a].slot];
        bool seen = !in_arena(m, home) || m->first[home] != i;
        for (int b = 0; b < a; b++)
            seen = seen || m->home[launch(m, i)->args[b].slot] == home;
        size += seen ? 0 : m->c->slots[home].size;
    }
    return size;
}

// Whether there is memory for the results of launch i from the place of launch `from` on.
static bool fits_from(const struct merger *m, int i, int from)
{
    const size_t more = from < i ? made(m, i) : 0;
    for (int k = from; k < i; k++)
        if (m->alive[k] + m->kept + more > m->most)
            return false;
    return true;
}

// Whether launch i may run at the same time as a batch, by the same kernel. `small`: that may get
// larger by it.
static bool may_join(struct merger *m, int i, int batch, bool small)
{
    struct built *b = &m->built[batch];
    if (m->text[i] < 0 || batch == 0 || !b->grows || meets(m, &m->done, i) >= batch ||
        memcmp(launch(m, i)->local, b->local, 3 * sizeof(*b->local)) != 0)
        return false;
    if (!has_text(b, m->text[i]) &&
        (b->n_texts == TEXTS_MAX || !small || !b->small || m->large[m->text[i]]))
        return false;
    const void *buf[WEIR_LAUNCH_MAX_BUFS];
    int n = b->n_bufs;
    memcpy(buf, b->buf, sizeof(buf));
    if (!fits_from(m, i, b->at) || !buffers_fit(m, i, buf, &n))
        return false;
    memcpy(b->buf, buf, sizeof(buf));
    b->n_bufs = n;
    return true;
}

static void join(struct merger *m, int i, int batch, bool small)
{
    struct built *b = &m->built[batch];
    const size_t more = made(m, i);
    for (int k = b->at; k < i; k++)
        m->alive[k] += more;
    if (m->text[i] >= 0) {
        if (!has_text(b, m->text[i]))
            b->text[b->n_texts++] = m->text[i];
        m->latest[m->text[i]] = batch;
    }
    b->small = b->small && small;
    b->n++;
    touch(m, &m->done, i, batch);
    m->batch[i] = batch;
    m->when[m->n++] = i;
}

// With what is like it, if that was done late enough.
static bool join_like(struct merger *m, int i, bool small)
{
    if (m->text[i] < 0 || m->bytes[i] > LIKE * m->small ||
        !may_join(m, i, m->latest[m->text[i]], small))
        return false;
    join(m, i, m->latest[m->text[i]], small);
    return true;
}

// Launch i is the next one; `at`: of all that have been looked at, the last. `small`: others may
// come to it.
static void emit(struct merger *m, int i, int at, bool small)
{
    if (join_like(m, i, small))
        return;
    if (!may_join(m, i, m->n_built, small)) {
        struct built *b = &m->built[++m->n_built];
        *b = (struct built){.at = at, .local = launch(m, i)->local};
        b->grows = m->text[i] >= 0 && buffers_fit(m, i, b->buf, &b->n_bufs);
        b->small = b->grows && !m->large[m->text[i]];
    }
    join(m, i, m->n_built, small);
}

static int by_level(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    if (x->level != y->level)
        return x->level - y->level;
    int local = memcmp(x->local, y->local, 3 * sizeof(*x->local));
    if (local != 0)
        return local;
    return x->text != y->text ? x->text - y->text : x->launch - y->launch;
}

static void note_levels(struct merger *m)
{
    size_t size = (size_t)m->c->n_slots * sizeof(int);
    memset(m->levels.read, 0, size);
    memset(m->levels.written, 0, size);
    for (int k = 0; k < m->n_waiting; k++)
        touch(m, &m->levels, m->waiting[k].launch, m->waiting[k].level);
}

// Those that are needed go out, level by level, at the place of launch `at`.
static void release(struct merger *m, int at)
{
    int left = 0, n = 0;
    struct waiting *out = m->out;
    for (int k = 0; k < m->n_waiting; k++) {
        if (m->waiting[k].needed)
            out[n++] = m->waiting[k];
        else
            m->waiting[left++] = m->waiting[k];
    }
    m->n_waiting = left;
    qsort(out, (size_t)n, sizeof(*out), by_level);
    for (int k = 0; k < n; k++) {
        m->kept -= out[k].kept;
        emit(m, out[k].launch, at, true);
    }
    if (n > 0)
        note_levels(m);
}

// What launch i must come after or, with `keepers`, what keeps memory alive there; and what those
// must come after in turn.
static void release_for(struct merger *m, int i, bool keepers)
{
    m->stamp++;
    if (!keepers)
        touch(m, &m->needed, i, m->stamp);
    for (int k = m->n_waiting - 1; k >= 0; k--) {
        struct waiting *w = &m->waiting[k];
        w->needed = (keepers && w->kept > 0) || meets(m, &m->needed, w->launch) == m->stamp;
        if (w->needed)
            touch(m, &m->needed, w->launch, m->stamp);
    }
    release(m, i);
}

// Bytes that would be free behind launch i, but for what it leaves.
static size_t dying(const struct merger *m, int i)
{
    const struct weir_planned *l = launch(m, i);
    size_t gone = 0, left = made(m, i);
    for (int a = 0; a < l->n_args; a++) {
        int home = m->home[l->args[a].slot];
        bool seen = !in_arena(m, home) || m->first[home] == i || m->last[home] != i;
        for (int b = 0; b < a; b++)
            seen = seen || m->home[l->args[b].slot] == home;
        gone += seen ? 0 : m->c->slots[home].size;
    }
    return gone > left ? gone - left : 0;
}

static void take(struct merger *m, int i, bool tail)
{
    const bool small = m->bytes[i] <= m->small || tail;
    const size_t kept = dying(m, i);
    const int level = 1 + meets(m, &m->levels, i);
    if (m->alive[i] + m->kept > m->most)
        release_for(m, i, true);
    if (level == 1 && !tail && join_like(m, i, small))
        return;
    if (m->text[i] < 0 || !small || m->large[m->text[i]] ||
        m->alive[i] + m->kept + kept > m->most) {
        release_for(m, i, false);
        emit(m, i, i, small);
        return;
    }
    m->waiting[m->n_waiting++] = (struct waiting){.launch = i,
                                                  .text = m->text[i],
                                                  .kept = kept,
                                                  .level = level,
                                                  .local = launch(m, i)->local};
    m->kept += kept;
    touch(m, &m->levels, i, level);
}

// Launches [first, end) of one loop, no host call and no other loop among them.
static void merge_range(struct merger *m, int first, int end)
{
    int tail = end;
    while (tail > first && m->text[tail - 1] >= 0 && !m->large[m->text[tail - 1]])
        tail--;
    for (int i = first; i < end; i++)
        take(m, i, i >= tail);
    for (int k = 0; k < m->n_waiting; k++)
        m->waiting[k].needed = true;
    release(m, end - 1);
    for (int i = 0; i < m->c->n_kernels;
         i++) // what comes then is of another loop, or behind a host call
        m->latest[i] = 0;
    m->built[m->n_built].grows = false;
}

enum weir_status weir_merge(struct weir_emit_state *c)
{
    struct merger m;
    weir_arena_reset(c->scratch);
    if (!make(&m, c))
        return weir_fail(&c->log, WEIR_NOMEM, "no memory to merge %d launches", c->n_launches);
    for (int i = 0, end; i < c->n_launches; i = end) {
        const struct weir_planned *l = &c->launches[i];
        for (end = i + 1; l->kernel && end < c->n_launches && c->launches[end].kernel &&
                          c->launches[end].loop == l->loop;
             end++)
            ;
        merge_range(&m, i, end);
    }
    if (!weir_merge_list(&m))
        return weir_fail(&c->log, WEIR_NOMEM, "no memory to merge %d launches", c->n_launches);
    if (c->params->dump_dir)
        weir_merge_describe(c);
    return WEIR_OK;
}
