// Rows of indices along one dimension that are the same for all of the others, of gather and take.
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>

#include "core/catalog/index_rows.h"

namespace adjoint::catalog {
namespace {

// Where value i of slices along dim is: at index[i[dim]] of it.
At slice_at(int dim, int64_t size) {
  return [dim, size](const Arrays& in, const Shape& i) {
    Shape at = i;
    const Shape which = in[1].shape.rank() == 0 ? Shape{} : Shape{i[dim]};
    at[dim] = number(in[1], which, size);
    return at;
  };
}

// The shape of slices of x by as many indices.
Shape slices_shape(const Tensor& x, int dim, const Tensor& index) {
  Shape shape = x.shape();
  shape[dim] = index.numel();
  return shape;
}

struct Along {
  std::string name;
  Tensor x;
  int64_t dim;
  Tensor index;

  int at() const { return normalize_dim("row", dim, x.dim()); }
  Shape shape() const { return slices_shape(x, at(), index); }
  At where() const { return slice_at(at(), x.shape()[at()]); }
  std::string torch() const { return std::to_string(dim) + ", x[1]"; }
};

std::vector<Along> repeated() {
  return {{"(2, 5, 3), dim 1, 4 indices", kSigned({2, 5, 3}, 1), 1, indices({4}, 5, 2)},
          {"(4, 3) strided, dim -1, 5 indices of i32", strided(kSigned({4, 3}, 3)), -1,
           indices({5}, 3, 4).to(DType::i32)},
          {"(3, 4), dim 0, one index", kSigned({3, 4}, 5), 0, indices({}, 3, 6)},
          {"(0, 3), dim 1, 2 indices", kSigned({0, 3}, 7), 1, indices({2}, 3, 8)},
          {"(4), dim 0, 0 indices", kSigned({4}, 9), 0, indices({0}, 4)}};
}

std::vector<Along> once() {
  return {
      {"(2, 5, 3), dim 1, 4 indices", kSigned({2, 5, 3}, 1), 1, distinct({4}, 0, 5)},
      {"(4, 3) strided, dim -1, 2 indices", strided(kSigned({4, 3}, 3)), -1, distinct({2}, 0, 3)},
      {"(0, 3), dim 1, 2 indices", kSigned({0, 3}, 7), 1, distinct({2}, 0, 3)}};
}

Along many() {
  return {"(301, 703), dim 0, 500 indices", kSigned({301, 703}, 10), 0, indices({500}, 301, 11)};
}

// The errors of all that take such indices; f(x, dim, index).
template <class F>
std::vector<ErrorCase> index_errors(const std::string& name, F f) {
  const Tensor x = zeros({2, 3});
  return {error("an index outside",
                [=] {
                  return f(x, 1, tensor<int64_t>({0, 3}));
                },
                {name + ": ", "index 3", "(1,)", "(2,)", "3), dimension 1 of shape (2, 3)"}),
          error("indices of two dimensions",
                [=] {
                  return f(x, 1, indices({1, 2}, 2));
                },
                {name + ": ", "(1, 2)", "one dimension"}),
          error("indices of f32", [=] { return f(x, 1, zeros({2})); },
                {name + ": ", "f32", "i64 or i32"}),
          error("a dimension outside", [=] { return f(x, 2, indices({1}, 2)); },
                {name + ": ", "2", "[-2, 1]"})};
}

Row index_select_row() {
  const auto sample = [](const Along& a) {
    return Sample{
        a.name,
        {a.x, a.index},
        [dim = a.dim](const Tensors& in) -> Tensors { return {index_select(in[0], dim, in[1])}; },
        picked(a.shape(), a.where()),
        {},
        true,
        "torch.index_select(x[0], " + a.torch() + ")"};
  };
  Row row{"index_select", {}};
  for (const Along& a : repeated()) row.samples.push_back(sample(a));
  row.samples.push_back(
      {"(), dim 0, 1 index",
       {kSigned({}, 12), indices({1}, 1)},
       [](const Tensors& in) -> Tensors { return {index_select(in[0], 0, in[1])}; },
       map_reference([](double v) { return v; }),
       {},
       true,
       "torch.index_select(x[0], 0, x[1])"});
  row.errors = index_errors("index_select", &index_select);
  row.large = [sample] { return sample(many()); };
  return row;
}

using Source = Tensor (*)(const Tensor&, int64_t, const Tensor&, const Tensor&);

// With a source: f(x, dim, index, source).
template <class F, class G>
Call with_source(const Along& a, const std::string& method, F f, G in_place, double factor,
                 double (*reference)(double, double)) {
  const std::string alpha = factor == 1 ? "" : ", alpha=" + std::to_string(factor);
  return {
      a.name + alpha,
      {a.x, a.index, kSigned(a.shape(), 13)},
      [f, dim = a.dim](const Tensors& in) { return f(in[0], dim, in[1], in[2]); },
      [in_place, dim = a.dim](const Tensor& y, const Tensors& in) {
        in_place(y, dim, in[1], in[2]);
      },
      put(
          a.shape(), a.where(),
          [factor](const Arrays& in, const Shape& i) { return factor * in[2].at(i); }, reference),
      "$." + method + "@(" + a.torch() + ", x[2]" + alpha + ")"};
}

template <class F>
std::vector<ErrorCase> source_errors(const std::string& name, F f) {
  const Tensor x = zeros({2, 3}), two = tensor<int64_t>({0, 1});
  std::vector<ErrorCase> errors =
      index_errors(name, [f](const Tensor& a, int64_t d, const Tensor& i) {
        return f(a, d, i, zeros({2, 2}));
      });
  errors.push_back(error("a source of another shape",
                         [=] {
                           return f(x, 1, two, ones({2, 3}));
                         },
                         {name + ": ", "(2, 3)", "2 indices", "expected (2, 2)"}));
  errors.push_back(error("a source of another dtype",
                         [=] {
                           return f(x, 1, two, ones({2, 2}, DType::f64));
                         },
                         {name + ": ", "f64", "f32", "to()"}));
  return errors;
}

// As an expression, for errors.
template <class F>
auto returning(F f) {
  return [f](const auto&... arguments) {
    f(arguments...);
    return 0;
  };
}

void add_index_add(std::vector<Row>& rows) {
  const auto call = [](const Along& a, double alpha) {
    return with_source(
        a, "index_add",
        [alpha](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
          return index_add(x, dim, index, source, alpha);
        },
        [alpha](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
          index_add_(x, dim, index, source, alpha);
        },
        alpha, &sum_of);
  };
  const auto plain = [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
    return index_add(x, dim, index, source);
  };
  const auto in_place = [](const Tensor& x, int64_t dim, const Tensor& index,
                           const Tensor& source) { index_add_(x, dim, index, source); };
  std::vector<Call> calls;
  std::vector<Along> samples = repeated();
  samples.erase(samples.begin() + 2);  // PyTorch wants no source without the dimension
  for (const Along& a : samples) calls.push_back(call(a, 1));
  calls.push_back(call(repeated()[0], -1.5));
  const auto large = [call] { return call(many(), 1); };
  rows.push_back(functional_row("index_add", calls, source_errors("index_add", plain), large));
  rows.push_back(
      in_place_row("index_add_", calls, source_errors("index_add_", returning(in_place)), large));
  // Sums of up to five values and what was there, each below 2.7; in bf16 the last is rounded.
  for (size_t i = rows.size() - 2; i < rows.size(); ++i) rows[i].scale = 16;
}

void add_index_copy(std::vector<Row>& rows) {
  const auto call = [](const Along& a) {
    return with_source(a, "index_copy", &index_copy, &index_copy_, 1, &last);
  };
  std::vector<Call> calls;
  for (const Along& a : once()) calls.push_back(call(a));
  Call twice = call(repeated()[0]);
  twice.name += ", some twice";
  twice.torch.clear();  // which leaves open what stays
  calls.push_back(twice);
  const auto large = [call] { return call(many()); };
  rows.push_back(
      functional_row("index_copy", calls, source_errors("index_copy", &index_copy), large));
  rows.push_back(in_place_row("index_copy_", calls,
                              source_errors("index_copy_", returning(&index_copy_)), large));
}

void add_index_fill(std::vector<Row>& rows) {
  std::vector<Along> samples = repeated();
  samples[0].index = sub(samples[0].index, 5);  // negative ones count from the end
  samples[1].index = samples[1].index.to(DType::i64);
  std::vector<Call> calls;
  for (const Along& a : samples) {
    calls.push_back(
        {a.name + ", 2.5",
         {a.x, a.index},
         [dim = a.dim](const Tensors& in) { return index_fill(in[0], dim, in[1], 2.5); },
         [dim = a.dim](const Tensor& y, const Tensors& in) { index_fill_(y, dim, in[1], 2.5); },
         put(
             a.shape(), a.where(), [](const Arrays&, const Shape&) { return 2.5; }, &last),
         "$.index_fill@(" + a.torch() + ", 2.5)"});
  }
  const Along& a = samples[0];
  calls.push_back({a.name + ", a tensor",
                   {a.x, distinct({3}, 0, 5), kSigned({}, 14)},
                   [](const Tensors& in) { return index_fill(in[0], 1, in[1], in[2]); },
                   [](const Tensor& y, const Tensors& in) { index_fill_(y, 1, in[1], in[2]); },
                   put(
                       {2, 3, 3}, a.where(),
                       [](const Arrays& in, const Shape&) { return in[2].data[0]; }, &last),
                   "$.index_fill@(1, x[1], x[2])"});
  const auto errors = [](const std::string& name, auto f) {
    std::vector<ErrorCase> all =
        index_errors(name, [f](const Tensor& x, int64_t dim, const Tensor& index) {
          return f(x, dim, index, scalar(0));
        });
    all.push_back(error("a value of one dimension",
                        [f] { return f(zeros({2}), 0, tensor<int64_t>({1}), zeros({1})); },
                        {name + ": ", "(1,)", "without dimensions"}));
    return all;
  };
  rows.push_back(
      functional_row("index_fill", calls, errors("index_fill", static_cast<Source>(&index_fill))));
  rows.push_back(in_place_row("index_fill_", calls,
                              errors("index_fill_", [](const Tensor& x, int64_t dim,
                                                       const Tensor& index, const Tensor& value) {
                                index_fill_(x, dim, index, value);
                                return 0;
                              })));
}

// --- an index for each element ---

Row gather_row() {
  const auto sample = [](const std::string& name, const Tensor& x, int64_t dim,
                         const Tensor& index) {
    const int d = normalize_dim("row", dim, x.dim());
    const int64_t size = x.dim() == 0 ? 1 : x.shape()[d];
    const auto at = [d, size](const Arrays& in, const Shape& i) {
      if (in[0].shape.rank() == 0) return Shape{};
      Shape place = i.rank() == 0 ? Shape{0} : i;
      place[d] = number(in[1], i, size);
      return place;
    };
    return Sample{name,
                  {x, index},
                  [dim](const Tensors& in) -> Tensors { return {gather(in[0], dim, in[1])}; },
                  picked(index.shape(), at),
                  {},
                  true,
                  "torch.gather(x[0], " + std::to_string(dim) + ", x[1])"};
  };
  Row row{
      "gather",
      {sample("(3, 4, 5), dim 1, (2, 6, 5)", kSigned({3, 4, 5}, 1), 1, indices({2, 6, 5}, 4, 2)),
       sample("(4, 3) strided, dim 0, (5, 3) strided", strided(kSigned({4, 3}, 3)), 0,
              strided(indices({5, 3}, 4, 4))),
       sample("(4, 6), dim -1, i32 (4, 2)", kSigned({4, 6}, 5), -1,
              indices({4, 2}, 6, 6).to(DType::i32)),
       sample("(0, 3), dim 1, (0, 4)", kSigned({0, 3}, 7), 1, indices({0, 4}, 3)),
       sample("(3), dim 0, ()", kSigned({3}, 8), 0, indices({}, 3)),
       sample("(), dim 0, ()", kSigned({}, 9), 0, indices({}, 1))}};
  const Tensor x = zeros({2, 3});
  row.errors = {error("an index outside",
                      [x] {
                        return gather(x, 1, tensor<int64_t>({0, 1, 2, -1}, {2, 2}));
                      },
                      {"gather: ", "index -1", "(1, 1)", "[0, 3)", "dimension 1 of shape (2, 3)"}),
                error("more rows than x has",
                      [x] {
                        return gather(x, 1, indices({3, 1}, 1));
                      },
                      {"gather: ", "(3, 1)", "(2, 3)", "dimension 1"}),
                error("another number of dimensions", [x] { return gather(x, 1, indices({3}, 1)); },
                      {"gather: ", "(3,)", "(2, 3)"}),
                error("indices of bool",
                      [x] {
                        return gather(x, 1, mask({2, 3}));
                      },
                      {"gather: ", "bool", "i64 or i32"})};
  row.large = [sample] {
    return sample("(300, 700), dim 0, (400, 700)", kSigned({300, 700}, 10), 0,
                  indices({400, 700}, 300, 11));
  };
  return row;
}

Row take_along_dim_row() {
  const auto at = [](int dim, int64_t size) {
    return [dim, size](const Arrays& in, const Shape& i) {
      Shape of_index = i, place = i;
      for (int d = 0; d < i.rank(); ++d) {
        if (d != dim && in[1].shape[d] == 1) of_index[d] = 0;
        if (d != dim && in[0].shape[d] == 1) place[d] = 0;
      }
      place[dim] = number(in[1], of_index, size);
      return place;
    };
  };
  const auto sample = [at](const std::string& name, const Tensor& x, const Tensor& index, int dim,
                           const Shape& shape) {
    return Sample{
        name,
        {x, index},
        [dim](const Tensors& in) -> Tensors { return {take_along_dim(in[0], in[1], dim)}; },
        picked(shape, at(dim, x.shape()[dim])),
        {},
        true,
        "torch.take_along_dim(x[0], x[1], " + std::to_string(dim) + ")"};
  };
  Row row{"take_along_dim",
          {sample("(3, 4, 1), (1, 2, 5)", kSigned({3, 4, 1}, 1), indices({1, 2, 5}, 4, 2), 1,
                  {3, 2, 5}),
           sample("(4, 3) strided, (4, 2), negative", strided(kSigned({4, 3}, 3)),
                  sub(indices({4, 2}, 3, 4), 3), 1, {4, 2}),
           sample("(3, 0), (2, 1)", kSigned({3, 0}, 5), indices({2, 1}, 3, 6), 0, {2, 0}),
           {"(2, 3) flattened, (2, 2)",
            {kSigned({2, 3}, 7), indices({2, 2}, 6, 8)},
            binary([](const Tensor& x, const Tensor& i) { return take_along_dim(x, i); }),
            picked({4},
                   [](const Arrays& in, const Shape& i) {
                     const int64_t k = number(in[1], {i[0] / 2, i[0] % 2}, 6);
                     return Shape{k / 3, k % 3};
                   }),
            {},
            true,
            "torch.take_along_dim(x[0], x[1])"}}};
  const Tensor x = zeros({2, 3});
  row.errors = {
      error("an index outside",
            [x] {
              return take_along_dim(x, full({1, 1}, 3, DType::i64), 1);
            },
            {"take_along_dim: ", "index 3", "[-3, 3)", "dimension 1"}),
      error("another number of dimensions", [x] { return take_along_dim(x, indices({2}, 2), 1); },
            {"take_along_dim: ", "(2,)", "(2, 3)", "as many dimensions"}),
      error("indices of f32",
            [x] {
              return take_along_dim(x, zeros({2, 1}), 1);
            },
            {"take_along_dim: ", "f32", "i64 or i32"})};
  return row;
}

Row take_row() {
  const auto sample = [](const std::string& name, const Tensor& x, const Tensor& index) {
    return Sample{name,
                  {x, index},
                  binary([](const Tensor& t, const Tensor& i) { return take(t, i); }),
                  picked(index.shape(),
                         [shape = x.shape()](const Arrays& in, const Shape& i) {
                           return unravel_index(number(in[1], i, shape.numel()), shape);
                         }),
                  {},
                  true,
                  "torch.take(x[0], x[1])"};
  };
  Row row{"take",
          {sample("(3, 4), (2, 5)", kSigned({3, 4}, 1), indices({2, 5}, 12, 2)),
           sample("(4, 3, 2) strided, (6), negative", strided(kSigned({4, 3, 2}, 3)),
                  sub(indices({6}, 24, 4), 24)),
           sample("(0), (0, 3)", kSigned({0}, 5), indices({0, 3}, 1)),
           sample("(), ()", kSigned({}, 6), indices({}, 1))}};
  const Tensor x = zeros({2, 3});
  row.errors = {error("an index outside",
                      [x] {
                        return take(x, tensor<int64_t>({0, 6}));
                      },
                      {"take: ", "index 6", "(1,)", "[-6, 6)", "(2, 3)"}),
                error("of nothing", [] { return take(zeros({0}), tensor<int64_t>({0})); },
                      {"take: ", "index 0", "(0,)"}),
                error("indices of f64", [x] { return take(x, zeros({2}, DType::f64)); },
                      {"take: ", "f64", "i64 or i32"})};
  row.large = [sample] {
    return sample("(300, 70), (90001)", kSigned({300, 70}, 7), indices({90001}, 21000, 8));
  };
  return row;
}

}  // namespace

void add_along(std::vector<Row>& rows) {
  rows.push_back(index_select_row());
  add_index_add(rows);
  add_index_copy(rows);
  add_index_fill(rows);
  rows.push_back(gather_row());
  rows.push_back(take_along_dim_row());
  rows.push_back(take_row());
}

}  // namespace adjoint::catalog
