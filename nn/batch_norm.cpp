#include <adjoint/core/autograd.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/nn/batch_norm.h>

#include "nn/detail/describe.h"

namespace adjoint::nn {
namespace {

// What both norms own, under one order of names.
struct Owned {
  Parameter &weight, &bias;
  Buffer &running_mean, &running_var, &num_batches_tracked;

  void visit(Visitor& v) const {
    v("weight", weight);
    v("bias", bias);
    v("running_mean", running_mean);
    v("running_var", running_var);
    v("num_batches_tracked", num_batches_tracked);
  }
};

template <class Handle>
Handle filled(int64_t features, double value, Slot::Kind kind) {
  if (features == kLazy) return Handle(Slot::lazy({kLazy}, kind));
  return Handle(full({features}, value));
}

template <class Options>
void make(const std::string& name, int64_t features, const Options& options, const Owned& owned) {
  check<ConfigError>(features == kLazy || features >= 1, name, ": num_features ", features,
                     "; expected 1 or more");
  check<ConfigError>(options.eps >= 0, name, ": eps ", options.eps, "; expected 0 or more");
  const double momentum = std::optional<double>(options.momentum).value_or(0);
  check<ConfigError>(momentum >= 0 && momentum <= 1, name, ": momentum ", momentum,
                     "; expected it in [0, 1]");
  constexpr auto kParameter = Slot::Kind::parameter, kBuffer = Slot::Kind::buffer;
  if (options.affine) {
    owned.weight = filled<Parameter>(features, 1, kParameter);
    if (options.bias) owned.bias = filled<Parameter>(features, 0, kParameter);
  }
  if (options.track_running_stats) {
    owned.running_mean = filled<Buffer>(features, 0, kBuffer);
    owned.running_var = filled<Buffer>(features, 1, kBuffer);
    owned.num_batches_tracked = Buffer(zeros({}, DType::i64));
  }
}

bool is_lazy(const Parameter& weight, const Buffer& mean) {
  return weight.is_lazy() || mean.is_lazy();
}

// Gives values to what has none.
void fill(const SlotHandle& handle, int64_t features, double value) {
  if (handle.is_lazy()) handle.slot()->materialize(full({features}, value));
}

// The channels, as far as something says them.
int64_t features_of(int64_t given, const Parameter& weight, const Buffer& mean) {
  if (given != kLazy) return given;
  if (is_lazy(weight, mean)) return 0;
  return weight.defined() ? weight.size(0) : mean.defined() ? mean.size(0) : 0;
}

}  // namespace

// --- BatchNorm ---

template <int N>
BatchNorm<N>::BatchNorm(int64_t num_features, const BatchNormOptions& options)
    : num_features_(num_features), options_(options) {
  make(detail::ranked<N>("BatchNorm"), num_features, options,
       {weight, bias, running_mean, running_var, num_batches_tracked});
}

template <int N>
Tensor BatchNorm<N>::forward(const Tensor& x) const {
  check<ShapeError>(x.dim() == N + 2 || (N == 1 && x.dim() == 2), type_name(), ": input of shape ",
                    x.shape(), "; expected (N, C, sizes...) with ", N,
                    N == 1 ? " size, or (N, C)" : " sizes");
  if (is_lazy(weight, running_mean)) [[unlikely]] {
    const int64_t features = x.size(1);
    fill(weight, features, 1);
    fill(bias, features, 0);
    fill(running_mean, features, 0);
    fill(running_var, features, 1);
  }
  const bool tracked = running_mean.defined();
  double momentum = options_.momentum.value_or(0);
  if (this->is_training() && tracked && !recomputing()) {
    const NoGrad no_grad;
    add_(num_batches_tracked.value(), 1);
    if (!options_.momentum) momentum = 1 / num_batches_tracked.value().item();
  }
  return batch_norm(x, running_mean, running_var, weight, bias, this->is_training() || !tracked,
                    momentum, options_.eps);
}

template <int N>
void BatchNorm<N>::members(Visitor& v) {
  Owned{weight, bias, running_mean, running_var, num_batches_tracked}.visit(v);
}

template <int N>
std::string BatchNorm<N>::type_name() const {
  return detail::lazy_name(detail::ranked<N>("BatchNorm"), is_lazy(weight, running_mean));
}

template <int N>
std::string BatchNorm<N>::describe() const {
  return detail::Description()(features_of(num_features_, weight, running_mean))(
      "eps", options_.eps)("momentum", options_.momentum ? detail::python(*options_.momentum)
                                                         : "None")("affine", options_.affine)(
      "bias", bias.defined())("track_running_stats", options_.track_running_stats);
}

template class BatchNorm<1>;
template class BatchNorm<2>;
template class BatchNorm<3>;

// --- InstanceNorm ---

template <int N>
InstanceNorm<N>::InstanceNorm(int64_t num_features, const InstanceNormOptions& options)
    : num_features_(num_features), options_(options) {
  make(detail::ranked<N>("InstanceNorm"), num_features, options,
       {weight, bias, running_mean, running_var, num_batches_tracked});
}

template <int N>
Tensor InstanceNorm<N>::forward(const Tensor& x) const {
  check<ShapeError>(x.dim() == N + 1 || x.dim() == N + 2, type_name(), ": input of shape ",
                    x.shape(), "; expected (N, C, sizes...) or (C, sizes...) with ", N,
                    N == 1 ? " size" : " sizes");
  if (is_lazy(weight, running_mean)) [[unlikely]] {
    const int64_t features = x.size(-1 - N);
    fill(weight, features, 1);
    fill(bias, features, 0);
    fill(running_mean, features, 0);
    fill(running_var, features, 1);
  }
  const bool alone = x.dim() == N + 1;
  const Tensor y = instance_norm(alone ? unsqueeze(x, 0) : x, running_mean, running_var, weight,
                                 bias, this->is_training() || !running_mean.defined(),
                                 options_.momentum, options_.eps);
  return alone ? squeeze(y, 0) : y;
}

template <int N>
void InstanceNorm<N>::members(Visitor& v) {
  Owned{weight, bias, running_mean, running_var, num_batches_tracked}.visit(v);
}

template <int N>
std::string InstanceNorm<N>::type_name() const {
  return detail::lazy_name(detail::ranked<N>("InstanceNorm"), is_lazy(weight, running_mean));
}

template <int N>
std::string InstanceNorm<N>::describe() const {
  return detail::Description()(features_of(num_features_, weight, running_mean))(
      "eps", options_.eps)("momentum", options_.momentum)("affine", options_.affine)(
      "bias", bias.defined())("track_running_stats", options_.track_running_stats);
}

template class InstanceNorm<1>;
template class InstanceNorm<2>;
template class InstanceNorm<3>;

}  // namespace adjoint::nn
