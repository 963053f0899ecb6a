#include <adjoint/core/autograd.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/parametrizations.h>

#include <algorithm>

namespace adjoint::nn {
namespace {

Tensor mt(const Tensor& x) { return transpose(x, -2, -1); }

// x / max(|x|, eps) for a vector.
Tensor unit(const Tensor& x, double eps) { return x / clamp_min(norm(x), eps); }

// The Q of x = Q R with a positive diagonal of R.
Tensor orthonormal(const Tensor& x) {
  const auto [q, r] = qr(x);
  return q * unsqueeze(where(lt(diagonal(r, 0, -2, -1), 0), -1.0, ones({}, x.dtype())), -2);
}

}  // namespace

// --- weight norm ---

Tensor WeightNorm::norms(const Tensor& v) const {
  if (!dim_) return norm(v);
  const int kept = normalize_dim("weight_norm", *dim_, v.dim());
  Shape others;
  for (int d = 0; d < v.dim(); ++d) {
    if (d != kept) others.push_back(d);
  }
  return others.rank() == 0 ? abs(v) : norm(v, 2, others, kKeepDim);
}

Tensor WeightNorm::forward(const Tensor& g, const Tensor& v) const { return v * (g / norms(v)); }

std::pair<Tensor, Tensor> WeightNorm::right_inverse(const Tensor& weight) const {
  return {norms(weight), weight};
}

// --- spectral norm ---

SpectralNorm::SpectralNorm(const Tensor& weight, const SpectralNormOptions& options)
    : n_power_iterations_(options.n_power_iterations), eps_(options.eps) {
  check<ConfigError>(n_power_iterations_ >= 1, "SpectralNorm: n_power_iterations ",
                     n_power_iterations_, "; expected 1 or more");
  dim_ = normalize_dim("SpectralNorm", options.dim.value_or(0), weight.dim());
  if (weight.dim() <= 1) return;
  const NoGrad no_grad;
  const Tensor matrix = as_matrix(weight);
  u_ = Buffer(unit(randn({matrix.size(0)}, weight.dtype()), eps_));
  v_ = Buffer(unit(randn({matrix.size(1)}, weight.dtype()), eps_));
  iterate(matrix, 15);  // PyTorch's number: near enough to begin with
}

Tensor SpectralNorm::as_matrix(const Tensor& weight) const {
  return flatten(movedim(weight, {dim_}, {0}), 1);
}

// u = W v / |W v|, v = W^T u / |W^T u|, in the buffers.
void SpectralNorm::iterate(const Tensor& matrix, int64_t times) const {
  const NoGrad no_grad;
  for (int64_t i = 0; i < times; ++i) {
    u_.set_data(unit(mv(matrix, v_), eps_));
    v_.set_data(unit(mv(transpose(matrix, 0, 1), u_), eps_));
  }
}

Tensor SpectralNorm::forward(const Tensor& weight) const {
  if (!u_.defined()) return unit(weight, eps_);
  const Tensor matrix = as_matrix(weight);
  if (is_training() && !recomputing()) iterate(matrix, n_power_iterations_);
  // Copies, for backward: the next call writes the buffers.
  const Tensor u = u_.value().clone(), v = v_.value().clone();
  return weight / dot(u, mv(matrix, v));
}

void SpectralNorm::members(Visitor& v) {
  v("_u", u_);
  v("_v", v_);
}

// --- orthogonal ---

Orthogonal::Orthogonal(const Tensor& weight, const OrthogonalOptions& options) : map_(options.map) {
  check<ShapeError>(weight.dim() >= 2, "Orthogonal: shape ", weight.shape(),
                    "; expected a matrix or a batch of them");
  if (!options.use_trivialization) return;
  Shape base = weight.shape();
  const int n = weight.dim();
  base[n - 2] = base[n - 1] = std::max(weight.size(-2), weight.size(-1));
  base_ = Buffer(zeros(base, weight.dtype()));  // until right_inverse() knows it
}

Tensor Orthogonal::forward(const Tensor& original) const {
  const bool wide = original.size(-2) < original.size(-1);
  Tensor x = tril(wide ? mt(original) : original);
  const int64_t n = x.size(-2), k = x.size(-1);
  if (k < n) x = pad(x, {0, n - k});
  const Tensor skew = x - mt(x);
  Tensor q;
  if (map_ == OrthogonalMap::matrix_exp) {
    q = matrix_exp(skew);
  } else {
    const Tensor identity = eye(n, x.dtype());
    q = solve(identity - skew * 0.5, identity + skew * 0.5);
  }
  if (k < n) q = slice(q, -1, 0, k);
  if (base_.defined()) q = matmul(base_, q);
  return wide ? mt(q) : q;
}

Tensor Orthogonal::right_inverse(const Tensor& weight) const {
  if (!base_.defined()) return weight;
  const bool wide = weight.size(-2) < weight.size(-1);
  Tensor x = wide ? mt(weight) : weight;
  if (const int64_t missing = x.size(-2) - x.size(-1); missing > 0) {
    Shape rest = x.shape();
    rest[x.dim() - 1] = missing;
    x = cat({x, randn(rest, x.dtype())}, -1);
  }
  base_.set_data(orthonormal(x));
  // Its skew-symmetric part is 0. The diagonal does not matter; it is PyTorch's.
  Tensor original = zeros(weight.shape(), weight.dtype());
  fill_(diagonal(original, 0, -2, -1), -1.0);
  return original;
}

// --- by name ---

namespace utils {

void detail::add_weight_norm(ModuleBase& module, const std::string& name,
                             std::optional<int64_t> dim) {
  register_parametrization(module, name, WeightNorm(dim));
}

void detail::add_spectral_norm(ModuleBase& module, const std::string& name,
                               const SpectralNormOptions& options) {
  SpectralNormOptions chosen = options;
  if (!chosen.dim) chosen.dim = module.type_name().starts_with("ConvTranspose") ? 1 : 0;
  register_parametrization(module, name, SpectralNorm(detail::value_of(module, name), chosen));
}

void detail::add_orthogonal(ModuleBase& module, const std::string& name,
                            const OrthogonalOptions& options) {
  register_parametrization(module, name, Orthogonal(detail::value_of(module, name), options));
}

}  // namespace utils
}  // namespace adjoint::nn
