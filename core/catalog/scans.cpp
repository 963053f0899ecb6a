// Rows of scans.
#include <adjoint/core/scans.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/catalog/reduced.h"

namespace adjoint::catalog {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class F>
OfLine so_far(double nothing, F f) {
  return [=](const Numbers& v) -> std::vector<Numbers> {
    Numbers y;
    double sum = nothing;
    for (const double x : v) y.push_back(sum = f(sum, x));
    return {y};
  };
}

// Of equal ones the last.
OfLine extremum_so_far(bool largest) {
  return [=](const Numbers& v) -> std::vector<Numbers> {
    Numbers values, places;
    for (size_t i = 0; i < v.size(); ++i) {
      const bool better = i == 0 || (largest ? v[i] >= values.back() : v[i] <= values.back());
      values.push_back(better ? v[i] : values.back());
      places.push_back(better ? static_cast<double>(i) : places.back());
    }
    return {values, places};
  };
}

using Scan = std::function<Tensors(const Tensor&, int64_t)>;

Sample scan_sample(const std::string& function, const std::string& name, const Tensor& x,
                   int64_t dim, const Scan& scan, const OfLine& of_line,
                   const std::vector<DType>& dtypes) {
  Sample sample{name,
                {x},
                [=](const Tensors& in) { return scan(in[0], dim); },
                on_lines(dim, dtypes, of_line)};
  sample.torch = function + "(x[0], " + std::to_string(dim) + ")";
  return sample;
}

// `scan` and `of_line` of every layout; errors that all scans share.
Row scan_row(const std::string& name, const Scan& scan, const OfLine& of_line,
             const std::vector<DType>& dtypes = {DType::f64}) {
  const auto one = [=](const std::string& what, const Tensor& x, int64_t dim) {
    return scan_sample("torch." + name, what, x, dim, scan, of_line, dtypes);
  };
  Row row{name,
          {one("(2, 3, 4), 1", input({2, 3, 4}, 1), 1),
           one("(4, 5) strided, 0", strided(input({4, 5}, 2)), 0),
           one("(0, 3), 1", input({0, 3}, 3), 1), one("(2, 0), 1", input({2, 0}, 3), 1),
           one("(2, 7), -1", input({2, 7}, 4), -1), one("()", input({}, 5), 0)}};
  row.errors = {
      error("a dimension that is not there",
            [scan] {
              return scan(ones({2, 3}), 2);
            },
            {name + ": ", "2", "[-2, 1]"}),
      error("a dimension of a number", [scan] { return scan(scalar(1.0), 1); }, {name + ": ", "1"}),
      wrong_gradient(name, row.samples.front())};
  return row;
}

Scan one_result(Tensor (*f)(const Tensor&, int64_t)) {
  return [f](const Tensor& x, int64_t dim) -> Tensors { return {f(x, dim)}; };
}
template <class F>
Scan two_results(F f) {
  return [f](const Tensor& x, int64_t dim) -> Tensors {
    const ValuesAndIndices y = f(x, dim);
    return {y.values, y.indices};
  };
}

// A long row is cut into pieces, and rows and columns are shared among threads.
std::function<Sample()> long_row(const Row& row, const Scan& scan, const OfLine& of_line,
                                 const std::vector<DType>& dtypes = {DType::f64}) {
  return [=, name = row.name] {
    return scan_sample("torch." + name, "(2, 140001), 1", input({2, 140001}, 6), 1, scan, of_line,
                       dtypes);
  };
}

std::function<Sample()> many_columns(const Row& row, const Scan& scan, const OfLine& of_line) {
  return [=, name = row.name] {
    return scan_sample("torch." + name, "(9, 33, 1031), 1", input({9, 33, 1031}, 6), 1, scan,
                       of_line, {DType::f64});
  };
}

}  // namespace

void add_scans(std::vector<Row>& rows) {
  const auto add = [&](Row row) -> Row& { return rows.emplace_back(std::move(row)); };

  const Scan sums = one_result(&cumsum);
  const OfLine sums_of = so_far(0, [](double a, double b) { return a + b; });
  Row& sum = add(scan_row("cumsum", sums, sums_of));
  sum.large = long_row(sum, sums, sums_of);
  sum.scale = 4;  // sums carry the rounding of their largest terms

  const Scan products = one_result(&cumprod);
  const OfLine products_of = so_far(1, [](double a, double b) { return a * b; });
  Row& product = add(scan_row("cumprod", products, products_of));
  product.samples.push_back(
      scan_sample("torch.cumprod", "(4, 3), 1, of no, one, two and three zeros",
                  tensor({1.5, 0.5, -2.0, 0.0, 3.0, 0.75, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0}, {4, 3}), 1,
                  products, products_of, {DType::f64}));
  product.large = many_columns(product, products, products_of);

  const std::vector<DType> both = {DType::f64, DType::i64};
  const Scan largest = two_results(&cummax), smallest = two_results(&cummin);
  Row& max = add(scan_row("cummax", largest, extremum_so_far(true), both));
  max.large = long_row(max, largest, extremum_so_far(true), both);
  Row& min = add(scan_row("cummin", smallest, extremum_so_far(false), both));
  min.large = long_row(min, smallest, extremum_so_far(false), both);

  const Scan logs = one_result(&logcumsumexp);
  const OfLine logs_of = so_far(-kInfinity, [](double a, double b) {
    const double high = std::max(a, b);
    return high + std::log(std::exp(a - high) + std::exp(b - high));
  });
  Row& log = add(scan_row("logcumsumexp", logs, logs_of));
  log.large = long_row(log, logs, logs_of);
  log.scale = 8;  // what is taken off before exp and added after log is that near at least
  log.errors.push_back(error("integers", [] { return logcumsumexp(arange(3), 0); },
                             {"logcumsumexp: ", "i64", "expected a floating dtype"}));
}

}  // namespace adjoint::catalog
