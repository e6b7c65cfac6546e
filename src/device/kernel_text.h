// SPDX-License-Identifier: Apache-2.0
// The text of the files in kernels/, built into the library by tools/embed.
#ifndef WEIR_DEVICE_KERNEL_TEXT_H
#define WEIR_DEVICE_KERNEL_TEXT_H

struct weir_kernel_text {
    const char *name, *text;
};
extern const struct weir_kernel_text weir_kernel_texts[]; // ends with a NULL name

// The text of a file of kernels/ by its name ("scalar.h"), starting with a #line of its own, local
// #includes expanded. NULL if there is no such file in kernels/meson.build.
const char *weir_kernel_text(const char *name);

#endif
