// SPDX-License-Identifier: Apache-2.0
// Messages go to a callback with a cookie; a NULL callback is silent. No globals.
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

enum weir_log_level { WEIR_LOG_ERROR, WEIR_LOG_WARN, WEIR_LOG_INFO, WEIR_LOG_DEBUG };

// `message` has no trailing newline and lives for the call only. May be called from any thread.
struct weir_log {
    void (*callback)(void *cookie, enum weir_log_level level, const char *message);
    void *cookie;
    enum weir_log_level level; // messages above this level are not formatted (0 = errors only)
};

#ifdef __cplusplus
}
#endif
#endif
