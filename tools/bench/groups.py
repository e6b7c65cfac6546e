# SPDX-License-Identifier: Apache-2.0
"""What tools/bench/compare measures: each group is a function from a Session to tables of rows, with the targets
that the project sets itself. A ratio is PyTorch's time over Weir's, taken round by round: above 1 Weir is faster."""
import json
import os
import statistics
import sys
import tempfile
import time

from tables import Row, geometric_mean, show, verdict

MODELS = ("fashion-unet", "fashion-dit")
STEPS = [  # name, recipe, batch, target beside eager, beside compile
    ("fashion-unet", "fashion-unet", None, 1.4, 1.2),
    ("fashion-dit", "fashion-dit", None, 1.6, 1.5),
    ("toy, batch 4096", "toy", 4096, 2.0, 2.0),
    ("toy, batch 256", "toy", 256, 4.0, 4.0),
]
OPS = {"gemm": (1.0, 1.1), "conv": (0.95, 1.0), "attention": (1.4, None), "rows": (4.0, None)}  # each, mean
ROOF = 0.75          # rows: share of the lower of copy bandwidth and instruction rate
SAMPLING = 1.5
MEMORY = 0.5
COLD, WARM = 30.0, 1.0
HOST = 6.0
IMAGES, SAMPLING_STEPS = 64, 20


class Session:
    def __init__(self, args, weirs, torch):
        self.args, self.weirs, self.torch = args, weirs, torch  # weirs: {driver: sides.Weir}
        self.versions, self.rows, self.steps_done = {}, [], {}
        self.start = time.monotonic()

    @property
    def sides(self):
        return [*self.weirs, "eager", "compile"]

    def note(self, text):
        print(f"{time.monotonic() - self.start:6.0f} s  {text}", file=sys.stderr, flush=True)

    def weir(self, driver, *words, **options):
        """The result of one `weir bench`."""
        result = self.weirs[driver].bench(*words, **options)
        if "device" not in options:
            self.versions[driver] = {"weir": result["weir"], **result["device"]}
        return result

    def run_torch(self, *words, **options):
        result = self.torch.run(*words, **options)
        self.versions["torch"] = {k: result[k] for k in ("torch", "threads", "device")}
        return result

    def finish(self, group, rows):
        self.rows += rows
        show(group, rows, self.sides)
        sys.stdout.flush()

    def quoted(self, row, other, target):
        """The better driver beside PyTorch's `other`."""
        row.compare(other, other, row.best(self.weirs), target)


def ops(session, group):
    known = session.torch.kinds()
    meant = [r for r in next(iter(session.weirs.values())).ops()
             if r["group"] == group and session.args.rows in r["name"]]
    listed = [r for r in meant if r["kind"] in known]
    rows = {r["name"]: Row(group, r["name"]) for r in listed}
    roofs = {}
    for i in range(session.args.rounds if listed else 0):
        session.note(f"{group}: round {i + 1} of {session.args.rounds}")
        for driver in session.weirs:
            result = session.weir(driver, "op", *rows, repeats=session.args.repeats)
            for r in result["rows"]:
                rows[r["name"]].add(driver, statistics.median(r["s"]), r["s"])
                roofs.setdefault(r["name"], {}).setdefault(driver, []).append(r.get("roof"))
                rows[r["name"]].amount = (r["flop"], "GFLOP/s") if r["flop"] else (r["bytes"], "GB/s")
        result = session.run_torch("torch_ops.py", "--repeats", str(session.args.repeats), stdin=json.dumps(listed))
        for r, mine in zip(result["rows"], listed):
            if r["flop"] != mine["flop"]:
                sys.exit(f"{r['name']}: PyTorch counts {r['flop']} FLOP, Weir {mine['flop']}")
            rows[r["name"]].add("eager", statistics.median(r["s"]), r["s"])
    each, mean = OPS[group]
    for r in listed:
        row = rows[r["name"]]
        session.quoted(row, "eager", each)
        shares = [s for s in roofs[r["name"]][row.best(session.weirs)] if s is not None]
        if shares:
            share = statistics.median(shares)
            row.ratios.append(verdict("of roof", share, 0.0, ROOF if group == "rows" else None))
    table = list(rows.values())
    if mean and len(table) > 1:
        table.append(geometric_mean(group, table, "eager", mean))
    session.finish(group, table)
    alone = dict.fromkeys(r["kind"] for r in meant if r["kind"] not in known)  # in their order, each once
    if alone:
        print(f"no PyTorch side: {', '.join(alone)}", flush=True)


def model_words(recipe, batch):
    return ["model", recipe, *(["--set", f"train.batch={batch}"] if batch else [])]


def torch_words(recipe, batch, repeats, compiled=False):
    return ["torch_step.py", recipe, "--repeats", str(repeats), *(["--batch", str(batch)] if batch else []),
            *(["--compile"] if compiled else [])]


def chosen(session, names):
    return [n for n in names if session.args.rows in (n if isinstance(n, str) else n[0])]


def step_rows(session, name):
    """The times and the memory of a step, measured once for the two groups that read them."""
    if name in session.steps_done:
        return session.steps_done[name]
    recipe, batch = next((r, b) for n, r, b, _, _ in STEPS if n == name)
    times, memory = Row("steps", name), Row("memory", name, "MB", 1e-6)
    session.steps_done[name] = times, memory
    session.note(f"{name}: one untimed run a side, which fills the caches on disk")
    for driver in session.weirs:
        session.weir(driver, *model_words(recipe, batch), repeats=1)
    session.run_torch(*torch_words(recipe, batch, 1, compiled=True))
    counts = set()
    for i in range(session.args.rounds):
        session.note(f"{name}: round {i + 1} of {session.args.rounds}")
        for side in session.sides:
            if side in session.weirs:
                result = session.weir(side, *model_words(recipe, batch), repeats=session.args.repeats)["rows"][0]
                memory.notes["planned"] = f"{1e-6 * result['planned']:.0f} MB"
            else:
                result = session.run_torch(*torch_words(recipe, batch, session.args.repeats, side == "compile"))
            times.add(side, statistics.median(result["s"]), result["s"])
            memory.add(side, result["peak_memory"])
            counts.add(result["parameters"])
    if len(counts) != 1:
        sys.exit(f"{name}: the sides do not have the same number of parameters: {sorted(counts)}")
    times.notes["parameters"] = counts.pop()
    return times, memory


def steps(session):
    rows = []
    for name, _, _, eager, compiled in chosen(session, STEPS):
        row = step_rows(session, name)[0]
        session.quoted(row, "eager", eager)
        session.quoted(row, "compile", compiled)
        rows.append(row)
    session.finish("steps", rows)


def memory(session):
    rows = []
    for name in chosen(session, MODELS):
        row = step_rows(session, name)[1]
        row.compare("eager", row.best(session.weirs), "eager", MEMORY, atmost=True)
        rows.append(row)
    session.finish("memory above what the process held", rows)


def sampling(session):
    rows = []
    sets = [f"sample.n={IMAGES}", f"sample.batch={IMAGES}", "sample.solver=euler", f"sample.steps={SAMPLING_STEPS}",
            "sample.guidance_scale=1"]
    words = [w for s in sets for w in ("--set", s)]
    for recipe in chosen(session, MODELS):
        row = Row("sampling", f"{recipe}, {IMAGES} images, {SAMPLING_STEPS} steps")
        for i in range(session.args.rounds):
            session.note(f"sampling of {recipe}: round {i + 1} of {session.args.rounds}")
            for driver in session.weirs:
                result = session.weir(driver, "sample", recipe, *words, repeats=1)["rows"][0]
                row.add(driver, statistics.median(result["s"]), result["s"])
            result = session.run_torch("torch_step.py", recipe, "--sample", str(IMAGES), "--steps", str(SAMPLING_STEPS),
                                       "--repeats", "1")
            row.add("eager", statistics.median(result["s"]), result["s"])
        session.quoted(row, "eager", SAMPLING)
        rows.append(row)
    session.finish("sampling", rows)


def compile_time(session):
    """Compiling until the first step is done, less a step: some drivers compile in the first run."""
    cold, warm = Row("compile", "fashion-unet, cold", "s", 1), Row("compile", "fashion-unet, warm", "s", 1)
    for driver in session.weirs:
        with tempfile.TemporaryDirectory() as folder:
            env = {"XDG_CACHE_HOME": folder, "POCL_CACHE_DIR": os.path.join(folder, "pocl")}
            for row in (cold, warm):
                session.note(f"{row.name} on {driver}")
                r = session.weir(driver, "model", "fashion-unet", repeats=1, env=env)["rows"][0]
                row.add(driver, r["compile_s"] + r["first_step_s"] - statistics.median(r["s"]))
    driver = "pocl" if "pocl" in session.weirs else cold.best(session.weirs)
    cold.limit(driver, driver, COLD)
    warm.limit(driver, driver, WARM)
    session.finish("compile", [cold, warm])


def host(session):
    """The loop nests that define the bits, beside the kernels."""
    row = Row("host", "fashion-unet step")
    driver = next(iter(session.weirs))
    for i in range(session.args.rounds):
        session.note(f"host: round {i + 1} of {session.args.rounds}")
        for side, options in (("host", {"device": "host"}), (driver, {})):
            result = session.weir(driver, "model", "fashion-unet", repeats=1, **options)["rows"][0]
            row.add(side, statistics.median(result["s"]), result["s"])
    row.compare("host/" + driver, "host", driver, HOST, atmost=True)
    show("host reference", [row], [driver, "host"])
    session.rows.append(row)


def off(session):
    """What a step costs without each part of the compiler, as a multiple of the step with all of them."""
    driver = next(iter(session.weirs))
    parts = ("fusion", "plan", "recompute", "replay", "tuner")
    session.note("tuning, where that was not done before")
    session.weir(driver, "model", "fashion-unet", "--tune", "full", repeats=1)
    times = {part: Row("off", f"fashion-unet without {part}") for part in parts}
    memory = {part: Row("off", f"  memory without {part}", "MB", 1e-6) for part in parts}
    for i in range(session.args.rounds):
        results = {}
        for part in (None, *parts):
            session.note(f"without {part or 'nothing'}: round {i + 1} of {session.args.rounds}")
            words = ["model", "fashion-unet", *(["--off", part] if part else [])]
            results[part] = session.weir(driver, *words, repeats=session.args.repeats)["rows"][0]
        for part in parts:
            for side, r in (("all", results[None]), ("off", results[part])):
                times[part].add(side, statistics.median(r["s"]), r["s"])
                memory[part].add(side, r["peak_memory"])
    rows = [row for part in parts for row in (times[part], memory[part])]
    for row in rows:
        row.compare("off/all", "off", "all", None)
    show(f"parts of the compiler turned off, {driver}", rows, ["all", "off"])
    session.rows += rows


GROUPS = {**{name: (lambda session, name=name: ops(session, name)) for name in OPS}, "steps": steps,
          "sampling": sampling, "memory": memory, "compile": compile_time, "host": host, "off": off}
