// SPDX-License-Identifier: Apache-2.0
// The little compiler: the functions of emit.h that writers of contractions call.
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"

struct weir_strbuf contract_source;
struct contract_seen contract_seen[] = {
    {"#define CT_DOWN ("}, {"#define CT_BOUND (1)"}, {"#define CT_BOUND (0)"}};

static char *known[4096]; // texts of kernels before "$K" was replaced
static char *known_name[4096];
static int n_known;

// What makes a matrix engine of any device: the lanes of a sub-group put their fragments side by
// side, and each reads its results' terms where the instruction's documentation has them.
static const char emulated_engine[] =
    "#define EN_LANE get_local_id(0)\n"
    "#define EN_SUB get_local_id(1)\n"
    "#define EN_LOCALS local uint emulated_a[CT_ITEMS * EN_A_WORDS], "
    "emulated_b[CT_ITEMS * EN_B_WORDS];\n"
    "#define EN_MAD(d, a, b) { \\\n"
    "    for (int w = 0; w < EN_A_WORDS; w++) emulated_a[id * EN_A_WORDS + w] = (a)[w]; \\\n"
    "    for (int w = 0; w < EN_B_WORDS; w++) emulated_b[id * EN_B_WORDS + w] = (b)[w]; \\\n"
    "    barrier(CLK_LOCAL_MEM_FENCE); \\\n"
    "    emulated_mad(EN_M, EN_N, EN_LANES, EN_TYPE, emulated_a + sub * EN_LANES * EN_A_WORDS, \\\n"
    "                 emulated_b + sub * EN_LANES * EN_B_WORDS, d, lane); \\\n"
    "    barrier(CLK_LOCAL_MEM_FENCE); }\n";

// `text` with each `what` made `with`; malloc'd.
static char *replace(const char *text, const char *what, const char *with)
{
    struct weir_strbuf t = {0};
    for (const char *at; (at = strstr(text, what)); text = at + strlen(what)) {
        weir_strbuf_write(&t, text, (size_t)(at - text));
        weir_strbuf_puts(&t, with);
    }
    weir_strbuf_puts(&t, text);
    return weir_strbuf_finish(&t);
}

const char *weir_emit_kernel(struct weir_emit *e, const char *hint, const char *text)
{
    for (int i = 0; i < n_known; i++)
        if (strcmp(known[i], text) == 0)
            return known_name[i];
    struct weir_strbuf name = {0};
    weir_strbuf_printf(&name, "%s_%d", hint, n_known);
    for (size_t i = 0; i < CONTRACT_SEEN; i++)
        contract_seen[i].n += strstr(text, contract_seen[i].line) != NULL;
    contract.subgroup_kernels += strstr(text, "#define SG_LANES") != NULL;
    known[n_known] = strdup(text);
    known_name[n_known] = weir_strbuf_finish(&name);
    if (strstr(text, "#define EN_LANES")) {
        weir_strbuf_puts(&contract_source, emulated_engine);
        contract.engine_kernels++;
    }
    char *full = replace(text, "$K", known_name[n_known]);
    const char *count = contract.long_offsets ? "#define CT_INT long" : "#define CT_INT int";
    char *counted = replace(full, "#define CT_INT int", count);
    weir_strbuf_puts(&contract_source, counted);
    free(counted);
    free(full);
    return known_name[n_known++];
}

const char *weir_emit_kernel_buf(struct weir_emit *e, const char *hint, struct weir_strbuf *text)
{
    char *t = weir_strbuf_finish(text);
    const char *name = weir_emit_kernel(e, hint, t);
    free(t);
    return name;
}

int contract_add_slot(struct weir_emit *e, size_t size, bool fenced)
{
    struct weir_emit_state *s = e->state;
    ck_assert(s->n_slots < MAX_SLOTS);
    struct slot *p = &s->slot[s->n_slots];
    *p = (struct slot){.size = size, .fenced = fenced};
    size_t all = ((size + 3) & ~(size_t)3) + 2 * GUARD * 4;
    ck_assert_int_eq(weir_buf_create(e->dev, all, &p->buf), WEIR_OK);
    ck_assert_int_eq(weir_buf_fill(p->buf, 0, POISON, all), WEIR_OK);
    return s->n_slots++;
}

int weir_emit_scratch(struct weir_emit *e, enum weir_dtype dtype, int64_t n)
{
    return contract_add_slot(e, (size_t)n * weir_dtype_size(dtype), true);
}

void weir_emit_launch(struct weir_emit *e, const struct weir_emit_launch *l)
{
    struct weir_emit_state *s = e->state;
    if (l->global[0] * l->global[1] * l->global[2] == 0)
        return;
    ck_assert(s->n_launches < MAX_LAUNCHES);
    s->launch[s->n_launches] = *l;
    memcpy(s->arg[s->n_launches], l->args, (size_t)l->n_args * sizeof(*l->args));
    s->n_launches++;
}

void contract_forget(void)
{
    weir_strbuf_free(&contract_source);
    for (int i = 0; i < n_known; i++) {
        free(known[i]);
        free(known_name[i]);
    }
    n_known = 0;
}
