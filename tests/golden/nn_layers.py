#!/usr/bin/env python3
"""Writes nn_layers.safetensors: PyTorch's layers, their outputs and all gradients, in f64.

usage: nn_layers.py [OUTPUT]

A family of modules has the weights `FAMILY/weight/NAME`, with the order of their names in the
metadata as `names:FAMILY`. A case has `CASE/in/NAME`, `CASE/out/0`, `CASE/dy/0` (the gradient
that backward starts from; further outputs are 1, 2), `CASE/grad/NAME` for parameters and
`CASE/din/NAME` for inputs. `print:NAME` in the metadata is how PyTorch prints a module, without
what only PyTorch has.
"""
import pathlib
import sys

import torch
import torch.nn as nn
from safetensors.torch import save_file

E, HEADS, FF = 6, 2, 8
B, L, S = 2, 3, 4
out, meta = {}, {}


def randomised(family, module):
    """In f64, every parameter random, also those that start as zeros or ones."""
    module = module.double()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, dtype=torch.float64) * 0.6)
    state = module.state_dict()
    meta[f"names:{family}"] = ",".join(state)
    out.update({f"{family}/weight/{n}": t.detach().clone() for n, t in state.items()})
    return module


def case(name, module, call, **inputs):
    """Runs call(**inputs); every floating input gets a gradient."""
    module.zero_grad(set_to_none=True)
    leaves = {}
    for key, x in inputs.items():
        leaves[key] = x.detach().clone().requires_grad_(x.is_floating_point())
        out[f"{name}/in/{key}"] = x.detach().clone()
    outputs = call(**leaves)
    if not isinstance(outputs, tuple):
        outputs = (outputs,)
    dys = [torch.randn(y.shape, dtype=torch.float64) for y in outputs]
    torch.autograd.backward(outputs, dys)
    for i, (y, dy) in enumerate(zip(outputs, dys)):
        out[f"{name}/out/{i}"] = y.detach().clone()
        out[f"{name}/dy/{i}"] = dy
    for key, p in module.named_parameters():
        out[f"{name}/grad/{key}"] = p.grad.clone()
    for key, x in leaves.items():
        if x.requires_grad:
            out[f"{name}/din/{key}"] = x.grad.clone()


def x(*shape):
    return torch.randn(shape, dtype=torch.float64)


def simple_layers():
    for name, module, value in [
        ("linear", nn.Linear(5, 4), x(2, 3, 5)),
        ("linear_no_bias", nn.Linear(5, 4, bias=False), x(3, 5)),
        ("layer_norm", nn.LayerNorm(6), x(2, 3, 6)),
        ("layer_norm_2d", nn.LayerNorm((3, 4), eps=1e-3), x(2, 3, 4)),
        ("layer_norm_no_bias", nn.LayerNorm(6, bias=False), x(2, 6)),
        ("layer_norm_plain", nn.LayerNorm(6, elementwise_affine=False), x(2, 6)),
        ("relu", nn.ReLU(), x(3, 4)),
        ("gelu", nn.GELU(), x(3, 4)),
        ("gelu_tanh", nn.GELU(approximate="tanh"), x(3, 4)),
        ("silu", nn.SiLU(), x(3, 4)),
        ("tanh", nn.Tanh(), x(3, 4)),
        ("sigmoid", nn.Sigmoid(), x(3, 4)),
        ("softmax", nn.Softmax(dim=0), x(3, 4)),
        ("log_softmax", nn.LogSoftmax(dim=-1), x(3, 4)),
    ]:
        module = randomised(name, module)
        case(name, module, lambda x, m=module: m(x), x=value)
    module = randomised("embedding", nn.Embedding(7, 3, padding_idx=2))
    ids = torch.tensor([[0, 2, 6], [6, 1, 6]])
    case("embedding", module, lambda ids: module(ids), ids=ids)
    for name, activation in [("relu", nn.ReLU()), ("gelu", nn.GELU())]:
        parts = [("linear1", nn.Linear(E, FF)), ("activation", activation)]
        module = nn.Sequential()
        for key, part in parts + [("linear2", nn.Linear(FF, E))]:
            module.add_module(key, part)
        module = randomised(f"feed_forward_{name}", module)
        case(f"feed_forward_{name}", module, lambda x: module(x), x=x(B, L, E))


def losses():
    target = torch.tensor([2, -100, 0, 4])
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    case("cross_entropy", loss, lambda x: loss(x, target), x=x(4, 5))
    out["cross_entropy/target"] = target
    total = nn.MSELoss(reduction="sum")
    case("mse", total, lambda x, y: total(x, y), x=x(3, 2), y=x(3, 2))


def causal(queries, keys):
    return torch.triu(torch.ones(queries, keys, dtype=torch.bool), diagonal=1)


def attention():
    padding = torch.tensor([[False, False, True], [False, False, False]])
    m = randomised("mha", nn.MultiheadAttention(E, HEADS, batch_first=True))

    def own(x, mask=None, **options):
        return m(x, x, x, attn_mask=mask, need_weights=False, **options)[0]

    case("mha/plain", m, own, x=x(B, L, E))
    case("mha/causal", m, lambda x: own(x, causal(L, L), is_causal=True), x=x(B, L, E))
    boolean = torch.tensor([[0, 1, 0], [0, 0, 1], [1, 0, 0]]).bool()
    case("mha/bool_mask", m, own, x=x(B, L, E), mask=boolean)
    case("mha/float_mask", m, own, x=x(B, L, E), mask=x(L, L))
    heads = x(B * HEADS, L, L)
    case("mha/head_mask", m, own, x=x(B, L, E), mask=heads)
    case("mha/padding", m, lambda x, p: own(x, key_padding_mask=p), x=x(B, L, E), p=padding)
    case(
        "mha/padding_causal",
        m,
        lambda x, p: own(x, causal(L, L), key_padding_mask=p),
        x=x(B, L, E),
        p=padding,
    )

    def both(x, mask, p):  # PyTorch wants both masks of one kind.
        added = torch.zeros(p.shape, dtype=torch.float64).masked_fill(p, float("-inf"))
        return own(x, mask, key_padding_mask=added)

    case("mha/padding_float", m, both, x=x(B, L, E), mask=x(L, L), p=padding)
    case("mha/unbatched", m, own, x=x(L, E))
    for name, average in [("weights", True), ("head_weights", False)]:
        case(
            f"mha/{name}",
            m,
            lambda x, a=average: m(
                x, x, x, attn_mask=causal(L, L), need_weights=True, average_attn_weights=a
            ),
            x=x(B, L, E),
        )
    case(
        "mha/cross",
        m,
        lambda q, k, v: m(q, k, v, need_weights=False)[0],
        q=x(B, L, E),
        k=x(B, S, E),
        v=x(B, S, E),
    )
    case("mha/memory", m, lambda q, k: m(q, k, k)[0], q=x(B, L, E), k=x(B, S, E))

    c = randomised("cross", nn.MultiheadAttention(E, HEADS, kdim=5, vdim=3, batch_first=True))
    hidden = torch.tensor([[False, True, False, False], [False, False, False, True]])
    case(
        "cross/plain",
        c,
        lambda q, k, v: c(q, k, v, need_weights=False)[0],
        q=x(B, L, E),
        k=x(B, S, 5),
        v=x(B, S, 3),
    )
    case(
        "cross/padding_weights",
        c,
        lambda q, k, v, p: c(q, k, v, key_padding_mask=p, need_weights=True),
        q=x(B, L, E),
        k=x(B, S, 5),
        v=x(B, S, 3),
        p=hidden,
    )
    n = randomised("mha_no_bias", nn.MultiheadAttention(E, HEADS, bias=False, batch_first=True))
    case("mha_no_bias/plain", n, lambda x: n(x, x, x)[0], x=x(B, L, E))


def transformer():
    padding = torch.tensor([[False, False, True], [False, False, False]])
    blocks = {}
    for norm_first in (False, True):
        for activation in ("relu", "gelu"):
            name = f"block_{'pre' if norm_first else 'post'}_{activation}"
            blocks[name] = nn.TransformerEncoderLayer(
                E, HEADS, FF, dropout=0.0, activation=activation, batch_first=True,
                norm_first=norm_first
            )
    blocks["block_no_bias"] = nn.TransformerEncoderLayer(
        E, HEADS, FF, dropout=0.0, batch_first=True, layer_norm_eps=1e-3, bias=False
    )
    for name, block in blocks.items():
        block = randomised(name, block)
        case(f"{name}/plain", block, lambda x, b=block: b(x), x=x(B, L, E))
        if name == "block_pre_gelu":
            case(
                f"{name}/masked",
                block,
                lambda x, p, b=block: b(x, src_mask=causal(L, L), src_key_padding_mask=p),
                x=x(B, L, E),
                p=padding,
            )


def root_mean_square():
    for name, module, value in [
        ("rms_norm", nn.RMSNorm(6), x(2, 3, 6)),
        ("rms_norm_2d", nn.RMSNorm((3, 4), eps=1e-3), x(2, 3, 4)),
        ("rms_norm_plain", nn.RMSNorm(6, elementwise_affine=False), x(2, 6)),
    ]:
        module = randomised(name, module)
        case(name, module, lambda x, m=module: m(x), x=value)


def printed():
    modules = {
        "mlp": nn.Sequential(
            nn.Linear(4, 8),
            nn.GELU(approximate="tanh"),
            nn.Dropout(0.25),
            nn.LayerNorm(8, bias=False),
            nn.Sequential(nn.Linear(8, 2, bias=False), nn.ReLU()),
            nn.Softmax(dim=-1),
        ),
        "embedding": nn.Embedding(5, 3, padding_idx=1),
        "layer_norm": nn.LayerNorm((3, 4), eps=1e-6),
        "layer_norm_plain": nn.LayerNorm(3, elementwise_affine=False, bias=False),
        "rms_norm": nn.RMSNorm(3),
        "rms_norm_plain": nn.RMSNorm((3, 4), eps=1e-6, elementwise_affine=False),
    }
    tower = type("Tower", (nn.Module,), {})()
    tower.embed = nn.Embedding(5, 3)
    tower.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 1)])
    modules["tower"] = tower
    described = type("Described", (nn.Module,), {"extra_repr": lambda self: "scale=2"})()
    described.inner = nn.Linear(3, 3)
    modules["described"] = described
    for name, module in modules.items():
        text = repr(module)
        for only_here, ours in [
            (", inplace=False", ""),
            ("NonDynamicallyQuantizableLinear", "Linear"),
        ]:
            text = text.replace(only_here, ours)
        meta[f"print:{name}"] = text


def main():
    torch.manual_seed(7)
    torch.set_num_threads(1)
    simple_layers()
    losses()
    attention()
    transformer()
    root_mean_square()
    printed()
    default = pathlib.Path(__file__).with_suffix(".safetensors")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    meta["format"] = "pt"
    meta["torch"] = torch.__version__.split("+")[0]
    save_file({k: v.contiguous() for k, v in out.items()}, path, metadata=meta)
    print(f"{path.name}: {len(out)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
