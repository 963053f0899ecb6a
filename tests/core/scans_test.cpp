// Scans: dtypes, ties, NaN and infinities, long rows, every instruction set.
#include <adjoint/core/layout.h>
#include <adjoint/core/scans.h>

#include <limits>

#include "core/kernels/kernels.h"
#include "core/tensor/thread_pool.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::values;

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNaN = std::nan("");
using Numbers = std::vector<double>;
using Places = std::vector<int64_t>;

TEST(Scans, DTypesOfResults) {
  for (const DType dtype : {DType::i64, DType::i32, DType::u8, DType::boolean}) {
    SCOPED_TRACE(name(dtype));
    const Tensor x = tensor<int64_t>({1, 0, 1, 1}).to(dtype);
    EXPECT_EQ(cumsum(x, 0).to_vector<int64_t>(), (Places{1, 1, 2, 3}));
    EXPECT_EQ(cumprod(x, 0).to_vector<int64_t>(), (Places{1, 0, 0, 0}));
    EXPECT_EQ(cummax(x, 0).values.dtype(), dtype);
    EXPECT_EQ(values(cummin(x, 0).values), Numbers({1, 0, 0, 0}));
    EXPECT_EQ(cummax(x, 0).indices.to_vector<int64_t>(), (Places{0, 0, 2, 3}));
  }
  const Tensor large = tensor<int64_t>({200, 100}).to(DType::u8);
  EXPECT_EQ(cumsum(large, 0).to_vector<int64_t>(), (Places{200, 300}));
  EXPECT_EQ(cumsum(ones({3}, DType::bf16), 0).dtype(), DType::bf16);
  // Wrapping around.
  const Tensor edge = tensor<int64_t>({INT64_MAX, 1});
  EXPECT_EQ(cumsum(edge, 0).to_vector<int64_t>(), (Places{INT64_MAX, INT64_MIN}));
}

TEST(Scans, SumsOfF32AreRoundedOnce) {
  const int64_t n = 1 << 20;
  const Tensor y = cumsum(full({n}, 0.1), 0);
  const std::vector<float> got = y.to_vector<float>();
  for (const int64_t i : {int64_t{0}, int64_t{1000}, n / 3, n - 1}) {
    // Sums of a number of 24 bits are exact in 53 for so many of them.
    EXPECT_EQ(got[static_cast<size_t>(i)],
              static_cast<float>(static_cast<double>(0.1f) * static_cast<double>(i + 1)));
  }
}

TEST(Scans, LongRowsAreThoseOfLoops) {
  for (const int64_t n : {131071, 131072, 200003}) {
    SCOPED_TRACE(n);
    const Tensor x = numeric::random({n}, 3);
    const Numbers in = values(x), sums = values(cumsum(x, 0)), high = values(cummax(x, 0).values),
                  logs = values(logcumsumexp(x, 0));
    const Places at = cummax(x, 0).indices.to_vector<int64_t>();
    double sum = 0, exponentials = 0;
    size_t best = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      sum += in[i];
      exponentials += std::exp(in[i]);
      if (in[i] >= in[best]) best = i;
      ASSERT_NEAR(sums[i], sum, 1e-10) << i;
      ASSERT_NEAR(logs[i], std::log(exponentials), 1e-11) << i;
      ASSERT_EQ(high[i], in[best]) << i;
      ASSERT_EQ(at[i], static_cast<int64_t>(best)) << i;
    }
  }
}

TEST(Scans, TiesAndNaN) {
  const ValuesAndIndices ties = cummax(tensor({1.0, 1.0, 0.0, 1.0}), 0);
  EXPECT_EQ(ties.indices.to_vector<int64_t>(), (Places{0, 1, 1, 3}));
  const ValuesAndIndices nans = cummin(tensor({1.0, kNaN, 3.0, kNaN, -kInf}), 0);
  EXPECT_EQ(nans.indices.to_vector<int64_t>(), (Places{0, 1, 1, 3, 3}));
  EXPECT_TRUE(std::isnan(values(nans.values)[4]));
  EXPECT_EQ(cummax(tensor({-kInf, -kInf}), 0).indices.to_vector<int64_t>(), (Places{0, 1}));
  // The gradient of what was met several times adds up.
  const Tensor x = tensor({3.0, 1.0, 5.0, 2.0}).requires_grad_();
  cummax(x, 0).values.sum().backward();
  EXPECT_EQ(values(x.grad()), Numbers({2, 0, 2, 0}));
}

TEST(Scans, LogCumSumExpOfExtremes) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    SCOPED_TRACE(name(dtype));
    const auto scan = [&](const Tensor& x) { return values(logcumsumexp(x.to(dtype), 0)); };
    const double near = dtype == DType::f64 ? 1e-15 : 1e-7;
    const Numbers steps = scan(tensor({-1000.0, 0.0, 1000.0, -1000.0, 1000.0}));
    EXPECT_EQ(steps[0], -1000);
    EXPECT_EQ(steps[1], 0);
    EXPECT_EQ(steps[2], 1000);
    EXPECT_EQ(steps[3], 1000);
    EXPECT_NEAR(steps[4], 1000 + std::log(2), 1000 * near);
    const Numbers none = scan(tensor({-kInf, -kInf, 1.0, -kInf, 2.0}));
    EXPECT_EQ(none[0], -kInf);
    EXPECT_EQ(none[1], -kInf);
    EXPECT_NEAR(none[3], 1, near);
    EXPECT_NEAR(none[4], 2 + std::log1p(std::exp(-1)), 4 * near);
    const Numbers all = scan(tensor({1.0, kInf, 2.0, kInf, kNaN, 1.0}));
    EXPECT_EQ(all[1], kInf);
    EXPECT_EQ(all[2], kInf);
    EXPECT_EQ(all[3], kInf);
    EXPECT_TRUE(std::isnan(all[4]) && std::isnan(all[5]));
  }
  const Tensor x = tensor({-kInf, -kInf, 1.0, -kInf}).requires_grad_();
  logcumsumexp(x, 0).sum().backward();
  EXPECT_EQ(values(x.grad())[0], 0);  // where PyTorch has NaN
  EXPECT_EQ(values(x.grad())[3], 0);
}

TEST(Scans, ThirdDerivativesOfProductsBesideZeros) {
  const Tensor x = zeros({3}, DType::f64).requires_grad_();
  const GradOptions recorded{.create_graph = true};
  const Tensor da = select(grad({cumprod(x, 0).sum()}, {x}, recorded)[0], 0, 0);  // 1 + b + bc
  EXPECT_EQ(da.item(), 1.0);
  const Tensor dab = select(grad({da}, {x}, recorded)[0], 0, 1);  // 1 + c
  EXPECT_EQ(dab.item(), 1.0);
  EXPECT_EQ(values(grad({dab}, {x})[0]), Numbers({0, 0, 1}));
}

TEST(Scans, EveryInstructionSet) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(isas[i]);
    const kernels::ScanTable& table = kernels::kernels_for(isas[i]).scan;
    for (const int64_t n : {1, 3, 4, 7, 16, 17, 255, 256, 257, 1000}) {
      for (const int64_t inner : {1, 5, 64, 67}) {
        const Tensor x = numeric::random({2, n, inner}, 4, DType::f32);
        const Numbers in = values(x);
        for (const bool reverse : {false, true}) {
          std::vector<float> y(in.size());
          table.sum[0](KernelScope(), {x.raw_data(), y.data(), 2, n, inner, reverse});
          for (int64_t line = 0; line < 2 * inner; ++line) {
            double sum = 0;
            for (int64_t j = 0; j < n; ++j) {
              const int64_t at = (line / inner * n + (reverse ? n - 1 - j : j)) * inner;
              const auto e = static_cast<size_t>(at + line % inner);
              sum += in[e];
              ASSERT_NEAR(y[e], sum, 1e-6 * std::max(1.0, std::abs(sum))) << n << " " << inner;
            }
          }
        }
      }
      const Tensor x = numeric::random({2, n}, 5, DType::f32) * 10.0;
      const Numbers in = values(x);
      std::vector<float> y(in.size());
      table.logsumexp[0](KernelScope(), {x.raw_data(), y.data(), nullptr, 2, n});
      double sum = 0;
      for (size_t e = 0; e < in.size(); ++e) {
        sum = (static_cast<int64_t>(e) % n == 0 ? 0 : sum) + std::exp(in[e]);
        ASSERT_NEAR(y[e], std::log(sum), 3e-6) << n << " " << e;
      }
    }
  }
}

}  // namespace
}  // namespace adjoint
