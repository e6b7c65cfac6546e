// SPDX-License-Identifier: Apache-2.0
// Contraction kernels against the host's loop nests, bit for bit, on the device that the program's
// first argument selects (default opencl:0; a second one, `every`, is for each_tile): odd sizes, tiles
// and chunks +- 1, strides, dilation, groups, views, epilogues; wide and grouped; scratch and outputs
// poisoned and fenced. The program is its own little compiler: it defines the functions of emit.h that
// writers call. Seed of all data: 7.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "compile/contract_parts.h"
#include "device/engine.h"
#include "device/kernel_text.h"
#include "graph/nest.h"
#include "scalar.h"
#include "graph/ops/rows.h"
#include "graph/view.h"
#include "support/support.h"

#define GUARD 64           // floats before and after each buffer that is written
#define POISON 0x7fc12345u // a NaN that no kernel makes
extern const char engine_emulate_text[]; // of engine_emulate.h
#define MAX_SLOTS 32
#define MAX_LAUNCHES 64

// --- the little compiler ---

struct slot {
    weir_buf *buf;
    size_t size; // bytes without guards
    bool fenced;
};

struct weir_emit_state {
    struct slot slot[MAX_SLOTS];
    int n_slots;
    struct weir_emit_launch launch[MAX_LAUNCHES];
    struct weir_emit_arg arg[MAX_LAUNCHES][WEIR_LAUNCH_MAX_BUFS];
    int n_launches;
};

static struct weir_forced forced; // for every gather that it fits
static bool is_forced;
static struct weir_strbuf source; // of the kernels of all cases
static char *known[4096];         // their texts before "$K" was replaced
static char *known_name[4096];
static int n_known;
static const struct weir_engine *engine; // in fast mode, emulated; or NULL
static float tolerance;           // relative; of results that are one product each
static enum weir_dtype storage;   // of all float operands; F32 is 0
static bool long_offsets; // every kernel counts in 64 bits, as operands of 4 GiB and more make it

// How many texts with a line there were: that a case takes the kernel that it is for.
static struct {
    const char *line;
    int n;
} seen[] = {{"#define CT_DOWN ("}, {"#define CT_BOUND (1)"}, {"#define CT_BOUND (0)"}};
static int engine_kernels;

// What makes a matrix engine of any device: the lanes of a sub-group put their fragments side by
// side, and each reads its results' terms where the instruction's documentation has them.
static const char emulated_engine[] =
    "#define EN_LANE get_local_id(0)\n"
    "#define EN_SUB get_local_id(1)\n"
    "#define EN_LOCALS local uint emulated_a[CT_ITEMS * EN_A_WORDS], "
    "emulated_b[CT_ITEMS * EN_B_WORDS];\n"
    "#define EN_MAD(d, a, b) { \\\n"
    "    for (int w = 0; w < EN_A_WORDS; w++) emulated_a[id * EN_A_WORDS + w] = (a)[w]; \\\n"
    "    for (int w = 0; w < EN_B_WORDS; w++) emulated_b[id * EN_B_WORDS + w] = (b)[w]; \\\n"
    "    barrier(CLK_LOCAL_MEM_FENCE); \\\n"
    "    emulated_mad(EN_M, EN_N, EN_LANES, EN_TYPE, emulated_a + sub * EN_LANES * EN_A_WORDS, \\\n"
    "                 emulated_b + sub * EN_LANES * EN_B_WORDS, d, lane); \\\n"
    "    barrier(CLK_LOCAL_MEM_FENCE); }\n";

// `text` with each `what` made `with`; malloc'd.
static char *replace(const char *text, const char *what, const char *with)
{
    struct weir_strbuf t = {0};
    for (const char *at; (at = strstr(text, what)); text = at + strlen(what)) {
        weir_strbuf_write(&t, text, (size_t)(at - text));
        weir_strbuf_puts(&t, with);
    }
    weir_strbuf_puts(&t, text);
    return weir_strbuf_finish(&t);
}

const char *weir_emit_kernel(struct weir_emit *e, const char *hint, const char *text)
{
    for (int i = 0; i < n_known; i++)
        if (strcmp(known[i], text) == 0)
            return known_name[i];
    struct weir_strbuf name = {0};
    weir_strbuf_printf(&name, "%s_%d", hint, n_known);
    for (size_t i = 0; i < WEIR_COUNT(seen); i++)
        seen[i].n += strstr(text, seen[i].line) != NULL;
    known[n_known] = strdup(text);
    known_name[n_known] = weir_strbuf_finish(&name);
    if (strstr(text, "#define EN_LANES")) {
        weir_strbuf_puts(&source, emulated_engine);
        engine_kernels++;
    }
    char *full = replace(text, "$K", known_name[n_known]);
    char *counted = replace(full, "#define CT_INT int", long_offsets ? "#define CT_INT long" : "#define CT_INT int");
    weir_strbuf_puts(&source, counted);
    free(counted);
    free(full);
    return known_name[n_known++];
}

const char *weir_emit_kernel_buf(struct weir_emit *e, const char *hint, struct weir_strbuf *text)
{
    char *t = weir_strbuf_finish(text);
    const char *name = weir_emit_kernel(e, hint, t);
    free(t);
    return name;
}

static int add_slot(struct weir_emit *e, size_t size, bool fenced)
{
    struct weir_emit_state *s = e->state;
    ck_assert(s->n_slots < MAX_SLOTS);
    struct slot *p = &s->slot[s->n_slots];
    *p = (struct slot){.size = size, .fenced = fenced};
    size_t all = ((size + 3) & ~(size_t)3) + 2 * GUARD * 4;
    ck_assert_int_eq(weir_buf_create(e->dev, all, &p->buf), WEIR_OK);
    ck_assert_int_eq(weir_buf_fill(p->buf, 0, POISON, all), WEIR_OK);
    return s->n_slots++;
}

int weir_emit_scratch(struct weir_emit *e, enum weir_dtype dtype, int64_t n)
{
    return add_slot(e, (size_t)n * weir_dtype_size(dtype), true);
}

void weir_emit_launch(struct weir_emit *e, const struct weir_emit_launch *l)
{
    struct weir_emit_state *s = e->state;
    if (l->global[0] * l->global[1] * l->global[2] == 0)
        return;
    ck_assert(s->n_launches < MAX_LAUNCHES);
    s->launch[s->n_launches] = *l;
    memcpy(s->arg[s->n_launches], l->args, (size_t)l->n_args * sizeof(*l->args));
    s->n_launches++;
}

// --- cases ---

enum kind { MATMUL, CONV, INPUT_GRAD, WEIGHT_GRAD };

struct spec {
    enum kind kind;
    int batch_a[2], batch_b[2], m, k, n; // matmul; batch 0 = absent
    bool ta, tb;
    int images, in[3], cin, cout, ker[3]; // convolutions; in 0 = absent
    struct weir_conv_params p;
    bool views;    // operands lie transposed in memory
    bool epilogue; // out = result * 2 + column
    bool i8;
};

struct test {
    struct spec s;
    weir_value *v;
    struct weir_emit_state state;
    struct weir_emit e;
    struct weir_operand in[2], out;
    struct weir_emit_epilogue epilogue;
    struct weir_emit_arg epilogue_arg;
    void *data[2]; // of the operands, host copies of the slots
    void *expect;
    weir_list *list;
};

static struct weir_type conv_type(const struct spec *s, int which) // 0 x, 1 w, 2 y
{
    struct weir_type t = {.dtype = storage};
    int64_t groups = s->p.groups ? s->p.groups : 1;
    t.shape.dim[t.shape.rank++] = which == 1 ? s->cout : s->images;
    for (int i = 0; i < 3 && s->in[i]; i++) {
        int64_t stride = s->p.stride[i] ? s->p.stride[i] : 1;
        int64_t dilation = s->p.dilation[i] ? s->p.dilation[i] : 1;
        int64_t room = s->in[i] + s->p.pad_lo[i] + s->p.pad_hi[i] - dilation * (s->ker[i] - 1) - 1;
        t.shape.dim[t.shape.rank++] = which == 0   ? s->in[i]
                                      : which == 1 ? s->ker[i]
                                                   : room / stride + 1;
    }
    t.shape.dim[t.shape.rank++] = which == 0 ? s->cin : which == 1 ? s->cin / groups : s->cout;
    return t;
}

static struct weir_type matmul_type(const struct spec *s, int side)
{
    struct weir_type t = {.dtype = s->i8 ? WEIR_I8 : storage};
    for (int i = 0; i < 2; i++) {
        int d = side ? s->batch_b[i] : s->batch_a[i];
        if (d)
            t.shape.dim[t.shape.rank++] = d;
    }
    int64_t rows = side ? s->k : s->m, cols = side ? s->n : s->k;
    bool turned = side ? s->tb : s->ta;
    t.shape.dim[t.shape.rank++] = turned ? cols : rows;
    t.shape.dim[t.shape.rank++] = turned ? rows : cols;
    return t;
}

// An operand, stored with its first and last axes exchanged if `views`.
static weir_value *operand(weir_graph *g, struct weir_type t, bool views, const char *name)
{
    int last = t.shape.rank - 1;
    struct weir_shape stored = t.shape;
    if (views) {
        stored.dim[0] = t.shape.dim[last];
        stored.dim[last] = t.shape.dim[0];
    }
    bool half = engine && engine->dtype != WEIR_F32;
    weir_value *v = weir_input(g, half ? engine->dtype : t.dtype, stored, name);
    v = half ? weir_cast(v, WEIR_F32) : v;
    return views ? weir_transpose(v, 0, last) : v;
}

static weir_value *build(weir_graph *g, const struct spec *s)
{
    if (s->kind == MATMUL)
        return weir_matmul(operand(g, matmul_type(s, 0), s->views, "a"),
                           operand(g, matmul_type(s, 1), s->views, "b"), s->ta, s->tb);
    int first = s->kind == INPUT_GRAD ? 2 : 0, second = s->kind == WEIGHT_GRAD ? 2 : 1;
    weir_value *a = operand(g, conv_type(s, first), s->views, "a");
    weir_value *b = operand(g, conv_type(s, second), s->views, "b");
    int64_t in[3] = {s->in[0], s->in[1], s->in[2]}, ker[3] = {s->ker[0], s->ker[1], s->ker[2]};
    if (s->kind == CONV)
        return weir_conv(a, b, &s->p);
    return s->kind == INPUT_GRAD ? weir_conv_input_grad(a, b, in, &s->p)
                                 : weir_conv_weight_grad(a, b, ker, &s->p);
}

static void fill(void *data, int64_t n, enum weir_dtype type, uint64_t *seed)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t x = (int32_t)(test_next(seed) >> 32);
        float f = (float)x * 0x1p-30f;
        if (type == WEIR_I8)
            ((int8_t *)data)[i] = (int8_t)x;
        else if (type == WEIR_F32) // with an engine every sum of thousands of products is exact
            ((float *)data)[i] = engine && tolerance == 0 ? (float)(x >> 26) * 0x1p-5f : f;
        else
            ((uint16_t *)data)[i] = type == WEIR_F16 ? weir_f32_to_f16(f) : weir_f32_to_bf16(f);
    }
}

static void reference(struct test *t)
{
    struct weir_nd nd[3];
    const struct weir_operand *o[3] = {&t->in[0], &t->in[1], &t->out};
    for (int i = 0; i < 3; i++) {
        nd[i] = (struct weir_nd){.dtype = o[i]->dtype, .rank = o[i]->shape.rank};
        memcpy(nd[i].dim, o[i]->shape.dim, sizeof(nd[i].dim));
        memcpy(nd[i].stride, o[i]->stride, sizeof(nd[i].stride));
    }
    struct weir_nest_call call = {2, 1, nd, nd + 2, t->v->attrs, 1};
    int64_t n = weir_shape_size(&t->out.shape);
    t->expect = calloc((size_t)n + 1, 4);
    void *ptr[4] = {t->data[0], t->data[1], t->expect, malloc(t->v->op->scratch(t->v) + 1)};
    t->v->op->host.isa[weir_isa_best()](&call, ptr);
    free(ptr[3]);
    int64_t last = t->out.shape.dim[t->out.shape.rank - 1];
    for (int64_t i = 0; t->s.epilogue && i < n; i++) {
        float *y = &((float *)t->expect)[i];
        *y = fmaf(*y, 2.0f, (float)(i % last));
    }
}

static void prepare(struct test *t, weir_device *dev, weir_graph *g, struct weir_arena *arena)
{
    uint64_t seed = 7;
    t->v = build(g, &t->s);
    ck_assert_msg(!weir_is_poison(t->v), "%s", weir_graph_message(g));
    t->e = (struct weir_emit){.dev = dev,
                              .arena = arena,
                              .v = t->v,
                              .n_in = 2,
                              .n_out = 1,
                              .in = t->in,
                              .out = &t->out,
                              .forced = &forced,
                              .n_forced = is_forced,
                              .fast = engine != NULL,
                              .state = &t->state};
    for (int i = 0; i < 2; i++) {
        struct weir_layout l;
        weir_layout_of(t->v->arg[i], NULL, NULL, &l);
        const struct weir_type *type = &t->v->arg[i]->type;
        int64_t n = weir_shape_size(&type->shape);
        size_t size = (size_t)n * weir_dtype_size(type->dtype);
        t->in[i] = (struct weir_operand){
            add_slot(&t->e, size, false), type->dtype, type->shape, l.offset, {0}};
        memcpy(t->in[i].stride, l.stride, sizeof(l.stride));
        t->data[i] = malloc(size + 4);
        fill(t->data[i], n, type->dtype, &seed);
        if (size)
            ck_assert_int_eq(
                weir_buf_write(t->state.slot[t->in[i].slot].buf, GUARD * 4, t->data[i], size),
                WEIR_OK);
    }
    int64_t n = weir_shape_size(&t->v->type.shape);
    int slot = add_slot(&t->e, (size_t)n * 4, true);
    t->out = (struct weir_operand){slot, t->v->type.dtype, t->v->type.shape, 0, {0}};
    weir_strides(&t->out.shape, t->out.stride);
    if (t->s.epilogue) {
        t->epilogue_arg = weir_emit_arg(&t->out);
        t->epilogue = (struct weir_emit_epilogue){
            .params = ", global float *e0, ulong f0",
            .decls =
                "void $K_put(float x, long o, int c, global float *e)\n"
                "{\n    e[o] = fma(x, 2.0f, (float)c);\n}\n"
                "void $K_put16(float16 x, long o, int c, global float *e)\n"
                "{\n    float16 n = (float16)((float)c) + (float16)(0, 1, 2, 3, 4, 5, 6, 7, 8, "
                "9, 10, 11, 12, 13, 14, 15);\n"
                "    WEIR_STORE16(e + o, fma(x, (float16)(2.0f), n));\n}\n",
            .put = "$K_put(x, o, c, e0 + f0)",
            .put16 = "$K_put16(x, o, c, e0 + f0)",
            .args = &t->epilogue_arg,
            .n_args = 1,
        };
        t->e.epilogue = &t->epilogue;
    }
    ck_assert_int_eq(weir_contract_emit(&t->e), WEIR_OK);
    reference(t);
}

static void record(struct test *t, weir_device *dev, weir_module *module)
{
    struct weir_launch *list = calloc(MAX_LAUNCHES, sizeof(*list));
    for (int i = 0; i < t->state.n_launches; i++) {
        const struct weir_emit_launch *from = &t->state.launch[i];
        struct weir_launch *l = &list[i];
        *l = (struct weir_launch){.module = module,
                                  .kernel = from->kernel,
                                  .label = from->label,
                                  .n_bufs = from->n_args,
                                  .n_ints = from->n_ints};
        for (int k = 0; k < from->n_args; k++) {
            const struct weir_emit_arg *a = &t->state.arg[i][k];
            uint32_t elem = (uint32_t)weir_dtype_size(a->dtype);
            l->bufs[k] = (struct weir_buf_ref){t->state.slot[a->slot].buf,
                                               GUARD * 4 + (size_t)a->offset * elem, elem};
        }
        memcpy(l->ints, from->ints, sizeof(l->ints));
        memcpy(l->global, from->global, sizeof(l->global));
        memcpy(l->local, from->local, sizeof(l->local));
    }
    ck_assert_int_eq(weir_list_record(dev, list, t->state.n_launches, &t->list), WEIR_OK);
    free(list);
}

static void name_of(const struct test *t, char *dst, size_t size)
{
    char shape[2][128];
    const struct weir_conv_params *p = &t->s.p;
    snprintf(dst, size, "%s %s x %s%s%s stride %lld dilation %lld groups %lld%s%s", t->v->op->name,
             weir_shape_text(&t->in[0].shape, shape[0], 128),
             weir_shape_text(&t->in[1].shape, shape[1], 128), t->s.ta ? " ta" : "",
             t->s.tb ? " tb" : "", (long long)p->stride[0], (long long)p->dilation[0],
             (long long)p->groups, t->s.views ? " views" : "", t->s.epilogue ? " epilogue" : "");
}

static void compare(struct test *t)
{
    char name[512];
    name_of(t, name, sizeof(name));
    int64_t n = weir_shape_size(&t->out.shape);
    for (int i = 0; i < t->state.n_slots; i++) {
        struct slot *s = &t->state.slot[i];
        size_t words = (s->size + 3) / 4;
        uint32_t *got = calloc(words + 2 * GUARD, 4);
        ck_assert_int_eq(weir_buf_read(s->buf, 0, got, (words + 2 * GUARD) * 4), WEIR_OK);
        for (size_t k = 0; k < 2 * GUARD; k++)
            ck_assert_msg(got[k < GUARD ? k : words + k] == POISON,
                          "%s: slot %d written outside, at %lld", name, i,
                          k < GUARD ? (long long)k - GUARD : (long long)(words + k));
        for (int64_t k = 0; i == t->out.slot && k < n; k++) {
            uint32_t want = ((uint32_t *)t->expect)[k], have = got[GUARD + k];
            float fw = ((float *)t->expect)[k], fh;
            memcpy(&fh, &have, 4);
            ck_assert_msg(want == have || fabsf(fw - fh) <= tolerance * fabsf(fw), "%s: element %lld is %08x %.9g, not %08x %.9g", name,
                          (long long)k, have, (double)fh, want, (double)fw);
        }
        free(got);
    }
}

// Emits all cases into one module, then runs and compares each; `after` (or NULL) sees it recorded.
static void run_specs(weir_device *dev, const struct spec *list, int n,
                      void (*after)(struct test *, weir_device *))
{
    struct weir_log silent = {0};
    weir_graph *g = NULL;
    struct weir_arena *arena = weir_arena_create();
    ck_assert_int_eq(weir_graph_create(&silent, &g), WEIR_OK);
    struct test *tests = calloc((size_t)n, sizeof(*tests));
    if (!weir_device_has(dev, WEIR_CAP_VECTOR_DEREF))
        weir_strbuf_puts(&source, "#define WEIR_NO_VECTOR_DEREF\n");
    if (!weir_device_has(dev, WEIR_CAP_FMA))
        weir_strbuf_puts(&source, "#define WEIR_SOFT_FMA\n");
    if (storage != WEIR_F32)
        weir_strbuf_puts(&source, weir_kernel_text("prelude.cl"));
    else if (!weir_device_has(dev, WEIR_CAP_FMA))
        weir_strbuf_puts(&source, weir_kernel_text("scalar.h"));
    if (engine)
        weir_strbuf_printf(&source, "#define ENGINE_WORDS local const uint *\n"
                                    "#define ENGINE_FN __attribute__((noinline)) static\n%s",
                           engine_emulate_text);
    for (int i = 0; i < n; i++) {
        tests[i].s = list[i];
        prepare(&tests[i], dev, g, arena);
    }
    struct weir_build_params build_params = {.source = source.s, .label = "contract"};
    weir_module *module = NULL;
    test_ok(weir_module_build(dev, &build_params, &module));
    for (int i = 0; i < n; i++) {
        struct test *t = &tests[i];
        record(t, dev, module);
        ck_assert_int_eq(weir_list_replay(dev, t->list), WEIR_OK);
        ck_assert_int_eq(weir_device_finish(dev), WEIR_OK);
        compare(t);
        if (after)
            after(t, dev);
        weir_list_destroy(dev, &t->list);
        for (int k = 0; k < t->state.n_slots; k++)
            weir_buf_destroy(&t->state.slot[k].buf);
        free(t->data[0]);
        free(t->data[1]);
        free(t->expect);
    }
    weir_module_destroy(dev, &module);
    weir_strbuf_free(&source);
    for (int i = 0; i < n_known; i++) {
        free(known[i]);
        free(known_name[i]);
    }
    n_known = 0;
    free(tests);
    weir_arena_destroy(&arena);
    weir_graph_destroy(&g);
}

// --- the tests ---

static const char *selector = "opencl:0";
static bool every;

static weir_device *open_device(uint32_t hidden)
{
    weir_device *dev = NULL;
    struct weir_device_params params = {
        .selector = selector, .log = test_log, .caps_mask = hidden, .allow_fast = true};
    test_log_clear();
    ck_assert_msg(weir_device_open(&params, &dev) == WEIR_OK, "%s", test_log_text());
    return dev;
}

// clang-format off
static const struct spec specs[] = {
    {MATMUL, .m = 1, .k = 1, .n = 1},
    {MATMUL, .m = 13, .k = 17, .n = 11},
    {MATMUL, .m = 14, .k = 511, .n = 32, .tb = true},
    {MATMUL, .m = 15, .k = 512, .n = 33},
    {MATMUL, .m = 13, .k = 513, .n = 31, .ta = true},
    {MATMUL, .m = 29, .k = 1537, .n = 49, .ta = true, .tb = true},
    {MATMUL, .m = 131, .k = 65, .n = 512},
    {MATMUL, .m = 3, .k = 5000, .n = 17, .ta = true},
    {MATMUL, .m = 7, .k = 0, .n = 5},
    {MATMUL, .m = 0, .k = 4, .n = 5},
    {MATMUL, .m = 33, .k = 40, .n = 65, .views = true},
    {MATMUL, .batch_a = {3}, .batch_b = {3}, .m = 49, .k = 32, .n = 49, .tb = true},
    {MATMUL, .batch_a = {2, 3}, .batch_b = {2, 3}, .m = 5, .k = 6, .n = 7, .views = true},
    {MATMUL, .batch_a = {2, 1}, .batch_b = {0, 3}, .m = 4, .k = 5, .n = 19},
    {MATMUL, .batch_a = {5, 3}, .m = 4, .k = 9, .n = 16, .epilogue = true},
    {MATMUL, .batch_b = {5, 3}, .m = 4, .k = 9, .n = 3, .ta = true},
    {MATMUL, .m = 21, .k = 600, .n = 45, .epilogue = true},
    {MATMUL, .m = 6, .k = 4500, .n = 21, .epilogue = true},
    {MATMUL, .m = 5, .k = 33, .n = 7, .i8 = true},
    {MATMUL, .batch_a = {2}, .batch_b = {1}, .m = 3, .k = 130, .n = 17, .ta = true, .tb = true, .i8 = true},
    {MATMUL, .m = 3, .k = 0, .n = 2, .i8 = true},
#define EACH(...) {CONV, __VA_ARGS__}, {INPUT_GRAD, __VA_ARGS__}, {WEIGHT_GRAD, __VA_ARGS__},
    EACH(.images = 1, .in = {1}, .cin = 1, .cout = 1, .ker = {1})
    EACH(.images = 2, .in = {9}, .cin = 3, .cout = 5, .ker = {3}, .p = {.stride = {2}, .pad_lo = {1}, .pad_hi = {1}})
    EACH(.images = 1, .in = {23}, .cin = 2, .cout = 3, .ker = {4}, .p = {.dilation = {3}, .pad_lo = {2}, .pad_hi = {5}})
    EACH(.images = 3, .in = {14, 15}, .cin = 16, .cout = 32, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 2, .in = {7, 7}, .cin = 64, .cout = 48, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, .epilogue = true)
    EACH(.images = 2, .in = {9, 7}, .cin = 61, .cout = 35, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 5, .in = {14, 13}, .cin = 20, .cout = 17, .ker = {3, 3}, .p = {.stride = {2, 2}, .pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 2, .in = {8, 9}, .cin = 4, .cout = 66, .ker = {2, 3}, .p = {.stride = {2, 3}, .dilation = {2, 1}, .pad_hi = {1, 2}, .groups = 2})
    EACH(.images = 2, .in = {8, 8}, .cin = 3, .cout = 120, .ker = {5, 5}, .p = {.stride = {2, 2}, .pad_lo = {2, 2}, .pad_hi = {2, 2}}, .epilogue = true)
    // phases whose first chunks are empty
    {INPUT_GRAD, .images = 2, .in = {8, 8}, .cin = 3, .cout = 128, .ker = {5, 5}, .p = {.stride = {2, 2}, .pad_lo = {2, 2}, .pad_hi = {2, 2}}},
    EACH(.images = 2, .in = {5, 6}, .cin = 6, .cout = 6, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}, .groups = 6})
    EACH(.images = 2, .in = {12, 12}, .cin = 3, .cout = 40, .ker = {4, 4}, .p = {.stride = {4, 4}})
    EACH(.images = 1, .in = {5, 5}, .cin = 2, .cout = 3, .ker = {1, 1}, .p = {.stride = {2, 2}})
    EACH(.images = 2, .in = {4, 5, 6}, .cin = 3, .cout = 18, .ker = {2, 3, 3}, .p = {.stride = {1, 2, 1}, .pad_lo = {1, 0, 1}, .pad_hi = {0, 1, 1}})
    EACH(.images = 2, .in = {6, 7}, .cin = 5, .cout = 4, .ker = {3, 2}, .p = {.pad_lo = {3, 0}, .pad_hi = {4, 2}}, .views = true)
    EACH(.images = 3, .in = {7, 9}, .cin = 17, .cout = 19, .ker = {3, 3}, .p = {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}}, .views = true)
    EACH(.images = 9, .in = {28, 28}, .cin = 1, .cout = 16, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 0, .in = {4, 4}, .cin = 2, .cout = 3, .ker = {3, 3})
};
// What the kernels without a border take (contract_window.cl, contract_block.cl): windows that hang over
// every edge, or lie outside altogether; several chunks, parts of rows and panels; epilogues.
static const struct spec edge_specs[] = {
    EACH(.images = 3, .in = {9, 11}, .cin = 32, .cout = 40, .ker = {3, 2}, .p = {.stride = {2, 1}, .dilation = {1, 2}, .pad_lo = {1, 2}, .pad_hi = {0, 1}, .groups = 2}, .epilogue = true)
    EACH(.images = 2, .in = {7, 7}, .cin = 32, .cout = 70, .ker = {3, 3}, .p = {.dilation = {2, 2}, .pad_lo = {2, 2}, .pad_hi = {2, 2}})
    EACH(.images = 2, .in = {5, 6, 7}, .cin = 16, .cout = 33, .ker = {3, 2, 3}, .p = {.pad_lo = {1, 0, 1}, .pad_hi = {1, 1, 1}})
    EACH(.images = 3, .in = {40}, .cin = 48, .cout = 17, .ker = {5}, .p = {.pad_lo = {4}})
    EACH(.images = 2, .in = {6, 6}, .cin = 160, .cout = 27, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, .epilogue = true)
    EACH(.images = 3, .in = {3, 3}, .cin = 16, .cout = 16, .ker = {3, 3}, .p = {.pad_lo = {4, 4}, .pad_hi = {5, 3}})
    EACH(.images = 6, .in = {10, 17}, .cin = 16, .cout = 53, .ker = {3, 3}, .p = {.stride = {3, 2}, .pad_lo = {1, 1}, .pad_hi = {1, 1}})
    // whole chunks with several tiles in one work-item's copy
    {WEIGHT_GRAD, .images = 11, .in = {10, 10}, .cin = 16, .cout = 52, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}}},
    {MATMUL, .m = 52, .k = 4200, .n = 144, .ta = true},
    {MATMUL, .m = 37, .k = 4200, .n = 144, .ta = true, .epilogue = true},
    {MATMUL, .m = 2, .k = 4096, .n = 128, .ta = true},
};
// What reads operands in a way of its own: packed or not, copied because they lie so, parts of
// something larger, turned, windows, borders, phases.
static const struct spec storage_specs[] = {
    {MATMUL, .m = 13, .k = 513, .n = 48},
    {MATMUL, .m = 131, .k = 65, .n = 33, .tb = true},
    {MATMUL, .m = 52, .k = 4200, .n = 144, .ta = true},
    {MATMUL, .m = 32, .k = 40, .n = 64, .views = true},
    {MATMUL, .batch_a = {2, 1}, .batch_b = {0, 3}, .m = 4, .k = 5, .n = 19, .epilogue = true},
    {MATMUL, .m = 7, .k = 0, .n = 5},
    EACH(.images = 3, .in = {9, 11}, .cin = 32, .cout = 40, .ker = {3, 2}, .p = {.stride = {2, 1}, .dilation = {1, 2}, .pad_lo = {1, 2}, .pad_hi = {0, 1}, .groups = 2})
    EACH(.images = 3, .in = {14, 15}, .cin = 16, .cout = 32, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 2, .in = {6, 5}, .cin = 20, .cout = 17, .ker = {1, 1})
    EACH(.images = 3, .in = {7, 9}, .cin = 17, .cout = 19, .ker = {3, 3}, .p = {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}}, .views = true)
    EACH(.images = 9, .in = {28, 28}, .cin = 1, .cout = 16, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
};
static const struct spec tile_specs[] = {
    {MATMUL, .m = 131, .k = 48, .n = 132},
    {MATMUL, .m = 36, .k = 1028, .n = 135, .ta = true, .tb = true, .epilogue = true},
};
// clang-format on

static void run_on(uint32_t hidden, size_t n)
{
    weir_device *dev = open_device(hidden);
    run_specs(dev, specs, (int)n, NULL);
    weir_device_close(&dev);
}

START_TEST(wide)
{
    run_on(0, WEIR_COUNT(specs));
}
END_TEST

// units: from how many the parts of a launch are cut, and whether a sum is split.
static void run_edges(int units)
{
    weir_device *dev = open_device(0);
    dev->info.caps.compute_units = units;
    run_specs(dev, edge_specs, (int)WEIR_COUNT(edge_specs), NULL);
    weir_device_close(&dev);
}

START_TEST(edges)
{
    static const int least[] = {8, 6, 2};
    for (size_t i = 0; i < WEIR_COUNT(seen); i++)
        seen[i].n = 0;
    run_edges(1);
    for (size_t i = 0; i < WEIR_COUNT(seen); i++)
        ck_assert_msg(seen[i].n >= least[i], "%s in %d kernels", seen[i].line, seen[i].n);
    run_edges(100);
}
END_TEST

// A row of windows too large to copy is left to the kernels that read an image with a border.
START_TEST(long_rows)
{
    static const struct spec rows[] = {
        EACH(.images = 9, .in = {1600}, .cin = 32, .cout = 32, .ker = {3}, .p = {.pad_lo = {1}, .pad_hi = {1}})
    };
    weir_device *dev = open_device(0);
    dev->info.caps.compute_units = 1;
    seen[0].n = 0;
    run_specs(dev, rows, 2, NULL); // the two that could have windows
    ck_assert_int_eq(seen[0].n, 0);
    weir_device_close(&dev);
}
END_TEST

// A few of each kernel: what is looked for is text that needs 32 bits.
START_TEST(offsets_of_64_bits)
{
    static const struct spec few[] = {
        {MATMUL, .m = 29, .k = 513, .n = 49},
        {MATMUL, .m = 52, .k = 4200, .n = 144, .ta = true},
        EACH(.images = 3, .in = {9, 11}, .cin = 32, .cout = 17, .ker = {3, 2}, .p = {.stride = {2, 1}, .pad_lo = {1, 2}, .pad_hi = {0, 1}})
    };
    long_offsets = true;
    for (size_t i = 0; i < WEIR_COUNT(seen); i++)
        seen[i].n = 0;
    weir_device *dev = open_device(_i ? WEIR_CAP_WIDE : 0);
    dev->info.caps.compute_units = 1;
    run_specs(dev, few, (int)WEIR_COUNT(few), NULL);
    for (size_t i = 0; i < WEIR_COUNT(seen) && !_i; i++)
        ck_assert_msg(seen[i].n > 0, "%s nowhere", seen[i].line);
    weir_device_close(&dev);
    long_offsets = false;
}
END_TEST

START_TEST(grouped)
{
    run_on(WEIR_CAP_WIDE, WEIR_COUNT(specs));
}
END_TEST

// That row of the table, and the sums split if the model says so.
static void force(const struct weir_grouped_tile *t)
{
    forced.candidate.kernel = &weir_contract_grouped;
    for (int i = 0; i < WEIR_MAX_KNOBS; i++)
        forced.candidate.knob[i] = WEIR_AUTO;
    weir_grouped_knobs(t, forced.candidate.knob);
    is_forced = true;
}

// Every tile of the table, whatever would be chosen: by all cases, its loops written out and not, if
// `every`; else by a few that have edges, both vector loads, several chunks.
START_TEST(each_tile)
{
    weir_device *dev = open_device(WEIR_CAP_WIDE);
    const struct weir_grouped_tile *t = &weir_grouped_tiles[every ? _i / 2 : _i];
    force(t);
    if (!weir_grouped_tile_fits(dev, t)) {
        printf("# skipped: tile %s does not fit the device\n", t->name);
    } else {
        dev->info.caps.is_gpu = _i % 2;
        run_specs(dev, every ? specs : tile_specs,
                  (int)(every ? WEIR_COUNT(specs) : WEIR_COUNT(tile_specs)), NULL);
    }
    is_forced = false;
    weir_device_close(&dev);
}
END_TEST

// Few enough instructions for Oclgrind, which looks for races and stray accesses: two steps of each tile
// (the large ones if `every`) with both vector loads or none; of the smallest ones chunks too, together
// and split.
START_TEST(races)
{
    static const struct spec steps[] = {
        {MATMUL, .m = 12, .k = 20, .n = 12},
        {MATMUL, .m = 5, .k = 17, .n = 7, .views = true},
        {INPUT_GRAD, .images = 1, .in = {3, 3}, .cin = 2, .cout = 4, .ker = {3, 3}, .p = {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}}},
    }, chunks[] = {
        {MATMUL, .m = 3, .k = 515, .n = 4},
        {MATMUL, .m = 1, .k = 1030, .n = 2},
    };
    weir_device *dev = open_device(WEIR_CAP_WIDE);
    for (const struct weir_grouped_tile *t = weir_grouped_tiles; t->name; t++) {
        if (!every && t->rows * t->cols > 1024)
            continue;
        force(t);
        ck_assert_msg(weir_grouped_tile_fits(dev, t), "tile %s does not fit the device", t->name);
        run_specs(dev, steps, (int)WEIR_COUNT(steps), NULL);
        if (t->rows * t->cols <= 256)
            run_specs(dev, chunks, (int)WEIR_COUNT(chunks), NULL);
    }
    is_forced = false;
    weir_device_close(&dev);
}
END_TEST

// Matrix engines, emulated on a driver that has none. If `every`, each of them with each tile: all
// kinds of gathers, edges, sums in one work-group and split; else one product with edges by a few,
// with small tiles.
static const char *const engine_few[][2] = {
    {"mma-tf32", "engine-16x16-4"}, {"xmx8-bf16", "engine-16x16-8"}, {"wmma-f16", "engine-16x16-8"},
};

static void force_engine(const struct weir_engine_tile *t)
{
    forced.candidate.kernel = &weir_contract_engine;
    for (int i = 0; i < WEIR_MAX_KNOBS; i++)
        forced.candidate.knob[i] = WEIR_AUTO;
    weir_engine_knobs(t, forced.candidate.knob);
    is_forced = true;
}

START_TEST(engines)
{
    static const struct spec all[] = {
        {MATMUL, .batch_a = {2}, .batch_b = {2}, .m = 36, .k = 76, .n = 41, .ta = true, .tb = true},
        {MATMUL, .m = 37, .k = 45, .n = 41, .epilogue = true},
        {MATMUL, .m = 5, .k = 1100, .n = 7, .views = true},
        {MATMUL, .m = 3, .k = 0, .n = 2},
        EACH(.images = 2, .in = {5, 6}, .cin = 3, .cout = 20, .ker = {3, 3}, .p = {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}})
        EACH(.images = 1, .in = {4, 4}, .cin = 8, .cout = 4, .ker = {2, 2}, .p = {.groups = 2})
    }, product[] = {{MATMUL, .m = 13, .k = 1, .n = 19}};
    int n_tiles = 0;
    while (every && weir_engine_tiles[n_tiles].name)
        n_tiles++;
    weir_device *dev = open_device(WEIR_CAP_WIDE);
    engine = weir_engines;
    while (every ? engine < &weir_engines[_i] : strcmp(engine->name, engine_few[_i][0]) != 0)
        engine++;
    dev->info.caps.features |= engine->cap;
    for (int t = 0; t <= n_tiles; t++) {
        is_forced = false;
        for (const struct weir_engine_tile *x = weir_engine_tiles; x->name; x++)
            if (every ? x == &weir_engine_tiles[t] : !strcmp(x->name, engine_few[_i][1]))
                force_engine(x);
        engine_kernels = 0;
        run_specs(dev, all, (int)(every ? WEIR_COUNT(all) : 1), NULL);
        ck_assert_msg(engine_kernels >= (every ? 8 : 1), "%s: %d kernels", engine->name,
                      engine_kernels);
    }
    // Two operands of tf32, each half a unit of its eleven bits off, and a product.
    if (engine->dtype == WEIR_F32 && every) {
        tolerance = engine->cap == WEIR_CAP_MFMA ? 0x1p-24f : 0x1p-10f + 0x1p-21f;
        run_specs(dev, product, 1, NULL);
        tolerance = 0;
    }
    engine = NULL;
    is_forced = false;
    weir_device_close(&dev);
}
END_TEST

// The group that a GPU gets, where the driver takes it for any kernel.
START_TEST(large_groups)
{
    weir_device *dev = open_device(WEIR_CAP_WIDE);
    dev->info.caps.is_gpu = true;
    if (dev->info.caps.max_group >= 4096)
        run_specs(dev, specs, (int)WEIR_COUNT(specs) / 2, NULL);
    weir_device_close(&dev);
}
END_TEST

START_TEST(plain_loads)
{
    run_on(WEIR_CAP_VECTOR_DEREF, WEIR_COUNT(specs) / 2);
}
END_TEST

// 16-bit operands of both types in both forms; test_ops_device has some in the fast suites.
START_TEST(storage_types)
{
    storage = _i % 2 ? WEIR_F16 : WEIR_BF16;
    weir_device *dev = open_device((_i ^ _i / 2) % 2 ? WEIR_CAP_WIDE : 0);
    dev->info.caps.compute_units = 1; // windows are not too few
    run_specs(dev, storage_specs, (int)WEIR_COUNT(storage_specs), NULL);
    weir_device_close(&dev);
    storage = WEIR_F32;
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1)
        selector = argv[1];
    every = argc > 2 && strcmp(argv[2], "every") == 0;
    Suite *suite = suite_create("contract");
    TCase *tc = tcase_create("wide"), *groups = tcase_create("grouped");
    tcase_set_timeout(tc, 280);
    tcase_add_test(tc, wide);
    tcase_add_test(tc, edges);
    tcase_add_test(tc, long_rows);
    tcase_add_loop_test(tc, offsets_of_64_bits, 0, 2); // wide, grouped
    tcase_add_test(tc, plain_loads);
    suite_add_tcase(suite, tc);
    if (every) {
        TCase *types = tcase_create("storage");
        tcase_set_timeout(types, 280);
        tcase_add_loop_test(types, storage_types, 0, 4);
        suite_add_tcase(suite, types);
    }
    tcase_set_timeout(groups, 280);
    tcase_add_test(groups, grouped);
    tcase_add_test(groups, large_groups);
    suite_add_tcase(suite, groups);
    TCase *matrix = tcase_create("engines");
    int n_engines = 0;
    while (weir_engines[n_engines].name)
        n_engines++;
    tcase_set_timeout(matrix, every ? 3600 : 280);
    tcase_add_loop_test(matrix, engines, 0, every ? n_engines : (int)WEIR_COUNT(engine_few));
    suite_add_tcase(suite, matrix);
    TCase *tiles = tcase_create("tiles");
    int n = 0;
    while (weir_grouped_tiles[n].name)
        n++;
    tcase_set_timeout(tiles, 280);
    tcase_add_loop_test(tiles, each_tile, 0, every ? 2 * n : n);
    suite_add_tcase(suite, tiles);
    const char *driver = getenv("WEIR_TEST_DRIVER");
    if (driver && strcmp(driver, "oclgrind") == 0) { // for others a few cases more of the same
        TCase *checked = tcase_create("races");
        tcase_set_timeout(checked, 600);
        tcase_add_test(checked, races);
        suite_add_tcase(suite, checked);
    }
    return test_main(suite);
}
