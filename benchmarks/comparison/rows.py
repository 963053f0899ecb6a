"""Rows of measurements and what two sides' rows say of each other. Nothing here runs a program.

A side prints `name<TAB>metric<TAB>value<TAB>unit`. A ratio above 1 always means that adjoint is
better: faster, or with less memory.
"""

import math
import re
import statistics

# What is better when it is small; everything else is a rate.
SMALLER_IS_BETTER = {"ns", "us", "ms", "s", "B", "KiB", "MiB", "GiB"}
# Counts, which must be the same on both sides: that both train the same model, for one.
COUNTS = {"n"}

# Rows that the peer has under another metric, or not at all: what to compare them with. Weights
# in fewer bits are there to decode faster than the peer does with all of them.
PEER_ROW = {
    ("gpt_124m_decode", "bf16"): ("gpt_124m_decode", "fp32"),
    ("gpt_124m_decode", "int8"): ("gpt_124m_decode", "fp32"),
}


class Failed(Exception):
    """What went wrong, in one line for the user."""


def parse(text, who):
    """{(name, metric): (value, unit)}, in the order of the lines. `who` printed them."""
    rows = {}
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{who}: line {number}, '{line[:100]}'"
        fields = line.split("\t")
        if len(fields) != 4 or not all(fields):
            raise Failed(f"{where}, is not name<TAB>metric<TAB>value<TAB>unit")
        name, metric, text_of_value, unit = fields
        try:
            value = float(text_of_value)
        except ValueError:
            raise Failed(f"{where}: '{text_of_value}' is not a number") from None
        if not (math.isfinite(value) and value > 0):
            raise Failed(f"{where}: {text_of_value} is not a positive, finite number")
        if (name, metric) in rows:
            raise Failed(f"{where}: the row was printed before")
        rows[name, metric] = (value, unit)
    return rows


def spread(values):
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "rounds": list(values),
    }


def ratio(ours, theirs, unit):
    return theirs / ours if unit in SMALLER_IS_BETTER else ours / theirs


def series(runs, who):
    """{key: ([value of each round], unit)} of one side's runs of a group, one a round."""
    result = {}
    for number, run in enumerate(runs, 1):
        if number > 1 and run.keys() != result.keys():
            name, metric = next(iter(run.keys() ^ result.keys()))
            raise Failed(f"{who}: row {name} {metric} is not in every round")
        for key, (value, unit) in run.items():
            values, first_unit = result.setdefault(key, ([], unit))
            if unit != first_unit:
                raise Failed(f"{who}: row {' '.join(key)} is in {first_unit}, then in {unit}")
            values.append(value)
    return result


def against(values, unit, peer, key, who):
    """What the peer's row says, or None if it has none."""
    found = peer.get(key) or peer.get(PEER_ROW.get(key))
    if not found:
        return None
    theirs, their_unit = found
    if their_unit != unit:
        raise Failed(f"row {' '.join(key)} is in {unit} here, in {their_unit} of {who}")
    if unit in COUNTS:
        return {"value": spread(theirs), "ratio": None, "equal": values == theirs}
    ratios = [ratio(a, b, unit) for a, b in zip(values, theirs)]
    return {"value": spread(theirs), "ratio": spread(ratios)}


def compare(group, runs):
    """Rows of a group, as the report has them, from runs = {side: [rows of each round]}, with the
    sides "adjoint", "pytorch" and perhaps "compiled"; and the rows that one side alone has."""
    ours = series(runs["adjoint"], "adjoint")
    peers = {side: series(runs[side], side) for side in runs if side != "adjoint"}
    rows = []
    for key, (values, unit) in ours.items():
        row = {"group": group, "name": key[0], "metric": key[1], "unit": unit}
        row["adjoint"] = spread(values)
        for side, peer in peers.items():
            found = against(values, unit, peer, key, side)
            if found:
                row[side] = found
        rows.append(row)
    alone = []
    for key in peers["pytorch"].keys() - ours.keys():
        alone.append({"row": " ".join(key), "only": "PyTorch"})
    for row in rows:
        if "pytorch" not in row:
            alone.append({"row": f"{row['name']} {row['metric']}", "only": "adjoint"})
    return rows, sorted(alone, key=lambda entry: entry["row"])


# --- targets ---


class Target:
    """At least this ratio to PyTorch's eager side, for rows whose name matches; where `isas` and
    `precision` hold (None: with any), and elsewhere not measured."""

    def __init__(self, group, name, metric, at_least, isas=None, precision="highest", at_most=None):
        self.group, self.name, self.metric = group, name, metric
        self.at_least, self.isas, self.precision = at_least, isas, precision
        self.at_most = at_most  # of adjoint's own figure, in the row's unit

    def matches(self, row):
        return self.metric == row["metric"] and re.fullmatch(self.name, row["name"]) is not None

    def lacking(self, isa, precision):
        """Why a run with these cannot measure it; empty if it can."""
        if self.isas and isa not in self.isas:
            return f"needs {' or '.join(sorted(self.isas))}, this run had {isa}"
        if self.precision not in (None, precision):
            return f"needs --precision {self.precision}, this run had {precision}"
        return ""

    def text(self):
        limit = f", <= {self.at_most:g}" if self.at_most else ""
        return f">= {self.at_least:.3g}x{limit}"


AMX = {"amx"}
_GEMM = "gemm_(256|512|1024|2048)"
TARGETS = [
    Target("overhead", "op_chain_scalar", "fwd_bwd_per_op", 20, None, None, 150),
    Target("mlp_tiny", "mlp_tiny", "train", 15),
    Target("mlp_mnist", "mlp_mnist", "train", 3),
    Target("lstm_char", "lstm_char", "train", 1.5),
    Target("gpt_char", "gpt_char", "train", 2),
    Target("gpt_10m", "gpt_10m", "train", 1.35),
    Target("gpt_10m", "gpt_10m", "train", 2, AMX, "high"),
    Target("gpt_124m", "gpt_124m", "train", 1.8),
    Target("gpt_124m", "gpt_124m", "train", 2.5, AMX, "high"),
    Target("gpt_124m", "gpt_124m", "peak_rss", 1 / 0.7),
    Target("gpt_10m_bf16", "gpt_10m_bf16", "train", 2, AMX, None),
    Target("gpt_124m_bf16", "gpt_124m_bf16", "train", 2, AMX, None),
    Target("gpt_124m_prompt", "gpt_124m_prompt", "fp32", 1.2),
    Target("gpt_124m_decode", "gpt_124m_decode", "fp32", 1.2),
    Target("gpt_124m_decode", "gpt_124m_decode", "bf16", 2.2, None, None),
    Target("gpt_124m_decode", "gpt_124m_decode", "int8", 4, None, None),
    Target("ops", "layernorm_4096x768", "fwd_bwd", 1.6, None, None),
    Target("ops", "softmax_4096x1024", "fwd_bwd", 2, None, None),
    Target("ops", "gelu_4096x3072", "fwd_bwd", 5, None, None),
    Target("ops", "add_4096x3072", "fwd_bwd", 6, None, None),
    Target("ops", "cross_entropy_512x50257", "fwd_bwd", 6, None, None),
    Target("ops", "linear_ce_512x768x50257", "fwd_bwd", 1.4),
    Target("ops", "attn_causal_2x12x512x64", "fwd_bwd", 2),
    Target("ops", "attn_causal_1x12x2048x64", "fwd_bwd", 1.3),
    Target("ops", "conv_(32x64x32x32|32x256x8x8)_k3", "fwd_bwd", 1),
    Target("ops", "conv_64x1x28x28_k3", "fwd_bwd", 2),
    Target("ops", "adamw_50M", "step", 1, None, None),
    Target("seed_forward", "seed_block_small", "fwd", 3),
    Target("seed_forward", "seed_block_medium", "fwd", 1.6),
    Target("seed_forward", "seed_block_large", "fwd", 1.25),
    Target("gemm", _GEMM, "fp32", 1.1, {"avx512", "amx"}),
    Target("gemm", _GEMM, "fp32", 1, {"avx2"}),
    Target("gemm", _GEMM, "fp32", 1.6, AMX, "high"),
]


def verdict(target, row):
    ratio_to_peer = row["pytorch"]["ratio"]["median"]
    met = ratio_to_peer >= target.at_least
    if target.at_most:
        met = met and row["adjoint"]["median"] <= target.at_most
    return "met" if met else "short"


def judge(rows, groups, isa, precision, targets=None):
    """Gives the rows of these groups their targets, {"text", "status"}, and returns the targets
    that this run could not measure, each with the reason. A row is never met by another ISA's or
    precision's figure, nor by a figure without the peer's beside it."""
    unmeasured = []
    for target in TARGETS if targets is None else targets:
        if target.group not in groups:
            continue
        why = target.lacking(isa, precision)
        judged = [row for row in rows if target.matches(row) and "pytorch" in row]
        if not why and not judged:
            why = "no figure of both sides"
        if why:
            what = f"{target.name} {target.metric}"
            unmeasured.append({"row": what, "target": target.text(), "why": why})
            continue
        for row in judged:
            row["target"] = {"text": target.text(), "status": verdict(target, row)}
    return unmeasured
