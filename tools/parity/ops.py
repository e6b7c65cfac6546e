#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of operations and composites, computed by PyTorch in double precision.

usage: ops.py OUT_DIR      (any PyTorch from 1.13 on; Debian: python3-torch)

Writes ops.safetensors. For every case: inputs "<case>.x0", ..; integer inputs "<case>.i0", ..; the result
"<case>.y"; a cotangent "<case>.u" and the gradients of <u, y> "<case>.g0", ..; directions "<case>.v0", ..
and the Hessian of <u, y> applied to them, "<case>.h0", ... All in Weir's layouts: images (N, .., C),
convolution weights (O, .., I).
"""
import json
import struct
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20)
cases = {}


def save(path, tensors):
    header, blobs, at = {"__metadata__": {"torch": torch.__version__}}, [], 0
    names = {torch.float64: "F64", torch.int32: "I32", torch.bool: "BOOL"}
    for name, t in tensors.items():
        data = t.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def case(name, f, *x, ints=(), second=True):
    x = [t.clone().requires_grad_() for t in x]
    y = f(*x, *ints)
    u = torch.randn_like(y)
    g = torch.autograd.grad((u * y).sum(), x, create_graph=second)
    for i, t in enumerate(x):
        cases[f"{name}.x{i}"] = t
        cases[f"{name}.g{i}"] = g[i]
    for i, t in enumerate(ints):
        cases[f"{name}.i{i}"] = t
    cases[f"{name}.y"], cases[f"{name}.u"] = y, u
    if not second:
        return
    v = [torch.randn_like(t) for t in x]
    along = sum((a * b).sum() for a, b in zip(g, v))
    h = torch.autograd.grad(along, x, allow_unused=True) if along.requires_grad else [None] * len(x)
    for i, t in enumerate(h):
        cases[f"{name}.v{i}"] = v[i]
        cases[f"{name}.h{i}"] = torch.zeros_like(x[i]) if t is None else t


def first(x):  # channels last -> PyTorch's layout
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def conv(f, **kw):
    return lambda x, w: last(f(first(x), first(w), **kw))


def pool(f, *args, **kw):
    return lambda x: last(f(first(x), *args, **kw))


def attention(scale):
    def f(q, k, v, mask=None):
        s = q @ k.transpose(-1, -2) * scale
        if mask is not None:
            s = s.masked_fill(~mask, float("-inf"))
        return s.softmax(-1) @ v
    return f


def rms_norm(x, w):
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * w


def main(folder):
    randn = torch.randn
    case("conv", conv(F.conv2d), randn(2, 5, 6, 3), randn(4, 3, 3, 3))
    case("conv-stride", conv(F.conv2d, stride=2, padding=1), randn(2, 7, 6, 3), randn(4, 3, 3, 3))
    case("conv-dilation", conv(F.conv2d, dilation=(2, 3), padding=(2, 1)), randn(1, 8, 9, 2), randn(3, 3, 2, 2))
    case("conv-groups", conv(F.conv2d, groups=2, padding=1, stride=(1, 2)), randn(2, 5, 6, 4), randn(6, 3, 3, 2))
    case("conv-depthwise", conv(F.conv2d, groups=4, padding=2), randn(1, 4, 5, 4), randn(8, 5, 5, 1))
    case("conv-1d", conv(F.conv1d, stride=3, padding=2), randn(2, 17, 3), randn(5, 4, 3))
    case("conv-3d", conv(F.conv3d, padding=1), randn(1, 4, 3, 5, 2), randn(3, 2, 3, 2, 2))
    case("conv-transposed", conv(F.conv_transpose2d, stride=2, padding=1, output_padding=1),
         randn(2, 4, 5, 4), randn(4, 3, 3, 3))
    case("conv-transposed-groups", conv(F.conv_transpose2d, stride=(3, 2), groups=2, dilation=(1, 2)),
         randn(1, 3, 4, 4), randn(4, 2, 3, 3))
    case("layer-norm", lambda x, w, b: F.layer_norm(x, (7,), w, b, 1e-5), randn(3, 4, 7), randn(7), randn(7))
    case("rms-norm", rms_norm, randn(5, 8), randn(8))
    case("group-norm", lambda x, w, b: last(F.group_norm(first(x), 4, w, b, 1e-5)),
         randn(2, 3, 5, 8), randn(8), randn(8))
    case("instance-norm", lambda x, w, b: last(F.instance_norm(first(x), weight=w, bias=b, eps=1e-5)),
         randn(2, 5, 4, 3), randn(3), randn(3))
    case("attention", attention(8 ** -0.5), randn(2, 3, 5, 8), randn(2, 3, 7, 8), randn(2, 3, 7, 4))
    mask = torch.rand(2, 5, 7) < 0.6
    mask[:, :, 0] = True
    case("attention-mask", attention(0.3), randn(2, 5, 4), randn(2, 7, 4), randn(2, 7, 4), ints=(mask,))
    case("softmax", lambda x: x.softmax(1), randn(3, 9, 4))
    case("log-softmax", lambda x: x.log_softmax(-1), randn(5, 11))
    case("logsumexp", lambda x: x.logsumexp(0), randn(9, 4))
    for name in ("silu", "gelu", "softplus", "sigmoid", "tanh", "relu"):
        case(name, getattr(F, name) if name != "sigmoid" and name != "tanh" else getattr(torch, name), 3 * randn(64))
    case("gelu-tanh", lambda x: F.gelu(x, approximate="tanh"), 3 * randn(64))
    case("mse", F.mse_loss, randn(5, 6), randn(5, 6))
    label = torch.randint(0, 10, (7,), dtype=torch.int32)
    case("cross-entropy", lambda x, i: F.cross_entropy(x, i.long(), reduction="none"), randn(7, 10), ints=(label,))
    case("max-pool", pool(F.max_pool2d, (3, 2), (2, 1), (1, 0)), randn(2, 6, 5, 3))
    case("mean-pool", pool(F.avg_pool2d, (3, 2), (2, 1), (1, 0)), randn(2, 6, 5, 3))
    index = torch.randint(0, 6, (4, 3), dtype=torch.int32)
    case("embedding", lambda w, i: F.embedding(i.long(), w), randn(6, 5), ints=(index,))
    case("scatter-add", lambda x, y, i: x.index_add(1, i.flatten(), y), randn(3, 6, 2), randn(3, 12, 2), ints=(index,))
    case("cumsum", lambda x: x.cumsum(1), randn(3, 100))
    case("sort", lambda x: x.sort(0)[0], randn(33, 2))
    spd = randn(2, 5, 5)
    spd = spd @ spd.transpose(-1, -2) + 2 * torch.eye(5)
    case("cholesky", lambda a: torch.linalg.cholesky((a + a.transpose(-1, -2)) / 2), spd)
    case("slogdet", lambda a: torch.linalg.slogdet(a)[1], randn(3, 6, 6))
    case("triangular-solve", lambda a, b: torch.linalg.solve_triangular(a.tril(), b, upper=False),
         randn(2, 5, 5) + 4 * torch.eye(5), randn(2, 5, 3))
    case("fft", lambda x: torch.view_as_real(torch.fft.fft(torch.view_as_complex(x))), randn(2, 12, 2))
    case("ifft", lambda x: torch.view_as_real(torch.fft.ifft(torch.view_as_complex(x))), randn(2, 16, 2))
    positive = randn(48).exp()
    for name in ("erf", "expm1", "log1p", "rsqrt"):
        case(name, getattr(torch, name), positive)
    case("lgamma", torch.lgamma, positive, second=False)
    case("erfinv", torch.erfinv, torch.rand(48) * 1.8 - 0.9)
    case("i0e", torch.special.i0e, 4 * randn(48))
    case("pow", torch.pow, positive, randn(48))
    case("atan2", torch.atan2, randn(48), randn(48))
    case("max", torch.maximum, randn(48), randn(48))
    save(folder + "/ops.safetensors", cases)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
