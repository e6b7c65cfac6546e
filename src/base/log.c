// SPDX-License-Identifier: Apache-2.0
// Formats messages and hands them to the callback. Messages that would not be delivered are not
// formatted; one that fits in the local buffer costs no allocation, so NOMEM can be reported.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void deliver(const struct weir_log *log, enum weir_log_level level, const char *format,
                    va_list args) WEIR_PRINTF(3, 0);

static void deliver(const struct weir_log *log, enum weir_log_level level, const char *format,
                    va_list args)
{
    if (!log || !log->callback || level > log->level)
        return;
    char local[1024];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(local, sizeof(local), format, args);
    char *big = n >= (int)sizeof(local) ? malloc((size_t)n + 1) : NULL;
    if (big)
        vsnprintf(big, (size_t)n + 1, format, again); // a driver's build log may be long
    va_end(again);
    log->callback(log->cookie, level, n < 0 ? format : big ? big : local);
    free(big);
}

void weir_logf(const struct weir_log *log, enum weir_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    deliver(log, level, format, args);
    va_end(args);
}

enum weir_status weir_fail(const struct weir_log *log, enum weir_status status, const char *format,
                           ...)
{
    va_list args;
    va_start(args, format);
    deliver(log, WEIR_LOG_ERROR, format, args);
    va_end(args);
    return status;
}
