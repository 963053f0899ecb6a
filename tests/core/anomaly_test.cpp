// Anomaly detection: the first NaN is named, and nothing else changes.
#include <adjoint/core/activations.h>
#include <adjoint/core/anomaly.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/reductions.h>

#include <limits>

#include "core/autograd/op.h"
#include "tests/core/leaf.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::leaf;
using numeric::message_of;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void expect_parts(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
  }
}

// The gradient of sqrt at 0 is infinite, and 0 times that is NaN: made by mul's backward.
TEST(Anomaly, NamesTheOperatorWhoseBackwardGivesTheFirstNan) {
  const Tensor x = leaf({1, 4, 0});
  const auto loss = [&] { return sum(exp(log(x * tensor<double>({1, 1, 0})))); };
  {
    const Tensor y = loss();
    y.backward();  // without a guard nobody looks
    EXPECT_TRUE(std::isnan(x.grad().to_vector<double>()[2]));
  }
  const DetectAnomaly guard;
  const std::string message = message_of<AutogradError>([&] { loss().backward(); });
  expect_parts(message, {"log: its backward gave NaN for input 0", "1 of 3 elements of shape (3,)",
                         "the first at (2,)"});
}

TEST(Anomaly, NamesWhereAGradientArrives) {
  const DetectAnomaly guard;
  const Tensor x = leaf({1, 2});
  expect_parts(message_of<AutogradError>([&] {
                 (x * 2.0).backward({.gradient = tensor<double>({1, kNaN})});
               }),
               {"mul: the gradient that reached it has NaN", "(1,)", "given to backward"});
  const Tensor y = x * 3.0;
  y.register_hook([](const Tensor& g) { return g * kNaN; });
  expect_parts(message_of<AutogradError>([&] { sum(exp(y)).backward(); }), {"mul: the gradient"});
  // inf - inf, where two parts of a gradient are added.
  const Tensor a = x * kInfinity, b = x * -kInfinity;
  expect_parts(message_of<AutogradError>([&] {
                 backward({sum(a), sum(b)});
               }),
               {"leaf: the gradient", "sum of infinities"});
}

TEST(Anomaly, ForwardResultsIfAsked) {
  const Tensor x = leaf({1, -1});
  {
    const DetectAnomaly guard;
    (void)log(x);
  }
  const DetectAnomaly guard({.check_forward = true});
  expect_parts(message_of<AutogradError>([&] { (void)log(x); }),
               {"log: its result has NaN: 1 of 2 elements", "(1,)"});
  expect_parts(message_of<AutogradError>([&] { (void)(tensor<double>({kNaN}) + 1.0); }),
               {"input 0 has NaN, too"});
  sum(x * x).backward();
}

TEST(Anomaly, SeesRecordedBackwards) {
  const DetectAnomaly guard;
  const Tensor x = leaf({0});
  // d/dx sqrt(x^3) = 3 x^2 / (2 sqrt(x^3)) is 0 / 0 at 0.
  expect_parts(
      message_of<AutogradError>([&] { grad({sqrt(x * x * x)}, {x}, {.create_graph = true}); }),
      {"mul", "NaN"});
}

TEST(Anomaly, ChangesNoBits) {
  const Tensor w = numeric::random({64, 64}, 1, DType::f32).requires_grad_();
  const Tensor x = numeric::random({32, 64}, 2, DType::f32);
  const auto gradient = [&] {
    w.zero_grad();
    Tensor h = x;
    for (int i = 0; i < 3; ++i) h = tanh(linear(h, w));  // dw is added to by products
    sum(h).backward();
    return w.grad();
  };
  const Tensor plain = gradient();
  const DetectAnomaly guard({.check_forward = true});
  numeric::expect_same_bits(gradient(), plain);
}

// Guards are of their thread, nest, and leave other observers where they were.
TEST(Anomaly, GuardsNest) {
  struct Counter : OpObserver {
    int ops = 0;
    void on_begin(const Op&) override { ++ops; }
    void on_output(const Op&, const Tensor&) override {}
    void on_end(const Op&) override {}
  };
  Counter counter;
  OpObserver* before = set_op_observer(&counter);
  const Tensor x = leaf({-1});
  {
    const DetectAnomaly outer;
    {
      const DetectAnomaly inner({.check_forward = true});
      EXPECT_THROW((void)log(x), AutogradError);
    }
    (void)log(x);
    EXPECT_EQ(counter.ops, 2);  // those of the guards are not seen
  }
  EXPECT_EQ(set_op_observer(before), &counter);
}

}  // namespace
}  // namespace adjoint
