// SPDX-License-Identifier: Apache-2.0
// Which device is meant: lists what every backend has, reads the selector, opens, self-tests.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/threads.h"
#include "device/device.h"
#include "device/selftest.h"

// The only list of backends. Host first: `auto` comes to it last, lists show it first.
const struct weir_backend *const weir_backends[] = {
    &weir_backend_host,
    &weir_backend_opencl,
    NULL,
};

// One listed device: row `index` of its backend.
struct found {
    const struct weir_backend *backend;
    int index;
    struct weir_device_info info;
};

struct finds {
    struct found *rows;
    int n;
};

#define FIRST_GUESS 16 // rows asked for at once; a second call only where there are more

static enum weir_status find_in(const struct weir_device_params *params,
                                const struct weir_backend *backend, struct finds *all)
{
    struct weir_device_info *info = NULL;
    int room = 0, n = FIRST_GUESS;
    while (n > room) {
        struct weir_device_info *more = realloc(info, (size_t)n * sizeof *more);
        if (!more)
            goto error;
        info = more;
        room = n;
        n = backend->list(params, info, room);
    }
    struct found *rows = realloc(all->rows, (size_t)(all->n + n + 1) * sizeof *rows);
    if (!rows)
        goto error;
    all->rows = rows;
    for (int i = 0; i < n; i++)
        rows[all->n++] = (struct found) { backend, i, info[i] };
    free(info);
    return WEIR_OK;
error:
    free(info);
    return weir_fail(&params->log, WEIR_NOMEM, "out of memory listing devices");
}

static enum weir_status find_all(const struct weir_device_params *params, struct finds *all)
{
    for (int b = 0; weir_backends[b]; b++) {
        enum weir_status status = find_in(params, weir_backends[b], all);
        if (status != WEIR_OK)
            return status;
    }
    return WEIR_OK;
}

static void print_selector(struct weir_strbuf *buf, const struct found *f)
{
    weir_strbuf_puts(buf, f->backend->name);
    if (f->backend != &weir_backend_host)
        weir_strbuf_printf(buf, ":%d", f->index);
}

// Logs the reason followed by every device there is.
static enum weir_status no_device(const struct weir_device_params *params, const struct finds *all,
                                  const char *reason)
{
    struct weir_strbuf buf = { 0 };
    weir_strbuf_printf(&buf, "device '%s': %s; here are:", params->selector, reason);
    for (int i = 0; i < all->n; i++) {
        weir_strbuf_puts(&buf, i ? ", " : " ");
        print_selector(&buf, &all->rows[i]);
        weir_strbuf_printf(&buf, " (%s)", all->rows[i].info.name);
    }
    enum weir_status status = weir_fail(&params->log, WEIR_NODEVICE, "%s", buf.s ? buf.s : reason);
    weir_strbuf_free(&buf);
    return status;
}

static bool contains(const char *text, const char *part)
{
    size_t n = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n && text[i] &&
               tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == n)
            return true;
    }
    return false;
}

// "opencl:2" → 2 when `selector` starts with the backend's name and a colon, -1 otherwise or when
// what follows is not a number.
static int index_of(const char *selector, const struct weir_backend *backend)
{
    size_t n = strlen(backend->name);
    if (strncmp(selector, backend->name, n) != 0 || selector[n] != ':')
        return -1;
    char *end;
    long index = strtol(selector + n + 1, &end, 10);
    bool number = isdigit((unsigned char)selector[n + 1]) && *end == 0;
    return number && index < 1000000 ? (int)index : -1;
}

static bool selects(const char *selector, const struct found *f)
{
    if (strcmp(selector, f->backend->name) == 0)
        return true;
    if (strchr(selector, ':') && index_of(selector, f->backend) == f->index)
        return true;
    // A backend's own name never falls back to a search in the names of the others' devices.
    for (int b = 0; weir_backends[b]; b++)
        if (strcmp(selector, weir_backends[b]->name) == 0)
            return false;
    return contains(f->info.name, selector);
}

static enum weir_status open_one(const struct weir_device_params *params, const struct found *f,
                                 weir_device **out)
{
    weir_device *dev = NULL;
    enum weir_status status = f->backend->open(params, f->index, &dev);
    if (status != WEIR_OK)
        return status;
    dev->threads = params->threads > 0 ? params->threads : weir_cpu_count();
    dev->tune = params->tune;
    if (params->cache_dir) {
        dev->cache_dir = strdup(params->cache_dir);
        if (!dev->cache_dir) {
            status = weir_fail(&params->log, WEIR_NOMEM, "out of memory opening a device");
            goto error;
        }
    }
    status = weir_selftest(dev, params->skip_selftest);
    if (status != WEIR_OK)
        goto error;
    dev->info.caps.features &= ~params->caps_mask;
    dev->info.caps.untried &= ~params->caps_mask;
    if (dev->info.admission == WEIR_EXACT && !weir_device_has(dev, WEIR_CAP_FMA)) {
        dev->info.admission = WEIR_EXACT_SOFT_FMA;
        snprintf(dev->info.reason, sizeof dev->info.reason, "fma is hidden by caps_mask");
    }
    if (dev->info.admission == WEIR_FAST_ONLY && !params->allow_fast) {
        status = weir_fail(&params->log, WEIR_UNSUPPORTED,
                           "%s:%d (%s) cannot run exact mode: %s; it can run fast mode where it is "
                           "asked for by name",
                           f->backend->name, f->index, dev->info.name, dev->info.reason);
        goto error;
    }
    *out = dev;
    return WEIR_OK;
error:
    weir_device_close(&dev);
    return status;
}

const struct weir_caps weir_caps_gpu = {
    .features = WEIR_CAP_FMA | WEIR_CAP_DIV_SQRT | WEIR_CAP_VECTOR_DEREF | WEIR_CAP_LOOP_SUMS,
    .compute_units = 32,
    .max_group = 256,
    .local_size = 32 << 10,
    .global_size = (uint64_t)8 << 30,
    .max_alloc = (uint64_t)2 << 30,
    .align = 128,
    .is_gpu = true,
};

// Tensors of programs that never run, such as parameters, lie in the host's memory.
static enum weir_status open_planned(const struct weir_device_params *params, weir_device **out)
{
    weir_device *dev = NULL;
    enum weir_status status = weir_backend_host.open(params, 0, &dev);
    if (status != WEIR_OK)
        return status;
    weir_require(&params->log, params->planned->max_group > 0 && params->planned->compute_units > 0);
    dev->threads = weir_cpu_count();
    dev->planned = true;
    dev->info = (struct weir_device_info) { .backend = "planned", .name = "a device that is not here",
                                            .caps = *params->planned };
    *out = dev;
    return WEIR_OK;
error:
    weir_device_close(&dev);
    return status;
}

// 0 = first choice of `auto`.
static int rank(const struct found *f)
{
    if (f->info.caps.is_gpu)
        return 0;
    return f->backend != &weir_backend_host ? 1 : 2;
}

static enum weir_status open_auto(const struct weir_device_params *params, const struct finds *all,
                                  weir_device **out)
{
    // A device that only runs in fast mode is never chosen unasked.
    struct weir_device_params strict = *params;
    strict.allow_fast = false;
    for (int want = 0; want <= 2; want++) {
        for (int i = 0; i < all->n; i++) {
            if (rank(&all->rows[i]) != want)
                continue;
            enum weir_status status = open_one(&strict, &all->rows[i], out);
            if (status == WEIR_OK || status == WEIR_NOMEM)
                return status;
        }
    }
    return no_device(params, all, "none of them passes its self-test");
}

static enum weir_status open_selected(const struct weir_device_params *params,
                                      const struct finds *all, weir_device **out)
{
    const struct found *chosen = NULL;
    for (int i = 0; i < all->n; i++) {
        if (!selects(params->selector, &all->rows[i]))
            continue;
        if (chosen)
            return no_device(params, all, "more than one matches");
        chosen = &all->rows[i];
    }
    if (!chosen)
        return no_device(params, all, "nothing matches");
    return open_one(params, chosen, out);
}

static const char *admission_text(const struct weir_device_info *info)
{
    switch (info->admission) {
    case WEIR_EXACT:
        return "exact";
    case WEIR_EXACT_SOFT_FMA:
        return "exact with software fma";
    case WEIR_FAST_ONLY:
        return "fast only";
    }
    return "?";
}

enum weir_status weir_device_open(const struct weir_device_params *given, weir_device **out)
{
    struct weir_device_params params = given ? *given : (struct weir_device_params) { 0 };
    struct finds all = { 0 };
    weir_device *dev = NULL;
    if (!params.selector)
        params.selector = "auto";
    enum weir_status status = WEIR_OK;
    weir_require(&params.log, out != NULL);
    if (params.planned)
        return open_planned(&params, out);
    weir_require(&params.log, params.selector[0] != 0);
    weir_require(&params.log, params.threads >= 0);
    status = find_all(&params, &all);
    if (status != WEIR_OK)
        goto error;
    if (strcmp(params.selector, "auto") == 0)
        status = open_auto(&params, &all, &dev);
    else
        status = open_selected(&params, &all, &dev);
    if (status != WEIR_OK)
        goto error;
    weir_logf(&dev->log, WEIR_LOG_INFO, "device: %s, %s (%s)", dev->info.backend, dev->info.name,
              admission_text(&dev->info));
    *out = dev;
error:
    free(all.rows);
    return status;
}

int weir_device_list(const struct weir_device_params *given, struct weir_device_info *rows, int max)
{
    struct weir_device_params params = given ? *given : (struct weir_device_params) { 0 };
    int n = 0;
    for (int b = 0; weir_backends[b]; b++) {
        int room = n < max ? max - n : 0;
        n += weir_backends[b]->list(&params, room ? rows + n : NULL, room);
    }
    return n;
}
