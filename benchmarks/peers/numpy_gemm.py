"""OpenBLAS as NumPy's wheel ships it: sgemm, GFLOP/s. OPENBLAS_NUM_THREADS sets the threads."""

import time, numpy as np

for n in (256, 512, 1024, 2048):
    x, y = np.random.randn(n, n).astype("f"), np.random.randn(n, n).astype("f")
    b = 9
    for _ in range(20):
        t = time.perf_counter()
        x @ y
        b = min(b, time.perf_counter() - t)
    print(f"gemm_{n}\tfp32\t{2*n**3/b/1e9:.1f}\tGFLOP/s")
