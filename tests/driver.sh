#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command with one OpenCL driver visible and no other: driver.sh DRIVER COMMAND...
# DRIVER: pocl, intel, rusticl, oclgrind. Exit 77 when it is not installed (meson: skipped).
# Two LLVM-based drivers in one process can abort each other, hence one a process.
set -u
driver=$1
shift
vendors=${OCL_ICD_VENDORS:-/etc/OpenCL/vendors}
root=$(cd "$(dirname "$0")/.." && pwd)

missing() {
    echo "driver $driver is not installed: $1"
    exit 77
}

export WEIR_TEST_DRIVER=$driver WEIR_TEST_DEVICE=opencl:0
case $driver in
pocl)
    [ -f "$vendors/pocl.icd" ] || missing "$vendors/pocl.icd"
    export OCL_ICD_VENDORS=$vendors/pocl.icd
    ;;
rusticl)
    [ -f "$vendors/rusticl.icd" ] || missing "$vendors/rusticl.icd"
    export OCL_ICD_VENDORS=$vendors/rusticl.icd RUSTICL_ENABLE=llvmpipe
    ;;
intel)
    icd=${WEIR_INTEL_ICD:-$root/.deps/intel/vendors/intel.icd}
    [ -f "$icd" ] || missing "$icd (tools/install-intel)"
    OCL_ICD_VENDORS=$(dirname "$icd") # the folder: its loader does not take this file alone
    export OCL_ICD_VENDORS
    LD_LIBRARY_PATH=$(dirname "$(cat "$icd")")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    ;;
oclgrind)
    command -v oclgrind >/dev/null || missing "no command oclgrind"
    log=$(mktemp)
    # Uninitialized reads only where the shim stands between: it keeps the plugin's own faults out.
    shim=${WEIR_OCLGRIND_SHIM:-}
    # shellcheck disable=SC2016 # LD_PRELOAD as oclgrind sets it
    oclgrind --data-races ${shim:+--uninitialized} --log "$log" bash -c \
        'shim=$1; shift; export LD_PRELOAD=${shim:+$shim:}$LD_PRELOAD; exec "$@"' sh "$shim" "$@"
    code=$?
    if [ -s "$log" ]; then # a race, a stray access, a wrong call: not allowed whatever the result was
        head -n 60 "$log"
        [ "$code" -ne 0 ] || code=1
    fi
    rm -f "$log"
    exit "$code"
    ;;
*)
    echo "no driver '$driver'" >&2
    exit 2
    ;;
esac
exec "$@"
