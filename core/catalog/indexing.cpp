// Rows of x.index({...}) and what is assigned to it.
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>

#include "core/catalog/index_rows.h"

namespace adjoint::catalog {
namespace {

// A list of indices on input 0, of the inputs that follow it.
struct Selection {
  std::string torch;  // between the brackets
  std::string name;
  Tensor x;
  Tensors with;
  Shape shape;  // of the result
  At at;
  std::function<std::vector<Index>(const Tensors& in)> list;
  std::string tuple = {};  // what aten.index_put takes, where it has that form
};

using List = std::vector<Index>;

Tensor fixed_mask() {  // 7 of (5, 4) are true
  return tensor<bool>({true,  false, false, true, false, false, true, false, false, false,
                       false, true,  true,  true, false, false, true, false, false, false},
                      {5, 4});
}

// Element i of those that are true.
Shape true_element(const Array& mask, int64_t i) {
  Shape found;
  for_each_index(mask.shape, [&](const Shape& at) {
    if (mask.at(at) != 0 && i-- == 0) found = at;
  });
  return found;
}

Selection slices() {
  return {"0:5:2, None, ..., 1",
          "(5, 4, 3) at Slice(0, 5, 2), None, Ellipsis, 1",
          kSigned({5, 4, 3}, 1),
          {},
          {3, 1, 4},
          [](const Arrays&, const Shape& i) {
            return Shape{2 * i[0], i[2], 1};
          },
          [](const Tensors&) {
            return List{Slice(0, 5, 2), None, Ellipsis, 1};
          }};
}

Selection columns() {
  return {":, x[1]",
          "(5, 4, 3) strided at Slice(), indices (2, 3)",
          strided(kSigned({5, 4, 3}, 2)),
          {sub(indices({2, 3}, 8, 3), 4)},
          {5, 2, 3, 3},
          [](const Arrays& in, const Shape& i) {
            return Shape{i[0], number(in[1], {i[1], i[2]}, 4), i[3]};
          },
          [](const Tensors& in) {
            return List{Slice(), in[1]};
          },
          "[None, x[1]]"};
}

Selection masked() {
  return {"x[1], 1:",
          "(5, 4, 3) at mask (5, 4), Slice(1)",
          kSigned({5, 4, 3}, 4),
          {fixed_mask()},
          {7, 2},
          [](const Arrays& in, const Shape& i) {
            const Shape at = true_element(in[1], i[0]);
            return Shape{at[0], at[1], i[1] + 1};
          },
          [](const Tensors& in) {
            return List{in[1], Slice(1, None)};
          }};
}

Selection apart() {
  return {"x[1], :, x[2]",
          "(4, 5, 3) at indices (2, 1), Slice(), indices (3)",
          kSigned({4, 5, 3}, 5),
          {indices({2, 1}, 4, 6), indices({3}, 3, 7)},
          {2, 3, 5},
          [](const Arrays& in, const Shape& i) {
            return Shape{number(in[1], {i[0], 0}, 4), i[2], number(in[2], {i[1]}, 3)};
          },
          [](const Tensors& in) {
            return List{in[1], Slice(), in[2]};
          },
          "[x[1], None, x[2]]"};
}

Selection together() {
  return {"-1, x[1], x[2]",
          "(4, 5, 3, 2) at -1, i32 indices (2), i32 indices (2)",
          strided(kSigned({4, 5, 3, 2}, 8)),
          {tensor<int32_t>({0, -1}), tensor<int32_t>({1, 2})},
          {2, 2},
          [](const Arrays& in, const Shape& i) {
            return Shape{3, number(in[1], {i[0]}, 5), number(in[2], {i[0]}, 3), i[1]};
          },
          [](const Tensors& in) {
            return List{-1, in[1], in[2]};
          }};
}

Selection mask_and_indices() {
  return {"x[1], x[2]",
          "(5, 4, 3) strided at mask (5, 4), indices (1)",
          strided(kSigned({5, 4, 3}, 9)),
          {fixed_mask(), indices({1}, 3, 10)},
          {7},
          [](const Arrays& in, const Shape& i) {
            const Shape at = true_element(in[1], i[0]);
            return Shape{at[0], at[1], number(in[2], {0}, 3)};
          },
          [](const Tensors& in) {
            return List{in[1], in[2]};
          },
          "[x[1], x[2]]"};
}

Selection nothing() {
  return {"x[1]",
          "(3, 4) at indices (0)",
          kSigned({3, 4}, 11),
          {indices({0}, 3)},
          {0, 4},
          [](const Arrays&, const Shape& i) {
            return Shape{0, i[1]};
          },
          [](const Tensors& in) { return List{in[1]}; },
          "[x[1]]"};
}

Selection of_nothing() {
  return {"..., x[1]",
          "(0, 3) at Ellipsis, indices (2)",
          kSigned({0, 3}, 12),
          {indices({2}, 3, 13)},
          {0, 2},
          [](const Arrays& in, const Shape& i) {
            return Shape{i[0], number(in[1], {i[1]}, 3)};
          },
          [](const Tensors& in) {
            return List{Ellipsis, in[1]};
          },
          "[None, x[1]]"};
}

Selection truth() {
  return {"True",
          "(2, 3) at true",
          kSigned({2, 3}, 14),
          {},
          {1, 2, 3},
          [](const Arrays&, const Shape& i) {
            return Shape{i[1], i[2]};
          },
          [](const Tensors&) { return List{true}; }};
}

Selection many_rows() {
  return {"x[1]",
          "(301, 703) at indices (500)",
          kSigned({301, 703}, 15),
          {indices({500}, 301, 16)},
          {500, 703},
          [](const Arrays& in, const Shape& i) {
            return Shape{number(in[1], {i[0]}, 301), i[1]};
          },
          [](const Tensors& in) { return List{in[1]}; },
          "[x[1]]"};
}

Tensors inputs_of(const Selection& s) {
  Tensors inputs = {s.x};
  inputs.insert(inputs.end(), s.with.begin(), s.with.end());
  return inputs;
}

Row index_row() {
  const auto sample = [](const Selection& s) {
    return Sample{
        s.name,
        inputs_of(s),
        [list = s.list](const Tensors& in) -> Tensors { return {index(in[0], list(in))}; },
        picked(s.shape, s.at),
        {},
        true,
        "x[0][" + s.torch + "]"};
  };
  Row row{"index", {}};
  for (const Selection& s : {slices(), columns(), masked(), apart(), together(), mask_and_indices(),
                             nothing(), of_nothing(), truth()}) {
    row.samples.push_back(sample(s));
  }
  const Tensor x = zeros({2, 3});
  row.errors = {
      error("too many",
            [x] {
              return index(x, {0, Slice(), 0});
            },
            {"index: ", "3 dimensions", "(2, 3)", "at most 2"}),
      error("a number outside",
            [x] {
              return index(x, {0, 3});
            },
            {"index: ", "3", "dimension 1", "(2, 3)", "[-3, 3)"}),
      error("an index outside",
            [x] {
              return index(x, {tensor<int64_t>({0, 1, -3}, {3, 1})});
            },
            {"index: ", "-3", "(2, 0)", "(3, 1)", "[-2, 2)", "dimension 0 of shape (2, 3)"}),
      error("a mask of another size",
            [x] {
              return index(x, {Slice(), mask({2})});
            },
            {"index: ", "mask", "(2,)", "dimension 1", "(2, 3)"}),
      error("a mask of u8", [x] { return index(x, {zeros({2}, DType::u8)}); },
            {"index: ", "u8", "bool", "to()"}),
      error("indices that do not broadcast",
            [x] {
              return index(x, {indices({2}, 2), indices({3}, 3)});
            },
            {"index: ", "(2,)", "(3,)", "broadcast"}),
      error("a step of 0", [x] { return index(x, {Slice(None, None, 0)}); },
            {"index: ", "step 0", "1 or more"}),
      wrong_gradient("index", row.samples.front())};
  row.large = [sample] { return sample(many_rows()); };
  return row;
}

// Values of a shape that broadcasts to the selection's, as the last input.
Call assigned(const Selection& s, const Shape& shape, bool accumulate, bool compared = true) {
  Tensors inputs = inputs_of(s);
  inputs.push_back(kSigned(shape, 21));
  Call call{
      s.name + (accumulate ? ", added " : ", ") + tuple(shape), inputs,
      [list = s.list, accumulate](const Tensors& in) {
        return index_put(in[0], list(in), in.back(), accumulate);
      },
      [list = s.list, accumulate](const Tensor& y, const Tensors& in) {
        index_put_(y, list(in), in.back(), accumulate);
      },
      put(
          s.shape, s.at, [](const Arrays& in, const Shape& i) { return in.back().broadcast(i); },
          accumulate ? &sum_of : &last)};
  if (!compared) return call;
  if (!s.tuple.empty()) {
    call.torch =
        "torch.ops.aten.index_put@($, " + s.tuple + ", x[-1]" + (accumulate ? ", True)" : ")");
  }
  return call;
}

Call number_assigned(const Selection& s, bool accumulate) {
  return {s.name + (accumulate ? ", added 0.5" : ", 0.5"), inputs_of(s),
          [list = s.list, accumulate](const Tensors& in) {
            return index_put(in[0], list(in), 0.5, accumulate);
          },
          [list = s.list, accumulate](const Tensor& y, const Tensors& in) {
            index_put_(y, list(in), 0.5, accumulate);
          },
          put(
              s.shape, s.at, [](const Arrays&, const Shape&) { return 0.5; },
              accumulate ? &sum_of : &last)};
}

void add_index_puts(std::vector<Row>& rows) {
  const std::vector<Call> calls = {
      assigned(slices(), {3, 1, 4}, false),    assigned(slices(), {4}, true),
      assigned(columns(), {5, 2, 3, 3}, true), assigned(columns(), {2, 3, 1}, false, false),
      assigned(masked(), {2}, false),          assigned(apart(), {2, 3, 5}, true),
      assigned(together(), {2, 2}, false),     assigned(mask_and_indices(), {1}, false),
      assigned(nothing(), {0, 4}, true),       assigned(of_nothing(), {2}, false),
      assigned(truth(), {3}, false),           number_assigned(masked(), false),
      number_assigned(columns(), true)};
  const auto errors = [](const std::string& name, auto f) -> std::vector<ErrorCase> {
    const Tensor x = zeros({2, 3}), both = tensor<int64_t>({0, 1});
    return {error("values that do not broadcast",
                  [=] {
                    return f(x, {both}, ones({3, 2}));
                  },
                  {name + ": ", "(3, 2)", "(2, 3)", "broadcast"}),
            error("values of another dtype", [=] { return f(x, {both}, ones({3}, DType::f64)); },
                  {name + ": ", "f64", "f32", "to()"}),
            error("an index outside", [=] { return f(x, {tensor<int64_t>({2})}, ones({3})); },
                  {name + ": ", "index 2", "[-2, 2)"})};
  };
  const auto large = [] { return assigned(many_rows(), {500, 703}, true); };
  rows.push_back(functional_row(
      "index_put", calls,
      errors("index_put", [](const Tensor& x, List list,
                             const Tensor& values) { return index_put(x, list, values); }),
      large));
  rows.push_back(in_place_row("index_put_", calls,
                              errors("index_put_",
                                     [](const Tensor& x, List list, const Tensor& values) {
                                       index_put_(x, list, values);
                                       return 0;
                                     }),
                              large));
  // Sums of up to four values and what was there, each below 1.8.
  for (size_t i = rows.size() - 2; i < rows.size(); ++i) rows[i].scale = 8;
}

}  // namespace

void add_indexing(std::vector<Row>& rows) {
  rows.push_back(index_row());
  add_index_puts(rows);
}

}  // namespace adjoint::catalog
