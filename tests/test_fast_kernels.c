// SPDX-License-Identifier: Apache-2.0
// Kernels of fast mode alone, forced, within bounds derived from their algorithms: products of
// matrices by the device's library (any order of sums: docs/numerics.md), and Winograd's
// convolutions. Odd sizes, transposes, views, batches, loops; every tensor between guards.
//
//   test-fast-kernels SELECTOR [MASK [every | library]]
//
// MASK: `all`, or `grouped`. every: all cases of Winograd's, not the first few. library: products
// by the library and nothing else. Exits 77 where there is no such device, or no library.
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/compile.h"
#include "compile/tune.h"
#include "device/opencl/opencl.h"
#include "graph/eval.h"
#include "support/error_bound.h"
#include "support/support.h"
#include "weir/loop.h"
#include "weir/ops.h"

enum { SKIPPED = 77, MOST = 32 };

static struct weir_device_params params;
static weir_device *dev;
static bool every;
static double worst;
static int buffers; // that were made by anybody

// Stands before the driver's.
cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code)
{
    typedef cl_mem fn(cl_context, cl_mem_flags, size_t, void *, cl_int *);
    static fn *next;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clCreateBuffer");
    buffers++;
    return next(context, flags, size, host, code);
}

// One graph of several results, its inputs filled with numbers of size one from a seed.
struct bench {
    weir_graph *g;
    int n_in, n_out;
    struct weir_eval_leaf leaves[MOST]; // doubles
    struct weir_binding bindings[MOST];
    weir_value *out[MOST];
    uint64_t seed;
};

static weir_value *input(struct bench *b, struct weir_shape shape)
{
    int64_t n = weir_shape_size(&shape);
    float *x = calloc((size_t)n + 1, sizeof(*x));
    double *wide = calloc((size_t)n + 1, sizeof(*wide));
    ck_assert(x && wide && b->n_in < MOST);
    for (int64_t i = 0; i < n; i++)
        wide[i] = x[i] = (float)(int32_t)(test_next(&b->seed) >> 32) * 0x1p-31f;
    weir_value *v = weir_input(b->g, WEIR_F32, shape, "in");
    b->leaves[b->n_in] = (struct weir_eval_leaf){v, wide};
    b->bindings[b->n_in++] = (struct weir_binding){v, x};
    return v;
}

static void begin(struct bench *b)
{
    *b = (struct bench){.seed = 7};
    test_ok(weir_graph_create(&test_log, &b->g));
}

static void end(struct bench *b)
{
    for (int i = 0; i < b->n_in; i++) {
        free((void *)b->bindings[i].data);
        free((void *)b->leaves[i].data);
    }
    weir_graph_destroy(&b->g);
}

// Runs the graph in fast mode; `launches` of it must have a label that begins so.
static weir_program *run(struct bench *b, struct weir_compile_params compile, const char *label,
                         int launches)
{
    weir_program *p = NULL;
    compile.numerics = WEIR_NUMERICS_FAST;
    compile.guards = true;
    ck_assert_msg(weir_graph_status(b->g) == WEIR_OK, "%s", weir_graph_message(b->g));
    test_ok(weir_compile(dev, b->out, b->n_out, &compile, &p));
    test_ok(weir_run(p, b->bindings, b->n_in));
    test_ok(weir_wait(p));
    struct weir_launch_time *rows =
        calloc((size_t)weir_program_info(p)->launches + 1, sizeof(*rows));
    test_ok(weir_program_profile(p, rows));
    int found = 0;
    for (int i = 0; i < weir_program_info(p)->launches; i++)
        found += rows[i].label && strncmp(rows[i].label, label, strlen(label)) == 0;
    ck_assert_msg(found == launches, "%d launches of %s, not %d", found, label, launches);
    free(rows);
    return p;
}

static float *result(weir_program *p, const struct bench *b, int i)
{
    float *y = calloc((size_t)weir_shape_size(weir_value_shape(b->out[i])) + 1, sizeof(*y));
    ck_assert_ptr_nonnull(y);
    test_ok(weir_read(p, i, y));
    return y;
}

static void check_bounds(weir_program *p, const struct bench *b, int i, weir_value *as)
{
    struct test_bound o;
    char text[160];
    float *y = result(p, b, i);
    test_bound_run(as, b->leaves, b->n_in, &o);
    int64_t bad = test_bound_check(&o, y, &worst, text, sizeof(text));
    ck_assert_msg(bad < 0, "result %d, element %lld: %s", i, (long long)bad, text);
    test_bound_free(&o);
    free(y);
}

// --- products of matrices ---

static weir_value *matrix(struct bench *b, int batch, int rows, int cols, bool turned)
{
    int r = turned ? cols : rows, c = turned ? rows : cols;
    return input(b, batch ? weir_shape(batch, r, c) : weir_shape(r, c));
}

static void products(struct bench *b)
{
    static const struct {
        int batch_a, batch_b, m, k, n;
        bool ta, tb;
    } rows[] = {{0, 0, 33, 65, 17, false, false},  {0, 0, 19, 7, 35, false, true},
                {0, 0, 31, 130, 5, true, false},   {3, 3, 21, 9, 13, false, true},
                {0, 0, 17, 33, 9, true, true},     {5, 0, 6, 10, 11, false, false},
                {2, 2, 64, 64, 64, true, false},   {0, 0, 1, 37, 70, false, true},
                {0, 0, 70, 37, 1, false, false},   {4, 4, 1, 1, 1, false, false},
                {0, 0, 128, 513, 96, false, false}};
    for (size_t i = 0; i < WEIR_COUNT(rows); i++)
        b->out[b->n_out++] = weir_matmul(
            matrix(b, rows[i].batch_a, rows[i].m, rows[i].k, rows[i].ta),
            matrix(b, rows[i].batch_b, rows[i].k, rows[i].n, rows[i].tb), rows[i].ta, rows[i].tb);
    // A view by rows of a larger matrix, and a convolution that is a product.
    weir_value *part = weir_slice(input(b, weir_shape(40, 24)), 0, 3, 36, 1);
    b->out[b->n_out++] = weir_matmul(part, input(b, weir_shape(24, 15)), false, false);
    b->out[b->n_out++] =
        weir_conv(input(b, weir_shape(2, 5, 7, 16)), input(b, weir_shape(24, 1, 1, 16)),
                  &(struct weir_conv_params){0});
    // Not the library's: results of one group lie among those of the other.
    b->out[b->n_out++] =
        weir_conv(input(b, weir_shape(2, 5, 7, 32)), input(b, weir_shape(24, 1, 1, 16)),
                  &(struct weir_conv_params){.groups = 2});
}

// No reason to skip the others: where there is a library, and a driver of tests/driver.sh, it is
// right.
START_TEST(the_library_is_admitted)
{
    weir_device *without = NULL;
    struct weir_device_params hidden = params;
    test_log_clear();
    ck_assert_msg(weir_device_admits_gemm(dev), "%s", test_log_text());
    hidden.caps_mask |= WEIR_CAP_GEMM;
    test_ok(weir_device_open(&hidden, &without));
    ck_assert(!weir_device_admits_gemm(without));
    weir_device_close(&without);
}
END_TEST

START_TEST(the_library_is_within_bounds)
{
    struct bench b;
    begin(&b);
    products(&b);
    weir_program *p = run(&b, (struct weir_compile_params){.library = 1}, "library_gemm", b.n_out - 1);
    for (int i = 0; i < b.n_out; i++)
        check_bounds(p, &b, i, b.out[i]);
    weir_program_destroy(&p);
    p = run(&b, (struct weir_compile_params){.library = -1}, "library_gemm", 0);
    weir_program_destroy(&p);
    end(&b);
}
END_TEST

struct seen_library {
    int tried, rejected;
};

static void see(void *cookie, const struct weir_tune_event *event)
{
    struct seen_library *seen = cookie;
    if (!event->candidate || strcmp(event->candidate, "library") != 0)
        return;
    seen->tried += event->what == WEIR_TUNE_TRY;
    seen->rejected += event->what == WEIR_TUNE_REJECTED;
}

START_TEST(the_library_is_a_candidate)
{
    struct bench b;
    struct seen_library seen = {0};
    const struct weir_tuner tuner = {.most = 2, .run_s = 1e-4, .event = see, .cookie = &seen};
    weir_program *p = NULL;
    begin(&b);
    b.out[b.n_out++] = weir_matmul(input(&b, weir_shape(20, 30)), input(&b, weir_shape(30, 40)), false, false);
    weir_tuning_of(dev)->tuner = &tuner;
    test_ok(weir_compile(dev, b.out, 1,
                         &(struct weir_compile_params){.numerics = WEIR_NUMERICS_FAST, .tune = WEIR_TUNE_FULL}, &p));
    weir_tuning_of(dev)->tuner = NULL;
    ck_assert_msg(seen.tried > 2 && !seen.rejected, "tried %d times, rejected %d times", seen.tried, seen.rejected);
    weir_program_destroy(&p);
    end(&b);
}
END_TEST

static void multiply(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                     weir_value **y)
{
    next[0] = carry[0];
    y[0] = weir_matmul(x[0], ctx, false, false);
}

// Operand and result move from iteration to iteration.
START_TEST(the_library_runs_in_loops)
{
    struct bench b;
    begin(&b);
    weir_value *x = input(&b, weir_shape(5, 6, 10)), *w = input(&b, weir_shape(10, 7)),
               *c = input(&b, weir_shape(3)), *e;
    weir_loop(&(struct weir_loop_params){.n = 5,
                                         .carry = &c,
                                         .n_carry = 1,
                                         .xs = &x,
                                         .n_xs = 1,
                                         .n_ys = 1,
                                         .body = multiply,
                                         .ctx = w},
              &e, &b.out[b.n_out++]);
    weir_value *at_once = weir_matmul(x, w, false, false);
    weir_program *p = run(&b, (struct weir_compile_params){.library = 1}, "library_gemm", 1);
    check_bounds(p, &b, 0, at_once);
    weir_program_destroy(&p);
    end(&b);
}
END_TEST

// Sides from which on the library copies its operands: to scratch that is in the plan. Rows are not
// whole tiles, so that it does.
static int64_t side_with_scratch(void)
{
    for (int64_t s = 64; s <= 2048; s *= 2) {
        struct weir_gemm g = {.m = s + 1, .n = s, .k = s, .batch = 1, .lda = s, .ldb = s, .ldc = s};
        size_t scratch;
        test_ok(weir_gemm_scratch(dev, &g, &scratch));
        if (scratch > 0)
            return s;
    }
    ck_abort_msg("no product takes scratch");
    return 0;
}

START_TEST(the_librarys_scratch_is_planned)
{
    struct bench b;
    int64_t s = side_with_scratch();
    begin(&b);
    weir_value *x = input(&b, weir_shape(s + 1, s)), *w = input(&b, weir_shape(s, s));
    b.out[b.n_out++] =
        weir_matmul(weir_mul(x, x), w, false, false); // beside an operand in the arena
    weir_program *p =
        run(&b, (struct weir_compile_params){.library = 1, .no_replay = true}, "library_gemm", 1);
    int made = buffers, found = 0;
    test_ok(weir_run(p, b.bindings, b.n_in));
    test_ok(weir_wait(p));
    ck_assert_int_gt(made, 0);
    ck_assert_int_eq(buffers, made);
    for (int i = 0; i < p->n_launches; i++)
        if (p->launches[i].gemm) {
            found++;
            ck_assert_int_eq(p->launches[i].n_bufs, 4);
        }
    ck_assert_int_eq(found, 1);
    check_bounds(p, &b, 0, b.out[0]);
    weir_program_destroy(&p);
    end(&b);
}
END_TEST

// On grouped devices what might take longer than launch_ms goes to the library in parts.
START_TEST(long_products_are_cut)
{
    const uint32_t features = dev->info.caps.features;
    int64_t s = side_with_scratch();
    struct bench b;
    begin(&b);
    weir_value *x = input(&b, weir_shape(2, 300, 70)), *y = input(&b, weir_shape(2, 70, 90)),
               *z = input(&b, weir_shape(2 * s + 30, s)), *w = input(&b, weir_shape(s, s));
    b.out[b.n_out++] = weir_matmul(x, y, false, false);
    b.out[b.n_out++] = weir_matmul(z, w, false, true);
    b.out[b.n_out++] = weir_matmul(z, z, true, false);
    weir_program *whole =
        run(&b, (struct weir_compile_params){.library = 1, .launch_ms = 1e9}, "library_gemm", 3);
    dev->info.caps.features &= ~(uint32_t)WEIR_CAP_WIDE;
    weir_program *p =
        run(&b, (struct weir_compile_params){.library = 1, .launch_ms = .2}, "library_gemm", 3);
    dev->info.caps.features = features;
    const struct weir_program_info *i = weir_program_info(p), *j = weir_program_info(whole);
    ck_assert_int_eq(j->parts, j->launches + 1); // a batch of two
    ck_assert_msg(i->parts > i->launches + 10, "%d launches in %d parts", i->launches, i->parts);
    for (int k = 0; k < b.n_out; k++)
        check_bounds(p, &b, k, b.out[k]);
    weir_program_destroy(&p);
    weir_program_destroy(&whole);
    end(&b);
}
END_TEST

// What a context's count is when its device is closed, the test's own reference among it.
static cl_uint references_left(bool product)
{
    weir_device *kept = dev;
    struct bench b;
    cl_uint n = 0;
    dev = NULL;
    test_ok(weir_device_open(&params, &dev));
    cl_context context = weir_cl(dev)->context;
    clRetainContext(context);
    begin(&b);
    b.out[b.n_out++] =
        weir_matmul(input(&b, weir_shape(9, 8)), input(&b, weir_shape(8, 7)), false, false);
    weir_program *p =
        run(&b, (struct weir_compile_params){.library = product ? 1 : -1}, "library_gemm", product);
    weir_program_destroy(&p);
    end(&b);
    weir_device_close(&dev);
    dev = kept;
    ck_assert_int_eq(clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof(n), &n, NULL),
                     CL_SUCCESS);
    clReleaseContext(context);
    return n;
}

START_TEST(the_library_keeps_no_context)
{
    cl_uint without = references_left(false);
    ck_assert_uint_eq(references_left(true), without);
}
END_TEST

// --- Winograd ---

struct winograd_case {
    int n, h, w, cin, cout, pad;
    bool gradient;
};

static const double B[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
static const double G[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
static const double A[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};

// sum over (r, c) of |L(i, r)| |R(j, c)| |x(r, c)|
static double moved(const double *left, const double *right, int n, const double *x, int stride_r,
                    int stride_c)
{
    double sum = 0;
    for (int r = 0; r < n; r++)
        for (int c = 0; c < n; c++)
            sum += fabs(left[r] * right[c] * x[r * stride_r + c * stride_c]);
    return sum;
}

// What the errors of one result are measured by: |A'| (sum over channels of |G||g||G'| |B'||d||B|)
// |A|, for the window d (4, 4, cin) and the kernel g (3, 3, cin), at pixel (i, j) of the tile.
static double measure(const double *d, const double *g, int cin, int i, int j)
{
    double sum = 0;
    for (int c = 0; c < cin; c++)
        for (int r = 0; r < 4; r++)
            for (int s = 0; s < 4; s++)
                if (A[i][r] != 0 && A[j][s] != 0)
                    sum += moved(B[r], B[s], 4, d + c, 4 * cin, cin) *
                           moved(G[r], G[s], 3, g + c, 3 * cin, cin);
    return sum;
}

// The kernel (3, 3, cin) that makes channel o: of w (O, 3, 3, I), or turned and exchanged for the
// gradient.
static void kernel_of(const struct winograd_case *k, const double *w, int o, double *g)
{
    for (int t = 0; t < 9; t++)
        for (int c = 0; c < k->cin; c++)
            g[t * k->cin + c] =
                k->gradient ? w[(c * 9 + 8 - t) * k->cout + o] : w[(o * 9 + t) * k->cin + c];
}

static void window_of(const struct winograd_case *k, const double *x, int n, int top, int left,
                      double *d)
{
    for (int r = 0; r < 16; r++)
        for (int c = 0; c < k->cin; c++) {
            int h = top + r / 4, w = left + r % 4;
            bool in = h >= 0 && h < k->h && w >= 0 && w < k->w;
            d[r * k->cin + c] = in ? x[((n * k->h + h) * k->w + w) * k->cin + c] : 0;
        }
}

// Every result against the definition in double. Its rounding: kernel transform 4 (two passes of
// two sums), image transform 2, product and sum over channels cin + 1, back 4.
static void check_winograd(const struct winograd_case *k, const double *x, const double *w,
                           const float *y)
{
    int pad = k->gradient ? 2 - k->pad : k->pad, oh = k->h + 2 * pad - 2, ow = k->w + 2 * pad - 2;
    double gamma = (k->cin + 11) * 0x1p-24, *d = calloc((size_t)(25 * k->cin), sizeof(*d)),
           *g = d + 16 * k->cin;
    gamma /= 1 - gamma;
    ck_assert_ptr_nonnull(d);
    for (int n = 0; n < k->n; n++)
        for (int at = 0; at < oh * ow; at++)
            for (int o = 0; o < k->cout; o++) {
                int h = at / ow, v = at % ow, i = h % 2, j = v % 2;
                double want = 0, got = (double)y[(n * oh * ow + at) * k->cout + o];
                window_of(k, x, n, h - i - pad, v - j - pad, d);
                kernel_of(k, w, o, g);
                for (int t = 0; t < 9; t++)
                    for (int c = 0; c < k->cin; c++)
                        want += d[((i + t / 3) * 4 + j + t % 3) * k->cin + c] * g[t * k->cin + c];
                double bound = gamma * measure(d, g, k->cin, i, j);
                worst = fmax(worst, fabs(got - want) / bound);
                ck_assert_msg(fabs(got - want) <= bound,
                              "%dx%dx%d %d to %d pad %d%s, pixel %d, channel %d: %.9g, wanted "
                              "%.9g +- %.3g",
                              k->n, k->h, k->w, k->cin, k->cout, k->pad,
                              k->gradient ? " gradient" : "", at, o, got, want, bound);
            }
    free(d);
}

START_TEST(winograd_is_within_its_bounds)
{
    static const struct winograd_case cases[] = {
        {1, 5, 7, 16, 32, 1, false}, {2, 7, 6, 16, 16, 1, true},  {2, 8, 8, 32, 48, 1, false},
        {1, 9, 4, 48, 16, 2, false}, {1, 6, 11, 32, 32, 0, true}, {1, 13, 13, 16, 64, 0, false},
        {3, 3, 3, 16, 16, 1, false}};
    // Channels that do not fill vectors: grouped devices only.
    static const struct winograd_case odd[] = {{1, 6, 5, 3, 7, 1, false}, {2, 5, 5, 9, 2, 1, true}};
    struct bench b;
    struct winograd_case k[MOST];
    int n = every ? (int)WEIR_COUNT(cases) : 2;
    memcpy(k, cases, (size_t)n * sizeof(*k));
    for (int i = 0; i < 2 && !weir_device_has(dev, WEIR_CAP_WIDE); i++)
        k[n++] = odd[i];
    begin(&b);
    for (int i = 0; i < n; i++) {
        struct weir_conv_params p = {.pad_lo = {k[i].pad, k[i].pad},
                                     .pad_hi = {k[i].pad, k[i].pad}};
        weir_value *x = input(&b, weir_shape(k[i].n, k[i].h, k[i].w, k[i].cin));
        int64_t size[2] = {k[i].h + 2 - 2 * k[i].pad, k[i].w + 2 - 2 * k[i].pad};
        if (k[i].gradient) // of a convolution whose result is x
            b.out[b.n_out++] =
                weir_conv_input_grad(x, input(&b, weir_shape(k[i].cin, 3, 3, k[i].cout)), size, &p);
        else
            b.out[b.n_out++] = weir_conv(x, input(&b, weir_shape(k[i].cout, 3, 3, k[i].cin)), &p);
    }
    weir_program *p = run(&b, (struct weir_compile_params){.winograd = 1}, "winograd_weights", n);
    for (int i = 0; i < n; i++) {
        float *y = result(p, &b, i);
        check_winograd(&k[i], b.leaves[2 * i].data, b.leaves[2 * i + 1].data, y);
        free(y);
    }
    weir_program_destroy(&p);
    p = run(&b, (struct weir_compile_params){.winograd = -1}, "winograd", 0);
    weir_program_destroy(&p);
    end(&b);
}
END_TEST

int main(int argc, char **argv)
{
    setenv("CK_FORK", "no", 1); // OpenCL does not survive a fork on every driver
    const char *what = argc > 3 ? argv[3] : "";
    params = (struct weir_device_params){.log = test_log,
                                         .selector = argc > 1 ? argv[1] : "opencl:0",
                                         .cache_dir = test_path("cache")};
    if (argc > 2 && strcmp(argv[2], "grouped") == 0)
        params.caps_mask = WEIR_CAP_WIDE;
    every = strcmp(what, "every") == 0;
    if (weir_device_open(&params, &dev) != WEIR_OK) {
        printf("1..0 # SKIP no such device here\n");
        return SKIPPED;
    }
    const struct weir_caps *caps = &weir_device_info(dev)->caps;
    bool library = strcmp(what, "library") == 0;
    if (library && !((caps->features | caps->untried) & WEIR_CAP_GEMM)) {
        printf("1..0 # SKIP built without CLBlast\n");
        return SKIPPED;
    }
    test_bound_fast = true;
    int status =
        library ? test_run("fast-library", 0, the_library_is_admitted, the_library_is_within_bounds,
                           the_library_is_a_candidate, the_library_runs_in_loops, the_librarys_scratch_is_planned,
                           long_products_are_cut, the_library_keeps_no_context)
                : test_run("fast-kernels", 0, winograd_is_within_its_bounds);
    fprintf(stderr, "largest error / bound: %.3f\n", worst);
    weir_device_close(&dev);
    return status;
}
