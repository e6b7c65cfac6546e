// SPDX-License-Identifier: Apache-2.0
// The tuner: tries the candidates of a contraction's gathers on the device. Each must give the bits
// of the host's loop nest first; then the fastest is kept (device/tuning.h), and later compilations
// take it.
#ifndef WEIR_COMPILE_TUNE_H
#define WEIR_COMPILE_TUNE_H

#include "compile/compile.h"
#include "compile/contract.h"
#include "device/tuning.h"

// What a candidate is about to go through. Between two events nothing of another one runs.
enum weir_tune_trial { WEIR_TUNE_BUILD, WEIR_TUNE_CHECK, WEIR_TUNE_TIME };

struct weir_tune_event {
    enum {
        WEIR_TUNE_TRY,      // `candidate` is about to be built, checked or timed, and may take a driver down
        WEIR_TUNE_REJECTED, // it does not build, or gives other bits
        WEIR_TUNE_MEASURED, // all of the shape are; nothing runs any more
        WEIR_TUNE_DONE,     // `row` is what is known now; measured here or earlier
    } what;
    enum weir_tune_trial trial; // TRY
    uint64_t key;
    const char *shape;
    const char *candidate;
    struct weir_tuned row;
};

// All zero means the defaults.
struct weir_tuner {
    bool thorough; // more candidates, and steps from the best of them to its neighbours
    bool again;    // measure what is known too
    int most;      // candidates of a gather at most (0 = no limit)
    double run_s;  // of a timed run, which is several launches where they are short (0 = .01)
    const struct weir_contract_kernel *const *kernels; // NULL = weir_contract_kernels
    void (*event)(void *cookie, const struct weir_tune_event *event); // or NULL
    void *cookie;
};

// What the tuners share. The tuner of a device; an event; the median of up to WEIR_TUNE_RUNS times; a candidate
// is bad, and why.
enum { WEIR_TUNE_RUNS = 16 };
const struct weir_tuner *weir_tuner_of(const struct weir_tuning *t);
void weir_tune_tell(const struct weir_tuner *tuner, const struct weir_tune_event *event);
double weir_tune_median(const double *s, int n);
enum weir_status weir_tune_reject(weir_device *dev, const struct weir_tuner *tuner, uint64_t key, const char *shape,
                                  const char *text, const char *why);

// Measures what is not known of the gathers of the contraction that `e` is about to write. A
// candidate that fails is left out, so that this fails for reasons such as NOMEM only, or IO: results cannot
// be kept in the device's cache folder.
enum weir_status weir_tune(const struct weir_emit *e);

#endif
