// SPDX-License-Identifier: Apache-2.0
// weir bench op: times single operations. Each timed run is several replays behind one another, so that the
// wait at its end does not count.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bench.h"

weir_value *bench_operand(struct bench_graph *b, struct weir_shape shape)
{
    int64_t n = weir_shape_size(&shape);
    float *data = malloc((size_t)n * sizeof(*data));
    weir_state **state = &b->state[b->n_states++];
    if (!b->status)
        b->status = data ? weir_state_create(b->dev, WEIR_F32, shape, "operand", state) : WEIR_NOMEM;
    for (int64_t k = 0; k < n && !b->status; k++)
        data[k] = (float)(k * 40503 % 1999) * .001f - 1;
    if (!b->status)
        b->status = weir_state_write(*state, data);
    free(data);
    b->bytes += 4. * (double)n;
    return *state ? weir_state_value(b->g, *state) : NULL;
}

void bench_result(struct bench_graph *b, weir_value *v)
{
    b->out[b->n_out++] = v;
    b->bytes += 4. * (double)weir_shape_size(weir_value_shape(v));
}

void bench_update(struct bench_graph *b, int i, weir_value *v)
{
    weir_assign(b->state[i], v);
    b->bytes += 4. * (double)weir_shape_size(weir_value_shape(v));
}

static void name_of(const struct bench_row *r, char *dst, size_t n)
{
    const int *s = r->size;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" // the formats are the rows' own
    snprintf(dst, n, r->name, s[0], s[1], s[2], s[3], s[4], s[5], s[6]);
#pragma GCC diagnostic pop
}

static enum weir_status run_many(weir_program *program, int n, double *seconds)
{
    enum weir_status status = WEIR_OK;
    double start = weir_clock();
    for (int k = 0; k < n && !status; k++)
        status = weir_run(program, NULL, 0);
    if (!status)
        status = weir_wait(program);
    *seconds = (weir_clock() - start) / n;
    return status;
}

static void report(const struct bench_params *p, const struct bench_row *r, double bytes, double *s)
{
    char name[96];
    double spread, median = bench_median(s, p->repeats, &spread), flop = r->flop ? r->flop(r) : 0;
    double rate = (r->flop ? flop : bytes) / median, roof = r->flop ? p->roof.flops : p->roof.copy;
    name_of(r, name, sizeof(name));
    printf("%-44s %10.3f ms %9.1f %s", name, 1e3 * median, 1e-9 * rate, r->flop ? "GFLOP/s" : "GB/s   ");
    if (roof > 0)
        printf(" %4.0f %% of the roof", 100 * rate / roof);
    printf("  spread %.0f %%\n", 100 * spread);
    fflush(stdout);
    bench_add_row(p, name, s, p->repeats, json_pack("{s:f, s:f}", "flop", flop, "bytes", bytes));
}

static enum weir_status bench_row(const struct bench_params *p, const struct bench_row *r)
{
    struct bench_graph b = { .dev = p->dev };
    weir_program *program = NULL;
    double *s = calloc((size_t)p->repeats, sizeof(*s)), once = 1;
    b.status = s ? weir_graph_create(&p->log, &b.g) : weir_fail(&p->log, WEIR_NOMEM, "no memory for timings");
    if (!b.status)
        r->build(&b, r);
    if (!b.status)
        b.status = weir_compile(p->dev, b.out, b.n_out, &(struct weir_compile_params) { .label = "bench" }, &program);
    for (int i = 0; i < 2 && !b.status; i++) // drivers compile in the first run
        b.status = run_many(program, 1, &once);
    for (int i = 0; i < p->repeats && !b.status; i++)
        b.status = run_many(program, 1 + (int)(.05 / once), &s[i]); // 50 ms a timed run
    if (!b.status)
        report(p, r, b.bytes, s);
    weir_program_destroy(&program);
    weir_graph_destroy(&b.g);
    for (int i = 0; i < b.n_states; i++)
        weir_state_destroy(&b.state[i]);
    free(s);
    return b.status;
}

enum weir_status bench_op(struct bench_params *p)
{
    const struct bench_row *const lists[] = { bench_contract_rows, bench_memory_rows };
    enum weir_status status = WEIR_OK;
    int n = 0;
    for (size_t l = 0; l < WEIR_COUNT(lists); l++)
        for (const struct bench_row *r = lists[l]; r->name && !status; r++) {
            char name[96];
            name_of(r, name, sizeof(name));
            if (p->filter && !strstr(name, p->filter))
                continue;
            if (n++ == 0)
                status = bench_roofline(p, false);
            if (!status)
                status = bench_row(p, r);
        }
    return !n ? weir_fail(&p->log, WEIR_INVALID, "no benchmark's name contains '%s'", p->filter) : status;
}
