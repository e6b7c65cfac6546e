// SPDX-License-Identifier: Apache-2.0
// What jansson lacks for recipes: paths in messages, ranges, and the nearest known key.
#include "base/json.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/strbuf.h"

enum weir_status weir_json_parse(const struct weir_log *log, const char *file, const char *text,
                                 size_t size, json_t **root)
{
    json_error_t error;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json)
        return weir_fail(
            log, json_error_code(&error) == json_error_out_of_memory ? WEIR_NOMEM : WEIR_FORMAT,
            "%s:%d:%d: %s", file, error.line, error.column, error.text);
    *root = json;
    return WEIR_OK;
}

enum weir_status weir_json_load(const struct weir_log *log, const char *path, json_t **root)
{
    char *text = NULL;
    size_t size = 0;
    enum weir_status status = weir_file_read(log, path, &text, &size);
    if (!status)
        status = weir_json_parse(log, path, text, size, root);
    free(text);
    return status;
}

enum weir_status weir_json_save(const struct weir_log *log, const char *path, const json_t *root)
{
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY);
    if (!text)
        return weir_fail(log, WEIR_NOMEM, "out of memory: the text of '%s'", path);
    struct weir_strbuf buf = {0};
    weir_strbuf_puts(&buf, text);
    weir_strbuf_puts(&buf, "\n");
    free(text);
    enum weir_status status = buf.failed ? weir_fail(log, WEIR_NOMEM, "out of memory: '%s'", path)
                                         : weir_file_write(log, path, buf.s, buf.n);
    weir_strbuf_free(&buf);
    return status;
}

// ---- getters ----

// A value as messages show it: short, on one line.
static const char *show(const json_t *value, char *out, size_t size)
{
    if (json_is_object(value) || json_is_array(value))
        return json_is_object(value) ? "an object" : "a list";
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    snprintf(out, size, "%.60s%s", text ? text : "?", text && strlen(text) > 60 ? "..." : "");
    free(text);
    return out;
}

static enum weir_status fail_type(const struct weir_json_at *at, const char *key,
                                  const json_t *found, const char *expected)
{
    char text[80];
    return weir_fail(at->log, WEIR_INVALID, "%s: %s%s: expected %s, found %s", at->file, at->path,
                     key, expected, show(found, text, sizeof(text)));
}

enum weir_status weir_json_root(const struct weir_log *log, const char *file, json_t *root,
                                struct weir_json_at *at)
{
    struct weir_json_at out = {.log = log, .file = file, .object = root};
    if (!json_is_object(root))
        return fail_type(&out, "the document", root, "an object");
    *at = out;
    return WEIR_OK;
}

enum weir_status weir_json_child(const struct weir_json_at *at, const char *key,
                                 struct weir_json_at *child)
{
    struct weir_json_at out = {.log = at->log, .file = at->file};
    out.object = json_object_get(at->object, key);
    if (out.object && !json_is_object(out.object))
        return fail_type(at, key, out.object, "an object");
    int n = snprintf(out.path, sizeof(out.path), "%s%s.", at->path, key);
    if (n >= (int)sizeof(out.path)) // a key nobody would write: the message is cut, not the value
        memcpy(out.path + sizeof(out.path) - 5, "....", 5);
    *child = out;
    return WEIR_OK;
}

enum weir_status weir_json_get_i64(const struct weir_json_at *at, const char *key, int64_t min,
                                   int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(at->object, key);
    if (!value)
        return WEIR_OK;
    int64_t v = json_integer_value(value);
    if (!json_is_integer(value) || v < min || v > max) {
        char expected[96];
        if (min == INT64_MIN && max == INT64_MAX)
            snprintf(expected, sizeof(expected), "an integer");
        else if (max == INT64_MAX)
            snprintf(expected, sizeof(expected), "an integer of at least %" PRId64, min);
        else
            snprintf(expected, sizeof(expected), "an integer from %" PRId64 " to %" PRId64, min,
                     max);
        return fail_type(at, key, value, expected);
    }
    *out = v;
    return WEIR_OK;
}

enum weir_status weir_json_get_f64(const struct weir_json_at *at, const char *key, double min,
                                   double max, double *out)
{
    const json_t *value = json_object_get(at->object, key);
    if (!value)
        return WEIR_OK;
    double v = json_number_value(value);
    if (!json_is_number(value) || v < min || v > max) {
        char expected[96];
        snprintf(expected, sizeof(expected), "a number from %g to %g", min, max);
        return fail_type(at, key, value, expected);
    }
    *out = v;
    return WEIR_OK;
}

enum weir_status weir_json_get_bool(const struct weir_json_at *at, const char *key, bool *out)
{
    const json_t *value = json_object_get(at->object, key);
    if (!value)
        return WEIR_OK;
    if (!json_is_boolean(value))
        return fail_type(at, key, value, "true or false");
    *out = json_is_true(value);
    return WEIR_OK;
}

enum weir_status weir_json_get_string(const struct weir_json_at *at, const char *key,
                                      const char **out)
{
    const json_t *value = json_object_get(at->object, key);
    if (!value)
        return WEIR_OK;
    // An embedded 0 (\u0000) would cut the text short in silence; jansson refuses it when parsing.
    if (!json_is_string(value))
        return fail_type(at, key, value, "a string");
    *out = json_string_value(value);
    return WEIR_OK;
}

enum weir_status weir_json_get_choice(const struct weir_json_at *at, const char *key,
                                      const char *const *choices, int *out)
{
    const char *text = NULL;
    enum weir_status status = weir_json_get_string(at, key, &text);
    if (status || !text)
        return status;
    for (int i = 0; choices[i]; i++)
        if (!strcmp(choices[i], text)) {
            *out = i;
            return WEIR_OK;
        }
    struct weir_strbuf list = {0};
    for (int i = 0; choices[i]; i++)
        weir_strbuf_printf(&list, "%s%s", i ? ", " : "", choices[i]);
    const char *nearest = weir_nearest(text, choices);
    status = weir_fail(at->log, WEIR_INVALID,
                       "%s: %s%s: no such choice '%s' (did you mean '%s'? known: %s)", at->file,
                       at->path, key, text, nearest ? nearest : "", list.s ? list.s : "");
    weir_strbuf_free(&list);
    return status;
}

enum weir_status weir_json_get_i64s(const struct weir_json_at *at, const char *key, int64_t min,
                                    int64_t max, int max_n, int64_t *out, int *n)
{
    const json_t *list = json_object_get(at->object, key);
    if (!list)
        return WEIR_OK;
    char expected[128];
    snprintf(expected, sizeof(expected),
             "a list of at most %d integers from %" PRId64 " to %" PRId64, max_n, min, max);
    if (!json_is_array(list) || json_array_size(list) > (size_t)max_n)
        return fail_type(at, key, list, expected);
    int count = (int)json_array_size(list);
    for (int i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, (size_t)i);
        int64_t v = json_integer_value(value);
        if (!json_is_integer(value) || v < min || v > max)
            return fail_type(at, key, value, expected);
    }
    for (int i = 0; i < count; i++)
        out[i] = json_integer_value(json_array_get(list, (size_t)i));
    *n = count;
    return WEIR_OK;
}

enum weir_status weir_json_require(const struct weir_json_at *at, const char *key)
{
    if (json_object_get(at->object, key))
        return WEIR_OK;
    return weir_fail(at->log, WEIR_INVALID, "%s: %s%s: this key is required", at->file, at->path,
                     key);
}

enum weir_status weir_json_check_keys(const struct weir_json_at *at, const char *const *known)
{
    for (void *it = json_object_iter(at->object); it; it = json_object_iter_next(at->object, it)) {
        const char *key = json_object_iter_key(it);
        int i = 0;
        while (known[i] && strcmp(known[i], key))
            i++;
        if (known[i])
            continue;
        const char *nearest = weir_nearest(key, known);
        return weir_fail(at->log, WEIR_INVALID, "%s: %s%s: unknown key (did you mean '%s'?)",
                         at->file, at->path, key, nearest ? nearest : "");
    }
    return WEIR_OK;
}

// ---- nearest name ----

enum { MAX_NAME = 63 }; // longer names are compared by their first characters

static int min2(int a, int b)
{
    return a < b ? a : b;
}

// Optimal string alignment: insert, delete, replace and swap of neighbours cost 1 each.
static int edit_distance(const char *a, const char *b)
{
    int rows[3][MAX_NAME + 1];
    int na = (int)strnlen(a, MAX_NAME), nb = (int)strnlen(b, MAX_NAME);
    for (int j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (int i = 1; i <= na; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            row[j] = min2(above[j - 1] + (ca != cb), min2(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                cb == tolower((unsigned char)a[i - 2]))
                row[j] = min2(row[j], above2[j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

const char *weir_nearest(const char *name, const char *const *candidates)
{
    const char *best = NULL;
    int best_distance = 0;
    for (int i = 0; candidates[i]; i++) {
        int distance = edit_distance(name, candidates[i]);
        if (!best || distance < best_distance) {
            best = candidates[i];
            best_distance = distance;
        }
    }
    return best;
}
