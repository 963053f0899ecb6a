#include <adjoint/nn/vision.h>

#include "nn/detail/describe.h"

namespace adjoint::nn {
namespace {

const char* name_of(InterpolateMode mode) {
  switch (mode) {
    case InterpolateMode::nearest_exact:
      return "'nearest-exact'";
    case InterpolateMode::linear:
      return "'linear'";
    case InterpolateMode::bilinear:
      return "'bilinear'";
    case InterpolateMode::bicubic:
      return "'bicubic'";
    case InterpolateMode::trilinear:
      return "'trilinear'";
    case InterpolateMode::area:
      return "'area'";
    case InterpolateMode::nearest:
      break;
  }
  return "'nearest'";
}

const InterpolateOptions& checked(const char* name, const InterpolateOptions& options) {
  check<ConfigError>(options.size.empty() != options.scale_factor.empty(), name, ": size ",
                     options.size, " and ", options.scale_factor.size(),
                     " scale factors; expected one of the two");
  return options;
}

std::string described(const InterpolateOptions& options) {
  detail::Description out;
  if (options.scale_factor.empty()) {
    out("size", options.size);
  } else {
    std::string factors;
    for (const double factor : options.scale_factor) {
      factors += (factors.empty() ? "" : ", ") + detail::python(factor);
    }
    out("scale_factor", options.scale_factor.size() == 1 ? factors : "(" + factors + ")");
  }
  return out("mode", name_of(options.mode));
}

int64_t positive(const char* name, const char* argument, int64_t value) {
  check<ConfigError>(value >= 1, name, ": ", argument, " ", value, "; expected 1 or more");
  return value;
}

}  // namespace

Upsample::Upsample(const InterpolateOptions& options) : options_(checked("Upsample", options)) {}

std::string Upsample::describe() const { return described(options_); }

UpsamplingNearest2d::UpsamplingNearest2d(const UpsamplingOptions& options)
    : options_(checked("UpsamplingNearest2d",
                       {.size = options.size, .scale_factor = options.scale_factor})) {}

std::string UpsamplingNearest2d::describe() const { return described(options_); }

UpsamplingBilinear2d::UpsamplingBilinear2d(const UpsamplingOptions& options)
    : options_(checked("UpsamplingBilinear2d", {.size = options.size,
                                                .scale_factor = options.scale_factor,
                                                .mode = InterpolateMode::bilinear,
                                                .align_corners = true})) {}

std::string UpsamplingBilinear2d::describe() const { return described(options_); }

PixelShuffle::PixelShuffle(int64_t upscale_factor)
    : upscale_factor_(positive("PixelShuffle", "upscale_factor", upscale_factor)) {}

std::string PixelShuffle::describe() const {
  return detail::Description()("upscale_factor", upscale_factor_);
}

PixelUnshuffle::PixelUnshuffle(int64_t downscale_factor)
    : downscale_factor_(positive("PixelUnshuffle", "downscale_factor", downscale_factor)) {}

std::string PixelUnshuffle::describe() const {
  return detail::Description()("downscale_factor", downscale_factor_);
}

ChannelShuffle::ChannelShuffle(int64_t groups)
    : groups_(positive("ChannelShuffle", "groups", groups)) {}

std::string ChannelShuffle::describe() const { return detail::Description()("groups", groups_); }

}  // namespace adjoint::nn
