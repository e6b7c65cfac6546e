// SPDX-License-Identifier: Apache-2.0
// Files and folders. A file that Weir writes appears whole or not at all: the text goes to a
// temporary file beside it, is flushed to the disk (fsync) and then renamed over the old one.
// Errors: IO, the message naming the path and the system's reason; NOMEM.
#ifndef WEIR_BASE_FILES_H
#define WEIR_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/log.h"

// The whole file; the caller frees *data. One 0 byte follows the data, so text can be used as is.
enum weir_status weir_file_read(const struct weir_log *log, const char *path, char **data,
                                size_t *size);

// Writes the whole file atomically. The old file, if any, is whole until the new one is complete.
enum weir_status weir_file_write(const struct weir_log *log, const char *path, const void *data,
                                 size_t size);

bool weir_file_exists(const char *path); // a file, folder or anything else
bool weir_dir_exists(const char *path);

// mkdir -p. OK when the folder is there already.
enum weir_status weir_mkdirs(const struct weir_log *log, const char *path);

// Names in a folder without . and .., sorted by strcmp (so the order is the same everywhere);
// the array and the names live in `arena`.
enum weir_status weir_dir_list(const struct weir_log *log, const char *path, weir_arena *arena,
                               char ***names, size_t *n);

// An atomic file written in pieces. Write errors stick and are reported by commit, so the calls
// between need no checks. One thread at a time.
typedef struct weir_atomic weir_atomic;

// `path` is copied; `log` must outlive the object.
enum weir_status weir_atomic_open(const struct weir_log *log, const char *path,
                                  weir_atomic **file);
void weir_atomic_write(weir_atomic *file, const void *data, size_t size);

// Flush, fsync, rename, fsync of the folder; on failure the temporary file is removed and the old
// file stays as it was. Destroys the object and clears *file either way.
enum weir_status weir_atomic_commit(weir_atomic **file);

// Removes the temporary file. Accepts a pointer to NULL, so it can stand at an error label.
void weir_atomic_abort(weir_atomic **file);

#endif
