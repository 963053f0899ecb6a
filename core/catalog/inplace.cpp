// Rows of functions that write into a tensor: differentiated through a copy that they write into.
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>

#include "core/catalog/index_rows.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

std::vector<ErrorCase> write_errors(const std::string& name, const std::string& functional,
                                    void (*f)(const Tensor&, const Tensor&)) {
  const auto call = [f](Tensor x) {
    return [f, x] {
      f(x, ones({2}));
      return 0;
    };
  };
  const Tensor leaf = ones({2}).requires_grad_();
  return {error("an expanded tensor", call(expand(ones({1}), {2})), {name + ": ", "clone()"}),
          error("a source that is larger", call(ones({1})), {name + ": ", "(2,)", "(1,)"}),
          error("a leaf that requires grad", call(leaf), {name + ": ", "leaf", functional}),
          error("a view with history", call(slice(mul(leaf, 2.0), 0, 0, 2)),
                {name + ": ", "view", functional})};
}

template <class R>
Row arithmetic_row(const std::string& name, const std::string& functional,
                   void (*f)(const Tensor&, const Tensor&), void (*number)(const Tensor&, Scalar),
                   R reference) {
  const TensorFunction run = written([f](const Tensor& y, const Tensors& in) { f(y, in[1]); });
  const TensorFunction expected = zip_reference(reference);
  Row row{name,
          {{"(2, 3, 4), (3, 1)", {input({2, 3, 4}, 1), input({3, 1}, 2)}, run, expected},
           {"(4, 3), (4, 3) strided", {input({4, 3}, 3), strided(input({4, 3}, 4))}, run, expected},
           {"(4, 3) strided, (3)", {strided(input({4, 3}, 9)), input({3}, 10)}, run, expected},
           {"(0, 3), (3)", {input({0, 3}, 5), input({3}, 6)}, run, expected},
           {"(2, 3), 1.5",
            {input({2, 3}, 7)},
            written([number](const Tensor& y, const Tensors&) { number(y, 1.5); }),
            map_reference([reference](double v) { return reference(v, 1.5); })}}};
  row.errors = write_errors(name, functional, f);
  row.errors.push_back(error("reals into integers",
                             [f] {
                               f(arange(2), ones({2}));
                               return 0;
                             },
                             {name + ": ", "i64", "expected a ", functional}));
  row.large = [=] {
    return Sample{"(257, 1031), (1031)", {input({257, 1031}, 8), input({1031}, 9)}, run, expected};
  };
  return row;
}

Row copy_row() {
  const TensorFunction run = written([](const Tensor& y, const Tensors& in) { copy_(y, in[1]); });
  const TensorFunction expected = zip_reference([](double, double b) { return b; });
  Row row{"copy_",
          {{"(2, 3, 4), (3, 1)", {input({2, 3, 4}, 1), input({3, 1}, 2)}, run, expected},
           {"(4, 3), (4, 3) strided", {input({4, 3}, 3), strided(input({4, 3}, 4))}, run, expected},
           {"(4, 3) strided, (3)", {strided(input({4, 3}, 7)), input({3}, 8)}, run, expected},
           {"(0, 3), (3)", {input({0, 3}, 5), input({3}, 6)}, run, expected}}};
  row.errors = write_errors("copy_", "where()", &copy_);
  return row;
}

// The old values do not matter.
Row constant_row(const std::string& name, void (*f)(const Tensor&), double value) {
  const TensorFunction run = written([f](const Tensor& y, const Tensors&) { f(y); });
  const TensorFunction expected = map_reference([value](double) { return value; });
  Row row{name,
          {{"(2, 3)", {input({2, 3}, 1)}, run, expected},
           {"(4, 3) strided", {strided(input({4, 3}, 2))}, run, expected},
           {"(0, 3)", {input({0, 3}, 3)}, run, expected},
           {"()", {input({}, 4)}, run, expected}}};
  row.errors = {error("an undefined tensor",
                      [f] {
                        f(Tensor());
                        return 0;
                      },
                      {name + ": ", "undefined"}),
                error("a leaf that requires grad",
                      [f] {
                        f(ones({2}).requires_grad_());
                        return 0;
                      },
                      {name + ": ", "requires grad"})};
  row.torch = "x[0] * 0 + " + std::to_string(value);
  return row;
}

// Against the operator that makes such a tensor, whose row has the reference.
Row random_row(const std::string& name, void (*f)(const Tensor&, double, double, Generator&),
               Tensor (*standard)(const Shape&, DType, Generator&), double a, double b,
               double factor) {
  const auto sample = [=](const std::string& what, const Tensor& x) {
    return Sample{what,
                  {x},
                  written([=](const Tensor& y, const Tensors&) {
                    Generator generator(5, 9);
                    f(y, a, b, generator);
                  }),
                  [=](const Tensors& in) -> Tensors {
                    Generator generator(5, 9);
                    Array y(standard(in[0].shape(), DType::f64, generator));
                    for (double& v : y.data) v = a + factor * v;
                    return {y.tensor()};
                  }};
  };
  Row row{name,
          {sample("(3, 5)", input({3, 5}, 1)), sample("(4, 3) strided", strided(input({4, 3}, 2))),
           sample("(0, 3)", input({0, 3}, 3))}};
  row.errors = {error("integers",
                      [f] {
                        f(arange(3), 0, 1, default_generator());
                        return 0;
                      },
                      {name + ": ", "i64"}),
                error("an undefined tensor",
                      [f] {
                        f(Tensor(), 0, 1, default_generator());
                        return 0;
                      },
                      {name + ": ", "undefined"}),
                error("a width below 0",
                      [f] {
                        f(ones({3}), 2, -1, default_generator());
                        return 0;
                      },
                      {name + ": ", "-1", "expected"})};
  row.large = [=] { return sample("(257, 1031)", input({257, 1031}, 4)); };
  row.f64_only = true;
  row.scale = 2;
  return row;
}

}  // namespace

void add_inplace(std::vector<Row>& rows) {
  rows.push_back(
      arithmetic_row("add_", "add()", &add_, &add_, [](double a, double b) { return a + b; }));
  rows.push_back(
      arithmetic_row("sub_", "sub()", &sub_, &sub_, [](double a, double b) { return a - b; }));
  rows.push_back(
      arithmetic_row("mul_", "mul()", &mul_, &mul_, [](double a, double b) { return a * b; }));
  rows.push_back(
      arithmetic_row("div_", "div()", &div_, &div_, [](double a, double b) { return a / b; }));
  rows.push_back(copy_row());
  rows.push_back(constant_row(
      "fill_", [](const Tensor& y) { fill_(y, 2.5); }, 2.5));
  rows.push_back(constant_row("zero_", &zero_, 0));
  rows.push_back(random_row("uniform_", &uniform_, &rand, -1, 2, 3));
  rows.push_back(random_row("normal_", &normal_, &randn, 0.5, 2, 2));
}

}  // namespace adjoint::catalog
