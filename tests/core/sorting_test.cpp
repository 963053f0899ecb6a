// Orders: every dtype and length, ties, NaN, zeros of both signs, every instruction set.
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/sorting.h>

#include <limits>
#include <numeric>

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

constexpr DType kAll[] = {DType::f64, DType::f32, DType::bf16, DType::f16,
                          DType::i64, DType::i32, DType::u8,   DType::boolean};

// Many equal ones among them, of both signs where there are signs.
Tensor repeating(int64_t n, DType dtype) {
  const bool is_signed = dtype != DType::u8 && dtype != DType::boolean;
  const Tensor x = floor(numeric::random({n}, static_cast<uint64_t>(n)) * 60.0) * 0.5;
  return (is_signed ? x : x + 30.0).to(dtype);
}

// NaN last.
bool before(double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; }

Places order_of(const Numbers& v, bool descending) {
  Places order(v.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const double x = v[static_cast<size_t>(a)], y = v[static_cast<size_t>(b)];
    return descending ? before(y, x) : before(x, y);
  });
  return order;
}

TEST(Sort, EveryDTypeAndLength) {
  for (const DType dtype : kAll) {
    for (const int64_t n : {1, 2, 16, 17, 49, 192, 193, 1025, 70000}) {
      for (const bool descending : {false, true}) {
        SCOPED_TRACE(std::string(name(dtype)) + " " + std::to_string(n));
        const Tensor x = repeating(n, dtype);
        const ValuesAndIndices y = sort(x, 0, descending);
        EXPECT_EQ(y.values.dtype(), dtype);
        const Places expected = order_of(values(x), descending);
        ASSERT_EQ(y.indices.to_vector<int64_t>(), expected);
        const Numbers in = values(x), out = values(y.values);
        for (size_t i = 0; i < out.size(); ++i) {
          ASSERT_EQ(out[i], in[static_cast<size_t>(expected[i])]);
        }
      }
    }
  }
}

// As the type itself, for conversions of tensors take denormal numbers for 0.
template <class T>
Tensor special() {
  std::vector<T> v;
  for (const double x : {kNaN, 0.0, kInf, -0.0, 1e-40, -kInf, -kNaN, -1e-40, 1.0, 0.0}) {
    v.push_back(static_cast<T>(x));
  }
  return from_vector(v);
}

TEST(Sort, NaNZerosInfinitiesAndDenormals) {
  for (const Tensor& x : {special<double>(), special<float>(), special<bfloat16>()}) {
    SCOPED_TRACE(name(x.dtype()));
    EXPECT_EQ(argsort(x).to_vector<int64_t>(), (Places{5, 7, 1, 3, 9, 4, 8, 2, 0, 6}));
    EXPECT_EQ(argsort(x, 0, true).to_vector<int64_t>(), (Places{0, 6, 2, 8, 4, 1, 3, 9, 7, 5}));
  }
  EXPECT_TRUE(std::signbit(values(sort(special<double>()).values)[3]));
  const Tensor ends = tensor<int64_t>({INT64_MAX, INT64_MIN, 0, -1});
  EXPECT_EQ(argsort(ends).to_vector<int64_t>(), (Places{1, 3, 2, 0}));
}

TEST(Sort, GradientsGoWhereElementsCameFrom) {
  const Tensor x = tensor({3.0, 1.0, 2.0}).requires_grad_();
  (sort(x).values * tensor({10.0, 20.0, 30.0})).sum().backward();
  EXPECT_EQ(values(x.grad()), Numbers({30, 10, 20}));
  const Tensor half = tensor({3.0, 1.0, 2.0}).to(DType::bf16).requires_grad_();
  topk(half, 2).values.sum().backward();
  EXPECT_EQ(values(half.grad()), Numbers({1, 0, 1}));
  EXPECT_EQ(half.grad().dtype(), DType::bf16);
}

TEST(TopK, EveryDTypeAndK) {
  for (const DType dtype : kAll) {
    for (const int64_t k : {1, 2, 16, 17, 60, 299, 600, 1400}) {
      for (const bool largest : {false, true}) {
        SCOPED_TRACE(std::string(name(dtype)) + " " + std::to_string(k));
        const Tensor x = repeating(1400, dtype);
        Places expected = order_of(values(x), largest);
        expected.resize(static_cast<size_t>(k));
        EXPECT_EQ(topk(x, k, -1, largest).indices.to_vector<int64_t>(), expected);
        std::sort(expected.begin(), expected.end());
        EXPECT_EQ(topk(x, k, -1, largest, false).indices.to_vector<int64_t>(), expected);
      }
    }
  }
}

TEST(TopK, RisingRowsAndNaN) {
  // Each element is better than all before it: what is gathered is reduced again and again.
  const Tensor x = arange(20000, DType::f32);
  for (const int64_t k : {1, 16, 17, 300}) {
    const Places at = topk(x, k).indices.to_vector<int64_t>();
    for (int64_t i = 0; i < k; ++i) ASSERT_EQ(at[static_cast<size_t>(i)], 19999 - i);
  }
  const Tensor nans = tensor({1.0, kNaN, 3.0, kNaN});
  EXPECT_EQ(topk(nans, 3).indices.to_vector<int64_t>(), (Places{1, 3, 2}));
  EXPECT_EQ(topk(nans, 3, 0, false).indices.to_vector<int64_t>(), (Places{0, 2, 1}));
  EXPECT_EQ(topk(zeros({3, 4}), 0).values.shape(), Shape({3, 0}));
}

TEST(Unique, NaNAndZeros) {
  const UniqueValues y = unique(tensor({kNaN, -0.0, 1.0, kNaN, 0.0}), true, true, true);
  const Numbers found = values(y.values);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0], 0);
  EXPECT_EQ(found[1], 1);
  EXPECT_TRUE(std::isnan(found[2]) && std::isnan(found[3]));
  EXPECT_EQ(y.inverse.to_vector<int64_t>(), (Places{2, 0, 1, 3, 0}));
  EXPECT_EQ(y.counts.to_vector<int64_t>(), (Places{2, 1, 1, 1}));
  EXPECT_FALSE(unique(tensor({1.0})).inverse.defined());
  const UniqueValues rows = unique(tensor({kNaN, 1.0, kNaN, 1.0}, {2, 2}), true, false, true, 0);
  EXPECT_EQ(rows.values.shape(), Shape({2, 2}));
}

TEST(Unique, EveryDType) {
  for (const DType dtype : kAll) {
    SCOPED_TRACE(name(dtype));
    const Tensor x = tensor<int64_t>({1, 0, 1, 1, 0, 0}, {3, 2}).to(dtype);
    const UniqueValues y = unique(x, true, true, true);
    EXPECT_EQ(y.values.dtype(), dtype);
    EXPECT_EQ(values(y.values), Numbers({0, 1}));
    EXPECT_EQ(y.inverse.to_vector<int64_t>(), (Places{1, 0, 1, 1, 0, 0}));
    EXPECT_EQ(y.inverse.shape(), x.shape());
    const UniqueValues rows = unique(x, true, true, true, 0);
    EXPECT_EQ(values(rows.values), Numbers({0, 0, 1, 0, 1, 1}));
    EXPECT_EQ(rows.inverse.to_vector<int64_t>(), (Places{1, 2, 0}));
  }
}

TEST(Search, NaNInfinitiesAndDTypes) {
  const Tensor edges = tensor({-1.0, 0.0, 0.0, 2.0});
  const Tensor x = tensor({-kInf, -1.0, 0.0, 1.0, 2.0, kInf, kNaN});
  EXPECT_EQ(searchsorted(edges, x).to_vector<int64_t>(), (Places{0, 0, 1, 3, 3, 4, 4}));
  EXPECT_EQ(searchsorted(edges, x, true).to_vector<int64_t>(), (Places{0, 1, 3, 3, 4, 4, 4}));
  EXPECT_EQ(searchsorted(tensor<int64_t>({1, 3, 5}), 3).item<int64_t>(), 1);
  EXPECT_EQ(searchsorted(tensor<int64_t>({1, 3, 5}), 3.5).item<int64_t>(), 2);
  EXPECT_EQ(bucketize(tensor<int64_t>({1, 2}), tensor({1.5})).to_vector<int64_t>(), (Places{0, 1}));
}

TEST(Histc, IgnoresWhatIsOutside) {
  const Tensor x = tensor({-1.0, 0.0, 0.5, 1.0, 1.5, kNaN});
  EXPECT_EQ(values(histc(x, 2, 0, 1)), Numbers({1, 2}));
  EXPECT_EQ(histc(x.to(DType::bf16), 2, 0, 1).dtype(), DType::bf16);
  EXPECT_THROW(histc(x, 2), ShapeError);  // its own range is NaN
  EXPECT_THROW(histc(tensor({1.0, kInf}), 2), ShapeError);
}

TEST(Mode, TakesTheSmallestOfEquallyCommonOnes) {
  for (const DType dtype : kAll) {
    if (dtype == DType::boolean) continue;
    const ValuesAndIndices y = mode(tensor({3.0, 1.0, 3.0, 1.0, 2.0}).to(dtype));
    EXPECT_EQ(values(y.values), Numbers{1}) << name(dtype);
    EXPECT_EQ(y.indices.item<int64_t>(), 3);
    EXPECT_EQ(y.values.dtype(), dtype);
  }
  EXPECT_EQ(values(mode(tensor({kNaN, kNaN, 5.0, 5.0})).values), Numbers{5});
  EXPECT_TRUE(std::isnan(mode(tensor({kNaN, kNaN})).values.item()));
}

TEST(Kthvalue, NanIsTheLargest) {
  const Tensor x = tensor({1.0, kNaN, -kInf, kInf});
  EXPECT_EQ(kthvalue(x, 1).values.item(), -kInf);
  EXPECT_EQ(kthvalue(x, 3).values.item(), kInf);
  EXPECT_EQ(kthvalue(x, 4).indices.item<int64_t>(), 1);
}

TEST(UniqueConsecutive, NanEqualsNothing) {
  const UniqueValues y = unique_consecutive(tensor({0.0, -0.0, kNaN, kNaN, 1.0}), true, true);
  EXPECT_EQ(y.inverse.to_vector<int64_t>(), (Places{0, 0, 1, 2, 3}));
  EXPECT_EQ(y.counts.to_vector<int64_t>(), (Places{2, 1, 1, 1}));
  EXPECT_FALSE(unique_consecutive(arange(3)).counts.defined());
}

TEST(Bincount, WeightsKeepTheirDtype) {
  const Tensor x = tensor<int64_t>({1, 1, 4});
  EXPECT_EQ(bincount(x).to_vector<int64_t>(), (Places{0, 2, 0, 0, 1}));
  EXPECT_EQ(bincount(x.to(DType::u8)).dtype(), DType::i64);
  EXPECT_EQ(values(bincount(x, x, 6)), Numbers({0, 2, 0, 0, 4, 0}));
  EXPECT_EQ(bincount(x, x).dtype(), DType::f64);
  // Summed in f32, and rounded once: 256 + 1 is no number of bf16.
  const Tensor sums = bincount(zeros({3}, DType::i64), tensor({256.0, 1.0, 1.0}).to(DType::bf16));
  EXPECT_EQ(sums.dtype(), DType::bf16);
  EXPECT_EQ(values(sums), Numbers{258});
}

TEST(Isin, PromotesAndKnowsNoNan) {
  EXPECT_EQ(isin(tensor<int64_t>({1, 2}), tensor({1.5, 2.0})).to_vector<bool>(),
            (std::vector<bool>{false, true}));
  EXPECT_EQ(isin(tensor({kNaN, kInf}), tensor({kInf, kNaN})).to_vector<bool>(),
            (std::vector<bool>{false, true}));
  EXPECT_TRUE(isin(2, arange(3)).item<bool>());
  EXPECT_FALSE(isin(ones({}, DType::boolean), zeros({1}, DType::boolean)).item<bool>());
}

TEST(Sort, EveryInstructionSet) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(isas[i]);
    const kernels::SortTable& table = kernels::kernels_for(isas[i]).sort;
    for (const int64_t n : {1, 16, 17, 64, 192, 193, 3000}) {
      const Tensor x = repeating(n, DType::f32);
      const Numbers in = values(x);
      kernels::Ranking r{x.raw_data(), 1, n, std::min<int64_t>(n, 40), true, true};
      Places expected = order_of(in, true), got(expected.size());
      table.order[kernels::kF32](KernelScope(), r, got.data());
      EXPECT_EQ(got, expected);
      expected.resize(static_cast<size_t>(r.k));
      got.resize(expected.size());
      table.top[kernels::kF32](KernelScope(), r, got.data());
      EXPECT_EQ(got, expected);
      r.k = n / 2;
      const double value = in[static_cast<size_t>(order_of(in, false)[static_cast<size_t>(n / 2)])];
      int64_t at = 0;
      table.kth[kernels::kF32](KernelScope(), r, &at);
      EXPECT_EQ(in[static_cast<size_t>(at)], value);
    }
  }
}

}  // namespace
}  // namespace adjoint
