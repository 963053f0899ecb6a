// What the rows of operators that take indices are written with.
#pragma once

#include <adjoint/core/autograd.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/catalog/pointwise_rows.h"

namespace adjoint::catalog {

using Arrays = std::vector<Array>;

// Into a copy that lies in memory as the input does, if that is not recorded: a recorded view is
// not to be written into.
template <class F>
TensorFunction written(F f) {
  return [f](const Tensors& in) -> Tensors {
    const bool plain = in[0].is_contiguous() || (grad_enabled() && in[0].requires_grad());
    // Detached: it is no view of anything that anybody else sees.
    const Tensor y = plain ? in[0].clone() : strided(in[0]).detach();
    f(y, in);
    return {y};
  };
}

// --- references ---

// Where element i of the values is, given all inputs.
using At = std::function<Shape(const Arrays& in, const Shape& i)>;
using Value = std::function<double(const Arrays& in, const Shape& i)>;

// The number in an index, those below 0 counted from the end.
int64_t number(const Array& index, const Shape& i, int64_t size);

// y[i] = x[at(i)]
TensorFunction picked(const Shape& shape, At at);
// y = x, then y[at(i)] = f(y[at(i)], value(i)) for each i of a shape in order.
TensorFunction put(const Shape& shape, At at, Value value, double (*f)(double, double));

double last(double, double b);
double sum_of(double a, double b);

// --- rows ---

// A call in both forms. `torch` is PyTorch's, $ being x[0] or a copy of it, @ nothing or the
// underscore: "$.index_fill@(1, x[1], 2.5)".
struct Call {
  std::string name;
  Tensors inputs;
  std::function<Tensor(const Tensors& in)> functional;
  std::function<void(const Tensor& y, const Tensors& in)> in_place;
  TensorFunction reference;
  std::string torch = {};
};

Sample functional_sample(const Call& call);
Sample in_place_sample(const Call& call);
// The row of an operator, and that of the function in place, which adds errors of its own.
Row functional_row(const std::string& name, const std::vector<Call>& calls,
                   std::vector<ErrorCase> errors, std::function<Call()> large = {});
Row in_place_row(const std::string& name, const std::vector<Call>& calls,
                 std::vector<ErrorCase> errors, std::function<Call()> large = {});

// Indices in [0, bound), no two alike along dim.
Tensor distinct(const Shape& shape, int dim, int64_t bound);

}  // namespace adjoint::catalog
