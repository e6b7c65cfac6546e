// SPDX-License-Identifier: Apache-2.0
// weir bench op: single contractions. Operands are states, so that nothing is copied; each timed run is
// several replays behind one another, so that the wait at its end does not count.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bench.h"
#include "weir/ops.h"
#include "weir/program.h"

enum kind { MATMUL_NN, MATMUL_NT, MATMUL_TN, CONV, CONV_INPUT_GRAD, CONV_WEIGHT_GRAD };
static const char *const kind_names[] = { "matmul_nn", "matmul_nt", "matmul_tn", "conv", "conv_input_grad",
                                          "conv_weight_grad" };

struct op_row {
    enum kind kind;
    int64_t m, n, k;                          // matmul: (m, k) (k, n)
    int64_t batch, size, in, out, kernel, stride; // convolutions: size x size pixels
};

#define MATMULS(m, n, k) { MATMUL_NN, m, n, k }, { MATMUL_NT, m, n, k }, { MATMUL_TN, m, n, k }
#define CONVS(batch, size, in, out, kernel, stride)                            \
    { CONV, 0, 0, 0, batch, size, in, out, kernel, stride },                   \
    { CONV_INPUT_GRAD, 0, 0, 0, batch, size, in, out, kernel, stride },        \
    { CONV_WEIGHT_GRAD, 0, 0, 0, batch, size, in, out, kernel, stride }
static const struct op_row op_rows[] = {
    MATMULS(384, 384, 384), MATMULS(512, 512, 512), MATMULS(1024, 1024, 1024), MATMULS(2048, 2048, 2048),
    MATMULS(12544, 192, 192), MATMULS(12544, 768, 192), MATMULS(12544, 192, 768), MATMULS(4096, 256, 256),
    CONVS(64, 28, 32, 32, 3, 1), CONVS(64, 14, 64, 64, 3, 1), CONVS(64, 7, 128, 128, 3, 1),
    CONVS(64, 32, 128, 128, 3, 1), CONVS(64, 28, 32, 32, 3, 2), CONVS(64, 14, 64, 128, 1, 1),
    CONVS(64, 28, 1, 32, 3, 1), CONVS(64, 28, 32, 1, 3, 1),
};

static void name_of(const struct op_row *r, char *dst, size_t n)
{
    if (r->kind <= MATMUL_TN)
        snprintf(dst, n, "%s %dx%dx%d", kind_names[r->kind], (int)r->m, (int)r->n, (int)r->k);
    else
        snprintf(dst, n, "%s %dx%dx%dx%d->%d %dx%d/%d", kind_names[r->kind], (int)r->batch, (int)r->size, (int)r->size,
                 (int)r->in, (int)r->out, (int)r->kernel, (int)r->kernel, (int)r->stride);
}

struct operands {
    weir_state *state[2];
    weir_value *value[2];
};

static enum weir_status operand(weir_device *dev, weir_graph *g, struct weir_shape shape, int i, struct operands *o)
{
    int64_t n = weir_shape_size(&shape);
    float *data = malloc((size_t)n * sizeof(*data));
    enum weir_status status = data ? weir_state_create(dev, WEIR_F32, shape, i ? "b" : "a", &o->state[i]) : WEIR_NOMEM;
    for (int64_t k = 0; k < n && !status; k++)
        data[k] = (float)(k * 40503 % 1999) * .001f - 1;
    if (!status)
        status = weir_state_write(o->state[i], data);
    free(data);
    o->value[i] = o->state[i] ? weir_state_value(g, o->state[i]) : NULL;
    return status;
}

static enum weir_status make_matmul(weir_device *dev, weir_graph *g, const struct op_row *r, struct operands *o,
                                    weir_value **out)
{
    bool ta = r->kind == MATMUL_TN, tb = r->kind == MATMUL_NT;
    enum weir_status status = operand(dev, g, ta ? weir_shape(r->k, r->m) : weir_shape(r->m, r->k), 0, o);
    if (!status)
        status = operand(dev, g, tb ? weir_shape(r->n, r->k) : weir_shape(r->k, r->n), 1, o);
    if (!status)
        *out = weir_matmul(o->value[0], o->value[1], ta, tb);
    return status;
}

static enum weir_status make_conv(weir_device *dev, weir_graph *g, const struct op_row *r, struct operands *o,
                                  weir_value **out)
{
    int64_t pad = r->kernel / 2, to = (r->size + 2 * pad - r->kernel) / r->stride + 1;
    struct weir_conv_params p = { .stride = { r->stride, r->stride }, .pad_lo = { pad, pad }, .pad_hi = { pad, pad } };
    struct weir_shape x = weir_shape(r->batch, r->size, r->size, r->in), y = weir_shape(r->batch, to, to, r->out),
                      w = weir_shape(r->out, r->kernel, r->kernel, r->in);
    enum weir_status status = operand(dev, g, r->kind == CONV_INPUT_GRAD ? y : x, 0, o);
    if (!status)
        status = operand(dev, g, r->kind == CONV_WEIGHT_GRAD ? y : w, 1, o);
    if (status)
        return status;
    const int64_t size[3] = { r->size, r->size }, kernel[3] = { r->kernel, r->kernel };
    *out = r->kind == CONV              ? weir_conv(o->value[0], o->value[1], &p)
           : r->kind == CONV_INPUT_GRAD ? weir_conv_input_grad(o->value[0], o->value[1], size, &p)
                                        : weir_conv_weight_grad(o->value[0], o->value[1], kernel, &p);
    return WEIR_OK;
}

static double flops(const struct op_row *r)
{
    if (r->kind <= MATMUL_TN)
        return 2. * (double)r->m * (double)r->n * (double)r->k;
    int64_t to = (r->size - 1) / r->stride + 1;
    return 2. * (double)(r->batch * to * to * r->in * r->out * r->kernel * r->kernel);
}

static enum weir_status time_row(const struct bench_params *p, const struct op_row *r, weir_program *program)
{
    char name[96];
    double *s = calloc((size_t)p->repeats, sizeof(*s)), spread, start = bench_now();
    enum weir_status status = s ? weir_run(program, NULL, 0) : weir_fail(&p->log, WEIR_NOMEM, "no memory for timings");
    if (!status)
        status = weir_wait(program);
    start = bench_now();
    if (!status)
        status = weir_run(program, NULL, 0);
    if (!status)
        status = weir_wait(program);
    int inner = 1 + (int)(.05 / (bench_now() - start)); // 50 ms a timed run
    for (int i = 0; i < p->repeats && !status; i++) {
        start = bench_now();
        for (int k = 0; k < inner && !status; k++)
            status = weir_run(program, NULL, 0);
        if (!status)
            status = weir_wait(program);
        s[i] = (bench_now() - start) / inner;
    }
    name_of(r, name, sizeof(name));
    if (!status) {
        double median = bench_median(s, p->repeats, &spread);
        printf("%-48s %10.3f ms %9.1f GFLOP/s  spread %.0f %%\n", name, 1e3 * median, 1e-9 * flops(r) / median, 100 * spread);
        fflush(stdout);
        bench_add_row(p, name, s, p->repeats, json_pack("{s:f}", "flop", flops(r)));
    }
    free(s);
    return status;
}

static enum weir_status bench_row(const struct bench_params *p, const struct op_row *r)
{
    weir_graph *g = NULL;
    weir_program *program = NULL;
    struct operands o = { 0 };
    weir_value *out = NULL;
    enum weir_status status = weir_graph_create(&p->log, &g);
    if (!status)
        status = r->kind <= MATMUL_TN ? make_matmul(p->dev, g, r, &o, &out) : make_conv(p->dev, g, r, &o, &out);
    if (!status)
        status = weir_compile(p->dev, &out, 1, &(struct weir_compile_params) { .label = "bench" }, &program);
    if (!status)
        status = time_row(p, r, program);
    weir_program_destroy(&program);
    weir_graph_destroy(&g);
    weir_state_destroy(&o.state[0]);
    weir_state_destroy(&o.state[1]);
    return status;
}

enum weir_status bench_op(const struct bench_params *p)
{
    enum weir_status status = WEIR_OK;
    int n = 0;
    for (size_t i = 0; i < WEIR_COUNT(op_rows) && !status; i++) {
        char name[96];
        name_of(&op_rows[i], name, sizeof(name));
        if (p->filter && !strstr(name, p->filter))
            continue;
        status = bench_row(p, &op_rows[i]);
        n++;
    }
    return !n ? weir_fail(&p->log, WEIR_INVALID, "no benchmark's name contains '%s'", p->filter) : status;
}
