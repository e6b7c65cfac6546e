// SPDX-License-Identifier: Apache-2.0
// Ends an instance of a matrix engine's text, so that the next one in the program starts clean.
#undef EN_TYPE
#undef EN_LANES
#undef EN_M
#undef EN_N
#undef EN_K
#undef EN_LANE
#undef EN_SUB
#undef EN_A_WORDS
#undef EN_B_WORDS
#undef EN_RESULTS
#undef EN_ROW
#undef EN_COL
#undef EN_LOAD_A
#undef EN_LOAD_B
#undef EN_ROUND
#undef EN_MAD
#undef EN_ATTRIBUTES
#undef EN_LOCALS
