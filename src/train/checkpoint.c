// SPDX-License-Identifier: Apache-2.0
// Saving and loading the parameter table and the counters beside it.
#include "train/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "weir/formats.h"

enum { MAX_SLOTS = 4, PATH_SIZE = 600 };

// The tensors of one file: member 0 = parameter, 1 = moving average, 2 + k = optimizer slot k.
static weir_state *member(const struct weir_param *row, int which)
{
    return which == 0 ? row->state : which == 1 ? row->ema : row->slot[which - 2];
}

static struct weir_shape file_shape(const struct weir_param *row)
{
    struct weir_shape s = row->shape;
    if (row->layout == WEIR_FILE_OIHW) { // O, kernel.., I -> O, I, kernel..
        for (int i = 2; i < s.rank; i++)
            s.dim[i] = row->shape.dim[i - 1];
        s.dim[1] = row->shape.dim[s.rank - 1];
    }
    return s;
}

// Copies between memory (O, kernel.., I) and file order (O, I, kernel..).
static void reorder(const struct weir_param *row, const float *src, float *dst, bool to_file)
{
    int64_t n = weir_shape_size(&row->shape);
    if (row->layout == WEIR_FILE_SAME || row->shape.rank < 3) {
        memcpy(dst, src, (size_t)n * sizeof(*dst));
        return;
    }
    int64_t o = row->shape.dim[0], in = row->shape.dim[row->shape.rank - 1], kernel = o && in ? n / o / in : 0;
    for (int64_t a = 0; a < o; a++)
        for (int64_t k = 0; k < kernel; k++)
            for (int64_t b = 0; b < in; b++) {
                int64_t memory = (a * kernel + k) * in + b, file = (a * in + b) * kernel + k;
                if (to_file)
                    dst[file] = src[memory];
                else
                    dst[memory] = src[file];
            }
}

struct tensor_file {
    const char *name;
    int first, n; // members first .. first + n - 1
};

// The name of a tensor in a file: the parameter's own; the optimizer adds the slot.
static void tensor_name(char *dst, size_t n, const struct weir_param *row, int which, const char *const *slots)
{
    if (which < 2)
        snprintf(dst, n, "%s", row->name);
    else
        snprintf(dst, n, "%s.%s", row->name, slots[which - 2]);
}

static int count_slots(weir_params *params)
{
    int n = 0;
    while (weir_params_count(params) && n < MAX_SLOTS && weir_params_row(params, 0)->slot[n])
        n++;
    return n;
}

static bool has_ema(weir_params *params)
{
    return weir_params_count(params) && weir_params_row(params, 0)->ema;
}

// The largest row in bytes: one staging buffer serves all.
static size_t largest(weir_params *params)
{
    int64_t most = 1;
    for (int i = 0; i < weir_params_count(params); i++) {
        int64_t n = weir_shape_size(&weir_params_row(params, i)->shape);
        most = n > most ? n : most;
    }
    return (size_t)most * sizeof(float);
}

static enum weir_status put_tensors(const struct weir_log *log, weir_params *params, const struct tensor_file *file,
                                    weir_safetensors_writer *writer, struct weir_hasher *hasher)
{
    size_t size = largest(params);
    float *memory = malloc(size), *disk = malloc(size);
    enum weir_status status = memory && disk ? WEIR_OK : weir_fail(log, WEIR_NOMEM, "no memory to save %s", file->name);
    for (int i = 0; i < weir_params_count(params) && !status; i++)
        for (int k = 0; k < file->n && !status; k++) {
            const struct weir_param *row = weir_params_row(params, i);
            status = weir_state_read(member(row, file->first + k), memory);
            if (status)
                break;
            reorder(row, memory, disk, true);
            size_t bytes = (size_t)weir_shape_size(&row->shape) * sizeof(float);
            weir_hasher_add(hasher, disk, bytes);
            weir_safetensors_put(writer, disk, bytes);
        }
    free(memory);
    free(disk);
    return status;
}

static enum weir_status save_file(const struct weir_log *log, const char *dir, const char *recipe_text,
                                  const char *const *slots, weir_params *params, const struct tensor_file *file,
                                  struct weir_hasher *hasher)
{
    int rows = weir_params_count(params), n = rows * file->n;
    struct weir_file_array *arrays = calloc((size_t)n + 1, sizeof(*arrays));
    char (*names)[192] = calloc((size_t)n + 1, sizeof(*names)), path[PATH_SIZE];
    weir_safetensors_writer *writer = NULL;
    const struct weir_file_text meta[] = { { "format", "pt" }, { "weir.recipe", recipe_text } };
    enum weir_status status = arrays && names ? WEIR_OK : weir_fail(log, WEIR_NOMEM, "no memory to save %s", file->name);
    for (int i = 0; i < n && !status; i++) {
        const struct weir_param *row = weir_params_row(params, i / file->n);
        tensor_name(names[i], sizeof(names[i]), row, file->first + i % file->n, slots);
        arrays[i] = (struct weir_file_array) { .name = names[i], .dtype = WEIR_FILE_F32, .shape = file_shape(row) };
    }
    snprintf(path, sizeof(path), "%s/%s", dir, file->name);
    if (!status)
        status = weir_safetensors_begin(log, path, arrays, (size_t)n, meta, WEIR_COUNT(meta), &writer);
    if (!status)
        status = put_tensors(log, params, file, writer, hasher);
    if (!status)
        status = weir_safetensors_commit(&writer);
    weir_safetensors_abort(&writer);
    free(arrays);
    free(names);
    return status;
}

static const struct tensor_file files[] = {
    { "model.safetensors", 0, 1 },
    { "ema.safetensors", 1, 1 },
    { "optimizer.safetensors", 2, 0 }, // n: the optimizer's slots
};

static enum weir_status save_files(const struct weir_log *log, const char *dir, const struct weir_recipe *recipe,
                                   weir_params *params, struct weir_checkpoint_info *info)
{
    const struct weir_optimizer *optimizer = weir_optimizer_find(recipe->optimizer.name);
    struct weir_strbuf text = { 0 };
    struct weir_hasher hasher;
    weir_hasher_init(&hasher, 0);
    enum weir_status status = weir_recipe_text(recipe, &text);
    for (size_t i = 0; i < WEIR_COUNT(files) && !status; i++) {
        struct tensor_file file = files[i];
        if (i == 1 && !has_ema(params))
            continue;
        if (i == 2)
            file.n = count_slots(params);
        status = save_file(log, dir, text.s, optimizer->slots, params, &file, &hasher);
    }
    if (info->scaler.scale > 0)
        weir_hasher_add(&hasher, &info->scaler, sizeof(info->scaler));
    weir_strbuf_free(&text);
    info->digest = weir_hasher_digest(&hasher);
    return status;
}

static enum weir_status save_state(const struct weir_log *log, const char *dir, const struct weir_recipe *recipe,
                                   const struct weir_checkpoint_info *info)
{
    char path[PATH_SIZE], digest[32];
    struct weir_strbuf text = { 0 };
    enum weir_status status = weir_recipe_text(recipe, &text);
    if (status)
        return status;
    snprintf(digest, sizeof(digest), "%016" PRIx64, info->digest);
    json_t *root = json_pack("{s:s, s:i, s:I, s:I, s:s}", "weir", weir_version(), "numerics", WEIR_NUMERICS_VERSION,
                             "step", (json_int_t)info->step, "position", (json_int_t)info->position, "digest", digest);
    json_t *item = json_array();
    for (int i = 0; i < info->item.rank; i++)
        json_array_append_new(item, json_integer(info->item.dim[i]));
    json_object_set_new(root, "item", item);
    json_object_set_new(root, "classes", json_integer(info->classes));
    if (info->scaler.scale > 0)
        json_object_set_new(root, "scaler", json_pack("{s:f, s:I, s:I}", "scale", (double)info->scaler.scale, "good",
                                                      (json_int_t)info->scaler.good, "skipped",
                                                      (json_int_t)info->scaler.skipped));
    json_object_set_new(root, "recipe", json_loads(text.s, 0, NULL));
    weir_strbuf_free(&text);
    snprintf(path, sizeof(path), "%s/state.json", dir);
    status = weir_json_save(log, path, root);
    json_decref(root);
    return status;
}

static void remove_dir(const char *dir)
{
    char path[2 * PATH_SIZE];
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        unlink(path); // . and .. are refused by the system
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

// Complete checkpoints have a name of digits; everything else is left over from a save cut short.
static bool is_complete(const char *name)
{
    return *name && strspn(name, "0123456789") == strlen(name);
}

static void prune(const struct weir_log *log, const char *checkpoints, int64_t keep)
{
    weir_arena *arena = weir_arena_create();
    char **names, path[2 * PATH_SIZE];
    size_t n = 0, complete = 0;
    if (weir_dir_list(log, checkpoints, arena, &names, &n))
        n = 0;
    for (size_t i = 0; i < n; i++)
        complete += is_complete(names[i]);
    for (size_t i = 0; i < n; i++) {
        bool old = is_complete(names[i]) && complete > (size_t)keep;
        if (old)
            complete--;
        if (old || !strncmp(names[i], ".new-", 5)) {
            snprintf(path, sizeof(path), "%s/%s", checkpoints, names[i]);
            remove_dir(path);
        }
    }
    weir_arena_destroy(&arena);
}

enum weir_status weir_checkpoint_save(const struct weir_log *log, const char *run_dir, const struct weir_recipe *recipe,
                                      weir_params *params, int64_t keep, struct weir_checkpoint_info *info)
{
    char parent[PATH_SIZE], fresh[PATH_SIZE + 32];
    snprintf(parent, sizeof(parent), "%s/checkpoints", run_dir);
    snprintf(fresh, sizeof(fresh), "%s/.new-%09" PRId64, parent, info->step);
    snprintf(info->path, sizeof(info->path), "%s/checkpoints/%09" PRId64, run_dir, info->step);
    enum weir_status status = weir_mkdirs(log, fresh);
    if (!status)
        status = save_files(log, fresh, recipe, params, info);
    if (!status)
        status = save_state(log, fresh, recipe, info);
    if (!status) {
        remove_dir(info->path); // the same step saved again
        if (rename(fresh, info->path))
            status = weir_fail(log, WEIR_IO, "%s: cannot be renamed from %s: %s", info->path, fresh, strerror(errno));
    }
    if (status) {
        remove_dir(fresh);
        weir_logf(log, WEIR_LOG_ERROR, "%s: the checkpoint of step %" PRId64 " was not written; earlier ones are whole",
                  parent, info->step);
        return status;
    }
    prune(log, parent, keep);
    return WEIR_OK;
}

void weir_checkpoint_sweep(const struct weir_log *log, const char *run_dir)
{
    char parent[PATH_SIZE];
    snprintf(parent, sizeof(parent), "%s/checkpoints", run_dir);
    if (weir_dir_exists(parent))
        prune(log, parent, INT64_MAX);
}

enum weir_status weir_checkpoint_find(const struct weir_log *log, const char *run_dir, struct weir_checkpoint_info *info)
{
    char parent[PATH_SIZE];
    char **names;
    size_t n = 0;
    const char *best = NULL;
    weir_arena *arena = weir_arena_create();
    snprintf(parent, sizeof(parent), "%s/checkpoints", run_dir);
    enum weir_status status = weir_dir_exists(parent)
        ? weir_dir_list(log, parent, arena, &names, &n)
        : weir_fail(log, WEIR_IO, "%s: no run here: it has no checkpoints", run_dir);
    for (size_t i = 0; i < n; i++)
        if (is_complete(names[i]) && (!best || atoll(names[i]) > atoll(best)))
            best = names[i];
    if (!status && !best)
        status = weir_fail(log, WEIR_IO, "%s: no complete checkpoint", parent);
    if (!status)
        snprintf(info->path, sizeof(info->path), "%.400s/%.80s", parent, best);
    weir_arena_destroy(&arena);
    return status;
}

// Absent: a run without.
static enum weir_status read_scaler(const struct weir_json_at *at, struct weir_scaler_state *out)
{
    struct weir_json_at in;
    double scale = 0;
    int64_t good = 0, skipped = 0;
    enum weir_status status = weir_json_child(at, "scaler", &in);
    if (!status)
        status = weir_json_get_f64(&in, "scale", 0, FLT_MAX, &scale);
    if (!status)
        status = weir_json_get_i64(&in, "good", 0, UINT32_MAX, &good);
    if (!status)
        status = weir_json_get_i64(&in, "skipped", 0, UINT32_MAX, &skipped);
    *out = (struct weir_scaler_state) { (float)scale, (uint32_t)good, (uint32_t)skipped };
    return status;
}

// A run in f16 has a scale, which began as a power of two and was doubled and halved.
static enum weir_status check_scaler(const struct weir_log *log, const char *path, const struct weir_recipe *recipe,
                                     const struct weir_scaler_state *scaler)
{
    int exponent;
    if (strcmp(recipe->train.precision, weir_dtype_name(WEIR_F16)) || frexpf(scaler->scale, &exponent) == .5f)
        return WEIR_OK;
    return weir_fail(log, WEIR_FORMAT, "%s: scaler.scale: a run with train.precision f16 has a power of two there, this "
                     "file has %g: it is damaged, or was edited", path, (double)scaler->scale);
}

enum weir_status weir_checkpoint_read_state(const struct weir_log *log, struct weir_checkpoint_info *info,
                                            bool any_numerics, struct weir_recipe *recipe)
{
    char path[PATH_SIZE];
    json_t *root = NULL;
    struct weir_json_at at;
    int64_t numerics = 0, classes = 0;
    const char *digest = "0";
    snprintf(path, sizeof(path), "%s/state.json", info->path);
    enum weir_status status = weir_json_load(log, path, &root);
    if (!status)
        status = weir_json_root(log, path, root, &at);
    if (!status)
        status = weir_json_get_i64(&at, "step", 0, INT64_MAX, &info->step);
    if (!status)
        status = weir_json_get_i64(&at, "position", 0, INT64_MAX, &info->position);
    if (!status)
        status = weir_json_get_i64(&at, "numerics", 0, INT32_MAX, &numerics);
    if (!status)
        status = weir_json_get_string(&at, "digest", &digest);
    info->item.rank = 0;
    if (!status)
        status = weir_json_get_i64s(&at, "item", 1, INT32_MAX, WEIR_MAX_RANK - 1, info->item.dim, &info->item.rank);
    if (!status)
        status = weir_json_get_i64(&at, "classes", 0, INT32_MAX - 1, &classes);
    info->classes = (int)classes;
    if (!status)
        status = read_scaler(&at, &info->scaler);
    if (!status && numerics != WEIR_NUMERICS_VERSION && !any_numerics)
        status = weir_fail(log, WEIR_UNSUPPORTED, "%s: written under numerics version %" PRId64 ", this is version %d: the "
                           "run would not go on with the same bits (--any-numerics goes on all the same)",
                           path, numerics, WEIR_NUMERICS_VERSION);
    if (!status) {
        info->digest = strtoull(digest, NULL, 16);
        char *text = json_dumps(json_object_get(root, "recipe"), JSON_ENCODE_ANY);
        status = text ? weir_recipe_parse(log, path, text, strlen(text), recipe)
                      : weir_fail(log, WEIR_FORMAT, "%s: has no recipe", path);
        free(text);
    }
    if (!status)
        status = check_scaler(log, path, recipe, &info->scaler);
    json_decref(root);
    return status;
}

static enum weir_status load_tensor(const struct weir_log *log, const char *path, const struct weir_safetensors *st,
                                    const struct weir_param *row, const char *name, weir_state *state)
{
    const struct weir_file_array *a = weir_safetensors_find(st, name);
    struct weir_shape want = file_shape(row);
    char found[96], wanted[96];
    if (!a)
        return weir_fail(log, WEIR_FORMAT, "%s: has no tensor '%s'", path, name);
    if (a->dtype != WEIR_FILE_F32 || !weir_shape_equal(&a->shape, &want))
        return weir_fail(log, WEIR_FORMAT, "%s: tensor '%s' is %s %s, expected F32 %s", path, name,
                         weir_file_dtype_name(a->dtype), weir_shape_text(&a->shape, found, sizeof(found)),
                         weir_shape_text(&want, wanted, sizeof(wanted)));
    size_t bytes = (size_t)weir_shape_size(&want) * sizeof(float);
    float *disk = malloc(bytes + 1), *memory = malloc(bytes + 1);
    enum weir_status status = disk && memory ? WEIR_OK : weir_fail(log, WEIR_NOMEM, "no memory to load %s", name);
    if (!status) {
        memcpy(disk, a->data, bytes);
        reorder(row, disk, memory, false);
        status = weir_state_write(state, memory);
    }
    free(disk);
    free(memory);
    return status;
}

static enum weir_status load_file(const struct weir_log *log, const char *dir, const struct tensor_file *file,
                                  const char *const *slots, weir_params *params)
{
    char path[PATH_SIZE], name[192];
    struct weir_safetensors *st = NULL;
    snprintf(path, sizeof(path), "%s/%s", dir, file->name);
    enum weir_status status = weir_safetensors_read(log, path, &st);
    for (int i = 0; i < weir_params_count(params) && !status; i++)
        for (int k = 0; k < file->n && !status; k++) {
            const struct weir_param *row = weir_params_row(params, i);
            tensor_name(name, sizeof(name), row, file->first + k, slots);
            status = load_tensor(log, path, st, row, name, member(row, file->first + k));
        }
    weir_safetensors_destroy(&st);
    return status;
}

// The names of the slots a table was saved with: state.json's recipe names the optimizer.
static enum weir_status slot_names(const struct weir_log *log, const struct weir_checkpoint_info *info,
                                   const char *const **slots)
{
    struct weir_checkpoint_info copy = *info;
    struct weir_recipe recipe;
    enum weir_status status = weir_checkpoint_read_state(log, &copy, true, &recipe);
    const struct weir_optimizer *optimizer = status ? NULL : weir_optimizer_find(recipe.optimizer.name);
    if (!status && !optimizer)
        return weir_fail(log, WEIR_FORMAT, "%s/state.json: no such optimizer: %s", info->path, recipe.optimizer.name);
    if (!status)
        *slots = optimizer->slots;
    return status;
}

enum weir_status weir_checkpoint_load(const struct weir_log *log, const struct weir_checkpoint_info *info,
                                      weir_params *params, bool training)
{
    const char *const *slots = NULL;
    enum weir_status status = slot_names(log, info, &slots);
    for (size_t i = 0; i < WEIR_COUNT(files) && !status; i++) {
        struct tensor_file file = files[i];
        if ((i == 1 && !has_ema(params)) || (i == 2 && !training))
            continue;
        if (i == 2)
            file.n = count_slots(params);
        status = load_file(log, info->path, &file, slots, params);
    }
    return status;
}
