#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>

#include "core/kernels/kernels.h"
#include "core/ops/composed.h"
#include "core/tensor/thread_pool.h"
#include "tests/core/numeric.h"
#include "tests/golden/network_ops.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

const std::vector<std::pair<Shape, int64_t>> kCases = {
    {{5}, 0},      {{3, 7}, -1},     {{3, 7}, 0},      {{2, 3, 4}, 1},  {{2, 3, 4}, 2},
    {{1, 100}, 1}, {{4, 33, 21}, 1}, {{4, 33, 21}, 0}, {{}, 0},         {{0, 3}, 1},
    {{3, 0}, 1},   {{3, 0}, 0},      {{2, 1}, 1},      {{300, 65}, -1},
};

TEST(Softmax, MatchesPyTorch) {
  const Tensor x = wave({2, 3, 4}, 1) * 3.0;
  expect_golden([](const std::vector<Tensor>& in) { return softmax(in[0], 1); }, {x},
                golden::kSoftmax);
  expect_golden([](const std::vector<Tensor>& in) { return log_softmax(in[0], -1); }, {x},
                golden::kLogSoftmax);
}

TEST(Softmax, MatchesItsDefinition) {
  for (const auto& [shape, dim] : kCases) {
    const Tensor x = random(shape, 1) * 10.0;
    if (x.numel() > 0) {
      expect_close(softmax(x, dim), composed::softmax(x, dim), 1e-14, to_string(shape));
      expect_close(log_softmax(x, dim), composed::log_softmax(x, dim), 1e-13, to_string(shape));
      expect_close(softmax(x.to(DType::f32), dim), composed::softmax(x, dim), 3e-6);
      expect_close(log_softmax(x.to(DType::f32), dim), composed::log_softmax(x, dim), 3e-6);
    } else {
      EXPECT_EQ(softmax(x, dim).shape(), shape);
    }
    if (x.numel() > 1000) continue;
    const int64_t d = dim;
    expect_gradients([d](const std::vector<Tensor>& in) { return softmax(in[0], d); }, {x});
    expect_gradients([d](const std::vector<Tensor>& in) { return log_softmax(in[0], d); }, {x});
  }
}

TEST(Softmax, SecondGradients) {
  const Tensor x = random({2, 3}, 1);
  expect_second_gradients([](const std::vector<Tensor>& in) { return softmax(in[0], 1); }, {x});
  expect_second_gradients([](const std::vector<Tensor>& in) { return log_softmax(in[0], 0); }, {x});
}

TEST(Softmax, StridedInputs) {
  const Tensor x = random({4, 3, 5}, 1).permute({2, 0, 1});
  expect_close(softmax(x, 1), composed::softmax(x, 1), 1e-14);
  const Tensor e = expand(random({4, 1}, 1), {4, 6});
  expect_close(softmax(e, 1), full({4, 6}, 1.0 / 6, DType::f64), 1e-15);
  expect_gradients([](const std::vector<Tensor>& in) { return softmax(in[0], 1).transpose(0, 2); },
                   {x});
}

TEST(Softmax, LargeAndInfiniteValues) {
  const double inf = INFINITY;
  const Tensor x = tensor<double>({1000, 999, -inf, -inf, -inf, -inf, 0, 0, 0}, {3, 3});
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto y = values(softmax(x.to(dtype), 1));
    EXPECT_NEAR(y[0], 1 / (1 + std::exp(-1.0)), 1e-6);
    EXPECT_EQ(y[2], 0);
    EXPECT_TRUE(std::isnan(y[3]) && std::isnan(y[4]) && std::isnan(y[5]));
    EXPECT_NEAR(y[6], 1.0 / 3, 1e-7);
    const auto z = values(log_softmax(x.to(dtype), 1));
    EXPECT_NEAR(z[1], -1 - std::log1p(std::exp(-1.0)), 1e-6);
    EXPECT_EQ(z[2], -inf);
    EXPECT_TRUE(std::isnan(z[3]));
  }
  // A NaN or an infinity spoils its row and no other.
  for (const double bad : {NAN, INFINITY}) {
    const auto y =
        values(softmax(tensor<float>({1, static_cast<float>(bad), 3, 4, 5, 6}, {2, 3}), 1));
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2]));
    EXPECT_FALSE(std::isnan(y[3]));
  }
}

TEST(Softmax, EachInstructionSet) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  const Tensor x = random({7, 37, 3}, 1) * 5.0;
  for (int i = 0; i < count; ++i) {
    const kernels::SoftmaxTable& table = kernels::kernels_for(isas[i]).softmax;
    for (const kernels::Lines& lines : {kernels::Lines{7, 37, 3}, kernels::Lines{7, 111, 1}}) {
      for (const DType dtype : {DType::f32, DType::f64}) {
        const Tensor x0 = x.to(dtype).reshape({lines.outer, lines.n, lines.inner});
        const Tensor y = empty_like(x0);
        table.softmax[static_cast<int>(dtype)](KernelScope(), lines, x0.raw_data(),
                                               const_cast<void*>(y.raw_data()));
        expect_close(y, composed::softmax(x0.to(DType::f64), 1), 1e-6, isas[i]);
        table.log_softmax[static_cast<int>(dtype)](KernelScope(), lines, x0.raw_data(),
                                                   const_cast<void*>(y.raw_data()));
        expect_close(y, composed::log_softmax(x0.to(DType::f64), 1), 1e-6, isas[i]);
      }
    }
  }
}

TEST(Softmax, ThreadsDoNotChangeBits) {
  const Tensor x = random({300, 65}, 1, DType::f32), dy = random({300, 65}, 2, DType::f32);
  for (const int64_t dim : {0, 1}) {
    expect_same_on_threads([&] {
      const Function f = [dim](const std::vector<Tensor>& in) { return softmax(in[0], dim); };
      return std::vector<Tensor>{f({x}), gradients(f, {x}, dy)[0]};
    });
  }
}

TEST(Softmax, Errors) {
  EXPECT_THROW(softmax(arange(3), 0), DTypeError);
  EXPECT_THROW(softmax(random({2, 3}, 1), 2), IndexError);
  EXPECT_THROW(log_softmax(random({2, 3}, 1), -3), IndexError);
}

}  // namespace
}  // namespace adjoint
