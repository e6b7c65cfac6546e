// SPDX-License-Identifier: Apache-2.0
// Products of matrices by CLBlast, as launches among others: on our queue, in our buffers. Without
// the library WEIR_CAP_GEMM is absent, and nothing asks for one.
#include <stdlib.h>

#include "base/log.h"
#include "device/opencl/opencl.h"

#ifdef WEIR_CLBLAST
#include <clblast_c.h>

bool weir_cl_gemm_there(void)
{
    return true;
}

// Codes below -1000 are CLBlast's own, the others OpenCL's.
static enum weir_status failed(weir_device *dev, CLBlastStatusCode code, const char *label)
{
    if (code > -1000)
        return weir_cl_check(dev, (int)code, "CLBlast", label);
    return weir_fail(&dev->log, WEIR_DEVICE, "%s: CLBlast refused %s with its code %d",
                     dev->info.name, label, (int)code);
}

enum weir_status weir_cl_gemm_run(weir_device *dev, cl_command_queue queue,
                                  const struct weir_gemm *g, const struct weir_buf_ref *bufs,
                                  const char *label, cl_event *event)
{
    const CLBlastTranspose ta = g->ta ? CLBlastTransposeYes : CLBlastTransposeNo;
    const CLBlastTranspose tb = g->tb ? CLBlastTransposeYes : CLBlastTransposeNo;
    const size_t a = bufs[0].offset / sizeof(float), b = bufs[1].offset / sizeof(float);
    const size_t c = bufs[2].offset / sizeof(float);
    const cl_mem ma = (cl_mem)bufs[0].buf->priv, mb = (cl_mem)bufs[1].buf->priv;
    cl_mem mc = (cl_mem)bufs[2].buf->priv;
    CLBlastStatusCode code;
    if (g->batch == 1)
        code = CLBlastSgemm(CLBlastLayoutRowMajor, ta, tb, (size_t)g->m, (size_t)g->n, (size_t)g->k,
                            1.0f, ma, a, (size_t)g->lda, mb, b, (size_t)g->ldb, 0.0f, mc, c,
                            (size_t)g->ldc, &queue, event);
    else
        code = CLBlastSgemmStridedBatched(
            CLBlastLayoutRowMajor, ta, tb, (size_t)g->m, (size_t)g->n, (size_t)g->k, 1.0f, ma, a,
            (size_t)g->lda, (size_t)g->batch_a, mb, b, (size_t)g->ldb, (size_t)g->batch_b, 0.0f, mc,
            c, (size_t)g->ldc, (size_t)g->batch_c, (size_t)g->batch, &queue, event);
    return code == CLBlastSuccess ? WEIR_OK : failed(dev, code, label);
}

#else

bool weir_cl_gemm_there(void)
{
    return false;
}

enum weir_status weir_cl_gemm_run(weir_device *dev, cl_command_queue queue,
                                  const struct weir_gemm *g, const struct weir_buf_ref *bufs,
                                  const char *label, cl_event *event)
{
    return weir_fail(&dev->log, WEIR_UNSUPPORTED, "%s: built without CLBlast", label);
}

#endif
