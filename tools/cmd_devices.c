// SPDX-License-Identifier: Apache-2.0
// weir devices: what is here and whether it can be trusted. Every device is opened and tested in a
// child process of its own: a driver that crashes or hangs costs its line, and two drivers that
// cannot live in one process never meet.
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "commands.h"
#include "device/quirks.h"

#define MAX_DEVICES 64
#define PATIENCE 180 // seconds for one device: a first self-test compiles for up to a minute

extern char **environ;

static const char *const admission_name[] = {
    [WEIR_EXACT] = "exact",
    [WEIR_EXACT_SOFT_FMA] = "exact (software)",
    [WEIR_FAST_ONLY] = "fast only",
};

static void print_quirks(const struct weir_device_info *info)
{
    static const char *const action[] = {
        [WEIR_QUIRK_HIDE] = "features hidden",
        [WEIR_QUIRK_POLL] = "waits by polling",
        [WEIR_QUIRK_OPTION] = "extra build option",
        [WEIR_QUIRK_NOTE] = "note",
    };
    for (const struct weir_quirk *q = weir_quirks; q->vendor; q++)
        if (weir_quirk_matches(q, info))
            printf("            quirk     %s: %s (%s)\n", action[q->action], q->why, q->link);
}

static void print_details(const struct weir_device_info *info)
{
    const struct weir_caps *caps = &info->caps;
    printf("            driver    %s, %s, %s\n", info->platform, info->driver, info->version);
    printf("            vendor    %s\n", info->vendor);
    printf("            memory    %.1f GB, one buffer up to %.1f GB, local %llu bytes\n",
           (double)caps->global_size * 1e-9, (double)caps->max_alloc * 1e-9,
           (unsigned long long)caps->local_size);
    printf("            units     %d, groups up to %d\n", caps->compute_units, caps->max_group);
    printf("            features ");
    for (const struct cli_feature *f = cli_features; f->name; f++)
        if ((caps->features | caps->untried) & f->cap)
            printf(" %s%s", f->name, caps->untried & f->cap ? " (untried)" : "");
    printf("\n");
    print_quirks(info);
}

// The child: opens one device, prints its lines.
static int show_one(const char *selector, bool verbose)
{
    weir_device *dev = NULL;
    struct weir_device_params params = { .selector = selector, .log = cli_log(WEIR_LOG_ERROR),
                                         .cache_dir = cli_cache_dir(), .allow_fast = true };
    enum weir_status status = weir_device_open(&params, &dev);
    if (status != WEIR_OK)
        return cli_exit_code(status);
    const struct weir_device_info *info = weir_device_info(dev);
    printf("%-10s  %-16s  %s\n", selector, admission_name[info->admission], info->name);
    if (verbose)
        print_details(info);
    if (info->reason[0] && (verbose || info->admission == WEIR_FAST_ONLY))
        printf("            because   %s\n", info->reason);
    weir_device_close(&dev);
    return EXIT_OK;
}

static int left_ms(double start)
{
    double left = PATIENCE - (weir_clock() - start);
    return left > 0 ? (int)(1e3 * left) : 0;
}

// Passes on what the child writes until it ends; false when it takes too long.
static bool pass_on(int from)
{
    double start = weir_clock();
    for (;;) {
        char text[4096];
        struct pollfd fd = { .fd = from, .events = POLLIN };
        int ready = poll(&fd, 1, left_ms(start));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        ssize_t n = read(from, text, sizeof text);
        if (n <= 0)
            return true;
        fwrite(text, 1, (size_t)n, stdout);
        fflush(stdout);
    }
}

static bool spawn_child(const char *selector, bool verbose, pid_t *pid, int *out)
{
    char *argv[] = { "weir", "devices", "--one", (char *)selector, verbose ? "-v" : NULL, NULL };
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    int failed = posix_spawn(pid, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed)
        close(ends[0]);
    *out = ends[0];
    return !failed;
}

static int show_in_child(const char *selector, const char *name, bool verbose)
{
    pid_t pid;
    int out, state = 0;
    if (!spawn_child(selector, verbose, &pid, &out)) {
        fprintf(stderr, "weir devices: cannot start a process: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    bool ended = pass_on(out);
    close(out);
    if (!ended)
        kill(pid, SIGKILL);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        continue;
    if (!ended)
        printf("%-10s  %-16s  %s: its driver did not answer for %d s\n", selector, "unusable", name,
               PATIENCE);
    else if (WIFSIGNALED(state))
        printf("%-10s  %-16s  %s: its driver crashed (%s)\n", selector, "unusable", name,
               strsignal(WTERMSIG(state)));
    else if (WEXITSTATUS(state) != EXIT_OK)
        printf("%-10s  %-16s  %s\n", selector, "unusable", name);
    return EXIT_OK;
}

static bool read_hex(const char *folder, const char *device, const char *file, unsigned *value)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", folder, device, file);
    FILE *f = fopen(path, "r");
    bool good = f && fscanf(f, "%x", value) == 1;
    if (f)
        fclose(f);
    return good;
}

static const struct {
    unsigned id;
    const char *name, *mark, *hint; // mark: part of the vendor's name as its drivers say it
} gpu_vendors[] = {
    { 0x1002, "AMD", "Advanced Micro Devices", "ROCm's OpenCL, or mesa-opencl-icd with "
      "RUSTICL_ENABLE=radeonsi" },
    { 0x10de, "NVIDIA", "NVIDIA", "nvidia-opencl-icd" },
    { 0x8086, "Intel", "Intel", "intel-opencl-icd" },
};

// GPUs on the PCI bus whose vendor no OpenCL GPU device carries.
static void show_hidden_gpus(const char *folder, const struct weir_device_info *rows, int n)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        unsigned class, vendor, device;
        if (e->d_name[0] == '.' || !read_hex(folder, e->d_name, "class", &class) ||
            class >> 16 != 0x03 || !read_hex(folder, e->d_name, "vendor", &vendor) ||
            !read_hex(folder, e->d_name, "device", &device))
            continue;
        for (size_t v = 0; v < sizeof gpu_vendors / sizeof gpu_vendors[0]; v++) {
            bool shown = gpu_vendors[v].id != vendor;
            for (int i = 0; i < n; i++)
                shown |= rows[i].caps.is_gpu && strstr(rows[i].vendor, gpu_vendors[v].mark);
            if (!shown)
                printf("%-10s  %-16s  %s GPU %04x:%04x at %s: no OpenCL driver shows it (%s)\n",
                       "-", "no driver", gpu_vendors[v].name, vendor, device, e->d_name,
                       gpu_vendors[v].hint);
        }
    }
    closedir(dir);
}

static int run_devices(int argc, char **argv)
{
    static struct weir_device_info rows[MAX_DEVICES];
    const char *one = NULL, *pci = "/sys/bus/pci/devices";
    bool verbose = false;
    int n_words;
    const struct cli_option options[] = {
        { "v", .flag = &verbose }, { "one", .value = &one }, { "pci", .value = &pci },
    };
    if (!cli_parse(&weir_command_devices, argc, argv, options, 3, NULL, 0, &n_words))
        return EXIT_USAGE;
    if (one)
        return show_one(one, verbose);
    struct weir_device_params params = {
        .log = cli_log(verbose ? WEIR_LOG_DEBUG : WEIR_LOG_WARN),
    };
    int n = weir_device_list(&params, rows, MAX_DEVICES), in_backend = 0, code = EXIT_OK;
    n = n < MAX_DEVICES ? n : MAX_DEVICES;
    for (int i = 0; i < n && code == EXIT_OK; i++) {
        char selector[32];
        in_backend = i > 0 && !strcmp(rows[i].backend, rows[i - 1].backend) ? in_backend + 1 : 0;
        if (!strcmp(rows[i].backend, "host"))
            snprintf(selector, sizeof selector, "host");
        else
            snprintf(selector, sizeof selector, "%s:%d", rows[i].backend, in_backend);
        code = show_in_child(selector, rows[i].name, verbose);
    }
    show_hidden_gpus(pci, rows, n);
    return code;
}

const struct weir_command weir_command_devices = {
    .name = "devices",
    .args = "[-v]",
    .desc = "what is here, exact or fast only, and why",
    .help = "  -v         driver, memory, features, quirks, and why where a device is not exact\n"
            "  --one SEL  this device only, in this process\n"
            "  --pci DIR  look for GPUs without a driver here (/sys/bus/pci/devices)\n",
    .run = run_devices,
};
