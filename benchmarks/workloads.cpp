// adjoint's side of the comparison: the groups, rows, shapes, optimizers and warm-up of
// peers/torch_peer.py, printed as name<TAB>metric<TAB>value<TAB>unit. Every figure is the median
// over repeated timed blocks after a warm-up.
#include <adjoint/core/activations.h>
#include <adjoint/core/attention.h>
#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/convolution.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inference_weights.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/precision.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/models/gpt.h>
#include <adjoint/models/resnet.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/convolution.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/flatten.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/pooling.h>
#include <adjoint/nn/recurrent.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/optim/adam.h>
#include <adjoint/optim/clip.h>
#include <adjoint/optim/sgd.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "models/support/nearest.h"
#include "models/train/option_table.h"

namespace adjoint {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& f, int64_t times) {
  const Clock::time_point start = Clock::now();
  for (int64_t i = 0; i < times; ++i) f();
  return std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(times);
}

// As torch_peer.py's.
double median_time(const std::function<void()>& f, double min_s = 1.0, int reps = 5, int warm = 2) {
  for (int i = 0; i < warm; ++i) f();
  const double once = seconds_of(f, 1);
  const auto n = std::max<int64_t>(1, static_cast<int64_t>(min_s / reps / std::max(once, 1e-9)));
  std::vector<double> times;
  for (int i = 0; i < reps; ++i) times.push_back(seconds_of(f, n));
  std::nth_element(times.begin(), times.begin() + reps / 2, times.end());
  return times[static_cast<size_t>(reps / 2)];
}

void out(const std::string& name, const char* metric, double value, const char* unit) {
  std::printf("%s\t%s\t%.6g\t%s\n", name.c_str(), metric, value, unit);
  std::fflush(stdout);
}

double peak_rss_mib() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

Tensor leaf(const Shape& shape, double factor = 1) {
  const NoGrad guard;
  return (randn(shape) * factor).requires_grad_();
}

// --- groups ---

void gemm() {
  for (const int64_t n : {64, 128, 256, 512, 1024, 2048}) {
    const NoGrad guard;
    const Tensor x = randn({n, n}), y = randn({n, n});
    const double t = median_time([&] { matmul(x, y); });
    out("gemm_" + std::to_string(n), "fp32", 2.0 * static_cast<double>(n * n * n) / t / 1e9,
        "GFLOP/s");
  }
  for (const int64_t n : {512, 1024, 2048}) {
    const NoGrad guard;
    const Tensor x = randn({n, n}, DType::bf16), y = randn({n, n}, DType::bf16);
    const double t = median_time([&] { matmul(x, y); });
    out("gemm_" + std::to_string(n), "bf16", 2.0 * static_cast<double>(n * n * n) / t / 1e9,
        "GFLOP/s");
  }
  struct Size {
    int64_t m, n, k;
  };
  for (const Size s : {Size{256, 2304, 768}, Size{256, 768, 3072}, Size{256, 50257, 768},
                       Size{1, 768, 768}, Size{12 * 64, 128, 128}}) {
    const NoGrad guard;
    const Tensor x = randn({s.m, s.k}), y = randn({s.n, s.k});
    const double t = median_time([&] { linear(x, y); });
    out("linear_" + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k),
        "fp32", 2.0 * static_cast<double>(s.m * s.n * s.k) / t / 1e9, "GFLOP/s");
  }
}

void overhead() {
  const Tensor x = ones({1}).requires_grad_();
  const double both = median_time([&] {
    Tensor y = x;
    for (int i = 0; i < 1000; ++i) y = y + 1.0;
    y.backward();
    x.zero_grad();
  });
  out("op_chain_scalar", "fwd_bwd_per_op", both / 1000 * 1e9, "ns");
  const double forward = median_time([&] {
    const NoGrad guard;
    Tensor y = x;
    for (int i = 0; i < 1000; ++i) y = y + 1.0;
  });
  out("op_chain_scalar", "nograd_per_op", forward / 1000 * 1e9, "ns");
}

void mlp_tiny() {
  manual_seed(0);
  nn::Sequential m(nn::Linear(2, 16), nn::Tanh(), nn::Linear(16, 16), nn::Tanh(),
                   nn::Linear(16, 1));
  const Tensor x = randn({32, 2}), y = randn({32, 1});
  optim::SGD optimizer(m.parameters(), {.lr = 0.01});
  const double t = median_time([&] {
    optimizer.zero_grad();
    mse_loss(m(x), y).backward();
    optimizer.step();
  });
  out("mlp_tiny", "train", 1 / t, "steps/s");
}

void mlp_mnist() {
  manual_seed(0);
  nn::Sequential m(nn::Linear(784, 128), nn::ReLU(), nn::Linear(128, 10));
  const Tensor x = randn({64, 784}), y = randint(0, 10, {64});
  optim::Adam optimizer(m.parameters(), {.lr = 1e-3});
  const double t = median_time([&] {
    optimizer.zero_grad();
    cross_entropy(m(x), y).backward();
    optimizer.step();
  });
  out("mlp_mnist", "train", 64 / t, "samples/s");
}

void cnn_mnist() {
  manual_seed(0);
  nn::Sequential m(nn::Conv2d(1, 32, 3, {.padding = 1}), nn::ReLU(), nn::MaxPool2d(2),
                   nn::Conv2d(32, 64, 3, {.padding = 1}), nn::ReLU(), nn::MaxPool2d(2),
                   nn::Flatten(), nn::Linear(3136, 128), nn::ReLU(), nn::Linear(128, 10));
  const Tensor x = randn({64, 1, 28, 28}), y = randint(0, 10, {64});
  optim::Adam optimizer(m.parameters(), {.lr = 1e-3});
  const double t = median_time(
      [&] {
        optimizer.zero_grad();
        cross_entropy(m(x), y).backward();
        optimizer.step();
      },
      3);
  out("cnn_mnist", "train", 64 / t, "samples/s");
}

void resnet18_cifar() {
  manual_seed(0);
  const models::ResNet m({.depth = 18, .in_channels = 3, .classes = 10});
  const Tensor x = randn({32, 3, 32, 32}), y = randint(0, 10, {32});
  optim::SGD optimizer(m.parameters(), {.lr = 0.1, .momentum = 0.9});
  const double t = median_time(
      [&] {
        optimizer.zero_grad();
        cross_entropy(m(x), y).backward();
        optimizer.step();
      },
      6, 3, 1);
  out("resnet18_cifar", "train", 32 / t, "samples/s");
}

void lstm_char() {
  constexpr int64_t kVocab = 65;
  manual_seed(0);
  const nn::Embedding embed(kVocab, 128);
  const nn::LSTM lstm(128, 256, {.num_layers = 2, .batch_first = true});
  const nn::Linear head(256, kVocab);
  std::vector<NamedSlot> slots;
  for (const nn::ModuleBase* m :
       {static_cast<const nn::ModuleBase*>(&embed), static_cast<const nn::ModuleBase*>(&lstm),
        static_cast<const nn::ModuleBase*>(&head)}) {
    for (const NamedSlot& slot : m->parameters()) slots.push_back(slot);
  }
  optim::Adam optimizer(slots, {.lr = 1e-3});
  const Tensor ids = randint(0, kVocab, {32, 64}), targets = randint(0, kVocab, {32, 64});
  const double t = median_time(
      [&] {
        optimizer.zero_grad();
        const Tensor logits = head(lstm(embed(ids)).output);
        cross_entropy(logits.view({-1, kVocab}), targets.view({-1})).backward();
        optimizer.step();
      },
      3);
  out("lstm_char", "train", 32 * 64 / t, "tok/s");
}

models::GptConfig config_of(int64_t vocab, int64_t block, int64_t layers, int64_t heads,
                            int64_t width) {
  return {.vocab_size = vocab,
          .block_size = block,
          .n_layer = layers,
          .n_head = heads,
          .n_embd = width};
}

// The loss of a step; `bf16`: under autocast, the weights in f32.
Tensor loss_of(const models::Gpt& m, const Tensor& ids, const Tensor& targets, bool bf16) {
  const Autocast guard(bf16);
  return m.loss(ids, targets);
}

void gpt_train(const std::string& name, const models::GptConfig& config, int64_t batch,
               bool bf16 = false) {
  manual_seed(0);
  const models::Gpt m(config);
  optim::AdamW optimizer(m.parameters(), {.lr = 3e-4, .weight_decay = 0.1});
  const Shape shape{batch, config.block_size};
  const Tensor ids = randint(0, config.vocab_size, shape);
  const Tensor targets = randint(0, config.vocab_size, shape);
  const double t = median_time(
      [&] {
        optimizer.zero_grad();
        loss_of(m, ids, targets, bf16).backward();
        optim::clip_grad_norm_(optimizer, 1.0);
        optimizer.step();
      },
      4.0, 5);
  out(name, "train", static_cast<double>(batch * config.block_size) / t, "tok/s");
  out(name, "step", t * 1e3, "ms");
  out(name, "params", static_cast<double>(m.parameter_count()), "n");
  out(name, "peak_rss", peak_rss_mib(), "MiB");
}

void gpt_char() { gpt_train("gpt_char", config_of(65, 64, 4, 4, 128), 12); }
void gpt_10m() { gpt_train("gpt_10m", config_of(65, 256, 6, 6, 384), 4); }
void gpt_10m_bf16() { gpt_train("gpt_10m_bf16", config_of(65, 256, 6, 6, 384), 4, true); }

const models::GptConfig kGpt124m = config_of(50257, 1024, 12, 12, 768);

// llm.c's default on a CPU: batch 4, 64 tokens.
void gpt_124m_train(const char* name, bool bf16) {
  manual_seed(0);
  const models::Gpt m(kGpt124m);
  optim::AdamW optimizer(m.parameters(), {.lr = 1e-4, .weight_decay = 0});
  const Tensor ids = randint(0, 50257, {4, 64}), targets = randint(0, 50257, {4, 64});
  const double t = median_time(
      [&] {
        optimizer.zero_grad();
        loss_of(m, ids, targets, bf16).backward();
        optimizer.step();
      },
      8, 3, 2);
  out(name, "train", 4 * 64 / t, "tok/s");
  out(name, "step", t * 1e3, "ms");
  out(name, "peak_rss", peak_rss_mib(), "MiB");
}

void gpt_124m() { gpt_124m_train("gpt_124m", false); }
void gpt_124m_bf16() { gpt_124m_train("gpt_124m_bf16", true); }

void gpt_124m_decode() {
  manual_seed(0);
  models::Gpt m(kGpt124m);
  m.eval();
  const NoGrad guard;
  const auto measure = [&](const char* metric, WeightFormat format) {
    const InferenceWeights weights(format);
    const double t = median_time(
        [&] {
          models::KvCache cache = m.make_cache();
          Tensor token = argmax(m.next_logits(randint(0, 50257, {1, 16}), cache), -1);
          for (int i = 0; i < 63; ++i) {
            token = argmax(m.next_logits(reshape(token, {1, 1}), cache), -1);
          }
        },
        4, 3, 1);
    out("gpt_124m_decode", metric, 64 / t, "tok/s");
  };
  measure("fp32", WeightFormat::f32);
  measure("bf16", WeightFormat::bf16);
  measure("int8", WeightFormat::int8);
}

void gpt_124m_prompt() {
  manual_seed(0);
  models::Gpt m(kGpt124m);
  m.eval();
  const NoGrad guard;
  const Tensor ids = randint(0, 50257, {1, 256});
  const double t = median_time(
      [&] {
        models::KvCache cache = m.make_cache();
        m.next_logits(ids, cache);
      },
      3, 3, 1);
  out("gpt_124m_prompt", "fp32", 256 / t, "tok/s");
}

template <class F>
void forward_backward(const char* name, const std::vector<Tensor>& inputs, F f) {
  const double t = median_time([&] {
    const Tensor y = f();
    y.backward({.gradient = ones_like(y)});
    for (const Tensor& x : inputs) x.zero_grad();
  });
  out(name, "fwd_bwd", t * 1e3, "ms");
}

void attention(const char* name, const Shape& shape) {
  const Tensor q = leaf(shape), k = leaf(shape), v = leaf(shape);
  forward_backward(name, {q, k, v},
                   [&] { return scaled_dot_product_attention(q, k, v, {.is_causal = true}); });
}

void convolution(const char* name, const Shape& input, const Shape& weight) {
  const Tensor x = leaf(input), w = leaf(weight);
  forward_backward(name, {x, w}, [&] { return conv2d(x, w, {}, {.padding = 1}); });
}

void ops() {
  manual_seed(0);
  attention("attn_causal_2x12x512x64", {2, 12, 512, 64});
  attention("attn_causal_1x12x2048x64", {1, 12, 2048, 64});
  {
    const Tensor x = leaf({4096, 768}), w = ones({768}).requires_grad_();
    const Tensor b = zeros({768}).requires_grad_();
    forward_backward("layernorm_4096x768", {x}, [&] { return layer_norm(x, {768}, w, b); });
  }
  {
    const Tensor x = leaf({4096, 1024});
    forward_backward("softmax_4096x1024", {x}, [&] { return softmax(x, -1); });
  }
  {
    const Tensor x = leaf({4096, 3072}), y = leaf({4096, 3072});
    forward_backward("gelu_4096x3072", {x}, [&] { return gelu(x, Gelu::tanh); });
    forward_backward("add_4096x3072", {x, y}, [&] { return x + y; });
  }
  const Tensor target = randint(0, 50257, {512});
  {
    const Tensor x = leaf({512, 50257});
    forward_backward("cross_entropy_512x50257", {x}, [&] { return cross_entropy(x, target); });
  }
  {
    const Tensor w = leaf({50257, 768}, 0.02), h = leaf({512, 768});
    forward_backward("linear_ce_512x768x50257", {h, w},
                     [&] { return linear_cross_entropy(h, w, target); });
  }
  convolution("conv_32x64x32x32_k3", {32, 64, 32, 32}, {64, 64, 3, 3});
  convolution("conv_32x256x8x8_k3", {32, 256, 8, 8}, {256, 256, 3, 3});
  convolution("conv_64x1x28x28_k3", {64, 1, 28, 28}, {32, 1, 3, 3});
  {
    const Tensor x = leaf({4096, 3072});
    forward_backward("sum_4096x3072_dim0", {x}, [&] { return sum(x, {0}); });
  }
  const Parameter p(randn({50'000'000}));
  p.set_grad(randn({50'000'000}));
  optim::AdamW optimizer({{"p", p.slot()}});
  out("adamw_50M", "step", median_time([&] { optimizer.step(); }) * 1e3, "ms");
}

void seed_forward() {
  struct Size {
    const char* name;
    int64_t width, heads, length;
  };
  for (const Size& s :
       {Size{"small", 128, 4, 64}, Size{"medium", 512, 8, 128}, Size{"large", 1024, 16, 256}}) {
    models::GptBlock block(config_of(1, s.length, 1, s.heads, s.width));
    block.eval();
    const NoGrad guard;
    const Tensor x = randn({1, s.length, s.width});
    out(std::string("seed_block_") + s.name, "fwd", median_time([&] { block(x); }) * 1e3, "ms");
  }
}

struct Group {
  const char* name;
  void (*run)();  // nullptr: an operator of it is missing
};
constexpr Group kGroups[] = {{"gemm", &gemm},
                             {"overhead", &overhead},
                             {"mlp_tiny", &mlp_tiny},
                             {"mlp_mnist", &mlp_mnist},
                             {"cnn_mnist", &cnn_mnist},
                             {"resnet18_cifar", &resnet18_cifar},
                             {"lstm_char", &lstm_char},
                             {"gpt_char", &gpt_char},
                             {"gpt_10m", &gpt_10m},
                             {"gpt_124m", &gpt_124m},
                             {"gpt_124m_bf16", &gpt_124m_bf16},
                             {"gpt_10m_bf16", &gpt_10m_bf16},
                             {"gpt_124m_decode", &gpt_124m_decode},
                             {"gpt_124m_prompt", &gpt_124m_prompt},
                             {"ops", &ops},
                             {"seed_forward", &seed_forward}};

const Group& group_of(const std::string& name) {
  std::vector<std::string> names;
  for (const Group& group : kGroups) {
    if (group.name == name) return group;
    names.emplace_back(group.name);
  }
  const auto near = models::nearest(name, names);
  fail<train::UsageError>("unknown group '", name, "'",
                          near ? "; did you mean '" + *near + "'?" : "; see --list");
}

int run(const std::vector<std::string>& arguments) {
  int64_t threads = 0;
  bool list = false;
  std::string precision = name(float32_matmul_precision());
  std::vector<std::string> names;
  train::OptionTable table("workloads", "Times the workloads of peers/torch_peer.py in adjoint.");
  table.add("threads", &threads, "N", "threads; 0: all that the process may use",
            {.least = 0, .most = 1024});
  table.add("precision", &precision,
            {name(Precision::highest), name(Precision::high), name(Precision::medium)},
            "of products of f32");
  table.add("list", &list, "names the groups");
  table.positional(&names, "GROUP...", "the groups to run; without any, all");
  if (table.answers(arguments)) return 0;
  if (list) {
    for (const Group& group : kGroups) std::cout << group.name << "\n";
    return 0;
  }
  if (threads > 0) set_num_threads(static_cast<int>(threads));
  set_float32_matmul_precision(precision_from(precision));
  std::vector<Group> chosen;
  for (const std::string& group : names) chosen.push_back(group_of(group));
  if (names.empty()) chosen.assign(std::begin(kGroups), std::end(kGroups));
  for (const Group& group : chosen) {
    if (group.run == nullptr) {
      std::cerr << "workloads: left out: " << group.name << ": an operator of it is missing\n";
    } else {
      group.run();
    }
  }
  return 0;
}

}  // namespace
}  // namespace adjoint

int main(int argc, char** argv) {
  return adjoint::train::run_program("workloads", [&] {
    return adjoint::run({argv + 1, argv + argc});
  });
}
