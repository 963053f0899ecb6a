#!/usr/bin/env python3
"""Writes image_models.safetensors: models of images in PyTorch, under torchvision's names.

usage: image_models.py [OUTPUT]

Weights are a formula of a tensor's place among the sorted names and of the element's number
(`fill`), in f64. For each case: `CASE/x`; `CASE/y`, in training; `CASE/eval`, after that, in eval
mode; and for each parameter `CASE/grad/NAME`, two sums of its gradient of mean(y^2), weighted by
cos(i) and by 1. The autoencoder's: `vae/kl`, and `vae/reconstruction` where q(z | x) has no width.
`layout/MODEL/NAME` are the shapes of torchvision's resnet18 and resnet34 of 1000 classes.
"""
import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        self.added = outputs - inputs
        if stride != 1 or inputs != outputs:
            if shortcut == "b":
                self.downsample = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None:
            x = self.downsample(x)
        elif self.added:
            half = self.added // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, self.added - half))
        return F.relu(y + x)


class ResNet(nn.Module):
    def __init__(self, counts, width, inputs, classes, shortcut, imagenet=False):
        super().__init__()
        self.imagenet = imagenet
        if imagenet:
            self.conv1 = nn.Conv2d(inputs, width, 7, 2, 3, bias=False)
        else:
            self.conv1 = nn.Conv2d(inputs, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.count = len(counts)
        before = width
        for i, count in enumerate(counts):
            after = width << i
            blocks = []
            for j in range(count):
                blocks.append(BasicBlock(before, after, 2 if i > 0 and j == 0 else 1, shortcut))
                before = after
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, 1)
        for i in range(self.count):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.fc(x.mean((2, 3)))


class VitBlock(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0), nn.Linear(hidden, width)
        )

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self, tokens, width, layers, heads, hidden):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, tokens, width))
        self.layers = nn.Sequential()
        for i in range(layers):
            self.layers.add_module(f"encoder_layer_{i}", VitBlock(width, heads, hidden))
        self.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        return self.ln(self.layers(x + self.pos_embedding))


class Vit(nn.Module):
    def __init__(self, image, patch, inputs, layers, heads, width, hidden, classes):
        super().__init__()
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.conv_proj = nn.Conv2d(inputs, width, patch, patch)
        self.encoder = Encoder((image // patch) ** 2 + 1, width, layers, heads, hidden)
        self.heads = nn.Sequential()
        self.heads.add_module("head", nn.Linear(width, classes))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1)
        return self.heads(self.encoder(x)[:, 0])


class Vae(nn.Module):
    def __init__(self, pixels, hidden, latent):
        super().__init__()
        self.fc1 = nn.Linear(pixels, hidden)
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, pixels)

    def encode(self, x):
        h = F.relu(self.fc1(x.flatten(1)))
        return self.fc21(h), self.fc22(h)

    def forward(self, x):
        mean, _ = self.encode(x)
        return torch.sigmoid(self.fc4(F.relu(self.fc3(mean)))).view(x.shape)


def generator(image, channels, latent, width):
    return nn.Sequential(
        nn.ConvTranspose2d(latent, 4 * width, image // 4, bias=False),
        nn.BatchNorm2d(4 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(4 * width, width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


def discriminator(image, channels, width):
    return nn.Sequential(
        nn.Conv2d(channels, width, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 4 * width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(4 * width),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4 * width, 1, image // 4, bias=False),
        nn.Flatten(0),
    )


class Main(nn.Module):
    """What PyTorch's example has around its layers."""

    def __init__(self, main, code):
        super().__init__()
        self.main = main
        self.code = code

    def forward(self, x):
        return self.main(x[:, :, None, None] if self.code else x)


def wave(count, phase, factor=0.7):
    return torch.sin(factor * torch.arange(count) + phase)


def fill(model):
    state = model.state_dict()
    for place, name in enumerate(sorted(state)):
        value = state[name]
        if not value.is_floating_point():
            continue
        x = wave(value.numel(), place).view(value.shape)
        if value.dim() >= 2:
            value.copy_(x / value[0].numel() ** 0.5)
        elif name.endswith("weight") or name.endswith("var"):
            value.copy_(1 + 0.1 * x)
        else:
            value.copy_(0.1 * x)
    return model


def case(out, name, model, x):
    fill(model)
    model.train()
    y = model(x)
    (y**2).mean().backward()
    out[f"{name}/x"], out[f"{name}/y"] = x, y.detach()
    for key, parameter in model.named_parameters():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        gradient = gradient.flatten()
        weights = torch.cos(torch.arange(gradient.numel()))
        out[f"{name}/grad/{key}"] = torch.stack([(gradient * weights).sum(), gradient.sum()])
    model.eval()
    out[f"{name}/eval"] = model(x).detach()


def main():
    out = {}
    images = wave(3 * 2 * 8 * 8, 0.3).view(3, 2, 8, 8)
    for shortcut in "ab":
        model = ResNet((1, 1, 1), 16, 2, 5, shortcut)
        case(out, f"resnet_{shortcut}", model, images)
    case(out, "vit", Vit(8, 4, 2, 2, 2, 6, 10, 5), images)
    case(out, "vae", Vae(128, 9, 4), images.abs())
    model = fill(Vae(128, 9, 4))
    with torch.no_grad():
        mean, log_variance = model.encode(images.abs())
        kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum() / 3
        logits = model.fc4(F.relu(model.fc3(mean)))
        sharp = F.binary_cross_entropy_with_logits(
            logits, images.abs().flatten(1), reduction="sum"
        )
    out["vae/kl"], out["vae/reconstruction"] = kl, sharp / 3
    case(out, "generator", Main(generator(8, 2, 5, 3), True), wave(15, 0.1).view(3, 5))
    case(out, "discriminator", Main(discriminator(8, 2, 3), False), images)
    with torch.device("meta"):
        for name, counts in (("resnet18", (2, 2, 2, 2)), ("resnet34", (3, 4, 6, 3))):
            for key, value in ResNet(counts, 64, 3, 1000, "b", True).state_dict().items():
                out[f"layout/{name}/{key}"] = list(value.shape)
    for key, value in out.items():
        layout = isinstance(value, list)
        out[key] = torch.tensor(value, dtype=torch.int64) if layout else value.detach().clone()
    default = pathlib.Path(__file__).with_name("image_models.safetensors")
    save_file(out, sys.argv[1] if len(sys.argv) > 1 else default)


if __name__ == "__main__":
    main()
