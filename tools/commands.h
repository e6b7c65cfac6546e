// SPDX-License-Identifier: Apache-2.0
// The subcommands, one cmd_*.c each.
#ifndef WEIR_TOOLS_COMMANDS_H
#define WEIR_TOOLS_COMMANDS_H

#include "cli.h"

extern const struct weir_command weir_command_devices, weir_command_train, weir_command_sample,
    weir_command_eval, weir_command_inspect, weir_command_recipes, weir_command_list,
    weir_command_bench, weir_command_tune;

#endif
