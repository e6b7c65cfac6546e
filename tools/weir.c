// SPDX-License-Identifier: Apache-2.0
// The `weir` command: a table of subcommands.
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli.h"
#include "commands.h"
#include "tune.h"

static const struct weir_command *const commands[] = {
    &weir_command_devices, &weir_command_train, &weir_command_sample, &weir_command_eval,
    &weir_command_inspect, &weir_command_bench, &weir_command_tune, &weir_command_recipes, &weir_command_list, NULL,
};

static void help(FILE *to)
{
    fprintf(to,
            "weir %s: trains and samples flow and diffusion models on any OpenCL device, the same "
            "bits on each\n\n"
            "usage: weir COMMAND [ARGUMENTS]\n\n",
            weir_version());
    for (int i = 0; commands[i]; i++)
        fprintf(to, "  %-9s %-34s %s\n", commands[i]->name, commands[i]->args, commands[i]->desc);
    fprintf(to,
            "\n  weir COMMAND --help    options of one command\n"
            "  weir --version\n\n"
            "exit codes: 0 done, 1 failed, 2 wrong arguments or recipe, 3 no such device,\n"
            "            4 a loss or gradient was not finite, 130/143 interrupted (state saved)\n");
}

int main(int argc, char **argv)
{
    if (!cli_tune_join())
        return EXIT_FAILED;
    if (argc < 2) {
        help(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("weir %s\n", weir_version());
        return EXIT_OK;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        help(stdout);
        return EXIT_OK;
    }
    const char *names[sizeof(commands) / sizeof(commands[0])] = { NULL };
    for (int i = 0; commands[i]; i++) {
        if (!strcmp(commands[i]->name, argv[1]))
            return commands[i]->run(argc - 1, argv + 1);
        names[i] = commands[i]->name;
    }
    fprintf(stderr, "weir: no command '%s' (did you mean '%s'?); weir --help lists them\n", argv[1],
            weir_nearest(argv[1], names));
    return EXIT_USAGE;
}
