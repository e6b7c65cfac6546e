// SPDX-License-Identifier: Apache-2.0
// Products of matrices by CLBlast, as launches among others: on our queue, in our buffers, its
// scratch too. Without the library nobody asks for one (weir_caps.untried).
#include <stdlib.h>

#include "base/log.h"
#include "device/opencl/opencl.h"

#ifdef WEIR_CLBLAST
#include <clblast_c.h>

bool weir_cl_gemm_there(void)
{
    return true;
}

// What it has compiled for our context holds that, until all it has compiled for anybody is
// dropped.
void weir_cl_gemm_finish(struct weir_cl *cl)
{
    if (cl->used_library)
        CLBlastClearCache();
}

// Codes below -1000 are CLBlast's own, the others OpenCL's.
static enum weir_status failed(weir_device *dev, CLBlastStatusCode code, const char *label)
{
    if (code > -1000)
        return weir_cl_check(dev, (int)code, "CLBlast", label);
    return weir_fail(&dev->log, WEIR_DEVICE, "%s: CLBlast refused %s with its code %d",
                     dev->info.name, label, (int)code);
}

static CLBlastTranspose turned(bool t)
{
    return t ? CLBlastTransposeYes : CLBlastTransposeNo;
}

static int64_t rows_at_a_time(const struct weir_gemm *g)
{
    return g->rows > 0 && g->rows < g->m ? g->rows : g->m;
}

// With offsets that are not 0, where it copies every operand: the most that it may want.
enum weir_status weir_cl_gemm_scratch(weir_device *dev, const struct weir_gemm *g, size_t *size)
{
    cl_command_queue queue = weir_cl(dev)->queue;
    CLBlastStatusCode code = CLBlastSGemmTempBufferSize(
        CLBlastLayoutRowMajor, turned(g->ta), turned(g->tb), (size_t)rows_at_a_time(g),
        (size_t)g->n, (size_t)g->k, 1, (size_t)g->lda, 1, (size_t)g->ldb, 1, (size_t)g->ldc, &queue,
        size);
    return code == CLBlastSuccess ? WEIR_OK : failed(dev, code, "a product's scratch");
}

// An operand as CLBlast takes it.
struct view {
    cl_mem mem;
    bool own;  // a sub-buffer, released by us
    size_t at; // elements
};

// With scratch, which may lie in the same buffer as an operand, each is a sub-buffer: what a kernel
// does that writes a sub-buffer and reads the buffer around it is undefined, of two that do not
// overlap it is not.
static enum weir_status view(weir_device *dev, const struct weir_buf_ref *ref, size_t size,
                             bool apart, struct view *out)
{
    cl_mem mem = (cl_mem)ref->buf->priv;
    *out = (struct view){.mem = mem, .at = ref->offset / sizeof(float)};
    if (!apart)
        return WEIR_OK;
    const size_t align = dev->info.caps.align, origin = ref->offset / align * align;
    cl_buffer_region region = {origin, ref->offset - origin + size};
    cl_int code;
    out->mem =
        clCreateSubBuffer(mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    out->own = code == CL_SUCCESS;
    out->at = (ref->offset - origin) / sizeof(float);
    return weir_cl_check(dev, code, "clCreateSubBuffer", "an operand of CLBlast");
}

// Rows [row, row + rows) of product z.
static CLBlastStatusCode multiply(const struct weir_gemm *g, const struct view *v, int64_t z,
                                  int64_t row, int64_t rows, cl_command_queue queue,
                                  cl_event *event)
{
    const size_t a = v[0].at + (size_t)(z * g->batch_a + row * (g->ta ? 1 : g->lda));
    const size_t b = v[1].at + (size_t)(z * g->batch_b);
    const size_t c = v[2].at + (size_t)(z * g->batch_c + row * g->ldc);
    return CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, turned(g->ta), turned(g->tb),
                                      (size_t)rows, (size_t)g->n, (size_t)g->k, 1.0f, v[0].mem, a,
                                      (size_t)g->lda, v[1].mem, b, (size_t)g->ldb, 0.0f, v[2].mem,
                                      c, (size_t)g->ldc, &queue, event, v[3].mem);
}

enum weir_status weir_cl_gemm_run(weir_device *dev, cl_command_queue queue,
                                  const struct weir_gemm *g, const struct weir_buf_ref *bufs,
                                  const size_t *sizes, const char *label, cl_event *event)
{
    const bool scratch = bufs[3].buf != NULL;
    const int64_t step = rows_at_a_time(g);
    struct view v[4] = {0};
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < 3 + scratch && status == WEIR_OK; i++)
        status = view(dev, &bufs[i], sizes[i], scratch, &v[i]);
    weir_cl(dev)->used_library = true;
    for (int64_t z = 0; z < g->batch; z++)
        for (int64_t row = 0; row < g->m && status == WEIR_OK; row += step) {
            const bool last = z + 1 == g->batch && row + step >= g->m;
            CLBlastStatusCode code = multiply(g, v, z, row, row + step < g->m ? step : g->m - row,
                                              queue, last ? event : NULL);
            if (code != CLBlastSuccess)
                status = failed(dev, code, label);
        }
    for (int i = 0; i < 4; i++)
        if (v[i].own)
            clReleaseMemObject(v[i].mem);
    return status;
}

#else

bool weir_cl_gemm_there(void)
{
    return false;
}

void weir_cl_gemm_finish(struct weir_cl *cl)
{
}

enum weir_status weir_cl_gemm_scratch(weir_device *dev, const struct weir_gemm *g, size_t *size)
{
    return weir_fail(&dev->log, WEIR_UNSUPPORTED, "%s: built without CLBlast", dev->info.name);
}

enum weir_status weir_cl_gemm_run(weir_device *dev, cl_command_queue queue,
                                  const struct weir_gemm *g, const struct weir_buf_ref *bufs,
                                  const size_t *sizes, const char *label, cl_event *event)
{
    return weir_fail(&dev->log, WEIR_UNSUPPORTED, "%s: built without CLBlast", label);
}

#endif
