#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The single operations of `weir bench op` in PyTorch, eager, single precision, images channels-last.

usage: torch_ops.py [--repeats N] [--device DEV] < ROWS     times the rows of `weir bench op --list`
       torch_ops.py --list                                  kinds of rows known here (needs no PyTorch)

Prints one line of JSON: for each row its name, seconds of each timed run and FLOP as PyTorch counts them. As on
Weir's side, two runs warm up and a timed run is as many calls as take 50 ms. An `_and_gradients` row times forward
and backward pass together.
"""
import argparse
import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:  # --list and --help do without
    torch = None

KINDS = {}


def kind(name):
    def add(make):
        KINDS[name] = make
        return make

    return add


def with_gradients(forward, x):
    dy = torch.randn_like(forward())
    return lambda: torch.autograd.grad(forward(), x, dy)


@kind("matmul_nn")
def matmul_nn(m, n, k):
    a, b = torch.randn(m, k), torch.randn(k, n)
    return lambda: a @ b


@kind("matmul_nt")
def matmul_nt(m, n, k):
    a, b = torch.randn(m, k), torch.randn(n, k)
    return lambda: a @ b.t()


@kind("matmul_tn")
def matmul_tn(m, n, k):
    a, b = torch.randn(k, m), torch.randn(k, n)
    return lambda: a.t() @ b


def convolution(batch, side, i, o, k, stride):
    last = torch.channels_last
    x = torch.randn(batch, i, side, side).contiguous(memory_format=last).requires_grad_()
    w = torch.randn(o, i, k, k).contiguous(memory_format=last).requires_grad_()
    return (x, w), lambda: F.conv2d(x, w, stride=stride, padding=k // 2)


@kind("conv")
def conv(*size):
    (x, w), _ = convolution(*size)
    x, w = x.detach(), w.detach()
    return lambda: F.conv2d(x, w, stride=size[5], padding=size[4] // 2)


@kind("conv_and_gradients")
def conv_and_gradients(*size):
    x, forward = convolution(*size)
    return with_gradients(forward, x)


@kind("attention")
def attention(*size):
    q, k, v = (torch.randn(size) for _ in range(3))
    return lambda: F.scaled_dot_product_attention(q, k, v)


@kind("attention_and_gradients")
def attention_and_gradients(*size):
    x = [torch.randn(size, requires_grad=True) for _ in range(3)]
    return with_gradients(lambda: F.scaled_dot_product_attention(*x), x)


def elementwise(name, call):
    @kind(name)
    def forward(*size):
        x = torch.randn(size)
        return lambda: call(x)

    @kind(name + "_and_gradients")
    def backward(*size):
        x = torch.randn(size, requires_grad=True)
        return with_gradients(lambda: call(x), x)


elementwise("softmax", lambda x: x.softmax(-1))
elementwise("gelu", lambda x: F.gelu(x))
elementwise("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"))


def norm(name, call, image):
    def operands(size, grad):
        x = torch.randn(size)
        if image:  # (N, C, H, W) of that memory
            x = x.permute(0, 3, 1, 2)
        affine = [torch.randn(size[-1], requires_grad=grad) for _ in range(2)]
        return [x.requires_grad_(grad), *affine]

    @kind(name)
    def forward(*size):
        x = operands(size, False)
        return lambda: call(*x)

    @kind(name + "_and_gradients")
    def backward(*size):
        x = operands(size, True)
        return with_gradients(lambda: call(*x), x)


norm("layer_norm", lambda x, g, b: F.layer_norm(x, x.shape[-1:], g, b), False)
norm("group_norm_silu", lambda x, g, b: F.silu(F.group_norm(x, 8, g, b)), True)


@kind("adamw_ema_clip")
def adamw_ema_clip(n):
    p = torch.randn(n, requires_grad=True)
    p.grad = torch.randn(n)
    ema = [p.detach().clone()]
    optimizer = torch.optim.AdamW([p], 1e-3, fused=True)

    def step():
        torch.nn.utils.clip_grad_norm_([p], 1.0)
        optimizer.step()
        torch._foreach_lerp_(ema, [p.detach()], 1e-3)

    return step


@kind("random_normal")
def random_normal(*size):
    return lambda: torch.randn(size)


def count_flop(call):
    from torch.utils.flop_counter import FlopCounterMode
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def run_many(call, n, sync):
    start = time.perf_counter()
    for _ in range(n):
        call()
    sync()
    return (time.perf_counter() - start) / n


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="cpu", help="PyTorch's device (default: cpu)")
    parser.add_argument("--list", action="store_true", help="print the kinds of rows known here")
    args = parser.parse_args()
    if args.list:
        print("\n".join(KINDS))
        return
    if torch is None:
        sys.exit("torch_ops.py: this interpreter has no PyTorch")
    torch.manual_seed(0)
    if args.device != "cpu":  # the default one is not set: setting it costs time in each call
        torch.set_default_device(args.device)
    sync = torch.cuda.synchronize if args.device.startswith("cuda") else lambda: None
    rows = []
    for row in json.load(sys.stdin):
        call = KINDS[row["kind"]](*row["size"])
        flop = count_flop(call)
        for _ in range(2):
            once = run_many(call, 1, sync)
        s = [run_many(call, 1 + int(0.05 / once), sync) for _ in range(args.repeats)]
        rows.append({"name": row["name"], "s": s, "flop": flop})
    print(json.dumps({"rows": rows, "torch": torch.__version__, "threads": torch.get_num_threads(),
                      "device": args.device}))


main()
