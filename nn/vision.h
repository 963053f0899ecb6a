// Images resized, and channels and places exchanged.
#pragma once

#include <adjoint/core/vision.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

// (N, C, sizes...) resized, to `size` or by `scale_factor`: the operator interpolate.
// ConfigError unless one of the two is given.
class Upsample : public Module<Upsample> {
 public:
  explicit Upsample(const InterpolateOptions& options);
  Tensor forward(const Tensor& x) const { return interpolate(x, options_); }
  std::string describe() const override;

 private:
  InterpolateOptions options_;
};

struct UpsamplingOptions {
  Shape size = {};
  std::vector<double> scale_factor = {};
};

// Upsample of images by nearest, and bilinear with aligned corners.
class UpsamplingNearest2d : public Module<UpsamplingNearest2d> {
 public:
  explicit UpsamplingNearest2d(const UpsamplingOptions& options);
  Tensor forward(const Tensor& x) const { return interpolate(x, options_); }
  std::string describe() const override;

 private:
  InterpolateOptions options_;
};

class UpsamplingBilinear2d : public Module<UpsamplingBilinear2d> {
 public:
  explicit UpsamplingBilinear2d(const UpsamplingOptions& options);
  Tensor forward(const Tensor& x) const { return interpolate(x, options_); }
  std::string describe() const override;

 private:
  InterpolateOptions options_;
};

// (..., C r^2, H, W) to (..., C, H r, W r): the operator pixel_shuffle. ConfigError for factors
// below 1, here and below.
class PixelShuffle : public Module<PixelShuffle> {
 public:
  explicit PixelShuffle(int64_t upscale_factor);
  Tensor forward(const Tensor& x) const { return pixel_shuffle(x, upscale_factor_); }
  std::string describe() const override;

 private:
  int64_t upscale_factor_;
};

class PixelUnshuffle : public Module<PixelUnshuffle> {
 public:
  explicit PixelUnshuffle(int64_t downscale_factor);
  Tensor forward(const Tensor& x) const { return pixel_unshuffle(x, downscale_factor_); }
  std::string describe() const override;

 private:
  int64_t downscale_factor_;
};

// Channels dealt out to the groups in turn: the operator channel_shuffle.
class ChannelShuffle : public Module<ChannelShuffle> {
 public:
  explicit ChannelShuffle(int64_t groups);
  Tensor forward(const Tensor& x) const { return channel_shuffle(x, groups_); }
  std::string describe() const override;

 private:
  int64_t groups_;
};

}  // namespace adjoint::nn
