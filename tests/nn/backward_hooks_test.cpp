// Hooks of modules in backward, and module paths in what backward reports.
#include <adjoint/core/anomaly.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/sequential.h>

#include "tests/core/numeric.h"

namespace adjoint::nn {
namespace {

using numeric::message_of;

struct Base : Module<Base> {
  Tensor forward(const Tensor& x) const { return x; }
};

TEST(BackwardHooks, SeeAndReplaceGradientsInOrder) {
  Linear m(2, 2, {.bias = false});
  m.weight.set_data(eye(2) * 3.0);
  std::string order;
  m.register_full_backward_pre_hook([&](const ModuleBase& module, std::vector<Tensor>& dy) {
    EXPECT_EQ(&module, &m);
    EXPECT_EQ(numeric::values(dy[0]), (std::vector<double>{1, 1}));
    order += 'a';
    dy[0] = dy[0] * 2.0;
  });
  m.register_full_backward_hook(
      [&](const ModuleBase&, std::vector<Tensor>& dx, const std::vector<Tensor>& dy) {
        EXPECT_EQ(numeric::values(dy[0]), (std::vector<double>{2, 2}));
        EXPECT_EQ(numeric::values(dx[0]), (std::vector<double>{6, 6}));
        order += 'b';
        dx[0] = dx[0] * 10.0;
      });
  m.register_full_backward_hook([&](const ModuleBase&, auto& dx, const auto&) {
    EXPECT_EQ(numeric::values(dx[0]), (std::vector<double>{60, 60}));
    order += 'c';
  });
  const Tensor x = ones({1, 2}).requires_grad_();
  m(x).sum().backward();
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(numeric::values(x.grad()), (std::vector<double>{60, 60}));
  // The parameters' gradients are those of the replaced ones of the outputs.
  EXPECT_EQ(numeric::values(m.weight.grad()), (std::vector<double>{2, 2, 2, 2}));
}

struct TwoInTwoOut : Module<TwoInTwoOut> {
  std::pair<Tensor, Tensor> forward(const Tensor& a, double by, const Tensor& b) const {
    return {a * b * by, b + 1.0};
  }
};

TEST(BackwardHooks, SeeSeveralTensors) {
  TwoInTwoOut m;
  int calls = 0;
  m.register_full_backward_hook([&](const ModuleBase&, auto& dx, const auto& dy) {
    ++calls;
    ASSERT_EQ(dx.size(), 2u);
    ASSERT_EQ(dy.size(), 2u);
    EXPECT_EQ(dx[0].item(), 15);
    EXPECT_FALSE(dx[1].defined());  // b needs none
    EXPECT_EQ(dy[0].item(), 1);
    EXPECT_FALSE(dy[1].defined());
  });
  const Tensor a = full({1}, 2.0).requires_grad_(), b = full({1}, 3.0);
  m(a, 5.0, b).first.backward();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(a.grad().item(), 15);
  const NoGrad off;
  (void)m(a, 5.0, b);
}

// Where only parameters have gradients the inputs' are undefined, and stay so.
TEST(BackwardHooks, InputsWithoutGradient) {
  Linear m(2, 2);
  bool seen = false, replace = false;
  m.register_full_backward_hook([&](const ModuleBase&, auto& dx, const auto& dy) {
    seen = true;
    EXPECT_EQ(dx.size(), 1u);
    EXPECT_FALSE(dx[0].defined());
    EXPECT_TRUE(dy[0].defined());
    if (replace) dx[0] = dy[0];
  });
  m(ones({1, 2})).sum().backward();
  EXPECT_TRUE(seen);
  replace = true;
  EXPECT_NE(message_of<AutogradError>([&] {
              m(ones({1, 2})).sum().backward();
            }).find("no input"),
            std::string::npos);
}

TEST(BackwardHooks, AreRemovedAndMayRemoveThemselves) {
  Base m;
  const Tensor x = ones({2}).requires_grad_();
  int first = 0, second = 0;
  HookHandle once, other;
  once = m.register_full_backward_hook([&](const ModuleBase&, auto&, const auto&) {
    ++first;
    once.remove();
  });
  other = m.register_full_backward_pre_hook([&](const ModuleBase&, auto&) { ++second; });
  m(x).sum().backward();
  const Tensor y = m(x).sum();
  other.remove();
  y.backward();  // removed since the forward
  m.register_full_backward_hook([&](const ModuleBase&, auto&, const auto&) { ++first; });
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);
}

TEST(BackwardHooks, FollowTheModuleAndDieWithIt) {
  const Tensor x = ones({2}).requires_grad_();
  int calls = 0;
  const ModuleBase* seen = nullptr;
  Tensor late;
  {
    Base a;
    a.register_full_backward_hook([&](const ModuleBase& module, auto&, const auto&) {
      ++calls;
      seen = &module;
    });
    const Tensor y = a(x).sum();
    Base b = std::move(a);
    y.backward();
    EXPECT_EQ(seen, &b);
    const Base c = b;
    c(x).sum().backward();
    EXPECT_EQ(calls, 1);
    late = b(x).sum();
  }
  late.backward();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(numeric::values(x.grad()), (std::vector<double>{3, 3}));
}

TEST(BackwardHooks, WorkUnderCreateGraph) {
  struct Cube : Module<Cube> {
    Tensor forward(const Tensor& x) const { return x * x * x; }
  };
  Cube m;
  m.register_full_backward_hook(
      [&](const ModuleBase&, auto& dx, const auto&) { dx[0] = dx[0] * 2.0; });
  const Tensor x = full({1}, 3.0).requires_grad_();
  const Tensor dx = grad({m(x)}, {x}, {.create_graph = true})[0];
  EXPECT_EQ(dx.item(), 54);
  EXPECT_EQ(grad({dx}, {x})[0].item(), 36);
}

TEST(BackwardHooks, WritesIntoInputsAndOutputsThrow) {
  Base m;
  m.register_full_backward_hook([](const ModuleBase&, auto&, const auto&) {});
  const Tensor y = m(ones({2}).requires_grad_());
  EXPECT_NE(message_of<AutogradError>([&] { add_(y, 1.0); }).find("view"), std::string::npos);
}

TEST(BackwardHooks, ThatChangeTheNumberOfGradientsAreErrors) {
  Base m;
  const Tensor x = ones({2}).requires_grad_();
  HookHandle pre = m.register_full_backward_pre_hook(
      [](const ModuleBase&, std::vector<Tensor>& dy) { dy.clear(); });
  EXPECT_NE(message_of<Error>([&] { m(x).sum().backward(); }).find("left 0 gradients"),
            std::string::npos);
  pre.remove();
  m.register_full_backward_hook(
      [](const ModuleBase&, std::vector<Tensor>& dx, const auto&) { dx.resize(2); });
  EXPECT_NE(message_of<Error>([&] { m(x).sum().backward(); }).find("left 2 gradients"),
            std::string::npos);
}

// --- anomaly detection ---

struct Log : Module<Log> {
  Tensor forward(const Tensor& x) const { return log(x); }
};
struct Encoder : Module<Encoder> {
  std::vector<Sequential> blocks;
  Encoder() {
    blocks.emplace_back(Linear(2, 2), Base());
    blocks.emplace_back(Base(), Log());
  }
  Tensor forward(const Tensor& x) const {
    return blocks[1](blocks[0](x) * 0.0) * tensor<float>({0, 0});
  }
  void members(Visitor& v) override { v("blocks", blocks); }
};

TEST(AnomalyPaths, NameTheModuleOfTheForward) {
  const Encoder m;
  const DetectAnomaly guard;
  const std::string message = message_of<AutogradError>([&] { sum(m(ones({1, 2}))).backward(); });
  EXPECT_EQ(message.find("log: its backward gave NaN for input 0"), 0u) << message;
  EXPECT_NE(message.find("its forward ran in blocks.1.1;"), std::string::npos) << message;
}

TEST(AnomalyPaths, ForwardErrorsHaveThemOnce) {
  const Encoder m;
  const DetectAnomaly guard({.check_forward = true});
  const std::string message = message_of<AutogradError>([&] { (void)m(ones({1, 2})); });
  EXPECT_EQ(message.find("mul: its result has NaN"), 0u) << message;
  EXPECT_NE(message.find("(in module Encoder)"), std::string::npos) << message;
  EXPECT_EQ(message.find("ran in"), std::string::npos) << message;
}

}  // namespace
}  // namespace adjoint::nn
