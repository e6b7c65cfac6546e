// SPDX-License-Identifier: Apache-2.0
// Which knobs the kernels of a group get. The key of a group is what its writer makes of it by its own model;
// where tuning has found better knobs the group is written once more, with those.
#include "compile/group_choice.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "device/tuning.h"

static const char *const knobs[] = {"strip", "rows", "vectors", "slice", NULL};
static const struct weir_contract_kernel group = {.name = "group", .knobs = knobs};
const struct weir_contract_kernel *const weir_group_kernels[] = {&group, NULL};

_Static_assert(sizeof(((struct weir_emit_state *)0)->group_models) / sizeof(int64_t) == WEIR_GROUP_KNOBS,
               "a number for each knob");

int64_t weir_group_knob(struct weir_emit_state *c, enum weir_group_knob knob, int64_t model, int64_t most)
{
    int64_t wanted = c->group_knobs ? c->group_knobs[knob] : WEIR_AUTO;
    if (!c->group_knobs)
        c->group_models[knob] = model;
    return wanted >= 1 && wanted <= most ? wanted : model;
}

static const struct weir_kernel_entry *entry_of(const struct weir_emit_state *c, const char *kernel)
{
    for (int i = 0; i < c->n_kernels; i++)
        if (!strcmp(c->kernels[i].name, kernel))
            return &c->kernels[i];
    return NULL;
}

uint64_t weir_group_key(const struct weir_emit_state *c, int first)
{
    struct weir_hasher h;
    char text[160];
    snprintf(text, sizeof(text), "group units %d", c->dev->info.caps.compute_units);
    weir_hasher_init(&h, 0);
    weir_hasher_add_text(&h, text);
    for (int i = first; i < c->n_launches; i++) {
        const struct weir_planned *l = &c->launches[i];
        const struct weir_kernel_entry *k = l->kernel ? entry_of(c, l->kernel) : NULL;
        weir_hasher_add_text(&h, k ? k->text : l->label);
        snprintf(text, sizeof(text), "%d %d <%zu %zu %zu>", (int)l->ints[0], (int)l->ints[1], l->global[0],
                 l->global[1], l->global[2]);
        weir_hasher_add_text(&h, text);
    }
    return weir_hasher_digest(&h);
}

void weir_group_describe(const struct weir_group *g, char *dst, size_t size)
{
    const weir_value *v = g->nodes[g->n_nodes - 1];
    const struct weir_type *t = v->op->cls == WEIR_OP_REDUCE ? &v->arg[0]->type : &v->type;
    size_t n = (size_t)snprintf(dst, size, "%s", g->kind == WEIR_GROUP_MAP   ? "map"
                                                 : g->kind == WEIR_GROUP_ROW ? "rows"
                                                                             : v->op->name);
    for (int i = 0; i < t->shape.rank && n < size; i++)
        n += (size_t)snprintf(dst + n, size - n, "%s%lld", i ? " x " : " ", (long long)t->shape.dim[i]);
    if (g->n_nodes > 1 && n < size)
        snprintf(dst + n, size - n, ", %d operations", g->n_nodes);
}

static bool asked(const struct weir_emit_state *c)
{
    for (int i = 0; i < WEIR_GROUP_KNOBS; i++)
        if (c->group_models[i] > 0)
            return true;
    return false;
}

// Whether there is a choice other than the model's.
static bool chosen(const struct weir_emit_state *c, uint64_t key, struct weir_candidate *candidate)
{
    struct weir_tuning *t = weir_tuning_of(c->dev);
    const char *text = t ? weir_tuning_choice(t, key) : NULL;
    if (!text || !weir_candidate_parse(weir_group_kernels, text, candidate))
        return false;
    for (int i = 0; i < WEIR_GROUP_KNOBS; i++)
        if (candidate->knob[i] != WEIR_AUTO)
            return true;
    return false;
}

static void dump(struct weir_emit_state *c, const struct weir_group *g, const struct weir_candidate *candidate)
{
    char shape[96], text[160];
    if (!c->params->dump_dir)
        return;
    weir_group_describe(g, shape, sizeof(shape));
    weir_strbuf_printf(&c->dump_choices, "%-48s %-6s %s\n", shape, "tuned",
                       weir_candidate_text(candidate, text, sizeof(text)));
}

enum weir_status weir_group_write(struct weir_emit_state *c, const struct weir_group *g, weir_group_writer *write)
{
    const enum weir_tune own = c->params->tune, tune = own ? own : c->dev->tune;
    const int launches = c->n_launches, kernels = c->n_kernels, in_place = c->n_in_place;
    struct weir_candidate candidate;
    memset(c->group_models, 0, sizeof(c->group_models));
    enum weir_status status = write(c, g);
    if (status != WEIR_OK || c->status != WEIR_OK || tune == WEIR_TUNE_OFF || c->dev->planned || !asked(c))
        return status;
    uint64_t key = weir_group_key(c, launches);
    if (tune == WEIR_TUNE_FULL)
        status = weir_tune_group(c, g, write, launches, key);
    if (status != WEIR_OK || !chosen(c, key, &candidate))
        return status;
    c->n_launches = launches;
    c->n_kernels = kernels;
    c->n_in_place = in_place;
    c->group_knobs = candidate.knob;
    status = write(c, g);
    c->group_knobs = NULL;
    dump(c, g, &candidate);
    return status;
}
