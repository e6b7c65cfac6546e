// SPDX-License-Identifier: Apache-2.0
// Sixteen floats at any element address. PoCL 3.1 turns vload16 into eight-byte pieces, so where
// the device takes it (WEIR_CAP_VECTOR_DEREF) a pointer to a vector aligned like its element is
// read.
#ifndef WEIR_LOAD16
#ifdef WEIR_NO_VECTOR_DEREF
#define WEIR_LOAD16(p) vload16(0, (p))
#define WEIR_STORE16(p, x) vstore16((x), 0, (p))
#define WEIR_KEEP16(p, x) vstore16((x), 0, (p))
#else
typedef float16 weir_f16u __attribute__((aligned(4)));
#define WEIR_LOAD16(p) (*(global const weir_f16u *)(p))
#define WEIR_STORE16(p, x) (*(global weir_f16u *)(p) = (x))
#define WEIR_KEEP16(p, x) (*(private weir_f16u *)(p) = (x)) // in private memory
#endif
#endif
