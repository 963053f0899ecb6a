// Rows of pooling. References go over each window's elements.
#include <adjoint/core/pooling.h>

#include <cmath>
#include <functional>
#include <optional>

#include "core/catalog/builders.h"

namespace adjoint::catalog {
namespace {

// The last `rank` entries.
Shape last(const Shape& all, int rank) {
  return Shape(all.span().subspan(static_cast<size_t>(all.rank() - rank)));
}
Shape first(const Shape& all, int count) {
  return Shape(all.span().first(static_cast<size_t>(count)));
}
Shape joined(Shape a, const Shape& b) {
  for (const int64_t size : b) a.push_back(size);
  return a;
}

// Where the windows of one dimension stand: window o has the elements begin(o) + k dilation.
struct Line {
  int64_t in, kernel, stride, padding, dilation;
  bool ceil_mode;

  int64_t begin(int64_t o) const { return o * stride - padding; }
  // All that fit, and with ceil_mode one more, where there is something left and it begins inside.
  int64_t count() const {
    const int64_t reach = dilation * (kernel - 1) + 1, room = in + 2 * padding;
    int64_t n = 0;
    while (n * stride + reach <= room) ++n;
    const bool rest = n == 0 || (n - 1) * stride + reach < room;
    return ceil_mode && rest && n * stride < in + padding ? n + 1 : n;
  }
};

// A pooling of some sizes: regular (kernel, stride, padding, dilation for each), or adaptive.
struct Pool {
  Shape kernel, stride, padding, dilation;
  bool ceil_mode = false;
  Shape output = {};  // of adaptive ones
  bool count_include_pad = true;
  int64_t divisor = 0;

  Line line(int d, int64_t in) const {
    return {in, kernel[d], stride[d], padding[d], dilation[d], ceil_mode};
  }
  Shape out(const Shape& in) const {
    Shape result;
    for (int d = 0; d < in.rank(); ++d) {
      const bool adaptive = !output.empty();
      result.push_back(!adaptive ? line(d, in[d]).count() : output[d] < 0 ? in[d] : output[d]);
    }
    return result;
  }
};

// The elements of a window along one dimension, and how many a mean counts.
struct Run {
  std::vector<int64_t> places;
  double counted;
};
Run run_of(const Pool& pool, int d, int64_t in, int64_t out, int64_t o) {
  Run run;
  if (!pool.output.empty()) {
    const double step = static_cast<double>(in) / static_cast<double>(out);
    const auto begin = static_cast<int64_t>(std::floor(static_cast<double>(o) * step + 1e-9));
    const auto end = static_cast<int64_t>(std::ceil(static_cast<double>(o + 1) * step - 1e-9));
    for (int64_t i = begin; i < end; ++i) run.places.push_back(i);
    run.counted = static_cast<double>(run.places.size());
    return run;
  }
  const Line line = pool.line(d, in);
  int64_t padded = 0;
  for (int64_t k = 0; k < line.kernel; ++k) {
    const int64_t at = line.begin(o) + k * line.dilation;
    if (at >= 0 && at < in) run.places.push_back(at);
    if (at < in + line.padding) ++padded;
  }
  run.counted = static_cast<double>(pool.count_include_pad ? padded : run.places.size());
  return run;
}

// For each window its elements' numbers in the channel, row-major, and the count of a mean.
using Window = std::function<double(const std::vector<double>& values,
                                    const std::vector<int64_t>& places, double counted)>;
Array over_windows(const Array& x, int rank, const Pool& pool, const Window& f) {
  const Shape in = last(x.shape, rank), lead = first(x.shape, x.shape.rank() - rank);
  const Shape out = pool.out(in);
  const auto size = static_cast<size_t>(in.numel());
  Array y(joined(lead, out));
  size_t to = 0;
  for (int64_t plane = 0; plane < lead.numel(); ++plane) {
    for_each_index(out, [&](const Shape& o) {
      Shape counts;
      std::vector<Run> runs;
      double counted = 1;
      for (int d = 0; d < rank; ++d) {
        runs.push_back(run_of(pool, d, in[d], out[d], o[d]));
        counts.push_back(static_cast<int64_t>(runs.back().places.size()));
        counted *= runs.back().counted;
      }
      std::vector<int64_t> places;
      std::vector<double> values;
      for_each_index(counts, [&](const Shape& k) {
        int64_t at = 0;
        for (int d = 0; d < rank; ++d) {
          at = at * in[d] + runs[static_cast<size_t>(d)].places[static_cast<size_t>(k[d])];
        }
        places.push_back(at);
        values.push_back(x.data[static_cast<size_t>(plane) * size + static_cast<size_t>(at)]);
      });
      y.data[to++] =
          f(values, places, pool.divisor != 0 ? static_cast<double>(pool.divisor) : counted);
    });
  }
  return y;
}

size_t argmax_of(const std::vector<double>& values) {
  size_t best = 0;
  for (size_t i = 1; i < values.size(); ++i) best = values[i] > values[best] ? i : best;
  return best;
}

double max_of(const std::vector<double>& values, const std::vector<int64_t>&, double) {
  return values[argmax_of(values)];
}
double place_of_max(const std::vector<double>& values, const std::vector<int64_t>& places, double) {
  return static_cast<double>(places[argmax_of(values)]);
}
double mean_of(const std::vector<double>& values, const std::vector<int64_t>&, double counted) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / counted;
}

// --- samples ---

// Sizes of inputs, by the number of sizes.
constexpr int kRanks = 3;
Shape small(int rank) {
  const Shape shapes[kRanks] = {{2, 3, 9}, {2, 2, 6, 5}, {1, 2, 4, 3, 5}};
  return shapes[rank - 1];
}
Shape large(int rank) {
  const Shape shapes[kRanks] = {{16, 64, 500}, {8, 16, 64, 60}, {4, 8, 16, 20, 24}};
  return shapes[rank - 1];
}

struct Named {
  std::string name;
  Tensor x;
  Pool pool;
};

// Regular windows of every kind: whole, padded and open at the end, other in each dimension, and
// without a batch.
std::vector<Named> regular(int rank, bool dilated, double low, double high) {
  const auto all = [rank](int64_t v) { return Shape::filled(rank, v); };
  const auto input = [&](const Shape& shape, uint64_t seed) {
    return low < 0 ? both_signs(shape, 0.2, high, seed) : spread(shape, low, high, seed);
  };
  Shape open = small(rank);
  open.erase(0);
  Shape none = small(rank);
  none[0] = 0;
  const Shape dilation = dilated ? last({1, 1, 2}, rank) : all(1);
  return {{"kernel 2", input(small(rank), 1), {all(2), all(2), all(0), all(1)}},
          {"kernel 3, stride 2, padding 1, ceil_mode",
           input(small(rank), 2),
           {all(3), all(2), all(1), all(1), true}},
          {"each its own, strided",
           strided(input(small(rank), 3)),
           {last({2, 3, 2}, rank), last({2, 1, 2}, rank), last({1, 1, 0}, rank), dilation}},
          {"no batch, kernel 2, stride 1", input(open, 4), {all(2), all(1), all(0), all(1)}},
          {"nothing", input(none, 5), {all(2), all(2), all(0), all(1)}}};
}

std::vector<Named> adaptive(int rank) {
  const auto input = [](const Shape& shape, uint64_t seed) {
    return both_signs(shape, 0.2, 1.8, seed);
  };
  Shape open = small(rank);
  open.erase(0);
  Shape none = small(rank);
  none[0] = 0;
  const auto to = [](const Shape& out) { return Pool{{}, {}, {}, {}, false, out}; };
  return {{"to 1", input(small(rank), 1), to(Shape::filled(rank, 1))},
          {"to several, strided", strided(input(small(rank), 2)), to(last({3, 2, 4}, rank))},
          {"to more and as many, no batch", input(open, 3), to(last({-1, 4, 7}, rank))},
          {"nothing", input(none, 4), to(Shape::filled(rank, 2))}};
}

std::string entries(const Shape& shape) {
  std::string text = "(";
  for (const int64_t v : shape) text += (v < 0 ? "None" : std::to_string(v)) + ", ";
  return text + ")";
}
const char* python(bool value) { return value ? "True" : "False"; }

std::string digits(int rank) { return std::to_string(rank) + "d"; }

// --- maxima ---

using MaxPool = Tensor (*)(const Tensor&, const Shape&, const Shape&, const Shape&, const Shape&,
                           bool);
using MaxPoolWithIndices = ValuesAndIndices (*)(const Tensor&, const Shape&, const Shape&,
                                                const Shape&, const Shape&, bool);
constexpr MaxPool kMaxPools[] = {&max_pool1d, &max_pool2d, &max_pool3d};
constexpr MaxPoolWithIndices kMaxPoolsWithIndices[] = {
    &max_pool1d_with_indices, &max_pool2d_with_indices, &max_pool3d_with_indices};

Sample max_sample(const Named& of, int rank, bool with_indices) {
  const Pool p = of.pool;
  Sample sample{of.name,
                {of.x},
                [=](const Tensors& in) -> Tensors {
                  if (!with_indices) {
                    return {kMaxPools[rank - 1](in[0], p.kernel, p.stride, p.padding, p.dilation,
                                                p.ceil_mode)};
                  }
                  const auto [values, places] = kMaxPoolsWithIndices[rank - 1](
                      in[0], p.kernel, p.stride, p.padding, p.dilation, p.ceil_mode);
                  return {values, places};
                },
                [=](const Tensors& in) -> Tensors {
                  const Array x(in[0]);
                  const Tensor values = over_windows(x, rank, p, max_of).tensor();
                  if (!with_indices) return {values};
                  return {values, over_windows(x, rank, p, place_of_max).tensor(DType::i64)};
                }};
  sample.torch = "F.max_pool" + digits(rank) + "(x[0], " + entries(p.kernel) + ", " +
                 entries(p.stride) + ", " + entries(p.padding) + ", " + entries(p.dilation) + ", " +
                 python(p.ceil_mode) + ", " + python(with_indices) + ")";
  return sample;
}

// f(input, kernel_size, stride, padding) of wrong arguments.
template <class F>
std::vector<ErrorCase> pool_errors(const std::string& name, int rank, F f) {
  const Tensor x = ones(small(rank));
  return {error("too few dimensions", [=] { return f(ones({4}), 2, {}, 0); },
                {name + ": ", "(4,)", "expected " + std::to_string(rank + 2) + " dimensions"}),
          error("as many entries as there are no sizes",
                [=] {
                  return f(x, {2, 2, 2, 2}, {}, 0);
                },
                {name + ": ", "kernel_size (2, 2, 2, 2)", std::to_string(rank) + " sizes"}),
          error("a window of nothing", [=] { return f(x, 0, {}, 0); },
                {name + ": ", "kernel_size (0,)", "expected 1 or more"}),
          error("padding of more than half a window", [=] { return f(x, 2, {}, 2); },
                {name + ": ", "padding (2,", "expected at most half"}),
          error("windows larger than the input", [=] { return f(x, 20, {}, 0); },
                {name + ": ", "no window", "(20,", "expected at least one"})};
}

Row max_row(int rank, bool with_indices) {
  Row row{"max_pool" + digits(rank) + (with_indices ? "_with_indices" : ""), {}};
  for (const Named& one : regular(rank, true, -1, 1.8)) {
    row.samples.push_back(max_sample(one, rank, with_indices));
  }
  const auto call = [=](const Tensor& x, const Shape& kernel, const Shape& stride,
                        const Shape& padding) {
    if (!with_indices) return kMaxPools[rank - 1](x, kernel, stride, padding, 1, false);
    return kMaxPoolsWithIndices[rank - 1](x, kernel, stride, padding, 1, false).values;
  };
  row.errors = pool_errors(row.name, rank, call);
  row.large = [=] {
    const auto all = [rank](int64_t v) { return Shape::filled(rank, v); };
    return max_sample(
        {"large", both_signs(large(rank), 0.2, 1.8, 7), {all(3), all(2), all(1), all(1)}}, rank,
        with_indices);
  };
  row.ulps = 0;
  row.bf16_roundings = 0;
  return row;
}

using AdaptivePool = Tensor (*)(const Tensor&, const Shape&);
using AdaptivePoolWithIndices = ValuesAndIndices (*)(const Tensor&, const Shape&);
constexpr AdaptivePool kAdaptiveMaxPools[] = {&adaptive_max_pool1d, &adaptive_max_pool2d,
                                              &adaptive_max_pool3d};
constexpr AdaptivePoolWithIndices kAdaptiveMaxPoolsWithIndices[] = {
    &adaptive_max_pool1d_with_indices, &adaptive_max_pool2d_with_indices,
    &adaptive_max_pool3d_with_indices};
constexpr AdaptivePool kAdaptiveAvgPools[] = {&adaptive_avg_pool1d, &adaptive_avg_pool2d,
                                              &adaptive_avg_pool3d};

// PyTorch's for one size has no None.
std::string adaptive_call(const std::string& name, int rank, const Pool& p, const Tensor& x) {
  const bool keeps = rank == 1 && p.output[0] < 0;
  return name + "(x[0], " + entries(keeps ? Shape{x.size(-1)} : p.output);
}

template <class F>
std::vector<ErrorCase> adaptive_errors(const std::string& name, int rank, F f) {
  const Tensor x = ones(small(rank));
  Shape empty = small(rank);
  empty[2] = 0;
  return {error("too few dimensions", [=] { return f(ones({4}), 2); },
                {name + ": ", "(4,)", "expected " + std::to_string(rank + 2) + " dimensions"}),
          error("as many entries as there are no sizes",
                [=] {
                  return f(x, {2, 2, 2, 2});
                },
                {name + ": ", "output_size (2, 2, 2, 2)", std::to_string(rank) + " sizes"}),
          error("a negative size", [=] { return f(x, -2); },
                {name + ": ", "output_size (-2,)", "expected -1 or more"}),
          error("a size of 0", [=] { return f(ones(empty), 2); },
                {name + ": ", "expected sizes above 0"})};
}

Sample adaptive_max_sample(const Named& of, int rank, bool with_indices) {
  const Pool p = of.pool;
  Sample sample{of.name,
                {of.x},
                [=](const Tensors& in) -> Tensors {
                  if (!with_indices) return {kAdaptiveMaxPools[rank - 1](in[0], p.output)};
                  const auto [values, places] =
                      kAdaptiveMaxPoolsWithIndices[rank - 1](in[0], p.output);
                  return {values, places};
                },
                [=](const Tensors& in) -> Tensors {
                  const Array x(in[0]);
                  const Tensor values = over_windows(x, rank, p, max_of).tensor();
                  if (!with_indices) return {values};
                  return {values, over_windows(x, rank, p, place_of_max).tensor(DType::i64)};
                }};
  sample.torch = adaptive_call("F.adaptive_max_pool" + digits(rank), rank, p, of.x) + ", " +
                 python(with_indices) + ")";
  return sample;
}

Row adaptive_max_row(int rank, bool with_indices) {
  Row row{"adaptive_max_pool" + digits(rank) + (with_indices ? "_with_indices" : ""), {}};
  for (const Named& one : adaptive(rank)) {
    row.samples.push_back(adaptive_max_sample(one, rank, with_indices));
  }
  row.errors = adaptive_errors(row.name, rank, [=](const Tensor& x, const Shape& size) {
    if (!with_indices) return kAdaptiveMaxPools[rank - 1](x, size);
    return kAdaptiveMaxPoolsWithIndices[rank - 1](x, size).values;
  });
  row.large = [=] {
    return adaptive_max_sample({"large", both_signs(large(rank), 0.2, 1.8, 7),
                                Pool{{}, {}, {}, {}, false, last({5, 10, 7}, rank)}},
                               rank, with_indices);
  };
  row.ulps = 0;
  row.bf16_roundings = 0;
  return row;
}

// --- means ---

Tensor run_avg(int rank, const Tensor& x, const Pool& p) {
  const std::optional<int64_t> divisor =
      p.divisor != 0 ? std::optional<int64_t>(p.divisor) : std::nullopt;
  if (rank == 1) {
    return avg_pool1d(x, p.kernel, p.stride, p.padding, p.ceil_mode, p.count_include_pad);
  }
  return (rank == 2 ? avg_pool2d : avg_pool3d)(x, p.kernel, p.stride, p.padding, p.ceil_mode,
                                               p.count_include_pad, divisor);
}

Sample avg_sample(const Named& of, int rank) {
  const Pool p = of.pool;
  Sample sample{of.name,
                {of.x},
                unary([=](const Tensor& x) { return run_avg(rank, x, p); }),
                [=](const Tensors& in) -> Tensors {
                  return {over_windows(Array(in[0]), rank, p, mean_of).tensor()};
                }};
  sample.torch = "F.avg_pool" + digits(rank) + "(x[0], " + entries(p.kernel) + ", " +
                 entries(p.stride) + ", " + entries(p.padding) + ", " + python(p.ceil_mode) + ", " +
                 python(p.count_include_pad) +
                 (p.divisor != 0 ? ", " + std::to_string(p.divisor) : "") + ")";
  return sample;
}

Row avg_row(int rank) {
  Row row{"avg_pool" + digits(rank), {}};
  for (const Named& one : regular(rank, false, -1, 1.8)) {
    row.samples.push_back(avg_sample(one, rank));
  }
  const auto all = [rank](int64_t v) { return Shape::filled(rank, v); };
  Pool without{all(3), all(2), all(1), all(1), true};
  without.count_include_pad = false;
  row.samples.push_back(avg_sample(
      {"padding that does not count", both_signs(small(rank), 0.2, 1.8, 6), without}, rank));
  if (rank > 1) {
    Pool divided{all(2), all(1), all(0), all(1)};
    divided.divisor = 3;
    row.samples.push_back(
        avg_sample({"divisor 3", both_signs(small(rank), 0.2, 1.8, 7), divided}, rank));
  }
  row.errors = pool_errors(
      row.name, rank,
      [=](const Tensor& x, const Shape& kernel, const Shape& stride, const Shape& padding) {
        return run_avg(rank, x, {kernel, stride, padding, {}});
      });
  row.errors.push_back(error("integers",
                             [=] {
                               return run_avg(rank, ones(small(rank), DType::i64), {2, 2, 0, {}});
                             },
                             {row.name + ": ", "i64", "expected a floating dtype"}));
  row.large = [=] {
    return avg_sample(
        {"large", both_signs(large(rank), 0.2, 1.8, 8), {all(3), all(2), all(1), all(1)}}, rank);
  };
  // Up to 27 terms of at most 1.8, each weighed by a product of three rounded weights.
  row.ulps = 8;
  row.scale = 2;
  return row;
}

Sample adaptive_avg_sample(const Named& of, int rank) {
  const Pool p = of.pool;
  Sample sample{of.name,
                {of.x},
                unary([=](const Tensor& x) { return kAdaptiveAvgPools[rank - 1](x, p.output); }),
                [=](const Tensors& in) -> Tensors {
                  return {over_windows(Array(in[0]), rank, p, mean_of).tensor()};
                }};
  sample.torch = adaptive_call("F.adaptive_avg_pool" + digits(rank), rank, p, of.x) + ")";
  return sample;
}

Row adaptive_avg_row(int rank) {
  Row row{"adaptive_avg_pool" + digits(rank), {}};
  for (const Named& one : adaptive(rank)) row.samples.push_back(adaptive_avg_sample(one, rank));
  row.errors = adaptive_errors(row.name, rank, kAdaptiveAvgPools[rank - 1]);
  row.errors.push_back(error(
      "integers", [=] { return kAdaptiveAvgPools[rank - 1](ones(small(rank), DType::i64), 2); },
      {row.name + ": ", "i64", "expected a floating dtype"}));
  row.large = [=] {
    return adaptive_avg_sample({"large", both_signs(large(rank), 0.2, 1.8, 7),
                                Pool{{}, {}, {}, {}, false, last({5, 10, 7}, rank)}},
                               rank);
  };
  row.ulps = 8;
  row.scale = 2;
  return row;
}

// --- means of powers ---

Tensor run_lp(int rank, const Tensor& x, double p, const Pool& pool) {
  const auto f = rank == 1 ? lp_pool1d : rank == 2 ? lp_pool2d : lp_pool3d;
  return f(x, p, pool.kernel, pool.stride, pool.ceil_mode);
}

Sample lp_sample(const Named& of, int rank, double p) {
  const Pool pool = of.pool;
  Sample sample{of.name + ", p " + std::to_string(p),
                {of.x},
                unary([=](const Tensor& x) { return run_lp(rank, x, p, pool); }),
                [=](const Tensors& in) -> Tensors {
                  const auto full = static_cast<double>(pool.kernel.numel());
                  return {over_windows(Array(in[0]), rank, pool,
                                       [=](const std::vector<double>& values,
                                           const std::vector<int64_t>&, double counted) {
                                         double sum = 0;
                                         for (const double v : values) sum += std::pow(v, p);
                                         return std::pow(sum / counted * full, 1 / p);
                                       })
                              .tensor()};
                }};
  // Of one dimension PyTorch's takes numbers only.
  const auto arguments = [&](const Shape& of_each) {
    return rank == 1 ? std::to_string(of_each[0]) : entries(of_each);
  };
  sample.torch = "F.lp_pool" + digits(rank) + "(x[0], " + std::to_string(p) + ", " +
                 arguments(pool.kernel) + ", " + arguments(pool.stride) + ", " +
                 python(pool.ceil_mode) + ")";
  return sample;
}

Row lp_row(int rank) {
  Row row{"lp_pool" + digits(rank), {}};
  const auto all = [rank](int64_t v) { return Shape::filled(rank, v); };
  double p = 2;
  for (Named one : regular(rank, false, 0.3, 1.9)) {
    one.pool.padding = all(0);
    row.samples.push_back(lp_sample(one, rank, p));
    p = p == 2 ? 1.5 : p == 1.5 ? 3 : 2;
  }
  const Tensor x = ones(small(rank));
  const auto call = [=](const Tensor& in, double power, const Shape& kernel) {
    return run_lp(rank, in, power, {kernel, {}, {}, {}});
  };
  row.errors = {
      error("too few dimensions", [=] { return call(ones({4}), 2, 2); }, {row.name + ": ", "(4,)"}),
      error("power 0", [=] { return call(x, 0, 2); }, {row.name + ": ", "norm_type is 0"}),
      error("windows larger than the input", [=] { return call(x, 2, 20); },
            {row.name + ": ", "no window", "(20,"}),
      error("integers", [=] { return call(ones(small(rank), DType::i64), 2, 2); },
            {row.name + ": ", "i64", "expected a floating dtype"})};
  row.large = [=] {
    return lp_sample({"large", spread(large(rank), 0.3, 1.9, 8), {all(3), all(2), all(0), all(1)}},
                     rank, 2);
  };
  row.ulps = 16;  // two powers of a few ulps each, and the sum between them
  return row;
}

// --- maxima undone ---

using Unpool = Tensor (*)(const Tensor&, const Tensor&, const Shape&, const Shape&, const Shape&,
                          const Shape&);
constexpr Unpool kUnpools[] = {&max_unpool1d, &max_unpool2d, &max_unpool3d};

// x at the places where the maxima of `pooled` stood.
Sample unpool_sample(const std::string& name, const Tensor& pooled, int rank, const Pool& p,
                     const Shape& output_size) {
  const auto [values, places] = kMaxPoolsWithIndices[rank - 1](pooled, p.kernel, p.stride,
                                                               p.padding, p.dilation, p.ceil_mode);
  const Shape lead = first(pooled.shape(), pooled.dim() - rank), in = last(pooled.shape(), rank);
  Shape size;
  for (int d = 0; d < rank; ++d) {
    size.push_back((values.size(d - rank) - 1) * p.stride[d] - 2 * p.padding[d] + p.kernel[d]);
  }
  const Shape out = output_size.empty() ? size : in;
  Sample sample{name,
                {both_signs(values.shape(), 0.2, 1.8, 9), places},
                binary([=](const Tensor& x, const Tensor& at) {
                  return kUnpools[rank - 1](x, at, p.kernel, p.stride, p.padding, output_size);
                }),
                [=](const Tensors& of) -> Tensors {
                  const Array x(of[0]), at(of[1]);
                  Array y(joined(lead, out));
                  const size_t planes = static_cast<size_t>(lead.numel());
                  const size_t count = planes > 0 ? x.data.size() / planes : 0;
                  for (size_t i = 0; i < x.data.size(); ++i) {
                    const size_t plane = i / count * static_cast<size_t>(out.numel());
                    y.data[plane + static_cast<size_t>(at.data[i])] = x.data[i];
                  }
                  return {y.tensor()};
                }};
  sample.torch = "F.max_unpool" + digits(rank) + "(x[0], x[1], " + entries(p.kernel) + ", " +
                 entries(p.stride) + ", " + entries(p.padding) +
                 (output_size.empty() ? "" : ", " + entries(output_size)) + ")";
  return sample;
}

Row unpool_row(int rank) {
  const auto all = [rank](int64_t v) { return Shape::filled(rank, v); };
  const Pool halves{all(2), all(2), all(0), all(1)};
  Shape none = small(rank), even = small(rank);
  none[0] = 0;
  for (int d = 2; d < even.rank(); ++d) even[d] = 4;
  Shape open = even;
  open.erase(0);
  const auto input = [](const Shape& shape) { return both_signs(shape, 0.2, 1.8, 3); };
  Row row{"max_unpool" + digits(rank),
          {unpool_sample("halves", input(even), rank, halves, {}),
           unpool_sample("to the sizes before", input(small(rank)), rank, halves,
                         last(small(rank), rank)),
           unpool_sample("kernel 3, stride 3, padding 1, no batch", input(open), rank,
                         {all(3), all(3), all(1), all(1)}, last(open, rank)),
           unpool_sample("nothing", input(none), rank, halves, last(none, rank))}};
  row.samples[0].inputs[0] = strided(row.samples[0].inputs[0]);
  const Tensor x = ones(small(rank)), at = zeros(small(rank), DType::i64);
  const auto call = [=](const Tensor& indices, const Shape& size) {
    return kUnpools[rank - 1](x, indices, 2, {}, 0, size);
  };
  row.errors = {
      error("an index outside", [=] { return call(full(small(rank), 100000, DType::i64), {}); },
            {row.name + ": ", "index 100000", "expected values in [0, "}),
      error("indices that are no integers", [=] { return call(x, {}); },
            {row.name + ": ", "f32", "expected i64"}),
      error("indices of another shape", [=] { return call(zeros({3}, DType::i64), {}); },
            {row.name + ": ", "(3,)", "expected equal shapes"}),
      error("an output size far from the default", [=] { return call(at, all(100)); },
            {row.name + ": ", "output_size (100,", "less than a stride"})};
  row.ulps = 0;
  row.bf16_roundings = 0;
  return row;
}

}  // namespace

void add_pooling(std::vector<Row>& rows) {
  for (int rank = 1; rank <= kRanks; ++rank) {
    rows.push_back(max_row(rank, false));
    rows.push_back(max_row(rank, true));
    rows.push_back(avg_row(rank));
    rows.push_back(adaptive_max_row(rank, false));
    rows.push_back(adaptive_max_row(rank, true));
    rows.push_back(adaptive_avg_row(rank));
    rows.push_back(lp_row(rank));
    rows.push_back(unpool_row(rank));
  }
}

}  // namespace adjoint::catalog
