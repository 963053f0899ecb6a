// Rows of operators that put tensors together, turn them and list choices.
#include <adjoint/core/rearranging.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/layout_rows.h"

namespace adjoint::catalog {
namespace {

template <class F>
ErrorCase undefined(const std::string& name, F f) {
  return error("an undefined tensor", [f] { return f(Tensor()); }, {name + ": ", "undefined"});
}

Row atleast_row(const std::string& name, Tensor (*f)(const Tensor&),
                const std::vector<std::pair<Shape, Shape>>& shapes) {
  Row row{name, {}};
  uint64_t seed = 1;
  for (const auto& [from, to] : shapes) {
    const Tensor x = input(from, seed++);
    row.samples.push_back(sample(to_string(from), from.rank() == 2 ? strided(x) : x, f,
                                 reshaped_to(to), "torch." + name + "(x[0])"));
  }
  row.errors = {undefined(name, f),
                wrong_gradient(name == "atleast_1d" ? "reshape" : "unsqueeze", row.samples.front()),
                error("whole numbers that should require grad",
                      [f] { return f(indices({3}, 5)).requires_grad_(); },
                      {"requires_grad_: ", "i64", "floating"})};
  return row;
}

// --- joined ---

using Join = Tensor (*)(std::span<const Tensor>);
using Widen = Shape (*)(const Shape&);

// The tensors in the shapes that `widen` gives them, one after the other along dim.
TensorFunction joined(int dim, Widen widen) {
  return [dim, widen](const Tensors& in) -> Tensors {
    std::vector<Array> parts(in.begin(), in.end());
    for (Array& part : parts) part.shape = widen(part.shape);
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

Shape of_one(const Shape& s) { return s.rank() == 0 ? Shape{1} : s; }
Shape of_two(const Shape& s) {
  if (s.rank() >= 2) return s;
  return {1, s.numel()};
}
Shape of_three(const Shape& s) {
  if (s.rank() >= 3) return s;
  if (s.rank() == 2) return {s[0], s[1], 1};
  return {1, s.numel(), 1};
}
Shape of_columns(const Shape& s) {
  if (s.rank() >= 2) return s;
  return {s.numel(), 1};
}

// `rows` have shapes for each sample; the second tensor of a sample of two dimensions is strided.
Row stacks_row(const std::string& name, Join f, Widen widen,
               const std::vector<std::pair<std::vector<Shape>, int>>& samples) {
  Row row{name, {}};
  uint64_t seed = 1;
  for (const auto& [shapes, dim] : samples) {
    std::string what;
    Tensors tensors;
    for (const Shape& shape : shapes) {
      const Tensor x = input(shape, seed++);
      tensors.push_back(shape.rank() >= 2 && !tensors.empty() ? strided(x) : x);
      what += (what.empty() ? "" : ", ") + to_string(shape);
    }
    row.samples.push_back(
        {what, tensors, [f](const Tensors& in) -> Tensors { return {f(in)}; }, joined(dim, widen)});
  }
  row.torch = "torch." + name + "(x)";
  const auto call = [f](const Tensors& tensors) { return [f, tensors] { return f(tensors); }; };
  row.errors = {error("no tensors", call({}), {name + ": ", "no tensors"}),
                error("sizes that differ", call({ones({2, 3, 4}), ones({5, 6, 7})}),
                      {name + ": ", "tensor 1", "(5, 6, 7)", "(2, 3, 4)", "expected equal sizes"}),
                error("an undefined tensor", call({ones({2, 3}), Tensor()}),
                      {name + ": ", "input 1", "undefined"})};
  return row;
}

// --- taken apart ---

// The parts from each place to the next, along dim.
TensorFunction cut(const std::vector<int64_t>& places, int dim) {
  return [places, dim](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    Tensors parts;
    for (size_t i = 0; i + 1 < places.size(); ++i) {
      Shape shape = x.shape;
      shape[dim] = std::max<int64_t>(places[i + 1] - places[i], 0);
      parts.push_back(make_array(shape, [&](Shape index) {
                        index[dim] += places[i];
                        return x.at(index);
                      }).tensor());
    }
    return parts;
  };
}

Row tensor_split_row() {
  const auto in_sections = [](int64_t n, int64_t dim) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors { return tensor_split(in[0], n, dim); };
  };
  const auto at = [](const std::vector<int64_t>& places, int64_t dim) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors { return tensor_split(in[0], places, dim); };
  };
  Row row{
      "tensor_split",
      {{"(7, 2) in 3", {input({7, 2}, 1)}, in_sections(3, 0), cut({0, 3, 5, 7}, 0)},
       {"(2, 5) strided at 1 and 3, dim -1",
        {strided(input({2, 5}, 2))},
        at({1, 3}, -1),
        cut({0, 1, 3, 5}, 1)},
       {"(5) at -2, 1 and 9", {input({5}, 3)}, at({-2, 1, 9}, 0), cut({0, 3, 3, 5, 5}, 0)},
       {"(2, 3) in 5, dim 1", {input({2, 3}, 4)}, in_sections(5, 1), cut({0, 1, 2, 3, 3, 3}, 1)},
       {"(0, 2) in 2", {input({0, 2}, 5)}, in_sections(2, 0), cut({0, 0, 0}, 0)}}};
  // The part from 3 to 1 is empty, and the next begins at 1.
  row.samples[2].reference = [](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    const auto from = [&](int64_t start, int64_t end) {
      return make_array({end - start},
                        [&](const Shape& i) { return x.data[static_cast<size_t>(start + i[0])]; })
          .tensor();
    };
    return {from(0, 3), from(3, 3), from(1, 5), from(5, 5)};
  };
  set_torch(row, {"torch.tensor_split(x[0], 3)", "torch.tensor_split(x[0], [1, 3], dim=-1)",
                  "torch.tensor_split(x[0], [-2, 1, 9])", "torch.tensor_split(x[0], 5, dim=1)",
                  "torch.tensor_split(x[0], 2)"});
  row.errors = {error("no sections", [] { return tensor_split(ones({3}), 0); },
                      {"tensor_split: ", "0 sections"}),
                error("no dimensions", [] { return tensor_split(ones({}), 2); },
                      {"tensor_split: ", "0-dimensional"}),
                error("a dimension that is not there", [] { return tensor_split(ones({3}), 2, 1); },
                      {"tensor_split: ", "1"})};
  return row;
}

// --- turned ---

// y = x with the two indices of a plane replaced.
using Turn = std::pair<int64_t, int64_t> (*)(int64_t i, int64_t j, int64_t rows, int64_t columns);
TensorFunction turned(const Shape& shape, int a, int b, Turn turn) {
  return [=](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    return {make_array(shape, [&](Shape index) {
              const auto [i, j] = turn(index[a], index[b], x.shape[a], x.shape[b]);
              index[a] = i;
              index[b] = j;
              return x.at(index);
            }).tensor()};
  };
}

Row rot90_row() {
  const auto by = [](int64_t k, const Shape& dims) {
    return [k, dims](const Tensor& x) { return rot90(x, k, dims); };
  };
  const auto once = [](int64_t i, int64_t j, int64_t, int64_t columns) {
    return std::pair(j, columns - 1 - i);
  };
  const auto twice = [](int64_t i, int64_t j, int64_t rows, int64_t columns) {
    return std::pair(rows - 1 - i, columns - 1 - j);
  };
  const auto back = [](int64_t i, int64_t j, int64_t rows, int64_t) {
    return std::pair(rows - 1 - j, i);
  };
  Row row{"rot90",
          {sample("(2, 3)", input({2, 3}, 1), by(1, {0, 1}), turned({3, 2}, 0, 1, once),
                  "torch.rot90(x[0])"),
           sample("(2, 3, 4) twice, dims 1 and -1", input({2, 3, 4}, 2), by(2, {1, -1}),
                  turned({2, 3, 4}, 1, 2, twice), "torch.rot90(x[0], 2, (1, -1))"),
           sample("(4, 3) strided back", strided(input({4, 3}, 3)), by(-1, {0, 1}),
                  turned({3, 4}, 0, 1, back), "torch.rot90(x[0], -1)"),
           sample("(2, 3) by 5, dims 1 and 0", input({2, 3}, 4), by(5, {1, 0}),
                  turned({3, 2}, 1, 0, once), "torch.rot90(x[0], 5, (1, 0))"),
           sample("(2, 3) by 4", input({2, 3}, 5), by(4, {0, 1}), same(), "torch.rot90(x[0], 4)"),
           sample("(0, 3)", input({0, 3}, 6), by(1, {0, 1}), turned({3, 0}, 0, 1, once),
                  "torch.rot90(x[0])")}};
  row.errors = {error("one dimension", [] { return rot90(ones({3})); }, {"rot90: ", "(3,)"}),
                error("a dimension twice",
                      [] {
                        return rot90(ones({2, 3}), 1, {0, -2});
                      },
                      {"rot90: ", "-2", "twice"}),
                error("three dimensions",
                      [] {
                        return rot90(ones({2, 3, 4}), 1, {0, 1, 2});
                      },
                      {"rot90: ", "(0, 1, 2)", "two"})};
  return row;
}

Row flip_row(const std::string& name, Tensor (*f)(const Tensor&), int dim) {
  const auto reversed = [dim](const Shape& shape) {
    return gathered(shape, [=](Shape index) {
      index[dim] = shape[dim] - 1 - index[dim];
      return index;
    });
  };
  Row row{name,
          {sample("(2, 3)", input({2, 3}, 1), f, reversed({2, 3})),
           sample("(4, 3) strided", strided(input({4, 3}, 2)), f, reversed({4, 3})),
           sample("(2, 3, 2)", input({2, 3, 2}, 3), f, reversed({2, 3, 2})),
           sample("(0, 3)", input({0, 3}, 4), f, reversed({0, 3}))}};
  row.torch = "torch." + name + "(x[0])";
  const Shape few = dim == 0 ? Shape{} : Shape{3};
  row.errors = {undefined(name, f), error("too few dimensions", [=] { return f(ones(few)); },
                                          {name + ": ", "dimension"})};
  return row;
}

// --- every choice ---

Row cartesian_prod_row() {
  const TensorFunction run = [](const Tensors& in) -> Tensors { return {cartesian_prod(in)}; };
  const TensorFunction reference = [](const Tensors& in) -> Tensors {
    Shape sizes;
    for (const Tensor& x : in) sizes.push_back(x.numel());
    const std::vector<Array> of(in.begin(), in.end());
    Array y(Shape{sizes.numel(), static_cast<int64_t>(in.size())});
    size_t at = 0;
    for_each_index(sizes, [&](const Shape& index) {
      for (size_t i = 0; i < of.size(); ++i) {
        y.data[at++] = of[i].data[static_cast<size_t>(index[static_cast<int>(i)])];
      }
    });
    if (in.size() == 1) y.shape = {in[0].numel()};
    return {y.tensor()};
  };
  Row row{"cartesian_prod",
          {{"(2), (3) strided", {input({2}, 1), strided(input({3}, 2))}, run, reference},
           {"(2), (1), (3)", {input({2}, 3), input({1}, 4), input({3}, 5)}, run, reference},
           {"(0), (3)", {input({0}, 6), input({3}, 7)}, run, reference},
           {"(3)", {input({3}, 8)}, run, reference}}};
  row.torch = "torch.cartesian_prod(*x)";
  row.errors = {error("no tensors", [] { return cartesian_prod(Tensors()); },
                      {"cartesian_prod: ", "no tensors"}),
                error("a matrix",
                      [] {
                        return cartesian_prod({ones({2}), ones({2, 3})});
                      },
                      {"cartesian_prod: ", "tensor 1", "(2, 3)"}),
                error("two dtypes",
                      [] {
                        return cartesian_prod({ones({2}), ones({2}, DType::f64)});
                      },
                      {"cartesian_prod: ", "f64", "f32"})};
  return row;
}

Row combinations_row() {
  const auto one = [](const std::string& name, const Tensor& x, int64_t r, bool repeat) {
    const TensorFunction reference = [=](const Tensors& in) -> Tensors {
      // Every row of places, of which those that rise are kept.
      const Array v(in[0]);
      std::vector<double> found;
      int64_t rows = 0;
      for_each_index(Shape::filled(static_cast<int>(r), v.shape[0]), [&](const Shape& places) {
        for (int i = 0; i + 1 < places.rank(); ++i) {
          if (places[i] > places[i + 1] || (!repeat && places[i] == places[i + 1])) return;
        }
        ++rows;
        for (const int64_t p : places) found.push_back(v.data[static_cast<size_t>(p)]);
      });
      Array y(Shape{rows, r});
      y.data = found;
      return {y.tensor()};
    };
    Sample s = sample(
        name, x, [=](const Tensor& v) { return combinations(v, r, repeat); }, reference);
    s.torch = "torch.combinations(x[0], " + std::to_string(r) +
              ", with_replacement=" + (repeat ? "True" : "False") + ")";
    return s;
  };
  Row row{"combinations",
          {one("2 of (4)", input({4}, 1), 2, false), one("3 of (5)", input({5}, 2), 3, false),
           one("3 of (3) strided with replacement", strided(input({3}, 3)), 3, true),
           one("3 of (2)", input({2}, 4), 3, false), one("1 of (3)", input({3}, 5), 1, false),
           one("4 of (4)", input({4}, 6), 4, false), one("2 of (0)", input({0}, 7), 2, true)}};
  row.errors = {
      error("a matrix",
            [] {
              return combinations(ones({2, 3}));
            },
            {"combinations: ", "(2, 3)"}),
      error("nothing chosen", [] { return combinations(ones({3}), 0); },
            {"combinations: ", "r is 0"}),
      error("more choices than memory can hold", [] { return combinations(ones({200}), 100); },
            {"combinations: ", "100 of 200", "memory"})};
  row.gradient_ulps = 64;
  return row;
}

Row vander_row() {
  const auto one = [](const std::string& name, const Tensor& x, std::optional<int64_t> n,
                      bool increasing) {
    const int64_t columns = n.value_or(x.numel());
    const TensorFunction reference = [=](const Tensors& in) -> Tensors {
      const Array v(in[0]);
      return {make_array({v.shape[0], columns}, [&](const Shape& i) {
                const int64_t power = increasing ? i[1] : columns - 1 - i[1];
                return std::pow(v.data[static_cast<size_t>(i[0])], static_cast<double>(power));
              }).tensor()};
    };
    Sample s = sample(
        name, x, [=](const Tensor& v) { return vander(v, n, increasing); }, reference);
    // PyTorch's own has no derivative: it writes over what cumprod keeps.
    std::string powers;
    for (int64_t c = 0; c < columns; ++c) {
      powers += std::to_string(increasing ? c : columns - 1 - c) + ", ";
    }
    s.torch = columns == 0 ? "torch.vander(x[0], 0)"
                           : "torch.stack([x[0] ** k for k in (" + powers + ")], -1)";
    s.differentiable = columns > 0;
    return s;
  };
  Tensor with_zero = input({3}, 3);
  with_zero.mutable_data<double>()[1] = 0;
  Row row{"vander",
          {one("(4)", input({4}, 1), {}, false),
           one("(3) strided, 5 columns rising", strided(input({3}, 2)), 5, true),
           one("(3) with a zero, 3 columns", with_zero, 3, false),
           one("(3), 1 column", input({3}, 4), 1, false),
           one("(3), no columns", input({3}, 5), 0, false),
           one("(0), 2 columns", input({0}, 6), 2, false)}};
  row.errors = {error("a matrix",
                      [] {
                        return vander(ones({2, 3}));
                      },
                      {"vander: ", "(2, 3)"}),
                error("a negative number of columns", [] { return vander(ones({3}), -1); },
                      {"vander: ", "-1"}),
                undefined("vander", [](const Tensor& x) { return vander(x); })};
  row.bf16_roundings = 4;  // a product of up to four factors
  row.scale = 16;
  return row;
}

// --- indices ---

Row triangle_indices_row(const std::string& name, Tensor (*f)(int64_t, int64_t, int64_t, DType),
                         bool lower) {
  const auto one = [=](int64_t row, int64_t col, int64_t offset, DType dtype) {
    const std::string call =
        std::to_string(row) + ", " + std::to_string(col) + ", " + std::to_string(offset);
    Sample s{call,
             {},
             [=](const Tensors&) -> Tensors { return {f(row, col, offset, dtype)}; },
             [=](const Tensors&) -> Tensors {
               std::vector<double> rows, columns;
               for (int64_t i = 0; i < row; ++i) {
                 for (int64_t j = 0; j < col; ++j) {
                   if (lower ? j - i > offset : j - i < offset) continue;
                   rows.push_back(static_cast<double>(i));
                   columns.push_back(static_cast<double>(j));
                 }
               }
               Array y(Shape{2, static_cast<int64_t>(rows.size())});
               y.data = rows;
               y.data.insert(y.data.end(), columns.begin(), columns.end());
               return {y.tensor(dtype)};
             }};
    s.torch = "torch." + name + "(" + call + ", dtype=torch.int" +
              (dtype == DType::i32 ? "32" : "64") + ")";
    return s;
  };
  Row row{name,
          {one(3, 4, 0, DType::i64), one(4, 3, 1, DType::i64), one(4, 3, -2, DType::i32),
           one(3, 3, -9, DType::i64), one(3, 2, 9, DType::i64), one(0, 3, 0, DType::i64),
           one(2, 0, 1, DType::i64)}};
  row.errors = {
      error("a negative size", [f] { return f(-1, 2, 0, DType::i64); }, {name + ": ", "-1 rows"}),
      error("a negative number of columns", [f] { return f(1, -2, 0, DType::i64); },
            {name + ": ", "-2 columns"}),
      error("a floating dtype", [f] { return f(1, 2, 0, DType::f32); }, {name + ": ", "f32"})};
  row.differentiable = false;
  return row;
}

}  // namespace

void add_rearranging(std::vector<Row>& rows) {
  rows.push_back(atleast_row("atleast_1d", &atleast_1d,
                             {{{}, {1}}, {{3}, {3}}, {{2, 3}, {2, 3}}, {{0, 2}, {0, 2}}}));
  rows.push_back(
      atleast_row("atleast_2d", &atleast_2d,
                  {{{}, {1, 1}}, {{3}, {1, 3}}, {{2, 3}, {2, 3}}, {{0, 2, 1}, {0, 2, 1}}}));
  rows.push_back(atleast_row(
      "atleast_3d", &atleast_3d,
      {{{}, {1, 1, 1}}, {{3}, {1, 3, 1}}, {{2, 3}, {2, 3, 1}}, {{0, 2, 1}, {0, 2, 1}}}));
  rows.push_back(stacks_row("hstack", &hstack, &of_one,
                            {{{{2}, {3}, {}}, 0},
                             {{{2, 3}, {2, 1}}, 1},
                             {{{2, 1, 3}, {2, 2, 3}}, 1},
                             {{{2, 0}, {2, 2}}, 1}}));
  rows.push_back(stacks_row("vstack", &vstack, &of_two,
                            {{{{3}, {2, 3}}, 0},
                             {{{}, {1}, {2, 1}}, 0},
                             {{{1, 2, 3}, {2, 2, 3}}, 0},
                             {{{0, 2}, {3, 2}}, 0}}));
  rows.push_back(stacks_row(
      "dstack", &dstack, &of_three,
      {{{{3}, {3}}, 2}, {{{}, {}}, 2}, {{{2, 3}, {2, 3, 2}}, 2}, {{{2, 0}, {2, 0}}, 2}}));
  rows.push_back(stacks_row(
      "column_stack", &column_stack, &of_columns,
      {{{{3}, {3, 2}}, 1}, {{{}, {}, {}}, 1}, {{{2, 3, 2}, {2, 1, 2}}, 1}, {{{0}, {0, 2}}, 1}}));
  rows.push_back(tensor_split_row());
  rows.push_back(rot90_row());
  rows.push_back(flip_row("fliplr", &fliplr, 1));
  rows.push_back(flip_row("flipud", &flipud, 0));
  rows.push_back(cartesian_prod_row());
  rows.push_back(combinations_row());
  rows.push_back(vander_row());
  rows.push_back(triangle_indices_row("tril_indices", &tril_indices, true));
  rows.push_back(triangle_indices_row("triu_indices", &triu_indices, false));
}

}  // namespace adjoint::catalog
