// Optimizers against PyTorch's trajectories (tests/golden/optimizers.py), state, groups, clipping.
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/optim/clip.h>
#include <adjoint/optim/optimizer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>

namespace adjoint::optim {
namespace {

NamedSlot slot(const std::string& name, const Tensor& value) {
  return {name, std::make_shared<Slot>(value)};
}

std::unique_ptr<Optimizer> make(const std::string& name, const std::vector<NamedSlot>& slots) {
  if (name == "sgd") return std::make_unique<SGD>(slots, SgdOptions{.lr = 0.1});
  if (name == "sgd_decay") {
    return std::make_unique<SGD>(slots, SgdOptions{.lr = 0.1, .weight_decay = 0.05});
  }
  if (name == "sgd_momentum") {
    return std::make_unique<SGD>(slots, SgdOptions{.lr = 0.05, .momentum = 0.9, .dampening = 0.1});
  }
  if (name == "sgd_nesterov") {
    return std::make_unique<SGD>(
        slots, SgdOptions{.lr = 0.05, .momentum = 0.8, .weight_decay = 0.01, .nesterov = true});
  }
  if (name == "adam") return std::make_unique<Adam>(slots, AdamOptions{.lr = 0.02});
  if (name == "adam_decay") {
    return std::make_unique<Adam>(
        slots, AdamOptions{.lr = 0.02, .betas = {0.8, 0.95}, .weight_decay = 0.1});
  }
  if (name == "adam_amsgrad") {
    return std::make_unique<Adam>(slots,
                                  AdamOptions{.lr = 0.02, .betas = {0.9, 0.5}, .amsgrad = true});
  }
  if (name == "adamw") {
    return std::make_unique<AdamW>(slots,
                                   AdamWOptions{.lr = 0.02, .eps = 1e-6, .weight_decay = 0.2});
  }
  return std::make_unique<AdamW>(slots,
                                 AdamWOptions{.lr = 0.02, .betas = {0.9, 0.5}, .amsgrad = true});
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a.detach() - b.detach())).item();
}

class Trajectory : public testing::TestWithParam<const char*> {
 protected:
  std::map<std::string, Tensor> golden_ =
      load_safetensors(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/optimizers.safetensors");

  void follow(DType dtype, double tolerance) {
    const NamedSlot p = slot("p", golden_.at("start").to(dtype));
    const auto optimizer = make(GetParam(), {p});
    const Tensor expected = golden_.at(GetParam());
    for (int64_t step = 0; step < 50; ++step) {
      p.slot->set_grad(select(golden_.at("gradients"), 0, step).to(dtype).clone());
      optimizer->step();
      ASSERT_LE(largest_difference(p.slot->stored().to(DType::f64), select(expected, 0, step)),
                tolerance)
          << "after step " << step;
    }
  }
};

TEST_P(Trajectory, F64IsPyTorchs) { follow(DType::f64, 1e-13); }
TEST_P(Trajectory, F32FollowsIt) { follow(DType::f32, 2e-5); }

TEST_P(Trajectory, StateGoesOnWithTheSameBits) {
  const NamedSlot whole = slot("p", golden_.at("start"));
  const NamedSlot first = slot("p", golden_.at("start"));
  const auto uninterrupted = make(GetParam(), {whole});
  auto stopped = make(GetParam(), {first});
  for (int64_t step = 0; step < 20; ++step) {
    if (step == 7) {
      const OptimizerState state = stopped->state();
      stopped = make(GetParam(), {first});
      stopped->load_state(state);
    }
    const Tensor g = select(golden_.at("gradients"), 0, step);
    for (const NamedSlot* s : {&whole, &first}) s->slot->set_grad(g.clone());
    uninterrupted->step();
    stopped->step();
  }
  EXPECT_EQ(whole.slot->stored().to_vector<double>(), first.slot->stored().to_vector<double>());
}

TEST_P(Trajectory, GradientScaleIsAFactor) {
  const NamedSlot a = slot("p", golden_.at("start")), b = slot("p", golden_.at("start"));
  const auto scaled = make(GetParam(), {a}), plain = make(GetParam(), {b});
  for (int64_t step = 0; step < 5; ++step) {
    const Tensor g = select(golden_.at("gradients"), 0, step);
    a.slot->set_grad(g.clone());
    b.slot->set_grad(g * 0.25);
    scaled->scale_gradients_once(0.25);
    scaled->step();
    plain->step();
  }
  EXPECT_EQ(a.slot->stored().to_vector<double>(), b.slot->stored().to_vector<double>());
}

INSTANTIATE_TEST_SUITE_P(PyTorch, Trajectory,
                         testing::Values("sgd", "sgd_decay", "sgd_momentum", "sgd_nesterov", "adam",
                                         "adam_decay", "adam_amsgrad", "adamw", "adamw_amsgrad"),
                         [](const auto& row) { return std::string(row.param); });

TEST(Optimizer, GroupsHaveTheirOwnOptions) {
  const NamedSlot a = slot("a", ones({2})), b = slot("b", ones({2}));
  SGD optimizer({{.slots = {a}, .options = {.lr = 1}}, {.slots = {b}, .options = {.lr = 0.5}}});
  a.slot->set_grad(ones({2}));
  b.slot->set_grad(ones({2}));
  optimizer.step();
  EXPECT_EQ(a.slot->stored().to_vector<float>(), (std::vector<float>{0, 0}));
  EXPECT_EQ(b.slot->stored().to_vector<float>(), (std::vector<float>{0.5, 0.5}));
  optimizer.set_lr(0.25);
  EXPECT_EQ(optimizer.lr(1), 0.25);
  optimizer.set_lr(1, 0);
  EXPECT_EQ(optimizer.lr(0), 0.25);
  EXPECT_THROW(optimizer.set_lr(2, 1), IndexError);
  EXPECT_THROW(optimizer.set_lr(-1), ConfigError);
  EXPECT_EQ(optimizer.slots().size(), 2U);
  optimizer.zero_grad();
  EXPECT_FALSE(a.slot->grad().defined());
}

TEST(Optimizer, ParametersWithoutGradientAreLeftAlone) {
  const NamedSlot a = slot("a", ones({2}));
  AdamW optimizer({a}, {.lr = 1, .weight_decay = 0.5});
  optimizer.step();
  EXPECT_EQ(a.slot->stored().to_vector<float>(), (std::vector<float>{1, 1}));
  EXPECT_TRUE(optimizer.state().counts.empty());
}

// A count of updates that never were would only be noticed by step(), half way through.
TEST(Optimizer, RefusesCountsBelowOne) {
  const NamedSlot a = slot("a", ones({2})), b = slot("b", ones({2}));
  for (const int64_t count : {int64_t{-7}, int64_t{0}, INT64_MIN}) {
    AdamW optimizer({a, b});
    for (const NamedSlot& s : {a, b}) s.slot->set_grad(ones({2}));
    optimizer.step();
    OptimizerState state = optimizer.state();
    state.counts["step.b"] = count;
    state.counts["step.a"] = 5;
    try {
      optimizer.load_state(state);
      FAIL() << "a count of " << count << " was loaded";
    } catch (const ConfigError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("'step.b' is " + std::to_string(count)), std::string::npos) << message;
      EXPECT_NE(message.find("expected 1 or more"), std::string::npos) << message;
    }
    EXPECT_EQ(optimizer.state().counts["step.a"], 1);
    EXPECT_EQ(optimizer.state().counts["step.b"], 1);
  }
}

TEST(Optimizer, AStepIsNoticedByTheGraph) {
  const NamedSlot w = slot("w", ones({2}));
  SGD optimizer({w}, {.lr = 1});
  const Tensor loss = sum(square(w.slot->value()));
  w.slot->set_grad(ones({2}));
  optimizer.step();
  EXPECT_THROW(loss.backward(), AutogradError);
}

// --- many parameters at once ---

std::vector<NamedSlot> many(DType dtype = DType::f32) {
  std::vector<NamedSlot> slots;
  int64_t seed = 0;
  for (const int64_t n : {3, 0, 40000, 1, 16384, 17, 70001, 2}) {
    Generator generator(static_cast<uint64_t>(++seed));
    slots.push_back(slot("p" + std::to_string(seed), randn({n}, dtype, generator)));
    slots.back().slot->set_grad(randn({n}, dtype, generator));
  }
  return slots;
}

// All together as each by itself: pieces of the work begin and end inside of parameters.
TEST(Optimizer, ManyParametersAreOneJob) {
  for (const char* name : {"sgd_nesterov", "adam_amsgrad", "adamw"}) {
    const std::vector<NamedSlot> together = many(), alone = many();
    const auto optimizer = make(name, together);
    for (int step = 0; step < 3; ++step) optimizer->step();
    for (size_t i = 0; i < alone.size(); ++i) {
      const auto one = make(name, {alone[i]});
      for (int step = 0; step < 3; ++step) one->step();
      EXPECT_EQ(together[i].slot->stored().to_vector<float>(),
                alone[i].slot->stored().to_vector<float>())
          << name << ", " << alone[i].name;
    }
  }
}

TEST(Optimizer, ThreadsDoNotChangeBits) {
  const int before = num_threads();
  std::vector<std::vector<float>> first;
  for (const int threads : {1, 2, 3, 4}) {
    set_num_threads(threads);
    const std::vector<NamedSlot> slots = many();
    AdamW optimizer(slots);
    clip_grad_norm_(optimizer, 1.0);
    optimizer.step();
    std::vector<std::vector<float>> now;
    for (const NamedSlot& s : slots) now.push_back(s.slot->stored().to_vector<float>());
    if (first.empty()) first = now;
    EXPECT_EQ(now, first) << threads << " threads";
  }
  set_num_threads(before);
}

// An update that does not fit is found before any parameter changes.
TEST(Optimizer, AllOrNothing) {
  const NamedSlot a = slot("a", ones({2})), b = slot("b", ones({2, 2}));
  AdamW optimizer({a, b}, {.lr = 1});
  a.slot->set_grad(ones({2}));
  b.slot->set_grad(ones({2, 2}));
  optimizer.step();
  const std::vector<float> before = a.slot->stored().to_vector<float>();
  b.slot->replace(ones({3}));
  b.slot->set_grad(ones({3}));
  EXPECT_THROW(optimizer.step(), ShapeError);
  EXPECT_EQ(a.slot->stored().to_vector<float>(), before);
  EXPECT_EQ(optimizer.state().counts["step.a"], 1);
}

TEST(Optimizer, AStepTakesNoMemory) {
  const std::vector<NamedSlot> slots = many();
  AdamW optimizer(slots);
  optimizer.step();  // makes the moments
  reset_peak_memory();
  const int64_t before = memory_stats().current;
  clip_grad_norm_(optimizer, 1.0);
  optimizer.step();
  EXPECT_LE(memory_stats().peak - before, 128 << 10);  // a copy of a gradient would be more
}

TEST(Optimizer, Errors) {
  const NamedSlot a = slot("a", ones({2}));
  EXPECT_THROW(SGD({a}, {.lr = -1}), ConfigError);
  EXPECT_THROW(SGD({a}, {.nesterov = true}), ConfigError);
  EXPECT_THROW(Adam({a}, {.betas = {1.0, 0.9}}), ConfigError);
  EXPECT_THROW(AdamW({a}, {.eps = -1}), ConfigError);
  EXPECT_THROW(SGD(std::vector<NamedSlot>{}), ConfigError);
  EXPECT_THROW(SGD(std::vector<NamedSlot>{a, a}), ConfigError);
  AdamW optimizer({a});
  OptimizerState state;
  state.counts["step.a"] = 3;
  state.tensors["exp_avg.a"] = zeros({5});
  state.tensors["other"] = zeros({1});
  try {
    optimizer.load_state(state);
    FAIL() << "a state that does not fit was loaded";
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    for (const char* part : {"(5,)", "missing 'exp_avg_sq.a'", "unexpected 'other'"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
  EXPECT_TRUE(optimizer.state().counts.empty());
}

TEST(Optimizer, SplitByDimension) {
  const auto [decay, rest] = split_by_dimension(
      {slot("w", zeros({2, 2})), slot("b", zeros({2})), slot("e", zeros({1, 1}))});
  ASSERT_EQ(decay.size(), 2U);
  EXPECT_EQ(decay[1].name, "e");
  EXPECT_EQ(rest[0].name, "b");
}

TEST(Clip, Norm) {
  const NamedSlot a = slot("a", zeros({2})), b = slot("b", zeros({1}, DType::f64));
  a.slot->set_grad(tensor<float>({3, 0}));
  b.slot->set_grad(tensor<double>({4}));
  EXPECT_DOUBLE_EQ(clip_grad_norm_({a, b}, 10), 5);
  EXPECT_EQ(a.slot->grad().to_vector<float>(), (std::vector<float>{3, 0}));
  EXPECT_DOUBLE_EQ(clip_grad_norm_({a, b}, 1), 5);
  EXPECT_NEAR(grad_norm({a, b}), 1, 1e-6);
  EXPECT_NEAR(b.slot->grad().item(), 0.8, 1e-6);
  EXPECT_THROW(clip_grad_norm_({a}, 0), ConfigError);
}

// The factor goes into the next step, and into that only.
TEST(Clip, NormInTheNextStep) {
  const NamedSlot a = slot("a", zeros({2})), b = slot("b", zeros({2}));
  SGD folded({a}, {.lr = 1}), plain({b}, {.lr = 1});
  for (const NamedSlot& s : {a, b}) s.slot->set_grad(tensor<float>({3, 4}));
  EXPECT_DOUBLE_EQ(clip_grad_norm_(folded, 1), 5);
  EXPECT_EQ(a.slot->grad().to_vector<float>(), (std::vector<float>{3, 4}));
  folded.step();
  EXPECT_NEAR(a.slot->stored().to_vector<float>()[0], -0.6, 1e-6);
  folded.step();
  EXPECT_NEAR(a.slot->stored().to_vector<float>()[0], -3.6, 1e-6);
  EXPECT_DOUBLE_EQ(clip_grad_norm_(plain, 10), 5);
  plain.step();
  EXPECT_EQ(b.slot->stored().to_vector<float>(), (std::vector<float>{-3, -4}));
  EXPECT_THROW(clip_grad_norm_(plain, 0), ConfigError);
  a.slot->set_grad(tensor<float>({3, std::numeric_limits<float>::infinity()}));
  EXPECT_TRUE(std::isinf(clip_grad_norm_(folded, 1)));
  EXPECT_THROW(clip_grad_norm_(folded, 1, true), Error);
}

TEST(Clip, NormOfManyIsThatOfEach) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const std::vector<NamedSlot> slots = many(dtype);
    double squares = 0;
    for (const NamedSlot& s : slots) squares += std::pow(grad_norm({s}), 2);
    EXPECT_NEAR(grad_norm(slots) / std::sqrt(squares), 1, 1e-14);
  }
  EXPECT_EQ(grad_norm({}), 0);
}

TEST(Clip, NonFiniteGradientsAreLeftAlone) {
  const NamedSlot a = slot("a", zeros({2}));
  a.slot->set_grad(tensor<float>({3, std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_TRUE(std::isnan(clip_grad_norm_({a}, 1)));
  EXPECT_EQ(a.slot->grad().to_vector<float>()[0], 3);
  EXPECT_THROW(clip_grad_norm_({a}, 1, true), Error);
  EXPECT_EQ(a.slot->grad().to_vector<float>()[0], 3);
}

TEST(Clip, Value) {
  const NamedSlot a = slot("a", zeros({3}));
  a.slot->set_grad(tensor<float>({3, -4, 0.5F}));
  EXPECT_NEAR(clip_grad_value_({a}, 1), std::sqrt(25.25), 1e-12);
  EXPECT_EQ(a.slot->grad().to_vector<float>(), (std::vector<float>{1, -1, 0.5F}));
}

TEST(Clip, NormOfManyElementsIsExactEnough) {
  const int64_t n = 1'000'003;
  const Tensor g = full({n}, 0.1);
  const NamedSlot a = slot("a", zeros({n}));
  a.slot->set_grad(g);
  const double value = static_cast<double>(0.1F);
  EXPECT_NEAR(grad_norm({a}) / (value * std::sqrt(static_cast<double>(n))), 1, 1e-13);
}

}  // namespace
}  // namespace adjoint::optim
