// SPDX-License-Identifier: Apache-2.0
// Minimum cuts of directed graphs with integer capacities.
#ifndef WEIR_COMPILE_MIN_CUT_H
#define WEIR_COMPILE_MIN_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

#define WEIR_CUT_NEVER (INT64_MAX / 4) // a capacity that no cut pays

struct weir_min_cut;

// Lives in `arena`. NULL when out of memory.
struct weir_min_cut *weir_min_cut_create(weir_arena *arena, int n_nodes);
// An arc from a to b; false when out of memory.
bool weir_min_cut_arc(struct weir_min_cut *m, int a, int b, int64_t capacity);
// Sets side[node] to whether the node lies on the side of `from` in the minimum cut that has fewest
// nodes there.
void weir_min_cut_solve(struct weir_min_cut *m, int from, int to, bool *side);

#endif
