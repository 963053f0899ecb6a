"""Every row of the module table (tests/nn/modules) against PyTorch's own module.

modules.py --tool PATH [--only TEXT] [--golden FILE]
Outputs, gradients of parameters and inputs, what a step changes in the state, and outputs when
evaluated, in f64 and f32 at PyTorch's tolerances (torch.testing.assert_close); and the names in the
state, which of them train, and how the module prints. With --golden, what PyTorch computes in f64,
with prints, names and the spread of its initial values, is written to FILE instead, for
tests/nn/module_table_test.cpp. Ends with status 77 where PyTorch is missing.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file
except ImportError as error:
    print(f"SKIPPED: {error}: run tools/oracles --torch to compare with PyTorch")
    sys.exit(77)

DTYPES = {"f64": torch.float64, "f32": torch.float32}
TOLERANCES = {torch.float64: (1e-7, 1e-7), torch.float32: (1.3e-6, 1e-5)}
DRAWS = 4000  # initial values of each parameter, at least


def own(name, function):
    """A module of a function, where PyTorch has no module."""
    return type(name, (nn.Module,), {"forward": staticmethod(function)})()


NAMES = {"torch": torch, "nn": nn, "F": F, "own": own}


class Row:
    def __init__(self, line):
        self.key, self.torch, self.call, is_random, differentiable = line.split("\t")
        self.random, self.differentiable = is_random == "1", int(differentiable)

    def make(self):
        return eval(self.torch, dict(NAMES))  # pylint: disable=eval-used

    def outputs(self, module, x):
        y = eval(self.call, {**NAMES, "m": module, "x": x})  # pylint: disable=eval-used
        return list(y) if isinstance(y, tuple) else [y]


def below(tensors, prefix):
    return {k[len(prefix):]: v for k, v in tensors.items() if k.startswith(prefix)}


def theirs(row, ours, dtype):
    """What PyTorch makes of the state, inputs and directions of `ours`, under the same names."""
    module = row.make().to(dtype)
    module.load_state_dict(below(ours, "state/"))
    module.train(not row.random)
    inputs = below(ours, "in")
    x = [inputs[str(i)].clone() for i in range(len(inputs))]
    for i, one in enumerate(x):
        one.requires_grad_(one.is_floating_point() and i < row.differentiable)
    results = {}
    outputs = row.outputs(module, x)
    results.update({f"out{i}": y.detach().clone() for i, y in enumerate(outputs)})
    used = [(y, ours[f"dy{i}"]) for i, y in enumerate(outputs) if y.requires_grad]
    if used:
        torch.autograd.backward([y for y, _ in used], [dy for _, dy in used])
    results.update({f"d{i}": one.grad for i, one in enumerate(x) if one.grad is not None})
    for name, p in module.named_parameters():
        if p.grad is not None:
            results[f"grad/{name}"] = p.grad
    results.update({f"after/{n}": t.detach().clone() for n, t in module.state_dict().items()})
    module.eval()
    with torch.no_grad():
        evaluated = row.outputs(module, x)
    results.update({f"eval{i}": y.detach().clone() for i, y in enumerate(evaluated)})
    return results


def about(module):
    """What the metadata says of a module."""
    return {
        "print": repr(module).replace(", inplace=False", ""),
        "names": ",".join(module.state_dict()),
        "trainable": ",".join(n for n, p in module.named_parameters() if p.requires_grad),
    }


def close(a, b):
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not a.is_floating_point():
        return torch.equal(a, b)
    rtol, atol = TOLERANCES[a.dtype]
    return torch.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)


def compare(row, ours, metadata, dtype):
    """What differs, a line each."""
    try:
        expected = theirs(row, ours, dtype)
    except Exception as error:  # pylint: disable=broad-except
        return [f"{type(error).__name__}: {error}"]
    wrong = [f"{what} {metadata[what + ':' + row.key]!r}, PyTorch {text!r}"
             for what, text in about(row.make()).items()
             if metadata[f"{what}:{row.key}"] != text]
    mine = {n: x for n, x in ours.items() if not n.startswith(("state/", "in", "dy"))}
    for name in sorted(mine.keys() | expected.keys()):
        a, b = mine.get(name), expected.get(name)
        if a is None or b is None:
            wrong.append(f"{name}: only {'PyTorch has' if a is None else 'we have'} it")
        elif not close(a, b):
            wrong.append(f"{name}: {tuple(a.shape)} {a.flatten()[:8].tolist()}, "
                         f"PyTorch {tuple(b.shape)} {b.flatten()[:8].tolist()}")
    return wrong


def spread(row):
    """NAME MEAN RMS LARGEST of the initial values of every parameter, a line each."""
    drawn = {}
    while not drawn or min(sum(x.numel() for x in all_) for all_ in drawn.values()) < DRAWS:
        for name, p in row.make().named_parameters():
            drawn.setdefault(name, []).append(p.detach().double().flatten())
        if not drawn:
            return ""
    lines = []
    for name, values in drawn.items():
        x = torch.cat(values)
        lines.append(f"{name} {x.mean().item():.9g} {x.square().mean().sqrt().item():.9g} "
                     f"{x.abs().max().item():.9g}")
    return "\n".join(lines)


def golden(rows, tensors):
    found, metadata = {}, {"format": "pt", "torch": torch.__version__.split("+")[0]}
    for row in rows:
        ours = below(tensors, row.key + "/")
        for name, x in theirs(row, ours, torch.float64).items():
            # Left out where it says nothing: the state as it was, the same outputs again.
            same = (ours.get("state/" + name[6:]) if name.startswith("after/")
                    else found.get(f"{row.torch}/out{name[4:]}") if name.startswith("eval")
                    else None)
            if same is None or not torch.equal(same, x):
                found[f"{row.torch}/{name}"] = x.contiguous().clone()
        for what, text in {**about(row.make()), "spread": spread(row)}.items():
            metadata[f"{what}:{row.torch}"] = text
    return found, metadata


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--golden")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    compared, failures = 0, []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.tool, folder], check=True)
        with open(f"{folder}/modules.tsv", encoding="utf-8") as file:
            rows = [Row(line.rstrip("\n")) for line in file]
        if options.golden:
            tensors, metadata = golden(rows, load_file(f"{folder}/f64.safetensors"))
            save_file(tensors, options.golden, metadata=metadata)
            return 0
        for name, dtype in DTYPES.items():
            path = f"{folder}/{name}.safetensors"
            tensors = load_file(path)
            with safe_open(path, "pt") as file:
                metadata = file.metadata()
            for row in rows:
                if options.only in row.torch:
                    wrong = compare(row, below(tensors, row.key + "/"), metadata, dtype)
                    failures += [f"{row.torch} in {name}: {line}" for line in wrong]
                    compared += 1
    for line in failures:
        print(f"FAILED: {line}")
    print(f"PyTorch {torch.__version__}, {len(rows)} modules, {compared} comparisons, "
          f"{len(failures)} differences")
    return 1 if failures or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
