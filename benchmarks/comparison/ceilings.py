"""How close a row comes to what the machine can do: products to the peak of fused multiply-add,
what is bound by memory to the bandwidth, both measured by peers/limits.cpp in the same run.

Bytes are what the workload must move at least, f32 throughout: every pass reads each of its
operands once and writes each of its results once. Forward and backward are separate passes, and
the gradient that backward starts from is written (ones_like) and then read. Statistics of rows,
indices and the weights of a normalisation are left out, being a thousandth. Triad counts the same
way: three times four bytes an element, though its stores read the lines first; what is updated in
place has read them anyway, and is held against the read bandwidth. So a share above 100 % means
that less was moved: a buffer was handed on instead of copied, or the cache still held it.
"""

import os
import pathlib
import re

from comparison.rows import Failed, PEER_ROW, parse, spread

_ADD = 4096 * 3072
# name: (bytes, bandwidth it is a share of, derivation)
BYTES = {
    "layernorm_4096x768": (
        6 * 4 * 4096 * 768,
        "triad",
        "x read, y written; dy written; x and dy read, dx written: 6 x 4 B",
    ),
    "softmax_4096x1024": (
        6 * 4 * 4096 * 1024,
        "triad",
        "x read, y written; dy written; y and dy read, dx written: 6 x 4 B",
    ),
    "gelu_4096x3072": (
        6 * 4 * _ADD,
        "triad",
        "x read, y written; dy written; x and dy read, dx written: 6 x 4 B",
    ),
    "add_4096x3072": (
        7 * 4 * _ADD,
        "triad",
        "a and b read, y written; dy written; dy read, da and db written: 7 x 4 B",
    ),
    "cross_entropy_512x50257": (
        3 * 4 * 512 * 50257,
        "triad",
        "logits read; logits read, their gradient written: 3 x 4 B",
    ),
    "sum_4096x3072_dim0": (2 * 4 * _ADD, "triad", "x read; dx written: 2 x 4 B"),
    "adamw_50M": (
        7 * 4 * 50_000_000,
        "read",
        "p, g, m and v read; p, m and v written in place: 7 x 4 B",
    ),
}

# GPT-2 124M: the weights of 12 blocks (qkv, proj, fc, fc2: 12 width^2) and of the output layer are
# read once a token (a prompt of 16 counts as one token's pass: 64 passes give 64 tokens). Keys and
# values of at most 79 positions are 1 % and left out.
_DECODE_WEIGHTS = 12 * 12 * 768**2 + 50257 * 768
_DECODE_ROWS = 12 * (2304 + 768 + 3072 + 768) + 50257
DECODE_BYTES = {
    "fp32": (4 * _DECODE_WEIGHTS, "123.5 M weights x 4 B a token"),
    "bf16": (2 * _DECODE_WEIGHTS, "123.5 M weights x 2 B a token"),
    "int8": (_DECODE_WEIGHTS + 4 * _DECODE_ROWS, "123.5 M weights x 1 B, a scale of 4 B a row"),
}
DECODE_TARGET = 0.85  # of the read bandwidth

# Multiplications and additions of what is bound by products and not printed in GFLOP/s.
# name: (flops, derivation)
FLOPS = {
    "linear_ce_512x768x50257": (
        3 * 2 * 512 * 768 * 50257,
        "three products of 512 x 768 x 50257",
    ),
    "attn_causal_2x12x512x64": (
        7 * 2 * 24 * (512 * 512 // 2) * 64,
        "over the triangle, 2 products forward, 4 backward, 1 recomputed",
    ),
    "attn_causal_1x12x2048x64": (
        7 * 2 * 12 * (2048 * 2048 // 2) * 64,
        "over the triangle, 2 products forward, 4 backward, 1 recomputed",
    ),
    "conv_32x64x32x32_k3": (
        3 * 2 * 32 * 64 * 1024 * 64 * 9,
        "three products of 64 x 576 x 32768",
    ),
    "conv_32x256x8x8_k3": (
        3 * 2 * 32 * 256 * 64 * 256 * 9,
        "three products of 256 x 2304 x 2048",
    ),
}


def fma_peak(isa, precision, metric, limits):
    """(GFLOP/s, what it is) of the instructions that a product of this metric uses, or None."""
    amx = limits.get(("amx_bf16_registers", "peak"))
    if isa == "amx" and amx and (metric == "bf16" or precision == "medium"):
        return amx[0], "AMX bf16"
    if isa == "amx" and amx and precision == "high":
        return amx[0] / 6, "AMX bf16, six products for one"
    name = {"amx": "fma_avx512", "avx512": "fma_avx512", "avx2": "fma_avx2"}.get(isa)
    peak = limits.get((name, "peak"))
    return (peak[0], f"FMA {name[4:]}") if peak else None


def achieved(row, value):
    """(rate, "GFLOP/s" or "GB/s", bandwidth or None, derivation) of a figure of this row."""
    name, metric, unit = row["name"], row["metric"], row["unit"]
    if unit == "GFLOP/s":
        sizes = re.fullmatch(r"(?:gemm|linear)_(\d+)(?:x(\d+)x(\d+))?", name)
        m, n, k = (sizes[1], sizes[2] or sizes[1], sizes[3] or sizes[1]) if sizes else "mnk"
        return value, unit, None, f"2 x {m} x {n} x {k}"
    if name in FLOPS and unit == "ms":
        flops, how = FLOPS[name]
        return flops / value / 1e6, "GFLOP/s", None, how
    if name in BYTES and unit == "ms":
        count, bandwidth, how = BYTES[name]
        return count / value / 1e6, "GB/s", bandwidth, how
    if name == "gpt_124m_decode" and unit == "tok/s" and metric in DECODE_BYTES:
        count, how = DECODE_BYTES[metric]
        return count * value / 1e9, "GB/s", "read", how
    return None


def best_of(limits_of_rounds):
    """The greatest of each limit: a ceiling is what the machine can do, and a round in which it was
    disturbed must not flatter a share."""
    best = {}
    for limits in limits_of_rounds:
        for key, (value, unit) in limits.items():
            best[key] = (max(value, best.get(key, (value,))[0]), unit)
    return best


def share(row, values, limits, isa, precision):
    """One side's rates, round by round, and their shares of the ceiling; None without one."""
    found = [achieved(row, value) for value in values]
    _, unit, bandwidth, how = found[0]
    if bandwidth:
        measured = limits.get((bandwidth, "bandwidth"))
        ceiling = (measured[0], bandwidth) if measured else None
    else:
        ceiling = fma_peak(isa, precision, row["metric"], limits)
    if not ceiling:
        return None
    peak, name = ceiling
    return {
        "unit": unit,
        "counted": how,
        "ceiling": name,
        "ceiling_value": peak,
        "rate": spread([rate for rate, *_ in found]),
        "share": spread([rate / peak for rate, *_ in found]),
    }


def shares(rows, limits_of_rounds, isa, precision):
    """A line for each row that has a ceiling: adjoint's and PyTorch's share of it.
    limits_of_rounds: what limits printed in each round, parsed."""
    limits = best_of(limits_of_rounds)
    lines = []
    for row in rows:
        if achieved(row, 1.0) is None:
            continue
        line = share(row, row["adjoint"]["rounds"], limits, isa, precision)
        if line is None:
            continue
        line.update(name=row["name"], metric=row["metric"])
        # Not where the row is compared with another row of the peer: those are not these bytes.
        if "pytorch" in row and (row["name"], row["metric"]) not in PEER_ROW:
            theirs = row["pytorch"]["value"]["rounds"]
            peer = share(row, theirs, limits, isa, precision)
            line["pytorch"] = {"rate": peer["rate"], "share": peer["share"]}
        if row["name"] == "gpt_124m_decode":
            met = line["share"]["median"] >= DECODE_TARGET
            status = "met" if met else "short"
            line["target"] = {"text": f">= {DECODE_TARGET:.0%}", "status": status}
        lines.append(line)
    return lines


def build(source, build_folder, compiler, run):
    """The program that measures the ceilings. It stands alone, linked to nothing of the library,
    and chooses each instruction set by an attribute: the flags are those of its first comment."""
    program = pathlib.Path(build_folder) / "bin/limits"
    if program.exists() and os.path.getmtime(program) >= os.path.getmtime(source):
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    run([compiler, "-O3", "-std=c++20", "-pthread", str(source), "-o", str(program)])
    return program


def measure(program, threads, run):
    rows = parse(run([str(program), str(threads)]), "limits")
    if not rows:
        raise Failed("limits printed nothing")
    return rows
