// SPDX-License-Identifier: Apache-2.0
// What models learn from: data sets, found by name, and a loader that hands out shuffled batches in
// an order fixed by (seed, position) alone, so a run can be resumed from one number.
#ifndef WEIR_DATA_H
#define WEIR_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/log.h"
#include "weir/status.h"
#include "weir/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- data sets ----

// A data set is a function from an index to an item. Fill one in to bring your own data.
struct weir_dataset {
    const char *name;
    int64_t n;              // items; 0 = as many as wanted, any index >= 0
    struct weir_shape item; // (2) points; (height, width, channels) images from -1 to 1
    int n_classes;          // labels are 0 .. n_classes - 1 (a model may ignore them); 0 = none
    double entropy;         // of the density, in nats: the floor of a model's NLL; NaN = unknown

    // Writes item `index` (f32, row-major) and its label (0 if there are none). The same index
    // gives the same bits. Called from any thread, also several at once.
    enum weir_status (*get)(const struct weir_dataset *data, int64_t index, float *item,
                            int32_t *label);
    void (*close)(struct weir_dataset *data); // frees `priv`; may be NULL
    const struct weir_log *log;               // outlives the data set
    void *priv;
};

struct weir_dataset_params {
    const char *name;   // of a row below
    const char *path;   // file or folder (NULL = the row's default path; an error if it has none)
    const char *labels; // idx only: the file of labels (NULL = no labels)
    bool test;          // the test split, where there are two
    uint64_t seed;      // toy densities only: another seed, other points
};

// Errors: INVALID (no such name: the message has the nearest; a path is missing), IO, FORMAT,
// UNSUPPORTED, NOMEM. Texts of `params` are borrowed for the call.
enum weir_status weir_dataset_open(const struct weir_log *log,
                                   const struct weir_dataset_params *params,
                                   struct weir_dataset **data);
void weir_dataset_destroy(struct weir_dataset **data); // accepts a pointer to NULL

// A kind of data that weir_dataset_open knows.
struct weir_dataset_kind {
    const char *name, *desc;
    const char *default_path; // NULL = none
    bool needs_path;          // a path must be given, or there is a default one
    double entropy;           // toy densities
    const void *priv;         // the row's own
    // Fills in everything of `data` but name, log and close; `data` is zeroed.
    enum weir_status (*open)(const struct weir_log *log, const struct weir_dataset_params *params,
                             const struct weir_dataset_kind *kind, struct weir_dataset *data);
    void (*close)(struct weir_dataset *data);
};

extern const struct weir_dataset_kind *const weir_dataset_kinds[]; // NULL-ended

// ---- loader ----

typedef struct weir_loader weir_loader;

struct weir_loader_params {
    const struct weir_dataset *data; // outlives the loader
    int64_t batch;                   // items a batch, at least 1
    uint64_t seed;                   // of the order
    int64_t position;                // items already used: where to go on (0 = the start)
    bool in_order;                   // no shuffling: item p mod n
    int prefetch;                    // batches made ahead on a thread (0 = 2; -1 = no thread)
};

// Item number p of the stream (p = 0, 1, ...) lies in epoch p / n and is data item
// weir_loader_index(seed, n, p); batches run on over the ends of epochs. Without end (n = 0) it is
// item p. `log` outlives the loader; it is called from the loader's thread too.
// Errors: INVALID, NOMEM.
enum weir_status weir_loader_create(const struct weir_log *log,
                                    const struct weir_loader_params *params, weir_loader **loader);
void weir_loader_destroy(weir_loader **loader); // accepts a pointer to NULL

// The next batch: x (batch, item...) f32, labels (batch). Valid until the next call. Waits for the
// thread if need be. An error of the data set comes back here, and from every later call.
// One thread at a time.
enum weir_status weir_loader_next(weir_loader *loader, const float **x, const int32_t **labels);

// Items handed out so far, `position` included: what a checkpoint stores.
int64_t weir_loader_position(const weir_loader *loader);

// A permutation of 0 .. n - 1 for every epoch: a keyed bijection (Feistel network over Philox).
int64_t weir_loader_index(uint64_t seed, int64_t n, int64_t p);

#ifdef __cplusplus
}
#endif
#endif
