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
#include "device/cache.h"

enum { SCHEMA = 1 };

// Features too, since tests hide some: then other kernels are chosen from.
static struct weir_cache_key key_of(const weir_device *dev)
{
    struct weir_cache_hasher hasher;
    char text[64];
    snprintf(text, sizeof text, "tuning %d admission %d features %" PRIx32, SCHEMA,
             (int)dev->info.admission, dev->info.caps.features);
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

static void save_rows(weir_device *dev, json_t *rows)
{
    json_t *root = json_pack("{s:i, s:O}", "schema", SCHEMA, "rows", rows);
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (text)
        weir_cache_store(dev, "tuning", key_of(dev), text, strlen(text));
    free(text);
    json_decref(root);
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

bool weir_tuning_find(const struct weir_tuning *t, uint64_t key, struct weir_tuned *row)
{
    char name[17];
    const json_t *at = json_object_get(t->rows, name_of(key, name));
    if (!json_is_object(at))
        return false;
    const char *shape = json_string_value(json_object_get(at, "shape"));
    const char *model = json_string_value(json_object_get(at, "model"));
    *row = (struct weir_tuned){
        .shape = shape ? shape : "",
        .choice = json_string_value(json_object_get(at, "choice")),
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
    const json_t *bad = json_object_get(json_object_get(t->rows, name_of(key, name)), "bad");
    for (size_t i = 0; i < json_array_size(bad); i++) {
        const char *text = json_string_value(json_array_get(bad, i));
        if (text && !strcmp(text, candidate))
            return true;
    }
    return false;
}

// Takes what the disk has by now; returns the row of `key`, borrowed, which may be new.
static json_t *renew(weir_device *dev, uint64_t key)
{
    struct weir_tuning *t = weir_tuning_of(dev);
    char name[17];
    if (!t)
        return NULL;
    if (dev->cache_dir) {
        json_t *rows = load_rows(dev);
        json_object_update_missing(rows, t->rows); // if the folder cannot be written to
        json_decref(t->rows);
        t->rows = rows;
    }
    json_t *at = json_object_get(t->rows, name_of(key, name));
    if (json_is_object(at))
        return at;
    at = json_object();
    return json_object_set_new(t->rows, name, at) == 0 ? at : NULL;
}

void weir_tuning_put(weir_device *dev, uint64_t key, const struct weir_tuned *row)
{
    json_t *at = renew(dev, key);
    if (!at)
        return;
    json_object_set_new(at, "shape", json_string(row->shape));
    json_object_set_new(at, "choice", json_string(row->choice));
    json_object_set_new(at, "model", json_string(row->model));
    json_object_set_new(at, "s", json_real(row->s));
    json_object_set_new(at, "model_s", json_real(row->model_s));
    json_object_set_new(at, "tried", json_integer(row->tried));
    save_rows(dev, dev->tuning->rows);
}

void weir_tuning_mark_bad(weir_device *dev, uint64_t key, const char *candidate)
{
    json_t *at = renew(dev, key);
    if (!at || weir_tuning_is_bad(dev->tuning, key, candidate))
        return;
    json_t *bad = json_object_get(at, "bad");
    if (!json_is_array(bad)) {
        bad = json_array();
        json_object_set_new(at, "bad", bad);
    }
    json_array_append_new(bad, json_string(candidate));
    save_rows(dev, dev->tuning->rows);
}
