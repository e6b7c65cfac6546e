// SPDX-License-Identifier: Apache-2.0
// Every entry of the device layer on one device: $WEIR_TEST_DEVICE, or the host. What only makes
// sense with kernels is left out on the host.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "device/kernel_text.h"
#include "device/selftest.h"
#include "support/support.h"

#define N 64

static weir_device *dev;
static const char *selector;

static weir_device *open_again(uint32_t caps_mask, const char *cache_dir, bool trust)
{
    weir_device *out = NULL;
    struct weir_device_params params = { .selector = selector, .log = test_log, .threads = 2,
                                         .caps_mask = caps_mask, .cache_dir = cache_dir,
                                         .skip_selftest = trust };
    test_ok(weir_device_open(&params, &out));
    return out;
}

static weir_buf *make_buf(size_t size)
{
    weir_buf *buf = NULL;
    test_ok(weir_buf_create(dev, size, &buf));
    return buf;
}

START_TEST(info_is_complete)
{
    const struct weir_device_info *info = weir_device_info(dev);
    ck_assert(info->name[0] && info->vendor[0] && info->platform[0] && info->version[0]);
    ck_assert_int_ge(info->caps.compute_units, 1);
    ck_assert_uint_gt(info->caps.global_size, 0);
    ck_assert_uint_le(info->caps.max_alloc, info->caps.global_size);
    ck_assert_uint_ge(info->caps.align, 64);
    ck_assert_int_ne(info->admission, WEIR_FAST_ONLY);
    ck_assert_int_eq(info->admission == WEIR_EXACT, info->reason[0] == 0);
}
END_TEST

START_TEST(buffers_move_bytes)
{
    unsigned char in[1000], out[1000];
    uint64_t state = 1;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)test_next(&state);
    weir_buf *a = make_buf(sizeof in), *b = make_buf(2 * sizeof in);
    test_ok(weir_buf_write(a, 0, in, sizeof in));
    test_ok(weir_buf_copy(a, 100, b, 7, 500));
    test_ok(weir_buf_read(b, 7, out, 500));
    ck_assert_mem_eq(out, in + 100, 500);
    test_ok(weir_buf_write(a, 999, in, 1)); // the last byte
    test_ok(weir_buf_read(a, 990, out, 10));
    ck_assert_mem_eq(out, in + 990, 9);
    ck_assert_uint_eq(out[9], in[0]);
    test_ok(weir_buf_fill(a, 8, 0x12345678u, 12));
    test_ok(weir_buf_read(a, 0, out, 1000));
    ck_assert_mem_eq(out, in, 8); // nothing before
    ck_assert_mem_eq(out + 20, in + 20, 970); // nor behind
    uint32_t words[3];
    memcpy(words, out + 8, sizeof words);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(words[i], 0x12345678u);
    test_ok(weir_buf_write(a, 0, NULL, 0));
    weir_buf_destroy(&a);
    weir_buf_destroy(&b);
    ck_assert_ptr_null(a);
    weir_buf_destroy(&a); // accepts a pointer to NULL
}
END_TEST

START_TEST(bytes_are_counted)
{
    ck_assert_uint_eq(dev->bytes_live, 0);
    size_t peak = dev->bytes_peak;
    weir_buf *a = make_buf(100000), *b = make_buf(50000000);
    ck_assert_uint_eq(dev->bytes_live, 50100000);
    weir_buf_destroy(&b);
    ck_assert_uint_eq(dev->bytes_live, 100000);
    ck_assert_uint_eq(dev->bytes_peak, peak > 50100000 ? peak : 50100000);
    weir_buf_destroy(&a);
    ck_assert_uint_eq(dev->bytes_live, 0);
}
END_TEST

START_TEST(too_much_memory_is_a_status)
{
    weir_buf *buf = NULL, *small = make_buf(300);
    char wanted[64];
    size_t size = (size_t)dev->info.caps.max_alloc + 4096;
    snprintf(wanted, sizeof wanted, "a buffer of %zu bytes wanted, 300 bytes live", size);
    test_status(weir_buf_create(dev, size, &buf), WEIR_NOMEM, wanted);
    test_status(weir_buf_create(dev, SIZE_MAX, &buf), WEIR_NOMEM, "out of memory");
    ck_assert_ptr_null(buf);
    ck_assert_uint_eq(dev->bytes_live, 300);
    weir_buf_destroy(&small);
}
END_TEST

START_TEST(bad_buffer_arguments)
{
    weir_buf *buf = NULL;
    char bytes[16] = { 0 };
    test_status(weir_buf_create(dev, 0, &buf), WEIR_INVALID, "size > 0");
    test_status(weir_buf_create(dev, 4, NULL), WEIR_INVALID, "out != NULL");
    buf = make_buf(16);
    test_status(weir_buf_write(buf, 1, bytes, 16), WEIR_INVALID, "inside(buf, offset, size)");
    test_status(weir_buf_read(buf, 17, bytes, 0), WEIR_INVALID, "inside");
    test_status(weir_buf_read(buf, SIZE_MAX, bytes, 2), WEIR_INVALID, "inside");
    test_status(weir_buf_write(buf, 0, NULL, 4), WEIR_INVALID, "src != NULL");
    test_status(weir_buf_fill(buf, 2, 0, 4), WEIR_INVALID, "offset % 4 == 0");
    test_status(weir_buf_fill(buf, 0, 0, 6), WEIR_INVALID, "size % 4 == 0");
    test_status(weir_buf_copy(buf, 0, buf, 4, 8), WEIR_INVALID, "src != dst");
    test_ok(weir_buf_copy(buf, 0, buf, 8, 8));
    weir_buf_destroy(&buf);
}
END_TEST

// dst[i] = src[i] * 2 + add, as a kernel and as a C function of the same meaning.
static const char affine_source[] =
    "#line 1 \"kernels/affine.cl\"\n"
    "kernel void affine(global const int *src, ulong o_src, global int *dst, ulong o_dst,\n"
    "                   int n, int add)\n"
    "{\n"
    "    int i = get_global_id(0) + get_global_size(0) * get_global_id(1);\n"
    "    if (i < n)\n"
    "        dst[o_dst + i] = src[o_src + i] * 2 + add;\n"
    "}\n";

struct affine {
    int n, add;
};

static void affine_host(const void *desc, void *const *ptr)
{
    const struct affine *a = desc;
    const int32_t *src = ptr[0];
    int32_t *dst = ptr[1];
    for (int i = 0; i < a->n; i++)
        dst[i] = (int32_t)((uint32_t)src[i] * 2u + (uint32_t)a->add); // wraps, as a kernel does
}

static const struct affine plus_one = { N, 1 }, plus_ten = { N, 10 };

static weir_module *affine_module(void)
{
    weir_module *module = NULL;
    struct weir_build_params build = { .source = affine_source, .label = "affine" };
    if (!weir_device_is_host(dev))
        test_ok(weir_module_build(dev, &build, &module));
    return module;
}

static struct weir_launch affine_launch(weir_module *module, weir_buf *src, size_t src_at,
                                        weir_buf *dst, size_t dst_at, const struct affine *desc)
{
    struct weir_launch l = { .module = module, .kernel = "affine", .fn = affine_host, .desc = desc,
                             .n_bufs = 2, .n_ints = 2, .ints = { desc->n, desc->add },
                             .global = { N / 2, 2, 1 }, .label = "affine" };
    l.bufs[0] = (struct weir_buf_ref) { src, src_at * 4, 4 };
    l.bufs[1] = (struct weir_buf_ref) { dst, dst_at * 4, 4 };
    return l;
}

// a → b at an offset → a at an offset; a host function of the user's in the middle.
START_TEST(lists_run_in_order)
{
    int32_t in[2 * N], out[2 * N];
    weir_module *module = affine_module();
    weir_buf *a = make_buf(sizeof in), *b = make_buf(sizeof in);
    struct weir_launch l[3];
    l[0] = affine_launch(module, a, 0, b, 3, &plus_one);
    l[1] = affine_launch(NULL, b, 3, b, 3, &plus_ten);
    l[1].kernel = NULL;
    l[1].host_callback = true;
    l[1].written = 1u << 1;
    l[1].buf_size[0] = l[1].buf_size[1] = N * 4;
    l[2] = affine_launch(module, b, 3, a, N, &plus_one);
    l[2].local[0] = 16, l[2].local[1] = 2, l[2].local[2] = 1;
    if (weir_device_info(dev)->caps.max_group < 32)
        memset(l[2].local, 0, sizeof l[2].local);
    weir_list *list = NULL;
    test_ok(weir_list_record(dev, l, 3, &list));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2 * N; i++)
            in[i] = i + 100 * round;
        test_ok(weir_buf_write(a, 0, in, sizeof in));
        memset(in, 0, sizeof in); // the source may be reused at once
        test_ok(weir_list_replay(dev, list));
        test_ok(weir_list_replay(dev, list));
        test_ok(weir_buf_read(a, 0, out, sizeof out));
        for (int i = 0; i < N; i++) {
            int x = i + 100 * round;
            ck_assert_int_eq(out[i], x);
            ck_assert_int_eq(out[N + i], ((x * 2 + 1) * 2 + 10) * 2 + 1);
        }
    }
    struct weir_timing rows[3] = { { 0 } };
    test_ok(weir_list_profile(dev, list, rows));
    ck_assert_str_eq(rows[0].label, "affine");
    ck_assert_uint_lt(rows[0].ns, 60000000000u);
    weir_list_destroy(dev, &list);
    weir_module_destroy(dev, &module);
    weir_buf_destroy(&a);
    weir_buf_destroy(&b);
}
END_TEST

START_TEST(many_replays_are_queued)
{
    weir_module *module = affine_module();
    weir_buf *a = make_buf(4 * N);
    int32_t in[N] = { 0 }, out[N];
    static const struct affine step = { N, 0 };
    struct weir_launch l = affine_launch(module, a, 0, a, 0, &step);
    weir_list *list = NULL, *empty = NULL;
    test_ok(weir_list_record(dev, &l, 1, &list));
    test_ok(weir_list_record(dev, NULL, 0, &empty));
    test_ok(weir_list_replay(dev, empty));
    for (int i = 0; i < 200; i++) { // writes between replays keep their place in the queue
        for (int j = 0; j < N; j++)
            in[j] = i;
        test_ok(weir_buf_write(a, 0, in, sizeof in));
        test_ok(weir_list_replay(dev, list));
    }
    test_ok(weir_device_finish(dev));
    test_ok(weir_buf_read(a, 0, out, sizeof out));
    ck_assert_int_eq(out[0], 398);
    ck_assert_int_eq(out[N - 1], 398);
    weir_list_destroy(dev, &empty);
    weir_list_destroy(dev, &list);
    weir_module_destroy(dev, &module);
    weir_buf_destroy(&a);
}
END_TEST

// More replays than a GPU's queue has room for: each is done, in order. That the third one waits
// shows in no result.
START_TEST(replays_beyond_the_room)
{
    const uint32_t features = dev->info.caps.features;
    weir_module *module = affine_module();
    weir_buf *a = make_buf(4 * N);
    int32_t out[N];
    static const struct affine step = { N, 1 };
    struct weir_launch l = affine_launch(module, a, 0, a, 0, &step);
    weir_list *list = NULL;
    test_ok(weir_list_record(dev, &l, 1, &list));
    dev->info.caps.features &= ~(uint32_t)WEIR_CAP_WIDE;
    test_ok(weir_buf_fill(a, 0, 0, 4 * N));
    for (int i = 0; i < 30; i++)
        test_ok(weir_list_replay(dev, list));
    test_ok(weir_buf_read(a, 0, out, sizeof out));
    ck_assert_int_eq(out[1], (1 << 30) - 1);
    weir_list_destroy(dev, &list); // with the ends of two replays not waited for
    dev->info.caps.features = features;
    weir_module_destroy(dev, &module);
    weir_buf_destroy(&a);
}
END_TEST

// Each place of a range is in one part, whatever the number of parts.
START_TEST(parts_cover_the_range)
{
    static const char source[] =
        "kernel void count(global int *p, ulong o)\n"
        "{\n"
        "    p[o + get_global_id(0) + 96 * (get_global_id(1) + 5 * get_global_id(2))]"
        " += 1 + 100 * get_local_id(0);\n"
        "}\n";
    static const size_t local[4][3] = { { 8, 1, 1 }, { 4, 5, 1 }, { 0 }, { 1, 1, 1 } };
    static const size_t global[4][3] = { { 96, 5, 3 }, { 96, 5, 3 }, { 1440, 1, 1 }, { 1, 5, 3 } };
    static const int splits[4] = { 12, 24, 22, 5 };
    struct weir_build_params build = { .source = source, .label = "count" };
    weir_module *module = NULL;
    int32_t want[1440], got[1440];
    if (weir_device_is_host(dev) || dev->info.caps.max_group < 20)
        return;
    test_ok(weir_module_build(dev, &build, &module));
    weir_buf *a = make_buf(sizeof got);
    for (int k = 0; k < 4; k++) {
        struct weir_launch l = {
            .module = module, .kernel = "count", .n_bufs = 1, .bufs = { { a, 0, 4 } }
        };
        memcpy(l.global, global[k], sizeof l.global);
        memcpy(l.local, local[k], sizeof l.local);
        int along = -1, most = weir_launch_splits(&l, &along);
        ck_assert(most == splits[k] && along == (k == 3));
        for (l.parts = 1; l.parts <= most + 1; l.parts++) { // too many are none
            weir_list *list = NULL;
            test_ok(weir_buf_fill(a, 0, 0, sizeof got));
            test_ok(weir_list_record(dev, &l, 1, &list));
            test_ok(weir_list_replay(dev, list));
            test_ok(weir_buf_read(a, 0, got, sizeof got));
            for (int i = 0; local[k][0] == 0 && i < 1440; i++)
                got[i] %= 100; // the driver's groups
            if (l.parts == 1)
                memcpy(want, got, sizeof want);
            ck_assert_int_eq(got[0], 1);
            ck_assert_msg(memcmp(want, got, sizeof got) == 0, "case %d, %d parts", k, l.parts);
            weir_list_destroy(dev, &list);
        }
    }
    weir_buf_destroy(&a);
    weir_module_destroy(dev, &module);
}
END_TEST

static void refuse(struct weir_launch l, const char *fragment)
{
    weir_list *list = NULL;
    test_status(weir_list_record(dev, &l, 1, &list), WEIR_INVALID, fragment);
    ck_assert_ptr_null(list);
}

// Two loops in one another: 2 x 3 times dst[i] = 2 src[5 - i] + 1, in pieces of N; a user's
// function adds to what the outer iteration wrote last; a loop of no iterations.
static void add_hundred(const void *desc, void *const *ptr)
{
    for (int i = 0; i < N; i++)
        ((int32_t *)ptr[0])[i] += 100;
}

START_TEST(lists_have_loops)
{
    enum { OUTER = 2, INNER = 3, ALL = OUTER * INNER, PIECE = N * 4 };
    int32_t in[ALL * N], out[ALL * N];
    for (int i = 0; i < ALL * N; i++)
        in[i] = 7 * i - 300;
    weir_module *module = affine_module();
    weir_buf *a = make_buf(sizeof in), *b = make_buf(sizeof out);
    const struct weir_launch_step steps[] = {
        {0, 0, -INNER * PIECE}, {0, 1, -PIECE}, {1, 0, INNER * PIECE}, {1, 1, PIECE}};
    const struct weir_launch_step last_piece = {0, 0, INNER * PIECE};
    struct weir_launch l[6] = {{.span = 3, .repeat = OUTER}, {.span = 1, .repeat = INNER}};
    l[2] = affine_launch(module, a, (ALL - 1) * N, b, 0, &plus_one);
    l[2].steps = steps;
    l[2].n_steps = 4;
    l[3] = (struct weir_launch){.fn = add_hundred, .host_callback = true, .written = 1,
                                .n_bufs = 1, .bufs = {{b, (INNER - 1) * PIECE, 4}},
                                .buf_size = {PIECE}, .steps = &last_piece, .n_steps = 1};
    l[4] = (struct weir_launch){.span = 1, .repeat = 0};
    l[5] = affine_launch(module, a, 0, b, 0, &plus_ten);
    weir_list *list = NULL;
    test_ok(weir_list_record(dev, l, 6, &list));
    test_ok(weir_buf_write(a, 0, in, sizeof in));
    for (int round = 0; round < 2; round++) {
        test_ok(weir_buf_fill(b, 0, 0, sizeof out));
        test_ok(weir_list_replay(dev, list));
        test_ok(weir_buf_read(b, 0, out, sizeof out));
        for (int i = 0; i < ALL * N; i++) {
            int piece = i / N, want = in[(ALL - 1 - piece) * N + i % N] * 2 + 1;
            ck_assert_int_eq(out[i], want + (piece % INNER == INNER - 1 ? 100 : 0));
        }
    }
    struct weir_timing rows[6];
    test_ok(weir_list_profile(dev, list, rows));
    ck_assert_str_eq(rows[2].label, "affine");
    ck_assert_uint_eq(rows[5].ns, 0); // never ran
    weir_list *none = NULL;
    l[3].bufs[0].offset = INNER * PIECE; // the last iteration would write behind the buffer
    test_status(weir_list_record(dev, l, 6, &none), WEIR_INVALID, "inside(ref->buf");
    l[3].bufs[0].offset = 0;
    l[0].span = 6;
    test_status(weir_list_record(dev, l, 6, &none), WEIR_INVALID, "l->span < end - at");
    l[0].span = 1; // the step of l[2] names a loop that is not around it
    test_status(weir_list_record(dev, l, 6, &none), WEIR_INVALID, "launch 1 of 6");
    ck_assert_ptr_null(none);
    weir_list_destroy(dev, &list);
    weir_module_destroy(dev, &module);
    weir_buf_destroy(&a);
    weir_buf_destroy(&b);
}
END_TEST

// More launches than a queue is given at once (Oclgrind takes a minute for so many).
START_TEST(long_loops_are_held_back)
{
    const char *driver = getenv("WEIR_TEST_DRIVER");
    const int times = driver && strcmp(driver, "oclgrind") == 0 ? 50 : 9000;
    static const struct affine step = { N, 0 };
    weir_module *module = affine_module();
    weir_buf *b = make_buf(4 * N * ((size_t)times + 1));
    const struct weir_launch_step steps[] = {{0, 0, 4 * N}, {1, 0, 4 * N}};
    int32_t one[N], out[2 * N];
    for (int i = 0; i < N; i++)
        one[i] = i + 1;
    struct weir_launch l[2] = { { .span = 1, .repeat = times },
                                affine_launch(module, b, 0, b, N, &step) };
    l[1].steps = steps;
    l[1].n_steps = 2;
    weir_list *list = NULL;
    test_ok(weir_list_record(dev, l, 2, &list));
    test_ok(weir_buf_write(b, 0, one, sizeof one));
    test_ok(weir_list_replay(dev, list));
    test_ok(weir_buf_read(b, 4 * N * 20, out, sizeof out));
    ck_assert_int_eq(out[0], 1 << 20);
    ck_assert_int_eq(out[N + 4], 5 << 21);
    test_ok(weir_buf_read(b, 4 * N * (size_t)times, out, 4 * N));
    ck_assert_int_eq(out[3], 0); // doubled away
    weir_list_destroy(dev, &list);
    weir_module_destroy(dev, &module);
    weir_buf_destroy(&b);
}
END_TEST

START_TEST(bad_launches)
{
    weir_module *module = affine_module();
    weir_buf *a = make_buf(4 * N);
    struct weir_launch good = affine_launch(module, a, 0, a, 0, &plus_one), l = good;
    refuse((l.n_bufs = WEIR_LAUNCH_MAX_BUFS + 1, l), "n_bufs <=");
    l = good;
    refuse((l.n_ints = -1, l), "n_ints >= 0");
    l = good;
    refuse((l.bufs[1].buf = NULL, l), "ref->buf != NULL");
    l = good;
    refuse((l.bufs[1].offset = 2, l), "ref->offset % ref->elem_size == 0");
    l = good;
    refuse((l.bufs[1].offset = 4 * N + 4, l), "ref->offset <= ref->buf->size");
    l = good;
    refuse((l.bufs[0].elem_size = 0, l), "elem_size > 0");
    l = good;
    l.host_callback = true;
    refuse((l.buf_size[0] = 4 * N + 1, l), "inside(ref->buf");
    l.buf_size[0] = 4;
    refuse((l.fn = NULL, l), "l->fn != NULL");
    if (!weir_device_is_host(dev)) {
        l = good;
        refuse((l.module = NULL, l), "l->module != NULL");
        l = good;
        refuse((l.global[2] = 0, l), "l->global[i] > 0");
        l = good;
        refuse((l.local[0] = 5, l.local[1] = l.local[2] = 1, l), "l->global[i] % l->local[i] == 0");
        l = good;
        refuse((l.n_ints = 1, l), "kernel affine takes 6 arguments");
        l = good;
        refuse((l.kernel = "afine", l), "'affine' has no kernel afine");
        refuse((l.label = "my label", l.kernel = NULL, l), "launch 0 of 1 (my label) is malformed");
    }
    weir_module_destroy(dev, &module);
    weir_buf_destroy(&a);
}
END_TEST

START_TEST(a_failed_build_says_where)
{
    weir_module *module = NULL;
    struct weir_build_params build = {
        .source =
            "#line 7 \"kernels/wrong.cl\"\nkernel void f(global float *p) { p[0] = nothing; }\n",
        .options = "-DANSWER=42",
        .label = "wrong.cl",
    };
    if (weir_device_is_host(dev)) {
        test_status(weir_module_build(dev, &build, &module), WEIR_UNSUPPORTED, "wrong.cl");
        return;
    }
    test_log_clear();
    ck_assert_int_eq(weir_module_build(dev, &build, &module), WEIR_BUILD);
    ck_assert_ptr_null(module);
    const char *text = test_log_text();
    ck_assert_msg(strstr(text, "building 'wrong.cl' failed") && strstr(text, "-DANSWER=42") &&
                      strstr(text, "-cl-std=CL1.2") && strstr(text, "nothing") &&
                      !strstr(text, "fast") && !strstr(text, "-cl-mad"),
                  "%s", text);
    if (!strstr(weir_device_info(dev)->name, "Oclgrind")) // it numbers lines by itself
        ck_assert_msg(strstr(text, "wrong.cl:7") != NULL, "%s", text);
    test_status(weir_module_build(dev, &(struct weir_build_params) { 0 }, &module), WEIR_INVALID,
                "p->source != NULL");
}
END_TEST

// Programs of one text are shared; what a capability hides reaches the kernels as a macro.
START_TEST(masks_reach_the_kernels)
{
    static const struct {
        uint32_t mask;
        int want;
    } rows[] = { { WEIR_CAP_FMA, 1 }, { WEIR_CAP_DIV_SQRT, 2 },
                 { WEIR_CAP_LOOP_SUMS, 4 },
                 { WEIR_CAP_FMA | WEIR_CAP_DIV_SQRT | WEIR_CAP_WIDE | WEIR_CAP_VECTOR_DEREF, 3 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weir_device *masked = open_again(rows[i].mask, NULL, true);
        ck_assert_uint_eq(weir_device_info(masked)->caps.features & rows[i].mask, 0);
        if (rows[i].mask & WEIR_CAP_FMA)
            ck_assert_int_eq(weir_device_info(masked)->admission, WEIR_EXACT_SOFT_FMA);
        if (!weir_device_is_host(masked)) {
            struct weir_build_params build = {
                .source = "kernel void f(global int *p, ulong o)\n{\n    int v = 0;\n"
                          "#ifdef WEIR_SOFT_FMA\n    v += 1;\n#endif\n"
                          "#ifdef WEIR_SOFT_DIV\n    v += 2;\n#endif\n"
                          "#ifdef WEIR_LOOPS_IN_ORDER\n    v += 4;\n#endif\n    p[o] = v;\n}\n"
            };
            weir_module *module = NULL;
            weir_list *list = NULL;
            weir_buf *buf = NULL;
            int32_t got = -1;
            test_ok(weir_module_build(masked, &build, &module));
            test_ok(weir_buf_create(masked, 4, &buf));
            struct weir_launch l = { .module = module, .kernel = "f", .n_bufs = 1,
                                     .bufs = { { buf, 0, 4 } }, .global = { 1, 1, 1 } };
            test_ok(weir_list_record(masked, &l, 1, &list));
            test_ok(weir_list_replay(masked, list));
            test_ok(weir_buf_read(buf, 0, &got, 4));
            ck_assert_int_eq(got, rows[i].want);
            weir_list_destroy(masked, &list);
            weir_module_destroy(masked, &module);
            weir_buf_destroy(&buf);
        }
        weir_device_close(&masked);
    }
}
END_TEST

// The self-test finds a device that rounds ties away, one that sums wrongly in loops, one whose fma
// rounds twice, one whose root is off: wrong arithmetic is made by macros, through the build option
// that a quirk would set.
START_TEST(the_self_test_finds_faults)
{
    static const struct {
        const char *option, *reason;
    } rows[] = {
        { "-Drint=round -D_cl_rint=_cl_round", "rint(x) on one value is wrong" },
        { "-DSUM_ADD(a,b)=((b)+(a)*1.0000002f)", "a sum in a loop is" },
        { "-Dfma(a,b,c)=((a)*(b)+(c))", "fma(x, y, z) on one value is wrong" },
        { "-Dsqrt(x)=(sqrt(x)*1.0000002f)", "sqrt(|x|) on one value is wrong" },
    };
    if (weir_device_is_host(dev) || strstr(dev->info.name, "Oclgrind")) // it has an option already
        return;
    // PoCL's names are macros already (_cl_rint), which only the first rows get past.
    bool pocl = strstr(dev->info.platform, "Portable") != NULL;
    for (size_t i = 0; i < (pocl ? 2 : sizeof rows / sizeof rows[0]); i++) {
        weir_device *wrong = open_again(0, NULL, true);
        wrong->build_option = rows[i].option;
        test_ok(weir_selftest(wrong, false));
        const struct weir_device_info *info = weir_device_info(wrong);
        ck_assert_int_ne(info->admission, WEIR_EXACT);
        ck_assert_msg(strstr(info->reason, rows[i].reason) != NULL, "%s", info->reason);
        // An fma, and a root a few ulp off, are made up for in software; the others cannot be.
        ck_assert_int_eq(info->admission == WEIR_FAST_ONLY, i < 2);
        weir_device_close(&wrong);
    }
}
END_TEST

START_TEST(waiting_by_polling)
{
    weir_module *module = affine_module();
    weir_buf *a = make_buf(4 * N);
    int32_t in[N] = { 21 }, out[N] = { 0 };
    struct weir_launch l = affine_launch(module, a, 0, a, 0, &plus_one);
    weir_list *list = NULL;
    test_ok(weir_list_record(dev, &l, 1, &list));
    dev->poll = true; // as the quirk sets it
    test_ok(weir_buf_write(a, 0, in, sizeof in));
    test_ok(weir_list_replay(dev, list));
    test_ok(weir_device_finish(dev));
    test_ok(weir_buf_read(a, 0, out, sizeof out));
    dev->poll = false;
    ck_assert_int_eq(out[0], 43);
    weir_list_destroy(dev, &list);
    weir_module_destroy(dev, &module);
    weir_buf_destroy(&a);
}
END_TEST

START_TEST(kernel_texts_are_embedded)
{
    const char *text = weir_kernel_text("selftest.cl");
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_eq(strstr(text, "#line 1 \"kernels/selftest.cl\"\n// SPDX"), text);
    text = weir_kernel_text("scalar.h");
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_null(strstr(text, "\n#include \"")); // expanded
    ck_assert_ptr_nonnull(strstr(text, "#line 1 \"kernels/scalar_soft.h\""));
    ck_assert_ptr_null(weir_kernel_text("scalar"));
}
END_TEST

int main(void)
{
    selector = getenv("WEIR_TEST_DEVICE") ? getenv("WEIR_TEST_DEVICE") : "host";
    struct weir_device_params params = { .selector = selector, .log = test_log, .threads = 2 };
    if (weir_device_open(&params, &dev) != WEIR_OK) {
        printf("Bail out! cannot open %s: %s\n", selector, test_log_text());
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("device");
    TCase *tcase = tcase_create(selector);
    tcase_add_test(tcase, info_is_complete);
    tcase_add_test(tcase, buffers_move_bytes);
    tcase_add_test(tcase, bytes_are_counted);
    tcase_add_test(tcase, too_much_memory_is_a_status);
    tcase_add_test(tcase, bad_buffer_arguments);
    tcase_add_test(tcase, lists_run_in_order);
    tcase_add_test(tcase, many_replays_are_queued);
    tcase_add_test(tcase, replays_beyond_the_room);
    tcase_add_test(tcase, parts_cover_the_range);
    tcase_add_test(tcase, lists_have_loops);
    tcase_add_test(tcase, long_loops_are_held_back);
    tcase_add_test(tcase, bad_launches);
    tcase_add_test(tcase, a_failed_build_says_where);
    tcase_add_test(tcase, masks_reach_the_kernels);
    tcase_add_test(tcase, the_self_test_finds_faults);
    tcase_add_test(tcase, waiting_by_polling);
    tcase_add_test(tcase, kernel_texts_are_embedded);
    suite_add_tcase(suite, tcase);
    int status = test_main(suite);
    weir_device_close(&dev);
    return status;
}
