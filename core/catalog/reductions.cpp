// Rows of reductions.
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/catalog/builders.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

struct Over {
  Shape dims;  // none: all
  bool keepdim = false;
};

// f of the elements that go into each element of the result, in row-major order.
template <class F>
TensorFunction reduced(const Over& over, F f, DType dtype = DType::f64) {
  return [=](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    bool gone[kMaxDims] = {};
    for (int d = 0; d < x.shape.rank(); ++d) gone[d] = over.dims.empty();
    for (const int64_t d : over.dims) gone[d < 0 ? d + x.shape.rank() : d] = true;
    Shape kept = x.shape, shape;
    for (int d = 0; d < x.shape.rank(); ++d) {
      if (gone[d]) kept[d] = 1;
      if (!gone[d] || over.keepdim) shape.push_back(kept[d]);
    }
    Shape inner = x.shape;
    for (int d = 0; d < inner.rank(); ++d) inner[d] = gone[d] ? x.shape[d] : 1;
    Array y = make_array(kept, [&](const Shape& outer) {
      std::vector<double> elements;
      for_each_index(inner, [&](Shape index) {
        for (int d = 0; d < index.rank(); ++d) index[d] += outer[d];
        elements.push_back(x.at(index));
      });
      return f(elements);
    });
    y.shape = shape;
    return {y.tensor(dtype)};
  };
}

double sum_of(const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double mean_of(const std::vector<double>& v) { return sum_of(v) / static_cast<double>(v.size()); }
double max_of(const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); }
double min_of(const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }
double argmax_of(const std::vector<double>& v) {
  return static_cast<double>(std::max_element(v.begin(), v.end()) - v.begin());
}
double argmin_of(const std::vector<double>& v) {
  return static_cast<double>(std::min_element(v.begin(), v.end()) - v.begin());
}
auto variance(double correction) {
  return [correction](const std::vector<double>& v) {
    const double mean = mean_of(v);
    double squares = 0;
    for (const double x : v) squares += (x - mean) * (x - mean);
    return squares / (static_cast<double>(v.size()) - correction);
  };
}

// `call(x, over)` is the operator.
template <class Call, class F>
Sample sample(const std::string& name, const Tensor& x, const Over& over, Call call, F f) {
  return {
      name, {x}, unary([call, over](const Tensor& v) { return call(v, over); }), reduced(over, f)};
}

template <class Call, class F>
std::vector<Sample> over_dims(Call call, F f) {
  return {sample("(2, 3, 4) over 1", input({2, 3, 4}, 1), {{1}, false}, call, f),
          sample("(2, 3, 4) over 0 and 2, kept", input({2, 3, 4}, 2), {{0, -1}, true}, call, f),
          sample("(4, 3) strided over 0", strided(input({4, 3}, 3)), {{0}, false}, call, f),
          sample("(0, 3) over 1", input({0, 3}, 4), {{1}, false}, call, f)};
}

template <class Call, class F>
Sample large_over_dims(Call call, F f) {
  return sample("(9, 257, 131) over 1", input({9, 257, 131}, 5), {{1}, false}, call, f);
}

template <class Call>
std::vector<ErrorCase> dims_errors(const std::string& name, Call call) {
  return {error("a dimension that is not there",
                [call] {
                  return call(ones({2, 3}), Over{{2}, false});
                },
                {name + ": ", "2"}),
          error("a dimension twice",
                [call] {
                  return call(ones({2, 3}), Over{{0, -2}, false});
                },
                {name + ": ", "twice"})};
}

// A sum of n numbers of size 1 carries rounding of about its largest partial sum.
constexpr double kSumScale = 4;

Row sum_row() {
  const auto call = [](const Tensor& x, const Over& o) { return sum(x, o.dims, o.keepdim); };
  Row row{"sum", over_dims(call, sum_of)};
  row.samples.push_back({"(2, 3), all",
                         {input({2, 3}, 6)},
                         unary([](const Tensor& x) { return sum(x); }),
                         reduced({}, sum_of)});
  row.samples.push_back(
      {"()", {input({}, 7)}, unary([](const Tensor& x) { return sum(x); }), reduced({}, sum_of)});
  row.samples.push_back({"(2, 0) over 1, sums of nothing",
                         {input({2, 0}, 8)},
                         unary([](const Tensor& x) { return sum(x, {1}); }),
                         reduced({{1}, false}, sum_of)});
  row.errors = dims_errors("sum", call);
  row.large = [=] { return large_over_dims(call, sum_of); };
  row.scale = kSumScale;
  return row;
}

Row mean_row() {
  const auto call = [](const Tensor& x, const Over& o) { return mean(x, o.dims, o.keepdim); };
  Row row{"mean", over_dims(call, mean_of)};
  row.samples.push_back({"(2, 3), all",
                         {input({2, 3}, 6)},
                         unary([](const Tensor& x) { return mean(x); }),
                         reduced({}, mean_of)});
  row.errors = dims_errors("mean", call);
  row.errors.push_back(error("integers", [] { return mean(arange(3)); },
                             {"mean: ", "i64", "expected a floating dtype"}));
  row.large = [=] { return large_over_dims(call, mean_of); };
  row.scale = 1;
  return row;
}

Row var_row() {
  const auto call = [](const Tensor& x, const Over& o) { return var(x, o.dims, 1, o.keepdim); };
  Row row{"var", over_dims(call, variance(1))};
  row.samples.push_back({"(2, 3), all",
                         {input({2, 3}, 6)},
                         unary([](const Tensor& x) { return var(x); }),
                         reduced({}, variance(1))});
  row.samples.push_back({"(2, 3) over 1, correction 0",
                         {input({2, 3}, 7)},
                         unary([](const Tensor& x) { return var(x, {1}, 0); }),
                         reduced({{1}, false}, variance(0))});
  row.errors = dims_errors("var", call);
  row.errors.push_back(error("integers", [] { return var(arange(3)); },
                             {"var: ", "i64", "expected a floating dtype"}));
  row.large = [=] { return large_over_dims(call, variance(1)); };
  row.scale = 2;
  return row;
}

template <class F>
Row several_extremes(const std::string& name, Tensor (*op)(const Tensor&, const Shape&, bool),
                     F f) {
  const auto call = [op](const Tensor& x, const Over& o) { return op(x, o.dims, o.keepdim); };
  Row row{name, over_dims(call, f)};
  row.samples.push_back({"(2, 3), all",
                         {input({2, 3}, 6)},
                         unary([op](const Tensor& x) { return op(x, {}, false); }),
                         reduced({}, f)});
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
                  }};
  };
  Row row{name,
          {one_dim("(2, 3, 4), 1", input({2, 3, 4}, 1), 1, false),
           one_dim("(4, 3) strided, 0, kept", strided(input({4, 3}, 2)), 0, true),
           one_dim("(0, 3), -1", input({0, 3}, 3), -1, false),
           {"(2, 3, 2), all", {input({2, 3, 2}, 4)}, unary(all), reduced({}, f)},
           {"()", {input({}, 5)}, unary(all), reduced({}, f)}}};
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

Row argmax_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t dim, bool keepdim) {
    return Sample{name,
                  {x},
                  unary([=](const Tensor& v) { return argmax(v, dim, keepdim); }),
                  reduced({{dim}, keepdim}, argmax_of, DType::i64)};
  };
  Row row{"argmax",
          {one("(2, 3, 4), 1", input({2, 3, 4}, 1), 1, false),
           one("(4, 3) strided, 0, kept", strided(input({4, 3}, 2)), 0, true),
           one("(0, 3), 1", input({0, 3}, 3), 1, false),
           one("(3, 4) with equal maxima, -1", indices({3, 4}, 2, 4).to(DType::f64), -1, false)}};
  row.errors = {error("nothing to choose from",
                      [] {
                        return argmax(zeros({2, 0}), 1);
                      },
                      {"argmax: ", "(2, 0)"})};
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
                  }};
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
                      {"sum_to_size: ", "(2, 3)", "(2,)"})};
  row.large = [=] { return to_shape("(257, 1031) to (1031)", input({257, 1031}, 5), {1031}); };
  row.scale = kSumScale;
  return row;
}

// A question about all elements; its answer as a tensor.
Row question(const std::string& name, bool (*ask)(const Tensor&), bool (*answer)(const Array&),
             const std::vector<Tensor>& inputs) {
  Row row{name, {}};
  for (const Tensor& x : inputs) {
    row.samples.push_back({to_string(x.shape()) + " number " + std::to_string(row.samples.size()),
                           {x},
                           unary([ask](const Tensor& v) { return scalar(ask(v), DType::boolean); }),
                           [answer](const Tensors& in) -> Tensors {
                             Array y(Shape{}, answer(Array(in[0])) ? 1 : 0);
                             return {y.tensor(DType::boolean)};
                           }});
  }
  row.errors = {
      error("an undefined tensor", [ask] { return ask(Tensor()); }, {name + ": ", "undefined"})};
  row.differentiable = false;
  return row;
}

}  // namespace

void add_reductions(std::vector<Row>& rows) {
  rows.push_back(sum_row());
  rows.push_back(mean_row());
  rows.push_back(several_extremes("amax", &amax, max_of));
  rows.push_back(several_extremes("amin", &amin, min_of));
  rows.push_back(extreme("max", &max, &max, max_of, argmax_of));
  rows.push_back(extreme("min", &min, &min, min_of, argmin_of));
  rows.push_back(argmax_row());
  rows.push_back(var_row());
  rows.push_back(sum_to_size_row());

  const auto none_true = zeros({2, 3}, DType::boolean), all_true = ones({2, 3}, DType::boolean);
  const std::vector<Tensor> truths = {none_true,
                                      all_true,
                                      mask({2, 3}, 1),
                                      strided(mask({3, 2}, 2)),
                                      zeros({0, 3}, DType::boolean),
                                      ones({}, DType::boolean)};
  rows.push_back(question(
      "any", &any,
      [](const Array& a) {
        return std::any_of(a.data.begin(), a.data.end(), [](double v) { return v != 0; });
      },
      truths));
  rows.push_back(question(
      "all", &all,
      [](const Array& a) {
        return std::all_of(a.data.begin(), a.data.end(), [](double v) { return v != 0; });
      },
      truths));
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  rows.push_back(question(
      "all_finite", &all_finite,
      [](const Array& a) {
        return std::all_of(a.data.begin(), a.data.end(), [](double v) { return std::isfinite(v); });
      },
      {input({2, 3}, 1), tensor({1.0, inf}), strided(tensor({1.0, 2.0, nan, 4.0}, {2, 2})),
       tensor({-inf, 0.0, 1.0}), zeros({0}, DType::f64)}));
}

}  // namespace adjoint::catalog
