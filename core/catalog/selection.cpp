// Rows of selection.
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <string>

#include "core/catalog/pointwise_rows.h"

namespace adjoint::catalog {
namespace {

TensorFunction where_reference() {
  return [](const Tensors& in) -> Tensors {
    const Array c(in[0]), a(in[1]), b(in[2]);
    const Shape shape =
        broadcast_shapes("reference", broadcast_shapes("reference", c.shape, a.shape), b.shape);
    return {make_array(shape, [&](const Shape& i) {
              return c.broadcast(i) != 0 ? a.broadcast(i) : b.broadcast(i);
            }).tensor()};
  };
}

Row where_row() {
  const TensorFunction run = [](const Tensors& in) -> Tensors {
    return {where(in[0], in[1], in[2])};
  };
  Row row{"where",
          {{"(3, 4), (4), (3, 1)",
            {mask({3, 4}, 1), kSigned({4}, 2), kSigned({3, 1}, 3)},
            run,
            where_reference()},
           {"(2, 3) strided",
            {strided(mask({2, 3}, 4)), strided(kSigned({2, 3}, 5)), strided(kSigned({2, 3}, 6))},
            run,
            where_reference()},
           {"(0, 3), (3), ()",
            {mask({0, 3}, 1), kSigned({3}, 2), kSigned({}, 3)},
            run,
            where_reference()},
           {"(2, 3), (2, 3), 0.5",
            {mask({2, 3}, 7), kSigned({2, 3}, 8)},
            binary([](const Tensor& c, const Tensor& a) { return where(c, a, 0.5); }),
            zip_reference([](double c, double a) { return c != 0 ? a : 0.5; }),
            {},
            true,
            "torch.where(x[0], x[1], 0.5)"},
           {"(2, 3), 0.5, (2, 3)",
            {mask({2, 3}, 9), kSigned({2, 3}, 10)},
            binary([](const Tensor& c, const Tensor& b) { return where(c, 0.5, b); }),
            zip_reference([](double c, double b) { return c != 0 ? 0.5 : b; }),
            {},
            true,
            "torch.where(x[0], 0.5, x[1])"}}};
  row.torch = "torch.where(x[0], x[1], x[2])";
  row.samples.push_back({"(3, 5) alone",
                         {mask({3, 5}, 11)},
                         [](const Tensors& in) -> Tensors { return where(in[0]); },
                         [](const Tensors& in) -> Tensors {
                           std::vector<int64_t> rows, columns;
                           const Array c(in[0]);
                           for_each_index(c.shape, [&](const Shape& i) {
                             if (c.at(i) == 0) return;
                             rows.push_back(i[0]);
                             columns.push_back(i[1]);
                           });
                           return {from_vector(rows), from_vector(columns)};
                         },
                         {},
                         false,
                         "torch.where(x[0])"});
  row.errors = {
      error("a condition of numbers", [] { return where(ones({2}), ones({2}), zeros({2})); },
            {"where: ", "f32", "expected bool"}),
      error("shapes that do not broadcast", [] { return where(mask({3}), ones({2}), zeros({2})); },
            {"where: ", "(3,)", "(2,)"}),
      wrong_gradient("where", row.samples.front())};
  row.large = [=] {
    return Sample{"(257, 1031), (1031), ()",
                  {mask({257, 1031}, 1), kSigned({1031}, 2), kSigned({}, 3)},
                  run,
                  where_reference()};
  };
  return row;
}

Row masked_fill_row() {
  const TensorFunction run = [](const Tensors& in) -> Tensors {
    return {masked_fill(in[0], in[1], -2.5)};
  };
  const TensorFunction reference =
      zip_reference([](double v, double m) { return m != 0 ? -2.5 : v; });
  Row row{
      "masked_fill",
      {{"(2, 3, 4), (3, 1)", {kSigned({2, 3, 4}, 1), mask({3, 1}, 2)}, run, reference},
       {"(3, 4) strided", {strided(kSigned({3, 4}, 3)), strided(mask({3, 4}, 4))}, run, reference},
       {"(0, 3), (3)", {kSigned({0, 3}, 5), mask({3}, 6)}, run, reference},
       {"(), ()", {kSigned({}, 7), mask({}, 8)}, run, reference}}};
  row.torch = "torch.masked_fill(x[0], x[1], -2.5)";
  row.samples.push_back(
      {"(3, 4), (4), a tensor",
       {kSigned({3, 4}, 11), mask({4}, 12), kSigned({}, 13)},
       [](const Tensors& in) -> Tensors { return {masked_fill(in[0], in[1], in[2])}; },
       [](const Tensors& in) -> Tensors {
         const Array x(in[0]), m(in[1]), v(in[2]);
         return {make_array(x.shape, [&](const Shape& i) {
                   return m.broadcast(i) != 0 ? v.data[0] : x.at(i);
                 }).tensor()};
       },
       {},
       true,
       "torch.masked_fill(x[0], x[1], x[2])"});
  row.errors = {error("a mask of numbers", [] { return masked_fill(ones({2}), ones({2}), 0); },
                      {"masked_fill: ", "f32", "expected bool"}),
                error("a mask that is larger",
                      [] {
                        return masked_fill(ones({2}), mask({3, 2}), 0);
                      },
                      {"masked_fill: ", "(3, 2)", "(2,)"}),
                error("a value of one dimension",
                      [] { return masked_fill(ones({2}), mask({2}), zeros({1})); },
                      {"masked_fill: ", "(1,)", "without dimensions"})};
  row.large = [=] {
    return Sample{"(257, 1031)", {kSigned({257, 1031}, 9), mask({257, 1031}, 10)}, run, reference};
  };
  return row;
}

Row triangle_row(const std::string& name, Tensor (*f)(const Tensor&, int64_t), bool lower) {
  const auto sample = [name, f, lower](const std::string& what, const Tensor& x, int64_t diagonal) {
    return Sample{what + ", diagonal " + std::to_string(diagonal),
                  {x},
                  unary([f, diagonal](const Tensor& v) { return f(v, diagonal); }),
                  [diagonal, lower](const Tensors& in) -> Tensors {
                    const Array a(in[0]);
                    return {make_array(a.shape, [&](const Shape& i) {
                              const int64_t above = i[i.rank() - 1] - i[i.rank() - 2];
                              const bool kept = lower ? above <= diagonal : above >= diagonal;
                              return kept ? a.at(i) : 0.0;
                            }).tensor()};
                  },
                  {},
                  true,
                  "torch." + name + "(x[0], " + std::to_string(diagonal) + ")"};
  };
  Row row{name,
          {sample("(2, 3, 4)", kSigned({2, 3, 4}, 1), 0),
           sample("(4, 3) strided", strided(kSigned({4, 3}, 2)), 1),
           sample("(4, 3)", kSigned({4, 3}, 3), -2), sample("(0, 3)", kSigned({0, 3}, 4), 0),
           sample("(2, 2)", kSigned({2, 2}, 5), 100)}};
  row.errors = {
      error("a vector", [f] { return f(ones({3}), 0); }, {name + ": ", "(3,)", "two dimensions"}),
      error("an undefined tensor", [f] { return f(Tensor(), 0); }, {"undefined"}),
      wrong_gradient(name, row.samples.front())};
  row.large = [=] { return sample("(8, 257, 131)", kSigned({8, 257, 131}, 6), 3); };
  return row;
}

}  // namespace

void add_selection(std::vector<Row>& rows) {
  rows.push_back(where_row());
  rows.push_back(masked_fill_row());
  rows.push_back(triangle_row("tril", &tril, true));
  rows.push_back(triangle_row("triu", &triu, false));
}

}  // namespace adjoint::catalog
