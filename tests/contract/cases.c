// SPDX-License-Identifier: Apache-2.0
// A case: its graph, operands, the host's result, and the comparison.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"
#include "device/kernel_text.h"
#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/view.h"
#include "scalar.h"

extern const char engine_emulate_text[]; // of engine_emulate.h
struct contract_settings contract = {.selector = "opencl:0"};

bool contract_has_device(void)
{
    weir_device *dev = NULL;
    struct weir_device_params params = {.selector = contract.selector, .skip_selftest = true};
    bool has = weir_device_open(&params, &dev) == WEIR_OK;
    weir_device_close(&dev);
    return has;
}

weir_device *contract_device(uint32_t hidden)
{
    weir_device *dev = NULL;
    struct weir_device_params params = {
        .selector = contract.selector, .log = test_log, .caps_mask = hidden, .allow_fast = true};
    test_log_clear();
    ck_assert_msg(weir_device_open(&params, &dev) == WEIR_OK, "%s", test_log_text());
    return dev;
}

static struct weir_type conv_type(const struct spec *s, int which) // 0 x, 1 w, 2 y
{
    struct weir_type t = {.dtype = contract.storage};
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
    struct weir_type t = {.dtype = s->i8 ? WEIR_I8 : contract.storage};
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
    bool half = contract.engine && contract.engine->dtype != WEIR_F32;
    weir_value *v = weir_input(g, half ? contract.engine->dtype : t.dtype, stored, name);
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
            ((float *)data)[i] =
                contract.engine && contract.tolerance == 0 ? (float)(x >> 26) * 0x1p-5f : f;
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
                              .forced = &contract.forced,
                              .n_forced = contract.is_forced,
                              .fast = contract.engine != NULL,
                              .state = &t->state};
    for (int i = 0; i < 2; i++) {
        struct weir_layout l;
        weir_layout_of(t->v->arg[i], NULL, NULL, &l);
        const struct weir_type *type = &t->v->arg[i]->type;
        int64_t n = weir_shape_size(&type->shape);
        size_t size = (size_t)n * weir_dtype_size(type->dtype);
        t->in[i] = (struct weir_operand){
            contract_add_slot(&t->e, size, false), type->dtype, type->shape, l.offset, {0}};
        memcpy(t->in[i].stride, l.stride, sizeof(l.stride));
        t->data[i] = malloc(size + 4);
        fill(t->data[i], n, type->dtype, &seed);
        if (size)
            ck_assert_int_eq(
                weir_buf_write(t->state.slot[t->in[i].slot].buf, GUARD * 4, t->data[i], size),
                WEIR_OK);
    }
    int64_t n = weir_shape_size(&t->v->type.shape);
    int slot = contract_add_slot(&t->e, (size_t)n * 4, true);
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
            ck_assert_msg(want == have || (contract.tolerance > 0 &&
                                           fabsf(fw - fh) <= contract.tolerance * fabsf(fw)),
                          "%s: element %lld is %08x %.9g, not %08x %.9g", name, (long long)k, have,
                          (double)fh, want, (double)fw);
        }
        free(got);
    }
}

void contract_run(weir_device *dev, const struct spec *list, int n,
                      void (*after)(struct test *, weir_device *))
{
    struct weir_log silent = {0};
    weir_graph *g = NULL;
    struct weir_arena *arena = weir_arena_create();
    ck_assert_int_eq(weir_graph_create(&silent, &g), WEIR_OK);
    struct test *tests = calloc((size_t)n, sizeof(*tests));
    if (!weir_device_has(dev, WEIR_CAP_VECTOR_DEREF))
        weir_strbuf_puts(&contract_source, "#define WEIR_NO_VECTOR_DEREF\n");
    if (!weir_device_has(dev, WEIR_CAP_FMA))
        weir_strbuf_puts(&contract_source, "#define WEIR_SOFT_FMA\n");
    if (contract.storage != WEIR_F32)
        weir_strbuf_puts(&contract_source, weir_kernel_text("prelude.cl"));
    else if (!weir_device_has(dev, WEIR_CAP_FMA))
        weir_strbuf_puts(&contract_source, weir_kernel_text("scalar.h"));
    if (contract.engine)
        weir_strbuf_printf(&contract_source, "#define ENGINE_WORDS local const uint *\n"
                                    "#define ENGINE_FN __attribute__((noinline)) static\n%s",
                           engine_emulate_text);
    for (int i = 0; i < n; i++) {
        tests[i].s = list[i];
        prepare(&tests[i], dev, g, arena);
    }
    struct weir_build_params build_params = {.source = contract_source.s, .label = "contract"};
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
    contract_forget();
    free(tests);
    weir_arena_destroy(&arena);
    weir_graph_destroy(&g);
}
