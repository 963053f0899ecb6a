"""The micro benchmarks: Google Benchmark programs, run once, their JSON in short."""

import json

from comparison.rows import Failed
from comparison.sides import run_program

PROGRAMS = ("gemm_bench", "operator_bench", "step_bench", "module_bench")
_NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_RATES = ("GFLOP/s", "FLOP/s", "bytes/s", "items_per_second")


def shortened(text, who):
    """[{name, ns, rate, unit}] of what a program printed as JSON."""
    try:
        entries = json.loads(text)["benchmarks"]
        lines = []
        for entry in entries:
            line = {"name": entry["name"]}
            line["ns"] = entry["real_time"] * _NANOSECONDS[entry["time_unit"]]
            for counter in _RATES:
                if counter in entry:
                    line.update(rate=entry[counter], unit=counter)
                    break
            lines.append(line)
        return lines
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"{who} printed no results of Google Benchmark: {error!r}") from None


def run(build, threads, prefix, say):
    results = []
    for name in PROGRAMS:
        program = build / "bin" / name
        if not program.exists():
            raise Failed(f"no {program}: it is built where Google Benchmark is (tools/setup tests)")
        say(f"micro: {name}")
        command = [program, "--benchmark_format=json", "--benchmark_min_time=0.05"]
        out, _ = run_program(command, prefix, {"ADJOINT_THREADS": str(threads)})
        results.append({"program": name, "lines": shortened(out, name)})
    return results
