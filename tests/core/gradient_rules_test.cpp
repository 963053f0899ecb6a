// Where gradients are added, what hooks see, and in which order: the rules of PyTorch.
#include <adjoint/core/inplace.h>
#include <adjoint/core/reductions.h>

#include "tests/core/leaf.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::leaf;
using numeric::message_of;
using numeric::values;

TEST(BackwardInputs, OnlyTheyAreAddedTo) {
  const Tensor a = leaf({2}), b = leaf({3}), c = leaf({4});
  const Tensor y = a * b * c;
  y.backward({.retain_graph = true, .inputs = {a, c}});
  EXPECT_EQ(a.grad().item(), 12);
  EXPECT_FALSE(b.grad().defined());
  EXPECT_EQ(c.grad().item(), 6);
  backward({y, a * a}, {}, {.inputs = {a, a}});  // twice is once
  EXPECT_EQ(a.grad().item(), 28);
  EXPECT_EQ(c.grad().item(), 6);
}

TEST(BackwardInputs, MayBeResultsOrUnused) {
  const Tensor x = leaf({3}), unused = leaf({1});
  const Tensor h = x * x;
  const Tensor y = h * h;
  y.backward({.inputs = {h, unused}});
  EXPECT_EQ(h.grad().item(), 18);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(unused.grad().defined());
}

TEST(BackwardInputs, Errors) {
  const Tensor x = leaf({3}), constant = tensor<double>({1});
  EXPECT_NE(message_of<AutogradError>([&] {
              (x * x).backward({.inputs = {x, constant}});
            }).find("input 1"),
            std::string::npos);
  EXPECT_THROW(backward({x * x}, {}, {.gradient = ones({1}, DType::f64)}), AutogradError);
  EXPECT_THROW(backward({x * x, x}, {ones({1}, DType::f64)}), AutogradError);
  EXPECT_THROW(backward({}), AutogradError);
}

TEST(Backward, SeveralOutputsAddUp) {
  const Tensor x = leaf({2, 3});
  const Tensor y = x * x;
  backward({sum(y), y, x}, {{}, tensor<double>({10, 100}), ones({2}, DType::f64)});
  // 2 x (1 + dy) + 1
  EXPECT_EQ(values(x.grad()), (std::vector<double>{45, 607}));
}

TEST(Grad, InputsTwiceAndZerosForUnused) {
  const Tensor x = leaf({3}), unused = leaf({1, 2});
  const std::vector<Tensor> dx = grad({x * x}, {x, unused, x}, {.materialize_grads = true});
  EXPECT_EQ(dx[0].item(), 6);
  EXPECT_EQ(dx[2].item(), 6);
  EXPECT_EQ(values(dx[1]), (std::vector<double>{0, 0}));
}

// Those of the tensor in their order, then what is retained, then those after accumulation.
TEST(Hooks, RunInOrder) {
  const Tensor x = leaf({2});
  const Tensor y = x * 3.0;
  std::string order;
  y.retain_grad();
  y.register_hook([&](const Tensor& g) {
    order += 'a';
    return g * 2.0;
  });
  y.register_hook([&](const Tensor& g) {
    order += 'b';
    return g + 1.0;
  });
  x.register_post_accumulate_grad_hook([&](const Tensor&) { order += 'd'; });
  x.register_hook([&](const Tensor&) {
    order += 'c';
    EXPECT_FALSE(x.grad().defined());
    return Tensor();
  });
  (y * 5.0).backward();
  EXPECT_EQ(order, "abcd");
  EXPECT_EQ(y.grad().item(), 11);  // after the hooks
  EXPECT_EQ(x.grad().item(), 33);
}

TEST(Hooks, MayRemoveThemselvesAndOthers) {
  const Tensor x = leaf({2});
  int first = 0, second = 0, after = 0;
  HookHandle once, other, once_after;
  once = x.register_hook([&](const Tensor&) {
    ++first;
    once.remove();
    other.remove();
    return Tensor();
  });
  other = x.register_hook([&](const Tensor&) {
    ++second;
    return Tensor();
  });
  once_after = x.register_post_accumulate_grad_hook([&](const Tensor&) {
    ++after;
    once_after.remove();
  });
  for (int i = 0; i < 3; ++i) (x * 2.0).backward();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);  // removed while it was about to run, as in PyTorch
  EXPECT_EQ(after, 1);
}

// An optimizer's step within backward: the hook sees the leaf itself and uses up its gradient.
TEST(PostAccumulateHooks, MayUseTheGradientUp) {
  const Tensor w = leaf({1, 2}), v = leaf({3, 4});
  std::vector<double> seen;
  for (const Tensor& x : {w, v}) {
    x.register_post_accumulate_grad_hook([&seen](const Tensor& p) {
      EXPECT_FALSE(grad_enabled());
      EXPECT_TRUE(p.is_leaf() && p.requires_grad());
      seen.push_back(p.grad().to_vector<double>()[0]);
      add_(p, p.grad() * -0.5);
      p.zero_grad();
    });
  }
  sum(w * v).backward();
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_FALSE(w.grad().defined());
  EXPECT_EQ(values(w), (std::vector<double>{-0.5, 0}));
  EXPECT_EQ(values(v), (std::vector<double>{2.5, 3}));
}

TEST(PostAccumulateHooks, RunOnceForABackwardAndNotForGrad) {
  const Tensor x = leaf({2}), y = leaf({3});
  int calls = 0;
  HookHandle handle = x.register_post_accumulate_grad_hook([&](const Tensor&) { ++calls; });
  (x * x + x * y).backward();
  EXPECT_EQ(calls, 1);
  grad({x * x}, {x});
  EXPECT_EQ(calls, 1);
  (x * y).backward({.inputs = {y}});
  EXPECT_EQ(calls, 1);
  (x * y).backward({.inputs = {x}});
  EXPECT_EQ(calls, 2);
  x.requires_grad_(false);
  (x * y).backward();
  EXPECT_EQ(calls, 2);
  x.requires_grad_();
  handle.remove();
  (x * y).backward();
  EXPECT_EQ(calls, 2);
}

TEST(PostAccumulateHooks, WantLeavesAndKeepNothingAlive) {
  const int64_t before = live_nodes();
  HookHandle handle;
  {
    const Tensor x = leaf({1});
    handle = x.register_post_accumulate_grad_hook([](const Tensor&) {});
    EXPECT_NE(message_of<AutogradError>([&] {
                (x * x).register_post_accumulate_grad_hook([](const Tensor&) {});
              }).find("no leaf"),
              std::string::npos);
    EXPECT_THROW(ones({1}).register_post_accumulate_grad_hook([](const Tensor&) {}), AutogradError);
  }
  EXPECT_EQ(live_nodes(), before);
  handle.remove();
}

}  // namespace
}  // namespace adjoint
