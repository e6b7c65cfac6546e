// SPDX-License-Identifier: Apache-2.0
// States: device tensors that outlive runs and are shared by programs.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/compile.h"

// No more in one buffer, so that a device with little memory left in one piece has a place for them.
enum { HOME_MAX = 256 << 20 };

static size_t bytes(const weir_state *state)
{
    return (size_t)weir_shape_size(&state->shape) * weir_dtype_size(state->dtype);
}

static enum weir_status check(const struct weir_log *log, const struct weir_state_params *p)
{
    enum weir_status status = WEIR_OK;
    weir_require(log, p->shape.rank >= 0 && p->shape.rank <= WEIR_MAX_RANK);
    weir_require(log, (unsigned)p->dtype < WEIR_N_DTYPES);
    for (int i = 0; i < p->shape.rank; i++)
        weir_require(log, p->shape.dim[i] >= 0);
error:
    return status;
}

static weir_state *describe(weir_device *dev, const struct weir_state_params *p)
{
    weir_state *state = calloc(1, sizeof(*state));
    if (!state)
        return NULL;
    state->name = strdup(p->name ? p->name : "state");
    state->dev = dev;
    state->dtype = p->dtype;
    state->shape.rank = p->shape.rank;
    memcpy(state->shape.dim, p->shape.dim, (size_t)p->shape.rank * sizeof(p->shape.dim[0]));
    return state;
}

// A zeroed buffer for out[0 .. n), `size` bytes together.
static enum weir_status make_home(weir_device *dev, weir_state **out, int n, size_t size)
{
    struct weir_state_home *home = calloc(1, sizeof(*home));
    if (!home)
        return weir_fail(&dev->log, WEIR_NOMEM, "no memory for a state");
    enum weir_status status = weir_buf_create(dev, size, &home->buf);
    if (status == WEIR_OK)
        status = weir_buf_fill(home->buf, 0, 0, size);
    if (status != WEIR_OK) {
        char text[160];
        weir_logf(&dev->log, WEIR_LOG_ERROR, "state %s, %s %s%s: %zu bytes", out[0]->name,
                  weir_dtype_name(out[0]->dtype), weir_shape_text(&out[0]->shape, text, sizeof(text)),
                  n > 1 ? ", and what lies beside it" : "", size);
        weir_buf_destroy(&home->buf);
        free(home);
        return status;
    }
    home->states = n;
    for (int i = 0; i < n; i++)
        out[i]->home = home;
    return WEIR_OK;
}

// Places of all, as many in a buffer as it takes.
static enum weir_status place(weir_device *dev, weir_state **out, int n)
{
    const size_t align = dev->info.caps.align > 128 ? dev->info.caps.align : 128;
    const size_t most = dev->info.caps.max_alloc && dev->info.caps.max_alloc < HOME_MAX ? dev->info.caps.max_alloc : HOME_MAX;
    enum weir_status status = WEIR_OK;
    for (int first = 0, end; first < n && status == WEIR_OK; first = end) {
        size_t size = 0;
        for (end = first; end < n; end++) {
            size_t room = (bytes(out[end]) + 3) / 4 * 4; // fills go by words; an empty tensor has a place too
            room = room == 0 ? 4 : room;
            room = n > 1 ? weir_align_up(room, align) : room;
            if (end > first && size + room > most)
                break;
            out[end]->offset = size;
            out[end]->room = room;
            size += room;
        }
        status = make_home(dev, out + first, end - first, size);
    }
    return status;
}

enum weir_status weir_states_create(weir_device *dev, const struct weir_state_params *params, int n, weir_state **out)
{
    if (!dev || n < 0 || (n > 0 && (!params || !out)))
        return WEIR_INVALID;
    enum weir_status status = WEIR_OK;
    weir_state **made = calloc((size_t)n + 1, sizeof(*made));
    if (!made)
        return weir_fail(&dev->log, WEIR_NOMEM, "no memory for %d states", n);
    for (int i = 0; i < n && status == WEIR_OK; i++) {
        status = check(&dev->log, &params[i]);
        if (status == WEIR_OK)
            made[i] = describe(dev, &params[i]);
        if (status == WEIR_OK && (!made[i] || !made[i]->name))
            status = weir_fail(&dev->log, WEIR_NOMEM, "no memory for a state");
    }
    if (status == WEIR_OK)
        status = place(dev, made, n);
    for (int i = 0; i < n; i++) {
        if (status != WEIR_OK)
            weir_state_destroy(&made[i]);
        else
            out[i] = made[i];
    }
    free(made);
    return status;
}

enum weir_status weir_state_create(weir_device *dev, enum weir_dtype dtype, struct weir_shape shape,
                                   const char *name, weir_state **out)
{
    return weir_states_create(dev, &(struct weir_state_params) { dtype, shape, name }, 1, out);
}

void weir_state_destroy(weir_state **state)
{
    if (!state || !*state)
        return;
    struct weir_state_home *home = (*state)->home;
    if (home && --home->states == 0) {
        weir_buf_destroy(&home->buf);
        free(home);
    }
    free((*state)->name);
    free(*state);
    *state = NULL;
}

enum weir_status weir_state_write(weir_state *state, const void *src)
{
    return weir_buf_write(state->home->buf, state->offset, src, bytes(state));
}

enum weir_status weir_state_read(weir_state *state, void *dst)
{
    enum weir_status status = weir_buf_read(state->home->buf, state->offset, dst, bytes(state));
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
