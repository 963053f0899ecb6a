#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/pointwise.h>
#include <gtest/gtest.h>

namespace adjoint {
namespace {

Tensor reals(std::initializer_list<double> values) { return tensor<double>(values); }

void expect_values(const Tensor& x, std::vector<double> expected) {
  ASSERT_TRUE(x.defined());
  const std::vector<double> values = x.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-12) << i;
}

TensorFunction product() {
  return [](const std::vector<Tensor>& x) -> std::vector<Tensor> { return {x[0] * x[1]}; };
}

TEST(Vjp, IsTheProductOfGradientsAndDerivatives) {
  const auto [y, dx] = vjp(product(), {reals({1, 2}), reals({3, 5})}, {reals({1, -1})});
  expect_values(y[0], {3, 10});
  expect_values(dx[0], {3, -5});
  expect_values(dx[1], {1, -2});
  EXPECT_FALSE(y[0].requires_grad());
  EXPECT_FALSE(dx[0].requires_grad());
}

// An input given twice, and an input that depends on another: each counts by itself.
TEST(Vjp, InputsCountSeparately) {
  const Tensor a = reals({2, 3}).requires_grad_();
  const auto [y, same] = vjp(product(), {a, a}, {reals({1, 1})});
  expect_values(same[0], {2, 3});
  const Tensor b = a * a;
  const auto [z, dependent] = vjp(product(), {a, b}, {reals({1, 1})});
  expect_values(dependent[0], {4, 9});
  expect_values(dependent[1], {2, 3});
  EXPECT_FALSE(a.grad().defined());
}

// d/da, d/db and d/dv of (a b^2) v, differentiated once more: all three have a history.
TEST(Vjp, IsDifferentiableInInputsAndGradients) {
  const Tensor a = reals({2}).requires_grad_(), b = reals({3}).requires_grad_();
  const Tensor v = reals({5}).requires_grad_();
  const TensorFunction fn = [](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    return {x[0] * square(x[1])};
  };
  const auto [y, dx] = vjp(fn, {a, b}, {v});
  expect_values(dx[0], {45});
  expect_values(dx[1], {60});
  const std::vector<Tensor> second =
      grad({dx[1]}, {a, b, v}, {.grad_outputs = {reals({1})}, .retain_graph = true});
  expect_values(second[0], {30});  // 2 b v
  expect_values(second[1], {20});  // 2 a v
  expect_values(second[2], {12});  // 2 a b
  expect_values(grad({y[0]}, {b}, {.grad_outputs = {reals({1})}})[0], {12});
}

TEST(Vjp, RecordsNothingWithoutGradMode) {
  const Tensor a = reals({2}).requires_grad_();
  const NoGrad guard;
  const int64_t nodes = live_nodes();
  const auto [y, dx] = vjp(product(), {a, a}, {reals({1})});
  EXPECT_FALSE(y[0].requires_grad());
  EXPECT_FALSE(dx[0].requires_grad());
  EXPECT_EQ(live_nodes(), nodes);
}

TEST(Vjp, PassesOnWhatHasNoGradient) {
  const TensorFunction fn = [](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    EXPECT_FALSE(x[2].defined());
    return {where(x[1], x[0], 0.0), x[0].detach()};
  };
  const Tensor chosen = tensor<bool>({true, false});
  const auto [y, dx] =
      vjp(fn, {reals({1, 2}), chosen, Tensor(), reals({7})}, {reals({1, 1}), reals({1, 1})});
  EXPECT_EQ(y.size(), 2u);
  expect_values(dx[0], {1, 0});
  EXPECT_FALSE(dx[1].defined());
  EXPECT_FALSE(dx[2].defined());
  expect_values(dx[3], {0});  // no influence
}

TEST(Vjp, ChecksItsArguments) {
  const std::vector<Tensor> one = {reals({1}), reals({1})}, two = {reals({1, 2}), reals({1, 2})};
  EXPECT_THROW(vjp(product(), one, one), AutogradError);
  const std::vector<Tensor> too_long = {reals({1, 2})};
  EXPECT_THROW(vjp(product(), one, too_long), ShapeError);
  EXPECT_THROW(vjp(product(), two), AutogradError);
  expect_values(vjp(product(), {reals({2}), reals({3})}).second[0], {3});
}

}  // namespace
}  // namespace adjoint
