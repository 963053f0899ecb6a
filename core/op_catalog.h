// The catalogue of operators: one row an operator, and with it every check that an operator gets.
//
// Tests, `adjoint gradcheck` and benchmarks run over these rows; the library does not contain them
// (a target of its own, adjoint_catalog). A row costs a list of samples, each with a reference that
// was written apart from the operator, and buys: values, first and second derivatives, the fused
// gradient against the composed one, f32 against f64, strided and expanded inputs, an input used
// twice, inputs without gradient, no graph under NoGrad, changes of what was saved, thread counts,
// instruction sets, error messages, leaks.
//
// Every function here is safe from any thread.
#pragma once

#include <adjoint/core/functional.h>
#include <adjoint/core/gradcheck.h>
#include <adjoint/core/tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace adjoint::catalog {

// One call of an operator: inputs, and the functions of them.
struct Sample {
  std::string name;  // shapes and arguments, for messages: "(2, 3) + (3,)"
  // What is differentiated, in f64 (tests cast it), and indices (i64) and masks (bool). Values stay
  // away from kinks and poles by more than ten steps of gradcheck.
  std::vector<Tensor> inputs;
  // The operator with this sample's arguments. The same bits each time: a random operator is given
  // a generator that is seeded anew.
  TensorFunction run;
  // What it must compute, for f64 inputs, by loops over numbers.
  TensorFunction reference;
  // The definition in simpler operators that a fused operator is tested against; empty for others.
  TensorFunction composed = {};
  // False where these arguments give what has no derivative (a cast to integers).
  bool differentiable = true;
  // The same call of PyTorch, as a Python expression of the inputs x[0], x[1], ... that gives one
  // tensor or several: "F.softmax(x[0], 1)". Empty: that of the row.
  std::string torch = {};
  // False where the operator refuses bf16 and f16, by a DTypeError.
  bool halves = true;
};

// A call that must throw an error of the library whose message contains all of `says`.
struct ErrorCase {
  std::string name;
  std::function<void()> call;
  std::vector<std::string> says;
};

struct Row {
  std::string name;  // of the function, in a header of <adjoint/core/ops.h> or inplace.h
  // At least three: sizes that differ and broadcast where they may, an input that is strided, an
  // input without elements.
  std::vector<Sample> samples;
  std::vector<ErrorCase> errors = {};
  // Makes a sample large enough that its kernels split their work between threads; may be empty.
  std::function<Sample()> large = {};
  bool differentiable = true;
  // An element of a result may differ from the reference by
  //   ulps * epsilon(dtype) * max(|reference|, scale),
  // where scale is what rounding of the intermediate values makes inevitable (0: none).
  double ulps = 4;
  double scale = 0;
  // The same for gradients, f32 against f64, against the largest element of each.
  double gradient_ulps = 64;
  // In bf16: how many roundings to 8 bits a result has behind it, each of at most 2^-8 of its size
  // (of what it was made from, `scale`, where there are several), beside the error of f32, in which
  // it is computed. The gradients likewise, of the largest element of each.
  int bf16_roundings = 1;
  int bf16_gradient_roundings = 4;
  // f32 is another function: its random numbers come from other words of the stream.
  bool f64_only = false;
  // The call of PyTorch for samples that do not say theirs: "torch.exp(x[0])". Empty where PyTorch
  // has no such function, or its result is random.
  std::string torch = {};
};

// All rows, by family, in the order of <adjoint/core/ops.h>. Built anew by each call.
std::vector<Row> rows();

// The row of this name; ConfigError naming it where there is none.
Row row(const std::string& name);

// Derivatives of every sample: the largest relative errors (see GradcheckReport), nothing where the
// operator is not differentiable.
struct Derivatives {
  std::optional<double> order1, order2;
  bool passed = true;
  std::string message;  // of the first failure, with the sample's name
};
Derivatives check_derivatives(const Row& row, const GradcheckOptions& options = kTightGradcheck);

}  // namespace adjoint::catalog
