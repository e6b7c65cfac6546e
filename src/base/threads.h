// SPDX-License-Identifier: Apache-2.0
// A thread and a monitor (a lock with one condition): all that prefetching needs.
#ifndef WEIR_BASE_THREADS_H
#define WEIR_BASE_THREADS_H

#include <pthread.h>
#include <stdbool.h>

#include "base/log.h"

// Processors this process may run on, at least 1.
int weir_cpu_count(void);

// Zeroed = not running.
struct weir_thread {
    pthread_t id;
    bool running;
};

// Runs fn(arg) on a new thread that takes no signals (they belong to the caller's threads).
// Errors: NOMEM (no memory or no thread to be had).
enum weir_status weir_thread_start(const struct weir_log *log, struct weir_thread *thread,
                                   void (*fn)(void *arg), void *arg);
void weir_thread_join(struct weir_thread *thread); // nothing to do when not running

// State shared by threads is read and changed between enter and leave; `wait` gives the monitor up
// until some thread calls `wake` (test the condition in a loop).
struct weir_monitor {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

enum weir_status weir_monitor_init(const struct weir_log *log, struct weir_monitor *monitor);
void weir_monitor_finish(struct weir_monitor *monitor); // only after a successful init
void weir_monitor_enter(struct weir_monitor *monitor);
void weir_monitor_leave(struct weir_monitor *monitor);
void weir_monitor_wait(struct weir_monitor *monitor);
void weir_monitor_wake(struct weir_monitor *monitor); // all waiters

#endif
