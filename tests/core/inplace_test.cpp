#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using Values = std::vector<double>;

Tensor counting(const Shape& shape, double from = 1) {
  return to(arange(shape.numel()), DType::f64).reshape(shape) + from;
}

TEST(InPlace, Arithmetic) {
  const Tensor x = counting({2, 2});
  add_(x, tensor<double>({10, 20}));
  EXPECT_EQ(x.to_vector<double>(), (Values{11, 22, 13, 24}));
  sub_(x, tensor<double>({1, 3}, {2, 1}));
  EXPECT_EQ(x.to_vector<double>(), (Values{10, 21, 10, 21}));
  mul_(x, 2);
  div_(x, tensor<float>({2, 3}));
  EXPECT_EQ(x.to_vector<double>(), (Values{10, 14, 10, 14}));
  add_(x, 0.5);
  sub_(x, 1);
  div_(x, 2.0);
  EXPECT_EQ(x.to_vector<double>(), (Values{4.75, 6.75, 4.75, 6.75}));
  const Tensor k = arange(3);
  add_(k, tensor<bool>({true}));  // cast to k's dtype
  EXPECT_EQ(k.to_vector<int64_t>(), (std::vector<int64_t>{1, 2, 3}));
  add_(x, zeros({2, 1}, DType::f64));
  const Tensor none = zeros({0, 2});
  mul_(none, 3);
}

TEST(InPlace, StridedDestinationsAndOverlap) {
  const Tensor x = counting({3, 3});
  add_(x, x.transpose(0, 1));
  EXPECT_EQ(x.to_vector<double>(), (Values{2, 6, 10, 6, 10, 14, 10, 14, 18}));
  mul_(x.transpose(0, 1), tensor<double>({1, 0, 2}));
  EXPECT_EQ(x.to_vector<double>(), (Values{2, 6, 10, 0, 0, 0, 20, 28, 36}));
  copy_(slice(x, 0, 1), slice(x, 0, 0, 2));  // overlapping rows
  EXPECT_EQ(x.to_vector<double>(), (Values{2, 6, 10, 2, 6, 10, 0, 0, 0}));
  add_(x, select(x, 0, 0));  // reads the row that it writes first
  EXPECT_EQ(x.to_vector<double>(), (Values{4, 12, 20, 4, 12, 20, 2, 6, 10}));
  copy_(x, x.transpose(0, 1));
  EXPECT_EQ(x.to_vector<double>(), (Values{4, 4, 2, 12, 12, 6, 20, 20, 10}));
  zero_(select(x, 1, 1));
  fill_(slice(x, 1, 2), 7);
  EXPECT_EQ(x.to_vector<double>(), (Values{4, 0, 7, 12, 0, 7, 20, 0, 7}));
  zero_(x);
  EXPECT_EQ(x.to_vector<double>(), Values(9));
  EXPECT_THROW(add_(expand(zeros({1}), {3}), 1), ShapeError);
}

TEST(InPlace, CopyBroadcastsAndCasts) {
  const Tensor x = zeros({2, 3});
  copy_(x, arange(3));
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{0, 1, 2, 0, 1, 2}));
  const Tensor mask = zeros({2}, DType::boolean);
  copy_(mask, tensor<double>({0, 0.5}));
  EXPECT_EQ(mask.to_vector<bool>(), (std::vector<bool>{false, true}));
  EXPECT_THROW(copy_(x, zeros({4, 2, 3})), ShapeError);
  EXPECT_THROW(copy_(x, zeros({2})), ShapeError);
}

TEST(InPlace, Errors) {
  EXPECT_THROW(add_(arange(3), 0.5), DTypeError);
  EXPECT_THROW(div_(arange(3), 2), DTypeError);
  // Nothing is cut off in silence: the message says with what and what to use.
  const Tensor k = arange(3), mask = ones({3}, DType::boolean);
  for (const Tensor& x : {k, mask}) {
    for (const Tensor& y : {ones({3}), ones({}, DType::f64)}) {
      const std::string text = numeric::message_of<DTypeError>([&] { mul_(x, y); });
      for (const char* part : {"mul_: ", name(x.dtype()), name(y.dtype()), "mul()"}) {
        EXPECT_NE(text.find(part), std::string::npos) << text;
      }
    }
  }
  EXPECT_THROW(add_(mask, k), DTypeError);
  EXPECT_EQ(k.to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_THROW(add_(zeros({3}), zeros({2, 3})), ShapeError);
  EXPECT_THROW(uniform_(arange(3)), DTypeError);
  EXPECT_THROW(add_(Tensor(), 1), Error);
  const Tensor leaf = zeros({2}).requires_grad_();
  try {
    mul_(leaf, 2);
    FAIL();
  } catch (const AutogradError& e) {
    EXPECT_NE(std::string(e.what()).find("mul()"), std::string::npos) << e.what();
  }
  const NoGrad guard;
  add_(leaf, 2);
  EXPECT_EQ(leaf.to_vector<float>(), (std::vector<float>{2, 2}));
  EXPECT_TRUE(leaf.is_leaf());
}

TEST(InPlace, Gradients) {
  const Tensor a = tensor<double>({1, 2, 3}).requires_grad_();
  const Tensor b = tensor<double>({4, 5}, {2, 1}).requires_grad_();
  const Tensor x = expand(a, {2, 3}) * 1.0;
  mul_(x, b);
  add_(x, a);
  div_(x, b);
  sub_(x, a * 2.0);
  mul_(x, 3.0);
  // x = 3 (a + a / b - 2 a)
  const std::vector<Tensor> g = grad({sum(x)}, {a, b}, {.create_graph = true});
  const double da = 3 * ((1 + 1.0 / 4 - 2) + (1 + 1.0 / 5 - 2));
  for (double v : g[0].to_vector<double>()) EXPECT_NEAR(v, da, 1e-12);
  const auto db = g[1].to_vector<double>();
  EXPECT_NEAR(db[0], -3 * 6 / 16.0, 1e-12);
  EXPECT_NEAR(db[1], -3 * 6 / 25.0, 1e-12);
  const auto h = grad({sum(g[1])}, {b})[0].to_vector<double>();
  EXPECT_NEAR(h[0], 2 * 3 * 6 / 64.0, 1e-12);
}

TEST(InPlace, GradientsOfAProductWithItself) {
  const Tensor a = tensor<double>({2, 3}).requires_grad_();
  const Tensor x = a * 1.0;
  mul_(x, x);
  sum(x).backward();
  EXPECT_EQ(a.grad().to_vector<double>(), (Values{4, 6}));
}

TEST(InPlace, HistoryComesFromTheSource) {
  const Tensor a = tensor<double>({2, 3}).requires_grad_();
  const Tensor x = zeros({2, 2}, DType::f64);
  copy_(x, a * 3.0);
  EXPECT_TRUE(x.requires_grad());
  EXPECT_STREQ(x.grad_fn_name(), "copy_");
  sum(x).backward();
  EXPECT_EQ(a.grad().to_vector<double>(), (Values{6, 6}));
  const Tensor y = a * 2.0;
  fill_(y, 1);
  a.zero_grad();
  sum(y * a).backward();
  EXPECT_EQ(a.grad().to_vector<double>(), (Values{1, 1}));
}

TEST(InPlace, SavedTensorsNotice) {
  const Tensor a = tensor<double>({2, 3}).requires_grad_();
  const Tensor x = a * 1.0;
  const Tensor y = exp(x) * x;
  add_(x, 1.0);
  try {
    sum(y).backward();
    FAIL();
  } catch (const AutogradError& e) {
    EXPECT_NE(std::string(e.what()).find("add_"), std::string::npos) << e.what();
  }
}

TEST(InPlace, ViewsAreRefused) {
  const Tensor a = tensor<double>({2, 3}).requires_grad_();
  const Tensor x = a * 1.0;
  const Tensor v = slice(x, 0, 1);
  EXPECT_THROW(add_(v, 1.0), AutogradError);
  EXPECT_THROW(add_(x, 1.0), AutogradError);
}

TEST(InPlace, RandomFills) {
  Generator g(3), again(3);
  const Tensor x = empty({40, 50});
  const uint64_t version = x.version();
  uniform_(x, -2, 5, g);
  EXPECT_NE(x.version(), version);
  EXPECT_GE(min(x).item(), -2);
  EXPECT_LT(max(x).item(), 5);
  EXPECT_NEAR(mean(x).item(), 1.5, 0.25);
  const Tensor t = empty({50, 40}).transpose(0, 1);
  uniform_(t, -2, 5, again);
  EXPECT_EQ(t.to_vector<float>(), x.to_vector<float>());
  normal_(x, 10, 2, g);
  EXPECT_NEAR(mean(x).item(), 10, 0.25);
  EXPECT_NEAR(var(x).item(), 4, 0.6);
  EXPECT_THROW(normal_(x, 0, -1), ConfigError);
}

TEST(InPlace, NoLiveNodesRemain) {
  const int64_t before = live_nodes();
  {
    const Tensor a = tensor<double>({2, 3}).requires_grad_();
    const Tensor x = a * 1.0;
    mul_(x, x);
    add_(x, a);
    copy_(x, x * 2.0);
    sum(x).backward();
    const Tensor y = a * 1.0;
    div_(y, y);
  }
  EXPECT_EQ(live_nodes(), before);
}

}  // namespace
}  // namespace adjoint
