#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An installed copy stands alone: a program builds against it with pkg-config (shared, then static), and
# its `weir` finds its kernels and recipes, although the copy lies elsewhere than where it was configured for.
#   install.sh BUILD SOURCE CC PREFIX LIBDIR
set -u
build=$1
source=$2
cc=$3
prefix=$4
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
root=$dir/root$prefix
lib=$root/$5
export XDG_CACHE_HOME=$dir/cache
mkdir "$dir/cache"
cd "$dir" || exit 1

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# build_graph NAME FLAGS...: examples/graph.c against the installed copy and nothing else.
build_graph() {
    local name=$1
    shift
    # shellcheck disable=SC2046 # a list of words
    "$cc" -Wall -Wextra -Wno-unused-parameter -Werror "$source/examples/graph.c" -o "$name" $(flags "$@") || fail "building $name"
}

flags() {
    PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --define-variable=prefix="$root" "$@" --cflags --libs weir
}

# y = sum(tanh(x)²) and dy/dx = 2 tanh(x) (1 - tanh(x)²) at -1, 0, .5, 2; each is a few roundings of 2^-24
# of numbers below 2 away from awk's double: 16 * 2^-24 is allowed.
check_graph() {
    ./"$1" "$2" >out.txt || fail "$1 on $2"
    sed 's/.*: y = //; s/, dy.dx =//' out.txt | awk '
        function tanh(x) { return 1 - 2 / (exp(2 * x) + 1) }
        function near(a, b) { return (a - b) ^ 2 <= (16 * 2 ^ -24) ^ 2 }
        NF == 5 {
            split("-1 0 .5 2", x)
            for (i = 1; i <= 4; i++) {
                t = tanh(x[i])
                y += t * t
                good += near($(i + 1), 2 * t * (1 - t * t))
            }
            good += near($1, y)
        }
        END { exit good != 5 }' || fail "$1 on $2: $(cat out.txt)"
}

DESTDIR=$dir/root meson install -C "$build" --no-rebuild --quiet >install.txt 2>&1 || { cat install.txt; fail "meson install"; }
command -v pkg-config >/dev/null || { echo "no pkg-config here"; exit 77; }
flags --print-errors >/dev/null || fail "pkg-config"

build_graph shared
LD_LIBRARY_PATH=$lib ldd ./shared | grep -q "$lib/libweir" || fail "shared does not use the installed library"
export LD_LIBRARY_PATH=$lib
check_graph shared host

weir=$root/bin/weir
echo '{ "name": "mine", "train": { "steps": 7 } }' >"$root/share/weir/recipes/mine.json"
"$weir" recipes | grep -qx mine || fail "the installed weir does not list its own recipes: $("$weir" recipes)"
"$weir" train mine --dry-run | grep -q '"steps": 7' || fail "the installed weir does not read its own recipes"
"$weir" train toy --device host --set train.steps=2 --set train.batch=16 --set sample.n=4 --out run >train.txt 2>&1 ||
    { cat train.txt; fail "training"; }
device=host # its kernels come out of the library
"$weir" devices | grep -q '^opencl:0' && device=opencl:0
check_graph shared "$device"
unset LD_LIBRARY_PATH

if [ -f "$lib/libweir.a" ]; then
    rm "$lib"/libweir.so*
    build_graph static --static
    ldd ./static | grep -q libweir && fail "static needs the shared library"
    check_graph static host
    check_graph static "$device"
else
    echo "not shown: this build has no static library (default_library)"
fi
echo "passed: installed, used and moved; $device"
