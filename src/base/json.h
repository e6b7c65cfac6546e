// SPDX-License-Identifier: Apache-2.0
// JSON (jansson) with messages a user can act on: the file, the line or the path to the key, what
// was found and what was expected. Getters leave the out-parameter as it is where a key is absent,
// so the default is written there first.
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

// *root is a new reference (json_decref). `file` is the name shown in messages. Duplicate keys are
// an error. Errors: IO, FORMAT ("recipe.json:3:14: ..."), NOMEM.
enum weir_status weir_json_load(const struct weir_log *log, const char *path, json_t **root);
enum weir_status weir_json_parse(const struct weir_log *log, const char *file, const char *text,
                                 size_t size, json_t **root);

// Writes `root` atomically, indented by 2, keys in their order, reals with 17 digits.
enum weir_status weir_json_save(const struct weir_log *log, const char *path, const json_t *root);

// An object inside a document, with what messages need. Borrows everything it points to.
struct weir_json_at {
    const struct weir_log *log;
    const char *file; // shown in messages
    json_t *object;   // NULL = absent: every key reads as absent
    char path[120];   // "train.ema." before the key; "" at the root
};

// Errors: INVALID when `root` is not an object.
enum weir_status weir_json_root(const struct weir_log *log, const char *file, json_t *root,
                                struct weir_json_at *at);

// The object under `key`; absent gives child->object = NULL. Errors: INVALID (another type).
enum weir_status weir_json_child(const struct weir_json_at *at, const char *key,
                                 struct weir_json_at *child);

// Errors of the getters: INVALID, "recipe.json: train.steps: expected an integer from 1 to 100,
// found -3". An integer is accepted where a number is expected; min and max are inclusive.
enum weir_status weir_json_get_i64(const struct weir_json_at *at, const char *key, int64_t min,
                                   int64_t max, int64_t *out);
enum weir_status weir_json_get_f64(const struct weir_json_at *at, const char *key, double min,
                                   double max, double *out);
enum weir_status weir_json_get_bool(const struct weir_json_at *at, const char *key, bool *out);
// *out is borrowed from the document.
enum weir_status weir_json_get_string(const struct weir_json_at *at, const char *key,
                                      const char **out);
// A string that must stand in the NULL-ended list; the message names the nearest. *out = its index.
enum weir_status weir_json_get_choice(const struct weir_json_at *at, const char *key,
                                      const char *const *choices, int *out);
// A list of 0 to max_n integers; *n = how many.
enum weir_status weir_json_get_i64s(const struct weir_json_at *at, const char *key, int64_t min,
                                    int64_t max, int max_n, int64_t *out, int *n);

// INVALID when the key is absent.
enum weir_status weir_json_require(const struct weir_json_at *at, const char *key);

// INVALID at the first key of the object that is not in the NULL-ended list: "recipe.json:
// train.stpes: unknown key (did you mean 'steps'?)".
enum weir_status weir_json_check_keys(const struct weir_json_at *at, const char *const *known);

// The candidate (NULL-ended list) with the least edit distance to `name`, letters compared without
// case; the first one wins ties. A swap of neighbours counts as one edit. NULL for an empty list.
const char *weir_nearest(const char *name, const char *const *candidates);

#endif
