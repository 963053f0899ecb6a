#include <adjoint/core/layout.h>
#include <adjoint/nn/convolution.h>
#include <adjoint/nn/init.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "nn/detail/describe.h"

namespace adjoint::nn {
namespace {

using detail::each;
using detail::python;

bool all_are(const Shape& values, int64_t value) {
  return std::ranges::all_of(values.span(), [value](int64_t n) { return n == value; });
}

void check_channels(const std::string& module, int64_t in, int64_t out, int64_t groups) {
  check<ConfigError>(groups >= 1, module, ": groups ", groups, "; expected 1 or more");
  check<ConfigError>(in == kLazy || (in >= 1 && in % groups == 0), module, ": in_channels ", in,
                     " with ", groups, " groups; expected a positive multiple of the groups");
  check<ConfigError>(out >= 1 && out % groups == 0, module, ": out_channels ", out, " with ",
                     groups, " groups; expected a positive multiple of the groups");
}

Shape weight_shape(int64_t first, int64_t second, const Shape& kernel) {
  Shape shape{first, second};
  for (const int64_t size : kernel) shape.push_back(size);
  return shape;
}

// PyTorch's kaiming_uniform_ with a = sqrt(5), whose bound is 1 / sqrt(fan_in).
Tensor drawn(const Shape& shape, const Shape& weight) {
  const Tensor x = empty(shape);
  const double fan = static_cast<double>(weight.numel() / weight[0]);
  init::uniform_(x, -1 / std::sqrt(fan), 1 / std::sqrt(fan));
  return x;
}

// Gives values to what has none.
void materialize_(const Parameter& weight, const Parameter& bias, const Shape& shape,
                  int64_t out_channels) {
  if (weight.is_lazy()) weight.slot()->materialize(drawn(shape, shape));
  if (bias.is_lazy()) bias.slot()->materialize(drawn({out_channels}, shape));
}

// The channels of an input, which has N sizes after them.
int64_t channels_of(const std::string& module, const Tensor& x, int sizes) {
  check<ShapeError>(x.dim() == sizes + 1 || x.dim() == sizes + 2, module, ": input of shape ",
                    x.shape(), "; expected (N, channels, sizes...) or (channels, sizes...) with ",
                    sizes, " sizes");
  return x.size(-1 - sizes);
}

const char* name_of(PaddingMode mode) {
  switch (mode) {
    case PaddingMode::reflect:
      return "reflect";
    case PaddingMode::replicate:
      return "replicate";
    case PaddingMode::circular:
      return "circular";
    case PaddingMode::zeros:
      break;
  }
  return "zeros";
}

PadMode pad_mode(PaddingMode mode) {
  if (mode == PaddingMode::reflect) return PadMode::reflect;
  if (mode == PaddingMode::replicate) return PadMode::replicate;
  return mode == PaddingMode::circular ? PadMode::circular : PadMode::constant;
}

// "same", "valid", or nullptr for numbers.
const char* checked_name(const std::string& module, const ConvPadding& padding,
                         const Shape& stride) {
  if (padding.mode() == nullptr) return nullptr;
  if (std::strcmp(padding.mode(), "valid") == 0) return "valid";
  check<ConfigError>(std::strcmp(padding.mode(), "same") == 0, module, ": padding \"",
                     padding.mode(), "\"; expected numbers, \"same\" or \"valid\"");
  check<ConfigError>(all_are(stride, 1), module, ": padding \"same\" with stride ", python(stride),
                     "; expected stride 1");
  return "same";
}

}  // namespace

// --- Conv ---

template <int N>
Conv<N>::Conv(int64_t in_channels, int64_t out_channels, const Shape& kernel_size,
              const ConvLayerOptions& options)
    : out_channels_(out_channels), groups_(options.groups), padding_mode_(options.padding_mode) {
  const std::string name = detail::ranked<N>("Conv");
  check_channels(name, in_channels, out_channels, groups_);
  kernel_size_ = each(name, "kernel_size", kernel_size, N, 1);
  stride_ = each(name, "stride", options.stride, N, 1);
  dilation_ = each(name, "dilation", options.dilation, N, 1);
  padding_name_ = checked_name(name, options.padding, stride_);
  if (padding_name_ == nullptr) padding_ = each(name, "padding", options.padding.numbers(), N, 0);
  if (padding_mode_ != PaddingMode::zeros) {
    for (int d = N - 1; d >= 0; --d) {
      const bool same = padding_name_ != nullptr && padding_name_[0] == 's';
      const int64_t total = same                       ? dilation_[d] * (kernel_size_[d] - 1)
                            : padding_name_ != nullptr ? 0
                                                       : 2 * padding_[d];
      around_.push_back(total / 2);
      around_.push_back(total - total / 2);
    }
  }
  if (in_channels == kLazy) {
    weight = Parameter(Slot::lazy(weight_shape(out_channels, kLazy, kernel_size_)));
    if (options.bias) bias = Parameter(Slot::lazy({out_channels}));
    return;
  }
  const Shape shape = weight_shape(out_channels, in_channels / groups_, kernel_size_);
  weight = Parameter(drawn(shape, shape));
  if (options.bias) bias = Parameter(drawn({out_channels}, shape));
}

template <int N>
Tensor Conv<N>::forward(const Tensor& x) const {
  if (weight.is_lazy() || bias.is_lazy()) [[unlikely]] {
    const int64_t in = channels_of(type_name(), x, N);
    check_channels(type_name(), in, out_channels_, groups_);
    materialize_(weight, bias, weight_shape(out_channels_, in / groups_, kernel_size_),
                 out_channels_);
  }
  constexpr auto convolve = detail::by_rank<N>(&conv1d, &conv2d, &conv3d);
  if (padding_mode_ != PaddingMode::zeros) {
    return convolve(pad(x, around_, pad_mode(padding_mode_)), weight, bias,
                    {.stride = stride_, .dilation = dilation_, .groups = groups_});
  }
  const ConvPadding padding = padding_name_ != nullptr ? ConvPadding(padding_name_) : padding_;
  return convolve(
      x, weight, bias,
      {.stride = stride_, .padding = padding, .dilation = dilation_, .groups = groups_});
}

template <int N>
int64_t Conv<N>::in_channels() const {
  return weight.is_lazy() ? kLazy : weight.size(1) * groups_;
}

template <int N>
void Conv<N>::members(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

template <int N>
std::string Conv<N>::type_name() const {
  return detail::lazy_name(detail::ranked<N>("Conv"), weight.is_lazy());
}

template <int N>
std::string Conv<N>::describe() const {
  detail::Description out;
  out(weight.is_lazy() ? 0 : in_channels())(out_channels_);
  out("kernel_size", to_string(kernel_size_))("stride", to_string(stride_));
  if (padding_name_ != nullptr) {
    out("padding", padding_name_);
  } else if (!all_are(padding_, 0)) {
    out("padding", to_string(padding_));
  }
  if (!all_are(dilation_, 1)) out("dilation", to_string(dilation_));
  if (groups_ != 1) out("groups", groups_);
  if (!bias.defined()) out("bias", false);
  if (padding_mode_ != PaddingMode::zeros) out("padding_mode", name_of(padding_mode_));
  return out;
}

template class Conv<1>;
template class Conv<2>;
template class Conv<3>;

// --- ConvTranspose ---

template <int N>
ConvTranspose<N>::ConvTranspose(int64_t in_channels, int64_t out_channels, const Shape& kernel_size,
                                const ConvTransposeLayerOptions& options)
    : out_channels_(out_channels), groups_(options.groups) {
  const std::string name = detail::ranked<N>("ConvTranspose");
  check_channels(name, in_channels, out_channels, groups_);
  kernel_size_ = each(name, "kernel_size", kernel_size, N, 1);
  stride_ = each(name, "stride", options.stride, N, 1);
  padding_ = each(name, "padding", options.padding, N, 0);
  output_padding_ = each(name, "output_padding", options.output_padding, N, 0);
  dilation_ = each(name, "dilation", options.dilation, N, 1);
  for (int d = 0; d < N; ++d) {
    check<ConfigError>(output_padding_[d] < std::max(stride_[d], dilation_[d]), name,
                       ": output_padding ", python(options.output_padding), " with stride ",
                       python(options.stride), " and dilation ", python(options.dilation),
                       "; expected less than one of them");
  }
  if (in_channels == kLazy) {
    weight = Parameter(Slot::lazy(weight_shape(kLazy, out_channels / groups_, kernel_size_)));
    if (options.bias) bias = Parameter(Slot::lazy({out_channels}));
    return;
  }
  const Shape shape = weight_shape(in_channels, out_channels / groups_, kernel_size_);
  weight = Parameter(drawn(shape, shape));
  if (options.bias) bias = Parameter(drawn({out_channels}, shape));
}

template <int N>
Shape ConvTranspose<N>::output_padding_for(const Tensor& x, const Shape& output_size) const {
  const int before = x.dim() - N;  // dimensions of batch and channels
  channels_of(type_name(), x, N);
  Shape sizes = output_size;
  if (sizes.rank() == x.dim()) sizes = Shape(sizes.span().subspan(static_cast<size_t>(before)));
  Shape least, padding;
  for (int d = 0; d < N; ++d) {
    least.push_back((x.size(before + d) - 1) * stride_[d] - 2 * padding_[d] +
                    dilation_[d] * (kernel_size_[d] - 1) + 1);
    padding.push_back(sizes.rank() == N ? sizes[d] - least[d] : -1);
    check<ConfigError>(padding[d] >= 0 && padding[d] < stride_[d], type_name(), ": output_size ",
                       output_size, " for an input of shape ", x.shape(), " with stride ",
                       python(stride_), "; expected ", N, " sizes from ",
                       "the least possible to a ", "stride less one above");
  }
  return padding;
}

template <int N>
Tensor ConvTranspose<N>::forward(const Tensor& x, const ForwardOptions& options) const {
  if (weight.is_lazy() || bias.is_lazy()) [[unlikely]] {
    const int64_t in = channels_of(type_name(), x, N);
    check_channels(type_name(), in, out_channels_, groups_);
    materialize_(weight, bias, weight_shape(in, out_channels_ / groups_, kernel_size_),
                 out_channels_);
  }
  constexpr auto convolve =
      detail::by_rank<N>(&conv_transpose1d, &conv_transpose2d, &conv_transpose3d);
  return convolve(
      x, weight, bias,
      {.stride = stride_,
       .padding = padding_,
       .output_padding = options.output_size.empty() ? output_padding_
                                                     : output_padding_for(x, options.output_size),
       .groups = groups_,
       .dilation = dilation_});
}

template <int N>
int64_t ConvTranspose<N>::in_channels() const {
  return weight.is_lazy() ? kLazy : weight.size(0);
}

template <int N>
void ConvTranspose<N>::members(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

template <int N>
std::string ConvTranspose<N>::type_name() const {
  return detail::lazy_name(detail::ranked<N>("ConvTranspose"), weight.is_lazy());
}

template <int N>
std::string ConvTranspose<N>::describe() const {
  detail::Description out;
  out(weight.is_lazy() ? 0 : in_channels())(out_channels_);
  out("kernel_size", to_string(kernel_size_))("stride", to_string(stride_));
  if (!all_are(padding_, 0)) out("padding", to_string(padding_));
  if (!all_are(dilation_, 1)) out("dilation", to_string(dilation_));
  if (!all_are(output_padding_, 0)) out("output_padding", to_string(output_padding_));
  if (groups_ != 1) out("groups", groups_);
  if (!bias.defined()) out("bias", false);
  return out;
}

template class ConvTranspose<1>;
template class ConvTranspose<2>;
template class ConvTranspose<3>;

// --- windows ---

namespace {

void check_windows(const char* module, const Shape& kernel_size, const WindowOptions& options) {
  each(module, "kernel_size", kernel_size, 2, 1);
  each(module, "dilation", options.dilation, 2, 1);
  each(module, "padding", options.padding, 2, 0);
  each(module, "stride", options.stride, 2, 1);
}

}  // namespace

Unfold::Unfold(const Shape& kernel_size, const WindowOptions& options)
    : kernel_size_(kernel_size), options_(options) {
  check_windows("Unfold", kernel_size, options);
}

std::string Unfold::describe() const {
  return detail::Description()("kernel_size", kernel_size_)("dilation", options_.dilation)(
      "padding", options_.padding)("stride", options_.stride);
}

Fold::Fold(const Shape& output_size, const Shape& kernel_size, const WindowOptions& options)
    : output_size_(output_size), kernel_size_(kernel_size), options_(options) {
  each("Fold", "output_size", output_size, 2, 1);
  check_windows("Fold", kernel_size, options);
}

std::string Fold::describe() const {
  return detail::Description()("output_size", output_size_)("kernel_size", kernel_size_)(
      "dilation", options_.dilation)("padding", options_.padding)("stride", options_.stride);
}

}  // namespace adjoint::nn
