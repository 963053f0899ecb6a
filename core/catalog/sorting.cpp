// Rows of orders and searches.
#include <adjoint/core/sorting.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/catalog/reduced.h"

namespace adjoint::catalog {
namespace {

const std::vector<DType> kBoth = {DType::f64, DType::i64};

// The first k of a line in order and where they stand; equal ones in the order of the line.
OfLine in_order(bool descending, int64_t k = -1, bool sorted = true) {
  return [=](const Numbers& v) -> std::vector<Numbers> {
    std::vector<size_t> order(v.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return descending ? v[a] > v[b] : v[a] < v[b]; });
    if (k >= 0) order.resize(static_cast<size_t>(k));
    if (!sorted) std::sort(order.begin(), order.end());
    Numbers values, places;
    for (const size_t i : order) {
      values.push_back(v[i]);
      places.push_back(static_cast<double>(i));
    }
    return {values, places};
  };
}

Tensors both_of(const ValuesAndIndices& y) { return {y.values, y.indices}; }

Row sort_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t dim, bool descending) {
    Sample sample{name,
                  {x},
                  [=](const Tensors& in) { return both_of(sort(in[0], dim, descending, true)); },
                  on_lines(dim, kBoth, in_order(descending))};
    sample.torch = "torch.sort(x[0], dim=" + std::to_string(dim) +
                   ", descending=" + python(descending) + ", stable=True)";
    return sample;
  };
  Row row{
      "sort",
      {one("(2, 5, 3), 1", input({2, 5, 3}, 1), 1, false),
       one("(4, 5) strided, 0, descending", strided(input({4, 5}, 2)), 0, true),
       one("(0, 3), 1", input({0, 3}, 3), 1, false), one("(2, 0), 1", input({2, 0}, 3), 1, false),
       one("(2, 100), -1", input({2, 100}, 4), -1, false),
       one("(2, 100), -1, descending", input({2, 100}, 5), -1, true),
       one("()", input({}, 6), 0, false)}};
  row.errors = {
      error("a dimension that is not there",
            [] {
              return sort(ones({2, 3}), 2);
            },
            {"sort: ", "2", "[-2, 1]"}),
      error("a dimension of a number", [] { return sort(scalar(1.0), 1); }, {"sort: ", "1"}),
      wrong_gradient("sort", row.samples.front())};
  row.large = [=] { return one("(2, 140001), 1", input({2, 140001}, 7), 1, false); };
  return row;
}

Row argsort_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t dim, bool descending) {
    const TensorFunction both = on_lines(dim, kBoth, in_order(descending));
    Sample sample{name,
                  {x},
                  unary([=](const Tensor& v) { return argsort(v, dim, descending, true); }),
                  [both](const Tensors& in) -> Tensors { return {both(in)[1]}; }};
    sample.torch = "torch.argsort(x[0], dim=" + std::to_string(dim) +
                   ", descending=" + python(descending) + ", stable=True)";
    return sample;
  };
  Row row{"argsort",
          {one("(2, 5, 3), 1", input({2, 5, 3}, 1), 1, false),
           one("(4, 5) strided, 0, descending", strided(input({4, 5}, 2)), 0, true),
           one("(0, 3), 1", input({0, 3}, 3), 1, false),
           one("(3, 60) with equal ones, 1", indices({3, 60}, 7, 4).to(DType::f64), 1, true)}};
  row.errors = {
      error("a dimension that is not there",
            [] {
              return argsort(ones({2, 3}), -3);
            },
            {"argsort: ", "-3", "[-2, 1]"}),
      error("an undefined tensor", [] { return argsort(Tensor()); }, {"argsort: ", "undefined"}),
      no_derivative(row.samples.front())};
  row.large = [=] { return one("(140001), 0", input({140001}, 7), 0, true); };
  row.differentiable = false;
  return row;
}

Row topk_row() {
  struct Options {
    int64_t k, dim = -1;
    bool largest = true, sorted = true;
  };
  const auto one = [](const std::string& name, const Tensor& x, const Options& o) {
    Sample sample{
        name,
        {x},
        [=](const Tensors& in) { return both_of(topk(in[0], o.k, o.dim, o.largest, o.sorted)); },
        on_lines(o.dim, kBoth, in_order(o.largest, o.k, o.sorted))};
    // PyTorch's order is any where it is not sorted.
    if (o.sorted) {
      sample.torch = "torch.topk(x[0], " + std::to_string(o.k) + ", " + std::to_string(o.dim) +
                     ", " + python(o.largest) + ")";
    }
    return sample;
  };
  Row row{"topk",
          {one("(2, 5, 3), 2 of 1", distinct({2, 5, 3}, 1), {2, 1}),
           one("(4, 5) strided, 3 of 0, smallest", strided(distinct({4, 5}, 2)), {3, 0, false}),
           one("(0, 3), 2", distinct({0, 3}, 3), {2}), one("(3, 4), 0", distinct({3, 4}, 4), {0}),
           one("(2, 100), 30", distinct({2, 100}, 5), {30}),
           one("(2, 100), 90, smallest", distinct({2, 100}, 6), {90, -1, false}),
           one("(2, 50), 5, not sorted", distinct({2, 50}, 7), {5, -1, true, false}),
           one("(2, 100), 40, not sorted", distinct({2, 100}, 8), {40, -1, true, false}),
           one("(), 1", distinct({}, 9), {1})}};
  row.errors = {error("more than there are",
                      [] {
                        return topk(ones({2, 3}), 4);
                      },
                      {"topk: ", "k 4", "3", "(2, 3)"}),
                error("fewer than none",
                      [] {
                        return topk(ones({2, 3}), -1, 0);
                      },
                      {"topk: ", "k -1", "(2, 3)"}),
                error("a dimension that is not there",
                      [] {
                        return topk(ones({2, 3}), 1, 2);
                      },
                      {"topk: ", "2", "[-2, 1]"}),
                wrong_gradient("topk", row.samples.front())};
  row.large = [=] { return one("(5, 30011), 100", input({5, 30011}, 9), {100}); };
  return row;
}

// The values of `things`, each once and in order, and where each thing stands among them.
template <class Thing>
std::vector<Thing> each_once(const std::vector<Thing>& things, Numbers& inverse, Numbers& counts) {
  std::vector<Thing> values = things;
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  counts.assign(values.size(), 0);
  for (const Thing& thing : things) {
    const auto at = std::lower_bound(values.begin(), values.end(), thing) - values.begin();
    inverse.push_back(static_cast<double>(at));
    counts[static_cast<size_t>(at)] += 1;
  }
  return values;
}

Tensors unique_elements(const Tensors& in) {
  const Array x(in[0]);
  Array inverse(x.shape), values(Shape{}), counts(Shape{});
  inverse.data.clear();
  values.data = each_once(x.data, inverse.data, counts.data);
  values.shape = counts.shape = {static_cast<int64_t>(values.data.size())};
  return {values.tensor(), inverse.tensor(DType::i64), counts.tensor(DType::i64)};
}

TensorFunction unique_along(int64_t dim) {
  return [dim](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    const int d = static_cast<int>(dim);
    std::vector<Numbers> parts(static_cast<size_t>(x.shape[d]));
    for_each_index(x.shape,
                   [&](const Shape& i) { parts[static_cast<size_t>(i[d])].push_back(x.at(i)); });
    Array inverse(Shape{x.shape[d]}), counts(Shape{});
    inverse.data.clear();
    const std::vector<Numbers> found = each_once(parts, inverse.data, counts.data);
    Shape shape = x.shape;
    shape[d] = static_cast<int64_t>(found.size());
    counts.shape = {shape[d]};
    std::vector<size_t> next(found.size());
    const Array values = make_array(shape, [&](const Shape& i) {
      const auto part = static_cast<size_t>(i[d]);
      return found[part][next[part]++];
    });
    return {values.tensor(), inverse.tensor(DType::i64), counts.tensor(DType::i64)};
  };
}

Row unique_row() {
  const auto one = [](const std::string& name, const Tensor& x, std::optional<int64_t> dim) {
    Sample sample{name,
                  {x},
                  [dim](const Tensors& in) -> Tensors {
                    const UniqueValues y = unique(in[0], true, true, true, dim);
                    return {y.values, y.inverse, y.counts};
                  },
                  dim.has_value() ? unique_along(*dim) : &unique_elements};
    sample.torch = "torch.unique(x[0], True, True, True" +
                   (dim.has_value() ? ", dim=" + std::to_string(*dim) : "") + ")";
    return sample;
  };
  const auto some = [](const Shape& shape, int64_t bound, uint64_t seed) {
    return indices(shape, bound, seed).to(DType::f64) * 0.5;
  };
  Row row{"unique",
          {one("(3, 20)", some({3, 20}, 9, 1), std::nullopt),
           one("(4, 5) strided", strided(some({4, 5}, 5, 2)), std::nullopt),
           one("(0, 3)", some({0, 3}, 4, 3), std::nullopt),
           one("(7, 2, 1) along 0", some({7, 2, 1}, 2, 4), 0),
           one("(2, 9) strided along 1", strided(some({2, 9}, 2, 5)), 1),
           one("(2, 0, 3) along 1", some({2, 0, 3}, 2, 6), 1)}};
  row.samples.push_back({"(3, 20), values alone",
                         {some({3, 20}, 9, 7)},
                         unary([](const Tensor& x) { return unique(x).values; }),
                         [](const Tensors& in) -> Tensors { return {unique_elements(in)[0]}; }});
  row.samples.back().torch = "torch.unique(x[0])";
  row.errors = {error("a dimension that is not there",
                      [] {
                        return unique(ones({2, 3}), true, false, false, 2);
                      },
                      {"unique: ", "2", "[-2, 1]"}),
                error("parts of nothing",
                      [] {
                        return unique(ones({2, 0}), true, false, false, 0);
                      },
                      {"unique: ", "(2, 0)", "expected"}),
                no_derivative(row.samples.front())};
  row.large = [=] { return one("(140001)", some({140001}, 3000, 8), std::nullopt); };
  row.differentiable = false;
  return row;
}

// How many edges of the last dimension are less than (at most, if `right`) each value.
TensorFunction places(size_t edges_at, size_t values_at, bool right) {
  return [=](const Tensors& in) -> Tensors {
    const Array edges(in[edges_at]), values(in[values_at]);
    const auto n = static_cast<size_t>(edges.shape.back());
    const int64_t rows = edges.shape.numel() / std::max<int64_t>(1, edges.shape.back());
    Array y(values.shape);
    for (size_t i = 0; i < y.data.size(); ++i) {
      const size_t row = i * static_cast<size_t>(rows) / y.data.size();
      for (size_t j = 0; j < n; ++j) {
        const double edge = edges.data[row * n + j];
        y.data[i] += right ? edge <= values.data[i] : edge < values.data[i];
      }
    }
    return {y.tensor(DType::i64)};
  };
}

// Rising along the last dimension, some of them equal.
Tensor rising(const Shape& shape) {
  Array y(shape);
  for (size_t i = 0; i < y.data.size(); ++i) {
    const auto column = i % static_cast<size_t>(shape.back());
    y.data[i] = 0.5 * static_cast<double>(column / 2) - 0.75 + static_cast<double>(i / 7 % 2);
  }
  std::sort(y.data.begin(), y.data.end());
  return y.tensor();
}

Tensor halves(const Shape& shape, uint64_t seed) {
  return indices(shape, 9, seed).to(DType::f64) * 0.25 - 1.0;
}

Row searchsorted_row() {
  const auto one = [](const std::string& name, const Tensor& edges, const Tensor& values,
                      bool right) {
    Sample sample{
        name,
        {edges, values},
        binary([right](const Tensor& e, const Tensor& v) { return searchsorted(e, v, right); }),
        places(0, 1, right)};
    sample.torch = "torch.searchsorted(x[0], x[1], right=" + python(right) + ")";
    return sample;
  };
  Row row{"searchsorted",
          {one("(7), (2, 3)", rising({7}), halves({2, 3}, 1), false),
           one("(7) strided, (4, 3) strided, right", strided(rising({7})),
               strided(halves({4, 3}, 2)), true),
           one("(2, 3, 5), (2, 3, 4)", rising({2, 3, 5}), halves({2, 3, 4}, 3), false),
           one("(2, 5), (2, 4), right", rising({2, 5}), halves({2, 4}, 4), true),
           one("(5), (0, 3)", rising({5}), halves({0, 3}, 5), false),
           one("(0), (3)", zeros({0}, DType::f64), halves({3}, 6), false),
           {"(7), a number",
            {rising({7})},
            unary([](const Tensor& e) { return searchsorted(e, 0.25); }),
            [](const Tensors& in) {
              return places(0, 1, false)({in[0], scalar(0.25, DType::f64)});
            }}}};
  row.samples.back().torch = "torch.searchsorted(x[0], 0.25)";
  row.errors = {
      error("other sizes",
            [] {
              return searchsorted(zeros({2, 3}), zeros({3, 4}));
            },
            {"searchsorted: ", "(2, 3)", "(3, 4)"}),
      error("other dtypes", [] { return searchsorted(zeros({3}), arange(2)); },
            {"searchsorted: ", "f32", "i64"}),
      error("a number for a sequence", [] { return searchsorted(scalar(1.0), zeros({3})); },
            {"searchsorted: ", "()"}),
      no_derivative(row.samples.front())};
  row.large = [=] { return one("(257), (70001)", rising({257}), halves({70001}, 7), true); };
  row.differentiable = false;
  return row;
}

Row bucketize_row() {
  const auto one = [](const std::string& name, const Tensor& x, const Tensor& edges, bool right) {
    Sample sample{
        name,
        {x, edges},
        binary([right](const Tensor& v, const Tensor& e) { return bucketize(v, e, right); }),
        places(1, 0, right)};
    sample.torch = "torch.bucketize(x[0], x[1], right=" + python(right) + ")";
    return sample;
  };
  Row row{"bucketize",
          {one("(2, 3), (7)", halves({2, 3}, 1), rising({7}), false),
           one("(4, 3) strided, (6), right", strided(halves({4, 3}, 2)), rising({6}), true),
           one("(0, 3), (5)", halves({0, 3}, 3), rising({5}), false),
           one("(), (5)", halves({}, 4), rising({5}), false)}};
  row.errors = {error("boundaries of two dimensions",
                      [] {
                        return bucketize(zeros({3}), zeros({2, 3}));
                      },
                      {"bucketize: ", "(2, 3)", "one dimension"}),
                error("undefined boundaries", [] { return bucketize(zeros({3}), Tensor()); },
                      {"bucketize: ", "undefined"}),
                no_derivative(row.samples.front())};
  row.large = [=] { return one("(70001), (257)", halves({70001}, 5), rising({257}), false); };
  row.differentiable = false;
  return row;
}

Row histc_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t bins, double min,
                      double max) {
    Sample sample{name,
                  {x},
                  unary([=](const Tensor& v) { return histc(v, bins, min, max); }),
                  [=](const Tensors& in) -> Tensors {
                    const Array v(in[0]);
                    const bool own = min == max && !v.data.empty();
                    double low = own ? *std::min_element(v.data.begin(), v.data.end()) : min;
                    double high = own ? *std::max_element(v.data.begin(), v.data.end()) : max;
                    if (low == high) --low, ++high;
                    Array y(Shape{bins});
                    for (const double e : v.data) {
                      if (e < low || e > high) continue;
                      const double at =
                          std::floor((e - low) * static_cast<double>(bins) / (high - low));
                      y.data[static_cast<size_t>(std::min(at, static_cast<double>(bins - 1)))] += 1;
                    }
                    return {y.tensor()};
                  }};
    sample.torch = "torch.histc(x[0], " + std::to_string(bins) + ", " + std::to_string(min) + ", " +
                   std::to_string(max) + ")";
    return sample;
  };
  Row row{"histc",
          {one("(5, 7), 4 from -2 to 2", distinct({5, 7}, 1), 4, -2, 2),
           one("(4, 3) strided, 5 of its own range", strided(distinct({4, 3}, 2)), 5, 0, 0),
           one("(0, 3), 3 from 0 to 1", distinct({0, 3}, 3), 3, 0, 1),
           one("(0), 3 of its own range", distinct({0}, 3), 3, 0, 0),
           one("(3) of equal ones, 4", full({3}, 0.5, DType::f64), 4, 0, 0)}};
  row.errors = {
      error("no bins", [] { return histc(ones({3}), 0); }, {"histc: ", "0 bins", "1 or more"}),
      error("whole numbers", [] { return histc(arange(3)); },
            {"histc: ", "i64", "expected a floating dtype"}),
      error("a falling range", [] { return histc(ones({3}), 4, 1, 0); },
            {"histc: ", "from 1 to 0"}),
      no_derivative(row.samples.front())};
  row.large = [=] { return one("(140001), 4", distinct({140001}, 4), 4, -8192, 8192); };
  row.differentiable = false;
  return row;
}

}  // namespace

void add_sorting(std::vector<Row>& rows) {
  rows.push_back(sort_row());
  rows.push_back(argsort_row());
  rows.push_back(topk_row());
  rows.push_back(unique_row());
  rows.push_back(searchsorted_row());
  rows.push_back(bucketize_row());
  rows.push_back(histc_row());
}

}  // namespace adjoint::catalog
