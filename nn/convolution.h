// Convolutions and their transposes, and windows as columns. Inputs have a batch, (N, channels,
// sizes...), or none.
//
//   nn::Conv2d(3, 16, 3, {.stride = 2, .padding = {1, 0}})
#pragma once

#include <adjoint/core/convolution.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

// What is around the input.
enum class PaddingMode : uint8_t { zeros, reflect, replicate, circular };

// Sizes: one number for all dimensions, or one for each.
struct ConvLayerOptions {
  Shape stride = 1;
  ConvPadding padding = 0;  // or "same", "valid"
  Shape dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  PaddingMode padding_mode = PaddingMode::zeros;
};

// A convolution over N sizes: Conv1d, Conv2d, Conv3d. in_channels may be kLazy. Weight and bias
// start, as in PyTorch, from uniform(-b, b) with b = 1 / sqrt(in_channels / groups * kernel).
// ConfigError for sizes that are not positive, groups that do not divide the channels, and a
// padding of "same" with a stride.
template <int N>
class Conv : public Module<Conv<N>> {
 public:
  Conv(int64_t in_channels, int64_t out_channels, const Shape& kernel_size,
       const ConvLayerOptions& options = {});

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;
  std::string type_name() const override;
  std::string describe() const override;

  int64_t in_channels() const;
  int64_t out_channels() const { return out_channels_; }

  Parameter weight;  // (out_channels, in_channels / groups, kernel_size...)
  Parameter bias;    // (out_channels), or undefined

 private:
  int64_t out_channels_;
  Shape kernel_size_, stride_, padding_, dilation_;
  const char* padding_name_;  // "same", "valid" or nullptr
  int64_t groups_;
  PaddingMode padding_mode_;
  std::vector<int64_t> around_;  // of other modes than zeros: what pad() adds
};

struct ConvTransposeLayerOptions {
  Shape stride = 1;
  Shape padding = 0;
  Shape output_padding = 0;
  int64_t groups = 1;
  bool bias = true;
  Shape dilation = 1;
};

struct ConvTransposeForwardOptions {
  // The sizes of the result, or its whole shape, in the place of output_padding: from the smallest
  // possible ones to a stride less one above. ConfigError for others.
  Shape output_size = {};
};

// The transpose of a convolution: ConvTranspose1d, 2d, 3d. in_channels may be kLazy. Starts as in
// PyTorch, from uniform(-b, b) with b = 1 / sqrt(out_channels / groups * kernel). ConfigError as
// for Conv.
template <int N>
class ConvTranspose : public Module<ConvTranspose<N>> {
 public:
  using ForwardOptions = ConvTransposeForwardOptions;

  ConvTranspose(int64_t in_channels, int64_t out_channels, const Shape& kernel_size,
                const ConvTransposeLayerOptions& options = {});

  Tensor forward(const Tensor& x, const ForwardOptions& options = {}) const;
  void members(Visitor& v) override;
  std::string type_name() const override;
  std::string describe() const override;

  int64_t in_channels() const;
  int64_t out_channels() const { return out_channels_; }

  Parameter weight;  // (in_channels, out_channels / groups, kernel_size...)
  Parameter bias;    // (out_channels), or undefined

 private:
  Shape output_padding_for(const Tensor& x, const Shape& output_size) const;

  int64_t out_channels_;
  Shape kernel_size_, stride_, padding_, output_padding_, dilation_;
  int64_t groups_;
};

extern template class Conv<1>;
extern template class Conv<2>;
extern template class Conv<3>;
extern template class ConvTranspose<1>;
extern template class ConvTranspose<2>;
extern template class ConvTranspose<3>;
using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;
using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

// Windows as columns: the operator unfold.
class Unfold : public Module<Unfold> {
 public:
  explicit Unfold(const Shape& kernel_size, const WindowOptions& options = {});
  Tensor forward(const Tensor& x) const { return unfold(x, kernel_size_, options_); }
  std::string describe() const override;

 private:
  Shape kernel_size_;
  WindowOptions options_;
};

// Columns as windows, summed where they overlap: the operator fold.
class Fold : public Module<Fold> {
 public:
  Fold(const Shape& output_size, const Shape& kernel_size, const WindowOptions& options = {});
  Tensor forward(const Tensor& x) const { return fold(x, output_size_, kernel_size_, options_); }
  std::string describe() const override;

 private:
  Shape output_size_, kernel_size_;
  WindowOptions options_;
};

}  // namespace adjoint::nn
