// SPDX-License-Identifier: Apache-2.0
// Admission to exact mode: what a device computes is compared with C, bit for bit.
#ifndef WEIR_DEVICE_SELFTEST_H
#define WEIR_DEVICE_SELFTEST_H

#include "device/device.h"

// Runs the self-test of a device just opened (or takes the outcome from dev->cache_dir, keyed by
// device, driver and Weir version) and sets info.numerics, info.reason and the feature bits FMA and
// DIV_SQRT. An outcome is not an error: a status other than OK means that the test could not be
// carried out (NOMEM).
enum weir_status weir_selftest(weir_device *dev);

#endif
