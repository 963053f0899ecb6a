// What optimizers check: their options, and a state that is loaded.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/tensor.h>
#include <adjoint/optim/optimizer.h>

#include <array>
#include <set>
#include <string>

namespace adjoint::optim {

constexpr double kNoLimit = 1e300;

// ConfigError unless low <= value < high.
void check_range(const char* op, const char* field, double value, double low, double high);
// Finite and 0 or more.
void check_lr(double lr);
// lr, weight_decay and eps.
template <class Options>
void check_common(const char* op, const Options& o) {
  check_lr(o.lr);
  check_range(op, "weight_decay", o.weight_decay, 0, kNoLimit);
  if constexpr (requires { double(o.eps); }) check_range(op, "eps", o.eps, 0, kNoLimit);
}
void check_betas(const char* op, const std::array<double, 2>& betas);

// ShapeError unless every gradient has its parameter's shape, DTypeError unless its dtype: before
// anything changes, for optimizers that work on one parameter after the other.
template <class Updates>
void check_gradients(const char* op, const Updates& updates) {
  for (const auto& u : updates) {
    check<ShapeError>(u.gradient.shape() == u.parameter.shape(), op, ": gradient of shape ",
                      u.gradient.shape(), "; expected the parameter's, ", u.parameter.shape());
    check<DTypeError>(u.gradient.dtype() == u.parameter.dtype(), op, ": gradient of dtype ",
                      u.gradient.dtype(), "; expected the parameter's, ", u.parameter.dtype());
  }
}

// Takes the entries of a state, and collects what does not fit.
class StateReader {
 public:
  explicit StateReader(const OptimizerState& state) : state_(state) {}

  // nullptr where there is none; a count below 1 does not fit.
  const int64_t* count(const std::string& key);
  // A clone, or an undefined tensor where it does not fit. A size of -1 fits any.
  Tensor tensor(const std::string& key, const Shape& shape, DType dtype);
  // ConfigError naming everything that did not fit, or was not asked for.
  void finish();

 private:
  void complain(const std::string& text) { problems_ += (problems_.empty() ? "" : "; ") + text; }

  const OptimizerState& state_;
  std::set<std::string> used_;
  std::string problems_;
};

}  // namespace adjoint::optim
