# SPDX-License-Identifier: Apache-2.0
"""Rows of tools/bench/compare: medians, ratios round by round, targets, and how they are printed."""
import math
import statistics


def median_and_spread(values):
    middle = statistics.median(values)
    return middle, (max(values) - min(values)) / middle if middle else 0.0


class Row:
    """One line: what each side took (seconds or bytes), a value a round."""

    def __init__(self, group, name, unit="ms", scale=1e3):
        self.group, self.name, self.unit, self.scale = group, name, unit, scale
        self.rounds = {}   # side: values, one a round
        self.samples = {}  # side: all timed runs, a list a round
        self.ratios = []   # what is compared, each with its target
        self.notes = {}
        self.amount = None  # of work: (FLOP, "GFLOP/s") or (bytes, "GB/s"), for rates

    def add(self, side, value, samples=None):
        self.rounds.setdefault(side, []).append(value)
        if samples is not None:
            self.samples.setdefault(side, []).append(samples)

    def best(self, sides):
        here = [s for s in sides if s in self.rounds]
        return min(here, key=lambda s: statistics.median(self.rounds[s])) if here else None

    def compare(self, name, over, under, target, atmost=False):
        """The ratio over / under of each round; its median must reach the target (or stay at most there)."""
        if over not in self.rounds or under not in self.rounds:
            return
        pairs = [a / b for a, b in zip(self.rounds[over], self.rounds[under])]
        ratio, spread = median_and_spread(pairs)
        self.ratios.append(verdict(name, ratio, spread, target, atmost))

    def limit(self, name, side, target):
        """The value itself must stay at most at the target (in the unit shown)."""
        if side in self.rounds:
            value, spread = median_and_spread([self.scale * v for v in self.rounds[side]])
            self.ratios.append(verdict(name, value, spread, target, True))

    def as_json(self):
        return {"group": self.group, "name": self.name, "unit": self.unit, "rounds": self.rounds,
                "samples": self.samples, "ratios": self.ratios, "amount": self.amount, **self.notes}

    def cell(self, side):
        if side not in self.rounds:
            return ""
        value = statistics.median(self.rounds[side])
        text = f"{self.scale * value:.{2 if self.scale * value >= 1 else 3}f} {self.unit}"
        return f"{text} {1e-9 * self.amount[0] / value:6.1f}" if self.amount else text


def verdict(name, value, spread, target, atmost=False):
    met = None if target is None else value <= target if atmost else value >= target
    return {"name": name, "value": value, "spread": spread, "target": target, "atmost": atmost, "met": met}


def geometric_mean(group, rows, name, target):
    """A row of the means of a ratio over `rows`."""
    values = [r["value"] for row in rows for r in row.ratios if r["name"] == name]
    out = Row(group, "geometric mean")
    if values:
        out.ratios.append(verdict(name, math.exp(sum(map(math.log, values)) / len(values)), 0.0, target))
    return out


def show_ratio(r):
    text = f"{r['name']:>8} {r['value']:7.2f}"
    text += f" ±{50 * r['spread']:4.1f}%" if r["spread"] else " " * 7
    if r["met"] is not None:
        text += f"  {'at most' if r['atmost'] else 'target'} {r['target']:g} {'met' if r['met'] else 'MISSED'}"
    return text


def show(group, rows, sides):
    """One table: a column a side, then each ratio with its spread (half of it either way) and target."""
    if not rows:
        return
    here = [s for s in sides if any(s in row.rounds for row in rows)]
    rates = sorted({row.amount[1] for row in rows if row.amount})
    group = f"{group} ({', '.join(['ms', *rates])})" if rates else group
    width = max([len(row.name) for row in rows] + [len(group)])
    print(f"\n{group:{width}}" + "".join(f" {s:>18}" for s in here))
    for row in rows:
        line = f"{row.name:{width}}" + "".join(f" {row.cell(side):>18}" for side in here)
        print("  ".join([line, *(show_ratio(r) for r in row.ratios)]).rstrip())
        for key, value in row.notes.items():
            print(f"{'':{width}}   {key}: {value}")
