// SPDX-License-Identifier: Apache-2.0
// Status codes: one list makes the enum, the names and the texts.
#ifndef WEIR_STATUS_H
#define WEIR_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

// X(name, text). Everything that can fail returns one of these; 0 is success. Details go to the
// log.
#define WEIR_STATUS_MAP(X)                                              \
    X(OK, "success")                                                    \
    X(INVALID, "invalid argument")                                      \
    X(NOMEM, "out of memory")                                           \
    X(UNSUPPORTED, "not supported here")                                \
    X(NODEVICE, "no such device")                                       \
    X(BUILD, "a kernel did not build")                                  \
    X(DEVICE, "the device or its driver failed")                        \
    X(IO, "input or output failed")                                     \
    X(FORMAT, "malformed file")                                         \
    X(NONFINITE, "a loss or gradient is not finite")                    \
    X(INTERRUPTED, "interrupted")

enum weir_status {
#define X(name, text) WEIR_##name,
    WEIR_STATUS_MAP(X)
#undef X
};

// "WEIR_INVALID" and "invalid argument". Never NULL; thread-safe.
const char *weir_status_name(enum weir_status status);
const char *weir_status_text(enum weir_status status);

// The library's version, "0.1.0".
const char *weir_version(void);

#ifdef __cplusplus
}
#endif
#endif
