// SPDX-License-Identifier: Apache-2.0
// base/files and base/json: what a user sees when a disk, a folder or a recipe is wrong, and that
// a failed write leaves the old file whole.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/files.h"
#include "base/json.h"
#include "support/support.h"

static void expect_content(const char *path, const char *text)
{
    size_t size;
    char *data = test_read(path, &size);
    ck_assert_ptr_nonnull(data);
    ck_assert_str_eq(data, text);
    free(data);
}

START_TEST(read_write)
{
    const char *path = test_path("plain");
    char *data;
    size_t size;
    test_ok(weir_file_write(&test_log, path, "hello", 5));
    test_ok(weir_file_read(&test_log, path, &data, &size));
    ck_assert_uint_eq(size, 5);
    ck_assert_str_eq(data, "hello");
    free(data);
    test_ok(weir_file_write(&test_log, path, NULL, 0));
    test_ok(weir_file_read(&test_log, path, &data, &size));
    ck_assert_uint_eq(size, 0);
    free(data);
    test_ok(weir_file_read(&test_log, "/proc/self/status", &data, &size)); // stat says size 0
    ck_assert_uint_gt(size, 100);
    free(data);
    unlink(path);
}
END_TEST

START_TEST(read_errors)
{
    char *data;
    size_t size;
    test_status(weir_file_read(&test_log, test_path("absent"), &data, &size), WEIR_IO,
                "absent': No such file or directory");
    test_status(weir_file_read(&test_log, "/tmp", &data, &size), WEIR_IO, "Is a directory");
}
END_TEST

START_TEST(write_errors)
{
    test_status(weir_file_write(&test_log, "/proc/weir", "x", 1), WEIR_IO, "cannot write '/proc/w");
    test_status(weir_file_write(&test_log, test_path("no/such/folder"), "x", 1), WEIR_IO,
                "No such file or directory");
    test_status(weir_file_write(&test_log, "/tmp", "x", 1), WEIR_IO, "Is a directory");
    test_status(weir_file_write(&test_log, "/dev/full", "x", 1), WEIR_IO, "not a regular file");
    struct stat st;
    ck_assert(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));
}
END_TEST

START_TEST(write_into_read_only_folder)
{
    if (geteuid() == 0)
        return; // permissions do not bind root; /proc above stands in
    const char *folder = test_path("locked");
    mkdir(folder, 0500);
    test_status(weir_file_write(&test_log, test_path("locked/x"), "x", 1), WEIR_IO,
                "Permission denied");
    rmdir(folder);
}
END_TEST

// A file size limit stands in for a full disk: the write call fails half way.
START_TEST(write_fails_half_way)
{
    test_ok(weir_mkdirs(&test_log, test_path("full")));
    const char *path = test_path("full/checkpoint");
    test_ok(weir_file_write(&test_log, path, "old", 3));
    char *big = calloc(1, 300000);
    struct rlimit old, limit;
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 100000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    enum weir_status whole = weir_file_write(&test_log, path, big, 300000);
    test_log_clear();
    weir_atomic *file = NULL;
    enum weir_status opened = weir_atomic_open(&test_log, path, &file);
    for (int i = 0; i < 300 && file; i++)
        weir_atomic_write(file, big, 1000);
    enum weir_status pieces = file ? weir_atomic_commit(&file) : opened;
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    free(big);
    ck_assert_int_eq(whole, WEIR_IO);
    ck_assert_int_eq(pieces, WEIR_IO);
    ck_assert_ptr_null(file);
    ck_assert_ptr_nonnull(strstr(test_log_text(), "checkpoint': File too large"));
    ck_assert_ptr_nonnull(strstr(test_log_text(), "what was there before is unchanged"));
    expect_content(path, "old");
    ck_assert_uint_eq(test_count_entries(test_path("full")), 1); // no temporary file is left
}
END_TEST

START_TEST(atomic_stream)
{
    test_ok(weir_mkdirs(&test_log, test_path("stream")));
    const char *path = test_path("stream/x");
    weir_atomic *file = NULL;
    static char block[70000];
    memset(block, 'b', sizeof(block));
    test_ok(weir_atomic_open(&test_log, path, &file));
    weir_atomic_write(file, "a", 1);
    weir_atomic_write(file, block, sizeof(block));
    weir_atomic_write(file, NULL, 0);
    weir_atomic_write(file, "c", 1);
    ck_assert(!weir_file_exists(path)); // nothing to be seen before the commit
    test_ok(weir_atomic_commit(&file));
    size_t size;
    char *data = test_read(path, &size);
    ck_assert_uint_eq(size, sizeof(block) + 2);
    ck_assert(data[0] == 'a' && data[1] == 'b' && data[70000] == 'b' && data[70001] == 'c');
    free(data);

    test_ok(weir_atomic_open(&test_log, path, &file));
    weir_atomic_write(file, block, sizeof(block));
    weir_atomic_abort(&file);
    weir_atomic_abort(&file); // NULL by now
    ck_assert_uint_eq(test_count_entries(test_path("stream")), 1);
    data = test_read(path, &size);
    ck_assert_uint_eq(size, sizeof(block) + 2);
    free(data);
}
END_TEST

START_TEST(atomic_steps_over_leftovers) // of a killed process with the same number
{
    test_ok(weir_mkdirs(&test_log, test_path("left")));
    char name[64];
    snprintf(name, sizeof(name), "left/x.tmp-%ld-0", (long)getpid());
    test_write(test_path(name), "junk", 4);
    test_ok(weir_file_write(&test_log, test_path("left/x"), "new", 3));
    expect_content(test_path("left/x"), "new");
    expect_content(test_path(name), "junk");
}
END_TEST

START_TEST(folders)
{
    test_ok(weir_mkdirs(&test_log, test_path("a/b//c/")));
    ck_assert(weir_dir_exists(test_path("a/b/c")));
    test_ok(weir_mkdirs(&test_log, test_path("a/b/c")));
    test_write(test_path("a/file"), "", 0);
    test_status(weir_mkdirs(&test_log, test_path("a/file/x")), WEIR_IO, "Not a directory");
    test_status(weir_mkdirs(&test_log, test_path("a/file")), WEIR_IO, "Not a directory");
    test_status(weir_mkdirs(&test_log, ""), WEIR_IO, "cannot make the folder");
    test_status(weir_mkdirs(&test_log, "/proc/x/y"), WEIR_IO, "cannot make the folder '/proc/x/y'");

    weir_arena *arena = weir_arena_create();
    char **names;
    size_t n;
    test_write(test_path("a/Z"), "", 0);
    test_ok(weir_dir_list(&test_log, test_path("a"), arena, &names, &n));
    ck_assert_uint_eq(n, 3);
    ck_assert_str_eq(names[0], "Z");
    ck_assert_str_eq(names[1], "b");
    ck_assert_str_eq(names[2], "file");
    test_ok(weir_dir_list(&test_log, test_path("a/b/c"), arena, &names, &n));
    ck_assert_uint_eq(n, 0);
    test_status(weir_dir_list(&test_log, test_path("a/file"), arena, &names, &n), WEIR_IO,
                "cannot list the folder");
    weir_arena_destroy(&arena);
}
END_TEST

START_TEST(json_file_errors)
{
    json_t *root = NULL;
    const char *path = test_path("r.json");
    test_status(weir_json_load(&test_log, path, &root), WEIR_IO, "No such file");
    test_write(path, "{\n  \"a\": 1,\n  \"b\" 2\n}", 22);
    test_status(weir_json_load(&test_log, path, &root), WEIR_FORMAT, "r.json:3:");
    test_write(path, "{\"a\": 1, \"a\": 2}", 16);
    test_status(weir_json_load(&test_log, path, &root), WEIR_FORMAT, "duplicate");
    test_write(path, "{\"a\": \"x\\u0000y\"}", 17);
    test_status(weir_json_load(&test_log, path, &root), WEIR_FORMAT, "r.json:1:");
    test_write(path, "", 0);
    test_status(weir_json_load(&test_log, path, &root), WEIR_FORMAT, "r.json:1:0");
    ck_assert_ptr_null(root);
}
END_TEST

static const char text[] =
    "{\"train\": {\"steps\": 100, \"lr\": 0.002, \"amp\": true, \"name\": \"x\","
    " \"mult\": [1, 2, 4], \"solver\": \"huen\"}, \"n\": 3}";

START_TEST(json_getters)
{
    json_t *json = NULL;
    test_ok(weir_json_parse(&test_log, "r.json", text, strlen(text), &json));
    struct weir_json_at root, train, absent;
    test_ok(weir_json_root(&test_log, "r.json", json, &root));
    test_ok(weir_json_child(&root, "train", &train));
    test_ok(weir_json_child(&root, "data", &absent));

    int64_t i = -1, list[3] = {0};
    double d = -1;
    bool b = false;
    const char *s = "default";
    int n = -1;
    test_ok(weir_json_get_i64(&train, "steps", 1, 1000, &i));
    test_ok(weir_json_get_f64(&train, "lr", 0, 1, &d));
    test_ok(weir_json_get_bool(&train, "amp", &b));
    test_ok(weir_json_get_string(&train, "name", &s));
    test_ok(weir_json_get_i64s(&train, "mult", 1, 8, 3, list, &n));
    ck_assert(i == 100 && d == 0.002 && b && !strcmp(s, "x"));
    ck_assert(n == 3 && list[0] == 1 && list[2] == 4);
    test_ok(weir_json_get_f64(&root, "n", 0, 10, &d)); // an integer is a number
    ck_assert(d == 3);
    i = 5;
    test_ok(weir_json_get_i64(&absent, "anything", 0, 1, &i));
    ck_assert(i == 5); // absent: the default stays

    test_status(weir_json_get_i64(&train, "steps", 1, 99, &i), WEIR_INVALID,
                "r.json: train.steps: expected an integer from 1 to 99, found 100");
    test_status(weir_json_get_i64(&train, "lr", 1, INT64_MAX, &i), WEIR_INVALID,
                "an integer of at least 1, found 0.002");
    test_status(weir_json_get_i64(&train, "name", INT64_MIN, INT64_MAX, &i), WEIR_INVALID,
                "an integer, found \"x\"");
    test_status(weir_json_get_f64(&train, "lr", 1, 2, &d), WEIR_INVALID, "from 1 to 2");
    test_status(weir_json_get_bool(&train, "lr", &b), WEIR_INVALID, "true or false");
    test_status(weir_json_get_string(&root, "train", &s), WEIR_INVALID, "found an object");
    test_status(weir_json_get_i64s(&train, "mult", 1, 3, 3, list, &n), WEIR_INVALID, "found 4");
    test_status(weir_json_get_i64s(&train, "mult", 1, 8, 2, list, &n), WEIR_INVALID, "at most 2");
    test_status(weir_json_child(&train, "name", &absent), WEIR_INVALID, "expected an object");
    test_status(weir_json_require(&train, "batch"), WEIR_INVALID, "train.batch: this key is");
    test_ok(weir_json_require(&train, "steps"));
    int choice = 0;
    const char *const solvers[] = {"euler", "heun", "rk4", NULL};
    test_status(weir_json_get_choice(&train, "solver", solvers, &choice), WEIR_INVALID,
                "'huen' (did you mean 'heun'? known: euler, heun, rk4)");
    json_object_set_new(train.object, "solver", json_string("rk4"));
    test_ok(weir_json_get_choice(&train, "solver", solvers, &choice));
    ck_assert_int_eq(choice, 2);
    json_decref(json);

    json = json_array();
    test_status(weir_json_root(&test_log, "r.json", json, &root), WEIR_INVALID, "found a list");
    json_decref(json);
}
END_TEST

START_TEST(json_unknown_keys)
{
    json_t *json = json_pack("{s:{s:i}}", "train", "stpes", 3);
    struct weir_json_at root, train;
    test_ok(weir_json_root(&test_log, "r.json", json, &root));
    test_ok(weir_json_child(&root, "train", &train));
    const char *const known[] = {"seed", "batch", "steps", NULL};
    test_status(weir_json_check_keys(&train, known), WEIR_INVALID,
                "r.json: train.stpes: unknown key (did you mean 'steps'?)");
    test_ok(weir_json_check_keys(&root, (const char *const[]){"train", NULL}));
    json_decref(json);
}
END_TEST

START_TEST(json_save)
{
    const char *path = test_path("s.json");
    json_t *json = json_pack("{s:f,s:i}", "b", 0.1, "a", 2), *back = NULL;
    test_ok(weir_json_save(&test_log, path, json));
    expect_content(path, "{\n  \"b\": 0.10000000000000001,\n  \"a\": 2\n}\n");
    test_ok(weir_json_load(&test_log, path, &back));
    ck_assert(json_equal(json, back));
    json_decref(json);
    json_decref(back);
    test_status(weir_json_save(&test_log, "/proc/x.json", json_null()), WEIR_IO, "/proc/x.json");
}
END_TEST

START_TEST(nearest)
{
    static const struct {
        const char *name, *expected;
    } rows[] = {
        {"stpes", "steps"},
        {"STEPS", "steps"},
        {"sed", "seed"},
        {"batchsize", "batch_size"},
        {"b", "seed"},
        {"", "seed"},
        {"weight-decay", "weight_decay"},
    };
    const char *const known[] = {"batch_size", "seed", "steps", "weight_decay", NULL};
    for (size_t i = 0; i < WEIR_COUNT(rows); i++)
        ck_assert_str_eq(weir_nearest(rows[i].name, known), rows[i].expected);
    ck_assert_ptr_null(weir_nearest("x", (const char *const[]){NULL}));
    char big[500];
    memset(big, 'x', sizeof(big) - 1);
    big[499] = 0;
    ck_assert_ptr_nonnull(weir_nearest(big, known));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base-files");
    TCase *tc = tcase_create("files");
    tcase_add_test(tc, read_write);
    tcase_add_test(tc, read_errors);
    tcase_add_test(tc, write_errors);
    tcase_add_test(tc, write_into_read_only_folder);
    tcase_add_test(tc, write_fails_half_way);
    tcase_add_test(tc, atomic_stream);
    tcase_add_test(tc, atomic_steps_over_leftovers);
    tcase_add_test(tc, folders);
    suite_add_tcase(suite, tc);
    tc = tcase_create("json");
    tcase_add_test(tc, json_file_errors);
    tcase_add_test(tc, json_getters);
    tcase_add_test(tc, json_unknown_keys);
    tcase_add_test(tc, json_save);
    tcase_add_test(tc, nearest);
    suite_add_tcase(suite, tc);
    return test_main(suite);
}
