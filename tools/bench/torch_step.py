#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recipe in PyTorch: its training step (flow matching loss, backward, clipping, AdamW, EMA), or sampling.

usage: torch_step.py RECIPE [--batch N] [--repeats N] [--compile] [--sample N --steps N] [--device DEV]

Prints one line of JSON: seconds of each timed step (or of each sampling of N images by Euler steps, one network
evaluation each, under no_grad), parameters, and the bytes that the process held at its peak above what it held
before the model was made.
"""
import copy
import time

import torch_side
from torch_side import torch

RECIPES = ("toy", "fashion-unet", "fashion-dit")


def memory(key):
    with open("/proc/self/status") as f:
        return next(1024 * int(line.split()[1]) for line in f if line.startswith(key))


def memory_begin():
    """What is resident now; the peak begins anew from it."""
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        pass  # then it is the peak of the whole process
    return memory("VmRSS:")


def training(net, shape, compiled):
    import torch.nn.functional as F
    net.train()
    ema = copy.deepcopy(net).requires_grad_(False)
    params, averages = list(net.parameters()), list(ema.parameters())
    optimizer = torch.optim.AdamW(params, 1e-3, fused=True)
    data, labels = torch.randn(shape), torch.arange(shape[0]) % 10
    call = torch.compile(net) if compiled else net

    def step():
        t, noise = torch.sigmoid(torch.randn(shape[0])), torch.randn(shape)
        at = t.reshape(-1, *[1] * (len(shape) - 1))
        label = torch.where(torch.rand(shape[0]) < 0.1, 10, labels)
        loss = F.mse_loss(call((1 - at) * noise + at * data, t, label), data - noise)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        torch._foreach_lerp_(averages, [p.detach() for p in params], 1e-3)
        return loss.item()

    return step


def sampling(net, shape, steps, compiled):
    net.eval()
    labels = torch.arange(shape[0]) % 10
    call = torch.compile(net) if compiled else net

    def sample(n=steps):
        with torch.no_grad():
            x = torch.randn(shape)
            for i in range(n):
                x = x + call(x, torch.full((shape[0],), i / steps), labels) / steps
        return x.sum().item()

    return sample


def main():
    parser = torch_side.parser(__doc__)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--batch", type=int, help="rows of a batch (default: the recipe's)")
    parser.add_argument("--compile", action="store_true", help="torch.compile instead of eager")
    parser.add_argument("--sample", type=int, metavar="N", help="time the sampling of N items instead")
    parser.add_argument("--steps", type=int, default=20, help="of sampling (default: 20)")
    args = parser.parse_args()
    torch_side.begin(args)
    from torch_models import MODELS
    before = memory_begin()
    make, shape = MODELS[args.recipe]
    shape = (args.sample or args.batch or shape[0], *shape[1:])
    net = make()
    if args.sample:
        call = sampling(net, shape, args.steps, args.compile)
    else:
        call = training(net, shape, args.compile)
    times = []
    for i in range(-2, args.repeats):  # two to warm up, as for Weir; each ends with its result on the host
        start = time.perf_counter()
        call(1) if args.sample and i < 0 else call()
        if i >= 0:
            times.append(time.perf_counter() - start)
    peak = memory("VmHWM:") - before
    torch_side.finish(args, parameters=sum(p.numel() for p in net.parameters()), s=times, peak_memory=peak)


main()
