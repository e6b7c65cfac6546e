// SPDX-License-Identifier: Apache-2.0
// The table of driver quirks and how a row is matched and applied.
#include "device/quirks.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "base/log.h"

const struct weir_quirk weir_quirks[] = {
    { "NVIDIA*", "*", NULL, NULL, WEIR_QUIRK_HIDE, WEIR_CAP_BINARY_CACHE, NULL,
      "the driver keeps compiled programs itself; a second cache gains nothing",
      "https://github.com/artyom-beilis/dlprimitives" },
    { "NVIDIA*", "*", NULL, NULL, WEIR_QUIRK_POLL, 0, NULL,
      "clFinish and clWaitForEvents keep a CPU core busy",
      "https://github.com/openmm/openmm/issues/1541" },
    { "NVIDIA*", "*GTX 9*", NULL, NULL, WEIR_QUIRK_NOTE, 0, NULL,
      "one kernel of OpenMM gave wrong results on Maxwell; trust the self-test",
      "https://github.com/openmm/openmm/issues/814" },
    { "*Advanced Micro Devices*", "gfx1010*", NULL, NULL, WEIR_QUIRK_NOTE, 0, NULL,
      "wrong results and crashes were reported for years (RX 5700)",
      "https://github.com/lightvector/KataGo/issues/199" },
    { "*Advanced Micro Devices*", "gfx90c*", NULL, NULL, WEIR_QUIRK_HIDE, WEIR_CAP_FP16, NULL,
      "half-precision products give NaN", "https://github.com/CNugteren/CLBlast/issues/245" },
    { "*Advanced Micro Devices*", "*", "2236", "2237", WEIR_QUIRK_NOTE, 0, NULL,
      "a release that miscompiles kernels", "https://github.com/hashcat/hashcat" },
    { "*Intel*", "*", "20.08", "20.10", WEIR_QUIRK_NOTE, 0, NULL,
      "the compiler may hang on -cl-std", "https://github.com/hashcat/hashcat" },
    { "Intel(R) OpenCL", "*", NULL, NULL, WEIR_QUIRK_NOTE, 0, NULL,
      "its loop vectorizer adds floats in another order; the self-test turns it off",
      "https://www.intel.com/content/www/us/en/developer/articles/technical/"
      "intel-cpu-runtime-for-opencl-applications-with-sycl-support.html" },
    { "Intel(R) OpenCL", "*", NULL, NULL, WEIR_QUIRK_NOTE, 0, NULL,
      "sqrt of a negative number or NaN is a NaN of other bits, and tests for it are dropped",
      "https://www.intel.com/content/www/us/en/developer/articles/technical/"
      "intel-cpu-runtime-for-opencl-applications-with-sycl-support.html" },
    { "*Portable Computing Language*", "*", NULL, NULL, WEIR_QUIRK_NOTE, 0, NULL,
      "loops with barriers may be miscompiled; POCL_WORK_GROUP_METHOD=cbs avoids it",
      "https://github.com/pocl/pocl/issues/1977" },
    { "*Portable Computing Language*", "*", NULL, NULL, WEIR_QUIRK_HIDE, WEIR_CAP_BINARY_CACHE,
      NULL,
      "asking for a binary compiles every kernel once more; it keeps a cache of kernels itself",
      "https://portablecl.org/docs/html/env_variables.html" },
    { "*Portable Computing Language*", "*", NULL, NULL, WEIR_QUIRK_HIDE, WEIR_CAP_COMMAND_BUFFER, NULL,
      "it takes a command buffer apart when it is enqueued: more work for a core than to enqueue its kernels (3.1)",
      "https://github.com/pocl/pocl/blob/release_3_1/lib/CL/clEnqueueCommandBufferKHR.c" },
    { "*rusticl*", "*", NULL, NULL, WEIR_QUIRK_HIDE, WEIR_CAP_FP16, NULL,
      "half precision is absent or untested on several chips",
      "https://github.com/tinygrad/tinygrad/pull/4206" },
    { "*rusticl*", "*", NULL, NULL, WEIR_QUIRK_HIDE, WEIR_CAP_BINARY_CACHE, NULL,
      "a binary that it cannot read ends the process; Mesa keeps a cache of its own",
      "https://docs.mesa3d.org/rusticl.html" },
    { "*rusticl*", "*llvmpipe*", NULL, NULL, WEIR_QUIRK_HIDE, WEIR_CAP_WIDE, NULL,
      "it vectorizes across work-items, and takes minutes to compile strips of 16 lanes",
      "https://docs.mesa3d.org/rusticl.html" },
    { "*Beignet*", "*", NULL, NULL, WEIR_QUIRK_NOTE, 0, NULL, "wrong vector results and crashes",
      "https://github.com/CNugteren/CLBlast/issues/387" },
    { "*Clover*", "*", NULL, NULL, WEIR_QUIRK_NOTE, 0, NULL, "wrong vector results and crashes",
      "https://github.com/CNugteren/CLBlast/issues/387" },
    { "*Oclgrind*", "*", NULL, NULL, WEIR_QUIRK_OPTION, 0, "-cl-opt-disable",
      "a vector compare widened by the optimizer gives 255 where 1 is meant (21.10)",
      "https://github.com/jrprice/Oclgrind" },
    { "*Oclgrind*", "*", NULL, NULL, WEIR_QUIRK_NOTE, 0, NULL,
      "an interpreter, about 100 times slow: for finding faults in kernels",
      "https://github.com/jrprice/Oclgrind" },
    { "*QUALCOMM*", "*Adreno*", NULL, NULL, WEIR_QUIRK_NOTE, 0, NULL,
      "buffers above about 1 GB may be corrupted in silence",
      "https://github.com/ggml-org/llama.cpp" },
    { 0 },
};

int weir_quirk_version_cmp(const char *a, const char *b)
{
    for (;;) {
        while (*a && !isdigit((unsigned char)*a))
            a++;
        while (*b && !isdigit((unsigned char)*b))
            b++;
        if (!*a || !*b)
            return (*a != 0) - (*b != 0);
        char *end_a, *end_b;
        unsigned long long na = strtoull(a, &end_a, 10), nb = strtoull(b, &end_b, 10);
        if (na != nb)
            return na < nb ? -1 : 1;
        a = end_a;
        b = end_b;
    }
}

static bool glob(const char *pattern, const char *text)
{
    return fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

bool weir_quirk_matches(const struct weir_quirk *quirk, const struct weir_device_info *info)
{
    if (!glob(quirk->vendor, info->vendor) && !glob(quirk->vendor, info->platform))
        return false;
    if (!glob(quirk->device, info->name))
        return false;
    if (quirk->from && weir_quirk_version_cmp(info->driver, quirk->from) < 0)
        return false;
    return !quirk->below || weir_quirk_version_cmp(info->driver, quirk->below) < 0;
}

void weir_quirks_apply(weir_device *dev)
{
    for (const struct weir_quirk *q = weir_quirks; q->vendor; q++) {
        if (!weir_quirk_matches(q, &dev->info))
            continue;
        weir_logf(&dev->log, WEIR_LOG_DEBUG, "%s: quirk: %s (%s)", dev->info.name, q->why, q->link);
        if (q->action == WEIR_QUIRK_HIDE) {
            dev->info.caps.features &= ~q->caps;
            dev->info.caps.untried &= ~q->caps;
        }
        if (q->action == WEIR_QUIRK_POLL)
            dev->poll = true;
        if (q->action == WEIR_QUIRK_OPTION)
            dev->build_option = q->option;
    }
}
