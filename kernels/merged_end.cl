// SPDX-License-Identifier: Apache-2.0
// Ends what merged.cl begins.
#undef WEIR_KERNEL
#undef WEIR_KERNEL_ALONE
#undef WEIR_KERNEL_LARGE
#undef WEIR_PLACE
#undef WEIR_AT
#include "place.cl"
