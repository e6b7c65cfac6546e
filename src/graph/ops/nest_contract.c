// SPDX-License-Identifier: Apache-2.0
// Loop nests of the contractions. All four are C(m, n) = sum_k A(m, k) B(k, n) by the contraction
// rule (docs/numerics.md): fma chains from +0 over chunks of 512 terms in K order, chunk results
// added to +0 in order. What differs is where A's elements lie, which `pack` knows:
//
//                   m              k              n     A        B
//   matmul          row            column         col   a        b
//   conv            (n, o..)       (tap.., ci)    co    x        w
//   conv, dx        (n, i..)       (tap.., co)    ci    dy       w
//   conv, dw        (tap.., ci)    (n, o..)       co    x        dy
//
// Absent elements (padding, stride holes) are fed as 0. Blocks of rows are packed and multiplied in
// MR x NR register tiles; no tile, block or thread changes the order of a sum. 16-bit operands are
// copied to f32 first.
#include "graph/ops/nest_math.h"
#include "graph/ops/nest_widen.h"

enum {
    KC = WEIR_K_CHUNK,
    MB = 96,             // rows a task packs at once
    NR = 32,             // columns of a register tile
    MIN_TERMS = 1 << 18, // below, starting threads costs more than they bring
    NARROW = 4,          // columns of the one for thin matrices
#ifdef __AVX512F__
    MR = 6, // rows of a register tile: accumulators fill the register file
#else
    MR = 3,
#endif
};

// A convolution with its spatial axes padded to three by leading axes of extent 1.
struct conv {
    int64_t batch, groups, cin, cout; // channels of x and of y in a group
    int64_t in[3], out[3], ker[3], stride[3], dilation[3], pad[3];
    weir_real *x, *y, *w;        // one of them is written; y also is the cotangent
    int64_t sx[5], sy[5], sw[5]; // element strides: (n, spatial.., c); w: (co, tap.., ci)
};

struct job {
    int64_t m, n, k;
    void (*pack)(const struct job *j, int64_t m0, int rows, int64_t k0, int kn, weir_real *dst);
    int64_t (*b_row)(const struct job *j, int64_t k); // offsets of rows of B and C
    int64_t (*c_row)(const struct job *j, int64_t m);
    const weir_real *b;
    weir_real *c;
    int64_t bn, cn; // column strides of B and C
    int64_t bk;     // row stride of B where it has one (b may be read in place), else 0
    const weir_real *a;
    int64_t am, ak, cm; // matmul: strides of A, row stride of C
    struct conv conv;
};

// Packed A: strips of MR rows, k major inside. `dst` is zeroed by the caller where rows end a strip
// early.
static inline weir_real *packed(weir_real *dst, int kn, int r)
{
    return dst + (int64_t)(r / MR) * kn * MR + r % MR;
}

static void pack_matmul(const struct job *j, int64_t m0, int rows, int64_t k0, int kn,
                        weir_real *dst)
{
    for (int r = 0; r < rows; r++) {
        const weir_real *src = j->a + (m0 + r) * j->am + k0 * j->ak;
        weir_real *to = packed(dst, kn, r);
        for (int k = 0; k < kn; k++)
            to[k * MR] = src[k * j->ak];
    }
}

static int64_t b_matmul(const struct job *j, int64_t k)
{
    return k * j->bk;
}

static int64_t c_matmul(const struct job *j, int64_t m)
{
    return m * j->cm;
}

// i -> (i / (d1 d2), (i / d2) % d1, i % d2): which image or tap, and where in it.
static inline int64_t split3(int64_t i, const int64_t *dim, int64_t *at)
{
    for (int a = 2; a >= 0; a--) {
        at[a] = i % dim[a];
        i /= dim[a];
    }
    return i;
}

// Where an output position and a tap meet in x; NULL in the padding.
static inline const weir_real *x_at(const struct conv *c, int64_t n, const int64_t *o,
                                    const int64_t *tap)
{
    const weir_real *p = c->x + n * c->sx[0];
    for (int a = 0; a < 3; a++) {
        int64_t i = o[a] * c->stride[a] + tap[a] * c->dilation[a] - c->pad[a];
        if (i < 0 || i >= c->in[a])
            return NULL;
        p += i * c->sx[a + 1];
    }
    return p;
}

// Where an input position and a tap meet in y; NULL outside and between strides.
static inline const weir_real *y_at(const struct conv *c, int64_t n, const int64_t *i,
                                    const int64_t *tap)
{
    const weir_real *p = c->y + n * c->sy[0];
    for (int a = 0; a < 3; a++) {
        int64_t o = i[a] + c->pad[a] - tap[a] * c->dilation[a];
        if (o < 0 || o % c->stride[a] || o / c->stride[a] >= c->out[a])
            return NULL;
        p += o / c->stride[a] * c->sy[a + 1];
    }
    return p;
}

// Rows are positions, k runs over (tap, channel): forward (of x) and input gradient (of y).
static inline void pack_positions(const struct job *j, bool forward, int64_t m0, int rows,
                                  int64_t k0, int kn, weir_real *dst)
{
    const struct conv *c = &j->conv;
    int64_t channels = forward ? c->cin : c->cout, step = forward ? c->sx[4] : c->sy[4];
    for (int r = 0; r < rows; r++) {
        int64_t at[3], tap[3], n = split3(m0 + r, forward ? c->out : c->in, at);
        weir_real *to = packed(dst, kn, r);
        for (int k = 0; k < kn;) {
            int64_t ch = (k0 + k) % channels;
            split3((k0 + k) / channels, c->ker, tap);
            int run = channels - ch < kn - k ? (int)(channels - ch) : kn - k;
            const weir_real *src = forward ? x_at(c, n, at, tap) : y_at(c, n, at, tap);
            for (int i = 0; i < run; i++)
                to[(k + i) * MR] = src ? src[(ch + i) * step] : 0;
            k += run;
        }
    }
}

static void pack_forward(const struct job *j, int64_t m0, int rows, int64_t k0, int kn,
                         weir_real *dst)
{
    pack_positions(j, true, m0, rows, k0, kn, dst);
}

static void pack_input_grad(const struct job *j, int64_t m0, int rows, int64_t k0, int kn,
                            weir_real *dst)
{
    pack_positions(j, false, m0, rows, k0, kn, dst);
}

// Rows are (tap, channel) of x, k runs over output positions: weight gradient.
static void pack_weight_grad(const struct job *j, int64_t m0, int rows, int64_t k0, int kn,
                             weir_real *dst)
{
    const struct conv *c = &j->conv;
    for (int r = 0; r < rows;) {
        int64_t tap[3], ch = (m0 + r) % c->cin;
        split3((m0 + r) / c->cin, c->ker, tap);
        int run = c->cin - ch < rows - r ? (int)(c->cin - ch) : rows - r;
        for (int k = 0; k < kn; k++) {
            int64_t o[3], n = split3(k0 + k, c->out, o);
            const weir_real *src = x_at(c, n, o, tap);
            for (int i = 0; i < run; i++)
                packed(dst, kn, r + i)[k * MR] = src ? src[(ch + i) * c->sx[4]] : 0;
        }
        r += run;
    }
}

// Offsets of a position (n, i..) in x or y, and of a (tap.., channel) in w.
static int64_t position(int64_t m, const int64_t *dim, const int64_t *stride)
{
    int64_t at[3], n = split3(m, dim, at);
    return n * stride[0] + at[0] * stride[1] + at[1] * stride[2] + at[2] * stride[3];
}

static int64_t at_x(const struct job *j, int64_t m)
{
    return position(m, j->conv.in, j->conv.sx);
}

static int64_t at_y(const struct job *j, int64_t m)
{
    return position(m, j->conv.out, j->conv.sy);
}

static int64_t at_w(const struct job *j, int64_t m)
{
    const struct conv *c = &j->conv;
    return position(m / c->cin, c->ker, c->sw) + m % c->cin * c->sw[4];
}

static int64_t at_w_out(const struct job *j, int64_t m)
{
    const struct conv *c = &j->conv;
    return position(m / c->cout, c->ker, c->sw) + m % c->cout * c->sw[0];
}

// One register tile over one chunk of K: acc = the chains of MR rows and `width` columns.
static inline void chains(const weir_real *a, const weir_real *b, int64_t ldb, int kn, int width,
                          weir_real (*acc)[NR])
{
    weir_real t[MR][NR];
    for (int r = 0; r < MR; r++)
        for (int i = 0; i < width; i++)
            t[r][i] = 0;
    for (int k = 0; k < kn; k++)
        for (int r = 0; r < MR; r++)
            for (int i = 0; i < width; i++)
                t[r][i] = real_fma(a[k * MR + r], b[k * ldb + i], t[r][i]);
    for (int r = 0; r < MR; r++)
        for (int i = 0; i < width; i++)
            acc[r][i] = t[r][i];
}

// Columns [n0, n0 + cols) of rows [0, rows) of a block, one chunk of K. b_row, c_row: offsets.
static void columns(const struct job *j, const weir_real *a, const int64_t *b_row,
                    const int64_t *c_row, int rows, bool first, int kn, int64_t n0, int cols)
{
    weir_real copy[KC * NR], acc[MR][NR];
    const weir_real *b = j->b + n0 * j->bn;
    int width = cols <= NARROW ? NARROW : NR;
    int64_t ldb = j->bk;
    if (cols == NR && j->bn == 1 && j->bk) {
        b += b_row[0];
    } else {
        for (int i = 0; i < width; i++)
            for (int k = 0; k < kn; k++)
                copy[k * width + i] = i < cols ? b[b_row[k] + i * j->bn] : 0;
        b = copy;
        ldb = width;
    }
    for (int r0 = 0; r0 < rows; r0 += MR) {
        if (width == NARROW)
            chains(a + (int64_t)r0 * kn, b, ldb, kn, NARROW, acc);
        else
            chains(a + (int64_t)r0 * kn, b, ldb, kn, NR, acc);
        for (int r = 0; r < MR && r0 + r < rows; r++) {
            weir_real *c = j->c + c_row[r0 + r] + n0 * j->cn;
            for (int i = 0; i < cols; i++)
                c[i * j->cn] = (first ? 0 : c[i * j->cn]) + acc[r][i];
        }
    }
}

static void block(const struct job *j, int64_t m0, int rows)
{
    weir_real a[KC * MB];
    int64_t b_row[KC], c_row[MB];
    for (int r = 0; r < rows; r++)
        c_row[r] = j->c_row(j, m0 + r);
    for (int64_t k0 = 0; k0 < j->k; k0 += KC) {
        int kn = j->k - k0 < KC ? (int)(j->k - k0) : KC;
        for (int k = 0; k < kn; k++)
            b_row[k] = j->b_row(j, k0 + k);
        if (rows % MR)
            memset(packed(a, kn, rows / MR * MR), 0, sizeof(*a) * (size_t)kn * MR);
        j->pack(j, m0, rows, k0, kn, a);
        for (int64_t n0 = 0; n0 < j->n; n0 += NR)
            columns(j, a, b_row, c_row, rows, k0 == 0, kn, n0,
                    j->n - n0 < NR ? (int)(j->n - n0) : NR);
    }
    for (int r = 0; j->k == 0 && r < rows; r++)
        for (int64_t i = 0; i < j->n; i++)
            j->c[c_row[r] + i * j->cn] = 0;
}

// n_jobs contractions of the same extents: job i is made by make(ctx, i, job).
static void run_jobs(int64_t n_jobs, int64_t m,
                     void (*make)(const void *ctx, int64_t i, struct job *j), const void *ctx,
                     int threads)
{
    int rows = MB;
    if (n_jobs * m == 0)
        return;
    struct job first = {0};
    make(ctx, 0, &first);
    if (n_jobs * m * first.n * first.k < MIN_TERMS)
        threads = 1;
    while (rows > MR && n_jobs * ((m + rows - 1) / rows) < 2 * threads)
        rows -= MR;
    int64_t blocks = (m + rows - 1) / rows;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t t = 0; t < n_jobs * blocks; t++) {
        struct job j = {0};
        int64_t m0 = t % blocks * rows;
        make(ctx, t / blocks, &j);
        block(&j, m0, m - m0 < rows ? (int)(m - m0) : rows);
    }
}

// --- matmul ---

struct matmul {
    const struct weir_nd *a, *b, *c;
    void *const *ptr;
    bool ta, tb;
};

// The offset of batch element i (of c's leading axes) in a matrix stack that broadcasts against it.
static int64_t batch_offset(const struct weir_nd *c, const struct weir_nd *t, int64_t i)
{
    int64_t offset = 0;
    for (int axis = c->rank - 3; axis >= 0; axis--) {
        int at = axis - (c->rank - t->rank);
        if (at >= 0 && t->dim[at] != 1)
            offset += i % c->dim[axis] * t->stride[at];
        i /= c->dim[axis];
    }
    return offset;
}

static void make_matmul(const void *ctx, int64_t i, struct job *j)
{
    const struct matmul *mm = ctx;
    const struct weir_nd *a = mm->a, *b = mm->b, *c = mm->c;
    int ar = a->rank - 2, br = b->rank - 2, cr = c->rank - 2;
    *j = (struct job){
        .m = c->dim[cr],
        .n = c->dim[cr + 1],
        .k = a->dim[ar + !mm->ta],
        .pack = pack_matmul,
        .b_row = b_matmul,
        .c_row = c_matmul,
        .a = (const weir_real *)mm->ptr[0] + batch_offset(c, a, i),
        .b = (const weir_real *)mm->ptr[1] + batch_offset(c, b, i),
        .c = (weir_real *)mm->ptr[2] + batch_offset(c, c, i),
        .am = a->stride[ar + mm->ta],
        .ak = a->stride[ar + !mm->ta],
        .bk = b->stride[br + mm->tb],
        .bn = b->stride[br + !mm->tb],
        .cm = c->stride[cr],
        .cn = c->stride[cr + 1],
    };
}

// i8 operands, i32 sums that wrap: any order gives the same bits.
static void matmul_i8(const struct matmul *mm, int64_t batch, int threads)
{
    const struct weir_nd *a = mm->a, *b = mm->b, *c = mm->c;
    int ar = a->rank - 2, br = b->rank - 2, cr = c->rank - 2;
    int64_t m = c->dim[cr], n = c->dim[cr + 1], k = a->dim[ar + !mm->ta];
    int64_t sa = a->stride[ar + !mm->ta], sb = b->stride[br + mm->tb], sn = b->stride[br + !mm->tb];
#pragma omp parallel for num_threads(threads)
    for (int64_t t = 0; t < batch * m; t++) {
        const int8_t *pa =
            (const int8_t *)mm->ptr[0] + batch_offset(c, a, t / m) + t % m * a->stride[ar + mm->ta];
        const int8_t *pb = (const int8_t *)mm->ptr[1] + batch_offset(c, b, t / m);
        int32_t *pc = (int32_t *)mm->ptr[2] + batch_offset(c, c, t / m) + t % m * c->stride[cr];
        for (int64_t i = 0; i < n; i++) {
            uint32_t sum = 0;
            for (int64_t p = 0; p < k; p++)
                sum += (uint32_t)((int32_t)pa[p * sa] * pb[p * sb + i * sn]);
            pc[i * c->stride[cr + 1]] = (int32_t)sum;
        }
    }
}

WEIR_NEST(matmul)
{
    const struct weir_nest_call *call = desc;
    struct weir_nd nd[3];
    void *wide[3];
    widen_operands(call, ptr, nd, wide);
    struct matmul mm = {&nd[0], &nd[1], &nd[2], wide, call->attrs.matmul.ta, call->attrs.matmul.tb};
    int64_t batch = 1;
    for (int i = 0; i < mm.c->rank - 2; i++)
        batch *= mm.c->dim[i];
    if (mm.a->dtype == WEIR_I8)
        matmul_i8(&mm, batch, call->threads);
    else
        run_jobs(batch, mm.c->dim[mm.c->rank - 2], make_matmul, &mm, call->threads);
}

// --- convolutions ---

// (n, spatial.., c) -> five extents and strides.
static void five(const struct weir_nd *t, int64_t *dim, int64_t *stride)
{
    int nd = t->rank - 2;
    for (int a = 0; a < 5; a++) {
        dim[a] = 1;
        stride[a] = 0;
    }
    dim[0] = t->dim[0], stride[0] = t->stride[0];
    for (int a = 0; a <= nd; a++) {
        dim[4 - a] = t->dim[t->rank - 1 - a];
        stride[4 - a] = t->stride[t->rank - 1 - a];
    }
}

static void conv_init(struct conv *c, const struct weir_nd *x, const struct weir_nd *w,
                      const struct weir_nd *y, const struct weir_conv_attrs *attrs)
{
    int64_t dx[5], dw[5], dy[5];
    five(x, dx, c->sx);
    five(w, dw, c->sw);
    five(y, dy, c->sy);
    c->batch = dx[0];
    c->groups = attrs->groups;
    c->cin = dw[4];
    c->cout = dw[0] / attrs->groups;
    int lead = 3 - attrs->nd;
    for (int a = 0; a < 3; a++) {
        c->in[a] = dx[a + 1];
        c->ker[a] = dw[a + 1];
        c->out[a] = dy[a + 1];
        c->stride[a] = a < lead ? 1 : attrs->stride[a - lead];
        c->dilation[a] = a < lead ? 1 : attrs->dilation[a - lead];
        c->pad[a] = a < lead ? 0 : attrs->pad_lo[a - lead];
    }
}

// A group is a job of its own: its pointers are moved to its channels.
static void conv_group(const void *ctx, int64_t g, struct job *j)
{
    j->conv = *(const struct conv *)ctx;
    j->conv.x += g * j->conv.cin * j->conv.sx[4];
    j->conv.y += g * j->conv.cout * j->conv.sy[4];
    j->conv.w += g * j->conv.cout * j->conv.sw[0];
}

static int64_t positions(const struct conv *c, const int64_t *dim)
{
    return c->batch * dim[0] * dim[1] * dim[2];
}

static int64_t taps(const struct conv *c)
{
    return c->ker[0] * c->ker[1] * c->ker[2];
}

static void make_forward(const void *ctx, int64_t g, struct job *j)
{
    conv_group(ctx, g, j);
    const struct conv *c = &j->conv;
    j->m = positions(c, c->out), j->n = c->cout, j->k = taps(c) * c->cin;
    j->pack = pack_forward;
    j->b_row = at_w, j->b = c->w, j->bn = c->sw[0];
    j->c_row = at_y, j->c = c->y, j->cn = c->sy[4];
}

static void make_input_grad(const void *ctx, int64_t g, struct job *j)
{
    conv_group(ctx, g, j);
    const struct conv *c = &j->conv;
    j->m = positions(c, c->in), j->n = c->cin, j->k = taps(c) * c->cout;
    j->pack = pack_input_grad;
    j->b_row = at_w_out, j->b = c->w, j->bn = c->sw[4];
    j->c_row = at_x, j->c = c->x, j->cn = c->sx[4];
}

static void make_weight_grad(const void *ctx, int64_t g, struct job *j)
{
    conv_group(ctx, g, j);
    const struct conv *c = &j->conv;
    j->m = taps(c) * c->cin, j->n = c->cout, j->k = positions(c, c->out);
    j->pack = pack_weight_grad;
    j->b_row = at_y, j->b = c->y, j->bn = c->sy[4];
    j->c_row = at_w, j->c = c->w, j->cn = c->sw[0];
}

WEIR_NEST(conv)
{
    const struct weir_nest_call *call = desc;
    struct weir_nd nd[3];
    void *wide[3];
    widen_operands(call, ptr, nd, wide);
    struct conv c = {.x = wide[0], .w = wide[1], .y = wide[2]};
    conv_init(&c, &nd[0], &nd[1], &nd[2], &call->attrs.conv);
    run_jobs(c.groups, positions(&c, c.out), make_forward, &c, call->threads);
}

WEIR_NEST(conv_input_grad)
{
    const struct weir_nest_call *call = desc;
    struct weir_nd nd[3];
    void *wide[3];
    widen_operands(call, ptr, nd, wide);
    struct conv c = {.y = wide[0], .w = wide[1], .x = wide[2]};
    conv_init(&c, &nd[2], &nd[1], &nd[0], &call->attrs.conv);
    run_jobs(c.groups, positions(&c, c.in), make_input_grad, &c, call->threads);
}

WEIR_NEST(conv_weight_grad)
{
    const struct weir_nest_call *call = desc;
    struct weir_nd nd[3];
    void *wide[3];
    widen_operands(call, ptr, nd, wide);
    struct conv c = {.x = wide[0], .y = wide[1], .w = wide[2]};
    conv_init(&c, &nd[0], &nd[2], &nd[1], &call->attrs.conv);
    run_jobs(c.groups, taps(&c) * c.cin, make_weight_grad, &c, call->threads);
}
