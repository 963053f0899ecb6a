// Optimizers against PyTorch's trajectories (tests/golden/optimizers.py), state, groups.
#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/optim/adafactor.h>
#include <adjoint/optim/adam.h>
#include <adjoint/optim/adaptive.h>
#include <adjoint/optim/clip.h>
#include <adjoint/optim/groups.h>
#include <adjoint/optim/lamb.h>
#include <adjoint/optim/lbfgs.h>
#include <adjoint/optim/muon.h>
#include <adjoint/optim/sgd.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "tests/optim/slots.h"

namespace adjoint::optim {
namespace {

using Make = std::function<std::unique_ptr<Optimizer>(const Slots&)>;

template <class O, class Options>
Make with(const Options& options) {
  return [options](const Slots& slots) { return std::make_unique<O>(slots, options); };
}

// The configurations of tests/golden/optimizers.py, and those of papers below.
const std::map<std::string, Make>& configurations() {
  static const std::map<std::string, Make> all = {
      {"sgd", with<SGD>(SgdOptions{.lr = 0.1})},
      {"sgd_decay", with<SGD>(SgdOptions{.lr = 0.1, .weight_decay = 0.05})},
      {"sgd_momentum", with<SGD>(SgdOptions{.lr = 0.05, .momentum = 0.9, .dampening = 0.1})},
      {"sgd_nesterov",
       with<SGD>(SgdOptions{.lr = 0.05, .momentum = 0.8, .weight_decay = 0.01, .nesterov = true})},
      {"sgd_maximize",
       with<SGD>(SgdOptions{.lr = 0.05, .momentum = 0.8, .weight_decay = 0.3, .maximize = true})},
      {"adam", with<Adam>(AdamOptions{.lr = 0.02})},
      {"adam_decay",
       with<Adam>(AdamOptions{.lr = 0.02, .betas = {0.8, 0.95}, .weight_decay = 0.1})},
      {"adam_amsgrad",
       with<Adam>(AdamOptions{.lr = 0.02, .betas = {0.9, 0.5}, .amsgrad = true, .maximize = true})},
      {"adamw", with<AdamW>(AdamWOptions{.lr = 0.02, .eps = 1e-6, .weight_decay = 0.2})},
      {"adamw_amsgrad",
       with<AdamW>(AdamWOptions{.lr = 0.02, .betas = {0.9, 0.5}, .amsgrad = true})},
      {"nadam", with<NAdam>(NAdamOptions{.lr = 0.02})},
      {"nadam_decay",
       with<NAdam>(NAdamOptions{
           .lr = 0.02, .betas = {0.8, 0.95}, .weight_decay = 0.1, .momentum_decay = 0.02})},
      {"nadam_decoupled",
       with<NAdam>(NAdamOptions{
           .lr = 0.02, .weight_decay = 0.1, .decoupled_weight_decay = true, .maximize = true})},
      {"radam", with<RAdam>(RAdamOptions{.lr = 0.02})},
      {"radam_decay",
       with<RAdam>(RAdamOptions{.lr = 0.02, .betas = {0.8, 0.9}, .weight_decay = 0.1})},
      {"radam_decoupled",
       with<RAdam>(RAdamOptions{
           .lr = 0.02, .betas = {0.8, 0.6}, .weight_decay = 0.1, .decoupled_weight_decay = true})},
      {"adamax", with<Adamax>(AdamaxOptions{.lr = 0.02})},
      {"adamax_decay", with<Adamax>(AdamaxOptions{
                           .lr = 0.02, .betas = {0.8, 0.9}, .eps = 1e-3, .weight_decay = 0.1})},
      {"adagrad", with<Adagrad>(AdagradOptions{.lr = 0.1})},
      {"adagrad_decay",
       with<Adagrad>(AdagradOptions{
           .lr = 0.1, .lr_decay = 0.05, .weight_decay = 0.1, .initial_accumulator_value = 0.5})},
      {"adadelta", with<Adadelta>(AdadeltaOptions{})},
      {"adadelta_decay",
       with<Adadelta>(AdadeltaOptions{.lr = 2, .rho = 0.8, .eps = 1e-3, .weight_decay = 0.1})},
      {"rmsprop", with<RMSprop>(RMSpropOptions{.lr = 0.02})},
      {"rmsprop_momentum", with<RMSprop>(RMSpropOptions{
                               .lr = 0.01, .alpha = 0.9, .weight_decay = 0.1, .momentum = 0.8})},
      {"rmsprop_centered",
       with<RMSprop>(RMSpropOptions{.lr = 0.01, .momentum = 0.5, .centered = true})},
      {"rprop", with<Rprop>(RpropOptions{.lr = 0.02})},
      {"rprop_bounds",
       with<Rprop>(RpropOptions{.lr = 0.02, .etas = {0.3, 1.7}, .step_sizes = {0.01, 0.05}})},
      {"asgd", with<ASGD>(AsgdOptions{.lr = 0.05})},
      {"asgd_averages",
       with<ASGD>(AsgdOptions{.lr = 0.05, .lambd = 0.1, .t0 = 10, .weight_decay = 0.1})},
      {"adafactor", with<Adafactor>(AdafactorOptions{.lr = 0.1})},
      {"adafactor_decay",
       with<Adafactor>(AdafactorOptions{
           .lr = 0.3, .beta2_decay = -0.5, .eps = {1e-2, 0.5}, .d = 2, .weight_decay = 0.1})},
      {"adafactor_vector", with<Adafactor>(AdafactorOptions{.lr = 0.1})},
      {"muon", with<Muon>(MuonOptions{.lr = 0.02})},
      {"muon_plain",
       with<Muon>(MuonOptions{.lr = 0.02,
                              .weight_decay = 0.3,
                              .momentum = 0.8,
                              .nesterov = false,
                              .adjust_lr_fn = MuonAdjustLr::match_rms_adamw})},
      {"lamb", with<Lamb>(LambOptions{.lr = 0.02, .weight_decay = 0.1})},
      {"lion", with<Lion>(LionOptions{.lr = 0.01, .weight_decay = 0.1})},
  };
  return all;
}

std::unique_ptr<Optimizer> make(const std::string& name, const Slots& slots) {
  return configurations().at(name)(slots);
}

// Trajectory after trajectory, all by their names.
class Trajectory : public testing::TestWithParam<std::string> {
 protected:
  std::map<std::string, Tensor> golden_ =
      load_safetensors(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/optimizers.safetensors");
  const bool is_vector_ = GetParam().ends_with("_vector");

  Tensor start() const { return shaped(golden_.at("start")); }
  Tensor gradient(int64_t step) const {
    return shaped(select(golden_.at("gradients"), 0, step)).clone();
  }
  Tensor shaped(const Tensor& x) const { return is_vector_ ? x.reshape({8}) : x; }

  void follow(DType dtype, double tolerance) {
    const NamedSlot p = slot("p", start().to(dtype));
    const auto optimizer = make(GetParam(), {p});
    const Tensor expected = golden_.at(GetParam());
    for (int64_t step = 0; step < 50; ++step) {
      p.slot->set_grad(gradient(step).to(dtype));
      optimizer->step();
      ASSERT_LE(largest_difference(p.slot->stored().to(DType::f64), select(expected, 0, step)),
                tolerance)
          << "after step " << step;
    }
  }
};

TEST_P(Trajectory, F64IsPyTorchs) {
  if (golden_.contains(GetParam())) follow(DType::f64, 1e-13);
}
TEST_P(Trajectory, F32FollowsIt) {
  if (golden_.contains(GetParam())) follow(DType::f32, 2e-5);
}

// Parameters of 16 bits: the step of f32, rounded once.
TEST_P(Trajectory, HalvesAreF32Rounded) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const NamedSlot half = slot("p", start().to(dtype)), wide = slot("p", half.slot->stored());
    wide.slot->cast(DType::f32);
    const auto a = make(GetParam(), {half}), b = make(GetParam(), {wide});
    half.slot->set_grad(gradient(0).to(dtype));
    wide.slot->set_grad(half.slot->grad().to(DType::f32));
    if (GetParam().starts_with("adafactor")) continue;  // its eps is the dtype's
    a->step();
    b->step();
    EXPECT_EQ(half.slot->stored().to(DType::f32).to_vector<float>(),
              wide.slot->stored().to(dtype).to(DType::f32).to_vector<float>());
    const OptimizerState of_half = a->state(), of_wide = b->state();
    for (const auto& [name, tensor] : of_half.tensors) {
      EXPECT_EQ(tensor.to(DType::f64).to_vector<double>(),
                of_wide.tensors.at(name).to(DType::f64).to_vector<double>());
    }
  }
}

TEST_P(Trajectory, StateGoesOnWithTheSameBits) {
  const NamedSlot whole = slot("p", start()), first = slot("p", start());
  const auto uninterrupted = make(GetParam(), {whole});
  auto stopped = make(GetParam(), {first});
  for (int64_t step = 0; step < 20; ++step) {
    if (step == 7) {
      const OptimizerState state = stopped->state();
      stopped = make(GetParam(), {first});
      stopped->load_state(state);
    }
    const Tensor g = gradient(step);
    for (const NamedSlot* s : {&whole, &first}) s->slot->set_grad(g.clone());
    uninterrupted->step();
    stopped->step();
  }
  EXPECT_EQ(whole.slot->stored().to_vector<double>(), first.slot->stored().to_vector<double>());
}

TEST_P(Trajectory, GradientScaleIsAFactor) {
  const NamedSlot a = slot("p", start()), b = slot("p", start());
  const auto scaled = make(GetParam(), {a}), plain = make(GetParam(), {b});
  for (int64_t step = 0; step < 5; ++step) {
    const Tensor g = gradient(step);
    a.slot->set_grad(g.clone());
    b.slot->set_grad(g * 0.25);
    scaled->scale_gradients_once(0.5);
    scaled->scale_gradients_once(0.5);
    scaled->step();
    plain->step();
  }
  EXPECT_EQ(a.slot->stored().to_vector<double>(), b.slot->stored().to_vector<double>());
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& entry : configurations()) all.push_back(entry.first);
  return all;
}
INSTANTIATE_TEST_SUITE_P(PyTorch, Trajectory, testing::ValuesIn(names()),
                         [](const auto& row) { return row.param; });

TEST(Golden, EveryTrajectoryIsFollowed) {
  const auto golden =
      load_safetensors(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/optimizers.safetensors");
  for (const auto& [name, path] : golden) {
    EXPECT_TRUE(configurations().contains(name) || name == "start" || name == "gradients" ||
                name.starts_with("lbfgs"))
        << name;
  }
}

// --- what PyTorch does not have, by the papers' formulas in f64 ---

struct Doubles {
  std::vector<double> p, m, v;
};

template <class Step>
void follow_paper(const std::string& name, const Step& step) {
  const auto golden =
      load_safetensors(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/optimizers.safetensors");
  const NamedSlot p = slot("p", golden.at("start"));
  const auto optimizer = make(name, {p});
  Doubles x{golden.at("start").to_vector<double>(), std::vector<double>(8), std::vector<double>(8)};
  for (int64_t t = 1; t <= 50; ++t) {
    const Tensor g = select(golden.at("gradients"), 0, t - 1).clone();
    p.slot->set_grad(g);
    optimizer->step();
    step(x, g.to_vector<double>(), t);
    const std::vector<double> now = p.slot->stored().to_vector<double>();
    for (size_t i = 0; i < 8; ++i) ASSERT_NEAR(now[i], x.p[i], 1e-13) << name << ", step " << t;
  }
}

TEST(Papers, LambIsAlgorithmTwo) {
  follow_paper("lamb", [](Doubles& x, const std::vector<double>& g, int64_t t) {
    double r[8], of_p = 0, of_r = 0;
    for (size_t i = 0; i < 8; ++i) {
      x.m[i] = 0.9 * x.m[i] + 0.1 * g[i];
      x.v[i] = 0.999 * x.v[i] + 0.001 * g[i] * g[i];
      const double m = x.m[i] / (1 - std::pow(0.9, t)), v = x.v[i] / (1 - std::pow(0.999, t));
      r[i] = m / (std::sqrt(v) + 1e-6) + 0.1 * x.p[i];
      of_p += x.p[i] * x.p[i];
      of_r += r[i] * r[i];
    }
    for (size_t i = 0; i < 8; ++i) x.p[i] -= 0.02 * std::sqrt(of_p) / std::sqrt(of_r) * r[i];
  });
}

TEST(Papers, LionIsProgramOne) {
  follow_paper("lion", [](Doubles& x, const std::vector<double>& g, int64_t) {
    for (size_t i = 0; i < 8; ++i) {
      const double c = 0.9 * x.m[i] + (1 - 0.9) * g[i];
      x.p[i] -= 0.01 * ((c > 0) - (c < 0) + 0.1 * x.p[i]);
      x.m[i] = 0.99 * x.m[i] + (1 - 0.99) * g[i];
    }
  });
}

// Keller Jordan 2024: the singular values of what is left lie around 1, the vectors stay.
TEST(Papers, MuonsMatrixIsNearlyOrthogonal) {
  Generator generator(3);
  for (const Shape& shape : {Shape{6, 10}, Shape{10, 6}}) {
    const Tensor x = randn(shape, DType::f64, generator);
    const Tensor y = orthogonalized(x).to(DType::f64);
    const std::vector<double> values = svdvals(y).to_vector<double>();
    EXPECT_LT(values.front(), 1.25);
    EXPECT_GT(values.back(), 0.6);
    // x and y have the same singular vectors: x' y is symmetric, up to bf16.
    const Tensor product = matmul(x.t(), y);
    EXPECT_LT(largest_difference(product, product.t()), 0.05 * max(abs(product)).item());
  }
}

// --- L-BFGS ---

// The function of tests/golden/optimizers.py.
Tensor bowl(const Tensor& x) {
  const Tensor head = slice(x, 0, 0, -1), tail = slice(x, 0, 1);
  return sum(square(tail - square(head)) * 10 + square(1 - head));
}

class LbfgsPath : public testing::TestWithParam<std::string> {
 protected:
  LbfgsOptions options() const {
    if (GetParam() == "lbfgs_wolfe") {
      return {.max_iter = 3, .line_search_fn = LineSearch::strong_wolfe};
    }
    return {.lr = 0.3, .max_iter = 3, .history_size = GetParam() == "lbfgs" ? 100 : 2};
  }
  std::map<std::string, Tensor> golden_ =
      load_safetensors(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/optimizers.safetensors");
};

// In two parameters, and stopped half way, as PyTorch's in one.
TEST_P(LbfgsPath, IsPyTorchs) {
  const Tensor start = golden_.at("start").reshape({8});
  const Slots slots = {slot("a", slice(start, 0, 0, 3)), slot("b", slice(start, 0, 3))};
  auto optimizer = std::make_unique<LBFGS>(slots, options());
  const auto joined = [&] { return cat({slots[0].slot->value(), slots[1].slot->value()}); };
  for (int64_t step = 0; step < 15; ++step) {
    if (step == 6) {
      const OptimizerState state = optimizer->state();
      optimizer = std::make_unique<LBFGS>(slots, options());
      optimizer->load_state(state);
    }
    const double before = bowl(joined()).item();
    const double loss = optimizer->step([&] {
      optimizer->zero_grad();
      Tensor value = bowl(joined());
      value.backward();
      return value;
    });
    EXPECT_EQ(loss, before);
    ASSERT_LE(largest_difference(joined(), select(golden_.at(GetParam()), 0, step)), 1e-9)
        << "after step " << step;
  }
}
INSTANTIATE_TEST_SUITE_P(PyTorch, LbfgsPath,
                         testing::Values("lbfgs", "lbfgs_history", "lbfgs_wolfe"),
                         [](const auto& row) { return row.param; });

TEST(Lbfgs, ClimbsAndSaysWhatItNeeds) {
  const NamedSlot p = slot("p", tensor<float>({1, 2}));
  LBFGS optimizer({p}, {.line_search_fn = LineSearch::strong_wolfe, .maximize = true});
  optimizer.step([&] {
    optimizer.zero_grad();
    Tensor value = -sum(square(p.slot->value() - 3));
    value.backward();
    return value;
  });
  for (const float x : p.slot->stored().to_vector<float>()) EXPECT_NEAR(x, 3, 1e-5);
  try {
    optimizer.step();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("closure"), std::string::npos) << error.what();
  }
  EXPECT_THROW(LBFGS({p}, {.history_size = 0}), ConfigError);
}

// A layer and its loss in bf16, weights in f32: what each optimizer is for.
TEST(Optimizer, AutocastTrains) {
  Generator generator(4);
  const Tensor x = randn({32, 8}, DType::f32, generator),
               wanted = randn({4, 8}, DType::f32, generator);
  const Tensor y = matmul(x, wanted.t());
  for (const auto& [name, maker] : configurations()) {
    if (name.find("maximize") != name.npos || name == "adam_amsgrad" || name == "nadam_decoupled" ||
        name.ends_with("_vector")) {
      continue;  // they climb
    }
    const NamedSlot w = slot("w", zeros({4, 8}));
    const auto optimizer = maker({w});
    double first = 0, last = 0;
    for (int step = 0; step < 30; ++step) {
      optimizer->zero_grad();
      const Tensor loss = [&] {
        const Autocast guard(DType::bf16);
        return mean(square(linear(x, w.slot->value()) - y));
      }();
      loss.backward();
      clip_grad_norm_(*optimizer, 1);
      optimizer->step();
      last = loss.item();
      if (step == 0) first = last;
    }
    EXPECT_LT(last, first) << name;
    EXPECT_EQ(w.slot->dtype(), DType::f32);
  }
}

TEST(Optimizer, AStepMayComputeItsLoss) {
  const NamedSlot p = slot("p", tensor<float>({1, 2}));
  SGD optimizer({p}, {.lr = 0.5});
  const NoGrad outside;
  EXPECT_EQ(optimizer.step([&] {
    Tensor loss = sum(square(p.slot->value()));
    loss.backward();
    return loss;
  }),
            5);
  EXPECT_EQ(p.slot->stored().to_vector<float>(), (std::vector<float>{0, 0}));
}

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

// All together as each by itself: pieces of the work begin and end inside of parameters.
TEST(Optimizer, ManyParametersAreOneJob) {
  for (const auto& [name, maker] : configurations()) {
    if (name.starts_with("muon")) continue;  // matrices only
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
    now.reserve(slots.size());
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
  EXPECT_THROW(Rprop({a}, {.etas = {1.5, 1.2}}), ConfigError);
  EXPECT_THROW(Adafactor({a}, {.d = 0.5}), ConfigError);
  EXPECT_THROW(Muon({a}), ConfigError);  // no matrix
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

TEST(Optimizer, DecayIsForPlainWeights) {
  Slots slots;
  for (const char* name : {"wte.weight", "h.0.ln_1.weight", "h.0.attn.c_attn.weight",
                           "h.0.attn.c_attn.bias", "LayerNorm.weight", "token_embedding.weight",
                           "bn2.weight", "balance.weight", "ln_f.weight", "lnx.weight"}) {
    slots.push_back(slot(name, zeros({2, 2})));
  }
  slots.push_back(slot("scale", zeros({2})));
  const auto groups = decay_groups(slots, AdamWOptions{.lr = 0.5, .weight_decay = 0.1});
  ASSERT_EQ(groups.size(), 2U);
  std::vector<std::string> decaying;
  decaying.reserve(3);
  for (const NamedSlot& s : groups[0].slots) decaying.push_back(s.name);
  EXPECT_EQ(decaying,
            (std::vector<std::string>{"h.0.attn.c_attn.weight", "balance.weight", "lnx.weight"}));
  EXPECT_EQ(groups[0].options.weight_decay, 0.1);
  EXPECT_EQ(groups[1].options.weight_decay, 0);
  EXPECT_EQ(groups[1].options.lr, 0.5);
  EXPECT_EQ(groups[1].slots.size(), 8U);
  const auto all = decay_groups(slots, SgdOptions{}, [](const NamedSlot&) { return true; });
  EXPECT_EQ(all.size(), 1U);
}

TEST(Optimizer, Momentum) {
  const NamedSlot a = slot("a", ones({2}));
  SGD sgd({a}, {.momentum = 0.9});
  sgd.set_momentum(0.5);
  EXPECT_EQ(sgd.options().momentum, 0.5);
  AdamW adamw({a});
  adamw.set_momentum(0.7);
  EXPECT_EQ(adamw.options().betas[0], 0.7);
  EXPECT_THROW(adamw.set_momentum(1), ConfigError);
  Adagrad adagrad({a});
  EXPECT_THROW(adagrad.set_momentum(0.5), ConfigError);
}

}  // namespace
}  // namespace adjoint::optim
