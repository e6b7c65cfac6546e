#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Oclgrind, as driver.sh runs it, names a fault of each kind and none where there is none:
# oclgrind.sh FAULTS (oclgrind_faults.c).
set -u
run() {
    "$(dirname "$0")/driver.sh" oclgrind "$1" "$2" >"$out" 2>&1
}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

run "$1" none
code=$?
[ "$code" -ne 77 ] || exit 77
[ "$code" -eq 0 ] || { cat "$out"; echo "FAILED: a kernel without fault"; exit 1; }
for fault in 'uninitialized:Uninitialized value written to global memory' 'race:data race' 'stray:Invalid read'; do
    if run "$1" "${fault%%:*}" || ! grep -q "${fault#*:}" "$out"; then
        cat "$out"
        echo "FAILED: ${fault%%:*} does not show"
        exit 1
    fi
done
echo "passed"
