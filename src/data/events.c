// SPDX-License-Identifier: Apache-2.0
// A record: u64 length, masked CRC of it, payload, masked CRC of that. The payload is the protobuf
//   Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//   Summary { Value value = 1; }   Value { string tag = 1; float simple_value = 2; Image image = 4;
//   } Image { int32 height = 1, width = 2, colorspace = 3; bytes encoded_image_string = 4; }
// of tensorflow/core/util/event.proto and framework/summary.proto, encoded here by hand.
#include "data/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/strbuf.h"
#include "data/bytes.h"

// ---- CRC-32C ----

uint32_t weir_crc32c(const void *data, size_t size)
{
    // One row of 16: half a byte at a time needs no table to be built or kept.
    static const uint32_t rows[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const unsigned char *p = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ rows[crc & 15];
        crc = crc >> 4 ^ rows[crc & 15];
    }
    return ~crc;
}

uint32_t weir_crc32c_masked(const void *data, size_t size)
{
    uint32_t crc = weir_crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

// ---- protobuf ----

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_varint(struct weir_strbuf *out, uint64_t v)
{
    unsigned char bytes[10];
    int n = 0;
    do
        bytes[n++] = (unsigned char)((v & 127) | (v > 127 ? 128 : 0));
    while (v >>= 7);
    weir_strbuf_write(out, bytes, (size_t)n);
}

static void put_int(struct weir_strbuf *out, int field, int64_t v)
{
    put_varint(out, (uint64_t)field << 3 | VARINT);
    put_varint(out, (uint64_t)v);
}

static void put_fixed(struct weir_strbuf *out, int field, const void *value, int size)
{
    unsigned char bytes[8];
    uint64_t bits = 0;
    if (size == 8) {
        memcpy(&bits, value, 8);
    } else {
        uint32_t low;
        memcpy(&low, value, 4);
        bits = low;
    }
    weir_put_le(bytes, bits, size);
    put_varint(out, (uint64_t)field << 3 | (size == 8 ? FIXED64 : FIXED32));
    weir_strbuf_write(out, bytes, (size_t)size);
}

static void put_bytes(struct weir_strbuf *out, int field, const void *data, size_t size)
{
    put_varint(out, (uint64_t)field << 3 | BYTES);
    put_varint(out, size);
    weir_strbuf_write(out, data, size);
}

static void put_message(struct weir_strbuf *out, int field, struct weir_strbuf *message)
{
    put_bytes(out, field, message->s ? message->s : "", message->n);
    out->failed = out->failed || message->failed;
    weir_strbuf_free(message);
}

// ---- the file ----

struct weir_events {
    const struct weir_log *log;
    char *path;
    int fd;
};

enum { HEAD_SIZE = 12, TAIL_SIZE = 4 };

static enum weir_status write_all(weir_events *events, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(events->fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return weir_fail(events->log, WEIR_IO, "cannot write '%s': %s", events->path,
                             strerror(errno));
        data += n;
        size -= (size_t)n;
    }
    return WEIR_OK;
}

// One write call a record: a killed run leaves at most one incomplete. Frees `event`.
static enum weir_status write_record(weir_events *events, struct weir_strbuf *event)
{
    unsigned char head[HEAD_SIZE], tail[TAIL_SIZE];
    weir_put_le(head, event->n, 8);
    weir_put_le(head + 8, weir_crc32c_masked(head, 8), 4);
    weir_put_le(tail, weir_crc32c_masked(event->s, event->n), 4);
    struct weir_strbuf record = {0};
    weir_strbuf_write(&record, head, HEAD_SIZE);
    weir_strbuf_write(&record, event->s ? event->s : "", event->n);
    weir_strbuf_write(&record, tail, TAIL_SIZE);
    enum weir_status status = WEIR_OK;
    if (event->failed || record.failed)
        status =
            weir_fail(events->log, WEIR_NOMEM, "out of memory: a record of '%s'", events->path);
    else
        status = write_all(events, record.s, record.n);
    weir_strbuf_free(&record);
    weir_strbuf_free(event);
    return status;
}

static bool get_varint(const unsigned char **p, const unsigned char *end, uint64_t *v)
{
    *v = 0;
    for (int shift = 0; shift < 64 && *p < end; shift += 7) {
        unsigned char byte = *(*p)++;
        *v |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

// The step of an event (0 if it has none). False when the payload is not a sound message.
static bool step_of(const unsigned char *p, size_t size, int64_t *step)
{
    const unsigned char *end = p + size;
    *step = 0;
    while (p < end) {
        uint64_t key, v = 0;
        if (!get_varint(&p, end, &key))
            return false;
        size_t skip = 0;
        if ((key & 7) == VARINT || (key & 7) == BYTES) {
            if (!get_varint(&p, end, &v))
                return false;
            skip = (key & 7) == BYTES ? (size_t)v : 0;
        } else if ((key & 7) == FIXED64 || (key & 7) == FIXED32) {
            skip = (key & 7) == FIXED64 ? 8 : 4;
        } else {
            return false;
        }
        if (skip > (size_t)(end - p))
            return false;
        p += skip;
        if (key == (2 << 3 | VARINT))
            *step = (int64_t)v;
    }
    return true;
}

// How many bytes of an old file stay.
static size_t keep_length(const unsigned char *bytes, size_t size, int64_t last_step)
{
    size_t at = 0;
    while (size - at >= HEAD_SIZE + TAIL_SIZE) {
        const unsigned char *p = bytes + at;
        uint64_t length = weir_le64(p);
        int64_t step;
        if (weir_le32(p + 8) != weir_crc32c_masked(p, 8) ||
            length > size - at - HEAD_SIZE - TAIL_SIZE ||
            weir_le32(p + HEAD_SIZE + length) !=
                weir_crc32c_masked(p + HEAD_SIZE, (size_t)length) ||
            !step_of(p + HEAD_SIZE, (size_t)length, &step) || step > last_step)
            break;
        at += HEAD_SIZE + (size_t)length + TAIL_SIZE;
    }
    return at;
}

// Cuts an old file; *fresh: nothing is left of it, or there was none.
static enum weir_status prepare(weir_events *events, int64_t last_step, bool *fresh)
{
    char *bytes = NULL;
    size_t size = 0, keep = 0;
    if (last_step >= 0 && weir_file_exists(events->path)) {
        enum weir_status status = weir_file_read(events->log, events->path, &bytes, &size);
        if (status)
            return status;
        keep = keep_length((const unsigned char *)bytes, size, last_step);
        free(bytes);
    }
    *fresh = keep == 0;
    events->fd = open(events->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (events->fd < 0 || (ftruncate(events->fd, (off_t)keep) && errno != EINVAL))
        return weir_fail(events->log, WEIR_IO, "cannot write '%s': %s", events->path,
                         strerror(errno));
    return WEIR_OK;
}

enum weir_status weir_events_open(const struct weir_log *log, const char *path, double time,
                                  int64_t last_step, weir_events **events)
{
    weir_events *out = calloc(1, sizeof(*out));
    if (!out || !(out->path = strdup(path))) {
        free(out);
        return weir_fail(log, WEIR_NOMEM, "out of memory: '%s'", path);
    }
    out->log = log;
    out->fd = -1;
    bool fresh = false;
    enum weir_status status = prepare(out, last_step, &fresh);
    if (!status && fresh) {
        struct weir_strbuf event = {0};
        put_fixed(&event, 1, &time, 8);
        put_bytes(&event, 3, "brain.Event:2", 13);
        status = write_record(out, &event);
    }
    if (status) {
        weir_events_close(&out);
        return status;
    }
    *events = out;
    return WEIR_OK;
}

// Event { wall_time, step, summary { value } }. Frees `value`.
static enum weir_status write_value(weir_events *events, double time, int64_t step,
                                    struct weir_strbuf *value)
{
    struct weir_strbuf event = {0}, summary = {0};
    put_message(&summary, 1, value);
    put_fixed(&event, 1, &time, 8);
    put_int(&event, 2, step);
    put_message(&event, 5, &summary);
    return write_record(events, &event);
}

enum weir_status weir_events_scalar(weir_events *events, double time, int64_t step, const char *tag,
                                    float value)
{
    struct weir_strbuf message = {0};
    put_bytes(&message, 1, tag, strlen(tag));
    put_fixed(&message, 2, &value, 4);
    return write_value(events, time, step, &message);
}

enum weir_status weir_events_image(weir_events *events, double time, int64_t step, const char *tag,
                                   int width, int height, int channels, const void *png,
                                   size_t png_size)
{
    struct weir_strbuf image = {0}, message = {0};
    put_int(&image, 1, height);
    put_int(&image, 2, width);
    put_int(&image, 3, channels);
    put_bytes(&image, 4, png, png_size);
    put_bytes(&message, 1, tag, strlen(tag));
    put_message(&message, 4, &image);
    return write_value(events, time, step, &message);
}

void weir_events_close(weir_events **events)
{
    if (!events || !*events)
        return;
    if ((*events)->fd >= 0)
        close((*events)->fd);
    free((*events)->path);
    free(*events);
    *events = NULL;
}
