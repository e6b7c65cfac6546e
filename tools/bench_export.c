// SPDX-License-Identifier: Apache-2.0
// weir bench export: one kernel of a recipe's training step as a C program and a .cl file that need nothing of
// Weir, to be sent to a driver's author or to be played with. Buffers are as in the step, filled with ones.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench.h"
#include "compile/compile.h"
#include "device/opencl/opencl.h"
#include "train/train.h"

extern const char bench_export_main[]; // tools/bench_export_main.c as text

// The buffers of a launch, each with the part that its arguments reach.
struct part {
    weir_buf *buf;
    size_t first, end;
};

static int part_of(struct part *parts, int *n, const struct weir_buf_ref *ref, size_t size)
{
    for (int i = 0; i < *n; i++)
        if (parts[i].buf == ref->buf) {
            parts[i].first = ref->offset < parts[i].first ? ref->offset : parts[i].first;
            parts[i].end = ref->offset + size > parts[i].end ? ref->offset + size : parts[i].end;
            return i;
        }
    parts[*n] = (struct part) { ref->buf, ref->offset, ref->offset + size };
    return (*n)++;
}

static void data_text(const struct weir_launch *l, struct weir_strbuf *t)
{
    struct part parts[WEIR_LAUNCH_MAX_BUFS];
    int n = 0, which[WEIR_LAUNCH_MAX_BUFS];
    for (int i = 0; i < l->n_bufs; i++)
        which[i] = part_of(parts, &n, &l->bufs[i], l->buf_size[i]);
    weir_strbuf_puts(t, "static const size_t sizes[] = {"); // bytes
    for (int i = 0; i < n; i++) {
        parts[i].first &= ~(size_t)4095; // keeps what the offsets are aligned to
        weir_strbuf_printf(t, "%s %zu", i ? "," : "", (parts[i].end - parts[i].first + 3) & ~(size_t)3);
    }
    weir_strbuf_puts(t, " };\nstatic const struct {\n    int buffer;\n    unsigned long long offset; // in elements\n"
                     "} args[] = {");
    for (int i = 0; i < l->n_bufs; i++)
        weir_strbuf_printf(t, "%s { %d, %zu }", i ? "," : "", which[i],
                           (l->bufs[i].offset - parts[which[i]].first) / l->bufs[i].elem_size);
    weir_strbuf_printf(t, " };\n#define N_INTS %d\nstatic const int ints[] = {", l->n_ints);
    for (int i = 0; i < l->n_ints; i++)
        weir_strbuf_printf(t, " %d,", (int)l->ints[i]);
    weir_strbuf_printf(t, " 0 };\nstatic const size_t global[] = { %zu, %zu, %zu };\n", l->global[0], l->global[1],
                       l->global[2]);
    if (l->local[0])
        weir_strbuf_printf(t, "static const size_t local[] = { %zu, %zu, %zu };\n#define LOCAL local\n\n", l->local[0],
                           l->local[1], l->local[2]);
    else
        weir_strbuf_puts(t, "#define LOCAL NULL\n\n");
}

static char *quoted(const char *s)
{
    struct weir_strbuf t = { 0 };
    for (; *s; s++)
        weir_strbuf_printf(&t, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    return weir_strbuf_finish(&t);
}

static enum weir_status write_program(const struct bench_params *p, const char *path, const struct weir_launch *l,
                                      double s, size_t source_size)
{
    struct weir_strbuf t = { 0 };
    const char *name = l->kernel;
    char *options = weir_cl_build_options(p->dev, p->compile.numerics == WEIR_NUMERICS_FAST, NULL), *where = quoted(weir_device_info(p->dev)->name);
    if (options && where) {
        weir_strbuf_printf(&t, "// A kernel of a training step, from `weir bench export`. In the folder of its .cl:\n"
                           "//     cc %s.c -o %s -lOpenCL && ./%s\n"
                           "// An argument is the number of another device than the first, over all platforms.\n"
                           "#include <stddef.h>\n\n", name, name, name);
        weir_strbuf_printf(&t, "#define NAME \"%s\"\n#define KERNEL \"%s\"\n#define OPTIONS \"%s\"\n"
                           "#define SOURCE_SIZE %zu\n#define WHERE \"%s\"\n#define IN_STEP_MS %.6f\n\n", name, name,
                           options, source_size, where, 1e3 * s);
        data_text(l, &t);
        weir_strbuf_puts(&t, bench_export_main);
    }
    enum weir_status status = !options || !where || t.failed ? WEIR_NOMEM : weir_file_write(&p->log, path, t.s, t.n);
    free(options);
    free(where);
    weir_strbuf_free(&t);
    return status;
}

static enum weir_status write_both(const struct bench_params *p, const struct weir_program *program,
                                   const struct weir_launch *l, double s)
{
    struct weir_strbuf source = { 0 };
    char path[1024];
    const char *dir = p->out ? p->out : ".";
    enum weir_status status = weir_mkdirs(&p->log, dir);
    if (!status)
        status = weir_program_kernel_text(program, l->kernel, &source);
    if (!status) {
        snprintf(path, sizeof(path), "%s/%s.cl", dir, l->kernel);
        status = weir_file_write(&p->log, path, source.s, source.n);
    }
    if (!status) {
        snprintf(path, sizeof(path), "%s/%s.c", dir, l->kernel);
        status = write_program(p, path, l, s, source.n);
    }
    weir_strbuf_free(&source);
    if (!status)
        printf("%s  %.3f ms in the step; cc %s.c -o %s -lOpenCL && ./%s\n", path, 1e3 * s, l->kernel, l->kernel,
               l->kernel);
    return status;
}

// The slowest launch of the kernel that words[1] names, or of all.
static enum weir_status choose(const struct bench_params *p, const struct weir_program *program,
                               const struct weir_launch_time *times, int *chosen)
{
    const char *wanted = p->n_words > 1 ? p->words[1] : NULL;
    const char **names = calloc((size_t)program->n_launches + 1, sizeof(*names));
    int n = 0;
    *chosen = -1;
    for (int i = 0; i < program->n_launches && names; i++) {
        const char *kernel = program->launches[i].kernel;
        if (!kernel)
            continue;
        names[n++] = kernel;
        if ((!wanted || !strcmp(wanted, kernel)) && (*chosen < 0 || times[i].s > times[*chosen].s))
            *chosen = i;
    }
    enum weir_status status = WEIR_OK;
    if (!names)
        status = weir_fail(&p->log, WEIR_NOMEM, "no memory for %d launches", program->n_launches);
    else if (*chosen < 0 && wanted && n > 0)
        status = weir_fail(&p->log, WEIR_INVALID, "the step has no kernel '%s' (did you mean '%s'?); `weir bench "
                           "model %s` lists the slowest", wanted, weir_nearest(wanted, names), p->words[0]);
    else if (*chosen < 0)
        status = weir_fail(&p->log, WEIR_INVALID, "the step has no kernels");
    free(names);
    return status;
}

static enum weir_status export(const struct bench_params *p, weir_step *step)
{
    struct weir_program *program = weir_step_program(step);
    struct weir_launch_time *times = calloc((size_t)program->n_launches + 1, sizeof(*times));
    int chosen = -1;
    enum weir_status status = times ? WEIR_OK : weir_fail(&p->log, WEIR_NOMEM, "no memory for a profile");
    for (int i = 0; i < 2 && !status; i++) // the first run with a profiling queue is slower
        status = weir_program_profile(program, times);
    if (!status)
        status = choose(p, program, times, &chosen);
    if (!status)
        status = write_both(p, program, &program->launches[chosen], times[chosen].s);
    free(times);
    return status;
}

enum weir_status bench_export(struct bench_params *p)
{
    if (weir_device_is_host(p->dev))
        return weir_fail(&p->log, WEIR_UNSUPPORTED, "the host runs loop nests, not kernels: `bench export` takes an "
                         "OpenCL device (--device opencl:0)");
    struct bench_step s;
    p->compile.no_replay = true; // keeps the launches
    p->compile.no_merge = true;  // a kernel alone, whose operands are arguments
    enum weir_status status = bench_step_create(p, &s);
    if (!status)
        status = bench_step_run(&s, 0);
    if (!status)
        status = export(p, s.step);
    bench_step_destroy(&s);
    return status;
}
