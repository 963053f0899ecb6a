// Modules as functions of their parameters.
#include <adjoint/core/functional.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/functional_call.h>
#include <adjoint/nn/linear.h>

#include <cmath>

#include "tests/core/numeric.h"

namespace adjoint::nn {
namespace {

using Tensors = std::vector<Tensor>;
using numeric::expect_same_bits;
using numeric::message_of;
using numeric::random;

struct Tied : Module<Tied> {
  Linear first, second;
  Buffer scale;
  Tied() : first(3, 3, {.bias = false}), second(3, 3), scale(ones({3})) {}
  Tensor forward(const Tensor& x) const { return second(tanh(first(x))) * scale; }
  void members(Visitor& v) override {
    v("first", first);
    v("second", second);
    v("scale", scale);
    v.tie(second.weight, first.weight);
  }
};

TEST(FunctionalCall, ReplacesWhatIsNamedAndRestoresIt) {
  const Tied m;
  const Tensor x = random({2, 3}, 1, DType::f32), w = random({3, 3}, 2, DType::f32);
  const Tensor scale = random({3}, 3, DType::f32);
  const Tensor before = m(x);
  // A tie's other name will do.
  const Tensor y = functional_call(m, {{"second.weight", w}, {"scale", scale}}, x);
  expect_same_bits(y, linear(tanh(linear(x, w)), w, m.second.bias.value()) * scale);
  expect_same_bits(m(x), before);
}

TEST(FunctionalCall, GradientsGoToTheValues) {
  const Tied m;
  const Tensor x = random({2, 3}, 1, DType::f32);
  const Tensor w = random({3, 3}, 2, DType::f32).requires_grad_();
  sum(functional_call(m, {{"first.weight", w}}, x)).backward();
  EXPECT_TRUE(w.grad().defined());
  EXPECT_FALSE(m.first.weight.grad().defined());
  EXPECT_TRUE(m.second.bias.grad().defined());  // not named: its own
}

// f64 values in a model of f32: a hessian in all digits, against the formula.
TEST(FunctionalCall, HessianByParameters) {
  const Linear m(2, 1, {.bias = false});
  const std::vector<NamedSlot> slots = m.parameters();
  const Tensor x = tensor<double>({0.5, -0.25}).reshape({1, 2});
  const TensorFunction loss = [&](const Tensors& values) -> Tensors {
    return {sum(exp(functional_call(m, slots, values, x)))};
  };
  const Tensor w = tensor<double>({0.3, 0.7}).reshape({1, 2});
  const Tensor h = hessian(loss, {w})[0][0];
  EXPECT_EQ(h.shape(), (Shape{1, 2, 1, 2}));
  const double e = std::exp(0.5 * 0.3 - 0.25 * 0.7);
  numeric::expect_close(h.reshape({4}),
                        tensor<double>({0.25 * e, -0.125 * e, -0.125 * e, 0.0625 * e}), 1e-14);
}

TEST(FunctionalCall, ErrorsNameTheParameterAndChangeNothing) {
  const Tied m;
  const Tensor x = random({2, 3}, 1, DType::f32), before = m(x);
  const Tensor w = ones({3, 3});
  const auto message = [&](const std::map<std::string, Tensor>& values) {
    return message_of<Error>([&] { (void)functional_call(m, values, x); });
  };
  EXPECT_NE(message({{"first.weight", w}, {"third", w}}).find("Tied has no parameter or buffer"),
            std::string::npos);
  EXPECT_NE(message({{"first.weight", ones({2, 3})}}).find("(2, 3) for 'first.weight'"),
            std::string::npos);
  EXPECT_NE(message({{"scale", Tensor()}}).find("'scale' is undefined"), std::string::npos);
  EXPECT_NE(message({{"first.weight", w}, {"second.weight", ones({3, 3})}}).find("tied"),
            std::string::npos);
  (void)functional_call(m, {{"first.weight", w}, {"second.weight", w}}, x);
  EXPECT_THROW((void)functional_call(m, m.parameters(), Tensors{w}, x), Error);
  EXPECT_THROW((void)functional_call(m, {{"first.weight", w}}, ones({2, 5})), ShapeError);
  expect_same_bits(m(x), before);
}

}  // namespace
}  // namespace adjoint::nn
