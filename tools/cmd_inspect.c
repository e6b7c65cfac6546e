// SPDX-License-Identifier: Apache-2.0
// weir inspect: what is in a safetensors, npy or npz file, or a run.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/files.h"
#include "base/hash.h"
#include "commands.h"
#include "train/checkpoint.h"
#include "weir/formats.h"

static void print_arrays(const struct weir_file_array *a, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        char shape[128];
        size_t size = (size_t)weir_shape_size(&a[i].shape) * weir_file_dtype_size(a[i].dtype);
        printf("%-48s %-5s %-20s %016" PRIx64 "\n", a[i].name, weir_file_dtype_name(a[i].dtype),
               weir_shape_text(&a[i].shape, shape, sizeof(shape)), weir_hash64(a[i].data, size, 0));
        bytes += size;
    }
    printf("%zu arrays, %zu bytes\n", n, bytes);
}

static enum weir_status inspect_safetensors(const struct weir_log *log, const char *path)
{
    struct weir_safetensors *file = NULL;
    enum weir_status status = weir_safetensors_read(log, path, &file);
    if (status)
        return status;
    print_arrays(file->arrays, file->n);
    for (size_t i = 0; i < file->n_meta; i++)
        printf("%s: %s\n", file->meta[i].key, file->meta[i].value);
    weir_safetensors_destroy(&file);
    return WEIR_OK;
}

static enum weir_status inspect_npz(const struct weir_log *log, const char *path)
{
    struct weir_npz *file = NULL;
    enum weir_status status = weir_npz_read(log, path, &file);
    if (status)
        return status;
    print_arrays(file->arrays, file->n);
    weir_npz_destroy(&file);
    return WEIR_OK;
}

static enum weir_status inspect_run(const struct weir_log *log, const char *dir)
{
    struct weir_checkpoint_info info = { 0 };
    struct weir_recipe recipe;
    enum weir_status status = weir_checkpoint_find(log, dir, &info);
    if (!status)
        status = weir_checkpoint_read_state(log, &info, true, &recipe);
    if (!status)
        printf("checkpoint %s\nnumerics %s\nstep %" PRId64 " of %" PRId64 "\nposition %" PRId64
               "\ndigest %016" PRIx64 "\n",
               info.path, recipe.numerics, info.step, recipe.train.steps, info.position,
               info.digest);
    return status;
}

static bool ends_in(const char *path, const char *suffix)
{
    size_t n = strlen(path), k = strlen(suffix);
    return n >= k && !strcmp(path + n - k, suffix);
}

static int run(int argc, char **argv)
{
    const char *words[1];
    int n_words;
    if (!cli_parse(&weir_command_inspect, argc, argv, NULL, 0, words, 1, &n_words))
        return EXIT_USAGE;
    if (n_words != 1) {
        fprintf(stderr, "weir inspect: which file or run?\n");
        return EXIT_USAGE;
    }
    struct weir_log log = cli_log(WEIR_LOG_INFO);
    enum weir_status status;
    if (weir_dir_exists(words[0]))
        status = inspect_run(&log, words[0]);
    else if (ends_in(words[0], ".npz") || ends_in(words[0], ".npy"))
        status = inspect_npz(&log, words[0]);
    else
        status = inspect_safetensors(&log, words[0]);
    return cli_exit_code(status);
}

const struct weir_command weir_command_inspect = {
    .name = "inspect",
    .args = "FILE|RUN",
    .desc = "names, types, shapes and digests in a file; a run's newest checkpoint",
    .help = "  FILE   .safetensors, .npz or .npy\n"
            "  RUN    a run's folder: step, loader position and digest of its newest checkpoint\n",
    .run = run,
};
