// SPDX-License-Identifier: Apache-2.0
// The disk cache. A file is a header (below) and the payload, named <kind>-<key>.bin.
#include "device/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "base/strbuf.h"

static const char magic[8] = { 'W', 'e', 'i', 'r', 'b', 'i', 'n', '1' };

struct header {
    char magic[8];
    uint64_t check; // of the key
    uint64_t size;  // of the payload
    uint64_t sum;   // XXH64 of the payload, seeded with the check
};

void weir_cache_hasher_add(struct weir_cache_hasher *hasher, const char *text)
{
    weir_hasher_add_text(&hasher->name, text);
    weir_hasher_add_text(&hasher->check, text);
}

void weir_cache_hasher_init(struct weir_cache_hasher *hasher, const weir_device *dev)
{
    weir_hasher_init(&hasher->name, 0);
    weir_hasher_init(&hasher->check, 1);
    weir_cache_hasher_add(hasher, weir_version());
    weir_cache_hasher_add(hasher, dev->info.backend);
    weir_cache_hasher_add(hasher, dev->info.platform);
    weir_cache_hasher_add(hasher, dev->info.name);
    weir_cache_hasher_add(hasher, dev->info.driver);
    weir_cache_hasher_add(hasher, dev->info.version);
}

struct weir_cache_key weir_cache_hasher_key(const struct weir_cache_hasher *hasher)
{
    return (struct weir_cache_key) { weir_hasher_digest(&hasher->name),
                                     weir_hasher_digest(&hasher->check) };
}

static char *entry_path(const weir_device *dev, const char *kind, struct weir_cache_key key, const char *end)
{
    struct weir_strbuf buf = { 0 };
    weir_strbuf_printf(&buf, "%s/%s-%016" PRIx64 ".%s", dev->cache_dir, kind, key.name, end);
    return weir_strbuf_finish(&buf);
}

static bool valid(const char *file, size_t size, struct weir_cache_key key)
{
    struct header header;
    if (size < sizeof header)
        return false;
    memcpy(&header, file, sizeof header);
    return memcmp(header.magic, magic, sizeof magic) == 0 && header.check == key.check &&
           header.size == size - sizeof header &&
           header.sum == weir_hash64(file + sizeof header, size - sizeof header, key.check);
}

bool weir_cache_load(const weir_device *dev, const char *kind, struct weir_cache_key key,
                     char **data, size_t *size)
{
    char *file = NULL;
    size_t n = 0;
    if (!dev->cache_dir)
        return false;
    char *path = entry_path(dev, kind, key, "bin");
    if (!path || !weir_file_exists(path) || weir_file_read(NULL, path, &file, &n) != WEIR_OK) {
        free(path);
        return false;
    }
    bool good = valid(file, n, key);
    if (good) {
        memmove(file, file + sizeof(struct header), n - sizeof(struct header));
        *data = file;
        *size = n - sizeof(struct header);
    } else {
        weir_logf(&dev->log, WEIR_LOG_DEBUG, "%s is damaged; making it anew", path);
        free(file);
    }
    free(path);
    return good;
}

bool weir_cache_store(weir_device *dev, const char *kind, struct weir_cache_key key,
                      const void *data, size_t size)
{
    if (!dev->cache_dir)
        return true;
    struct header header = { .check = key.check, .size = size,
                             .sum = weir_hash64(data, size, key.check) };
    memcpy(header.magic, magic, sizeof magic);
    char *path = entry_path(dev, kind, key, "bin");
    char *file = malloc(sizeof header + size);
    bool written = path && file && weir_mkdirs(NULL, dev->cache_dir) == WEIR_OK;
    if (written) {
        memcpy(file, &header, sizeof header);
        memcpy(file + sizeof header, data, size);
        written = weir_file_write(NULL, path, file, sizeof header + size) == WEIR_OK;
    }
    if (!written && !dev->cache_warned) {
        dev->cache_warned = true;
        weir_logf(&dev->log, WEIR_LOG_WARN, "cannot write to %s: nothing will be kept there",
                  dev->cache_dir);
    }
    free(file);
    free(path);
    return written;
}

// The lock is a file beside the entry, which stays: the entry itself is another file after each writing.
int weir_cache_lock(const weir_device *dev, const char *kind, struct weir_cache_key key)
{
    if (!dev->cache_dir || weir_mkdirs(NULL, dev->cache_dir) != WEIR_OK)
        return -1;
    char *path = entry_path(dev, kind, key, "lock");
    int lock = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1, error = 0;
    free(path);
    while (lock >= 0 && (error = flock(lock, LOCK_EX)) && errno == EINTR)
        continue;
    if (error) {
        close(lock);
        return -1;
    }
    return lock;
}

void weir_cache_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}
