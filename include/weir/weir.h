// SPDX-License-Identifier: Apache-2.0
// Everything: base, devices, graphs, programs.
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include "weir/status.h"
#include "weir/log.h"
#include "weir/tensor.h"
#include "weir/device.h"
#include "weir/graph.h"
#include "weir/ops.h"
#include "weir/grad.h"
#include "weir/program.h"

#endif
