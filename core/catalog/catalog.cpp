#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/op_catalog.h>
#include <adjoint/core/random.h>
#include <adjoint/core/random_tensors.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/catalog/builders.h"

namespace adjoint::catalog {
namespace {

// The numbers 0, ..., count - 1 in an order of their own for each seed.
std::vector<int64_t> shuffled(int64_t count, uint64_t seed) {
  Generator generator(seed);
  return randperm(count, generator).to_vector<int64_t>();
}

int64_t row_major(const Shape& index, const Shape& shape) {
  int64_t at = 0;
  for (int d = 0; d < shape.rank(); ++d) at = at * shape[d] + index[d];
  return at;
}

}  // namespace

Tensor spread(const Shape& shape, double low, double high, uint64_t seed) {
  const int64_t count = shape.numel();
  std::vector<double> values;
  for (const int64_t place : shuffled(count, seed)) {
    values.push_back(low + (high - low) * (static_cast<double>(place) + 0.5) /
                               static_cast<double>(count));
  }
  return from_vector(values, shape);
}

Tensor both_signs(const Shape& shape, double low, double high, uint64_t seed) {
  std::vector<double> values = spread(shape, low, high, seed).to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (philox(seed, 1, i).word[0] % 2 != 0) values[i] = -values[i];
  }
  return from_vector(values, shape);
}

Tensor indices(const Shape& shape, int64_t bound, uint64_t seed) {
  Generator generator(seed);
  return randint(0, bound, shape, generator);
}

Tensor mask(const Shape& shape, uint64_t seed) { return indices(shape, 2, seed) == 1; }

Tensor strided(const Tensor& x) {
  Shape order;
  for (int d = x.dim() - 1; d >= 0; --d) order.push_back(d);
  const Tensor turned = permute(x, order);
  return permute(select(stack({turned, turned}, -1), -1, 0), order);
}

Array::Array(const Tensor& x)
    : shape(x.shape()), data(x.detach().to(DType::f64).to_vector<double>()) {}

double& Array::at(const Shape& index) { return data[static_cast<size_t>(row_major(index, shape))]; }
double Array::at(const Shape& index) const {
  return data[static_cast<size_t>(row_major(index, shape))];
}

double Array::broadcast(const Shape& index) const {
  Shape own = shape;
  const int shift = index.rank() - shape.rank();
  for (int d = 0; d < shape.rank(); ++d) own[d] = shape[d] == 1 ? 0 : index[d + shift];
  return at(own);
}

Tensor Array::tensor(DType dtype) const {
  // By hand, for a reference uses no operator.
  if (dtype == DType::f64) return from_vector(data, shape);
  if (dtype == DType::i64) {
    return from_vector(std::vector<int64_t>(data.begin(), data.end()), shape);
  }
  if (dtype == DType::i32) {
    return from_vector(std::vector<int32_t>(data.begin(), data.end()), shape);
  }
  check(dtype == DType::boolean, "reference: dtype ", dtype, "; expected f64, i64, i32 or bool");
  const auto truth = std::make_unique<bool[]>(data.size());
  for (size_t i = 0; i < data.size(); ++i) truth[i] = data[i] != 0;
  return from_span(std::span<const bool>(truth.get(), data.size()), shape);
}

void softmax_of(std::vector<double>& row) {
  double total = 0;
  for (double& v : row) total += v = std::exp(v);
  for (double& v : row) v /= total;
}
void log_softmax_of(std::vector<double>& row) {
  double total = 0;
  for (const double v : row) total += std::exp(v);
  for (double& v : row) v -= std::log(total);
}

namespace {

Tensors leaves_of(const Sample& sample) {
  Tensors inputs;
  for (const Tensor& x : sample.inputs) {
    inputs.push_back(is_floating_point(x.dtype()) ? x.detach().requires_grad_() : x);
  }
  return inputs;
}

// Backward from the first result of a sample, with a gradient of the shape that `shape` makes of
// its own, or with none.
std::function<void()> backward_from(const Sample& sample, std::function<Shape(Shape)> shape) {
  return [=] {
    const Tensor y = sample.run(leaves_of(sample))[0];
    y.backward({.gradient = shape ? ones(shape(y.shape()), y.dtype()) : Tensor()});
  };
}

}  // namespace

Sample whole(Sample sample) {
  sample.name += ", whole numbers";
  for (Tensor& x : sample.inputs) x = (x * 10).to(DType::i64);
  sample.reference = [reference = std::move(sample.reference)](const Tensors& in) {
    Tensors real, y;
    for (const Tensor& x : in) real.push_back(x.to(DType::f64));
    for (const Tensor& each : reference(real)) y.push_back(each.to(DType::i64));
    return y;
  };
  sample.composed = {};
  sample.differentiable = false;
  return sample;
}

ErrorCase wrong_gradient(const std::string& name, const Sample& sample) {
  return {"a gradient of another shape",
          backward_from(sample,
                        [](Shape shape) {
                          shape.push_back(2);
                          return shape;
                        }),
          {"backward: ", "'" + name + "'", "2)", "expected"}};
}

ErrorCase missing_gradient(const std::string& name, const Sample& sample) {
  return {"no gradient of several elements",
          backward_from(sample, {}),
          {"backward: ", "'" + name + "'", "expected one element"}};
}

namespace {

// Three errors at least, for what can hardly be called wrongly: of the gradients of its result.
void fill_errors(Row& row) {
  if (row.errors.size() >= 3) return;
  for (const Sample& sample : row.samples) {
    const Tensor y = sample.run(leaves_of(sample))[0];
    if (y.grad_fn_name() == nullptr || y.numel() < 2) continue;
    row.errors.push_back(wrong_gradient(y.grad_fn_name(), sample));
    if (row.errors.size() < 3) row.errors.push_back(missing_gradient(y.grad_fn_name(), sample));
    return;
  }
  const Sample sample = row.samples.front();
  row.errors.push_back(error("a result that should require grad",
                             [sample] { return sample.run(sample.inputs)[0].requires_grad_(); },
                             {"requires_grad_: ", "expected a floating dtype"}));
}

}  // namespace

ErrorCase no_derivative(const Sample& sample) {
  return {"backward where there is no derivative",
          backward_from(sample, [](const Shape& shape) { return shape; }),
          {"backward: ", "does not require grad"}};
}

std::string tuple(const Shape& shape) {
  std::string text = "(";
  for (const int64_t size : shape) text += std::to_string(size) + ", ";
  return text + ")";
}

std::vector<Row> rows() {
  std::vector<Row> all;
  add_arithmetic(all);
  add_functions(all);
  add_pairs(all);
  add_special(all);
  add_logic(all);
  add_activations(all);
  add_comparisons(all);
  add_selection(all);
  add_indexing(all);
  add_along(all);
  add_scatters(all);
  add_masks(all);
  add_layout(all);
  add_joins(all);
  add_views(all);
  add_arrangements(all);
  add_reductions(all);
  add_moments(all);
  add_scans(all);
  add_sorting(all);
  add_counts(all);
  add_statistics(all);
  add_products(all);
  add_linalg(all);
  add_equations(all);
  add_factors(all);
  add_matrix_functions(all);
  add_networks(all);
  add_losses(all);
  add_pair_losses(all);
  add_margin_losses(all);
  add_distances(all);
  add_ctc(all);
  add_attention(all);
  add_convolution(all);
  add_recurrent(all);
  add_positions(all);
  add_random(all);
  add_samples(all);
  add_factories(all);
  add_whole_comparisons(all);
  add_channels(all);
  add_pooling(all);
  add_vision(all);
  add_inplace(all);
  add_inplace_functions(all);
  add_rearranging(all);
  add_parts(all);
  add_arguments(all);
  for (Row& row : all) fill_errors(row);
  return all;
}

Row row(const std::string& name) {
  std::vector<Row> all = rows();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Row& candidate) { return candidate.name == name; });
  check<ConfigError>(found != all.end(), "catalogue: no operator '", name, "'");
  return std::move(*found);
}

Derivatives check_derivatives(const Row& row, const GradcheckOptions& options) {
  Derivatives result;
  if (!row.differentiable) return result;
  result.order1 = result.order2 = 0.0;
  for (const Sample& sample : row.samples) {
    if (!sample.differentiable) continue;
    const auto note = [&](const GradcheckReport& report, double& largest) {
      largest = std::max(largest, report.largest_error);
      if (!report.passed && result.passed) {
        result.passed = false;
        result.message = row.name + ", sample " + sample.name + ": " + report.message;
      }
    };
    note(gradcheck(sample.run, sample.inputs, options), *result.order1);
    note(gradgradcheck(sample.run, sample.inputs, options), *result.order2);
  }
  return result;
}

}  // namespace adjoint::catalog
