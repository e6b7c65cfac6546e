// SPDX-License-Identifier: Apache-2.0
// Batches from a ring of buffers. A thread fills them ahead of the reader; which items a batch
// holds depends on its number alone, so the thread changes when, never what.
#include <stdlib.h>

#include "base/log.h"
#include "base/threads.h"
#include "weir/data.h"

enum { MAX_PREFETCH = 64 };

struct slot {
    float *x;
    int32_t *labels;
    enum weir_status status;
};

struct weir_loader {
    const struct weir_log *log;
    struct weir_loader_params params;
    size_t item_size; // elements
    struct slot *slots;
    int n_slots;
    bool threaded;
    struct weir_thread thread;
    struct weir_monitor monitor;
    // Counts of batches, guarded by the monitor: batch b lies in slot b % n_slots. The reader holds
    // the slot of batch `taken` - 1; the thread may fill batches below `taken` - 1 + n_slots.
    int64_t filled, taken;
    bool stop;
    enum weir_status failed; // of the reader: sticks
};

static void fill(const struct weir_loader *l, int64_t batch, struct slot *slot)
{
    const struct weir_loader_params *p = &l->params;
    slot->status = WEIR_OK;
    for (int64_t i = 0; i < p->batch && !slot->status; i++) {
        int64_t at = p->position + batch * p->batch + i;
        int64_t index = !p->in_order ? weir_loader_index(p->seed, p->data->n, at)
                        : p->data->n ? at % p->data->n
                                     : at;
        slot->status =
            p->data->get(p->data, index, slot->x + (size_t)i * l->item_size, &slot->labels[i]);
    }
}

static void run(void *arg)
{
    struct weir_loader *l = arg;
    weir_monitor_enter(&l->monitor);
    while (!l->stop) {
        int64_t held = l->taken ? 1 : 0;
        if (l->filled >= l->taken - held + l->n_slots) {
            weir_monitor_wait(&l->monitor);
            continue;
        }
        struct slot *slot = &l->slots[l->filled % l->n_slots];
        weir_monitor_leave(&l->monitor); // the slot is nobody else's until `filled` passes it
        fill(l, l->filled, slot);
        weir_monitor_enter(&l->monitor);
        bool failed = slot->status != WEIR_OK;
        l->filled++;
        weir_monitor_wake(&l->monitor);
        if (failed)
            break;
    }
    weir_monitor_leave(&l->monitor);
}

static enum weir_status create_slots(struct weir_loader *l)
{
    size_t n = (size_t)l->params.batch;
    l->slots = calloc((size_t)l->n_slots, sizeof(*l->slots));
    for (int i = 0; l->slots && i < l->n_slots; i++) {
        l->slots[i].x = n > SIZE_MAX / sizeof(float) / l->item_size
                            ? NULL
                            : malloc(n * l->item_size * sizeof(float));
        l->slots[i].labels = malloc(n * sizeof(int32_t));
        if (!l->slots[i].x || !l->slots[i].labels)
            return weir_fail(l->log, WEIR_NOMEM, "out of memory: %d batches of %zu items of %zu",
                             l->n_slots, n, l->item_size);
    }
    return l->slots ? WEIR_OK : weir_fail(l->log, WEIR_NOMEM, "out of memory: a loader");
}

static enum weir_status start_thread(struct weir_loader *l)
{
    enum weir_status status = weir_monitor_init(l->log, &l->monitor);
    if (status)
        return status;
    l->threaded = true;
    return weir_thread_start(l->log, &l->thread, run, l);
}

enum weir_status weir_loader_create(const struct weir_log *log,
                                    const struct weir_loader_params *params, weir_loader **loader)
{
    enum weir_status status = WEIR_OK;
    struct weir_loader *l = NULL;
    weir_require(log, params->data && params->data->get);
    weir_require(log, params->batch >= 1 && params->batch <= INT32_MAX);
    weir_require(log, params->position >= 0);
    weir_require(log, params->prefetch >= -1 && params->prefetch <= MAX_PREFETCH);
    l = calloc(1, sizeof(*l));
    if (!l)
        return weir_fail(log, WEIR_NOMEM, "out of memory: a loader");
    l->log = log;
    l->params = *params;
    l->item_size = 1;
    for (int i = 0; i < params->data->item.rank; i++)
        l->item_size *= (size_t)params->data->item.dim[i];
    weir_require(log, l->item_size > 0);
    l->n_slots = params->prefetch < 0 ? 1 : (params->prefetch ? params->prefetch : 2) + 1;
    status = create_slots(l);
    if (!status && params->prefetch >= 0)
        status = start_thread(l);
error:
    if (status) {
        weir_loader_destroy(&l);
        return status;
    }
    *loader = l;
    return WEIR_OK;
}

void weir_loader_destroy(weir_loader **loader)
{
    if (!loader || !*loader)
        return;
    struct weir_loader *l = *loader;
    if (l->threaded) {
        weir_monitor_enter(&l->monitor);
        l->stop = true;
        weir_monitor_wake(&l->monitor);
        weir_monitor_leave(&l->monitor);
        weir_thread_join(&l->thread);
        weir_monitor_finish(&l->monitor);
    }
    for (int i = 0; l->slots && i < l->n_slots; i++) {
        free(l->slots[i].x);
        free(l->slots[i].labels);
    }
    free(l->slots);
    free(l);
    *loader = NULL;
}

// Gives the slot of the batch before back and waits for the next one.
static const struct slot *take(struct weir_loader *l)
{
    struct slot *slot = &l->slots[l->taken % l->n_slots];
    if (!l->threaded) {
        fill(l, l->taken++, slot);
        return slot;
    }
    weir_monitor_enter(&l->monitor);
    while (l->filled <= l->taken)
        weir_monitor_wait(&l->monitor);
    l->taken++;
    weir_monitor_wake(&l->monitor);
    weir_monitor_leave(&l->monitor);
    return slot;
}

enum weir_status weir_loader_next(weir_loader *loader, const float **x, const int32_t **labels)
{
    if (loader->failed)
        return loader->failed;
    const struct slot *slot = take(loader);
    if (slot->status) {
        loader->taken--; // these items were not handed out
        loader->failed = slot->status;
        return slot->status;
    }
    *x = slot->x;
    *labels = slot->labels;
    return WEIR_OK;
}

int64_t weir_loader_position(const weir_loader *loader)
{
    return loader->params.position + loader->taken * loader->params.batch;
}
