#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of the networks and optimizers, computed by PyTorch in double precision.

usage: models.py OUT_DIR      (any PyTorch from 1.13 on; Debian: python3-torch)

Writes unet.safetensors, dit.safetensors and optim.safetensors: weights under their own names, inputs,
outputs, and the gradient of every weight under "grad.<name>". The modules below are this project's own
statement of diffusers' UNet2DModel and of DiT, in the sizes the tests use.
"""
import json
import math
import struct
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def save(path, tensors):
    header, blobs, at = {"__metadata__": {"torch": torch.__version__}}, [], 0
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


class Resnet(nn.Module):
    def __init__(self, i, o, e, groups):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, i), nn.Conv2d(i, o, 3, padding=1)
        self.time_emb_proj = nn.Linear(e, o)
        self.norm2, self.conv2 = nn.GroupNorm(groups, o), nn.Conv2d(o, o, 3, padding=1)
        if i != o:
            self.conv_shortcut = nn.Conv2d(i, o, 1)

    def forward(self, x, e):
        h = self.conv1(F.silu(self.norm1(x))) + self.time_emb_proj(F.silu(e))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x) + h


class Attention(nn.Module):
    def __init__(self, c, heads, groups):
        super().__init__()
        self.heads, self.group_norm = heads, nn.GroupNorm(groups, c)
        self.to_q, self.to_k, self.to_v = (nn.Linear(c, c) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(c, c)])

    def forward(self, x):
        b, c, h, w = x.shape
        y = self.group_norm(x).reshape(b, c, h * w).transpose(1, 2)
        q, k, v = (f(y).reshape(b, h * w, self.heads, -1).transpose(1, 2) for f in (self.to_q, self.to_k, self.to_v))
        p = (q @ k.transpose(2, 3) / math.sqrt(c // self.heads)).softmax(-1)
        y = self.to_out[0]((p @ v).transpose(1, 2).reshape(b, h * w, c))
        return x + y.transpose(1, 2).reshape(b, c, h, w)


class UNet(nn.Module):
    def __init__(self, channels, width, mult, layers, groups, heads, classes):
        super().__init__()
        e, self.width, n = 4 * width, width, len(mult)
        self.time_embedding = Box(linear_1=nn.Linear(width, e), linear_2=nn.Linear(e, e))
        self.class_embedding = nn.Embedding(classes + 1, e)
        self.conv_in = nn.Conv2d(channels, width, 3, padding=1)
        skips, c = [width], width
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for l, m in enumerate(mult):
            block = Box(resnets=nn.ModuleList())
            if l == n - 1:
                block.attentions = nn.ModuleList()
            for _ in range(layers):
                block.resnets.append(Resnet(c, width * m, e, groups))
                c = width * m
                if l == n - 1:
                    block.attentions.append(Attention(c, heads, groups))
                skips.append(c)
            if l < n - 1:
                block.downsamplers = nn.ModuleList([Box(conv=nn.Conv2d(c, c, 3, stride=2, padding=1))])
                skips.append(c)
            self.down_blocks.append(block)
        self.mid_block = Box(resnets=nn.ModuleList([Resnet(c, c, e, groups), Resnet(c, c, e, groups)]),
                             attentions=nn.ModuleList([Attention(c, heads, groups)]))
        for i, m in enumerate(reversed(mult)):
            block = Box(resnets=nn.ModuleList())
            if i == 0:
                block.attentions = nn.ModuleList()
            for _ in range(layers + 1):
                block.resnets.append(Resnet(c + skips.pop(), width * m, e, groups))
                c = width * m
                if i == 0:
                    block.attentions.append(Attention(c, heads, groups))
            if i < n - 1:
                block.upsamplers = nn.ModuleList([Box(conv=nn.Conv2d(c, c, 3, padding=1))])
            self.up_blocks.append(block)
        self.conv_norm_out, self.conv_out = nn.GroupNorm(groups, c), nn.Conv2d(c, channels, 3, padding=1)

    def forward(self, x, t, label):
        te = self.time_embedding
        e = te.linear_2(F.silu(te.linear_1(time_features(t, self.width)))) + self.class_embedding(label)
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for j, r in enumerate(block.resnets):
                x = r(x, e)
                if hasattr(block, "attentions"):
                    x = block.attentions[j](x)
                skips.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0].conv(x)
                skips.append(x)
        m = self.mid_block
        x = m.resnets[1](m.attentions[0](m.resnets[0](x, e)), e)
        for block in self.up_blocks:
            for j, r in enumerate(block.resnets):
                x = r(torch.cat([x, skips.pop()], 1), e)
                if hasattr(block, "attentions"):
                    x = block.attentions[j](x)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0].conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(self.conv_norm_out(x)))


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


def golden(path, net, channels, side, classes, seed):
    torch.manual_seed(seed)
    for p in net.parameters():  # every weight matters, none is zero; exactly representable in f32
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
    save(path, tensors)


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


def main():
    out = sys.argv[1]
    golden(out + "/unet.safetensors", UNet(2, 8, (1, 2), 1, 4, 2, 3), 2, 8, 3, 1)
    golden(out + "/dit.safetensors", DiT(1, 8, 2, 16, 2, 2, 3), 1, 8, 3, 2)
    optimizers(out + "/optim.safetensors")


main()
