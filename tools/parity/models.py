#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of the networks and optimizers, computed by PyTorch in double precision.

usage: models.py OUT_DIR [unet|dit|optim]...      PyTorch 2 and, for the unet, diffusers (0.42 was used)

Writes unet.safetensors, dit.safetensors and optim.safetensors: weights under their own names, inputs,
outputs, and the gradient of every weight under "grad.<name>"; the versions stand in the metadata. The unet
is diffusers' UNet2DModel itself, in the structure of the recipes at a size for tests; the DiT is this
project's own statement of it.
"""
import json
import math
import struct
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def save(path, tensors, **versions):
    header, blobs, at = {"__metadata__": {"torch": torch.__version__, **versions}}, [], 0
    names = {torch.float64: "F64", torch.int32: "I32"}
    for name, t in tensors.items():
        data = t.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def time_features(t, width):
    # the frequencies are f32 constants of the program
    f = (1000 * torch.exp(-math.log(10000.0) * torch.arange(width // 2) / (width // 2))).float().double()
    a = t[:, None] * f
    return torch.cat([a.cos(), a.sin()], 1)


class Box(nn.Module):
    """A module whose children are given by name, for dotted names such as to_out.0."""

    def __init__(self, **children):
        super().__init__()
        for name, child in children.items():
            setattr(self, name, child)


class TimeFeatures(nn.Module):
    """Takes the place of diffusers' time_proj, which computes in f32 whatever the model's type."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, timesteps):
        return time_features(timesteps / 1000, self.width)


class UNet(nn.Module):
    """UNet2DModel with flow times: t in 0 .. 1 is timestep 1000 t."""

    def __init__(self, channels, side, width, mult, layers, groups, heads, classes):
        super().__init__()
        from diffusers import UNet2DModel
        n, plain = len(mult), len(mult) - 1
        self.net = UNet2DModel(
            sample_size=side, in_channels=channels, out_channels=channels, layers_per_block=layers,
            block_out_channels=[width * m for m in mult], norm_num_groups=groups,
            down_block_types=["DownBlock2D"] * plain + ["AttnDownBlock2D"],
            up_block_types=["AttnUpBlock2D"] + ["UpBlock2D"] * plain,
            attention_head_dim=width * mult[n - 1] // heads, num_class_embeds=classes + 1)
        ours, t = TimeFeatures(width), torch.tensor([0.0, 250.0, 812.5, 1000.0])
        # both round the frequency and theirs the angle to f32, at most 1000: 3 * 2^-24 * 1000
        assert (self.net.time_proj(t) - ours(t)).abs().max() < 3 * 2.0 ** -24 * 1000
        self.net.time_proj = ours

    def named_parameters(self):
        return self.net.named_parameters()

    def forward(self, x, t, label):
        return self.net(x, 1000 * t, class_labels=label).sample


class DiTBlock(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.attn = Box(qkv=nn.Linear(d, 3 * d), proj=nn.Linear(d, d))
        self.mlp = Box(fc1=nn.Linear(d, 4 * d), fc2=nn.Linear(4 * d, d))
        self.adaLN_modulation = nn.ModuleList([nn.SiLU(), nn.Linear(d, 6 * d)])

    def forward(self, x, c):
        b, n, d = x.shape
        s1, g1, a1, s2, g2, a2 = self.adaLN_modulation[1](F.silu(c))[:, None].chunk(6, -1)
        y = F.layer_norm(x, (d,), eps=1e-6) * (1 + g1) + s1
        q, k, v = self.attn.qkv(y).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        p = (q @ k.transpose(2, 3) / math.sqrt(d // self.heads)).softmax(-1)
        x = x + a1 * self.attn.proj((p @ v).transpose(1, 2).reshape(b, n, d))
        y = F.layer_norm(x, (d,), eps=1e-6) * (1 + g2) + s2
        return x + a2 * self.mlp.fc2(F.gelu(self.mlp.fc1(y), approximate="tanh"))


def positions(h, w, d):
    f = torch.exp(-math.log(10000.0) * torch.arange(d // 4) / (d // 4))
    row, col = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    parts = [fn(at.reshape(-1, 1) * f) for at in (col, row) for fn in (torch.sin, torch.cos)]
    return torch.cat(parts, 1).float().double()[None]


class DiT(nn.Module):
    def __init__(self, channels, side, patch, d, depth, heads, classes):
        super().__init__()
        self.patch, self.pos = patch, positions(side // patch, side // patch, d)
        self.x_embedder = Box(proj=nn.Conv2d(channels, d, patch, stride=patch))
        self.t_embedder = Box(mlp=nn.ModuleList([nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d)]))
        self.y_embedder = Box(embedding_table=nn.Embedding(classes + 1, d))
        self.blocks = nn.ModuleList(DiTBlock(d, heads) for _ in range(depth))
        self.final_layer = Box(linear=nn.Linear(d, patch * patch * channels),
                               adaLN_modulation=nn.ModuleList([nn.SiLU(), nn.Linear(d, 2 * d)]))

    def forward(self, x, t, label):
        b, ch, h, w = x.shape
        p, m = self.patch, self.t_embedder.mlp
        y = self.x_embedder.proj(x).flatten(2).transpose(1, 2) + self.pos
        c = m[2](F.silu(m[0](time_features(t, 256)))) + self.y_embedder.embedding_table(label)
        for block in self.blocks:
            y = block(y, c)
        s, g = self.final_layer.adaLN_modulation[1](F.silu(c))[:, None].chunk(2, -1)
        y = self.final_layer.linear(F.layer_norm(y, y.shape[-1:], eps=1e-6) * (1 + g) + s)
        return y.reshape(b, h // p, w // p, p, p, ch).permute(0, 5, 1, 3, 2, 4).reshape(b, ch, h, w)


def golden(path, net, channels, side, classes, seed, **versions):
    torch.manual_seed(seed)
    for _, p in net.named_parameters():  # every weight matters, none is zero; exactly representable in f32
        p.data = (torch.randn_like(p) * (0.5 / math.sqrt(max(1, p[0].numel())) if p.dim() > 1 else 0.2)).float().double()
    x = torch.randn(2, channels, side, side).float().double()
    t = torch.tensor([0.25, 0.8125])
    label = torch.tensor([1, classes], dtype=torch.int64)
    c = torch.randn_like(x).float().double()
    y = net(x, t, label)
    (y * c).sum().backward()
    nhwc = lambda v: v.permute(0, 2, 3, 1)
    tensors = {"in.x": nhwc(x), "in.t": t, "in.label": label.int(), "in.c": nhwc(c), "out.y": nhwc(y)}
    for name, p in net.named_parameters():
        tensors[name], tensors["grad." + name] = p, p.grad
    save(path, tensors, **versions)


def optimizers(path):
    """20 updates of a fixed problem: the gradient at update i is given, so only the update rule is tested."""
    torch.manual_seed(3)
    p0 = torch.randn(37).float().double()
    grads = torch.randn(20, 37).float().double()
    tensors = {"p0": p0, "grads": grads}
    rules = {
        "adamw": lambda p: torch.optim.AdamW([p], lr=2.0 ** -7, betas=(0.875, 0.96875), eps=2.0 ** -20, weight_decay=0.125),
        "sgd": lambda p: torch.optim.SGD([p], lr=2.0 ** -7, momentum=0.875, weight_decay=0.125),
        "nesterov": lambda p: torch.optim.SGD([p], lr=2.0 ** -7, momentum=0.875, weight_decay=0.125, nesterov=True),
    }
    for name, make in rules.items():
        p = p0.clone().requires_grad_()
        rule = make(p)
        for g in grads:
            p.grad = g.clone()
            rule.step()
        tensors[name] = p
    save(path, tensors)


def unet(path):
    import diffusers
    golden(path, UNet(2, 8, 4, (1, 2, 4), 2, 2, 2, 3), 2, 8, 3, 1, diffusers=diffusers.__version__)


def dit(path):
    golden(path, DiT(1, 8, 2, 16, 2, 2, 3), 1, 8, 3, 2)


def main():
    makers = {"unet": unet, "dit": dit, "optim": optimizers}
    for name in sys.argv[2:] or makers:
        makers[name]("%s/%s.safetensors" % (sys.argv[1], name))


if __name__ == "__main__":
    main()
