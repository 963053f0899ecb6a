#!/usr/bin/env python3
"""Writes second_derivatives.safetensors: PyTorch's second derivatives, in f64.

usage: second_derivatives.py [OUTPUT]

`network/...` and `attention/...` have inputs `in/NAME`, vectors `v/NAME`, the hessian of a loss by
each two of its arguments `hessian/A/B`, the jacobian and jvp of the outputs by them, and the
products `hvp/NAME`, `vhp/NAME`. `penalty/...` is a training step of a critic with a gradient
penalty (Gulrajani et al. 2017): weights before, gradients, weights after a step of Adam.
"""
import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.autograd import functional as AF
from torch.nn.attention import SDPBackend, sdpa_kernel

out = {}


def x(*shape):
    return torch.randn(shape, dtype=torch.float64)


def derivatives(name, outputs, loss, arguments):
    """Of outputs(*arguments), a tensor, and loss(*arguments), a number."""
    names, values = list(arguments), tuple(arguments.values())
    vectors = tuple(x(*value.shape) for value in values)
    hessian = AF.hessian(loss, values)
    jacobian = AF.jacobian(outputs, values)
    out[f"{name}/out"] = outputs(*values)
    out[f"{name}/loss"] = loss(*values)
    out[f"{name}/jvp"] = AF.jvp(outputs, values, vectors)[1]
    hvp, vhp = AF.hvp(loss, values, vectors)[1], AF.vhp(loss, values, vectors)[1]
    for i, a in enumerate(names):
        out[f"{name}/in/{a}"] = values[i]
        out[f"{name}/v/{a}"] = vectors[i]
        out[f"{name}/jacobian/{a}"] = jacobian[i]
        out[f"{name}/hvp/{a}"] = hvp[i]
        out[f"{name}/vhp/{a}"] = vhp[i]
        for j, b in enumerate(names):
            out[f"{name}/hessian/{a}/{b}"] = hessian[i][j]


def network():
    inputs, target = x(5, 3), x(5, 2)
    out["network/x"], out["network/target"] = inputs, target
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    arguments = {n: p.detach().clone() for n, p in model.named_parameters()}

    def outputs(*values):
        return torch.func.functional_call(model, dict(zip(arguments, values)), (inputs,))

    derivatives("network", outputs, lambda *v: F.mse_loss(outputs(*v), target), arguments)


def attention():
    weights = x(2, 3, 2)
    out["attention/weights"] = weights
    for causal in (False, True):

        def outputs(q, k, v):
            return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

        arguments = {"q": x(2, 3, 2), "k": x(2, 3, 2), "v": x(2, 3, 2)}
        name = "attention/causal" if causal else "attention/full"
        derivatives(name, outputs, lambda *a: (outputs(*a).tanh() * weights).sum(), arguments)


def penalty():
    critic = nn.Sequential(nn.Linear(3, 6), nn.LayerNorm(6), nn.SiLU(), nn.Linear(6, 1)).double()
    real, fake, mix = x(4, 3), x(4, 3), torch.rand(4, 1, dtype=torch.float64)
    out["penalty/real"], out["penalty/fake"], out["penalty/mix"] = real, fake, mix
    with torch.no_grad():
        for p in critic.parameters():
            p.copy_(x(*p.shape) * 0.7)
    for n, p in critic.named_parameters():
        out[f"penalty/before/{n}"] = p.detach().clone()
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2, betas=(0.5, 0.9))
    between = (mix * real + (1 - mix) * fake).requires_grad_()
    slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
    term = ((slope.norm(dim=1) - 1) ** 2).mean()
    loss = critic(fake).mean() - critic(real).mean() + 10 * term
    loss.backward()
    optimizer.step()
    out["penalty/term"], out["penalty/loss"] = term, loss
    for n, p in critic.named_parameters():
        out[f"penalty/grad/{n}"] = p.grad
        out[f"penalty/after/{n}"] = p


def main():
    torch.manual_seed(5)
    torch.set_num_threads(1)
    network()
    with sdpa_kernel(SDPBackend.MATH):  # its fused kernels have no second derivative
        attention()
    penalty()
    default = pathlib.Path(__file__).with_suffix(".safetensors")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    meta = {"format": "pt", "torch": torch.__version__.split("+")[0]}
    tensors = {k: v.detach().clone().contiguous() for k, v in out.items()}
    save_file(tensors, path, metadata=meta)
    print(f"{path.name}: {len(out)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
