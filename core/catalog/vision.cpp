// Rows of resizing, sampling and the exchange of channels and places. References work each result
// out from its place.
#include <adjoint/core/vision.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/builders.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

// What a place between elements reads along one dimension: which, and how much of it.
struct Part {
  int64_t at;
  double weight;
};
using Parts = std::vector<Part>;

double cubic(double x) {
  x = std::abs(x);
  constexpr double a = -0.75;
  if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

// The sum over all combinations of parts, one of each dimension, of a plane's elements.
double sum_of_parts(const Array& x, const Shape& lead, const std::vector<Parts>& parts) {
  Shape counts;
  for (const Parts& p : parts) counts.push_back(static_cast<int64_t>(p.size()));
  double sum = 0;
  for_each_index(counts, [&](const Shape& k) {
    Shape index = lead;
    double weight = 1;
    for (int d = 0; d < k.rank(); ++d) {
      const Part& part = parts[static_cast<size_t>(d)][static_cast<size_t>(k[d])];
      index.push_back(part.at);
      weight *= part.weight;
    }
    if (weight != 0) sum += weight * x.at(index);
  });
  return sum;
}

// --- interpolate ---

Parts resized_parts(const InterpolateOptions& o, int64_t in, int64_t out, double factor,
                    int64_t i) {
  const auto size = static_cast<double>(in), to = static_cast<double>(out);
  const double place = static_cast<double>(i);
  const double step = factor > 0 ? 1 / factor : size / to;
  const auto last = in - 1;
  const auto kept = [last](double at) {
    return std::clamp<int64_t>(static_cast<int64_t>(at), 0, last);
  };
  if (o.mode == InterpolateMode::nearest) return {{kept(std::floor(place * step)), 1}};
  if (o.mode == InterpolateMode::nearest_exact) {
    return {{kept(std::floor((place + 0.5) * step)), 1}};
  }
  if (o.mode == InterpolateMode::area) {
    Parts parts;
    const auto begin = static_cast<int64_t>(std::floor(place * size / to));
    const auto end = static_cast<int64_t>(std::ceil((place + 1) * size / to));
    for (int64_t k = begin; k < end; ++k) {
      parts.push_back({k, 1 / static_cast<double>(end - begin)});
    }
    return parts;
  }
  double at = (place + 0.5) * step - 0.5;
  if (o.align_corners.value_or(false)) at = out > 1 ? place * (size - 1) / (to - 1) : 0;
  if (o.mode != InterpolateMode::bicubic) at = std::clamp(at, 0.0, size - 1);
  const double below = std::floor(at);
  if (o.mode != InterpolateMode::bicubic) {
    return {{kept(below), 1 - (at - below)}, {kept(below + 1), at - below}};
  }
  Parts parts;
  for (int k = -1; k <= 2; ++k) parts.push_back({kept(below + k), cubic(at - (below + k))});
  return parts;
}

Tensors resized(const Tensors& in, const InterpolateOptions& o) {
  const Array x(in[0]);
  const int rank = x.shape.rank() - 2;
  Shape shape = {x.shape[0], x.shape[1]};
  std::vector<double> factors;
  for (int d = 0; d < rank; ++d) {
    const auto at = static_cast<size_t>(d);
    double factor = 0;
    if (!o.scale_factor.empty()) factor = o.scale_factor[o.scale_factor.size() == 1 ? 0 : at];
    const int64_t given = o.size.empty() ? 0 : o.size[o.size.rank() == 1 ? 0 : d];
    shape.push_back(
        factor > 0 ? static_cast<int64_t>(std::floor(static_cast<double>(x.shape[d + 2]) * factor))
                   : given);
    factors.push_back(o.recompute_scale_factor ? 0 : factor);
  }
  return {make_array(shape, [&](const Shape& index) {
            std::vector<Parts> parts;
            for (int d = 0; d < rank; ++d) {
              parts.push_back(resized_parts(o, x.shape[d + 2], shape[d + 2],
                                            factors[static_cast<size_t>(d)], index[d + 2]));
            }
            return sum_of_parts(x, {index[0], index[1]}, parts);
          }).tensor()};
}

Sample resize_sample(const std::string& name, const Tensor& x, const InterpolateOptions& o) {
  constexpr const char* modes[] = {"nearest", "nearest-exact", "linear", "bilinear",
                                   "bicubic", "trilinear",     "area"};
  const std::string mode = modes[static_cast<int>(o.mode)];
  Sample sample{mode + ", " + name,
                {x},
                unary([o](const Tensor& v) { return interpolate(v, o); }),
                [o](const Tensors& in) { return resized(in, o); }};
  std::string factors;
  for (const double f : o.scale_factor) factors += std::to_string(f) + ", ";
  sample.torch = "F.interpolate(x[0], ";
  if (!o.size.empty()) {
    sample.torch += "size=" + (o.size.rank() == 1 ? std::to_string(o.size[0]) : tuple(o.size));
  } else if (o.scale_factor.size() == 1) {
    sample.torch += "scale_factor=" + std::to_string(o.scale_factor[0]);
  } else {
    sample.torch += "scale_factor=(" + factors + ")";
  }
  sample.torch += ", mode='" + mode + "'";
  if (o.align_corners) sample.torch += *o.align_corners ? ", align_corners=True" : "";
  if (o.recompute_scale_factor) sample.torch += ", recompute_scale_factor=True";
  sample.torch += ")";
  return sample;
}

Row interpolate_row() {
  using Mode = InterpolateMode;
  const Tensor line = input({2, 3, 7}, 1), plane = input({2, 2, 4, 5}, 2);
  const Tensor space = input({1, 2, 3, 4, 3}, 3);
  Row row{
      "interpolate",
      {resize_sample("(4, 5) to (8, 7)", plane, {.size = {8, 7}}),
       resize_sample("(4, 5) by (1.6, 0.7)", plane, {.scale_factor = {1.6, 0.7}}),
       resize_sample("(7) by 2", line, {.scale_factor = {2.0}}),
       resize_sample("(3, 4, 3) to 5", space, {.size = 5}),
       resize_sample("(4, 5) to (8, 3)", plane, {.size = {8, 3}, .mode = Mode::nearest_exact}),
       resize_sample("(7) to 10", line, {.size = 10, .mode = Mode::linear}),
       resize_sample("(7) to 4, corners", line,
                     {.size = 4, .mode = Mode::linear, .align_corners = true}),
       resize_sample("(4, 5) by 2, strided", strided(plane),
                     {.scale_factor = {2.0}, .mode = Mode::bilinear, .align_corners = false}),
       resize_sample("(4, 5) by 1.7", plane, {.scale_factor = {1.7}, .mode = Mode::bilinear}),
       resize_sample(
           "(4, 5) by 1.7, sizes only", plane,
           {.scale_factor = {1.7}, .mode = Mode::bilinear, .recompute_scale_factor = true}),
       resize_sample("(4, 5) to (7, 9), corners", plane,
                     {.size = {7, 9}, .mode = Mode::bilinear, .align_corners = true}),
       resize_sample("(4, 5) to (3, 1), corners", plane,
                     {.size = {3, 1}, .mode = Mode::bilinear, .align_corners = true}),
       resize_sample("(4, 5) to (7, 3)", plane, {.size = {7, 3}, .mode = Mode::bicubic}),
       resize_sample("(4, 5) by 1.5, corners", plane,
                     {.scale_factor = {1.5}, .mode = Mode::bicubic, .align_corners = true}),
       resize_sample("(3, 4, 3) by 1.5", space, {.scale_factor = {1.5}, .mode = Mode::trilinear}),
       resize_sample("(3, 4, 3) to (2, 5, 4), corners", space,
                     {.size = {2, 5, 4}, .mode = Mode::trilinear, .align_corners = true}),
       resize_sample("(4, 5) to (3, 7)", plane, {.size = {3, 7}, .mode = Mode::area}),
       resize_sample("(7) to 3", line, {.size = 3, .mode = Mode::area}),
       resize_sample("nothing", input({0, 2, 4, 5}, 4), {.size = 3})}};
  row.errors = {error("neither size nor factor", [=] { return interpolate(plane, {}); },
                      {"interpolate: ", "both missing", "expected one of them"}),
                error("both size and factor",
                      [=] { return interpolate(plane, {.size = 3, .scale_factor = {2.0}}); },
                      {"interpolate: ", "both given", "expected one of them"}),
                error("linear of two sizes",
                      [=] { return interpolate(plane, {.size = 3, .mode = Mode::linear}); },
                      {"interpolate: ", "mode linear", "(2, 2, 4, 5)", "expected 3 dimensions"}),
                error("corners of nearest",
                      [=] { return interpolate(plane, {.size = 3, .align_corners = true}); },
                      {"interpolate: ", "align_corners with mode nearest"}),
                error("a size of 0", [=] { return interpolate(plane, {.size = 0}); },
                      {"interpolate: ", "size (0,)", "expected 1 or more"}),
                error("a factor that leaves nothing",
                      [=] { return interpolate(plane, {.scale_factor = {0.1}}); },
                      {"interpolate: ", "scale_factor 0.1", "expected a result of size 1 or more"}),
                error("a factor that is no number",
                      [=] { return interpolate(plane, {.scale_factor = {NAN}}); },
                      {"interpolate: ", "scale_factor nan", "expected a finite number above 0"}),
                error("integers",
                      [=] {
                        return interpolate(zeros({1, 1, 2}, DType::i64), {.size = 3});
                      },
                      {"interpolate: ", "i64", "expected a floating dtype"})};
  row.large = [] {
    return resize_sample("(40, 36) to (90, 70)", input({4, 16, 40, 36}, 5),
                         {.size = {90, 70}, .mode = InterpolateMode::bilinear});
  };
  // A place of up to 40 is rounded to 2^-24 of itself, and elements beside each other differ by up
  // to 3.6, in each of up to three dimensions.
  row.scale = 32;
  return row;
}

// --- grid_sample ---

double mirrored(double at, double low, double high) {
  if (low == high) return 0;
  const double span = high - low, off = std::abs(at - low);
  const double rest = std::fmod(off, span);
  return std::fmod(std::floor(off / span), 2) == 0 ? rest + low : high - rest;
}

double padded(const GridSampleOptions& o, double at, int64_t size) {
  const auto last = static_cast<double>(size - 1);
  if (o.padding_mode == GridSamplePadding::reflection) {
    at = o.align_corners ? mirrored(at, 0, last) : mirrored(at, -0.5, last + 0.5);
  }
  return o.padding_mode == GridSamplePadding::zeros ? at : std::clamp(at, 0.0, last);
}

// Only what lies inside.
Parts sampled_parts(const GridSampleOptions& o, int64_t size, double coordinate) {
  const auto n = static_cast<double>(size);
  double at = o.align_corners ? (coordinate + 1) / 2 * (n - 1) : ((coordinate + 1) * n - 1) / 2;
  Parts parts;
  const auto add = [&](double place, double weight) {
    if (place >= 0 && place < n) parts.push_back({static_cast<int64_t>(place), weight});
  };
  if (o.mode == GridSampleMode::bicubic) {
    for (int k = -1; k <= 2; ++k) {
      const double place = std::floor(at) + k;
      add(padded(o, place, size), cubic(at - place));
    }
    return parts;
  }
  at = padded(o, at, size);
  if (o.mode == GridSampleMode::nearest) {
    add(std::nearbyint(at), 1);
    return parts;
  }
  const double below = std::floor(at);
  add(below, 1 - (at - below));
  add(below + 1, at - below);
  return parts;
}

Tensors sampled(const Tensors& in, const GridSampleOptions& o) {
  const Array x(in[0]), grid(in[1]);
  const int rank = x.shape.rank() - 2;
  Shape shape = {x.shape[0], x.shape[1]};
  for (int d = 0; d < rank; ++d) shape.push_back(grid.shape[d + 1]);
  return {make_array(shape, [&](const Shape& index) {
            Shape at = index;
            at.erase(1);
            at.push_back(0);
            std::vector<Parts> parts;
            for (int d = 0; d < rank; ++d) {
              at[rank + 1] = rank - 1 - d;  // the width's coordinate is the first
              parts.push_back(sampled_parts(o, x.shape[d + 2], grid.at(at)));
            }
            return sum_of_parts(x, {index[0], index[1]}, parts);
          }).tensor()};
}

// Coordinates of places between the elements of an image of `sizes`, also some outside: each at
// least 0.2 from where weights have kinks, or the nearest element changes.
Tensor places(const Shape& x, const Shape& out, bool align_corners, uint64_t seed) {
  const int rank = x.rank() - 2;
  Shape shape = out;
  shape.insert(0, x[0]);
  shape.push_back(rank);
  const Array steps(indices(shape, 1 << 20, seed));
  return make_array(shape,
                    [&](const Shape& index) {
                      const int64_t size = x[1 + rank - static_cast<int>(index.back())];
                      const auto step = static_cast<int64_t>(steps.at(index));
                      // Between elements -2 and size + 1.
                      const auto below = static_cast<double>(step % (size + 3) - 2);
                      const double at = below + (step / 64 % 2 == 0 ? 0.2 : 0.6) +
                                        0.2 * static_cast<double>(step / 128 % 1024) / 1024;
                      const auto n = static_cast<double>(size);
                      return align_corners ? at / (n - 1) * 2 - 1 : (2 * at + 1) / n - 1;
                    })
      .tensor();
}

Sample sample_of(const Shape& x, const Shape& out, const GridSampleOptions& o, uint64_t seed) {
  constexpr const char* modes[] = {"bilinear", "nearest", "bicubic"};
  constexpr const char* paddings[] = {"zeros", "border", "reflection"};
  const std::string mode = modes[static_cast<int>(o.mode)];
  const std::string padding = paddings[static_cast<int>(o.padding_mode)];
  Sample sample{
      mode + ", " + padding + (o.align_corners ? ", corners, " : ", ") + to_string(x),
      {input(x, seed), places(x, out, o.align_corners, seed + 1)},
      binary([o](const Tensor& v, const Tensor& grid) { return grid_sample(v, grid, o); }),
      [o](const Tensors& in) { return sampled(in, o); }};
  sample.torch = "F.grid_sample(x[0], x[1], '" + mode + "', '" + padding +
                 "', align_corners=" + (o.align_corners ? "True)" : "False)");
  return sample;
}

Row grid_sample_row() {
  using Mode = GridSampleMode;
  using Padding = GridSamplePadding;
  const Shape plane = {2, 2, 4, 5}, space = {1, 2, 3, 4, 3};
  Row row{"grid_sample", {}};
  uint64_t seed = 1;
  for (const Mode mode : {Mode::bilinear, Mode::nearest, Mode::bicubic}) {
    for (const Padding padding : {Padding::zeros, Padding::border, Padding::reflection}) {
      for (const bool corners : {false, true}) {
        row.samples.push_back(sample_of(plane, {3, 2}, {mode, padding, corners}, seed++));
        if (mode == Mode::bicubic) continue;
        row.samples.push_back(sample_of(space, {2, 1, 3}, {mode, padding, corners}, seed++));
      }
    }
  }
  row.samples[0].inputs[0] = strided(row.samples[0].inputs[0]);
  row.samples[0].inputs[1] = strided(row.samples[0].inputs[1]);
  row.samples.push_back(sample_of({0, 2, 4, 5}, {3, 2}, {}, seed++));
  row.samples.push_back(sample_of({2, 2, 4, 5}, {0, 2}, {}, seed));
  row.samples.back().name += ", no places";
  const Tensor x = ones(plane), grid = zeros({2, 3, 2, 2});
  row.errors = {
      error("a grid of other pairs",
            [=] {
              return grid_sample(x, zeros({2, 3, 2, 3}));
            },
            {"grid_sample: ", "(2, 3, 2, 3)", "expected (2, 2 sizes, 2)"}),
      error("a grid of another dtype",
            [=] {
              return grid_sample(x, zeros({2, 3, 2, 2}, DType::f64));
            },
            {"grid_sample: ", "f64", "f32", "expected equal dtypes"}),
      error("an input of three dimensions",
            [=] {
              return grid_sample(ones({2, 3, 4}), grid);
            },
            {"grid_sample: ", "(2, 3, 4)", "expected (N, C, H, W)"}),
      error("bicubic of three sizes",
            [=] {
              return grid_sample(ones(space), zeros({1, 2, 2, 2, 3}), {.mode = Mode::bicubic});
            },
            {"grid_sample: ", "bicubic", "expected 4 dimensions"}),
      error("an image without elements",
            [=] {
              return grid_sample(ones({2, 3, 0, 4}), grid);
            },
            {"grid_sample: ", "(2, 3, 0, 4)", "expected sizes above 0"})};
  row.large = [] {
    return sample_of({2, 24, 40, 36}, {50, 60}, {Mode::bilinear, Padding::border, false}, 99);
  };
  // A place of up to 40 is rounded to 2^-24 of itself, and elements beside each other differ by up
  // to 3.6; the gradient of a coordinate has half a size as a factor.
  row.scale = 32;
  row.gradient_ulps = 1024;
  return row;
}

// --- grids of affine maps ---

Sample affine_sample(const std::string& name, const Tensor& theta, const Shape& size,
                     bool corners) {
  Sample sample{name,
                {theta},
                unary([=](const Tensor& t) { return affine_grid(t, size, corners); }),
                [=](const Tensors& in) -> Tensors {
                  const Array t(in[0]);
                  const int rank = size.rank() - 2;
                  Shape shape = size;
                  shape.erase(1);
                  shape.push_back(rank);
                  return {make_array(shape, [&](const Shape& index) {
                            double sum = t.at({index[0], index.back(), rank});
                            for (int k = 0; k < rank; ++k) {
                              const auto n = static_cast<double>(size[size.rank() - 1 - k]);
                              const auto i = static_cast<double>(index[rank - k]);
                              const double at = n == 1    ? 0
                                                : corners ? 2 * i / (n - 1) - 1
                                                          : (2 * i + 1) / n - 1;
                              sum += t.at({index[0], index.back(), k}) * at;
                            }
                            return sum;
                          }).tensor()};
                }};
  sample.torch =
      "F.affine_grid(x[0], " + tuple(size) + ", align_corners=" + (corners ? "True)" : "False)");
  return sample;
}

Row affine_grid_row() {
  const Tensor plane = input({2, 2, 3}, 1);
  Row row{"affine_grid",
          {affine_sample("(2, 3, 4, 5)", plane, {2, 3, 4, 5}, false),
           affine_sample("(2, 1, 3, 1), corners", strided(plane), {2, 1, 3, 1}, true),
           affine_sample("(1, 2, 2, 3, 4)", input({1, 3, 4}, 2), {1, 2, 2, 3, 4}, false),
           affine_sample("(1, 2, 2, 3, 4), corners", input({1, 3, 4}, 3), {1, 2, 2, 3, 4}, true),
           affine_sample("(0, 2, 3, 4)", input({0, 2, 3}, 4), {0, 2, 3, 4}, false)}};
  row.samples.back().torch.clear();  // which PyTorch refuses
  row.errors = {error("theta of another shape",
                      [=] {
                        return affine_grid(ones({2, 3, 3}), {2, 3, 4, 5});
                      },
                      {"affine_grid: ", "(2, 3, 3)", "expected (2, 2, 3)"}),
                error("a size of three entries",
                      [=] {
                        return affine_grid(ones({2, 2, 3}), {2, 3, 4});
                      },
                      {"affine_grid: ", "(2, 3, 4)", "expected (N, C, H, W)"}),
                error("a size of 0",
                      [=] {
                        return affine_grid(ones({2, 2, 3}), {2, 3, 0, 5});
                      },
                      {"affine_grid: ", "(2, 3, 0, 5)", "expected sizes above 0"}),
                error("integers",
                      [=] {
                        return affine_grid(ones({2, 2, 3}, DType::i64), {2, 3, 4, 5});
                      },
                      {"affine_grid: ", "i64", "expected a floating dtype"})};
  row.scale = 4;
  return row;
}

// --- exchanges ---

// y[index] = x[from(index)].
template <class Run, class From>
Sample moved(const std::string& name, const Tensor& x, const Shape& out, Run run, From from,
             const std::string& torch) {
  Sample sample{name, {x}, unary(run), [=](const Tensors& in) -> Tensors {
                  const Array a(in[0]);
                  return {make_array(out, [&](const Shape& i) { return a.at(from(i)); }).tensor()};
                }};
  sample.torch = torch;
  return sample;
}

Sample shuffle_sample(const std::string& name, const Tensor& x, int64_t r) {
  Shape out = x.shape();
  const int c = x.dim() - 3;
  out[c] /= r * r;
  out[c + 1] *= r;
  out[c + 2] *= r;
  return moved(
      name, x, out, [r](const Tensor& v) { return pixel_shuffle(v, r); },
      [=](Shape i) {
        i[c] = (i[c] * r + i[c + 1] % r) * r + i[c + 2] % r;
        i[c + 1] /= r;
        i[c + 2] /= r;
        return i;
      },
      "F.pixel_shuffle(x[0], " + std::to_string(r) + ")");
}

Sample unshuffle_sample(const std::string& name, const Tensor& x, int64_t r) {
  Shape out = x.shape();
  const int c = x.dim() - 3;
  out[c] *= r * r;
  out[c + 1] /= r;
  out[c + 2] /= r;
  return moved(
      name, x, out, [r](const Tensor& v) { return pixel_unshuffle(v, r); },
      [=](Shape i) {
        i[c + 1] = i[c + 1] * r + i[c] / r % r;
        i[c + 2] = i[c + 2] * r + i[c] % r;
        i[c] /= r * r;
        return i;
      },
      "F.pixel_unshuffle(x[0], " + std::to_string(r) + ")");
}

Sample channels_sample(const std::string& name, const Tensor& x, int64_t groups) {
  const int64_t each = x.shape()[1] / groups;
  return moved(
      name, x, x.shape(), [groups](const Tensor& v) { return channel_shuffle(v, groups); },
      [=](Shape i) {
        i[1] = i[1] % groups * each + i[1] / groups;
        return i;
      },
      "torch.channel_shuffle(x[0], " + std::to_string(groups) + ")");
}

// Nothing is computed.
Row exact(Row row) {
  row.ulps = 0;
  row.bf16_roundings = 0;
  return row;
}

Row pixel_shuffle_row() {
  Row row{"pixel_shuffle",
          {shuffle_sample("(2, 8, 3, 2) by 2", input({2, 8, 3, 2}, 1), 2),
           shuffle_sample("(9, 2, 1) by 3, strided", strided(input({9, 2, 1}, 2)), 3),
           shuffle_sample("(0, 4, 2, 3) by 2", input({0, 4, 2, 3}, 3), 2)}};
  row.samples.back().torch.clear();  // whose gradient PyTorch gives another shape
  row.errors = {error("channels that do not divide",
                      [] {
                        return pixel_shuffle(ones({6, 2, 2}), 2);
                      },
                      {"pixel_shuffle: ", "6 channels", "expected a multiple", "4"}),
                error("two dimensions",
                      [] {
                        return pixel_shuffle(ones({4, 2}), 2);
                      },
                      {"pixel_shuffle: ", "(4, 2)", "expected (..., channels"}),
                error("a factor of 0",
                      [] {
                        return pixel_shuffle(ones({4, 2, 2}), 0);
                      },
                      {"pixel_shuffle: ", "factor 0", "[1, 32767]"})};
  return exact(row);
}

Row pixel_unshuffle_row() {
  Row row{"pixel_unshuffle",
          {unshuffle_sample("(2, 2, 4, 6) by 2", input({2, 2, 4, 6}, 1), 2),
           unshuffle_sample("(1, 6, 3) by 3, strided", strided(input({1, 6, 3}, 2)), 3),
           unshuffle_sample("(0, 2, 2, 4) by 2", input({0, 2, 2, 4}, 3), 2)}};
  row.samples.back().torch.clear();  // as pixel_shuffle's
  row.errors = {error("sizes that do not divide",
                      [] {
                        return pixel_unshuffle(ones({1, 3, 4}), 2);
                      },
                      {"pixel_unshuffle: ", "(1, 3, 4)", "expected multiples", "2"}),
                error("two dimensions",
                      [] {
                        return pixel_unshuffle(ones({4, 2}), 2);
                      },
                      {"pixel_unshuffle: ", "(4, 2)", "expected (..., channels"}),
                error("a negative factor",
                      [] {
                        return pixel_unshuffle(ones({4, 2, 2}), -1);
                      },
                      {"pixel_unshuffle: ", "factor -1", "[1, 32767]"})};
  return exact(row);
}

Row channel_shuffle_row() {
  Row row{"channel_shuffle",
          {channels_sample("(2, 6, 3, 2) in 2", input({2, 6, 3, 2}, 1), 2),
           channels_sample("(2, 6, 4) in 3, strided", strided(input({2, 6, 4}, 2)), 3),
           channels_sample("(0, 4, 3) in 2", input({0, 4, 3}, 3), 2)}};
  row.errors = {error("groups that do not divide",
                      [] {
                        return channel_shuffle(ones({1, 4, 2}), 3);
                      },
                      {"channel_shuffle: ", "3 groups of 4 channels", "expected a divisor"}),
                error("no groups",
                      [] {
                        return channel_shuffle(ones({1, 4, 2}), 0);
                      },
                      {"channel_shuffle: ", "0 groups", "expected a divisor"}),
                error("two dimensions",
                      [] {
                        return channel_shuffle(ones({1, 4}), 2);
                      },
                      {"channel_shuffle: ", "(1, 4)", "expected (N, C"})};
  return exact(row);
}

}  // namespace

void add_vision(std::vector<Row>& rows) {
  rows.push_back(interpolate_row());
  rows.push_back(grid_sample_row());
  rows.push_back(affine_grid_row());
  rows.push_back(pixel_shuffle_row());
  rows.push_back(pixel_unshuffle_row());
  rows.push_back(channel_shuffle_row());
}

}  // namespace adjoint::catalog
