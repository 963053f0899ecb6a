"""Writes network_ops.h: what PyTorch computes, in f64, for the operators of networks.

    ~/.cache/adjoint/oracles/bin/python tests/golden/network_ops.py > tests/golden/network_ops.h

Inputs are sines, so that the test makes the same ones: element i of wave(shape, s) is sin(0.7 i + s).
"""

import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def wave(shape, seed):
    count = math.prod(shape)
    values = [math.sin(0.7 * i + seed) for i in range(count)]
    return torch.tensor(values).reshape(shape)


def emit(name, function, inputs):
    """The result, then the gradient of each input for the gradient wave(result.shape, 9)."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    y = function(*leaves)
    y.backward(wave(y.shape, 9))
    values = [v for t in [y, *[x.grad for x in leaves]] for v in t.flatten().tolist()]
    print(f"inline const std::vector<double> {name} = {{")
    for at in range(0, len(values), 4):
        print("    " + " ".join(f"{v!r}," for v in values[at : at + 4]))
    print("};")


print("// Results of PyTorch, written by network_ops.py: each result, then its gradients.")
print("// clang-format off")
print("#pragma once\n\n#include <vector>\n\nnamespace adjoint::golden {\n")

x = wave((2, 3, 4), 1) * 3
emit("kSoftmax", lambda x: F.softmax(x, 1), [x])
emit("kLogSoftmax", lambda x: F.log_softmax(x, -1), [x])
w, b = wave((4,), 2), wave((4,), 3)
emit("kLayerNorm", lambda x, w, b: F.layer_norm(x, (4,), w, b), [x, w, b])
emit("kLayerNormTwoDims", lambda x: F.layer_norm(x, (3, 4), eps=0.1), [x])

emit("kRmsNorm", lambda x, w: F.rms_norm(x, (4,), w), [x, w])
emit("kRmsNormTwoDims", lambda x: F.rms_norm(x, (3, 4), eps=0.1), [x])

logits = wave((5, 7), 4) * 2
target = torch.tensor([3, 0, -100, 6, 2])
for reduction in ("none", "mean", "sum"):
    emit(f"kCrossEntropy_{reduction}",
         lambda x, r=reduction: F.cross_entropy(x, target, reduction=r, label_smoothing=0.1), [logits])
grid = torch.tensor([[1, 0, 3], [2, 2, 1]])
emit("kCrossEntropyGrid", lambda x: F.cross_entropy(x, grid, ignore_index=1), [wave((2, 4, 3), 5)])
emit("kLinearCrossEntropy",
     lambda x, w, b: F.linear_cross_entropy(x, w, target, linear_bias=b, label_smoothing=0.1),
     [wave((5, 3), 1), wave((7, 3), 2), wave((7,), 3)])
emit("kMse", F.mse_loss, [wave((3, 4), 1), wave((3, 4), 2)])

q, k, v = wave((2, 2, 4, 3), 1), wave((2, 2, 5, 3), 2), wave((2, 2, 5, 2), 3)
attention = F.scaled_dot_product_attention
emit("kAttention", attention, [q, k, v])
emit("kAttentionCausal", lambda q, k, v: attention(q, k, v, is_causal=True), [q, k, v])
allowed = wave((2, 1, 4, 5), 6) > 0
emit("kAttentionAllowed", lambda q, k, v: attention(q, k, v, attn_mask=allowed), [q, k, v])
emit("kAttentionBias", lambda q, k, v, m: attention(q, k, v, attn_mask=m, scale=0.3),
     [q, k, v, wave((4, 5), 7)])

print("\n}  // namespace adjoint::golden")
