// SPDX-License-Identifier: Apache-2.0
// --tune of the commands. A candidate kernel may hang a driver's compiler or crash it, so measuring
// is done by a worker: this program again with the same arguments, which compiles and tells what it
// tries. One that does not go on, or dies, is ended; the candidate that it was building, checking or
// timing is written down as bad, and another one goes on behind it.
#ifndef WEIR_TOOLS_TUNE_H
#define WEIR_TOOLS_TUNE_H

#include <stdint.h>

#include "cli.h"
#include "compile/tune.h"

struct cli_tune_row {
    uint64_t key;
    char shape[96], model[160], choice[160];
    double model_s, s;
    int tried;
};

struct cli_tune {
    enum weir_tune mode;       // for the device that the command opens
    int limit;                 // seconds to build, check or time one candidate (0 = 60)
    int bad;                   // candidates that took their worker down
    struct cli_tune_row *rows; // what is known of the shapes now
    int n_rows;
};

// To be called first. A worker from now on ends with the process that started it; false, with a message: it
// has ended, or there was none.
bool cli_tune_join(void);
// True in a worker, which opens its device by cli_tune_open and compiles as the command would, no
// more.
bool cli_tune_is_worker(void);
// From now on compilations on `dev` measure, as `how` says (NULL: defaults; its event is set here),
// and report to the process that started this one. Errors: NOMEM, IO.
enum weir_status cli_tune_attach(weir_device *dev, const struct weir_tuner *how);
// As cli_open_device; for `tune`, and attached in a worker.
enum weir_status cli_tune_open(const struct weir_log *log, const char *selector,
                               const struct cli_tune *tune, weir_device **dev);

// What --tune says: off, cached (also NULL) or full. Prints what is wrong and returns false.
bool cli_tune_parse(const struct weir_command *command, const char *text, struct cli_tune *tune);
// With `full`, and not in a worker: lets workers with these arguments measure. Afterwards the mode
// is `cached`. Returns EXIT_OK, the exit code of a worker that failed for other reasons than a
// candidate, or EXIT_FAILED at once where results cannot be kept.
int cli_tune_run(const struct weir_command *command, int argc, char **argv, struct cli_tune *tune);
void cli_tune_finish(struct cli_tune *tune);

#endif
