// SPDX-License-Identifier: Apache-2.0
// weir bench model: one training step of a recipe on synthetic batches. Wall time is taken with the
// queue empty before and after each step; the table is the device's own profile of one step.
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bench.h"
#include "train/train.h"

struct family {
    char name[64];
    int launches;
    double s;
};

static enum weir_status make_batch(const struct weir_log *log, const struct weir_run_state *run, struct bench_step *b)
{
    const struct weir_recipe *r = &run->setup.recipe;
    size_t rows = (size_t)r->train.batch, item = (size_t)weir_shape_size(&run->setup.config.item);
    for (int i = 0; i < r->train.accumulate; i++) {
        b->data[i] = calloc(rows * item, sizeof(float));
        b->label[i] = calloc(rows, sizeof(int32_t));
        if (!b->data[i] || !b->label[i])
            return weir_fail(log, WEIR_NOMEM, "no memory for a batch of %zu items", rows);
        for (size_t k = 0; k < rows * item; k++)
            b->data[i][k] = (float)(k * 2654435761u % 2000) * .001f - 1; // any numbers of a pixel's size
        for (size_t k = 0; k < rows; k++)
            b->label[i][k] = run->setup.classes ? (int32_t)(k % (size_t)run->setup.classes) : 0;
    }
    return WEIR_OK;
}

enum weir_status bench_step_run(struct bench_step *s, int64_t index)
{
    enum weir_status status = weir_step_run(s->step, index, (const float *const *)s->data,
                                            (const int32_t *const *)s->label);
    return status ? status : weir_wait(weir_step_program(s->step));
}

enum weir_status bench_step_create(struct bench_params *p, struct bench_step *s)
{
    struct weir_recipe recipe;
    memset(s, 0, sizeof(*s));
    enum weir_status status = bench_recipe(p, &recipe);
    if (!status)
        status = weir_run_init(&p->log, p->dev, &recipe, true, &s->run);
    if (status)
        return status;
    p->compile.numerics = s->run.setup.numerics;
    weir_dataset_destroy(&s->run.data); // its kind and shape are known by now; the batch is made up
    status = make_batch(&p->log, &s->run, s);
    return status ? status : weir_step_create(&p->log, p->dev, &s->run.setup, s->run.params, &p->compile, &s->step);
}

void bench_step_destroy(struct bench_step *s)
{
    weir_step_destroy(&s->step);
    for (int i = 0; i < WEIR_STEP_MAX_ACCUMULATE; i++) {
        free(s->data[i]);
        free(s->label[i]);
    }
    weir_run_finish(&s->run);
}

// The kernel's name without its number.
static void family_of(const char *label, char *dst, size_t n)
{
    size_t length = strlen(label);
    while (length > 0 && (isdigit((unsigned char)label[length - 1]) || label[length - 1] == '_'))
        length--;
    snprintf(dst, n, "%.*s", (int)length, label);
}

// A line of /proc/self/status in bytes; 0 where there is none.
static double memory_now(const char *key)
{
    char line[128];
    double kilobytes = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, key, strlen(key)))
            kilobytes = atof(line + strlen(key));
    if (f)
        fclose(f);
    return 1024 * kilobytes;
}

// What is resident now; the peak begins anew from it (Linux; elsewhere it is that of the whole process).
static double memory_begin(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f) {
        fputs("5", f);
        fclose(f);
    }
    return memory_now("VmRSS:");
}

static int by_time(const void *a, const void *b)
{
    double x = ((const struct family *)a)->s, y = ((const struct family *)b)->s;
    return (x < y) - (x > y);
}

static void add(struct family *rows, int *n, const char *name, double s)
{
    int i = 0;
    while (i < *n && strcmp(rows[i].name, name))
        i++;
    if (i == *n) {
        snprintf(rows[i].name, sizeof(rows[i].name), "%s", name);
        ++*n;
    }
    rows[i].launches++;
    rows[i].s += s;
}

static void print_rows(const char *title, struct family *rows, int n, int max, double total)
{
    qsort(rows, (size_t)n, sizeof(*rows), by_time);
    printf("\n%-28s %8s %10s %7s\n", title, "launches", "ms", "share");
    for (int i = 0; i < n && i < max; i++)
        printf("%-28s %8d %10.3f %6.1f%%\n", rows[i].name, rows[i].launches, 1e3 * rows[i].s,
               100 * rows[i].s / total);
}

static enum weir_status profile(const struct bench_params *p, weir_step *step)
{
    int launches = weir_step_info(step)->launches, n_families = 0, n_kernels = 0;
    struct weir_launch_time *rows = calloc((size_t)launches + 1, sizeof(*rows));
    struct family *families = calloc((size_t)launches + 1, 2 * sizeof(*families)), *kernels = families + launches;
    enum weir_status status = rows && families ? WEIR_OK : weir_fail(&p->log, WEIR_NOMEM, "no memory for a profile");
    for (int i = 0; i < 2 && !status; i++) // the first run with a profiling queue is slower
        status = weir_program_profile(weir_step_program(step), rows);
    double total = 0;
    for (int i = 0; i < launches && !status; i++) {
        char name[64];
        family_of(rows[i].label, name, sizeof(name));
        add(families, &n_families, name, rows[i].s);
        add(kernels, &n_kernels, rows[i].label, rows[i].s);
        total += rows[i].s;
    }
    if (!status) {
        printf("\nin kernels, by the device's clock: %.1f ms\n", 1e3 * total);
        print_rows("family", families, n_families, n_families, total);
        print_rows("kernel", kernels, n_kernels, 20, total);
    }
    free(rows);
    free(families);
    return status;
}

// `held`: bytes the process had before the model was made.
static enum weir_status time_steps(const struct bench_params *p, double held, struct bench_step *b)
{
    const struct weir_program_info *info = weir_step_info(b->step);
    int64_t parameters = weir_params_elements(b->run.params);
    double *s = calloc((size_t)p->repeats, sizeof(*s)), start = weir_clock();
    enum weir_status status = s ? bench_step_run(b, 0) : weir_fail(&p->log, WEIR_NOMEM, "no memory for timings");
    double first = weir_clock() - start;
    printf("%" PRId64 " parameters, compile %.2f s, first step %.2f s, %d launches, %.1f MB planned of %.1f MB\n",
           parameters, info->compile_s, first, info->launches, 1e-6 * (double)info->peak, 1e-6 * (double)info->live);
    printf("device memory: %.1f MB of tensors, inputs and constants planned, %.1f MB allocated; %.1f MB of states; "
           "computed again: %d operations, %.2f GFLOP, %.1f MB\n",
           1e-6 * (double)(info->peak + info->inputs + info->constants), 1e-6 * (double)info->allocated,
           1e-6 * (double)info->states, info->recomputed, 1e-9 * info->recomputed_flop, 1e-6 * (double)info->recomputed_bytes);
    for (int i = 0; i < p->repeats + 1 && !status; i++) {
        bench_progress("step", i, p->repeats);
        start = weir_clock();
        status = bench_step_run(b, i + 1);
        if (i > 0) // one to warm up
            s[i - 1] = weir_clock() - start;
    }
    bench_progress(NULL, 0, 0);
    if (!status) {
        char drift[32];
        double median = bench_median(s, p->repeats), peak = memory_now("VmHWM:") - held;
        bench_add_row(p, b->run.setup.recipe.name, s, p->repeats,
                      json_pack("{s:I, s:f, s:f, s:i, s:I, s:f}", "parameters", (json_int_t)parameters, "compile_s",
                                info->compile_s, "first_step_s", first, "launches", info->launches, "planned",
                                (json_int_t)info->peak, "peak_memory", peak));
        printf("process memory %.0f MB above what it held before\n", 1e-6 * peak);
        printf("step %.2f ms, median of %d (spread %.1f %%), %.2f it/s%s\n", 1e3 * median, p->repeats,
               100 * bench_spread(s, p->repeats), 1 / median, bench_drift_note(s, p->repeats, drift, sizeof(drift)));
    }
    free(s);
    return status;
}

enum weir_status bench_model(struct bench_params *p)
{
    struct bench_step s;
    double held = memory_begin();
    enum weir_status status = bench_step_create(p, &s);
    if (!status && !p->compile_only)
        status = time_steps(p, held, &s);
    if (!status && !p->compile_only)
        status = profile(p, s.step);
    bench_step_destroy(&s);
    return status;
}
