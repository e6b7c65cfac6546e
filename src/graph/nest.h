// SPDX-License-Identifier: Apache-2.0
// Loop nests: the definition of every op in plain C. A file of nests is compiled once an
// instruction set (WEIR_ISA_SUFFIX _base, _v3, _v4) and once for double (_f64, WEIR_REAL_DOUBLE
// defined).
//
//   WEIR_NEST(sum)        defines weir_nest_sum_<isa>(const void *desc, void *const *ptr)
//   { const struct weir_nest_call *c = desc; ... }
//   WEIR_NESTS(sum)       in the op row: the table of its four functions
#ifndef WEIR_GRAPH_NEST_H
#define WEIR_GRAPH_NEST_H

#include "graph/op.h"

#if defined(__x86_64__)
#define WEIR_HAVE_X86_ISA 1
#endif

#define WEIR_NEST_DECLARE_(name, isa)                                                            \
    void weir_nest_##name##isa(const void *desc, void *const *ptr);
#ifdef WEIR_HAVE_X86_ISA
#define WEIR_NEST_DECLARE(name)                                                                  \
    WEIR_NEST_DECLARE_(name, _base) WEIR_NEST_DECLARE_(name, _v3) WEIR_NEST_DECLARE_(name, _v4)  \
    WEIR_NEST_DECLARE_(name, _f64)
#define WEIR_NESTS(name)                                                                         \
    { { weir_nest_##name##_base, weir_nest_##name##_v3, weir_nest_##name##_v4,                   \
        weir_nest_##name##_f64 } }
#else
#define WEIR_NEST_DECLARE(name) WEIR_NEST_DECLARE_(name, _base) WEIR_NEST_DECLARE_(name, _f64)
#define WEIR_NESTS(name)                                                                         \
    { { weir_nest_##name##_base, weir_nest_##name##_base, weir_nest_##name##_base,               \
        weir_nest_##name##_f64 } }
#endif

#ifdef WEIR_ISA_SUFFIX // only inside nest files
#define WEIR_NEST_PASTE_(name, isa) weir_nest_##name##isa
#define WEIR_NEST_PASTE(name, isa) WEIR_NEST_PASTE_(name, isa)
#define WEIR_NEST(name)                                                                          \
    void WEIR_NEST_PASTE(name, WEIR_ISA_SUFFIX)(const void *desc, void *const *ptr);             \
    void WEIR_NEST_PASTE(name, WEIR_ISA_SUFFIX)(const void *desc, void *const *ptr)
#ifdef WEIR_REAL_DOUBLE
typedef double weir_real; // the oracle: f32, f16 and bf16 tensors hold doubles
#else
typedef float weir_real;
#endif
#endif

// The best instruction set of this CPU (never F64).
enum weir_isa weir_isa_best(void);
// Bytes of an element in host memory under an instruction set: 8 for floats under F64.
size_t weir_isa_elem_size(enum weir_isa isa, enum weir_dtype dtype);

#endif
