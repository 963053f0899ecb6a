#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

namespace adjoint {
namespace {

Tensor reals(std::initializer_list<double> values) { return tensor(values); }

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

// f(a, b) = (a b, sum a^2): J = [diag b, diag a; 2 a^T, 0].
TensorFunction two_outputs() {
  return [](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    return {x[0] * x[1], sum(square(x[0]))};
  };
}

TEST(Jvp, IsTheDerivativeAlongAVector) {
  const auto [y, dy] =
      jvp(two_outputs(), {reals({1, 2}), reals({3, 5})}, {reals({10, 1}), reals({1, 2})});
  expect_values(y[0], {3, 10});
  expect_values(dy[0], {31, 9});
  expect_values(dy[1], {24});
  EXPECT_FALSE(dy[0].requires_grad());
  // An undefined vector stands for zeros; none at all for one.
  expect_values(
      jvp(two_outputs(), {reals({1, 2}), reals({3, 5})}, {Tensor(), reals({1, 2})}).second[0],
      {1, 4});
  expect_values(jvp(product(), {reals({2}), reals({3})}).second[0], {5});
  const auto [z, dz] = jvp([](const Tensor& x) { return exp(x); }, reals({0}), reals({2}));
  expect_values(dz, {2});
}

TEST(Jvp, PassesOnWhatHasNoDerivative) {
  const TensorFunction fn = [](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    return {where(x[1], x[0], 0.0), x[0].detach(), x[1], reals({7})};
  };
  const auto [y, dy] = jvp(fn, {reals({1, 2}), tensor<bool>({true, false})}, {reals({3, 4}), {}});
  expect_values(dy[0], {3, 0});
  expect_values(dy[1], {0, 0});
  EXPECT_FALSE(dy[2].defined());
  expect_values(dy[3], {0});
}

TEST(Jvp, IsDifferentiableInInputsAndVectors) {
  const Tensor x = reals({2}).requires_grad_(), v = reals({5}).requires_grad_();
  const auto cube = [](const Tensor& in) { return in * in * in; };
  const Tensor dy = jvp(cube, x, v).second;  // 3 x^2 v
  const std::vector<Tensor> second = grad({dy}, {x, v});
  expect_values(second[0], {60});
  expect_values(second[1], {12});
}

TEST(Jacobian, HasARowForEachElement) {
  const auto j = jacobian(two_outputs(), {reals({1, 2}), reals({3, 5})});
  ASSERT_EQ(j.size(), 2u);
  EXPECT_EQ(j[0][0].shape(), (Shape{2, 2}));
  expect_values(j[0][0], {3, 0, 0, 5});
  expect_values(j[0][1], {1, 0, 0, 2});
  EXPECT_EQ(j[1][0].shape(), (Shape{2}));
  expect_values(j[1][0], {2, 4});
  expect_values(j[1][1], {0, 0});
  const Tensor x = reals({1, 2, 3, 4, 5, 6}).reshape({2, 3});
  const Tensor t = jacobian([](const Tensor& in) { return in.transpose(0, 1) * 2.0; }, x);
  EXPECT_EQ(t.shape(), (Shape{3, 2, 2, 3}));
  EXPECT_EQ(t.to_vector<double>()[1 * 6 + 3], 2);  // d y[0, 1] / d x[1, 0]
  EXPECT_EQ(sum(t).item(), 12);
  EXPECT_EQ(jacobian([](const Tensor& in) { return in * 2.0; }, zeros({0, 2}, DType::f64)).shape(),
            (Shape{0, 2, 0, 2}));
}

TEST(Jacobian, IsRecordedWhereItCanBeDifferentiated) {
  const auto square_of = [](const Tensor& in) { return in * in; };
  const Tensor x = reals({2, 3}).requires_grad_();
  const Tensor j = jacobian(square_of, x);
  expect_values(grad({sum(j * j)}, {x})[0], {16, 24});  // (2 x)^2
  const NoGrad off;
  EXPECT_FALSE(jacobian(square_of, x).requires_grad());
}

TEST(Jacobian, OfWhatFnCapturesIsRecordedIfAsked) {
  const Tensor w = reals({3}).requires_grad_(), x = reals({2});
  const auto f = [&](const Tensor& in) { return in * in * w; };
  EXPECT_FALSE(jacobian(f, x).requires_grad());
  const Tensor j = jacobian(f, x, {.create_graph = true});
  expect_values(grad({sum(j)}, {w})[0], {4});
  EXPECT_FALSE(w.grad().defined());
}

// f(a, b) = sum a^2 b: [2 diag b, 2 diag a; 2 diag a, 0].
TEST(Hessian, OfSeveralTensors) {
  const TensorFunction fn = [](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    return {sum(square(x[0]) * x[1])};
  };
  const std::vector<Tensor> in = {reals({1, 2}), reals({3, 5})};
  const auto h = hessian(fn, in);
  expect_values(h[0][0], {6, 0, 0, 10});
  expect_values(h[0][1], {2, 0, 0, 4});
  expect_values(h[1][0], {2, 0, 0, 4});
  expect_values(h[1][1], {0, 0, 0, 0});
  const std::vector<Tensor> v = {reals({1, -1}), reals({10, 20})};
  for (const bool right : {true, false}) {
    const auto [y, hv] = right ? hvp(fn, in, v) : vhp(fn, in, v);
    EXPECT_EQ(y.item(), 23);
    EXPECT_FALSE(y.requires_grad());
    expect_values(hv[0], {26, 70});
    expect_values(hv[1], {2, -4});
  }
}

TEST(Hessian, IsDifferentiableAgain) {
  const Tensor x = reals({2}).requires_grad_();
  const auto fourth = [](const Tensor& in) { return sum(square(square(in))); };
  expect_values(grad({sum(hessian(fourth, x))}, {x})[0], {48});  // 24 x
  const auto [y, hv] = hvp(fourth, x, reals({1}));
  expect_values(grad({sum(hv)}, {x}, {.retain_graph = true})[0], {48});
  expect_values(grad({y}, {x})[0], {32});
}

TEST(Functional, LeavesNothingAlive) {
  const int64_t nodes = live_nodes();
  {
    const Tensor x = reals({2}).requires_grad_();
    const auto f = [](const Tensor& in) { return sum(exp(in) * in); };
    (void)hessian(f, x);
    (void)hvp(f, x, reals({1}));
    (void)jvp(f, x, reals({1}));
  }
  EXPECT_EQ(live_nodes(), nodes);
}

TEST(Functional, ChecksItsArguments) {
  const std::vector<Tensor> two = {reals({1, 2}), reals({1, 2})};
  EXPECT_THROW(jvp(product(), two, {reals({1, 2})}), AutogradError);
  EXPECT_THROW(jvp(product(), two), AutogradError);
  EXPECT_THROW(jvp(product(), two, {reals({1, 2}), reals({1})}), ShapeError);
  EXPECT_THROW(hessian(product(), two), AutogradError);
  EXPECT_THROW(hvp(two_outputs(), two, two), AutogradError);
  const Tensor wide = zeros({1, 1, 1, 1, 1}, DType::f64);
  EXPECT_THROW(jacobian([](const Tensor& in) { return in * 2.0; }, wide), ShapeError);
}

TEST(Functional, StrictWantsInfluence) {
  const std::vector<Tensor> in = {reals({1}), reals({2})};
  const TensorFunction first = [](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    return {x[0] * 2.0};
  };
  const TensorFunction none = [](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    return {x[0].detach()};
  };
  for (const TensorFunction& fn : {first, none}) {
    EXPECT_THROW(vjp(fn, in, {}, {.strict = true}), AutogradError);
    EXPECT_THROW(jacobian(fn, in, {.strict = true}), AutogradError);
    expect_values(jacobian(fn, in)[0][1], {0});
  }
  EXPECT_THROW(jvp(none, in, {}, {.strict = true}), AutogradError);
}

}  // namespace
}  // namespace adjoint
