// Rows of reductions of several steps: products, norms, logarithms of sums, medians, counts.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/catalog/reduced.h"

namespace adjoint::catalog {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Of x along one dimension, as PyTorch's functions take it.
template <class F>
Sample along(const std::string& function, const std::string& name, const Tensor& x, int64_t dim,
             bool keepdim, Tensor (*call)(const Tensor&, int64_t, bool), F f) {
  Sample sample{name,
                {x},
                unary([=](const Tensor& v) { return call(v, dim, keepdim); }),
                reduced({{dim}, keepdim}, f)};
  sample.torch = function + "(x[0], " + std::to_string(dim) + ", " + python(keepdim) + ")";
  return sample;
}

double product_of(const Numbers& v) {
  double y = 1;
  for (const double x : v) y *= x;
  return y;
}

Row prod_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t dim, bool keepdim) {
    return along("torch.prod", name, x, dim, keepdim, &prod, product_of);
  };
  const auto all = [](const Tensor& x, const Over&) { return prod(x); };
  Row row{"prod",
          {one("(2, 3, 4), 1", input({2, 3, 4}, 1), 1, false),
           one("(4, 3) strided, 0, kept", strided(input({4, 3}, 2)), 0, true),
           one("(0, 3), 1", input({0, 3}, 3), -1, false),
           one("(2, 0), 1, of nothing", input({2, 0}, 4), 1, false),
           one("(4, 3), 1, of no, one, two and three zeros",
               tensor({1.5, 0.5, -2.0, 0.0, 3.0, 0.75, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0}, {4, 3}), 1,
               false),
           sample_over("torch.prod", "(2, 3), all", input({2, 3}, 6), {}, all, product_of),
           sample_over("torch.prod", "()", input({}, 7), {}, all, product_of)}};
  row.errors = {
      error("a dimension that is not there",
            [] {
              return prod(ones({2, 3}), 2);
            },
            {"prod: ", "2", "[-2, 1]"}),
      error("a dimension of a number", [] { return prod(scalar(1.0), 1); }, {"prod: ", "1"}),
      wrong_gradient("prod", row.samples.front())};
  // 32 roundings of half a unit each.
  row.large = [=] { return one("(65, 33, 131), 1", input({65, 33, 131}, 8), 1, false); };
  return row;
}

auto norm_of(double p) {
  return [p](const Numbers& v) {
    double sum = 0, high = 0, low = kInfinity;
    for (const double x : v) {
      sum += p == 0 ? (x != 0 ? 1 : 0) : std::pow(std::abs(x), p);
      high = std::max(high, std::abs(x));
      low = std::min(low, std::abs(x));
    }
    if (std::isinf(p)) return p > 0 ? high : low;
    return p == 0 ? sum : std::pow(sum, 1 / p);
  };
}

using Norm = Tensor (*)(const Tensor&, double, const Shape&, bool);

// `order`: what the function calls p.
Row norm_row(const std::string& function, Norm call, const std::string& order) {
  const auto one = [call](const std::string& name, const Tensor& x, double p, const Over& over) {
    Sample sample{name,
                  {x},
                  unary([=](const Tensor& v) { return call(v, p, over.dims, over.keepdim); }),
                  reduced(over, norm_of(p))};
    const std::string number =
        std::isinf(p) ? (p > 0 ? "torch.inf" : "-torch.inf") : std::to_string(p);
    const std::string dims = over.dims.empty() ? "None" : tuple(over.dims);
    sample.torch = "torch.linalg.vector_norm(x[0], " + number + ", " + dims + ", " +
                   python(over.keepdim) + ")";
    return sample;
  };
  Row row{function,
          {one("(2, 3, 4), 2 over 1", input({2, 3, 4}, 1), 2, {{1}, false}),
           one("(4, 3) strided, 1 over 0, kept", strided(input({4, 3}, 2)), 1, {{0}, true}),
           one("(0, 3), 2 over 1", input({0, 3}, 3), 2, {{1}, false}),
           one("(2, 0), 3 over 1, of nothing", input({2, 0}, 3), 3, {{1}, false}),
           one("(2, 3, 4), 3 over 0 and 2", input({2, 3, 4}, 4), 3, {{0, 2}, false}),
           one("(2, 3), 0 over 1", input({2, 3}, 5), 0, {{1}, false}),
           one("(2, 3), 0.5 over 1", input({2, 3}, 6), 0.5, {{1}, false}),
           one("(2, 3), -1.5 over 0", input({2, 3}, 7), -1.5, {{0}, true}),
           one("(3, 4), infinity over 1", input({3, 4}, 8), kInfinity, {{1}, false}),
           one("(3, 4), -infinity, all", input({3, 4}, 9), -kInfinity, {}),
           {"(2, 3), all",
            {input({2, 3}, 10)},
            unary([call](const Tensor& x) { return call(x, 2, {}, false); }),
            reduced({}, norm_of(2))}}};
  row.torch = "torch.linalg.vector_norm(x[0])";
  row.errors = dims_errors(
      function, [call](const Tensor& x, const Over& o) { return call(x, 2, o.dims, o.keepdim); });
  row.errors.push_back(error("integers", [call] { return call(arange(3), 2, {}, false); },
                             {function + ": ", "i64", "expected a floating dtype"}));
  row.errors.push_back(error("the largest of nothing",
                             [call] {
                               return call(zeros({2, 0}), kInfinity, {1}, false);
                             },
                             {function + ": ", "(2, 0)", order + " inf"}));
  row.large = [=] { return one("(9, 257, 131), 2 over 1", input({9, 257, 131}, 11), 2, {{1}}); };
  // A power, a sum of a few, and a power.
  row.ulps = 8;
  return row;
}

// The names that norm has for orders.
void add_named_norms(Row& row) {
  const auto one = [](const std::string& p, const Tensor& x, const Shape& dims, bool keepdim) {
    Sample sample{"'" + p + "' of " + to_string(x.shape()) + " over " + to_string(dims),
                  {x},
                  unary([=](const Tensor& v) { return norm(v, p, dims, keepdim); }),
                  reduced({dims, keepdim}, norm_of(2))};
    sample.torch = "torch.norm(x[0], '" + p + "', " + (dims.empty() ? "None" : tuple(dims)) + ", " +
                   python(keepdim) + ")";
    return sample;
  };
  row.samples.push_back(one("fro", input({2, 3, 4}, 12), {0, 2}, true));
  row.samples.push_back(one("fro", input({2, 3}, 13), {}, false));
  // Of one row or column the one singular value is the length.
  row.samples.push_back(one("nuc", input({3, 1, 4}, 14), {0, 1}, false));
  row.samples.back().halves = false;
  row.errors.push_back(error("an unknown name",
                             [] {
                               return norm(ones({2, 2}), "frob");
                             },
                             {"norm: p is 'frob'", "\"fro\", \"nuc\""}));
  row.errors.push_back(error("three dimensions",
                             [] {
                               return norm(ones({2, 2, 2}), "nuc");
                             },
                             {"norm: p is \"nuc\"", "(2, 2, 2)", "a matrix"}));
}

double log_sum_of(const Numbers& v) {
  double sum = 0;
  for (const double x : v) sum += std::exp(x);
  return std::log(sum);
}

Row logsumexp_row() {
  const auto call = [](const Tensor& x, const Over& o) { return logsumexp(x, o.dims, o.keepdim); };
  Row row{"logsumexp", over_dims("torch.logsumexp", call, log_sum_of)};
  row.samples.push_back(
      sample_over("torch.logsumexp", "(2, 3), all", input({2, 3}, 6), {{0, 1}}, call, log_sum_of));
  row.samples.push_back(sample_over("torch.logsumexp", "(2, 0) over 1, of nothing",
                                    input({2, 0}, 7), {{1}}, call, log_sum_of));
  row.errors = dims_errors("logsumexp", call);
  row.errors.push_back(wrong_gradient("logsumexp", row.samples.front()));
  row.large = [=] { return large_over_dims(call, log_sum_of); };
  // The largest is taken off first and added at the end.
  row.scale = 2;
  return row;
}

Row count_row() {
  const auto call = [](const Tensor& x, const Over& o) { return count_nonzero(x, o.dims); };
  const auto count = [](const Numbers& v) {
    return static_cast<double>(v.size() - static_cast<size_t>(std::count(v.begin(), v.end(), 0.0)));
  };
  const auto one = [&](const std::string& name, const Tensor& x, const Shape& dims) {
    Sample sample = sample_over("", name, x, {dims, false}, call, count, DType::i64);
    sample.torch = "torch.count_nonzero(x[0]" + (dims.empty() ? "" : ", " + tuple(dims)) + ")";
    return sample;
  };
  const auto some = [](const Shape& shape, uint64_t seed) {
    return indices(shape, 2, seed).to(DType::f64) * 0.5;
  };
  Row row{"count_nonzero",
          {one("(2, 3, 4) over 1", some({2, 3, 4}, 1), {1}),
           one("(4, 3) strided over 0", strided(some({4, 3}, 2)), {0}),
           one("(0, 3) over 1", some({0, 3}, 3), {1}), one("(2, 0) over 1", some({2, 0}, 3), {1}),
           one("(3, 5) of bools over 0 and 1", mask({3, 5}, 4), {0, 1}),
           one("(2, 3), all", some({2, 3}, 5), {})}};
  row.errors = dims_errors("count_nonzero", call);
  row.errors.push_back(no_derivative(row.samples.front()));
  row.large = [=] {
    return sample_over("", "(9, 257, 131) over 1", some({9, 257, 131}, 6), {{1}, false}, call,
                       count, DType::i64);
  };
  row.differentiable = false;
  return row;
}

// The lower median and where it stands first.
std::vector<Numbers> median_of(const Numbers& v) {
  if (v.empty()) return {{}, {}};
  Numbers sorted = v;
  std::sort(sorted.begin(), sorted.end());
  const double value = sorted[(v.size() - 1) / 2];
  const auto at = std::find(v.begin(), v.end(), value) - v.begin();
  return {{value}, {static_cast<double>(at)}};
}

Row median_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t dim, bool keepdim) {
    const TensorFunction kept = on_lines(dim, {DType::f64, DType::i64}, median_of);
    Sample sample{name,
                  {x},
                  [=](const Tensors& in) -> Tensors {
                    const ValuesAndIndices y = median(in[0], dim, keepdim);
                    return {y.values, y.indices};
                  },
                  [=](const Tensors& in) -> Tensors {
                    Tensors y = kept(in);
                    Shape shape = y[0].shape();
                    if (!keepdim) shape.erase(static_cast<int>(dim < 0 ? dim + shape.rank() : dim));
                    for (Tensor& t : y) t = t.view(shape);
                    return y;
                  }};
    sample.torch = "torch.median(x[0], " + std::to_string(dim) + ", " + python(keepdim) + ")";
    return sample;
  };
  const auto all = [](const Tensor& x) { return median(x); };
  const auto of_all = [](const Numbers& v) { return median_of(v)[0][0]; };
  Row row{"median",
          {one("(2, 3, 4), 1", distinct({2, 3, 4}, 1), 1, false),
           one("(4, 3) strided, 0, kept", strided(distinct({4, 3}, 2)), 0, true),
           one("(0, 3), -1", distinct({0, 3}, 3), -1, false),
           one("(2, 100), 1", distinct({2, 100}, 4), 1, false),
           {"(2, 3, 2), all", {distinct({2, 3, 2}, 5)}, unary(all), reduced({}, of_all)},
           {"(5, 3) strided, all", {strided(distinct({5, 3}, 6))}, unary(all), reduced({}, of_all)},
           {"()", {distinct({}, 7)}, unary(all), reduced({}, of_all)}}};
  row.torch = "torch.median(x[0])";
  row.errors = {error("nothing along a dimension",
                      [] {
                        return median(zeros({2, 0}), 1);
                      },
                      {"median: ", "(2, 0)"}),
                error("a dimension that is not there",
                      [] {
                        return median(zeros({2, 3}), 2);
                      },
                      {"median: ", "2"}),
                error("no whole numbers", [] { return median(zeros({0}, DType::i64)); },
                      {"median: ", "i64", "(0,)"})};
  row.large = [=] { return one("(9, 1031, 17), 1", input({9, 1031, 17}, 8), 1, false); };
  return row;
}

}  // namespace

void add_moments(std::vector<Row>& rows) {
  rows.push_back(prod_row());
  rows.push_back(norm_row("norm", &norm, "p"));
  add_named_norms(rows.back());
  rows.push_back(norm_row("vector_norm", &vector_norm, "ord"));
  rows.push_back(logsumexp_row());
  rows.push_back(count_row());
  rows.push_back(median_row());
}

}  // namespace adjoint::catalog
