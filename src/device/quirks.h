// SPDX-License-Identifier: Apache-2.0
// Faults of drivers that the self-test cannot find or that need a workaround of their own. A row
// only hides a feature, changes how we build or wait, or informs; no device is refused by its name.
#ifndef WEIR_DEVICE_QUIRKS_H
#define WEIR_DEVICE_QUIRKS_H

#include "device/device.h"

enum weir_quirk_action {
    WEIR_QUIRK_HIDE, // hide the features in `caps`
    WEIR_QUIRK_POLL, // wait by asking at intervals: the driver's own wait keeps a core busy
    WEIR_QUIRK_OPTION, // build with `option`
    WEIR_QUIRK_NOTE, // for the user to know; nothing is done
};

struct weir_quirk {
    const char *vendor;      // glob on the platform's or the device's vendor name
    const char *device;      // glob on the device's name
    const char *from, *below; // driver versions [from, below); NULL = open
    enum weir_quirk_action action;
    uint32_t caps;
    const char *option;
    const char *why, *link;
};
extern const struct weir_quirk weir_quirks[]; // ends with a NULL vendor

bool weir_quirk_matches(const struct weir_quirk *quirk, const struct weir_device_info *info);

// Compares versions by their numbers: "22.3.6" > "22.3", "3.1+debian" < "3.10". <0, 0 or >0.
int weir_quirk_version_cmp(const char *a, const char *b);

void weir_quirks_apply(weir_device *dev);

#endif
