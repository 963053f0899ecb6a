// What nn::Module adds to a forward: calls of modules that compute nothing, plain, nested, hooked.
#include <adjoint/nn/module.h>
#include <benchmark/benchmark.h>

#include <vector>

namespace adjoint::nn {
namespace {

struct Nothing : Module<Nothing> {
  Tensor forward(const Tensor& x) const { return x; }
};

struct Outer : Module<Outer> {
  Nothing inner;
  Tensor forward(const Tensor& x) const { return inner(x); }
  void members(Visitor& v) override { v("inner", inner); }
};

void forward_alone(benchmark::State& state) {
  const Nothing module;
  const Tensor x = ones({1});
  for (auto _ : state) benchmark::DoNotOptimize(module.forward(x));
}
BENCHMARK(forward_alone);

void call(benchmark::State& state) {
  const Nothing module;
  const Tensor x = ones({1});
  for (auto _ : state) benchmark::DoNotOptimize(module(x));
}
BENCHMARK(call);

void call_nested(benchmark::State& state) {
  const Outer module;
  const Tensor x = ones({1});
  for (auto _ : state) benchmark::DoNotOptimize(module(x));
}
BENCHMARK(call_nested);

void call_hooked(benchmark::State& state) {
  Nothing module;
  const HookHandle handle = module.register_forward_hook([](auto&...) {});
  const Tensor x = ones({1});
  for (auto _ : state) benchmark::DoNotOptimize(module(x));
}
BENCHMARK(call_hooked);

void read_parameter(benchmark::State& state) {
  const Parameter p(ones({1}));
  for (auto _ : state) benchmark::DoNotOptimize(Tensor(p));
}
BENCHMARK(read_parameter);

}  // namespace
}  // namespace adjoint::nn

BENCHMARK_MAIN();
