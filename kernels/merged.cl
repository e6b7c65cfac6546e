// SPDX-License-Identifier: Apache-2.0
// From here to merged_end.cl what is a kernel elsewhere is a function (place.cl).
#undef WEIR_KERNEL
#undef WEIR_KERNEL_ALONE
#undef WEIR_KERNEL_LARGE
#undef WEIR_PLACE
#undef WEIR_AT
#define WEIR_KERNEL static
#define WEIR_KERNEL_ALONE static
#define WEIR_KERNEL_LARGE static
#define WEIR_PLACE , const size_t at_0, const size_t at_1, const size_t at_2
#define WEIR_AT(d) at_##d
#ifndef WEIR_WIDE
#define WEIR_WIDE(low, high) ((ulong)(high) << 32 | (low))
#endif
