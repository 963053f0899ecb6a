// Rows of moments without NaN and in pairs, quantiles, covariances, differences and areas.
#include <adjoint/core/indexing.h>
#include <adjoint/core/statistics.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/catalog/reduced.h"

namespace adjoint::catalog {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// True for every fifth element.
Tensor fifths(const Shape& shape) {
  Array y(shape);
  for (size_t i = 1; i < y.data.size(); i += 5) y.data[i] = 1;
  return y.tensor(DType::boolean);
}

Numbers without_nan(const Numbers& v) {
  Numbers y;
  for (const double x : v) {
    if (!std::isnan(x)) y.push_back(x);
  }
  return y;
}

double sum_of(const Numbers& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum;
}
double mean_of(const Numbers& v) { return sum_of(v) / static_cast<double>(v.size()); }

// --- sums that pass over NaN ---

// Of numbers that a mask makes NaN: differences there are 0, as gradients are.
template <class Call, class F>
Row nan_row(const std::string& name, Call call, F of_numbers) {
  const auto f = [of_numbers](const Numbers& v) { return of_numbers(without_nan(v)); };
  const auto one = [=](const std::string& sample_name, const Tensor& x, const Over& over) {
    Sample sample{sample_name,
                  {x, fifths(x.shape())},
                  binary([=](const Tensor& v, const Tensor& hidden) {
                    return call(masked_fill(v, hidden, kNaN), over);
                  }),
                  [=](const Tensors& in) -> Tensors {
                    const Array hidden(in[1]);
                    Array v(in[0]);
                    for (size_t i = 0; i < v.data.size(); ++i) {
                      if (hidden.data[i] != 0) v.data[i] = kNaN;
                    }
                    return reduced(over, f)({v.tensor()});
                  }};
    sample.torch = "torch." + name + "(x[0].masked_fill(x[1], torch.nan), " +
                   (over.dims.empty() ? "None" : tuple(over.dims)) +
                   ", keepdim=" + python(over.keepdim) + ")";
    return sample;
  };
  Row row{
      name,
      {one("(2, 3, 4) over 1", input({2, 3, 4}, 1), {{1}}),
       one("(2, 3, 4) over 0 and 2, kept", input({2, 3, 4}, 2), {{0, -1}, true}),
       one("(4, 3) strided over 0", strided(input({4, 3}, 3)), {{0}}),
       one("(0, 3) over 1", input({0, 3}, 4), {{1}}), one("(3, 4), all", input({3, 4}, 5), {})}};
  row.errors = dims_errors(name, call);
  row.errors.push_back(
      error("an undefined tensor", [call] { return call(Tensor(), Over{}); }, {"undefined"}));
  row.large = [=] { return large_over_dims(call, f); };
  row.scale = 2;
  return row;
}

Row nansum_row() {
  const auto call = [](const Tensor& x, const Over& o) { return nansum(x, o.dims, o.keepdim); };
  Row row = nan_row("nansum", call, sum_of);
  Sample whole_ones = sample_over("torch.nansum", "whole numbers", indices({3, 4}, 9, 6), {{1}},
                                  call, sum_of, DType::i64);
  whole_ones.differentiable = false;
  row.samples.push_back(whole_ones);
  return row;
}

Row nanmean_row() {
  Row row = nan_row(
      "nanmean", [](const Tensor& x, const Over& o) { return nanmean(x, o.dims, o.keepdim); },
      mean_of);
  row.errors.push_back(error("whole numbers", [] { return nanmean(arange(3)); },
                             {"nanmean: ", "i64", "expected a floating dtype"}));
  return row;
}

// --- two in one call ---

double variance_of(const Numbers& v, double correction) {
  const double mean = mean_of(v);
  double sum = 0;
  for (const double x : v) sum += (x - mean) * (x - mean);
  return sum / (static_cast<double>(v.size()) - correction);
}

Row spread_row(const char* name, bool root) {
  const auto one = [=](const std::string& sample_name, const Tensor& x, const Over& over,
                       double correction) {
    const auto spread_of = [=](const Numbers& v) {
      const double variance = variance_of(v, correction);
      return root ? std::sqrt(variance) : variance;
    };
    Sample sample{sample_name,
                  {x},
                  [=](const Tensors& in) -> Tensors {
                    if (root) {
                      const auto y = std_mean(in[0], over.dims, correction, over.keepdim);
                      return {y.std, y.mean};
                    }
                    const auto y = var_mean(in[0], over.dims, correction, over.keepdim);
                    return {y.var, y.mean};
                  },
                  [=](const Tensors& in) -> Tensors {
                    return {reduced(over, spread_of)(in)[0], reduced(over, mean_of)(in)[0]};
                  }};
    sample.torch = std::string("torch.") + name + "(x[0], " +
                   (over.dims.empty() ? "None" : tuple(over.dims)) +
                   ", correction=" + std::to_string(static_cast<int>(correction)) +
                   ", keepdim=" + python(over.keepdim) + ")";
    return sample;
  };
  Row row{name,
          {one("(2, 3, 4) over 1", input({2, 3, 4}, 1), {{1}, false}, 1),
           one("(4, 3) strided over 0, kept, 0", strided(input({4, 3}, 2)), {{0}, true}, 0),
           one("(0, 3) over 1", input({0, 3}, 3), {{1}, false}, 1),
           one("(3, 4), all", input({3, 4}, 4), {}, 2)}};
  row.errors = {error("a dimension twice",
                      [root] {
                        const Tensor x = ones({2, 3});
                        return root ? std_mean(x, {0, 0}).mean : var_mean(x, {0, 0}).mean;
                      },
                      {row.name + ": ", "twice"}),
                error("whole numbers",
                      [root] { return root ? std_mean(arange(3)).mean : var_mean(arange(3)).mean; },
                      {row.name + ": ", "i64", "expected a floating dtype"}),
                error("a dimension that is not there",
                      [root] {
                        const Tensor x = ones({2, 3});
                        return root ? std_mean(x, {2}).mean : var_mean(x, {2}).mean;
                      },
                      {row.name + ": ", "2"})};
  row.scale = 2;
  return row;
}

double least_of(const Numbers& v) { return *std::min_element(v.begin(), v.end()); }
double most_of(const Numbers& v) { return *std::max_element(v.begin(), v.end()); }

Row aminmax_row() {
  const auto one = [](const std::string& name, const Tensor& x, std::optional<int64_t> dim,
                      bool keepdim) {
    const Over over{dim.has_value() ? Shape{*dim} : Shape{}, keepdim};
    Sample sample{name,
                  {x},
                  [=](const Tensors& in) -> Tensors {
                    const MinAndMax y = aminmax(in[0], dim, keepdim);
                    return {y.min, y.max};
                  },
                  [=](const Tensors& in) -> Tensors {
                    return {reduced(over, least_of)(in)[0], reduced(over, most_of)(in)[0]};
                  }};
    sample.torch = "torch.aminmax(x[0], dim=" +
                   (dim.has_value() ? std::to_string(*dim) : std::string("None")) +
                   ", keepdim=" + python(keepdim) + ")";
    return sample;
  };
  Row row{"aminmax",
          {one("(2, 3, 4), 1", input({2, 3, 4}, 1), 1, false),
           one("(4, 3) strided, 0, kept", strided(input({4, 3}, 2)), 0, true),
           one("(0, 3), -1", input({0, 3}, 3), -1, false),
           one("(3, 4), all", input({3, 4}, 4), std::nullopt, false)}};
  row.errors = {error("nothing along a dimension",
                      [] {
                        return aminmax(zeros({2, 0}), 1).min;
                      },
                      {"aminmax: ", "(2, 0)", "at least one"}),
                error("a dimension that is not there",
                      [] {
                        return aminmax(zeros({2, 3}), 2).min;
                      },
                      {"aminmax: ", "2"}),
                error("nothing", [] { return aminmax(zeros({0})).max; }, {"aminmax: ", "(0,)"})};
  return row;
}

// --- quantiles ---

using Interpolation = QuantileInterpolation;

double quantile_of(Numbers v, double q, Interpolation how) {
  std::sort(v.begin(), v.end());
  const double rank = q * static_cast<double>(v.size() - 1), below = std::floor(rank);
  const double low = v[static_cast<size_t>(below)], high = v[static_cast<size_t>(std::ceil(rank))];
  switch (how) {
    case Interpolation::lower:
      return low;
    case Interpolation::higher:
      return high;
    case Interpolation::midpoint:
      return (low + high) / 2;
    case Interpolation::nearest:
      return v[static_cast<size_t>(std::nearbyint(rank))];
    case Interpolation::linear:
      break;
  }
  return low + (rank - below) * (high - low);
}

const char* name_of(Interpolation how) {
  const char* names[] = {"linear", "lower", "higher", "midpoint", "nearest"};
  return names[static_cast<int>(how)];
}

using Quantile = Tensor (*)(const Tensor&, const Tensor&, std::optional<int64_t>, bool,
                            Interpolation);
using NumberQuantile = Tensor (*)(const Tensor&, double, std::optional<int64_t>, bool,
                                  Interpolation);

struct QuantileRow {
  const char* name;
  Quantile of_tensor;
  NumberQuantile of_number;
  bool passes_nan;

  double at(const Numbers& v, double q, Interpolation how) const {
    const Numbers numbers = without_nan(v);
    if (numbers.empty() || (!passes_nan && numbers.size() < v.size())) return kNaN;
    return quantile_of(numbers, q, how);
  }
  std::string torch(const std::string& q, std::optional<int64_t> dim, bool keepdim,
                    Interpolation how) const {
    return std::string("torch.") + name + "(x[0], " + q + ", " +
           (dim.has_value() ? std::to_string(*dim) : std::string("None")) + ", " + python(keepdim) +
           ", interpolation='" + name_of(how) + "')";
  }
  static Over over(std::optional<int64_t> dim, bool keepdim) {
    return {dim.has_value() ? Shape{*dim} : Shape{}, keepdim};
  }

  Sample one(const Tensor& x, double q, std::optional<int64_t> dim, bool keepdim,
             Interpolation how) const {
    const QuantileRow self = *this;
    Sample sample{
        to_string(x.shape()) + (x.is_contiguous() ? "" : " strided") + ", " + name_of(how) +
            (dim.has_value() ? ", dim " + std::to_string(*dim) : ""),
        {x},
        unary([=](const Tensor& v) { return self.of_number(v, q, dim, keepdim, how); }),
        reduced(over(dim, keepdim), [=](const Numbers& v) { return self.at(v, q, how); })};
    sample.torch = torch(std::to_string(q), dim, keepdim, how);
    return sample;
  }
  Sample several(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim) const {
    const QuantileRow self = *this;
    Sample sample{to_string(x.shape()) + ", q " + to_string(q.shape()),
                  {x, q},
                  binary([=](const Tensor& v, const Tensor& at) {
                    return self.of_tensor(v, at, dim, keepdim, Interpolation::linear);
                  }),
                  [=](const Tensors& in) -> Tensors {
                    const Array at(in[1]);
                    Array y(Shape{});
                    y.data.clear();
                    for (const double each : at.data) {
                      const auto f = [&](const Numbers& v) {
                        return self.at(v, each, Interpolation::linear);
                      };
                      const Array part(reduced(over(dim, keepdim), f)({in[0]})[0]);
                      y.shape = part.shape;
                      y.data.insert(y.data.end(), part.data.begin(), part.data.end());
                    }
                    if (at.shape.rank() == 1) y.shape.insert(0, at.shape[0]);
                    return {y.tensor()};
                  }};
    sample.torch = torch("x[1]", dim, keepdim, Interpolation::linear);
    return sample;
  }
};

Row quantile_row(const QuantileRow& q) {
  const Tensor at = tensor({0.15, 0.9, 0.0, 0.43}) + 0.0625;
  Row row{
      q.name,
      {q.one(distinct({2, 5, 3}, 1), 0.3, 1, false, Interpolation::linear),
       q.several(distinct({3, 6}, 2), at, 1, true), q.several(distinct({4, 3, 2}, 3), at, 0, false),
       q.several(distinct({7}, 4), scalar(0.7, DType::f64), std::nullopt, false),
       q.one(strided(distinct({4, 3}, 5)), 0.4, 0, true, Interpolation::midpoint),
       q.one(distinct({3, 4}, 6), 0.2, std::nullopt, true, Interpolation::linear),
       q.one(distinct({6}, 7), 0.5, 0, false, Interpolation::lower),
       q.one(distinct({6}, 7), 0.5, 0, false, Interpolation::higher),
       q.one(distinct({8}, 8), 0.55, 0, false, Interpolation::nearest),
       q.one(distinct({}, 9), 0.5, std::nullopt, false, Interpolation::linear)}};
  Sample none = q.one(distinct({0, 3}, 10), 0.5, 1, false, Interpolation::linear);
  none.torch = "";  // PyTorch refuses it
  row.samples.push_back(none);
  Sample special = q.one(tensor({0.5, kNaN, 3.0, kNaN, kNaN, kNaN, 1.0, 2.0, 4.0}, {3, 3}), 0.75, 1,
                         false, Interpolation::linear);
  special.name = "NaN";
  special.run = [run = special.run](const Tensors& in) { return run({in[0].detach()}); };
  special.differentiable = false;
  row.samples.push_back(special);
  const Quantile f = q.of_tensor;
  const auto call = [f](const Tensor& x, const Tensor& quantiles) {
    return f(x, quantiles, std::nullopt, false, Interpolation::linear);
  };
  row.errors = {error("a quantile above 1",
                      [call] {
                        return call(ones({3}), tensor({0.5F, 1.5F}));
                      },
                      {row.name + ": q is 1.5", "from 0 to 1"}),
                error("quantiles of two dimensions",
                      [call] {
                        return call(ones({3}), zeros({1, 1}));
                      },
                      {row.name + ": q of shape (1, 1)"}),
                error("another dtype", [call] { return call(ones({3}), scalar(0.5, DType::f64)); },
                      {row.name + ": q is of dtype f64", "f32"}),
                error("whole numbers", [call] { return call(arange(3), scalar(0.5)); },
                      {row.name + ": ", "i64", "expected a floating dtype"}),
                error("of nothing", [call] { return call(zeros({0}), scalar(0.5)); },
                      {row.name + ": ", "(0,)", "at least one"})};
  row.large = [=] { return q.one(input({9, 1031, 17}, 11), 0.3, 1, false, Interpolation::linear); };
  row.scale = 4;
  return row;
}

// --- covariances ---

// Of rows of x with weights, w being all of them and a what they lose by the correction.
Array covariances(const Array& x, double correction, const Numbers& w, const Numbers& a) {
  const int64_t m = x.shape.rank() == 2 ? x.shape[0] : 1, n = static_cast<int64_t>(w.size());
  const auto at = [&](int64_t i, int64_t k) { return x.data[static_cast<size_t>(i * n + k)]; };
  const double total = sum_of(w);
  double lost = correction;
  if (!a.empty()) {
    lost = 0;
    for (size_t k = 0; k < a.size(); ++k) lost += correction * w[k] * a[k] / total;
  }
  Numbers means;
  for (int64_t i = 0; i < m; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < n; ++k) sum += w[static_cast<size_t>(k)] * at(i, k);
    means.push_back(sum / total);
  }
  Array y(m == 1 ? Shape{} : Shape{m, m});
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < m; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < n; ++k) {
        sum += w[static_cast<size_t>(k)] * (at(i, k) - means[static_cast<size_t>(i)]) *
               (at(j, k) - means[static_cast<size_t>(j)]);
      }
      y.data[static_cast<size_t>(i * m + j)] = sum / (total - lost);
    }
  }
  return y;
}

Row cov_row() {
  // Which inputs are given beside x: fweights, aweights.
  const auto one = [](const std::string& name, const Tensors& inputs, bool f, bool a,
                      double correction) {
    Sample sample{
        name, inputs,
        [=](const Tensors& in) -> Tensors {
          return {cov(in[0], correction, f ? in[1] : Tensor(), a ? in[f ? 2 : 1] : Tensor())};
        },
        [=](const Tensors& in) -> Tensors {
          const Array x(in[0]);
          const auto n = static_cast<size_t>(x.shape.rank() == 0 ? 1 : x.shape.back());
          Numbers w(n, 1.0), own;
          if (f) w = Array(in[1]).data;
          if (a) own = Array(in[f ? 2 : 1]).data;
          for (size_t k = 0; k < own.size(); ++k) w[k] *= own[k];
          return {covariances(x, correction, w, own).tensor()};
        }};
    sample.torch = "torch.cov(x[0], correction=" + std::to_string(static_cast<int>(correction));
    if (f) sample.torch += ", fweights=x[1]";
    if (a) sample.torch += f ? ", aweights=x[2]" : ", aweights=x[1]";
    sample.torch += ")";
    return sample;
  };
  const Tensor counts = tensor<int64_t>({1, 2, 0, 3, 1});
  const auto weights = [](uint64_t seed) { return spread({5}, 0.3, 1.7, seed); };
  Row row{"cov",
          {one("(3, 5)", {input({3, 5}, 1)}, false, false, 1),
           one("(2, 6) strided, no correction", {strided(input({2, 6}, 2))}, false, false, 0),
           one("(0, 4)", {input({0, 4}, 3)}, false, false, 1),
           one("(7)", {input({7}, 4)}, false, false, 1),
           one("(3, 5), fweights", {input({3, 5}, 5), counts}, true, false, 1),
           one("(3, 5), aweights", {input({3, 5}, 6), weights(7)}, false, true, 1),
           one("(2, 5), both", {input({2, 5}, 8), counts, weights(9)}, true, true, 1)}};
  row.errors = {error("three dimensions",
                      [] {
                        return cov(ones({2, 3, 4}));
                      },
                      {"cov: ", "(2, 3, 4)", "two dimensions"}),
                error("fweights that are not whole",
                      [] {
                        return cov(ones({2, 3}), 1, ones({3}));
                      },
                      {"cov: fweights of dtype f32", "whole numbers"}),
                error("other aweights",
                      [] {
                        return cov(ones({2, 3}), 1, {}, ones({2}));
                      },
                      {"cov: aweights of shape (2,)", "3 observations"}),
                error("negative aweights",
                      [] {
                        return cov(ones({2, 3}), 1, {}, full({3}, -1.0));
                      },
                      {"cov: aweights has a negative number"})};
  row.scale = 4;
  return row;
}

Row corrcoef_row() {
  const auto one = [](const std::string& name, const Tensor& x) {
    return Sample{name,
                  {x},
                  unary([](const Tensor& v) { return corrcoef(v); }),
                  [](const Tensors& in) -> Tensors {
                    const Array v(in[0]);
                    const Array c =
                        covariances(v, 1, Numbers(static_cast<size_t>(v.shape.back()), 1.0), {});
                    if (c.shape.rank() == 0) return {Array(Shape{}, 1).tensor()};
                    return {make_array(c.shape, [&](const Shape& i) {
                              return c.at(i) / std::sqrt(c.at({i[0], i[0]}) * c.at({i[1], i[1]}));
                            }).tensor()};
                  }};
  };
  Row row{"corrcoef",
          {one("(3, 5)", input({3, 5}, 1)), one("(2, 6) strided", strided(input({2, 6}, 2))),
           one("(0, 4)", input({0, 4}, 3)), one("(5)", input({5}, 4))}};
  row.torch = "torch.corrcoef(x[0])";
  row.errors = {
      error("three dimensions",
            [] {
              return corrcoef(ones({2, 3, 4}));
            },
            {"corrcoef: ", "(2, 3, 4)", "two dimensions"}),
      error("an undefined tensor", [] { return corrcoef(Tensor()); }, {"corrcoef: ", "undefined"}),
      error("bools",
            [] {
              return corrcoef(zeros({2, 3}, DType::boolean));
            },
            {"corrcoef: ", "bool"})};
  row.scale = 4;
  return row;
}

// --- along a line ---

Numbers differences(Numbers v, int64_t n) {
  for (int64_t i = 0; i < n && !v.empty(); ++i) {
    for (size_t k = 0; k + 1 < v.size(); ++k) v[k] = v[k + 1] - v[k];
    v.pop_back();
  }
  return v;
}

Row diff_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t n, int64_t dim) {
    Sample sample{
        name,
        {x},
        unary([=](const Tensor& v) { return diff(v, n, dim); }),
        on_lines(dim, {x.dtype() == DType::i64 ? DType::i64 : DType::f64},
                 [n](const Numbers& v) -> std::vector<Numbers> { return {differences(v, n)}; })};
    sample.torch = "torch.diff(x[0], " + std::to_string(n) + ", " + std::to_string(dim) + ")";
    return sample;
  };
  Row row{"diff",
          {one("(2, 5, 3), 1", input({2, 5, 3}, 1), 1, 1),
           one("(4, 3) strided, twice, 0", strided(input({4, 3}, 2)), 2, 0),
           one("(0, 3)", input({0, 3}, 3), 1, -1), one("(2, 3), 5 times", input({2, 3}, 4), 5, 1),
           one("(3), not at all", input({3}, 5), 0, 0),
           one("whole numbers", indices({2, 5}, 9, 6), 1, 1)}};
  row.samples.back().differentiable = false;
  Sample longer{"(2, 3) between (2, 1) and (2, 2), twice",
                {input({2, 3}, 7), input({2, 1}, 8), input({2, 2}, 9)},
                [](const Tensors& in) -> Tensors { return {diff(in[0], 2, 1, in[1], in[2])}; },
                [](const Tensors& in) -> Tensors {
                  const Array x(in[0]), before(in[1]), behind(in[2]);
                  Array y(Shape{2, 4});
                  for (int64_t i = 0; i < 2; ++i) {
                    const Numbers line =
                        differences({before.at({i, 0}), x.at({i, 0}), x.at({i, 1}), x.at({i, 2}),
                                     behind.at({i, 0}), behind.at({i, 1})},
                                    2);
                    for (int64_t k = 0; k < 4; ++k) y.at({i, k}) = line[static_cast<size_t>(k)];
                  }
                  return {y.tensor()};
                }};
  longer.torch = "torch.diff(x[0], 2, 1, x[1], x[2])";
  row.samples.push_back(longer);
  Sample bools{"bools",
               {mask({3, 7}, 10)},
               unary([](const Tensor& x) { return diff(x); }),
               on_lines(-1, {DType::boolean}, [](const Numbers& v) -> std::vector<Numbers> {
                 Numbers y = differences(v, 1);
                 for (double& e : y) e = std::abs(e);
                 return {y};
               })};
  bools.torch = "torch.diff(x[0])";
  bools.differentiable = false;
  row.samples.push_back(bools);
  row.errors = {error("a number", [] { return diff(scalar(1.0)); },
                      {"diff: ", "()", "one dimension or more"}),
                error("a negative n", [] { return diff(ones({3}), -1); }, {"diff: n is -1"}),
                error("what does not fit before it",
                      [] {
                        return diff(ones({2, 3}), 1, 1, ones({3, 1}));
                      },
                      {"diff: prepend of shape (3, 1)", "(2, 3)"})};
  row.large = [=] { return one("(257, 1031), 1", input({257, 1031}, 11), 1, 1); };
  row.scale = 8;
  return row;
}

// The areas up to each point but the first, at a distance of dx, or over x.
Numbers areas_of(const Numbers& y, const Numbers& x) {
  Numbers areas;
  double sum = 0;
  for (size_t k = 0; k + 1 < y.size(); ++k) {
    areas.push_back(sum += (x[k + 1] - x[k]) * (y[k] + y[k + 1]) / 2);
  }
  return areas;
}
Numbers steps(size_t n, double dx) {
  Numbers x;
  for (size_t k = 0; k < n; ++k) x.push_back(dx * static_cast<double>(k));
  return x;
}

Row area_row(const char* name, bool cumulative) {
  const auto result = [cumulative](const Numbers& areas) -> std::vector<Numbers> {
    if (cumulative) return {areas};
    return {{areas.empty() ? 0.0 : areas.back()}};
  };
  // Without the dimension that is reduced.
  const auto shaped = [cumulative](TensorFunction f, int64_t dim) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors {
      const Tensor y = f(in)[0];
      if (cumulative) return {y};
      Shape shape = y.shape();
      shape.erase(static_cast<int>(dim < 0 ? dim + shape.rank() : dim));
      return {y.view(shape)};
    };
  };
  const auto one = [=](const std::string& sample_name, const Tensor& y, double dx, int64_t dim) {
    Sample sample{
        sample_name,
        {y},
        unary([=](const Tensor& v) {
          return cumulative ? cumulative_trapezoid(v, dx, dim) : trapezoid(v, dx, dim);
        }),
        shaped(on_lines(dim, {DType::f64},
                        [=](const Numbers& v) { return result(areas_of(v, steps(v.size(), dx))); }),
               dim)};
    sample.torch = std::string("torch.") + name + "(x[0], dx=" + std::to_string(dx) +
                   ", dim=" + std::to_string(dim) + ")";
    return sample;
  };
  const auto over = [=](const std::string& sample_name, const Tensor& y, const Tensor& x,
                        int64_t dim) {
    Sample sample{sample_name,
                  {y, x},
                  binary([=](const Tensor& v, const Tensor& at) {
                    return cumulative ? cumulative_trapezoid(v, at, dim) : trapezoid(v, at, dim);
                  }),
                  [=](const Tensors& in) -> Tensors {
                    const Numbers at = Array(in[1]).data;
                    const OfLine f = [&](const Numbers& v) { return result(areas_of(v, at)); };
                    return shaped(on_lines(dim, {DType::f64}, f), dim)({in[0]});
                  }};
    sample.torch = std::string("torch.") + name + "(x[0], x[1], dim=" + std::to_string(dim) + ")";
    return sample;
  };
  Row row{name,
          {one("(2, 5, 3), 1", input({2, 5, 3}, 1), 1, 1),
           one("(4, 3) strided, 0, dx 0.5", strided(input({4, 3}, 2)), 0.5, 0),
           one("(0, 3)", input({0, 3}, 3), 1, -1), one("(2, 1), one point", input({2, 1}, 4), 2, 1),
           over("(2, 5), (5)", input({2, 5}, 5), input({5}, 6), 1),
           over("(4, 3), (4), 0", input({4, 3}, 7), input({4}, 8), 0)}};
  const auto call = [=](const Tensor& y, const Tensor& x) {
    return cumulative ? cumulative_trapezoid(y, x) : trapezoid(y, x);
  };
  row.errors = {error("a number", [call] { return call(scalar(1.0), Tensor()); },
                      {row.name + ": ", "()", "one dimension or more"}),
                error("other points",
                      [call] {
                        return call(ones({2, 3}), ones({2}));
                      },
                      {row.name + ": x of shape (2,)", "(2, 3)"}),
                error("a dimension that is not there",
                      [=] {
                        return cumulative ? cumulative_trapezoid(ones({2, 3}), 1.0, 2)
                                          : trapezoid(ones({2, 3}), 1.0, 2);
                      },
                      {row.name + ": ", "2", "[-2, 1]"})};
  row.scale = 8;
  return row;
}

}  // namespace

void add_statistics(std::vector<Row>& rows) {
  rows.push_back(nansum_row());
  rows.push_back(nanmean_row());
  rows.push_back(spread_row("var_mean", false));
  rows.push_back(spread_row("std_mean", true));
  rows.push_back(aminmax_row());
  rows.push_back(quantile_row({"quantile", &quantile, &quantile, false}));
  rows.push_back(quantile_row({"nanquantile", &nanquantile, &nanquantile, true}));
  rows.push_back(cov_row());
  rows.push_back(corrcoef_row());
  rows.push_back(diff_row());
  rows.push_back(area_row("trapezoid", false));
  rows.push_back(area_row("cumulative_trapezoid", true));
}

}  // namespace adjoint::catalog
