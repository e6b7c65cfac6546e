# SPDX-License-Identifier: Apache-2.0
"""The networks of the recipes `toy`, `fashion-unet` and `fashion-dit` as a PyTorch user would write them:
library modules, scaled_dot_product_attention, single precision."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def time_features(t, width):
    f = 1000 * torch.exp(-math.log(10000.0) * torch.arange(width // 2) / (width // 2))
    a = t[:, None] * f
    return torch.cat([a.cos(), a.sin()], 1)


class MLP(nn.Module):
    def __init__(self, dims=2, width=256, depth=4, features=64):
        super().__init__()
        sizes = [dims + features] + [width] * depth
        self.features = features
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(sizes, sizes[1:]))
        self.out = nn.Linear(width, dims)

    def forward(self, x, t, label):
        x = torch.cat([x, time_features(t, self.features)], 1)
        for layer in self.layers:
            x = F.silu(layer(x))
        return self.out(x)


class Resnet(nn.Module):
    def __init__(self, i, o, e):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, i), nn.Conv2d(i, o, 3, padding=1)
        self.time = nn.Linear(e, o)
        self.norm2, self.conv2 = nn.GroupNorm(8, o), nn.Conv2d(o, o, 3, padding=1)
        self.shortcut = nn.Conv2d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x, e):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(e))[:, :, None, None]
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads, self.norm = heads, nn.GroupNorm(8, c)
        self.qkv, self.out = nn.Linear(c, 3 * c), nn.Linear(c, c)

    def forward(self, x):
        b, c, h, w = x.shape
        y = self.norm(x).reshape(b, c, h * w).transpose(1, 2)
        q, k, v = self.qkv(y).reshape(b, h * w, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, h * w, c)
        return x + self.out(y).transpose(1, 2).reshape(b, c, h, w)


class UNet(nn.Module):
    """Resnets and, in the lowest level, attentions; skip connections from every stage of the way down."""

    def __init__(self, width=32, mult=(1, 2, 4), heads=4, classes=10):
        super().__init__()
        e, last = 4 * width, len(mult) - 1
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, e), nn.SiLU(), nn.Linear(e, e))
        self.label, self.conv_in = nn.Embedding(classes + 1, e), nn.Conv2d(1, width, 3, padding=1)
        skips, c = [width], width
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, m in enumerate(mult):
            for _ in range(2):
                attention = Attention(width * m, heads) if level == last else nn.Identity()
                self.down.append(nn.ModuleList([Resnet(c, width * m, e), attention]))
                c = width * m
                skips.append(c)
            if level < last:
                self.down.append(nn.ModuleList([nn.Conv2d(c, c, 3, 2, 1)]))
                skips.append(c)
        self.mid = nn.ModuleList([Resnet(c, c, e), Attention(c, heads), Resnet(c, c, e)])
        for level in range(last, -1, -1):
            for _ in range(3):
                o = width * mult[level]
                attention = Attention(o, heads) if level == last else nn.Identity()
                self.up.append(nn.ModuleList([Resnet(c + skips.pop(), o, e), attention]))
                c = o
            if level:
                self.up.append(nn.ModuleList([nn.Conv2d(c, c, 3, padding=1)]))
        self.norm_out, self.conv_out = nn.GroupNorm(8, c), nn.Conv2d(c, 1, 3, padding=1)

    def forward(self, x, t, label):
        e = self.time(time_features(t, self.width)) + self.label(label)
        x = self.conv_in(x)
        skips = [x]
        for block in self.down:
            x = block[1](block[0](x, e)) if len(block) == 2 else block[0](x)
            skips.append(x)
        x = self.mid[2](self.mid[1](self.mid[0](x, e)), e)
        for block in self.up:
            if len(block) == 2:
                x = block[1](block[0](torch.cat([x, skips.pop()], 1), e))
            else:
                x = block[0](F.interpolate(x, scale_factor=2.0))
        return self.conv_out(F.silu(self.norm_out(x)))


class DiTBlock(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc1, self.fc2, self.modulation = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), nn.Linear(d, 6 * d)

    def forward(self, x, c):
        b, n, d = x.shape
        s1, g1, a1, s2, g2, a2 = self.modulation(F.silu(c))[:, None].chunk(6, -1)
        y = F.layer_norm(x, (d,), eps=1e-6) * (1 + g1) + s1
        q, k, v = self.qkv(y).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        x = x + a1 * self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))
        y = F.layer_norm(x, (d,), eps=1e-6) * (1 + g2) + s2
        return x + a2 * self.fc2(F.gelu(self.fc1(y), approximate="tanh"))


class DiT(nn.Module):
    def __init__(self, side=28, patch=2, d=192, depth=6, heads=3, classes=10):
        super().__init__()
        self.patch = patch
        self.embed = nn.Conv2d(1, d, patch, stride=patch)
        self.register_buffer("position", torch.zeros(1, (side // patch) ** 2, d))
        self.time = nn.Sequential(nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d))
        self.label = nn.Embedding(classes + 1, d)
        self.blocks = nn.ModuleList(DiTBlock(d, heads) for _ in range(depth))
        self.modulation, self.out = nn.Linear(d, 2 * d), nn.Linear(d, patch * patch)

    def forward(self, x, t, label):
        b, _, h, w = x.shape
        p = self.patch
        y = self.embed(x).flatten(2).transpose(1, 2) + self.position
        c = self.time(time_features(t, 256)) + self.label(label)
        for block in self.blocks:
            y = block(y, c)
        s, g = self.modulation(F.silu(c))[:, None].chunk(2, -1)
        y = self.out(F.layer_norm(y, y.shape[-1:], eps=1e-6) * (1 + g) + s)
        return y.reshape(b, h // p, w // p, p, p).permute(0, 1, 3, 2, 4).reshape(b, 1, h, w)


# recipe: network, shape of a batch
MODELS = {
    "toy": (MLP, (512, 2)),
    "fashion-unet": (UNet, (64, 1, 28, 28)),
    "fashion-dit": (DiT, (64, 1, 28, 28)),
}
