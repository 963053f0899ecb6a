// Rows of scatters: an index for each element that is written.
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/catalog/index_rows.h"

namespace adjoint::catalog {
namespace {

struct Scatter {
  std::string name;
  Tensor x;
  int64_t dim;
  Tensor index;
  Shape src;

  // Where element i of the source goes.
  At at() const {
    const int d = normalize_dim("row", dim, x.dim());
    const int64_t size = x.dim() == 0 ? 1 : x.shape()[d];
    return [d, size](const Arrays& in, const Shape& i) {
      Shape place = i;
      if (i.rank() > 0) place[d] = number(in[1], i, size);
      return place;
    };
  }
};

std::vector<Scatter> repeated() {
  return {{"(3, 4, 5), dim 1, (2, 6, 5)",
           kSigned({3, 4, 5}, 1),
           1,
           indices({2, 6, 5}, 4, 2),
           {2, 6, 5}},
          {"(4, 3) strided, dim 0, (5, 2) strided, source (6, 3)",
           strided(kSigned({4, 3}, 3)),
           0,
           strided(indices({5, 2}, 4, 4)),
           {6, 3}},
          {"(4, 3), dim -1, i32 (4, 7)",
           kSigned({4, 3}, 5),
           -1,
           indices({4, 7}, 3, 6).to(DType::i32),
           {4, 7}},
          {"(0, 3), dim 1, (0, 4)", kSigned({0, 3}, 7), 1, indices({0, 4}, 3), {0, 4}},
          {"(), dim 0, ()", kSigned({}, 8), 0, indices({}, 1), {}}};
}

std::vector<Scatter> once() {
  return {{"(3, 4, 5), dim 1, (2, 3, 5)",
           kSigned({3, 4, 5}, 1),
           1,
           distinct({2, 3, 5}, 1, 4),
           {2, 3, 5}},
          {"(4, 3) strided, dim 0, (2, 3) strided, source (3, 3)",
           strided(kSigned({4, 3}, 3)),
           0,
           strided(distinct({2, 3}, 0, 4)),
           {3, 3}},
          {"(0, 3), dim 1, (0, 2)", kSigned({0, 3}, 7), 1, indices({0, 2}, 3), {0, 2}}};
}

Scatter many(int64_t dim) {
  return {"(301, 703), dim " + std::to_string(dim) + ", (500, 600)", kSigned({301, 703}, 10), dim,
          indices(dim == 0 ? Shape{500, 600} : Shape{300, 900}, dim == 0 ? 301 : 703, 11),
          dim == 0 ? Shape{500, 600} : Shape{300, 900}};
}

Tensors inputs_of(const Scatter& s) { return {s.x, s.index, kSigned(s.src, 12)}; }

template <class F, class G>
Call scattered(const Scatter& s, const std::string& method, F f, G in_place,
               double (*reference)(double, double)) {
  // Whose gradient for a larger source is an error.
  const std::string torch = s.src == s.index.shape()
                                ? "$." + method + "@(" + std::to_string(s.dim) + ", x[1], x[2])"
                                : "";
  return {s.name,
          inputs_of(s),
          [f, dim = s.dim](const Tensors& in) { return f(in[0], dim, in[1], in[2]); },
          [in_place, dim = s.dim](const Tensor& y, const Tensors& in) {
            in_place(y, dim, in[1], in[2]);
          },
          put(
              s.index.shape(), s.at(), [](const Arrays& in, const Shape& i) { return in[2].at(i); },
              reference),
          torch};
}

template <class F>
std::vector<ErrorCase> scatter_errors(const std::string& name, F f) {
  const Tensor x = zeros({2, 3}), index = tensor<int64_t>({0, 2}, {2, 1});
  return {
      error("an index outside",
            [=] {
              return f(x, 1, tensor<int64_t>({0, 3}, {2, 1}), ones({2, 1}));
            },
            {name + ": ", "index 3", "(1, 0)", "(2, 1)", "[0, 3), dimension 1 of shape (2, 3)"}),
      error("indices larger than x",
            [=] {
              return f(x, 1, indices({3, 1}, 2), ones({3, 1}));
            },
            {name + ": ", "(3, 1)", "(2, 3)", "dimension 1"}),
      error("a source smaller than the indices",
            [=] {
              return f(x, 1, index, ones({1, 1}));
            },
            {name + ": ", "(1, 1)", "(2, 1)", "no size below"}),
      error("a source of another dtype",
            [=] {
              return f(x, 1, index, ones({2, 1}, DType::f64));
            },
            {name + ": ", "f64", "f32", "to()"})};
}

using Function = Tensor (*)(const Tensor&, int64_t, const Tensor&, const Tensor&);
using InPlaceFunction = void (*)(const Tensor&, int64_t, const Tensor&, const Tensor&);

auto returning(InPlaceFunction f) {
  return [f](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
    f(x, dim, index, src);
    return 0;
  };
}

void add_scatter(std::vector<Row>& rows) {
  const Function f = &scatter;
  const InPlaceFunction in_place = &scatter_;
  std::vector<Call> calls;
  for (const Scatter& s : once()) calls.push_back(scattered(s, "scatter", f, in_place, &last));
  Call twice = scattered(repeated()[0], "scatter", f, in_place, &last);
  twice.name += ", some twice";
  twice.torch.clear();  // which leaves open what stays
  calls.push_back(twice);
  const std::vector<Scatter> all = repeated();
  const Scatter& filled = all[2];
  calls.push_back({filled.name + ", 2.5",
                   {filled.x, filled.index},
                   [](const Tensors& in) { return scatter(in[0], -1, in[1], 2.5); },
                   [](const Tensor& y, const Tensors& in) { scatter_(y, -1, in[1], 2.5); },
                   put(
                       filled.index.shape(), filled.at(),
                       [](const Arrays&, const Shape&) { return 2.5; }, &last),
                   "$.scatter@(-1, x[1], 2.5)"});
  const auto large = [=] { return scattered(many(0), "scatter", f, in_place, &last); };
  rows.push_back(functional_row("scatter", calls, scatter_errors("scatter", f), large));
  rows.push_back(
      in_place_row("scatter_", calls, scatter_errors("scatter_", returning(in_place)), large));
}

void add_scatter_add(std::vector<Row>& rows) {
  const auto call = [](const Scatter& s) {
    return scattered(s, "scatter_add", &scatter_add, &scatter_add_, &sum_of);
  };
  std::vector<Call> calls;
  for (const Scatter& s : repeated()) calls.push_back(call(s));
  rows.push_back(functional_row("scatter_add", calls, scatter_errors("scatter_add", &scatter_add),
                                [call] { return call(many(0)); }));
  rows.push_back(in_place_row("scatter_add_", calls,
                              scatter_errors("scatter_add_", returning(&scatter_add_)),
                              [call] { return call(many(1)); }));
  // Sums of up to eight values below 1.8.
  for (size_t i = rows.size() - 2; i < rows.size(); ++i) rows[i].scale = 16;
}

// --- scatter_reduce ---

double reduced(ScatterReduce reduce, const std::vector<double>& values) {
  double total = reduce == ScatterReduce::prod ? 1 : 0;
  for (const double v : values) {
    total = reduce == ScatterReduce::prod ? total * v : total + v;
  }
  switch (reduce) {
    case ScatterReduce::amax:
      return *std::max_element(values.begin(), values.end());
    case ScatterReduce::amin:
      return *std::min_element(values.begin(), values.end());
    case ScatterReduce::mean:
      return total / static_cast<double>(values.size());
    default:
      return total;
  }
}

TensorFunction reduce_reference(const Scatter& s, ScatterReduce reduce, bool include_self) {
  return [shape = s.index.shape(), at = s.at(), reduce,
          include_self](const Tensors& tensors) -> Tensors {
    const Arrays in = {Array(tensors[0]), Array(tensors[1]), Array(tensors[2])};
    std::map<std::string, std::vector<double>> sent;
    for_each_index(shape,
                   [&](const Shape& i) { sent[to_string(at(in, i))].push_back(in[2].at(i)); });
    return {make_array(in[0].shape, [&](const Shape& i) {
              const auto found = sent.find(to_string(i));
              if (found == sent.end()) return in[0].at(i);
              std::vector<double> values = found->second;
              if (include_self) values.push_back(in[0].at(i));
              return reduced(reduce, values);
            }).tensor()};
  };
}

Sample reduce_sample(const Scatter& s, ScatterReduce reduce, const char* name, bool include_self) {
  // All distinct, x and source together: no ties.
  const int64_t count = s.x.numel() + s.src.numel();
  const Tensor all = kSigned({count}, 13);
  Tensor x = reshape(slice(all, 0, 0, s.x.numel()), s.x.shape()).clone();
  if (!s.x.is_contiguous()) x = strided(x);
  const Tensor src = reshape(slice(all, 0, s.x.numel()), s.src).clone();
  std::string call = "torch.scatter_reduce(x[0], " + std::to_string(s.dim) + ", x[1], x[2], '" +
                     name + "', include_self=" + (include_self ? "True" : "False") + ")";
  if (s.src != s.index.shape()) call.clear();
  return {s.name + ", " + name + (include_self ? "" : " without self"),
          {x, s.index, src},
          [=, dim = s.dim](const Tensors& in) -> Tensors {
            return {scatter_reduce(in[0], dim, in[1], in[2], reduce, include_self)};
          },
          reduce_reference(s, reduce, include_self),
          {},
          true,
          call};
}

// Products with factors of 0: one at a place, two, and x's own.
Sample zeros_sample(bool include_self) {
  const Scatter s{"(3, 2), dim 0, (5, 2)",
                  kSigned({3, 2}, 14),
                  0,
                  tensor<int64_t>({0, 0, 0, 1, 0, 1, 2, 1, 2, 1}, {5, 2}),
                  {5, 2}};
  Sample sample = reduce_sample(s, ScatterReduce::prod, "prod", include_self);
  sample.name += ", with zeros";
  const NoGrad guard;
  fill_(select(select(sample.inputs[0], 0, 1), 0, 0), 0);
  for (const int64_t row : {0, 1}) fill_(select(select(sample.inputs[2], 0, row), 0, 0), 0);
  fill_(select(select(sample.inputs[2], 0, 3), 0, 1), 0);
  return sample;
}

Row scatter_reduce_row() {
  Row row{"scatter_reduce", {}};
  const std::vector<Scatter> all = repeated();
  for (const auto& [reduce, name] :
       {std::pair{ScatterReduce::sum, "sum"}, std::pair{ScatterReduce::prod, "prod"},
        std::pair{ScatterReduce::mean, "mean"}, std::pair{ScatterReduce::amax, "amax"},
        std::pair{ScatterReduce::amin, "amin"}}) {
    row.samples.push_back(reduce_sample(all[0], reduce, name, true));
    row.samples.push_back(reduce_sample(all[2], reduce, name, false));
    row.samples.push_back(reduce_sample(all[1], reduce, name, false));
    row.samples.push_back(reduce_sample(all[3], reduce, name, true));
  }
  row.samples.push_back(zeros_sample(true));
  row.samples.push_back(zeros_sample(false));
  row.errors = scatter_errors(
      "scatter_reduce", [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
        return scatter_reduce(x, dim, index, src, ScatterReduce::amax);
      });
  row.large = [] { return reduce_sample(many(1), ScatterReduce::mean, "mean", true); };
  row.scale = 16;  // sums of up to eight values below 1.8
  // Quotients of products of eight factors, in f32; in bf16 the result is rounded once.
  row.gradient_ulps = 256;
  return row;
}

}  // namespace

void add_scatters(std::vector<Row>& rows) {
  add_scatter(rows);
  add_scatter_add(rows);
  rows.push_back(scatter_reduce_row());
}

}  // namespace adjoint::catalog
