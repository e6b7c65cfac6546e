#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One training step of a recipe in PyTorch on the CPU: flow matching loss, backward, clipping, AdamW, EMA.

usage: torch_step.py RECIPE [--repeats N] [--compile]

Prints one line of JSON: seconds of each timed step, parameters, and the bytes that the process held at its
peak above what it held before the model was made.
"""
import argparse
import copy
import json
import resource
import time

import torch
import torch.nn.functional as F

from torch_models import MODELS


def held():
    with open("/proc/self/status") as f:
        return next(1024 * int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", choices=MODELS)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    before = held()
    make, shape = MODELS[args.recipe]
    net = make().train()
    ema = copy.deepcopy(net).requires_grad_(False)
    params, averages = list(net.parameters()), list(ema.parameters())
    optimizer = torch.optim.AdamW(params, 1e-3, fused=True)
    data, labels = torch.randn(shape), torch.arange(shape[0]) % 10
    call = torch.compile(net) if args.compile else net

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

    times = []
    for i in range(args.repeats + 2):  # two to warm up, as for Weir
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"s": times[2:], "parameters": sum(p.numel() for p in params), "peak_memory": peak,
                      "torch": torch.__version__, "threads": torch.get_num_threads()}))


main()
