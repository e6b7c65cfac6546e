#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every kernel file compiles by itself as OpenCL C 1.2 (those of attention behind the prelude, which all
# programs begin with): kernels.sh CLANG. What only stands inside others is left out.
set -u
clang=$1
cd "$(dirname "$0")/../kernels" || exit 1
failed=0
for file in *.cl; do
    case $file in
    *_end.cl | *_parts.cl) continue ;; # of others
    bench.cl) set -- -DWEIR_T=float16 ;; # one type a build
    attention_*) set -- -include prelude.cl ;;
    *) set -- ;;
    esac
    "$clang" -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -fsyntax-only -I . "$@" "$file" ||
        { echo "FAILED: $file"; failed=1; }
done
exit $failed
