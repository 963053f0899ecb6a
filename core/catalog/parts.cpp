// Rows of tensors with a part written, and of slices reduced by index.
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/rearranging.h>

#include <algorithm>
#include <map>

#include "core/catalog/index_rows.h"

namespace adjoint::catalog {
namespace {

// Of x and the source: `at` says where element i of the source goes.
using Place = std::function<Shape(const Shape& i)>;
template <class F>
Sample part(const std::string& name, const Tensor& x, const Tensor& src, F f, Place at,
            const std::string& torch) {
  return {name,
          {x, src},
          binary(f),
          put(
              src.shape(), [at = std::move(at)](const Arrays&, const Shape& i) { return at(i); },
              [](const Arrays& in, const Shape& i) { return in[1].at(i); }, &last),
          {},
          true,
          torch};
}

// f(x, src), in a row of x of shape (2, 3) whose part is of shape (2,).
template <class F>
std::vector<ErrorCase> part_errors(const std::string& name, F f) {
  return {error("a source of another shape",
                [f] {
                  return f(ones({2, 3}), ones({3, 3}));
                },
                {name + ": ", "(3, 3)", "(2, 3)", "expected (2,"}),
          error("a source of another dtype",
                [f] {
                  return f(ones({2, 3}), ones({2}, DType::f64));
                },
                {name + ": ", "f64", "f32", "to()"}),
          error("an undefined source",
                [f] {
                  return f(ones({2, 3}), Tensor());
                },
                {name + ": ", "undefined"}),
          error("no dimensions", [f] { return f(ones({}), ones({})); },
                {name + ": ", "()", "dimension"})};
}

Row slice_scatter_row() {
  const auto one = [](const std::string& name, const Tensor& x, int dim, int64_t start, int64_t end,
                      int64_t step, int64_t first, int64_t count, const std::string& torch) {
    Shape shape = x.shape();
    shape[dim] = count;
    return part(
        name, x, kSigned(shape, 20),
        [=](const Tensor& v, const Tensor& src) {
          return slice_scatter(v, src, dim, start, end, step);
        },
        [=](Shape i) {
          i[dim] = first + step * i[dim];
          return i;
        },
        "torch.slice_scatter(x[0], x[1], " + torch + ")");
  };
  Row row{
      "slice_scatter",
      {one("(2, 7), dim 1, 1:6:2", kSigned({2, 7}, 1), 1, 1, 6, 2, 1, 3, "1, 1, 6, 2"),
       one("(5, 3) strided, -2:", strided(kSigned({5, 3}, 2)), 0, -2, INT64_MAX, 1, 3, 2, "0, -2"),
       one("(3, 2), 2:1", kSigned({3, 2}, 3), 0, 2, 1, 1, 2, 0, "0, 2, 1"),
       one("(0, 2), 0:5", kSigned({0, 2}, 4), 0, 0, 5, 1, 0, 0, "0, 0, 5"),
       one("(2, 3), all", kSigned({2, 3}, 5), 0, 0, INT64_MAX, 1, 0, 2, "0")}};
  row.errors = part_errors("slice_scatter", [](const Tensor& x, const Tensor& src) {
    return slice_scatter(x, src, 0, 0, 2);
  });
  row.errors[1] = error("a source of another dtype",
                        [] {
                          return slice_scatter(ones({2, 3}), ones({2, 3}, DType::f64));
                        },
                        {"slice_scatter: ", "f64", "f32", "to()"});
  row.errors.push_back(error("a step of 0",
                             [] {
                               return slice_scatter(ones({2, 3}), ones({2, 3}), 0, 0, 2, 0);
                             },
                             {"slice_scatter: ", "step 0"}));
  return row;
}

Row select_scatter_row() {
  const auto one = [](const std::string& name, const Tensor& x, int dim, int64_t index,
                      int64_t at) {
    Shape shape = x.shape();
    shape.erase(dim);
    return part(
        name, x, kSigned(shape, 20),
        [=](const Tensor& v, const Tensor& src) { return select_scatter(v, src, dim, index); },
        [=](Shape i) {
          i.insert(dim, at);
          return i;
        },
        "torch.select_scatter(x[0], x[1], " + std::to_string(dim) + ", " + std::to_string(index) +
            ")");
  };
  Row row{"select_scatter",
          {one("(2, 3, 4), dim 1 at 2", kSigned({2, 3, 4}, 1), 1, 2, 2),
           one("(4, 3) strided, dim 0 at -1", strided(kSigned({4, 3}, 2)), 0, -1, 3),
           one("(3), dim 0 at 0", kSigned({3}, 3), 0, 0, 0),
           one("(0, 3), dim 1 at 1", kSigned({0, 3}, 4), 1, 1, 1)}};
  row.errors = part_errors("select_scatter", [](const Tensor& x, const Tensor& src) {
    return select_scatter(x, src, 1, 0);
  });
  row.errors.push_back(error("an index outside",
                             [] {
                               return select_scatter(ones({2, 3}), ones({2}), 1, 3);
                             },
                             {"select_scatter: ", "index 3", "(2, 3)"}));
  return row;
}

Row diagonal_scatter_row() {
  // The number of the diagonal's element is the last index of the source.
  const auto one = [](const std::string& name, const Tensor& x, int64_t offset, int dim1, int dim2,
                      int64_t count) {
    Shape shape;
    for (int d = 0; d < x.dim(); ++d) {
      if (d != dim1 && d != dim2) shape.push_back(x.shape()[d]);
    }
    shape.push_back(count);
    return part(
        name, x, kSigned(shape, 20),
        [=](const Tensor& v, const Tensor& src) {
          return diagonal_scatter(v, src, offset, dim1, dim2);
        },
        [=, rank = x.dim()](Shape i) {
          const int64_t k = i.back();
          i.erase(i.rank() - 1);
          Shape at;
          int next = 0;
          for (int d = 0; d < rank; ++d) {
            at.push_back(d == dim1   ? k + std::max<int64_t>(-offset, 0)
                         : d == dim2 ? k + std::max<int64_t>(offset, 0)
                                     : i[next++]);
          }
          return at;
        },
        "torch.diagonal_scatter(x[0], x[1], " + std::to_string(offset) + ", " +
            std::to_string(dim1) + ", " + std::to_string(dim2) + ")");
  };
  Row row{"diagonal_scatter",
          {one("(3, 4)", kSigned({3, 4}, 1), 0, 0, 1, 3),
           one("(4, 3) strided, offset -2", strided(kSigned({4, 3}, 2)), -2, 0, 1, 2),
           one("(3, 2, 4), offset 1, dims 2 and 0", kSigned({3, 2, 4}, 3), 1, 2, 0, 2),
           one("(2, 3, 3), offset 1, dims 1 and 2", kSigned({2, 3, 3}, 4), 1, 1, 2, 2),
           one("(2, 3), offset 5", kSigned({2, 3}, 5), 5, 0, 1, 0),
           one("(0, 3)", kSigned({0, 3}, 6), 0, 0, 1, 0)}};
  row.errors = part_errors("diagonal_scatter", [](const Tensor& x, const Tensor& src) {
    return diagonal_scatter(x, src);
  });
  row.errors.push_back(error("a dimension twice",
                             [] {
                               return diagonal_scatter(ones({2, 3}), ones({2}), 0, 1, -1);
                             },
                             {"diagonal_scatter: ", "-1", "twice"}));
  return row;
}

// --- index_reduce ---

double folded(ScatterReduce reduce, const std::vector<double>& values) {
  double y = values[0];
  for (size_t i = 1; i < values.size(); ++i) {
    const double v = values[i];
    y = reduce == ScatterReduce::prod   ? y * v
        : reduce == ScatterReduce::amax ? std::max(y, v)
        : reduce == ScatterReduce::amin ? std::min(y, v)
                                        : y + v;
  }
  return reduce == ScatterReduce::mean ? y / static_cast<double>(values.size()) : y;
}

Call reduce_call(const std::string& name, const Tensor& x, int dim, const Tensor& index,
                 ScatterReduce reduce, const std::string& word, bool include_self) {
  Shape shape = x.shape();
  shape[dim] = index.numel();
  const TensorFunction reference = [=](const Tensors& in) -> Tensors {
    const Array old(in[0]), at(in[1]), source(in[2]);
    return {make_array(old.shape, [&](const Shape& i) {
              std::vector<double> values;
              for (int64_t k = 0; k < shape[dim]; ++k) {
                Shape from = i;
                from[dim] = k;
                if (at.data[static_cast<size_t>(k)] == static_cast<double>(i[dim])) {
                  values.push_back(source.at(from));
                }
              }
              if (values.empty() || include_self) values.push_back(old.at(i));
              return folded(reduce, values);
            }).tensor()};
  };
  return {name + ", " + word + (include_self ? "" : " without self"),
          {x, index, spread(shape, 2, 3.5, 20)},
          [=](const Tensors& in) {
            return index_reduce(in[0], dim, in[1], in[2], reduce, include_self);
          },
          [=](const Tensor& y, const Tensors& in) {
            index_reduce_(y, dim, in[1], in[2], reduce, include_self);
          },
          reference,
          "$.index_reduce@(" + std::to_string(dim) + ", x[1], x[2], '" + word +
              "', include_self=" + (include_self ? "True" : "False") + ")"};
}

template <class F>
std::vector<ErrorCase> reduce_errors(F f) {
  const Tensor x = zeros({2, 3}), two = tensor<int64_t>({0, 1});
  return {error("an index outside",
                [=] {
                  return f(x, tensor<int64_t>({0, 3}), ones({2, 2}));
                },
                {"index_reduce: ", "index 3", "(1,)", "dimension 1 of shape (2, 3)"}),
          error("a source of another shape",
                [=] {
                  return f(x, two, ones({2, 3}));
                },
                {"index_reduce: ", "(2, 3)", "2 indices", "expected (2, 2)"}),
          error("a source of another dtype",
                [=] {
                  return f(x, two, ones({2, 2}, DType::f64));
                },
                {"index_reduce: ", "f64", "f32", "to()"}),
          error("an undefined source", [=] { return f(x, two, Tensor()); },
                {"index_reduce: ", "undefined"})};
}

void add_index_reduce(std::vector<Row>& rows) {
  const Tensor twice = tensor<int64_t>({0, 2, 0, 1, 2});
  std::vector<Call> calls;
  for (const auto& [reduce, word] :
       {std::pair{ScatterReduce::prod, "prod"}, std::pair{ScatterReduce::mean, "mean"},
        std::pair{ScatterReduce::amax, "amax"}, std::pair{ScatterReduce::amin, "amin"}}) {
    calls.push_back(reduce_call("(2, 4), dim 1", kSigned({2, 4}, 1), 1, twice, reduce, word, true));
    calls.push_back(reduce_call("(4, 3) strided, dim 0", strided(kSigned({4, 3}, 2)), 0, twice,
                                reduce, word, false));
  }
  calls.push_back(reduce_call("(0, 3), dim 1", kSigned({0, 3}, 3), 1, tensor<int64_t>({2, 0}),
                              ScatterReduce::amax, "amax", true));
  const auto f = [](const Tensor& x, const Tensor& index, const Tensor& source) {
    return index_reduce(x, 1, index, source, ScatterReduce::amax);
  };
  const auto in_place = [](const Tensor& x, const Tensor& index, const Tensor& source) {
    index_reduce_(x, 1, index, source, ScatterReduce::amax);
    return 0;
  };
  rows.push_back(functional_row("index_reduce", calls, reduce_errors(f)));
  rows.push_back(in_place_row("index_reduce_", calls, reduce_errors(in_place)));
  for (size_t i = rows.size() - 2; i < rows.size(); ++i) rows[i].scale = 16;
}

}  // namespace

void add_parts(std::vector<Row>& rows) {
  rows.push_back(slice_scatter_row());
  rows.push_back(select_scatter_row());
  rows.push_back(diagonal_scatter_row());
  add_index_reduce(rows);
}

}  // namespace adjoint::catalog
