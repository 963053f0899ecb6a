#!/usr/bin/env python3
"""Writes text_models.safetensors: Llama, BERT (both heads), Seq2Seq, LSTM, GRU in PyTorch, f64.

usage: text_models.py [OUTPUT]

The Llama is composed by hand (rotate_half, repeated keys), the BERT of nn.TransformerEncoderLayer
under Hugging Face's names, the Seq2Seq of nn.Transformer, the last two of nn.LSTM and nn.GRU. Of
each MODEL: `MODEL/weight/NAME`, `MODEL/grad/NAME` of the loss, `MODEL/loss`, `MODEL/logits`, and
what it reads, `MODEL/in/NAME`.
"""
import math
import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

BATCH, LENGTH, VOCAB, LAYERS, WIDTH, HEADS, HIDDEN = 2, 5, 13, 2, 8, 4, 12


def parameters(shapes):
    out = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, dtype=torch.float64) * 0.3
        if "norm" in name.lower() and name.endswith("weight"):
            value = value + 1
        out[name] = value.requires_grad_()
    return out


def record(out, model, weights, inputs, loss, logits):
    loss.backward()
    for name, value in weights.items():
        out[f"{model}/weight/{name}"] = value.detach().clone()
        out[f"{model}/grad/{name}"] = value.grad.clone()
    for name, value in inputs.items():
        out[f"{model}/in/{name}"] = value.clone()
    out[f"{model}/loss"] = loss.detach().clone()
    out[f"{model}/logits"] = logits.detach().clone().contiguous()


def llama(out):
    kv_heads, theta, eps, dim = 2, 100.0, 1e-5, WIDTH // HEADS
    shapes = {"model.embed_tokens.weight": (VOCAB, WIDTH), "model.norm.weight": (WIDTH,),
              "lm_head.weight": (VOCAB, WIDTH)}
    for i in range(LAYERS):
        layer = f"model.layers.{i}."
        shapes |= {layer + "input_layernorm.weight": (WIDTH,),
                   layer + "post_attention_layernorm.weight": (WIDTH,),
                   layer + "self_attn.q_proj.weight": (WIDTH, WIDTH),
                   layer + "self_attn.k_proj.weight": (kv_heads * dim, WIDTH),
                   layer + "self_attn.v_proj.weight": (kv_heads * dim, WIDTH),
                   layer + "self_attn.o_proj.weight": (WIDTH, WIDTH),
                   layer + "mlp.gate_proj.weight": (HIDDEN, WIDTH),
                   layer + "mlp.up_proj.weight": (HIDDEN, WIDTH),
                   layer + "mlp.down_proj.weight": (WIDTH, HIDDEN)}
    w = parameters(shapes)
    ids = torch.randint(VOCAB, (BATCH, LENGTH))
    targets = torch.randint(VOCAB, (BATCH, LENGTH))
    frequencies = theta ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = torch.outer(torch.arange(LENGTH, dtype=torch.float64), frequencies)
    angles = torch.cat([angles, angles], dim=-1)

    def rotate(x):
        half = torch.cat([-x[..., dim // 2:], x[..., :dim // 2]], dim=-1)
        return x * angles.cos() + half * angles.sin()

    def norm(x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w[name]

    def heads(x, name):
        return (x @ w[name].T).view(BATCH, LENGTH, -1, dim).transpose(1, 2)

    x = w["model.embed_tokens.weight"][ids]
    causal = torch.tril(torch.ones(LENGTH, LENGTH, dtype=torch.bool))
    for i in range(LAYERS):
        layer = f"model.layers.{i}."
        y = norm(x, layer + "input_layernorm.weight")
        q = rotate(heads(y, layer + "self_attn.q_proj.weight"))
        k = rotate(heads(y, layer + "self_attn.k_proj.weight"))
        v = heads(y, layer + "self_attn.v_proj.weight")
        k, v = (t.repeat_interleave(HEADS // kv_heads, dim=1) for t in (k, v))
        scores = (q @ k.transpose(-2, -1) / math.sqrt(dim)).masked_fill(~causal, -math.inf)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(BATCH, LENGTH, WIDTH)
        x = x + y @ w[layer + "self_attn.o_proj.weight"].T
        y = norm(x, layer + "post_attention_layernorm.weight")
        gate = F.silu(y @ w[layer + "mlp.gate_proj.weight"].T)
        x = x + (gate * (y @ w[layer + "mlp.up_proj.weight"].T)) @ w[layer + "mlp.down_proj.weight"].T
    logits = norm(x, "model.norm.weight") @ w["lm_head.weight"].T
    loss = F.cross_entropy(logits.view(-1, VOCAB), targets.view(-1))
    record(out, "llama", w, {"ids": ids, "targets": targets}, loss, logits)


def linear_shapes(name, rows, columns):
    return {name + ".weight": (rows, columns), name + ".bias": (rows,)}


def norm_shapes(name):
    return {name + ".weight": (WIDTH,), name + ".bias": (WIDTH,)}


def bert_shapes():
    shapes = {"bert.embeddings.word_embeddings.weight": (VOCAB, WIDTH),
              "bert.embeddings.position_embeddings.weight": (LENGTH + 2, WIDTH),
              "bert.embeddings.token_type_embeddings.weight": (2, WIDTH)}
    shapes |= norm_shapes("bert.embeddings.LayerNorm")
    for i in range(LAYERS):
        layer = f"bert.encoder.layer.{i}."
        for part in ("query", "key", "value"):
            shapes |= linear_shapes(layer + "attention.self." + part, WIDTH, WIDTH)
        shapes |= linear_shapes(layer + "attention.output.dense", WIDTH, WIDTH)
        shapes |= norm_shapes(layer + "attention.output.LayerNorm")
        shapes |= linear_shapes(layer + "intermediate.dense", HIDDEN, WIDTH)
        shapes |= linear_shapes(layer + "output.dense", WIDTH, HIDDEN)
        shapes |= norm_shapes(layer + "output.LayerNorm")
    return shapes


def bert_states(w, ids, types, padding):
    e = "bert.embeddings."
    x = (w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][:LENGTH]
         + w[e + "token_type_embeddings.weight"][types])
    x = F.layer_norm(x, (WIDTH,), w[e + "LayerNorm.weight"], w[e + "LayerNorm.bias"], 1e-12)
    block = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=0.0, activation="gelu",
                                       layer_norm_eps=1e-12, batch_first=True).double()
    names = {"self_attn.out_proj": "attention.output.dense", "linear1": "intermediate.dense",
             "linear2": "output.dense", "norm1": "attention.output.LayerNorm",
             "norm2": "output.LayerNorm"}
    for i in range(LAYERS):
        layer = f"bert.encoder.layer.{i}."
        values = {f"{theirs}.{kind}": w[f"{layer}{ours}.{kind}"]
                  for theirs, ours in names.items() for kind in ("weight", "bias")}
        for kind in ("weight", "bias"):
            values[f"self_attn.in_proj_{kind}"] = torch.cat(
                [w[f"{layer}attention.self.{part}.{kind}"] for part in ("query", "key", "value")])
        x = torch.func.functional_call(block, values, (x,), {"src_key_padding_mask": padding})
    return x


def bert(out):
    ids = torch.randint(VOCAB, (BATCH, LENGTH))
    types = torch.randint(2, (BATCH, LENGTH))
    padding = torch.tensor([[False] * LENGTH, [False] * (LENGTH - 2) + [True] * 2])
    inputs = {"ids": ids, "token_types": types, "padding": padding}
    shapes = bert_shapes() | {"cls.predictions.bias": (VOCAB,)}
    shapes |= linear_shapes("cls.predictions.transform.dense", WIDTH, WIDTH)
    shapes |= norm_shapes("cls.predictions.transform.LayerNorm")
    w = parameters(shapes)
    h = "cls.predictions.transform."
    x = F.gelu(F.linear(bert_states(w, ids, types, padding), w[h + "dense.weight"],
                        w[h + "dense.bias"]))
    x = F.layer_norm(x, (WIDTH,), w[h + "LayerNorm.weight"], w[h + "LayerNorm.bias"], 1e-12)
    logits = F.linear(x, w["bert.embeddings.word_embeddings.weight"], w["cls.predictions.bias"])
    positions, targets = torch.tensor([1, 3, 4, 6]), torch.randint(VOCAB, (4,))
    loss = F.cross_entropy(logits.view(-1, VOCAB)[positions], targets)
    record(out, "bert", w, inputs | {"positions": positions, "targets": targets}, loss, logits)

    shapes = bert_shapes() | linear_shapes("bert.pooler.dense", WIDTH, WIDTH)
    w = parameters(shapes | linear_shapes("classifier", 3, WIDTH))
    x = bert_states(w, ids, types, padding)[:, 0]
    x = torch.tanh(F.linear(x, w["bert.pooler.dense.weight"], w["bert.pooler.dense.bias"]))
    logits = F.linear(x, w["classifier.weight"], w["classifier.bias"])
    targets = torch.tensor([2, 0])
    record(out, "classes", w, inputs | {"targets": targets}, F.cross_entropy(logits, targets),
           logits)


def seq2seq(out):
    model = nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, HIDDEN, dropout=0.0, activation="gelu",
                           batch_first=True, norm_first=True).double()
    shapes = {f"transformer.{n}": p.shape for n, p in model.named_parameters()}
    shapes |= {"embedding.weight": (VOCAB, WIDTH), "output.bias": (VOCAB,),
               "source_positions.weight": (LENGTH + 2, WIDTH),
               "target_positions.weight": (LENGTH + 2, WIDTH)}
    w = parameters(shapes)
    source = torch.randint(VOCAB, (BATCH, LENGTH))
    target = torch.randint(VOCAB, (BATCH, LENGTH - 1))
    following = torch.randint(VOCAB, (BATCH, LENGTH - 1))
    following[1, -1] = 0  # ignored
    padding = torch.tensor([[False] * (LENGTH - 1) + [True], [False] * LENGTH])
    values = {n: w[f"transformer.{n}"] for n, _ in model.named_parameters()}
    embed = lambda ids, side: w["embedding.weight"][ids] + w[side][: ids.shape[1]]
    states = torch.func.functional_call(
        model, values, (embed(source, "source_positions.weight"),
                        embed(target, "target_positions.weight")),
        {"tgt_mask": nn.Transformer.generate_square_subsequent_mask(LENGTH - 1, dtype=torch.float64),
         "tgt_is_causal": True, "src_key_padding_mask": padding,
         "memory_key_padding_mask": padding})
    logits = F.linear(states, w["embedding.weight"], w["output.bias"])
    loss = F.cross_entropy(logits.view(-1, VOCAB), following.view(-1), ignore_index=0)
    record(out, "seq2seq", w, {"source": source, "padding": padding, "target": target,
                               "following": following}, loss, logits)


def rnn(out, name, layers):
    model = nn.ModuleDict({"encoder": nn.Embedding(VOCAB, 5), "rnn": layers,
                           "decoder": nn.Linear(WIDTH, VOCAB)}).double()
    for value in model.parameters():
        nn.init.normal_(value, std=0.3)
    ids = torch.randint(VOCAB, (BATCH, LENGTH))
    targets = torch.randint(VOCAB, (BATCH, LENGTH))
    logits = model["decoder"](model["rnn"](model["encoder"](ids))[0])
    loss = F.cross_entropy(logits.view(-1, VOCAB), targets.view(-1))
    record(out, name, dict(model.named_parameters()), {"ids": ids, "targets": targets}, loss,
           logits)


def main():
    torch.manual_seed(3)
    torch.set_num_threads(1)
    out = {}
    llama(out)
    bert(out)
    seq2seq(out)
    rnn(out, "lstm", nn.LSTM(5, WIDTH, LAYERS, batch_first=True))
    rnn(out, "gru", nn.GRU(5, WIDTH, LAYERS, batch_first=True))
    default = pathlib.Path(__file__).with_suffix(".safetensors")
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    save_file(out, path, metadata={"format": "pt", "torch": torch.__version__.split("+")[0]})
    losses = {name: float(value) for name, value in out.items() if name.endswith("/loss")}
    print(f"{path.name}: {path.stat().st_size} bytes, losses {losses}")


if __name__ == "__main__":
    main()
