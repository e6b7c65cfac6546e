#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# End-to-end tests of the command: e2e.sh WEIR CASE [DEVICE]. Exit 0 passed, 77 not possible here.
set -u
weir=$(realpath "$1")
tests=$(cd "$(dirname "$0")" && pwd)
tools=$(cd "$tests/../tools/bench" && pwd)
case=$2
device=${3:-host}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export XDG_CACHE_HOME=${WEIR_TEST_CACHE:-$dir/cache}
mkdir -p "$XDG_CACHE_HOME"
cd "$dir" || exit 1

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# A toy run: small but with every part in it. Extra arguments follow. run=exec in the background: then
# the shell's job is the command itself, to be killed.
toy() {
    ${run:-} "$weir" train toy --set model.width=32 --set model.depth=2 --set train.batch=64 --set sample.n=32 \
        --set sample.batch=32 --set train.save_every=20 "$@"
}

# A unet that is fashion-unet in all but size and data.
unet() {
    "$weir" train fashion-unet --set train.batch="${batch:-4}" --set train.save_every=0 --set train.sample_every=0 \
        --set sample.n=10 --set sample.batch=10 --set sample.steps=2 "$@"
}

digest() {
    "$weir" inspect "$1" | sed -n 's/^digest //p'
}

need_fashion() {
    [ -n "$(find /usr/share -name 'train-images-idx3-ubyte*' 2>/dev/null | head -n 1)" ] || exit 77
}

need_device() {
    [ "$device" = host ] || "$weir" devices | grep -q "^$device" || { echo "no device $device here"; exit 77; }
}

# expect CODE FRAGMENT COMMAND...: the command ends with CODE and says FRAGMENT.
expect() {
    local code=$1 fragment=$2 got
    shift 2
    "$@" >out.txt 2>&1
    got=$?
    [ "$got" -eq "$code" ] || { cat out.txt >&2; fail "'$*' ended with $got, not $code"; }
    grep -qF -- "$fragment" out.txt || { cat out.txt >&2; fail "'$*' does not say '$fragment'"; }
}

case $case in
toy-bits) # 200 steps and samples: the same bits as the host, with 1 thread and 2
    need_device
    OMP_NUM_THREADS=1 toy --device host --set train.steps=200 --out host >/dev/null 2>&1 || fail "host run"
    OMP_NUM_THREADS=2 toy --device host --set train.steps=200 --out host2 >/dev/null 2>&1 || fail "host run, 2 threads"
    [ "$(digest host)" = "$(digest host2)" ] || fail "1 and 2 threads differ on the host"
    if [ "$device" != host ]; then
        toy --device "$device" --set train.steps=200 --out dev >log.txt 2>&1 || { cat log.txt; fail "$device run"; }
        [ "$(digest host)" = "$(digest dev)" ] || fail "checkpoints differ: host $(digest host), $device $(digest dev)"
    fi
    a=$("$weir" sample host --device host --seeds 0-15 --out a.npz) || fail "sampling on the host"
    for batch in 5 ${alone-1}; do
        b=$("$weir" sample host --device "$device" --seeds 0-15 --batch $batch --out b.npz) || fail "sampling on $device"
        [ "${a##*digest}" = "${b##*digest}" ] || fail "samples differ: $a / $b"
        cmp a.npz b.npz || fail "sample files differ"
    done
    ;;
churn) # EDM's noise while sampling: the host's bytes, in any batch
    need_device
    for churn in 0 10; do
        toy --device host --set objective.name=edm --set sample.solver=edm-heun --set sample.steps=4 \
            --set sample.churn=$churn --set train.steps=5 --out run$churn >/dev/null 2>&1 || fail "host run"
        "$weir" sample run$churn --device host --seeds 0-7 --out a$churn.npz >/dev/null || fail "sampling on the host"
    done
    [ "$(digest run0)" = "$(digest run10)" ] || fail "churn changes the training"
    cmp -s a0.npz a10.npz && fail "churn changes no sample"
    "$weir" sample run10 --device "$device" --seeds 0-7 --batch 3 --out b.npz >/dev/null || fail "sampling on $device"
    cmp a10.npz b.npz || fail "samples differ"
    ;;
dump) # the kernels a GPU would get, with no driver and without training
    expect 0 '"name": "toy"' "$weir" train toy --dry-run --dump a/b --no-device
    for program in train-step noise solver-step; do
        grep -Eq "^(kernel|WEIR_KERNEL)" a/b/$program.kernels.cl || fail "no kernels of $program"
    done
    grep -q "barrier(CLK_LOCAL_MEM_FENCE)" a/b/train-step.kernels.cl || fail "not the kernels of a GPU"
    [ ! -e runs ] || fail "a dry run left a run"
    "$weir" train toy --dry-run --dump again --no-device >/dev/null && cmp a/b/train-step.kernels.cl again/train-step.kernels.cl ||
        fail "the second text differs"
    # in 16 bits the weights, five of them here, are rounded in one launch a step
    "$weir" train toy --dry-run --dump half --no-device --set train.precision=bf16 >/dev/null || fail "in bf16"
    sed -n '/^launches 0 /,/^launches [1-9]/p' half/train-step.merge.txt | grep -qE "^  5 cast_[0-9]+$" ||
        { cat half/train-step.merge.txt; fail "the weights' casts"; }
    expect 2 "goes with --dry-run --dump" "$weir" train toy --no-device
    expect 1 "cannot make the folder" "$weir" train toy --dry-run --no-device --dump a/b/train-step.plan.txt
    ;;
bench) # the table of a small step, names that nothing has, the result file
    expect 0 "launches, " "$weir" bench model toy --set model.width=32 --set train.batch=64 --repeats 3 \
        --json bench.json --device host
    for key in '"schema": 2' '"wall_s": ' '"before": {' '"after": {' '"backend": "host"' '"first_step_s": ' \
        '"parameters": 5378' '"drifts": '; do
        grep -qF "$key" bench.json || fail "bench.json lacks $key"
    done
    grep -q "^step [0-9.]* ms, median of 3" out.txt || fail "no time of a step"
    grep -qE "^matmul +[0-9]+ +[0-9.]+ +[0-9.]+%$" out.txt || fail "no row for matmul"
    grep -qE "^device memory: ([0-9.]+) MB of tensors, inputs and constants planned, \1 MB allocated" out.txt ||
        fail "not allocated as planned"
    expect 0 "GFLOP/s" "$weir" bench op "matmul_nt 384x384x384" --repeats 2 --device host
    [ "$(wc -l <out.txt)" -eq 2 ] || fail "a whole name means one row"
    expect 0 "8 samples by euler, 2 network evaluations" "$weir" bench sample toy --set sample.solver=euler \
        --set sample.steps=2 --set sample.batch=8 --repeats 2 --device host --json sample.json
    grep -qF '"network_evaluations": 2' sample.json || fail "sample.json lacks its row"
    "$weir" bench op --list >ops.json || fail "the list of operations"
    [ "$(grep -c '"name"' ops.json)" -eq "$(grep '"name"' ops.json | sort -u | wc -l)" ] || fail "two rows of one name"
    expect 1 "measures OpenCL devices" "$weir" bench roofline --device host
    expect 1 "no roofline to draw" "$weir" bench op "add 12544x768" --repeats 1 --device host --svg roof.svg
    expect 2 "no benchmark's name contains 'nonesuch'" "$weir" bench op add nonesuch --device host
    expect 2 "expected 1 to 1000" "$weir" bench op --repeats 0
    expect 2 "--svg does not go with \`model\`, but with \`op\`" "$weir" bench model toy --svg x.svg
    expect 2 "--off does not go with \`op\`, but with \`model\`, \`export\`" "$weir" bench op --off plan
    expect 2 "--device does not go with \`compare\`" "$weir" bench compare a.json b.json --device host
    expect 2 "--repeats does not go with \`op --list\`" "$weir" bench op --list --repeats 2
    expect 2 "it takes no name" "$weir" bench op --list add
    expect 2 "expected \`model RECIPE\`" "$weir" bench
    expect 2 "expected fusion, plan, replay, recompute, tuner or merge" "$weir" bench model toy --off nonesuch
    head='{ "schema": 2, "device": { "name": "x", "platform": "" }, "rows": [ { "name": '
    echo "$head\"add\", \"s\": [3, 3, 3] }, { \"name\": \"old\", \"s\": [1] } ] }" >ops-a.json
    echo "$head\"add\", \"s\": [3, 2, 2] }, { \"name\": \"new\", \"s\": [1] } ] }" >ops-b.json
    expect 0 "only in A" "$weir" bench compare ops-a.json ops-b.json
    grep -qE "^add +3000.000 ms +2000.000 ms +1.500  B drifts by -33 %$" out.txt || { cat out.txt; fail "no drift flagged"; }
    grep -qE "^old +only in A$" out.txt && grep -qE "^new +only in B$" out.txt || { cat out.txt; fail "a row is lost"; }
    expect 0 "toy " "$weir" bench compare bench.json bench.json
    expect 1 "cannot read 'nothing.json'" "$weir" bench compare ops-a.json nothing.json
    expect 1 "e2e.sh:1" "$weir" bench compare "$tools/../../tests/e2e.sh" ops-a.json
    sed 's/"schema": 2/"schema": 1/' ops-a.json >old.json
    expect 2 "old.json: not a result file of \`weir bench --json\` of schema 2" "$weir" bench compare old.json ops-a.json
    expect 1 "\`bench export\` takes an OpenCL device" "$weir" bench export toy --device host
    expect 2 "expected \`model RECIPE\`" "$weir" bench roofline toy
    for kind in $("$tools/torch_ops.py" --list); do # without PyTorch
        grep -qF "\"kind\": \"$kind\"" ops.json || fail "PyTorch's side has a kind '$kind' that no row has"
    done
    expect 0 "usage: torch_step.py" "$tools/torch_step.py" --help
    expect 0 "Groups (default: all): gemm" "$tools/compare" --help
    expect 2 "no group 'nonesuch'" "$tools/compare" nonesuch --python nothing
    ;;
compare) # the table of sides that are played: all of its rows, and what makes it stop
    cat >torch <<'END'
#!/bin/bash
about='"torch": "played", "threads": 1, "device": "cpu"'
case $1 in
*torch_ops.py) # days for each, and work as given
    sed -E -e 's/"flop": ([0-9]*)[.0-9]*/"s": [1e6], "flop": \1'"$MORE_FLOP/g" -e 's/^/{ "rows": /' -e "s/\$/, $about }/" ;;
*) echo "{ \"s\": [1.25, 1.5, 1.75], \"parameters\": 3, \"peak_memory\": 1e9, $about }" ;;
esac
END
    cat >weir <<'END'
#!/bin/bash
s=1.0 memory=2e8
while [ $# -gt 0 ]; do
    case $1 in --off) s=2.0 memory=6e8 ;; --json) path=$2 ;; esac
    shift
done
echo '{ "weir": "played", "device": { "name": "it" }, "rows": [ { "s": ['$s'], "peak_memory": '$memory', "compile_s": 20,
    "first_step_s": 2, "planned": 150000000, "parameters": '"${PARAMETERS:-3}"' } ] }' >"$path"
END
    chmod +x torch weir
    compare() {
        "$tools/compare" "$@" --python "$dir/torch" --drivers system --device host --rounds 1 --repeats 1
    }
    expect 0 "4 targets met, 0 missed" compare gemm --rows 64x128 --weir "$weir" --json c.json # three rows and their mean
    grep -qE "^matmul_nt 64x128x32 .* 1000000000.00 ms .* target 1 met" out.txt || fail "no row"
    grep -qE "^geometric mean .* target 1.1 met" out.txt || fail "no mean"
    grep -q "no PyTorch side" out.txt && fail "there is one for each"
    grep -q '"kind": "compare"' c.json && grep -q '"torch": "played"' c.json || fail "c.json lacks its head"
    expect 1 "PyTorch counts 5242881 FLOP, Weir 524288" env MORE_FLOP=1 "$tools/compare" gemm --rows 64x128x32 --python "$dir/torch" \
        --weir "$weir" --drivers system --device host --rounds 1 --repeats 1
    expect 0 "no PyTorch side: conv_input_grad, conv_weight_grad" compare conv --rows "64x28^2 1->32" --weir "$weir"
    expect 0 "9 targets met, 6 missed" compare steps sampling memory compile host off --weir "$dir/weir"
    while read -r line; do
        grep -qE "^$line$" out.txt || { cat out.txt; fail "no row '$line'"; }
    done <<'END'
fashion-unet +1000.00 ms +1500.00 ms +1500.00 ms +eager +1.50 +target 1.4 met +compile +1.50 +target 1.2 met
toy, batch 256 +1000.00 ms +1500.00 ms +1500.00 ms +eager +1.50 +target 4 MISSED +compile +1.50 +target 4 MISSED
fashion-dit, 64 images, 20 steps +1000.00 ms +1500.00 ms +eager +1.50 +target 1.5 met
fashion-unet +200.00 MB +1000.00 MB +1000.00 MB +eager +0.20 +at most 0.5 met
.*planned: 150 MB
fashion-unet, cold +21.00 s +system +21.00 +at most 30 met
fashion-unet, warm +21.00 s +system +21.00 +at most 1 MISSED
fashion-unet step +1000.00 ms +1000.00 ms +host/system +1.00 +at most 6 met
fashion-unet without plan +1000.00 ms +2000.00 ms +off/all +2.00
END
    PARAMETERS=7 expect 1 "same number of parameters: [3, 7]" compare steps --rows "batch 256" --weir "$dir/weir"
    expect 1 "none of the drivers is installed" env OCL_ICD_VENDORS=/nowhere "$tools/compare" gemm --drivers pocl \
        --python "$dir/torch" --weir "$weir"
    ;;
bench-device) # what only a device with kernels measures
    need_device
    expect 0 " GFLOP/s" "$weir" bench roofline --repeats 1 --device "$device" --json roof.json
    [ "$(grep -cE '(GFLOP|GB)/s$| us$' out.txt)" -eq 5 ] || fail "five figures expected"
    [ "$("$weir" bench compare roof.json roof.json | grep -c " 1.000$")" -eq 5 ] || fail "five ratios expected"
    expect 0 "% of the roof" "$weir" bench op "softmax_and_gradients 12544x768" "attention 64x4" --repeats 1 \
        --device "$device" --svg roof.svg --json op.json
    python3 -c 'import sys, xml.dom.minidom as x; sys.exit(len(x.parse("roof.svg").getElementsByTagName("title")) != 2)' ||
        fail "roof.svg is not XML with a point a row"
    [ "$(grep -c '"roof": ' op.json)" -eq 2 ] || fail "op.json lacks the share of the roof"
    small="toy --set model.width=32 --set model.depth=1 --set train.batch=64"
    # shellcheck disable=SC2086 # a list of words
    expect 0 "median of 1" "$weir" bench model $small --off replay --off plan --repeats 1 --device "$device"
    # shellcheck disable=SC2086
    expect 2 "has no kernel 'matmul' (did you mean 'matmul_" "$weir" bench export $small matmul --device "$device"
    # shellcheck disable=SC2086
    expect 0 " ms in the step; cc " "$weir" bench export $small --device "$device" --out kernel
    name=$(basename kernel/*.c .c)
    (cd kernel && cc -Wall -Wextra -Werror "$name.c" -o run -lOpenCL) || fail "the exported program does not compile"
    expect 1 "cannot read $name.cl" kernel/run
    (cd kernel && ./run) | grep -qE "^$name on .*: [0-9.]+ ms, median of 9; [0-9.]+ ms in the step on " ||
        fail "the exported program does not run"
    ;;
tune) # the table; candidates that hang and crash; results that are used, and that cannot be kept; what contradicts
    need_device
    op="matmul_nt 64x128x32" other="matmul_nt 64x128x128"
    expect 1 "no folder to keep what tuning finds in" env XDG_CACHE_HOME="$weir" HOME="$weir" "$weir" tune "$op" --device "$device"
    mkdir shut && ln -s /proc shut/weir # there, and nobody can write to it
    expect 1 "what tuning finds cannot be kept in" env XDG_CACHE_HOME="$dir/shut" "$weir" tune "$op" --device "$device"
    grep -q "tuned matmul" out.txt && fail "measured for nothing"
    WEIR_TUNE_FAIL=hang:timed:3 expect 0 "did not end within 15 s while it was timed; it will not be tried again" \
        "$weir" tune "$op" --limit 15 --most 2 --device "$device"
    grep -q "^1 shape" out.txt || { cat out.txt; fail "no table"; }
    grep -qE "^[1-9] candidates? took a process down" out.txt || { cat out.txt; fail "what hung is not counted"; }
    WEIR_TUNE_FAIL=crash:built:1 expect 0 "1 shape" "$weir" tune "$op" --device "$device" # known: nothing is tried
    grep -q "crashed" out.txt && fail "a known shape is measured again"
    # Anew, and one of the second shape's candidates crashes: the first shape is not measured twice.
    WEIR_TUNE_FAIL=crash:checked:4 expect 0 "crashed (Killed) while it was checked; it will not be tried again" "$weir" tune \
        "$op" "$other" --full --most 2 --device "$device"
    [ "$(grep -c "^tuned matmul 64 x 128 x 32:" out.txt)" -eq 1 ] || { cat out.txt; fail "the first shape is measured twice"; }
    grep -qE "^2 shapes; untuned / tuned: geometric mean [0-9.]+, worst [0-9.]+ \(matmul 64 x 128 x" out.txt ||
        { cat out.txt; fail "no summary"; }
    expect 0 " GFLOP/s" "$weir" bench op "$op" --tune full --repeats 1 --device host # a worker with nothing to do
    # A worker ends with its parent, however that ends, and keeps the report to itself.
    WEIR_TUNE_FAIL=hang:built:1 "$weir" tune "matmul_nt 64x192x192" --limit 600 --device "$device" 2>/dev/null &
    parent=$!
    child_of() { grep -lE "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status 2>/dev/null | sed 's|[^0-9]||g'; }
    for _ in $(seq 200); do
        worker=$(child_of $parent)
        [ -n "$worker" ] && flags=$(sed -n 's/^flags:[[:space:]]*//p' "/proc/$worker/fdinfo/3" 2>/dev/null) &&
            [ $((0${flags:-0} & 02000000)) -ne 0 ] && break
        sleep .1
    done
    [ $((0${flags:-0} & 02000000)) -ne 0 ] || fail "what a worker starts gets its report: flags ${flags:-none}"
    kill -KILL $parent
    wait $parent 2>/dev/null
    for _ in $(seq 100); do
        grep -qs "^State:[[:space:]]*[^Z]" "/proc/$worker/status" || break
        sleep .1
    done
    grep -qs "^State:[[:space:]]*[^Z]" "/proc/$worker/status" && { kill -KILL "$worker"; fail "a worker outlives its parent"; }
    expect 1 "does not watch this one" env WEIR_TUNE_WORKER=1 "$weir" tune "$op" --device "$device"
    # What was found is used, unless --tune off says otherwise; a dry run too can measure first.
    small="--set model.width=16 --set model.depth=1 --set train.batch=16 --device $device"
    choices() { # choices TUNE STEPS WHY BATCH: all of the dump's choices for these steps are there for this reason
        # shellcheck disable=SC2086 # a list of words
        expect 0 '"name": "toy"' "$weir" train toy $small --set sample.batch="$4" --dry-run --dump dump --tune "$1"
        grep -qE " $3 +[a-z]+:" "dump/$2.choices.txt" && ! grep -vqE " $3 +[a-z]+:" "dump/$2.choices.txt" ||
            { cat "dump/$2.choices.txt"; fail "--tune $1: choices that are not '$3'"; }
    }
    choices cached train-step model 4
    # shellcheck disable=SC2086
    expect 0 "shapes; untuned / tuned" "$weir" tune toy $small --set sample.batch=4 --most 2
    choices cached train-step tuned 4
    choices off train-step model 4
    choices cached solver-step model 5
    choices full solver-step tuned 5
    expect 2 "--tune goes with --dry-run where" "$weir" train toy --dry-run --tune off
    expect 2 "--tune goes with --dry-run where" "$weir" train toy --dry-run --dump dump --no-device --tune full
    expect 2 "--set changes a recipe, and '$op' is none" "$weir" tune "$op" --set train.batch=3 --device "$device"
    expect 2 "--off tuner and --tune full exclude each other" "$weir" bench model toy --off tuner --tune full
    expect 2 "expected off, cached or full" "$weir" train toy --tune nonesuch
    expect 2 "no benchmark's name contains 'nonesuch'" "$weir" tune nonesuch --device "$device"
    expect 1 "takes an OpenCL device" "$weir" tune toy --device host
    ;;
small-bits) # for the slowest driver: two steps of a tiny run
    need_device
    small="--set model.width=16 --set model.depth=1 --set train.batch=16 --set train.steps=2 --set sample.solver=heun
        --set sample.steps=2 --set sample.n=4 --set sample.batch=4"
    # shellcheck disable=SC2086 # a list of words
    "$weir" train toy --device host $small --out host >/dev/null 2>&1 || fail "host run"
    # shellcheck disable=SC2086
    "$weir" train toy --device "$device" $small --out dev >log.txt 2>&1 || { cat log.txt; fail "$device run"; }
    [ "$(digest host)" = "$(digest dev)" ] || fail "checkpoints differ: host $(digest host), $device $(digest dev)"
    cmp host/samples.png dev/samples.png || fail "samples differ"
    ;;
golden) # one training run and one sampling run, bound to numerics version 1: never edit a digest alone
    toy --device host --set train.steps=50 --out run >/dev/null 2>&1 || fail "run"
    [ "$(digest run)" = b228b6547f34e9ef ] || fail "the training run's digest is $(digest run)"
    a=$("$weir" sample run --device host --seeds 0-15) || fail "sampling"
    [ "${a##*digest }" = d721f1debe6ae690 ] || fail "the samples' digest is ${a##*digest }"
    ;;
precision) # bf16 and f16: the host's bits; overflows that skip steps, in the log and over a kill
    need_device
    expect 2 "train.precision: there is no 'fp16'; every model and every device has f32, bf16 and f16" toy --set train.precision=fp16
    expect 2 "3 is not a power of two" toy --set train.loss_scale=3
    expect 0 '"precision": "bf16"' toy --set train.precision=bf16 --dry-run
    tiny() {
        OMP_NUM_THREADS=1 toy --set model.width=16 --set train.batch=16 --set sample.n=8 --set sample.batch=8 --set sample.steps=2 \
            --set train.log_every=1 "$@"
    }
    digests=
    for p in $([ "${bits:-}" = only ] || echo f32) bf16 f16; do
        for d in host $([ "$device" = host ] || echo "$device"); do
            tiny --device "$d" --set train.steps=3 --set train.precision=$p --out "$p-$d" >log.txt 2>&1 ||
                { cat log.txt; fail "$p on $d"; }
            grep -qF "M parameters, $p; a step is" log.txt || { cat log.txt; fail "the precision is not said"; }
        done
        [ "$(digest $p-host)" = "$(digest "$p-$device")" ] || fail "$p: host $(digest $p-host), $device $(digest "$p-$device")"
        digests="$digests $(digest $p-host)"
    done
    [ "${bits:-}" != only ] || exit 0
    [ "$(tr ' ' '\n' <<<"$digests" | grep . | sort -u | wc -l)" -eq 3 ] || fail "two precisions with one digest:$digests"
    head -n 1 f32-host/log.csv | grep -qx "step,loss,grad_norm,learning_rate,seconds" || fail "columns of an f32 run"
    # a scale that is lost or no power of two: not taken for 0
    for edit in '/"scaler": {/,/},/d' 's/"scale": [0-9.]*/"scale": 0/' 's/"scale": [0-9.]*/"scale": 3/'; do
        cp -r f16-host edited
        sed -i "$edit" edited/checkpoints/*/state.json
        cmp -s edited/checkpoints/*/state.json f16-host/checkpoints/*/state.json && fail "nothing edited: $edit"
        expect 1 "scaler.scale: a run with train.precision f16 has a power of two there" \
            tiny --device host --set train.steps=4 --set train.precision=f16 --out edited --resume
        rm -r edited
    done
    # gradients of about 2^40 times what they are: steps are skipped until the scale is low enough
    overflow="--set train.precision=f16 --set train.loss_scale=1099511627776 --set train.save_every=3"
    # shellcheck disable=SC2086 # a list of words
    run=exec tiny --device "$device" $overflow --set train.steps=1000000 --out cut >log.txt 2>&1 &
    pid=$!
    for _ in $(seq 1000); do
        ls cut/checkpoints/0* >/dev/null 2>&1 && break
        sleep .01
    done
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    grep -qE "^step 1/1000000 .*  scale 5.49756e\+11  skipped 1 " log.txt || { cat log.txt; fail "the first step is not skipped"; }
    steps=$(($("$weir" inspect cut | sed -n 's/^step \([0-9]*\).*/\1/p') + 30))
    for out in cut whole; do
        # shellcheck disable=SC2086,SC2046
        tiny --device "$device" $overflow --set train.steps=$steps --out $out $([ $out = whole ] || echo --resume) >log.txt 2>&1 ||
            { cat log.txt; fail "$out run"; }
    done
    [ "$(digest whole)" = "$(digest cut)" ] || fail "resumed, at $steps: $(digest cut), not $(digest whole)"
    awk -F, 'NR > 1 && ($6 / 2 ^ (40 - $7) > 1.00001 || $6 / 2 ^ (40 - $7) < .99999 || ($7 > last && $3 != "inf" && $3 != "")) { bad = 1 } { last = $7 }
        END { exit bad || last < 6 || last > 39 }' whole/log.csv || { cat whole/log.csv; fail "a wrong scale in the log"; }
    cut -d, -f1-4,6- whole/log.csv >a.csv
    cut -d, -f1-4,6- cut/log.csv >b.csv
    cmp a.csv b.csv || fail "logs differ"
    ;;
precision-curve) # curves that are played: seeds 0, 1, 2 lie 1 apart, bf16 half of that off its own, f16 as said
    cat >weir <<'END'
#!/bin/bash
while [ $# -gt 0 ]; do
    case $1 in
    train.seed=*) seed=${1#*=} ;;
    train.precision=*) precision=${1#*=} ;;
    train.steps=*) steps=${1#*=} ;;
    --out) out=$2 ;;
    esac
    shift
done
mkdir -p "$out"
awk -v seed="$seed" -v p="$precision" -v n="$steps" 'BEGIN { print "step,loss"
    for (i = 1; i <= n; i++) print i "," 4 / i + seed + (p == "bf16" ? .5 : p == "f16" ? ENVIRON["F16"] : 0) }' >"$out/log.csv"
END
    chmod +x weir
    curve() {
        "$tools/precision_curve" --weir "$dir/weir" --driver system --seeds 3 --steps 12 --csv losses.csv "$@"
    }
    export F16=2.25
    expect 1 "f16: within the band in 0 of 9 steps; farthest outside 1.25000" curve --window 4
    F16=1.25
    expect 1 "f16: within the band in 0 of 9 steps; farthest outside 1.25000" curve --window 4 # as it stands in the file
    expect 1 "losses.csv is of another kind" curve --window 4 --batch 9
    rm losses.csv
    expect 0 "bf16: within the band in 9 of 9 steps; from f32 of its seed 0.50000 on average, 0.50000 at most; the band is 2.0000" \
        curve --window 4
    grep -q "^seed 1 is the band's edge in 0 of 9 steps" out.txt || { cat out.txt; fail "another seed"; }
    head -n 2 losses.csv | tr -d '\r' | grep -qx "1,4.0,5.0,6.0,5.5,6.25" || { cat losses.csv; fail "the losses"; }
    expect 2 "a window of 1 to --steps steps" curve --window 13
    ;;
unet-bits)
    need_device
    need_fashion
    steps=${steps:-2}
    OMP_NUM_THREADS=2 unet --device host --set train.steps="$steps" --out host >/dev/null 2>&1 ||
        fail "host run"
    if [ "${threads:-1}" = 1 ]; then # with one thread too
        OMP_NUM_THREADS=1 unet --device host --set train.steps="$steps" --out host1 >/dev/null 2>&1 ||
            fail "host run, 1 thread"
        [ "$(digest host1)" = "$(digest host)" ] || fail "1 and 2 threads differ on the host"
    fi
    unet --device "$device" --set train.steps="$steps" --out dev >log.txt 2>&1 || { cat log.txt; fail "$device run"; }
    [ "$(digest host)" = "$(digest dev)" ] || fail "checkpoints differ: host $(digest host), $device $(digest dev)"
    cmp host/samples.png dev/samples.png || fail "sample grids differ"
    ;;
unet-sample) # 16 images by dopri5, each with its own steps: all at once and alone on the host, by fives on the device
    need_device
    # 64 images of 8x8 in the idx format; what is on them does not matter
    { printf '\0\0\10\3\0\0\0\100\0\0\0\10\0\0\0\10' && seq 1000000 | head -c 4096; } >images.idx
    unet --device host --set data.name=idx --set data.path="$dir/images.idx" --set model.class_conditional=false \
        --set model.width=8 --set model.mult='[1,2]' --set model.layers=1 --set model.heads=2 \
        --set sample.solver=dopri5 --set sample.rtol=0.01 --set sample.atol=0.01 --set optimizer.warmup=0 \
        --set train.steps=10 --out run >log.txt 2>&1 || { cat log.txt; fail "host run"; }
    "$weir" sample run --device host --seeds 0-15 --batch 16 --out all.npz >all.txt 2>&1 || fail "sampling on the host"
    rm images.idx # a run is sampled without its data
    for run in host:1 "$device:5" ${alone:+"$device:1"}; do # a program of another batch is half a minute of compiling
        "$weir" sample run --device "${run%:*}" --seeds 0-15 --batch "${run##*:}" --out some.npz >some.txt 2>&1 ||
            { cat some.txt; fail "sampling, $run"; }
        cmp all.npz some.npz || fail "samples of $run differ: $(tail -n 1 all.txt) / $(tail -n 1 some.txt)"
    done
    ;;
nll) # the likelihood of `toy` on a density: within .05 nats of its entropy, and not below what is possible
    need_device
    # entropies by Monte Carlo over the exact densities, s.e. <= .0006; steps: the fewest (in 500s) with some room
    case $data in moons) steps=3000 entropy=2.394 ;; 8gaussians) steps=1500 entropy=2.832 ;; *) fail "data=$data" ;; esac
    "$weir" train toy --device "$device" --set data.name="$data" --set train.steps=$steps --set sample.n=8 --out run \
        --set objective.name="${objective:-cfm}" >log.txt 2>&1 || { cat log.txt; fail "training"; }
    "$weir" eval run nll --device "$device" --n 8 --solver edm-heun >heun.txt 2>&1 && fail "a density of noisy steps"
    grep -qE "adds noise|an objective that denoises" heun.txt || fail "edm-heun: $(cat heun.txt)"
    "$weir" eval run nll --device "$device" --n 1000 >nll.txt || fail "eval"
    cat nll.txt
    awk -v floor=$entropy '$1 == "nll" && $4 == "s.e." { found = 1; gap = $2 - floor; se = $5 }
        END { exit !(found && gap <= .05 && gap >= -3 * se) }' nll.txt || fail "the gap to $entropy is not 0 to .05"
    ;;
resume) # killed at any moment, the run ends with the checkpoint of one that was not
    toy --device "$device" --set train.steps=1500 --out whole >/dev/null 2>&1 || fail "whole run"
    run=exec toy --device "$device" --set train.steps=1500 --out cut >/dev/null 2>&1 &
    pid=$!
    for _ in $(seq 200); do
        ls cut/checkpoints/0* >/dev/null 2>&1 && break
        sleep .01
    done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    step=$("$weir" inspect cut | sed -n 's/^step \([0-9]*\).*/\1/p')
    [ "$step" -lt 1500 ] || fail "the run was over before it could be killed: nothing is shown"
    mkdir -p cut/checkpoints/.new-000000777 # what a kill during a save leaves
    toy --device "$device" --set train.steps=1500 --out cut --resume >log.txt 2>&1 || { cat log.txt; fail "resumed run"; }
    [ "$(digest whole)" = "$(digest cut)" ] || fail "resumed run differs"
    cmp whole/samples.png cut/samples.png || fail "samples of the resumed run differ"
    [ ! -e cut/checkpoints/.new-000000777 ] || fail "left-over of a cut save is still there"
    cut -d, -f1-4 whole/log.csv >a.csv
    cut -d, -f1-4 cut/log.csv >b.csv
    cmp a.csv b.csv || fail "logs differ"
    ;;
version) # a run of another numerics version goes on only when told to
    toy --device host --set train.steps=4 --out run >/dev/null 2>&1 || fail "run"
    sed -i 's/"numerics": 1,/"numerics": 2,/' run/checkpoints/*/state.json
    grep -q '"numerics": 2,' run/checkpoints/*/state.json || fail "the version stands elsewhere"
    before=$(digest run)
    expect 1 "written under numerics version 2, this is version 1: the run would not go on with the same bits" \
        toy --device host --set train.steps=6 --out run --resume
    [ "$(digest run)" = "$before" ] && grep -q '"numerics": 2,' run/checkpoints/*/state.json || fail "the run was touched"
    expect 0 "saved" toy --device host --set train.steps=6 --out run --resume --any-numerics
    "$weir" inspect run | grep -q "^step 6" || fail "it did not go on"
    grep -q '"numerics": 1,' run/checkpoints/000000006/state.json || fail "what it saved is not of this version"
    ;;
eval) # likelihoods and distances of a run
    toy --device host --set train.steps=4 --out run >/dev/null 2>&1 || fail "run"
    figure() {
        expect 0 "n 16  " "$weir" eval run "$@" --n 16 --device host
        sed -n "s/^$1 \([0-9.-]*\) .*/\1/p" out.txt
    }
    exact=$(figure nll) && grep -q "exact divergence" out.txt || fail "nll: $(cat out.txt)"
    estimate=$(figure nll --hutchinson) && grep -q "Hutchinson divergence" out.txt || fail "nll: $(cat out.txt)"
    [ -n "$exact" ] && [ -n "$estimate" ] && [ "$exact" != "$estimate" ] || fail "nll '$exact', estimated '$estimate'"
    # a projection moves no two points apart
    awk -v w2="$(figure w2)" -v swd="$(figure swd)" 'BEGIN { exit !(0 < swd && swd < w2) }' || fail "distances: $(cat out.txt)"
    expect 2 "--n 2001: w2 takes 1 to 2000, swd more" "$weir" eval run w2 --n 2001 --device host
    expect 2 "--n 0: expected 1 to" "$weir" eval run swd --n 0 --device host
    expect 2 "one of nll, w2, swd" "$weir" eval run w3 --device host
    ;;
numerics) # exact and fast stand in the run; the host has the same bits in both
    toy --device host --set train.steps=4 --out exact >/dev/null 2>&1 || fail "exact run"
    expect 0 "fast numerics" toy --device host --set train.steps=4 --numerics fast --out fast
    expect 0 "numerics fast" "$weir" inspect fast
    [ "$(digest exact)" = "$(digest fast)" ] || fail "the host's bits differ in fast mode"
    expect 1 "--numerics fast goes on as it was, --any-numerics goes on all the same" \
        toy --device host --set train.steps=6 --out fast --resume
    expect 0 "saved" toy --device host --set train.steps=6 --out fast --resume --numerics fast
    expect 0 "saved" toy --device host --set train.steps=8 --out fast --resume --any-numerics
    expect 0 "numerics exact" "$weir" inspect fast
    expect 2 "there is no 'fsat' (did you mean 'fast'?)" toy --device host --numerics fsat --out none
    expect 2 "there is no 'fsat'" "$weir" sample exact --device host --numerics fsat
    expect 0 "samples" "$weir" sample exact --device host --numerics fast --seeds 0-3
    expect 0 "nll" "$weir" eval exact nll --device host --numerics fast --n 4
    expect 2 "there is no 'fsat'" "$weir" bench op "softmax 12544" --numerics fsat
    ;;
fast-run) # fast mode's loss follows that of exact mode as closely as runs whose every update is moved by the largest
    # error of a function that the step runs; twice that, and once more for the loss itself
    need_device
    small="--set model.width=16 --set model.depth=1 --set train.batch=32 --set train.steps=40 --set train.log_every=1
        --set sample.n=4 --set sample.batch=4 --set sample.solver=euler --set sample.steps=1"
    # the last column of the table in error_bound.c, which is docs/numerics.md, section 15: ulp, each at most 2^-23
    # shellcheck disable=SC2086 # a list of words
    "$weir" train toy --dry-run --no-device --dump dump $small >/dev/null 2>&1 || fail "dry run"
    sed -nE 's/^%[0-9]+ = ([a-z0-9_]+) .*/\1/p' dump/train-step.values.txt >operations
    grep -oE '\{"[a-z0-9]+", *[0-9.]+, *[0-9.]+\}' "$tests/support/error_bound.c" | tr -d '{}" ' |
        awk -F, 'NR == FNR { ulps[$1] = $3; next } ulps[$1] > most { most = ulps[$1]; name = $1 }
            END { if (most) printf "%s %.17g", name, most * 2 ^ -23 }' - operations >largest
    read -r name error <largest || [ -n "$error" ] || fail "no function of the step is in the table"
    [ "$name" = sigmoid ] || fail "the largest error is that of $name: toy's activation should be it"
    rate=0.001
    for by in 0 1 -1; do
        # shellcheck disable=SC2086 # a list of words
        "$weir" train toy --device host $small --out exact"$by" --set optimizer.learning_rate="$(awk \
            "BEGIN { printf \"%.17g\", $rate * (1 + $by * $error) }")" >/dev/null 2>&1 || fail "exact run $by"
    done
    # shellcheck disable=SC2086
    "$weir" train toy --device "$device" $small --out fast --numerics fast --set optimizer.learning_rate=$rate \
        >log.txt 2>&1 || { cat log.txt; fail "fast run"; }
    [ "$(digest exact0)" != "$(digest fast)" ] || fail "fast mode has the bits of exact mode: it does not run"
    paste -d, exact0/log.csv exact1/log.csv exact-1/log.csv fast/log.csv | awk -F, -v error="$error" '
        function size(x) { return x < 0 ? -x : x }
        NR == 1 { n = NF / 4; next }
        {
            a = size($(n + 2) - $2); b = size($(2 * n + 2) - $2); moved = a > moved ? a : moved; moved = b > moved ? b : moved
            limit = 2 * moved + $2 * error
            if (size($(3 * n + 2) - $2) > limit) { print "step", $1, "loss", $2, "fast", $(3 * n + 2), "limit", limit; bad = 1 }
        }
        END { if (NR < 41) { print "rows are missing"; bad = 1 } exit bad }' || fail "the loss does not follow"
    ;;
reset) # a device that fails in the middle: the last checkpoint is named, and training goes on from it
    export WEIR_TEST_RESET=$PWD/reset
    LD_PRELOAD=$WEIR_RESET_SHIM run=exec toy --device "$device" --set train.steps=1000000 --set train.save_every=5 \
        --out run >log.txt 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        ls run/checkpoints/0* >/dev/null 2>&1 && break
        sleep .1
    done
    touch reset
    wait "$pid"
    code=$?
    [ "$code" -ne 0 ] || fail "a device that fails is no error"
    last=$(find run/checkpoints -mindepth 1 -maxdepth 1 -name '0*' | sort | tail -n 1)
    grep -q "the last checkpoint is $last: --resume" log.txt || { cat log.txt; fail "the last checkpoint is not named"; }
    rm reset
    step=$("$weir" inspect run | sed -n 's/^step \([0-9]*\).*/\1/p')
    toy --device "$device" --set train.steps=$((step + 1)) --set train.save_every=5 --out run --resume >log.txt 2>&1 ||
        { cat log.txt; fail "no way on"; }
    ;;
signal) # SIGTERM and Ctrl-C: the step is finished and saved
    # a shell's background job ignores SIGINT, and so would what it starts
    for signal in TERM:143 INT:130; do
        out=run-${signal%:*}
        run="exec env --default-signal=INT" toy --device "$device" --set train.steps=1000000 --out "$out" >log.txt 2>&1 &
        pid=$!
        for _ in $(seq 200); do
            ls "$out"/checkpoints/0* >/dev/null 2>&1 && break
            sleep .05
        done
        kill -"${signal%:*}" "$pid"
        for _ in $(seq 200); do # one that is not heard fails here, not at meson's limit
            kill -0 "$pid" 2>/dev/null || break
            sleep .05
        done
        kill -KILL "$pid" 2>/dev/null
        wait "$pid"
        code=$?
        [ "$code" -eq "${signal#*:}" ] || { cat log.txt; fail "SIG$signal: it ended with $code"; }
        grep -q 'interrupted after step' log.txt || fail "no word on the interruption"
        step=$("$weir" inspect "$out" | sed -n 's/^step \([0-9]*\).*/\1/p')
        grep -q "interrupted after step $step;" log.txt || fail "the checkpoint is not that of the last step"
    done
    ;;
nonfinite) # a rate that blows up: stops, names step and tensor, keeps the last good state
    expect 4 "first tensor" toy --device "$device" --set optimizer.learning_rate=1000 --set optimizer.name=sgd \
        --set optimizer.clip=0 --set train.steps=400 --out run
    "$weir" inspect "$(find run/checkpoints -name model.safetensors | sort | tail -n 1)" >/dev/null || fail "no good state"
    ;;
full-disk) # files may not grow beyond a few KB: the earlier checkpoint stays whole
    toy --device "$device" --set train.steps=20 --out run >/dev/null 2>&1 || fail "first run"
    before=$(digest run)
    (
        trap '' XFSZ
        ulimit -f 8
        toy --device "$device" --set train.steps=40 --out run --resume
    ) >log.txt 2>&1
    code=$?
    [ "$code" -eq 1 ] || { cat log.txt; fail "ended with $code, not 1"; }
    grep -q 'File too large\|No space left' log.txt || { cat log.txt; fail "does not say why"; }
    grep -q 'earlier ones are whole' log.txt || { cat log.txt; fail "does not say what is left"; }
    [ "$(digest run)" = "$before" ] || fail "the earlier checkpoint changed"
    ;;
bad-input)
    expect 3 "nonesuch" "$weir" train toy --device nonesuch
    expect 2 "did you mean 'train.steps'" "$weir" train toy --device host --set train.stepz=3
    expect 2 "expected an integer" "$weir" train toy --device host --set train.steps=-5
    expect 2 "expected an integer" "$weir" train toy --device host --set train.steps=many
    expect 2 "expected true or false" "$weir" train toy --device host --set model.zero_init=1
    expect 2 "did you mean 'unet'" "$weir" train toy --device host --set model.name=unett
    expect 2 "did you mean 'moons'" "$weir" train toy --device host --set data.name=mons
    expect 2 "the unet takes images" "$weir" train toy --device host --set model.name=unet
    for bad in 0 -5M 3T 10MB much '' M 1e99; do
        expect 2 "expected a number of bytes" "$weir" train toy --device host --memory "$bad"
    done
    expect 1 "is the least this program can do with" toy --device host --memory 20000 --out small
    expect 2 "no recipe 'nothing'" "$weir" train nothing --device host
    expect 2 "no command 'trian' (did you mean 'train'?)" "$weir" trian
    expect 2 "did you mean --device" "$weir" train toy --devise host
    printf '{ "train": { "steps": 3,, } }' >bad.json
    expect 1 "bad.json:1" "$weir" train bad.json --device host
    expect 1 "no run here" "$weir" sample nowhere --device host
    expect 2 "--hutchinson goes with nll, not with w2" "$weir" eval nowhere w2 --hutchinson
    printf 'not a checkpoint' >x.safetensors
    expect 1 "x.safetensors" "$weir" inspect x.safetensors
    toy --device host --set train.steps=2 --out run >/dev/null 2>&1 || fail "run"
    expect 2 "there is a run here already" toy --device host --set train.steps=2 --out run
    expect 2 "another recipe" toy --device host --set train.steps=4 --set train.seed=9 --out run --resume
    expect 2 "--seeds" "$weir" sample run --device host --seeds 9-3
    truncate -s 100 run/checkpoints/*/model.safetensors
    expect 1 "model.safetensors" "$weir" sample run --device host
    if [ "$(id -u)" -ne 0 ]; then
        mkdir closed && chmod a-w closed
        expect 1 "closed" toy --device host --set train.steps=2 --out closed/run
    fi
    touch file
    expect 1 "file/run" toy --device host --set train.steps=2 --out file/run
    ;;
help)
    commands=$("$weir" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
    grep -qx tune <<<"$commands" || fail "the list of commands: $commands"
    for command in $commands; do
        expect 0 "usage: weir $command" "$weir" "$command" --help
    done
    expect 0 "weir " "$weir" --version
    expect 0 "exit codes" "$weir" --help
    expect 0 "fashion-quick" "$weir" recipes
    expect 0 '"steps"' "$weir" recipes toy
    expect 0 "dopri5" "$weir" list solvers
    ;;
*)
    fail "no such case: $case"
    ;;
esac
echo "passed: $case on $device"
