// SPDX-License-Identifier: Apache-2.0
// base: status, log, arena, hash, text buffer, threads.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/threads.h"
#include "support/support.h"

START_TEST(status_names)
{
    ck_assert_str_eq(weir_status_name(WEIR_OK), "WEIR_OK");
    ck_assert_str_eq(weir_status_name(WEIR_INTERRUPTED), "WEIR_INTERRUPTED");
    ck_assert_str_eq(weir_status_text(WEIR_FORMAT), "malformed file");
    ck_assert_str_eq(weir_status_name((enum weir_status)999), "WEIR_?");
    ck_assert_str_eq(weir_status_text((enum weir_status)999), "unknown status");
    ck_assert_str_ne(weir_version(), "");
}
END_TEST

START_TEST(log_levels)
{
    struct weir_log quiet = test_log;
    quiet.level = WEIR_LOG_WARN;
    test_log_clear();
    weir_logf(NULL, WEIR_LOG_ERROR, "x");
    weir_logf(&(struct weir_log){0}, WEIR_LOG_ERROR, "x");
    weir_logf(&quiet, WEIR_LOG_INFO, "unseen");
    weir_logf(&quiet, WEIR_LOG_WARN, "seen %d", 7);
    ck_assert_str_eq(test_log_text(), "seen 7\n");
    ck_assert_int_eq(weir_fail(NULL, WEIR_IO, "x"), WEIR_IO);
}
END_TEST

START_TEST(log_long_message) // longer than the local buffer: a driver's build log
{
    char text[5001];
    memset(text, 'a', 5000);
    text[5000] = 0;
    test_log_clear();
    weir_logf(&test_log, WEIR_LOG_ERROR, "%s!", text);
    ck_assert_uint_eq(strlen(test_log_text()), 5002);
    ck_assert_int_eq(test_log_text()[5000], '!');
}
END_TEST

static enum weir_status require_seven(int n)
{
    enum weir_status status = WEIR_OK;
    weir_require(&test_log, n == 7);
error:
    return status;
}

START_TEST(require_names_the_condition)
{
    test_ok(require_seven(7));
    test_status(require_seven(8), WEIR_INVALID, "test_base.c:");
    test_status(require_seven(8), WEIR_INVALID, "n == 7");
}
END_TEST

START_TEST(arena_sizes)
{
    static const size_t sizes[] = {0, 1, 31, 32, 33, 4096, 4097, 16384, 100000, 7, 3000};
    weir_arena *arena = weir_arena_create();
    unsigned char *got[WEIR_COUNT(sizes) * 10];
    for (size_t i = 0; i < WEIR_COUNT(got); i++) {
        size_t size = sizes[i % WEIR_COUNT(sizes)];
        got[i] = weir_arena_alloc(arena, size);
        ck_assert_ptr_nonnull(got[i]);
        ck_assert_uint_eq((uintptr_t)got[i] % 32, 0);
        size_t nonzero = 0;
        for (size_t j = 0; j < size; j++)
            nonzero += got[i][j] != 0;
        ck_assert_uint_eq(nonzero, 0);
        memset(got[i], (int)i, size);
    }
    size_t overwritten = 0;
    for (size_t i = 0; i < WEIR_COUNT(got); i++)
        for (size_t j = 0; j < sizes[i % WEIR_COUNT(sizes)]; j++)
            overwritten += got[i][j] != (unsigned char)i;
    ck_assert_uint_eq(overwritten, 0);
    ck_assert_uint_ge(weir_arena_used(arena), 10 * 127674);
    ck_assert_ptr_null(weir_arena_alloc(arena, SIZE_MAX));
    ck_assert_ptr_null(weir_arena_alloc(arena, SIZE_MAX / 2));
    ck_assert_ptr_null(weir_arena_array(arena, SIZE_MAX / 4, 8));
    ck_assert_ptr_nonnull(weir_arena_alloc(arena, 1)); // a failure leaves it usable
    for (int round = 0; round < 2; round++) { // after a reset, bytes are zero again
        weir_arena_reset(arena);
        ck_assert_uint_eq(weir_arena_used(arena), 0);
        for (size_t size = 100; size <= 100000; size *= 1000) {
            unsigned char *p = weir_arena_alloc(arena, size);
            for (size_t k = 0; k < size; k++) {
                ck_assert_uint_eq(p[k], 0);
                p[k] = 0xff;
            }
        }
    }
    weir_arena_reset(NULL);
    weir_arena_destroy(&arena);
    ck_assert_ptr_null(arena);
    weir_arena_destroy(&arena);
}
END_TEST

START_TEST(arena_text)
{
    weir_arena *arena = weir_arena_create();
    ck_assert_str_eq(weir_arena_strdup(arena, "abc"), "abc");
    ck_assert_str_eq(weir_arena_printf(arena, "%s-%d", "conv", 3), "conv-3");
    ck_assert_ptr_null(weir_arena_strdup(arena, NULL));
    ck_assert_int_eq(*(int *)weir_arena_memdup(arena, &(int){42}, sizeof(int)), 42);
    weir_arena_destroy(&arena);
}
END_TEST

// Known answers of the published algorithms: stored digests depend on them.
START_TEST(hash_known_answers)
{
    ck_assert_uint_eq(weir_hash64(NULL, 0, 0), 0xef46db3751d8e999u);
    ck_assert_uint_eq(weir_hash64("abc", 3, 0), 0x44bc2cf5ad770999u);
    ck_assert_uint_eq(weir_hash32(""), 0x02cc5d05u);
    ck_assert_uint_eq(weir_hash32("abc"), 0x32d153ffu);
}
END_TEST

START_TEST(hash_in_pieces)
{
    unsigned char data[1000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7);
    for (size_t cut = 0; cut <= sizeof(data); cut += 37) {
        struct weir_hasher hasher;
        weir_hasher_init(&hasher, 5);
        weir_hasher_add(&hasher, data, cut);
        weir_hasher_add(&hasher, NULL, 0);
        weir_hasher_add(&hasher, data + cut, sizeof(data) - cut);
        ck_assert_uint_eq(weir_hasher_digest(&hasher), weir_hash64(data, sizeof(data), 5));
    }
    struct weir_hasher a, b; // the final 0 keeps "ab","c" from "a","bc"
    weir_hasher_init(&a, 0);
    weir_hasher_init(&b, 0);
    weir_hasher_add_text(&a, "ab");
    weir_hasher_add_text(&a, "c");
    weir_hasher_add_text(&b, "a");
    weir_hasher_add_text(&b, "bc");
    ck_assert_uint_ne(weir_hasher_digest(&a), weir_hasher_digest(&b));
}
END_TEST

START_TEST(strbuf_grows)
{
    struct weir_strbuf buf = {0};
    for (int i = 0; i < 1000; i++)
        weir_strbuf_printf(&buf, "%d,", i);
    weir_strbuf_puts(&buf, "end");
    ck_assert_uint_eq(buf.n, 10 * 2 + 90 * 3 + 900 * 4 + 3);
    char *text = weir_strbuf_finish(&buf);
    ck_assert_uint_eq(strlen(text), 10 * 2 + 90 * 3 + 900 * 4 + 3);
    ck_assert_str_eq(text + strlen(text) - 7, "999,end");
    free(text);
    ck_assert_ptr_null(buf.s);
    text = weir_strbuf_finish(&buf);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(strbuf_out_of_memory_sticks)
{
    struct weir_strbuf buf = {0};
    weir_strbuf_puts(&buf, "abc");
    weir_strbuf_write(&buf, "", SIZE_MAX / 2); // refused before anything is read
    weir_strbuf_puts(&buf, "def");
    ck_assert(buf.failed);
    ck_assert_str_eq(buf.s, "abc");
    ck_assert_ptr_null(weir_strbuf_finish(&buf));
    ck_assert(!buf.failed);
}
END_TEST

struct relay {
    struct weir_monitor monitor;
    int turn, sum;
};

static void answer(void *arg)
{
    struct relay *relay = arg;
    for (int i = 0; i < 100; i++) {
        weir_monitor_enter(&relay->monitor);
        while (relay->turn != 1)
            weir_monitor_wait(&relay->monitor);
        relay->sum += i;
        relay->turn = 0;
        weir_monitor_wake(&relay->monitor);
        weir_monitor_leave(&relay->monitor);
    }
}

START_TEST(threads_take_turns)
{
    struct relay relay = {.turn = 0};
    struct weir_thread thread = {0};
    weir_thread_join(&thread); // never started: nothing to do
    test_ok(weir_monitor_init(&test_log, &relay.monitor));
    test_ok(weir_thread_start(&test_log, &thread, answer, &relay));
    for (int i = 0; i < 100; i++) {
        weir_monitor_enter(&relay.monitor);
        while (relay.turn != 0)
            weir_monitor_wait(&relay.monitor);
        relay.turn = 1;
        weir_monitor_wake(&relay.monitor);
        weir_monitor_leave(&relay.monitor);
    }
    weir_thread_join(&thread);
    weir_monitor_finish(&relay.monitor);
    ck_assert_int_eq(relay.sum, 4950);
    ck_assert_int_ge(weir_cpu_count(), 1);
}
END_TEST

int main(void)
{
    return test_run("base", TEST_SECONDS, status_names, log_levels, log_long_message,
                    require_names_the_condition, arena_sizes, arena_text, hash_known_answers,
                    hash_in_pieces, strbuf_grows, strbuf_out_of_memory_sticks, threads_take_turns);
}
