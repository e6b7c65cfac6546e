// SPDX-License-Identifier: Apache-2.0
// What every check program needs: a log whose last messages can be looked at, scratch files that
// go away, and a main. One process runs its tests one after the other, so statics are fine here.
#ifndef WEIR_TESTS_SUPPORT_H
#define WEIR_TESTS_SUPPORT_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/device.h"
#include "weir/log.h"
#include "weir/status.h"

// Collects messages of every level. Warnings and errors also pile up in test_log_text.
extern const struct weir_log test_log;
const char *test_log_text(void); // everything since the last clear, one message a line
void test_log_clear(void);

// The call gave `expected` and the log holds `fragment`; shows both and the log if not. Clears.
#define test_status(call, expected, fragment)                                                      \
    do {                                                                                           \
        test_log_clear();                                                                          \
        enum weir_status got_status = (call);                                                      \
        ck_assert_msg(got_status == (expected) && strstr(test_log_text(), (fragment)),             \
                      "%s\n gave %s, wanted %s and a message with '%s'; log: %s", #call,           \
                      weir_status_name(got_status), weir_status_name(expected), (fragment),        \
                      test_log_text());                                                            \
    } while (0)
#define test_ok(call) test_status(call, WEIR_OK, "")

// A path inside a folder of this process that is removed at exit. Static text, 8 in rotation.
const char *test_path(const char *name);

// Writes or reads scratch files without going through the code under test; aborts on failure.
void test_write(const char *path, const void *data, size_t size);
char *test_read(const char *path, size_t *size); // malloc'd; NULL when there is no such file
size_t test_count_entries(const char *folder);   // without . and ..

// The device that `selector` names (NULL: $WEIR_TEST_DEVICE, or the host), without the features
// `hidden`; in grouped form where $WEIR_TEST_MASK says so. Fails the test if there is none.
weir_device *test_device(const char *selector, uint32_t hidden);

// A stream of test numbers: the next one after *state (splitmix64). State it in the test.
uint64_t test_next(uint64_t *state);

// Runs the suite as CK_* variables say; the process's exit status.
int test_main(Suite *suite);
#define TEST_SKIPPED 77 // the exit status instead of success where something that is tested is not here

// A suite of these tests, each within so many seconds (0: however long), as test_main runs it.
#define TEST_SECONDS 4
#define test_run(name, seconds, ...)                                                               \
    test_run_list((name), (seconds), (const TTest *const[]){__VA_ARGS__, NULL})
int test_run_list(const char *name, double seconds, const TTest *const *tests);

#endif
