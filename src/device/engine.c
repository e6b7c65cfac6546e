// SPDX-License-Identifier: Apache-2.0
// The table of matrix engines. To add one: a kernel file, its rows here, a capability, its layout
// in tests/engine_emulate.h (docs/kernels.md).
#include "device/engine.h"

#define NVIDIA "cl_nv_device_attribute_query", "engine_nvidia.cl"
#define INTEL "cl_intel_subgroup_matrix_multiply_accumulate", "engine_intel.cl"
#define INTEL_TF32 "cl_intel_subgroup_matrix_multiply_accumulate_tf32", "engine_intel.cl"
#define AMD "cl_amd_device_attribute_query", "engine_amd.cl"

const struct weir_engine weir_engines[] = {
    {"mma-tf32", WEIR_CAP_MMA_SYNC, WEIR_F32, 16, 8, 8, 32, 64, NVIDIA},
    {"mma-bf16", WEIR_CAP_MMA_SYNC, WEIR_BF16, 16, 8, 16, 32, 64, NVIDIA},
    {"mma-f16", WEIR_CAP_MMA_SYNC, WEIR_F16, 16, 8, 16, 32, 64, NVIDIA},
    {"xmx8-bf16", WEIR_CAP_XMX_8, WEIR_BF16, 8, 8, 16, 8, 16, INTEL},
    {"xmx8-f16", WEIR_CAP_XMX_8, WEIR_F16, 8, 8, 16, 8, 16, INTEL},
    {"xmx16-bf16", WEIR_CAP_XMX_16, WEIR_BF16, 8, 16, 16, 16, 16, INTEL},
    {"xmx16-f16", WEIR_CAP_XMX_16, WEIR_F16, 8, 16, 16, 16, 16, INTEL},
    {"xmx16-tf32", WEIR_CAP_XMX_TF32, WEIR_F32, 8, 16, 8, 16, 16, INTEL_TF32},
    {"wmma-bf16", WEIR_CAP_WMMA, WEIR_BF16, 16, 16, 16, 32, 64, AMD},
    {"wmma-f16", WEIR_CAP_WMMA, WEIR_F16, 16, 16, 16, 32, 64, AMD},
    {"mfma-f32", WEIR_CAP_MFMA, WEIR_F32, 16, 16, 4, 64, 64, AMD},
    {"mfma-bf16", WEIR_CAP_MFMA, WEIR_BF16, 16, 16, 16, 64, 64, AMD},
    {"mfma-f16", WEIR_CAP_MFMA, WEIR_F16, 16, 16, 16, 64, 64, AMD},
    {0},
};

uint32_t weir_engine_caps(void)
{
    uint32_t caps = 0;
    for (const struct weir_engine *e = weir_engines; e->name; e++)
        caps |= (uint32_t)e->cap;
    return caps;
}

void weir_engine_define(struct weir_strbuf *t, const struct weir_engine *engine)
{
    const int type = engine->dtype == WEIR_F32 ? 0 : engine->dtype == WEIR_BF16 ? 1 : 2;
    weir_strbuf_printf(t, "#define EN_TYPE %d\n#define EN_LANES %d\n", type, engine->lanes);
    weir_strbuf_printf(t, "#define EN_M %d\n#define EN_N %d\n#define EN_K %d\n", engine->m,
                       engine->n, engine->k);
}
