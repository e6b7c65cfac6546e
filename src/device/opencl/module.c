// SPDX-License-Identifier: Apache-2.0
// Compiling kernel text. No fast-math switch ever, because the rules for infinities and NaN hold in
// both modes. What exact mode needs (software fma, software division, loops in order) follows from the
// device's capabilities; fast mode goes without, but for the fma that functions of scalar.h rely on.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "device/opencl/opencl.h"

char *weir_cl_build_options(const weir_device *dev, bool fast, const char *extra)
{
    struct weir_strbuf buf = { 0 };
    weir_strbuf_puts(&buf, "-cl-std=CL1.2");
    if (weir_cl(dev)->correctly_rounded && !fast)
        weir_strbuf_puts(&buf, " -cl-fp32-correctly-rounded-divide-sqrt");
    if (!weir_device_has(dev, WEIR_CAP_FMA))
        weir_strbuf_puts(&buf, " -DWEIR_SOFT_FMA");
    if (!weir_device_has(dev, WEIR_CAP_DIV_SQRT) && !fast)
        weir_strbuf_puts(&buf, " -DWEIR_SOFT_DIV");
    if (!weir_device_has(dev, WEIR_CAP_LOOP_SUMS) && !fast)
        weir_strbuf_puts(&buf, " -DWEIR_LOOPS_IN_ORDER");
    if (dev->build_option)
        weir_strbuf_printf(&buf, " %s", dev->build_option);
    if (extra && extra[0])
        weir_strbuf_printf(&buf, " %s", extra);
    return weir_strbuf_finish(&buf);
}

static void log_build_failure(const weir_device *dev, cl_program program, const char *label,
                              const char *options, int code)
{
    size_t size = 0;
    char *text = NULL;
    clGetProgramBuildInfo(program, weir_cl(dev)->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    if (size > 0)
        text = calloc(1, size + 1);
    if (text)
        clGetProgramBuildInfo(program, weir_cl(dev)->id, CL_PROGRAM_BUILD_LOG, size, text, NULL);
    weir_logf(&dev->log, WEIR_LOG_ERROR,
              "%s: building '%s' failed with %s (%d)\noptions: %s\nbuild log:\n%s", dev->info.name,
              label, weir_cl_error_name(code), code, options,
              text && text[0] ? text : "(the driver gave none)");
    free(text);
}

static enum weir_status compile(weir_device *dev, const char *source, const char *options,
                                const char *label, cl_program *out)
{
    const struct weir_cl *cl = weir_cl(dev);
    cl_int code;
    cl_program program = clCreateProgramWithSource(cl->context, 1, &source, NULL, &code);
    if (code != CL_SUCCESS)
        return weir_cl_check(dev, code, "clCreateProgramWithSource", label);
    code = clBuildProgram(program, 1, &cl->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        log_build_failure(dev, program, label, options, code);
        clReleaseProgram(program);
        return weir_cl_status(code) == WEIR_NOMEM ? WEIR_NOMEM : WEIR_BUILD;
    }
    *out = program;
    return WEIR_OK;
}

static struct weir_cache_key program_key(const weir_device *dev, const char *source,
                                         const char *options)
{
    struct weir_cache_hasher hasher;
    weir_cache_hasher_init(&hasher, dev);
    weir_cache_hasher_add(&hasher, options);
    weir_cache_hasher_add(&hasher, source);
    return weir_cache_hasher_key(&hasher);
}

// A program of this text: from memory, from disk, or built.
static enum weir_status get_program(weir_device *dev, const char *source, const char *options,
                                    const char *label, cl_program *out)
{
    struct weir_cl *cl = weir_cl(dev);
    struct weir_cache_key key = program_key(dev, source, options);
    for (struct weir_cl_program *p = cl->programs; p; p = p->next) {
        if (p->key.name == key.name && p->key.check == key.check) {
            *out = p->program;
            return WEIR_OK;
        }
    }
    struct weir_cl_program *p = calloc(1, sizeof *p);
    if (!p)
        return weir_fail(&dev->log, WEIR_NOMEM, "out of memory building '%s'", label);
    p->program = weir_cl_binary_load(dev, key, options);
    weir_logf(&dev->log, WEIR_LOG_DEBUG, "%s: '%s' %s", dev->info.name, label,
              p->program ? "comes from the disk cache" : "is compiled");
    if (!p->program) {
        enum weir_status status = compile(dev, source, options, label, &p->program);
        if (status != WEIR_OK) {
            free(p);
            return status;
        }
        weir_cl_binary_store(dev, key, p->program);
    }
    p->key = key;
    p->next = cl->programs;
    cl->programs = p;
    *out = p->program;
    return WEIR_OK;
}

enum weir_status weir_cl_module_build(weir_device *dev, const struct weir_build_params *p,
                                      weir_module **out)
{
    const char *label = p->label ? p->label : "kernels";
    enum weir_status status = WEIR_NOMEM;
    char *options = weir_cl_build_options(dev, p->fast, p->options);
    struct weir_cl_module *module = calloc(1, sizeof *module);
    if (module)
        module->label = strdup(label);
    if (!options || !module || !module->label) {
        weir_logf(&dev->log, WEIR_LOG_ERROR, "out of memory building '%s'", label);
        goto error;
    }
    status = get_program(dev, p->source, options, label, &module->program);
    if (status != WEIR_OK)
        goto error;
    free(options);
    *out = &module->base;
    return WEIR_OK;
error:
    free(options);
    if (module)
        free(module->label);
    free(module);
    return status;
}

void weir_cl_module_destroy(weir_device *dev, weir_module *module)
{
    struct weir_cl_module *m = (struct weir_cl_module *)module;
    free(m->label);
    free(m);
}

bool weir_cl_probe_binary(weir_device *dev)
{
    static const char source[] = "kernel void probe(global float *p, ulong o) { p[o] = 1.0f; }\n";
    char *options = weir_cl_build_options(dev, false, NULL);
    cl_program program = NULL, copy = NULL;
    bool good = false;
    if (options && compile(dev, source, options, "binary probe", &program) == WEIR_OK)
        copy = weir_cl_binary_copy(dev, program, options);
    if (copy) {
        struct weir_cl_module module = {.base = {dev}, .program = copy, .label = "binary probe"};
        good = weir_cl_probe_run(dev, &module.base, (size_t[2]) { 1, 1 });
        clReleaseProgram(copy);
    }
    if (program)
        clReleaseProgram(program);
    free(options);
    return good;
}

void weir_cl_programs_release(struct weir_cl *cl)
{
    while (cl->programs) {
        struct weir_cl_program *p = cl->programs;
        cl->programs = p->next;
        clReleaseProgram(p->program);
        free(p);
    }
}
