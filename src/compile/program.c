// SPDX-License-Identifier: Apache-2.0
// The public face of compiling and running: weir_compile drives the passes, weir_run writes the bound
// inputs and replays, weir_read waits.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "compile/compile.h"
#include "graph/ops/rows.h"

static enum weir_status check_outputs(const struct weir_log *log, weir_value *const *outputs, int n,
                                      weir_graph **g)
{
    enum weir_status status = WEIR_OK;
    weir_require(log, n > 0 && outputs != NULL);
    for (int i = 0; i < n; i++) {
        weir_require(log, outputs[i] != NULL);
        weir_require(log, outputs[i]->graph == outputs[0]->graph->root);
    }
    *g = outputs[0]->graph;
    if (weir_graph_status(*g) != WEIR_OK)
        return weir_fail(log, weir_graph_status(*g), "%s", weir_graph_message(*g));
    for (int i = 0; i < (*g)->n_values; i++) {
        const weir_value *v = (*g)->values[i];
        if (v->op == &weir_op_state || v->op == &weir_op_assign)
            weir_require(log, v->attrs.state.state != NULL);
    }
error:
    return status;
}

static enum weir_status list_inputs(const weir_graph *g, struct weir_program *p)
{
    p->n_inputs = g->n_inputs;
    p->input = weir_arena_array(p->arena, (size_t)g->n_inputs + 1, sizeof(*p->input));
    if (!p->input)
        return weir_fail(&p->dev->log, WEIR_NOMEM, "no memory for %d inputs", g->n_inputs);
    for (int i = 0; i < g->n_values; i++) {
        const weir_value *v = g->values[i];
        if (v->op != &weir_op_input)
            continue;
        struct weir_program_input *in = &p->input[v->attrs.input.index];
        in->identity = v;
        in->size = (size_t)weir_shape_size(&v->type.shape) * weir_dtype_size(v->type.dtype);
        in->name = weir_arena_strdup(p->arena, v->name ? v->name : "input");
    }
    return WEIR_OK;
}

static void fill_info(const struct weir_emit_state *c, struct weir_program_info *info)
{
    info->groups = c->scope.n_groups + c->n_body_groups;
    info->peak = c->arena_size;
    info->live = c->live_size;
    info->inputs = c->inputs_size;
    info->constants = c->constants_size;
    info->states = c->states_size;
    info->flop = c->flop;
    info->recomputed = c->recomputed.values;
    info->recomputed_flop = c->recomputed.flop;
    info->recomputed_bytes = c->recomputed.bytes;
}

enum weir_status weir_compile(weir_device *dev, weir_value *const *outputs, int n_outputs,
                              const struct weir_compile_params *params, weir_program **out)
{
    if (!dev || !out)
        return WEIR_INVALID;
    static const struct weir_compile_params defaults;
    const double start = weir_clock();
    weir_graph *g = NULL;
    struct weir_emit_state c = { .dev = dev, .scope.loop = -1, .params = params ? params : &defaults,
                                 .log = dev->log, .scope.n_outputs = n_outputs };
    enum weir_status status = check_outputs(&dev->log, outputs, n_outputs, &g);
    if (status == WEIR_OK)
        status = weir_device_check_numerics(dev, c.params->numerics);
    if (status != WEIR_OK)
        return status;
    c.fast = c.params->numerics == WEIR_NUMERICS_FAST && !weir_device_is_host(dev);
    struct weir_program *p = calloc(1, sizeof(*p));
    if (!p)
        return weir_fail(&dev->log, WEIR_NOMEM, "no memory for a program");
    p->dev = dev;
    p->fast = c.fast;
    c.call_status = &p->call_status;
    status = weir_passes(&c, g, outputs);
    p->arena = c.arena; // what the launches refer to
    c.arena = NULL;
    p->label = weir_arena_strdup(p->arena, c.params->label ? c.params->label : "program");
    if (status == WEIR_OK)
        status = p->label ? list_inputs(g, p) : weir_fail(&dev->log, WEIR_NOMEM, "no memory for a program");
    if (c.params->dump_dir) // what the passes came to, also where a limit is not met
        weir_dump(&c);
    fill_info(&c, &p->info);
    if (status == WEIR_OK && !dev->planned)
        status = weir_record(&c, p);
    if (status != WEIR_OK) {
        weir_logf(&dev->log, WEIR_LOG_ERROR, "%s did not compile", p->label ? p->label : "a program");
        goto error;
    }
    p->info.compile_s = weir_clock() - start;
    *out = p;
    p = NULL;
error:
    weir_passes_finish(&c);
    weir_program_destroy(&p);
    return status;
}

void weir_program_destroy(weir_program **program)
{
    if (!program || !*program)
        return;
    weir_program *p = *program;
    if (p->dev) {
        weir_device_finish(p->dev);
        weir_list_destroy(p->dev, &p->list);
        weir_module_destroy(p->dev, &p->module);
    }
    weir_buf_destroy(&p->constants);
    weir_buf_destroy(&p->inputs);
    weir_buf_destroy(&p->memory);
    weir_arena_destroy(&p->arena);
    free(p->launches);
    free(p);
    *program = NULL;
}

static struct weir_program_input *find_input(struct weir_program *p, const weir_value *identity)
{
    for (int i = 0; i < p->n_inputs; i++)
        if (p->input[i].identity == identity)
            return &p->input[i];
    return NULL;
}

static enum weir_status check_bindings(struct weir_program *p, const struct weir_binding *bindings, int n)
{
    const struct weir_log *log = &p->dev->log;
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < n; i++) {
        const struct weir_program_input *in = find_input(p, bindings[i].input);
        if (!in)
            return weir_fail(log, WEIR_INVALID, "%s: binding %d is not an input of this program",
                             p->label, i);
        weir_require(log, bindings[i].data != NULL || in->size == 0);
    }
error:
    return status;
}

// An input whose bytes did not all go over counts as never bound.
static enum weir_status bind_inputs(struct weir_program *p, const struct weir_binding *bindings, int n)
{
    enum weir_status status = check_bindings(p, bindings, n);
    for (int i = 0; i < n && status == WEIR_OK; i++) {
        struct weir_program_input *in = find_input(p, bindings[i].input);
        in->bound = false;
        if (in->used && in->size > 0)
            status = weir_buf_write(p->inputs, in->offset, bindings[i].data, in->size);
    }
    for (int i = 0; i < n && status == WEIR_OK; i++)
        find_input(p, bindings[i].input)->bound = true;
    return status;
}

// As a framework that keeps nothing from run to run.
static enum weir_status record_again(struct weir_program *p)
{
    weir_list_destroy(p->dev, &p->list);
    return weir_list_record(p->dev, p->launches, p->n_launches, &p->list);
}

enum weir_status weir_run(weir_program *program, const struct weir_binding *bindings, int n)
{
    if (!program)
        return WEIR_INVALID;
    enum weir_status status = WEIR_OK;
    const struct weir_log *log = &program->dev->log;
    if (program->dev->planned)
        return weir_fail(log, WEIR_UNSUPPORTED, "%s: compiled for a device that is not here, so it cannot run",
                         program->label);
    weir_require(log, n == 0 || bindings != NULL);
    status = bind_inputs(program, bindings, n);
    if (status != WEIR_OK)
        return status;
    for (int i = 0; i < program->n_inputs; i++)
        if (program->input[i].used && !program->input[i].bound)
            return weir_fail(log, WEIR_INVALID, "%s: input %s was never bound", program->label,
                             program->input[i].name);
    program->call_status = WEIR_OK;
    if (program->guarded)
        status = weir_guards_before_run(program);
    if (status == WEIR_OK && program->launches)
        status = record_again(program);
    if (status == WEIR_OK)
        status = weir_list_replay(program->dev, program->list);
    if (status == WEIR_OK)
        status = program->call_status;
error:
    return status;
}

enum weir_status weir_wait(weir_program *program)
{
    if (!program)
        return WEIR_INVALID;
    enum weir_status status = weir_device_finish(program->dev);
    if (status == WEIR_OK && program->unchecked)
        status = weir_guards_after_run(program);
    return status != WEIR_OK ? status : program->call_status;
}

enum weir_status weir_read(weir_program *program, int output, void *dst)
{
    if (!program)
        return WEIR_INVALID;
    enum weir_status status = WEIR_OK;
    weir_require(&program->dev->log, output >= 0 && output < program->n_outputs);
    const struct weir_program_output *o = &program->output[output];
    weir_require(&program->dev->log, dst != NULL || o->size == 0);
    status = weir_wait(program);
    if (status == WEIR_OK && o->size > 0)
        status = weir_buf_read(o->buf, o->offset, dst, o->size);
    if (status == WEIR_OK && o->size > 0)
        weir_one_nan(o->dtype, dst, (int64_t)(o->size / weir_dtype_size(o->dtype)));
error:
    return status;
}

enum weir_status weir_program_profile(weir_program *program, struct weir_launch_time *rows)
{
    if (!program || !rows)
        return WEIR_INVALID;
    struct weir_timing *timing = calloc((size_t)program->info.launches + 1, sizeof(*timing));
    if (!timing)
        return weir_fail(&program->dev->log, WEIR_NOMEM, "no memory to time %d launches", program->info.launches);
    enum weir_status status = weir_list_profile(program->dev, program->list, timing);
    for (int i = 0; i < program->info.launches && !status; i++)
        rows[i] = (struct weir_launch_time) { timing[i].label, 1e-9 * (double)timing[i].ns };
    free(timing);
    return status;
}

const struct weir_program_info *weir_program_info(const weir_program *program)
{
    return &program->info;
}
