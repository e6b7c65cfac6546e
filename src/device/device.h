// SPDX-License-Identifier: Apache-2.0
// The device layer's inside: one vtable, a validating front end (device.c), backends that trust it.
// To add a backend: one folder with a weir_backend row, one line in weir_backends[] (device.c).
#ifndef WEIR_DEVICE_DEVICE_H
#define WEIR_DEVICE_DEVICE_H

#include "weir/device.h"

typedef struct weir_buf weir_buf;       // device memory
typedef struct weir_module weir_module; // compiled kernels of one source text
typedef struct weir_list weir_list;     // recorded launches, replayed as one

// A C function of the host backend. `desc` is the constant description baked at record time
// (for loop nests a struct weir_nest_call); ptr[i] is the address of buffer argument i.
typedef void weir_host_fn(const void *desc, void *const *ptr);

struct weir_buf_ref {
    weir_buf *buf;
    size_t offset;       // bytes; a multiple of the element size
    uint32_t elem_size;  // bytes: OpenCL kernels receive offset / elem_size
};

#define WEIR_LAUNCH_MAX_BUFS 48
#define WEIR_LAUNCH_MAX_INTS 16
#define WEIR_LOOP_MAX_DEPTH 8

// What moves from one iteration of a loop to the next: the offset of buffer argument `buf` is larger
// by i * bytes in iteration i of the loop at `depth` (0 = the outermost one around the launch).
struct weir_launch_step {
    int buf, depth;
    int64_t bytes;
};

// out = op(a) op(b) by the device's own library (WEIR_CAP_GEMM), in any order of sums: buffer
// arguments a, b, out of f32, and scratch where it wants any (weir_gemm_scratch). Matrices are row-major;
// `batch` of them lie batch_* elements apart.
struct weir_gemm {
    int64_t m, n, k, batch;  // op(a) is m x k, op(b) k x n
    bool ta, tb;             // a is stored as k x m, b as n x k
    int64_t lda, ldb, ldc;   // elements from row to row as stored
    int64_t batch_a, batch_b, batch_c;
    int64_t rows;            // of a result, computed at a time (0 = all), so that no call takes too long
};

// One unit of work. OpenCL: kernel `kernel` of `module`; its parameters are, in this order,
// for each buffer `global T *p_i, ulong o_i` (o_i in elements), then one `int` per integer.
// Host: `fn(desc, ptrs)`. A call with `host_callback` set runs on the calling thread between the two
// halves of the list (weir_host_call): buffers are mapped for it in host memory.
// A loop is a launch with a span: it runs nothing itself, the `span` entries after it (loops among
// them) are run `repeat` times in order.
struct weir_launch {
    weir_module *module;
    const char *kernel;
    weir_host_fn *fn;
    const void *desc;     // borrowed: must outlive the list
    const struct weir_gemm *gemm; // neither kernel nor fn: this; copied
    bool host_callback;   // fn is a user's function: run it on the host on any backend
    uint32_t written;     // host_callback: bit i set = buffer i is written
    int n_bufs, n_ints;
    struct weir_buf_ref bufs[WEIR_LAUNCH_MAX_BUFS];
    size_t buf_size[WEIR_LAUNCH_MAX_BUFS]; // bytes reachable from offset (host_callback, gemm)
    int32_t ints[WEIR_LAUNCH_MAX_INTS];
    size_t global[3], local[3]; // local all 0 = the driver's choice; global is a multiple of local
    const char *label;    // for profiles and messages
    int span;             // 0 = not a loop
    int64_t repeat;       // a loop's number of iterations, 0 is fine
    const struct weir_launch_step *steps; // n_steps, copied; only inside of loops
    int n_steps;
    // Run in so many parts along one dimension, one after the other (0 = 1): kernels know their place by
    // get_global_id and get_local_id alone. No more than weir_launch_splits.
    int parts;
};
// How many parts a kernel's launch can be run in, and along which dimension.
int weir_launch_splits(const struct weir_launch *l, int *along);

// A part of a launch whose group the driver chooses is a multiple of this.
enum { WEIR_PART_ITEMS = 64 };

struct weir_build_params {
    const char *source;   // complete OpenCL C text
    const char *options;  // extra build options, appended to those of the mode
    bool fast;            // fast mode: correctly rounded division and ordered loops are not asked for
    const char *label;    // for messages
};

struct weir_timing {      // nanoseconds of the last replay, per launch (all iterations together)
    uint64_t ns;
    const char *label;
};

struct weir_device_fns {
    enum weir_status (*buf_create)(weir_device *, size_t size, weir_buf **out);
    void (*buf_destroy)(weir_device *, weir_buf *);
    // In queue order. write: the source may be reused on return. read: blocks.
    enum weir_status (*buf_write)(weir_device *, weir_buf *, size_t offset, const void *src,
                                  size_t size);
    enum weir_status (*buf_read)(weir_device *, weir_buf *, size_t offset, void *dst, size_t size);
    enum weir_status (*buf_copy)(weir_device *, weir_buf *src, size_t so, weir_buf *dst, size_t d_o,
                                 size_t size);
    enum weir_status (*buf_fill)(weir_device *, weir_buf *, size_t offset, uint32_t word,
                                 size_t size);
    enum weir_status (*module_build)(weir_device *, const struct weir_build_params *,
                                     weir_module **out);
    void (*module_destroy)(weir_device *, weir_module *);
    enum weir_status (*list_record)(weir_device *, const struct weir_launch *, int n,
                                    weir_list **out);
    enum weir_status (*list_replay)(weir_device *, weir_list *); // enqueues; does not wait
    enum weir_status (*list_profile)(weir_device *, weir_list *,
                                     struct weir_timing *rows); // runs once, waits
    void (*list_destroy)(weir_device *, weir_list *);
    // Adds to info.caps.features what a trial shows to work, other than FMA and DIV_SQRT, which the
    // self-test decides. May be NULL: nothing to try.
    enum weir_status (*probe)(weir_device *);
    // Bytes of scratch that a launch of `g` needs, wherever its operands lie. NULL: no library.
    enum weir_status (*gemm_scratch)(weir_device *, const struct weir_gemm *g, size_t *size);
    enum weir_status (*finish)(weir_device *);
    void (*destroy)(weir_device *);
};

struct weir_device {
    const struct weir_device_fns *fns;
    struct weir_log log;
    struct weir_device_info info;
    char *cache_dir;      // owned; NULL = none
    bool cache_warned;    // a failed write was reported
    const char *build_option; // one more for every build (a quirk); NULL = none
    bool planned;         // it is not here: programs are compiled and written, not built
    bool poll;            // wait by polling (a quirk: the driver's own wait keeps a core busy)
    int threads;
    size_t bytes_live, bytes_peak; // of buffers; kept by the front end
    enum weir_tune tune;
    struct weir_tuning *tuning;    // what was measured (tuning.h); NULL: not read yet
    void *priv;           // the backend's own
};

struct weir_buf {
    weir_device *dev;
    size_t size;
    void *priv;
};

// A backend's own module or list has one of these as its first member; the front end fills it.
struct weir_module {
    weir_device *dev;
};

struct weir_list {
    weir_device *dev;
    int n; // launches
};

// What the backends keep of a launch's steps: one a buffer argument that moves.
struct weir_moving {
    int buf;
    int64_t bytes[WEIR_LOOP_MAX_DEPTH];
};
// malloc'd, *n of them; NULL with *n = 0 where nothing moves, NULL with *n < 0 when out of memory.
struct weir_moving *weir_moving_create(const struct weir_launch *l, int *n);
// How far the argument has moved in these iterations of the loops around it.
int64_t weir_moved(const struct weir_moving *m, const int64_t *iteration);

// One row a backend.
struct weir_backend {
    const char *name, *desc;
    // Lists devices cheaply (no self-test): writes at most max rows, returns how many there are.
    int (*list)(const struct weir_device_params *, struct weir_device_info *rows, int max);
    // Opens the index-th device of its own list. The front end then runs the self-test.
    enum weir_status (*open)(const struct weir_device_params *, int index, weir_device **out);
};
extern const struct weir_backend weir_backend_host, weir_backend_opencl;
extern const struct weir_backend *const weir_backends[]; // NULL-ended

// Validating front end; the rest of the library calls only these. Buffers, modules and whatever
// `desc` points to must outlive the lists that name them. `label` may be NULL. A replay may be
// queued behind another; reads, writes and copies keep queue order.
enum weir_status weir_buf_create(weir_device *dev, size_t size,
                                 weir_buf **out); // size 0 is INVALID
void weir_buf_destroy(weir_buf **buf);
enum weir_status weir_buf_write(weir_buf *buf, size_t offset, const void *src, size_t size);
enum weir_status weir_buf_read(weir_buf *buf, size_t offset, void *dst, size_t size);
enum weir_status weir_buf_copy(weir_buf *src, size_t so, weir_buf *dst, size_t d_o, size_t size);
enum weir_status weir_buf_fill(weir_buf *buf, size_t offset, uint32_t word,
                               size_t size); // multiples of 4
enum weir_status weir_module_build(weir_device *dev, const struct weir_build_params *p,
                                   weir_module **out);
void weir_module_destroy(weir_device *dev, weir_module **module);
enum weir_status weir_list_record(weir_device *dev, const struct weir_launch *l, int n,
                                  weir_list **out);
enum weir_status weir_list_replay(weir_device *dev, weir_list *list);
enum weir_status weir_list_profile(weir_device *dev, weir_list *list,
                                   struct weir_timing *rows); // one row a launch
void weir_list_destroy(weir_device *dev, weir_list **list);
enum weir_status weir_device_finish(weir_device *dev);
bool weir_device_has(const weir_device *dev, enum weir_cap cap);
bool weir_device_is_host(const weir_device *dev);
// WEIR_CAP_GEMM, once a trial has shown that it is there; the first call may take a minute, and its outcome is
// kept (selftest_gemm.c).
bool weir_device_admits_gemm(weir_device *dev);
// Bytes of scratch for a launch of `g` (0: none, and no argument for it). Errors: UNSUPPORTED, DEVICE.
enum weir_status weir_gemm_scratch(weir_device *dev, const struct weir_gemm *g, size_t *size);
// OK, or UNSUPPORTED and logs why the device cannot run in this mode and how it can.
enum weir_status weir_device_check_numerics(const weir_device *dev, enum weir_numerics numerics);

#endif
