// Reductions of several steps, and what their rows in the catalogue do not check.
#include <adjoint/core/autograd.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/statistics.h>

#include <limits>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::expect_close;
using numeric::values;

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");
using Numbers = std::vector<double>;

Numbers gradient_of(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  const Tensor leaf = x.detach().clone().requires_grad_();
  f(leaf).sum().backward();
  return values(leaf.grad());
}

TEST(Prod, WholeNumbersGiveI64) {
  for (const DType dtype : {DType::i64, DType::i32, DType::u8}) {
    const Tensor y = prod(tensor<int64_t>({2, 3, 200}).to(dtype));
    EXPECT_EQ(y.dtype(), DType::i64);
    EXPECT_EQ(y.item<int64_t>(), 1200);
  }
  const Tensor truths = tensor<int64_t>({1, 0, 1, 1}, {2, 2}).to(DType::boolean);
  EXPECT_EQ(prod(truths, 1).to_vector<int64_t>(), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(prod(zeros({0})).item(), 1.0);
  EXPECT_EQ(prod(scalar(3.0), 0, kKeepDim).shape(), Shape());
}

TEST(Prod, ThirdDerivativesBesideZeros) {
  // y = abc at (0, 0, 0): only the derivative by all three is not 0.
  const Tensor x = zeros({3}, DType::f64).requires_grad_();
  const GradOptions recorded{.create_graph = true};
  const Tensor da = select(grad({prod(x)}, {x}, recorded)[0], 0, 0);
  const Tensor dab = select(grad({da}, {x}, recorded)[0], 0, 1);
  EXPECT_EQ(values(da), Numbers({0}));
  EXPECT_EQ(values(dab), Numbers({0}));
  EXPECT_EQ(values(grad({dab}, {x})[0]), Numbers({0, 0, 1}));
}

TEST(Norm, GradientAtZero) {
  for (const double p : {0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, kInf, -kInf, -1.0}) {
    SCOPED_TRACE(p);
    const auto f = [p](const Tensor& x) { return norm(x, p); };
    EXPECT_EQ(gradient_of(f, zeros({3}, DType::f64)), Numbers({0, 0, 0}));
  }
  // As PyTorch's.
  const Tensor x = tensor({0.0, 1.0, 2.0});
  const std::vector<std::pair<double, Numbers>> expected = {
      {0.5, {0, 2.4142135, 1.7071068}}, {1, {0, 1, 1}},           {1.5, {0, 0.6392114, 0.9039814}},
      {2, {0, 0.4472136, 0.8944272}},   {3, {0, 0.2311, 0.9245}}, {-1, {0, 0, 0}}};
  for (const auto& [p, dx] : expected) {
    SCOPED_TRACE(p);
    const double order = p;
    const Numbers got = gradient_of([order](const Tensor& v) { return norm(v, order); }, x);
    for (size_t i = 0; i < dx.size(); ++i) EXPECT_NEAR(got[i], dx[i], 1e-4) << i;
  }
}

TEST(Norm, SecondDerivativesAtZeroAreFinite) {
  for (const double p : {0.5, 1.0, 1.5, 2.0, 2.5, 3.0}) {
    for (const Tensor& at : {zeros({3}, DType::f64), tensor({0.0, 1.0, 2.0})}) {
      const Tensor x = at.clone().requires_grad_();
      const Tensor dx = grad({norm(x, p)}, {x}, {.create_graph = true})[0];
      EXPECT_TRUE(all_finite(grad({dx.sum()}, {x})[0])) << p;
    }
  }
}

TEST(Norm, OfNothingAndNaN) {
  EXPECT_EQ(norm(zeros({0})).item(), 0.0);
  EXPECT_EQ(norm(zeros({2, 0}), 3, {1}).to_vector<float>(), (std::vector<float>{0, 0}));
  EXPECT_THROW(norm(zeros({0}), -1), ShapeError);
  EXPECT_THROW(norm(ones({2}), kNaN), ShapeError);
  for (const double p : {1.0, 2.0, 3.0, kInf, -kInf}) {
    EXPECT_TRUE(std::isnan(norm(tensor({1.0, kNaN}), p).item())) << p;
  }
  EXPECT_EQ(norm(tensor({kNaN, 0.0}), 0).item(), 1.0);
}

TEST(Std, GradientWhereAllAreEqual) {
  const auto f = [](const Tensor& x) { return adjoint::std(x); };
  EXPECT_EQ(gradient_of(f, full({3}, 2.0, DType::f64)), Numbers({0, 0, 0}));
  EXPECT_TRUE(std::isnan(adjoint::std(zeros({1})).item()));
  EXPECT_EQ(adjoint::std(tensor({1.0, 3.0}), Shape{}, 0).item(), 1.0);
}

TEST(LogSumExp, Infinities) {
  const Tensor x = tensor({-kInf, -kInf, 1.0, 2.0, 1000.0, 1001.0}, {3, 2});
  const Numbers y = values(logsumexp(x, {1}));
  EXPECT_EQ(y[0], -kInf);
  EXPECT_NEAR(y[1], 2 + std::log1p(std::exp(-1)), 1e-15);
  EXPECT_NEAR(y[2], 1001 + std::log1p(std::exp(-1)), 1e-12);
  const Numbers dx = gradient_of([](const Tensor& v) { return logsumexp(v, {1}); }, x);
  EXPECT_EQ(dx[0], 0);
  EXPECT_EQ(dx[1], 0);
  EXPECT_NEAR(dx[2], 1 / (1 + std::exp(1)), 1e-15);
  EXPECT_EQ(logsumexp(tensor({1.0, kInf}), {0}).item(), kInf);
  EXPECT_TRUE(std::isnan(logsumexp(tensor({1.0, kNaN}), {0}).item()));
  EXPECT_EQ(logsumexp(tensor<int64_t>({1, 2}), {0}).dtype(), DType::f32);
}

TEST(Extrema, GradientsOfNaN) {
  const Tensor x = tensor({1.0, kNaN, 3.0, kNaN});
  const Numbers shared = {0, 0.5, 0, 0.5};
  EXPECT_EQ(gradient_of([](const Tensor& v) { return max(v); }, x), shared);
  EXPECT_EQ(gradient_of([](const Tensor& v) { return amin(v, {0}); }, x), shared);
  EXPECT_EQ(gradient_of([](const Tensor& v) { return median(v); }, x), shared);
}

TEST(Extrema, IndicesOfAllElements) {
  const Tensor x = tensor({1.0, 5.0, 0.0, 5.0, 0.0, 2.0}, {2, 3});
  EXPECT_EQ(argmax(x).item<int64_t>(), 1);
  EXPECT_EQ(argmin(x).item<int64_t>(), 2);
  EXPECT_EQ(argmax(x.transpose(0, 1)).item<int64_t>(), 1);  // (0, 1) of (3, 2)
  EXPECT_EQ(argmin(x.transpose(0, 1)).item<int64_t>(), 3);  // (1, 1)
  EXPECT_EQ(argmin(tensor({1.0, kNaN, -1.0})).item<int64_t>(), 1);
  EXPECT_EQ(argmax(scalar(3.0)).item<int64_t>(), 0);
  EXPECT_EQ(argmin(x, 1).to_vector<int64_t>(), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(amax(x).item(), 5.0);
}

TEST(Questions, OfAnyDType) {
  const Tensor x = tensor({0.0, kNaN, 0.0, 0.0}, {2, 2});
  EXPECT_EQ(values(any(x, {1})), Numbers({1, 0}));
  EXPECT_EQ(values(all(x, {0})), Numbers({0, 0}));
  EXPECT_EQ(any(x, {1}).dtype(), DType::boolean);
  EXPECT_EQ(any(x.to(DType::u8), {1}).dtype(), DType::u8);  // as PyTorch
  EXPECT_EQ(values(any(zeros({2, 0}), {1})), Numbers({0, 0}));
  EXPECT_EQ(values(all(zeros({2, 0}), {1})), Numbers({1, 1}));
  EXPECT_EQ(count_nonzero(x).item<int64_t>(), 1);
  EXPECT_EQ(count_nonzero(zeros({0})).item<int64_t>(), 0);
}

TEST(Median, LowerOfTwoFirstOfEquals) {
  const Tensor x = tensor({4.0, 1.0, 3.0, 1.0, 2.0, 2.0, 2.0, 9.0}, {2, 4});
  const ValuesAndIndices y = median(x, 1);
  EXPECT_EQ(values(y.values), Numbers({1, 2}));
  EXPECT_EQ(y.indices.to_vector<int64_t>(), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(gradient_of([](const Tensor& v) { return median(v, 1).values; }, x),
            Numbers({0, 1, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(median(x).item(), 2.0);
  EXPECT_EQ(median(x, 0, kKeepDim).values.shape(), Shape({1, 4}));
  EXPECT_EQ(median(scalar(3.0), 0).indices.item<int64_t>(), 0);
}

TEST(Median, NaNAndNothing) {
  const ValuesAndIndices y = median(tensor({1.0, kNaN, 3.0, kNaN}), 0);
  EXPECT_TRUE(std::isnan(y.values.item()));
  EXPECT_EQ(y.indices.item<int64_t>(), 1);
  EXPECT_TRUE(std::isnan(median(zeros({0})).item()));
}

TEST(Median, EveryDTypeAndLength) {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32,
                            DType::u8, DType::boolean}) {
    for (const int64_t n : {1, 2, 47, 48, 49, 257, 5000}) {
      SCOPED_TRACE(std::string(name(dtype)) + " " + std::to_string(n));
      const bool is_signed = dtype != DType::u8 && dtype != DType::boolean;
      const Tensor x = (numeric::random({n}, 5) * 100.0 + (is_signed ? 0.0 : 100.0)).to(dtype);
      Numbers sorted = values(x);
      const Numbers own = sorted;
      std::sort(sorted.begin(), sorted.end());
      const double expected = sorted[static_cast<size_t>((n - 1) / 2)];
      const ValuesAndIndices y = median(x, 0);
      EXPECT_EQ(y.values.item(), expected);
      EXPECT_EQ(y.values.dtype(), dtype);
      EXPECT_EQ(y.indices.item<int64_t>(),
                std::find(own.begin(), own.end(), expected) - own.begin());
    }
  }
}

TEST(Quantile, NanIsTheResultOrLeftOut) {
  const Tensor x = tensor({3.0, kNaN, 1.0, 2.0, kNaN, kNaN, kNaN, kNaN}, {2, 4});
  EXPECT_TRUE(std::isnan(values(quantile(x, 0.5, 1))[0]));
  const Numbers y = values(nanquantile(x, 0.5, 1));
  EXPECT_EQ(y[0], 2);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_EQ(gradient_of([](const Tensor& v) { return nanquantile(v, 0.25, 1); }, x),
            (Numbers{0, 0, 0.5, 0.5, 0, 0, 0, 0}));
}

TEST(Quantile, NearestRoundsHalvesToEven) {
  using enum QuantileInterpolation;
  const Tensor x = tensor({40.0, 10.0, 30.0, 20.0});
  const Tensor q = tensor({0.5, 1.0 / 6, 1.0});  // ranks 1.5, 0.5 and 3
  EXPECT_EQ(values(quantile(x, q, 0, false, nearest)), Numbers({30, 10, 40}));
  EXPECT_EQ(values(quantile(x, q, 0, false, midpoint)), Numbers({25, 15, 40}));
  EXPECT_EQ(quantile(ones({2, 3}), zeros({0}), 1).shape(), Shape({0, 2}));
  // A quantile as a number is not rounded to the 8 bits of bf16.
  const Tensor many = arange(101).to(DType::bf16);
  EXPECT_EQ(quantile(many, 0.37).item(), 37);
}

TEST(Covariance, OfOneObservationIsNan) {
  EXPECT_TRUE(std::isnan(cov(scalar(3.0)).item()));
  EXPECT_EQ(cov(tensor({1.0, 2.0}), 2).item(), kInf);
  EXPECT_EQ(cov(zeros({0, 2})).shape(), Shape({0, 0}));
  EXPECT_EQ(corrcoef(tensor<int64_t>({1, 3, 2, 6}).reshape({2, 2})).dtype(), DType::f32);
}

}  // namespace
}  // namespace adjoint
