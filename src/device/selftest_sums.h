// SPDX-License-Identifier: Apache-2.0
// Whether a device adds in the order of the text.
#ifndef WEIR_DEVICE_SELFTEST_SUMS_H
#define WEIR_DEVICE_SELFTEST_SUMS_H

#include "device/device.h"

// Compares sums in loops with C, as single work-items and as a group. Where they differ, clears
// WEIR_CAP_LOOP_SUMS, so that modules are built with WEIR_LOOPS_IN_ORDER from then on, and tests
// again; where they differ still, sets info.admission and info.reason.
enum weir_status weir_selftest_sums(weir_device *dev);

#endif
