#!/usr/bin/env python3
"""Writes optimizers.safetensors: trajectories of PyTorch's optimizers over 50 given gradients.

usage: optimizers.py [OUTPUT]

`start` (2, 4) and `gradients` (50, 2, 4) in f64; `NAME` (50, 2, 4) holds the parameter after each
step of the configuration NAME of optimizers_test.cpp, (50, 8) where NAME ends in _vector.
`lbfgs...` (15, 8) holds it after each step on the function `bowl`, from `start`.
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

STEPS = 50
o = torch.optim
CONFIGURATIONS = {
    "sgd": lambda p: o.SGD(p, lr=0.1),
    "sgd_decay": lambda p: o.SGD(p, lr=0.1, weight_decay=0.05),
    "sgd_momentum": lambda p: o.SGD(p, lr=0.05, momentum=0.9, dampening=0.1),
    "sgd_nesterov": lambda p: o.SGD(p, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.01),
    "sgd_maximize": lambda p: o.SGD(p, lr=0.05, momentum=0.8, weight_decay=0.3, maximize=True),
    "adam": lambda p: o.Adam(p, lr=0.02),
    "adam_decay": lambda p: o.Adam(p, lr=0.02, betas=(0.8, 0.95), weight_decay=0.1),
    "adam_amsgrad": lambda p: o.Adam(p, lr=0.02, betas=(0.9, 0.5), amsgrad=True, maximize=True),
    "adamw": lambda p: o.AdamW(p, lr=0.02, weight_decay=0.2, eps=1e-6),
    "adamw_amsgrad": lambda p: o.AdamW(p, lr=0.02, betas=(0.9, 0.5), amsgrad=True),
    "nadam": lambda p: o.NAdam(p, lr=0.02),
    "nadam_decay": lambda p: o.NAdam(
        p, lr=0.02, betas=(0.8, 0.95), weight_decay=0.1, momentum_decay=0.02
    ),
    "nadam_decoupled": lambda p: o.NAdam(
        p, lr=0.02, weight_decay=0.1, decoupled_weight_decay=True, maximize=True
    ),
    "radam": lambda p: o.RAdam(p, lr=0.02),
    "radam_decay": lambda p: o.RAdam(p, lr=0.02, betas=(0.8, 0.9), weight_decay=0.1),
    "radam_decoupled": lambda p: o.RAdam(
        p, lr=0.02, betas=(0.8, 0.6), weight_decay=0.1, decoupled_weight_decay=True
    ),
    "adamax": lambda p: o.Adamax(p, lr=0.02),
    "adamax_decay": lambda p: o.Adamax(p, lr=0.02, betas=(0.8, 0.9), weight_decay=0.1, eps=1e-3),
    "adagrad": lambda p: o.Adagrad(p, lr=0.1),
    "adagrad_decay": lambda p: o.Adagrad(
        p, lr=0.1, lr_decay=0.05, weight_decay=0.1, initial_accumulator_value=0.5
    ),
    "adadelta": lambda p: o.Adadelta(p),
    "adadelta_decay": lambda p: o.Adadelta(p, lr=2, rho=0.8, eps=1e-3, weight_decay=0.1),
    "rmsprop": lambda p: o.RMSprop(p, lr=0.02),
    "rmsprop_momentum": lambda p: o.RMSprop(p, lr=0.01, alpha=0.9, momentum=0.8, weight_decay=0.1),
    "rmsprop_centered": lambda p: o.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "rprop": lambda p: o.Rprop(p, lr=0.02),
    "rprop_bounds": lambda p: o.Rprop(p, lr=0.02, etas=(0.3, 1.7), step_sizes=(0.01, 0.05)),
    "asgd": lambda p: o.ASGD(p, lr=0.05),
    "asgd_averages": lambda p: o.ASGD(p, lr=0.05, lambd=0.1, t0=10, weight_decay=0.1),
    "adafactor": lambda p: o.Adafactor(p, lr=0.1),
    "adafactor_decay": lambda p: o.Adafactor(
        p, lr=0.3, beta2_decay=-0.5, eps=(1e-2, 0.5), d=2.0, weight_decay=0.1
    ),
    "adafactor_vector": lambda p: o.Adafactor(p, lr=0.1),
    "muon": lambda p: o.Muon(p, lr=0.02),
    "muon_plain": lambda p: o.Muon(
        p, lr=0.02, weight_decay=0.3, momentum=0.8, nesterov=False, adjust_lr_fn="match_rms_adamw"
    ),
}
LBFGS = {
    "lbfgs": dict(lr=0.3, max_iter=3),
    "lbfgs_history": dict(lr=0.3, max_iter=3, history_size=2),
    "lbfgs_wolfe": dict(max_iter=3, line_search_fn="strong_wolfe"),
}


def bowl(x):
    """Rosenbrock's valley in eight dimensions, less steep."""
    return (10 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def along(make, start, gradients):
    p = start.clone().requires_grad_()
    optimizer = make([p])
    path = []
    for g in gradients:
        p.grad = g.clone()
        optimizer.step()
        path.append(p.detach().clone())
    return torch.stack(path)


def lbfgs(start, options):
    p = start.flatten().clone().requires_grad_()
    optimizer = o.LBFGS([p], **options)

    def closure():
        optimizer.zero_grad()
        loss = bowl(p)
        loss.backward()
        return loss

    path = []
    for _ in range(15):
        optimizer.step(closure)
        path.append(p.detach().clone())
    return torch.stack(path)


def main():
    torch.set_default_dtype(torch.float64)  # also of the numbers that optimizers keep
    torch.manual_seed(5)
    start = torch.randn(2, 4)
    gradients = torch.randn(STEPS, 2, 4)
    out = {"start": start.clone(), "gradients": gradients}
    for name, make in CONFIGURATIONS.items():
        if name.endswith("_vector"):
            out[name] = along(make, start.flatten(), gradients.flatten(1))
        else:
            out[name] = along(make, start, gradients)
    for name, options in LBFGS.items():
        out[name] = lbfgs(start, options)
    default = pathlib.Path(__file__).with_suffix(".safetensors")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    save_file(out, path, metadata={"format": "pt", "torch": torch.__version__.split("+")[0]})


if __name__ == "__main__":
    main()
