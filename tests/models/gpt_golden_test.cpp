// A two-layer GPT against PyTorch's: tests/golden/gpt_2_layers.py.
#include <adjoint/core/safetensors.h>
#include <adjoint/models/gpt_task.h>
#include <adjoint/optim/adam.h>
#include <adjoint/optim/clip.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tests/models/model_bits.h"

namespace adjoint::models {
namespace {

using Values = std::vector<double>;

Values values_of(const Tensor& x) { return x.detach().to(DType::f64).to_vector<double>(); }

double largest(const Values& x) {
  double most = 0;
  for (const double v : x) most = std::max(most, std::abs(v));
  return most;
}

// Largest |a - b| of elements begin to end; infinite where one is not a number.
double largest_difference(const Values& a, const Values& b, size_t begin, size_t end) {
  double most = 0;
  for (size_t i = begin; i < end; ++i) {
    const double difference = std::abs(a[i] - b[i]);
    most = std::isfinite(difference) ? std::max(most, difference) : INFINITY;
  }
  return most;
}

// The biases of the keys shift every score of a row alike, so the loss does not depend on them.
bool has_key_bias(const std::string& name) { return name.ends_with("attn.c_attn.bias"); }

class GptGolden : public testing::TestWithParam<DType> {
 protected:
  static GptConfig config() {
    return {.vocab_size = 31, .block_size = 12, .n_layer = 2, .n_head = 2, .n_embd = 24};
  }

  GptGolden()
      : golden_(load_safetensors(ADJOINT_SOURCE_DIR "/tests/golden/gpt_2_layers.safetensors")),
        model_(make_gpt(config())) {
    std::map<std::string, Tensor> weights;
    for (const auto& [name, value] : golden_) {
      if (name.starts_with("weight/")) weights[name.substr(7)] = value;
    }
    model_.load_state_dict(weights);
    model_.to(GetParam());
  }

  double tolerance() const { return GetParam() == DType::f32 ? 1e-4 : 1e-9; }
  const Tensor& golden(const std::string& name) const {
    return golden_.at((GetParam() == DType::f32 ? "f32/" : "f64/") + name);
  }
  Tensor loss() const { return model_.loss(golden_.at("ids"), golden_.at("targets")); }

  // |actual - expected| over the largest |expected|, and for the key biases over `largest_of_all`;
  // where that is 0 they are left out.
  void compare(const std::string& name, const Tensor& actual, const Tensor& expected,
               double largest_of_all) const {
    ASSERT_TRUE(actual.defined()) << name;
    ASSERT_EQ(actual.shape(), expected.shape()) << name;
    ASSERT_EQ(actual.dtype(), GetParam()) << name;
    const Values a = values_of(actual), b = values_of(expected);
    const double scale = largest(b);
    ASSERT_GT(scale, 0) << name;
    if (!has_key_bias(name)) {
      const double error = largest_difference(a, b, 0, a.size()) / scale;
      EXPECT_LT(error, tolerance()) << name;
      return;
    }
    const size_t third = a.size() / 3;
    const double error = std::max(largest_difference(a, b, 0, third),
                                  largest_difference(a, b, 2 * third, 3 * third)) /
                         scale;
    EXPECT_LT(error, tolerance()) << name << ", queries and values";
    if (largest_of_all == 0) return;
    const double keys = largest_difference(a, b, third, 2 * third) / largest_of_all;
    EXPECT_LT(keys, tolerance()) << name << ", keys";
  }

  std::map<std::string, Tensor> golden_;
  Gpt model_;
};

TEST_P(GptGolden, LossAndEveryGradient) {
  const Tensor loss = this->loss();
  loss.backward();
  const double expected = golden("loss").item();
  EXPECT_LT(std::abs(loss.item() - expected) / expected, tolerance()) << "loss " << loss.item();

  double largest_gradient = 0;
  size_t count = 0;
  for (const auto& [name, value] : golden_) {
    if (!name.starts_with(GetParam() == DType::f32 ? "f32/grad/" : "f64/grad/")) continue;
    largest_gradient = std::max(largest_gradient, largest(values_of(value)));
    ++count;
  }
  const std::vector<NamedSlot> parameters = model_.parameters();
  ASSERT_EQ(parameters.size(), count);
  for (const NamedSlot& parameter : parameters) {
    compare(parameter.name, parameter.slot->grad(), golden("grad/" + parameter.name),
            largest_gradient);
  }
}

TEST_P(GptGolden, TwentyStepsOfAdamW) {
  optim::AdamW optimizer =
      make_gpt_optimizer(model_, {.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.1});
  const Values expected = values_of(golden("losses"));
  ASSERT_EQ(expected.size(), 20U);
  for (size_t step = 0; step < expected.size(); ++step) {
    const Tensor loss = this->loss();
    loss.backward();
    optim::clip_grad_norm_(optimizer.slots(), 1.0);
    optimizer.step();
    optimizer.zero_grad();
    EXPECT_LT(std::abs(loss.item() - expected[step]) / expected[step], tolerance())
        << "loss of step " << step << ": " << loss.item() << " against " << expected[step];
  }
  // Adam makes whole steps of the keys' rounding errors in f32; in f64 they are below its eps.
  for (const NamedSlot& parameter : model_.parameters()) {
    const Tensor& final = golden("final/" + parameter.name);
    compare(parameter.name, parameter.slot->stored(), final,
            GetParam() == DType::f32 ? 0 : largest(values_of(final)));
  }
}

INSTANTIATE_TEST_SUITE_P(Gpt, GptGolden, testing::Values(DType::f32, DType::f64),
                         [](const auto& which) { return std::string(adjoint::name(which.param)); });

}  // namespace
}  // namespace adjoint::models
