#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/gradcheck.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <utility>

#include "core/tensor/tensor_impl.h"

namespace adjoint {
namespace {

using Tensors = std::vector<Tensor>;

// Derivatives of output `output` with respect to input `input`, row-major: one row an element of
// the output.
struct Jacobian {
  size_t output, input;
  int64_t rows, columns;
  std::vector<double> values;
};

bool is_varied(const Tensor& x) { return x.defined() && x.dtype() == DType::f64; }
bool counts(const Tensor& y) { return y.defined() && is_floating_point(y.dtype()); }

Tensor random_direction(const Shape& shape, uint64_t seed, uint64_t stream) {
  Generator generator(seed, stream);
  return randn(shape, DType::f64, generator);
}

std::vector<double> doubles(const Tensor& x) {
  return x.detach().to(DType::f64).to_vector<double>();
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return x.numel() == 0 ||
         std::memcmp(x.raw_data(), y.raw_data(),
                     static_cast<size_t>(x.numel()) * element_size(x.dtype())) == 0;
}

// Whether two indices may stand for one element; false only where they cannot.
bool may_overlap(const Tensor& x) {
  std::vector<std::pair<int64_t, int64_t>> steps;  // stride, size
  for (int d = 0; d < x.dim(); ++d) {
    if (x.shape()[d] > 1) steps.emplace_back(x.strides()[d], x.shape()[d]);
  }
  std::sort(steps.begin(), steps.end());
  int64_t reach = 0;
  for (const auto& [stride, size] : steps) {
    if (stride <= reach) return true;
    reach += stride * (size - 1);
  }
  return false;
}

// A copy in memory of its own and with x's strides; packed where elements overlap.
Tensor copy_with_layout(const Tensor& x) {
  const NoGrad guard;
  if (x.is_contiguous() || may_overlap(x)) return x.detach().clone();
  int64_t span = 1;
  for (int d = 0; d < x.dim(); ++d) span += (x.shape()[d] - 1) * x.strides()[d];
  Tensor y = make_view(zeros({span}, x.dtype()), x.shape(), x.strides(), 0);
  copy_(y, x);
  return y;
}

class Checker {
 public:
  Checker(const char* name, const TensorFunction& fn, const Tensors& inputs,
          const GradcheckOptions& options, bool is_gradient)
      : name_(name), fn_(fn), options_(options), is_gradient_(is_gradient) {
    check<ConfigError>(options.eps > 0 && options.rtol > 0 && options.atol >= 0, name, ": eps is ",
                       options.eps, ", rtol ", options.rtol, ", atol ", options.atol,
                       "; expected eps > 0, rtol > 0 and atol >= 0");
    bool any_varied = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const bool real = inputs[i].defined() && is_floating_point(inputs[i].dtype());
      check<DTypeError>(!real || inputs[i].dtype() == DType::f64, name, ": input ", i,
                        " is of dtype ", real ? inputs[i].dtype() : DType::f64,
                        "; expected f64: differences need its digits; convert it with to()");
      any_varied = any_varied || is_varied(inputs[i]);
      // The numbers are moved where they are: not in the caller's memory.
      inputs_.push_back(is_varied(inputs[i])  ? copy_with_layout(inputs[i])
                        : inputs[i].defined() ? inputs[i].detach()
                                              : Tensor());
    }
    check<AutogradError>(any_varied, name, ": no input is of dtype f64; expected at least one");
  }

  GradcheckReport run() {
    outputs_ = values(inputs_);
    check<AutogradError>(std::any_of(outputs_.begin(), outputs_.end(), counts), name_,
                         ": no output is of a floating dtype; expected at least one");
    check_deterministic();
    if (options_.fast_mode) {
      check_direction();
    } else {
      const std::vector<Jacobian> numeric = differences();
      compare(analytic(false), numeric, false);
      compare(analytic(true), numeric, true);
      if (report_.largest_error > options_.rtol) fail_with(describe(*report_.worst));
    }
    return std::move(report_);
  }

 private:
  // What fn computes at x, without history. fn sees inputs that require grad, for it may register
  // hooks; but where it is a gradient itself, its fused kernels are what is to be compared.
  Tensors values(const Tensors& x) const {
    const AutoGradMode mode(!is_gradient_);
    Tensors y = fn_(is_gradient_ ? x : leaves(x));
    for (Tensor& one : y) {
      if (one.defined()) one = one.detach().clone();
    }
    return y;
  }

  // Fresh leaves with the elements and layout of x.
  static Tensors leaves(Tensors x) {
    for (Tensor& one : x) {
      if (is_varied(one)) one = one.detach().requires_grad_();
    }
    return x;
  }

  // The gradients of sum(outputs . grad_outputs), zeros where an input has no influence.
  Tensors gradients(const Tensors& x, const Tensors& y, const Tensors& grad_outputs,
                    bool create_graph) const {
    Tensors wanted, outputs, given;
    for (const Tensor& one : x) {
      if (is_varied(one)) wanted.push_back(one);
    }
    for (size_t i = 0; i < y.size(); ++i) {
      if (!counts(y[i]) || !y[i].requires_grad() || !grad_outputs[i].defined()) continue;
      outputs.push_back(y[i]);
      given.push_back(grad_outputs[i]);
    }
    Tensors found(wanted.size());
    if (!outputs.empty()) {
      found = grad(outputs, wanted,
                   {.grad_outputs = given,
                    .retain_graph = true,
                    .create_graph = create_graph,
                    .allow_unused = true});
    }
    for (size_t i = 0; i < found.size(); ++i) {
      found[i] = found[i].defined() ? found[i].detach() : zeros_like(wanted[i]);
    }
    return found;
  }

  void fail_with(const std::string& what) {
    if (report_.passed) report_.message = name_ + (": " + what);
    report_.passed = false;
  }

  void check_deterministic() {
    const Tensors again = values(inputs_);
    check(again.size() == outputs_.size(), name_, ": the function returned ", outputs_.size(),
          " tensors, then ", again.size(), "; expected as many each time");
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (same_bits(outputs_[i], again[i])) continue;
      fail_with("output " + std::to_string(i) +
                " is not the same when the function is called again; expected the same bits; give "
                "random operators a generator that the function seeds");
    }
    // And the gradient, for a random gradient of each output.
    Tensors directions(outputs_.size());
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (counts(outputs_[i])) {
        directions[i] =
            random_direction(outputs_[i].shape(), options_.seed, i).to(outputs_[i].dtype());
      }
    }
    Tensors results[2];
    for (Tensors& result : results) {
      const EnableGrad guard;
      const Tensors x = leaves(inputs_);
      const Tensors y = fn_(x);
      check<AutogradError>(
          is_gradient_ ||
              std::any_of(y.begin(), y.end(),
                          [](const Tensor& one) { return counts(one) && one.requires_grad(); }),
          name_,
          ": no output has a history that leads to an input; expected the result of "
          "recorded operators on the inputs");
      result = gradients(x, y, directions, false);
    }
    for (size_t i = 0; i < results[0].size(); ++i) {
      if (same_bits(results[0][i], results[1][i])) continue;
      fail_with("the gradient of input " + std::to_string(i) +
                " is not the same when it is computed again; expected the same bits");
    }
  }

  // One backward for each element of each output.
  std::vector<Jacobian> analytic(bool create_graph) const {
    const EnableGrad guard;
    const Tensors x = leaves(inputs_);
    const Tensors y = fn_(x);
    std::vector<Jacobian> all = empty_jacobians();
    for (size_t o = 0; o < y.size(); ++o) {
      if (!counts(y[o])) continue;
      for (int64_t row = 0; row < y[o].numel(); ++row) {
        std::vector<double> one(static_cast<size_t>(y[o].numel()), 0.0);
        one[static_cast<size_t>(row)] = 1;
        Tensors grad_outputs(y.size());
        grad_outputs[o] = from_vector(one, y[o].shape()).to(y[o].dtype());
        const Tensors dx = gradients(x, y, grad_outputs, create_graph);
        size_t next = 0;
        for (Jacobian& j : all) {
          if (j.output != o) continue;
          const std::vector<double> values = doubles(dx[next++]);
          std::copy(values.begin(), values.end(),
                    j.values.begin() + static_cast<std::ptrdiff_t>(row * j.columns));
        }
      }
    }
    return all;
  }

  // One pair of calls for each element of each input.
  std::vector<Jacobian> differences() const {
    std::vector<Jacobian> all = empty_jacobians();
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!is_varied(inputs_[i])) continue;
      for (int64_t column = 0; column < inputs_[i].numel(); ++column) {
        const Moved below = moved(i, column, -options_.eps), above = moved(i, column, options_.eps);
        // What the step really was, after rounding.
        const double width = above.at - below.at;
        for (Jacobian& j : all) {
          if (j.input != i) continue;
          const std::vector<double> low = doubles(below.outputs[j.output]);
          const std::vector<double> high = doubles(above.outputs[j.output]);
          for (int64_t row = 0; row < j.rows; ++row) {
            const auto at = static_cast<size_t>(row);
            j.values[static_cast<size_t>(row * j.columns + column)] = (high[at] - low[at]) / width;
          }
        }
      }
    }
    return all;
  }

  struct Moved {
    Tensors outputs;
    double at;
  };
  // The outputs with one element of one input moved, its layout kept.
  Moved moved(size_t input, int64_t element, double by) const {
    const Tensor& x = inputs_[input];
    const Shape index = unravel_index(element, x.shape());
    int64_t offset = 0;
    for (int d = 0; d < x.dim(); ++d) offset += index[d] * x.strides()[d];
    double& changed = x.mutable_data<double>()[offset];
    const double before = changed, at = before + by;
    changed = at;
    Tensors y = values(inputs_);
    x.mutable_data<double>()[offset] = before;
    check(y.size() == outputs_.size(), name_, ": the function returned ", outputs_.size(),
          " tensors, then ", y.size(), "; expected as many each time");
    for (size_t o = 0; o < y.size(); ++o) {
      if (!counts(outputs_[o])) continue;
      check<ShapeError>(y[o].defined() && y[o].shape() == outputs_[o].shape(), name_, ": output ",
                        o, " changed its shape with the values of the inputs; expected ",
                        outputs_[o].shape());
    }
    return {std::move(y), at};
  }

  // By output, then by input.
  std::vector<Jacobian> empty_jacobians() const {
    std::vector<Jacobian> all;
    for (size_t o = 0; o < outputs_.size(); ++o) {
      if (!counts(outputs_[o])) continue;
      for (size_t i = 0; i < inputs_.size(); ++i) {
        if (!is_varied(inputs_[i])) continue;
        const int64_t rows = outputs_[o].numel(), columns = inputs_[i].numel();
        all.push_back(
            {o, i, rows, columns, std::vector<double>(static_cast<size_t>(rows * columns), 0.0)});
      }
    }
    return all;
  }

  // Relative, so that at most rtol is within the tolerances.
  double error_of(double a, double n) const {
    const double larger = std::max(std::abs(a), std::abs(n));
    const double scale = larger + options_.atol / options_.rtol;
    const double error = a == n ? 0 : std::abs(a - n) / scale;
    return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
  }

  void compare(const std::vector<Jacobian>& analytic, const std::vector<Jacobian>& numeric,
               bool create_graph) {
    for (size_t k = 0; k < analytic.size(); ++k) {
      const Jacobian& a = analytic[k];
      for (size_t at = 0; at < a.values.size(); ++at) {
        const double ours = a.values[at], theirs = numeric[k].values[at];
        const double error = error_of(ours, theirs);
        if (error <= report_.largest_error) continue;
        report_.largest_error = error;
        const auto element = static_cast<int64_t>(at);
        report_.worst = {a.output,
                         a.input,
                         unravel_index(element / a.columns, outputs_[a.output].shape()),
                         unravel_index(element % a.columns, inputs_[a.input].shape()),
                         ours,
                         theirs,
                         create_graph};
      }
    }
  }

  static const char* backward_name(bool create_graph) {
    return create_graph ? "backward with create_graph" : "backward";
  }

  std::string describe(const GradcheckEntry& e) const {
    std::ostringstream text;
    text.precision(10);
    text << backward_name(e.create_graph) << " gives " << e.analytic
         << " for the derivative of output " << e.output << " at " << e.output_index << " of "
         << outputs_[e.output].shape() << " by input " << e.input << " at " << e.input_index
         << " of " << inputs_[e.input].shape() << ", the worst entry; expected " << e.numeric
         << ", the central difference";
    return text.str();
  }

  // v . J u, by one pair of calls and by one backward.
  void check_direction() {
    Tensors along(inputs_.size()), v(outputs_.size());
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (is_varied(inputs_[i])) {
        along[i] = random_direction(inputs_[i].shape(), options_.seed, 100 + i);
      }
    }
    for (size_t o = 0; o < outputs_.size(); ++o) {
      if (counts(outputs_[o])) {
        v[o] =
            random_direction(outputs_[o].shape(), options_.seed, 200 + o).to(outputs_[o].dtype());
      }
    }
    const auto projected = [&](double by) {
      const NoGrad guard;
      Tensors x = inputs_;
      for (size_t i = 0; i < x.size(); ++i) {
        if (!along[i].defined()) continue;
        x[i] = copy_with_layout(x[i]);
        add_(x[i], along[i] * by);
      }
      const Tensors y = values(x);
      double sum = 0;
      for (size_t o = 0; o < y.size(); ++o) sum += v[o].defined() ? dot(y[o], v[o]) : 0.0;
      return sum;
    };
    const double numeric =
        (projected(options_.eps) - projected(-options_.eps)) / (2 * options_.eps);
    for (const bool create_graph : {false, true}) {
      const EnableGrad guard;
      const Tensors x = leaves(inputs_);
      const Tensors dx = gradients(x, fn_(x), v, create_graph);
      double ours = 0;
      size_t next = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        if (along[i].defined()) ours += dot(dx[next++], along[i]);
      }
      const double error = error_of(ours, numeric);
      report_.largest_error = std::max(report_.largest_error, error);
      if (error <= options_.rtol) continue;
      std::ostringstream text;
      text.precision(10);
      text << backward_name(create_graph) << " gives " << ours
           << " along a random direction; expected " << numeric
           << ", the central difference; without fast_mode the message names the entry";
      fail_with(text.str());
    }
  }

  static double dot(const Tensor& a, const Tensor& b) {
    const std::vector<double> x = doubles(a), y = doubles(b);
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
    return sum;
  }

  std::string name_;
  const TensorFunction& fn_;
  GradcheckOptions options_;
  bool is_gradient_;  // of gradgradcheck: no history is then a derivative of zero, not an error
  Tensors inputs_, outputs_;
  GradcheckReport report_;
};

}  // namespace

GradcheckReport gradcheck(const TensorFunction& fn, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options) {
  return Checker("gradcheck", fn, inputs, options, false).run();
}

GradcheckReport gradgradcheck(const TensorFunction& fn, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options) {
  Tensors outputs;
  {
    const NoGrad guard;
    outputs = fn(inputs);
  }
  // The gradients of fn's outputs become inputs too, for the gradients depend on them. Of few
  // digits, so that steps from them are exact in f32 too.
  Tensors all = inputs;
  for (size_t o = 0; o < outputs.size(); ++o) {
    if (counts(outputs[o])) {
      std::vector<double> direction =
          random_direction(outputs[o].shape(), options.seed, 300 + o).to_vector<double>();
      for (double& v : direction) v = std::round(v * 16) / 16;
      all.push_back(from_vector(direction, outputs[o].shape()));
    }
  }
  const TensorFunction gradient = [&](const Tensors& x) -> Tensors {
    const Tensors arguments(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(inputs.size()));
    Tensors grad_outputs(outputs.size());
    size_t next = inputs.size();
    for (size_t o = 0; o < outputs.size(); ++o) {
      if (counts(outputs[o])) grad_outputs[o] = x[next++].to(outputs[o].dtype());
    }
    return vjp(fn, arguments, grad_outputs).second;
  };
  return Checker("gradgradcheck", gradient, all, options, true).run();
}

}  // namespace adjoint
