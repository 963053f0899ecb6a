"""The two sides as programs, what they are called, and the machine they run on."""

import json
import os
import pathlib
import platform
import re
import shlex
import subprocess

from comparison.rows import Failed, parse

# The groups of peers/torch_peer.py that heed --compile; the others would run eagerly again.
COMPILED = {"gpt_char", "gpt_10m", "gpt_124m", "gpt_10m_bf16", "gpt_124m_bf16"}

_FACTS = """
import json, platform, torch
print(json.dumps({"pytorch": torch.__version__, "python": platform.python_version(),
                  "capability": torch.backends.cpu.get_cpu_capability()}))
"""


def last_line(text):
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def run_program(command, prefix=(), environment=None):
    """(stdout, stderr) of a command; Failed names it, how it ended and the last thing it said."""
    shown = shlex.join("..." if "\n" in str(word) else str(word) for word in command)
    variables = dict(os.environ, **(environment or {}))
    try:
        result = subprocess.run(
            [*prefix, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            universal_newlines=True,
            errors="replace",
            env=variables,
        )
    except OSError as error:
        words = shlex.join(prefix) + " " if prefix else ""
        raise Failed(f"could not start {words}{shown}: {error.strerror}") from None
    if result.returncode < 0:
        raise Failed(f"{shown} was ended by signal {-result.returncode}")
    if result.returncode > 0:
        said = last_line(result.stderr)
        raise Failed(f"{shown} ended with status {result.returncode}: {said}")
    return result.stdout, result.stderr


class Adjoint:
    name = "adjoint"

    def __init__(self, build, threads, precision, prefix):
        self.program = build / "bin/workloads"
        self.prefix = prefix
        if not self.program.exists():
            raise Failed(f"no {self.program}: build it with tools/test, or name one with --build")
        self.options = ["--threads", str(threads)]
        knows_precision = "--precision" in run_program([self.program, "--help"])[0]
        if precision and knows_precision:
            self.options += ["--precision", precision]
        elif precision not in (None, "highest"):
            raise Failed(f"--precision {precision}: {self.program} knows f32 products only")
        self.precision = precision or "highest"
        # "workloads 0.1.0 (avx512, release)"
        version = run_program([self.program, "--version"])[0].strip()
        found = re.search(r"\((\w+),", version)
        if not found:
            raise Failed(f"{self.program} --version: no instruction set in '{version}'")
        self.isa = found[1]

    def groups(self):
        return run_program([self.program, "--list"])[0].split()

    def run(self, group):
        """Rows of one group, from a process of its own; and why there are none."""
        out, err = run_program([self.program, *self.options, group], self.prefix)
        rows = parse(out, f"workloads {group}")
        return rows, "" if rows else last_line(err)


class Torch:
    def __init__(self, python, script, threads, precision, prefix, compiled=False):
        self.name = "compiled" if compiled else "pytorch"
        self.command = [python, script, "--threads", str(threads)]
        self.prefix = prefix
        self.text = pathlib.Path(script).read_text()
        if compiled:
            self.command.append("--compile")
        self.heeds_precision = '"--precision"' in self.text
        if precision and self.heeds_precision:
            self.command += ["--precision", precision]

    def groups(self):
        return re.findall(r"^@w\ndef (\w+)\(", self.text, re.MULTILINE)

    def run(self, group):
        out, err = run_program([*self.command, group], self.prefix)
        rows = parse(out, f"torch_peer.py {group}")
        return rows, "" if rows else last_line(err)


def find_python(named):
    """The Python with PyTorch, and what it says of itself."""
    oracles = pathlib.Path(
        os.environ.get("ADJOINT_ORACLES") or pathlib.Path.home() / ".cache/adjoint/oracles"
    )
    python = named or oracles / "bin/python"
    hint = "make one with tools/oracles --torch, or name it with --python"
    try:
        facts = json.loads(run_program([python, "-c", _FACTS])[0])
    except Failed as failure:
        raise Failed(f"no Python with PyTorch: {failure}; {hint}") from None
    except ValueError:
        raise Failed(f"no Python with PyTorch: {python} does not answer; {hint}") from None
    return python, facts


# --- the machine ---


def first_match(path, pattern):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1].strip() if found else ""


def quietly(command, folder=None):
    """The first line that a command prints, empty if it fails."""
    try:
        result = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        return ""
    return result.stdout.split("\n")[0].strip() if result.returncode == 0 else ""


def compiler_of(build):
    named = first_match(build / "CMakeCache.txt", r"^CMAKE_CXX_COMPILER:\w+=(.*)$")
    return named or os.environ.get("CXX") or "c++"


def commit_of(root):
    commit = quietly(["git", "rev-parse", "--short=10", "HEAD"], root)
    if commit and quietly(["git", "status", "--porcelain", "--untracked-files=no"], root):
        commit += " with changes"
    return commit or "unknown"


def environment(root, build, adjoint, threads, facts):
    cpu = first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$") or platform.processor()
    family = first_match("/proc/cpuinfo", r"^cpu family\s*:\s*(.*)$")
    model = first_match("/proc/cpuinfo", r"^model\s*:\s*(.*)$")
    if family:
        cpu += f" (family {family}, model {model})"
    return {
        "cpu": cpu or platform.machine(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "isa": adjoint.isa,
        "precision": adjoint.precision,
        "threads": threads,
        "commit": commit_of(root),
        "compiler": quietly([compiler_of(build), "--version"]) or "unknown",
        "build_type": first_match(build / "CMakeCache.txt", r"^CMAKE_BUILD_TYPE:\w+=(.*)$"),
        **facts,
    }
