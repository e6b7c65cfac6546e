// SPDX-License-Identifier: Apache-2.0
// log.csv and TensorBoard event files: their bytes, and what is left of them when a run resumes.
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/files.h"
#include "data/csv.h"
#include "data/events.h"
#include "support/events.h"
#include "support/support.h"

// ---- CSV ----

static const char *const columns[] = {"loss", "lr", "time"};

static void expect_text(const char *path, const char *wanted)
{
    size_t size;
    char *text = test_read(path, &size);
    ck_assert_str_eq(text, wanted);
    free(text);
}

START_TEST(csv_rows)
{
    const char *path = test_path("log.csv");
    weir_csv *csv = NULL;
    test_write(path, "old", 3);
    test_ok(weir_csv_open(&test_log, path, columns, 3, -1, &csv));
    test_ok(weir_csv_row(csv, 1, (double[]){0.1f, 2e-3, NAN}));
    expect_text(path, "step,loss,lr,time\n1,0.100000001,0.002,\n"); // there at once
    test_ok(weir_csv_row(csv, 2, (double[]){INFINITY, 1e-30, 3}));
    weir_csv_close(&csv);
    weir_csv_close(&csv);
    expect_text(path, "step,loss,lr,time\n1,0.100000001,0.002,\n2,inf,1e-30,3\n");
}
END_TEST

START_TEST(csv_resume)
{
    static const struct {
        const char *before;
        int64_t last_step;
        const char *after;
    } rows[] = {
        {"step,loss\n1,5\n2,4\n3,3\n", 2, "step,loss\n1,5\n2,4\n9,7\n"},
        {"step,loss\n1,5\n2,4\n3,3", 7, "step,loss\n1,5\n2,4\n9,7\n"}, // killed while writing
        {"step,loss\n1,5\n2,4\n3,3\n", 7, "step,loss\n1,5\n2,4\n3,3\n9,7\n"},
        {"step,loss\n1,5\n\n3,3\n", 7, "step,loss\n1,5\n9,7\n"}, // nothing behind damage counts
        {"step,loss\n5,5\n", 0, "step,loss\n9,7\n"},
        {NULL, 5, "step,loss\n9,7\n"}, // no old file
    };
    const char *path = test_path("resume.csv");
    for (size_t i = 0; i < WEIR_COUNT(rows); i++) {
        weir_csv *csv = NULL;
        unlink(path);
        if (rows[i].before)
            test_write(path, rows[i].before, strlen(rows[i].before));
        test_ok(weir_csv_open(&test_log, path, columns, 1, rows[i].last_step, &csv));
        test_ok(weir_csv_row(csv, 9, (double[]){7}));
        weir_csv_close(&csv);
        expect_text(path, rows[i].after);
    }
    weir_csv *csv = NULL;
    test_status(weir_csv_open(&test_log, path, columns, 2, 5, &csv), WEIR_FORMAT,
                "the columns are 'step,loss', expected 'step,loss,lr'");
    test_write(path, "", 0);
    test_status(weir_csv_open(&test_log, path, columns, 1, 5, &csv), WEIR_FORMAT, "columns are ''");
    test_status(weir_csv_open(&test_log, "/proc/log.csv", columns, 1, -1, &csv), WEIR_IO,
                "/proc/log.csv");
    ck_assert_ptr_null(csv);
}
END_TEST

START_TEST(csv_full_disk)
{
    const char *path = test_path("full.csv");
    weir_csv *csv = NULL;
    test_ok(weir_csv_open(&test_log, path, columns, 1, -1, &csv));
    struct rlimit old, limit;
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 16;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    test_log_clear();
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < 5 && !status; i++)
        status = weir_csv_row(csv, i, (double[]){1});
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    ck_assert_int_eq(status, WEIR_IO);
    ck_assert_ptr_nonnull(strstr(test_log_text(), "full.csv': File too large"));
    weir_csv_close(&csv);
}
END_TEST

// ---- events ----

START_TEST(crc32c_known_answers) // RFC 3720, B.4
{
    unsigned char bytes[32] = {0};
    ck_assert_uint_eq(weir_crc32c("123456789", 9), 0xe3069283);
    ck_assert_uint_eq(weir_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    ck_assert_uint_eq(weir_crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    ck_assert_uint_eq(weir_crc32c(bytes, 32), 0x46dd794e);
    ck_assert_uint_eq(weir_crc32c(NULL, 0), 0);
    // (crc >> 15 | crc << 17) + a282ead8 of the first.
    ck_assert_uint_eq(weir_crc32c_masked("123456789", 9), 0xc78ab0e5);
}
END_TEST

static int count_records(const char *path)
{
    size_t size, n;
    unsigned char *file = (unsigned char *)test_read(path, &size);
    int count = 0;
    while (test_record(file, size, count, &n))
        count++;
    free(file);
    return count;
}

// The protobuf bytes, written out by hand from event.proto and summary.proto.
START_TEST(events_bytes)
{
    static const unsigned char first[] = "\x09\0\0\0\0\0\0\xf8\x3f" // 1: 1.5
                                         "\x1a\x0d"
                                         "brain.Event:2";          // 3: file_version
    static const unsigned char scalar[] = "\x09\0\0\0\0\0\0\0\x40" // 1: 2.0
                                          "\x10\xac\x02"           // 2: 300
                                          "\x2a\x0d"               // 5: summary, 13 bytes
                                          "\x0a\x0b"               // 1: value
                                          "\x0a\x04"
                                          "loss"              // 1: tag
                                          "\x15\0\0\x80\x3f"; // 2: 1.0f
    static const unsigned char image[] = "\x09\0\0\0\0\0\0\0\x40\x10\x05\x2a\x10\x0a\x0e"
                                         "\x0a\x01x\x22\x09"                  // tag; 4: image
                                         "\x08\x02\x10\x03\x18\x01\x22\x01P"; // h, w, channels, PNG
    const char *path = test_path("events");
    weir_events *events = NULL;
    test_ok(weir_events_open(&test_log, path, 1.5, -1, &events));
    test_ok(weir_events_scalar(events, 2.0, 300, "loss", 1.0f));
    test_ok(weir_events_image(events, 2.0, 5, "x", 3, 2, 1, "P", 1));
    weir_events_close(&events);
    weir_events_close(&events);
    size_t size, n;
    unsigned char *file = (unsigned char *)test_read(path, &size);
    const unsigned char *p = test_record(file, size, 0, &n);
    ck_assert(n == sizeof(first) - 1 && !memcmp(p, first, n));
    p = test_record(file, size, 1, &n);
    ck_assert(n == sizeof(scalar) - 1 && !memcmp(p, scalar, n));
    p = test_record(file, size, 2, &n);
    ck_assert(n == sizeof(image) - 1 && !memcmp(p, image, n));
    ck_assert_ptr_null(test_record(file, size, 3, &n));
    free(file);
}
END_TEST

static void write_steps(const char *path, int64_t last_step, int from, int to)
{
    weir_events *events = NULL;
    test_ok(weir_events_open(&test_log, path, 0, last_step, &events));
    for (int step = from; step <= to; step++)
        test_ok(weir_events_scalar(events, 0, step, "loss", (float)step));
    weir_events_close(&events);
}

START_TEST(events_resume)
{
    const char *path = test_path("resume.events"), *straight = test_path("straight.events");
    write_steps(straight, -1, 1, 12);
    size_t size, size2;
    char *wanted = test_read(straight, &size2), *file = NULL;
    write_steps(path, -1, 1, 10);
    write_steps(path, 6, 7, 12); // resumed from the checkpoint of step 6
    file = test_read(path, &size);
    ck_assert(size == size2 && !memcmp(file, wanted, size));
    free(file);
    for (size_t cut = 0; cut < size2; cut += 7) { // killed at any moment: whole records stay
        test_write(path, wanted, cut);
        write_steps(path, 12, 100, 100);
        int left = (int)(cut < 40 ? 0 : (cut - 40) / ((size2 - 40) / 12));
        ck_assert_int_eq(count_records(path), 1 + left + 1);
    }
    wanted[size2 / 2] ^= 1; // damage in the middle
    test_write(path, wanted, size2);
    write_steps(path, 12, 100, 100);
    ck_assert_int_lt(count_records(path), 9);
    free(wanted);
    write_steps(test_path("absent.events"), 5, 6, 6);
    ck_assert_int_eq(count_records(test_path("absent.events")), 2);
}
END_TEST

START_TEST(events_errors)
{
    weir_events *events = NULL;
    test_status(weir_events_open(&test_log, "/proc/events", 0, -1, &events), WEIR_IO,
                "cannot write '/proc/events'");
    test_status(weir_events_open(&test_log, "/dev/full", 0, -1, &events), WEIR_IO,
                "'/dev/full': No space left on device");
    ck_assert_ptr_null(events);
}
END_TEST

int main(void)
{
    return test_run("data-logs", TEST_SECONDS, csv_rows, csv_resume, csv_full_disk,
                    crc32c_known_answers, events_bytes, events_resume, events_errors);
}
