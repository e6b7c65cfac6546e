#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of training in 16 bits: one step of the mlp, by PyTorch in double precision.

usage: precision.py OUT_DIR      PyTorch 2

Writes precision.safetensors: weights, inputs, and under "bf16." and "f16." the output and the gradient of
every weight, where linear layers take and give numbers rounded to that type (docs/numerics.md, section 10):

    y = q(q(x) q(W)' + b)     dx = q(dy) q(W)     dW = q(dy)' q(x)     db = sum dy

The rounding q is PyTorch's own cast. A computation in f32 may round a number that lies next to the middle of
two 16-bit ones the other way; inputs are drawn until none lies nearer than MARGIN of their distance.
"""
import os
import sys

import torch
import torch.nn.functional as F

from models import save, time_features

torch.set_default_dtype(torch.float64)
BATCH, WIDTH, DEPTH, FEATURES, MARGIN = 4, 16, 2, 64, 2.0 ** -9
nearest = [1.0]  # to a middle, of all numbers rounded so far, in distances of neighbours


class Round(torch.autograd.Function):
    """To the type and back; rounding counts as the identity in the backward pass."""

    @staticmethod
    def forward(ctx, x, kind):
        # through f32, which a double of up to 24 bits survives; others are not near a middle, or it shows
        y = x.to(torch.float32).to(kind).to(torch.float64)
        inexact = x[(x != y) & (x.to(torch.float32).to(torch.float64) != x)]
        if inexact.numel():
            bits = {torch.bfloat16: 7, torch.float16: 10}[kind]
            least = {torch.bfloat16: -126, torch.float16: -14}[kind]
            exponent = torch.clamp(torch.floor(torch.log2(inexact.abs())), min=least)
            place = inexact.abs() / 2.0 ** (exponent - bits)
            nearest[0] = min(nearest[0], (place - torch.floor(place) - .5).abs().min().item())
        return y

    @staticmethod
    def backward(ctx, dy):
        return dy, None


class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, kind):
        x, w = Round.apply(x, kind), Round.apply(w, kind)
        ctx.save_for_backward(x, w)
        ctx.kind = kind
        return Round.apply(x @ w.T + b, kind)

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        low = Round.apply(dy, ctx.kind)
        return low @ w, low.T @ x, dy.sum(0), None


def f32(t):
    return t.float().double()


def draw(seed):
    g = torch.Generator().manual_seed(seed)
    sizes = [2 + FEATURES] + [WIDTH] * DEPTH + [2]
    tensors = {
        "in.x": f32(torch.randn(BATCH, 2, generator=g)),
        # angles of at most one, so that they are as exact in f32 as everything else
        "in.t": f32(torch.rand(BATCH, generator=g) * 2.0 ** -10),
        "in.c": f32(torch.randn(BATCH, 2, generator=g)),
    }
    for i in range(DEPTH + 1):
        name = "layers.%d" % i if i < DEPTH else "out"
        tensors[name + ".weight"] = f32(torch.randn(sizes[i + 1], sizes[i], generator=g) / sizes[i] ** .5)
        tensors[name + ".bias"] = f32(.1 * torch.randn(sizes[i + 1], generator=g))
    return tensors


def step(tensors, kind):
    w = {k: v.clone().requires_grad_() for k, v in tensors.items() if not k.startswith("in.")}
    h = torch.cat([tensors["in.x"], time_features(tensors["in.t"], FEATURES)], 1)
    for i in range(DEPTH):
        h = F.silu(Linear.apply(h, w["layers.%d.weight" % i], w["layers.%d.bias" % i], kind))
    y = Linear.apply(h, w["out.weight"], w["out.bias"], kind)
    (y * tensors["in.c"]).sum().backward()
    return y, {k: v.grad for k, v in w.items()}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for seed in range(10000):
        tensors, golden = draw(seed), {}
        nearest[0] = 1.0
        for name, kind in (("bf16", torch.bfloat16), ("f16", torch.float16)):
            y, grads = step(tensors, kind)
            golden[name + ".out.y"] = y
            golden.update({"%s.grad.%s" % (name, k): v for k, v in grads.items()})
        if nearest[0] > MARGIN:
            break
    else:
        sys.exit("no seed keeps its numbers from the middles")
    save(os.path.join(sys.argv[1], "precision.safetensors"), {**tensors, **golden}, seed=str(seed),
         margin="%g" % nearest[0])
    print("seed %d, nearest %g" % (seed, nearest[0]))


main()
