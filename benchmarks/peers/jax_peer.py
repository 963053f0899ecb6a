"""JAX's side (XLA on the CPU, the whole training step jitted, parameters donated): the GPT and MLP
rows of torch_peer.py.

usage: jax_peer.py GROUP...    threads: taskset -c 0 for one
"""

import functools, math, statistics, sys, time
import jax, jax.numpy as jnp


def med(f, min_s=4.0, reps=5):
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


def ln(p, x):
    m = x.mean(-1, keepdims=True)
    v = ((x - m) ** 2).mean(-1, keepdims=True)
    return (x - m) / jnp.sqrt(v + 1e-5) * p["g"] + p["b"]


def lin(p, x):
    return x @ p["w"] + p["b"]


def gpt_init(V, T, L, H, D, key=jax.random.key(0)):
    ks = iter(jax.random.split(key, 4 * L + 2))
    l = lambda i, o: {"w": 0.02 * jax.random.normal(next(ks), (i, o)), "b": jnp.zeros(o)}
    n = lambda: {"g": jnp.ones(D), "b": jnp.zeros(D)}
    return {
        "wte": 0.02 * jax.random.normal(next(ks), (V, D)),
        "wpe": 0.02 * jax.random.normal(next(ks), (T, D)),
        "lnf": n(),
        "h": [
            {
                "ln1": n(),
                "ln2": n(),
                "qkv": l(D, 3 * D),
                "proj": l(D, D),
                "fc": l(D, 4 * D),
                "fc2": l(4 * D, D),
            }
            for _ in range(L)
        ],
    }


def gpt_loss(p, ix, tg, H):
    B, T = ix.shape
    x = p["wte"][ix] + p["wpe"][:T]
    D = x.shape[-1]
    mask = jnp.tril(jnp.ones((T, T), bool))
    for b in p["h"]:
        q, k, v = (
            t.reshape(B, T, H, D // H).transpose(0, 2, 1, 3)
            for t in jnp.split(lin(b["qkv"], ln(b["ln1"], x)), 3, -1)
        )
        s = jnp.where(mask, q @ k.swapaxes(-1, -2) / math.sqrt(D // H), -jnp.inf)
        x = x + lin(b["proj"], (jax.nn.softmax(s, -1) @ v).transpose(0, 2, 1, 3).reshape(B, T, D))
        x = x + lin(b["fc2"], jax.nn.gelu(lin(b["fc"], ln(b["ln2"], x))))
    lp = jax.nn.log_softmax(ln(p["lnf"], x) @ p["wte"].T, -1)
    return -jnp.take_along_axis(lp, tg[..., None], -1).mean()


def adamw(p, g, m, v, t, lr=3e-4, wd=0.1):
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    c1, c2 = 1 - 0.9**t, 1 - 0.999**t
    return (
        jax.tree.map(
            lambda p, m, v: p - lr * (m / c1 / (jnp.sqrt(v / c2) + 1e-8) + wd * p), p, m, v
        ),
        m,
        v,
    )


def train(name, p, loss, B_units, unit, clip=True):
    m = jax.tree.map(jnp.zeros_like, p)
    v = jax.tree.map(jnp.zeros_like, p)

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2, 3))
    def step(p, m, v, t):
        l, g = jax.value_and_grad(loss)(p)
        if clip:
            n = jnp.sqrt(sum((x * x).sum() for x in jax.tree.leaves(g)))
            g = jax.tree.map(lambda x: x * jnp.minimum(1.0, 1.0 / (n + 1e-6)), g)
        p, m, v = adamw(p, g, m, v, t)
        return p, m, v, t + 1, l

    s = [p, m, v, jnp.float32(1)]

    def f():
        *s[:], l = step(*s)
        l.block_until_ready()

    print(f"{name}\ttrain\t{B_units / med(f):.6g}\t{unit}", flush=True)


def gpt(name, V, T, L, H, D, B, Tm=None, clip=True):
    k = jax.random.key(1)
    ix, tg = jax.random.randint(k, (B, T), 0, V), jax.random.randint(k, (B, T), 0, V)
    train(
        name, gpt_init(V, Tm or T, L, H, D), lambda p: gpt_loss(p, ix, tg, H), B * T, "tok/s", clip
    )


def mlp(name, sizes, B, unit_per_step, unit, act):
    ks = jax.random.split(jax.random.key(0), len(sizes))
    p = [
        {"w": jax.random.normal(k, (i, o)) / math.sqrt(i), "b": jnp.zeros(o)}
        for k, i, o in zip(ks, sizes, sizes[1:])
    ]
    x = jax.random.normal(ks[0], (B, sizes[0]))
    y = jax.random.randint(ks[1], (B,), 0, sizes[-1])

    def loss(p):
        h = x
        for i, q in enumerate(p):
            h = lin(q, h) if i == len(p) - 1 else act(lin(q, h))
        return (
            (h**2).mean()
            if sizes[-1] == 1
            else -jnp.take_along_axis(jax.nn.log_softmax(h, -1), y[:, None], -1).mean()
        )

    train(name, p, loss, unit_per_step, unit, False)


G = {
    "mlp_tiny": lambda: mlp("mlp_tiny", (2, 16, 16, 1), 32, 1, "steps/s", jnp.tanh),
    "mlp_mnist": lambda: mlp("mlp_mnist", (784, 128, 10), 64, 64, "samples/s", jax.nn.relu),
    "gpt_char": lambda: gpt("gpt_char", 65, 64, 4, 4, 128, 12),
    "gpt_10m": lambda: gpt("gpt_10m", 65, 256, 6, 6, 384, 4),
    "gpt_124m": lambda: gpt("gpt_124m", 50257, 64, 12, 12, 768, 4, 1024, False),
}
for n in sys.argv[1:] or G:
    G[n]()
