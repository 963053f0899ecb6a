// Results that take the place of a temporary, and gradients that take the place of the one that
// they are made of: done where nobody can notice, never elsewhere. See Note [Donation].
#include <adjoint/core/activations.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace adjoint {
namespace {

using Values = std::vector<double>;

Tensor numbers() { return tensor<double>({-1.5, -0.25, 0.5, 2.0}); }

Values values(const Tensor& x) { return x.to_vector<double>(); }

TEST(Donation, ATemporaryIsWrittenOver) {
  for (int which = 0; which < 12; ++which) {
    const Tensor b = full({4}, 2.0, DType::f64);
    const auto apply = [&](auto&& x) {
      switch (which) {
        case 0:
          return std::forward<decltype(x)>(x) + b;
        case 1:
          return b + std::forward<decltype(x)>(x);
        case 2:
          return std::forward<decltype(x)>(x) - b;
        case 3:
          return std::forward<decltype(x)>(x) * b;
        case 4:
          return std::forward<decltype(x)>(x) / b;
        case 5:
          return std::forward<decltype(x)>(x) + 1.0;
        case 6:
          return std::forward<decltype(x)>(x) * 3.0;
        case 7:
          return tanh(std::forward<decltype(x)>(x));
        case 8:
          return relu(std::forward<decltype(x)>(x));
        case 9:
          return silu(std::forward<decltype(x)>(x));
        case 10:
          return sigmoid(std::forward<decltype(x)>(x));
        default:
          return gelu(std::forward<decltype(x)>(x));
      }
    };
    Tensor x = numbers();
    const void* place = x.raw_data();
    const uint64_t version = x.version();
    const Values expected = values(apply(std::as_const(x)));
    EXPECT_EQ(values(x), values(numbers())) << which;
    const Tensor y = apply(std::move(x));
    EXPECT_EQ(y.raw_data(), place) << which;
    EXPECT_NE(y.version(), version) << which;
    EXPECT_EQ(values(y), expected) << which;
  }
}

TEST(Donation, WhatSomebodyElseSeesIsKept) {
  {  // another handle
    Tensor x = numbers();
    const Tensor kept = x;
    const Tensor y = std::move(x) + 1.0;
    EXPECT_NE(y.raw_data(), kept.raw_data());
    EXPECT_EQ(values(kept), values(numbers()));
  }
  {  // a view
    Tensor x = numbers();
    const Tensor view = reshape(x, {2, 2});
    const Tensor y = tanh(std::move(x));
    EXPECT_NE(y.raw_data(), view.raw_data());
    EXPECT_EQ(values(view), values(numbers()));
  }
  {  // part of a larger tensor, another shape, another dtype
    const Tensor whole = numbers();
    EXPECT_EQ(values(slice(whole, 0, 1, 3) + 1.0), (Values{0.75, 1.5}));
    EXPECT_EQ(values(whole), values(numbers()));
    EXPECT_EQ(values(full({1}, 2.0, DType::f64) + whole), (Values{0.5, 1.75, 2.5, 4.0}));
    EXPECT_EQ(values(tensor<int64_t>({1, 2, 3, 4}) * whole), (Values{-1.5, -0.5, 1.5, 8.0}));
  }
  {  // both operands
    Tensor x = numbers();
    const Tensor& same = x;
    EXPECT_EQ(values(std::move(x) * same), (Values{2.25, 0.0625, 0.25, 4.0}));
  }
}

TEST(Donation, WhatTheGraphSavedIsKept) {
  const Tensor x = numbers().requires_grad_();
  const Tensor w = full({4}, 3.0, DType::f64).requires_grad_();
  // exp and tanh save their results; a product saves its operands; silu its input.
  (exp(x) + 1.0).sum().backward();
  EXPECT_EQ(values(x.grad()), values(exp(x.detach())));
  x.zero_grad();
  ((x * 2.0) * w).sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{6, 6, 6, 6}));
  EXPECT_EQ(values(w.grad()), (Values{-3, -0.5, 1, 4}));
  x.zero_grad();
  w.zero_grad();
  (w * (x * 2.0)).sum().backward();
  EXPECT_EQ(values(w.grad()), (Values{-3, -0.5, 1, 4}));
  x.zero_grad();
  Tensor a = x * 2.0;
  const Tensor& same = a;
  (std::move(a) / same).sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{0, 0, 0, 0}));
  x.zero_grad();
  const Tensor twice = x * 2.0;
  silu(twice).sum().backward();
  const Values expected = values(x.grad());
  x.zero_grad();
  silu(x * 2.0).sum().backward();
  EXPECT_EQ(values(x.grad()), expected);
}

// The places of the gradients that backward went through, newest operator first.
std::vector<const void*> places_of_gradients(const std::vector<Tensor>& tensors,
                                             const BackwardOptions& options) {
  std::vector<const void*> places;
  for (const Tensor& x : tensors) {
    x.register_hook([&places](const Tensor& dy) {
      places.push_back(dy.raw_data());
      return Tensor();
    });
  }
  tensors.back().backward(options);
  return places;
}

TEST(Donation, BackwardWritesOverGradientsThatNobodyHolds) {
  const Tensor x = numbers().requires_grad_();
  const Tensor a = tanh(x), b = a * 3.0, c = sigmoid(b), y = c + 1.0;
  const Tensor dy = full({4}, 1.0, DType::f64);
  const uint64_t version = dy.version();
  const auto places = places_of_gradients({a, b, c, y}, {.gradient = dy});
  ASSERT_EQ(places.size(), 4u);
  EXPECT_EQ(places[0], dy.raw_data());  // y's: the caller's
  EXPECT_EQ(places[1], dy.raw_data());  // c's: passed on
  EXPECT_NE(places[2], dy.raw_data());  // b's: the caller holds dy, so it is not written
  EXPECT_EQ(places[3], places[2]);      // a's: in b's place
  EXPECT_EQ(x.grad().raw_data(), places[3]);
  EXPECT_EQ(dy.version(), version);
  EXPECT_EQ(values(dy), (Values{1, 1, 1, 1}));
}

TEST(Donation, AGradientThatIsGivenAwayBecomesTheInputs) {
  using Operator = std::function<Tensor(const Tensor&)>;
  const Tensor w = full({2}, 2.0, DType::f64).requires_grad_();
  const std::pair<const char*, Operator> operators[] = {
      {"tanh", [](const Tensor& x) { return tanh(x); }},
      {"softmax", [](const Tensor& x) { return softmax(x, -1); }},
      {"softmax across", [](const Tensor& x) { return softmax(x, 0); }},
      {"log_softmax", [](const Tensor& x) { return log_softmax(x, -1); }},
      {"layer_norm", [&](const Tensor& x) { return layer_norm(x, {2}, w, w); }},
      {"rms_norm", [&](const Tensor& x) { return rms_norm(x, {2}, w); }},
      {"add_layer_norm", [](const Tensor& x) { return add_layer_norm(x, x, {2}).normalized; }}};
  for (const auto& [name, f] : operators) {
    const Tensor held_x = reshape(numbers(), {2, 2}).requires_grad_();
    const Tensor given_x = reshape(numbers(), {2, 2}).requires_grad_();
    const Tensor held = reshape(numbers(), {2, 2});
    f(held_x).backward({.gradient = held});
    EXPECT_EQ(values(held), values(numbers())) << name;
    EXPECT_NE(held_x.grad().raw_data(), held.raw_data()) << name;
    Tensor given = clone(reshape(numbers(), {2, 2}));
    const void* const place = given.raw_data();
    const Tensor y = f(given_x);
    y.backward({.gradient = std::move(given)});
    EXPECT_EQ(values(given_x.grad()), values(held_x.grad())) << name;
    if (std::string(name) != "add_layer_norm") {  // two inputs share it there, so it is not moved
      EXPECT_EQ(given_x.grad().raw_data(), place) << name;
    }
  }
}

TEST(Donation, GradientsThatAreHeldStayAsTheyWere) {
  const Tensor x = numbers().requires_grad_();
  const auto build = [&x](std::vector<Tensor>& between) {
    between = {neg(x), Tensor(), Tensor(), Tensor()};
    between[1] = between[0] * 2.0;
    between[2] = tanh(between[1]);
    between[3] = between[2] / 4.0;
    return between[3] * between[3];
  };
  std::vector<Tensor> retained, hooked, kept(4);
  const Tensor first = build(retained);
  for (const Tensor& t : retained) t.retain_grad();
  first.sum().backward({.retain_graph = true});
  const Values dx = values(x.grad());
  std::vector<Values> gradients;
  for (const Tensor& t : retained) gradients.push_back(values(t.grad()));
  // Held by a hook.
  x.zero_grad();
  const Tensor second = build(hooked);
  for (size_t i = 0; i < hooked.size(); ++i) {
    hooked[i].register_hook([&kept, i](const Tensor& dy) {
      kept[i] = dy;
      return Tensor();
    });
  }
  second.sum().backward();
  EXPECT_EQ(values(x.grad()), dx);
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(values(kept[i]), gradients[i]) << i;
  // The first graph again: retained gradients add up, and so does the leaf's.
  first.sum().backward();
  for (size_t i = 0; i < dx.size(); ++i) EXPECT_EQ(x.grad().to_vector<double>()[i], 2 * dx[i]);
  for (size_t i = 0; i < retained.size(); ++i) {
    const Values twice = values(retained[i].grad());
    for (size_t j = 0; j < twice.size(); ++j) EXPECT_EQ(twice[j], 2 * gradients[i][j]);
  }
}

}  // namespace
}  // namespace adjoint
