// SPDX-License-Identifier: Apache-2.0
// Copies the right operand of a gather into panels for the wide kernels. Weights of many sizes are
// packed in a step, and a driver takes as long to compile a copy as a product: so most of them run the
// same kernel, with what differs as numbers of the launch.
#include "compile/contract_parts.h"
#include "device/kernel_text.h"

enum { STEP = 16, N_INTS = 15 };

// Whether the kernel turns squares round: terms next to each other, in runs of whole squares.
static bool turned(const struct weir_gather *p)
{
    const struct weir_axis *last = &p->term[3];
    return p->col[3].b != 1 && last->b == 1 && (last->n % STEP == 0 || extent(p->term, 3) == 1);
}

// Columns that are gathered one by one want their distances in the text, as do more loops than
// numbers, and those that are too large for int.
static bool by_numbers(const struct weir_gather *p, int64_t size)
{
    return (p->col[3].b == 1 || turned(p)) && extent(p->batch, 4) == 1 && size <= INT32_MAX / 2 &&
           !weir_gather_needs_long(p);
}

// The same knobs as weir_gather_define's, as parameters of the kernel.
static void define_numbers(struct weir_strbuf *t, const struct weir_gather *p, int32_t *ints)
{
    const struct {
        const char *knob;
        int64_t value;
    } number[N_INTS] = {
        {"COL3", p->col[3].n},        {"TERM0", p->term[0].n},      {"TERM1", p->term[1].n},
        {"TERM2", p->term[2].n},      {"TERM3", p->term[3].n},      {"B_TERM0", p->term[0].b},
        {"B_TERM1", p->term[1].b},    {"B_TERM2", p->term[2].b},    {"B_TERM3", p->term[3].b},
        {"BATCH4", p->batch[4].n},    {"BATCH5", p->batch[5].n},    {"B_BATCH4", p->batch[4].b},
        {"B_BATCH5", p->batch[5].b},  {"B", p->b0},                 {"B_COL3", p->col[3].b},
    };
    // a distance of 1 between columns is another text
    int n = p->col[3].b == 1 ? N_INTS - 1 : N_INTS;
    weir_strbuf_puts(t, "#define CT_NAME $K\n#define CT_PACK_INTS ");
    for (int i = 0; i < n; i++)
        weir_strbuf_printf(t, ", int n%d", i);
    weir_strbuf_puts(t, "\n");
    weir_gather_define_type(t, 'B', p->b.arg.dtype);
    for (int i = 0; i < N_INTS; i++) {
        ints[i] = (int32_t)number[i].value;
        weir_strbuf_printf(t, i < n ? "#define CT_%s n%d\n" : "#define CT_%s 1\n", number[i].knob, i);
    }
}

// What b is, and nothing else: the texts of equal packings are equal.
static struct weir_gather only_b(const struct weir_gather *g)
{
    struct weir_gather p = *g;
    for (int i = 0; i < 4; i++) {
        p.row[i] = (struct weir_axis){.n = 1};
        p.term[i].a = p.col[i].o = 0;
    }
    for (int i = 0; i < 6; i++) {
        p.batch[i].a = p.batch[i].o = 0;
        if (p.batch[i].b == 0) // along which b stands still, and one copy does
            p.batch[i].n = 1;
    }
    p.a0 = p.o0 = 0;
    p.a.arg.dtype = WEIR_F32;
    p.cut = NULL;
    return p;
}

static void read_panels(struct weir_gather *g, int64_t panels, int64_t width)
{
    int64_t stride = width;
    for (int i = 3; i >= 0; i--) {
        g->term[i].b = stride;
        stride *= g->term[i].n;
    }
    stride *= panels;
    for (int i = 5; i >= 0; i--) {
        if (g->batch[i].b == 0)
            continue;
        g->batch[i].b = stride;
        stride *= g->batch[i].n;
    }
    g->b0 = 0;
}

int64_t weir_gather_pack(struct weir_emit *e, struct weir_gather *g, int vecs)
{
    int64_t width = 16 * vecs, panels = div_up(g->col[3].n, width), terms = extent(g->term, 4);
    struct weir_gather p = only_b(g);
    int64_t z = extent(p.batch, 6), size = z * panels * terms * width;
    struct weir_emit_arg args[2] = {g->b.arg, {weir_emit_scratch(e, WEIR_F32, size), WEIR_F32, 0}};
    struct weir_emit_launch l = {.label = "pack",
                                 .n_args = 2,
                                 .args = args,
                                 .global = {(size_t)div_up(terms, STEP), (size_t)panels, (size_t)z},
                                 .local = {1, 1, 1}};
    struct weir_strbuf t = {0};
    if (by_numbers(&p, size)) {
        define_numbers(&t, &p, l.ints);
        l.n_ints = p.col[3].b == 1 ? N_INTS - 1 : N_INTS;
    } else {
        p.o0 = size; // counts among the indices that int must hold
        weir_gather_define(&t, &p);
    }
    weir_strbuf_printf(&t, "#define CT_VECS %d\n#define CT_STEP %d\n", vecs, STEP);
    weir_strbuf_puts(&t, turned(&p) ? "#define CT_TURN 1\n" : "");
    weir_strbuf_puts(&t, weir_kernel_text("contract_pack.cl"));
    l.kernel = weir_emit_kernel_buf(e, "pack", &t);
    weir_emit_launch(e, &l);
    g->b = (struct weir_gather_source){args[1], true};
    read_panels(g, panels, width);
    return terms * width;
}
