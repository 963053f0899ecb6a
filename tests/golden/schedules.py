#!/usr/bin/env python3
"""Writes schedules.safetensors: the rates of PyTorch's schedulers over 100 steps.

usage: schedules.py [OUTPUT]

`NAME` (100) in f64 holds the rate at each step of the configuration NAME of schedule_test.cpp, of an
optimizer with lr 0.1; `NAME.momentum` its momentum, where that moves; `metrics` (100) what
`plateau...` is told after each step.
"""
import pathlib
import sys
import warnings

import torch
from safetensors.torch import save_file
from torch.optim import lr_scheduler as s
from torch.optim.swa_utils import SWALR

STEPS = 100
CONFIGURATIONS = {
    "step": lambda o: s.StepLR(o, 30, gamma=0.5),
    "multi_step": lambda o: s.MultiStepLR(o, [10, 40, 40, 70], gamma=0.3),
    "constant": lambda o: s.ConstantLR(o),
    "constant_long": lambda o: s.ConstantLR(o, factor=0.5, total_iters=40),
    "linear": lambda o: s.LinearLR(o),
    "linear_down": lambda o: s.LinearLR(o, start_factor=0.9, end_factor=0.2, total_iters=60),
    "exponential": lambda o: s.ExponentialLR(o, 0.95),
    "polynomial": lambda o: s.PolynomialLR(o),
    "polynomial_square": lambda o: s.PolynomialLR(o, total_iters=80, power=2),
    "cosine": lambda o: s.CosineAnnealingLR(o, 40),
    "cosine_above": lambda o: s.CosineAnnealingLR(o, 70, eta_min=0.02),
    "restarts": lambda o: s.CosineAnnealingWarmRestarts(o, 15),
    "restarts_longer": lambda o: s.CosineAnnealingWarmRestarts(o, 10, T_mult=2, eta_min=0.01),
    "one_cycle": lambda o: s.OneCycleLR(o, 0.1, total_steps=100),
    "one_cycle_linear": lambda o: s.OneCycleLR(
        o, 0.1, total_steps=101, pct_start=0.4, anneal_strategy="linear", three_phase=True,
        base_momentum=0.5, max_momentum=0.7, div_factor=10, final_div_factor=100
    ),
    "cyclic": lambda o: s.CyclicLR(o, 0.01, 0.1, step_size_up=12),
    "cyclic_halves": lambda o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=7, step_size_down=13, mode="triangular2",
        base_momentum=0.5, max_momentum=0.7
    ),
    "cyclic_range": lambda o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=9, mode="exp_range", gamma=0.98, cycle_momentum=False
    ),
    "cyclic_function": lambda o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=9, scale_fn=lambda x: 1 / (1 + x), scale_mode="iterations"
    ),
    "lambda": lambda o: s.LambdaLR(o, lambda step: 1 / (1 + step)),
    "multiplicative": lambda o: s.MultiplicativeLR(o, lambda step: 1 - 1 / (step + 10)),
    "swa": lambda o: SWALR(o, 0.02),
    "swa_linear": lambda o: SWALR(o, 0.02, anneal_epochs=33, anneal_strategy="linear"),
    "chained": lambda o: s.ChainedScheduler(
        [s.ConstantLR(o, factor=0.5, total_iters=20), s.ExponentialLR(o, 0.97), s.StepLR(o, 25)]
    ),
    "sequential": lambda o: s.SequentialLR(
        o, [s.LinearLR(o, total_iters=10), s.CosineAnnealingLR(o, 50), s.ExponentialLR(o, 0.9)],
        [10, 60]
    ),
}
PLATEAUS = {
    "plateau": dict(patience=3),
    "plateau_max": dict(
        mode="max", factor=0.5, patience=2, threshold=0.05, threshold_mode="abs", cooldown=4,
        min_lr=0.01
    ),
    "plateau_rel_max": dict(mode="max", factor=0.7, patience=1, threshold=0.1),
}


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.3)


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(3)
    out = {"metrics": torch.rand(STEPS, dtype=torch.float64) + 3 / (torch.arange(STEPS) + 1.0)}
    for name, make in CONFIGURATIONS.items():
        o = optimizer()
        scheduler = make(o)
        rates, momenta = [], []
        for _ in range(STEPS):
            rates.append(o.param_groups[0]["lr"])
            momenta.append(o.param_groups[0]["momentum"])
            o.step()
            scheduler.step()
        out[name] = torch.tensor(rates, dtype=torch.float64)
        if momenta[0] != 0.3 or momenta[-1] != 0.3:
            out[name + ".momentum"] = torch.tensor(momenta, dtype=torch.float64)
    for name, options in PLATEAUS.items():
        o = optimizer()
        scheduler = s.ReduceLROnPlateau(o, **options)
        rates = []
        for metric in out["metrics"]:
            rates.append(o.param_groups[0]["lr"])
            scheduler.step(metric)
        out[name] = torch.tensor(rates, dtype=torch.float64)
    default = pathlib.Path(__file__).with_suffix(".safetensors")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    save_file(out, path, metadata={"format": "pt", "torch": torch.__version__.split("+")[0]})


if __name__ == "__main__":
    main()
