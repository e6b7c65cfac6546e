// SPDX-License-Identifier: Apache-2.0
// Every op row by every one of its cases on one device: the bits of the host's loop nests (all NaNs
// being one value), fused and unfused. All cases of a row are one program. It runs with every
// tensor, intermediates and scratch too, between guards (weir_compile_params.guards), and fused
// once more with memory planned as usual. Memory is poisoned before each run with two patterns in
// turn, and inputs and constants are compared afterwards.
//
//   test-ops-device SELECTOR [MASK [NAME [DUMP]]]
//
// SELECTOR: as weir_device_open takes it; exits 77 where there is no such device. `planned`:
// nothing runs, the kernels of a GPU that is not here are written to DUMP (tests/offline.sh
// compiles them).
// MASK: `all`, or the features to hide: grouped; or with each eighth case only, since they change a
// few lines of the same kernels, nofma, nodiv, noderef, noloops, nosub; `nofma+` takes every case.
// NAME: only this row ("": all). DUMP: the folder for the texts of its compilation.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/compile.h"
#include "support/op_case.h"
#include "support/support.h"

enum { MOST_CASES = 400, SKIPPED = 77 };

static weir_device *dev;
static const char *only, *dump_dir;
static int every = 1; // cases taken: each this many-th
static int parts; // more than launches

struct row_test {
    weir_graph *g;
    int n, n_bindings;
    struct test_op_case cases[MOST_CASES];
    weir_value *outputs[MOST_CASES];
    void *want[MOST_CASES];
    struct weir_binding bindings[MOST_CASES * TEST_MAX_IN];
};

// The expected bits come from a case's own graph, evaluated directly.
static void *expected(const struct weir_op *op, int idx)
{
    struct test_op_case t;
    ck_assert(test_op_case_make(op, idx, &t));
    void *out = calloc((size_t)weir_shape_size(&t.out->type.shape) + 1, 8);
    ck_assert_ptr_nonnull(out);
    test_ok(weir_eval(&t.out, 1, weir_isa_best(), 2, t.leaves, t.c.n_in, &out));
    test_op_case_free(&t);
    return out;
}

static void row_test_make(const struct weir_op *op, struct row_test *r)
{
    test_ok(weir_graph_create(&test_log, &r->g));
    for (int idx = 0; r->n < MOST_CASES; idx += every) {
        struct test_op_case *t = &r->cases[r->n];
        if (!test_op_case_make_in(op, idx, r->g, t))
            break;
        for (int i = 0; i < t->c.n_in; i++)
            r->bindings[r->n_bindings++] = (struct weir_binding) { t->in[i], t->data[i] };
        r->want[r->n] = dev->planned ? NULL : expected(op, idx);
        r->outputs[r->n++] = t->out;
    }
    ck_assert_int_lt(r->n, MOST_CASES);
}

static void row_test_free(struct row_test *r)
{
    for (int i = 0; i < r->n; i++) {
        test_op_case_free(&r->cases[i]);
        free(r->want[i]);
    }
    weir_graph_destroy(&r->g);
    free(r);
}

static void *contents(weir_buf *buf)
{
    void *copy = calloc(1, buf ? buf->size : 1);
    ck_assert_ptr_nonnull(copy);
    if (buf)
        test_ok(weir_buf_read(buf, 0, copy, buf->size));
    return copy;
}

// After `before`, a run must have left the buffer alone.
static void check_untouched(weir_buf *buf, void *before, const char *what, const struct weir_op *op)
{
    void *after = contents(buf);
    ck_assert_msg(!buf || memcmp(before, after, buf->size) == 0, "%s: a run wrote to its %s",
                  op->name, what);
    free(after);
    free(before);
}

static void check_outputs(struct row_test *r, weir_program *p, const struct weir_op *op, bool fused)
{
    for (int i = 0; i < r->n; i++) {
        const struct weir_type *type = &r->outputs[i]->type;
        int64_t n = weir_shape_size(&type->shape);
        size_t size = (size_t)n * weir_dtype_size(type->dtype);
        char text[160], *got = calloc(1, size + 64);
        ck_assert_ptr_nonnull(got);
        memset(got + size, 0x5a, 64);
        test_ok(weir_read(p, i, got));
        for (int k = 0; k < 64; k++)
            ck_assert_msg(got[size + (size_t)k] == 0x5a, "%s: read too much", op->name);
        int64_t bad = test_first_difference(type->dtype, r->want[i], got, n, text, sizeof(text));
        ck_assert_msg(bad < 0,
                      "%s, case %d (%s), %s, element %lld of %lld: host and device have %s",
                      op->name, r->cases[i].idx, r->cases[i].c.label, fused ? "fused" : "unfused",
                      (long long)bad, (long long)n, text);
        free(got);
    }
}

static void run_program(struct row_test *r, const struct weir_op *op, bool fused, bool guards)
{
    // grouped, planned: launches of any size in several parts
    struct weir_compile_params params = { .no_fusion = !fused, .guards = guards, .label = op->name,
                                          .dump_dir = dump_dir, .launch_ms = guards ? 0 : 0.02 };
    weir_program *p = NULL;
    test_ok(weir_compile(dev, r->outputs, r->n, &params, &p));
    if (dev->planned) {
        weir_program_destroy(&p);
        return;
    }
    parts += weir_program_info(p)->parts - weir_program_info(p)->launches;
    static const uint32_t poison[2] = { 0x7fc17fc1u, 0x01010101u };
    for (int k = 0; k < 2; k++) {
        if (p->memory && !guards) // with guards a run does that itself
            test_ok(weir_buf_fill(p->memory, 0, poison[k], p->memory->size & ~(size_t)3));
        void *constants = contents(p->constants), *inputs = NULL;
        if (k == 0) // the first run binds, the second repeats it
            test_ok(weir_run(p, r->bindings, r->n_bindings));
        inputs = contents(p->inputs);
        if (k == 1)
            test_ok(weir_run(p, NULL, 0));
        check_outputs(r, p, op, fused);
        check_untouched(p->constants, constants, "constants", op);
        check_untouched(p->inputs, inputs, "inputs", op);
    }
    weir_program_destroy(&p);
}

static void run_row(const struct weir_op *op, bool fused)
{
    struct row_test *r = calloc(1, sizeof(*r));
    ck_assert_ptr_nonnull(r);
    row_test_make(op, r);
    run_program(r, op, fused, !dev->planned);
    if (fused && !dev->planned)
        run_program(r, op, fused, false);
    row_test_free(r);
}

// After all rows: grouped devices ran launches in parts, others did not.
START_TEST(launches_were_parted)
{
    ck_assert_int_eq(parts > 0, !weir_device_has(dev, WEIR_CAP_WIDE) && !weir_device_is_host(dev));
}
END_TEST

static const struct weir_op *row(int i)
{
    const struct weir_op *op = weir_ops[i];
    return op->cases && (!only || strcmp(only, op->name) == 0) ? op : NULL;
}

START_TEST(fused_has_the_host_bits)
{
    if (row(_i))
        run_row(row(_i), true);
}
END_TEST

// A row of one operation is the same group either way.
START_TEST(unfused_has_the_host_bits)
{
    const struct weir_op *op = row(_i);
    if (op && (op->cls == WEIR_OP_COMPOSITE || op->cls == WEIR_OP_VIEW))
        run_row(op, false);
}
END_TEST

static uint32_t mask_of(const char *name)
{
    static const struct { const char *name; uint32_t mask; } masks[] = {
        { "all", 0 }, { "grouped", WEIR_CAP_WIDE }, { "nofma", WEIR_CAP_FMA },
        { "nodiv", WEIR_CAP_DIV_SQRT }, { "noderef", WEIR_CAP_VECTOR_DEREF },
        { "noloops", WEIR_CAP_LOOP_SUMS },
        { "nosub", WEIR_CAP_SUBGROUPS | WEIR_CAP_FP16 | WEIR_CAP_FP64 } };
    size_t length = strcspn(name, "+");
    for (size_t i = 0; i < WEIR_COUNT(masks); i++)
        if (strlen(masks[i].name) == length && strncmp(masks[i].name, name, length) == 0) {
            every = i < 2 || name[length] ? 1 : 8;
            return masks[i].mask;
        }
    fprintf(stderr, "unknown mask %s\n", name);
    exit(2);
}

static bool open_device(const char *selector, uint32_t mask)
{
    struct weir_device_params params = { .log = test_log,
                                         .caps_mask = mask,
                                         .selector = selector,
                                         .planned =
                                             strcmp(selector, "planned") ? NULL : &weir_caps_gpu };
    enum weir_status status = weir_device_open(&params, &dev);
    if (status == WEIR_NODEVICE)
        return false;
    if (status != WEIR_OK) {
        fprintf(stderr, "%s: %s\n%s\n", selector, weir_status_text(status), test_log_text());
        exit(1);
    }
    return true;
}

int main(int argc, char **argv)
{
    setenv("CK_FORK", "no", 1); // OpenCL does not survive a fork on every driver
    only = argc > 3 && *argv[3] ? argv[3] : NULL;
    dump_dir = argc > 4 ? argv[4] : NULL;
    if (!open_device(argc > 1 ? argv[1] : "host", mask_of(argc > 2 ? argv[2] : "all"))) {
        printf("1..0 # SKIP no such device here\n");
        return SKIPPED;
    }
    int n = 0;
    while (weir_ops[n])
        n++;
    Suite *suite = suite_create("ops-device");
    TCase *fused = tcase_create("fused"), *unfused = tcase_create("unfused");
    tcase_add_loop_test(fused, fused_has_the_host_bits, 0, n);
    tcase_add_loop_test(unfused, unfused_has_the_host_bits, 0, n);
    suite_add_tcase(suite, fused);
    if (!dev->planned) // the texts have the same names
        suite_add_tcase(suite, unfused);
    if (!only && !dev->planned) {
        TCase *after = tcase_create("parts");
        tcase_add_test(after, launches_were_parted);
        suite_add_tcase(suite, after);
    }
    int status = test_main(suite);
    weir_device_close(&dev);
    return status;
}
