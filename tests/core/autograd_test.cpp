// The graph and its engine: accumulation, repeated and second backward, hooks, versions, threads,
// long chains.
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

namespace adjoint {
namespace {

Tensor leaf(std::initializer_list<double> values) {
  Tensor x = tensor(values);
  x.requires_grad_();
  return x;
}

// The message of the exception that f throws; fails when it throws none.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing of the expected type was thrown";
  return "";
}

TEST(Autograd, ProductRule) {
  const Tensor x = leaf({2, 3}), y = leaf({5, 7});
  sum(x * y + x).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{6, 8}));
  EXPECT_EQ(y.grad().to_vector<double>(), (std::vector<double>{2, 3}));
}

TEST(Autograd, GradientsAccumulateAcrossBackwards) {
  const Tensor x = leaf({1, 2});
  for (int i = 0; i < 3; ++i) sum(x * x).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{6, 12}));
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, AnInputUsedManyTimes) {
  const Tensor x = leaf({3});
  Tensor y = x;
  for (int i = 0; i < 10; ++i) y = y + x;
  y.backward();
  EXPECT_EQ(x.grad().item(), 11);
}

TEST(Autograd, BroadcastGradientsAreSummed) {
  const Tensor row = leaf({1, 2, 3});
  const Tensor column = reshape(leaf({10, 20}), {2, 1}).detach();
  column.requires_grad_();
  sum(row * column).backward();
  EXPECT_EQ(row.grad().to_vector<double>(), (std::vector<double>{30, 30, 30}));
  EXPECT_EQ(column.grad().shape(), (Shape{2, 1}));
  EXPECT_EQ(column.grad().to_vector<double>(), (std::vector<double>{6, 6}));
}

TEST(Autograd, GradientsHaveTheDtypeOfTheirTensor) {
  const Tensor a = tensor<float>({1, 2}).requires_grad_();
  const Tensor b = leaf({3, 4});
  const Tensor y = a * b;
  EXPECT_EQ(y.dtype(), DType::f64);
  sum(y).backward();
  EXPECT_EQ(a.grad().dtype(), DType::f32);
  EXPECT_EQ(b.grad().dtype(), DType::f64);
  EXPECT_EQ(a.grad().to_vector<float>(), (std::vector<float>{3, 4}));
}

TEST(Autograd, LeavesDoNotShareAGradient) {
  // add passes the same gradient to both: writing to one must not change the other.
  const Tensor a = leaf({1}), b = leaf({1});
  (a + b).backward();
  mul_(a.grad(), 5);
  EXPECT_EQ(a.grad().item(), 5);
  EXPECT_EQ(b.grad().item(), 1);
}

TEST(Autograd, SecondBackwardNamesTheOperatorAndRetainGraph) {
  const Tensor x = leaf({1, 2});
  const Tensor y = sum(exp(x));
  y.backward();
  const std::string message = message_of<AutogradError>([&] { y.backward(); });
  EXPECT_NE(message.find("exp"), std::string::npos) << message;
  EXPECT_NE(message.find("retain_graph"), std::string::npos) << message;
}

TEST(Autograd, RetainGraph) {
  const Tensor x = leaf({1, 2});
  const Tensor y = sum(exp(x));
  y.backward({.retain_graph = true});
  y.backward();
  EXPECT_DOUBLE_EQ(x.grad().to_vector<double>()[1], 2 * std::exp(2.0));
}

TEST(Autograd, SecondAndThirdDerivatives) {
  const Tensor x = leaf({0.3, -1.2});
  const Tensor y = sum(sin(x) * x);
  const Tensor d1 = grad({y}, {x}, {.create_graph = true})[0];
  const Tensor d2 = grad({sum(d1)}, {x}, {.create_graph = true})[0];
  const Tensor d3 = grad({sum(d2)}, {x})[0];
  for (size_t i = 0; i < 2; ++i) {
    const double v = x.to_vector<double>()[i];
    EXPECT_NEAR(d1.to_vector<double>()[i], std::cos(v) * v + std::sin(v), 1e-14);
    EXPECT_NEAR(d2.to_vector<double>()[i], 2 * std::cos(v) - v * std::sin(v), 1e-14);
    EXPECT_NEAR(d3.to_vector<double>()[i], -3 * std::sin(v) - v * std::cos(v), 1e-14);
  }
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, CreateGraphThroughBackward) {
  const Tensor x = leaf({2});
  (x * x * x).backward({.create_graph = true});
  const Tensor first = x.grad();
  EXPECT_DOUBLE_EQ(first.item(), 12);
  x.zero_grad();
  first.backward();
  EXPECT_DOUBLE_EQ(x.grad().item(), 12);
  x.zero_grad();  // the gradient holds the graph, which holds the leaf: breaks that circle
}

TEST(Autograd, GradOfUnusedInput) {
  const Tensor x = leaf({1}), unused = leaf({1});
  const Tensor y = x * 2;
  EXPECT_NE(message_of<AutogradError>([&] {
              grad({y}, {x, unused});
            }).find("allow_unused"),
            std::string::npos);
  const auto grads = grad({x * 2}, {x, unused}, {.allow_unused = true});
  EXPECT_EQ(grads[0].item(), 2);
  EXPECT_FALSE(grads[1].defined());
}

TEST(Autograd, GradWithRespectToAnIntermediate) {
  const Tensor x = leaf({3});
  const Tensor y = x * x;
  const Tensor z = y * y;
  EXPECT_EQ(grad({z}, {y}, {.retain_graph = true})[0].item(), 18);
  EXPECT_EQ(grad({z}, {x, y})[0].item(), 108);
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, ErrorsOfBackward) {
  const Tensor x = leaf({1, 2});
  EXPECT_NE(message_of<AutogradError>([&] { (x * 2).backward(); }).find("(2,)"), std::string::npos);
  EXPECT_THROW(tensor<double>({1}).backward(), AutogradError);
  EXPECT_THROW((x * 2).backward({.gradient = ones({3}, DType::f64)}), ShapeError);
  EXPECT_THROW(tensor<int64_t>({1}).requires_grad_(), AutogradError);
  EXPECT_THROW((x * 2).requires_grad_(), AutogradError);
}

TEST(Autograd, NoGradAndEnableGrad) {
  const Tensor x = leaf({1});
  {
    const NoGrad off;
    EXPECT_FALSE((x * 2).requires_grad());
    const EnableGrad on;
    EXPECT_TRUE((x * 2).requires_grad());
  }
  EXPECT_TRUE(grad_enabled());
  EXPECT_FALSE(x.detach().requires_grad());
  const std::thread other([] { EXPECT_TRUE(grad_enabled()); });
  const_cast<std::thread&>(other).join();
}

TEST(Autograd, HooksSeeAndReplaceTheWholeGradient) {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 3;
  std::vector<std::string> order;
  HookHandle first = y.register_hook([&](const Tensor& g) {
    order.push_back("first");
    EXPECT_EQ(g.to_vector<double>(), (std::vector<double>{2, 2}));
    return g * 10;
  });
  y.register_hook([&](const Tensor& g) {
    order.push_back("second");
    EXPECT_EQ(g.to_vector<double>(), (std::vector<double>{20, 20}));
    return Tensor();
  });
  int leaf_calls = 0;
  x.register_hook([&](const Tensor&) {
    ++leaf_calls;
    return Tensor();
  });
  sum(y + y).backward({.retain_graph = true});
  EXPECT_EQ(order, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(leaf_calls, 1);
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{60, 60}));
  first.remove();
  first.remove();
  order.clear();
}

TEST(Autograd, RetainGrad) {
  const Tensor x = leaf({2});
  const Tensor y = x * x;
  y.retain_grad();
  (y * 5).backward();
  EXPECT_EQ(y.grad().item(), 5);
  EXPECT_EQ(x.grad().item(), 20);
}

TEST(Autograd, RetainedGradsAccumulateAndFollowTheTensor) {
  const Tensor x = leaf({2});
  const Tensor y = x * x;
  y.retain_grad();
  (y * 5).backward({.retain_graph = true});
  (y * 5).backward({.retain_graph = true});
  EXPECT_EQ(y.grad().item(), 10);
  grad({y * 7}, {x}, {.retain_graph = true});  // touches no grad attribute
  EXPECT_EQ(y.grad().item(), 10);
  mul_(y, 3);
  (y * 2).backward();
  EXPECT_EQ(y.grad().item(), 2);
}

TEST(Autograd, HooksMayReturnAnotherDtype) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const DType other = dtype == DType::f32 ? DType::f64 : DType::f32;
    const Tensor x = ones({5}, dtype).requires_grad_();
    const Tensor y = exp(x);
    y.register_hook([other](const Tensor& g) { return g.to(other); });
    sum(y).backward();
    EXPECT_EQ(x.grad().dtype(), dtype);
    for (const double g : x.grad().to(DType::f64).to_vector<double>()) {
      EXPECT_NEAR(g, std::exp(1.0), 1e-6);
    }
  }
}

TEST(Autograd, HandlesOfHooksKeepNoGraphAlive) {
  const int64_t before = live_nodes();
  HookHandle handle;
  {
    const Tensor y = exp(leaf({1}));
    handle = y.register_hook([](const Tensor&) { return Tensor(); });
  }
  EXPECT_EQ(live_nodes(), before);
  handle.remove();
}

TEST(Autograd, ALeafThatNoLongerRequiresGradGetsNone) {
  const Tensor x = leaf({1}), y = leaf({2});
  const Tensor z = x * y;
  x.requires_grad_(false);
  z.backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(y.grad().item(), 1);
}

TEST(Autograd, ChangedSavedTensorIsFound) {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 1.0;
  const Tensor z = sum(sin(y));
  {
    const NoGrad guard;
    add_(y, 1);
  }
  const std::string message = message_of<AutogradError>([&] { z.backward(); });
  for (const char* part : {"sin", "(2,)", "version", "add_"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
  }
}

TEST(Autograd, ChangedSavedOutputIsFound) {
  const Tensor x = leaf({1, 2});
  const Tensor y = exp(x);
  const Tensor z = sum(y);
  {
    const NoGrad guard;
    mul_(y, 2);
  }
  EXPECT_THROW(z.backward(), AutogradError);
}

TEST(Autograd, ChangeThroughAViewIsFound) {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 1.0;
  const Tensor z = sum(y * y);
  {
    const NoGrad guard;
    zero_(select(y, 0, 0));
  }
  EXPECT_THROW(z.backward(), AutogradError);
}

TEST(Autograd, InPlaceIsRecorded) {
  const Tensor x = leaf({2, 3});
  const Tensor y = x * 1.0;
  mul_(y, x);  // y = x^2
  sum(y).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{4, 6}));
}

// A write that the graph could not follow is an error, however the view was made.
TEST(Autograd, WritesThroughViewsThatTheGraphDoesNotSeeThrow) {
  const Tensor w = leaf({1, 2, 3});
  const Tensor base = zeros({2, 3}, DType::f64);
  {
    const Tensor row = select(base, 0, 0);
    EXPECT_NE(message_of<AutogradError>([&] { copy_(row, w); }).find("view"), std::string::npos);
    EXPECT_NE(message_of<AutogradError>([&] { add_(base, w); }).find("views are alive"),
              std::string::npos);
  }
  add_(base, w);  // no view is left
  sum(base).backward();
  EXPECT_EQ(w.grad().to_vector<double>(), (std::vector<double>{2, 2, 2}));

  const Tensor h = w * 2.0;
  Tensor hidden;
  {
    const NoGrad guard;
    hidden = select(h.view({3, 1}), 1, 0);
  }
  EXPECT_NE(message_of<AutogradError>([&] { mul_(hidden, 5.0); }).find("under NoGrad"),
            std::string::npos);
  {
    const NoGrad guard;
    mul_(hidden, 5.0);  // what NoGrad is for
  }
  mul_(select(h.detach(), 0, 1), 3.0);  // detached: the elements only
  EXPECT_EQ(h.to_vector<double>(), (std::vector<double>{10, 60, 30}));
}

// add_ gives a a history that leads to the node that saved a.
TEST(Autograd, WritesIntoWhatWasSavedMakeNoCycle) {
  const int64_t before = live_nodes();
  for (int i = 0; i < 3; ++i) {
    const Tensor w = leaf({1, 2}), constant = tensor<double>({3, 4});
    const Tensor a = w * 2.0;
    const Tensor b = a * a;
    add_(a, b);
    add_(constant, w * constant);
    EXPECT_THROW(sum(a).backward(), AutogradError);  // a has changed since it was saved
    EXPECT_THROW(sum(constant).backward(), AutogradError);
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Autograd, InPlaceOnALeafThrows) {
  const Tensor x = leaf({1});
  EXPECT_NE(message_of<AutogradError>([&] { add_(x, 1); }).find("add"), std::string::npos);
  const NoGrad guard;
  add_(x, 1);
  EXPECT_EQ(x.item(), 2);
}

TEST(Autograd, FailedBackwardLeavesGradientsAlone) {
  const Tensor x = leaf({1, 2});
  x.set_grad(tensor<double>({7, 7}));
  const Tensor y = x * 2;
  y.register_hook([](const Tensor&) -> Tensor { throw Error("the hook's own"); });
  EXPECT_THROW(sum(y + x).backward(), Error);
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{7, 7}));
  sum(x).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{8, 8}));
}

TEST(Autograd, BackwardInsideAHook) {
  const Tensor x = leaf({3}), z = leaf({4});
  const Tensor y = x * 2;
  y.register_hook([&](const Tensor&) {
    const EnableGrad on;  // off in a backward that does not create a graph
    (z * z).backward();   // a run inside a run
    return Tensor();
  });
  y.backward();
  EXPECT_EQ(x.grad().item(), 2);
  EXPECT_EQ(z.grad().item(), 8);
}

// A thread that has recorded little continues what one has recorded that did much, and back: see
// Note [Sequence].
TEST(Autograd, GraphsMayCrossThreads) {
  const Tensor x = tensor<double>({0.5, -2.0}).requires_grad_();
  Tensor a = x;
  for (int i = 0; i < 1000; ++i) a = a + 1.0;
  Tensor b, c, dx;
  std::thread([&] { b = a * x; }).join();
  std::thread([&] { c = a * b; }).join();
  const Tensor y = (b * c).sum() + a.sum();
  std::thread([&] {
    y.backward();
    dx = x.grad();
  }).join();
  // y = a (a x)^2 + a with a = x + 1000.
  const std::vector<double> at = x.to_vector<double>(), found = dx.to_vector<double>();
  for (size_t i = 0; i < at.size(); ++i) {
    const double v = at[i], s = v + 1000;
    const double expected = 3 * s * s * v * v + s * s * s * 2 * v + 1;
    EXPECT_NEAR(found[i], expected, 1e-12 * std::abs(expected));
  }
}

TEST(Autograd, ThreadsShareParameters) {
  const Tensor w = leaf({1, 1, 1, 1});
  constexpr int kThreads = 4, kRuns = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&w] {
      for (int i = 0; i < kRuns; ++i) sum(w * 2 + w).backward();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(w.grad().to_vector<double>(), std::vector<double>(4, 3.0 * kThreads * kRuns));
}

TEST(Autograd, ThreadsShareAGraph) {
  const Tensor w = leaf({1, 2});
  const Tensor shared = w * 3;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&shared] {
      for (int i = 0; i < 100; ++i) sum(shared * 1.0).backward({.retain_graph = true});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(w.grad().to_vector<double>(), std::vector<double>(2, 3.0 * 400));
}

TEST(Autograd, ThreadsShareARetainedGradient) {
  const Tensor w = leaf({1, 2});
  const Tensor shared = tanh(w);
  shared.retain_grad();
  constexpr int kThreads = 8, kRuns = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&shared] {
      for (int i = 0; i < kRuns; ++i) sum(shared * 2.0).backward({.retain_graph = true});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared.grad().to_vector<double>(), std::vector<double>(2, 2.0 * kThreads * kRuns));
}

// Who comes second finds what was saved freed, and is told so.
TEST(Autograd, ThreadsThatFreeASharedGraph) {
  for (int round = 0; round < 50; ++round) {
    const Tensor w = leaf({1, 2});
    const Tensor shared = tanh(w);
    std::atomic<int> first{0}, told{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        try {
          sum(shared * 2.0).backward();
          ++first;
        } catch (const AutogradError& error) {
          told += std::string(error.what()).find("a second time") != std::string::npos;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(first, 1);
    ASSERT_EQ(told, 2);
  }
}

TEST(Autograd, AMillionOperations) {
  const int64_t before = live_nodes();
  {
    const Tensor x = leaf({1});
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = y + 1.0;
    y.backward();
    EXPECT_EQ(x.grad().item(), 1);
    EXPECT_EQ(y.item(), 1'000'001);
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Autograd, AMillionOperationsDestroyedWithoutBackward) {
  const int64_t before = live_nodes();
  {
    const Tensor x = leaf({1});
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = y * x;
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Autograd, NothingIsLeftAlive) {
  const int64_t before = live_nodes();
  {
    const Tensor x = leaf({1, 2});
    const Tensor y = exp(x);
    const Tensor d = grad({sum(tanh(y) / x)}, {x}, {.create_graph = true})[0];
    sum(d * d).backward();
  }
  EXPECT_EQ(live_nodes(), before);
}

}  // namespace
}  // namespace adjoint
