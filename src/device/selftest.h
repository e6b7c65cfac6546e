// SPDX-License-Identifier: Apache-2.0
// Admission to exact mode: what a device computes is compared with C, bit for bit.
#ifndef WEIR_DEVICE_SELFTEST_H
#define WEIR_DEVICE_SELFTEST_H

#include "device/device.h"

// Probes the features of a device just opened, applies the quirks known of its driver, and tests
// its arithmetic; or takes the outcome of an earlier run from dev->cache_dir (keyed by device,
// driver, Weir version and the kernels' text). Sets info.admission, info.reason and
// info.caps.features. `trust` leaves the arithmetic untested. An outcome is not an error: a status
// other than OK means that the test could not be carried out.
enum weir_status weir_selftest(weir_device *dev, bool trust);

#endif
