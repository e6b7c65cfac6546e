# SPDX-License-Identifier: Apache-2.0
"""What the programs of PyTorch's side share: their options, how PyTorch begins, and the line of JSON at the end."""
import argparse
import json
import sys

try:
    import torch
except ImportError:  # --help and --list do without
    torch = None


def parser(doc):
    out = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--repeats", type=int, default=9)
    out.add_argument("--device", default="cpu", help="PyTorch's device (default: cpu)")
    return out


def begin(args):
    if torch is None:
        sys.exit(f"{sys.argv[0]}: this interpreter has no PyTorch")
    torch.manual_seed(0)
    if args.device != "cpu":  # the default one is not set: setting it costs time in each call
        torch.set_default_device(args.device)


def finish(args, **result):
    print(json.dumps({**result, "torch": torch.__version__, "threads": torch.get_num_threads(),
                      "device": args.device}))
