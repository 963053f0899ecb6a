// The machine's own ceilings, measured: the peak of fused multiply-add for each instruction set,
// the peak of AMX in bf16, memory bandwidth, and the cost of touching memory for the first time.
// Rows are name<TAB>metric<TAB>value<TAB>unit.
//
// g++ -O3 -std=c++20 -pthread benchmarks/peers/limits.cpp -o build/limits && build/limits [THREADS]
#include <immintrin.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

namespace {

// Seconds that the slowest of the threads needs, the best of seven tries.
double best(int threads, const std::function<void(int)>& work) {
  using Clock = std::chrono::steady_clock;
  double result = 1e30;
  for (int repeat = 0; repeat < 7; ++repeat) {
    std::barrier barrier(threads + 1);
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t) {
      pool.emplace_back([&, t] {
        barrier.arrive_and_wait();
        work(t);
        barrier.arrive_and_wait();
      });
    }
    barrier.arrive_and_wait();
    const auto start = Clock::now();
    barrier.arrive_and_wait();
    result = std::min(result, std::chrono::duration<double>(Clock::now() - start).count());
    for (std::thread& thread : pool) thread.join();
  }
  return result;
}

void row(const char* name, const char* metric, double value, const char* unit) {
  std::printf("%s\t%s\t%.4g\t%s\n", name, metric, value, unit);
  std::fflush(stdout);
}

volatile float sink;

constexpr int64_t kSteps = 40'000'000;
constexpr int kChains = 12;  // more independent sums than latency times throughput

[[gnu::target("avx2,fma")]] void fma_avx2() {
  __m256 a[kChains], total = _mm256_setzero_ps();
  const __m256 m = _mm256_set1_ps(0.999f);
  for (__m256& x : a) x = _mm256_set1_ps(1.f);
  for (int64_t i = 0; i < kSteps; ++i) {
    for (__m256& x : a) x = _mm256_fmadd_ps(x, m, m);
  }
  for (const __m256& x : a) total = _mm256_add_ps(total, x);
  sink = _mm256_cvtss_f32(total);
}

[[gnu::target("avx512f")]] void fma_avx512() {
  __m512 a[kChains], total = _mm512_setzero_ps();
  const __m512 m = _mm512_set1_ps(0.999f);
  for (__m512& x : a) x = _mm512_set1_ps(1.f);
  for (int64_t i = 0; i < kSteps; ++i) {
    for (__m512& x : a) x = _mm512_fmadd_ps(x, m, m);
  }
  for (const __m512& x : a) total = _mm512_add_ps(total, x);
  sink = _mm512_cvtss_f32(total);
}

[[gnu::target("avx512f,avx512bw,avx512bf16")]] void dot_bf16_avx512() {
  __m512 a[kChains], total = _mm512_setzero_ps();
  const __m512bh m = (__m512bh)_mm512_set1_epi16(0x3f80);
  for (__m512& x : a) x = _mm512_set1_ps(1.f);
  for (int64_t i = 0; i < kSteps / 2; ++i) {
    for (__m512& x : a) x = _mm512_dpbf16_ps(x, m, m);
  }
  for (const __m512& x : a) total = _mm512_add_ps(total, x);
  sink = _mm512_cvtss_f32(total);
}

constexpr int64_t kTileSteps = 4'000'000;

alignas(64) thread_local uint16_t tiles[4 * 16 * 32];

[[gnu::target("amx-tile,amx-bf16")]] void configure_tiles() {
  alignas(64) uint8_t config[64] = {};
  config[0] = 1;
  for (int i = 0; i < 8; ++i) {
    config[16 + 2 * i] = 64;  // bytes a row
    config[48 + i] = 16;      // rows
  }
  asm volatile("" ::"r"(config) : "memory");
  _tile_loadconfig(config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

// Products of tiles that stay in their registers.
[[gnu::target("amx-tile,amx-bf16")]] void amx_registers() {
  configure_tiles();
  _tile_loadd(4, tiles, 64);
  _tile_loadd(5, tiles, 64);
  _tile_loadd(6, tiles, 64);
  _tile_loadd(7, tiles, 64);
  for (int64_t i = 0; i < kTileSteps; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

// The same with every operand loaded from the first cache.
[[gnu::target("amx-tile,amx-bf16")]] void amx_cache() {
  configure_tiles();
  for (int64_t i = 0; i < kTileSteps / 4; ++i) {
    _tile_loadd(4, tiles, 64);
    _tile_loadd(6, tiles + 1024, 64);
    _tile_loadd(7, tiles + 1536, 64);
    _tile_loadd(5, tiles + 512, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

[[gnu::target("avx2,fma")]] void read_all(const std::vector<float>& a) {
  float sums[64] = {};
  for (size_t i = 0; i + 64 <= a.size(); i += 64) {
    for (size_t j = 0; j < 64; ++j) sums[j] += a[i + j];
  }
  float total = 0;
  for (float x : sums) total += x;
  sink = total;
}

[[gnu::target("avx2,fma")]] void triad(float* a, const float* b, const float* c, size_t n) {
  for (size_t i = 0; i < n; ++i) a[i] = b[i] + 0.5f * c[i];
}

void touch(size_t bytes, bool huge) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  if (huge) madvise(memory, bytes, MADV_HUGEPAGE);
  for (size_t i = 0; i < bytes; i += 4096) static_cast<volatile char*>(memory)[i] = 1;
  munmap(memory, bytes);
}

void arithmetic(int threads) {
  // Multiplications and additions a second, of all threads.
  const auto giga = [&](double flops, void (*work)()) {
    return threads * flops / best(threads, [&](int) { work(); }) / 1e9;
  };
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    row("fma_avx2", "peak", giga(kSteps * kChains * 16.0, fma_avx2), "GFLOP/s");
  }
  if (__builtin_cpu_supports("avx512f")) {
    row("fma_avx512", "peak", giga(kSteps * kChains * 32.0, fma_avx512), "GFLOP/s");
  }
  if (__builtin_cpu_supports("avx512bf16")) {
    row("dot_bf16_avx512", "peak", giga(kSteps / 2 * kChains * 64.0, dot_bf16_avx512), "GFLOP/s");
  }
  // Linux gives the tiles to a process that asks for them (ARCH_REQ_XCOMP_PERM, XTILEDATA).
  if (syscall(SYS_arch_prctl, 0x1023, 18) == 0) {
    constexpr double kFlops = 4 * 16.0 * 16 * 32 * 2;
    row("amx_bf16_registers", "peak", giga(kTileSteps * kFlops, amx_registers), "GFLOP/s");
    row("amx_bf16_cache", "peak", giga(kTileSteps / 4 * kFlops, amx_cache), "GFLOP/s");
  }
}

void memory(int threads) {
  const size_t total = 64u << 20;
  const size_t each = total / threads;
  std::vector<std::vector<float>> a(threads), b(threads), c(threads);
  for (int t = 0; t < threads; ++t) {
    a[t].assign(each, 1.f);
    b[t].assign(each, 2.f);
    c[t].assign(each, 3.f);
  }
  const auto giga = [&](double bytes, const std::function<void(int)>& work) {
    return bytes / best(threads, work) / 1e9;
  };
  row("read", "bandwidth", giga(4.0 * total, [&](int t) { read_all(a[t]); }), "GB/s");
  row("triad", "bandwidth",
      giga(12.0 * total, [&](int t) { triad(a[t].data(), b[t].data(), c[t].data(), each); }),
      "GB/s");
  row("memcpy", "bandwidth",
      giga(8.0 * total, [&](int t) { std::memcpy(a[t].data(), b[t].data(), each * 4); }), "GB/s");
  const size_t fresh = 256u << 20;
  row("first_touch", "4k_pages", giga(1.0 * threads * fresh, [&](int) { touch(fresh, false); }),
      "GB/s");
  row("first_touch", "huge_pages", giga(1.0 * threads * fresh, [&](int) { touch(fresh, true); }),
      "GB/s");
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  arithmetic(threads);
  memory(threads);
}
