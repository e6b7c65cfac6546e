// SPDX-License-Identifier: Apache-2.0
// States: device tensors that outlive runs and are shared by programs.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/compile.h"

static size_t bytes(const weir_state *state)
{
    return (size_t)weir_shape_size(&state->shape) * weir_dtype_size(state->dtype);
}

enum weir_status weir_state_create(weir_device *dev, enum weir_dtype dtype, struct weir_shape shape,
                                   const char *name, weir_state **out)
{
    if (!dev || !out)
        return WEIR_INVALID;
    enum weir_status status = WEIR_OK;
    weir_state *state = NULL;
    weir_require(&dev->log, shape.rank >= 0 && shape.rank <= WEIR_MAX_RANK);
    weir_require(&dev->log, (unsigned)dtype < WEIR_N_DTYPES);
    for (int i = 0; i < shape.rank; i++)
        weir_require(&dev->log, shape.dim[i] >= 0);
    state = calloc(1, sizeof(*state));
    if (state)
        state->name = strdup(name ? name : "state");
    if (!state || !state->name) {
        status = weir_fail(&dev->log, WEIR_NOMEM, "no memory for a state");
        goto error;
    }
    state->dev = dev;
    state->dtype = dtype;
    state->shape.rank = shape.rank;
    memcpy(state->shape.dim, shape.dim, (size_t)shape.rank * sizeof(shape.dim[0]));
    size_t rounded = (bytes(state) + 3) / 4 * 4; // fills go by words; an empty tensor has a buffer too
    if (rounded == 0)
        rounded = 4;
    status = weir_buf_create(dev, rounded, &state->buf);
    if (status == WEIR_OK)
        status = weir_buf_fill(state->buf, 0, 0, rounded);
    if (status != WEIR_OK) {
        char text[160];
        weir_logf(&dev->log, WEIR_LOG_ERROR, "state %s, %s %s: %zu bytes", state->name,
                  weir_dtype_name(dtype), weir_shape_text(&shape, text, sizeof(text)), rounded);
        goto error;
    }
    *out = state;
    return WEIR_OK;
error:
    weir_state_destroy(&state);
    return status;
}

void weir_state_destroy(weir_state **state)
{
    if (!state || !*state)
        return;
    weir_buf_destroy(&(*state)->buf);
    free((*state)->name);
    free(*state);
    *state = NULL;
}

enum weir_status weir_state_write(weir_state *state, const void *src)
{
    return weir_buf_write(state->buf, 0, src, bytes(state));
}

enum weir_status weir_state_read(weir_state *state, void *dst)
{
    enum weir_status status = weir_buf_read(state->buf, 0, dst, bytes(state));
    if (status == WEIR_OK)
        weir_one_nan(state->dtype, dst, weir_shape_size(&state->shape));
    return status;
}

const char *weir_state_name(const weir_state *state)
{
    return state->name;
}

enum weir_dtype weir_state_dtype(const weir_state *state)
{
    return state->dtype;
}

const struct weir_shape *weir_state_shape(const weir_state *state)
{
    return &state->shape;
}
