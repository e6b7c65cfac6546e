// SPDX-License-Identifier: Apache-2.0
// Everything: devices, graphs, programs, networks, flows, data.
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include "weir/status.h"
#include "weir/log.h"
#include "weir/tensor.h"
#include "weir/device.h"
#include "weir/graph.h"
#include "weir/ops.h"
#include "weir/grad.h"
#include "weir/loop.h"
#include "weir/program.h"
#include "weir/nn.h"
#include "weir/models.h"
#include "weir/optim.h"
#include "weir/flow.h"
#include "weir/data.h"
#include "weir/formats.h"

#endif
