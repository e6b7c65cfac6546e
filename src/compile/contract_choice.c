// SPDX-License-Identifier: Apache-2.0
// Which kernel computes a gather, and with which knobs: what is forced, else what a tuner measured,
// else what the kernels' own models say. A candidate is text on its way to disk and back.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "compile/contract_parts.h"
#include "device/tuning.h"

// Asked in this order where nothing was measured.
const struct weir_contract_kernel *const weir_contract_kernels[] = {
    &weir_contract_library, &weir_contract_window,   &weir_contract_border,  &weir_contract_block,
    &weir_contract_wide,    &weir_contract_engine,   &weir_contract_subgroup, &weir_contract_grouped,
    NULL,
};

static bool border_fits(const struct weir_emit *e, const struct weir_gather *g, const int *knob)
{
    return g->bound.of != WEIR_BOUND_NONE;
}

static bool border_wants(const struct weir_emit *e, const struct weir_gather *g)
{
    return g->bound.of == WEIR_BOUND_A;
}

const struct weir_contract_kernel weir_contract_border = {
    .name = "border", .fits = border_fits, .wants = border_wants};

static const struct weir_candidate nothing = {.knob = {WEIR_AUTO, WEIR_AUTO, WEIR_AUTO, WEIR_AUTO,
                                                       WEIR_AUTO, WEIR_AUTO, WEIR_AUTO, WEIR_AUTO}};

void weir_vary(struct weir_variations *v, const struct weir_candidate *from, int i, int value)
{
    if (v->n == v->max)
        return;
    v->list[v->n] = *from;
    v->list[v->n++].knob[i] = value;
}

// --- text ---

const char *weir_candidate_text(const struct weir_candidate *c, char *dst, size_t size)
{
    size_t n = (size_t)snprintf(dst, size, "%s", c->kernel ? c->kernel->name : "none");
    const char *const *name = c->kernel ? c->kernel->knobs : NULL;
    for (int i = 0, known = 0; name && name[i] && n < size; i++)
        if (c->knob[i] != WEIR_AUTO)
            n += (size_t)snprintf(dst + n, size - n, "%c%s=%d", known++ ? ',' : ':', name[i],
                                  c->knob[i]);
    return dst;
}

// "NAME=VALUE" at *text, up to a comma or the end, to which *text is moved.
static bool parse_knob(const char **text, struct weir_candidate *c)
{
    size_t length = strcspn(*text, "=");
    const char *const *names = c->kernel->knobs;
    int i = 0;
    while (names && names[i] && (strlen(names[i]) != length || strncmp(names[i], *text, length)))
        i++;
    if (!names || !names[i] || !(*text)[length])
        return false;
    char *end;
    long value = strtol(*text + length + 1, &end, 10);
    if (end == *text + length + 1 || (*end && *end != ',') || value < 0 || value > INT32_MAX)
        return false;
    c->knob[i] = (int)value;
    *text = end;
    return true;
}

bool weir_candidate_parse(const struct weir_contract_kernel *const *kernels, const char *text,
                          struct weir_candidate *c)
{
    size_t length = strcspn(text, ":");
    *c = nothing;
    for (int i = 0; kernels[i] && !c->kernel; i++)
        if (strlen(kernels[i]->name) == length && !strncmp(kernels[i]->name, text, length))
            c->kernel = kernels[i];
    if (!c->kernel)
        return false;
    for (text += length; *text;) {
        text++; // a colon, then commas
        if (!parse_knob(&text, c))
            return false;
    }
    return true;
}

// --- choice ---

void weir_gather_describe(const struct weir_gather *g, char *dst, size_t size)
{
    int64_t batches = extent(g->batch, 6);
    int n = snprintf(dst, size, "%s %lld x %lld x %lld", g->hint, (long long)extent(g->row, 4),
                     (long long)extent(g->col, 4), (long long)extent(g->term, 4));
    if (batches > 1 && n > 0 && (size_t)n < size)
        n += snprintf(dst + n, size - (size_t)n, ", %lld times", (long long)batches);
    if (g->bound.of != WEIR_BOUND_NONE && n > 0 && (size_t)n < size)
        snprintf(dst + n, size - (size_t)n, ", edges");
}

uint64_t weir_gather_key(const struct weir_emit *e, const struct weir_gather *g)
{
    struct weir_strbuf t = {0};
    weir_gather_define(&t, g);
    weir_strbuf_printf(&t, "bound %d\n", (int)g->bound.of);
    weir_bound_define(&t, &g->bound);
    weir_strbuf_printf(&t, "slack %d %d split %d epilogue %d fast %d units %d\n", g->a.slack,
                       g->b.slack, weir_split_possible(e, g), e->epilogue != NULL, e->fast,
                       e->dev->info.caps.compute_units);
    uint64_t key = t.failed ? 0 : weir_hash64(t.s, t.n, 0);
    weir_strbuf_free(&t);
    return key;
}

bool weir_candidate_fits(const struct weir_emit *e, const struct weir_gather *g,
                         const struct weir_candidate *c)
{
    return c->kernel && (!c->kernel->fits || c->kernel->fits(e, g, c->knob));
}

static const struct weir_contract_kernel *const *kernels_of(const struct weir_emit *e)
{
    return e->kernels ? e->kernels : weir_contract_kernels;
}

struct weir_candidate weir_candidate_model(const struct weir_emit *e, const struct weir_gather *g)
{
    const struct weir_contract_kernel *const *kernels = kernels_of(e);
    struct weir_candidate c = nothing;
    for (int i = 0; kernels[i]; i++) {
        c.kernel = kernels[i];
        if (c.kernel->wants && c.kernel->wants(e, g) && weir_candidate_fits(e, g, &c))
            return c;
    }
    return nothing;
}

static bool forced(const struct weir_emit *e, const struct weir_gather *g, uint64_t key,
                   struct weir_candidate *c)
{
    for (int i = 0; i < e->n_forced; i++) {
        const struct weir_forced *f = &e->forced[i];
        if ((f->key == 0 || f->key == key) && weir_candidate_fits(e, g, &f->candidate)) {
            *c = f->candidate;
            return true;
        }
    }
    return false;
}

static bool measured(const struct weir_emit *e, const struct weir_gather *g, uint64_t key,
                     struct weir_candidate *c)
{
    bool asked = e->library > 0 && weir_contract_library.fits(e, g, NULL); // for the library, by the caller
    const char *text = e->tuning && !asked ? weir_tuning_choice(e->tuning, key) : NULL;
    return text && weir_candidate_parse(kernels_of(e), text, c) && weir_candidate_fits(e, g, c);
}

static void note(struct weir_seen *seen, uint64_t key, const struct weir_gather *g)
{
    int i = 0;
    while (i < seen->n && seen->at[i].key != key)
        i++;
    if (i == WEIR_MAX_SEEN)
        return;
    seen->at[i].key = key;
    seen->at[i].gather = *g;
    seen->n += i == seen->n;
}

// For dumps: which candidate it became, and why.
static void dump(struct weir_emit *e, const struct weir_gather *g, const struct weir_candidate *c, const char *why)
{
    char shape[96], text[160];
    if (!e->choices)
        return;
    weir_gather_describe(g, shape, sizeof(shape));
    weir_strbuf_printf(e->choices, "%-48s %-6s %s\n", shape, why,
                       weir_candidate_text(c, text, sizeof(text)));
}

struct weir_candidate weir_candidate_for(struct weir_emit *e, const struct weir_gather *g)
{
    struct weir_candidate c;
    uint64_t key = e->tuning || e->n_forced || e->seen ? weir_gather_key(e, g) : 0;
    const char *why = "model";
    if (forced(e, g, key, &c))
        why = "forced";
    else if (measured(e, g, key, &c))
        why = "tuned";
    else
        c = weir_candidate_model(e, g);
    if (c.kernel && c.kernel->model)
        c.kernel->model(e, g, c.knob);
    dump(e, g, &c, why);
    if (e->seen)
        note(e->seen, key, g);
    return c;
}
