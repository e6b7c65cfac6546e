# SPDX-License-Identifier: Apache-2.0
"""The two sides of tools/bench/compare as processes: one at a time, each fresh, so that no thread of the one spins
while the other is timed."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DRIVER = os.path.join(ROOT, "tests", "driver.sh")


def run(command, env=None, stdin=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, input=stdin,
                          env={**os.environ, **(env or {})})
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr}")
    return done.stdout


class Weir:
    """`driver` is one of tests/driver.sh, one a process, or "system": whatever is registered."""

    def __init__(self, path, driver, device):
        self.path, self.driver, self.device = path, driver, device

    def command(self, *words):
        return [*([] if self.driver == "system" else [DRIVER, self.driver]), *words]

    def missing(self):
        """Why the driver cannot be used, or an empty text."""
        done = subprocess.run(self.command("true"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.stdout.strip() if done.returncode else ""

    def bench(self, *words, repeats, env=None, device=None):
        """The result file of one `weir bench`."""
        device = device or self.device or ("auto" if self.driver == "system" else "opencl:0")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bench.json")
            run(self.command(self.path, "bench", *words, "--repeats", str(repeats), "--json", path, "--device", device), env)
            with open(path) as f:
                return json.load(f)

    def ops(self):
        """What `weir bench op` has; needs no device."""
        return json.loads(run([self.path, "bench", "op", "--list"]))["rows"]


class Torch:
    def __init__(self, python, device):
        self.python, self.device = python, device

    def run(self, script, *words, stdin=None):
        command = [self.python, os.path.join(HERE, script), *words, "--device", self.device]
        return json.loads(run(command, stdin=stdin).splitlines()[-1])

    @staticmethod
    def kinds():
        """Kinds of operations that torch_ops.py knows; needs no PyTorch."""
        return run([sys.executable, os.path.join(HERE, "torch_ops.py"), "--list"]).split()


def install_torch():
    folder = os.path.join(ROOT, "build-torch")
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        print(f"installing PyTorch into {folder}: about 6 GB", file=sys.stderr)
        run([sys.executable, "-m", "venv", folder])
        run([python, "-m", "pip", "install", "-q", "torch", "numpy"])
    return python
