// What the rows are written with: inputs, arrays of numbers for references, and shorthands.
#pragma once

#include <adjoint/core/op_catalog.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/shape.h>

#include <string>
#include <utility>
#include <vector>

namespace adjoint::catalog {

using Tensors = std::vector<Tensor>;

// --- inputs ---

// Distinct numbers spread over [low, high] at equal distances, in an order that depends on `seed`:
// no two are closer than (high - low) / count, so that maxima and comparisons keep clear of ties.
Tensor spread(const Shape& shape, double low, double high, uint64_t seed = 1);
// The same around zero: magnitudes in [low, high], both signs.
Tensor both_signs(const Shape& shape, double low = 0.2, double high = 1.8, uint64_t seed = 1);
// i64 numbers in [0, bound).
Tensor indices(const Shape& shape, int64_t bound, uint64_t seed = 1);
// Some true, some false.
Tensor mask(const Shape& shape, uint64_t seed = 1);
// The same elements in column-major order of memory, with a gap after each.
Tensor strided(const Tensor& x);

// --- references ---

// An array of f64: how references see tensors.
struct Array {
  Shape shape;
  std::vector<double> data;

  explicit Array(const Shape& s, double fill = 0)
      : shape(s), data(static_cast<size_t>(s.numel()), fill) {}
  explicit Array(const Tensor& x);

  double& at(const Shape& index);
  double at(const Shape& index) const;
  // The element that `index`, of a shape that this one broadcasts to, stands for.
  double broadcast(const Shape& index) const;
  Tensor tensor(DType dtype = DType::f64) const;
};

// Calls f(index) for every index of the shape, row-major.
template <class F>
void for_each_index(const Shape& shape, F&& f) {
  const int64_t count = shape.numel();
  Shape index = Shape::filled(shape.rank(), 0);
  for (int64_t i = 0; i < count; ++i) {
    f(const_cast<const Shape&>(index));
    for (int d = shape.rank() - 1; d >= 0; --d) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
}

// An array of f(index) for every index.
template <class F>
Array make_array(const Shape& shape, F&& f) {
  Array y(shape);
  size_t i = 0;
  for_each_index(shape, [&](const Shape& index) { y.data[i++] = f(index); });
  return y;
}

// f of each element.
template <class F>
TensorFunction map_reference(F f, DType dtype = DType::f64) {
  return [f, dtype](const Tensors& in) -> Tensors {
    Array y(in[0]);
    for (double& v : y.data) v = f(v);
    return {y.tensor(dtype)};
  };
}

// f of each pair of elements, broadcast.
template <class F>
TensorFunction zip_reference(F f, DType dtype = DType::f64) {
  return [f, dtype](const Tensors& in) -> Tensors {
    const Array a(in[0]), b(in[1]);
    const Shape shape = broadcast_shapes("reference", a.shape, b.shape);
    return {make_array(shape, [&](const Shape& i) {
              return f(a.broadcast(i), b.broadcast(i));
            }).tensor(dtype)};
  };
}

// A row of numbers, normalised in place.
void softmax_of(std::vector<double>& row);
void log_softmax_of(std::vector<double>& row);

// --- functions of inputs ---

template <class F>
TensorFunction unary(F f) {
  return [f](const Tensors& in) -> Tensors { return {f(in[0])}; };
}
template <class F>
TensorFunction binary(F f) {
  return [f](const Tensors& in) -> Tensors { return {f(in[0], in[1])}; };
}

// The same call of whole numbers, ten times as large: exact in i64, without a derivative.
Sample whole(Sample sample);

// A call that must throw, on tensors that are made when it is called.
template <class F>
ErrorCase error(std::string name, F call, std::vector<std::string> says) {
  return {std::move(name), [call] { static_cast<void>(call()); }, std::move(says)};
}

// Backward from a sample's first result: with a gradient of another shape; with none, where there
// are several elements; where the operator has no derivative.
ErrorCase wrong_gradient(const std::string& name, const Sample& sample);
ErrorCase missing_gradient(const std::string& name, const Sample& sample);
ErrorCase no_derivative(const Sample& sample);

// A shape as Python's tuple: "(2, 3)", "(4,)".
std::string tuple(const Shape& shape);

// --- the families ---

void add_arithmetic(std::vector<Row>& rows);
void add_functions(std::vector<Row>& rows);
void add_pairs(std::vector<Row>& rows);
void add_special(std::vector<Row>& rows);
void add_logic(std::vector<Row>& rows);
void add_activations(std::vector<Row>& rows);
void add_comparisons(std::vector<Row>& rows);
void add_selection(std::vector<Row>& rows);
void add_indexing(std::vector<Row>& rows);
void add_along(std::vector<Row>& rows);
void add_scatters(std::vector<Row>& rows);
void add_masks(std::vector<Row>& rows);
void add_layout(std::vector<Row>& rows);
void add_joins(std::vector<Row>& rows);
void add_views(std::vector<Row>& rows);
void add_arrangements(std::vector<Row>& rows);
void add_reductions(std::vector<Row>& rows);
void add_moments(std::vector<Row>& rows);
void add_scans(std::vector<Row>& rows);
void add_sorting(std::vector<Row>& rows);
void add_counts(std::vector<Row>& rows);
void add_statistics(std::vector<Row>& rows);
void add_products(std::vector<Row>& rows);
void add_linalg(std::vector<Row>& rows);
void add_equations(std::vector<Row>& rows);
void add_factors(std::vector<Row>& rows);
void add_matrix_functions(std::vector<Row>& rows);
void add_networks(std::vector<Row>& rows);
void add_losses(std::vector<Row>& rows);
void add_pair_losses(std::vector<Row>& rows);
void add_margin_losses(std::vector<Row>& rows);
void add_distances(std::vector<Row>& rows);
void add_ctc(std::vector<Row>& rows);
void add_attention(std::vector<Row>& rows);
void add_convolution(std::vector<Row>& rows);
void add_recurrent(std::vector<Row>& rows);
void add_positions(std::vector<Row>& rows);
void add_random(std::vector<Row>& rows);
void add_samples(std::vector<Row>& rows);
void add_factories(std::vector<Row>& rows);
void add_whole_comparisons(std::vector<Row>& rows);
void add_channels(std::vector<Row>& rows);
void add_pooling(std::vector<Row>& rows);
void add_vision(std::vector<Row>& rows);
void add_inplace(std::vector<Row>& rows);
void add_inplace_functions(std::vector<Row>& rows);
void add_rearranging(std::vector<Row>& rows);
void add_parts(std::vector<Row>& rows);
// To rows that are there.
void add_arguments(std::vector<Row>& rows);

}  // namespace adjoint::catalog
