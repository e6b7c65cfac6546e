#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The kernels of recipes compile for GPUs that are not here: offline.sh WEIR TARGETS RECIPE... Exit 77 without a
# clang that can. With the recipe toy also: what must fail does, and spills are seen. With `ops` and the program
# test-ops-device in place of WEIR: the kernels of every operation's cases, each operation a program.
set -u
weir=$(realpath "$1")
targets=$2
shift 2
offline=$(cd "$(dirname "$0")/.." && pwd)/tools/offline-compile
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

if [ "$1" = ops ]; then
    mkdir "$dir/ops"
    "$weir" planned all "" "$dir/ops" || exit 1
    "$offline" --from "$dir" --targets "$targets" --baseline none ops
    exit $?
fi
"$offline" --weir "$weir" --targets "$targets" "$@" || exit $?
[ "$1" = toy ] || exit 0

# damaged WANT TEXT SOURCE: a kernel more in a small program; the tool must end with WANT and say TEXT.
damaged() {
    printf 'kernel void more(global float *p, global const int *i)\n{\n%s\n}\n' "$3" |
        cat "$dir/toy.cl" - >"$dir/toy/noise.kernels.cl"
    "$offline" --from "$dir" --targets gfx1030,sm_80 --baseline none toy >"$dir/out" 2>&1
    code=$?
    if [ $code -ne "$1" ] || ! grep -q "$2" "$dir/out"; then
        cat "$dir/out"
        echo "FAILED: exit $code, wanted $1 and '$2'"
        exit 1
    fi
}
"$weir" train toy --dry-run --no-device --dump "$dir/toy" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
rm "$dir"/toy/train-step.* "$dir"/toy/solver-*

# baseline WANT TEXT OPTION...: the tool with these options on that small program must end with WANT and say TEXT.
baseline() {
    "$offline" --from "$dir" --baseline "$dir/base" "${@:3}" toy >"$dir/out" 2>&1
    code=$?
    if [ $code -ne "$1" ] || ! grep -q "$2" "$dir/out"; then
        cat "$dir/out"
        echo "FAILED: exit $code, wanted $1 and '$2' with ${*:3}"
        exit 1
    fi
}
baseline 2 "no baseline" --targets gfx1030
baseline 0 "0 of them kept" --targets gfx1030 --write
baseline 0 "[1-9] of them kept" --targets sm_80 --write
baseline 0 "^0 families .* differ" --targets gfx1030,sm_80
printf 'gfx1030\ttoy\tghost%s\n' "$(printf '\t0%.0s' 1 2 3 4 5 6 7 8 9)" >>"$dir/base"
baseline 0 "gone: gfx1030 toy ghost" --targets gfx1030
sed -i 's/^# gfx1030\t.*/# gfx1030\tanother clang/; s/^gfx1030\ttoy\tghost/gfx1030\tother\tghost/' "$dir/base"
baseline 1 "compile those too" --targets gfx1030 --write

mv "$dir/toy/noise.kernels.cl" "$dir/toy.cl"
echo "    9 more <1 1 1> s0+0 s1+0" >>"$dir/toy/noise.launches.txt"
damaged 1 "FAILED: sm_80 toy noise" '    *p = nonesuch(*i);'
damaged 1 "not exact: .*sqrt.approx" '    *p = __nvvm_sqrt_approx_f(*p);'
damaged 0 "spills: gfx1030 toy/noise more: 0 spilled, [1-9]" \
    '    volatile float a[32]; a[i[0]] = p[0]; *p = a[i[1]];'
echo "   10 absent <1 1 1> s0+0" >>"$dir/toy/noise.launches.txt"
damaged 1 "no code for absent" '    *p = (float)*i;'
# A matrix engine is for fast mode, and for devices that have it; so are sub-groups, in any mode.
# written TEXT COUNT OPTIONS: so many programs have the text.
written() {
    "$weir" train toy --dry-run --no-device --dump "$dir/engine" "${@:3}" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
    n=$(grep -l "$1" "$dir"/engine/*.kernels.cl | wc -l)
    [ "$n" -eq "$2" ] || { echo "FAILED: $n programs with $1, not $2: ${*:3}"; exit 1; }
}
written mma.sync 3 --numerics fast --caps mma-sync
written mma.sync 0 --numerics fast
written mma.sync 0 --caps mma-sync
written "define SG_LANES 16" 1 --caps sub-groups
written "define SG_LANES 16" 0
"$weir" train toy --dry-run --no-device --dump "$dir/engine" --caps nonesuch 2>&1 | grep -q "no feature 'nonesuch'; there are" ||
    { echo "FAILED: a feature that nobody has"; exit 1; }
echo "passed: $*"
