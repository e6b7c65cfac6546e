// SPDX-License-Identifier: Apache-2.0
// The parameter table: rows declared by the first trace of a network, states made once.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "graph/graph.h"
#include "nn/init.h"

struct weir_params {
    struct weir_log log;
    struct weir_param **rows; // each allocated alone: rows stay where they are
    int n, cap;
    bool allocated;
};

enum weir_status weir_params_create(const struct weir_log *log, weir_params **out)
{
    weir_params *p = calloc(1, sizeof(*p));
    if (!p)
        return weir_fail(log, WEIR_NOMEM, "no memory for a parameter table");
    if (log)
        p->log = *log;
    *out = p;
    return WEIR_OK;
}

void weir_params_destroy(weir_params **params)
{
    weir_params *p = *params;
    if (!p)
        return;
    for (int i = 0; i < p->n; i++) {
        weir_state_destroy(&p->rows[i]->state);
        weir_state_destroy(&p->rows[i]->ema);
        for (size_t k = 0; k < WEIR_COUNT(p->rows[i]->slot); k++)
            weir_state_destroy(&p->rows[i]->slot[k]);
        free(p->rows[i]);
    }
    free(p->rows);
    free(p);
    *params = NULL;
}

int weir_params_count(const weir_params *params)
{
    return params->n;
}

int64_t weir_params_elements(const weir_params *params)
{
    int64_t n = 0;
    for (int i = 0; i < params->n; i++)
        n += weir_shape_size(&params->rows[i]->shape);
    return n;
}

struct weir_param *weir_params_row(weir_params *params, int i)
{
    return params->rows[i];
}

struct weir_param *weir_params_find(weir_params *params, const char *name)
{
    for (int i = 0; i < params->n; i++)
        if (!strcmp(params->rows[i]->name, name))
            return params->rows[i];
    return NULL;
}

static struct weir_param *add_row(weir_params *p)
{
    if (p->n == p->cap) {
        int cap = p->cap ? 2 * p->cap : 64;
        struct weir_param **rows = realloc(p->rows, (size_t)cap * sizeof(*rows));
        if (!rows)
            return NULL;
        p->rows = rows;
        p->cap = cap;
    }
    struct weir_param *row = calloc(1, sizeof(*row));
    if (row)
        p->rows[p->n++] = row;
    return row;
}

weir_value *weir_nn_param(struct weir_nn *nn, const char *name, struct weir_shape shape, struct weir_init init,
                          enum weir_file_layout layout, bool decay)
{
    struct weir_param *row = weir_params_find(nn->params, name);
    if (row && !weir_shape_equal(&row->shape, &shape)) {
        char had[96], got[96];
        return weir_graph_fail(nn->graph, "parameter %s is %s, asked for as %s", name,
                               weir_shape_text(&row->shape, had, sizeof(had)),
                               weir_shape_text(&shape, got, sizeof(got)));
    }
    if (!row) {
        if (nn->params->allocated)
            return weir_graph_fail(nn->graph, "parameter %s was not declared by the first trace", name);
        if (strlen(name) >= sizeof(row->name))
            return weir_graph_fail(nn->graph, "parameter name is too long: %s", name);
        row = add_row(nn->params);
        if (!row)
            return weir_graph_fail(nn->graph, "no memory for parameter %s", name);
        strcpy(row->name, name);
        row->shape = shape;
        row->layout = layout;
        row->init = init;
        row->decay = decay;
    }
    weir_state *state = nn->use_ema && row->ema ? row->ema : row->state;
    if (!state) // a declaring trace: types only
        return weir_input(nn->graph, WEIR_F32, shape, name);
    return weir_state_value(nn->graph, state);
}

// The states of all rows, in the order parameter, average, slots.
static enum weir_status make_states(weir_params *p, weir_device *dev, bool ema, int n_slots)
{
    int each = 1 + ema + n_slots, n = p->n * each;
    struct weir_state_params *of = calloc((size_t)n + 1, sizeof(*of));
    weir_state **made = calloc((size_t)n + 1, sizeof(*made));
    enum weir_status status = WEIR_NOMEM;
    for (int i = 0; i < n && of; i++)
        of[i] = (struct weir_state_params) { WEIR_F32, p->rows[i / each]->shape, p->rows[i / each]->name };
    if (of && made)
        status = weir_states_create(dev, of, n, made);
    else
        weir_logf(&p->log, WEIR_LOG_ERROR, "no memory for %d parameters", p->n);
    for (int i = 0; i < p->n && status == WEIR_OK; i++) {
        weir_state **of_row = made + i * each;
        p->rows[i]->state = *of_row++;
        if (ema)
            p->rows[i]->ema = *of_row++;
        memcpy(p->rows[i]->slot, of_row, (size_t)n_slots * sizeof(*of_row));
    }
    free(of);
    free(made);
    return status;
}

static enum weir_status fill_row(weir_params *p, struct weir_param *row, uint64_t seed)
{
    int64_t n = weir_shape_size(&row->shape);
    float *values = malloc((size_t)n * sizeof(float));
    if (!values)
        return weir_fail(&p->log, WEIR_NOMEM, "no memory for the initial values of %s", row->name);
    weir_init_fill(&row->init, seed, row->name, values, n);
    enum weir_status status = weir_state_write(row->state, values);
    if (!status && row->ema)
        status = weir_state_write(row->ema, values);
    free(values);
    return status;
}

enum weir_status weir_params_allocate(weir_params *params, weir_device *dev, uint64_t seed, bool ema, int n_slots)
{
    enum weir_status status = WEIR_OK;
    weir_require(&params->log, dev && !params->allocated);
    weir_require(&params->log, n_slots >= 0 && n_slots <= (int)WEIR_COUNT(params->rows[0]->slot));
    status = make_states(params, dev, ema, n_slots);
    for (int i = 0; i < params->n && !status; i++)
        status = fill_row(params, params->rows[i], seed);
    params->allocated = true;
error:
    return status;
}
