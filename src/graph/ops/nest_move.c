// SPDX-License-Identifier: Apache-2.0
// Loop nests of pad and concat. Arguments and results are contiguous.
#include "graph/ops/nest_iter.h"

#include <scalar.h>

// The bits of the padding value in memory.
static void pad_bits(enum weir_dtype t, double value, void *bits)
{
    switch (t) {
    case WEIR_F32:
        *(weir_real *)bits = (weir_real)value;
        return;
#ifdef WEIR_REAL_DOUBLE
    case WEIR_F16:
    case WEIR_BF16:
        *(double *)bits = value;
        return;
#else
    case WEIR_F16:
        *(uint16_t *)bits = weir_f32_to_f16((float)value);
        return;
    case WEIR_BF16:
        *(uint16_t *)bits = weir_f32_to_bf16((float)value);
        return;
#endif
    case WEIR_I32:
        *(int32_t *)bits = (int32_t)value;
        return;
    case WEIR_U32:
        *(uint32_t *)bits = (uint32_t)value;
        return;
    case WEIR_BOOL:
        *(uint8_t *)bits = value != 0;
        return;
    default:
        *(int8_t *)bits = (int8_t)value;
    }
}

// The input row that output row `row` (all axes but the last) holds, or -1 when it is all padding.
static int64_t pad_source_row(const struct weir_nest_call *c, int64_t row)
{
    const struct weir_nd *in = &c->in[0], *out = &c->out[0];
    int64_t source = 0, scale = 1;
    for (int i = out->rank - 2; i >= 0; i--) {
        int64_t at = row % out->dim[i] - c->attrs.pad.lo[i], step = c->attrs.pad.interior[i] + 1;
        row /= out->dim[i];
        if (at < 0 || at % step != 0 || at / step >= in->dim[i])
            return -1;
        source += at / step * scale;
        scale *= in->dim[i];
    }
    return source;
}

WEIR_NEST(pad)
{
    const struct weir_nest_call *c = desc;
    const struct weir_nd *in = &c->in[0], *out = &c->out[0];
    int last = out->rank - 1;
    int64_t n = out->dim[last], m = in->dim[last], total = nest_count(out),
            rows = n ? total / n : 0;
    int64_t step = c->attrs.pad.interior[last] + 1, lo = c->attrs.pad.lo[last];
    size_t size = nest_elem_size(out->dtype);
    unsigned char value[8] = { 0 };
    pad_bits(out->dtype, c->attrs.pad.value, value);
#pragma omp parallel for schedule(static) num_threads(nest_threads(c, total))
    for (int64_t row = 0; row < rows; row++) {
        unsigned char *dst = (unsigned char *)ptr[1] + (size_t)(row * n) * size;
        int64_t source = pad_source_row(c, row);
        nest_copy_run(dst, 1, value, 0, n, size);
        if (source >= 0 && m > 0)
            nest_copy_run(dst + (size_t)lo * size, step,
                          (const unsigned char *)ptr[0] + (size_t)(source * m) * size, 1, m, size);
    }
}

WEIR_NEST(concat)
{
    const struct weir_nest_call *c = desc;
    const struct weir_nd *out = &c->out[0];
    int axis = c->attrs.axis.axis;
    int64_t rows = 1, inner = 1, at = 0;
    for (int i = 0; i < out->rank; i++) {
        rows *= i < axis ? out->dim[i] : 1;
        inner *= i > axis ? out->dim[i] : 1;
    }
    size_t size = nest_elem_size(out->dtype);
    for (int k = 0; k < c->n_in; k++) {
        size_t run = (size_t)(c->in[k].dim[axis] * inner) * size;
        size_t pitch = (size_t)(out->dim[axis] * inner) * size;
        unsigned char *dst = (unsigned char *)ptr[c->n_in] + (size_t)(at * inner) * size;
#pragma omp parallel for schedule(static) num_threads(nest_threads(c, rows * (int64_t)run))
        for (int64_t row = 0; row < rows; row++)
            memcpy(dst + (size_t)row * pitch, (const unsigned char *)ptr[k] + (size_t)row * run,
                   run);
        at += c->in[k].dim[axis];
    }
}
