// SPDX-License-Identifier: Apache-2.0
// Which compiled copy of the loop nests runs here, and how wide their elements are.
#include "base/compiler.h"
#include "graph/nest.h"

enum weir_isa weir_isa_best(void)
{
#ifdef WEIR_HAVE_X86_ISA
    return weir_x86_level() >= 4   ? WEIR_ISA_V4
           : weir_x86_level() >= 3 ? WEIR_ISA_V3
                                   : WEIR_ISA_BASE;
#else
    return WEIR_ISA_BASE;
#endif
}

size_t weir_isa_elem_size(enum weir_isa isa, enum weir_dtype dtype)
{
    bool real = dtype == WEIR_F32 || dtype == WEIR_F16 || dtype == WEIR_BF16;
    return isa == WEIR_ISA_F64 && real ? sizeof(double) : weir_dtype_size(dtype);
}
