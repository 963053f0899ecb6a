#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/init.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/position.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace adjoint::nn::init {
namespace {

void check_floating(const char* op, const Tensor& x) {
  check(x.defined(), op, ": undefined tensor; expected a tensor with elements");
  check<DTypeError>(is_floating_point(x.dtype()), op, ": dtype ", x.dtype(),
                    "; expected a floating dtype");
}

void check_matrix(const char* op, const Tensor& x) {
  check_floating(op, x);
  check<ShapeError>(x.dim() == 2, op, ": shape ", x.shape(), "; expected two dimensions");
}

double kaiming_std(const Tensor& x, const KaimingOptions& options) {
  const Fans f = fans(x);
  const int64_t fan = options.mode == FanMode::fan_in ? f.in : f.out;
  return calculate_gain(options.nonlinearity, options.a) / std::sqrt(static_cast<double>(fan));
}

}  // namespace

void uniform_(const Tensor& x, double low, double high, Generator& generator) {
  check_floating("uniform_", x);
  check<ConfigError>(low <= high, "uniform_: from ", low, " to ", high,
                     "; expected bounds in ascending order");
  const NoGrad no_grad;
  adjoint::uniform_(x, low, high, generator);
}

void normal_(const Tensor& x, double mean, double std, Generator& generator) {
  check_floating("normal_", x);
  check<ConfigError>(std >= 0, "normal_: standard deviation ", std, "; expected 0 or more");
  const NoGrad no_grad;
  adjoint::normal_(x, mean, std, generator);
}

void constant_(const Tensor& x, double value) {
  check(x.defined(), "constant_: undefined tensor; expected a tensor with elements");
  const NoGrad no_grad;
  fill_(x, value);
}

void zeros_(const Tensor& x) { constant_(x, 0); }
void ones_(const Tensor& x) { constant_(x, 1); }

void trunc_normal_(const Tensor& x, double mean, double std, double a, double b,
                   Generator& generator) {
  check_floating("trunc_normal_", x);
  check<ConfigError>(std >= 0 && a <= b, "trunc_normal_: standard deviation ", std, " between ", a,
                     " and ", b, "; expected 0 or more, and bounds in ascending order");
  const NoGrad no_grad;
  copy_(x, trunc_normal(mean, std, a, b, x.shape(), x.dtype(), generator));
}

void eye_(const Tensor& x) {
  check_matrix("eye_", x);
  const NoGrad no_grad;
  zero_(x);
  fill_(diagonal(x), 1.0);
}

void dirac_(const Tensor& x, int64_t groups) {
  check_floating("dirac_", x);
  check<ShapeError>(
      x.dim() >= 3 && x.dim() <= 5 && groups >= 1 && x.size(0) % groups == 0, "dirac_: shape ",
      x.shape(), " in ", groups,
      " groups; expected (out, in / groups, kernel...) of 1 to 3 sizes of the kernel, "
      "with out a multiple of the groups");
  const NoGrad no_grad;
  zero_(x);
  Tensor middle = x;  // (out, in / groups)
  for (int d = x.dim() - 1; d >= 2; --d) middle = select(middle, d, x.size(d) / 2);
  const int64_t outputs = x.size(0) / groups;
  for (int64_t g = 0; g < groups; ++g) {
    fill_(diagonal(slice(middle, 0, g * outputs, (g + 1) * outputs)), 1.0);
  }
}

// The Q of the QR factors of normal numbers, with the signs of a positive diagonal of R: Mezzadri
// 2006, arXiv math-ph/0609050.
void orthogonal_(const Tensor& x, double gain, Generator& generator) {
  check_floating("orthogonal_", x);
  check<ShapeError>(x.dim() >= 2, "orthogonal_: shape ", x.shape(),
                    "; expected two dimensions or more");
  if (x.numel() == 0) return;
  const NoGrad no_grad;
  const int64_t rows = x.size(0), columns = x.numel() / rows;
  // There are no factors of bf16 and f16.
  const DType dtype = x.dtype() == DType::f64 ? DType::f64 : DType::f32;
  const Tensor drawn = randn({rows, columns}, dtype, generator);
  const auto [q, r] = qr(rows < columns ? transpose(drawn, 0, 1) : drawn);
  const Tensor signs = sign(diagonal(r));
  const Tensor turned = q * signs;
  const Tensor matrix = rows < columns ? transpose(turned, 0, 1) : turned;
  copy_(x, reshape(matrix, x.shape()) * gain);
}

void sparse_(const Tensor& x, double sparsity, double std, Generator& generator) {
  check_matrix("sparse_", x);
  check<ConfigError>(sparsity >= 0 && sparsity <= 1, "sparse_: sparsity ", sparsity,
                     "; expected it in [0, 1]");
  const int64_t rows = x.size(0), columns = x.size(1);
  const auto zeros = static_cast<int64_t>(std::ceil(sparsity * static_cast<double>(rows)));
  init::normal_(x, 0, std, generator);
  const NoGrad no_grad;
  for (int64_t c = 0; c < columns; ++c) {
    index_fill_(select(x, 1, c), 0, slice(randperm(rows, generator), 0, 0, zeros), 0.0);
  }
}

Fans fans(const Tensor& weight) {
  check(weight.defined(), "fans: undefined tensor; expected a weight");
  check<ShapeError>(weight.dim() >= 2, "fans: shape ", weight.shape(),
                    "; expected two dimensions or more: (out, in) or (out, in, kernel...)");
  int64_t kernel = 1;
  for (int i = 2; i < weight.dim(); ++i) kernel *= weight.size(i);
  return {weight.size(1) * kernel, weight.size(0) * kernel};
}

double calculate_gain(Nonlinearity nonlinearity, double slope) {
  switch (nonlinearity) {
    case Nonlinearity::tanh:
      return 5.0 / 3;
    case Nonlinearity::relu:
      return std::sqrt(2.0);
    case Nonlinearity::leaky_relu:
      return std::sqrt(2 / (1 + slope * slope));
    case Nonlinearity::selu:
      return 0.75;
    case Nonlinearity::linear:
    case Nonlinearity::sigmoid:
      break;
  }
  return 1;
}

void xavier_uniform_(const Tensor& x, double gain, Generator& generator) {
  const Fans f = fans(x);
  if (x.numel() == 0) return;
  // A uniform distribution in [-b, b] has variance b^2 / 3.
  const double bound = gain * std::sqrt(6.0 / static_cast<double>(f.in + f.out));
  init::uniform_(x, -bound, bound, generator);
}

void xavier_normal_(const Tensor& x, double gain, Generator& generator) {
  const Fans f = fans(x);
  if (x.numel() == 0) return;
  init::normal_(x, 0, gain * std::sqrt(2.0 / static_cast<double>(f.in + f.out)), generator);
}

void kaiming_uniform_(const Tensor& x, const KaimingOptions& options, Generator& generator) {
  const double bound = std::sqrt(3.0) * kaiming_std(x, options);
  if (x.numel() == 0) return;
  init::uniform_(x, -bound, bound, generator);
}

void kaiming_normal_(const Tensor& x, const KaimingOptions& options, Generator& generator) {
  const double std = kaiming_std(x, options);
  if (x.numel() == 0) return;
  init::normal_(x, 0, std, generator);
}

void gpt2_(ModuleBase& model, const Gpt2Options& options, Generator& generator) {
  check<ConfigError>(options.n_layer >= 1, "gpt2_: n_layer ", options.n_layer,
                     "; expected 1 or more");
  const double residual_std = options.std / std::sqrt(2.0 * static_cast<double>(options.n_layer));
  std::unordered_set<const Slot*> done;
  const auto draw = [&](const Parameter& p, double std) {
    if (p.defined() && done.insert(p.slot().get()).second) init::normal_(p, 0, std, generator);
  };
  const auto clear = [](const Parameter& bias) {
    if (bias.defined()) zeros_(bias);
  };
  for (const NamedModule& named : model.named_modules()) {
    if (const auto* linear = dynamic_cast<const Linear*>(named.module)) {
      const std::string last = named.name.substr(named.name.rfind('.') + 1);
      const bool residual = std::ranges::find(options.residual, last) != options.residual.end();
      draw(linear->weight, residual ? residual_std : options.std);
      clear(linear->bias);
    } else if (const auto* embedding = dynamic_cast<const Embedding*>(named.module)) {
      draw(embedding->weight, options.std);
      embedding->clear_padding();
    } else if (const auto* attention = dynamic_cast<const MultiHeadAttention*>(named.module)) {
      draw(attention->in_proj_weight, options.std);
      draw(attention->q_proj_weight, options.std);
      draw(attention->k_proj_weight, options.std);
      draw(attention->v_proj_weight, options.std);
      clear(attention->in_proj_bias);
    } else if (const auto* positions =
                   dynamic_cast<const LearnedPositionalEmbedding*>(named.module)) {
      draw(positions->weight, options.std);
    }
  }
}

}  // namespace adjoint::nn::init
