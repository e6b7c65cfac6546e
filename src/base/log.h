// SPDX-License-Identifier: Apache-2.0
// Internal logging: format and hand to the callback.
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include "base/compiler.h"
#include "weir/log.h"
#include "weir/status.h"

// Formats and delivers one message. `log` may be NULL (silent).
void weir_logf(const struct weir_log *log, enum weir_log_level level, const char *format, ...)
    WEIR_PRINTF(3, 4);

// Logs the message as an error and evaluates to `status`: `return weir_fail(log, WEIR_IO, "...")`.
enum weir_status weir_fail(const struct weir_log *log, enum weir_status status,
                           const char *format, ...) WEIR_PRINTF(3, 4);

// Public entry points: logs the failed condition with file and line, then goes to `error`.
// The function has a local `enum weir_status status`.
#define weir_require(log, cond)                                                              \
    do {                                                                                     \
        if (!(cond)) {                                                                       \
            status = weir_fail((log), WEIR_INVALID, "%s:%d: requires %s", __FILE__,          \
                               __LINE__, #cond);                                             \
            goto error;                                                                      \
        }                                                                                    \
    } while (0)

#endif
