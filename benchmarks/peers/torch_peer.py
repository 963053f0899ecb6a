"""PyTorch's side of the comparison: groups of workloads, each row printed as
`name<TAB>metric<TAB>value<TAB>unit`.

usage: torch_peer.py [--threads N] [--compile] GROUP...
The groups are the functions marked @w; none named means all of them. Every figure is the median
over repeated timed blocks after a warm-up.
"""

import argparse, math, resource, statistics, sys, time
import torch, torch.nn as nn, torch.nn.functional as F


def median_time(f, min_s=1.0, reps=5, warm=2):
    for _ in range(warm):
        f()
    t0 = time.perf_counter()
    f()
    once = time.perf_counter() - t0
    n = max(1, int(min_s / reps / max(once, 1e-9)))
    ts = []
    for _ in range(reps):
        t0 = time.perf_counter()
        for _ in range(n):
            f()
        ts.append((time.perf_counter() - t0) / n)
    return statistics.median(ts)


def out(name, metric, v, unit):
    print(f"{name}\t{metric}\t{v:.6g}\t{unit}", flush=True)


class Block(nn.Module):
    def __init__(s, d, h, p=0.0):
        super().__init__()
        s.h = h
        s.ln1, s.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        s.qkv, s.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        s.fc, s.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        s.p = p

    def forward(s, x, kv=None):
        B, T, C = x.shape
        q, k, v = s.qkv(s.ln1(x)).split(C, 2)
        q, k, v = (t.view(B, T, s.h, C // s.h).transpose(1, 2) for t in (q, k, v))
        if kv is not None:
            if kv:
                k, v = torch.cat([kv[0], k], 2), torch.cat([kv[1], v], 2)
            kv[:] = [k, v]
        y = F.scaled_dot_product_attention(
            q, k, v, is_causal=(T > 1), dropout_p=s.p if s.training else 0.0
        )
        x = x + F.dropout(s.proj(y.transpose(1, 2).reshape(B, T, C)), s.p, s.training)
        return x + F.dropout(s.fc2(F.gelu(s.fc(s.ln2(x)), approximate="tanh")), s.p, s.training)


class GPT(nn.Module):
    def __init__(s, V, T, L, H, D, p=0.0):
        super().__init__()
        s.wte, s.wpe = nn.Embedding(V, D), nn.Embedding(T, D)
        s.blocks = nn.ModuleList([Block(D, H, p) for _ in range(L)])
        s.lnf = nn.LayerNorm(D)
        for m in s.modules():
            if isinstance(m, (nn.Linear, nn.Embedding)):
                nn.init.normal_(m.weight, std=0.02)

    def forward(s, ix, tgt=None, kvs=None, pos=0):
        x = s.wte(ix) + s.wpe(torch.arange(pos, pos + ix.shape[1]))
        for i, b in enumerate(s.blocks):
            x = b(x, None if kvs is None else kvs[i])
        x = s.lnf(x)
        if tgt is None:
            return F.linear(x[:, -1:], s.wte.weight)
        lg = F.linear(x, s.wte.weight)
        return F.cross_entropy(lg.view(-1, lg.size(-1)), tgt.view(-1))


def gpt_train(name, V, T, L, H, D, B, compile_, bf16=False):
    torch.manual_seed(0)
    m = GPT(V, T, L, H, D)
    opt = torch.optim.AdamW(m.parameters(), 3e-4, weight_decay=0.1, fused=True)
    f = torch.compile(m) if compile_ else m
    ix = torch.randint(V, (B, T))
    tg = torch.randint(V, (B, T))

    def step():
        opt.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = f(ix, tg)
        loss.backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        opt.step()

    t = median_time(step, min_s=4.0, reps=5)
    out(name, "train", B * T / t, "tok/s")
    out(name, "step", t * 1e3, "ms")
    out(name, "params", sum(p.numel() for p in m.parameters()), "n")
    out(name, "peak_rss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")


W = {}


def w(f):
    W[f.__name__] = f
    return f


@w
def gemm(a):
    for n in (64, 128, 256, 512, 1024, 2048):
        x, y = torch.randn(n, n), torch.randn(n, n)
        t = median_time(lambda: torch.mm(x, y))
        out(f"gemm_{n}", "fp32", 2 * n**3 / t / 1e9, "GFLOP/s")
    for n in (512, 1024, 2048):
        x, y = torch.randn(n, n).bfloat16(), torch.randn(n, n).bfloat16()
        t = median_time(lambda: torch.mm(x, y))
        out(f"gemm_{n}", "bf16", 2 * n**3 / t / 1e9, "GFLOP/s")
    for m, n, k in (
        (256, 2304, 768),
        (256, 768, 3072),
        (256, 50257, 768),
        (1, 768, 768),
        (12 * 64, 128, 128),
    ):
        x, y = torch.randn(m, k), torch.randn(n, k)
        t = median_time(lambda: F.linear(x, y))
        out(f"linear_{m}x{n}x{k}", "fp32", 2 * m * n * k / t / 1e9, "GFLOP/s")


@w
def overhead(a):
    x = torch.ones(1, requires_grad=True)

    def chain():
        y = x
        for _ in range(1000):
            y = y + 1.0
        y.backward()
        x.grad = None

    t = median_time(chain)
    out("op_chain_scalar", "fwd_bwd_per_op", t / 1000 * 1e9, "ns")

    def fwd():
        with torch.no_grad():
            y = x
            for _ in range(1000):
                y = y + 1.0

    t = median_time(fwd)
    out("op_chain_scalar", "nograd_per_op", t / 1000 * 1e9, "ns")


@w
def mlp_tiny(a):
    torch.manual_seed(0)
    m = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    x, y = torch.randn(32, 2), torch.randn(32, 1)
    opt = torch.optim.SGD(m.parameters(), 0.01)

    def step():
        opt.zero_grad()
        F.mse_loss(m(x), y).backward()
        opt.step()

    out("mlp_tiny", "train", 1 / median_time(step), "steps/s")


@w
def mlp_mnist(a):
    torch.manual_seed(0)
    m = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    x, y = torch.randn(64, 784), torch.randint(10, (64,))
    opt = torch.optim.Adam(m.parameters(), 1e-3)

    def step():
        opt.zero_grad()
        F.cross_entropy(m(x), y).backward()
        opt.step()

    out("mlp_mnist", "train", 64 / median_time(step), "samples/s")


@w
def cnn_mnist(a):
    torch.manual_seed(0)
    m = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(3136, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    x, y = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))
    opt = torch.optim.Adam(m.parameters(), 1e-3)

    def step():
        opt.zero_grad()
        F.cross_entropy(m(x), y).backward()
        opt.step()

    out("cnn_mnist", "train", 64 / median_time(step, 3), "samples/s")


class BasicBlock(nn.Module):
    def __init__(s, i, o, st):
        super().__init__()
        s.c1, s.b1 = nn.Conv2d(i, o, 3, st, 1, bias=False), nn.BatchNorm2d(o)
        s.c2, s.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        s.sc = (
            nn.Sequential()
            if st == 1 and i == o
            else nn.Sequential(nn.Conv2d(i, o, 1, st, bias=False), nn.BatchNorm2d(o))
        )

    def forward(s, x):
        return F.relu(s.b2(s.c2(F.relu(s.b1(s.c1(x))))) + s.sc(x))


@w
def resnet18_cifar(a):
    torch.manual_seed(0)
    L = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    i = 64
    for o, st in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        L.append(BasicBlock(i, o, st))
        i = o
    m = nn.Sequential(*L, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    x, y = torch.randn(32, 3, 32, 32), torch.randint(10, (32,))
    opt = torch.optim.SGD(m.parameters(), 0.1, 0.9)

    def step():
        opt.zero_grad()
        F.cross_entropy(m(x), y).backward()
        opt.step()

    out("resnet18_cifar", "train", 32 / median_time(step, 6, reps=3, warm=1), "samples/s")


@w
def lstm_char(a):
    torch.manual_seed(0)
    V = 65
    e, r, h = nn.Embedding(V, 128), nn.LSTM(128, 256, 2, batch_first=True), nn.Linear(256, V)
    ps = [*e.parameters(), *r.parameters(), *h.parameters()]
    opt = torch.optim.Adam(ps, 1e-3)
    ix, tg = torch.randint(V, (32, 64)), torch.randint(V, (32, 64))

    def step():
        opt.zero_grad()
        F.cross_entropy(h(r(e(ix))[0]).view(-1, V), tg.view(-1)).backward()
        opt.step()

    out("lstm_char", "train", 32 * 64 / median_time(step, 3), "tok/s")


@w
def gpt_char(a):
    gpt_train("gpt_char", 65, 64, 4, 4, 128, 12, a.compile)


@w
def gpt_10m(a):
    gpt_train("gpt_10m", 65, 256, 6, 6, 384, 4, a.compile)


@w
def gpt_124m(a):
    gpt124(a, False)


@w
def gpt_124m_bf16(a):
    gpt124(a, True)


@w
def gpt_10m_bf16(a):
    gpt_train("gpt_10m_bf16", 65, 256, 6, 6, 384, 4, a.compile, True)


def gpt124(a, bf16):
    # llm.c's CPU default: B=4, T=64
    torch.manual_seed(0)
    B, T, V = 4, 64, 50257
    m = GPT(V, 1024, 12, 12, 768)
    opt = torch.optim.AdamW(m.parameters(), 1e-4, weight_decay=0.0, fused=True)
    f = torch.compile(m) if a.compile else m
    ix = torch.randint(V, (B, T))
    tg = torch.randint(V, (B, T))

    def step():
        opt.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = f(ix, tg)
        loss.backward()
        opt.step()

    t = median_time(step, 8, reps=3, warm=2)
    n = "gpt_124m" + ("_bf16" if bf16 else "")
    out(n, "train", B * T / t, "tok/s")
    out(n, "step", t * 1e3, "ms")
    out(n, "peak_rss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")


@w
def gpt_124m_decode(a):
    torch.manual_seed(0)
    m = GPT(50257, 1024, 12, 12, 768).eval()
    with torch.inference_mode():

        def gen():
            kvs = [[] for _ in m.blocks]
            t = m(torch.randint(50257, (1, 16)), kvs=kvs).argmax(-1)
            for i in range(63):
                t = m(t.view(1, 1), kvs=kvs, pos=16 + i).argmax(-1)

        out("gpt_124m_decode", "fp32", 64 / median_time(gen, 4, reps=3, warm=1), "tok/s")


@w
def gpt_124m_prompt(a):
    torch.manual_seed(0)
    m = GPT(50257, 1024, 12, 12, 768).eval()
    ix = torch.randint(50257, (1, 256))
    with torch.inference_mode():
        out("gpt_124m_prompt", "fp32", 256 / median_time(lambda: m(ix), 3, reps=3, warm=1), "tok/s")


@w
def ops(a):
    torch.manual_seed(0)

    def fb(name, f, *ts, unit="ms"):
        def g():
            y = f(*ts)
            y.backward(torch.ones_like(y))
            for t in ts:
                if t.requires_grad:
                    t.grad = None

        out(name, "fwd_bwd", median_time(g) * 1e3, unit)

    R = lambda *s: torch.randn(*s, requires_grad=True)
    fb(
        "attn_causal_2x12x512x64",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        R(2, 12, 512, 64),
        R(2, 12, 512, 64),
        R(2, 12, 512, 64),
    )
    fb(
        "attn_causal_1x12x2048x64",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        R(1, 12, 2048, 64),
        R(1, 12, 2048, 64),
        R(1, 12, 2048, 64),
    )
    ln = nn.LayerNorm(768)
    fb("layernorm_4096x768", ln, R(4096, 768))
    fb("softmax_4096x1024", lambda x: F.softmax(x, -1), R(4096, 1024))
    fb("gelu_4096x3072", lambda x: F.gelu(x, approximate="tanh"), R(4096, 3072))
    fb("add_4096x3072", lambda x, y: x + y, R(4096, 3072), R(4096, 3072))
    tg = torch.randint(50257, (512,))
    fb("cross_entropy_512x50257", lambda x: F.cross_entropy(x, tg), R(512, 50257))
    wt = (0.02 * torch.randn(50257, 768)).requires_grad_()
    h = R(512, 768)
    fb("linear_ce_512x768x50257", lambda h, wt: F.cross_entropy(h @ wt.T, tg), h, wt)
    fb(
        "conv_32x64x32x32_k3",
        lambda x, w: F.conv2d(x, w, padding=1),
        R(32, 64, 32, 32),
        R(64, 64, 3, 3),
    )
    fb(
        "conv_32x256x8x8_k3",
        lambda x, w: F.conv2d(x, w, padding=1),
        R(32, 256, 8, 8),
        R(256, 256, 3, 3),
    )
    fb(
        "conv_64x1x28x28_k3",
        lambda x, w: F.conv2d(x, w, padding=1),
        R(64, 1, 28, 28),
        R(32, 1, 3, 3),
    )
    fb("sum_4096x3072_dim0", lambda x: x.sum(0), R(4096, 3072))
    p = torch.randn(50_000_000, requires_grad=True)
    p.grad = torch.randn_like(p)
    o = torch.optim.AdamW([p], fused=True)
    out("adamw_50M", "step", median_time(o.step) * 1e3, "ms")


@w
def seed_forward(a):
    for n, d, h, t in (("small", 128, 4, 64), ("medium", 512, 8, 128), ("large", 1024, 16, 256)):
        b = Block(d, h).eval()
        x = torch.randn(1, t, d)
        with torch.inference_mode():
            out(f"seed_block_{n}", "fwd", median_time(lambda: b(x)) * 1e3, "ms")


p = argparse.ArgumentParser()
p.add_argument("--threads", type=int, default=2)
p.add_argument("--compile", action="store_true")
p.add_argument("names", nargs="*")
a = p.parse_args()
torch.set_num_threads(a.threads)
for n in a.names or W:
    W[n](a)
