// Rows of elements that a mask chooses, and of one_hot.
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>

#include "core/catalog/index_rows.h"

namespace adjoint::catalog {
namespace {

Row masked_fill_in_place_row() {
  const auto call = [](const std::string& name, const Tensor& x, const Tensor& mask) {
    return Call{name,
                {x, mask},
                [](const Tensors& in) { return masked_fill(in[0], in[1], -2.5); },
                [](const Tensor& y, const Tensors& in) { masked_fill_(y, in[1], -2.5); },
                zip_reference([](double v, double m) { return m != 0 ? -2.5 : v; }),
                "$.masked_fill@(x[1], -2.5)"};
  };
  const std::vector<Call> calls = {
      call("(2, 3, 4), (3, 1)", kSigned({2, 3, 4}, 1), mask({3, 1}, 2)),
      call("(3, 4) strided", strided(kSigned({3, 4}, 3)), strided(mask({3, 4}, 4))),
      call("(0, 3), (3)", kSigned({0, 3}, 5), mask({3}, 6)),
      {"(3, 4), (4), a tensor",
       {kSigned({3, 4}, 7), mask({4}, 8), kSigned({}, 9)},
       [](const Tensors& in) { return masked_fill(in[0], in[1], in[2]); },
       [](const Tensor& y, const Tensors& in) { masked_fill_(y, in[1], in[2]); },
       [](const Tensors& in) -> Tensors {
         const Array x(in[0]), m(in[1]), v(in[2]);
         return {make_array(x.shape, [&](const Shape& i) {
                   return m.broadcast(i) != 0 ? v.data[0] : x.at(i);
                 }).tensor()};
       },
       "$.masked_fill@(x[1], x[2])"}};
  const auto filled = [](const Tensor& x, const Tensor& m, const Tensor& value) {
    masked_fill_(x, m, value);
    return 0;
  };
  return in_place_row(
      "masked_fill_", calls,
      {error("a mask of numbers", [=] { return filled(ones({2}), ones({2}), scalar(0)); },
             {"masked_fill_: ", "f32", "expected bool"}),
       error("a mask that is larger",
             [=] {
               return filled(ones({2}), mask({3, 2}), scalar(0));
             },
             {"masked_fill_: ", "(3, 2)", "(2,)"}),
       error("a value of one dimension", [=] { return filled(ones({2}), mask({2}), zeros({1})); },
             {"masked_fill_: ", "(1,)", "without dimensions"})},
      [call] {
        return call("(257, 1031)", kSigned({257, 1031}, 9), mask({257, 1031}, 10));
      });
}

Row masked_select_row() {
  const TensorFunction run =
      binary([](const Tensor& x, const Tensor& m) { return masked_select(x, m); });
  const TensorFunction reference = [](const Tensors& in) -> Tensors {
    const Array x(in[0]), m(in[1]);
    std::vector<double> chosen;
    for_each_index(broadcast_shapes("reference", x.shape, m.shape), [&](const Shape& i) {
      if (m.broadcast(i) != 0) chosen.push_back(x.broadcast(i));
    });
    return {from_vector(chosen)};
  };
  Row row{
      "masked_select",
      {{"(2, 3, 4), (3, 1)", {kSigned({2, 3, 4}, 1), mask({3, 1}, 2)}, run, reference},
       {"(4), (3, 1)", {kSigned({4}, 3), mask({3, 1}, 4)}, run, reference},
       {"(3, 4) strided", {strided(kSigned({3, 4}, 5)), strided(mask({3, 4}, 6))}, run, reference},
       {"(0, 3), (3)", {kSigned({0, 3}, 7), mask({3}, 8)}, run, reference},
       {"(), ()", {kSigned({}, 9), full({}, true, DType::boolean)}, run, reference}}};
  row.torch = "torch.masked_select(x[0], x[1])";
  row.errors = {
      error("a mask of numbers", [] { return masked_select(ones({2}), ones({2})); },
            {"masked_select: ", "f32", "expected bool"}),
      error("a mask that does not broadcast", [] { return masked_select(ones({2}), mask({3})); },
            {"masked_select: ", "(2,)", "(3,)"}),
      wrong_gradient("masked_select", row.samples.front())};
  row.large = [=] {
    return Sample{"(257, 1031)", {kSigned({257, 1031}, 10), mask({257, 1031}, 11)}, run, reference};
  };
  return row;
}

void add_masked_scatter(std::vector<Row>& rows) {
  const auto reference = [](const Tensors& in) -> Tensors {
    const Array x(in[0]), m(in[1]), source(in[2]);
    const Shape shape = broadcast_shapes("reference", x.shape, m.shape);
    size_t next = 0;
    return {make_array(shape, [&](const Shape& i) {
              return m.broadcast(i) != 0 ? source.data[next++] : x.broadcast(i);
            }).tensor()};
  };
  const auto call = [reference](const std::string& name, const Tensor& x, const Tensor& mask,
                                const Tensor& source) {
    return Call{name,
                {x, mask, source},
                [](const Tensors& in) { return masked_scatter(in[0], in[1], in[2]); },
                [](const Tensor& y, const Tensors& in) { masked_scatter_(y, in[1], in[2]); },
                reference,
                "$.masked_scatter@(x[1], x[2])"};
  };
  std::vector<Call> calls = {
      call("(2, 3, 4), (3, 1), (5, 6)", kSigned({2, 3, 4}, 1), mask({3, 1}, 2), kSigned({5, 6}, 3)),
      call("(3, 4) strided, (3, 4) strided, (4, 3) strided", strided(kSigned({3, 4}, 4)),
           strided(mask({3, 4}, 5)), strided(kSigned({4, 3}, 6))),
      call("(0, 3), (3), (0)", kSigned({0, 3}, 7), mask({3}, 8), kSigned({0}, 9))};
  const auto large = [call] {
    return call("(257, 1031)", kSigned({257, 1031}, 10), mask({257, 1031}, 11),
                kSigned({257 * 1031}, 12));
  };
  const auto errors = [](const std::string& name, auto f) -> std::vector<ErrorCase> {
    const Tensor all = full({3}, true, DType::boolean);
    return {
        error("a mask of numbers", [=] { return f(ones({3}), ones({3}), ones({3})); },
              {name + ": ", "f32", "expected bool"}),
        error("too short a source", [=] { return f(ones({3}), all, ones({2})); },
              {name + ": ", "(2,)", "2 elements", "3 times"}),
        error("a source of another dtype", [=] { return f(ones({3}), all, ones({3}, DType::f64)); },
              {name + ": ", "f64", "f32", "to()"})};
  };
  const auto in_place = [](const Tensor& x, const Tensor& mask, const Tensor& source) {
    masked_scatter_(x, mask, source);
    return 0;
  };
  rows.push_back(
      in_place_row("masked_scatter_", calls, errors("masked_scatter_", in_place), large));
  calls.push_back(call("(4), (3, 1), (12)", kSigned({4}, 13), mask({3, 1}, 14), kSigned({12}, 15)));
  rows.push_back(
      functional_row("masked_scatter", calls, errors("masked_scatter", &masked_scatter), large));
}

Row nonzero_row() {
  const TensorFunction reference = [](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    std::vector<int64_t> found;
    int64_t count = 0;
    for_each_index(x.shape, [&](const Shape& i) {
      if (x.at(i) == 0) return;
      found.insert(found.end(), i.begin(), i.end());
      ++count;
    });
    return {from_vector(found, {count, x.shape.rank()})};
  };
  const TensorFunction run = unary(&nonzero);
  const auto holes = [](const Shape& shape, uint64_t seed) {
    return mul(kSigned(shape, seed), mask(shape, seed + 1).to(DType::f64));
  };
  Row row{"nonzero",
          {{"(2, 3, 4)", {holes({2, 3, 4}, 1)}, run, reference},
           {"(4, 3) strided", {strided(holes({4, 3}, 3))}, run, reference},
           {"(3, 0)", {zeros({3, 0}, DType::f64)}, run, reference},
           {"()", {kSigned({}, 5)}, run, reference},
           {"bool (3, 5)", {mask({3, 5}, 6)}, run, reference},
           {"i32 (7)", {indices({7}, 2, 7).to(DType::i32)}, run, reference}}};
  row.torch = "torch.nonzero(x[0])";
  row.errors = {
      error("an undefined tensor", [] { return nonzero(Tensor()); }, {"nonzero: ", "undefined"}),
      no_derivative(row.samples.front()),
      error("as a condition, undefined", [] { return where(Tensor()); },
            {"nonzero: ", "undefined"})};
  row.large = [=] { return Sample{"(257, 1031)", {holes({257, 1031}, 8)}, run, reference}; };
  row.differentiable = false;
  return row;
}

Row one_hot_row() {
  const auto sample = [](const std::string& name, const Tensor& x, int64_t classes, int64_t width) {
    return Sample{
        name,
        {x},
        [classes](const Tensors& in) -> Tensors { return {one_hot(in[0], classes)}; },
        [width](const Tensors& in) -> Tensors {
          const Array a(in[0]);
          Shape shape = a.shape;
          shape.push_back(width);
          return {make_array(shape, [&](const Shape& i) {
                    Shape at = i;
                    at.erase(at.rank() - 1);
                    return a.at(at) == static_cast<double>(i.back()) ? 1.0 : 0.0;
                  }).tensor(DType::i64)};
        },
        {},
        false,
        x.dtype() == DType::i64 ? "F.one_hot(x[0], " + std::to_string(classes) + ")" : ""};
  };
  Row row{"one_hot",
          {sample("(2, 3), 5", indices({2, 3}, 5, 1), 5, 5),
           sample("(3) , -1", tensor<int64_t>({2, 0, 3}), -1, 4),
           sample("(2, 3) strided of i32, 4", strided(indices({2, 3}, 4, 2)).to(DType::i32), 4, 4),
           sample("(3, 2) strided, 4", strided(indices({3, 2}, 4, 3)), 4, 4),
           sample("(0, 2), 3", indices({0, 2}, 1), 3, 3), sample("(), 3", indices({}, 3), 3, 3)}};
  row.errors = {error("a class outside",
                      [] {
                        return one_hot(tensor<int64_t>({0, 3}), 3);
                      },
                      {"one_hot: ", "index 3", "(1,)", "[0, 3)"}),
                error("a negative class", [] { return one_hot(tensor<int64_t>({-1})); },
                      {"one_hot: ", "index -1", "(1,)", "0 or more"}),
                error("nothing to count", [] { return one_hot(zeros({0}, DType::i64)); },
                      {"one_hot: ", "-1", "(0,)", "without elements"}),
                error("classes of f32", [] { return one_hot(zeros({2})); },
                      {"one_hot: ", "f32", "i64 or i32"}),
                error("a negative number of classes",
                      [] { return one_hot(zeros({2}, DType::i64), -2); }, {"one_hot: ", "-2"})};
  row.differentiable = false;
  return row;
}

}  // namespace

void add_masks(std::vector<Row>& rows) {
  rows.push_back(masked_fill_in_place_row());
  rows.push_back(masked_select_row());
  add_masked_scatter(rows);
  rows.push_back(nonzero_row());
  rows.push_back(one_hot_row());
}

}  // namespace adjoint::catalog
