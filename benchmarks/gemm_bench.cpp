// Matrix products: squares, and the shapes of a small GPT (768 tokens, width 128), in f32; where
// the instruction set has other means for them, at the precisions `high` and `medium` too; squares
// and few rows of bf16. ADJOINT_THREADS and ADJOINT_ISA choose; GFLOP/s is the counter to read.
#include <adjoint/core/device_info.h>
#include <adjoint/core/parallel.h>
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "core/kernels/kernels.h"
#include "core/tensor/thread_pool.h"

namespace adjoint::kernels {
namespace {

struct Shape {
  int64_t m, n, k;
  const char* layout;  // N or T for A, then for B
  int64_t batch = 1;
};

const Shape kShapes[] = {
    {256, 256, 256, "NN"},
    {512, 512, 512, "NN"},
    {1024, 1024, 1024, "NN"},
    {1024, 1024, 1024, "NT"},
    {2048, 2048, 2048, "NN"},
    // Forward: x w^T.
    {768, 384, 128, "NT"},
    {768, 128, 128, "NT"},
    {768, 512, 128, "NT"},
    {768, 128, 512, "NT"},
    {768, 65, 128, "NT"},
    // dx = dy w.
    {768, 128, 384, "NN"},
    {768, 128, 512, "NN"},
    {768, 512, 128, "NN"},
    // dw = dy^T x.
    {384, 128, 768, "TN"},
    {512, 128, 768, "TN"},
    {128, 512, 768, "TN"},
    {65, 128, 768, "TN"},
    // Attention: 12 sequences of 4 heads.
    {64, 64, 32, "NT", 48},
    {64, 32, 64, "NN", 48},
    {64, 32, 64, "TN", 48},
    // Decoding.
    {1, 384, 128, "NT"},
    {1, 768, 768, "NT"},
    {4, 768, 768, "NT"},
    {8, 768, 768, "NT"},
    {1, 768, 768, "NN"},
    // GPT-2 124M at 256 tokens: forward, dx, dw.
    {256, 2304, 768, "NT"},
    {256, 768, 768, "NT"},
    {256, 3072, 768, "NT"},
    {256, 768, 3072, "NT"},
    {256, 768, 2304, "NN"},
    {256, 768, 3072, "NN"},
    {256, 3072, 768, "NN"},
    {2304, 768, 256, "TN"},
    {3072, 768, 256, "TN"},
    {768, 3072, 256, "TN"},
};

const Shape kBf16Shapes[] = {
    {256, 256, 256, "NN"},
    {512, 512, 512, "NN"},
    {1024, 1024, 1024, "NN"},
    {1024, 1024, 1024, "NT"},
    {2048, 2048, 2048, "NN"},
    // A token, and a few.
    {1, 3072, 768, "NT"},
    {1, 768, 3072, "NT"},
    {8, 3072, 768, "NT"},
    {12, 3072, 768, "NT"},
    {24, 3072, 768, "NT"},
};

void* acquire(size_t bytes) {
  // The one buffer of a kernel that runs again and again, as the caching allocator would give.
  static std::vector<char> memory;
  if (memory.size() < bytes + 64) memory.resize(bytes + 64);
  const auto address = reinterpret_cast<uintptr_t>(memory.data());
  return memory.data() + (64 - address % 64) % 64;
}
void release(void*) {}

void count(benchmark::State& state, double flops) {
  state.counters["GFLOP/s"] = benchmark::Counter(
      flops * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

using Product = void (*)(const Exec&, const Gemm<float>&);

void product(benchmark::State& state, const Shape& s, Product multiply) {
  const bool a_turned = s.layout[0] == 'T', b_turned = s.layout[1] == 'T';
  std::vector<float> a(static_cast<size_t>(s.batch * s.m * s.k), 0.5f);
  std::vector<float> b(static_cast<size_t>(s.batch * s.k * s.n), 0.25f);
  std::vector<float> c(static_cast<size_t>(s.batch * s.m * s.n));
  const Gemm<float> gemm{s.m,
                         s.n,
                         s.k,
                         a.data(),
                         a_turned ? 1 : s.k,
                         a_turned ? s.m : 1,
                         b.data(),
                         b_turned ? 1 : s.n,
                         b_turned ? s.k : 1,
                         c.data(),
                         s.n,
                         1.0f,
                         false,
                         nullptr,
                         Activation::none,
                         nullptr,
                         {1, 1, s.batch},
                         {0, 0, s.m * s.k},
                         {0, 0, s.k * s.n},
                         {0, 0, s.m * s.n}};
  const Exec exec{detail::parallel_for, acquire, release, num_threads(), l2_cache_bytes()};
  for (auto _ : state) {
    multiply(exec, gemm);
    benchmark::ClobberMemory();
  }
  count(state, 2.0 * static_cast<double>(s.batch * s.m * s.n * s.k));
}

void bf16_product(benchmark::State& state, const Shape& s) {
  const bool turned = s.layout[1] == 'T';
  std::vector<uint16_t> a(static_cast<size_t>(s.m * s.k), 0x3f00);
  std::vector<uint16_t> b(static_cast<size_t>(s.k * s.n), 0x3e80);
  std::vector<uint16_t> c(static_cast<size_t>(s.m * s.n));
  const MixedGemm gemm{s.m,
                       s.n,
                       s.k,
                       {a.data(), true, s.k, 1},
                       {b.data(), true, turned ? 1 : s.n, turned ? s.k : 1},
                       {c.data(), true, s.n, 1},
                       1.0f,
                       false,
                       nullptr,
                       Activation::none,
                       nullptr,
                       {1, 1, 1},
                       {},
                       {},
                       {}};
  const KernelScope scope;  // a product that widens asks for memory twice
  for (auto _ : state) {
    kernels().gemm.mixed(scope, gemm);
    benchmark::ClobberMemory();
  }
  count(state, 2.0 * static_cast<double>(s.m * s.n * s.k));
}

std::string described(const Shape& s) {
  return s.layout + ('/' + std::to_string(s.m)) + 'x' + std::to_string(s.n) + 'x' +
         std::to_string(s.k);
}

void register_shapes(const char* precision, Product multiply) {
  for (const Shape& s : kShapes) {
    std::string name = std::string("gemm_") + precision + '/' + described(s);
    if (s.batch > 1) name += "/batch:" + std::to_string(s.batch);
    benchmark::RegisterBenchmark(name.c_str(), [&s, multiply](benchmark::State& state) {
      product(state, s, multiply);
    })->UseRealTime();
  }
}

}  // namespace
}  // namespace adjoint::kernels

int main(int argc, char** argv) {
  using namespace adjoint::kernels;
  const GemmTable& table = kernels().gemm;
  register_shapes("f32", table.f32);
  if (table.f32_high != table.f32) register_shapes("f32_high", table.f32_high);
  if (table.f32_medium != table.f32) register_shapes("f32_medium", table.f32_medium);
  for (const Shape& s : kBf16Shapes) {
    const std::string name = "gemm_bf16/" + described(s);
    benchmark::RegisterBenchmark(name.c_str(), [&s](benchmark::State& state) {
      bf16_product(state, s);
    })->UseRealTime();
  }
  benchmark::AddCustomContext("isa", isa_name());
  benchmark::AddCustomContext("threads", std::to_string(adjoint::num_threads()));
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
