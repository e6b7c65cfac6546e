#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The single operations of `weir bench op` in PyTorch, eager, single precision, images channels-last.

usage: torch_ops.py [--repeats N] [--device DEV] < ROWS     times the rows of `weir bench op --list`
       torch_ops.py --list                                  kinds of rows known here (needs no PyTorch)

Prints one line of JSON: for each row its name, seconds of each timed run and FLOP as PyTorch counts them. As on
Weir's side, two runs warm up and a timed run is as many calls as take 50 ms. An `_and_gradients` row times forward
and backward pass together.
"""
import json
import sys
import time

import torch_side
from torch_side import torch

if torch:
    import torch.nn.functional as F

KINDS = {}


def kind(name):
    def add(make):
        KINDS[name] = make
        return make

    return add


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


def both(name):
    """Kinds `name` and `name`_and_gradients: make(size, grad) gives the operands and what is called on them."""
    def add(make):
        @kind(name)
        def forward(*size):
            x, call = make(size, False)
            return lambda: call(*x)

        @kind(name + "_and_gradients")
        def backward(*size):
            x, call = make(size, True)
            dy = torch.randn_like(call(*x))
            return lambda: torch.autograd.grad(call(*x), x, dy)

    return add


def operand(*size, grad):
    return torch.randn(size).requires_grad_(grad)


@both("conv")
def conv(size, grad):
    batch, side, i, o, k, stride = size
    last = torch.channels_last
    x = torch.randn(batch, i, side, side).contiguous(memory_format=last).requires_grad_(grad)
    w = torch.randn(o, i, k, k).contiguous(memory_format=last).requires_grad_(grad)
    return (x, w), lambda x, w: F.conv2d(x, w, stride=stride, padding=k // 2)


@both("attention")
def attention(size, grad):
    return [operand(*size, grad=grad) for _ in range(3)], F.scaled_dot_product_attention


@both("softmax")
def softmax(size, grad):
    return [operand(*size, grad=grad)], lambda x: x.softmax(-1)


@both("gelu")
def gelu(size, grad):
    return [operand(*size, grad=grad)], F.gelu


@both("gelu_tanh")
def gelu_tanh(size, grad):
    return [operand(*size, grad=grad)], lambda x: F.gelu(x, approximate="tanh")


def with_affine(x, grad):
    return [x.requires_grad_(grad), *(operand(x.shape[1 if x.dim() == 4 else -1], grad=grad) for _ in range(2))]


@both("layer_norm")
def layer_norm(size, grad):
    return with_affine(torch.randn(size), grad), lambda x, g, b: F.layer_norm(x, x.shape[-1:], g, b)


@both("group_norm_silu")
def group_norm_silu(size, grad):
    x = torch.randn(size).permute(0, 3, 1, 2)  # (N, C, H, W) of that memory
    return with_affine(x, grad), lambda x, g, b: F.silu(F.group_norm(x, 8, g, b))


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
    parser = torch_side.parser(__doc__)
    parser.add_argument("--list", action="store_true", help="print the kinds of rows known here")
    args = parser.parse_args()
    if args.list:
        print("\n".join(KINDS))
        return
    torch_side.begin(args)
    sync = torch.cuda.synchronize if args.device.startswith("cuda") else lambda: None
    rows = []
    for row in json.load(sys.stdin):
        call = KINDS[row["kind"]](*row["size"])
        flop = count_flop(call)
        for _ in range(2):
            once = run_many(call, 1, sync)
        s = [run_many(call, 1 + int(0.05 / once), sync) for _ in range(args.repeats)]
        rows.append({"name": row["name"], "s": s, "flop": flop})
    torch_side.finish(args, rows=rows)


main()
