// Recurrent layers beyond what the catalogue's rows check: division of work, lengths, single steps.
#include <adjoint/core/layout.h>
#include <adjoint/core/multiply_adds.h>
#include <adjoint/core/recurrent.h>
#include <adjoint/core/reductions.h>

#include <limits>

#include "core/ops/recurrent.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using Tensors = std::vector<Tensor>;

RecurrentWeights weights_of(int64_t gates, int64_t inputs, int64_t hidden, DType dtype,
                            int64_t projected = 0) {
  const auto draw = [&](const Shape& shape, uint64_t seed) {
    return (numeric::random(shape, seed) * 0.1).to(dtype);
  };
  const int64_t out = projected > 0 ? projected : hidden;
  RecurrentWeights w{draw({gates * hidden, inputs}, 1), draw({gates * hidden, out}, 2),
                     draw({gates * hidden}, 3), draw({gates * hidden}, 4)};
  if (projected > 0) w.weight_hr = draw({projected, hidden}, 5);
  return w;
}

Tensors in_order(const Tensor& x, const RecurrentWeights& w) {
  return {x, {}, {}, w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh, w.weight_hr};
}

Tensors leaves_of(const Tensors& x) {
  Tensors result;
  for (const Tensor& one : x) {
    result.push_back(one.defined() ? one.detach().clone().requires_grad_() : one);
  }
  return result;
}

RecurrentWeights weights_from(const Tensors& x) {
  return {x[kWeightIh], x[kWeightHh], x[kBiasIh], x[kBiasHh], x[kWeightHr]};
}

// Outputs and gradients of the sum of their squares.
Tensors with_gradients(const Tensors& outputs, const Tensors& x) {
  Tensor loss = zeros({}, x[0].dtype());
  Tensors all;
  for (const Tensor& y : outputs) {
    if (!y.defined()) continue;
    loss = loss + sum(y * y);
    all.push_back(y.detach());
  }
  loss.backward();
  for (const Tensor& one : x) {
    if (one.defined()) all.push_back(one.grad());
  }
  return all;
}

// Sums longer than a block of K, columns that fill no vector, fewer items than a thread takes and
// more: against the definition, in f64, whose sums are other ones.
TEST(Recurrent, LargeGradientsAreTheDefinitions) {
  struct Case {
    int64_t batch, hidden, projected;
  };
  for (const Case& c : {Case{3, 403, 0}, Case{70, 37, 0}, Case{5, 45, 401}}) {
    SCOPED_TRACE(c.batch);
    const RecurrentWeights w = weights_of(4, 5, c.hidden, DType::f64, c.projected);
    const Tensors x = in_order(numeric::random({3, c.batch, 5}, 9), w);
    const Tensors own = leaves_of(x), theirs = leaves_of(x);
    const auto [y, h, memory] = lstm(own[kX], {}, {}, weights_from(own));
    const Tensors a = with_gradients({y, h, memory}, own);
    const Tensors b = with_gradients(
        composed::recurrent(kernels::Cell::lstm, theirs, RecurrentOptions()), theirs);
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      numeric::expect_close_to_largest(a[i], b[i], 1e-13, "tensor " + std::to_string(i));
    }
  }
}

// Few items are divided by columns, step by step; many by rows, once.
TEST(Recurrent, ThreadsDoNotChangeBits) {
  for (const int64_t batch : {2, 33}) {
    for (const int64_t projected : {0, 96}) {
      SCOPED_TRACE(batch);
      const Tensors x = in_order(numeric::random({3, batch, 7}, 9, DType::f32),
                                 weights_of(4, 7, 321, DType::f32, projected));
      numeric::expect_same_on_threads([&] {
        const Tensors own = leaves_of(x);
        const auto [y, h, c] = lstm(own[kX], {}, {}, weights_from(own));
        return with_gradients({y, h, c}, own);
      });
    }
  }
}

// Generating step by step continues what a whole sequence computed, to the bit.
TEST(Recurrent, StepsAreTheWhole) {
  const NoGrad guard;
  const Tensor x = numeric::random({4, 3, 6}, 9, DType::f32);
  const RecurrentWeights four = weights_of(4, 6, 90, DType::f32);
  const LstmResult whole = lstm(x, {}, {}, four);
  LstmState s{zeros({3, 90}), zeros({3, 90})};
  for (int64_t t = 0; t < 4; ++t) {
    s = lstm_cell(select(x, 0, t), s.h, s.c, four);
    numeric::expect_same_bits(s.h, select(whole.output, 0, t));
  }
  numeric::expect_same_bits(s.c, whole.c_n);
  const RecurrentWeights three = weights_of(3, 6, 90, DType::f32);
  const RecurrentResult gates = gru(x, {}, three);
  Tensor h = zeros({3, 90});
  for (int64_t t = 0; t < 4; ++t) h = gru_cell(select(x, 0, t), h, three);
  numeric::expect_same_bits(h, gates.h_n);
}

// An item of its own length has the bits that it has alone, whatever stands behind its end: NaN
// reaches neither results nor gradients.
TEST(Recurrent, ItemsEndWhereTheirLengthsSay) {
  const std::vector<int64_t> lengths{2, 5, 3};
  const RecurrentWeights w = weights_of(3, 4, 20, DType::f32);
  for (const bool reverse : {false, true}) {
    SCOPED_TRACE(reverse);
    const Tensor x = numeric::random({3, 5, 4}, 9, DType::f32);
    const Tensor filled = where(unsqueeze(unsqueeze(from_vector(lengths), 1) > arange(5), 2), x,
                                std::numeric_limits<double>::quiet_NaN());
    const Tensors in = leaves_of(in_order(filled, w));
    const auto [y, h] =
        gru(in[kX], {}, weights_from(in),
            {.batch_first = true, .reverse = reverse, .lengths = from_vector(lengths)});
    for (int64_t b = 0; b < 3; ++b) {
      const int64_t length = lengths[static_cast<size_t>(b)];
      const NoGrad guard;
      const auto [own, last] = gru(slice(slice(x, 0, b, b + 1), 1, 0, length), {}, w,
                                   {.batch_first = true, .reverse = reverse});
      const Tensor row = slice(y, 0, b, b + 1);
      numeric::expect_same_bits(slice(row, 1, 0, length), own);
      EXPECT_EQ(sum(abs(slice(row, 1, length, 6))).item(), 0);
      numeric::expect_same_bits(slice(h, 0, b, b + 1), last);
    }
    for (const Tensor& one : with_gradients({y, h}, in)) {
      for (const double v : numeric::values(one)) ASSERT_TRUE(std::isfinite(v));
    }
  }
}

TEST(Recurrent, CountsItsMultiplyAdds) {
  const Tensor x = numeric::random({5, 3, 4}, 9, DType::f32);
  const MultiplyAddCounter counter;
  lstm(x, {}, {}, weights_of(4, 4, 6, DType::f32, 2));
  EXPECT_EQ(counter.count(), 5 * 3 * (24 * 4 + 24 * 2 + 2 * 6));
  lstm_cell(select(x, 0, 0), {}, {}, weights_of(4, 4, 6, DType::f32));
  EXPECT_EQ(counter.count(), 5 * 3 * (24 * 4 + 24 * 2 + 2 * 6) + 3 * (24 * 4 + 24 * 6));
}

}  // namespace
}  // namespace adjoint
