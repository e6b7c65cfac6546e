// SPDX-License-Identifier: Apache-2.0
// The OpenCL builds of kernels/scalar.h, one lane and sixteen, against the C build: equal bits (all
// NaNs being one value) over stratified inputs, on the first device that the loader shows. Another
// driver is tested by pointing the loader at its ICD file alone.
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/kernel_text.h"
#include "scalar.h"
#include "support/scalar_cases.h"
#include "support/support.h"

enum { CHUNK = 1 << 16, CHUNKS = 16, DENSE_CHUNKS = 256 };

#define N(name) weir_##name
#define OUT_f(x) weir_as_u(weir_canon_f(x))
#define OUT_i(x) ((uint32_t)(x))
#define OUT_u(x) (x)
#define OUT_b(x) weir_b2u(x)
#define OUT_h(x) ((uint32_t)(x))

#define EXPECT(id, kind, expression)                                                               \
    static uint32_t expect_##id(uint32_t UA, uint32_t UB, uint32_t UC)                             \
    {                                                                                              \
        float A = weir_as_f(UA), B = weir_as_f(UB), C = weir_as_f(UC);                             \
        int32_t IA = (int32_t)UA, IB = (int32_t)UB;                                                \
        int BA = UA & 1, BB = UB & 1;                                                              \
        uint16_t HA = (uint16_t)UA;                                                                \
        int8_t CA = (int8_t)(uint8_t)UA;                                                           \
        (void)A, (void)B, (void)C, (void)IA, (void)IB, (void)BA, (void)BB, (void)HA, (void)CA;     \
        return OUT_##kind(expression);                                                             \
    }
SCALAR_CASES_FLOAT(EXPECT)
SCALAR_CASES_INT(EXPECT)

static const struct {
    const char *id, *kind, *expression;
    uint32_t (*expect)(uint32_t, uint32_t, uint32_t);
} cases[] = {
#define CASE_ROW(id, kind, expression) {#id, #kind, #expression, expect_##id},
    SCALAR_CASES_FLOAT(CASE_ROW) SCALAR_CASES_INT(CASE_ROW)};
#define ONE(id, kind, expression) +1
enum { FLOAT_CASES = 0 SCALAR_CASES_FLOAT(ONE), CASES = sizeof(cases) / sizeof(cases[0]) };

// What the expressions need: one lane, and with WIDE sixteen.
static const char glue[] =
    "#ifdef WIDE\n"
    "#define N(name) weir_##name##v\n"
    "#define T(name) name##16\n"
    "#define OUT_b(x) as_uint16((x) & 1)\n"
    "#else\n"
    "#define N(name) weir_##name\n"
    "#define T(name) name\n"
    "#define OUT_b(x) as_uint(x)\n"
    "#endif\n"
    "#define PASTE(a, b) a##b\n"
    "#define AS(t, x) PASTE(as_, t)(x)\n"
    "#define TO(t, x) PASTE(convert_, t)(x)\n"
    "#define OUT_f(x) AS(T(uint), N(canon_f)(x))\n"
    "#define OUT_i(x) AS(T(uint), x)\n"
    "#define OUT_u(x) (x)\n"
    "#define OUT_h(x) TO(T(uint), x)\n"
    "#define WEIR_CASE(id, kind, expression) \\\n"
    "kernel void id(global const T(uint) *a, global const T(uint) *b, global const T(uint) *c, \\\n"
    "               global T(uint) *out) \\\n"
    "{ size_t i = get_global_id(0); T(uint) UA = a[i], UB = b[i], UC = c[i]; \\\n"
    "  T(float) A = AS(T(float), UA), B = AS(T(float), UB), C = AS(T(float), UC); \\\n"
    "  T(int) IA = AS(T(int), UA), IB = AS(T(int), UB); \\\n"
    "  T(int) BA = (UA & 1u) != 0u, BB = (UB & 1u) != 0u; \\\n"
    "  T(ushort) HA = TO(T(ushort), UA & 0xffffu); \\\n"
    "  T(char) CA = N(i32_to_i8)(IA); \\\n"
    "  out[i] = OUT_##kind(expression); }\n";

static struct {
    cl_context context;
    cl_device_id device;
    cl_command_queue queue;
    cl_mem in[3], out;
    char name[128];
    const char *soft; // build options for what this device's arithmetic lacks
} cl;
static int every; // the slow suite's: nothing is left out for a slow compiler

// Programs of GROUP cases each, built once for all tests that want the same.
enum { GROUP = 20, GROUPS = (CASES + GROUP - 1) / GROUP };
static cl_program plain[2][GROUPS]; // one lane, sixteen; as this device needs it

static int group_end(int first)
{
    return first + GROUP < CASES ? first + GROUP : CASES;
}

static int find_device(void)
{
    cl_platform_id platforms[16];
    cl_uint n = 0;
    if (clGetPlatformIDs(16, platforms, &n) != CL_SUCCESS)
        return 0;
    for (cl_uint i = 0; i < n && i < 16; i++)
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &cl.device, NULL) == CL_SUCCESS)
            return 1;
    return 0;
}

static bool missing; // no device

static void setup(void)
{
    cl_int err;
    missing = !find_device();
    if (missing)
        return;
    clGetDeviceInfo(cl.device, CL_DEVICE_NAME, sizeof(cl.name) - 1, cl.name, NULL);
    cl.context = clCreateContext(NULL, 1, &cl.device, NULL, NULL, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    cl.queue = clCreateCommandQueue(cl.context, cl.device, 0, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    for (int i = 0; i < 3; i++)
        cl.in[i] = clCreateBuffer(cl.context, CL_MEM_READ_ONLY, CHUNK * 4, NULL, &err);
    cl.out = clCreateBuffer(cl.context, CL_MEM_READ_WRITE, CHUNK * 4, NULL, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    cl_device_fp_config fp = 0;
    clGetDeviceInfo(cl.device, CL_DEVICE_SINGLE_FP_CONFIG, sizeof(fp), &fp, NULL);
    cl.soft = fp & CL_FP_FMA ? "" : "-DWEIR_SOFT_FMA";
}

static void teardown(void)
{
    if (!cl.context)
        return;
    for (int i = 0; i < 2 * GROUPS; i++)
        if (plain[i / GROUPS][i % GROUPS])
            clReleaseProgram(plain[i / GROUPS][i % GROUPS]);
    for (int i = 0; i < 3; i++)
        clReleaseMemObject(cl.in[i]);
    clReleaseMemObject(cl.out);
    clReleaseCommandQueue(cl.queue);
    clReleaseContext(cl.context);
    memset(&cl, 0, sizeof(cl));
}

// The program of cases first .. last - 1, which the caller releases.
static cl_program build(int first, int last, int wide, const char *more)
{
    cl_int err;
    const char *texts[2 + CASES];
    char lines[CASES][256];
    int n = 0;
    texts[n++] = weir_kernel_text("scalar.h");
    texts[n++] = glue;
    for (int i = first; i < last; i++) {
        snprintf(lines[i], sizeof(lines[i]), "WEIR_CASE(case_%s, %s, %s)\n", cases[i].id,
                 cases[i].kind, cases[i].expression);
        texts[n++] = lines[i];
    }
    cl_program program = clCreateProgramWithSource(cl.context, (cl_uint)n, texts, NULL, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    char options[256];
    snprintf(options, sizeof(options), "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt %s %s",
             wide ? "-DWIDE" : "", more);
    err = clBuildProgram(program, 1, &cl.device, options, NULL, NULL);
    if (err != CL_SUCCESS) {
        static char log[1 << 16];
        clGetProgramBuildInfo(program, cl.device, CL_PROGRAM_BUILD_LOG, sizeof(log) - 1, log, NULL);
        ck_abort_msg("%s: build failed (%d): %s", cl.name, err, log);
    }
    return program;
}

// The same for a group, kept until the end.
static cl_program build_plain(int first, int wide)
{
    cl_program *program = &plain[wide][first / GROUP];
    if (!*program)
        *program = build(first, group_end(first), wide, cl.soft);
    return *program;
}

// Chunk number `chunk` of inputs: a walks all bit patterns; b and c are near it in every other
// chunk, so that quotients, powers and sums are not all 0 or infinite.
static void fill(uint32_t *a, uint32_t *b, uint32_t *c, int chunk)
{
    static const uint32_t edges[] = {0,           0x80000000u,
                                     1,           0x80000001u,
                                     0x7fffff,    0x800000,
                                     0x3f800000,  0xbf800000u,
                                     0x7f7fffff,  0xff7fffffu,
                                     0x7f800000,  0xff800000u,
                                     0x7fc00000,  0x4b000000,
                                     0x4b800000,  0x5f000000,
                                     0x33800000,  0x42b17218,
                                     0xc2cff1b5u, 0xffffffffu,
                                     0x7fffffff,  2};
    const uint32_t n_edges = sizeof(edges) / sizeof(edges[0]);
    uint64_t state = 0x5ca1ab1eu + (uint64_t)chunk;
    for (uint32_t i = 0; i < CHUNK; i++) {
        uint64_t r = test_next(&state), s = test_next(&state);
        a[i] = (((uint32_t)chunk * CHUNK + i) << 12) | (uint32_t)(r & 0xfff);
        b[i] = chunk & 1 ? a[i] + (uint32_t)((int64_t)(s << 36) >> 36) : (uint32_t)(r >> 32);
        c[i] = chunk & 2 ? b[i] + (uint32_t)((int64_t)(s >> 28 << 36) >> 36) : (uint32_t)(s >> 32);
        if (chunk == 0 && i < n_edges * n_edges) {
            a[i] = edges[i % n_edges];
            b[i] = edges[i / n_edges];
        } else if (chunk % 5 == 4) {
            // Moderate numbers: 2^-6 .. 2^6 in size.
            a[i] = (a[i] & 0x807fffffu) | (121 + (uint32_t)(s % 12)) << 23;
            b[i] = (b[i] & 0x807fffffu) | (121 + (uint32_t)(s / 12 % 12)) << 23;
        }
    }
}

// One in 256 of all bit patterns, 2^24 of them, each drawn from its stratum.
static void fill_dense(uint32_t *a, int chunk)
{
    uint64_t state = 0xde45eu + (uint64_t)chunk;
    for (uint32_t i = 0; i < CHUNK; i++)
        a[i] = (((uint32_t)chunk * CHUNK + i) << 8) | (uint32_t)(test_next(&state) & 0xff);
}

// A function of one float: its text has no second operand.
static int is_unary(int i)
{
    return strchr(cases[i].expression, 'B') == NULL;
}

static void run_kernel(cl_kernel kernel, int wide, uint32_t *got)
{
    for (cl_uint i = 0; i < 4; i++)
        ck_assert_int_eq(clSetKernelArg(kernel, i, sizeof(cl_mem), i < 3 ? &cl.in[i] : &cl.out),
                         CL_SUCCESS);
    memset(got, 0xa5, CHUNK * 4);
    clEnqueueWriteBuffer(cl.queue, cl.out, CL_TRUE, 0, CHUNK * 4, got, 0, NULL, NULL);
    size_t items = wide ? CHUNK / 16 : CHUNK;
    ck_assert_int_eq(clEnqueueNDRangeKernel(cl.queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL),
                     CL_SUCCESS);
    ck_assert_int_eq(
        clEnqueueReadBuffer(cl.queue, cl.out, CL_TRUE, 0, CHUNK * 4, got, 0, NULL, NULL),
        CL_SUCCESS);
}

static uint32_t in[3][CHUNK], got[CHUNK], want[CHUNK];

static void expect_case(int i)
{
#pragma omp parallel for
    for (int j = 0; j < CHUNK; j++)
        want[j] = cases[i].expect(in[0][j], in[1][j], in[2][j]);
}

// The device's results of case i on the inputs in place, against want[].
static long compare_case(cl_program program, int i, int wide, int chunk)
{
    cl_int err;
    char name[64];
    snprintf(name, sizeof(name), "case_%s", cases[i].id);
    cl_kernel kernel = clCreateKernel(program, name, &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    run_kernel(kernel, wide, got);
    clReleaseKernel(kernel);
    long wrong = 0;
    for (int j = 0; j < CHUNK; j++)
        if (got[j] != want[j] && !wrong++)
            printf("# %s, %s x%d, chunk %d, element %d: (%08x %08x %08x) gave %08x, C gives %08x\n",
                   cl.name, cases[i].id, wide ? 16 : 1, chunk, j, in[0][j], in[1][j], in[2][j],
                   got[j], want[j]);
    return wrong;
}

// `more`: other options than the device's own.
static void compare(int cases_used, int wide, int chunks, const char *more)
{
    if (!cl.context) {
        printf("# skipped: no OpenCL device\n");
        return;
    }
    long wrong = 0;
    for (int first = 0; first < cases_used; first += GROUP) {
        int last = group_end(first) < cases_used ? group_end(first) : cases_used;
        cl_program program = more ? build(first, last, wide, more) : build_plain(first, wide);
        for (int chunk = 0; chunk < chunks; chunk++) {
            fill(in[0], in[1], in[2], chunk);
            for (int k = 0; k < 3; k++)
                ck_assert_int_eq(clEnqueueWriteBuffer(cl.queue, cl.in[k], CL_TRUE, 0, CHUNK * 4,
                                                      in[k], 0, NULL, NULL),
                                 CL_SUCCESS);
            for (int i = first; i < last; i++) {
                expect_case(i);
                wrong += compare_case(program, i, wide, chunk);
            }
        }
        if (more)
            clReleaseProgram(program);
    }
    ck_assert_msg(wrong == 0, "%s: %ld results differ from C", cl.name, wrong);
}

static void compare_dense(void)
{
    long wrong = 0;
    int run = 0;
    for (int first = 0; first < FLOAT_CASES; first += GROUP) {
        int last = group_end(first) < FLOAT_CASES ? group_end(first) : FLOAT_CASES;
        for (int chunk = 0; chunk < DENSE_CHUNKS; chunk++) {
            fill_dense(in[0], chunk);
            ck_assert_int_eq(clEnqueueWriteBuffer(cl.queue, cl.in[0], CL_TRUE, 0, CHUNK * 4, in[0],
                                                  0, NULL, NULL),
                             CL_SUCCESS);
            for (int i = first; i < last; i++) {
                if (!is_unary(i))
                    continue;
                expect_case(i);
                for (int wide = 0; wide < 2; wide++)
                    wrong += compare_case(build_plain(first, wide), i, wide, chunk);
                run++;
            }
        }
    }
    ck_assert_msg(wrong == 0, "%s: %ld results differ from C", cl.name, wrong);
    ck_assert_msg(run >= 20 * DENSE_CHUNKS, "%d functions only", run / DENSE_CHUNKS);
}

// Mesa's llvmpipe compiles sixteen lanes slowly and is slow at one: what takes it minutes is the
// slow suite's (an argument "every").
static int slow_compiler(void)
{
    return !every && strstr(cl.name, "llvmpipe") != NULL;
}

START_TEST(one_lane)
{
    compare(CASES, 0, slow_compiler() ? 3 : CHUNKS, NULL);
}
END_TEST

START_TEST(sixteen_lanes)
{
    if (slow_compiler())
        printf("# skipped: sixteen lanes on %s are in the slow suite\n", cl.name);
    else
        compare(CASES, 1, CHUNKS, NULL);
}
END_TEST

// Every function of one float over 2^24 inputs, as tests/test_scalar.c has it for C against the
// oracle.
START_TEST(dense)
{
    if (!cl.context || slow_compiler())
        printf("# skipped: %s\n",
               cl.context ? "2^24 inputs are in the slow suite" : "no OpenCL device");
    else
        compare_dense();
}
END_TEST

// The routines for lesser devices give the same bits everywhere else too.
START_TEST(soft_one_lane)
{
    if (!slow_compiler())
        compare(FLOAT_CASES, 0, 2, "-DWEIR_SOFT_FMA -DWEIR_SOFT_DIV");
}
END_TEST

// Sixteen lanes at once, and the normals that are made 64 at a time, equal the elements one by one.
START_TEST(rows_of_sixteen)
{
    static const char text[] =
        "kernel void case_rows(global const uint *a, global const uint *b, global const uint *c,\n"
        "                      global uint *out)\n"
        "{ size_t i = get_global_id(0) * 128; uint e = a[i] & ~15u;\n"
        "  vstore16(weir_random_word16(e, b[i], c[i], 7u, 8u, 9u), 0, out + i);\n"
        "  vstore16(as_uint16(weir_random_normal16(e, b[i], c[i], 7u, 8u, 9u)), 0, out + i + 16);\n"
        "  weir_normals n; n.begin = -1;\n"
        "  for (int k = 0; k < 4; k++)\n"
        "    vstore16(as_uint16(weir_random_normals(&n, 7 + 16 * k, (e & ~63u) + 16 * k, b[i], c[i],\n"
        "                                           7u, 8u, 9u)), k, out + i + 64); }\n";
    if (!cl.context || slow_compiler())
        return;
    cl_int err;
    const char *texts[] = {weir_kernel_text("scalar.h"), text};
    cl_program program = clCreateProgramWithSource(cl.context, 2, texts, NULL, &err);
    char options[128];
    snprintf(options, sizeof(options), "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt %s",
             cl.soft);
    ck_assert_int_eq(clBuildProgram(program, 1, &cl.device, options, NULL, NULL), CL_SUCCESS);
    cl_kernel kernel = clCreateKernel(program, "case_rows", &err);
    ck_assert_int_eq(err, CL_SUCCESS);
    fill(in[0], in[1], in[2], 3);
    for (int k = 0; k < 3; k++)
        clEnqueueWriteBuffer(cl.queue, cl.in[k], CL_TRUE, 0, CHUNK * 4, in[k], 0, NULL, NULL);
    for (cl_uint i = 0; i < 4; i++)
        clSetKernelArg(kernel, i, sizeof(cl_mem), i < 3 ? &cl.in[i] : &cl.out);
    size_t items = CHUNK / 128;
    clEnqueueNDRangeKernel(cl.queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL);
    clEnqueueReadBuffer(cl.queue, cl.out, CL_TRUE, 0, CHUNK * 4, got, 0, NULL, NULL);
    for (uint32_t i = 0; i < CHUNK; i += 128)
        for (uint32_t lane = 0; lane < 64; lane++) {
            uint32_t e = (in[0][i] & ~15u) + lane, b = in[1][i], c = in[2][i];
            uint32_t of_64 = (in[0][i] & ~63u) + lane;
            if ((lane < 16 && (got[i + lane] != weir_random_word(e, b, c, 7, 8, 9) ||
                               got[i + 16 + lane] !=
                                   weir_as_u(weir_random_normal_f(e, b, c, 7, 8, 9)))) ||
                got[i + 64 + lane] != weir_as_u(weir_random_normal_f(of_64, b, c, 7, 8, 9)))
                ck_abort_msg("element %u of row %u, step %u", e, b, c);
        }
    clReleaseKernel(kernel);
    clReleaseProgram(program);
}
END_TEST

int main(int argc, char **argv)
{
    every = argc > 1 && strcmp(argv[1], "every") == 0;
    Suite *suite = suite_create("scalar-cl");
    TCase *tcase = tcase_create("bits");
    tcase_set_timeout(tcase, 0);
    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, one_lane);
    tcase_add_test(tcase, sixteen_lanes);
    tcase_add_test(tcase, dense);
    tcase_add_test(tcase, soft_one_lane);
    tcase_add_test(tcase, rows_of_sixteen);
    suite_add_tcase(suite, tcase);
    int status = test_main(suite);
    return missing && !status ? TEST_SKIPPED : status;
}
