// Rotary positions and the slopes of ALiBi beside what their rows say.
#include <adjoint/core/attention.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/reductions.h>

#include <cmath>

#include "core/kernels/kernels.h"
#include "core/ops/composed.h"
#include "core/tensor/thread_pool.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

// The scores of two tokens depend on how far apart they are, not on where.
TEST(Rotary, ScoresDependOnDistance) {
  const Tensor q = random({1, 16}, 1), k = random({1, 16}, 2);
  for (const bool interleaved : {false, true}) {
    const RotaryTables tables = rotary_tables(50, 16, 10000, 0, DType::f64);
    const auto score = [&](int64_t at, int64_t distance) {
      const auto turned = [&](const Tensor& x, int64_t position) {
        return rotary_embedding(x, tables.cos, tables.sin,
                                {.interleaved = interleaved, .offset = position});
      };
      return sum(turned(q, at + distance) * turned(k, at)).item();
    };
    for (const int64_t distance : {0, 1, 7}) {
      EXPECT_NEAR(score(0, distance), score(40, distance), 1e-12);
    }
    EXPECT_GT(std::abs(score(0, 1) - score(0, 2)), 1e-3);
  }
}

// The two pairings are the same turns of elements in another order.
TEST(Rotary, PairingsDifferByAnOrder) {
  const Tensor x = random({3, 8}, 1);
  const RotaryTables t = rotary_tables(3, 8, 10000, 0, DType::f64);
  const Tensor halves = rotary_embedding(x, t.cos, t.sin);
  const Tensor mixed = reshape(transpose(reshape(x, {3, 2, 4}), 1, 2), {3, 8});
  const Tensor pairs = rotary_embedding(mixed, t.cos, t.sin, {.interleaved = true});
  expect_close(reshape(transpose(reshape(pairs, {3, 4, 2}), 1, 2), {3, 8}), halves, 0);
}

TEST(Rotary, BackIsTheOtherWay) {
  const Tensor x = random({2, 5, 12}, 1);
  const RotaryTables t = rotary_tables(9, 8, 100, 3, DType::f64);
  for (const bool interleaved : {false, true}) {
    const RotaryOptions options{.interleaved = interleaved, .offset = 4};
    const Tensor y = rotary_embedding(x, t.cos, t.sin, options);
    expect_close(rotary_embedding(y, t.cos, t.sin * -1.0, options), x, 1e-14);
    expect_close(slice(y, 2, 8), slice(x, 2, 8), 0);
  }
}

// A token that is decoded is turned as it was in the whole sequence; positions say the same.
TEST(Rotary, OffsetsAndPositions) {
  const Tensor x = random({2, 3, 6, 8}, 1, DType::f32);
  const RotaryTables t = rotary_tables(6, 8);
  const Tensor whole = rotary_embedding(x, t.cos, t.sin);
  for (const int64_t at : {0, 3, 5}) {
    const Tensor token = slice(x, 2, at, at + 1);
    expect_same_bits(rotary_embedding(token, t.cos, t.sin, {.offset = at}),
                     slice(whole, 2, at, at + 1));
    expect_same_bits(
        rotary_embedding(token, t.cos, t.sin, {.positions = full({2, 1, 1}, at, DType::i64)}),
        slice(whole, 2, at, at + 1));
  }
  const RotaryTables later = rotary_tables(2, 8, 10000, 4);
  expect_same_bits(rotary_embedding(slice(x, 2, 4, 6), later.cos, later.sin),
                   slice(whole, 2, 4, 6));
  EXPECT_THROW(rotary_embedding(x, t.cos, t.sin, {.positions = zeros({7}, DType::i64)}),
               ShapeError);
  EXPECT_THROW(rotary_embedding(x, t.cos, t.sin, {.offset = 1}), IndexError);
}

// Heads of a packed projection keep their layout, so that attention's output does.
TEST(Rotary, KeepsTheLayout) {
  const Tensor x = random({2, 7, 3, 8}, 1).transpose(1, 2);
  const RotaryTables t = rotary_tables(7, 8, 10000, 0, DType::f64);
  EXPECT_EQ(rotary_embedding(x, t.cos, t.sin).strides(), x.strides());
  expect_close(rotary_embedding(x, t.cos, t.sin), rotary_embedding(x.contiguous(), t.cos, t.sin),
               0);
}

TEST(Rotary, TurnsInF32AndRoundsOnce) {
  const Tensor x = random({4, 64}, 1, DType::f32).to(DType::bf16);
  const RotaryTables t = rotary_tables(4, 64);
  expect_same_bits(rotary_embedding(x, t.cos, t.sin),
                   rotary_embedding(x.to(DType::f32), t.cos, t.sin).to(DType::bf16));
}

TEST(Rotary, EachInstructionSet) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  for (const bool interleaved : {false, true}) {
    const Tensor x = random({3, 150}, 1), cos = random({3, 70}, 2), sin = random({3, 70}, 3);
    const Tensor expected = composed::rotary_embedding(x, cos, sin, interleaved);
    for (int i = 0; i < count; ++i) {
      const Tensor y = empty({3, 150}, DType::f64);
      kernels::Rotary op{};
      op.width = 150;
      op.pairs = 70;
      op.interleaved = interleaved;
      op.rank = 1;
      op.size[0] = 3;
      op.x_stride[0] = op.y_stride[0] = 150;
      op.table_stride[0] = 70;
      op.x = x.raw_data();
      op.cos = cos.raw_data();
      op.sin = sin.raw_data();
      op.y = y.mutable_data<double>();
      kernels::kernels_for(isas[i]).rotary.rotate[static_cast<int>(DType::f64)](KernelScope(), op);
      expect_close(y, expected, 1e-15, isas[i]);
    }
  }
}

TEST(Alibi, SlopesAreThePapers) {
  EXPECT_EQ(values(alibi_slopes(1)), (std::vector<double>{0x1p-8}));
  const auto twelve = values(alibi_slopes(12, DType::f64)), eight = values(alibi_slopes(8)),
             sixteen = values(alibi_slopes(16, DType::f64));
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(twelve[i], eight[i]);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(twelve[8 + i], sixteen[2 * i]);
}

}  // namespace
}  // namespace adjoint
