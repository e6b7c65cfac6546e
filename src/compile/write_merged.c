// SPDX-License-Identifier: Apache-2.0
// The kernel of a batch of launches: the texts of its members as functions, and a table that says
// what each work-group does. Words 0 .. groups - 1 of it are where the record of a group's member
// begins:
//   {first group, case, groups along 0, groups along 1, the operands' offsets (elements, low and
//   high word),
//    the integers}
// Members of one text whose operands lie in the same buffers are one case. Written when the plan
// has said where everything lies.
#include <string.h>

#include "base/log.h"
#include "compile/compile.h"
#include "device/kernel_text.h"

enum { HEADER = 4 };

struct one { // a case
    const struct weir_kernel_entry *text;
    const struct weir_planned *like;
    int function;
    int buf[WEIR_LAUNCH_MAX_BUFS]; // by argument
};

struct writer {
    struct weir_emit_state *c;
    struct weir_batch *b;
    struct one *one;
    int n_ones, n_functions;
    uint32_t *table;
    size_t n_groups, n_words;
};

size_t weir_merged_record(const struct weir_planned *l)
{
    return (size_t)(HEADER + 2 * l->n_args + l->n_ints);
}

static size_t groups_along(const struct weir_planned *l, int d)
{
    return l->global[d] / l->local[d];
}

static bool same_buffer(const struct weir_emit_state *c, int a, int b)
{
    const struct weir_slot *x = &c->slots[weir_slot_base(c, a)],
                           *y = &c->slots[weir_slot_base(c, b)];
    bool arena_x = x->home == WEIR_SLOT_ARENA || x->home == WEIR_SLOT_KEEP;
    bool arena_y = y->home == WEIR_SLOT_ARENA || y->home == WEIR_SLOT_KEEP;
    if (x->home == WEIR_SLOT_STATE)
        return y->home == WEIR_SLOT_STATE && x->state->home == y->state->home;
    return arena_x ? arena_y : x->home == y->home;
}

static int buffer_index(struct writer *w, int slot)
{
    struct weir_batch *b = w->b;
    for (int i = 0; i < b->n_bufs; i++)
        if (same_buffer(w->c, b->buf[i], slot))
            return i;
    b->buf[b->n_bufs] = slot;
    return b->n_bufs++;
}

static const struct weir_kernel_entry *entry_of(const struct weir_emit_state *c, const char *kernel)
{
    for (int i = 0; i < c->n_kernels; i++)
        if (strcmp(c->kernels[i].name, kernel) == 0)
            return &c->kernels[i];
    return NULL;
}

static int find_case(struct writer *w, const struct weir_planned *l)
{
    struct one *o = &w->one[w->n_ones];
    *o = (struct one){.text = entry_of(w->c, l->kernel), .like = l, .function = w->n_functions};
    for (int a = 0; a < l->n_args; a++)
        o->buf[a] = buffer_index(w, l->args[a].slot);
    for (int i = 0; i < w->n_ones; i++) {
        if (w->one[i].text != o->text)
            continue;
        o->function = w->one[i].function;
        if (memcmp(w->one[i].buf, o->buf, sizeof(o->buf)) == 0)
            return i;
    }
    w->n_functions += o->function == w->n_functions;
    return w->n_ones++;
}

static void add_member(struct writer *w, const struct weir_planned *l)
{
    size_t groups = groups_along(l, 0) * groups_along(l, 1) * groups_along(l, 2),
           first = w->b->groups;
    uint32_t *record = w->table + w->n_words;
    for (size_t g = 0; g < groups; g++)
        w->table[first + g] = (uint32_t)w->n_words;
    *record++ = (uint32_t)first;
    *record++ = (uint32_t)find_case(w, l);
    *record++ = (uint32_t)groups_along(l, 0);
    *record++ = (uint32_t)groups_along(l, 1);
    for (int a = 0; a < l->n_args; a++) {
        uint64_t at = weir_slot_place(w->c, l->args[a].slot) / weir_dtype_size(l->args[a].dtype) +
                      (uint64_t)l->args[a].offset;
        *record++ = (uint32_t)at;
        *record++ = (uint32_t)(at >> 32);
    }
    for (int i = 0; i < l->n_ints; i++)
        *record++ = (uint32_t)l->ints[i];
    w->n_words = (size_t)(record - w->table);
    w->b->groups += groups;
    w->b->flops += l->flops;
    for (int a = 0; a < l->n_args; a++)
        w->b->bytes += (double)w->c->slots[l->args[a].slot].size;
}

// A member's text with "$K_<function>" for its name.
static void function_text(const struct one *o, struct weir_strbuf *out)
{
    const char *text = o->text->text;
    for (const char *mark = strstr(text, "$K"); mark; mark = strstr(text, "$K")) {
        weir_strbuf_write(out, text, (size_t)(mark - text));
        weir_strbuf_printf(out, "$K_%d", o->function);
        text = mark + 2;
    }
    weir_strbuf_puts(out, text);
    weir_strbuf_puts(out, "\n");
}

static void case_text(const struct one *o, int index, struct weir_strbuf *out)
{
    int at = HEADER;
    weir_strbuf_printf(out, "    case %d:\n        $K_%d(", index, o->function);
    for (int a = 0; a < o->like->n_args; a++, at += 2)
        weir_strbuf_printf(out, "(global void *)b%d, WEIR_WIDE(m[%d], m[%d]), ", o->buf[a], at,
                           at + 1);
    for (int i = 0; i < o->like->n_ints; i++)
        weir_strbuf_printf(out, "(int)m[%d], ", at++);
    weir_strbuf_puts(out, "at_0, at_1, at_2);\n        break;\n");
}

static void functions_text(const struct writer *w, struct weir_strbuf *out)
{
    weir_strbuf_puts(out, weir_kernel_text("merged.cl"));
    for (int i = 0, next = 0; i < w->n_ones; i++)
        if (w->one[i].function == next) {
            function_text(&w->one[i], out);
            next++;
        }
    weir_strbuf_puts(out, weir_kernel_text("merged_end.cl"));
}

static void kernel_text(const struct writer *w, struct weir_strbuf *out)
{
    const size_t *local = w->b->local;
    functions_text(w, out);
    weir_strbuf_puts(out, local[0] * local[1] * local[2] == 1 ? "WEIR_KERNEL_ALONE\nvoid $K("
                                                              : "WEIR_KERNEL void $K(");
    for (int i = 0; i < w->b->n_bufs; i++)
        weir_strbuf_printf(out, "global char *b%d, ulong o%d, ", i, i);
    weir_strbuf_puts(out, "global const uint *table, ulong o)\n{\n");
    weir_strbuf_printf(
        out,
        "    const uint group = (uint)get_global_id(0) / %zu;\n"
        "    global const uint *m = table + o + table[o + group];\n"
        "    const uint place = group - m[0];\n"
        "    const size_t at_0 = place %% m[2] * (size_t)%zu + get_global_id(0) %% %zu;\n"
        "    const size_t at_1 = place / m[2] %% m[3] * (size_t)%zu + get_global_id(1);\n"
        "    const size_t at_2 = place / m[2] / m[3] * (size_t)%zu + get_global_id(2);\n"
        "    switch (m[1]) {\n",
        local[0], local[0], local[0], local[1], local[2]);
    for (int i = 0; i < w->n_ones; i++)
        case_text(&w->one[i], i, out);
    weir_strbuf_puts(out, "    }\n}\n");
}

static enum weir_status write_batch(struct weir_emit_state *c, struct weir_batch *b)
{
    struct weir_strbuf text = {0};
    struct writer w = {.c = c, .b = b};
    int n = 0;
    for (int i = b->first; i < b->end; i++) {
        const struct weir_planned *l = &c->launches[i];
        n += !l->dropped;
        w.n_words += l->dropped ? 0 : groups_along(l, 0) * groups_along(l, 1) * groups_along(l, 2);
    }
    if (n < 2) // what is left goes alone
        return WEIR_OK;
    w.one = weir_arena_array(c->arena, (size_t)n, sizeof(*w.one));
    w.table = weir_arena_array(c->arena, c->slots[b->table].size, 1);
    if (!w.one || !w.table)
        return WEIR_NOMEM;
    for (int i = b->first; i < b->end; i++)
        if (!c->launches[i].dropped) {
            memcpy(b->local, c->launches[i].local, sizeof(b->local));
            add_member(&w, &c->launches[i]);
        }
    c->slots[b->table].data = w.table;
    kernel_text(&w, &text);
    b->kernel = weir_kernel_add_buf(c, "merged", &text);
    return c->status;
}

enum weir_status weir_write_merged(struct weir_emit_state *c)
{
    for (int k = 0; k < c->n_batches; k++) {
        enum weir_status status = write_batch(c, &c->batches[k]);
        if (status != WEIR_OK)
            return weir_fail(&c->log, status, "no kernel for the merged launches %d .. %d",
                             c->batches[k].first, c->batches[k].end - 1);
    }
    return WEIR_OK;
}
