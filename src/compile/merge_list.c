// SPDX-License-Identifier: Apache-2.0
// The list of launches as merge.c decided: batches, their places, the tables of their kernels.
#include <string.h>

#include "compile/merge.h"

// The launches by batch, those of one as they went out. first[k], which has an entry more: where
// batch k begins.
static bool reorder(const struct merger *m, int *first)
{
    struct weir_emit_state *c = m->c;
    struct weir_planned *old =
        weir_arena_memdup(c->scratch, c->launches, (size_t)c->n_launches * sizeof(*old));
    int *place = weir_arena_array(c->scratch, (size_t)c->n_launches + 1, sizeof(*place));
    int *next = weir_arena_array(c->scratch, (size_t)m->n_built + 2, sizeof(*next));
    if ((!old && c->n_launches > 0) || !place || !next)
        return false;
    for (int k = 1; k <= m->n_built; k++)
        first[k + 1] = next[k + 1] = first[k] + m->built[k].n;
    for (int i = 0; i < m->n; i++) {
        int from = m->when[i], to = next[m->batch[from]]++;
        c->launches[to] = old[from];
        place[from] = to;
    }
    for (int i = 0; i < c->n_in_place; i++)
        c->in_place[i].launch = place[c->in_place[i].launch];
    return true;
}

// Words of the table that the kernel of launches [first, end) reads (write_merged.c).
static size_t table_size(const struct weir_emit_state *c, int first, int end)
{
    size_t n = 0;
    for (int i = first; i < end; i++) {
        const struct weir_planned *l = &c->launches[i];
        n += weir_merged_record(l);
        n += l->global[0] / l->local[0] * (l->global[1] / l->local[1]) *
             (l->global[2] / l->local[2]);
    }
    return n;
}

static bool add_batch(struct weir_emit_state *c, int first, int end)
{
    struct weir_slot table = {.home = WEIR_SLOT_CONSTANT,
                              .dtype = WEIR_U32,
                              .name = "table of a merged launch",
                              .size = table_size(c, first, end) * sizeof(uint32_t)};
    if (!weir_grow(c->arena, (void **)&c->batches, c->n_batches, &c->cap_batches,
                   sizeof(*c->batches)))
        return false;
    struct weir_batch *b = &c->batches[c->n_batches++];
    *b = (struct weir_batch){.first = first, .end = end, .table = weir_slot_add(c, &table)};
    c->slots[b->table].first = first;
    c->slots[b->table].last = end - 1;
    for (int i = first; i < end; i++)
        c->launches[i].batch = c->n_batches;
    return c->status == WEIR_OK;
}

void weir_merge_describe(struct weir_emit_state *c)
{
    int merged = 0;
    for (int k = 0; k < c->n_batches; k++) {
        const struct weir_batch *b = &c->batches[k];
        merged += b->end - b->first - 1;
        weir_strbuf_printf(&c->dump_merge, "launches %d .. %d:\n", b->first, b->end - 1);
        for (int i = b->first, n = 1; i < b->end; i++, n++) {
            if (i + 1 < b->end && strcmp(c->launches[i].kernel, c->launches[i + 1].kernel) == 0)
                continue;
            weir_strbuf_printf(&c->dump_merge, "  %d %s\n", n, c->launches[i].kernel);
            n = 0;
        }
    }
    weir_strbuf_printf(&c->dump_merge, "%d launches become %d\n", c->n_launches,
                       c->n_launches - merged);
}

bool weir_merge_list(const struct merger *m)
{
    struct weir_emit_state *c = m->c;
    int *first = weir_arena_array(c->scratch, (size_t)m->n_built + 2, sizeof(*first));
    bool good = first && reorder(m, first);
    for (int k = 1; k <= m->n_built && good; k++)
        good = m->built[k].n < 2 || add_batch(c, first[k], first[k + 1]);
    return good && c->status == WEIR_OK;
}
