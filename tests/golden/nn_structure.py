#!/usr/bin/env python3
"""Writes nn_structure.safetensors: attention, Transformers and parametrizations as PyTorch has
them, laid out as nn_layers.py says, which has the functions that write a case.

usage: nn_structure.py [OUTPUT]
"""
import math
import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.nn.utils import parametrizations as P

import nn_layers as base
from nn_layers import B, E, FF, HEADS, L, S, case, causal, meta, out, randomised, x

WIDTH = E // HEADS


def attention():
    padding = torch.tensor([[False, False, False, True], [False, True, False, False]])
    seq = randomised("mha_seq", nn.MultiheadAttention(E, HEADS))
    case("mha_seq/cross", seq, lambda q, k: seq(q, k, k)[0], q=x(L, B, E), k=x(S, B, E))
    case("mha_seq/weights", seq, lambda q: seq(q, q, q), q=x(L, B, E))

    more = nn.MultiheadAttention(E, HEADS, add_bias_kv=True, add_zero_attn=True, batch_first=True)
    more = randomised("mha_more", more)
    case(
        "mha_more/masked",
        more,
        lambda q, k, p, m: more(
            q, k, k, key_padding_mask=p, attn_mask=m, need_weights=True, average_attn_weights=False
        ),
        q=x(B, L, E),
        k=x(B, S, E),
        p=padding,
        m=torch.tensor([[0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).bool(),
    )
    case("mha_more/plain", more, lambda q: more(q, q, q, need_weights=False)[0], q=x(B, L, E))


class Grouped(nn.Module):
    """Attention of 4 heads with 2 keys, by its formula: rotary, ALiBi, windows."""

    heads, groups, width = 4, 2, 4

    def __init__(self):
        super().__init__()
        e, kv = self.heads * self.width, self.groups * self.width
        self.in_proj_weight = nn.Parameter(torch.empty(e + 2 * kv, e))
        self.in_proj_bias = nn.Parameter(torch.empty(e + 2 * kv))
        self.out_proj = nn.Linear(e, e)

    def forward(self, x, rotary=None, alibi=False, left=None, right=None):
        b, length, e = x.shape
        kv = self.groups * self.width
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias).split([e, kv, kv], -1)
        q, k, v = (t.view(b, length, -1, self.width).transpose(1, 2) for t in parts)
        if rotary is not None:
            q, k = turned(q, rotary), turned(k, rotary)
        k, v = (t.repeat_interleave(self.heads // self.groups, 1) for t in (k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.width)
        place = torch.arange(length)
        distance = place[None, :] - place[:, None]
        if alibi:
            slopes = torch.tensor([2.0 ** (-8 * (h + 1) / self.heads) for h in range(self.heads)])
            scores = scores - slopes.double()[:, None, None] * distance.abs()
        hidden = torch.zeros(length, length, dtype=torch.bool)
        if left is not None:
            hidden |= distance < -left
        if right is not None:
            hidden |= distance > right
        weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
        y = (weights @ v).transpose(1, 2).reshape(b, length, e)
        return self.out_proj(y), weights


def turned(x, interleaved, base=100.0):
    width, length = x.shape[-1], x.shape[-2]
    rate = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * rate
    turn = torch.polar(torch.ones_like(angle), angle)
    if interleaved:
        pairs = x.unflatten(-1, (-1, 2))
    else:
        pairs = x.unflatten(-1, (2, -1)).transpose(-2, -1)
    y = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * turn)
    return y.flatten(-2) if interleaved else y.transpose(-2, -1).flatten(-2)


def grouped():
    m = randomised("grouped", Grouped())
    with torch.no_grad():  # sums of 16 terms around 1, as those of 6 are elsewhere
        for key, p in m.named_parameters():
            out[f"grouped/weight/{key}"] = p.mul_(0.4).clone()
    for name, options in {
        "plain": {},
        "halves": {"rotary": False, "right": 0},
        "pairs": {"rotary": True},
        "alibi": {"alibi": True, "right": 0},
        "window": {"left": 1, "right": 1},
    }.items():
        case(f"grouped/{name}", m, lambda x, o=options: m(x, **o), x=x(B, 5, 16))


def transformers():
    padding = torch.tensor([[False, False, False, True], [False, False, True, True]])
    for norm_first in (False, True):
        name = f"decoder_layer_{'pre' if norm_first else 'post'}"
        layer = nn.TransformerDecoderLayer(
            E, HEADS, FF, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm_first,
            bias=not norm_first
        )
        layer = randomised(name, layer)
        case(
            f"{name}/masked",
            layer,
            lambda t, m, p, l=layer: l(t, m, tgt_mask=causal(L, L), memory_key_padding_mask=p),
            t=x(B, L, E),
            m=x(B, S, E),
            p=padding,
        )
    function = nn.TransformerEncoderLayer(
        E, HEADS, FF, dropout=0.0, activation=F.mish, layer_norm_eps=1e-3
    )
    function = randomised("encoder_layer_mish", function)
    case("encoder_layer_mish/plain", function, lambda x: function(x), x=x(L, B, E))
    stack = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(E, HEADS, FF, dropout=0.0, batch_first=True), 2,
        norm=nn.LayerNorm(E), enable_nested_tensor=False
    )
    stack = randomised("encoder", stack)
    case(
        "encoder/masked",
        stack,
        lambda x, p: stack(x, mask=causal(S, S), src_key_padding_mask=p, is_causal=True),
        x=x(B, S, E),
        p=padding,
    )
    both = nn.Transformer(
        E, HEADS, 1, 2, FF, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    both = randomised("transformer", both)
    case(
        "transformer/masked",
        both,
        lambda s, t, p: both(
            s, t, tgt_mask=nn.Transformer.generate_square_subsequent_mask(L, dtype=s.dtype),
            src_key_padding_mask=added(p), memory_key_padding_mask=added(p)
        ),
        s=x(B, S, E),
        t=x(B, L, E),
        p=padding,
    )
    swiglu = type("SwiGLU", (nn.Module,), {})()
    for key, sizes in [("gate_proj", (4, 6)), ("up_proj", (4, 6)), ("down_proj", (6, 4))]:
        setattr(swiglu, key, nn.Linear(*sizes, bias=False))
    swiglu = randomised("swiglu", swiglu)
    case(
        "swiglu/plain",
        swiglu,
        lambda x: swiglu.down_proj(F.silu(swiglu.gate_proj(x)) * swiglu.up_proj(x)),
        x=x(2, 3, 4),
    )


def added(mask):
    return torch.zeros(mask.shape, dtype=torch.float64).masked_fill(mask, float("-inf"))


class Skew(nn.Module):
    def forward(self, x):
        return x.triu(1) - x.triu(1).mT


def parametrized():
    for name, module in {
        "weight_norm": P.weight_norm(nn.Linear(4, 3)),
        "weight_norm_1": P.weight_norm(nn.Linear(4, 3), dim=1),
        "weight_norm_all": P.weight_norm(nn.Linear(4, 3), dim=None),
        "cayley": P.orthogonal(nn.Linear(4, 3), orthogonal_map="cayley"),
        "matrix_exp": P.orthogonal(nn.Linear(3, 3)),
    }.items():
        module = randomised(name, module)
        case(f"{name}/plain", module, lambda x, m=module: m(x), x=x(2, module.in_features))
    # Of the originals it was given: the first reading iterates, what it wrote is read in the next.
    spectral = P.spectral_norm(nn.Linear(4, 3).double(), n_power_iterations=2)
    state = {k: v.clone() for k, v in spectral.state_dict().items()}
    spectral = randomised("spectral_norm", spectral)
    state["parametrizations.weight.original"] = spectral.parametrizations.weight.original.detach()
    state["bias"] = spectral.bias.detach()
    spectral.load_state_dict(state)
    out.update({f"spectral_norm/weight/{k}": v.clone() for k, v in state.items()})
    case("spectral_norm/train", spectral, lambda x: spectral(x), x=x(2, 4))
    after = spectral.parametrizations.weight[0]
    out["spectral_norm/after/_u"], out["spectral_norm/after/_v"] = after._u, after._v
    skew = nn.Linear(3, 3)
    nn.utils.parametrize.register_parametrization(skew, "weight", Skew())
    skew = randomised("skew", skew)
    case("skew/plain", skew, lambda x: skew(x), x=x(2, 3))


def printed():
    modules = {
        "block": nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        "decoder_layer": nn.TransformerDecoderLayer(8, 2, 16, batch_first=True),
        "list": nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU()]),
        "dict": nn.ModuleDict({"fc": nn.Linear(2, 1), "act": nn.Tanh()}),
    }
    for name, module in modules.items():
        text = repr(module)
        for only_here, ours in [
            (", inplace=False", ""),
            ("NonDynamicallyQuantizableLinear", "Linear"),
            ("MultiheadAttention", "MultiHeadAttention"),
        ]:
            text = text.replace(only_here, ours)
        meta[f"print:{name}"] = text


def main():
    torch.manual_seed(11)
    torch.set_num_threads(1)
    attention()
    grouped()
    transformers()
    parametrized()
    printed()
    default = pathlib.Path(__file__).with_suffix(".safetensors")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    meta["format"] = "pt"
    meta["torch"] = torch.__version__.split("+")[0]
    save_file({k: v.contiguous() for k, v in out.items()}, path, metadata=meta)
    print(f"{path.name}: {len(out)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
