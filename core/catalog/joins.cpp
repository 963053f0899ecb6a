// Rows of operators that join tensors and take them apart.
#include <adjoint/core/layout.h>

#include "core/catalog/layout_rows.h"

namespace adjoint::catalog {
namespace {

// The arrays one after the other along dim.
TensorFunction cat_reference(int dim) {
  return [dim](const Tensors& in) -> Tensors {
    std::vector<Array> parts(in.begin(), in.end());
    Shape shape = parts[0].shape;
    shape[dim] = 0;
    for (const Array& part : parts) shape[dim] += part.shape[dim];
    return {make_array(shape, [&](Shape index) {
              size_t i = 0;
              while (index[dim] >= parts[i].shape[dim]) index[dim] -= parts[i++].shape[dim];
              return parts[i].at(index);
            }).tensor()};
  };
}

Row cat_row() {
  const auto f = [](int64_t dim) -> TensorFunction {
    return [dim](const Tensors& in) -> Tensors { return {cat(in, dim)}; };
  };
  Row row{"cat",
          {{"(2, 3), (1, 3), (3, 3) along 0",
            {input({2, 3}, 1), input({1, 3}, 2), input({3, 3}, 3)},
            f(0),
            cat_reference(0)},
           {"(2, 3) strided, (2, 2) along -1",
            {strided(input({2, 3}, 4)), input({2, 2}, 5)},
            f(-1),
            cat_reference(1)},
           {"(2, 0), (2, 2) along 1", {input({2, 0}, 6), input({2, 2}, 7)}, f(1), cat_reference(1)},
           {"(3) alone", {input({3}, 8)}, f(0), cat_reference(0)}}};
  row.errors = {error("no tensors", [] { return cat(Tensors(), 0); }, {"cat: ", "no tensors"}),
                error("sizes that differ",
                      [] {
                        return cat({ones({2, 3}), ones({2, 4})}, 0);
                      },
                      {"cat: ", "(2, 4)", "(2, 3)"}),
                error("numbers without dimensions",
                      [] {
                        return cat({ones({}), ones({})});
                      },
                      {"cat: ", "stack()"})};
  set_torch(row, {"torch.cat(x, 0)", "torch.cat(x, -1)", "torch.cat(x, 1)", "torch.cat(x, 0)"});
  row.large = [=] {
    return Sample{"(257, 513), (257, 518) along 1",
                  {input({257, 513}, 9), input({257, 518}, 10)},
                  f(1),
                  cat_reference(1)};
  };
  return row;
}

Row stack_row() {
  const auto f = [](int64_t dim) -> TensorFunction {
    return [dim](const Tensors& in) -> Tensors { return {stack(in, dim)}; };
  };
  const auto reference = [](int dim) -> TensorFunction {
    return [dim](const Tensors& in) -> Tensors {
      std::vector<Array> parts(in.begin(), in.end());
      Shape shape = parts[0].shape;
      shape.insert(dim, static_cast<int64_t>(parts.size()));
      return {make_array(shape, [&](Shape index) {
                const auto i = static_cast<size_t>(index[dim]);
                index.erase(dim);
                return parts[i].at(index);
              }).tensor()};
    };
  };
  Row row{"stack",
          {{"two (2, 3) along 1", {input({2, 3}, 1), input({2, 3}, 2)}, f(1), reference(1)},
           {"two (2, 3) strided along -1",
            {strided(input({2, 3}, 3)), strided(input({2, 3}, 4))},
            f(-1),
            reference(2)},
           {"two (0, 2) along 0", {input({0, 2}, 5), input({0, 2}, 6)}, f(0), reference(0)},
           {"three () along 0", {input({}, 7), input({}, 8), input({}, 9)}, f(0), reference(0)}}};
  row.errors = {error("no tensors", [] { return stack(Tensors(), 0); }, {"stack: ", "no tensors"}),
                error("shapes that differ",
                      [] {
                        return stack({ones({2}), ones({3})});
                      },
                      {"stack: ", "(3,)", "(2,)"})};
  set_torch(row,
            {"torch.stack(x, 1)", "torch.stack(x, -1)", "torch.stack(x, 0)", "torch.stack(x, 0)"});
  return row;
}

// The parts of sizes `sizes` along dim.
TensorFunction split_reference(const std::vector<int64_t>& sizes, int dim) {
  return [sizes, dim](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    Tensors parts;
    int64_t start = 0;
    for (const int64_t size : sizes) {
      Shape shape = x.shape;
      shape[dim] = size;
      parts.push_back(make_array(shape, [&](Shape index) {
                        index[dim] += start;
                        return x.at(index);
                      }).tensor());
      start += size;
    }
    return parts;
  };
}

Row split_row() {
  const auto by_size = [](int64_t size, int64_t dim) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors { return split(in[0], size, dim); };
  };
  Row row{"split",
          {{"(5, 2) by 2", {input({5, 2}, 1)}, by_size(2, 0), split_reference({2, 2, 1}, 0)},
           {"(2, 5) strided as 1, 0, 4",
            {strided(input({2, 5}, 2))},
            [](const Tensors& in) -> Tensors {
              return split(in[0], std::vector<int64_t>{1, 0, 4}, -1);
            },
            split_reference({1, 0, 4}, 1)},
           {"(0, 2) by 3", {input({0, 2}, 3)}, by_size(3, 0), split_reference({0}, 0)},
           {"(2, 3) by 9 along 1", {input({2, 3}, 4)}, by_size(9, 1), split_reference({3}, 1)}}};
  row.errors = {
      error("a size of 0", [] { return split(ones({3}), 0); }, {"split: ", "split_size 0"}),
      error("sizes that do not add up",
            [] {
              return split(ones({3}), std::vector<int64_t>{1, 1});
            },
            {"split: ", "2", "(3,)"})};
  set_torch(row, {"torch.split(x[0], 2, 0)", "torch.split(x[0], [1, 0, 4], -1)",
                  "torch.split(x[0], 3, 0)", "torch.split(x[0], 9, 1)"});
  row.errors.push_back(
      error("no dimensions", [] { return split(ones({}), 1); }, {"split: ", "0-dimensional"}));
  return row;
}

Row chunk_row() {
  const auto into = [](int64_t chunks, int64_t dim) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors { return chunk(in[0], chunks, dim); };
  };
  Row row{"chunk",
          {{"(5, 2) in 3", {input({5, 2}, 1)}, into(3, 0), split_reference({2, 2, 1}, 0)},
           {"(2, 6) strided in 3 along 1",
            {strided(input({2, 6}, 2))},
            into(3, -1),
            split_reference({2, 2, 2}, 1)},
           {"(0, 2) in 2", {input({0, 2}, 3)}, into(2, 0), split_reference({0, 0}, 0)}}};
  row.errors = {error("no chunks", [] { return chunk(ones({3}), 0); }, {"chunk: ", "0"})};
  set_torch(row,
            {"torch.chunk(x[0], 3, 0)", "torch.chunk(x[0], 3, -1)", "torch.chunk(x[0], 2, 0)"});
  row.errors.push_back(
      error("no dimensions", [] { return chunk(ones({}), 2); }, {"chunk: ", "0-dimensional"}));
  row.errors.push_back(error("a dimension that is not there", [] { return chunk(ones({3}), 2, 1); },
                             {"chunk: ", "1"}));
  return row;
}

Row unbind_row() {
  const auto along = [](int64_t dim) -> TensorFunction {
    return [dim](const Tensors& in) -> Tensors { return unbind(in[0], dim); };
  };
  const auto reference = [](int dim) -> TensorFunction {
    return [dim](const Tensors& in) -> Tensors {
      const Array x(in[0]);
      Shape shape = x.shape;
      shape.erase(dim);
      Tensors parts;
      for (int64_t i = 0; i < x.shape[dim]; ++i) {
        parts.push_back(make_array(shape, [&](Shape index) {
                          index.insert(dim, i);
                          return x.at(index);
                        }).tensor());
      }
      return parts;
    };
  };
  Row row{"unbind",
          {{"(3, 2)", {input({3, 2}, 1)}, along(0), reference(0)},
           {"(2, 3, 2) strided along 1", {strided(input({2, 3, 2}, 2))}, along(1), reference(1)},
           {"(2, 0) along 0", {input({2, 0}, 3)}, along(0), reference(0)},
           {"(4) along -1", {input({4}, 4)}, along(-1), reference(0)}}};
  set_torch(row, {"torch.unbind(x[0])", "torch.unbind(x[0], 1)", "torch.unbind(x[0], 0)",
                  "torch.unbind(x[0], -1)"});
  row.errors = {
      error("no dimensions", [] { return unbind(ones({})); }, {"unbind: ", "0-dim"}),
      error("a dimension that is not there",
            [] {
              return unbind(ones({2, 3}), 2);
            },
            {"unbind: ", "2"}),
      error("an undefined tensor", [] { return unbind(Tensor()); }, {"unbind: ", "undefined"})};
  return row;
}

Row meshgrid_row() {
  const auto of = [](Indexing indexing) -> TensorFunction {
    return [indexing](const Tensors& in) -> Tensors { return meshgrid(in, indexing); };
  };
  // `places` has the dimension along which each input lies.
  const auto reference = [](const Shape& shape, const Shape& places) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors {
      Tensors grids;
      for (size_t i = 0; i < in.size(); ++i) {
        const Array x(in[i]);
        const auto place = static_cast<int>(places[static_cast<int>(i)]);
        grids.push_back(make_array(shape, [&](const Shape& index) {
                          return x.data[static_cast<size_t>(index[place])];
                        }).tensor());
      }
      return grids;
    };
  };
  Row row{
      "meshgrid",
      {{"(2), (3) ij", {input({2}, 1), input({3}, 2)}, of(Indexing::ij), reference({2, 3}, {0, 1})},
       {"(2), (3) strided, () xy",
        {input({2}, 3), strided(input({3}, 4)), input({}, 5)},
        of(Indexing::xy),
        reference({3, 2, 1}, {1, 0, 2})},
       {"(0), (3) ij", {input({0}, 6), input({3}, 7)}, of(Indexing::ij), reference({0, 3}, {0, 1})},
       {"(3) xy", {input({3}, 8)}, of(Indexing::xy), reference({3}, {0})}}};
  set_torch(row, {"torch.meshgrid(*x, indexing='ij')", "torch.meshgrid(*x, indexing='xy')",
                  "torch.meshgrid(*x, indexing='ij')", "torch.meshgrid(*x, indexing='xy')"});
  row.errors = {
      error("a matrix",
            [] {
              return meshgrid({ones({2}), ones({2, 3})});
            },
            {"meshgrid: ", "input 1", "(2, 3)"}),
      error("two dtypes",
            [] {
              return meshgrid({ones({2}), ones({2}, DType::f64)});
            },
            {"meshgrid: ", "f64", "f32"}),
      error("no tensors", [] { return meshgrid(Tensors()); }, {"meshgrid: ", "0 tensors"})};
  return row;
}

}  // namespace

void add_joins(std::vector<Row>& rows) {
  rows.push_back(split_row());
  rows.push_back(chunk_row());
  rows.push_back(unbind_row());
  rows.push_back(cat_row());
  rows.push_back(stack_row());
  rows.push_back(meshgrid_row());
}

}  // namespace adjoint::catalog
