#include <adjoint/nn/pooling.h>

#include "nn/detail/describe.h"

namespace adjoint::nn {
namespace {

using detail::by_rank;
using detail::Description;
using detail::each;
using detail::python;
using detail::ranked;

// What regular windows have in common. Gives the stride, which is by default the kernel's.
Shape check_windows(const std::string& name, int rank, const Shape& kernel_size,
                    const Shape& stride, const Shape& padding) {
  const Shape kernel = each(name, "kernel_size", kernel_size, rank, 1);
  const Shape around = each(name, "padding", padding, rank, 0);
  for (int d = 0; d < rank; ++d) {
    check<ConfigError>(2 * around[d] <= kernel[d], name, ": padding ", python(padding),
                       " of a kernel_size ", python(kernel_size), "; expected at most half of it");
  }
  if (stride.empty()) return kernel_size;
  each(name, "stride", stride, rank, 1);
  return stride;
}

// Sizes of a result, one for all or one for each.
void check_output_size(const std::string& name, int rank, const Shape& output_size) {
  each(name, "output_size", output_size, rank, -1);
}

// (5, None) of (5, -1).
std::string output_size_text(const Shape& sizes) {
  std::string text;
  for (const int64_t size : sizes) {
    text += (text.empty() ? "" : ", ") + (size < 0 ? "None" : std::to_string(size));
  }
  return sizes.rank() == 1 ? text : "(" + text + ")";
}

Tensor with_indices(ValuesAndIndices found, Tensor* indices) {
  *indices = std::move(found.indices);
  return std::move(found.values);
}

}  // namespace

// --- MaxPool ---

template <int N>
MaxPool<N>::MaxPool(const Shape& kernel_size, const MaxPoolOptions& options)
    : kernel_size_(kernel_size), options_(options) {
  options_.stride = check_windows(type_name(), N, kernel_size, options.stride, options.padding);
  each(type_name(), "dilation", options.dilation, N, 1);
}

template <int N>
Tensor MaxPool<N>::forward(const Tensor& x, const ForwardOptions& options) const {
  const MaxPoolOptions& o = options_;
  if (options.indices != nullptr) {
    constexpr auto pool =
        by_rank<N>(&max_pool1d_with_indices, &max_pool2d_with_indices, &max_pool3d_with_indices);
    return with_indices(pool(x, kernel_size_, o.stride, o.padding, o.dilation, o.ceil_mode),
                        options.indices);
  }
  constexpr auto pool = by_rank<N>(&max_pool1d, &max_pool2d, &max_pool3d);
  return pool(x, kernel_size_, o.stride, o.padding, o.dilation, o.ceil_mode);
}

template <int N>
std::string MaxPool<N>::type_name() const {
  return ranked<N>("MaxPool");
}

template <int N>
std::string MaxPool<N>::describe() const {
  return Description()("kernel_size", kernel_size_)("stride", options_.stride)(
      "padding", options_.padding)("dilation", options_.dilation)("ceil_mode", options_.ceil_mode);
}

// --- MaxUnpool ---

template <int N>
MaxUnpool<N>::MaxUnpool(const Shape& kernel_size, const MaxUnpoolOptions& options)
    : kernel_size_(each(type_name(), "kernel_size", kernel_size, N, 1)),
      stride_(check_windows(type_name(), N, kernel_size, options.stride, options.padding)),
      padding_(each(type_name(), "padding", options.padding, N, 0)) {
  stride_ = each(type_name(), "stride", stride_, N, 1);
}

template <int N>
Tensor MaxUnpool<N>::forward(const Tensor& x, const Tensor& indices,
                             const ForwardOptions& options) const {
  constexpr auto unpool = by_rank<N>(&max_unpool1d, &max_unpool2d, &max_unpool3d);
  return unpool(x, indices, kernel_size_, stride_, padding_, options.output_size);
}

template <int N>
std::string MaxUnpool<N>::type_name() const {
  return ranked<N>("MaxUnpool");
}

template <int N>
std::string MaxUnpool<N>::describe() const {
  return Description()("kernel_size", to_string(kernel_size_))("stride", to_string(stride_))(
      "padding", to_string(padding_));
}

// --- AvgPool ---

template <int N>
AvgPool<N>::AvgPool(const Shape& kernel_size, const AvgPoolOptions& options)
    : kernel_size_(kernel_size), options_(options) {
  options_.stride = check_windows(type_name(), N, kernel_size, options.stride, options.padding);
  const int64_t divisor = options.divisor_override.value_or(1);
  check<ConfigError>(divisor != 0 && (N > 1 || !options.divisor_override), type_name(),
                     ": divisor_override ", divisor,
                     N > 1 ? "; expected a number other than 0" : "; expected none");
}

template <int N>
Tensor AvgPool<N>::forward(const Tensor& x) const {
  const AvgPoolOptions& o = options_;
  if constexpr (N == 1) {
    return avg_pool1d(x, kernel_size_, o.stride, o.padding, o.ceil_mode, o.count_include_pad);
  } else {
    constexpr auto pool = by_rank<N>(&avg_pool2d, &avg_pool2d, &avg_pool3d);
    return pool(x, kernel_size_, o.stride, o.padding, o.ceil_mode, o.count_include_pad,
                o.divisor_override);
  }
}

template <int N>
std::string AvgPool<N>::type_name() const {
  return ranked<N>("AvgPool");
}

template <int N>
std::string AvgPool<N>::describe() const {
  Description out;
  // PyTorch writes the tuple (3,) here, where it is one of one size.
  if constexpr (N == 1) {
    return out("kernel_size", to_string(kernel_size_))("stride", to_string(options_.stride))(
        "padding", to_string(options_.padding));
  } else {
    return out("kernel_size", kernel_size_)("stride", options_.stride)("padding", options_.padding);
  }
}

// --- LPPool ---

template <int N>
LPPool<N>::LPPool(double norm_type, const Shape& kernel_size, const LPPoolOptions& options)
    : norm_type_(norm_type), kernel_size_(kernel_size), options_(options) {
  check<ConfigError>(norm_type > 0, type_name(), ": norm_type ", norm_type,
                     "; expected a positive number");
  check_windows(type_name(), N, kernel_size, options.stride, 0);
}

template <int N>
Tensor LPPool<N>::forward(const Tensor& x) const {
  constexpr auto pool = by_rank<N>(&lp_pool1d, &lp_pool2d, &lp_pool3d);
  return pool(x, norm_type_, kernel_size_, options_.stride, options_.ceil_mode);
}

template <int N>
std::string LPPool<N>::type_name() const {
  return ranked<N>("LPPool");
}

template <int N>
std::string LPPool<N>::describe() const {
  return Description()("norm_type", norm_type_)("kernel_size", kernel_size_)(
      "stride", options_.stride.empty() ? "None" : python(options_.stride))("ceil_mode",
                                                                            options_.ceil_mode);
}

// --- adaptive ---

template <int N>
AdaptiveMaxPool<N>::AdaptiveMaxPool(const Shape& output_size) : output_size_(output_size) {
  check_output_size(type_name(), N, output_size);
}

template <int N>
Tensor AdaptiveMaxPool<N>::forward(const Tensor& x, const ForwardOptions& options) const {
  if (options.indices != nullptr) {
    constexpr auto pool =
        by_rank<N>(&adaptive_max_pool1d_with_indices, &adaptive_max_pool2d_with_indices,
                   &adaptive_max_pool3d_with_indices);
    return with_indices(pool(x, output_size_), options.indices);
  }
  constexpr auto pool =
      by_rank<N>(&adaptive_max_pool1d, &adaptive_max_pool2d, &adaptive_max_pool3d);
  return pool(x, output_size_);
}

template <int N>
std::string AdaptiveMaxPool<N>::type_name() const {
  return ranked<N>("AdaptiveMaxPool");
}

template <int N>
std::string AdaptiveMaxPool<N>::describe() const {
  return "output_size=" + output_size_text(output_size_);
}

template <int N>
AdaptiveAvgPool<N>::AdaptiveAvgPool(const Shape& output_size) : output_size_(output_size) {
  check_output_size(type_name(), N, output_size);
}

template <int N>
Tensor AdaptiveAvgPool<N>::forward(const Tensor& x) const {
  constexpr auto pool =
      by_rank<N>(&adaptive_avg_pool1d, &adaptive_avg_pool2d, &adaptive_avg_pool3d);
  return pool(x, output_size_);
}

template <int N>
std::string AdaptiveAvgPool<N>::type_name() const {
  return ranked<N>("AdaptiveAvgPool");
}

template <int N>
std::string AdaptiveAvgPool<N>::describe() const {
  return "output_size=" + output_size_text(output_size_);
}

template class MaxPool<1>;
template class MaxPool<2>;
template class MaxPool<3>;
template class MaxUnpool<1>;
template class MaxUnpool<2>;
template class MaxUnpool<3>;
template class AvgPool<1>;
template class AvgPool<2>;
template class AvgPool<3>;
template class LPPool<1>;
template class LPPool<2>;
template class LPPool<3>;
template class AdaptiveMaxPool<1>;
template class AdaptiveMaxPool<2>;
template class AdaptiveMaxPool<3>;
template class AdaptiveAvgPool<1>;
template class AdaptiveAvgPool<2>;
template class AdaptiveAvgPool<3>;

}  // namespace adjoint::nn
