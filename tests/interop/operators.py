"""Every operator that PyTorch has too: values and gradients against its own.

operators.py --tool PATH [--only ROW] [--golden FILE]
The samples are those of the catalogue (core/catalog), each with the call of PyTorch that it says;
f64, f32 and bf16, at PyTorch's own tolerances (torch.testing.assert_close). Where PyTorch is off
itself in f32 or bf16, its f64 of the same inputs decides. A gradient in bf16 may be a sum of
products rounded each, whose error is one of the largest: it is held to 1.6e-2 of the largest
element. With --golden, what PyTorch computes in
f64 for the first small sample of each operator is written to FILE instead, for
tests/core/catalog_test.cpp. Ends with status 77 where PyTorch is missing.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings

try:
    import torch
    import torch.nn.functional as F
    from safetensors.torch import load_file, save_file
except ImportError as error:
    print(f"SKIPPED: {error}: run tools/oracles --torch to compare with PyTorch")
    sys.exit(77)

DTYPES = {"f64": torch.float64, "f32": torch.float32, "bf16": torch.bfloat16}
TOLERANCES = {torch.float64: (1e-7, 1e-7), torch.float32: (1.3e-6, 1e-5),
              torch.bfloat16: (1.6e-2, 1e-5)}
GOLDEN_ELEMENTS = 512  # of all the tensors of a golden sample together


class Functions(dict):
    """PyTorch's functions by their bare names, beside torch and F."""

    def __missing__(self, name):
        found = getattr(torch, name, None) or getattr(F, name, None)
        if found is None or isinstance(found, torch.dtype):  # float and int are Python's
            raise KeyError(name)
        return found


def flat(result):
    if isinstance(result, torch.Tensor):
        return [result]
    return [one for part in result for one in flat(part)]


def numbered(tensors, key, what):
    """The tensors KEY.WHAT0, KEY.WHAT1, ... by their numbers."""
    prefix = f"{key}.{what}"
    return {int(name[len(prefix):]): x for name, x in tensors.items()
            if name.startswith(prefix) and name[len(prefix):].isdigit()}


def theirs(call, tensors, key, dtype=None):
    """What PyTorch makes of a sample: {"out0": ..., "d0": ...}; in `dtype` where one is given."""
    def cast(x):
        return x.to(dtype) if dtype and x.is_floating_point() else x
    inputs = numbered(tensors, key, "in")
    x = [cast(inputs[i]).clone() for i in range(len(inputs))]
    directions = numbered(tensors, key, "dy")
    for one in x:
        one.requires_grad_(one.is_floating_point() and bool(directions))
    names = {"torch": torch, "F": F, "x": x}
    outputs = flat(eval(call, names, Functions()))  # pylint: disable=eval-used
    results = {f"out{i}": y.detach() for i, y in enumerate(outputs)}
    used = [(outputs[i], cast(dy)) for i, dy in directions.items()
            if i < len(outputs) and outputs[i].requires_grad]
    if used:
        torch.autograd.backward([y for y, _ in used], [dy for _, dy in used])
    for i, one in enumerate(x):
        if directions and one.is_floating_point():
            results[f"d{i}"] = one.grad if one.grad is not None else torch.zeros_like(one)
    return results


def close(a, b, gradient):
    if a.shape != b.shape:
        return False
    if not a.is_floating_point():
        return a.dtype == b.dtype and torch.equal(a, b)
    rtol, atol = TOLERANCES[a.dtype]
    if gradient and a.dtype == torch.bfloat16 and b.numel() > 0:
        atol = rtol * b.abs().nan_to_num(0).max().item()
    return torch.allclose(a.double(), b.double(), rtol=rtol, atol=atol, equal_nan=True)


def compare(key, sample, call, tensors, dtype):
    """What differs in a sample, a line each."""
    where = f"{key} {sample}: {call} in {dtype}"
    ours = {name[len(key) + 1:]: x for name, x in tensors.items() if name.startswith(key + ".")}
    try:
        exact = theirs(call, tensors, key, torch.float64)
    except Exception as error:  # pylint: disable=broad-except
        return [f"{where}: {type(error).__name__}: {error}"]
    try:
        expected = theirs(call, tensors, key)
    except Exception:  # pylint: disable=broad-except
        expected = None  # PyTorch has not every operator in bf16
        if dtype != torch.bfloat16:
            raise
    wrong = []
    for name, b in exact.items():
        if name not in ours:
            wrong.append(f"{where}: we have no {name}")
            continue
        a = ours[name]
        own = expected[name] if expected else b.to(a.dtype)
        if own.dtype != a.dtype or own.shape != a.shape:
            wrong.append(f"{where}: {name}: {a.dtype} {tuple(a.shape)}, "
                         f"PyTorch {own.dtype} {tuple(own.shape)}")
        elif not any(close(a, c, name[0] == "d") for c in (own, b.to(a.dtype))):
            wrong.append(f"{where}: {name}: {a.flatten()[:8].tolist()}, "
                         f"PyTorch {own.flatten()[:8].tolist()}")
    extra = {name for name in ours if name.startswith("out")} - exact.keys()
    return wrong + [f"{where}: PyTorch has no {name}" for name in sorted(extra)]


def golden(samples, tensors):
    """PyTorch's results for one sample of each operator, by "ROW: SAMPLE out0" and so on."""
    found, done = {}, set()
    for key, row, sample, call in samples:
        if row in done:
            continue
        results = theirs(call, tensors, key)
        directions = {f"dy{i}": dy for i, dy in numbered(tensors, key, "dy").items()}
        count = sum(x.numel() for x in results.values())
        if count == 0 or count > GOLDEN_ELEMENTS:
            continue
        done.add(row)
        for name, x in {**results, **directions}.items():
            found[f"{row}: {sample} {name}"] = x.contiguous().clone()
    missing = {row for _, row, _, _ in samples} - done
    if missing:
        sys.exit(f"no sample of at most {GOLDEN_ELEMENTS} elements: {', '.join(sorted(missing))}")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--only")
    parser.add_argument("--golden")
    options = parser.parse_args()
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    compared, failures = 0, []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.tool, folder], check=True)
        with open(f"{folder}/samples.tsv", encoding="utf-8") as file:
            samples = [line.rstrip("\n").split("\t") for line in file]
        if options.golden:
            save_file(golden(samples, load_file(f"{folder}/f64.safetensors")), options.golden)
            return 0
        for name, dtype in DTYPES.items():
            tensors = load_file(f"{folder}/{name}.safetensors")
            for key, row, sample, call in samples:
                if f"{key}.out0" not in tensors or options.only not in (None, row):
                    continue
                own = {n: x for n, x in tensors.items() if n.startswith(key + ".")}
                failures += compare(key, sample, call, own, dtype)
                compared += 1
    for line in failures:
        print(f"FAILED: {line}")
    rows = len({row for _, row, _, _ in samples})
    print(f"PyTorch {torch.__version__}, {rows} operators, {compared} samples compared, "
          f"{len(failures)} differences")
    return 1 if failures or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
