// SPDX-License-Identifier: Apache-2.0
// What merging launches keeps in mind: merge.c finds which go together and in which order, merge_list.c
// writes the new list.
#ifndef COMPILE_MERGE_H
#define COMPILE_MERGE_H
#include "compile/compile.h"

// Different texts in one batch: each is compiled once more for it.
enum { TEXTS_MAX = 16 };

struct waiting {
    int launch, text;
    int level;   // 1 + the highest of those that it needs
    size_t kept; // bytes that are alive for its sake
    const size_t *local;
    bool needed;
};

// Those that read a tensor and those that wrote it: by slot, the last of each.
struct touched {
    int *read, *written;
};

struct built { // a batch, or a launch that goes alone
    int at;    // the launch at whose place it was begun
    int n, n_texts, text[TEXTS_MAX];
    int n_bufs;
    const void *buf[WEIR_LAUNCH_MAX_BUFS];
    const size_t *local;
    bool grows, small;
};

struct merger {
    struct weir_emit_state *c;
    int *home;             // by slot: the one whose memory it lies in; one for all slots of a state
    int *becomes;          // by home: the slot that a copy may make it part of (NONE, MANY)
    int *first, *last;     // by home: launches that touch it
    int *text;             // by launch: its kernel's entry; -1: it goes alone
    int *latest;           // by text: the last batch that has it
    bool *merges, *large;  // by text: may be one of several; only among equals
    size_t *bytes, *alive; // by launch: of its operands; of all tensors while it runs
    size_t small, most, kept;            // most: that may be alive
    struct touched levels, needed, done; // by home: a level, a stamp, a batch
    int stamp;
    struct waiting *waiting, *out; // out: while some are released
    int n_waiting;
    struct built *built; // from 1 on
    int n_built;
    int *batch, *when, n; // by launch: its batch; launches in the order in which they went out
};

// The launches by batch, each with its table among the constants; false where memory ran out.
bool weir_merge_list(const struct merger *m);
// For people who read dumps.
void weir_merge_describe(struct weir_emit_state *c);
#endif
