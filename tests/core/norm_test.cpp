#include <adjoint/core/layout.h>
#include <adjoint/core/normalization.h>

#include "core/kernels/kernels.h"
#include "core/ops/composed.h"
#include "core/tensor/thread_pool.h"
#include "tests/core/numeric.h"
#include "tests/golden/network_ops.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

TEST(LayerNorm, MatchesPyTorch) {
  const Tensor x = wave({2, 3, 4}, 1) * 3.0;
  expect_golden([](const std::vector<Tensor>& in) { return layer_norm(in[0], {4}, in[1], in[2]); },
                {x, wave({4}, 2), wave({4}, 3)}, golden::kLayerNorm);
  expect_golden(
      [](const std::vector<Tensor>& in) {
        return layer_norm(in[0], {3, 4}, {}, {}, 0.1);
      },
      {x}, golden::kLayerNormTwoDims);
}

TEST(LayerNorm, MatchesItsDefinition) {
  for (const Shape& shape : {Shape{7}, {5, 7}, {2, 3, 40}, {130, 33}, {3, 1}, {1, 500}}) {
    const int64_t n = shape.back();
    const Tensor x = random(shape, 1), w = random({n}, 2), b = random({n}, 3);
    for (const int affine : {0, 1, 2, 3}) {
      const Tensor weight = (affine & 1) != 0 ? w : Tensor();
      const Tensor bias = (affine & 2) != 0 ? b : Tensor();
      const Tensor expected = composed::layer_norm(x, {n}, weight, bias);
      expect_close(layer_norm(x, {n}, weight, bias), expected, 1e-12, to_string(shape));
      const auto f32 = [](const Tensor& t) { return t.defined() ? t.to(DType::f32) : t; };
      expect_close(layer_norm(f32(x), {n}, f32(weight), f32(bias)), expected, 2e-5,
                   to_string(shape));
    }
    const Function fused = [n](const std::vector<Tensor>& in) {
      return layer_norm(in[0], {n}, in[1], in[2]);
    };
    const Function plain = [n](const std::vector<Tensor>& in) {
      return composed::layer_norm(in[0], {n}, in[1], in[2]);
    };
    const Tensor dy = random(shape, 4);
    const auto got = gradients(fused, {x, w, b}, dy), expected = gradients(plain, {x, w, b}, dy);
    for (size_t i = 0; i < 3; ++i) expect_close(got[i], expected[i], 1e-10, to_string(shape));
  }
}

TEST(LayerNorm, Gradients) {
  const Tensor x = random({2, 3, 4}, 1), w = random({3, 4}, 2), b = random({3, 4}, 3);
  expect_gradients(
      [](const std::vector<Tensor>& in) {
        return layer_norm(in[0], {3, 4}, in[1], in[2]);
      },
      {x, w, b});
  expect_gradients([](const std::vector<Tensor>& in) { return layer_norm(in[0], {4}); }, {x});
  expect_gradients(
      [](const std::vector<Tensor>& in) { return layer_norm(in[0], {4}, {}, in[1], 0.1); },
      {x, random({4}, 2)});
  expect_second_gradients(
      [](const std::vector<Tensor>& in) { return layer_norm(in[0], {3}, in[1], in[2]); },
      {random({2, 3}, 1), random({3}, 2), random({3}, 3)});
}

// A residual connection: the gradient of x arrives twice, the second time into the first's buffer.
TEST(LayerNorm, AddsToAnEarlierGradient) {
  expect_gradients(
      [](const std::vector<Tensor>& in) {
        const Tensor h = in[0] * 2.0;
        return h + layer_norm(h, {4}, in[1]) * 3.0;
      },
      {random({3, 4}, 1), random({4}, 2)});
}

TEST(LayerNorm, StridedInputs) {
  const Tensor x = random({4, 3, 5}, 1).permute({2, 1, 0});
  const Tensor w = slice(random({8}, 2), 0, 0, 8, 2), b = random({4}, 3);
  expect_close(layer_norm(x, {4}, w, b), composed::layer_norm(x, {4}, w, b), 1e-13);
  expect_gradients(
      [](const std::vector<Tensor>& in) {
        return layer_norm(in[0], {4}, in[1], in[2]).transpose(0, 2);
      },
      {x, w, b});
}

TEST(LayerNorm, EmptyInputs) {
  const Tensor x = random({0, 4}, 1), w = random({4}, 2), b = random({4}, 3);
  const auto got =
      gradients([](const std::vector<Tensor>& in) { return layer_norm(in[0], {4}, in[1], in[2]); },
                {x, w, b}, random({0, 4}, 1));
  expect_close(got[1], zeros({4}, DType::f64), 0);
  EXPECT_EQ(layer_norm(random({3, 0}, 1), {0}).shape(), (Shape{3, 0}));
}

// A large mean beside a small deviation: the variance must not be a difference of squares.
TEST(LayerNorm, LargeMean) {
  const Tensor x = random({3, 64}, 1) + 1000.0;
  const Tensor x32 = x.to(DType::f32);
  expect_close(layer_norm(x32, {64}), composed::layer_norm(x32.to(DType::f64), {64}), 1e-3);
}

TEST(LayerNorm, EachInstructionSet) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  const Tensor x = random({9, 37}, 1), w = random({37}, 2), b = random({37}, 3);
  for (int i = 0; i < count; ++i) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Tensor x0 = x.to(dtype), w0 = w.to(dtype), b0 = b.to(dtype), y = empty_like(x0);
      kernels::kernels_for(isas[i]).norm.layer_norm[static_cast<int>(dtype)](
          KernelScope(), {9, 37, 1e-5, x0.raw_data(), nullptr, w0.raw_data(), b0.raw_data(),
                          const_cast<void*>(y.raw_data()), nullptr, nullptr, nullptr});
      expect_close(y, composed::layer_norm(x, {37}, w, b), 3e-6, isas[i]);
    }
  }
}

TEST(LayerNorm, ThreadsDoNotChangeBits) {
  const Tensor x = random({500, 48}, 1, DType::f32), w = random({48}, 2, DType::f32),
               b = random({48}, 3, DType::f32), dy = random({500, 48}, 4, DType::f32);
  const Function f = [](const std::vector<Tensor>& in) {
    return layer_norm(in[0], {48}, in[1], in[2]);
  };
  expect_same_on_threads([&] {
    std::vector<Tensor> all = gradients(f, {x, w, b}, dy);
    all.push_back(f({x, w, b}));
    return all;
  });
}

TEST(LayerNorm, Errors) {
  const Tensor x = random({2, 3}, 1);
  EXPECT_EQ(message_of<ShapeError>([&] { layer_norm(x, {4}); }),
            "layer_norm: normalized_shape (4,) for an input of shape (2, 3); expected the last "
            "dimensions of that, (3,)");
  EXPECT_EQ(message_of<ShapeError>([&] { layer_norm(x, {3}, random({2}, 1)); }),
            "layer_norm: weight of shape (2,) for normalized_shape (3,); expected the same shape");
  EXPECT_THROW(layer_norm(x, {2, 2, 3}), ShapeError);
  EXPECT_THROW(layer_norm(x, {}), ShapeError);
  EXPECT_THROW(layer_norm(arange(3), {3}), DTypeError);
}

// --- add_layer_norm ---

Function add_and_norm(const Shape& shape) {
  return [shape](const std::vector<Tensor>& in) {
    const auto [sum, y] = add_layer_norm(in[0], in[1], shape, in[2], in[3]);
    return sum * 0.5 + y * 2.0;
  };
}

TEST(AddLayerNorm, MatchesItsDefinition) {
  for (const Shape& shape : {Shape{7}, {5, 7}, {2, 3, 40}, {130, 33}, {3, 1}, {1, 500}}) {
    const int64_t n = shape.back();
    const std::vector<Tensor> in{random(shape, 1), random(shape, 2), random({n}, 3),
                                 random({n}, 4)};
    const Function plain = [n](const std::vector<Tensor>& x) {
      const Tensor sum = x[0] + x[1];
      return sum * 0.5 + composed::layer_norm(sum, {n}, x[2], x[3]) * 2.0;
    };
    const Function fused = add_and_norm({n});
    expect_close(fused(in), plain(in), 1e-12, to_string(shape));
    const Tensor dy = random(shape, 5);
    const auto got = gradients(fused, in, dy), expected = gradients(plain, in, dy);
    for (size_t i = 0; i < in.size(); ++i) {
      expect_close(got[i], expected[i], 1e-10, to_string(shape));
    }
  }
}

TEST(AddLayerNorm, Gradients) {
  const std::vector<Tensor> in{random({2, 3}, 1), random({2, 3}, 2), random({3}, 3),
                               random({3}, 4)};
  expect_gradients(add_and_norm({3}), in);
  expect_second_gradients(add_and_norm({3}), in);
  // One of the two outputs alone.
  expect_gradients([](const std::vector<Tensor>& x) { return add_layer_norm(x[0], x[1], {3}).sum; },
                   {in[0], in[1]});
  expect_gradients(
      [](const std::vector<Tensor>& x) { return add_layer_norm(x[0], x[1], {3}, x[2]).normalized; },
      {in[0], in[1], in[2]});
  // The same tensor twice.
  expect_gradients(
      [](const std::vector<Tensor>& x) {
        const auto [sum, y] = add_layer_norm(x[0], x[0], {3}, x[1]);
        return sum + y;
      },
      {in[0], in[2]});
}

// A residual stream through two blocks: its gradient passes down in one buffer, and what others
// hold of it (the caller's, a retained one) is left alone.
TEST(AddLayerNorm, GradientsThatOthersSeeStay) {
  const std::vector<Tensor> in{random({4, 3}, 1), random({4, 3}, 2), random({3}, 3),
                               random({4, 3}, 4)};
  const Tensor db = random({4, 3}, 5), dbn = random({4, 3}, 6), db_before = db.clone();
  const auto leaves_of = [](const std::vector<Tensor>& x) {
    std::vector<Tensor> leaves;
    for (const Tensor& one : x) leaves.push_back(one.detach().clone().requires_grad_());
    return leaves;
  };
  const std::vector<Tensor> plain = leaves_of(in);
  const auto [pa, pan] = composed::add_layer_norm(plain[0], plain[1], {3}, plain[2]);
  const auto [pb, pbn] = composed::add_layer_norm(pa, pan * plain[3], {3}, plain[2]);
  backward({pb, pbn}, {db, dbn});
  for (const bool retain : {false, true}) {
    const std::vector<Tensor> x = leaves_of(in);
    const auto [a, an] = add_layer_norm(x[0], x[1], {3}, x[2]);
    const auto [b, bn] = add_layer_norm(a, an * x[3], {3}, x[2]);
    if (retain) a.retain_grad();
    backward({b, bn}, {db, dbn});
    expect_close(db, db_before, 0);
    for (size_t i = 0; i < x.size(); ++i) expect_close(x[i].grad(), plain[i].grad(), 1e-12);
    if (!retain) continue;
    const std::vector<Tensor> second = leaves_of({a, an});
    const auto [sb, sbn] = composed::add_layer_norm(second[0], second[1] * in[3], {3}, in[2]);
    backward({sb, sbn}, {db, dbn});
    expect_close(a.grad(), second[0].grad(), 1e-12);
  }
}

TEST(AddLayerNorm, ThreadsDoNotChangeBits) {
  const std::vector<Tensor> in{random({500, 48}, 1, DType::f32), random({500, 48}, 2, DType::f32),
                               random({48}, 3, DType::f32), random({48}, 4, DType::f32)};
  const Tensor dy = random({500, 48}, 5, DType::f32);
  expect_same_on_threads([&] {
    std::vector<Tensor> all = gradients(add_and_norm({48}), in, dy);
    all.push_back(add_and_norm({48})(in));
    return all;
  });
}

// --- rms_norm ---

TEST(RmsNorm, MatchesPyTorch) {
  const Tensor x = wave({2, 3, 4}, 1) * 3.0;
  expect_golden([](const std::vector<Tensor>& in) { return rms_norm(in[0], {4}, in[1]); },
                {x, wave({4}, 2)}, golden::kRmsNorm);
  expect_golden(
      [](const std::vector<Tensor>& in) {
        return rms_norm(in[0], {3, 4}, {}, 0.1);
      },
      {x}, golden::kRmsNormTwoDims);
}

TEST(RmsNorm, MatchesItsDefinition) {
  for (const Shape& shape : {Shape{7}, {5, 7}, {2, 3, 40}, {130, 33}, {3, 1}, {1, 500}}) {
    const int64_t n = shape.back();
    const std::vector<Tensor> in{random(shape, 1), random({n}, 2)};
    const Function fused = [n](const std::vector<Tensor>& x) { return rms_norm(x[0], {n}, x[1]); };
    const Function plain = [n](const std::vector<Tensor>& x) {
      return composed::rms_norm(x[0], {n}, x[1]);
    };
    expect_close(fused(in), plain(in), 1e-12, to_string(shape));
    const Tensor dy = random(shape, 3);
    const auto got = gradients(fused, in, dy), expected = gradients(plain, in, dy);
    for (size_t i = 0; i < in.size(); ++i) {
      expect_close(got[i], expected[i], 1e-10, to_string(shape));
    }
  }
}

TEST(RmsNorm, Gradients) {
  const Tensor x = random({2, 3, 4}, 1), w = random({3, 4}, 2);
  const Function f = [](const std::vector<Tensor>& in) {
    return rms_norm(in[0], {3, 4}, in[1], 0.1);
  };
  expect_gradients(f, {x, w});
  expect_second_gradients(f, {random({2, 3, 4}, 1), w});
  expect_gradients(
      [](const std::vector<Tensor>& in) {  // the second gradient of h goes into the first's buffer
        const Tensor h = in[0] * 2.0;
        return h + rms_norm(h, {4}) * 3.0;
      },
      {random({3, 4}, 1)});
}

// The epsilon of the dtype, as torch.nn.functional.rms_norm.
TEST(RmsNorm, DefaultEpsilon) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const double eps = dtype == DType::f32 ? 0x1p-23 : 0x1p-52;
    const Tensor x = full({1, 2}, 1e-8, dtype);
    expect_close(rms_norm(x, {2}), rms_norm(x, {2}, {}, eps), 0);
    EXPECT_NEAR(values(rms_norm(x, {2}))[0], 1e-8 / std::sqrt(1e-16 + eps), 1e-7);
  }
}

TEST(RmsNorm, EachInstructionSet) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  const Tensor x = random({9, 150}, 1), r = random({9, 150}, 2), w = random({150}, 3);
  for (int i = 0; i < count; ++i) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Tensor x0 = x.to(dtype), r0 = r.to(dtype), w0 = w.to(dtype), y = empty_like(x0),
                   sum = empty_like(x0);
      kernels::kernels_for(isas[i]).norm.rms_norm[static_cast<int>(dtype)](
          KernelScope(),
          {9, 150, 1e-5, x0.raw_data(), r0.raw_data(), w0.raw_data(), nullptr,
           const_cast<void*>(y.raw_data()), const_cast<void*>(sum.raw_data()), nullptr, nullptr});
      expect_close(sum, x + r, 1e-6, isas[i]);
      expect_close(y, composed::rms_norm(x + r, {150}, w, 1e-5), 3e-6, isas[i]);
    }
  }
}

TEST(RmsNorm, NotFiniteStays) {
  const Tensor x = tensor<float>({1, NAN, 3, 1, 2, 3, INFINITY, 1, 2}, {3, 3});
  const std::vector<float> y = rms_norm(x, {3}).to_vector<float>();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(y[static_cast<size_t>(i)]));
  for (size_t i = 3; i < 6; ++i) EXPECT_TRUE(std::isfinite(y[i]));
  EXPECT_TRUE(std::isnan(y[6]));
}

// Rows of bf16 are read and written as they are, with the bits of their f32 copies rounded once.
TEST(Norm, OfBf16IsThatOfF32Rounded) {
  const auto gradients_of = [](const Function& f, std::vector<Tensor> in, const Tensor& dy) {
    for (Tensor& x : in) x = x.detach().requires_grad_();
    f(in).backward({.gradient = dy});
    std::vector<Tensor> all;
    for (const Tensor& x : in) all.push_back(x.grad());
    return all;
  };
  const auto wide = [](const Tensor& x) { return to(x, DType::f32); };
  for (const int64_t n : {1, 7, 64, 301}) {
    const Tensor x = to(random({131, n}, 1), DType::bf16),
                 dy = to(random({131, n}, 2), DType::bf16);
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const Tensor weight = to(random({n}, 3), dtype), bias = to(random({n}, 4), dtype);
      const Function layer = [&](const std::vector<Tensor>& in) {
        return layer_norm(in[0], {n}, in[1], in[2]);
      };
      const Function root = [&](const std::vector<Tensor>& in) {
        return rms_norm(in[0], {n}, in[1], 1e-6) + to(in[2] * 0.0, in[0].dtype());
      };
      for (const Function& f : {layer, root}) {
        const std::vector<Tensor> in{x, weight, bias}, wide_in{wide(x), wide(weight), wide(bias)};
        expect_same_bits(f(in), to(f(wide_in), DType::bf16));
        const auto got = gradients_of(f, in, dy), want = gradients_of(f, wide_in, wide(dy));
        for (size_t i = 0; i < in.size(); ++i) {
          expect_same_bits(got[i], to(want[i], in[i].dtype()), "gradient " + std::to_string(i));
        }
      }
    }
  }
}

}  // namespace
}  // namespace adjoint
