// SPDX-License-Identifier: Apache-2.0
// Results of tuning in memory and on disk. The file is JSON:
//   { "schema": 1, "rows": { "0123456789abcdef": { "shape": "matmul 64 x 32 x 16", "model":
//   "wide:h=4,..",
//     "choice": "wide:h=2,..", "model_s": 1e-3, "s": 9e-4, "tried": 12, "bad": ["block:w=3,.."] } }
//     }
#include "device/tuning.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "device/cache.h"

enum { SCHEMA = 1 };

// Features too, since tests hide some: then other kernels are chosen from. Not the one that a trial
// adds in the middle of a run.
static struct weir_cache_key key_of(const weir_device *dev)
{
    struct weir_cache_hasher hasher;
    char text[64];
    snprintf(text, sizeof text, "tuning %d admission %d features %" PRIx32, SCHEMA,
             (int)dev->info.admission, dev->info.caps.features & ~(uint32_t)WEIR_CAP_GEMM);
    weir_cache_hasher_init(&hasher, dev);
    weir_cache_hasher_add(&hasher, text);
    return weir_cache_hasher_key(&hasher);
}

// The rows on disk, a new reference; empty where there is nothing of use.
static json_t *load_rows(const weir_device *dev)
{
    char *data = NULL;
    size_t size = 0;
    json_t *root = NULL, *rows = NULL;
    const struct weir_log silent = {0};
    if (weir_cache_load(dev, "tuning", key_of(dev), &data, &size) &&
        weir_json_parse(&silent, "tuning", data, size, &root) == WEIR_OK &&
        json_integer_value(json_object_get(root, "schema")) == SCHEMA)
        rows = json_incref(json_object_get(root, "rows"));
    if (rows && !json_is_object(rows)) {
        json_decref(rows);
        rows = NULL;
    }
    json_decref(root);
    free(data);
    return rows ? rows : json_object();
}

static bool save_rows(weir_device *dev, json_t *rows)
{
    json_t *root = json_pack("{s:i, s:O}", "schema", SCHEMA, "rows", rows);
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    bool saved = text && weir_cache_store(dev, "tuning", key_of(dev), text, strlen(text));
    free(text);
    json_decref(root);
    return saved;
}

struct weir_tuning *weir_tuning_of(weir_device *dev)
{
    if (!dev->tuning) {
        dev->tuning = calloc(1, sizeof *dev->tuning);
        if (dev->tuning)
            dev->tuning->rows = load_rows(dev);
    }
    return dev->tuning;
}

void weir_tuning_destroy(struct weir_tuning **tuning)
{
    if (!*tuning)
        return;
    json_decref((*tuning)->rows);
    free((*tuning)->done);
    free(*tuning);
    *tuning = NULL;
}

static const char *name_of(uint64_t key, char name[17])
{
    snprintf(name, 17, "%016" PRIx64, key);
    return name;
}

static bool is_bad(const json_t *row, const char *candidate)
{
    const json_t *bad = json_object_get(row, "bad");
    for (size_t i = 0; i < json_array_size(bad); i++) {
        const char *text = json_string_value(json_array_get(bad, i));
        if (text && !strcmp(text, candidate))
            return true;
    }
    return false;
}

bool weir_tuning_find(const struct weir_tuning *t, uint64_t key, struct weir_tuned *row)
{
    char name[17];
    const json_t *at = json_object_get(t->rows, name_of(key, name));
    if (!json_is_object(at))
        return false;
    const char *shape = json_string_value(json_object_get(at, "shape"));
    const char *model = json_string_value(json_object_get(at, "model"));
    const char *choice = json_string_value(json_object_get(at, "choice"));
    *row = (struct weir_tuned){
        .shape = shape ? shape : "",
        .choice = choice && !is_bad(at, choice) ? choice : NULL,
        .model = model ? model : "",
        .s = json_number_value(json_object_get(at, "s")),
        .model_s = json_number_value(json_object_get(at, "model_s")),
        .tried = (int)json_integer_value(json_object_get(at, "tried")),
    };
    return true;
}

const char *weir_tuning_choice(const struct weir_tuning *t, uint64_t key)
{
    struct weir_tuned row;
    return weir_tuning_find(t, key, &row) ? row.choice : NULL;
}

bool weir_tuning_is_bad(const struct weir_tuning *t, uint64_t key, const char *candidate)
{
    char name[17];
    return is_bad(json_object_get(t->rows, name_of(key, name)), candidate);
}

// --- changes ---

// A bad candidate is no choice. False: known already.
static bool add_bad(json_t *row, const char *candidate)
{
    const char *choice = json_string_value(json_object_get(row, "choice"));
    json_t *bad = json_object_get(row, "bad");
    if (is_bad(row, candidate))
        return false;
    if (!json_is_array(bad)) {
        bad = json_array();
        json_object_set_new(row, "bad", bad);
    }
    if (choice && !strcmp(choice, candidate))
        json_object_del(row, "choice");
    json_array_append_new(bad, json_string(candidate));
    return true;
}

// Adds to the rows on disk what only this process knows.
static void merge(json_t *disk, json_t *own)
{
    const char *name, *text;
    json_t *row, *bad;
    json_object_foreach (own, name, row) {
        json_t *there = json_object_get(disk, name);
        size_t i;
        if (!json_is_object(there)) {
            json_object_set(disk, name, row);
            continue;
        }
        json_array_foreach (json_object_get(row, "bad"), i, bad)
            if ((text = json_string_value(bad)))
                add_bad(there, text);
    }
}

static json_t *row_of(struct weir_tuning *t, uint64_t key)
{
    char name[17];
    json_t *at = json_object_get(t->rows, name_of(key, name));
    if (json_is_object(at))
        return at;
    at = json_object();
    return json_object_set_new(t->rows, name, at) == 0 ? at : NULL;
}

// Changes the row of `key` as it is on disk by now; `apply` says whether there was anything to change.
static enum weir_status change(weir_device *dev, uint64_t key, bool (*apply)(json_t *row, const void *what),
                               const void *what)
{
    struct weir_tuning *t = weir_tuning_of(dev);
    if (!t)
        return WEIR_NOMEM;
    int lock = weir_cache_lock(dev, "tuning", key_of(dev));
    if (dev->cache_dir) {
        json_t *rows = load_rows(dev);
        merge(rows, t->rows);
        json_decref(t->rows);
        t->rows = rows;
    }
    json_t *row = row_of(t, key);
    bool kept = row && (!apply(row, what) || save_rows(dev, t->rows));
    weir_cache_unlock(lock);
    if (!row)
        return WEIR_NOMEM;
    return kept ? WEIR_OK
                : weir_fail(&dev->log, WEIR_IO, "what tuning found cannot be kept in %s", dev->cache_dir);
}

static bool put(json_t *row, const void *what)
{
    const struct weir_tuned *t = what;
    if (is_bad(row, t->choice)) // by what another process saw
        return false;
    json_object_set_new(row, "shape", json_string(t->shape));
    json_object_set_new(row, "choice", json_string(t->choice));
    json_object_set_new(row, "model", json_string(t->model));
    json_object_set_new(row, "s", json_real(t->s));
    json_object_set_new(row, "model_s", json_real(t->model_s));
    json_object_set_new(row, "tried", json_integer(t->tried));
    return true;
}

enum weir_status weir_tuning_put(weir_device *dev, uint64_t key, const struct weir_tuned *row)
{
    return change(dev, key, put, row);
}

static bool put_bad(json_t *row, const void *what)
{
    return add_bad(row, what);
}

enum weir_status weir_tuning_mark_bad(weir_device *dev, uint64_t key, const char *candidate)
{
    return change(dev, key, put_bad, candidate);
}

bool weir_tuning_is_done(const struct weir_tuning *t, uint64_t key)
{
    for (int i = 0; i < t->n_done; i++)
        if (t->done[i] == key)
            return true;
    return false;
}

void weir_tuning_set_done(struct weir_tuning *t, uint64_t key)
{
    if (weir_tuning_is_done(t, key))
        return;
    if (t->n_done == t->cap_done) {
        int cap = t->cap_done ? 2 * t->cap_done : 64;
        uint64_t *grown = realloc(t->done, (size_t)cap * sizeof(*grown));
        if (!grown)
            return; // it may be measured once more
        t->done = grown;
        t->cap_done = cap;
    }
    t->done[t->n_done++] = key;
}
