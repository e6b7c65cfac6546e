// SPDX-License-Identifier: Apache-2.0
// Options, log, device and recipe look-up for the subcommands.
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "train/step.h"

// An installed copy may have been moved (DESTDIR, a package unpacked elsewhere): its own share/ comes
// first. Nothing is there in a build tree, where the source's recipes are meant.
const char *cli_recipe_dir(void)
{
    static char beside[PATH_MAX + 64];
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n > 0) {
        exe[n] = 0;
        for (int i = 0; i < 2; i++) {
            char *slash = strrchr(exe, '/');
            if (slash)
                *slash = 0;
        }
        snprintf(beside, sizeof(beside), "%s/" WEIR_RECIPES_BESIDE, exe);
    }
    const char *const dirs[] = { beside, WEIR_RECIPES_SOURCE, WEIR_RECIPES_INSTALLED };
    for (size_t i = 0; i < WEIR_COUNT(dirs); i++)
        if (weir_dir_exists(dirs[i]))
            return dirs[i];
    return WEIR_RECIPES_INSTALLED;
}

const struct cli_feature cli_features[] = {
    { WEIR_CAP_FMA, "fma" },
    { WEIR_CAP_DIV_SQRT, "exact-division" },
    { WEIR_CAP_LOOP_SUMS, "ordered-loops" },
    { WEIR_CAP_GEMM, "clblast" },
    { WEIR_CAP_WIDE, "wide" },
    { WEIR_CAP_VECTOR_DEREF, "vector-pointers" },
    { WEIR_CAP_SUBGROUPS, "sub-groups" },
    { WEIR_CAP_FP16, "fp16" },
    { WEIR_CAP_FP64, "fp64" },
    { WEIR_CAP_COMMAND_BUFFER, "command-buffers" },
    { WEIR_CAP_MMA_SYNC, "mma-sync" },
    { WEIR_CAP_XMX_8, "xmx-8" },
    { WEIR_CAP_XMX_16, "xmx-16" },
    { WEIR_CAP_XMX_TF32, "xmx-tf32" },
    { WEIR_CAP_WMMA, "wmma" },
    { WEIR_CAP_MFMA, "mfma" },
    { WEIR_CAP_BINARY_CACHE, "program-cache" },
    { 0 },
};

bool cli_parse_caps(const struct weir_command *command, const char *option, const char *text, uint32_t *caps)
{
    for (const char *at = text; *at;) {
        const size_t n = strcspn(at, ",");
        const struct cli_feature *f = cli_features;
        while (f->name && (strlen(f->name) != n || strncmp(f->name, at, n) != 0))
            f++;
        if (!f->name) {
            fprintf(stderr, "weir %s: --%s has no feature '%.*s'; there are", command->name, option, (int)n, at);
            for (f = cli_features; f->name; f++)
                fprintf(stderr, " %s", f->name);
            fprintf(stderr, "\n");
            return false;
        }
        *caps |= f->cap;
        at += n + (at[n] == ',');
    }
    return true;
}

static const struct cli_option *find_option(const struct cli_option *options, int n, const char *name, size_t length)
{
    for (int i = 0; i < n; i++)
        if (strlen(options[i].name) == length && !strncmp(options[i].name, name, length))
            return &options[i];
    return NULL;
}

static void unknown_option(const struct weir_command *command, const struct cli_option *options, int n, const char *arg)
{
    const char *known[32] = { NULL };
    for (int i = 0; i < n && i < 31; i++)
        known[i] = options[i].name;
    const char *nearest = weir_nearest(arg + 2, known);
    fprintf(stderr, "weir %s: unknown option %s%s%s%s\n", command->name, arg, nearest ? " (did you mean --" : "",
            nearest ? nearest : "", nearest ? "?)" : "");
}

bool cli_parse_bytes(const struct weir_command *command, const char *option, const char *text, size_t *bytes)
{
    char *end = NULL;
    errno = 0;
    double n = *text >= '0' && *text <= '9' ? strtod(text, &end) : 0;
    double unit = !end || !*end ? 1 : !strcmp(end, "M") ? 1e6 : !strcmp(end, "G") ? 1e9 : 0;
    if (errno || n * unit < 1 || n * unit > 1e18) {
        fprintf(stderr, "weir %s: --%s %s: expected a number of bytes, such as 1500M or 1.5G\n", command->name, option, text);
        return false;
    }
    *bytes = (size_t)(n * unit);
    return true;
}

enum weir_status cli_set_numerics(const struct weir_log *log, const char *mode, struct weir_recipe *recipe)
{
    enum weir_numerics numerics;
    if (mode)
        snprintf(recipe->numerics, sizeof(recipe->numerics), "%s", mode);
    return weir_recipe_numerics(log, recipe, &numerics);
}

static bool take_value(const struct weir_command *command, const struct cli_option *o, const char *value)
{
    if (o->value)
        *o->value = value;
    else if (*o->n_list < o->list_max)
        o->list[(*o->n_list)++] = value;
    else {
        fprintf(stderr, "weir %s: --%s is given too often\n", command->name, o->name);
        return false;
    }
    return true;
}

bool cli_parse(const struct weir_command *command, int argc, char **argv, const struct cli_option *options, int n,
               const char **words, int max_words, int *n_words)
{
    *n_words = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            printf("usage: weir %s %s\n\n%s\n\n%s", command->name, command->args, command->desc, command->help);
            exit(EXIT_OK);
        }
        if (argv[i][0] != '-' || !argv[i][1]) {
            if (*n_words == max_words) {
                fprintf(stderr, "weir %s: unexpected argument '%s' (weir %s --help)\n", command->name, argv[i], command->name);
                return false;
            }
            words[(*n_words)++] = argv[i];
            continue;
        }
        const char *name = argv[i] + strspn(argv[i], "-"), *eq = strchr(name, '=');
        const struct cli_option *o = find_option(options, n, name, eq ? (size_t)(eq - name) : strlen(name));
        if (!o) {
            unknown_option(command, options, n, argv[i]);
            return false;
        }
        if (o->flag) {
            *o->flag = true;
            continue;
        }
        const char *value = eq ? eq + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value) {
            fprintf(stderr, "weir %s: --%s needs a value\n", command->name, o->name);
            return false;
        }
        if (!take_value(command, o, value))
            return false;
    }
    return true;
}

static void print_log(void *cookie, enum weir_log_level level, const char *message)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };
    static const char *const colors[] = { "\033[31m", "\033[33m", "", "\033[2m" };
    bool color = isatty(STDERR_FILENO);
    if (level == WEIR_LOG_INFO)
        fprintf(stderr, "%s\n", message);
    else
        fprintf(stderr, "%sweir: %s:%s %s\n", color ? colors[level] : "", names[level], color ? "\033[0m" : "", message);
}

struct weir_log cli_log(enum weir_log_level level)
{
    return (struct weir_log) { print_log, NULL, level };
}

int cli_exit_code(enum weir_status status)
{
    switch (status) {
    case WEIR_OK:
        return EXIT_OK;
    case WEIR_INVALID:
        return EXIT_USAGE;
    case WEIR_NODEVICE:
        return EXIT_NO_DEVICE;
    case WEIR_NONFINITE:
        return EXIT_NONFINITE;
    case WEIR_INTERRUPTED:
        return 128 + (int)*cli_stop();
    default:
        return EXIT_FAILED;
    }
}

const char *cli_cache_dir(void)
{
    static char path[512];
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (base && *base == '/')
        snprintf(path, sizeof(path), "%s/weir", base);
    else if (home && *home)
        snprintf(path, sizeof(path), "%s/.cache/weir", home);
    else
        return NULL;
    return weir_mkdirs(NULL, path) ? NULL : path;
}

enum weir_status cli_open_device(const struct weir_log *log, const char *selector, weir_device **dev)
{
    // One that runs fast mode only says so when exact mode is asked of it.
    struct weir_device_params params = { .selector = selector, .log = *log, .cache_dir = cli_cache_dir(),
                                         .allow_fast = true };
    return weir_device_open(&params, dev);
}

enum weir_status cli_load_recipe(const struct weir_log *log, const char *name, struct weir_recipe *out)
{
    char path[1024], *text = NULL;
    size_t size = 0;
    enum weir_status status = WEIR_OK;
    if (weir_file_exists(name) && !weir_dir_exists(name)) {
        snprintf(path, sizeof(path), "%s", name);
    } else {
        snprintf(path, sizeof(path), "%s/%s.json", cli_recipe_dir(), name);
        if (!weir_file_exists(path))
            status = weir_fail(log, WEIR_INVALID, "no recipe '%s': neither a file nor one that comes with weir "
                               "(`weir recipes` lists them)", name);
    }
    if (!status)
        status = weir_file_read(log, path, &text, &size);
    if (!status)
        status = weir_recipe_parse(log, path, text, size, out);
    free(text);
    return status;
}

static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
    if (stop_signal) // asked twice: end now
        _exit(128 + number);
    stop_signal = number;
}

const volatile sig_atomic_t *cli_stop(void)
{
    static bool installed;
    if (!installed) {
        struct sigaction action = { .sa_handler = on_signal };
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        installed = true;
    }
    return &stop_signal;
}
