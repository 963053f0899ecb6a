#include "optim/common/checks.h"

#include <cmath>

namespace adjoint::optim {

void check_range(const char* op, const char* field, double value, double low, double high) {
  check<ConfigError>(value >= low && value < high, op, ": ", field, ": out of range: ", value,
                     "; expected a value in [", low, ", ", high, ")");
}

void check_lr(double lr) {
  check<ConfigError>(std::isfinite(lr) && lr >= 0, "optimizer: lr: out of range: ", lr,
                     "; expected a finite value of 0 or more");
}

void check_betas(const char* op, const std::array<double, 2>& betas) {
  check_range(op, "betas[0]", betas[0], 0, 1);
  check_range(op, "betas[1]", betas[1], 0, 1);
}

const int64_t* StateReader::count(const std::string& key) {
  const auto at = state_.counts.find(key);
  if (at == state_.counts.end()) return nullptr;
  used_.insert(key);
  if (at->second < 1) {
    complain("'" + key + "' is " + std::to_string(at->second) +
             ", a count of updates; expected 1 or more");
  }
  return &at->second;
}

Tensor StateReader::tensor(const std::string& key, const Shape& shape, DType dtype) {
  const auto at = state_.tensors.find(key);
  if (at == state_.tensors.end()) {
    complain("missing '" + key + "'");
    return {};
  }
  used_.insert(key);
  const Tensor& tensor = at->second;
  bool fits = tensor.dtype() == dtype && tensor.dim() == shape.rank();
  for (int d = 0; fits && d < shape.rank(); ++d) {
    fits = shape[d] == -1 || shape[d] == tensor.shape()[d];
  }
  if (!fits) {
    complain("'" + key + "' has shape " + to_string(tensor.shape()) + " and dtype " +
             name(tensor.dtype()) + ", the parameter's would be " + to_string(shape) + " and " +
             name(dtype));
    return {};
  }
  return tensor.detach().clone();
}

void StateReader::finish() {
  const auto look_through = [this](const auto& entries) {
    for (const auto& entry : entries) {
      if (!used_.contains(entry.first)) complain("unexpected '" + entry.first + "'");
    }
  };
  look_through(state_.tensors);
  look_through(state_.counts);
  check<ConfigError>(problems_.empty(), "optimizer: state does not fit: ", problems_,
                     "; expected the state of an optimizer of the same kind and parameters");
}

}  // namespace adjoint::optim
