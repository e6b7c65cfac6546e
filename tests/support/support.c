// SPDX-License-Identifier: Apache-2.0
// Shared by all check programs; see support.h.
#include "support.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char log_text[1 << 16];

static void collect(void *cookie, enum weir_log_level level, const char *message)
{
    size_t n = strlen(log_text);
    snprintf(log_text + n, sizeof(log_text) - n, "%s\n", message);
}

const struct weir_log test_log = {.callback = collect, .level = WEIR_LOG_DEBUG};

const char *test_log_text(void)
{
    return log_text;
}

void test_log_clear(void)
{
    log_text[0] = 0;
}

static char folder[192];

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_path(const char *name)
{
    static char paths[8][256];
    static int next;
    if (!folder[0]) {
        const char *parent = getenv("TMPDIR");
        int n = snprintf(folder, sizeof(folder), "%s/weir-test-XXXXXX",
                         parent && *parent ? parent : P_tmpdir);
        if (n >= (int)sizeof(folder) || !mkdtemp(folder))
            abort();
        atexit(remove_folder);
    }
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

void test_write(const char *path, const void *data, size_t size)
{
    remove(path); // some file systems flush a file that is cut to nothing and written again
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file))
        abort();
}

char *test_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long n = ftell(file);
    rewind(file);
    char *data = malloc((size_t)n + 1);
    if (!data || fread(data, 1, (size_t)n, file) != (size_t)n)
        abort();
    fclose(file);
    data[n] = 0;
    *size = (size_t)n;
    return data;
}

size_t test_count_entries(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        abort();
    size_t n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

uint64_t test_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int test_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int test_run_list(const char *name, double seconds, const TTest *const *tests)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, seconds);
    for (; *tests; tests++)
        tcase_add_test(tcase, *tests);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}

weir_device *test_device(const char *selector, uint32_t hidden)
{
    const char *mask = getenv("WEIR_TEST_MASK");
    selector = selector ? selector : getenv("WEIR_TEST_DEVICE");
    if (mask && strcmp(mask, "grouped") == 0)
        hidden |= WEIR_CAP_WIDE;
    struct weir_device_params params = {
        .selector = selector ? selector : "host", .log = test_log, .caps_mask = hidden};
    weir_device *dev = NULL;
    test_ok(weir_device_open(&params, &dev));
    return dev;
}
