// Rows of pointwise operators: where their inputs lie, and samples of every layout.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/catalog/builders.h"

namespace adjoint::catalog {

using Maker = Tensor (*)(const Shape& shape, double low, double high, uint64_t seed);

// Where the inputs of a function lie, and how they are spread.
struct Domain {
  Maker make;
  double low, high;
  Tensor operator()(const Shape& shape, uint64_t seed) const {
    return make(shape, low, high, seed);
  }
};
inline constexpr Domain kSigned{&both_signs, 0.2, 1.8};
inline constexpr Domain kPositive{&spread, 0.3, 2.3};

using Function = Tensor (*)(const Tensor&);
using Number = double (*)(double);

// A function of one tensor with no more to say than this, as unary_row takes it.
struct Simple {
  const char* name;
  Function f;
  Number reference;
  Domain domain;
  double ulps = 4;
};

// For every pair of layouts that a binary operator must take.
template <class F>
std::vector<Sample> pair_samples(F f, const TensorFunction& reference, const Domain& a,
                                 const Domain& b) {
  const TensorFunction run = binary(f);
  return {
      {"(2, 3, 4), (3, 1)", {a({2, 3, 4}, 1), b({3, 1}, 2)}, run, reference},
      {"(3, 4) strided, (3, 4) strided",
       {strided(a({3, 4}, 3)), strided(b({3, 4}, 4))},
       run,
       reference},
      {"(0, 3), (3)", {a({0, 3}, 5), b({3}, 6)}, run, reference},
      {"(), (2, 1)", {a({}, 7), b({2, 1}, 8)}, run, reference},
  };
}

// Of one tensor and a number; `torch` as in Sample.
template <class F>
Sample scalar_sample(const std::string& name, const Domain& domain, F f,
                     const TensorFunction& reference, const std::string& torch) {
  Sample sample{name, {domain({2, 3}, 9)}, unary(f), reference};
  sample.torch = torch;
  return sample;
}

template <class F>
Sample large_pair(F f, const TensorFunction& reference, const Domain& a, const Domain& b) {
  return {"(257, 1031), (1031)", {a({257, 1031}, 11), b({1031}, 12)}, binary(f), reference};
}

template <class F>
ErrorCase cannot_broadcast(const std::string& name, F f) {
  return error("shapes that do not broadcast",
               [f] {
                 return f(zeros({2, 3}, DType::f64), zeros({2, 4}, DType::f64));
               },
               {name + ": ", "(2, 3)", "(2, 4)"});
}

template <class F>
ErrorCase undefined_operand(F f) {
  return error("an undefined operand", [f] { return f(Tensor(), zeros({2}, DType::f64)); },
               {"undefined tensor"});
}

template <class F, class R>
Row binary_row(const std::string& name, F f, R reference, const Domain& a, const Domain& b) {
  Row row{name, pair_samples(f, zip_reference(reference), a, b)};
  row.torch = name + "(*x)";
  row.errors = {cannot_broadcast(name, f), undefined_operand(f),
                wrong_gradient(row.name, row.samples.front())};
  row.large = [=] { return large_pair(f, zip_reference(reference), a, b); };
  return row;
}

// A function of one tensor.
template <class F, class R>
Row unary_row(const std::string& name, F f, R reference, const Domain& domain, double ulps = 4) {
  const TensorFunction run = unary(f), expected = map_reference(reference);
  Row row{name,
          {{"(2, 3, 2)", {domain({2, 3, 2}, 1)}, run, expected},
           {"(4, 3) strided", {strided(domain({4, 3}, 2))}, run, expected},
           {"(3, 0)", {domain({3, 0}, 3)}, run, expected},
           {"()", {domain({}, 4)}, run, expected}}};
  row.torch = name + "(*x)";
  row.errors = {
      error("an undefined tensor", [f] { return f(Tensor()); }, {name + ": ", "undefined"}),
      wrong_gradient(row.name, row.samples.front()),
      missing_gradient(row.name, row.samples.front())};
  row.large = [=] { return Sample{"(257, 1031)", {domain({257, 1031}, 5)}, run, expected}; };
  row.ulps = ulps;
  return row;
}

// Numbers between whole ones, at least `low` above one and `high` at most: clear of jumps.
Tensor between_whole(const Shape& shape, double low, double high, uint64_t seed);

// Adds a sample of one input to a row; `torch` as in Sample.
template <class F, class R>
void add_sample(Row& row, const std::string& name, const Tensor& x, F f, R reference,
                const std::string& torch) {
  row.samples.push_back({name, {x}, unary(f), map_reference(reference)});
  row.samples.back().torch = torch;
}

}  // namespace adjoint::catalog
