// SPDX-License-Identifier: Apache-2.0
// pthread wrappers. Lock and condition calls fail only through bugs of ours: asserted.
#include "base/threads.h"

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

int weir_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    return 1;
}

struct start {
    void (*fn)(void *arg);
    void *arg;
};

static void *trampoline(void *opaque)
{
    struct start start = *(struct start *)opaque;
    free(opaque);
    start.fn(start.arg);
    return NULL;
}

enum weir_status weir_thread_start(const struct weir_log *log, struct weir_thread *thread,
                                   void (*fn)(void *arg), void *arg)
{
    struct start *start = malloc(sizeof(*start));
    if (!start)
        return weir_fail(log, WEIR_NOMEM, "out of memory: a thread's arguments");
    *start = (struct start){.fn = fn, .arg = arg};
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&thread->id, NULL, trampoline, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        free(start);
        return weir_fail(log, WEIR_NOMEM, "cannot start a thread: %s", strerror(error));
    }
    thread->running = true;
    return WEIR_OK;
}

void weir_thread_join(struct weir_thread *thread)
{
    if (!thread->running)
        return;
    pthread_join(thread->id, NULL);
    thread->running = false;
}

// The call is made in release builds too: its result alone is asserted.
static void must(int error)
{
    assert(error == 0);
    (void)error;
}

enum weir_status weir_monitor_init(const struct weir_log *log, struct weir_monitor *monitor)
{
    int error = pthread_mutex_init(&monitor->lock, NULL);
    if (error)
        return weir_fail(log, WEIR_NOMEM, "cannot make a lock: %s", strerror(error));
    error = pthread_cond_init(&monitor->changed, NULL);
    if (error) {
        pthread_mutex_destroy(&monitor->lock);
        return weir_fail(log, WEIR_NOMEM, "cannot make a condition: %s", strerror(error));
    }
    return WEIR_OK;
}

void weir_monitor_finish(struct weir_monitor *monitor)
{
    must(pthread_cond_destroy(&monitor->changed));
    must(pthread_mutex_destroy(&monitor->lock));
}

void weir_monitor_enter(struct weir_monitor *monitor)
{
    must(pthread_mutex_lock(&monitor->lock));
}

void weir_monitor_leave(struct weir_monitor *monitor)
{
    must(pthread_mutex_unlock(&monitor->lock));
}

void weir_monitor_wait(struct weir_monitor *monitor)
{
    must(pthread_cond_wait(&monitor->changed, &monitor->lock));
}

void weir_monitor_wake(struct weir_monitor *monitor)
{
    must(pthread_cond_broadcast(&monitor->changed));
}
