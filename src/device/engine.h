// SPDX-License-Identifier: Apache-2.0
// Matrix engines: what a device multiplies small matrices with in one instruction. A row says what
// one instruction takes; its kernel file (kernels/engine_*.cl) has the instruction and where each
// lane holds what. The device layer tries rows (opencl/caps.c), the compiler writes kernels with
// them (contract_engine.c).
#ifndef WEIR_DEVICE_ENGINE_H
#define WEIR_DEVICE_ENGINE_H

#include "base/strbuf.h"
#include "weir/device.h"

// dtype: of the operands that are multiplied; F32 may round them to tf32. m x n results of k terms,
// by `lanes` work-items. A device has `cap` when it claims `extension` and every row of that
// capability gives the right results there.
// most: results that a work-item holds in registers beside its operands.
struct weir_engine {
    const char *name;
    enum weir_cap cap;
    enum weir_dtype dtype;
    int m, n, k, lanes, most;
    const char *extension, *text;
};
extern const struct weir_engine weir_engines[]; // the last has no name

// The capabilities of all rows, as WEIR_CAP_* bits.
uint32_t weir_engine_caps(void);

// Appends the knobs of the engine's text.
void weir_engine_define(struct weir_strbuf *t, const struct weir_engine *engine);

#endif
