// SPDX-License-Identifier: Apache-2.0
// Clears the knobs, so that the next skeleton in the same program starts afresh.
#undef OP_NAME
#undef OP_INT
#undef OP_ITEMS
#undef OP_T
#undef OP_OUTER
#undef OP_N
#undef OP_INNER
#undef OP_M
#undef OP_ALONG
#undef OP_KIND
#undef OP_LOWER
#undef OP_TRANSPOSE
#undef OP_UNIT
#undef OP_INVERSE
#undef OP_VALUE
#undef OP_RANK
#undef OP_DIM
#undef OP_BOX
#undef OP_STRIDE
#undef OP_LO
#undef OP_STEP
#undef OP_PASTE_
#undef OP_PASTE
#undef OP_FN
