// Rows of reductions.
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/catalog/reduced.h"

namespace adjoint::catalog {
namespace {

double sum_of(const Numbers& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double mean_of(const Numbers& v) { return sum_of(v) / static_cast<double>(v.size()); }
double max_of(const Numbers& v) { return *std::max_element(v.begin(), v.end()); }
double min_of(const Numbers& v) { return *std::min_element(v.begin(), v.end()); }
double argmax_of(const Numbers& v) {
  return static_cast<double>(std::max_element(v.begin(), v.end()) - v.begin());
}
double argmin_of(const Numbers& v) {
  return static_cast<double>(std::min_element(v.begin(), v.end()) - v.begin());
}
auto variance(double correction) {
  return [correction](const Numbers& v) {
    const double mean = mean_of(v);
    double squares = 0;
    for (const double x : v) squares += (x - mean) * (x - mean);
    return squares / (static_cast<double>(v.size()) - correction);
  };
}

// A sum of n numbers of size 1 carries rounding of about its largest partial sum.
constexpr double kSumScale = 4;

Row sum_row() {
  const auto call = [](const Tensor& x, const Over& o) { return sum(x, o.dims, o.keepdim); };
  const auto all = [](const Tensor& x, const Over&) { return sum(x); };
  Row row{"sum", over_dims("torch.sum", call, sum_of)};
  row.samples.push_back(sample_over("torch.sum", "(2, 3), all", input({2, 3}, 6), {}, all, sum_of));
  row.samples.push_back(sample_over("torch.sum", "()", input({}, 7), {}, all, sum_of));
  row.samples.push_back(sample_over("torch.sum", "(2, 0) over 1, sums of nothing", input({2, 0}, 8),
                                    {{1}, false}, call, sum_of));
  row.errors = dims_errors("sum", call);
  row.errors.push_back(wrong_gradient(row.name, row.samples.front()));
  row.large = [=] { return large_over_dims(call, sum_of); };
  row.scale = kSumScale;
  return row;
}

Row mean_row() {
  const auto call = [](const Tensor& x, const Over& o) { return mean(x, o.dims, o.keepdim); };
  const auto all = [](const Tensor& x, const Over&) { return mean(x); };
  Row row{"mean", over_dims("torch.mean", call, mean_of)};
  row.samples.push_back(
      sample_over("torch.mean", "(2, 3), all", input({2, 3}, 6), {}, all, mean_of));
  row.errors = dims_errors("mean", call);
  row.errors.push_back(error("integers", [] { return mean(arange(3)); },
                             {"mean: ", "i64", "expected a floating dtype"}));
  row.large = [=] { return large_over_dims(call, mean_of); };
  row.scale = 1;
  return row;
}

template <class All, class Along>
Row spread_row(const std::string& name, All all, Along along, double (*of)(double variance)) {
  const auto expected = [of](double correction) {
    return [of, correction](const Numbers& v) { return of(variance(correction)(v)); };
  };
  const std::string torch = "torch." + name;
  const auto call = [along](const Tensor& x, const Over& o) {
    return along(x, o.dims, 1, o.keepdim);
  };
  Row row{name, over_dims(torch, call, expected(1))};
  row.samples.push_back(sample_over(
      torch, "(2, 3), all", input({2, 3}, 6), {},
      [all](const Tensor& x, const Over&) { return all(x); }, expected(1)));
  row.samples.push_back({"(2, 3) over 1, correction 0",
                         {input({2, 3}, 7)},
                         unary([along](const Tensor& x) { return along(x, {1}, 0, false); }),
                         reduced({{1}, false}, expected(0))});
  row.samples.back().torch = torch + "(x[0], 1, correction=0)";
  row.errors = dims_errors(name, call);
  row.errors.push_back(error("integers", [all] { return all(arange(3)); },
                             {name + ": ", "i64", "expected a floating dtype"}));
  row.large = [=] { return large_over_dims(call, expected(1)); };
  row.scale = 2;
  return row;
}

template <class F>
Row several_extremes(const std::string& name, Tensor (*op)(const Tensor&, const Shape&, bool),
                     F f) {
  const auto call = [op](const Tensor& x, const Over& o) { return op(x, o.dims, o.keepdim); };
  const std::string torch = "torch." + name;
  Row row{name, over_dims(torch, call, f)};
  row.samples.push_back(sample_over(torch, "(2, 3), all", input({2, 3}, 6), {}, call, f));
  row.errors = dims_errors(name, call);
  row.errors.push_back(error("nothing to choose from",
                             [op] {
                               return op(zeros({2, 0}), {1}, false);
                             },
                             {name + ": ", "(2, 0)"}));
  row.large = [=] { return large_over_dims(call, f); };
  return row;
}

template <class F, class G>
Row extreme(const std::string& name, Tensor (*all)(const Tensor&),
            ValuesAndIndices (*along)(const Tensor&, int64_t, bool), F f, G index) {
  const auto one_dim = [=](const std::string& what, const Tensor& x, int64_t dim, bool keepdim) {
    return Sample{what,
                  {x},
                  [=](const Tensors& in) -> Tensors {
                    const ValuesAndIndices y = along(in[0], dim, keepdim);
                    return {y.values, y.indices};
                  },
                  [=](const Tensors& in) -> Tensors {
                    const Over over{{dim}, keepdim};
                    return {reduced(over, f)(in)[0], reduced(over, index, DType::i64)(in)[0]};
                  },
                  {},
                  true,
                  "torch." + name + "(x[0], " + std::to_string(dim) + ", " + python(keepdim) + ")"};
  };
  Row row{name,
          {one_dim("(2, 3, 4), 1", input({2, 3, 4}, 1), 1, false),
           one_dim("(4, 3) strided, 0, kept", strided(input({4, 3}, 2)), 0, true),
           one_dim("(0, 3), -1", input({0, 3}, 3), -1, false),
           {"(2, 3, 2), all", {input({2, 3, 2}, 4)}, unary(all), reduced({}, f)},
           {"()", {input({}, 5)}, unary(all), reduced({}, f)}}};
  row.torch = "torch." + name + "(x[0])";
  row.errors = {
      error("nothing to choose from", [all] { return all(zeros({0})); }, {name + ": ", "(0,)"}),
      error("nothing along a dimension",
            [along] {
              return along(zeros({2, 0}), 1, false);
            },
            {name + ": ", "(2, 0)"}),
      error("a dimension that is not there",
            [along] {
              return along(zeros({2, 3}), 2, false);
            },
            {name + ": ", "2"})};
  row.large = [=] { return one_dim("(9, 257, 131), 1", input({9, 257, 131}, 6), 1, false); };
  return row;
}

Row index_row(const std::string& name, Tensor (*all)(const Tensor&),
              Tensor (*along)(const Tensor&, int64_t, bool), double (*index)(const Numbers&)) {
  const auto one = [=](const std::string& what, const Tensor& x, int64_t dim, bool keepdim) {
    Sample sample{what,
                  {x},
                  unary([=](const Tensor& v) { return along(v, dim, keepdim); }),
                  reduced({{dim}, keepdim}, index, DType::i64)};
    sample.torch = "torch." + name + "(x[0], " + std::to_string(dim) + ", " + python(keepdim) + ")";
    return sample;
  };
  Row row{name,
          {one("(2, 3, 4), 1", input({2, 3, 4}, 1), 1, false),
           one("(4, 3) strided, 0, kept", strided(input({4, 3}, 2)), 0, true),
           one("(0, 3), 1", input({0, 3}, 3), 1, false),
           one("(3, 4) with equal ones, -1", indices({3, 4}, 2, 4).to(DType::f64), -1, false),
           {"(2, 3, 4), all", {input({2, 3, 4}, 5)}, unary(all), reduced({}, index, DType::i64)},
           {"(4, 3) strided, all",
            {strided(input({4, 3}, 6))},
            unary(all),
            reduced({}, index, DType::i64)}}};
  row.torch = "torch." + name + "(x[0])";
  row.errors = {error("nothing to choose from",
                      [along] {
                        return along(zeros({2, 0}), 1, false);
                      },
                      {name + ": ", "(2, 0)"}),
                error("nothing at all",
                      [all] {
                        return all(zeros({0, 3}));
                      },
                      {name + ": ", "(0, 3)", "at least one"}),
                error("a dimension that is not there",
                      [along] {
                        return along(zeros({2, 3}), -3, false);
                      },
                      {name + ": ", "-3"})};
  row.large = [=] { return one("(9, 257, 131), 1", input({9, 257, 131}, 6), 1, false); };
  row.differentiable = false;
  return row;
}

Row sum_to_size_row() {
  const auto to_shape = [](const std::string& name, const Tensor& x, const Shape& shape) {
    return Sample{name,
                  {x},
                  unary([shape](const Tensor& v) { return sum_to_size(v, shape); }),
                  [shape](const Tensors& in) -> Tensors {
                    const Array from(in[0]);
                    Array y(shape);
                    for_each_index(from.shape, [&](const Shape& index) {
                      Shape own = shape;
                      const int shift = index.rank() - shape.rank();
                      for (int d = 0; d < shape.rank(); ++d) {
                        own[d] = shape[d] == 1 ? 0 : index[d + shift];
                      }
                      y.at(own) += from.at(index);
                    });
                    return {y.tensor()};
                  },
                  {},
                  true,
                  "x[0].sum_to_size(" + tuple(shape) + ")"};
  };
  Row row{"sum_to_size",
          {to_shape("(2, 3, 4) to (3, 1)", input({2, 3, 4}, 1), {3, 1}),
           to_shape("(3, 4) strided to (4)", strided(input({3, 4}, 2)), {4}),
           to_shape("(2, 3) to itself", input({2, 3}, 3), {2, 3}),
           to_shape("(0, 3) to (1, 3)", input({0, 3}, 4), {1, 3})}};
  row.errors = {error("a shape that does not broadcast",
                      [] {
                        return sum_to_size(ones({2, 3}), {2});
                      },
                      {"sum_to_size: ", "(2, 3)", "(2,)"}),
                error("a shape of more dimensions",
                      [] {
                        return sum_to_size(ones({3}), {2, 3});
                      },
                      {"sum_to_size: ", "(3,)", "(2, 3)"}),
                wrong_gradient("sum", row.samples.front())};
  row.large = [=] { return to_shape("(257, 1031) to (1031)", input({257, 1031}, 5), {1031}); };
  row.scale = kSumScale;
  return row;
}

// A question about all elements; its answer as a tensor.
Row question(const std::string& name, bool (*ask)(const Tensor&), double (*answer)(const Numbers&),
             const std::vector<Tensor>& inputs) {
  Row row{name, {}};
  for (const Tensor& x : inputs) {
    row.samples.push_back({to_string(x.shape()) + " number " + std::to_string(row.samples.size()),
                           {x},
                           unary([ask](const Tensor& v) { return scalar(ask(v), DType::boolean); }),
                           reduced({}, answer, DType::boolean)});
  }
  row.errors = {
      error("an undefined tensor", [ask] { return ask(Tensor()); }, {name + ": ", "undefined"}),
      no_derivative(row.samples.front())};
  row.differentiable = false;
  return row;
}

// The same along dims too.
Row question_along(const std::string& name, bool (*ask)(const Tensor&),
                   Tensor (*along)(const Tensor&, const Shape&, bool),
                   double (*answer)(const Numbers&)) {
  Row row =
      question(name, ask, answer,
               {zeros({2, 3}, DType::boolean), ones({2, 3}, DType::boolean), mask({2, 3}, 1),
                strided(mask({3, 2}, 2)), zeros({0, 3}, DType::boolean), ones({}, DType::boolean),
                tensor({0.0, 0.5}), zeros({3}, DType::f64), strided(indices({3, 2}, 3, 4))});
  const std::string torch = "torch." + name;
  row.torch = torch + "(x[0])";
  const auto call = [along](const Tensor& x, const Over& o) { return along(x, o.dims, o.keepdim); };
  for (const Sample& sample : over_dims(torch, call, answer, DType::boolean)) {
    row.samples.push_back(sample);
  }
  row.samples.push_back(sample_over(torch, "(3, 5) of bools over 1", mask({3, 5}, 5), {{1}, false},
                                    call, answer, DType::boolean));
  row.samples.push_back(sample_over(torch, "(2, 0) over 1, of nothing", input({2, 0}, 6),
                                    {{1}, true}, call, answer, DType::boolean));
  for (ErrorCase& wrong : dims_errors(name, call)) row.errors.push_back(std::move(wrong));
  row.large = [=] { return large_over_dims(call, answer, DType::boolean); };
  return row;
}

double any_of(const Numbers& v) {
  return std::any_of(v.begin(), v.end(), [](double x) { return x != 0; }) ? 1 : 0;
}
double all_of(const Numbers& v) {
  return std::all_of(v.begin(), v.end(), [](double x) { return x != 0; }) ? 1 : 0;
}

}  // namespace

void add_reductions(std::vector<Row>& rows) {
  rows.push_back(sum_row());
  rows.push_back(mean_row());
  rows.push_back(several_extremes("amax", &amax, max_of));
  rows.push_back(several_extremes("amin", &amin, min_of));
  rows.push_back(extreme("max", &max, &max, max_of, argmax_of));
  rows.push_back(extreme("min", &min, &min, min_of, argmin_of));
  rows.push_back(index_row("argmax", &argmax, &argmax, argmax_of));
  rows.push_back(index_row("argmin", &argmin, &argmin, argmin_of));
  rows.push_back(spread_row(
      "var", [](const Tensor& x) { return var(x); },
      [](const Tensor& x, const Shape& dims, double correction, bool keepdim) {
        return var(x, dims, correction, keepdim);
      },
      [](double v) { return v; }));
  rows.push_back(spread_row(
      "std", [](const Tensor& x) { return adjoint::std(x); },
      [](const Tensor& x, const Shape& dims, double correction, bool keepdim) {
        return adjoint::std(x, dims, correction, keepdim);
      },
      [](double v) { return std::sqrt(v); }));
  rows.push_back(sum_to_size_row());
  rows.push_back(question_along("any", &any, &any, any_of));
  rows.push_back(question_along("all", &all, &all, all_of));
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  rows.push_back(question(
      "all_finite", &all_finite,
      [](const Numbers& v) {
        return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); }) ? 1.0
                                                                                          : 0.0;
      },
      {input({2, 3}, 1), tensor({1.0, inf}), strided(tensor({1.0, 2.0, nan, 4.0}, {2, 2})),
       tensor({-inf, 0.0, 1.0}), zeros({0}, DType::f64)}));
  rows.back().torch = "torch.isfinite(x[0]).all()";
}

}  // namespace adjoint::catalog
