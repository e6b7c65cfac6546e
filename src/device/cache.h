// SPDX-License-Identifier: Apache-2.0
// Small files kept between runs: compiled programs, self-test outcomes, tuning results. An entry is
// found by a key, checked by a second one and by a checksum of what it holds. Whatever is wrong
// with one (missing, cut, damaged, of another key) counts as absent; writing is atomic, so any
// number of processes may share a folder. Losing the folder loses time, never results.
#ifndef WEIR_DEVICE_CACHE_H
#define WEIR_DEVICE_CACHE_H

#include "base/hash.h"
#include "device/device.h"

struct weir_cache_key {
    uint64_t name, check; // two independent hashes of the same text
};

// A key in the making: the Weir version and all that identifies the device are in it from the
// start.
struct weir_cache_hasher {
    struct weir_hasher name, check;
};
void weir_cache_hasher_init(struct weir_cache_hasher *hasher, const weir_device *dev);
void weir_cache_hasher_add(struct weir_cache_hasher *hasher, const char *text);
struct weir_cache_key weir_cache_hasher_key(const struct weir_cache_hasher *hasher);

// The entry of `kind` ("program", "selftest"); the caller frees *data. False: there is none.
bool weir_cache_load(const weir_device *dev, const char *kind, struct weir_cache_key key,
                     char **data, size_t *size);

// False: it could not be written, which is a warning, once a device. True also where there is no folder.
bool weir_cache_store(weir_device *dev, const char *kind, struct weir_cache_key key,
                      const void *data, size_t size);

// For an entry that is read, changed and written back: until the lock is given back, other processes that
// ask for it wait. -1: none to be had (no folder, or a file system without locks), which takes no giving back.
int weir_cache_lock(const weir_device *dev, const char *kind, struct weir_cache_key key);
void weir_cache_unlock(int lock);

#endif
