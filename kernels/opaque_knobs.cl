// SPDX-License-Identifier: Apache-2.0
// Knobs of the skeletons of ops that are kernels of their own, with the defaults that let each file
// compile alone. All tensors are contiguous; element 0 of argument i is p_i[o_i].
// Name of the kernel; type of indices (long where 32 bits do not reach); work-items with work.
#ifndef OP_NAME
#define OP_NAME opaque
#endif
#ifndef OP_INT
#define OP_INT int
#endif
#ifndef OP_ITEMS
#define OP_ITEMS 1
#endif
// Type of the data: float, or an unsigned integer as wide where elements move as bits.
#ifndef OP_T
#define OP_T uint
#endif
// Around an axis: (outer, n, inner), m indices; OP_ALONG: an index for each (outer, m, inner).
#ifndef OP_OUTER
#define OP_OUTER 1
#endif
#ifndef OP_N
#define OP_N 1
#endif
#ifndef OP_INNER
#define OP_INNER 1
#endif
#ifndef OP_M
#define OP_M 1
#endif
#ifndef OP_ALONG
#define OP_ALONG 0
#endif
// Which member of a family, flags, and the value that padding has (as bits).
#ifndef OP_KIND
#define OP_KIND 0
#endif
#ifndef OP_LOWER
#define OP_LOWER 0
#endif
#ifndef OP_TRANSPOSE
#define OP_TRANSPOSE 0
#endif
#ifndef OP_UNIT
#define OP_UNIT 0
#endif
#ifndef OP_INVERSE
#define OP_INVERSE 0
#endif
#ifndef OP_VALUE
#define OP_VALUE 0
#endif
// Boxes: rank (at least 1), extents of the whole and of the box, distances in the whole.
#ifndef OP_RANK
#define OP_RANK 1
#define OP_DIM {1}
#define OP_BOX {1}
#define OP_STRIDE {1}
#define OP_LO {0}
#define OP_STEP {1}
#endif

#define OP_PASTE_(a, b) a##b
#define OP_PASTE(a, b) OP_PASTE_(a, b)
#define OP_FN(part) OP_PASTE(OP_NAME, part) // a helper of this kernel
