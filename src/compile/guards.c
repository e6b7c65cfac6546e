// SPDX-License-Identifier: Apache-2.0
// Guards, for debugging kernels (weir_compile_params.guards). Every tensor lies alone between bands
// of a known pattern; the memory of results is filled with that pattern before each run and looked
// at after it. So a write beside a tensor has its name, and what a kernel forgot to write cannot
// look right: the pattern changes from run to run.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/compile.h"

// NaN in every float type and true as a bool; then a tiny number, one as a bool.
static const uint32_t patterns[2] = { 0x7fc17fc1u, 0x01010101u };

void weir_guards_place(const struct weir_emit_state *c, struct weir_slot *s, size_t *end)
{
    const size_t align = c->dev->info.caps.align > 128 ? c->dev->info.caps.align : 128;
    s->offset = weir_align_up(*end + WEIR_GUARD_SIZE, align);
    *end = weir_align_up(s->offset + s->size + WEIR_GUARD_SIZE, align);
}

enum weir_status weir_guards_fill(weir_buf *buf, int k)
{
    return buf ? weir_buf_fill(buf, 0, patterns[k], buf->size / 4 * 4) : WEIR_OK;
}

// The label of the first launch that writes a slot; of a batch, all of which hold it, the one that does.
static const char *writer_of(const struct weir_emit_state *c, int slot)
{
    const struct weir_slot *s = &c->slots[slot];
    if (s->home != WEIR_SLOT_ARENA && s->home != WEIR_SLOT_KEEP)
        return "the host";
    for (int i = s->first; i <= s->last; i++) {
        const struct weir_planned *l = &c->launches[i];
        for (int a = 0; a < l->n_args; a++)
            if (!l->args[a].only_read && weir_slot_base(c, l->args[a].slot) == slot)
                return l->label ? l->label : "a launch";
    }
    return "a launch";
}

enum weir_status weir_guards_take(const struct weir_emit_state *c, struct weir_program *p)
{
    p->guarded = weir_arena_array(p->arena, (size_t)c->n_slots + 1, sizeof(*p->guarded));
    if (!p->guarded)
        return weir_fail(&c->log, WEIR_NOMEM, "no memory to guard %d tensors", c->n_slots);
    for (int i = 0; i < c->n_slots; i++) {
        const struct weir_slot *s = &c->slots[i];
        if (s->first < 0 || s->alias >= 0 || s->home == WEIR_SLOT_STATE ||
            s->home == WEIR_SLOT_WINDOW)
            continue;
        weir_buf *buf = s->home == WEIR_SLOT_CONSTANT ? p->constants
                        : s->home == WEIR_SLOT_INPUT  ? p->inputs
                                                      : p->memory;
        p->guarded[p->n_guarded++] = (struct weir_guarded) {
            buf, s->offset, s->size, weir_arena_strdup(p->arena, s->name ? s->name : "scratch"),
            weir_arena_strdup(p->arena, writer_of(c, i)) };
    }
    return WEIR_OK;
}

enum weir_status weir_guards_before_run(struct weir_program *p)
{
    p->pattern = !p->pattern;
    p->unchecked = true;
    return weir_guards_fill(p->memory, p->pattern);
}

// The tensor nearest to byte `at`, which lies in none; *apart bytes behind its end, or before it
// (< 0).
static const struct weir_guarded *nearest(const struct weir_program *p, const weir_buf *buf,
                                          size_t at, int64_t *apart)
{
    const struct weir_guarded *best = NULL;
    for (int i = 0; i < p->n_guarded; i++) {
        const struct weir_guarded *t = &p->guarded[i];
        if (t->buf != buf)
            continue;
        int64_t gap = at < t->offset ? (int64_t)at - (int64_t)t->offset
                                     : (int64_t)(at - t->offset - t->size) + 1;
        if (!best || llabs(gap) < llabs(*apart)) {
            best = t;
            *apart = gap;
        }
    }
    return best;
}

static enum weir_status check_buffer(const struct weir_program *p, weir_buf *buf, int pattern)
{
    if (!buf)
        return WEIR_OK;
    unsigned char *bytes = malloc(buf->size), word[4];
    if (!bytes)
        return weir_fail(&p->dev->log, WEIR_NOMEM, "no memory to look at %zu bytes", buf->size);
    memcpy(word, &patterns[pattern], sizeof(word));
    enum weir_status status = weir_buf_read(buf, 0, bytes, buf->size);
    for (int i = 0; i < p->n_guarded; i++)
        for (size_t k = 0; p->guarded[i].buf == buf && k < p->guarded[i].size; k++)
            bytes[p->guarded[i].offset + k] = word[(p->guarded[i].offset + k) % 4];
    for (size_t k = 0; k < buf->size / 4 * 4 && status == WEIR_OK; k++) {
        int64_t apart = 0;
        if (bytes[k] == word[k % 4])
            continue;
        const struct weir_guarded *t = nearest(p, buf, k, &apart);
        status = weir_fail(&p->dev->log, WEIR_DEVICE,
                           "%s: a run wrote byte %lld %s %s, %zu bytes written by %s", p->label,
                           (long long)llabs(apart), apart < 0 ? "before" : "behind",
                           t ? t->name : "nothing", t ? t->size : 0, t ? t->writer : "nobody");
    }
    free(bytes);
    return status;
}

enum weir_status weir_guards_after_run(struct weir_program *p)
{
    p->unchecked = false;
    enum weir_status status = check_buffer(p, p->memory, p->pattern);
    if (status == WEIR_OK)
        status = check_buffer(p, p->inputs, 0);
    if (status == WEIR_OK)
        status = check_buffer(p, p->constants, 0);
    return status;
}
