// SPDX-License-Identifier: Apache-2.0
// POSIX file calls with their errors put into words. Only regular files are replaced: renaming
// over a device or a pipe would destroy it.
#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BUFFER_SIZE = 1 << 16 };

static enum weir_status fail_io(const struct weir_log *log, const char *what, const char *path,
                                int error)
{
    return weir_fail(log, error == ENOMEM ? WEIR_NOMEM : WEIR_IO, "cannot %s '%s': %s", what, path,
                     strerror(error));
}

// ---- reading ----

static ssize_t read_some(int fd, char *data, size_t size)
{
    ssize_t n;
    do
        n = read(fd, data, size);
    while (n < 0 && errno == EINTR);
    return n;
}

// Reads to the end, growing the buffer: sizes told by stat are a first guess (pipes, /proc).
static int read_all(int fd, size_t guess, char **data, size_t *size)
{
    size_t cap = guess + 1, n = 0;
    char *buf = malloc(cap + 1);
    if (!buf)
        return ENOMEM;
    for (;;) {
        ssize_t got = read_some(fd, buf + n, cap - n);
        if (got < 0) {
            int error = errno;
            free(buf);
            return error;
        }
        n += (size_t)got;
        if (got == 0)
            break;
        if (n == cap) {
            cap = cap < 4096 ? 8192 : cap * 2;
            char *more = realloc(buf, cap + 1);
            if (!more) {
                free(buf);
                return ENOMEM;
            }
            buf = more;
        }
    }
    buf[n] = 0;
    *data = buf;
    *size = n;
    return 0;
}

enum weir_status weir_file_read(const struct weir_log *log, const char *path, char **data,
                                size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_io(log, "read", path, errno);
    struct stat st;
    int error = fstat(fd, &st) ? errno : 0;
    if (!error && S_ISDIR(st.st_mode))
        error = EISDIR;
    if (!error)
        error = read_all(fd, st.st_size > 0 ? (size_t)st.st_size : 0, data, size);
    close(fd);
    return error ? fail_io(log, "read", path, error) : WEIR_OK;
}

// ---- folders ----

bool weir_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool weir_dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum weir_status weir_mkdirs(const struct weir_log *log, const char *path)
{
    if (!*path)
        return fail_io(log, "make the folder", path, ENOENT);
    char *part = strdup(path);
    if (!part)
        return fail_io(log, "make the folder", path, ENOMEM);
    int error = 0;
    for (char *p = part + 1; !error; p++) {
        if (*p && *p != '/')
            continue;
        char end = *p;
        *p = 0;
        if (mkdir(part, 0777) && errno != EEXIST)
            error = errno;
        else if (!weir_dir_exists(part))
            error = ENOTDIR;
        *p = end;
        if (!end)
            break;
    }
    free(part);
    return error ? fail_io(log, "make the folder", path, error) : WEIR_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum weir_status weir_dir_list(const struct weir_log *log, const char *path, weir_arena *arena,
                               char ***names, size_t *n)
{
    DIR *dir = opendir(path);
    if (!dir)
        return fail_io(log, "list the folder", path, errno);
    size_t count = 0, cap = 0;
    char **list = NULL;
    int error = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) {
            error = errno;
            break;
        }
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (count == cap) {
            cap = cap ? cap * 2 : 64;
            char **more = realloc(list, cap * sizeof(*list));
            if (!more) {
                error = ENOMEM;
                break;
            }
            list = more;
        }
        list[count] = weir_arena_strdup(arena, entry->d_name);
        if (!list[count++]) {
            error = ENOMEM;
            break;
        }
    }
    closedir(dir);
    char **out = NULL;
    if (!error) {
        if (count)
            qsort(list, count, sizeof(*list), compare_names);
        out = weir_arena_memdup(arena, list ? list : (char **)"", count * sizeof(*list));
        if (!out)
            error = ENOMEM;
    }
    free(list);
    if (error)
        return fail_io(log, "list the folder", path, error);
    *names = out;
    *n = count;
    return WEIR_OK;
}

// ---- atomic writing ----

struct weir_atomic {
    const struct weir_log *log;
    char *path, *temporary;
    int fd;
    int error; // the first failure's errno, 0 = none
    size_t n;
    char buffer[WRITE_BUFFER_SIZE];
};

static void atomic_free(weir_atomic **file)
{
    if ((*file)->fd >= 0)
        close((*file)->fd);
    free((*file)->path);
    free((*file)->temporary);
    free(*file);
    *file = NULL;
}

// Another process, or a leftover of a killed one, may hold a name: try the next.
static int open_temporary(weir_atomic *file)
{
    for (int i = 0; i < 100; i++) {
        free(file->temporary);
        file->temporary = NULL;
        if (asprintf(&file->temporary, "%s.tmp-%ld-%d", file->path, (long)getpid(), i) < 0) {
            file->temporary = NULL;
            return ENOMEM;
        }
        file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd >= 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return errno;
}

enum weir_status weir_atomic_open(const struct weir_log *log, const char *path, weir_atomic **file)
{
    weir_atomic *out = calloc(1, sizeof(*out));
    if (!out)
        return fail_io(log, "write", path, ENOMEM);
    *out = (weir_atomic){.log = log, .path = strdup(path), .fd = -1};
    struct stat st;
    int error = 0;
    if (!out->path)
        error = ENOMEM;
    else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        error = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    if (!error)
        error = open_temporary(out);
    if (error) {
        atomic_free(&out);
        if (error == EINVAL)
            return weir_fail(log, WEIR_IO, "cannot write '%s': not a regular file", path);
        return fail_io(log, "write", path, error);
    }
    *file = out;
    return WEIR_OK;
}

static void write_through(weir_atomic *file, const char *data, size_t size)
{
    while (size && !file->error) {
        ssize_t n = write(file->fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            file->error = errno;
            return;
        }
        data += n;
        size -= (size_t)n;
    }
}

void weir_atomic_write(weir_atomic *file, const void *data, size_t size)
{
    if (size > WRITE_BUFFER_SIZE - file->n) {
        write_through(file, file->buffer, file->n);
        file->n = 0;
    }
    if (size >= WRITE_BUFFER_SIZE) {
        write_through(file, data, size);
    } else if (size) {
        memcpy(file->buffer + file->n, data, size);
        file->n += size;
    }
}

// The rename itself must reach the disk too. Some file systems cannot sync a folder (EINVAL).
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = !slash ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!folder)
        return ENOMEM;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return errno == EACCES ? 0 : errno; // writable but not readable: nothing to be done
    int error = fsync(fd) && errno != EINVAL ? errno : 0;
    close(fd);
    return error;
}

enum weir_status weir_atomic_commit(weir_atomic **file)
{
    weir_atomic *f = *file;
    write_through(f, f->buffer, f->n);
    if (!f->error && fsync(f->fd))
        f->error = errno;
    if (close(f->fd) && !f->error)
        f->error = errno;
    f->fd = -1;
    if (!f->error && rename(f->temporary, f->path))
        f->error = errno;
    enum weir_status status = WEIR_OK;
    if (f->error) {
        unlink(f->temporary);
        status = weir_fail(f->log, f->error == ENOMEM ? WEIR_NOMEM : WEIR_IO,
                           "cannot write '%s': %s (what was there before is unchanged)", f->path,
                           strerror(f->error));
    } else {
        int error = sync_folder(f->path);
        if (error)
            status = fail_io(f->log, "flush the folder of", f->path, error);
    }
    atomic_free(file);
    return status;
}

void weir_atomic_abort(weir_atomic **file)
{
    if (!file || !*file)
        return;
    unlink((*file)->temporary);
    atomic_free(file);
}

enum weir_status weir_file_write(const struct weir_log *log, const char *path, const void *data,
                                 size_t size)
{
    weir_atomic *file = NULL;
    enum weir_status status = weir_atomic_open(log, path, &file);
    if (status)
        return status;
    weir_atomic_write(file, data, size);
    return weir_atomic_commit(&file);
}
