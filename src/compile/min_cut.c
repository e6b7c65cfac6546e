// SPDX-License-Identifier: Apache-2.0
// Minimum cuts by maximum flow (Dinic: shortest paths in layers, each layer's flow blocked before
// the next), since the recompute pass chooses what to keep by one.
#include "compile/min_cut.h"

#include <string.h>

#include "compile/compile.h"

struct arc {
    int to, next; // next arc of the same node, -1 = none
    int64_t left; // capacity that is left; arc i ^ 1 goes back
};

struct weir_min_cut {
    weir_arena *arena;
    int n, n_arcs, cap;
    int *first; // arc of each node
    struct arc *arc;
    int *level, *at, *path; // of the search: layer, arc to try next, arcs taken
};

struct weir_min_cut *weir_min_cut_create(weir_arena *arena, int n_nodes)
{
    struct weir_min_cut *m = weir_arena_alloc(arena, sizeof(*m));
    if (!m)
        return NULL;
    *m = (struct weir_min_cut){.arena = arena, .n = n_nodes};
    m->first = weir_arena_array(arena, 4 * (size_t)n_nodes, sizeof(*m->first));
    if (!m->first)
        return NULL;
    m->level = m->first + n_nodes;
    m->at = m->level + n_nodes;
    m->path = m->at + n_nodes;
    for (int i = 0; i < n_nodes; i++)
        m->first[i] = -1;
    return m;
}

static bool half(struct weir_min_cut *m, int a, int b, int64_t capacity)
{
    if (!weir_grow(m->arena, (void **)&m->arc, m->n_arcs, &m->cap, sizeof(*m->arc)))
        return false;
    m->arc[m->n_arcs] = (struct arc){b, m->first[a], capacity};
    m->first[a] = m->n_arcs++;
    return true;
}

bool weir_min_cut_arc(struct weir_min_cut *m, int a, int b, int64_t capacity)
{
    return half(m, a, b, capacity) && half(m, b, a, 0);
}

// Layers of the nodes that `from` reaches; -1 = not reached.
static void find_levels(struct weir_min_cut *m, int from)
{
    int *queue = m->path, n = 0;
    memset(m->level, -1, (size_t)m->n * sizeof(*m->level));
    m->level[from] = 0;
    queue[n++] = from;
    for (int i = 0; i < n; i++)
        for (int a = m->first[queue[i]]; a >= 0; a = m->arc[a].next)
            if (m->arc[a].left > 0 && m->level[m->arc[a].to] < 0) {
                m->level[m->arc[a].to] = m->level[queue[i]] + 1;
                queue[n++] = m->arc[a].to;
            }
}

// Sends what fits along the path of n arcs; returns how much of the path is still open.
static int send(struct weir_min_cut *m, int n)
{
    int64_t most = INT64_MAX;
    int open = n;
    for (int i = 0; i < n; i++)
        if (m->arc[m->path[i]].left < most)
            most = m->arc[m->path[i]].left;
    for (int i = n - 1; i >= 0; i--) {
        m->arc[m->path[i]].left -= most;
        m->arc[m->path[i] ^ 1].left += most;
        if (m->arc[m->path[i]].left == 0)
            open = i;
    }
    return open;
}

// Blocks the layered graph by depth-first search without recursion: paths are as long as the graph.
static void block(struct weir_min_cut *m, int from, int to)
{
    int n = 0;
    memcpy(m->at, m->first, (size_t)m->n * sizeof(*m->at));
    for (;;) {
        int node = n > 0 ? m->arc[m->path[n - 1]].to : from;
        if (node == to) {
            n = send(m, n);
            continue;
        }
        int *a = &m->at[node];
        while (*a >= 0 && (m->arc[*a].left == 0 || m->level[m->arc[*a].to] != m->level[node] + 1))
            *a = m->arc[*a].next;
        if (*a >= 0) {
            m->path[n++] = *a;
        } else if (n > 0) { // a dead end: not entered again
            m->level[node] = -1;
            n--;
        } else {
            return;
        }
    }
}

void weir_min_cut_solve(struct weir_min_cut *m, int from, int to, bool *side)
{
    find_levels(m, from);
    while (m->level[to] >= 0) {
        block(m, from, to);
        find_levels(m, from);
    }
    for (int i = 0; i < m->n; i++)
        side[i] = m->level[i] >= 0;
}
