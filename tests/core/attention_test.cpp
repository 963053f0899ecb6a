#include <adjoint/core/attention.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/pointwise.h>

#include <cmath>
#include <string>
#include <tuple>

#include "core/kernels/kernels.h"
#include "core/ops/composed.h"
#include "tests/core/numeric.h"
#include "tests/golden/network_ops.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

Function fused(const AttentionOptions& options = {}) {
  return [options](const std::vector<Tensor>& x) {
    AttentionOptions o = options;
    if (x.size() > 3) o.mask = x[3];
    return scaled_dot_product_attention(x[0], x[1], x[2], o);
  };
}
Function plain(const AttentionOptions& options = {}) {
  return [options](const std::vector<Tensor>& x) {
    AttentionOptions o = options;
    if (x.size() > 3) o.mask = x[3];
    return composed::scaled_dot_product_attention(x[0], x[1], x[2], o);
  };
}

// Values and gradients of the kernel against those of the definition.
void expect_matches(const AttentionOptions& options, const std::vector<Tensor>& inputs,
                    double tolerance = 1e-11) {
  const Tensor expected = plain(options)(inputs);
  expect_close(fused(options)(inputs), expected, tolerance, "values");
  const Tensor dy = random(expected.shape(), 9, expected.dtype());
  const auto got = gradients(fused(options), inputs, dy);
  const auto want = gradients(plain(options), inputs, dy);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (want[i].defined())
      expect_close(got[i], want[i], tolerance, "gradient " + std::to_string(i));
  }
}

TEST(Attention, MatchesPyTorch) {
  const Tensor q = wave({2, 2, 4, 3}, 1), k = wave({2, 2, 5, 3}, 2), v = wave({2, 2, 5, 2}, 3);
  expect_golden(fused(), {q, k, v}, golden::kAttention);
  expect_golden(fused({.is_causal = true}), {q, k, v}, golden::kAttentionCausal);
  expect_golden(fused({.mask = wave({2, 1, 4, 5}, 6) > 0.0}), {q, k, v}, golden::kAttentionAllowed);
  expect_golden(fused({.scale = 0.3}), {q, k, v, wave({4, 5}, 7)}, golden::kAttentionBias);
}

TEST(Attention, MatchesItsDefinition) {
  struct Case {
    Shape batch;
    int64_t l, s, e, ev;
  };
  for (const Case& c : {Case{{}, 3, 4, 2, 5},
                        {{2}, 1, 70, 16, 16},
                        {{2, 3}, 65, 65, 8, 8},
                        {{1, 2}, 130, 300, 20, 33},
                        {{2}, 300, 130, 32, 16},
                        {{}, 64, 128, 400, 1},
                        {{2, 1, 2}, 5, 5, 1, 1}}) {
    const auto shape = [&](int64_t rows, int64_t columns) {
      Shape s = c.batch;
      s.push_back(rows);
      s.push_back(columns);
      return s;
    };
    const std::vector<Tensor> in{random(shape(c.l, c.e), 1) * 2.0, random(shape(c.s, c.e), 2) * 2.0,
                                 random(shape(c.s, c.ev), 3)};
    SCOPED_TRACE(to_string(in[0].shape()) + to_string(in[2].shape()));
    expect_matches({}, in);
    expect_matches({.is_causal = true}, in);
    expect_matches({.scale = -0.7}, in);
    expect_matches({.mask = random({c.l, c.s}, 4) > -0.2}, in);
    std::vector<Tensor> with_mask = in;
    with_mask.push_back(random({c.s}, 5));
    expect_matches({}, with_mask);
    with_mask[3] = random(shape(c.l, 1), 5);
    expect_matches({}, with_mask);
    std::vector<Tensor> f32;
    for (const Tensor& x : in) f32.push_back(x.to(DType::f32));
    expect_matches({.is_causal = true}, f32, 3e-5);
    expect_matches({.mask = random({c.l, c.s}, 4) > -0.2}, f32, 3e-5);
  }
}

// A token that is generated: a single query has a path of its own.
TEST(Attention, OneQueryMatchesItsDefinition) {
  struct Size {
    int64_t s, e, ev;
  };
  for (const DType dtype : {DType::f32, DType::f64}) {
    const double tolerance = dtype == DType::f32 ? 2e-6 : 1e-14;
    for (const auto [s, e, ev] : {Size{1, 64, 64},
                                  {127, 20, 33},
                                  {128, 3, 130},
                                  {300, 400, 70},
                                  {990, 64, 64},
                                  {257, 96, 8}}) {
      const Tensor q = to(random({2, 3, 1, e}, 1), dtype);
      const Tensor k = to(random({2, 3, s + 5, e}, 2), dtype);
      const Tensor v = to(random({2, 3, s + 5, ev}, 3), dtype);
      const Tensor keys = slice(k, 2, 2, s + 2), values = slice(v, 2, 2, s + 2);  // as a cache's
      const Tensor allowed = random({s}, 4) > -0.5, bias = to(random({3, 1, s}, 5), dtype);
      for (const Tensor& mask : {Tensor(), allowed, bias}) {
        for (const double dropout : {0.0, 0.5}) {
          Generator fused_generator(9), plain_generator(9);
          AttentionOptions options{
              .mask = mask, .dropout_p = dropout, .generator = &fused_generator};
          const Tensor y = scaled_dot_product_attention(q, keys, values, options);
          options.generator = &plain_generator;
          expect_close(y, composed::scaled_dot_product_attention(q, keys, values, options),
                       tolerance,
                       std::string(name(dtype)) + " s " + std::to_string(s) + " e " +
                           std::to_string(e) + " ev " + std::to_string(ev));
        }
      }
    }
  }
  const Tensor q = random({1, 20}, 1), k = random({300, 20}, 2), v = random({300, 7}, 3);
  const Tensor nothing = scaled_dot_product_attention(q, k, v, {.mask = zeros({300}) > 1.0});
  EXPECT_EQ(nothing.to_vector<double>(), std::vector<double>(7, 0.0));
  const Tensor broken = clone(k);
  fill_(slice(broken, 0, 290, 291), NAN);
  for (const double value : scaled_dot_product_attention(q, broken, v).to_vector<double>()) {
    EXPECT_TRUE(std::isnan(value));
  }
}

// Keys and values of bf16 are read as they are: the bits of their f32 copies, without the copies.
TEST(Attention, OneQueryReadsCachesOfBf16) {
  const NoGrad no_grad;
  for (const auto& [s, e, ev] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 64, 64}, {130, 20, 33}, {990, 64, 64}}) {
    const Tensor q = to(random({2, 3, 1, e}, 1), DType::bf16);
    const Tensor k = slice(to(random({2, 3, s + 5, e}, 2), DType::bf16), 2, 2, s + 2);
    const Tensor v = slice(to(random({2, 3, s + 5, ev}, 3), DType::bf16), 2, 2, s + 2);
    const Tensor allowed = random({s}, 4) > -0.5, bias = to(random({3, 1, s}, 5), DType::bf16);
    const auto wide = [](const Tensor& x) { return to(x, DType::f32); };
    for (const Tensor& mask : {Tensor(), allowed, bias}) {
      for (const double dropout : {0.0, 0.5, 1.0}) {
        Generator generator(9), wide_generator(9);
        AttentionOptions options{.mask = mask, .dropout_p = dropout, .generator = &generator};
        const Tensor y = scaled_dot_product_attention(q, k, v, options);
        if (mask.defined() && mask.dtype() == DType::bf16) options.mask = wide(mask);
        options.generator = &wide_generator;
        expect_same_bits(
            y, to(scaled_dot_product_attention(wide(q), wide(k), wide(v), options), DType::bf16));
        EXPECT_EQ(generator.offset(), wide_generator.offset());
      }
    }
  }
  const Tensor q = zeros({8, 1, 64}, DType::bf16), cache = ones({8, 4096, 64}, DType::bf16);
  reset_peak_memory();
  const int64_t before = memory_stats().peak;
  const Tensor y = scaled_dot_product_attention(q, cache, cache);
  EXPECT_LT(memory_stats().peak - before, cache.numel());  // a copy in f32 has four bytes for each
  expect_same_bits(y, ones({8, 1, 64}, DType::bf16));
}

// Queries, keys and values of `shape`'s batch.
std::vector<Tensor> operands(const Shape& batch, int64_t l, int64_t s, int64_t e) {
  const auto of = [&](int64_t rows, uint64_t seed) {
    Shape shape = batch;
    shape.push_back(rows);
    shape.push_back(e);
    return random(shape, seed);
  };
  return {of(l, 1), of(s, 2), of(s, 3)};
}

// Windows that begin and end inside tiles, at their edges, and outside of the keys.
TEST(Attention, WindowsMatchTheirDefinition) {
  struct Case {
    int64_t left, right, offset;
  };
  for (const Case& c : {Case{0, 0, 0},
                        {5, 3, 0},
                        {63, 64, 0},
                        {130, -1, 0},
                        {-1, 127, 0},
                        {-1, 17, 40},
                        {20, 0, 150},
                        {10, 10, 300},
                        {3, 5, 1000000},
                        {INT64_MAX, INT64_MAX, 7}}) {
    for (const auto& [l, s] : {std::pair<int64_t, int64_t>{150, 280}, {280, 150}, {70, 70}}) {
      SCOPED_TRACE(std::to_string(c.left) + ", " + std::to_string(c.right) + " from " +
                   std::to_string(c.offset) + ": " + std::to_string(l) + " of " +
                   std::to_string(s));
      AttentionOptions options{.window = {c.left, c.right}, .query_offset = c.offset};
      expect_matches(options, operands({2}, l, s, 5));
      options.is_causal = true;
      expect_matches(options, operands({1}, l, s, 5));
      options.is_causal = false;
      std::vector<Tensor> biased = operands({2}, l, s, 5);
      biased.push_back(random({l, s}, 4));
      expect_matches(options, biased);
      options.mask = random({l, s}, 4) > -0.5;
      expect_matches(options, operands({2}, l, s, 5));
    }
  }
}

TEST(Attention, WindowsOfOneQuery) {
  const NoGrad no_grad;
  for (const int64_t left : {-1, 0, 1, 100, 128, 200, 400}) {
    for (const int64_t right : {-1, 0, 60}) {
      const AttentionOptions options{.window = {left, right},
                                     .alibi_slopes = tensor<double>({0.25, 0.5}),
                                     .query_offset = 290};
      const std::vector<Tensor> in = operands({3, 2}, 1, 300, 20);
      expect_close(fused(options)(in), plain(options)(in), 1e-13,
                   std::to_string(left) + ", " + std::to_string(right));
      std::vector<Tensor> narrow, wide;
      for (const Tensor& x : in) narrow.push_back(x.to(DType::bf16));
      for (const Tensor& x : narrow) wide.push_back(x.to(DType::f32));
      expect_same_bits(fused(options)(narrow), fused(options)(wide).to(DType::bf16));
    }
  }
}

// What lies outside a window is not even read.
TEST(Attention, WindowsSkipWhatNobodySees) {
  const std::vector<Tensor> in = operands({}, 88, 600, 8);
  const AttentionOptions options{.is_causal = true, .window = {50, 0}, .query_offset = 512};
  const Tensor expected = fused(options)(in), dy = random({88, 8}, 4);
  const std::vector<Tensor> d = gradients(fused(options), in, dy);
  for (const size_t i : {1, 2}) fill_(slice(in[i], 0, 0, 384), NAN);  // whole tiles
  expect_same_bits(fused(options)(in), expected);
  const std::vector<Tensor> same = gradients(fused(options), in, dy);
  for (size_t i = 0; i < 3; ++i) expect_same_bits(same[i], d[i]);
}

TEST(Attention, SlopesMatchTheirDefinition) {
  const Tensor slopes = to(alibi_slopes(3), DType::f64);
  for (const bool causal : {false, true}) {
    expect_matches({.is_causal = causal, .alibi_slopes = slopes}, operands({2, 3}, 150, 280, 6));
    expect_matches({.is_causal = causal, .alibi_slopes = slopes, .query_offset = 130},
                   operands({2, 3}, 150, 280, 6));
  }
  expect_second_gradients(fused({.is_causal = true, .alibi_slopes = slopes}),
                          operands({3}, 2, 2, 2));
  // Whoever trains them gets their gradient.
  const std::vector<Tensor> in = operands({3}, 4, 5, 2);
  expect_gradients(
      [&](const std::vector<Tensor>& x) {
        return scaled_dot_product_attention(in[0], in[1], in[2], {.alibi_slopes = x[0]});
      },
      {slopes});
}

TEST(Attention, GroupsMatchTheirDefinition) {
  for (const int64_t heads : {1, 2, 6}) {
    const std::vector<Tensor> in{random({2, 6, 70, 8}, 1), random({2, heads, 140, 8}, 2),
                                 random({2, heads, 140, 5}, 3)};
    expect_matches({.enable_gqa = true}, in);
    expect_matches({.is_causal = true, .enable_gqa = true}, in);
    expect_matches({.enable_gqa = true,
                    .window = {20, 3},
                    .alibi_slopes = to(alibi_slopes(6), DType::f64),
                    .query_offset = 9},
                   in);
    for (const Shape& shape : {Shape{70, 140}, {1, 70, 140}, {6, 70, 140}, {2, 1, 1, 140}}) {
      expect_matches({.mask = random(shape, 4) > -0.2, .enable_gqa = true}, in);
      std::vector<Tensor> biased = in;
      biased.push_back(random(shape, 5));
      expect_matches({.enable_gqa = true}, biased);
    }
    for (const bool one : {false, true}) {
      Generator first(4), second(4);
      const Tensor q = one ? slice(in[0], 2, 0, 1) : in[0];
      expect_close(
          scaled_dot_product_attention(q, in[1], in[2],
                                       {.dropout_p = 0.4, .generator = &first, .enable_gqa = true}),
          composed::scaled_dot_product_attention(
              q, in[1], in[2], {.dropout_p = 0.4, .generator = &second, .enable_gqa = true}),
          1e-12);
    }
  }
  expect_second_gradients(fused({.is_causal = true, .enable_gqa = true}),
                          {random({4, 2, 2}, 1), random({2, 2, 2}, 2), random({2, 2, 2}, 3)});
}

// Neither forward nor the views around it copy keys and values.
TEST(Attention, GroupsReadCachesWithoutCopies) {
  const NoGrad no_grad;
  const Tensor q = zeros({1, 8, 1, 64}, DType::bf16);
  const Tensor cache = ones({1, 4096, 2, 64}, DType::bf16).transpose(1, 2);
  reset_peak_memory();
  const int64_t before = memory_stats().peak;
  const Tensor y = scaled_dot_product_attention(q, cache, cache, {.enable_gqa = true});
  EXPECT_LT(memory_stats().peak - before, cache.numel());
  expect_same_bits(y, ones({1, 8, 1, 64}, DType::bf16));
}

// Of a packed projection the heads lie as the queries', grouped or not.
TEST(Attention, GroupsKeepTheLayout) {
  const Tensor q = random({2, 7, 6, 4}, 1).transpose(1, 2);
  const Tensor k = random({2, 7, 3, 4}, 2).transpose(1, 2);
  const Tensor y = scaled_dot_product_attention(q, k, k, {.is_causal = true, .enable_gqa = true});
  EXPECT_NO_THROW(y.transpose(1, 2).view({2, 7, 24}));
}

TEST(Attention, Gradients) {
  const std::vector<Tensor> in{random({2, 3, 4}, 1), random({2, 5, 4}, 2), random({2, 5, 3}, 3)};
  expect_gradients(fused(), in);
  expect_gradients(fused({.is_causal = true}), in);
  std::vector<Tensor> with_mask = in;
  with_mask.push_back(random({2, 1, 5}, 4));
  expect_gradients(fused(), with_mask);
}

TEST(Attention, SecondGradients) {
  const std::vector<Tensor> in{random({2, 2}, 1), random({3, 2}, 2), random({3, 2}, 3)};
  expect_second_gradients(fused({.is_causal = true}), in);
  std::vector<Tensor> with_mask = in;
  with_mask.push_back(random({2, 3}, 4));
  expect_second_gradients(fused(), with_mask);
}

TEST(Attention, BroadcastBatches) {
  expect_matches({}, {random({2, 3, 4, 5}, 1), random({3, 6, 5}, 2), random({2, 1, 6, 4}, 3)});
  expect_matches({.mask = random({3, 1, 6}, 4) > -0.5},
                 {random({2, 3, 4, 5}, 1), random({2, 3, 6, 5}, 2), random({2, 3, 6, 4}, 3)});
}

// Heads out of one packed projection, as GPT makes them.
TEST(Attention, PackedProjection) {
  const int64_t b = 2, t = 70, h = 3, e = 8;
  const Function model = [&](const std::vector<Tensor>& x) {
    const Tensor qkv = x[0].reshape({b, t, 3, h, e}).permute({2, 0, 3, 1, 4});
    const Tensor q = select(qkv, 0, 0), k = select(qkv, 0, 1), v = select(qkv, 0, 2);
    const Tensor y = scaled_dot_product_attention(q, k, v, {.is_causal = true});
    const Tensor expected = composed::scaled_dot_product_attention(q, k, v, {.is_causal = true});
    expect_close(y, expected, 1e-12);
    // (B, H, T, E) to (B, T, C) without a copy.
    EXPECT_NO_THROW(y.transpose(1, 2).view({b, t, h * e}));
    return y.transpose(1, 2).reshape({b, t, h * e});
  };
  const Function definition = [&](const std::vector<Tensor>& x) {
    const Tensor qkv = x[0].reshape({b, t, 3, h, e}).permute({2, 0, 3, 1, 4});
    return composed::scaled_dot_product_attention(select(qkv, 0, 0), select(qkv, 0, 1),
                                                  select(qkv, 0, 2), {.is_causal = true})
        .transpose(1, 2)
        .reshape({b, t, h * e});
  };
  const Tensor x = random({b, t, 3 * h * e}, 1), dy = random({b, t, h * e}, 2);
  expect_close(gradients(model, {x}, dy)[0], gradients(definition, {x}, dy)[0], 1e-11);
}

TEST(Attention, StridedInputs) {
  const Tensor q = random({4, 3, 2}, 1).permute({1, 2, 0}),
               k = random({3, 4, 5}, 2).transpose(1, 2);
  const Tensor v = slice(random({3, 5, 8}, 3), 2, 0, 8, 2);
  expect_matches({}, {q, k, v});
  const Tensor mask = random({5, 2}, 4).transpose(0, 1);
  expect_matches({.mask = mask > -0.5}, {q, k, v});
  expect_close(scaled_dot_product_attention(q, k, v, {.mask = mask}),
               composed::scaled_dot_product_attention(q, k, v, {.mask = mask}), 1e-13);
  // A gradient whose last stride is not one.
  expect_gradients(
      [](const std::vector<Tensor>& x) {
        return scaled_dot_product_attention(x[0], x[1], x[2]).transpose(1, 2);
      },
      {q, k, v});
}

TEST(Attention, RowsWithoutKeysAreZero) {
  const Tensor q = random({3, 4}, 1), k = random({5, 4}, 2), v = random({5, 2}, 3);
  const Tensor allowed = tensor<double>({1, 0, 1}, {3, 1}) > 0.0;
  const Tensor bias = where(allowed, zeros({3, 5}, DType::f64), -INFINITY);
  for (const Tensor& mask : {allowed, bias}) {
    const AttentionOptions options{.mask = mask};
    const Tensor y = scaled_dot_product_attention(q, k, v, options);
    expect_close(select(y, 0, 1), zeros({2}, DType::f64), 0);
    const auto got = gradients(fused(options), {q, k, v}, ones({3, 2}, DType::f64));
    expect_close(select(got[0], 0, 1), zeros({4}, DType::f64), 0);
    expect_matches(options, {q, k, v});
  }
  expect_close(
      scaled_dot_product_attention(q, zeros({0, 4}, DType::f64), zeros({0, 2}, DType::f64)),
      zeros({3, 2}, DType::f64), 0);
}

TEST(Attention, EmptyInputs) {
  const auto got =
      gradients(fused(), {random({2, 3, 4}, 1), random({2, 0, 4}, 2), random({2, 0, 2}, 3)},
                random({2, 3, 2}, 4));
  expect_close(got[0], zeros({2, 3, 4}, DType::f64), 0);
  const auto none = gradients(fused(), {random({0, 4}, 1), random({3, 4}, 2), random({3, 2}, 3)},
                              random({0, 2}, 4));
  expect_close(none[1], zeros({3, 4}, DType::f64), 0);
  expect_close(none[2], zeros({3, 2}, DType::f64), 0);
  EXPECT_EQ(fused()({random({0, 3, 4}, 1), random({0, 5, 4}, 2), random({0, 5, 2}, 3)}).shape(),
            (Shape{0, 3, 2}));
}

// The mask depends on seed and stream only: the definition with the same generator drops the same.
TEST(Attention, Dropout) {
  for (const int64_t s : {7, 300}) {
    const std::vector<Tensor> in{random({2, 2, 70, 8}, 1), random({2, 2, s, 8}, 2),
                                 random({2, 2, s, 4}, 3)};
    const auto with = [&](bool kernel) -> Function {
      return [kernel](const std::vector<Tensor>& x) {
        Generator generator(5, 17);
        const AttentionOptions options{.dropout_p = 0.3, .generator = &generator};
        const Tensor y = kernel ? scaled_dot_product_attention(x[0], x[1], x[2], options)
                                : composed::scaled_dot_product_attention(x[0], x[1], x[2], options);
        EXPECT_EQ(generator.offset(), 18u);
        return y;
      };
    };
    expect_close(with(true)(in), with(false)(in), 1e-12);
    const Tensor dy = random({2, 2, 70, 4}, 4);
    const auto want = gradients(with(false), in, dy);
    for (const bool recorded : {false, true}) {
      const auto got = gradients(with(true), in, dy, recorded);
      for (size_t i = 0; i < 3; ++i) expect_close(got[i], want[i], 1e-11);
    }
  }
  const Tensor q = random({3, 4}, 1);
  expect_close(scaled_dot_product_attention(q, q, q, {.dropout_p = 1.0}), zeros({3, 4}, DType::f64),
               0);
}

TEST(Attention, LargeScores) {
  const Tensor q = random({2, 4}, 1) * 1000.0, k = random({200, 4}, 2) * 100.0;
  expect_matches({}, {q, k, random({200, 3}, 3)}, 1e-8);
}

TEST(Attention, ThreadsDoNotChangeBits) {
  // Few items take the two-pass backward on several threads, many the one-pass.
  for (const int64_t items : {1, 9}) {
    for (const AttentionOptions& options : {AttentionOptions{}, AttentionOptions{.is_causal = true},
                                            AttentionOptions{.window = {40, 90}}}) {
      const std::vector<Tensor> in{random({items, 150, 16}, 1, DType::f32),
                                   random({items, 280, 16}, 2, DType::f32),
                                   random({items, 280, 24}, 3, DType::f32)};
      const Tensor dy = random({items, 150, 24}, 4, DType::f32);
      expect_same_on_threads([&] {
        std::vector<Tensor> all = gradients(fused(options), in, dy);
        all.push_back(fused(options)(in));
        return all;
      });
    }
  }
}

TEST(Attention, SomeInputsWithoutGradient) {
  const std::vector<Tensor> in{random({2, 70, 4}, 1), random({2, 140, 4}, 2),
                               random({2, 140, 4}, 3)};
  const Tensor dy = random({2, 70, 4}, 4);
  const auto all = gradients(plain(), in, dy);
  for (size_t wanted = 0; wanted < 3; ++wanted) {
    std::vector<Tensor> x;
    for (const Tensor& t : in) x.push_back(t.clone());
    x[wanted].requires_grad_();
    fused()(x).backward({.gradient = dy});
    expect_close(x[wanted].grad(), all[wanted], 1e-11);
  }
}

TEST(Attention, Errors) {
  const Tensor q = random({2, 3, 4}, 1), k = random({2, 5, 4}, 2), v = random({2, 5, 2}, 3);
  EXPECT_THROW(scaled_dot_product_attention(q, v, v), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(q, k, q), ShapeError);
  EXPECT_EQ(message_of<ShapeError>([&] {
              scaled_dot_product_attention(q, k, v, {.mask = random({3, 4}, 1)});
            }).find("scaled_dot_product_attention: "),
            0u);
  EXPECT_THROW(scaled_dot_product_attention(q, k, v, {.mask = arange(5)}), DTypeError);
  EXPECT_THROW(
      scaled_dot_product_attention(q, k, v, {.mask = random({3, 5}, 1), .is_causal = true}),
      ConfigError);
  EXPECT_THROW(scaled_dot_product_attention(q, k, v, {.dropout_p = 1.5}), ConfigError);
  EXPECT_THROW(scaled_dot_product_attention(arange(3), k, v), ShapeError);
}

}  // namespace
}  // namespace adjoint
