#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `weir devices`: devices.sh WEIR STUB_ICD. Drivers that are missing, failing or useless cost their
# own line; a GPU that no driver shows is named.
set -u
weir=$1 stub=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=$dir/cache OCL_ICD_VENDORS=$dir/icd
mkdir -p "$dir/icd" "$dir/pci/0000:65:00.0" "$dir/pci/0000:00:1f.0"
failures=0

expect() { # what, command's exit code, pattern: looks into $dir/out and $dir/err
    if [ "$code" != "$2" ] || ! grep -Eq -- "$3" "$dir/out" "$dir/err"; then
        echo "FAILED: $1 (exit $code, wanted $2 and '$3')"
        cat "$dir/out" "$dir/err"
        failures=$((failures + 1))
    fi
}
run() {
    "$weir" devices "$@" >"$dir/out" 2>"$dir/err"
    code=$?
}

run --pci "$dir/pci"
expect "the host alone" 0 '^host +exact +C reference$'
[ "$(wc -l <"$dir/out")" = 1 ] || { echo "FAILED: more than the host"; failures=$((failures + 1)); }

run -v --pci "$dir/pci"
expect "details of the host" 0 '^ +features +fma exact-division'

echo 0x030000 >"$dir/pci/0000:65:00.0/class"
echo 0x1002 >"$dir/pci/0000:65:00.0/vendor"
echo 0x73bf >"$dir/pci/0000:65:00.0/device"
echo 0x060100 >"$dir/pci/0000:00:1f.0/class" # a bridge
echo 0x8086 >"$dir/pci/0000:00:1f.0/vendor"
echo 0x1234 >"$dir/pci/0000:00:1f.0/device"
run --pci "$dir/pci"
expect "a GPU without a driver" 0 '^- +no driver +AMD GPU 1002:73bf at 0000:65:00.0: no OpenCL driver'
grep -q 1234 "$dir/out" && { echo "FAILED: a bridge is no GPU"; failures=$((failures + 1)); }

echo "$stub" >"$dir/icd/stub.icd"
STUB_ICD=useless run --pci "$dir/none"
expect "a useless driver" 0 '^opencl:0 +fast only +Stub device$'
expect "its reason" 0 "because +the self-test's kernels fail"
STUB_ICD=no-queue run --pci "$dir/none"
expect "a driver that does not open" 0 '^opencl:0 +unusable +Stub device$'
expect "what it said" 0 'clCreateCommandQueue failed with CL_OUT_OF_RESOURCES'
STUB_ICD=crash run --pci "$dir/none"
expect "a driver that crashes" 0 '^opencl:0 +unusable +Stub device: its driver crashed \(Aborted'
expect "the others are still there" 0 '^host +exact'
STUB_ICD=broken run --pci "$dir/none"
expect "a platform that fails" 0 'clGetDeviceIDs failed with CL_OUT_OF_HOST_MEMORY'

run --one nothing
expect "an unknown device" 3 "device 'nothing': nothing matches"
run --bad
expect "an unknown option" 2 'unknown option --bad'

[ "$failures" = 0 ] && echo "all as expected"
exit "$failures"
