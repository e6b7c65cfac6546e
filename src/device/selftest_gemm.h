// SPDX-License-Identifier: Apache-2.0
// The trial of a device's library of matrix products; weir_device_admits_gemm (device.h) runs it.
#ifndef WEIR_DEVICE_SELFTEST_GEMM_H
#define WEIR_DEVICE_SELFTEST_GEMM_H

#include "device/device.h"

// Takes the outcome of an earlier trial from dev->cache_dir, if it is there.
void weir_selftest_gemm_recall(weir_device *dev);

#endif
