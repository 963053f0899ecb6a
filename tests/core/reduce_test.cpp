#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/kernels/kernels.h"
#include "core/tensor/thread_pool.h"

namespace adjoint {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// Values with a pattern, exactly representable, of both signs.
Tensor pattern(const Shape& shape, DType dtype = DType::f32) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  uint64_t state = 12345;
  for (double& v : values) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    v = static_cast<double>(static_cast<int64_t>(state >> 52)) / 64.0 - 32.0;
  }
  return to(from_vector(values, shape), dtype);
}

// A plain loop: f folds each element into its output, in f64.
template <class F>
std::vector<double> fold(const Tensor& x, const std::vector<int>& dims, double start, F f) {
  const std::vector<double> values = to(x, DType::f64).to_vector<double>();
  Shape keep = x.shape();
  for (int d : dims) keep[d] = 1;
  std::vector<double> result(static_cast<size_t>(keep.numel()), start);
  const Strides steps = contiguous_strides(keep);
  std::vector<int64_t> index(static_cast<size_t>(x.dim()));
  for (double v : values) {
    int64_t at = 0;
    for (int d = 0; d < x.dim(); ++d) {
      if (keep[d] != 1) at += index[static_cast<size_t>(d)] * steps[d];
    }
    double& into = result[static_cast<size_t>(at)];
    into = f(into, v);
    for (int d = x.dim() - 1; d >= 0; --d) {
      if (++index[static_cast<size_t>(d)] < x.shape()[d]) break;
      index[static_cast<size_t>(d)] = 0;
    }
  }
  return result;
}

void expect_near(const Tensor& y, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> got = to(y, DType::f64).to_vector<double>();
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i]))) << i;
  }
}

struct Layout {
  std::string name;
  Tensor x;
  std::vector<int> dims;
};

std::vector<Layout> layouts(DType dtype) {
  const Tensor a = pattern({7, 33, 65}, dtype), b = pattern({5, 3, 4, 6}, dtype);
  return {{"row", a, {2}},
          {"rows", a, {1, 2}},
          {"column", a, {1}},
          {"outer", a, {0}},
          {"outer and inner", a, {0, 2}},
          {"all", a, {0, 1, 2}},
          {"transposed row", a.transpose(0, 2), {2}},
          {"transposed column", a.transpose(1, 2), {0}},
          {"gathered", slice(a, 2, 1, 60, 3), {2}},
          {"gathered columns", slice(a, 2, 1, 60, 3), {1}},
          {"middle", b, {1, 2}},
          {"checkered", b, {0, 2}},
          {"expanded", expand(pattern({4, 1, 6}, dtype), {4, 9, 6}), {1}},
          {"expanded, kept", expand(pattern({4, 1, 6}, dtype), {4, 9, 6}), {0, 2}},
          {"narrow columns", pattern({9000, 3}, dtype), {0}},
          {"wide columns", pattern({300, 1100}, dtype), {0}},
          {"long row", pattern({2, 200001}, dtype), {1}},
          {"one column", pattern({70000, 2}, dtype).transpose(0, 1), {1}},
          {"size one", pattern({4, 1, 3}, dtype), {1}}};
}

Shape as_shape(const std::vector<int>& dims) {
  Shape shape;
  for (int d : dims) shape.push_back(d);
  return shape;
}

TEST(Reduce, SumsAgreeWithLoops) {
  for (DType dtype : {DType::f32, DType::f64, DType::i64, DType::boolean}) {
    for (const Layout& l : layouts(dtype)) {
      SCOPED_TRACE(l.name + " " + name(dtype));
      const Tensor y = sum(l.x, as_shape(l.dims));
      EXPECT_EQ(y.dtype(), is_floating_point(dtype) ? dtype : DType::i64);
      EXPECT_EQ(y.dim(), l.x.dim() - static_cast<int>(l.dims.size()));
      // The patterns are multiples of 1/64, so sums are exact even in f32.
      expect_near(y, fold(l.x, l.dims, 0, [](double s, double v) { return s + v; }),
                  dtype == DType::f32 ? 1e-6 : 0);
    }
  }
}

TEST(Reduce, ExtremaAndVarianceAgreeWithLoops) {
  for (DType dtype : {DType::f32, DType::f64}) {
    for (const Layout& l : layouts(dtype)) {
      SCOPED_TRACE(l.name + " " + name(dtype));
      const Shape dims = as_shape(l.dims);
      expect_near(amax(l.x, dims),
                  fold(l.x, l.dims, -kInf, [](double s, double v) { return std::max(s, v); }), 0);
      expect_near(amin(l.x, dims),
                  fold(l.x, l.dims, kInf, [](double s, double v) { return std::min(s, v); }), 0);
      int64_t n = 1;
      for (int d : l.dims) n *= l.x.shape()[d];
      if (n < 2) continue;
      const auto total = fold(l.x, l.dims, 0, [](double s, double v) { return s + v; });
      const auto squares = fold(l.x, l.dims, 0, [](double s, double v) { return s + v * v; });
      std::vector<double> mean_expected, var_expected;
      const auto count = static_cast<double>(n);
      for (size_t i = 0; i < total.size(); ++i) {
        mean_expected.push_back(total[i] / count);
        var_expected.push_back((squares[i] - total[i] * total[i] / count) / (count - 1));
      }
      expect_near(mean(l.x, dims), mean_expected, 1e-5);
      expect_near(var(l.x, dims), var_expected, dtype == DType::f32 ? 1e-4 : 1e-10);
    }
  }
}

TEST(Reduce, IndicesAreTheFirst) {
  for (DType dtype : {DType::f32, DType::f64, DType::i64, DType::boolean}) {
    for (const Layout& l : layouts(dtype)) {
      if (l.dims.size() != 1) continue;
      SCOPED_TRACE(l.name + " " + name(dtype));
      const int d = l.dims[0];
      const ValuesAndIndices high = max(l.x, d), low = min(l.x, d, kKeepDim);
      EXPECT_EQ(argmax(l.x, d).to_vector<int64_t>(), high.indices.to_vector<int64_t>());
      EXPECT_EQ(low.values.shape()[d], 1);
      const Tensor last = l.x.transpose(d, l.x.dim() - 1).contiguous();
      const auto values = to(last, DType::f64).to_vector<double>();
      const auto unsqueezed = [&](const Tensor& t) {
        return unsqueeze(t, d).transpose(d, l.x.dim() - 1).contiguous();
      };
      const auto top = unsqueezed(high.indices).to_vector<int64_t>();
      const auto top_value = to(unsqueezed(high.values), DType::f64).to_vector<double>();
      const auto bottom = low.indices.transpose(d, l.x.dim() - 1).to_vector<int64_t>();
      const int64_t n = l.x.shape()[d];
      for (size_t o = 0; o < top.size(); ++o) {
        const double* row = values.data() + static_cast<int64_t>(o) * n;
        EXPECT_EQ(top[o], std::max_element(row, row + n) - row);
        EXPECT_EQ(bottom[o], std::min_element(row, row + n) - row);
        EXPECT_EQ(top_value[o], row[top[o]]);
      }
    }
  }
}

TEST(Reduce, NaNWins) {
  const double nan = std::nan("");
  for (int64_t n : {1, 5, 40, 700}) {
    Tensor x = zeros({n}, DType::f32);
    const int64_t at = n / 2;
    x.mutable_data<float>()[at] = static_cast<float>(nan);
    EXPECT_TRUE(std::isnan(max(x).item())) << n;
    EXPECT_TRUE(std::isnan(min(x).item())) << n;
    EXPECT_EQ(argmax(x, 0).item<int64_t>(), at);
    const Tensor columns = unsqueeze(x, 1) + zeros({1, 3});
    EXPECT_EQ(argmax(columns, 0).to_vector<int64_t>(), std::vector<int64_t>(3, at));
    EXPECT_TRUE(std::isnan(amax(columns, {0}).to_vector<float>()[2]));
  }
}

TEST(Reduce, ErrorGrowsSlowly) {
  // 2^24 times 0.1f: a running sum in f32 would be off by more than a tenth. Every rounding here
  // can go the same way, so the bound is that of the longest chain: 64 additions in a leaf where a
  // vector has one lane, and 15 levels of the tree above, of 2^-24 each.
  const double total = double{0.1f} * (1 << 24);
  const Tensor x = full({1 << 24}, 0.1);
  EXPECT_NEAR(sum(x).item(), total, (64 + 15) * 0x1p-24 * total);
  const Tensor columns = full({1 << 20, 16}, 0.1);
  for (float v : sum(columns, {0}).to_vector<float>()) {
    EXPECT_NEAR(v, double{0.1f} * (1 << 20), 0.1);
  }
  // The mean is far from zero: the textbook formula would lose every digit.
  const Tensor shifted = pattern({1000}) / 64 + 10000;
  const double expected = var(pattern({1000}, DType::f64) / 64).item();
  EXPECT_NEAR(var(shifted).item(), expected, 1e-3 * expected);
}

TEST(Reduce, EmptyTensors) {
  EXPECT_EQ(sum(zeros({0, 3})).item(), 0.0);
  EXPECT_EQ(sum(zeros({0, 3}), {0}).to_vector<float>(), std::vector<float>(3, 0.0f));
  EXPECT_EQ(sum(zeros({0, 3}), {1}).shape(), Shape({0}));
  EXPECT_TRUE(std::isnan(mean(zeros({0})).item()));
  EXPECT_TRUE(std::isnan(var(zeros({1})).item()));
  EXPECT_THROW(max(zeros({0})), ShapeError);
  EXPECT_THROW(amax(zeros({2, 0}), {1}), ShapeError);
  EXPECT_EQ(amax(zeros({2, 0}), {0}).shape(), Shape({0}));
  EXPECT_EQ(argmax(zeros({2, 0}), 0).shape(), Shape({0}));
  EXPECT_FALSE(any(zeros({0}, DType::boolean)));
  EXPECT_TRUE(all(zeros({0}, DType::boolean)));
  EXPECT_EQ(sum(scalar(3.0)).item(), 3.0);
  EXPECT_EQ(max(scalar(3.0), 0).indices.item(), 0.0);
}

TEST(Reduce, Predicates) {
  Tensor x = zeros({3, 5}, DType::boolean);
  EXPECT_FALSE(any(x));
  x.mutable_data<bool>()[7] = true;
  EXPECT_TRUE(any(x));
  EXPECT_FALSE(all(x));
  EXPECT_FALSE(any(slice(x, 0, 2)));
  EXPECT_TRUE(all(ones({3, 5}, DType::boolean)));
  EXPECT_FALSE(any(zeros({2})));  // of any dtype, what is not 0 is true
  EXPECT_TRUE(any(tensor({0.0, 0.25})));
  EXPECT_FALSE(all(tensor<int64_t>({2, 0})));

  Tensor y = full({70001}, 1e30);
  EXPECT_TRUE(all_finite(y));
  for (double bad : {kInf, -kInf, std::nan("")}) {
    Tensor z = y.clone();
    z.mutable_data<float>()[70000] = static_cast<float>(bad);
    EXPECT_FALSE(all_finite(z));
  }
  EXPECT_TRUE(all_finite(arange(4)));
}

TEST(Reduce, Gradients) {
  const Tensor x = tensor<double>({1, 5, 5, 2, 0, 7}, {2, 3}).requires_grad_();
  sum(x * x).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{2, 10, 10, 4, 0, 14}));
  x.zero_grad();
  (mean(x, {0}) * tensor<double>({2, 4, 6})).sum().backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{1, 2, 3, 1, 2, 3}));
  x.zero_grad();
  (amax(x, {1}) * tensor<double>({2, 3})).sum().backward();  // ties share
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{0, 1, 1, 0, 0, 3}));
  x.zero_grad();
  (max(x, 1).values * tensor<double>({2, 3})).sum().backward();  // the first takes all
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{0, 2, 0, 0, 0, 3}));
  x.zero_grad();
  min(x, 0, kKeepDim).values.sum().backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{1, 0, 1, 0, 1, 0}));
  x.zero_grad();
  var(x, {1}).sum().backward();  // 2 (x - mean) / (n - 1)
  const auto g = x.grad().to_vector<double>();
  EXPECT_NEAR(g[0], 1 - 11.0 / 3, 1e-12);
  EXPECT_NEAR(g[5], 7 - 3.0, 1e-12);
}

TEST(Reduce, SecondDerivatives) {
  const Tensor x = tensor<double>({1, 2, 4}).requires_grad_();
  // f = var(x)^2: df = 2 var dvar, and the Hessian times v by hand.
  const Tensor y = square(var(x));
  const Tensor g = grad({y}, {x}, {.create_graph = true})[0];
  const Tensor h = grad({sum(g * tensor<double>({1, 0, 0}))}, {x})[0];
  // var = 7/3, dvar = x - mean; H = 2 dvar dvar^T + 2 var (I - 1/3).
  const double mean0 = 7.0 / 3, v = 7.0 / 3, d0 = 1 - mean0;
  const std::vector<double> expected = {2 * d0 * d0 + 2 * v * (1 - 1.0 / 3),
                                        2 * d0 * (2 - mean0) - 2 * v / 3,
                                        2 * d0 * (4 - mean0) - 2 * v / 3};
  expect_near(h, expected, 1e-12);
}

TEST(Reduce, SumToSizeUndoesBroadcasting) {
  const Tensor x = pattern({4, 3, 5});
  EXPECT_EQ(sum_to_size(x, {3, 1}).to_vector<float>(),
            sum(sum(x, {2}, kKeepDim), {0}).to_vector<float>());
  EXPECT_THROW(sum_to_size(x, {2, 5}), ShapeError);
}

TEST(Reduce, MessagesNameTheValues) {
  const Tensor x = zeros({2, 3});
  EXPECT_THROW(sum(x, {2}), IndexError);
  try {
    sum(x, {1, -1});
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(), "sum: dimension -1 twice in (1, -1); expected each dimension once");
  }
  EXPECT_THROW(mean(arange(3)), DTypeError);
}

TEST(Reduce, BitsDoNotDependOnThreads) {
  const Tensor x = pattern({1 << 20}) * 0.1, columns = reshape(x, {1 << 14, 64});
  std::vector<std::vector<float>> results;
  const int before = num_threads();
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    std::vector<float> bits = {static_cast<float>(sum(x).item()),
                               static_cast<float>(var(x).item())};
    for (const Tensor& y : {sum(columns, {0}), sum(columns, {1}), var(columns, {0})}) {
      const auto values = y.to_vector<float>();
      bits.insert(bits.end(), values.begin(), values.end());
    }
    results.push_back(bits);
  }
  set_num_threads(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(Reduce, EveryInstructionSet) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(isas[i]);
    const auto& table = kernels::kernels_for(isas[i]).reduce;
    for (int64_t n : {1, 3, 15, 16, 17, 64, 127, 128, 129, 512, 513, 1000, 70000}) {
      const Tensor x = pattern({n, n < 1000 ? 37 : 3});
      const int64_t width = x.size(1);
      kernels::Reduce r{};
      r.x = x.raw_data();
      r.kept_rank = r.reduced_rank = 1;
      for (bool columns : {false, true}) {
        r.outputs = r.kept_size[0] = columns ? width : n;
        r.count = r.reduced_size[0] = columns ? n : width;
        r.kept_stride[0] = columns ? 1 : width;
        r.reduced_stride[0] = columns ? width : 1;
        r.out_stride[0] = 1;
        std::vector<float> y(static_cast<size_t>(r.outputs));
        r.y = y.data();
        const std::vector<int> dims = {columns ? 0 : 1};
        table.reduce[static_cast<int>(kernels::Reduction::sum)][0](KernelScope(), r);
        expect_near(from_vector(y), fold(x, dims, 0, [](double s, double v) { return s + v; }),
                    1e-5);
        table.reduce[static_cast<int>(kernels::Reduction::max)][0](KernelScope(), r);
        expect_near(from_vector(y),
                    fold(x, dims, -kInf, [](double s, double v) { return std::max(s, v); }), 0);
      }
    }
  }
}

}  // namespace
}  // namespace adjoint
