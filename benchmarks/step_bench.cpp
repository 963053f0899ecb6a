// Whole training steps and their parts: forward, forward with backward, optimizer, all of it, for
// two small perceptrons and the character GPT. items/s counts samples, for the GPT tokens.
// ADJOINT_THREADS and ADJOINT_ISA choose.
#include <adjoint/core/autograd.h>
#include <adjoint/core/device_info.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/models/gpt.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/optim/adam.h>
#include <adjoint/optim/clip.h>
#include <adjoint/optim/sgd.h>
#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>

namespace adjoint {
namespace {

// One workload, ready to run: what its parts do.
struct Workload {
  std::function<Tensor()> loss;
  std::function<void()> update;  // with clipping, where the training clips
  std::function<void()> zero_grad;
  int64_t items;
};

template <class Model, class Optimizer>
Workload workload(std::shared_ptr<Model> model, std::shared_ptr<Optimizer> optimizer, int64_t items,
                  std::function<Tensor(const Model&)> loss, bool clip = false) {
  return {[model, loss] { return loss(*model); },
          [optimizer, clip] {
            if (clip) optim::clip_grad_norm_(optimizer->slots(), 1.0);
            optimizer->step();
          },
          [optimizer] { optimizer->zero_grad(); }, items};
}

Workload mlp_tiny() {
  auto model = std::make_shared<nn::Sequential>(nn::Linear(2, 16), nn::Tanh(), nn::Linear(16, 16),
                                                nn::Tanh(), nn::Linear(16, 1));
  const Tensor x = randn({32, 2}), y = randn({32, 1});
  auto optimizer = std::make_shared<optim::SGD>(model->parameters(), optim::SgdOptions{.lr = 0.01});
  return workload<nn::Sequential, optim::SGD>(
      model, optimizer, 32, [x, y](const nn::Sequential& m) { return mse_loss(m(x), y); });
}

Workload mlp_mnist() {
  auto model =
      std::make_shared<nn::Sequential>(nn::Linear(784, 128), nn::ReLU(), nn::Linear(128, 10));
  const Tensor x = randn({64, 784}), y = randint(0, 10, {64});
  auto optimizer = std::make_shared<optim::Adam>(model->parameters());
  return workload<nn::Sequential, optim::Adam>(
      model, optimizer, 64, [x, y](const nn::Sequential& m) { return cross_entropy(m(x), y); });
}

Workload gpt_char() {
  const models::GptConfig config{
      .vocab_size = 65, .block_size = 64, .n_layer = 4, .n_head = 4, .n_embd = 128};
  auto model = std::make_shared<models::Gpt>(config);
  const Tensor ids = randint(0, 65, {12, 64}), targets = randint(0, 65, {12, 64});
  auto optimizer = std::make_shared<optim::AdamW>(model->parameters());
  return workload<models::Gpt, optim::AdamW>(
      model, optimizer, 12 * 64,
      [ids, targets](const models::Gpt& m) { return m.loss(ids, targets); }, true);
}

void run_step(const Workload& w) {
  w.zero_grad();
  w.loss().backward();
  w.update();
}

void forward(benchmark::State& state, const Workload& w) {
  const NoGrad guard;
  for (auto _ : state) benchmark::DoNotOptimize(w.loss());
}

void forward_backward(benchmark::State& state, const Workload& w) {
  for (auto _ : state) {
    w.zero_grad();
    w.loss().backward();
  }
}

void update(benchmark::State& state, const Workload& w) {
  for (auto _ : state) w.update();
}

void step(benchmark::State& state, const Workload& w) {
  for (auto _ : state) run_step(w);
}

struct Part {
  const char* name;
  void (*run)(benchmark::State&, const Workload&);
};
constexpr Part kParts[] = {{"forward", &forward},
                           {"forward_backward", &forward_backward},
                           {"update", &update},
                           {"step", &step}};

void register_parts(const std::string& name, Workload (*make)()) {
  for (const Part& part : kParts) {
    const auto measure = [make, &part](benchmark::State& state) {
      manual_seed(0);
      const Workload w = make();
      run_step(w);  // untimed: memory is touched for the first time, gradients are there
      part.run(state, w);
      state.SetItemsProcessed(state.iterations() * w.items);
    };
    benchmark::RegisterBenchmark((name + '/' + part.name).c_str(), measure)->UseRealTime();
  }
}

}  // namespace
}  // namespace adjoint

int main(int argc, char** argv) {
  adjoint::register_parts("mlp_tiny", &adjoint::mlp_tiny);
  adjoint::register_parts("mlp_mnist", &adjoint::mlp_mnist);
  adjoint::register_parts("gpt_char", &adjoint::gpt_char);
  benchmark::AddCustomContext("isa", adjoint::instruction_set());
  benchmark::AddCustomContext("threads", std::to_string(adjoint::num_threads()));
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
