// SPDX-License-Identifier: Apache-2.0
// What the files of the OpenCL backend share. OpenCL 1.2 only; whatever is newer is detected.
#ifndef WEIR_DEVICE_OPENCL_H
#define WEIR_DEVICE_OPENCL_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

#include "device/cache.h"
#include "device/device.h"

// Writes up to this size are copied first, so that the caller need not wait for the queue.
#define WEIR_CL_STAGING_MAX ((size_t)1 << 20)

struct weir_cl_staging { // a copy on its way to the device
    struct weir_cl_staging *next;
    cl_event done;
    unsigned char bytes[];
};

struct weir_cl_program { // built programs, shared by modules of the same text
    struct weir_cl_program *next;
    struct weir_cache_key key;
    cl_program program;
};

// cl_khr_command_buffer (commands.c)
typedef struct weir_cl_command_buffer_tag *weir_cl_command_buffer;
struct weir_cl_commands {
    bool there;        // all of these are
    bool simultaneous; // a buffer may be enqueued again before it is done
    weir_cl_command_buffer(CL_API_CALL *create)(cl_uint, const cl_command_queue *, const cl_ulong *, cl_int *);
    cl_int(CL_API_CALL *finalize)(weir_cl_command_buffer);
    cl_int(CL_API_CALL *release)(weir_cl_command_buffer);
    cl_int(CL_API_CALL *kernel)(weir_cl_command_buffer, cl_command_queue, const cl_ulong *, cl_kernel, cl_uint,
                                const size_t *, const size_t *, const size_t *, cl_uint, const cl_uint *, cl_uint *,
                                void **);
    cl_int(CL_API_CALL *enqueue)(cl_uint, cl_command_queue *, weir_cl_command_buffer, cl_uint, const cl_event *,
                                 cl_event *);
};

// weir_device.priv
struct weir_cl {
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;     // in order
    cl_command_queue profiling; // created at the first profile; NULL before
    struct weir_cl_staging *staging;
    struct weir_cl_program *programs;
    struct weir_cl_commands commands;
    bool correctly_rounded; // the driver takes -cl-fp32-correctly-rounded-divide-sqrt
    bool used_library;
};

struct weir_cl_module {
    struct weir_module base;
    cl_program program; // borrowed from weir_cl.programs
    char *label;
};

static inline struct weir_cl *weir_cl(const weir_device *dev)
{
    return (struct weir_cl *)dev->priv;
}

// error.c
const char *weir_cl_error_name(int code);   // "CL_INVALID_VALUE"
enum weir_status weir_cl_status(int code);
// OK, or logs "<device>: <call> of <what> failed with <name>" and gives the matching status.
enum weir_status weir_cl_check(const weir_device *dev, int code, const char *call,
                               const char *what);

// platform.c
// Trimmed text of at most n-1 characters, "" where the driver has none.
void weir_cl_device_text(cl_device_id id, cl_device_info what, char *dst, size_t n);
int weir_cl_list(const struct weir_device_params *params, struct weir_device_info *rows, int max);
// The index-th usable device; false if there are not so many.
bool weir_cl_find(const struct weir_device_params *params, int index, cl_platform_id *platform,
                  cl_device_id *id, struct weir_device_info *info);

// caps.c
void weir_cl_caps(cl_device_id id, struct weir_caps *caps); // by query: cheap
enum weir_status weir_cl_probe(weir_device *dev);           // by trial build and run
bool weir_cl_claims(cl_device_id id, const char *extension);
// Runs kernel `probe` of a module on one group of so many work-items; true when it answers 1.
bool weir_cl_probe_run(weir_device *dev, weir_module *module, const size_t local[2]);

// buffer.c
enum weir_status weir_cl_buf_create(weir_device *dev, size_t size, weir_buf **out);
void weir_cl_buf_destroy(weir_device *dev, weir_buf *buf);
enum weir_status weir_cl_buf_write(weir_device *dev, weir_buf *buf, size_t offset, const void *src,
                                   size_t size);
enum weir_status weir_cl_buf_read(weir_device *dev, weir_buf *buf, size_t offset, void *dst,
                                  size_t size);
enum weir_status weir_cl_buf_copy(weir_device *dev, weir_buf *src, size_t so, weir_buf *dst,
                                  size_t d_o, size_t size);
enum weir_status weir_cl_buf_fill(weir_device *dev, weir_buf *buf, size_t offset, uint32_t word,
                                  size_t size);
void weir_cl_staging_collect(weir_device *dev, bool all); // frees copies that have arrived

// module.c
// All options of a build; the caller frees it. NULL when out of memory.
char *weir_cl_build_options(const weir_device *dev, bool fast, const char *extra);
enum weir_status weir_cl_module_build(weir_device *dev, const struct weir_build_params *p,
                                      weir_module **out);
void weir_cl_module_destroy(weir_device *dev, weir_module *module);
bool weir_cl_probe_binary(weir_device *dev); // a program survives the way to its binary and back
void weir_cl_programs_release(struct weir_cl *cl);

// binary.c
cl_program weir_cl_binary_load(const weir_device *dev, struct weir_cache_key key,
                               const char *options); // NULL: none, or the driver refuses it
void weir_cl_binary_store(weir_device *dev, struct weir_cache_key key, cl_program program);
cl_program weir_cl_binary_copy(const weir_device *dev, cl_program program, const char *options);

// wait.c
enum weir_status weir_cl_wait(weir_device *dev); // until all that was enqueued is done
// Until `event` is done; releases it.
enum weir_status weir_cl_wait_event(weir_device *dev, cl_event event, const char *what);

// commands.c
void weir_cl_commands_load(struct weir_cl *cl);
// Recording, in an in-order buffer: false where the driver fails, which is said at DEBUG alone. Release it then.
bool weir_cl_commands_begin(weir_device *dev, weir_cl_command_buffer *out);
bool weir_cl_commands_add(weir_device *dev, weir_cl_command_buffer buffer, cl_kernel kernel, const size_t *offset,
                          const size_t *global, const size_t *local);
bool weir_cl_commands_end(weir_device *dev, weir_cl_command_buffer buffer);
cl_int weir_cl_commands_enqueue(weir_device *dev, weir_cl_command_buffer buffer, cl_event *done);
void weir_cl_commands_release(weir_device *dev, weir_cl_command_buffer *buffer); // accepts NULL in it

// gemm.c
bool weir_cl_gemm_there(void); // built with a library
enum weir_status weir_cl_gemm_scratch(weir_device *dev, const struct weir_gemm *g, size_t *size);
// Enqueues it; `event` (or NULL) receives one of its end. Buffers and how many bytes of each: a, b, out, and
// scratch, or no buffer there.
enum weir_status weir_cl_gemm_run(weir_device *dev, cl_command_queue queue, const struct weir_gemm *g,
                                  const struct weir_buf_ref *bufs, const size_t *sizes, const char *label,
                                  cl_event *event);
void weir_cl_gemm_finish(struct weir_cl *cl); // before the context goes

// list.c
enum weir_status weir_cl_list_record(weir_device *dev, const struct weir_launch *launch, int n,
                                     weir_list **out);
enum weir_status weir_cl_list_replay(weir_device *dev, weir_list *list);
enum weir_status weir_cl_list_profile(weir_device *dev, weir_list *list, struct weir_timing *rows);
void weir_cl_list_destroy(weir_device *dev, weir_list *list);
int weir_cl_list_buffers(const weir_list *list); // command buffers that it replays

#endif
