// SPDX-License-Identifier: Apache-2.0
// weir bench op: times single operations. Each timed run is several replays behind one another, so that the
// wait at its end does not count.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bench.h"
#include "weir/grad.h"

const struct bench_table bench_tables[] = {
    { "gemm", "#1b6ac9", bench_gemm_rows },
    { "conv", "#d1495b", bench_conv_rows },
    { "attention", "#8f5bd6", bench_attention_rows },
    { "rows", "#2e8b57", bench_memory_rows },
    { "other", "#b07b12", bench_other_rows },
    { 0 },
};

struct weir_shape bench_shape(const struct bench_row *r)
{
    struct weir_shape s = { 0 };
    while (s.rank < 4 && r->size[s.rank] > 0) {
        s.dim[s.rank] = r->size[s.rank];
        s.rank++;
    }
    return s;
}

static void count(struct bench_graph *b, const struct weir_shape *shape, enum weir_dtype dtype)
{
    b->bytes += (double)weir_dtype_size(dtype) * (double)weir_shape_size(shape);
}

weir_value *bench_given(struct bench_graph *b, enum weir_dtype dtype, struct weir_shape shape, void *data)
{
    weir_state **state = &b->state[b->n_states++];
    if (!b->status)
        b->status = data ? weir_state_create(b->dev, dtype, shape, "operand", state) : WEIR_NOMEM;
    if (!b->status)
        b->status = weir_state_write(*state, data);
    free(data);
    count(b, &shape, dtype);
    return *state ? weir_state_value(b->g, *state) : NULL;
}

// f32: of size one; i32: below `limit`; i8: all values.
static weir_value *operand(struct bench_graph *b, enum weir_dtype dtype, struct weir_shape shape, int limit)
{
    int64_t n = weir_shape_size(&shape);
    float *data = malloc((size_t)n * sizeof(*data));
    for (int64_t k = 0; k < n && data; k++) {
        int32_t index = (int32_t)(k * 40503 % (limit ? limit : 1999));
        data[k] = (float)index * .001f - 1;
        if (dtype == WEIR_I32)
            memcpy(&data[k], &index, sizeof(index));
        else if (dtype == WEIR_I8)
            ((int8_t *)data)[k] = (int8_t)(index % 255 - 127);
    }
    return bench_given(b, dtype, shape, data);
}

weir_value *bench_operand(struct bench_graph *b, struct weir_shape shape)
{
    return operand(b, WEIR_F32, shape, 0);
}

weir_value *bench_indices(struct bench_graph *b, struct weir_shape shape, int limit)
{
    return operand(b, WEIR_I32, shape, limit);
}

weir_value *bench_bytes(struct bench_graph *b, struct weir_shape shape)
{
    return operand(b, WEIR_I8, shape, 0);
}

void bench_result(struct bench_graph *b, weir_value *v)
{
    b->out[b->n_out++] = v;
    count(b, weir_value_shape(v), weir_value_dtype(v));
}

void bench_finish(struct bench_graph *b, const struct bench_row *r, weir_value *y, weir_value *const *x, int n)
{
    weir_value *dx[BENCH_OUTPUTS];
    if (b->status)
        return;
    bench_result(b, y);
    if (!r->gradients)
        return;
    weir_value *dy = bench_operand(b, *weir_value_shape(y));
    if (b->status)
        return;
    weir_vjp(&y, &dy, 1, x, dx, n);
    for (int i = 0; i < n; i++)
        bench_result(b, dx[i]);
}

void bench_update(struct bench_graph *b, int i, weir_value *v)
{
    weir_assign(b->state[i], v);
    count(b, weir_value_shape(v), weir_value_dtype(v));
}

static void name_of(const struct bench_row *r, char *dst, size_t n)
{
    const int *s = r->size;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" // the formats are the rows' own
    snprintf(dst, n, r->name, s[0], s[1], s[2], s[3], s[4], s[5], s[6]);
#pragma GCC diagnostic pop
}

void bench_list_ops(void)
{
    json_t *rows = json_array();
    for (const struct bench_table *t = bench_tables; t->group; t++)
        for (const struct bench_row *r = t->rows; r->name; r++) {
            char name[96];
            json_t *size = json_array();
            name_of(r, name, sizeof(name));
            for (int i = 0; i < (int)WEIR_COUNT(r->size) && r->size[i]; i++)
                json_array_append_new(size, json_integer(r->size[i]));
            json_array_append_new(rows, json_pack("{s:s, s:s%, s:s, s:o, s:f}", "name", name, "kind", r->name,
                                                  strcspn(r->name, " "), "group", t->group, "size", size, "flop",
                                                  r->flop ? r->flop(r) : 0));
        }
    json_t *root = json_pack("{s:i, s:o}", "schema", BENCH_SCHEMA, "rows", rows);
    json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(root);
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

// The least time that the device's peak and its bandwidth from memory allow; 0 when they are not known.
static double roof_time(const struct bench_roof *roof, const struct bench_point *at)
{
    return roof->flops > 0 && roof->copy > 0 ? fmax(at->work / roof->flops, at->bytes / roof->copy) : 0;
}

static void report(const struct bench_params *p, const struct bench_row *r, struct bench_point *at, const double *s)
{
    char drift[32], rate[32] = "";
    double least = roof_time(&p->roof, at);
    at->s = bench_median(s, p->repeats);
    bench_progress(NULL, 0, 0);
    if (r->flop)
        snprintf(rate, sizeof(rate), "%.1f GFLOP/s", 1e-9 * at->work / at->s);
    printf("%-44s %10.3f ms %15s %7.1f GB/s", at->name, 1e3 * at->s, rate, 1e-9 * at->bytes / at->s);
    if (least > 0)
        printf(" %4.0f %% of the roof", 100 * least / at->s);
    printf("  spread %.0f %%%s\n", 100 * bench_spread(s, p->repeats),
           bench_drift_note(s, p->repeats, drift, sizeof(drift)));
    fflush(stdout);
    json_t *more = json_pack("{s:s, s:f, s:f}", "group", at->table->group, "flop", r->flop ? at->work : 0., "bytes",
                             at->bytes);
    if (least > 0)
        json_object_set_new(more, "roof", json_real(least / at->s));
    bench_add_row(p, at->name, s, p->repeats, more);
}

static weir_program *compile_row(const struct bench_params *p, const struct bench_row *r, struct bench_graph *b)
{
    weir_program *program = NULL;
    *b = (struct bench_graph) { .dev = p->dev };
    b->status = weir_graph_create(&p->log, &b->g);
    if (!b->status)
        r->build(b, r);
    if (!b->status)
        b->status = weir_compile(p->dev, b->out, b->n_out,
                                 &(struct weir_compile_params) { .label = "bench", .numerics = p->compile.numerics }, &program);
    return program;
}

static void destroy_row(struct bench_graph *b, weir_program **program)
{
    weir_program_destroy(program);
    weir_graph_destroy(&b->g);
    for (int i = 0; i < b->n_states; i++)
        weir_state_destroy(&b->state[i]);
}

static enum weir_status bench_row(const struct bench_params *p, const struct bench_row *r, struct bench_point *at)
{
    struct bench_graph b;
    weir_program *program = compile_row(p, r, &b);
    double *s = calloc((size_t)p->repeats, sizeof(*s)), once = 1;
    if (!b.status && !s)
        b.status = weir_fail(&p->log, WEIR_NOMEM, "no memory for timings");
    for (int i = 0; i < 2 && !b.status; i++) // drivers compile in the first run
        b.status = run_many(program, 1, &once);
    for (int i = 0; i < p->repeats && !b.status; i++)
        b.status = run_many(program, 1 + (int)(.05 / once), &s[i]); // 50 ms a timed run
    at->bytes = b.bytes;
    if (!b.status) {
        at->work = r->flop ? r->flop(r) : 2 * weir_program_info(program)->flop;
        report(p, r, at, s);
    }
    destroy_row(&b, &program);
    free(s);
    return b.status;
}

struct chosen {
    const struct bench_row *row[BENCH_MAX_WORDS];
    struct bench_point point[BENCH_MAX_WORDS];
    int n;
};

// A word is a row's whole name, or a part of the names of several, or a group.
static bool is_meant(const char *word, const char *name, const char *group, bool whole)
{
    return whole ? !strcmp(word, name) : strstr(name, word) || !strcmp(word, group);
}

static bool choose_by(const char *word, bool whole, struct chosen *c)
{
    bool found = false;
    for (const struct bench_table *t = bench_tables; t->group; t++)
        for (const struct bench_row *r = t->rows; r->name; r++) {
            struct bench_point at = { .table = t };
            bool there = false;
            name_of(r, at.name, sizeof(at.name));
            if (!is_meant(word, at.name, at.table->group, whole))
                continue;
            for (int i = 0; i < c->n; i++)
                there |= c->row[i] == r;
            if (!there && c->n < BENCH_MAX_WORDS) {
                c->point[c->n] = at;
                c->row[c->n++] = r;
            }
            found = true;
        }
    return found;
}

static enum weir_status choose(const struct bench_params *p, struct chosen **out)
{
    struct chosen *c = *out = calloc(1, sizeof(*c));
    enum weir_status status = c ? WEIR_OK : weir_fail(&p->log, WEIR_NOMEM, "no memory for benchmarks");
    for (int i = 0; i < p->n_words && !status; i++)
        if (!choose_by(p->words[i], true, c) && !choose_by(p->words[i], false, c))
            status = weir_fail(&p->log, WEIR_INVALID, "no benchmark's name contains '%s'", p->words[i]);
    if (!status && p->n_words == 0)
        choose_by("", false, c);
    return status;
}

enum weir_status bench_compile_ops(struct bench_params *p)
{
    struct chosen *c;
    enum weir_status status = choose(p, &c);
    for (int i = 0; !status && i < c->n; i++) {
        struct bench_graph b;
        weir_program *program = compile_row(p, c->row[i], &b);
        status = b.status;
        destroy_row(&b, &program);
    }
    free(c);
    return status;
}

enum weir_status bench_op(struct bench_params *p)
{
    struct chosen *c;
    if (p->compile_only)
        return bench_compile_ops(p);
    enum weir_status status = choose(p, &c);
    if (!status)
        status = bench_measure_roof(p);
    for (int i = 0; !status && i < c->n; i++) {
        bench_progress(c->point[i].name, i + 1, c->n);
        status = bench_row(p, c->row[i], &c->point[i]);
    }
    if (!status && p->svg)
        status = bench_svg(p, c->point, c->n);
    free(c);
    return status;
}
