// SPDX-License-Identifier: Apache-2.0
// How a kernel is headed that may also be one of several in a launch (src/compile/merge.c): by
// WEIR_KERNEL or, where a work-item is a group, WEIR_KERNEL_ALONE; WEIR_KERNEL_LARGE if it is too large to
// be compiled again beside others, so that only launches of itself are merged. Its parameters end in
// WEIR_PLACE, its work-items know their place by WEIR_AT alone, and it has no local memory and no barriers.
#ifndef WEIR_KERNEL
#define WEIR_KERNEL kernel
#define WEIR_KERNEL_ALONE kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#define WEIR_KERNEL_LARGE kernel __attribute__((reqd_work_group_size(1, 1, 1)))
#define WEIR_PLACE
#define WEIR_AT(d) get_global_id(d)
#endif
