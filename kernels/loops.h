// SPDX-License-Identifier: Apache-2.0
// Keeps sums in the order of the text on a device whose compiler, when it makes vectors of a loop's
// iterations, adds floats in another order (Intel's CPU runtime 2026.2 does; the self-test finds
// it and sets WEIR_LOOPS_IN_ORDER). Every loop then says that it is not to be taken so. The
// keywords themselves are macros, so that no kernel can forget it; a do loop would not compile.
#if defined(WEIR_LOOPS_IN_ORDER) && !defined(WEIR_IN_ORDER)
#define WEIR_IN_ORDER _Pragma("clang loop vectorize(disable)")
#define for WEIR_IN_ORDER for
#define while WEIR_IN_ORDER while
#endif
