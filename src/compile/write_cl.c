// SPDX-License-Identifier: Apache-2.0
// The OpenCL writer: one module for all kernels of a program, equal texts once; each kind of group has
// its own file. Also the interface that the writers of contractions and opaque ops use (emit.h).
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/body.h"
#include "compile/compile.h"
#include "compile/group_choice.h"
#include "compile/tune.h"
#include "device/kernel_text.h"

static void fail(struct weir_emit *e, enum weir_status status)
{
    if (e->state->status == WEIR_OK)
        e->state->status = status;
}

static const char *find_kernel(const struct weir_emit_state *c, const char *text)
{
    for (int i = 0; i < c->n_kernels; i++)
        if (strcmp(c->kernels[i].text, text) == 0)
            return c->kernels[i].name;
    return NULL;
}

// Appends `text` to the module with the name in place of each "$K".
static void append_named(struct weir_strbuf *out, const char *text, const char *name)
{
    for (const char *mark = strstr(text, "$K"); mark; mark = strstr(text, "$K")) {
        weir_strbuf_write(out, text, (size_t)(mark - text));
        weir_strbuf_puts(out, name);
        text = mark + 2;
    }
    weir_strbuf_puts(out, text);
    weir_strbuf_puts(out, "\n");
}

const char *weir_kernel_add(struct weir_emit_state *c, const char *hint, const char *text)
{
    const char *known = find_kernel(c, text);
    if (known)
        return known;
    struct weir_kernel_entry k = { weir_arena_printf(c->arena, "%s_%d", hint, c->n_kernels),
                                   weir_arena_strdup(c->arena, text) };
    if (!k.name || !k.text ||
        !weir_grow(c->arena, (void **)&c->kernels, c->n_kernels, &c->cap_kernels, sizeof(k))) {
        c->status = WEIR_NOMEM;
        return NULL;
    }
    c->kernels[c->n_kernels++] = k;
    return k.name;
}

const char *weir_emit_kernel(struct weir_emit *e, const char *hint, const char *text)
{
    return weir_kernel_add(e->state, hint, text);
}

const char *weir_kernel_add_buf(struct weir_emit_state *c, const char *hint, struct weir_strbuf *text)
{
    char *s = weir_strbuf_finish(text);
    const char *name = NULL;
    if (s)
        name = weir_kernel_add(c, hint, s);
    else
        c->status = WEIR_NOMEM;
    free(s);
    return name;
}

const char *weir_emit_kernel_buf(struct weir_emit *e, const char *hint, struct weir_strbuf *text)
{
    return weir_kernel_add_buf(e->state, hint, text);
}

int weir_emit_scratch(struct weir_emit *e, enum weir_dtype dtype, int64_t n)
{
    struct weir_slot slot = { .dtype = dtype, .name = "scratch" };
    slot.size = (size_t)n * weir_dtype_size(dtype);
    return weir_slot_add(e->state, &slot);
}

// What the op itself reads; anything else is a result, or scratch.
static bool is_read(const struct weir_emit *e, int slot)
{
    for (int i = 0; i < e->n_in; i++)
        if (e->in[i].slot == slot)
            return true;
    return false;
}

void weir_emit_launch(struct weir_emit *e, const struct weir_emit_launch *l)
{
    struct weir_planned p = { .kernel = l->kernel, .gemm = l->gemm, .n_args = l->n_args, .n_ints = l->n_ints,
                              .args = l->args, .flops = l->flops, .label = l->label ? l->label : l->kernel };
    if ((!l->kernel && !l->gemm) || l->n_args > WEIR_LAUNCH_MAX_BUFS || l->n_ints > WEIR_LAUNCH_MAX_INTS) {
        fail(e, WEIR_UNSUPPORTED);
        return;
    }
    memcpy(p.ints, l->ints, sizeof(p.ints));
    for (int i = 0; i < 3; i++) {
        p.global[i] = l->global[i];
        p.local[i] = l->local[i];
        if (l->global[i] == 0)
            return;
    }
    struct weir_planned *added = weir_launch_add(e->state, &p);
    for (int a = 0; added && a < l->n_args; a++)
        added->args[a].only_read = is_read(e, l->args[a].slot);
}

static enum weir_status write_contraction(struct weir_emit *e)
{
    const enum weir_tune own = e->state->params->tune, tune = own ? own : e->dev->tune;
    enum weir_status status = WEIR_OK;
    if (tune == WEIR_TUNE_FULL && !e->dev->planned)
        status = weir_tune(e);
    if (tune != WEIR_TUNE_OFF)
        e->tuning = weir_tuning_of(e->dev);
    return status == WEIR_OK ? weir_contract_emit(e) : status;
}

static enum weir_status write_op(struct weir_emit_state *c, const struct weir_group *g)
{
    weir_value *v = g->nodes[0];
    struct weir_operand *o =
        weir_arena_array(c->arena, (size_t)(v->arity + v->n_parts), sizeof(*o));
    if (!o)
        return WEIR_NOMEM;
    struct weir_emit e = { .dev = c->dev, .arena = c->arena, .v = v, .n_in = v->arity,
                           .n_out = v->n_parts, .in = o, .out = o + v->arity, .fast = c->fast, .library = c->params->library,
                           .winograd = c->params->winograd, .state = c };
    e.choices = c->params->dump_dir ? &c->dump_choices : NULL;
    for (int i = 0; i < v->arity; i++)
        weir_operand_of(c, v->arg[i], &o[i]);
    for (int i = 0; i < v->n_parts; i++)
        weir_result_of(c, v, i, &o[v->arity + i]);
    enum weir_status status =
        v->op->cls == WEIR_OP_CONTRACT ? write_contraction(&e) : weir_opaque_emit(&e);
    return status == WEIR_OK ? c->status : status;
}

static void write_prelude(const weir_device *dev, bool fast, const char *label, struct weir_strbuf *text)
{
    if (fast)
        weir_strbuf_puts(text, "#define WEIR_FAST\n");
    if (!weir_device_has(dev, WEIR_CAP_VECTOR_DEREF))
        weir_strbuf_puts(text, "#define WEIR_NO_VECTOR_DEREF\n");
    weir_strbuf_puts(text, weir_kernel_text("prelude.cl"));
    weir_strbuf_printf(text, "\n#line 1 \"%s\"\n", label ? label : "program");
}

// A text of several kernels calls them $K_a, $K_b.
static bool is_of(const struct weir_kernel_entry *entry, const char *kernel)
{
    size_t n = strlen(entry->name);
    return !strncmp(kernel, entry->name, n) && (!kernel[n] || kernel[n] == '_');
}

enum weir_status weir_program_kernel_text(const struct weir_program *p, const char *kernel, struct weir_strbuf *out)
{
    for (int i = 0; i < p->n_kernels; i++) {
        if (!is_of(&p->kernels[i], kernel))
            continue;
        write_prelude(p->dev, p->fast, p->label, out);
        append_named(out, p->kernels[i].text, p->kernels[i].name);
        return out->failed ? WEIR_NOMEM : WEIR_OK;
    }
    return WEIR_INVALID;
}

static bool writes_nothing(const weir_value *v)
{
    for (int i = 0; i < v->n_parts; i++)
        if (weir_shape_size(v->parts ? &v->parts[i].shape : &v->type.shape) > 0)
            return false;
    return true;
}

static enum weir_status write_group(struct weir_emit_state *c, struct weir_group *g)
{
    switch (g->kind) {
    case WEIR_GROUP_COPY:
        return weir_shape_size(&g->from.shape) > 0 ? weir_write_copy(c, g) : WEIR_OK;
    case WEIR_GROUP_CALL:
        return weir_write_call(c, g->nodes[0]);
    case WEIR_GROUP_LOOP:
        return weir_write_loop(c, g->nodes[0]);
    default:
        break;
    }
    if (writes_nothing(g->nodes[g->n_nodes - 1]))
        return WEIR_OK;
    switch (g->kind) {
    case WEIR_GROUP_MAP:
        return weir_group_write(c, g, weir_write_map);
    case WEIR_GROUP_ROW:
    case WEIR_GROUP_REDUCE:
        return weir_group_write(c, g, weir_write_row);
    default:
        return write_op(c, g);
    }
}

enum weir_status weir_write_groups(struct weir_emit_state *c)
{
    if (weir_device_is_host(c->dev))
        return weir_write_groups_host(c);
    for (int i = 0; i < c->scope.n_groups; i++) {
        struct weir_group *g = &c->scope.groups[i];
        g->first_launch = c->n_launches;
        weir_arena_reset(c->scratch);
        enum weir_status status = write_group(c, g);
        if (status == WEIR_OK)
            status = c->status;
        if (status != WEIR_OK)
            return weir_fail(&c->log, status, "no kernel for group %d (%s)", i,
                             g->nodes[0]->op->name);
        g->n_launches = c->n_launches - g->first_launch;
    }
    return WEIR_OK;
}

// Whether a launch is left that wants it.
static bool is_used(const struct weir_emit_state *c, const struct weir_kernel_entry *entry)
{
    for (int i = 0; i < c->n_launches; i++) {
        const struct weir_planned *l = &c->launches[i];
        const struct weir_batch *b = l->batch ? &c->batches[l->batch - 1] : NULL;
        const char *kernel = b && b->kernel ? b->kernel : l->kernel;
        if (!l->dropped && kernel && is_of(entry, kernel))
            return true;
    }
    return false;
}

enum weir_status weir_write_module(struct weir_emit_state *c)
{
    write_prelude(c->dev, c->fast, c->params->label, &c->text);
    for (int i = 0; i < c->n_kernels; i++)
        if (is_used(c, &c->kernels[i]))
            append_named(&c->text, c->kernels[i].text, c->kernels[i].name);
    return c->text.failed ? weir_fail(&c->log, WEIR_NOMEM, "no memory for the kernels' text") : WEIR_OK;
}
