// Resizing.
#include <adjoint/core/layout.h>
#include <adjoint/core/pooling.h>
#include <adjoint/core/vision.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/ops/resample.h"
#include "core/ops/sampling.h"

namespace adjoint {
namespace {

const char* mode_name(InterpolateMode mode) {
  constexpr const char* names[] = {"nearest", "nearest_exact", "linear", "bilinear",
                                   "bicubic", "trilinear",     "area"};
  return names[static_cast<int>(mode)];
}

bool is_linear(InterpolateMode mode) {
  return mode == InterpolateMode::linear || mode == InterpolateMode::bilinear ||
         mode == InterpolateMode::trilinear;
}

// The number of sizes that a mode is of; 0 for any.
int rank_of(InterpolateMode mode) {
  switch (mode) {
    case InterpolateMode::linear:
      return 1;
    case InterpolateMode::bilinear:
    case InterpolateMode::bicubic:
      return 2;
    case InterpolateMode::trilinear:
      return 3;
    default:
      return 0;
  }
}

// One dimension. `factor` is what its size was multiplied by, 0 where that does not matter.
struct Resize {
  InterpolateMode mode;
  bool align_corners;
  int64_t in, out;
  double factor;
};

// Places are computed in what the elements are, as PyTorch's, so that they fall on the same
// elements.
template <class A>
A step_of(const Resize& r) {
  if (r.align_corners) {
    return r.out > 1 ? static_cast<A>(r.in - 1) / static_cast<A>(r.out - 1) : A(0);
  }
  return r.factor > 0 ? static_cast<A>(1.0 / r.factor)
                      : static_cast<A>(r.in) / static_cast<A>(r.out);
}

template <class A>
SparseRows rows_of(const Resize& r) {
  SparseRows m;
  m.in = r.in;
  const A step = step_of<A>(r);
  const int64_t last = r.in - 1;
  for (int64_t o = 0; o < r.out; ++o, m.end_row()) {
    const A at =
        r.align_corners ? step * static_cast<A>(o) : step * (static_cast<A>(o) + A(0.5)) - A(0.5);
    if (r.mode == InterpolateMode::nearest) {
      m.add(std::min(static_cast<int64_t>(std::floor(static_cast<A>(o) * step)), last), 1);
    } else if (r.mode == InterpolateMode::nearest_exact) {
      m.add(std::min(static_cast<int64_t>(std::floor((static_cast<A>(o) + A(0.5)) * step)), last),
            1);
    } else if (r.mode == InterpolateMode::bicubic) {
      const auto below = static_cast<int64_t>(std::floor(at));
      const std::array<A, 4> weight = cubic_weights(at - static_cast<A>(below));
      for (int64_t k = 0; k < 4; ++k) {
        m.add(std::clamp<int64_t>(below - 1 + k, 0, last), weight[static_cast<size_t>(k)]);
      }
    } else {
      const A inside = std::max(at, A(0));
      const int64_t below = std::min(static_cast<int64_t>(inside), last);
      const A part = std::clamp(inside - static_cast<A>(below), A(0), A(1));
      m.add(below, A(1) - part);
      m.add(std::min(below + 1, last), part);
    }
  }
  return m;
}

// Keys' filter at a distance, a = -0.5.
template <class A>
A cubic_weight(A x) {
  constexpr A a = A(-0.5);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : A(0);
}

// The filter, stretched by how much further apart the elements of the result are.
template <class A>
SparseRows antialiased_rows(const Resize& r) {
  SparseRows m;
  m.in = r.in;
  const bool cubic = r.mode == InterpolateMode::bicubic;
  const A step = step_of<A>(r), stretch = std::max(step, A(1));
  const A reach = stretch * (cubic ? A(2) : A(1));
  for (int64_t o = 0; o < r.out; ++o, m.end_row()) {
    const A centre = step * (static_cast<A>(o) + A(0.5));
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(centre - reach + A(0.5)), 0);
    const int64_t end = std::min<int64_t>(static_cast<int64_t>(centre + reach + A(0.5)), r.in);
    std::vector<A> weight;
    A total = 0;
    for (int64_t i = first; i < end; ++i) {
      const A at = std::abs(static_cast<A>(i) - centre + A(0.5)) / stretch;
      weight.push_back(cubic ? cubic_weight(at) : std::max(A(1) - at, A(0)));
      total += weight.back();
    }
    for (int64_t i = first; i < end; ++i) {
      m.add(i, weight[static_cast<size_t>(i - first)] / total);
    }
  }
  return m;
}

// What a result is made of: its sizes, and factors where the places come from those.
struct Sizes {
  Shape out;
  std::vector<double> factor;
};
Sizes sizes_of(const Shape& in, const InterpolateOptions& options) {
  constexpr const char* kName = "interpolate";
  const auto rank = static_cast<size_t>(in.rank());
  check<ConfigError>(
      options.size.empty() != options.scale_factor.empty(), kName, ": size and scale_factor are ",
      options.size.empty() ? "both missing" : "both given", "; expected one of them");
  Sizes sizes{{}, std::vector<double>(rank, 0.0)};
  if (!options.size.empty()) {
    sizes.out = for_each_size(kName, "size", options.size, in.rank(), 1);
    return sizes;
  }
  const std::vector<double>& given = options.scale_factor;
  check<ShapeError>(given.size() == 1 || given.size() == rank, kName, ": ", given.size(),
                    " scale factors for ", rank, " sizes; expected one, or one for each");
  for (size_t d = 0; d < rank; ++d) {
    const double factor = given[given.size() == 1 ? 0 : d];
    check<ConfigError>(std::isfinite(factor) && factor > 0, kName, ": scale_factor ", factor,
                       "; expected a finite number above 0");
    const double size = std::floor(static_cast<double>(in[static_cast<int>(d)]) * factor);
    check<ShapeError>(size >= 1 && size < 0x1p53, kName, ": scale_factor ", factor, " for size ",
                      in[static_cast<int>(d)], " gives size ", size,
                      "; expected a result of size 1 or more, below 2^53");
    sizes.out.push_back(static_cast<int64_t>(size));
    if (!options.recompute_scale_factor) sizes.factor[d] = factor;
  }
  return sizes;
}

// The mean over windows that adapt.
Tensor by_area(const Tensor& x, const Shape& out) {
  if (out.rank() == 1) return adaptive_avg_pool1d(x, out);
  return out.rank() == 2 ? adaptive_avg_pool2d(x, out) : adaptive_avg_pool3d(x, out);
}

}  // namespace

// y = the elements around each place by their weights, along one dimension after the other;
// dx = of each place the same shares of dy
Tensor interpolate(const Tensor& x, const InterpolateOptions& options) {
  constexpr const char* kName = "interpolate";
  check_defined(kName, x, 0);
  const bool copies =
      options.mode == InterpolateMode::nearest || options.mode == InterpolateMode::nearest_exact;
  if (copies && x.dtype() == DType::u8) {  // elements as they are, which f32 holds
    return to(interpolate(to(x, DType::f32), options), DType::u8);
  }
  check_floating_input(kName, x);
  check<ShapeError>(x.dim() >= 3 && x.dim() <= 5, kName, ": input of shape ", x.shape(),
                    "; expected (N, C, sizes...) with one to three sizes");
  const int rank = x.dim() - 2;
  const InterpolateMode mode = options.mode;
  check<ShapeError>(rank_of(mode) == 0 || rank_of(mode) == rank, kName, ": mode ", mode_name(mode),
                    " for an input of shape ", x.shape(), "; expected ", rank_of(mode) + 2,
                    " dimensions");
  const bool corners = is_linear(mode) || mode == InterpolateMode::bicubic;
  check<ConfigError>(corners || !options.align_corners.has_value(), kName,
                     ": align_corners with mode ", mode_name(mode),
                     "; expected it with the linear modes and bicubic only");
  const bool antialias = options.antialias;
  check<ConfigError>(!antialias || (corners && rank == 2), kName, ": antialias with mode ",
                     mode_name(mode), "; expected it with bilinear and bicubic only");
  const Shape in = plane_sizes(kName, x, rank);
  const auto [out, factor] = sizes_of(in, options);
  if (mode == InterpolateMode::area) return by_area(x, out);
  const auto r = std::make_shared<Resampling>();
  r->in = in;
  r->out = out;
  const bool wide = x.dtype() == DType::f64;
  for (int d = 0; d < rank; ++d) {
    const auto at = static_cast<size_t>(d);
    const Resize resize{mode, options.align_corners.value_or(false), in[d], out[d], factor[at]};
    r->dims[at + static_cast<size_t>(3 - rank)] =
        antialias ? (wide ? antialiased_rows<double>(resize) : antialiased_rows<float>(resize))
                  : (wide ? rows_of<double>(resize) : rows_of<float>(resize));
  }
  return resampled(kName, x, r,
                   {{"size", r->out},
                    {"mode", mode_name(mode)},
                    {"align_corners", options.align_corners.value_or(false)}});
}

}  // namespace adjoint
