// Second derivatives against PyTorch (tests/golden/second_derivatives.py): hessians of a network by
// its parameters and of attention, and a training step with a gradient penalty.
#include <adjoint/core/attention.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/functional_call.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/normalization.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/optim/adam.h>

#include "tests/core/numeric.h"

namespace adjoint::nn {
namespace {

using Tensors = std::vector<Tensor>;
using numeric::expect_close;

// f64 on both sides; sums of a few dozen terms in another order.
constexpr double kTolerance = 1e-12;

Tensor golden(const std::string& name) {
  static const std::map<std::string, Tensor> all = load_safetensors(
      std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/second_derivatives.safetensors");
  const auto found = all.find(name);
  EXPECT_NE(found, all.end()) << name;
  return found == all.end() ? Tensor() : found->second;
}

void expect_golden(const Tensor& x, const std::string& name) {
  expect_close(x, golden(name), kTolerance, name);
}

// All of functional against the golden `prefix`.
void expect_derivatives(const std::string& prefix, const std::vector<std::string>& names,
                        const TensorFunction& outputs, const TensorFunction& loss) {
  Tensors inputs, vectors;
  for (const std::string& name : names) {
    inputs.push_back(golden(prefix + "/in/" + name));
    vectors.push_back(golden(prefix + "/v/" + name));
  }
  const auto [y, along] = jvp(outputs, inputs, vectors);
  expect_golden(y[0], prefix + "/out");
  expect_golden(along[0], prefix + "/jvp");
  const std::vector<Tensors> first = jacobian(outputs, inputs), second = hessian(loss, inputs);
  const auto [value, hv] = hvp(loss, inputs, vectors);
  const auto [again, vh] = vhp(loss, inputs, vectors);
  expect_golden(value, prefix + "/loss");
  expect_golden(again, prefix + "/loss");
  for (size_t i = 0; i < names.size(); ++i) {
    expect_golden(first[0][i], prefix + "/jacobian/" + names[i]);
    expect_golden(hv[i], prefix + "/hvp/" + names[i]);
    expect_golden(vh[i], prefix + "/vhp/" + names[i]);
    for (size_t j = 0; j < names.size(); ++j) {
      expect_golden(second[i][j], prefix + "/hessian/" + names[i] + "/" + names[j]);
    }
  }
}

TEST(SecondDerivatives, NetworkByItsParameters) {
  Sequential model(Linear(3, 4), Tanh(), Linear(4, 2));
  model.to(DType::f64);
  const std::vector<NamedSlot> slots = model.parameters();
  std::vector<std::string> names;
  for (const NamedSlot& slot : slots) names.push_back(slot.name);
  const Tensor x = golden("network/x"), target = golden("network/target");
  const TensorFunction outputs = [&](const Tensors& values) -> Tensors {
    return {functional_call(model, slots, values, x)};
  };
  const TensorFunction loss = [&](const Tensors& values) -> Tensors {
    return {mse_loss(outputs(values)[0], target)};
  };
  expect_derivatives("network", names, outputs, loss);
  for (const NamedSlot& slot : slots) EXPECT_FALSE(slot.slot->grad().defined());
}

TEST(SecondDerivatives, Attention) {
  const Tensor weights = golden("attention/weights");
  for (const bool causal : {false, true}) {
    const TensorFunction outputs = [&](const Tensors& in) -> Tensors {
      return {scaled_dot_product_attention(in[0], in[1], in[2], {.is_causal = causal})};
    };
    const TensorFunction loss = [&](const Tensors& in) -> Tensors {
      return {sum(tanh(outputs(in)[0]) * weights)};
    };
    expect_derivatives(causal ? "attention/causal" : "attention/full", {"q", "k", "v"}, outputs,
                       loss);
  }
}

// The loss has the norm of a gradient in it: its own gradients are second derivatives.
TEST(SecondDerivatives, GradientPenaltyStep) {
  Sequential critic(Linear(3, 6), LayerNorm(6), SiLU(), Linear(6, 1));
  critic.to(DType::f64);
  for (const NamedSlot& s : critic.parameters()) {
    s.slot->write(golden("penalty/before/" + s.name));
  }
  optim::Adam optimizer(critic.parameters(), {.lr = 1e-2, .betas = {0.5, 0.9}});
  const Tensor real = golden("penalty/real"), fake = golden("penalty/fake");
  const Tensor mix = golden("penalty/mix");
  const Tensor between = (mix * real + (1.0 - mix) * fake).requires_grad_();
  const Tensor slope = grad({sum(critic(between))}, {between}, {.create_graph = true})[0];
  const Tensor term = mean(square(sqrt(sum(square(slope), {1})) - 1.0));
  const Tensor loss = mean(critic(fake)) - mean(critic(real)) + term * 10.0;
  loss.backward();
  optimizer.step();
  expect_golden(term, "penalty/term");
  expect_golden(loss, "penalty/loss");
  for (const NamedSlot& s : critic.parameters()) {
    expect_golden(s.slot->grad(), "penalty/grad/" + s.name);
    expect_golden(s.slot->stored(), "penalty/after/" + s.name);
  }
}

}  // namespace
}  // namespace adjoint::nn
