// SPDX-License-Identifier: Apache-2.0
// Data sets and the loader. The toy densities are checked against what their definitions say of
// mean and second moment, and their stated entropies against an estimate from samples alone.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/files.h"
#include "base/hash.h"
#include "support/support.h"
#include "weir/data.h"
#include "weir/formats.h"

#define PI 3.14159265358979323846

static struct weir_dataset *open_named(const char *name, const char *path)
{
    struct weir_dataset *data = NULL;
    test_ok(weir_dataset_open(&test_log, &(struct weir_dataset_params){.name = name, .path = path},
                              &data));
    ck_assert_str_eq(data->name, name);
    return data;
}

static enum weir_status try_open(const char *name, const char *path, const char *labels)
{
    struct weir_dataset *data = NULL;
    struct weir_dataset_params params = {.name = name, .path = path, .labels = labels};
    enum weir_status status = weir_dataset_open(&test_log, &params, &data);
    ck_assert((status == WEIR_OK) == (data != NULL));
    weir_dataset_destroy(&data);
    return status;
}

START_TEST(registry)
{
    for (int i = 0; weir_dataset_kinds[i]; i++) {
        const struct weir_dataset_kind *kind = weir_dataset_kinds[i];
        ck_assert(kind->name && kind->desc && kind->open);
        if (kind->needs_path && !kind->default_path)
            test_status(try_open(kind->name, NULL, NULL), WEIR_INVALID, "needs a path");
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(kind->name, weir_dataset_kinds[j]->name);
    }
    test_status(try_open("8gausians", NULL, NULL), WEIR_INVALID, "did you mean '8gaussians'?");
    test_status(try_open(NULL, NULL, NULL), WEIR_INVALID, "params->name");
}
END_TEST

// ---- toy densities ----

struct toy_row {
    const char *name;
    double mean[2], square; // E x, E |x|^2, by hand from the definitions
    int n_classes;
    uint64_t digest; // of the first 1000 points of seed 0: the same on every machine
};

static const struct toy_row toys[] = {
    {"8gaussians", {0, 0}, (16 + 2 * 0.25) / (1.414 * 1.414), 8, 0x35f267a03fb2545b},
    {"checkerboard", {0, 0}, 2 * 64.0 / 12, 0, 0xe4e79079f085b65a},
    {"circles", {0, 0}, 9 * ((1 + 0.25) / 2 + 2 * 0.0064), 2, 0x85ec18896fe474e8},
    {"moons", {0, 0.3}, 3 + 0.04 + (4 - 4 * 2 / PI + 0.68) / 2 + 0.04, 2, 0xc0a7410d1ed5b99f},
    {"pinwheel", {0, 0}, 4 * (1 + 0.09 + 0.01), 5, 0xe7169a41bca4a059},
    {"rings", {0, 0}, 0.5625 * 30 / 4 + 2 * 0.0064, 4, 0x559e35ecffd3b363},
    {"2spirals",
     {0, 0},
     (4.5 * PI * PI + 1.0 / 6 + 0.5 * (2 - 8 / (9 * PI * PI) + 4 / (3 * PI))) / 9 + 0.02,
     2,
     0xbc2988893ce00075},
    {"swissroll",
     {0.4, 2 / (15 * PI)},
     ((91.125 - 3.375) / 9 * PI * PI + 2) / 25,
     0,
     0x9e11384808d8abe2},
};

enum { N_POINTS = 100000 };

static float *points_of(const struct weir_dataset *data, int n)
{
    float *x = malloc((size_t)n * 2 * sizeof(float));
    int bad = 0; // an assertion a point would take longer than the points
    for (int i = 0; i < n; i++) {
        int32_t label = -1;
        bad += data->get(data, i, x + 2 * i, &label) != WEIR_OK;
        bad += label < 0 || label >= (data->n_classes ? data->n_classes : 1);
    }
    ck_assert_int_eq(bad, 0);
    return x;
}

// A mean may be off by 5 standard errors: once in 1.7 million honest tests, and the seed is fixed.
static void expect_mean(const char *what, const double *v, int n, double wanted)
{
    double sum = 0, square = 0;
    for (int i = 0; i < n; i++)
        sum += v[i];
    double mean = sum / n;
    for (int i = 0; i < n; i++)
        square += (v[i] - mean) * (v[i] - mean);
    double error = sqrt(square / n / n);
    ck_assert_msg(fabs(mean - wanted) < 5 * error, "%s: %g, expected %g +- %g", what, mean, wanted,
                  error);
}

START_TEST(toy_moments)
{
    const struct toy_row *row = &toys[_i];
    struct weir_dataset *data = open_named(row->name, NULL);
    ck_assert(data->n == 0 && data->item.rank == 1 && data->item.dim[0] == 2);
    ck_assert_int_eq(data->n_classes, row->n_classes);
    float *x = points_of(data, N_POINTS);
    double *v = malloc(N_POINTS * sizeof(*v));
    for (int axis = 0; axis < 2; axis++) {
        for (int i = 0; i < N_POINTS; i++)
            v[i] = x[2 * i + axis];
        expect_mean(row->name, v, N_POINTS, row->mean[axis]);
    }
    for (int i = 0; i < N_POINTS; i++)
        v[i] = (double)x[2 * i] * x[2 * i] + (double)x[2 * i + 1] * x[2 * i + 1];
    expect_mean(row->name, v, N_POINTS, row->square);
    free(v);
    free(x);
    weir_dataset_destroy(&data);
}
END_TEST

// Points in square cells, for nearest neighbours.
struct cells {
    const float *x;
    int n, side; // side x side cells over [-reach, reach]^2
    float reach;
    int *start, *order; // points of cell c: order[start[c]] .. order[start[c + 1] - 1]
};

static int cell_of(const struct cells *c, float v)
{
    int i = (int)((v + c->reach) / (2 * c->reach) * (float)c->side);
    return i < 0 ? 0 : i >= c->side ? c->side - 1 : i;
}

static void cells_init(struct cells *c)
{
    c->start = calloc((size_t)c->side * (size_t)c->side + 2, sizeof(int));
    c->order = malloc((size_t)c->n * sizeof(int));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < c->n; i++) {
            int cell = cell_of(c, c->x[2 * i + 1]) * c->side + cell_of(c, c->x[2 * i]);
            if (pass)
                c->order[c->start[cell + 1]++] = i;
            else
                c->start[cell + 2]++;
        }
        for (int i = 0; i < c->side * c->side && !pass; i++)
            c->start[i + 2] += c->start[i + 1];
    }
}

// Squared distance from point i to its nearest neighbour, by rings of cells.
static double nearest2(const struct cells *c, int i)
{
    double best = INFINITY, width = 2.0 * c->reach / c->side;
    int cx = cell_of(c, c->x[2 * i]), cy = cell_of(c, c->x[2 * i + 1]);
    for (int ring = 0; ring < c->side && (ring < 2 || best > pow((ring - 1) * width, 2)); ring++)
        for (int y = cy - ring; y <= cy + ring; y++)
            for (int x = cx - ring; x <= cx + ring; x++) {
                if (x < 0 || y < 0 || x >= c->side || y >= c->side ||
                    (abs(x - cx) != ring && abs(y - cy) != ring))
                    continue;
                int cell = y * c->side + x;
                for (int k = c->start[cell]; k < c->start[cell + 1]; k++) {
                    int j = c->order[k];
                    double dx = (double)c->x[2 * i] - c->x[2 * j];
                    double dy = (double)c->x[2 * i + 1] - c->x[2 * j + 1];
                    if (j != i && dx * dx + dy * dy < best)
                        best = dx * dx + dy * dy;
                }
            }
    return best;
}

// Kozachenko and Leonenko (1987): H = ln pi + ln(n - 1) + gamma + mean of 2 ln (distance to the
// nearest neighbour). Its standard error is sqrt((var(ln p) + pi^2 / 6) / n), at most 0.006 here;
// sharp edges bias it by up to 0.01. So a stated entropy that is off by 0.03 fails.
START_TEST(toy_entropies)
{
    struct weir_dataset *data = open_named(toys[_i].name, NULL);
    struct cells c = {.x = points_of(data, N_POINTS), .n = N_POINTS, .side = 256, .reach = 6};
    cells_init(&c);
    double sum = 0;
    for (int i = 0; i < N_POINTS; i++)
        sum += log(nearest2(&c, i));
    double entropy = log(PI) + log(N_POINTS - 1.0) + 0.57721566490153286 + sum / N_POINTS;
    ck_assert_msg(fabs(entropy - data->entropy) < 0.03, "%s: %.4f from samples, %.4f in the row",
                  data->name, entropy, data->entropy);
    free((void *)c.x);
    free(c.start);
    free(c.order);
    weir_dataset_destroy(&data);
}
END_TEST

START_TEST(toy_bits)
{
    const struct toy_row *row = &toys[_i];
    struct weir_dataset *data = open_named(row->name, NULL);
    float *x = points_of(data, 1000), point[2];
    uint64_t digest = weir_hash64(x, 2000 * sizeof(float), 0);
    ck_assert_msg(digest == row->digest, "%s: digest %016llx", row->name,
                  (unsigned long long)digest);
    int32_t label;
    test_ok(data->get(data, 999, point, &label)); // any order, any time
    ck_assert(!memcmp(point, x + 2 * 999, sizeof(point)));
    test_status(data->get(data, -1, point, &label), WEIR_INVALID, "index >= 0");
    struct weir_dataset *other = NULL;
    test_ok(weir_dataset_open(
        &test_log, &(struct weir_dataset_params){.name = row->name, .seed = 1ull << 32}, &other));
    test_ok(other->get(other, 999, point, &label));
    ck_assert(memcmp(point, x + 2 * 999, sizeof(point)));
    weir_dataset_destroy(&other);
    weir_dataset_destroy(&data);
    weir_dataset_destroy(&data);
    free(x);
}
END_TEST

START_TEST(toy_labels) // all of the same frequency, and telling the component
{
    struct weir_dataset *data = open_named("8gaussians", NULL);
    int counts[8] = {0}, far = 0;
    for (int i = 0; i < 16000; i++) {
        float x[2];
        int32_t label = 0;
        far += data->get(data, i, x, &label) != WEIR_OK;
        counts[label]++;
        far +=
            hypot(x[0] - 4 / 1.414 * cos(PI / 4 * label), x[1] - 4 / 1.414 * sin(PI / 4 * label)) >
            2; // 5.6 standard deviations: P = 1.1e-7 a point
    }
    ck_assert_int_eq(far, 0);
    for (int k = 0; k < 8; k++)
        ck_assert_int_lt(abs(counts[k] - 2000), 5 * 42); // sd sqrt(16000 / 8 * 7 / 8) = 42
    weir_dataset_destroy(&data);
}
END_TEST

// ---- files ----

START_TEST(fashion_mnist)
{
    if (!weir_dir_exists("/usr/share/datasets/fashion-mnist"))
        return; // Debian's dataset-fashion-mnist is not installed
    // Labels and pixel sums as read by gzip and NumPy.
    static const struct {
        bool test;
        int n, labels[5], sum;
    } rows[] = {{false, 60000, {9, 0, 0, 3, 0}, 76247}, {true, 10000, {9, 2, 1, 1, 6}, 33456}};
    for (size_t r = 0; r < 2; r++) {
        struct weir_dataset *data = NULL;
        struct weir_dataset_params params = {.name = "fashion-mnist", .test = rows[r].test};
        test_ok(weir_dataset_open(&test_log, &params, &data));
        ck_assert(data->n == rows[r].n && data->n_classes == 10 && isnan(data->entropy));
        ck_assert(data->item.rank == 3 && data->item.dim[0] == 28 && data->item.dim[2] == 1);
        float x[784];
        int32_t label;
        for (int i = 0; i < 5; i++) {
            test_ok(data->get(data, i, x, &label));
            ck_assert_int_eq(label, rows[r].labels[i]);
        }
        test_ok(data->get(data, 0, x, &label));
        double sum = 0;
        int outside = 0;
        for (int i = 0; i < 784; i++) {
            outside += !(x[i] >= -1 && x[i] <= 1);
            sum += rint((x[i] + 1.0) * 127.5);
        }
        ck_assert_int_eq(outside, 0);
        ck_assert(sum == rows[r].sum);
        test_status(data->get(data, data->n, x, &label), WEIR_INVALID, "index < data->n");
        weir_dataset_destroy(&data);
    }
}
END_TEST

START_TEST(idx_sets)
{
    const char *images = test_path("images"), *labels = test_path("labels");
    test_write(images, "\0\0\x08\3\0\0\0\2\0\0\0\1\0\0\0\2\0\x7f\x80\xff", 20);
    test_write(labels, "\0\0\x08\1\0\0\0\2\5\1", 10);
    struct weir_dataset *data = NULL;
    struct weir_dataset_params params = {.name = "idx", .path = images, .labels = labels};
    test_ok(weir_dataset_open(&test_log, &params, &data));
    float x[2];
    int32_t label;
    test_ok(data->get(data, 0, x, &label));
    ck_assert(data->n == 2 && data->n_classes == 6 && label == 5);
    ck_assert(x[0] == -1 && x[1] == 127 / 127.5f - 1);
    test_ok(data->get(data, 1, x, &label));
    ck_assert(x[0] == 128 / 127.5f - 1 && x[1] == 1 && label == 1);
    weir_dataset_destroy(&data);
    test_ok(try_open("idx", images, NULL));
    test_write(labels, "\0\0\x08\1\0\0\0\1\5", 9);
    test_status(try_open("idx", images, labels), WEIR_FORMAT, "labels of shape (1), expected (2)");
    test_status(try_open("idx", labels, NULL), WEIR_FORMAT, "shape (1); expected points");
    test_status(try_open("idx", test_path("none"), NULL), WEIR_IO, "No such file");
    test_status(try_open("fashion-mnist", test_path("none"), NULL), WEIR_IO,
                "package dataset-fashion-mnist");
}
END_TEST

START_TEST(npz_sets)
{
    const char *path = test_path("set.npz");
    static const int64_t y[3] = {2, 0, 1};
    struct weir_file_array arrays[2] = {
        {.name = "x",
         .dtype = WEIR_FILE_F64,
         .shape = weir_shape(3, 2),
         .data = (double[]){0.1, 1, 2, 3, 4, 5}},
        {.name = "y", .dtype = WEIR_FILE_I64, .shape = weir_shape(3), .data = y},
    };
    test_ok(weir_npz_write(&test_log, path, arrays, 2));
    struct weir_dataset *data = open_named("npz", path);
    float x[4];
    int32_t label;
    ck_assert(data->n == 3 && data->n_classes == 3 && data->item.rank == 1);
    test_ok(data->get(data, 0, x, &label));
    ck_assert(x[0] == 0.1f && x[1] == 1 && label == 2);
    weir_dataset_destroy(&data);

    arrays[1].data = (int64_t[]){0, -1, 0};
    test_ok(weir_npz_write(&test_log, path, arrays, 2));
    test_status(try_open("npz", path, NULL), WEIR_FORMAT, "label -1 of item 1");
    arrays[1].data = (int64_t[]){0, 1, 1ll << 40};
    test_ok(weir_npz_write(&test_log, path, arrays, 2));
    test_status(try_open("npz", path, NULL), WEIR_FORMAT, "'y': element 2 is no integer of 32");
    arrays[1].shape.dim[0] = 2;
    test_ok(weir_npz_write(&test_log, path, arrays, 2));
    test_status(try_open("npz", path, NULL), WEIR_FORMAT, "'y' of shape (2), expected (3)");
    arrays[0].name = "z";
    test_ok(weir_npz_write(&test_log, path, arrays, 1));
    test_status(try_open("npz", path, NULL), WEIR_FORMAT, "no array named x, images or arr_0");

    arrays[0] = (struct weir_file_array){.name = "arr_0",
                                         .dtype = WEIR_FILE_U8,
                                         .shape = weir_shape(1, 2, 2),
                                         .data = "\0\xff\x01\x02"};
    test_ok(weir_npz_write(&test_log, path, arrays, 1));
    data = open_named("npz", path);
    ck_assert(data->item.rank == 3 && data->item.dim[2] == 1 && data->n_classes == 0);
    test_ok(data->get(data, 0, x, &label));
    ck_assert(x[0] == -1 && x[1] == 1 && x[3] == 2 / 127.5f - 1 && label == 0);
    weir_dataset_destroy(&data);
    arrays[0].shape.dim[0] = 0;
    test_ok(weir_npz_write(&test_log, path, arrays, 1));
    test_status(try_open("npz", path, NULL), WEIR_FORMAT, "none empty");
}
END_TEST

static void write_png(const char *name, int width, int channels, int value)
{
    unsigned char pixels[12];
    memset(pixels, value, sizeof(pixels));
    struct weir_image image = {width, 2, channels, pixels};
    test_ok(weir_png_write(&test_log, test_path(name), &image, NULL, 0));
}

START_TEST(folder_sets)
{
    test_ok(weir_mkdirs(&test_log, test_path("f/bag")));
    test_ok(weir_mkdirs(&test_log, test_path("f/ankle boot")));
    test_ok(weir_mkdirs(&test_log, test_path("f/.hidden")));
    test_status(try_open("folder", test_path("f"), NULL), WEIR_FORMAT,
                "ankle boot: no PNG files in this class");
    write_png("f/bag/b.PNG", 2, 3, 255);
    write_png("f/bag/a.png", 2, 3, 51);
    write_png("f/ankle boot/1.png", 2, 3, 0);
    write_png("f/bag/.ignored.png", 2, 3, 0);
    test_write(test_path("f/bag/notes.txt"), "x", 1);
    struct weir_dataset *data = open_named("folder", test_path("f"));
    ck_assert(data->n == 3 && data->n_classes == 2);
    ck_assert(data->item.rank == 3 && data->item.dim[0] == 2 && data->item.dim[2] == 3);
    float x[12];
    int32_t label;
    static const float wanted[3] = {-1, 51 / 127.5f - 1, 1}; // sorted: ankle boot, bag/a, bag/b
    for (int i = 0; i < 3; i++) {
        test_ok(data->get(data, i, x, &label));
        ck_assert(label == (i > 0) && x[0] == wanted[i] && x[11] == wanted[i]);
    }
    write_png("f/bag/a.png", 1, 3, 0);
    test_status(data->get(data, 1, x, &label), WEIR_FORMAT, "a.png: 1 x 2 pixels of 3 channels; ");
    test_write(test_path("f/bag/b.PNG"), "x", 1);
    test_status(data->get(data, 2, x, &label), WEIR_FORMAT, "b.PNG: not a PNG");
    test_status(data->get(data, 3, x, &label), WEIR_INVALID, "index < data->n");
    weir_dataset_destroy(&data);

    test_ok(weir_mkdirs(&test_log, test_path("flat")));
    test_status(try_open("folder", test_path("flat"), NULL), WEIR_FORMAT, "no PNG files here");
    write_png("flat/1.png", 2, 1, 0);
    data = open_named("folder", test_path("flat"));
    ck_assert(data->n == 1 && data->n_classes == 0 && data->item.dim[2] == 1);
    weir_dataset_destroy(&data);
    test_status(try_open("folder", test_path("absent"), NULL), WEIR_IO, "cannot list the folder");
}
END_TEST

// ---- order ----

START_TEST(order_is_a_permutation)
{
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 100, 1000, 60000};
    for (size_t s = 0; s < WEIR_COUNT(sizes); s++) {
        int64_t n = sizes[s], moved = 0, bad = 0;
        char *seen = calloc((size_t)n, 1);
        for (int64_t p = 2 * n; p < 3 * n; p++) {
            int64_t i = weir_loader_index(7, n, p);
            bad += i < 0 || i >= n || seen[i]++;
            moved += weir_loader_index(7, n, p + n) != i; // the next epoch has another order
        }
        ck_assert_int_eq(bad, 0);
        ck_assert(n < 100 || moved > n * 9 / 10);
        free(seen);
    }
    ck_assert_int_eq(weir_loader_index(7, 0, 1ll << 40), 1ll << 40);
}
END_TEST

// Where item 0 of 10 and of 7 stands is uniform over 20,000 epochs, and so is which item follows
// it: chi squared with 9, 6 (8, 5) degrees of freedom, all limits at P = 1e-6.
START_TEST(order_is_uniform)
{
    for (int n = 7; n <= 10; n += 3) {
        double place[10] = {0}, next[10] = {0}, chi = 0, chi_next = 0;
        enum { EPOCHS = 20000 };
        for (int e = 0; e < EPOCHS; e++)
            for (int k = 0; k < n; k++)
                if (weir_loader_index(3, n, (int64_t)e * n + k) == 0) {
                    place[k]++;
                    if (k + 1 < n)
                        next[weir_loader_index(3, n, (int64_t)e * n + k + 1)]++;
                }
        double wanted = (double)EPOCHS / n;
        for (int k = 0; k < n; k++) {
            chi += (place[k] - wanted) * (place[k] - wanted) / wanted;
            if (k) // item 0 is followed by k in 1 / n of the epochs
                chi_next += (next[k] - wanted) * (next[k] - wanted) / wanted;
        }
        ck_assert_msg(chi < (n == 10 ? 45.1 : 38.3), "n %d: place: %g", n, chi);
        ck_assert_msg(chi_next < (n == 10 ? 45.1 : 38.3), "n %d: next: %g", n, chi_next);
    }
}
END_TEST

START_TEST(order_bits) // stored positions depend on these
{
    static const int64_t wanted[8] = {16567, 18441, 52899, 23617, 43215, 6608, 36898, 28067};
    for (int p = 0; p < 8; p++)
        ck_assert_int_eq(weir_loader_index(0, 60000, p), wanted[p]);
}
END_TEST

// ---- loader ----

// Item i is (i, i + .5), label i % 3; item `priv` fails.
static enum weir_status get_counted(const struct weir_dataset *data, int64_t index, float *item,
                                    int32_t *label)
{
    if (data->priv && index == *(const int64_t *)data->priv)
        return WEIR_IO;
    item[0] = (float)index;
    item[1] = (float)index + 0.5f;
    *label = (int32_t)(index % 3);
    return WEIR_OK;
}

static const struct weir_dataset counted = {
    .name = "counted", .n = 10, .item = {1, {2}}, .n_classes = 3, .get = get_counted};

START_TEST(loader_streams)
{
    static const int prefetch[] = {-1, 0, 1, 5};
    for (size_t k = 0; k < WEIR_COUNT(prefetch); k++)
        for (int64_t start = 0; start <= 12; start += 4) { // resumed anywhere: the same stream
            weir_loader *loader = NULL;
            struct weir_loader_params params = {.data = &counted,
                                                .batch = 4,
                                                .seed = 9,
                                                .position = start,
                                                .prefetch = prefetch[k]};
            test_ok(weir_loader_create(&test_log, &params, &loader));
            for (int64_t p = start; p < start + 40; p += 4) { // over the ends of epochs
                const float *x;
                const int32_t *labels;
                ck_assert_int_eq(weir_loader_position(loader), p);
                test_ok(weir_loader_next(loader, &x, &labels));
                for (int i = 0; i < 4; i++) {
                    int64_t item = weir_loader_index(9, 10, p + i);
                    ck_assert(x[2 * i] == (float)item && x[2 * i + 1] == (float)item + 0.5f);
                    ck_assert_int_eq(labels[i], item % 3);
                }
            }
            weir_loader_destroy(&loader);
            weir_loader_destroy(&loader);
        }
}
END_TEST

START_TEST(loader_in_order)
{
    weir_loader *loader = NULL;
    struct weir_loader_params params = {.data = &counted, .batch = 3, .in_order = true};
    test_ok(weir_loader_create(&test_log, &params, &loader));
    for (int p = 0; p < 30; p += 3) {
        const float *x;
        const int32_t *labels;
        test_ok(weir_loader_next(loader, &x, &labels));
        for (int i = 0; i < 3; i++)
            ck_assert(x[2 * i] == (float)((p + i) % 10));
    }
    weir_loader_destroy(&loader);
}
END_TEST

START_TEST(loader_errors)
{
    int64_t bad = 7;
    struct weir_dataset failing = counted;
    failing.priv = &bad;
    for (int prefetch = -1; prefetch <= 1; prefetch++) {
        weir_loader *loader = NULL;
        struct weir_loader_params params = {
            .data = &failing, .batch = 3, .in_order = true, .prefetch = prefetch};
        const float *x;
        const int32_t *labels;
        test_ok(weir_loader_create(&test_log, &params, &loader));
        test_ok(weir_loader_next(loader, &x, &labels));
        test_ok(weir_loader_next(loader, &x, &labels));
        ck_assert_int_eq(weir_loader_next(loader, &x, &labels), WEIR_IO); // items 6, 7, 8
        ck_assert_int_eq(weir_loader_next(loader, &x, &labels), WEIR_IO);
        ck_assert_int_eq(weir_loader_position(loader), 6);
        weir_loader_destroy(&loader);
    }
    weir_loader *loader = NULL;
    struct weir_loader_params params = {.data = &counted};
    test_status(weir_loader_create(&test_log, &params, &loader), WEIR_INVALID, "batch >= 1");
    params.batch = 1;
    params.position = -1;
    test_status(weir_loader_create(&test_log, &params, &loader), WEIR_INVALID, "position >= 0");
    params.position = 0;
    params.data = NULL;
    test_status(weir_loader_create(&test_log, &params, &loader), WEIR_INVALID, "params->data");
    struct weir_dataset huge = counted;
    huge.item = (struct weir_shape){.rank = 2, .dim = {1ll << 31, 1ll << 31}};
    params.data = &huge;
    test_status(weir_loader_create(&test_log, &params, &loader), WEIR_NOMEM, "out of memory");
    ck_assert_ptr_null(loader);
    params.data = &counted; // destroyed while the thread still works
    for (int i = 0; i < 50; i++) {
        test_ok(weir_loader_create(&test_log, &params, &loader));
        weir_loader_destroy(&loader);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data-sets");
    TCase *tc = tcase_create("sets");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, registry);
    tcase_add_loop_test(tc, toy_moments, 0, (int)WEIR_COUNT(toys));
    tcase_add_loop_test(tc, toy_entropies, 0, (int)WEIR_COUNT(toys));
    tcase_add_loop_test(tc, toy_bits, 0, (int)WEIR_COUNT(toys));
    tcase_add_test(tc, toy_labels);
    tcase_add_test(tc, fashion_mnist);
    tcase_add_test(tc, idx_sets);
    tcase_add_test(tc, npz_sets);
    tcase_add_test(tc, folder_sets);
    suite_add_tcase(suite, tc);
    tc = tcase_create("loader");
    tcase_add_test(tc, order_is_a_permutation);
    tcase_add_test(tc, order_is_uniform);
    tcase_add_test(tc, order_bits);
    tcase_add_test(tc, loader_streams);
    tcase_add_test(tc, loader_in_order);
    tcase_add_test(tc, loader_errors);
    suite_add_tcase(suite, tc);
    return test_main(suite);
}
