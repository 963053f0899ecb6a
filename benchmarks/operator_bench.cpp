// Operators, forward and forward with backward, at sizes that fit in a cache and at sizes that do
// not. bytes/s counts what an operator must read and write at least, each operand once a pass, the
// gradient that backward starts from included (written, then read); FLOP/s counts products only.
// ADJOINT_THREADS and ADJOINT_ISA choose.
#include <adjoint/core/activations.h>
#include <adjoint/core/attention.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/convolution.h>
#include <adjoint/core/device_info.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

namespace adjoint {
namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

// What one call moves or computes at least.
struct Work {
  double forward = 0, both = 0;
};

struct Case {
  std::string name;
  std::function<std::vector<Tensor>()> inputs;  // those that require gradients get them
  Function run;
  Work bytes = {}, flops = {};
};

std::string shape_text(const Shape& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

double elements(const Shape& shape) {
  double n = 1;
  for (const int64_t size : shape) n *= static_cast<double>(size);
  return n;
}

Tensor leaf(const Shape& shape, double factor = 1) {
  const NoGrad guard;
  return (randn(shape) * factor).requires_grad_();
}

// --- the cases ---

void add_unary(std::vector<Case>& cases) {
  struct Unary {
    const char* name;
    Tensor (*run)(const Tensor&);
  };
  const Unary unaries[] = {{"relu", &relu},
                           {"exp", &exp},
                           {"tanh", &tanh},
                           {"sigmoid", &sigmoid},
                           {"silu", &silu},
                           {"erf", &erf},
                           {"gelu_tanh", [](const Tensor& x) { return gelu(x, Gelu::tanh); }}};
  for (const Unary& unary : unaries) {
    for (const int64_t n : {int64_t{1}, int64_t{4096}, int64_t{1} << 20, int64_t{12} << 20}) {
      // Forward: x, y. Backward: dy written and read, x or y read, dx.
      const double bytes = 4 * static_cast<double>(n);
      cases.push_back({std::string(unary.name) + '/' + std::to_string(n),
                       [n] { return std::vector{leaf({n})}; },
                       [f = unary.run](const std::vector<Tensor>& in) { return f(in[0]); },
                       {2 * bytes, 6 * bytes}});
    }
  }
}

void add_binary(std::vector<Case>& cases) {
  struct Sizes {
    Shape a, b;
  };
  const Sizes sizes[] = {{{1}, {1}},
                         {{4096}, {4096}},
                         {{1024, 1024}, {1024, 1024}},
                         {{4096, 3072}, {4096, 3072}},
                         {{4096, 3072}, {3072}}};
  for (const Sizes& s : sizes) {
    const double a = 4 * elements(s.a), b = 4 * elements(s.b);
    const auto inputs = [s] { return std::vector{leaf(s.a), leaf(s.b)}; };
    const std::string shapes = '/' + shape_text(s.a) + '+' + shape_text(s.b);
    // Forward: both and y. Backward: dy written and read, both gradients; mul reads both again.
    cases.push_back({"add" + shapes,
                     inputs,
                     [](const std::vector<Tensor>& in) { return in[0] + in[1]; },
                     {2 * a + b, 5 * a + 2 * b}});
    cases.push_back({"mul" + shapes,
                     inputs,
                     [](const std::vector<Tensor>& in) { return in[0] * in[1]; },
                     {2 * a + b, 6 * a + 3 * b}});
  }
}

void add_reductions(std::vector<Case>& cases) {
  struct Reduction {
    const char* name;
    Tensor (*run)(const Tensor&);
    bool reads_x_again = false;
  };
  const Reduction reductions[] = {{"sum", [](const Tensor& x) { return sum(x); }},
                                  {"sum_dim0", [](const Tensor& x) { return sum(x, {0}); }},
                                  {"sum_dim1", [](const Tensor& x) { return sum(x, {1}); }},
                                  {"mean_dim1", [](const Tensor& x) { return mean(x, {1}); }},
                                  {"amax_dim1", [](const Tensor& x) { return amax(x, {1}); }, true},
                                  {"var_dim1", [](const Tensor& x) { return var(x, {1}); }, true}};
  for (const Reduction& reduction : reductions) {
    for (const Shape& shape : {Shape{64, 64}, Shape{1024, 1024}, Shape{4096, 3072}}) {
      const double x = 4 * elements(shape);
      cases.push_back({std::string(reduction.name) + '/' + shape_text(shape),
                       [shape] { return std::vector{leaf(shape)}; },
                       [f = reduction.run](const std::vector<Tensor>& in) { return f(in[0]); },
                       {x, (reduction.reads_x_again ? 3 : 2) * x}});
    }
  }
}

void add_rows(std::vector<Case>& cases) {
  for (const Shape& shape : {Shape{64, 128}, Shape{768, 128}, Shape{4096, 768}}) {
    const double x = 4 * elements(shape);
    const int64_t width = shape[1];
    cases.push_back({"softmax/" + shape_text(shape),
                     [shape] { return std::vector{leaf(shape)}; },
                     [](const std::vector<Tensor>& in) { return softmax(in[0], -1); },
                     {2 * x, 6 * x}});
    cases.push_back({"log_softmax/" + shape_text(shape),
                     [shape] { return std::vector{leaf(shape)}; },
                     [](const std::vector<Tensor>& in) { return log_softmax(in[0], -1); },
                     {2 * x, 6 * x}});
    cases.push_back({"layer_norm/" + shape_text(shape),
                     [shape, width] {
                       return std::vector{leaf(shape), leaf({width}), leaf({width})};
                     },
                     [width](const std::vector<Tensor>& in) {
                       return layer_norm(in[0], {width}, in[1], in[2]);
                     },
                     {2 * x, 6 * x}});
  }
  for (const Shape& shape : {Shape{64, 10}, Shape{768, 65}, Shape{512, 50257}}) {
    const double x = 4 * elements(shape);
    cases.push_back({"cross_entropy/" + shape_text(shape),
                     [shape] {
                       return std::vector{leaf(shape), randint(0, shape[1], {shape[0]})};
                     },
                     [](const std::vector<Tensor>& in) { return cross_entropy(in[0], in[1]); },
                     {x, 3 * x}});
  }
  for (const int64_t vocabulary : {65, 50257}) {
    // Forward reads and writes 1024 rows; backward reads dy and writes the whole table's gradient.
    const double rows = 4.0 * 1024 * 768, table = 4.0 * 768 * static_cast<double>(vocabulary);
    cases.push_back({"embedding/1024_of_" + std::to_string(vocabulary) + "x768",
                     [vocabulary] {
                       return std::vector{randint(0, vocabulary, {1024}), leaf({vocabulary, 768})};
                     },
                     [](const std::vector<Tensor>& in) { return embedding(in[0], in[1]); },
                     {2 * rows, 4 * rows + table}});
  }
}

void add_products(std::vector<Case>& cases) {
  struct Size {
    int64_t m, n, k;
  };
  for (const Size s : {Size{64, 128, 784}, Size{768, 512, 128}, Size{256, 3072, 768}}) {
    const double product = 2.0 * static_cast<double>(s.m * s.n * s.k);
    cases.push_back({"linear/" + shape_text({s.m, s.n, s.k}),
                     [s] {
                       return std::vector{leaf({s.m, s.k}), leaf({s.n, s.k}), leaf({s.n})};
                     },
                     [](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); },
                     {},
                     {product, 3 * product}});
  }
  for (const Shape& shape : {Shape{12, 4, 64, 32}, Shape{4, 6, 256, 64}, Shape{2, 12, 512, 64},
                             Shape{1, 12, 2048, 64}}) {
    // Each product over the triangle: two forward, four backward and one that is computed again.
    const double product = elements(shape) * static_cast<double>(shape[2]);
    cases.push_back({"attention_causal/" + shape_text(shape),
                     [shape] {
                       return std::vector{leaf(shape), leaf(shape), leaf(shape)};
                     },
                     [](const std::vector<Tensor>& in) {
                       return scaled_dot_product_attention(in[0], in[1], in[2],
                                                           {.is_causal = true});
                     },
                     {},
                     {2 * product, 7 * product}});
  }
}

void add_convolutions(std::vector<Case>& cases) {
  struct Convolution {
    Shape x, weight;
    ConvOptions options;
  };
  const Convolution convolutions[] = {
      {{32, 64, 32, 32}, {64, 64, 3, 3}, {.padding = 1}},
      {{32, 256, 8, 8}, {256, 256, 3, 3}, {.padding = 1}},
      {{64, 1, 28, 28}, {32, 1, 3, 3}, {.padding = 1}},
      {{8, 3, 224, 224}, {64, 3, 7, 7}, {.stride = 2, .padding = 3}},
      {{16, 64, 56, 56}, {128, 64, 3, 3}, {.stride = 2, .padding = 1}},
      {{32, 256, 8, 8}, {512, 256, 3, 3}, {.stride = 2, .padding = 1}},
      {{16, 64, 56, 56}, {256, 64, 1, 1}, {}},
      {{32, 128, 28, 28}, {128, 16, 3, 3}, {.padding = 1, .groups = 8}},
      {{16, 144, 56, 56}, {144, 1, 3, 3}, {.padding = 1, .groups = 144}}};
  for (const Convolution& c : convolutions) {
    const auto inputs = [c] { return std::vector{leaf(c.x), leaf(c.weight)}; };
    const Function run = [c](const std::vector<Tensor>& in) {
      return conv2d(in[0], in[1], {}, c.options);
    };
    const int64_t stride = c.options.stride[0], padding = c.options.padding.numbers()[0];
    const int64_t size = (c.x[2] + 2 * padding - c.weight[2]) / stride + 1;
    const double product = 2 * elements(c.weight) * static_cast<double>(c.x[0] * size * size);
    cases.push_back({"conv2d/" + shape_text(c.x) + "_by_" + shape_text(c.weight),
                     inputs,
                     run,
                     {},
                     {product, 3 * product}});
  }
}

// --- running them ---

void report(benchmark::State& state, double bytes, double flops) {
  const auto rate = [&](double work) {
    return benchmark::Counter(work * static_cast<double>(state.iterations()),
                              benchmark::Counter::kIsRate);
  };
  if (bytes > 0) state.counters["bytes/s"] = rate(bytes);
  if (flops > 0) state.counters["FLOP/s"] = rate(flops);
}

void forward(benchmark::State& state, const Case& c) {
  manual_seed(0);
  const NoGrad guard;
  const std::vector<Tensor> inputs = c.inputs();
  // Once before, untimed: memory that is touched for the first time costs more than any operator.
  benchmark::DoNotOptimize(c.run(inputs));
  for (auto _ : state) benchmark::DoNotOptimize(c.run(inputs));
  report(state, c.bytes.forward, c.flops.forward);
}

void both(benchmark::State& state, const Case& c) {
  manual_seed(0);
  const std::vector<Tensor> inputs = c.inputs();
  const auto call = [&] {
    const Tensor y = c.run(inputs);
    y.backward({.gradient = ones_like(y)});
    for (const Tensor& x : inputs) {
      if (x.requires_grad()) x.zero_grad();
    }
  };
  call();
  for (auto _ : state) call();
  report(state, c.bytes.both, c.flops.both);
}

}  // namespace
}  // namespace adjoint

int main(int argc, char** argv) {
  using namespace adjoint;
  std::vector<Case> cases;
  add_unary(cases);
  add_binary(cases);
  add_reductions(cases);
  add_rows(cases);
  add_products(cases);
  add_convolutions(cases);
  for (const Case& c : cases) {
    benchmark::RegisterBenchmark((c.name + "/forward").c_str(), [&c](benchmark::State& state) {
      forward(state, c);
    })->UseRealTime();
    benchmark::RegisterBenchmark((c.name + "/both").c_str(), [&c](benchmark::State& state) {
      both(state, c);
    })->UseRealTime();
  }
  benchmark::AddCustomContext("isa", instruction_set());
  benchmark::AddCustomContext("threads", std::to_string(num_threads()));
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
