// SPDX-License-Identifier: Apache-2.0
// What tuning found on a device: for each piece of work (a key) the candidate that was fastest, and
// those that must not be tried again. Kept in one entry of the disk cache (cache.h), so that a
// damaged file, another driver or another version of Weir counts as nothing known.
#ifndef WEIR_DEVICE_TUNING_H
#define WEIR_DEVICE_TUNING_H

#include <jansson.h>

#include "device/device.h"

struct weir_tuner; // how to measure (compile/tune.h)

struct weir_tuning {
    json_t *rows;                   // key as 16 hexadecimal digits -> row
    const struct weir_tuner *tuner; // borrowed; NULL = as it is by default
    uint64_t *done;                 // keys that this process has measured, or leaves as they are
    int n_done, cap_done;
};

// A row. Texts are borrowed until the row changes.
struct weir_tuned {
    const char *shape;  // for people
    const char *choice; // NULL: nothing measured yet, or what was is bad by now
    const char *model;  // what is taken without a tuner
    double s, model_s;  // seconds
    int tried;
};

// The device's results, read at the first call. NULL: out of memory.
struct weir_tuning *weir_tuning_of(weir_device *dev);
void weir_tuning_destroy(struct weir_tuning **tuning);

// False: no row.
bool weir_tuning_find(const struct weir_tuning *t, uint64_t key, struct weir_tuned *row);
const char *weir_tuning_choice(const struct weir_tuning *t, uint64_t key); // NULL: none
bool weir_tuning_is_bad(const struct weir_tuning *t, uint64_t key, const char *candidate);

// Kept on disk together with what other processes wrote there meanwhile: rows of all, of a row the one that
// was measured last, bad candidates of all. A choice that any of them found bad is none. Without a cache folder
// kept in memory. Errors: IO (the folder cannot be written to), NOMEM.
enum weir_status weir_tuning_put(weir_device *dev, uint64_t key, const struct weir_tuned *row);
// The candidate hung, crashed, did not build or was wrong.
enum weir_status weir_tuning_mark_bad(weir_device *dev, uint64_t key, const char *candidate);

// Whether the key is not to be measured again by this process.
bool weir_tuning_is_done(const struct weir_tuning *t, uint64_t key);
void weir_tuning_set_done(struct weir_tuning *t, uint64_t key);

#endif
