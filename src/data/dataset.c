// SPDX-License-Identifier: Apache-2.0
// The registry of data sets and what all of them share. To add one: a row in its file, a line here.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/json.h"
#include "data/arrays.h"
#include "data/toy.h"

const struct weir_dataset_kind *const weir_dataset_kinds[] = {
    &weir_toy_2spirals,
    &weir_toy_8gaussians,
    &weir_toy_checkerboard,
    &weir_toy_circles,
    &weir_toy_moons,
    &weir_toy_pinwheel,
    &weir_toy_rings,
    &weir_toy_swissroll,
    &weir_data_fashion_mnist,
    &weir_data_idx,
    &weir_data_npz,
    &weir_data_folder,
    NULL,
};

static enum weir_status find_kind(const struct weir_log *log, const char *name,
                                  const struct weir_dataset_kind **kind)
{
    const char *names[WEIR_COUNT(weir_dataset_kinds)] = {NULL};
    for (int i = 0; weir_dataset_kinds[i]; i++) {
        names[i] = weir_dataset_kinds[i]->name;
        if (!strcmp(names[i], name)) {
            *kind = weir_dataset_kinds[i];
            return WEIR_OK;
        }
    }
    return weir_fail(log, WEIR_INVALID, "no data set is named '%s' (did you mean '%s'?)", name,
                     weir_nearest(name, names));
}

enum weir_status weir_dataset_open(const struct weir_log *log,
                                   const struct weir_dataset_params *params,
                                   struct weir_dataset **data)
{
    enum weir_status status = WEIR_OK;
    weir_require(log, params->name);
    const struct weir_dataset_kind *kind = NULL;
    status = find_kind(log, params->name, &kind);
    if (status)
        return status;
    struct weir_dataset_params full = *params;
    if (!full.path)
        full.path = kind->default_path;
    if (kind->needs_path && !full.path)
        return weir_fail(log, WEIR_INVALID, "data set '%s' needs a path", kind->name);
    struct weir_dataset *out = calloc(1, sizeof(*out));
    if (!out)
        return weir_fail(log, WEIR_NOMEM, "out of memory: data '%s'", params->name);
    out->name = kind->name;
    out->log = log;
    out->entropy = NAN;
    status = kind->open(log, &full, kind, out);
    if (status) {
        free(out);
        return status;
    }
    out->close = kind->close;
    *data = out;
error:
    return status;
}

void weir_dataset_destroy(struct weir_dataset **data)
{
    if (!data || !*data)
        return;
    if ((*data)->close)
        (*data)->close(*data);
    free(*data);
    *data = NULL;
}
