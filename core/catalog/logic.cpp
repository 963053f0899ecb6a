// Rows of predicates, logic and bits.
#include <adjoint/core/pointwise.h>

#include <cmath>
#include <limits>

#include "core/catalog/pointwise_rows.h"

namespace adjoint::catalog {
namespace {

using Function = Tensor (*)(const Tensor&);
using Pair = Tensor (*)(const Tensor&, const Tensor&);

// Some numbers, zeros, infinities and NaN.
Tensor special(const Shape& shape, uint64_t seed) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double kinds[] = {0.0, -0.0, 1.5, -2.5, kInfinity, -kInfinity, std::nan("")};
  std::vector<double> values;
  for (const int64_t kind : indices(shape, 7, seed).to_vector<int64_t>()) {
    values.push_back(kinds[kind]);
  }
  return from_vector(values, shape);
}

Row predicate_row(const std::string& name, Function f, bool (*holds)(double)) {
  const TensorFunction run = unary(f), expected = map_reference(holds, DType::boolean);
  Row row{name,
          {{"(2, 3, 4)", {special({2, 3, 4}, 1)}, run, expected},
           {"(4, 3) strided", {strided(special({4, 3}, 2))}, run, expected},
           {"(3, 0)", {special({3, 0}, 3)}, run, expected},
           {"()", {special({}, 4)}, run, expected},
           {"(5), i64", {indices({5}, 2, 5)}, run, expected},
           {"(5), bool", {mask({5}, 6)}, run, expected}}};
  row.torch = name + "(*x)";
  row.errors = {
      error("an undefined tensor", [f] { return f(Tensor()); }, {name + ": ", "undefined"}),
      no_derivative(row.samples.front())};
  row.large = [=] { return Sample{"(257, 1031)", {special({257, 1031}, 7)}, run, expected}; };
  row.differentiable = false;
  return row;
}

template <class F>
ErrorCase cannot_take(const std::string& name, F f) {
  return error("numbers that are no integers", [f] { return f(ones({2}), ones({2})); },
               {name + ": ", "f32", "expected i64"});
}

std::vector<ErrorCase> pair_errors(const std::string& name, Pair f) {
  return {cannot_broadcast(name, f),
          error("an undefined operand", [f] { return f(zeros({2}, DType::i64), Tensor()); },
                {name + ": ", "undefined"}),
          error("an undefined first operand", [f] { return f(Tensor(), zeros({2}, DType::i64)); },
                {name + ": ", "input 0", "undefined"})};
}

Row logic_row(const std::string& name, Pair f, bool (*holds)(double, double)) {
  const TensorFunction run = binary(f), expected = zip_reference(holds, DType::boolean);
  Row row{
      name,
      {{"(2, 3, 4), (3, 1)", {special({2, 3, 4}, 1), special({3, 1}, 2)}, run, expected},
       {"(3, 4) strided", {strided(special({3, 4}, 3)), strided(mask({3, 4}, 4))}, run, expected},
       {"(0, 3), (3)", {special({0, 3}, 5), indices({3}, 2, 6)}, run, expected},
       {"(), ()", {mask({}, 7), mask({}, 8)}, run, expected}}};
  row.torch = name + "(*x)";
  row.errors = pair_errors(name, f);
  row.large = [=] {
    return Sample{"(257, 1031), (1031)", {mask({257, 1031}, 9), mask({1031}, 10)}, run, expected};
  };
  row.differentiable = false;
  return row;
}

// Whole numbers of both signs.
Tensor whole(const Shape& shape, uint64_t seed, int64_t bound = 1000) {
  return indices(shape, 2 * bound, seed) - bound;
}

Row bits_row(const std::string& name, Pair f, double (*reference)(double, double), bool shift) {
  const TensorFunction run = binary(f), expected = zip_reference(reference, DType::i64);
  const auto right = [shift](const Shape& shape, uint64_t seed) {
    return shift ? indices(shape, 9, seed) : whole(shape, seed);
  };
  Row row{
      name,
      {{"(2, 3, 4), (3, 1)", {whole({2, 3, 4}, 1), right({3, 1}, 2)}, run, expected},
       {"(3, 4) strided", {strided(whole({3, 4}, 3)), strided(right({3, 4}, 4))}, run, expected},
       {"(0, 3), (3)", {whole({0, 3}, 5), right({3}, 6)}, run, expected},
       {"(), (2)", {whole({}, 7), right({2}, 8)}, run, expected}}};
  row.torch = name + "(*x)";
  row.errors = pair_errors(name, f);
  row.errors.front() = error("shapes that do not broadcast",
                             [f] {
                               return f(zeros({2, 3}, DType::i64), zeros({2, 4}, DType::i64));
                             },
                             {name + ": ", "(2, 3)", "(2, 4)"});
  row.errors.push_back(cannot_take(name, f));
  row.large = [=] {
    return Sample{"(257, 1031), (1031)", {whole({257, 1031}, 9), right({1031}, 10)}, run, expected};
  };
  row.differentiable = false;
  return row;
}

template <class F>
Row bitwise_row(const std::string& name, Pair f, Tensor (*with_number)(const Tensor&, Scalar),
                double (*reference)(double, double), F of_bools) {
  Row row = bits_row(name, f, reference, false);
  row.samples.push_back({"(5), (3, 1), bool",
                         {mask({5}, 11), mask({3, 1}, 12)},
                         binary(f),
                         zip_reference(of_bools, DType::boolean)});
  row.samples.push_back(
      {"(5) and 6",
       {whole({5}, 13)},
       unary([with_number](const Tensor& x) { return with_number(x, 6); }),
       map_reference([reference](double v) { return reference(v, 6); }, DType::i64)});
  row.samples.back().torch = name + "(x[0], 6)";
  return row;
}

int64_t integer(double v) { return static_cast<int64_t>(v); }
double number(int64_t v) { return static_cast<double>(v); }

Row bitwise_not_row() {
  const TensorFunction run = unary(Function(&bitwise_not));
  const TensorFunction expected = map_reference([](double v) { return -v - 1; }, DType::i64);
  Row row{"bitwise_not",
          {{"(2, 3, 4)", {whole({2, 3, 4}, 1)}, run, expected},
           {"(4, 3) strided", {strided(whole({4, 3}, 2))}, run, expected},
           {"(3, 0)", {whole({3, 0}, 3)}, run, expected},
           {"(5), bool",
            {mask({5}, 4)},
            run,
            map_reference([](double v) { return v == 0; }, DType::boolean)}}};
  row.torch = "bitwise_not(*x)";
  row.errors = {error("an undefined tensor", [] { return bitwise_not(Tensor()); },
                      {"bitwise_not: ", "undefined"}),
                error("numbers that are no integers", [] { return bitwise_not(ones({2})); },
                      {"bitwise_not: ", "f32", "expected i64"}),
                no_derivative(row.samples.front())};
  row.large = [=] { return Sample{"(257, 1031)", {whole({257, 1031}, 5)}, run, expected}; };
  row.differentiable = false;
  return row;
}

Row shift_row(const std::string& name, Pair f, Tensor (*with_number)(const Tensor&, Scalar),
              double (*reference)(double, double)) {
  Row row = bits_row(name, f, reference, true);
  row.samples.push_back(
      {"(5) by 3",
       {whole({5}, 13)},
       unary([with_number](const Tensor& x) { return with_number(x, 3); }),
       map_reference([reference](double v) { return reference(v, 3); }, DType::i64)});
  row.samples.back().torch = name + "(x[0], 3)";
  return row;
}

}  // namespace

void add_logic(std::vector<Row>& rows) {
  rows.push_back(predicate_row("isnan", &isnan, [](double v) { return std::isnan(v); }));
  rows.push_back(predicate_row("isinf", &isinf, [](double v) { return std::isinf(v); }));
  rows.push_back(predicate_row("isfinite", &isfinite, [](double v) { return std::isfinite(v); }));
  rows.push_back(predicate_row("logical_not", &logical_not, [](double v) { return v == 0; }));
  rows.push_back(
      logic_row("logical_and", &logical_and, [](double a, double b) { return a != 0 && b != 0; }));
  rows.push_back(
      logic_row("logical_or", &logical_or, [](double a, double b) { return a != 0 || b != 0; }));
  rows.push_back(logic_row("logical_xor", &logical_xor,
                           [](double a, double b) { return (a != 0) != (b != 0); }));
  rows.push_back(bitwise_not_row());
  rows.push_back(bitwise_row(
      "bitwise_and", &bitwise_and, &bitwise_and,
      [](double a, double b) { return number(integer(a) & integer(b)); },
      [](double a, double b) { return a != 0 && b != 0; }));
  rows.push_back(bitwise_row(
      "bitwise_or", &bitwise_or, &bitwise_or,
      [](double a, double b) { return number(integer(a) | integer(b)); },
      [](double a, double b) { return a != 0 || b != 0; }));
  rows.push_back(bitwise_row(
      "bitwise_xor", &bitwise_xor, &bitwise_xor,
      [](double a, double b) { return number(integer(a) ^ integer(b)); },
      [](double a, double b) { return a != b; }));
  rows.push_back(shift_row("bitwise_left_shift", &bitwise_left_shift, &bitwise_left_shift,
                           [](double a, double b) { return a * std::exp2(b); }));
  rows.push_back(shift_row("bitwise_right_shift", &bitwise_right_shift, &bitwise_right_shift,
                           [](double a, double b) { return std::floor(a / std::exp2(b)); }));
}

}  // namespace adjoint::catalog
