#!/usr/bin/env python3
"""Writes promotion.tsv: the dtypes of PyTorch's results.

usage: promotion.py [OUTPUT]

A dtype is a letter: d f b h (f64 f32 bf16 f16) l i u o (i64 i32 u8 bool). `result_type` has the
dtype of two tensors, `result_type 3` that of three, and a line with an operator's name the dtype of
its result, `-` where it refuses: first for the letters above in that order without dimensions, then
for them with one, the last operand varying fastest. Products of matrices are of tensors with
dimensions only.
"""
import itertools
import pathlib
import sys

import torch
import torch.nn.functional as F

DTYPES = {"d": torch.float64, "f": torch.float32, "b": torch.bfloat16, "h": torch.float16,
          "l": torch.int64, "i": torch.int32, "u": torch.uint8, "o": torch.bool}
LETTERS = {dtype: letter for letter, dtype in DTYPES.items()}
NUMBERS = [torch.ones((), dtype=dtype) for dtype in DTYPES.values()]
VECTORS = [torch.ones((2,), dtype=dtype) for dtype in DTYPES.values()]

POINTWISE = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
    "maximum": torch.maximum, "minimum": torch.minimum, "fmod": torch.fmod,
    "remainder": torch.remainder, "floor_divide": torch.floor_divide, "copysign": torch.copysign,
    "atan2": torch.atan2, "xlogy": torch.xlogy, "bitwise_and": torch.bitwise_and,
    "bitwise_left_shift": torch.bitwise_left_shift, "clamp_min": torch.clamp_min,
    "where": lambda a, b: torch.where(torch.tensor(True), a, b),
    "lerp": lambda a, b: torch.lerp(a, b, 0.5), "lerp weight": lambda a, b: torch.lerp(a, a, b),
    "addcmul": lambda a, b: torch.addcmul(a, b, b), "addcdiv": lambda a, b: torch.addcdiv(a, b, b),
}
PRODUCTS = {
    "dot": torch.dot, "inner": torch.inner,
    "matmul": lambda a, b: a.expand(2, 2) @ b.expand(2, 2),
    "mv": lambda a, b: torch.mv(a.expand(2, 2), b),
    "bmm": lambda a, b: torch.bmm(a.expand(1, 2, 2), b.expand(1, 2, 2)),
    "linear": lambda a, b: F.linear(a.expand(2, 2), b.expand(2, 2)),
    "linear bias": lambda a, b: F.linear(a.expand(2, 2), a.expand(2, 2), b),
    "addmm": lambda a, b: torch.addmm(b, a.expand(2, 2), a.expand(2, 2)),
    "baddbmm": lambda a, b: torch.baddbmm(b.expand(1, 2, 2), a.expand(1, 2, 2), a.expand(1, 2, 2)),
    "tensordot": lambda a, b: torch.tensordot(a, b, 1),
    "einsum": lambda a, b: torch.einsum("ij,jk->ik", a.expand(2, 2), b.expand(2, 2)),
    "einsum outer": lambda a, b: torch.einsum("i,j->ij", a, b),
    "outer": torch.outer,
    "conv1d": lambda a, b: F.conv1d(a.reshape(1, 1, 2), b.reshape(1, 1, 2)),
    "conv1d bias": lambda a, b: F.conv1d(a.expand(1, 2, 2), a.expand(2, 2, 2), b),
    "attention": lambda a, b: F.scaled_dot_product_attention(
        a.expand(1, 2, 2), b.expand(1, 2, 2), a.expand(1, 2, 2)),
}


def letter(f, *operands):
    try:
        return LETTERS[f(*operands).dtype]
    except (RuntimeError, NotImplementedError):
        return "-"


def main():
    both = NUMBERS + VECTORS

    def pairs(f, of):
        return "".join(letter(f, a, b) for a, b in itertools.product(of, of))

    lines = {"result_type": "".join(LETTERS[torch.result_type(a, b)]
                                    for a, b in itertools.product(both, both)),
             "result_type 3": "".join(letter(torch.addcmul, *three)
                                      for three in itertools.product(both, both, both))}
    lines |= {name: pairs(f, both) for name, f in POINTWISE.items()}
    lines |= {name: pairs(f, VECTORS) for name, f in PRODUCTS.items()}
    where = pathlib.Path(__file__).with_name("promotion.tsv")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else where
    path.write_text("".join(f"{name}\t{line}\n" for name, line in lines.items()), encoding="utf-8")


if __name__ == "__main__":
    main()
