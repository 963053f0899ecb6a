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
          KernelScope(), {9, 37, 1e-5, x0.raw_data(), w0.raw_data(), b0.raw_data(),
                          const_cast<void*>(y.raw_data()), nullptr, nullptr});
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
            "layer_norm: input of shape (2, 3) for normalized_shape (4,); expected its last "
            "dimensions");
  EXPECT_EQ(message_of<ShapeError>([&] { layer_norm(x, {3}, random({2}, 1)); }),
            "layer_norm: weight of shape (2,) for normalized_shape (3,); expected the same shape");
  EXPECT_THROW(layer_norm(x, {2, 2, 3}), ShapeError);
  EXPECT_THROW(layer_norm(x, {}), ShapeError);
  EXPECT_THROW(layer_norm(arange(3), {3}), DTypeError);
}

}  // namespace
}  // namespace adjoint
