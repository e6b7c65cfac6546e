// SPDX-License-Identifier: Apache-2.0
// Waiting for the queue. On an event, never by clFinish: Mesa's rusticl 22.3 returns from clFinish
// at once when all was flushed before. Where a driver's wait keeps a core busy, by asking now and
// then.
#include <time.h>

#include "device/opencl/opencl.h"

#define POLL_MIN_NS 20000L   // 20 us: about a short kernel
#define POLL_MAX_NS 1000000L // 1 ms

static cl_int poll_event(cl_event event)
{
    struct timespec pause = { .tv_nsec = POLL_MIN_NS };
    for (;;) {
        cl_int state = CL_QUEUED;
        cl_int code =
            clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
        if (code != CL_SUCCESS)
            return code;
        if (state <= CL_COMPLETE) // an error is negative
            return state;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < POLL_MAX_NS)
            pause.tv_nsec *= 2;
    }
}

enum weir_status weir_cl_wait_event(weir_device *dev, cl_event event, const char *what)
{
    cl_int code = dev->poll ? poll_event(event) : clWaitForEvents(1, &event);
    clReleaseEvent(event);
    return weir_cl_check(dev, code, "waiting", what);
}

enum weir_status weir_cl_wait(weir_device *dev)
{
    cl_event event;
    cl_command_queue queue = weir_cl(dev)->queue;
    cl_int code = clEnqueueMarkerWithWaitList(queue, 0, NULL, &event);
    if (code != CL_SUCCESS)
        return weir_cl_check(dev, code, "clEnqueueMarkerWithWaitList", NULL);
    code = clFlush(queue);
    if (code != CL_SUCCESS) {
        clReleaseEvent(event);
        return weir_cl_check(dev, code, "clFlush", NULL);
    }
    return weir_cl_wait_event(dev, event, "the queue");
}
