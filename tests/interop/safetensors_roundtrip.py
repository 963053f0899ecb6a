"""The reference implementation of safetensors and ours, in both directions.

safetensors_roundtrip.py --tool PATH [--mutants N] [--seed N]
Ends with status 77 where safetensors or NumPy is missing.
"""

import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import safetensors
    from safetensors.numpy import load_file, save_file
except ImportError as error:
    print(f"SKIPPED: {error}: run tools/oracles to compare with the reference")
    sys.exit(77)

BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8,
    "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}
NUMPY = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "F16": "float16",
    "I32": "int32", "U32": "uint32", "F32": "float32", "F64": "float64", "I64": "int64",
    "U64": "uint64", "C64": "complex64",
}

failures = []


def expect(ok, what):
    if not ok:
        failures.append(what)
        print(f"FAILED: {what}")


def call(tool, *arguments):
    result = subprocess.run([tool, *arguments], capture_output=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{arguments}: {result.stderr.decode(errors='replace')}")
    return result.stdout


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def raw_file(tensors, metadata=None):
    """A file by the text of the format: {name: (dtype, shape, bytes)}."""
    header = {} if metadata is None else {"__metadata__": metadata}
    at = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def reference_accepts(data):
    try:
        return dict(safetensors.deserialize(data)), ""
    except Exception as error:  # its own type, and panics
        return None, str(error)


def random_array(rng, dtype, shape):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return np.frombuffer(rng.bytes(size), dtype).reshape(shape)


def check_ours_read_by_reference(tool, folder):
    """Every type: a raw file, rewritten by us, is what the reference reads."""
    rng = np.random.default_rng(1)
    tensors = {}
    for dtype, bits in BITS.items():
        for shape in ([8], [2, 4], [0, 3], [4, 1, 2]):
            count = int(np.prod(shape)) * bits // 8
            data = rng.bytes(count)
            if dtype == "BOOL":
                data = bytes(byte & 1 for byte in data)
            tensors[f"{dtype} {shape}"] = (dtype, shape, data)
    write(f"{folder}/raw", raw_file(tensors, {"format": "pt", "é\n": "\"😀"}))
    call(tool, "rewrite", f"{folder}/raw", f"{folder}/ours")
    read_back, error = reference_accepts(read(f"{folder}/ours"))
    expect(read_back is not None, f"the reference refuses our file: {error}")
    for name, (dtype, shape, data) in tensors.items():
        theirs = (read_back or {}).get(name, {})
        same = (theirs.get("dtype"), theirs.get("shape")) == (dtype, shape)
        expect(same and bytes(theirs["data"]) == data, f"{name}: the reference reads other values")
    described = json.loads(call(tool, "describe", f"{folder}/ours"))
    expect(described["metadata"] == {"format": "pt", "é\n": "\"😀"}, "the metadata differs")
    for name, (dtype, shape, data) in tensors.items():
        ours = described["tensors"][name]
        expect((ours["dtype"], ours["shape"], ours["data"]) == (dtype, shape, data.hex()),
               f"{name}: we read other values than we wrote")
    return len(tensors)


def check_reference_read_by_us(tool, folder):
    """Files of the reference come back from us byte for byte."""
    rng = np.random.default_rng(2)
    for metadata in (None, {"format": "np"}):
        arrays = {}
        for dtype in NUMPY.values():
            for i, shape in enumerate([(), (5,), (3, 2), (0, 4), (2, 1, 3)]):
                arrays[f"{dtype}.{i}.é\"\\"] = random_array(rng, dtype, shape)
        save_file(arrays, f"{folder}/theirs", metadata)
        call(tool, "rewrite", f"{folder}/theirs", f"{folder}/ours")
        expect(read(f"{folder}/theirs") == read(f"{folder}/ours"),
               f"the reference writes other bytes than we, metadata {metadata}")
        for name, array in load_file(f"{folder}/ours").items():
            expect(array.tobytes() == arrays[name].tobytes(), f"{name}: other values")
        # The types of tensors, through tensors.
        arrays = {n: a for n, a in arrays.items()
                  if a.dtype.name in ("float32", "float64", "int64", "bool")}
        save_file(arrays, f"{folder}/theirs", metadata)
        call(tool, "reload", f"{folder}/theirs", f"{folder}/ours")
        expect(read(f"{folder}/theirs") == read(f"{folder}/ours"),
               f"tensors change what they are loaded from, metadata {metadata}")


# What we refuse and the reference takes: documented in core/safetensors.h.
STRICTER = ("its name comes twice", "more than 64 dimensions", "expected an object for the tensor",
            "expected a string for the dtype")
# What we take and the reference refuses: nesting of 126 to 128 levels.
LOOSER = ("recursion limit",)

WORDS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"0", b"1", b"-1", b"-0", b"1.0",
    b"1e3", b"1e999", b"1e-999", b"9223372036854775808", b"18446744073709551615",
    b"18446744073709551616", b"\\u0000", b"\\ud800", b"\\ud83d\\ude00", b"\xef\xbb\xbf",
    b"\xc3\xa9", b"\xff", b" ", b"\n", b"\0", b'"dtype"', b'"shape"', b'"data_offsets"',
    b'"__metadata__"', b'"F32"', b'"F64"', b'"U8"', b'"F4"', b'"f32"', b"[0,0]", b"[0,4]",
    b"[4,8]", b"[]", b"[0]", b"[1]", b'"x":1,', b"[" * 60, b"]" * 60,
    b'"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},',
]


def mutant(rng, seeds):
    seed, data = rng.choice(seeds)
    text = bytearray(seed)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.randrange(1, 9))
        kind = rng.randrange(6)
        if kind == 0 and at < len(text):
            text[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del text[at:end]
        elif kind == 2:
            text[at:at] = rng.choice(WORDS)
        elif kind == 3:
            text[at:end] = rng.choice(WORDS)
        elif kind == 4:
            text[at:at] = text[rng.randrange(len(text) + 1):][:rng.randrange(1, 60)]
        elif at < len(text) and chr(text[at]).isdigit():
            text[at] = ord(rng.choice("0123456789"))
    size = len(text) if rng.random() < 0.97 else rng.choice([0, len(text) - 1, 2**63, 10**8 + 1])
    data = data if rng.random() < 0.9 else rng.choice([0, 1, 4, 8, 12, 16])
    return struct.pack("<Q", max(size, 0)) + bytes(text) + b"\1" * data


def check_mutants(tool, folder, count, seed):
    rng = random.Random(seed)
    seeds = [
        (b"{}", 0),
        (b'{"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}', 8),
        (b'{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
         b'"b":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}  ', 8),
        (b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"z":{"dtype":"F64","shape":[0,3],'
         b'"data_offsets":[4,4]},"h":{"dtype":"F16","shape":[2,2],"data_offsets":[4,12]}}', 12),
        (b'{"f4":{"dtype":"F4","shape":[2],"data_offsets":[0,1],'
         b'"x":[{"y":null},2.5,"\\u00e9"]}}', 1),
        (b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
         b'"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', 2),
        (b'{"__metadata__":null,"a":{"dtype":"I8","shape":[' + b"1," * 63 + b"1],"
         b'"data_offsets":[0,1],"x":' + b"[" * 124 + b"]" * 124 + b"}}", 1),
    ]
    os.mkdir(f"{folder}/mutants")
    files = []
    for i in range(count):
        data = mutant(rng, seeds)
        path = f"{folder}/mutants/{i}"
        write(path, data)
        files.append((path, data))
    write(f"{folder}/list", "\n".join(path for path, _ in files).encode() + b"\n")
    lines = call(tool, "check", f"{folder}/list").decode(errors="replace").split("\n")[:-1]
    expect(len(lines) == count, f"{len(lines)} answers for {count} files")
    accepted = stricter = looser = 0
    for (path, data), line in zip(files, lines):
        theirs, error = reference_accepts(data)
        ours = line == "ok"
        accepted += ours
        if ours and theirs is None:
            known = any(text in error for text in LOOSER)
            looser += known
            expect(known, f"we take what the reference refuses ({error}): {data!r}")
        elif not ours and theirs is not None:
            known = any(text in line for text in STRICTER)
            stricter += known
            expect(known, f"we refuse what the reference takes ({line[len(path):]}): {data!r}")
    print(f"{count} mutants: {accepted} accepted; {stricter} refused by us alone, as documented; "
          f"{looser} taken by us alone, as documented")
    expect(accepted > count // 10, "the mutants are too wild to tell anything")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--mutants", type=int,
                        default=200000 if os.environ.get("ADJOINT_TEST_LONG") == "1" else 5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        count = check_ours_read_by_reference(options.tool, folder)
        check_reference_read_by_us(options.tool, folder)
        check_mutants(options.tool, folder, options.mutants, options.seed)
    print(f"safetensors {safetensors.__version__}, {count} tensors of {len(BITS)} types, "
          f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
