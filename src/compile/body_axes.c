// SPDX-License-Identifier: Apache-2.0
// What becomes of a body's axes once its operands are resolved: neighbours merge, the channels of a
// group norm become one axis, accesses that move alike share an index variable.
#include <string.h>

#include "base/log.h"
#include "compile/body.h"

static bool unguarded(const struct weir_body *b, int access, int d)
{
    const struct weir_access *a = &b->access[access];
    return !a->guarded || (a->lo[d] == 0 && a->hi[d] == b->space.dim[d]);
}

static bool mergeable(const struct weir_body *b, int d)
{
    if (b->label[d] != b->label[d + 1])
        return false;
    for (int i = 0; i < b->n_access; i++)
        if (b->access[i].stride[d] != b->access[i].stride[d + 1] * b->space.dim[d + 1] ||
            !unguarded(b, i, d) || !unguarded(b, i, d + 1))
            return false;
    return true;
}

// Axis d disappears into d + 1 (merged) or because its size is 1.
static void remove_axis(struct weir_body *b, int d)
{
    size_t n = (size_t)(b->space.rank - d - 1);
    memmove(&b->space.dim[d], &b->space.dim[d + 1], n * sizeof(b->space.dim[0]));
    memmove(&b->label[d], &b->label[d + 1], n * sizeof(b->label[0]));
    for (int i = 0; i < b->n_access; i++) {
        int64_t *s = b->access[i].stride;
        memmove(&s[d], &s[d + 1], n * sizeof(s[0]));
        memmove(&b->access[i].lo[d], &b->access[i].lo[d + 1], n * sizeof(s[0]));
        memmove(&b->access[i].hi[d], &b->access[i].hi[d + 1], n * sizeof(s[0]));
    }
    b->space.rank--;
}

static void classify(struct weir_body *b)
{
    int param = 0;
    for (int i = 0; i < b->n_access; i++) {
        struct weir_access *a = &b->access[i];
        a->param = a->index ? -1 : param++;
        a->cls = -1;
        for (int k = 0; k < b->n_classes && a->cls < 0; k++)
            if (memcmp(b->access[b->class_example[k]].stride, a->stride,
                       (size_t)b->space.rank * sizeof(a->stride[0])) == 0)
                a->cls = k;
        if (a->cls < 0) {
            a->cls = b->n_classes++;
            b->class_example[a->cls] = i;
        }
    }
}

void weir_body_pad_axis(struct weir_body *b)
{
    int d = b->space.rank++;
    b->space.dim[d] = 1;
    b->label[d] = WEIR_AXIS_KEPT;
    for (int i = 0; i < b->n_access; i++)
        b->access[i].stride[d] = 0;
    for (int i = 0; i < b->n_access; i++)
        b->access[i].hi[d] = 1;
    b->padded = true;
}

enum { COLUMN_MAX = 64, CHANNELS_MAX = 2048, GROUP_MAX = 64, OUTER_MIN = 8 };

// The first axis after the last column axis; 0 where there is no column axis.
static int first_channel(const struct weir_body *b)
{
    for (int d = b->space.rank; d > 0; d--)
        if (b->label[d - 1] >= WEIR_AXIS_COLUMN)
            return d;
    return 0;
}

// How an access moves along the channels: by a stride, or (stride 0) from group to group.
static bool channel_stride(const struct weir_body *b, const struct weir_access *a, int first,
                           int64_t *stride, int64_t *group)
{
    int last = b->space.rank - 1;
    *stride = a->stride[last];
    *group = 0;
    if (first == last || a->stride[first] == a->stride[last] * b->space.dim[last])
        return true;
    *stride = 0;
    *group = a->stride[first];
    return a->stride[last] == 0 && b->label[last] == WEIR_AXIS_ROW;
}

// Wide devices only: elsewhere a work-item an outer index would leave most of the device idle.
bool weir_body_is_channels(const struct weir_body *b)
{
    int first = first_channel(b), n = b->space.rank - first;
    int64_t outer = 1, channels = 1, stride, group;
    if (first == 0 || n < 1 || n > 2 || !b->reduces || !weir_device_has(b->c->dev, WEIR_CAP_WIDE))
        return false;
    for (int d = 0; d < b->space.rank; d++) {
        bool column = b->label[d] >= WEIR_AXIS_COLUMN;
        if (d < first && !column && d > 0 && b->label[d - 1] >= WEIR_AXIS_COLUMN)
            return false; // a kept axis between column axes
        if (column && (b->space.dim[d] > COLUMN_MAX || (d > 0 && b->label[d - 1] == b->label[d])))
            return false;
        if (d < first && !column)
            outer *= b->space.dim[d];
        if (d >= first)
            channels *= b->space.dim[d];
    }
    if (b->label[first] != WEIR_AXIS_KEPT || (n == 2 && b->label[first + 1] != WEIR_AXIS_ROW) ||
        (n == 2 && b->space.dim[first + 1] > GROUP_MAX))
        return false;
    for (int i = 0; i < b->n_access; i++)
        if (!channel_stride(b, &b->access[i], first, &stride, &group) ||
            (n == 2 && !unguarded(b, i, first + 1)) || (b->access[i].guarded && group != 0))
            return false;
    for (int i = 0; i < b->n_steps; i++)
        if (b->step[i].row && b->step[i].v->type.dtype == WEIR_BOOL)
            return false;
    return channels % 16 == 0 && channels <= CHANNELS_MAX && outer >= OUTER_MIN;
}

enum weir_status weir_body_channels(struct weir_body *b)
{
    if (!weir_body_is_channels(b))
        return WEIR_UNSUPPORTED;
    int first = first_channel(b), last = b->space.rank - 1;
    b->channels = true;
    b->n_groups = b->space.dim[first];
    b->per_group = first == last ? 1 : b->space.dim[last];
    for (int i = 0; i < b->n_access; i++) {
        struct weir_access *a = &b->access[i];
        int64_t stride, group;
        channel_stride(b, a, first, &stride, &group);
        a->stride[first] = stride;
        a->group_stride = group;
        a->lo[first] *= b->per_group;
        a->hi[first] *= b->per_group;
    }
    b->space.dim[first] = b->n_groups * b->per_group;
    b->space.rank = first + 1;
    b->n_classes = 0;
    classify(b);
    return WEIR_OK;
}

void weir_body_collapse(struct weir_body *b)
{
    for (int d = b->space.rank - 1 - b->padded; d >= 0; d--)
        if (b->space.dim[d] == 1)
            remove_axis(b, d);
    for (int d = b->space.rank - 2 - b->padded; d >= 0; d--)
        if (mergeable(b, d)) {
            b->space.dim[d + 1] *= b->space.dim[d];
            for (int i = 0; i < b->n_access; i++)
                b->access[i].hi[d + 1] = b->space.dim[d + 1];
            remove_axis(b, d);
        }
    if (b->space.rank == 0) {
        b->space.rank = 1;
        b->space.dim[0] = 1;
        b->label[0] = WEIR_AXIS_KEPT;
        for (int i = 0; i < b->n_access; i++)
            b->access[i].stride[0] = 1;
    }
    classify(b);
}
