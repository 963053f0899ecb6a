// Matrix products against sums written out, for every combination of ranks and layouts.
#include <adjoint/core/activations.h>
#include <adjoint/core/inference_weights.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/precision.h>

#include <thread>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

// The definition, over the broadcast batch, in f64.
Tensor reference(const Tensor& a, const Tensor& b) {
  const Tensor a2 = a.dim() == 1 ? a.reshape({1, a.size(0)}) : a;
  const Tensor b2 = b.dim() == 1 ? b.reshape({b.size(0), 1}) : b;
  const int64_t m = a2.size(-2), k = a2.size(-1), n = b2.size(-1);
  const Shape batch =
      broadcast_shapes("reference", Shape(a2.shape().span().first(a2.shape().span().size() - 2)),
                       Shape(b2.shape().span().first(b2.shape().span().size() - 2)));
  Shape a_shape = batch, b_shape = batch, shape = batch;
  a_shape.push_back(m);
  a_shape.push_back(k);
  b_shape.push_back(k);
  b_shape.push_back(n);
  if (a.dim() > 1) shape.push_back(m);
  if (b.dim() > 1) shape.push_back(n);
  const std::vector<double> x = values(expand(a2, a_shape)), y = values(expand(b2, b_shape));
  std::vector<double> z(static_cast<size_t>(batch.numel() * m * n));
  for (int64_t p = 0; p < batch.numel(); ++p) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double total = 0;
        for (int64_t c = 0; c < k; ++c) {
          total += x[static_cast<size_t>((p * m + i) * k + c)] *
                   y[static_cast<size_t>((p * k + c) * n + j)];
        }
        z[static_cast<size_t>((p * m + i) * n + j)] = total;
      }
    }
  }
  return from_vector(z, shape);
}

const std::vector<std::pair<Shape, Shape>> kShapes = {
    {{5}, {5}},
    {{3, 5}, {5}},
    {{5}, {5, 4}},
    {{3, 5}, {5, 4}},
    {{2, 3, 5}, {5, 4}},
    {{3, 5}, {2, 5, 4}},
    {{2, 3, 5}, {2, 5, 4}},
    {{2, 1, 3, 5}, {4, 5, 2}},
    {{1, 4, 3, 5}, {2, 1, 5, 2}},
    {{2, 3, 5}, {5}},
    {{5}, {2, 5, 3}},
    {{2, 2, 2, 2, 3, 5}, {2, 1, 2, 1, 5, 2}},
    {{2, 0, 5}, {5, 4}},
    {{2, 3, 0}, {0, 4}},
    {{0, 3, 5}, {1, 5, 4}},
    {{3, 1}, {1, 4}},
    {{2, 3, 1}, {2, 1, 4}},
    {{3, 1, 5}, {5, 4}},
};

TEST(Matmul, EveryRank) {
  for (const auto& [a, b] : kShapes) {
    const Tensor x = random(a, 1), y = random(b, 2);
    const std::string what = to_string(a) + " " + to_string(b);
    expect_close(matmul(x, y), reference(x, y), 1e-14, what);
    expect_close(matmul(x.to(DType::f32), y.to(DType::f32)), reference(x, y), 1e-6, what);
  }
}

TEST(Matmul, EveryLayout) {
  const Tensor a = random({4, 6, 5}, 1), b = random({4, 5, 7}, 2);
  const Tensor at = random({5, 6, 4}, 3).permute({2, 1, 0}),
               bt = random({4, 7, 5}, 4).transpose(1, 2);
  const Tensor as = slice(random({4, 6, 10}, 5), 2, 0, 10, 2),
               be = expand(random({5, 1}, 6), {4, 5, 7});
  for (const Tensor& x : {a, at, as}) {
    for (const Tensor& y : {b, bt, be}) {
      expect_close(matmul(x, y), reference(x, y), 1e-14);
      expect_close(bmm(x, y), reference(x, y), 1e-14);
      const auto product = [](const std::vector<Tensor>& in) { return matmul(in[0], in[1]); };
      const Tensor dy = random({4, 6, 7}, 7);
      const auto grads = gradients(product, {x, y}, dy);
      expect_close(grads[0], reference(dy, y.transpose(1, 2)), 1e-14);
      expect_close(grads[1], reference(x.transpose(1, 2), dy), 1e-14);
    }
  }
}

TEST(Matmul, GradientsOfEveryRank) {
  for (const auto& [a, b] : kShapes) {
    SCOPED_TRACE(to_string(a) + " " + to_string(b));
    const Function product = [](const std::vector<Tensor>& x) { return matmul(x[0], x[1]); };
    expect_gradients(product, {random(a, 1), random(b, 2)}, 1e-8);
  }
}

TEST(Matmul, SecondGradients) {
  expect_second_gradients([](const std::vector<Tensor>& x) { return matmul(x[0] * x[0], x[1]); },
                          {random({2, 2, 3}, 1), random({3, 2}, 2)});
  expect_second_gradients(
      [](const std::vector<Tensor>& x) { return linear(x[0] * x[0], x[1], x[2]); },
      {random({2, 2, 3}, 1), random({2, 3}, 2), random({2}, 3)});
}

TEST(Matmul, LargerThanBlocks) {
  for (const auto& [m, k, n] : {std::array<int64_t, 3>{130, 800, 70}, {1, 1000, 33}, {70, 33, 1}}) {
    const Tensor x = random({m, k}, 1), y = random({k, n}, 2);
    expect_close(matmul(x, y), reference(x, y), 1e-12);
    expect_close(matmul(x.to(DType::f32), y.to(DType::f32)), reference(x, y), 3e-5);
  }
}

TEST(Matmul, InputUsedTwice) {
  const Function square = [](const std::vector<Tensor>& x) { return matmul(x[0], x[0]); };
  expect_gradients(square, {random({3, 3}, 1)});
  // One tensor as the gradient of both inputs.
  expect_gradients([](const std::vector<Tensor>& x) { return x[0] + x[0]; }, {random({3}, 1)});
}

// The second backward finds a gradient in the leaf and adds into it.
TEST(Matmul, AccumulatesIntoGradients) {
  const Tensor x = random({4, 3, 5}, 1), w = random({6, 5}, 2), b = random({6}, 3);
  x.requires_grad_();
  w.requires_grad_();
  b.requires_grad_();
  const Tensor dy = random({4, 3, 6}, 4);
  linear(x, w, b).backward({.gradient = dy});
  const Tensor once[] = {x.grad().clone(), w.grad().clone(), b.grad().clone()};
  linear(x, w, b).backward({.gradient = dy});
  expect_close(x.grad(), once[0] * 2.0, 1e-14);
  expect_close(w.grad(), once[1] * 2.0, 1e-14);
  expect_close(b.grad(), once[2] * 2.0, 1e-14);
}

TEST(Linear, MatchesItsDefinition) {
  const Tensor w = random({6, 5}, 2), b = random({6}, 3);
  const Tensor w2 = random({5, 6}, 2).transpose(0, 1);
  for (const Tensor& x :
       {random({5}, 1), random({4, 5}, 1), random({2, 3, 5}, 1),
        random({3, 2, 5}, 1).transpose(0, 1), random({2, 5, 3}, 1).transpose(1, 2),
        random({0, 5}, 1), slice(random({2, 3, 10}, 5), 2, 0, 10, 2)}) {
    for (const Tensor& weight : {w, w2}) {
      expect_close(linear(x, weight, b), reference(x, weight.transpose(0, 1)) + b, 1e-14);
      expect_close(linear(x, weight), reference(x, weight.transpose(0, 1)), 1e-14);
    }
    expect_gradients([](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); },
                     {x, w, b}, 1e-8);
    expect_gradients([](const std::vector<Tensor>& in) { return linear(in[0], in[1]); }, {x, w},
                     1e-8);
  }
}

TEST(Linear, StridedGradient) {
  const Tensor x = random({2, 3, 5}, 1), w = random({4, 5}, 2), b = random({4}, 3);
  const Function f = [](const std::vector<Tensor>& in) {
    return linear(in[0], in[1], in[2]).transpose(0, 2);
  };
  expect_gradients(f, {x, w, b}, 1e-8);
  // An expanded gradient: every stride is zero.
  const auto got =
      gradients([](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); },
                {x, w, b}, expand(scalar(1.0, DType::f64), {2, 3, 4}));
  expect_close(got[2], full({4}, 6.0, DType::f64), 1e-14);
}

constexpr Activation kActivations[] = {Activation::relu, Activation::gelu, Activation::gelu_tanh,
                                       Activation::silu};

Tensor act(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::relu:
      return relu(x);
    case Activation::gelu:
      return gelu(x);
    case Activation::gelu_tanh:
      return gelu(x, Gelu::tanh);
    case Activation::silu:
      break;
  }
  return silu(x);
}

// Few rows, which stream the weight; direct; private; shared; sums in several blocks.
TEST(LinearActivation, HasTheBitsOfTheTwo) {
  const int64_t sizes[][3] = {{1, 40, 70}, {30, 33, 20}, {300, 150, 90}, {530, 520, 400}};
  for (const auto& s : sizes) {
    const Tensor x = random({s[0], s[2]}, 1, DType::f32), b = random({s[1]}, 3, DType::f32);
    for (const Tensor& w : {random({s[1], s[2]}, 2, DType::f32),
                            random({s[2], s[1]}, 2, DType::f32).transpose(0, 1)}) {
      for (const Activation activation : kActivations) {
        const std::string what = std::string(name(activation)) + ' ' + std::to_string(s[0]);
        const Tensor bias = activation == Activation::silu ? Tensor() : b;
        const std::vector<double> expected = values(act(linear(x, w, bias), activation));
        EXPECT_EQ(values(linear_activation(x, w, bias, activation)), expected) << what;
        const Tensor tracked = x.detach().requires_grad_();  // keeps the argument
        EXPECT_EQ(values(linear_activation(tracked, w, bias, activation)), expected) << what;
      }
    }
  }
}

TEST(LinearActivation, GradientsOfWhatIsLarge) {
  const Tensor x = random({2, 150, 70}, 1, DType::f32), w = random({90, 70}, 2, DType::f32);
  const Tensor b = random({90}, 3, DType::f32), dy = random({2, 150, 90}, 4, DType::f32);
  for (const Activation activation : kActivations) {
    const Function one = [&](const std::vector<Tensor>& in) {
      return linear_activation(in[0], in[1], in[2], activation);
    };
    const auto got = gradients(one, {x, w, b}, dy);
    const auto expected = gradients(
        [&](const std::vector<Tensor>& in) { return act(linear(in[0], in[1], in[2]), activation); },
        {x.to(DType::f64), w.to(DType::f64), b.to(DType::f64)}, dy.to(DType::f64));
    for (size_t i = 0; i < 3; ++i) expect_close(got[i], expected[i], 3e-4, name(activation));
    expect_same_on_threads([&] { return gradients(one, {x, w, b}, dy); });
    // An expanded gradient is not written over, nor is one that its owner holds.
    const Tensor one_number = scalar(1.0f);
    const Tensor kept = dy.clone();
    gradients(one, {x, w, b}, expand(one_number, {2, 150, 90}));
    gradients(one, {x, w, b}, kept);
    EXPECT_EQ(one_number.item(), 1);
    EXPECT_EQ(values(kept), values(dy));
  }
}

TEST(LinearActivation, WithoutSomeGradients) {
  const Tensor x = random({7, 5}, 1), w = random({4, 5}, 2), b = random({4}, 3);
  for (int wanted = 1; wanted < 8; ++wanted) {
    const auto input = [&](const Tensor& t, int i) {
      return (wanted >> i & 1) != 0 ? t.detach().requires_grad_() : t.detach();
    };
    const Tensor x0 = input(x, 0), w0 = input(w, 1), b0 = input(b, 2);
    const Tensor x1 = input(x, 0), w1 = input(w, 1), b1 = input(b, 2);
    linear_activation(x0, w0, b0, Activation::gelu).sum().backward();
    gelu(linear(x1, w1, b1)).sum().backward();
    for (const auto& [one, two] : {std::pair{x0, x1}, {w0, w1}, {b0, b1}}) {
      ASSERT_EQ(one.grad().defined(), two.grad().defined());
      if (two.grad().defined()) expect_close(one.grad(), two.grad(), 1e-13);
    }
  }
}

TEST(LinearAdd, HasTheBitsOfTheTwo) {
  const int64_t sizes[][3] = {{1, 40, 70}, {30, 33, 20}, {300, 150, 90}, {530, 520, 400}};
  for (const auto& s : sizes) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Tensor x = random({s[0], s[2]}, 1, dtype), b = random({s[1]}, 3, dtype);
      const Tensor r = random({s[0], s[1]}, 4, dtype);
      for (const Tensor& w :
           {random({s[1], s[2]}, 2, dtype), random({s[2], s[1]}, 2, dtype).transpose(0, 1)}) {
        for (const Precision precision : {Precision::highest, Precision::high, Precision::medium}) {
          SCOPED_TRACE(std::string(name(dtype)) + ' ' + std::to_string(s[0]) + ' ' +
                       name(precision));
          const PrecisionGuard guard(precision);
          EXPECT_EQ(values(linear_add(x, w, b, r)), values(linear(x, w, b) + r));
          EXPECT_EQ(values(linear_add(x, w, {}, strided(r))), values(linear(x, w) + r));
        }
        const NoGrad no_grad;
        const InferenceWeights narrow(WeightFormat::bf16);
        EXPECT_EQ(values(linear_add(x, w, b, r)), values(linear(x, w, b) + r));
      }
    }
  }
}

TEST(LinearAdd, GradientsOfWhatIsLarge) {
  const Tensor x = random({2, 150, 70}, 1, DType::f32), w = random({90, 70}, 2, DType::f32);
  const Tensor b = random({90}, 3, DType::f32), r = random({2, 150, 90}, 4, DType::f32);
  const Tensor dy = random({2, 150, 90}, 5, DType::f32);
  const Function one = [](const std::vector<Tensor>& in) {
    return linear_add(in[0], in[1], in[2], in[3]);
  };
  // What linear gives, and dy.
  const auto expected = gradients(
      [](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); }, {x, w, b}, dy);
  const auto got = gradients(one, {x, w, b, r}, dy);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(values(got[i]), values(expected[i]));
  EXPECT_EQ(values(got[3]), values(dy));
  expect_same_on_threads([&] {
    std::vector<Tensor> all = gradients(one, {x, w, b, r}, dy);
    all.push_back(linear_add(x, w, b, r));
    return all;
  });
  // The residual's gradient is dy itself.
  const Tensor wanted = r.detach().requires_grad_();
  const auto dr = grad({linear_add(x, w, b, wanted)}, {wanted}, {.grad_outputs = {dy}});
  EXPECT_EQ(dr[0].raw_data(), dy.raw_data());
}

// Twice through the same leaves: products are added to gradients that exist.
TEST(LinearAdd, AddsToGradients) {
  const Tensor x = random({50, 40}, 1).requires_grad_(), w = random({40, 40}, 2).requires_grad_();
  const Tensor b = random({40}, 3).requires_grad_();
  const Tensor x1 = x.detach().requires_grad_(), w1 = w.detach().requires_grad_();
  const Tensor b1 = b.detach().requires_grad_();
  const Tensor dy = random({50, 40}, 4);
  for (int i = 0; i < 2; ++i) {
    linear_add(linear_add(x, w, b, x), w, b, x).backward({.gradient = dy});
    const Tensor y = linear(x1, w1, b1) + x1;
    (linear(y, w1, b1) + x1).backward({.gradient = dy});
  }
  for (const auto& [one, two] : {std::pair{x, x1}, {w, w1}, {b, b1}}) {
    expect_close(one.grad(), two.grad(), 1e-13);
  }
}

TEST(LinearAdd, WithoutSomeGradients) {
  const Tensor x = random({7, 5}, 1), w = random({4, 5}, 2), b = random({4}, 3);
  const Tensor r = random({7, 4}, 4);
  for (int wanted = 1; wanted < 16; ++wanted) {
    const auto input = [&](const Tensor& t, int i) {
      return (wanted >> i & 1) != 0 ? t.detach().requires_grad_() : t.detach();
    };
    const std::vector<Tensor> one = {input(x, 0), input(w, 1), input(b, 2), input(r, 3)};
    const std::vector<Tensor> two = {input(x, 0), input(w, 1), input(b, 2), input(r, 3)};
    square(linear_add(one[0], one[1], one[2], one[3])).sum().backward();
    square(linear(two[0], two[1], two[2]) + two[3]).sum().backward();
    for (size_t i = 0; i < 4; ++i) {
      ASSERT_EQ(one[i].grad().defined(), two[i].grad().defined());
      if (two[i].grad().defined()) expect_close(one[i].grad(), two[i].grad(), 1e-13);
    }
  }
}

TEST(Matmul, ThreadsDoNotChangeBits) {
  const Tensor x = random({3, 100, 70}, 1, DType::f32), w = random({90, 70}, 2, DType::f32);
  const Tensor b = random({90}, 3, DType::f32), dy = random({3, 100, 90}, 4, DType::f32);
  expect_same_on_threads([&] {
    const Function f = [](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); };
    std::vector<Tensor> all = gradients(f, {x, w, b}, dy);
    all.push_back(linear(x, w, b));
    all.push_back(matmul(x, transpose(x, 1, 2)));
    return all;
  });
}

TEST(Matmul, MixesF32AndHalves) {
  const Tensor x = random({2, 3}, 1, DType::f32);
  for (const DType half : {DType::bf16, DType::f16}) {
    const Tensor y = random({3, 4}, 2).to(half), mixed = matmul(x, y);
    EXPECT_EQ(mixed.dtype(), DType::f32);
    expect_close(mixed, reference(x, y), 1e-6);
  }
  EXPECT_EQ(message_of<DTypeError>([&] {
              matmul(x, random({3, 4}, 2));
            }),
            "matmul: operands of f32 and f64; expected one dtype, or f32, bf16 and f16; convert "
            "with to()");
}

TEST(Matmul, PrecisionIsOfTheThreadAndEndsWithItsGuard) {
  EXPECT_EQ(float32_matmul_precision(), Precision::highest);
  {
    const PrecisionGuard guard(precision_from("medium"));
    EXPECT_STREQ(name(float32_matmul_precision()), "medium");
    std::thread([] { EXPECT_EQ(float32_matmul_precision(), Precision::highest); }).join();
    // f32 products round their operands at most to bf16; f64 products know no precision.
    const Tensor a = random({33, 65}, 1), b = random({65, 47}, 2);
    expect_close(matmul(a, b), reference(a, b), 1e-13);
    expect_close(matmul(a.to(DType::f32), b.to(DType::f32)).to(DType::f64), reference(a, b), 0.2);
  }
  EXPECT_EQ(float32_matmul_precision(), Precision::highest);
  EXPECT_EQ(message_of<ConfigError>([] { precision_from("low"); }),
            "precision: no such mode: 'low'; expected highest, high or medium");
}

TEST(Matmul, ErrorsNameShapes) {
  const Tensor a = random({2, 3}, 1), b = random({4, 5}, 1);
  EXPECT_EQ(message_of<ShapeError>([&] { matmul(a, b); }),
            "matmul: shapes (2, 3) and (4, 5) do not fit: 3 columns against 4 rows; expected "
            "(..., m, k) and (..., k, n)");
  EXPECT_EQ(message_of<ShapeError>([&] { bmm(a, b); }),
            "bmm: shapes (2, 3) and (4, 5); expected (b, m, k) and (b, k, n)");
  EXPECT_EQ(message_of<ShapeError>([&] { linear(a, b); }),
            "linear: input of shape (2, 3) for a weight of shape (4, 5); expected (..., 5)");
  EXPECT_EQ(message_of<ShapeError>([&] {
              linear(random({2, 5}, 1), b, random({3}, 1));
            }),
            "linear: bias of shape (3,) for a weight of shape (4, 5); expected (4,)");
  EXPECT_THROW(matmul(random({2, 2, 3}, 1), random({3, 3, 2}, 1)), ShapeError);
  EXPECT_THROW(matmul(scalar(1.0), a), ShapeError);
  EXPECT_THROW(matmul(ones({3}, DType::boolean), ones({3}, DType::boolean)), DTypeError);
  EXPECT_THROW(matmul(Tensor(), a), Error);
}

}  // namespace
}  // namespace adjoint
