// SPDX-License-Identifier: Apache-2.0
// Reads TensorBoard event files back: records with their checksums, fields of their protobuf.
#ifndef WEIR_TESTS_EVENTS_H
#define WEIR_TESTS_EVENTS_H

#include <stddef.h>
#include <stdint.h>

// The payload of record n of a file in memory, its checksums verified; *size = its length, NULL after the last.
const unsigned char *test_record(const unsigned char *file, size_t file_size, int n, size_t *size);

// Field `number` of a message: *value is its number (a varint, or the bits of a fixed one), or the length of the
// bytes that the result points at. NULL: there is none, or something that is no message lies before it.
const unsigned char *test_proto_field(const unsigned char *message, size_t size, int number, uint64_t *value);

#endif
