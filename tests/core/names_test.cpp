// Methods, operators and other names: the same as the functions that they stand for.
#include <adjoint/core/inplace.h>
#include <adjoint/core/ops.h>
#include <adjoint/core/random.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using Pair = std::pair<Tensor, Tensor>;

// Each of the second is the first: dtype, shape and every bit (NaN is made of nothing here).
void expect_same(const std::vector<Pair>& pairs) {
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& [a, b] = pairs[i];
    ASSERT_EQ(a.dtype(), b.dtype()) << "pair " << i;
    EXPECT_TRUE(equal(a, b)) << "pair " << i << ": " << a << " and " << b;
  }
}

Tensor numbers() { return tensor<double>({{0.5, -1.5, 2.25}, {3.5, 0.25, -0.75}}); }

TEST(Names, Methods) {
  const Tensor x = numbers(), y = abs(x) + 0.5, i = tensor<int64_t>({{2, 0}, {1, 1}});
  const Tensor m = x > 0;
  expect_same({{neg(x), x.neg()},
               {abs(x), x.abs()},
               {sign(x), x.sign()},
               {exp(x), x.exp()},
               {log(y), y.log()},
               {log1p(y), y.log1p()},
               {sqrt(y), y.sqrt()},
               {rsqrt(y), y.rsqrt()},
               {square(x), x.square()},
               {reciprocal(x), x.reciprocal()},
               {sin(x), x.sin()},
               {cos(x), x.cos()},
               {tanh(x), x.tanh()},
               {sigmoid(x), x.sigmoid()},
               {relu(x), x.relu()},
               {erf(x), x.erf()},
               {floor(x), x.floor()},
               {ceil(x), x.ceil()},
               {round(x), x.round()},
               {isnan(x), x.isnan()},
               {isfinite(x), x.isfinite()},
               {logical_not(m), m.logical_not()},
               {clamp(x, -1, 2.0), x.clamp(-1, 2.0)},
               {clamp_min(x, 0), x.clamp_min(0)},
               {clamp_max(x, 1), x.clamp_max(1)},
               {softmax(x, 0), x.softmax(0)},
               {log_softmax(x, -1), x.log_softmax(-1)},
               {pow(x, 3), x.pow(3)},
               {pow(y, x), y.pow(x)},
               {add(x, y), x.add(y)},
               {sub(x, 2), x.sub(2)},
               {mul(x, y), x.mul(y)},
               {div(x, y), x.div(y)}});
  expect_same(
      {{eq(x, 0.5), x.eq(0.5)},
       {ne(x, y), x.ne(y)},
       {lt(x, 1), x.lt(1)},
       {le(x, y), x.le(y)},
       {gt(x, 0), x.gt(0)},
       {ge(x, y), x.ge(y)},
       {prod(x), x.prod()},
       {prod(x, 1, true), x.prod(1, true)},
       {var(x), x.var()},
       {var(x, 0, 0), x.var(0, 0)},
       {adjoint::std(x), x.std()},
       {adjoint::std(x, 1, 1, true), x.std(1, 1, true)},
       {norm(x, 1), x.norm(1)},
       {norm(x, 2, 0), x.norm(2, 0)},
       {logsumexp(x, 1), x.logsumexp(1)},
       {cumsum(x, 1), x.cumsum(1)},
       {cumprod(x, 0), x.cumprod(0)},
       {amax(x, 1), x.amax(1)},
       {amin(x), x.amin()},
       {argmax(x), x.argmax()},
       {argmin(x, 1), x.argmin(1)},
       {any(m, 1), m.any(1)},
       {all(m, 0, true), m.all(0, true)},
       {sort(x, 1).values, x.sort(1).values},
       {argsort(x, 1, true), x.argsort(1, true)},
       {topk(x, 2).indices, x.topk(2).indices},
       {gather(x, 1, i), x.gather(1, i)},
       {scatter(x, 1, i, y), x.scatter(1, i, y)},
       {scatter(x, 1, i, 7), x.scatter(1, i, 7)},
       {scatter_add(x, 1, i, y), x.scatter_add(1, i, y)},
       {index_select(x, 1, i[0]), x.index_select(1, i[0])},
       {masked_fill(x, m, 9), x.masked_fill(m, 9)},
       {masked_select(x, m), x.masked_select(m)},
       {nonzero(m), m.nonzero()},
       {where(m, x, y), x.where(m, y)},
       {where(m, x, 0.0), x.where(m, 0.0)},
       {flip(x, 1), x.flip(1)},
       {roll(x, 1), x.roll(1)},
       {tril(x), x.tril()},
       {triu(x, 1), x.triu(1)},
       {matmul(x, y.mT()), x.matmul(y.mT())},
       {mm(x, y.t()), x.mm(y.t())},
       {dot(x[0], y[1]), x[0].dot(y[1])},
       {bmm(unsqueeze(x, 0), unsqueeze(y.mT(), 0)), x.unsqueeze(0).bmm(y.mT().unsqueeze(0))},
       {select(x, 0, -1), x[-1]}});
  EXPECT_EQ(any(m), m.any());
  EXPECT_EQ(all(m), m.all());
  EXPECT_THROW(ones({3}).mT(), ShapeError);
  EXPECT_THROW(x[2], IndexError);
}

TEST(Names, OtherNames) {
  const Tensor x = numbers(), y = x * 2.0, one = x[0], row = ones({1, 3}, DType::f64);
  expect_same({{cat({x, y}, 1), concat({x, y}, 1)},
               {cat({x, y}), concatenate({x, y})},
               {transpose(x, 0, 1), swapaxes(x, 0, 1)},
               {transpose(x, 0, 1), swapdims(x, -2, -1)},
               {movedim(x, 0, 1), moveaxis(x, 0, 1)},
               {flatten(x), ravel(x)},
               {expand(row, {2, 3}), broadcast_to(row, {2, 3})},
               {expand(row, {2, 3}), row.broadcast_to({2, 3})},
               {expand(row, {2, 3}), expand_as(row, x)},
               {view(x, {3, 2}), view_as(x, x.t())},
               {view(x, {3, 2}), x.view_as(x.t())},
               {reshape(x.t(), {2, 3}), reshape_as(x.t(), x)},
               {reshape(x.t(), {2, 3}), x.t().reshape_as(x)},
               {x.to(DType::f32), type_as(x, ones({1}))},
               {x.to(DType::f32), x.type_as(ones({1}))},
               {nonzero(x > 1), argwhere(x > 1)},
               {clamp(x, 0, 1), clip(x, 0, 1)},
               {clamp(x, one, y), clip(x, one, y)},
               {abs(x), absolute(x)},
               {neg(x), negative(x)},
               {x - y, subtract(x, y)},
               {x * y, multiply(x, y)},
               {x / y, divide(x, y)},
               {x / y, true_divide(x, y)},
               {ne(x, y), not_equal(x, y)},
               {lt(x, y), less(x, y)},
               {le(x, y), less_equal(x, y)},
               {gt(x, y), greater(x, y)},
               {ge(x, y), greater_equal(x, y)}});
}

TEST(Names, Operators) {
  const Tensor a = tensor<int64_t>({12, 10, -7}), b = tensor<int64_t>({10, 3, 5});
  expect_same({{bitwise_and(a, b), a & b},
               {bitwise_or(a, b), a | b},
               {bitwise_xor(a, b), a ^ b},
               {bitwise_not(a), ~a},
               {bitwise_and(a, 6), a & 6},
               {bitwise_or(a, 6), a | 6},
               {bitwise_xor(a, 6), a ^ 6},
               {remainder(a, b), a % b},
               {remainder(a, 4), a % 4}});
  const Tensor p = a > 0, q = b > 4;
  expect_same({{logical_and(p, q), p & q}, {logical_or(p, q), p | q}, {logical_not(p), ~p}});
}

TEST(Names, OperatorsInPlace) {
  const Tensor z = numbers(), y = abs(z) + 1.0, old = z.clone();
  const Tensor handle = z.view({2, 3});  // sees what is written
  z += y;
  z -= 0.5;
  z *= y;
  z /= 2;
  EXPECT_TRUE(allclose(handle, (old + y - 0.5) * y / 2));
  z.add_(1).sub_(y).mul_(2).div_(y);
  EXPECT_TRUE(allclose(handle, ((old + y - 0.5) * y / 2 + 1.0 - y) * 2.0 / y));
  z.copy_(old).clamp_(0, 2).masked_fill_(old > 1, -1);
  EXPECT_TRUE(equal(handle, masked_fill(clamp(old, 0, 2), old > 1, -1)));
  z[1] += 3;  // a row of z
  EXPECT_TRUE(equal(handle[1], masked_fill(clamp(old, 0, 2), old > 1, -1)[1] + 3.0));
  z[0].zero_();
  z[1].fill_(5);
  EXPECT_EQ(handle.to_vector<double>(), (std::vector<double>{0, 0, 0, 5, 5, 5}));
  const Tensor at = tensor<int64_t>({{2, 0}, {1, 1}}), more = handle.clone();
  z.index_add_(1, at[0], old.slice(1, 0, 2)).scatter_add_(1, at, old).scatter_(1, at, 3);
  index_add_(more, 1, at[0], old.slice(1, 0, 2));
  scatter_add_(more, 1, at, old);
  scatter_(more, 1, at, 3);
  EXPECT_TRUE(equal(handle, more));
  z.copy_(old).relu_().exp_().sqrt_().neg_().pow_(2);
  EXPECT_TRUE(allclose(handle, square(sqrt(exp(relu(old))))));
  Tensor mask = old > 0;
  mask &= old < 3;
  mask |= old < -1;
  mask ^= ones({3}, DType::boolean);
  EXPECT_TRUE(equal(mask, ~(((old > 0) & (old < 3)) | (old < -1))));
  manual_seed(4);
  const Tensor u = z.uniform_(2, 3).clone(), n = z.normal_(9, 0.5).clone();
  manual_seed(4);
  EXPECT_TRUE(equal(u, uniform(2, 3, {2, 3}, DType::f64)));
  EXPECT_TRUE(equal(n, normal(9, 0.5, {2, 3}, DType::f64)));
  // A handle that nobody keeps is not assigned to.
  static_assert(!std::is_assignable_v<Tensor&&, const Tensor&>);
  static_assert(!std::is_assignable_v<Tensor, Tensor>);
  static_assert(std::is_nothrow_move_assignable_v<Tensor>);
  Tensor leaf = ones({2}).requires_grad_();
  EXPECT_THROW(leaf += 1, AutogradError);
  EXPECT_THROW(leaf.clone()[0] += 1, AutogradError);
}

// Sources that are what is written, or views of it: the closure keeps what they were.
TEST(Names, SourcesThatShareElements) {
  const auto pair_of = [](const std::function<Tensor(const Tensor&)>& f, const Tensor& at) {
    const Tensor x = at.clone().requires_grad_();
    const Tensor y = f(x);
    sum(y * at).backward();
    return std::vector<Tensor>{y.detach(), x.grad()};
  };
  const Tensor at = abs(numbers()) + 0.5;
  const auto expect_equal = [&](const std::function<void(const Tensor&)>& in_place,
                                const std::function<Tensor(const Tensor&)>& functional) {
    const auto a = pair_of(
        [&](const Tensor& x) {
          Tensor y = x * 1.5;
          in_place(y);
          return y;
        },
        at);
    const auto b = pair_of([&](const Tensor& x) { return functional(x * 1.5); }, at);
    EXPECT_TRUE(allclose(a[0], b[0]));
    EXPECT_TRUE(allclose(a[1], b[1]));
  };
  expect_equal([](const Tensor& y) { pow_(y, y); }, [](const Tensor& y) { return pow(y, y); });
  expect_equal([](const Tensor& y) { addcmul_(y, y, y); },
               [](const Tensor& y) { return addcmul(y, y, y); });
  expect_equal([](const Tensor& y) { lerp_(y, y.detach(), y); },
               [](const Tensor& y) { return lerp(y, y.detach(), y); });
  expect_equal(
      [](const Tensor& y) {
        log_(y);
        square_(y);
        exp_(y);
      },
      [](const Tensor& y) { return exp(square(log(y))); });
  // x has no history, and what it was is in the derivative by the exponent.
  const Tensor e = at.clone().requires_grad_(), x = at.clone(), twice = at * 2.0;
  pow_(x, e);
  EXPECT_STREQ(x.grad_fn_name(), "pow_");
  sum(x).backward();
  EXPECT_TRUE(allclose(e.grad(), pow(at, at) * log(at)));
  // And it is the elements of x that are written, which others see.
  const Tensor view = twice.view({6});
  {
    const NoGrad guard;
    sqrt_(twice);
  }
  EXPECT_TRUE(equal(view, sqrt(at * 2.0).view({6})));
}

TEST(Names, RandomWholeNumbers) {
  Generator g(7);
  for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32,
                            DType::u8, DType::boolean}) {
    const Tensor x = empty({500}, dtype);
    random_(x, g);
    EXPECT_TRUE(x.ge(0).all());
    EXPECT_GT(unique(x.to(DType::f64)).values.numel(), dtype == DType::boolean ? 1 : 100);
  }
  const Tensor x = empty({2000}, DType::f64);
  exponential_(x, 4, g);
  EXPECT_NEAR(x.mean().item(), 0.25, 0.02);
  bernoulli_(x, 0.3, g);
  EXPECT_NEAR(x.mean().item(), 0.3, 0.04);
  const Tensor l = laplace(1, 2, {4000}, DType::f64, g);
  EXPECT_NEAR(l.mean().item(), 1, 0.15);
  EXPECT_NEAR(l.var().item(), 8, 1.5);  // 2 scale^2
}

}  // namespace
}  // namespace adjoint
