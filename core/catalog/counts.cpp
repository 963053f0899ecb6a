// Rows of what is chosen or counted by its place in an order: k-th values, modes, runs, counts.
#include <adjoint/core/layout.h>
#include <adjoint/core/sorting.h>

#include <algorithm>
#include <map>

#include "core/catalog/reduced.h"

namespace adjoint::catalog {
namespace {

Tensor some(const Shape& shape, int64_t bound, uint64_t seed) {
  return indices(shape, bound, seed).to(DType::f64) * 0.5;
}

// Values and indices of one element of each line.
template <class Call>
Sample one_of_line(const std::string& name, const Tensor& x, int64_t dim, bool keepdim, Call call,
                   const OfLine& f, const std::string& torch) {
  const TensorFunction kept = on_lines(dim, {DType::f64, DType::i64}, f);
  Sample sample{name,
                {x},
                [=](const Tensors& in) -> Tensors {
                  const ValuesAndIndices y = call(in[0], dim, keepdim);
                  return {y.values, y.indices};
                },
                [=](const Tensors& in) -> Tensors {
                  Tensors y = kept(in);
                  Shape shape = y[0].shape();
                  if (!keepdim && shape.rank() > 0) {
                    shape.erase(static_cast<int>(dim < 0 ? dim + shape.rank() : dim));
                  }
                  for (Tensor& t : y) t = t.view(shape);
                  return y;
                }};
  sample.torch = torch + std::to_string(dim) + ", " + python(keepdim) + ")";
  return sample;
}

Row kthvalue_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t k, int64_t dim,
                      bool keepdim) {
    const OfLine kth = [k](const Numbers& v) -> std::vector<Numbers> {
      if (v.empty()) return {{}, {}};
      Numbers sorted = v;
      std::sort(sorted.begin(), sorted.end());
      const double value = sorted[static_cast<size_t>(k - 1)];
      const auto at = std::find(v.begin(), v.end(), value) - v.begin();
      return {{value}, {static_cast<double>(at)}};
    };
    const auto call = [k](const Tensor& v, int64_t d, bool keep) {
      return kthvalue(v, k, d, keep);
    };
    return one_of_line(name, x, dim, keepdim, call, kth,
                       "torch.kthvalue(x[0], " + std::to_string(k) + ", ");
  };
  Row row{"kthvalue",
          {one("(2, 3, 4), 2 of 1", distinct({2, 3, 4}, 1), 2, 1, false),
           one("(4, 3) strided, 4 of 0, kept", strided(distinct({4, 3}, 2)), 4, 0, true),
           one("(0, 3), 1", distinct({0, 3}, 3), 1, -1, false),
           one("(2, 100), 71 of 1", distinct({2, 100}, 4), 71, 1, false),
           one("()", distinct({}, 5), 1, 0, false)}};
  row.errors = {error("more than there are",
                      [] {
                        return kthvalue(ones({2, 3}), 4);
                      },
                      {"kthvalue: k 4 of 3", "(2, 3)", "from 1 to 3"}),
                error("fewer than one",
                      [] {
                        return kthvalue(ones({2, 3}), 0, 0);
                      },
                      {"kthvalue: k 0 of 2"}),
                error("nothing along a dimension",
                      [] {
                        return kthvalue(zeros({2, 0}), 1);
                      },
                      {"kthvalue: ", "(2, 0)"}),
                wrong_gradient("kthvalue", row.samples.front())};
  row.large = [=] {
    return one("(9, 1031, 17), 800 of 1", input({9, 1031, 17}, 8), 800, 1, false);
  };
  return row;
}

// The commonest value, of several the smallest, and where it stands last.
std::vector<Numbers> mode_of(const Numbers& v) {
  if (v.empty()) return {{}, {}};
  std::map<double, int> counts;
  for (const double x : v) ++counts[x];
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto last = std::find(v.rbegin(), v.rend(), most->first);
  return {{most->first}, {static_cast<double>(v.rend() - last - 1)}};
}

Row mode_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t dim, bool keepdim) {
    const auto call = [](const Tensor& v, int64_t d, bool keep) { return mode(v, d, keep); };
    return one_of_line(name, x, dim, keepdim, call, mode_of, "torch.mode(x[0], ");
  };
  // Differences see no ties: those are in samples without derivatives, whose indices tell enough.
  const auto tied = [one](const std::string& name, const Tensor& x, int64_t dim, bool keepdim) {
    Sample sample = one(name, x, dim, keepdim);
    sample.run = [run = sample.run](const Tensors& in) { return run({in[0].detach()}); };
    sample.differentiable = false;
    return sample;
  };
  Row row{"mode",
          {one("(2, 3, 4), 1", distinct({2, 3, 4}, 1), 1, false),
           one("(4, 3) strided, 0, kept", strided(distinct({4, 3}, 2)), 0, true),
           one("(0, 3), -1", distinct({0, 3}, 3), -1, false),
           tied("(5, 9) with equal ones, 1", some({5, 9}, 4, 4), 1, false),
           tied("(9, 5) with equal ones, 0", some({9, 5}, 3, 5), 0, true),
           one("()", distinct({}, 6), 0, false)}};
  row.errors = {error("nothing along a dimension",
                      [] {
                        return mode(zeros({2, 0}), 1);
                      },
                      {"mode: ", "(2, 0)"}),
                error("a dimension that is not there",
                      [] {
                        return mode(zeros({2, 3}), 2);
                      },
                      {"mode: ", "2"}),
                wrong_gradient("mode", row.samples.front())};
  return row;
}

// --- runs ---

// Things in order, each run of equal ones once.
template <class Thing>
std::vector<Thing> each_run(const std::vector<Thing>& things, Numbers& inverse, Numbers& counts) {
  std::vector<Thing> values;
  for (const Thing& thing : things) {
    if (values.empty() || !(values.back() == thing)) {
      values.push_back(thing);
      counts.push_back(0);
    }
    inverse.push_back(static_cast<double>(values.size() - 1));
    counts.back() += 1;
  }
  return values;
}

Tensors runs_of_elements(const Tensors& in) {
  const Array x(in[0]);
  Array inverse(x.shape), values(Shape{0}), counts(Shape{0});
  inverse.data.clear();
  values.data = each_run(x.data, inverse.data, counts.data);
  values.shape = counts.shape = {static_cast<int64_t>(values.data.size())};
  return {values.tensor(), inverse.tensor(DType::i64), counts.tensor(DType::i64)};
}

TensorFunction runs_along(int d) {
  return [d](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    std::vector<Numbers> parts(static_cast<size_t>(x.shape[d]));
    for_each_index(x.shape,
                   [&](const Shape& i) { parts[static_cast<size_t>(i[d])].push_back(x.at(i)); });
    Array inverse(Shape{x.shape[d]}), counts(Shape{0});
    inverse.data.clear();
    const std::vector<Numbers> found = each_run(parts, inverse.data, counts.data);
    Shape shape = x.shape;
    counts.shape = {shape[d] = static_cast<int64_t>(found.size())};
    std::vector<size_t> next(found.size());
    const Array values = make_array(shape, [&](const Shape& i) {
      const auto part = static_cast<size_t>(i[d]);
      return found[part][next[part]++];
    });
    return {values.tensor(), inverse.tensor(DType::i64), counts.tensor(DType::i64)};
  };
}

Row unique_consecutive_row() {
  const auto one = [](const std::string& name, const Tensor& x, std::optional<int64_t> dim) {
    Sample sample{
        name,
        {x},
        [dim](const Tensors& in) -> Tensors {
          const UniqueValues y = unique_consecutive(in[0], true, true, dim);
          return {y.values, y.inverse, y.counts};
        },
        dim.has_value() ? runs_along(static_cast<int>(*dim)) : TensorFunction(&runs_of_elements)};
    sample.torch = "torch.unique_consecutive(x[0], True, True" +
                   (dim.has_value() ? ", " + std::to_string(*dim) : "") + ")";
    return sample;
  };
  Row row{"unique_consecutive",
          {one("(3, 20)", some({3, 20}, 2, 1), std::nullopt),
           one("(4, 5) strided", strided(some({4, 5}, 2, 2)), std::nullopt),
           one("(0, 3)", some({0, 3}, 4, 3), std::nullopt),
           one("(9, 2, 1) along 0", some({9, 2, 1}, 2, 4), 0),
           one("(1, 9) strided along 1", strided(some({1, 9}, 2, 5)), 1),
           one("(2, 0, 3) along 1", some({2, 0, 3}, 2, 6), 1)}};
  row.samples.push_back({"(3, 20), values alone",
                         {some({3, 20}, 2, 7)},
                         unary([](const Tensor& x) { return unique_consecutive(x).values; }),
                         [](const Tensors& in) -> Tensors { return {runs_of_elements(in)[0]}; }});
  row.samples.back().torch = "torch.unique_consecutive(x[0])";
  row.errors = {error("a dimension that is not there",
                      [] {
                        return unique_consecutive(ones({2, 3}), false, false, 2);
                      },
                      {"unique_consecutive: ", "2", "[-2, 1]"}),
                error("parts of nothing",
                      [] {
                        return unique_consecutive(ones({2, 0}), false, false, 0);
                      },
                      {"unique_consecutive: ", "(2, 0)", "expected"}),
                no_derivative(row.samples.front())};
  row.differentiable = false;
  return row;
}

// --- counts ---

Row bincount_row() {
  const auto reference = [](int64_t least, bool weighted) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors {
      const Array x(in[0]);
      double most = static_cast<double>(least - 1);
      for (const double v : x.data) most = std::max(most, v);
      Array y(Shape{static_cast<int64_t>(most) + 1});
      const Array w = weighted ? Array(in[1]) : Array(x.shape, 1);
      for (size_t i = 0; i < x.data.size(); ++i)
        y.data[static_cast<size_t>(x.data[i])] += w.data[i];
      return {y.tensor(weighted ? DType::f64 : DType::i64)};
    };
  };
  const auto count = [=](const std::string& name, const Tensor& x, int64_t least) {
    Sample sample{name,
                  {x},
                  unary([least](const Tensor& v) { return bincount(v, {}, least); }),
                  reference(least, false)};
    sample.differentiable = false;
    sample.torch = "torch.bincount(x[0], minlength=" + std::to_string(least) + ")";
    return sample;
  };
  // PyTorch's has no gradient: what it adds up has.
  const auto weigh = [=](const std::string& name, const Tensor& x, const Tensor& w, int64_t least) {
    Sample sample{
        name,
        {x, w},
        binary([least](const Tensor& v, const Tensor& u) { return bincount(v, u, least); }),
        reference(least, true)};
    sample.torch = "torch.zeros(" + std::to_string(sample.reference({x, w})[0].numel()) +
                   ", dtype=x[1].dtype).index_add(0, x[0], x[1])";
    return sample;
  };
  Row row{"bincount",
          {count("(9) of 5", indices({9}, 5, 1), 0),
           count("(7) strided, 8 at least", strided(indices({7}, 4, 2)), 8),
           count("(0)", indices({0}, 4, 3), 0),
           weigh("(9) of 5, weights", indices({9}, 5, 4), input({9}, 5), 0),
           weigh("(9), strided weights, 7 at least", indices({9}, 5, 6), strided(input({9}, 7)), 7),
           weigh("(0), weights, 3 at least", indices({0}, 5, 8), input({0}, 9), 3)}};
  row.errors = {error("a negative number",
                      [] {
                        return bincount(tensor<int64_t>({1, -2}));
                      },
                      {"bincount: ", "number -2", "0 or more"}),
                error("numbers that are not whole", [] { return bincount(ones({3})); },
                      {"bincount: ", "f32", "whole numbers"}),
                error("two dimensions",
                      [] {
                        return bincount(ones({2, 3}, DType::i64));
                      },
                      {"bincount: ", "(2, 3)", "one dimension"}),
                error("other weights", [] { return bincount(arange(3), ones({2})); },
                      {"bincount: weights of shape (2,)", "(3,)"})};
  row.scale = 4;
  return row;
}

Row isin_row() {
  const auto reference = [](bool invert) -> TensorFunction {
    return [invert](const Tensors& in) -> Tensors {
      const Array tests(in[1]);
      Array y(in[0]);
      for (double& v : y.data) {
        const bool found = std::find(tests.data.begin(), tests.data.end(), v) != tests.data.end();
        v = found != invert ? 1 : 0;
      }
      return {y.tensor(DType::boolean)};
    };
  };
  const auto one = [=](const std::string& name, const Tensor& x, const Tensor& tests, bool invert) {
    Sample sample{
        name,
        {x, tests},
        binary([invert](const Tensor& e, const Tensor& t) { return isin(e, t, false, invert); }),
        reference(invert)};
    sample.torch = "torch.isin(x[0], x[1], invert=" + python(invert) + ")";
    return sample;
  };
  Row row{"isin",
          {one("(3, 4), (5)", some({3, 4}, 9, 1), some({5}, 9, 2), false),
           one("(4, 3) strided, (2, 2), inverted", strided(some({4, 3}, 6, 3)), some({2, 2}, 6, 4),
               true),
           one("(0, 3), (2)", some({0, 3}, 6, 5), some({2}, 6, 6), false),
           one("(3), (0)", some({3}, 6, 7), some({0}, 6, 8), false),
           one("(3), (0), inverted", some({3}, 6, 7), some({0}, 6, 8), true),
           one("(2, 3) and whole numbers", some({2, 3}, 6, 9), indices({4}, 3, 10), false),
           one("whole numbers", indices({3, 5}, 6, 11), indices({4}, 6, 12), false)}};
  row.samples.push_back({"(3, 4), a number",
                         {some({3, 4}, 3, 13)},
                         unary([](const Tensor& x) { return isin(x, 0.5); }),
                         map_reference([](double v) { return v == 0.5; }, DType::boolean)});
  row.samples.back().torch = "torch.isin(x[0], 0.5)";
  row.samples.push_back({"a number, (3, 4)",
                         {some({3, 4}, 3, 13)},
                         unary([](const Tensor& x) { return isin(0.5, x); }),
                         [reference](const Tensors& in) {
                           return reference(false)({scalar(0.5, DType::f64), in[0]});
                         }});
  row.samples.back().torch = "torch.isin(0.5, x[0])";
  row.errors = {
      error("undefined elements", [] { return isin(Tensor(), ones({2})); },
            {"isin: ", "undefined"}),
      error("undefined tests", [] { return isin(ones({2}), Tensor()); }, {"isin: ", "undefined"}),
      no_derivative(row.samples.front())};
  row.differentiable = false;
  return row;
}

}  // namespace

void add_counts(std::vector<Row>& rows) {
  rows.push_back(kthvalue_row());
  rows.push_back(mode_row());
  rows.push_back(unique_consecutive_row());
  rows.push_back(bincount_row());
  rows.push_back(isin_row());
}

}  // namespace adjoint::catalog
