// SPDX-License-Identifier: Apache-2.0
// The disk cache of programs and self-test outcomes on $WEIR_TEST_DEVICE (the host: nothing is
// kept): used, rebuilt when damaged in any byte that is looked at, shared by processes, and never
// in the way when its folder cannot be written.
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/strbuf.h"
#include "device/cache.h"
#include "support/support.h"

extern char **environ;

static const char *selector, *self;
static struct weir_strbuf seen; // every message since the last open

static void keep(void *cookie, enum weir_log_level level, const char *message)
{
    weir_strbuf_printf(&seen, "%s\n", message);
}

static int count(const char *fragment)
{
    int n = 0;
    for (const char *at = seen.s; at && (at = strstr(at, fragment)) != NULL; at++)
        n++;
    return n;
}

// NULL when it does not open. `trust`: without the self-test, which takes its time.
static weir_device *open_with(const char *folder, uint32_t mask, bool trust)
{
    weir_device *dev = NULL;
    struct weir_device_params params = { .selector = selector, .cache_dir = folder,
                                         .log = { keep, NULL, WEIR_LOG_DEBUG }, .caps_mask = mask,
                                         .skip_selftest = trust };
    weir_strbuf_free(&seen);
    weir_device_open(&params, &dev);
    return dev;
}

// Builds a kernel that writes 42 and runs it.
static int build_and_run(weir_device *dev)
{
    struct weir_build_params build = {
        .source = "kernel void f(global int *p, ulong o) { p[o] = 42; }\n", .label = "answer",
    };
    weir_module *module = NULL;
    weir_list *list = NULL;
    weir_buf *buf = NULL;
    int32_t got = -1;
    struct weir_launch l = { .kernel = "f", .n_bufs = 1, .global = { 1, 1, 1 } };
    if (weir_module_build(dev, &build, &module) == WEIR_OK &&
        weir_buf_create(dev, 4, &buf) == WEIR_OK) {
        l.module = module;
        l.bufs[0] = (struct weir_buf_ref) { buf, 0, 4 };
        if (weir_list_record(dev, &l, 1, &list) == WEIR_OK &&
            weir_list_replay(dev, list) == WEIR_OK)
            weir_buf_read(buf, 0, &got, 4);
    }
    weir_list_destroy(dev, &list);
    weir_module_destroy(dev, &module);
    weir_buf_destroy(&buf);
    return got;
}

static bool use_as(const char *folder, uint32_t mask, bool trust)
{
    weir_device *dev = open_with(folder, mask, trust);
    bool good = dev && (weir_device_is_host(dev) || build_and_run(dev) == 42);
    weir_device_close(&dev);
    return good;
}

static bool use(const char *folder)
{
    return use_as(folder, 0, true);
}

static bool caches(void)
{
    weir_device *dev = open_with(NULL, 0, true);
    bool yes = dev && weir_device_has(dev, WEIR_CAP_BINARY_CACHE);
    weir_device_close(&dev);
    return yes;
}

START_TEST(second_time_from_disk)
{
    const char *folder = test_path("second");
    ck_assert(use_as(folder, 0, false));
    if (!caches())
        return;
    ck_assert(use_as(folder, 0, false));
    ck_assert_int_eq(count("'answer' comes from the disk cache"), 1);
    ck_assert_int_eq(count("is compiled"), 0); // the self-test's outcome came from there too
}
END_TEST

static void outcome_path(const char *folder, char *path, size_t n)
{
    weir_arena *arena = weir_arena_create();
    char **names = NULL;
    size_t n_names = 0;
    path[0] = 0;
    if (weir_dir_exists(folder))
        weir_dir_list(&test_log, folder, arena, &names, &n_names);
    for (size_t i = 0; i < n_names; i++)
        if (strncmp(names[i], "selftest", 8) == 0)
            snprintf(path, n, "%s/%s", folder, names[i]);
    weir_arena_destroy(&arena);
}

// What is on disk is the same device's: admission, reason and features. Damaged, it is tested anew.
START_TEST(outcome_is_the_same)
{
    const char *folder = test_path("outcome");
    char path[1024];
    struct weir_device_info info;
    for (int round = 0; round < 3; round++) {
        weir_device *dev = open_with(folder, 0, false);
        ck_assert_ptr_nonnull(dev);
        if (round == 0)
            info = *weir_device_info(dev);
        ck_assert_int_eq(info.caps.sub_group > 0, (info.caps.features & WEIR_CAP_SUBGROUPS) != 0);
        ck_assert_mem_eq(weir_device_info(dev), &info, sizeof info);
        ck_assert_int_eq(count("the self-test of scalar.h"),
                         !weir_device_is_host(dev) && round != 1);
        weir_device_close(&dev);
        outcome_path(folder, path, sizeof path);
        if (round == 1 && path[0]) {
            size_t size;
            char *data = test_read(path, &size);
            data[size - 1] ^= 1;
            test_write(path, data, size);
            free(data);
        }
    }
}
END_TEST

static void damage(const char *path, const char *data, size_t size, int how)
{
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    switch (how) {
    case 0: // cut
        test_write(path, copy, size / 2);
        break;
    case 1:
        test_write(path, copy, 0);
        break;
    case 2: // longer
        copy[size] = 1;
        test_write(path, copy, size + 1);
        break;
    default: // one bit: of the magic, the key, the size, the sum, the payload's ends
        copy[(size_t[]) { 0, 8, 16, 24, 32, size - 1 }[how - 3]] ^= 4;
        test_write(path, copy, size);
    }
    free(copy);
}

START_TEST(damage_is_repaired)
{
    const char *folder = test_path("damaged");
    weir_arena *arena = weir_arena_create();
    char **names = NULL;
    size_t n = 0;
    ck_assert(use(folder));
    if (weir_dir_exists(folder))
        test_ok(weir_dir_list(&test_log, folder, arena, &names, &n));
    ck_assert(n >= 1 || !caches());
    for (size_t i = 0; i < n; i++) {
        char path[1024];
        size_t size, now;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        char *data = test_read(path, &size);
        for (int how = 0; how < 9; how++) {
            damage(path, data, size, how);
            ck_assert_msg(use(folder), "%s, damage %d", names[i], how);
            ck_assert_int_eq(count("error"), 0);
        }
        char *repaired = test_read(path, &now);
        ck_assert_uint_ge(now, 32);
        ck_assert_mem_eq(repaired, data, 16); // magic and key
        free(repaired);
        free(data);
    }
    weir_arena_destroy(&arena);
}
END_TEST

// An entry that is whole but that the driver refuses.
START_TEST(refused_binary_is_rebuilt)
{
    const char *folder = test_path("refused");
    ck_assert(use(folder));
    if (!caches())
        return;
    weir_arena *arena = weir_arena_create();
    char **names;
    size_t n;
    test_ok(weir_dir_list(&test_log, folder, arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        if (strncmp(names[i], "program", 7) != 0)
            continue;
        char path[1024], *data;
        size_t size;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        data = test_read(path, &size);
        uint64_t check, sum;
        memcpy(&check, data + 8, 8);
        memset(data + 32, 'x', size - 32);
        sum = weir_hash64(data + 32, size - 32, check);
        memcpy(data + 24, &sum, 8);
        test_write(path, data, size);
        free(data);
    }
    ck_assert(use(folder));
    ck_assert_int_eq(count("'answer' is compiled"), 1);
    ck_assert(use(folder));
    ck_assert_int_eq(count("'answer' comes from the disk cache"), 1);
    weir_arena_destroy(&arena);
}
END_TEST

START_TEST(masked_cache_is_not_used)
{
    const char *folder = test_path("masked");
    bool host = strcmp(selector, "host") == 0;
    ck_assert(use(folder));
    ck_assert(use_as(folder, WEIR_CAP_BINARY_CACHE, true));
    ck_assert_int_eq(count("'answer' is compiled"), !host);
}
END_TEST

START_TEST(unwritable_folder_is_a_warning)
{
    const char *file = test_path("file");
    char folder[512];
    test_write(file, "", 0); // a file where the folder should be: even root cannot write there
    snprintf(folder, sizeof folder, "%s/cache", file);
    ck_assert(use(folder));
    if (caches()) {
        ck_assert(use(folder));
        ck_assert_int_eq(count("cannot write to"), 1);
    }
}
END_TEST

START_TEST(two_processes_at_once)
{
    const char *folder = test_path("shared");
    pid_t pid[2];
    for (int i = 0; i < 2; i++) {
        char *argv[] = { (char *)self, (char *)folder, NULL };
        ck_assert_int_eq(posix_spawn(&pid[i], self, NULL, NULL, argv, environ), 0);
    }
    for (int i = 0; i < 2; i++) {
        int state = -1;
        ck_assert_int_eq(waitpid(pid[i], &state, 0), pid[i]);
        ck_assert_msg(WIFEXITED(state) && WEXITSTATUS(state) == 0, "process %d: %#x", i, state);
    }
    ck_assert(use(folder));
    if (caches()) {
        ck_assert(use(folder));
        ck_assert_int_eq(count("is compiled"), 0);
    }
}
END_TEST

int main(int argc, char **argv)
{
    self = "/proc/self/exe";
    selector = getenv("WEIR_TEST_DEVICE") ? getenv("WEIR_TEST_DEVICE") : "host";
    if (argc > 1)
        return use(argv[1]) ? EXIT_SUCCESS : EXIT_FAILURE;
    Suite *suite = suite_create("device-cache");
    TCase *tcase = tcase_create(selector);
    tcase_add_test(tcase, second_time_from_disk);
    tcase_add_test(tcase, outcome_is_the_same);
    tcase_add_test(tcase, damage_is_repaired);
    tcase_add_test(tcase, refused_binary_is_rebuilt);
    tcase_add_test(tcase, masked_cache_is_not_used);
    tcase_add_test(tcase, unwritable_folder_is_a_warning);
    tcase_add_test(tcase, two_processes_at_once);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
