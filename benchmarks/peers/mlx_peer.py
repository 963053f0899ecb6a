"""MLX's side on the CPU: the same GPT and MLP steps as torch_peer.py. MLX has no switch for the
number of threads on the CPU.
"""

import time, statistics, math, mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

mx.set_default_device(mx.cpu)


def med(f, min_s=3.0, reps=5):
    f()
    f()
    t = time.perf_counter()
    f()
    once = time.perf_counter() - t
    n = max(1, int(min_s / reps / once))
    ts = []
    for _ in range(reps):
        t = time.perf_counter()
        for _ in range(n):
            f()
        ts.append((time.perf_counter() - t) / n)
    return statistics.median(ts)


class Block(nn.Module):
    def __init__(s, d, h):
        super().__init__()
        s.h = h
        s.ln1, s.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        s.qkv, s.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        s.fc, s.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def __call__(s, x, m):
        B, T, C = x.shape
        q, k, v = [
            t.reshape(B, T, s.h, C // s.h).transpose(0, 2, 1, 3)
            for t in mx.split(s.qkv(s.ln1(x)), 3, -1)
        ]
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(C // s.h), mask=m)
        x = x + s.proj(y.transpose(0, 2, 1, 3).reshape(B, T, C))
        return x + s.fc2(nn.gelu_approx(s.fc(s.ln2(x))))


class GPT(nn.Module):
    def __init__(s, V, T, L, H, D):
        super().__init__()
        s.wte, s.wpe = nn.Embedding(V, D), nn.Embedding(T, D)
        s.blocks = [Block(D, H) for _ in range(L)]
        s.lnf = nn.LayerNorm(D)

    def __call__(s, ix):
        T = ix.shape[1]
        x = s.wte(ix) + s.wpe(mx.arange(T))
        m = nn.MultiHeadAttention.create_additive_causal_mask(T)
        for b in s.blocks:
            x = b(x, m)
        return s.wte.as_linear(s.lnf(x))


def gpt(name, V, T, L, H, D, B, Tm=None):
    m = GPT(V, Tm or T, L, H, D)
    mx.eval(m.parameters())
    o = optim.AdamW(3e-4)
    ix = mx.random.randint(0, V, (B, T))
    tg = mx.random.randint(0, V, (B, T))
    vg = nn.value_and_grad(m, lambda m: nn.losses.cross_entropy(m(ix), tg, reduction="mean"))

    def step():
        l, g = vg(m)
        o.update(m, g)
        mx.eval(m.parameters(), o.state, l)

    t = med(step)
    print(f"{name}\ttrain\t{B*T/t:.6g}\ttok/s", flush=True)


x = mx.random.normal((1024, 1024))
y = mx.random.normal((1024, 1024))
print("gemm_1024\tfp32\t%.1f\tGFLOP/s" % (2 * 1024**3 / med(lambda: mx.eval(x @ y), 1) / 1e9))
gpt("gpt_char", 65, 64, 4, 4, 128, 12)
gpt("gpt_10m", 65, 256, 6, 6, 384, 4)
gpt("gpt_124m", 50257, 64, 12, 12, 768, 4, 1024)
