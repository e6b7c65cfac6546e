// SPDX-License-Identifier: Apache-2.0
// Device memory: what a training step allocates is what its plan says, a limit is kept or refused
// with the least that is possible, and a step that computes its activations again gives the bits of
// one that keeps them. On $WEIR_TEST_DEVICE, else on the host.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/compile.h"
#include "compile/min_cut.h"
#include "support/small_unet.h"
#include "support/support.h"

static const struct weir_program_info *info_of(const struct small_unet *u)
{
    return weir_step_info(u->step);
}

// What the refusal of a limit of one byte says.
static size_t least_of(weir_device *dev)
{
    struct small_unet u;
    size_t limit = 0, least = 0;
    test_log_clear();
    enum weir_status status =
        small_unet_create(dev, &(struct weir_compile_params){.memory = 1}, &u);
    ck_assert_int_eq(status, WEIR_NOMEM);
    const char *said = strstr(test_log_text(), "the limit is ");
    ck_assert_msg(said &&
                      sscanf(said, "the limit is %zu bytes; %zu is the least", &limit, &least) == 2,
                  "%s", test_log_text());
    ck_assert_msg(strstr(test_log_text(), " are alive at launch "), "%s", test_log_text());
    ck_assert_uint_eq(limit, 1);
    return least;
}

START_TEST(limits)
{
    weir_device *dev = test_device(NULL, 0);
    struct small_unet u;
    char *kept, *again;
    const struct weir_compile_params keep = {.no_recompute = true};
    test_ok(small_unet_create(dev, &keep, &u));
    small_unet_check_memory(&u, dev);
    ck_assert_int_eq(info_of(&u)->recomputed, 0);
    size_t most = dev->bytes_live, size = small_unet_run(&u, &kept);
    ck_assert_uint_eq(dev->bytes_live, most); // running allocates nothing
    small_unet_finish(&u);
    size_t least = least_of(dev);
    ck_assert_uint_lt(least, most - most / 16);
    test_ok(small_unet_create(dev, &(struct weir_compile_params){.memory = least}, &u));
    small_unet_check_memory(&u, dev);
    ck_assert_uint_le(dev->bytes_live, least);
    ck_assert_int_gt(info_of(&u)->recomputed, 0);
    ck_assert(info_of(&u)->recomputed_flop > 0);
    ck_assert_uint_eq(small_unet_run(&u, &again), size);
    ck_assert_mem_eq(kept, again, size);
    small_unet_finish(&u);
    test_status(small_unet_create(dev, &(struct weir_compile_params){.memory = least - 1}, &u),
                WEIR_NOMEM, "is the least this program can do with");
    ck_assert_uint_eq(dev->bytes_live, 0);
    free(kept);
    free(again);
    weir_device_close(&dev);
}
END_TEST

// A limit that the plan keeps in any case changes nothing.
START_TEST(a_wide_limit)
{
    weir_device *dev = test_device(NULL, 0);
    struct small_unet u;
    test_ok(small_unet_create(dev, NULL, &u));
    const struct weir_program_info free_info = *info_of(&u);
    size_t held = dev->bytes_live;
    small_unet_finish(&u);
    test_ok(small_unet_create(dev, &(struct weir_compile_params){.memory = held}, &u));
    ck_assert_uint_eq(info_of(&u)->peak, free_info.peak);
    ck_assert_int_eq(info_of(&u)->recomputed, free_info.recomputed);
    small_unet_finish(&u);
    weir_device_close(&dev);
}
END_TEST

// Minimum cuts of random graphs against every subset of the nodes between.
START_TEST(minimum_cuts)
{
    enum { N = 8, ARCS = 20 };
    uint64_t state = 11;
    for (int round = 0; round < 200; round++) {
        weir_arena *arena = weir_arena_create();
        struct weir_min_cut *m = weir_min_cut_create(arena, N);
        int a[ARCS], b[ARCS];
        int64_t capacity[ARCS], best = INT64_MAX, found = 0;
        bool side[N];
        for (int i = 0; i < ARCS; i++) {
            a[i] = (int)(test_next(&state) % N);
            b[i] = (int)(test_next(&state) % N);
            capacity[i] = (int64_t)(test_next(&state) % 10);
            ck_assert(weir_min_cut_arc(m, a[i], b[i], capacity[i]));
        }
        for (int set = 0; set < 1 << N; set++) {
            int64_t sum = 0;
            for (int i = 0; i < ARCS; i++)
                sum += (set >> a[i] & 1) && !(set >> b[i] & 1) ? capacity[i] : 0;
            if ((set & 1) && !(set >> (N - 1) & 1) && sum < best)
                best = sum;
        }
        weir_min_cut_solve(m, 0, N - 1, side);
        ck_assert(side[0] && !side[N - 1]);
        for (int i = 0; i < ARCS; i++)
            found += side[a[i]] && !side[b[i]] ? capacity[i] : 0;
        ck_assert_int_eq(found, best);
        weir_arena_destroy(&arena);
    }
}
END_TEST

int main(void)
{
    return test_run("memory", 0, limits, a_wide_limit, minimum_cuts);
}
