#!/usr/bin/env python3
"""Writes gpt_2_layers.safetensors: a two-layer GPT in PyTorch, under nanoGPT's names.

usage: gpt_2_layers.py [OUTPUT]

Holds, for f32 and f64 from the same weights: the loss, every gradient, and the losses and final
weights of 20 AdamW steps (decay 0.1 on matrices, clipping 1.0). Names: `weight/NAME`,
`f32/grad/NAME`, `f32/final/NAME`, `f32/loss`, `f32/losses`, the same with f64, `ids`, `targets`.
"""
import math
import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

VOCAB, BLOCK, LAYERS, HEADS, WIDTH = 31, 12, 2, 2, 24
BATCH, STEPS = 3, 20


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH)
        self.c_proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (
            y.view(b, t, HEADS, c // HEADS).transpose(1, 2)
            for y in self.c_attn(x).split(c, dim=2)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(c // HEADS)
        causal = torch.tril(torch.ones(t, t, dtype=torch.bool))
        y = F.softmax(scores.masked_fill(~causal, float("-inf")), dim=-1) @ v
        return self.c_proj(y.transpose(1, 2).reshape(b, t, c))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_fc = nn.Linear(WIDTH, 4 * WIDTH)
        self.c_proj = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.attn = Attention()
        self.ln_2 = nn.LayerNorm(WIDTH)
        self.mlp = Mlp()

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = nn.ModuleDict(
            dict(
                wte=nn.Embedding(VOCAB, WIDTH),
                wpe=nn.Embedding(BLOCK, WIDTH),
                h=nn.ModuleList([Block() for _ in range(LAYERS)]),
                ln_f=nn.LayerNorm(WIDTH),
            )
        )
        self.lm_head = nn.Linear(WIDTH, VOCAB, bias=False)
        self.transformer.wte.weight = self.lm_head.weight

    def forward(self, ids, targets):
        t = self.transformer
        x = t.wte(ids) + t.wpe(torch.arange(ids.shape[1]))
        for block in t.h:
            x = block(x)
        logits = self.lm_head(t.ln_f(x))
        return F.cross_entropy(logits.view(-1, VOCAB), targets.view(-1))


def run(model, ids, targets, prefix, out):
    names = dict(model.named_parameters())
    loss = model(ids, targets)
    loss.backward()
    out[f"{prefix}/loss"] = loss.detach().clone()
    for name, p in names.items():
        out[f"{prefix}/grad/{name}"] = p.grad.clone()
    decay = [p for p in names.values() if p.dim() >= 2]
    others = [p for p in names.values() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), eps=1e-8)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        loss = model(ids, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(list(names.values()), 1.0)
        optimizer.step()
        losses.append(loss.detach())
    out[f"{prefix}/losses"] = torch.stack(losses)
    for name, p in names.items():
        out[f"{prefix}/final/{name}"] = p.detach().clone()


def main():
    torch.manual_seed(2)
    torch.set_num_threads(1)
    ids = torch.randint(VOCAB, (BATCH, BLOCK))
    targets = torch.randint(VOCAB, (BATCH, BLOCK))
    model = Gpt()
    with torch.no_grad():
        for name, p in model.named_parameters():
            scale = 0.1 if p.dim() >= 2 else 0.05
            p.copy_(torch.randn(p.shape) * scale)
            if "ln_" in name and name.endswith("weight"):
                p.add_(1.0)
    start = {n: p.detach().clone() for n, p in model.named_parameters()}
    out = {"ids": ids, "targets": targets}
    out.update({f"weight/{n}": p for n, p in start.items()})
    run(model, ids, targets, "f32", out)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(start[name])
            p.grad = None
    # The same weights, widened; .double() keeps the tie.
    run(model.double(), ids, targets, "f64", out)
    default = pathlib.Path(__file__).with_suffix(".safetensors")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    save_file(out, path, metadata={"format": "pt", "torch": torch.__version__.split("+")[0]})
    print(f"{path.name}: {path.stat().st_size} bytes, loss {out['f64/loss']:.6f}, "
          f"after {STEPS} steps {out['f64/losses'][-1]:.6f}")


if __name__ == "__main__":
    main()
