// SPDX-License-Identifier: Apache-2.0
// The second half of the self-test: kernels/scalar.h as the device compiles it against the same
// text compiled as C.
#ifndef WEIR_DEVICE_SELFTEST_SCALAR_H
#define WEIR_DEVICE_SELFTEST_SCALAR_H

#include "device/device.h"

// Sets info.admission to WEIR_FAST_ONLY, with the reason, when a function differs.
enum weir_status weir_selftest_scalar(weir_device *dev);

#endif
