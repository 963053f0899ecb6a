// Layers that learn their input's size from their first input.
//
//   nn::Sequential net(nn::LazyConv2d(16, 3), nn::ReLU(), nn::Flatten(), nn::LazyLinear(10));
//   nn::materialize(net, images);                // or a first call
//   optim::AdamW optimizer(net.parameters());    // refused before
//
// A lazy layer is the ordinary one, made with kLazy for the size: Linear(kLazy, 10). Its parameters
// have no values until the first call, which draws them with the calling thread's generator, or
// load_state_dict, which takes the sizes from the state; from then on nothing tells it from others.
// Until then parameters(), buffers() and state_dict() throw Error naming the first of them; to(),
// requires_grad_() and copies do what they do to others. The first call writes the module: one
// thread at a time, and not inside of checkpoint(), whose second run would draw nothing.
#pragma once

#include <adjoint/core/autograd.h>
#include <adjoint/nn/batch_norm.h>
#include <adjoint/nn/convolution.h>
#include <adjoint/nn/linear.h>

#include <utility>
#include <vector>

namespace adjoint::nn {

inline Linear LazyLinear(int64_t out_features, const LinearOptions& options = {}) {
  return Linear(kLazy, out_features, options);
}
inline Conv1d LazyConv1d(int64_t out_channels, const Shape& kernel_size,
                         const ConvLayerOptions& options = {}) {
  return Conv1d(kLazy, out_channels, kernel_size, options);
}
inline Conv2d LazyConv2d(int64_t out_channels, const Shape& kernel_size,
                         const ConvLayerOptions& options = {}) {
  return Conv2d(kLazy, out_channels, kernel_size, options);
}
inline Conv3d LazyConv3d(int64_t out_channels, const Shape& kernel_size,
                         const ConvLayerOptions& options = {}) {
  return Conv3d(kLazy, out_channels, kernel_size, options);
}
inline ConvTranspose1d LazyConvTranspose1d(int64_t out_channels, const Shape& kernel_size,
                                           const ConvTransposeLayerOptions& options = {}) {
  return ConvTranspose1d(kLazy, out_channels, kernel_size, options);
}
inline ConvTranspose2d LazyConvTranspose2d(int64_t out_channels, const Shape& kernel_size,
                                           const ConvTransposeLayerOptions& options = {}) {
  return ConvTranspose2d(kLazy, out_channels, kernel_size, options);
}
inline ConvTranspose3d LazyConvTranspose3d(int64_t out_channels, const Shape& kernel_size,
                                           const ConvTransposeLayerOptions& options = {}) {
  return ConvTranspose3d(kLazy, out_channels, kernel_size, options);
}
inline BatchNorm1d LazyBatchNorm1d(const BatchNormOptions& options = {}) {
  return BatchNorm1d(kLazy, options);
}
inline BatchNorm2d LazyBatchNorm2d(const BatchNormOptions& options = {}) {
  return BatchNorm2d(kLazy, options);
}
inline BatchNorm3d LazyBatchNorm3d(const BatchNormOptions& options = {}) {
  return BatchNorm3d(kLazy, options);
}
// PyTorch's lazy ones are affine and track statistics by default, where the others do not.
inline constexpr InstanceNormOptions kLazyInstanceNormOptions = {.affine = true,
                                                                 .track_running_stats = true};
inline InstanceNorm1d LazyInstanceNorm1d(
    const InstanceNormOptions& options = kLazyInstanceNormOptions) {
  return InstanceNorm1d(kLazy, options);
}
inline InstanceNorm2d LazyInstanceNorm2d(
    const InstanceNormOptions& options = kLazyInstanceNormOptions) {
  return InstanceNorm2d(kLazy, options);
}
inline InstanceNorm3d LazyInstanceNorm3d(
    const InstanceNormOptions& options = kLazyInstanceNormOptions) {
  return InstanceNorm3d(kLazy, options);
}

namespace detail {
// While it lives the modules are in evaluation mode; then each as it was.
class Evaluating {
 public:
  explicit Evaluating(ModuleBase& model);
  ~Evaluating();
  Evaluating(const Evaluating&) = delete;
  Evaluating& operator=(const Evaluating&) = delete;

 private:
  std::vector<std::pair<ModuleBase*, bool>> before_;
};
}  // namespace detail

// Calls the model once, evaluating and recording nothing, for the sizes alone: no dropout is drawn
// and no running statistics change.
template <class M, class... Inputs>
void materialize(M& model, const Inputs&... inputs) {
  const detail::Evaluating evaluating(model);
  const NoGrad no_grad;
  static_cast<void>(model(inputs...));
}

}  // namespace adjoint::nn
