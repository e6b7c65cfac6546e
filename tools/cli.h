// SPDX-License-Identifier: Apache-2.0
// What the subcommands of `weir` share. A subcommand is one file with one struct weir_command row.
#ifndef WEIR_TOOLS_CLI_H
#define WEIR_TOOLS_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "train/recipe.h"
#include "weir/device.h"

// Exit codes, the same for every command (docs: `weir --help`).
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_DEVICE = 3, EXIT_NONFINITE = 4 };

struct weir_command {
    const char *name, *args, *desc;
    const char *help; // options, one a line
    int (*run)(int argc, char **argv); // argv[0] is the command's name
};

// One option of a command: "--name" with a value (text), a flag, or a repeatable value.
struct cli_option {
    const char *name;   // without the dashes
    const char **value; // receives the text, or NULL
    bool *flag;         // set when given, or NULL
    const char **list;  // receives up to list_max texts, or NULL
    int list_max, *n_list;
};

// Parses argv; positional words go to words[0 .. *n_words). Prints what is wrong and returns false.
// `--help` prints the command's help and exits with 0.
bool cli_parse(const struct weir_command *command, int argc, char **argv, const struct cli_option *options, int n,
               const char **words, int max_words, int *n_words);

// --numerics MODE (NULL: not given). Errors: INVALID (neither exact nor fast).
enum weir_status cli_set_numerics(const struct weir_log *log, const char *mode, struct weir_recipe *recipe);

// Bytes from a text such as 300M (N, NM or NG: millions, 10^9). Prints what is wrong and returns false.
bool cli_parse_bytes(const struct weir_command *command, const char *option, const char *text, size_t *bytes);

// Features of devices by the names that `weir devices -v` has for them; the last has none.
struct cli_feature {
    enum weir_cap cap;
    const char *name;
};
extern const struct cli_feature cli_features[];
// Features from a text such as fp16,wmma, added to *caps. Prints what is wrong and returns false.
bool cli_parse_caps(const struct weir_command *command, const char *option, const char *text, uint32_t *caps);

// A log to stderr. WEIR_LOG_INFO and up to `level` are shown.
struct weir_log cli_log(enum weir_log_level level);
int cli_exit_code(enum weir_status status);
// Opens the device that --device names (NULL = auto) with the user's cache folder and says which.
enum weir_status cli_open_device(const struct weir_log *log, const char *selector, weir_device **dev);
// $XDG_CACHE_HOME/weir, else ~/.cache/weir; NULL (no cache) when neither can be made.
const char *cli_cache_dir(void);
// Finds a recipe: a file, or a name that comes with Weir. `path` receives the file.
enum weir_status cli_load_recipe(const struct weir_log *log, const char *name, struct weir_recipe *out);
// The folder of the recipes that come with Weir.
const char *cli_recipe_dir(void);

// Ctrl-C and SIGTERM set *cli_stop() to the signal's number instead of ending the process.
const volatile sig_atomic_t *cli_stop(void);

#endif
