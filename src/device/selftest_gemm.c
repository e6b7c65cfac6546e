// SPDX-License-Identifier: Apache-2.0
// Admission of a device's library (WEIR_CAP_GEMM): products of every way to store the operands,
// small and large (libraries have other kernels for each), against C within the bound of fast mode.
// It is tried when a program first wants it and not when the device is opened, because a library
// may compile for a minute; the outcome is kept beside that of the self-test.
#include "device/selftest_gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device/cache.h"

enum { MOST_SIDE = 2048 };
#define UNWRITTEN 0x7fabcdefu // a NaN that no product gives

static struct weir_cache_key key_of(const weir_device *dev)
{
    struct weir_cache_hasher hasher;
    weir_cache_hasher_init(&hasher, dev);
    weir_cache_hasher_add(&hasher, "products by a library, trial 1"); // 2 for another trial
    return weir_cache_hasher_key(&hasher);
}

static void decide(weir_device *dev, bool good)
{
    struct weir_caps *caps = &dev->info.caps;
    caps->untried &= ~(uint32_t)WEIR_CAP_GEMM;
    caps->features =
        good ? caps->features | WEIR_CAP_GEMM : caps->features & ~(uint32_t)WEIR_CAP_GEMM;
}

void weir_selftest_gemm_recall(weir_device *dev)
{
    char *data;
    size_t size;
    if (!(dev->info.caps.untried & WEIR_CAP_GEMM) ||
        !weir_cache_load(dev, "library", key_of(dev), &data, &size))
        return;
    if (size == 1 && (data[0] == 0 || data[0] == 1))
        decide(dev, data[0]);
    free(data);
}

// One operand or result of a trial: where the matrices lie in it.
struct matrix {
    weir_buf *buf;
    float *x;
    size_t n;
};

struct trial {
    weir_device *dev;
    struct weir_gemm g;
    struct matrix a, b, c;
    weir_buf *scratch;
};

static void trial_finish(struct trial *t)
{
    struct matrix *all[] = {&t->a, &t->b, &t->c};
    for (int i = 0; i < 3; i++) {
        weir_buf_destroy(&all[i]->buf);
        free(all[i]->x);
    }
    weir_buf_destroy(&t->scratch);
}

// Numbers in [-1/2, 1/2), so that products of any two matrices are of one size; `salt` tells
// matrices apart.
static enum weir_status make(struct trial *t, struct matrix *m, int64_t n, uint32_t salt)
{
    m->n = (size_t)n;
    m->x = malloc(m->n * sizeof *m->x);
    if (!m->x)
        return WEIR_NOMEM;
    for (size_t i = 0; i < m->n; i++) {
        uint32_t h = ((uint32_t)i + salt) * 2654435761u;
        h ^= h >> 15;
        m->x[i] = (float)(h * 2246822519u >> 8) * 0x1p-24f - .5f;
    }
    enum weir_status status = weir_buf_create(t->dev, m->n * sizeof *m->x, &m->buf);
    return status == WEIR_OK ? weir_buf_write(m->buf, 0, m->x, m->n * sizeof *m->x) : status;
}

static enum weir_status trial_init(struct trial *t)
{
    const struct weir_gemm *g = &t->g;
    size_t scratch = 0;
    enum weir_status status = make(t, &t->a, g->batch * g->batch_a, 1);
    if (status == WEIR_OK)
        status = make(t, &t->b, g->batch * g->batch_b, 0x9e3779b9u);
    if (status == WEIR_OK)
        status = make(t, &t->c, g->batch * g->batch_c, 0);
    if (status == WEIR_OK)
        status = weir_buf_fill(t->c.buf, 0, UNWRITTEN, t->c.n * sizeof(float));
    if (status == WEIR_OK)
        status = weir_gemm_scratch(t->dev, g, &scratch);
    return status == WEIR_OK && scratch ? weir_buf_create(t->dev, scratch, &t->scratch) : status;
}

static enum weir_status trial_run(struct trial *t)
{
    weir_list *list = NULL;
    struct weir_launch l = {.gemm = &t->g, .n_bufs = t->scratch ? 4 : 3, .label = "library trial"};
    weir_buf *const bufs[] = {t->a.buf, t->b.buf, t->c.buf, t->scratch};
    for (int i = 0; i < l.n_bufs; i++) {
        l.bufs[i] = (struct weir_buf_ref){.buf = bufs[i], .elem_size = sizeof(float)};
        l.buf_size[i] = bufs[i]->size;
    }
    enum weir_status status = weir_list_record(t->dev, &l, 1, &list);
    if (status == WEIR_OK)
        status = weir_list_replay(t->dev, list);
    if (status == WEIR_OK)
        status = weir_buf_read(t->c.buf, 0, t->c.x, t->c.n * sizeof(float));
    weir_list_destroy(t->dev, &list);
    return status;
}

// Element (row, col) of product z within (k + 2) u sum |a||b| (docs/numerics.md, section 15).
static bool element_good(const struct trial *t, int64_t z, int64_t row, int64_t col)
{
    const struct weir_gemm *g = &t->g;
    const float *a = t->a.x + z * g->batch_a + row * (g->ta ? 1 : g->lda);
    const float *b = t->b.x + z * g->batch_b + col * (g->tb ? g->ldb : 1);
    const int64_t a_step = g->ta ? g->lda : 1, b_step = g->tb ? 1 : g->ldb;
    double sum = 0, size = 0;
    for (int64_t i = 0; i < g->k; i++) {
        const double term = (double)a[i * a_step] * (double)b[i * b_step];
        sum += term;
        size += fabs(term);
    }
    const double got = (double)t->c.x[z * g->batch_c + row * g->ldc + col];
    return fabs(got - sum) <= (double)(g->k + 2) * 0x1p-24 * size; // false for a NaN
}

static bool untouched(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits == UNWRITTEN;
}

// All that lies between and behind the rows, and of large products every 61st result and the last
// rows and columns, so that some of every tile are looked at.
static bool product_good(const struct trial *t, int64_t z)
{
    const struct weir_gemm *g = &t->g;
    const bool all = g->m * g->n <= 1 << 14;
    for (int64_t i = 0; i < g->batch_c; i++) {
        const int64_t row = i / g->ldc, col = i % g->ldc;
        if (row >= g->m || col >= g->n) {
            if (!untouched(t->c.x[z * g->batch_c + i]))
                return false;
        } else if ((all || (row * 7 + col) % 61 == 0 || row + 2 >= g->m || col + 2 >= g->n) &&
                   !element_good(t, z, row, col))
            return false;
    }
    return true;
}

// Odd distances everywhere; the small ones two at a time, in two parts.
static struct weir_gemm shape_of(int64_t m, int64_t n, int64_t k, bool ta, bool tb, bool small)
{
    struct weir_gemm g = {.m = m, .n = n, .k = k, .batch = small ? 2 : 1, .ta = ta, .tb = tb};
    g.lda = (ta ? m : k) + 3;
    g.ldb = (tb ? k : n) + 1;
    g.ldc = n + 5;
    g.batch_a = g.lda * (ta ? k : m) + 2;
    g.batch_b = g.ldb * (tb ? n : k) + 7;
    g.batch_c = g.ldc * m + 4;
    g.rows = small ? m / 2 + 1 : 0;
    return g;
}

static enum weir_status try_one(weir_device *dev, const struct weir_gemm *g, bool *good)
{
    struct trial t = {.dev = dev, .g = *g};
    enum weir_status status = trial_init(&t);
    if (status == WEIR_OK)
        status = trial_run(&t);
    for (int64_t z = 0; z < g->batch && status == WEIR_OK; z++)
        *good = *good && product_good(&t, z);
    trial_finish(&t);
    return status;
}

// The least size from which the library wants scratch, which is where it has other kernels; 0: it
// never does.
static enum weir_status large_side(weir_device *dev, int64_t *side)
{
    *side = 0;
    for (int64_t s = 64; s <= MOST_SIDE; s *= 2) {
        struct weir_gemm g = shape_of(s + 1, s + 3, s + 7, false, false, false);
        size_t scratch = 0;
        enum weir_status status = weir_gemm_scratch(dev, &g, &scratch);
        if (status != WEIR_OK || scratch) {
            *side = s;
            return status;
        }
    }
    return WEIR_OK;
}

static enum weir_status try_all(weir_device *dev, bool *good)
{
    int64_t side;
    enum weir_status status = large_side(dev, &side);
    *good = true;
    for (int way = 0; way < 4 && status == WEIR_OK && *good; way++) {
        const bool ta = way & 1, tb = way & 2;
        struct weir_gemm g = shape_of(37, 53, 29, ta, tb, true);
        status = try_one(dev, &g, good);
        g = shape_of(side + 1, side + 3, side + 7, ta, tb, false);
        if (status == WEIR_OK && *good && side)
            status = try_one(dev, &g, good);
    }
    return status;
}

bool weir_device_admits_gemm(weir_device *dev)
{
    if (!(dev->info.caps.untried & WEIR_CAP_GEMM))
        return weir_device_has(dev, WEIR_CAP_GEMM);
    // What the driver says about a feature that is not there is not shown; what is decided is.
    struct weir_log log = dev->log;
    bool good = false;
    weir_logf(&log, WEIR_LOG_INFO,
              "%s: trying its library of matrix products, which may take a minute once",
              dev->info.name);
    dev->log.callback = NULL;
    decide(dev, true); // only for the trial
    enum weir_status status = try_all(dev, &good);
    dev->log = log;
    decide(dev, good && status == WEIR_OK);
    if (status != WEIR_OK || !good)
        weir_logf(&log, WEIR_LOG_WARN, "%s: its library of matrix products is not used: %s",
                  dev->info.name,
                  status == WEIR_OK ? "its results are wrong" : weir_status_text(status));
    const char kept = good && status == WEIR_OK;
    if (status != WEIR_NOMEM) // which may pass
        weir_cache_store(dev, "library", key_of(dev), &kept, 1);
    return kept;
}
