// SPDX-License-Identifier: Apache-2.0
// Choosing a device where there is little to choose from: no driver, a driver that does not load, a
// platform without devices, drivers that fail (support/stub_icd.c). argv[1] names the scene,
// argv[2] the stub's library; the loader reads its variables once, so a process plays one scene.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "support/support.h"

static struct weir_device_info rows[16];

static int list(void)
{
    struct weir_device_params params = { .log = test_log };
    test_log_clear();
    return weir_device_list(&params, rows, 16);
}

static enum weir_status try_open(const char *selector, weir_device **dev)
{
    struct weir_device_params params = { .selector = selector, .log = test_log };
    return weir_device_open(&params, dev);
}

// Whatever is wrong with the drivers, the host is there and `auto` comes to it.
static void host_alone(void)
{
    weir_device *dev = NULL;
    ck_assert_int_eq(list(), 1);
    ck_assert_str_eq(rows[0].backend, "host");
    ck_assert_str_eq(rows[0].name, "C reference");
    test_ok(try_open(NULL, &dev));
    ck_assert(weir_device_is_host(dev));
    ck_assert_int_eq(weir_device_info(dev)->admission, WEIR_EXACT);
    weir_device_close(&dev);
    ck_assert_ptr_null(dev);
}

START_TEST(without_devices)
{
    weir_device *dev = NULL;
    host_alone();
    test_status(try_open("opencl:0", &dev), WEIR_NODEVICE, "here are: host (C reference)");
    test_status(try_open("opencl", &dev), WEIR_NODEVICE, "nothing matches");
    ck_assert_ptr_null(dev);
}
END_TEST

START_TEST(broken)
{
    host_alone();
    list();
    ck_assert_msg(strstr(test_log_text(), "OpenCL platform 'Stub platform': clGetDeviceIDs failed "
                                          "with CL_OUT_OF_HOST_MEMORY (-6)") != NULL,
                  "%s", test_log_text());
}
END_TEST

START_TEST(old)
{
    host_alone();
    list();
    ck_assert_msg(strstr(test_log_text(), "'Stub device' is left out: it is older than") != NULL,
                  "%s", test_log_text());
}
END_TEST

START_TEST(offline)
{
    host_alone();
    list();
    ck_assert_msg(strstr(test_log_text(), "it has no compiler") != NULL, "%s", test_log_text());
}
END_TEST

START_TEST(selectors)
{
    weir_device *dev = NULL;
    ck_assert_int_eq(list(), 2);
    ck_assert_str_eq(rows[1].name, "Stub device"); // trimmed
    test_status(try_open("e", &dev), WEIR_NODEVICE,
                "device 'e': more than one matches; here are: host (C reference), opencl:0 "
                "(Stub device)");
    test_status(try_open("geforce", &dev), WEIR_NODEVICE, "device 'geforce': nothing matches");
    test_status(try_open("opencl:1", &dev), WEIR_NODEVICE, "nothing matches");
    test_status(try_open("opencl:-1", &dev), WEIR_NODEVICE, "nothing matches");
    test_status(try_open("opencl:0x", &dev), WEIR_NODEVICE, "nothing matches");
    test_status(try_open("", &dev), WEIR_INVALID, "requires");
    ck_assert_ptr_null(dev);
    test_ok(try_open("REFERENCE", &dev));
    ck_assert(weir_device_is_host(dev));
    weir_device_close(&dev);
}
END_TEST

// The self-test needs memory: its failure is a status, and the message says what was wanted.
START_TEST(lazy_oom)
{
    weir_device *dev = NULL;
    struct weir_device_params params = { .selector = "opencl:0", .log = test_log,
                                         .skip_selftest = true };
    test_ok(weir_device_open(&params, &dev));
    weir_buf *buf = NULL;
    test_status(weir_buf_create(dev, 4096, &buf), WEIR_NOMEM,
                "out of memory on Stub device: a buffer of 4096 bytes wanted, 0 bytes live "
                "(CL_MEM_OBJECT_ALLOCATION_FAILURE)");
    ck_assert_ptr_null(buf);
    ck_assert_uint_eq(dev->bytes_live, 0);
    test_status(weir_buf_create(dev, (size_t)2 << 30, &buf), WEIR_NOMEM,
                "the largest single buffer is 1073741824");
    test_status(weir_device_finish(dev), WEIR_DEVICE, "CL_OUT_OF_RESOURCES (-5)");
    weir_device_close(&dev);
}
END_TEST

// It opens, but runs nothing: not exact, and `auto` passes over it.
START_TEST(useless)
{
    weir_device *dev = NULL;
    test_status(try_open("opencl:0", &dev), WEIR_UNSUPPORTED,
                "opencl:0 (Stub device) cannot run exact mode: the self-test's kernels fail");
    test_ok(try_open("auto", &dev));
    ck_assert(weir_device_is_host(dev));
    weir_device_close(&dev);
    struct weir_device_params params = { .selector = "stub", .log = test_log, .allow_fast = true };
    test_ok(weir_device_open(&params, &dev));
    ck_assert_int_eq(weir_device_info(dev)->admission, WEIR_FAST_ONLY);
    weir_device_close(&dev);
}
END_TEST

START_TEST(no_queue)
{
    weir_device *dev = NULL;
    test_status(try_open("opencl:0", &dev), WEIR_DEVICE,
                "clCreateCommandQueue failed with CL_OUT_OF_RESOURCES (-5)");
    test_ok(try_open("auto", &dev));
    ck_assert(weir_device_is_host(dev));
    weir_device_close(&dev);
}
END_TEST

// A folder of ICD files holding one that names `library`, or none.
static void point_loader(const char *library)
{
    const char *file = test_path("stub.icd");
    if (library)
        test_write(file, library, strlen(library));
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", file);
    *strrchr(folder, '/') = 0;
    setenv("OCL_ICD_VENDORS", folder, 1);
}

static const struct {
    const char *scene, *mode; // mode: of the stub; NULL = no stub
    const TTest *const *test;
} scenes[] = {
    { "none", NULL, &without_devices }, { "missing", NULL, &without_devices },
    { "empty", "empty", &without_devices }, { "broken", "broken", &broken }, { "old", "old", &old },
    { "offline", "offline", &offline }, { "selectors", "useless", &selectors },
    { "lazy-oom", "lazy-oom", &lazy_oom }, { "useless", "useless", &useless },
    { "no-queue", "no-queue", &no_queue },
};

int main(int argc, char **argv)
{
    const char *scene = argc > 1 ? argv[1] : "none";
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        if (strcmp(scenes[i].scene, scene) != 0)
            continue;
        bool missing = strcmp(scene, "missing") == 0;
        point_loader(missing ? "/nowhere/libno-such-driver.so\n" : scenes[i].mode ? argv[2] : NULL);
        if (scenes[i].mode)
            setenv("STUB_ICD", scenes[i].mode, 1);
        Suite *suite = suite_create("device-faults");
        TCase *tcase = tcase_create(scene);
        tcase_add_test(tcase, *scenes[i].test);
        suite_add_tcase(suite, tcase);
        return test_main(suite);
    }
    fprintf(stderr, "no scene '%s'\n", scene);
    return 2;
}
