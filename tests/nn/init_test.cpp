// Initial distributions against their formulas.
//
// The seeds are fixed, so nothing here is random from run to run. The bounds are such that a
// correct implementation with any seed fails a check with a probability below 1e-9: moments lie
// within seven standard errors (2.6e-12 for a normal distribution; Chernoff's bound for the
// heaviest tail here, the squares of 1800 normal values, is 6e-10), and the largest of n uniform
// values is above (1 - 26 / n) of the bound (e^-26 = 5e-12).
#include <adjoint/core/autograd.h>
#include <adjoint/core/convolution.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/error.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/init.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/normalization.h>
#include <adjoint/nn/position.h>
#include <adjoint/nn/transformer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint::nn {
namespace {

using numeric::message_of;

constexpr double kErrors = 7;

struct Moments {
  double count, mean, square, largest;  // of the values about the expected mean
};

Moments moments(const Tensor& x, double center) {
  Moments m{static_cast<double>(x.numel()), 0, 0, 0};
  for (const double v : numeric::values(x)) {
    m.mean += (v - center) / m.count;
    m.square += (v - center) * (v - center) / m.count;
    m.largest = std::max(m.largest, std::abs(v - center));
  }
  return m;
}

// Uniform in [-bound, bound] about the center: variance b^2 / 3, E x^4 = b^4 / 5.
void expect_uniform(const Tensor& x, double bound, double center = 0) {
  const Moments m = moments(x, center);
  ASSERT_GE(m.count, 1000);
  const double variance = bound * bound / 3;
  EXPECT_NEAR(m.mean, 0, kErrors * std::sqrt(variance / m.count));
  const double of_square = std::pow(bound, 4) * (1.0 / 5 - 1.0 / 9);
  EXPECT_NEAR(m.square, variance, kErrors * std::sqrt(of_square / m.count));
  EXPECT_LE(m.largest, bound * (1 + 1e-6));  // the bound itself is rounded to f32
  EXPECT_GE(m.largest, bound * (1 - 26 / m.count));
}

// Normal: E x^4 = 3 std^4, and a share of erf(1 / sqrt 2) within one deviation.
void expect_normal(const Tensor& x, double std, double mean = 0) {
  const Moments m = moments(x, mean);
  ASSERT_GE(m.count, 1800);
  EXPECT_NEAR(m.mean, 0, kErrors * std / std::sqrt(m.count));
  EXPECT_NEAR(m.square, std * std, kErrors * std * std * std::sqrt(2 / m.count));
  double within = 0;
  for (const double v : numeric::values(x)) within += std::abs(v - mean) < std ? 1 : 0;
  const double share = std::erf(1 / std::sqrt(2.0));
  EXPECT_NEAR(within / m.count, share, kErrors * std::sqrt(share * (1 - share) / m.count));
  EXPECT_GT(m.largest, 2 * std);  // 0.9545^n of missing it
}

void expect_zeros(const Tensor& x) {
  for (const double v : numeric::values(x)) EXPECT_EQ(v, 0);
}

const Shape kShape{200, 120};

TEST(Init, UniformAndNormal) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = empty(kShape, dtype);
    Generator g(1);
    init::uniform_(x, -1, 3, g);
    expect_uniform(x, 2, 1);
    init::normal_(x, 5, 0.25, g);
    expect_normal(x, 0.25, 5);
  }
  const Tensor x = empty(kShape);
  init::uniform_(x);
  expect_uniform(x, 0.5, 0.5);
  init::normal_(x);
  expect_normal(x, 1);
  init::constant_(x, -2);
  EXPECT_EQ(max(x).item(), -2);
  init::ones_(x);
  EXPECT_EQ(min(x).item(), 1);
  init::zeros_(x);
  expect_zeros(x);
}

TEST(Init, Xavier) {
  const Tensor x = empty(kShape);
  Generator g(2);
  init::xavier_uniform_(x, 1, g);
  expect_uniform(x, std::sqrt(6.0 / (120 + 200)));
  init::xavier_normal_(x, 1, g);
  expect_normal(x, std::sqrt(2.0 / (120 + 200)));
  init::xavier_uniform_(x, 5.0 / 3, g);
  expect_uniform(x, 5.0 / 3 * std::sqrt(6.0 / 320));
  const Tensor kernel = empty({20, 10, 3, 3});
  init::xavier_normal_(kernel, 2, g);
  expect_normal(kernel, 2 * std::sqrt(2.0 / (9 * (10 + 20))));
}

TEST(Init, Kaiming) {
  const Tensor x = empty(kShape);
  Generator g(3);
  init::kaiming_uniform_(x, {}, g);  // a = 0: the gain of relu
  expect_uniform(x, std::sqrt(2.0) * std::sqrt(3.0 / 120));
  init::kaiming_uniform_(x, {.a = std::sqrt(5.0)}, g);  // how PyTorch writes Linear's
  expect_uniform(x, 1 / std::sqrt(120.0));
  init::kaiming_normal_(x, {.mode = init::FanMode::fan_out}, g);
  expect_normal(x, std::sqrt(2.0 / 200));
  init::kaiming_normal_(x, {.nonlinearity = init::Nonlinearity::linear}, g);
  expect_normal(x, 1 / std::sqrt(120.0));
  init::kaiming_normal_(x, {.nonlinearity = init::Nonlinearity::relu}, g);
  expect_normal(x, std::sqrt(2.0 / 120));
}

TEST(Init, GainsArePyTorchs) {
  using init::Nonlinearity;
  EXPECT_EQ(init::calculate_gain(Nonlinearity::linear), 1);
  EXPECT_EQ(init::calculate_gain(Nonlinearity::sigmoid), 1);
  EXPECT_DOUBLE_EQ(init::calculate_gain(Nonlinearity::tanh), 5.0 / 3);
  EXPECT_DOUBLE_EQ(init::calculate_gain(Nonlinearity::relu), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(init::calculate_gain(Nonlinearity::leaky_relu),
                   1.4141428569978354);  // slope 0.01
  EXPECT_DOUBLE_EQ(init::calculate_gain(Nonlinearity::leaky_relu, 2), std::sqrt(2.0 / 5));
  EXPECT_EQ(init::calculate_gain(Nonlinearity::selu), 0.75);
}

TEST(Init, Fans) {
  const init::Fans matrix = init::fans(empty({7, 3}));
  EXPECT_EQ(matrix.in, 3);
  EXPECT_EQ(matrix.out, 7);
  const init::Fans kernel = init::fans(empty({8, 4, 5, 3}));
  EXPECT_EQ(kernel.in, 60);
  EXPECT_EQ(kernel.out, 120);
}

TEST(Init, ErrorsSayWhatWasExpected) {
  const std::string fans =
      "fans: shape (3,); expected two dimensions or more: (out, in) or (out, in, kernel...)";
  EXPECT_EQ(message_of<ShapeError>([] { init::xavier_uniform_(empty({3})); }), fans);
  EXPECT_EQ(message_of<ShapeError>([] { init::kaiming_normal_(empty({3})); }), fans);
  EXPECT_EQ(message_of<Error>([] { init::xavier_normal_(Tensor()); }),
            "fans: undefined tensor; expected a weight");
  EXPECT_EQ(message_of<DTypeError>([] { init::normal_(empty({3}, DType::i64)); }),
            "normal_: dtype i64; expected a floating dtype");
  EXPECT_EQ(message_of<Error>([] { init::uniform_(Tensor()); }),
            "uniform_: undefined tensor; expected a tensor with elements");
  EXPECT_EQ(message_of<Error>([] { init::zeros_(Tensor()); }),
            "constant_: undefined tensor; expected a tensor with elements");
  EXPECT_EQ(message_of<ConfigError>([] { init::uniform_(empty({3}), 1, 0); }),
            "uniform_: from 1 to 0; expected bounds in ascending order");
  EXPECT_EQ(message_of<ConfigError>([] { init::normal_(empty({3}), 0, -1); }),
            "normal_: standard deviation -1; expected 0 or more");
  EXPECT_EQ(message_of<ConfigError>([] {
              Linear m(1, 1);
              init::gpt2_(m, {.n_layer = 0});
            }),
            "gpt2_: n_layer 0; expected 1 or more");
  for (const auto& f : {+[](const Tensor& x) { init::xavier_uniform_(x); },
                        +[](const Tensor& x) { init::kaiming_normal_(x); }}) {
    EXPECT_NO_THROW(f(empty({0, 3})));
    EXPECT_NO_THROW(f(empty({3, 0})));
  }
}

TEST(Init, SameSeedSameBitsAndNothingIsRecorded) {
  const Parameter a(empty(kShape)), b(empty(kShape));
  Generator g(9), h(9);
  const int64_t nodes = live_nodes();
  init::xavier_normal_(a, 1, g);
  init::xavier_normal_(b, 1, h);
  EXPECT_EQ(live_nodes(), nodes);
  EXPECT_TRUE(Tensor(a).is_leaf() && a.requires_grad());
  numeric::expect_same_bits(a, b);
  init::xavier_normal_(b, 1, h);  // the generator went on
  EXPECT_NE(numeric::values(a), numeric::values(b));
  EXPECT_EQ(h.offset(), g.offset() + 1);
  manual_seed(4);
  const TransformerBlock first(8, 2, {.dim_feedforward = 16});
  manual_seed(4);
  const TransformerBlock second(8, 2, {.dim_feedforward = 16});
  const std::vector<NamedSlot> p = first.parameters(), q = second.parameters();
  for (size_t i = 0; i < p.size(); ++i) {
    numeric::expect_same_bits(p[i].slot->stored(), q[i].slot->stored(), p[i].name);
  }
}

TEST(Init, LayersStartAsPyTorchs) {
  manual_seed(11);
  const Linear linear(100, 1200);
  expect_uniform(linear.weight, 0.1);
  expect_uniform(linear.bias, 0.1);
  EXPECT_NO_THROW(Linear(0, 3));
  const Embedding embedding(400, 50, {.padding_idx = 3});
  expect_normal(slice(embedding.weight, 0, 4), 1);
  expect_zeros(select(embedding.weight, 0, 3));
  const LayerNorm norm(9);
  EXPECT_EQ(numeric::values(norm.weight), std::vector<double>(9, 1.0));
  expect_zeros(norm.bias);
  const MultiHeadAttention attention(64, 4);
  expect_uniform(attention.in_proj_weight, std::sqrt(6.0 / (64 + 192)));
  expect_zeros(attention.in_proj_bias);
  expect_uniform(attention.out_proj.weight, 1 / std::sqrt(64.0));
  expect_zeros(attention.out_proj.bias);
  const MultiHeadAttention cross(64, 4, {.kdim = 32, .vdim = 48});
  expect_uniform(cross.q_proj_weight, std::sqrt(6.0 / 128));
  expect_uniform(cross.k_proj_weight, std::sqrt(6.0 / 96));
  expect_uniform(cross.v_proj_weight, std::sqrt(6.0 / 112));
  const LearnedPositionalEmbedding positions(64, {.max_len = 100});
  expect_normal(positions.weight, 0.02);
}

struct Language : Module<Language> {
  Embedding embed{400, 48, {.padding_idx = 0}};
  LearnedPositionalEmbedding positions{48, {.max_len = 64}};
  std::vector<TransformerBlock> layers;
  LayerNorm norm{48};
  Linear head{48, 400};
  Language() {
    for (int i = 0; i < 2; ++i) layers.emplace_back(48, 4, TransformerBlockOptions{});
  }
  Tensor forward(const Tensor& ids) const { return head(norm(positions(embed(ids)))); }
  void members(Visitor& v) override {
    v("embed", embed);
    v("positions", positions);
    v("layers", layers);
    v("norm", norm);
    v("head", head);
    v.tie(head.weight, embed.weight);
  }
};

TEST(Init, Gpt2) {
  Language model;
  Generator g(5);
  init::gpt2_(model, {.n_layer = 2}, g);
  const double residual = 0.02 / 2;  // sqrt(2 n_layer)
  expect_normal(slice(model.embed.weight, 0, 1), 0.02);
  expect_zeros(select(model.embed.weight, 0, 0));
  EXPECT_EQ(model.head.weight.slot(), model.embed.weight.slot());
  expect_zeros(model.head.bias);
  expect_normal(model.positions.weight, 0.02);
  for (const TransformerBlock& block : model.layers) {
    expect_normal(block.self_attn.in_proj_weight, 0.02);
    expect_normal(block.self_attn.out_proj.weight, residual);
    expect_normal(block.linear1.weight, 0.02);
    expect_normal(block.linear2.weight, residual);
    for (const Parameter* p : {&block.self_attn.in_proj_bias, &block.self_attn.out_proj.bias,
                               &block.linear1.bias, &block.linear2.bias, &block.norm1.bias}) {
      expect_zeros(*p);
    }
    EXPECT_EQ(min(Tensor(block.norm2.weight)).item(), 1);
  }
  // Ten matrices, each drawn once: embed (with head), positions, and four in each block.
  EXPECT_EQ(g.offset(), 10u);
  Language other;
  Generator h(5);
  init::gpt2_(other, {.n_layer = 2}, h);
  const std::vector<NamedSlot> p = model.parameters(), q = other.parameters();
  for (size_t i = 0; i < p.size(); ++i) {
    numeric::expect_same_bits(p[i].slot->stored(), q[i].slot->stored(), p[i].name);
  }
  init::gpt2_(model, {.n_layer = 2, .std = 0.1, .residual = {"linear1"}}, h);
  expect_normal(model.layers[0].linear1.weight, 0.05);
  expect_normal(model.layers[0].linear2.weight, 0.1);
}

// A normal distribution between bounds, by its own moments: with phi and Phi of the standard one,
// at alpha = (a - mean) / std and beta, the mean is off by std (phi(alpha) - phi(beta)) / Z.
TEST(Init, TruncNormal) {
  const double mean = 0.5, std = 2, a = -1, b = 3.5;
  const auto density = [](double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); };
  const auto below = [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; };
  const double alpha = (a - mean) / std, beta = (b - mean) / std, z = below(beta) - below(alpha);
  const double shift = (density(alpha) - density(beta)) / z;
  const double variance =
      std * std * (1 + (alpha * density(alpha) - beta * density(beta)) / z - shift * shift);
  manual_seed(31);
  const Tensor x = empty({100, 200}, DType::f64);
  init::trunc_normal_(x, mean, std, a, b);
  const Moments m = moments(x, mean + std * shift);
  EXPECT_NEAR(m.mean, 0, kErrors * std::sqrt(variance / m.count));
  // The fourth moment of values within 2.5 of the mean is below 2.5^2 of the second.
  EXPECT_NEAR(m.square, variance, kErrors * std::sqrt(6.25 * variance / m.count));
  EXPECT_GE(min(x).item(), a);
  EXPECT_LE(max(x).item(), b);
  EXPECT_LT(min(x).item(), a + 0.05);
  EXPECT_GT(max(x).item(), b - 0.05);
  EXPECT_THROW(init::trunc_normal_(x, 0, 1, 2, -2), ConfigError);
}

TEST(Init, Eye) {
  const Parameter x(ones({3, 5}));
  init::eye_(x);
  numeric::expect_same_bits(x.value(), slice(eye(5), 0, 0, 3));
  EXPECT_EQ(message_of<ShapeError>([] {
              init::eye_(zeros({2, 2, 2}));
            }),
            "eye_: shape (2, 2, 2); expected two dimensions");
}

// What a convolution with such a kernel gives is its input, for the channels that there are.
TEST(Init, Dirac) {
  const Parameter w(ones({6, 2, 3, 5}));
  init::dirac_(w, 2);
  const Tensor x = numeric::random({2, 4, 6, 7}, 1, DType::f32);
  const Tensor y = conv2d(x, w, {}, {.padding = Shape{1, 2}, .groups = 2});
  for (const int64_t group : {0, 1}) {
    numeric::expect_same_bits(slice(y, 1, 3 * group, 3 * group + 2).contiguous(),
                              slice(x, 1, 2 * group, 2 * group + 2).contiguous());
    expect_zeros(slice(y, 1, 3 * group + 2, 3 * group + 3));
  }
  const Parameter line(ones({2, 3, 3}));
  init::dirac_(line);
  EXPECT_EQ(line.value().to_vector<float>(),
            (std::vector<float>{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_THROW(init::dirac_(w, 4), ShapeError);
  EXPECT_THROW(init::dirac_(zeros({2, 2})), ShapeError);
}

TEST(Init, Orthogonal) {
  manual_seed(4);
  for (const Shape& shape : {Shape{5, 3}, {3, 5}, {4, 4}, {3, 2, 2}}) {
    const Tensor x = empty(shape, DType::f64);
    init::orthogonal_(x, 2.0);
    const Tensor m = reshape(x, {shape[0], -1});
    const bool tall = m.size(0) > m.size(1);
    const Tensor product = tall ? matmul(transpose(m, 0, 1), m) : matmul(m, transpose(m, 0, 1));
    numeric::expect_close(product, eye(product.size(0)) * 4.0, 1e-13);
  }
  // All equally likely: the trace of a rotation of three dimensions and reflections has mean 0 and
  // variance 1.
  double total = 0, squares = 0;
  for (int i = 0; i < 400; ++i) {
    const Tensor x = empty({3, 3}, DType::f64);
    init::orthogonal_(x);
    const double t = trace(x).item();
    total += t / 400;
    squares += t * t / 400;
  }
  EXPECT_NEAR(total, 0, kErrors / 20);
  EXPECT_NEAR(squares, 1, kErrors * std::sqrt(2.0 / 400));  // the fourth moment is 3
  const Parameter half(empty({4, 4}));
  half.slot()->cast(DType::bf16);
  init::orthogonal_(half);
  EXPECT_THROW(init::orthogonal_(zeros({3})), ShapeError);
}

TEST(Init, Sparse) {
  manual_seed(6);
  const Tensor x = empty({50, 200});
  init::sparse_(x, 0.33, 0.5);
  std::vector<int> rows(50);
  for (int64_t c = 0; c < 200; ++c) {
    const std::vector<double> column = numeric::values(x.select(1, c));
    int zeros = 0;
    for (size_t r = 0; r < 50; ++r) {
      zeros += column[r] == 0 ? 1 : 0;
      rows[r] += column[r] == 0 ? 1 : 0;
    }
    EXPECT_EQ(zeros, 17);  // 16.5, rounded up
  }
  // Each row 200 times with probability 0.34.
  for (const int count : rows) EXPECT_NEAR(count, 68, kErrors * std::sqrt(68 * 0.66));
  expect_normal(masked_select(x, ne(x, 0)), 0.5);
  EXPECT_THROW(init::sparse_(x, 1.5), ConfigError);
}

}  // namespace
}  // namespace adjoint::nn
