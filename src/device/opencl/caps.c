// SPDX-License-Identifier: Apache-2.0
// What an OpenCL device can do: limits by query, features by building and running a trial kernel,
// because an extension string is only a claim.
#include "device/opencl/opencl.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "device/engine.h"
#include "device/kernel_text.h"

void weir_cl_caps(cl_device_id id, struct weir_caps *caps)
{
    cl_device_type type = 0;
    cl_uint units = 0, align_bits = 0;
    cl_ulong local = 0, global = 0, alloc = 0;
    size_t group = 0;
    clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    clGetDeviceInfo(id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    clGetDeviceInfo(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof align_bits, &align_bits, NULL);
    clGetDeviceInfo(id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    clGetDeviceInfo(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof global, &global, NULL);
    clGetDeviceInfo(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof alloc, &alloc, NULL);
    clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof group, &group, NULL);
    *caps = (struct weir_caps) {
        .features = type & CL_DEVICE_TYPE_CPU ? WEIR_CAP_WIDE : 0,
        .untried = weir_cl_gemm_there() ? WEIR_CAP_GEMM : 0,
        .compute_units = units ? (int)units : 1,
        .max_group = group > 1 << 20 ? 1 << 20 : group ? (int)group : 1,
        .local_size = local,
        .global_size = global,
        .max_alloc = alloc,
        .align = align_bits / 8 > 128 ? align_bits / 8 : 128,
        .is_gpu = (type & CL_DEVICE_TYPE_GPU) != 0,
    };
}

// A feature is there when its kernel builds and writes 1.
struct probe {
    enum weir_cap cap;
    const char *extension; // a necessary claim; NULL = none
    const char *source;
};

static const struct probe probes[] = {
    { WEIR_CAP_VECTOR_DEREF, NULL,
      "typedef float16 fu __attribute__((aligned(4)));\n"
      "kernel void probe(global float *p, ulong o)\n"
      "{\n"
      "    for (int i = 0; i < 19; i++)\n"
      "        p[o + i] = (float)i;\n"
      "    float16 v = *(global const fu *)(p + o + 1) + 1.0f;\n"
      "    *(global fu *)(p + o + 3) = v;\n"
      "    int good = 1;\n"
      "    for (int i = 3; i < 19; i++)\n"
      "        good &= p[o + i] == (float)(i - 1);\n"
      "    p[o] = good ? 1.0f : 0.0f;\n"
      "}\n" },
    { WEIR_CAP_FP16, "cl_khr_fp16",
      "#pragma OPENCL EXTENSION cl_khr_fp16 : enable\n"
      "kernel void probe(global float *p, ulong o)\n"
      "{\n"
      "    half h = (half)p[o + 1] * (half)2.0f + (half)1.0f;\n"
      "    p[o] = h == (half)3.0f ? 1.0f : 0.0f;\n"
      "}\n" },
    { WEIR_CAP_FP64, "cl_khr_fp64",
      "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
      "kernel void probe(global float *p, ulong o)\n"
      "{\n"
      "    double d = (double)p[o + 1] + 1e-12;\n"
      "    p[o] = d - 1.0 > 0.5e-12 && d - 1.0 < 2e-12 ? 1.0f : 0.0f;\n"
      "}\n" },
};

#define PROBE_FLOATS 32

bool weir_cl_probe_run(weir_device *dev, weir_module *module, const size_t local[2])
{
    float data[PROBE_FLOATS] = { 0 };
    weir_buf *buf = NULL;
    weir_list *list = NULL;
    for (int i = 1; i < PROBE_FLOATS; i++)
        data[i] = 1.0f;
    struct weir_launch launch = {
        .module = module, .kernel = "probe", .n_bufs = 1, .global = { local[0], local[1], 1 },
        .local = { local[0], local[1], 1 }, .label = "probe",
    };
    bool good = weir_buf_create(dev, sizeof data, &buf) == WEIR_OK &&
                weir_buf_write(buf, 0, data, sizeof data) == WEIR_OK;
    launch.bufs[0] = (struct weir_buf_ref) { .buf = buf, .elem_size = 4 };
    good = good && weir_list_record(dev, &launch, 1, &list) == WEIR_OK &&
           weir_list_replay(dev, list) == WEIR_OK &&
           weir_buf_read(buf, 0, data, sizeof data) == WEIR_OK && data[0] == 1.0f;
    weir_list_destroy(dev, &list);
    weir_buf_destroy(&buf);
    return good;
}

static bool run_probe(weir_device *dev, const char *source, size_t across, size_t down)
{
    weir_module *module = NULL;
    struct weir_build_params build = { .source = source, .label = "feature probe" };
    bool good = weir_module_build(dev, &build, &module) == WEIR_OK &&
                weir_cl_probe_run(dev, module, (size_t[2]) { across, down });
    weir_module_destroy(dev, &module);
    return good;
}

bool weir_cl_claims(cl_device_id id, const char *extension)
{
    char text[8192] = "";
    size_t n = strlen(extension);
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, sizeof text - 1, text, NULL) != CL_SUCCESS)
        return false;
    for (const char *at = strstr(text, extension); at; at = strstr(at + n, extension))
        if ((at == text || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
            return true;
    return false;
}

// Twice the kernel, replayed three times: x becomes 2x + 1 six times, each after the one before.
static bool probe_commands(weir_device *dev)
{
    static const char source[] = "kernel void probe(global float *p, ulong o)\n"
                                 "{\n"
                                 "    p[o] = 2.0f * p[o] + 1.0f;\n"
                                 "}\n";
    const uint32_t features = dev->info.caps.features;
    weir_module *module = NULL;
    weir_buf *buf = NULL;
    weir_list *list = NULL;
    float x = 0;
    struct weir_build_params build = { .source = source, .label = "feature probe" };
    dev->info.caps.features |= WEIR_CAP_COMMAND_BUFFER;
    bool good = weir_cl(dev)->commands.there && weir_module_build(dev, &build, &module) == WEIR_OK &&
                weir_buf_create(dev, sizeof x, &buf) == WEIR_OK && weir_buf_write(buf, 0, &x, sizeof x) == WEIR_OK;
    struct weir_launch l[2] = { { .module = module, .kernel = "probe", .n_bufs = 1, .bufs = { { buf, 0, 4 } },
                                  .global = { 1, 1, 1 }, .local = { 1, 1, 1 } } };
    l[1] = l[0];
    good = good && weir_list_record(dev, l, 2, &list) == WEIR_OK;
    for (int i = 0; i < 3 && good; i++)
        good = weir_list_replay(dev, list) == WEIR_OK;
    good = good && weir_buf_read(buf, 0, &x, sizeof x) == WEIR_OK && x == 63.0f && weir_cl_list_buffers(list) == 1;
    weir_list_destroy(dev, &list);
    weir_buf_destroy(&buf);
    weir_module_destroy(dev, &module);
    dev->info.caps.features = features;
    return good;
}

static void note(weir_device *dev, const struct weir_log *log, enum weir_cap cap, bool there)
{
    if (there)
        dev->info.caps.features |= cap;
    weir_logf(log, WEIR_LOG_DEBUG, "%s: feature %#x is %s", dev->info.name, (unsigned)cap,
              there ? "there" : "absent");
}

// The first size that holds, which a kernel can ask for (Intel) or the device always has (AMD); where
// the compiler may choose another for another kernel, sub-groups are of no use.
static void probe_subgroups(weir_device *dev, const struct weir_log *log)
{
    static const int sizes[] = { 16, 8, 32, 64 };
    cl_device_id id = weir_cl(dev)->id;
    bool good = weir_cl_claims(id, "cl_intel_required_subgroup_size") ||
                (weir_cl_claims(id, "cl_khr_subgroups") && weir_cl_claims(id, "cl_amd_device_attribute_query"));
    dev->info.caps.sub_group = 0;
    for (size_t i = 0; i < WEIR_COUNT(sizes) && good && !dev->info.caps.sub_group; i++) {
        struct weir_strbuf text = { 0 };
        weir_strbuf_printf(&text, "#define SG_LANES %d\n%s", sizes[i], weir_kernel_text("subgroup_probe.cl"));
        char *source = weir_strbuf_finish(&text);
        if (source && run_probe(dev, source, (size_t)sizes[i], 2))
            dev->info.caps.sub_group = sizes[i];
        free(source);
    }
    note(dev, log, WEIR_CAP_SUBGROUPS, dev->info.caps.sub_group > 0);
}

static bool run_engine(weir_device *dev, const struct weir_engine *engine)
{
    struct weir_strbuf text = { 0 };
    weir_engine_define(&text, engine);
    weir_strbuf_puts(&text, weir_kernel_text(engine->text));
    weir_strbuf_puts(&text, weir_kernel_text("engine_probe.cl"));
    char *source = weir_strbuf_finish(&text);
    bool good = source && run_probe(dev, source, (size_t)engine->lanes, 2);
    free(source);
    return good;
}

// The claim comes first: a compiler that does not know an engine's text may end the process.
static void probe_engines(weir_device *dev, const struct weir_log *log)
{
    for (const struct weir_engine *e = weir_engines; e->name; e++) {
        if (e > weir_engines && e->cap == e[-1].cap)
            continue;
        bool good = dev->info.caps.is_gpu && weir_cl_claims(weir_cl(dev)->id, e->extension);
        for (const struct weir_engine *row = e; good && row->cap == e->cap; row++)
            good = run_engine(dev, row);
        note(dev, log, e->cap, good);
    }
}

enum weir_status weir_cl_probe(weir_device *dev)
{
    // A feature that is not there is no error: what the driver says about it is not shown.
    struct weir_log log = dev->log;
    dev->log.callback = NULL;
    for (size_t i = 0; i < WEIR_COUNT(probes); i++) {
        const struct probe *probe = &probes[i];
        bool claimed = !probe->extension || weir_cl_claims(weir_cl(dev)->id, probe->extension);
        note(dev, &log, probe->cap, claimed && run_probe(dev, probe->source, 1, 1));
    }
    probe_subgroups(dev, &log);
    probe_engines(dev, &log);
    note(dev, &log, WEIR_CAP_BINARY_CACHE, weir_cl_probe_binary(dev));
    note(dev, &log, WEIR_CAP_COMMAND_BUFFER, probe_commands(dev));
    dev->log = log;
    dev->cache_warned = false; // nobody has heard it
    return WEIR_OK;
}
