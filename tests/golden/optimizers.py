#!/usr/bin/env python3
"""Writes optimizers.safetensors: trajectories of PyTorch's optimizers over 50 given gradients.

usage: optimizers.py [OUTPUT]

`start` (2, 4) and `gradients` (50, 2, 4) in f64; `NAME` (50, 2, 4) holds the parameter after each
step of the configuration NAME of optimizers_test.cpp.
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

STEPS = 50
CONFIGURATIONS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd_decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.05),
    "sgd_momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.1),
    "sgd_nesterov": lambda p: torch.optim.SGD(
        p, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.01
    ),
    "adam": lambda p: torch.optim.Adam(p, lr=0.02),
    "adam_decay": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), weight_decay=0.1),
    "adam_amsgrad": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.9, 0.5), amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.2, eps=1e-6),
    "adamw_amsgrad": lambda p: torch.optim.AdamW(p, lr=0.02, betas=(0.9, 0.5), amsgrad=True),
}


def main():
    torch.manual_seed(5)
    start = torch.randn(2, 4, dtype=torch.float64)
    gradients = torch.randn(STEPS, 2, 4, dtype=torch.float64)
    out = {"start": start.clone(), "gradients": gradients}
    for name, make in CONFIGURATIONS.items():
        p = start.clone().requires_grad_()
        optimizer = make([p])
        path = []
        for g in gradients:
            p.grad = g.clone()
            optimizer.step()
            path.append(p.detach().clone())
        out[name] = torch.stack(path)
    default = pathlib.Path(__file__).with_suffix(".safetensors")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    save_file(out, path, metadata={"format": "pt", "torch": torch.__version__.split("+")[0]})


if __name__ == "__main__":
    main()
