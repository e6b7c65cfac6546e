// SPDX-License-Identifier: Apache-2.0
// Devices: what runs a compiled program. Two backends: `host` (the C reference, always there)
// and `opencl` (any ICD platform). Code asks what a device can do, never who made it.
//
// Thread-safety: a device and what was made from it belong to one thread at a time.
#ifndef WEIR_DEVICE_H
#define WEIR_DEVICE_H

#include "weir/log.h"
#include "weir/status.h"
#include "weir/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weir_device weir_device;

// Features that can be hidden through weir_device_params.caps_mask so that tests force fallbacks.
enum weir_cap {
    WEIR_CAP_FMA = 1 << 0,            // builtin fma is single-rounded for every input
    WEIR_CAP_DIV_SQRT = 1 << 1,       // / and sqrt are correctly rounded
    WEIR_CAP_VECTOR_DEREF = 1 << 2,   // an unaligned float16 may be dereferenced (clang typedef)
    WEIR_CAP_WIDE = 1 << 3,           // prefers wide kernels (a CPU); hidden: grouped kernels
    WEIR_CAP_SUBGROUPS = 1 << 4,      // work-items of a sub-group, of a size that is known, read each other's registers
    WEIR_CAP_FP16 = 1 << 5,
    WEIR_CAP_FP64 = 1 << 6,
    WEIR_CAP_COMMAND_BUFFER = 1 << 7,
    WEIR_CAP_BINARY_CACHE = 1 << 8,   // program binaries may be kept on disk
    WEIR_CAP_LOOP_SUMS = 1 << 9,      // a vectorized loop keeps the order of its sums
    // Matrix engines, for fast mode; each instruction gave the right results on the device.
    WEIR_CAP_MMA_SYNC = 1 << 10,      // PTX mma.sync of 16 x 8: tf32, bf16, f16
    WEIR_CAP_XMX_8 = 1 << 11,         // cl_intel_subgroup_matrix_multiply_accumulate, 8 lanes: bf16, f16
    WEIR_CAP_XMX_16 = 1 << 12,        // 16 lanes
    WEIR_CAP_XMX_TF32 = 1 << 13,      // cl_intel_subgroup_matrix_multiply_accumulate_tf32
    WEIR_CAP_WMMA = 1 << 14,          // __builtin_amdgcn_wmma_f32_16x16x16, 32 lanes: bf16, f16
    WEIR_CAP_MFMA = 1 << 15,          // __builtin_amdgcn_mfma_f32_16x16, 64 lanes: f32, bf16, f16
    WEIR_CAP_GEMM = 1 << 20,          // a library multiplies matrices on it (fast mode); tried when first wanted
};

// How a program computes (docs/numerics.md).
enum weir_numerics {
    WEIR_NUMERICS_EXACT, // the same bits on every device
    WEIR_NUMERICS_FAST,  // any order of sums, the device's own functions and libraries: within error bounds;
                         // the host is exact in this mode too
};

// What the self-test found a device fit for.
enum weir_admission {
    WEIR_EXACT,          // passed the self-test: same bits as the host
    WEIR_EXACT_SOFT_FMA, // exact, with software fma (or / and sqrt) where the builtin is wrong
    WEIR_FAST_ONLY,      // failed the self-test: fast mode only
};

// What a device is and can do; 0 = absent. Filled by probes where the driver could lie.
struct weir_caps {
    uint32_t features;       // weir_cap bits, after caps_mask
    uint32_t untried;        // those that may be there, and whose trial takes too long for every opening
    int compute_units;
    int max_group;           // work-items in a group (0 on host)
    int sub_group;           // work-items of a sub-group (WEIR_CAP_SUBGROUPS; 0 = unknown)
    uint64_t local_size;     // bytes of local memory
    uint64_t global_size;    // bytes of device memory
    uint64_t max_alloc;      // bytes of one buffer
    uint32_t align;          // bytes: alignment of sub-allocations
    bool is_gpu;
};

struct weir_device_info {
    char backend[16];   // "host", "opencl"
    char name[128];     // as the driver says it
    char vendor[128];
    char driver[128];   // version
    char platform[128];
    char version[64];   // e.g. "OpenCL 1.2 ..."
    struct weir_caps caps;
    enum weir_admission admission;
    char reason[256];   // why it is not WEIR_EXACT; empty when it is
};

// Which kernels the contractions of a program get; the bits are the same.
enum weir_tune {
    WEIR_TUNE_DEFAULT, // of a program: as the device was opened; of a device: CACHED
    WEIR_TUNE_OFF,     // what a built-in model says
    WEIR_TUNE_CACHED,  // what tuning found earlier on this device with this driver; the model for the rest
    WEIR_TUNE_FULL,    // what is not known yet is measured first, and kept in the device's cache_dir: seconds a
                       // shape. A driver that hangs or crashes on a candidate takes the process with it;
                       // `weir tune` measures in one that may die
};

struct weir_device_params {
    const char *selector;   // "host", "opencl:N", part of a name, "auto" (NULL = "auto")
    struct weir_log log;
    const char *cache_dir;  // for compiled programs and self-test outcomes (NULL = no disk cache)
    uint32_t caps_mask;     // weir_cap bits to hide
    int threads;            // host threads (0 = all)
    enum weir_tune tune;    // of programs that do not say it themselves
    bool skip_selftest;     // trust the device (conformance tools only)
    bool allow_fast;        // open a device that failed its self-test (it runs fast mode only, WEIR_NUMERICS_FAST)
    const struct weir_caps *planned; // no device is opened: programs are compiled for one that can do this,
                                     // which writes them (weir_compile_params.dump_dir), and never run;
                                     // compute_units and max_group are at least 1
};

// What OpenCL 1.2 promises of a GPU and exact mode asks of it, for weir_device_params.planned: no more than
// 256 work-items in a group and 32 KiB of local memory, no extension.
extern const struct weir_caps weir_caps_gpu;

// Opens one device. `auto` takes the first of GPU, CPU driver, host that passes its self-test.
// Errors: NODEVICE (nothing matches or the name is ambiguous; the log lists what is there),
// UNSUPPORTED (self-test failed and !allow_fast; the log says which part), NOMEM.
enum weir_status weir_device_open(const struct weir_device_params *params, weir_device **out);

// Releases it; programs, states and buffers made from it must be gone. Accepts NULL, clears *dev.
void weir_device_close(weir_device **dev);

const struct weir_device_info *weir_device_info(const weir_device *dev);

// Every usable device, host first, then OpenCL in `opencl:N` order. Writes at most `max` rows and
// returns how many there are. A platform that fails to load or lists no device is logged, not fatal.
int weir_device_list(const struct weir_device_params *params, struct weir_device_info *rows, int max);

#ifdef __cplusplus
}
#endif
#endif
