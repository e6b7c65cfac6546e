// SPDX-License-Identifier: Apache-2.0
// Kernels and launches of one gather on grouped devices with sub-groups: operands go from memory to
// registers and from lane to lane (kernels/contract_subgroup.cl). Which tile decides speed only.
#include "compile/contract_parts.h"

#include "device/kernel_text.h"

enum { ROWS, COLS, SUBS, SPLIT };
static const char *const knobs[] = {"rows", "cols", "subs", "split", NULL};

// Registers of a lane for sums, and sub-groups of a work-group, at most.
enum { SUMS_MAX = 32, SUBS_MAX = 16 };

static bool fits(const struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    const struct weir_caps *caps = &e->dev->info.caps;
    const int lanes = caps->sub_group;
    if (weir_device_has(e->dev, WEIR_CAP_WIDE) || !weir_device_has(e->dev, WEIR_CAP_SUBGROUPS) ||
        lanes < 1 || lanes > caps->max_group || g->bound.of != WEIR_BOUND_NONE)
        return false;
    if (k[ROWS] == 0 || k[COLS] == 0 || k[SUBS] == 0 || k[ROWS] > SUMS_MAX || k[COLS] > SUMS_MAX ||
        (k[ROWS] == WEIR_AUTO) != (k[COLS] == WEIR_AUTO) || k[ROWS] * k[COLS] > SUMS_MAX ||
        k[SUBS] > SUBS_MAX || k[SUBS] * lanes > caps->max_group)
        return false;
    return k[SPLIT] < 1 || weir_split_possible(e, g);
}

// Neighbouring lanes should find neighbouring columns. Where sub-groups are long, as AMD's are, local
// memory serves more work-items by a load than a broadcast does; so what was not measured is left to
// that kernel there.
static bool wants(const struct weir_emit *e, const struct weir_gather *g)
{
    return e->dev->info.caps.is_gpu && e->dev->info.caps.sub_group <= 16 && g->col[3].b == 1 &&
           weir_device_has(e->dev, WEIR_CAP_FMA);
}

static int64_t groups_of(const struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    return div_up(extent(g->row, 4), (int64_t)k[ROWS] * k[SUBS]) *
           div_up(extent(g->col, 4), (int64_t)k[COLS] * e->dev->info.caps.sub_group) *
           extent(g->batch, 6);
}

// The largest tile, within what the knobs say, that still gives every compute unit groups enough to hide
// its loads; else the smallest, and then sums are split.
static void model(const struct weir_emit *e, const struct weir_gather *g, int *k)
{
    static const int tiles[][3] = {{8, 2, 8}, {8, 2, 4}, {8, 1, 4}, {4, 1, 4}, {4, 1, 1}};
    const struct weir_caps *caps = &e->dev->info.caps;
    const int64_t enough = 2 * (int64_t)caps->compute_units;
    int tile[WEIR_MAX_KNOBS];
    for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++) {
        for (int j = 0; j < SPLIT; j++)
            tile[j] = k[j] == WEIR_AUTO ? tiles[i][j] : k[j];
        while (k[SUBS] == WEIR_AUTO && tile[SUBS] > 1 && tile[SUBS] * caps->sub_group > caps->max_group)
            tile[SUBS] /= 2;
        if (groups_of(e, g, tile) >= enough)
            break;
    }
    for (int j = 0; j < SPLIT; j++)
        k[j] = tile[j];
    if (k[SPLIT] == WEIR_AUTO)
        k[SPLIT] = weir_split_possible(e, g) && groups_of(e, g, k) < enough;
}

static void vary(const struct weir_emit *e, const struct weir_gather *g,
                 const struct weir_candidate *from, struct weir_variations *v)
{
    static const int tiles[][3] = {{8, 2, 8},  {8, 2, 4}, {8, 4, 2}, {16, 1, 4}, {16, 2, 4},
                                   {8, 1, 4}, {4, 1, 4}, {4, 2, 4}, {4, 1, 1}};
    weir_vary(v, from, SPLIT, !from->knob[SPLIT]);
    for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++) {
        struct weir_candidate c = *from;
        for (int j = 0; j < SPLIT; j++)
            c.knob[j] = tiles[i][j];
        weir_vary(v, &c, SPLIT, from->knob[SPLIT]);
        if (v->thorough)
            weir_vary(v, &c, SPLIT, !from->knob[SPLIT]);
    }
}

static enum weir_status emit(struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    const int lanes = e->dev->info.caps.sub_group;
    struct weir_split s = {0};
    if (k[SPLIT])
        s = weir_split_make(e, g);
    struct weir_emit_arg args[WEIR_LAUNCH_MAX_BUFS] = {g->a.arg, g->b.arg};
    struct weir_emit_launch l = {.label = g->hint, .n_args = 2, .args = args};
    struct weir_strbuf t = {0};
    weir_gather_begin(e, g, &s, &t, &l);
    const bool loose = weir_gather_ragged(g, lanes);
    weir_strbuf_printf(&t, "#define SG_LANES %d\n", lanes);
    define1(&t, "PER_ROW", k[ROWS]);
    define1(&t, "PER_COL", k[COLS]);
    define1(&t, "SUBS", k[SUBS]);
    define1(&t, "RAGGED", loose);
    define1(&t, "RUN", !loose && g->term[3].n % lanes == 0);
    weir_strbuf_puts(&t, weir_kernel_text("contract_subgroup.cl"));
    l.kernel = weir_emit_kernel_buf(e, g->hint, &t);
    l.local[0] = (size_t)lanes;
    l.local[1] = (size_t)k[SUBS];
    l.local[2] = 1;
    l.global[0] = (size_t)div_up(extent(g->col, 4), (int64_t)lanes * k[COLS]) * l.local[0];
    l.global[1] = (size_t)div_up(extent(g->row, 4), (int64_t)k[ROWS] * k[SUBS]) * l.local[1];
    weir_gather_launch(e, g, &s, &l, 1);
    return WEIR_OK;
}

const struct weir_contract_kernel weir_contract_subgroup = {.name = "subgroup",
                                                            .knobs = knobs,
                                                            .fits = fits,
                                                            .wants = wants,
                                                            .model = model,
                                                            .vary = vary,
                                                            .emit = emit};
