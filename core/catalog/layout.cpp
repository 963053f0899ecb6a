// Rows of operators that change dtype, layout or shape.
#include <adjoint/core/layout.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/layout_rows.h"

namespace adjoint::catalog {
namespace {

Row cast_row() {
  const auto cast = [](DType dtype) { return [dtype](const Tensor& x) { return to(x, dtype); }; };
  // Numbers that f32 holds exactly, and a step of gradcheck away from them too.
  const Tensor x = tensor({-1.75, -0.5, 0.125, 0.625, 1.5, 1.875}, {2, 3});
  const TensorFunction truncated =
      map_reference([](double v) { return std::trunc(v); }, DType::i64);
  Row row{
      "to",
      {sample("(2, 3) to f64", x, cast(DType::f64), same()),
       sample(
           "(2, 3) to f32 and back", x,
           [](const Tensor& v) { return to(to(v, DType::f32), DType::f64); }, same()),
       sample("(3, 2) strided to i64", strided(reshape(x, {3, 2})), cast(DType::i64), truncated),
       sample("(2, 3) to bool", indices({2, 3}, 2, 3), cast(DType::boolean),
              map_reference([](double v) { return v; }, DType::boolean)),
       sample("(0, 3) from i64 to f64", indices({0, 3}, 5), cast(DType::f64), same()),
       sample("() from i64 to f64", indices({}, 5), cast(DType::f64), same())}};
  for (size_t i = 2; i < row.samples.size(); ++i) row.samples[i].differentiable = false;
  row.errors = {
      error("an undefined tensor", [] { return to(Tensor(), DType::f32); }, {"undefined"})};
  set_torch(row, {"x[0].to(torch.float64)", "x[0].to(torch.float32).to(torch.float64)",
                  "x[0].to(torch.int64)", "x[0].to(torch.bool)", "x[0].to(torch.float64)",
                  "x[0].to(torch.float64)"});
  return row;
}

template <class F>
Row copy_row(const std::string& name, F f) {
  Row row{name,
          {sample("(2, 3, 4)", input({2, 3, 4}, 1), f, same()),
           sample("(3, 4) strided", strided(input({3, 4}, 2)), f, same()),
           sample("(3, 0)", input({3, 0}, 3), f, same()), sample("()", input({}, 4), f, same())}};
  row.errors = {error("an undefined tensor", [f] { return f(Tensor()); }, {"undefined"})};
  row.large = [=] {
    return sample("(257, 1031) strided", strided(input({257, 1031}, 5)), f, same());
  };
  row.torch = "x[0]." + name + "()";
  return row;
}

Row contiguous_row() {
  const auto plain = [](const Tensor& x) { return contiguous(x); };
  Row row = copy_row("contiguous", plain);
  const auto last = [](const Tensor& x) { return contiguous(x, MemoryFormat::channels_last); };
  row.samples.push_back(sample("(2, 3, 2, 2) channels_last", input({2, 3, 2, 2}, 6), last, same(),
                               "x[0].contiguous(memory_format=torch.channels_last)"));
  row.samples.push_back(sample(
      "(1, 2, 2, 3, 2) channels_last_3d", input({1, 2, 2, 3, 2}, 7),
      [](const Tensor& x) { return contiguous(x, MemoryFormat::channels_last_3d); }, same(),
      "x[0].contiguous(memory_format=torch.channels_last_3d)"));
  row.errors.push_back(error("three dimensions with the channels last",
                             [last] {
                               return last(ones({2, 3, 4}));
                             },
                             {"contiguous: ", "channels_last", "(2, 3, 4)", "4 dimensions"}));
  row.errors.push_back(
      error("four dimensions with the channels of volumes last",
            [] {
              return contiguous(ones({2, 3, 4, 5}), MemoryFormat::channels_last_3d);
            },
            {"contiguous: ", "channels_last_3d", "5 dimensions"}));
  return row;
}

template <class F>
Row shape_row(const std::string& name, F f) {
  const auto with = [f](const Shape& shape) {
    return [f, shape](const Tensor& x) { return f(x, shape); };
  };
  Row row{
      name,
      {sample("(2, 3, 4) as (6, 4)", input({2, 3, 4}, 1), with({6, 4}), reshaped_to({6, 4})),
       sample("(2, 6) as (-1, 2, 2)", input({2, 6}, 2), with({-1, 2, 2}), reshaped_to({3, 2, 2})),
       sample("(3, 0) as (0, 5)", input({3, 0}, 3), with({0, 5}), reshaped_to({0, 5})),
       sample("() as (1, 1)", input({}, 4), with({1, 1}), reshaped_to({1, 1}))}};
  row.errors = {error("another number of elements",
                      [f] {
                        return f(ones({2, 3}), Shape{4, 2});
                      },
                      {name + ": ", "(4, 2)", "(2, 3)", "6"}),
                error("two sizes to infer",
                      [f] {
                        return f(ones({2, 3}), Shape{-1, -1});
                      },
                      {name + ": ", "-1"}),
                error("a negative size",
                      [f] {
                        return f(ones({2, 3}), Shape{-2, 3});
                      },
                      {name + ": ", "(-2, 3)"})};
  row.large = [=] {
    return sample("(257, 1031) as (1031, 257)", input({257, 1031}, 5), with({1031, 257}),
                  reshaped_to({1031, 257}));
  };
  for (size_t i = 0; i < row.samples.size(); ++i) {
    constexpr const char* shapes[] = {"6, 4", "-1, 2, 2", "0, 5", "1, 1"};
    row.samples[i].torch = "x[0]." + name + "(" + shapes[i] + ")";
  }
  return row;
}

Row view_row() {
  Row row = shape_row("view", [](const Tensor& x, const Shape& s) { return view(x, s); });
  row.samples.push_back(sample(
      "(2, 3, 4) strided as (2, 3, 2, 2)", strided(input({2, 3, 4}, 6)),
      [](const Tensor& x) {
        return view(x, {2, 3, 2, 2});
      },
      reshaped_to({2, 3, 2, 2})));
  row.samples.back().torch = "x[0].reshape(2, 3, 2, 2)";
  row.errors.push_back(error("a layout that needs a copy",
                             [] {
                               return view(transpose(ones({2, 3}), 0, 1), {6});
                             },
                             {"view: ", "(3, 2)", "reshape()"}));
  return row;
}

Row reshape_row() {
  Row row = shape_row("reshape", [](const Tensor& x, const Shape& s) { return reshape(x, s); });
  row.samples.push_back(sample(
      "(2, 3, 4) strided as (4, 6)", strided(input({2, 3, 4}, 6)),
      [](const Tensor& x) {
        return reshape(x, {4, 6});
      },
      reshaped_to({4, 6})));
  row.samples.back().torch = "x[0].reshape(4, 6)";
  return row;
}

Row flatten_row() {
  const auto f = [](int64_t start, int64_t end) {
    return [start, end](const Tensor& x) { return flatten(x, start, end); };
  };
  Row row{"flatten",
          {sample("(2, 3, 4)", input({2, 3, 4}, 1), f(0, -1), reshaped_to({24})),
           sample("(2, 3, 2) strided, 1 to 2", strided(input({2, 3, 2}, 2)), f(1, 2),
                  reshaped_to({2, 6})),
           sample("(2, 0, 3), 0 to 1", input({2, 0, 3}, 3), f(0, 1), reshaped_to({0, 3})),
           sample("()", input({}, 4), f(0, -1), reshaped_to({1}))}};
  row.errors = {error("dimensions in the wrong order",
                      [] {
                        return flatten(ones({2, 3}), 1, 0);
                      },
                      {"flatten: ", "start_dim 1", "end_dim 0"}),
                error("a dimension that is not there",
                      [] {
                        return flatten(ones({2, 3}), 0, 2);
                      },
                      {"flatten: ", "2"})};
  set_torch(row, {"torch.flatten(x[0])", "torch.flatten(x[0], 1, 2)", "torch.flatten(x[0], 0, 1)",
                  "torch.flatten(x[0])"});
  return row;
}

Row transpose_row() {
  const auto f = [](int64_t a, int64_t b) {
    return [a, b](const Tensor& x) { return transpose(x, a, b); };
  };
  const auto swapped = [](const Shape& shape, int a, int b) {
    return gathered(shape, [a, b](Shape index) {
      std::swap(index[a], index[b]);
      return index;
    });
  };
  Row row{"transpose",
          {sample("(2, 3, 4), 0 and 2", input({2, 3, 4}, 1), f(0, 2), swapped({4, 3, 2}, 0, 2)),
           sample("(2, 3) strided, -1 and -2", strided(input({2, 3}, 2)), f(-1, -2),
                  swapped({3, 2}, 0, 1)),
           sample("(0, 3), 0 and 1", input({0, 3}, 3), f(0, 1), swapped({3, 0}, 0, 1)),
           sample("(), 0 and -1", input({}, 4), f(0, -1), same())}};
  row.errors = {error("a dimension that is not there",
                      [] {
                        return transpose(ones({2, 3}), 0, 2);
                      },
                      {"transpose: ", "2"})};
  set_torch(row, {"x[0].transpose(0, 2)", "x[0].transpose(-1, -2)", "x[0].transpose(0, 1)",
                  "x[0].transpose(0, -1)"});
  return row;
}

Row permute_row() {
  const auto f = [](const Shape& dims) {
    return [dims](const Tensor& x) { return permute(x, dims); };
  };
  const auto moved = [](const Shape& shape, const Shape& dims) {
    return gathered(shape, [dims](const Shape& index) {
      Shape from = index;
      for (int d = 0; d < dims.rank(); ++d) from[static_cast<int>(dims[d])] = index[d];
      return from;
    });
  };
  Row row{"permute",
          {sample("(2, 3, 4) by (2, 0, 1)", input({2, 3, 4}, 1), f({2, 0, 1}),
                  moved({4, 2, 3}, {2, 0, 1})),
           sample("(2, 3) strided by (-1, 0)", strided(input({2, 3}, 2)), f({-1, 0}),
                  moved({3, 2}, {1, 0})),
           sample("(2, 0, 3) by (1, 2, 0)", input({2, 0, 3}, 3), f({1, 2, 0}),
                  moved({0, 3, 2}, {1, 2, 0})),
           sample("() by ()", input({}, 4), f({}), same())}};
  row.errors = {error("a dimension twice",
                      [] {
                        return permute(ones({2, 3}), {0, 0});
                      },
                      {"permute: ", "0", "twice"}),
                error("too few dimensions",
                      [] {
                        return permute(ones({2, 3}), {0});
                      },
                      {"permute: ", "(2, 3)"})};
  set_torch(row, {"x[0].permute(2, 0, 1)", "x[0].permute(-1, 0)", "x[0].permute(1, 2, 0)",
                  "x[0].permute(())"});
  return row;
}

Row squeeze_row() {
  const auto f = [](int64_t dim) { return [dim](const Tensor& x) { return squeeze(x, dim); }; };
  Row row{"squeeze",
          {sample("(2, 1, 3), 1", input({2, 1, 3}, 1), f(1), reshaped_to({2, 3})),
           sample("(2, 3) strided, 0, which stays", strided(input({2, 3}, 2)), f(0), same()),
           sample("(0, 1), -1", input({0, 1}, 3), f(-1), reshaped_to({0})),
           sample("(), 0", input({}, 4), f(0), same())}};
  row.errors = {error("a dimension that is not there",
                      [] {
                        return squeeze(ones({2, 3}), 2);
                      },
                      {"squeeze: ", "2"})};
  row.samples.push_back(sample(
      "(1, 2, 1, 3, 1), all", input({1, 2, 1, 3, 1}, 5), [](const Tensor& x) { return squeeze(x); },
      reshaped_to({2, 3})));
  row.samples.push_back(sample(
      "(1, 2, 1, 3, 1), 0, 1 and -1", input({1, 2, 1, 3, 1}, 6),
      [](const Tensor& x) {
        return squeeze(x, {0, 1, -1});
      },
      reshaped_to({2, 1, 3})));
  set_torch(row, {"x[0].squeeze(1)", "x[0].squeeze(0)", "x[0].squeeze(-1)", "x[0].squeeze(0)",
                  "x[0].squeeze()", "x[0].squeeze((0, 1, -1))"});
  row.errors.push_back(error("a dimension twice",
                             [] {
                               return squeeze(ones({1, 1}), {0, -2});
                             },
                             {"squeeze: ", "-2", "twice"}));
  return row;
}

Row unsqueeze_row() {
  const auto f = [](int64_t dim) { return [dim](const Tensor& x) { return unsqueeze(x, dim); }; };
  Row row{"unsqueeze",
          {sample("(2, 3), 1", input({2, 3}, 1), f(1), reshaped_to({2, 1, 3})),
           sample("(2, 3) strided, -1", strided(input({2, 3}, 2)), f(-1), reshaped_to({2, 3, 1})),
           sample("(0, 3), 0", input({0, 3}, 3), f(0), reshaped_to({1, 0, 3})),
           sample("(), 0", input({}, 4), f(0), reshaped_to({1}))}};
  row.errors = {error("a dimension too far",
                      [] {
                        return unsqueeze(ones({2, 3}), 3);
                      },
                      {"unsqueeze: ", "3"})};
  set_torch(row,
            {"x[0].unsqueeze(1)", "x[0].unsqueeze(-1)", "x[0].unsqueeze(0)", "x[0].unsqueeze(0)"});
  return row;
}

Row expand_row() {
  const auto f = [](const Shape& shape) {
    return [shape](const Tensor& x) { return expand(x, shape); };
  };
  const auto widened = [](const Shape& shape) {
    return [shape](const Tensors& in) -> Tensors {
      const Array x(in[0]);
      return {make_array(shape, [&](const Shape& i) { return x.broadcast(i); }).tensor()};
    };
  };
  Row row{
      "expand",
      {sample("(3, 1) to (2, 3, 4)", input({3, 1}, 1), f({2, 3, 4}), widened({2, 3, 4})),
       sample("(1, 3) strided to (2, -1)", strided(input({1, 3}, 2)), f({2, -1}), widened({2, 3})),
       sample("(0, 1) to (0, 3)", input({0, 1}, 3), f({0, 3}), widened({0, 3})),
       sample("(1) to (0)", input({1}, 3), f({0}), widened({0})),
       sample("() to (2, 2)", input({}, 4), f({2, 2}), widened({2, 2}))}};
  row.errors = {error("a size that is not 1",
                      [] {
                        return expand(ones({2, 3}), {2, 4});
                      },
                      {"expand: ", "4", "(2, 3)"}),
                error("fewer dimensions",
                      [] {
                        return expand(ones({2, 3}), {3});
                      },
                      {"expand: ", "(3,)", "(2, 3)"})};
  set_torch(row, {"x[0].expand(2, 3, 4)", "x[0].expand(2, -1)", "x[0].expand(0, 3)",
                  "x[0].expand(0)", "x[0].expand(2, 2)"});
  return row;
}

Row slice_row() {
  const auto cut = [](const std::string& name, const Tensor& x, int64_t dim, int64_t start,
                      int64_t end, int64_t step, int64_t first, int64_t count) {
    Shape shape = x.shape();
    shape[static_cast<int>(dim)] = count;
    return sample(
        name, x, [=](const Tensor& v) { return slice(v, dim, start, end, step); },
        gathered(shape, [=](Shape index) {
          index[static_cast<int>(dim)] = first + step * index[static_cast<int>(dim)];
          return index;
        }));
  };
  Row row{"slice",
          {cut("(2, 7, 3) [:, 1:6]", input({2, 7, 3}, 1), 1, 1, 6, 1, 1, 5),
           cut("(7, 2) strided [::3]", strided(input({7, 2}, 2)), 0, 0, INT64_MAX, 3, 0, 3),
           cut("(3, 7) [:, -5:-1:2]", input({3, 7}, 3), 1, -5, -1, 2, 2, 2),
           cut("(3, 2) [2:2]", input({3, 2}, 4), 0, 2, 2, 1, 2, 0),
           cut("(0, 2) [0:5]", input({0, 2}, 5), 0, 0, 5, 1, 0, 0)}};
  row.errors = {
      error("a step of 0", [] { return slice(ones({3}), 0, 0, 3, 0); }, {"slice: ", "step 0"}),
      error("no dimensions", [] { return slice(ones({}), 0, 0, 1); }, {"slice: ", "0-dimensional"}),
      error("a dimension that is not there", [] { return slice(ones({3}), 1, 0, 1); },
            {"slice: ", "1"})};
  set_torch(row, {"x[0][:, 1:6]", "x[0][::3]", "x[0][:, -5:-1:2]", "x[0][2:2]", "x[0][0:5]"});
  return row;
}

Row select_row() {
  const auto chosen = [](const std::string& name, const Tensor& x, int64_t dim, int64_t index,
                         int64_t at) {
    Shape shape = x.shape();
    shape.erase(static_cast<int>(dim));
    return sample(
        name, x, [=](const Tensor& v) { return select(v, dim, index); },
        gathered(shape, [=](Shape i) {
          i.insert(static_cast<int>(dim), at);
          return i;
        }));
  };
  Row row{"select",
          {chosen("(2, 3, 4) [:, 1]", input({2, 3, 4}, 1), 1, 1, 1),
           chosen("(2, 3) strided [-1]", strided(input({2, 3}, 2)), 0, -1, 1),
           chosen("(0, 3) [:, 2]", input({0, 3}, 3), 1, 2, 2),
           chosen("(3) [0]", input({3}, 4), 0, 0, 0)}};
  row.errors = {
      error("an index outside",
            [] {
              return select(ones({2, 3}), 1, 3);
            },
            {"select: ", "index 3", "(2, 3)"}),
      error("no dimensions", [] { return select(ones({}), 0, 0); }, {"select: ", "0-dimensional"})};
  set_torch(row,
            {"x[0].select(1, 1)", "x[0].select(0, -1)", "x[0].select(1, 2)", "x[0].select(0, 0)"});
  return row;
}

}  // namespace

void add_layout(std::vector<Row>& rows) {
  rows.push_back(cast_row());
  rows.push_back(copy_row("clone", &clone));
  rows.push_back(contiguous_row());
  rows.push_back(reshape_row());
  rows.push_back(view_row());
  rows.push_back(flatten_row());
  rows.push_back(transpose_row());
  rows.push_back(permute_row());
  rows.push_back(squeeze_row());
  rows.push_back(unsqueeze_row());
  rows.push_back(expand_row());
  rows.push_back(slice_row());
  rows.push_back(select_row());
}

}  // namespace adjoint::catalog
