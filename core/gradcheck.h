// Gradient checks: what backward computes, against central differences.
//
//   auto report = gradcheck([](const std::vector<Tensor>& x) { return softmax(x[0], 1); }, {x});
//   if (!report.passed) std::cerr << report.message << "\n";
//
// As torch.autograd.gradcheck and gradgradcheck, with their step and tolerances. Inputs of dtype
// f64 are varied, whether they require grad or not; integers and bools are passed on; f32 has too
// few digits for differences and is an error. Nothing given is changed and no grad attribute
// touched.
#pragma once

#include <adjoint/core/functional.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace adjoint {

struct GradcheckOptions {
  double eps = 1e-6;  // the step of the differences
  // An entry of a Jacobian passes when |analytic - numeric| <= atol + rtol max(|analytic|,
  // |numeric|).
  double rtol = 1e-3;
  double atol = 1e-5;
  // One random direction instead of every entry: the cost is that of a few calls of the function
  // whatever its size, but the message cannot name the entry that is wrong.
  bool fast_mode = false;
  uint64_t seed = 1;  // of the random directions, and of gradgradcheck's grad_outputs
};

// For functions whose inputs keep away from kinks and poles, and whose digits are all meant: what
// the catalogue of operators is held to. Truncation grows as eps^2, rounding as 1e-16 / eps: near
// 1e-5 the two meet, at about 1e-10 of a function of ordinary size. The step is a power of two, so
// that steps from numbers of few digits are exact, in f32 too.
inline constexpr GradcheckOptions kTightGradcheck = {.eps = 0x1p-17, .rtol = 1e-6, .atol = 1e-9};

// One entry of a Jacobian.
struct GradcheckEntry {
  size_t output, input;
  Shape output_index, input_index;
  double analytic, numeric;
  bool create_graph;  // of which backward
};

struct GradcheckReport {
  bool passed = true;
  // The largest |analytic - numeric| / (max(|analytic|, |numeric|) + atol / rtol): at most rtol
  // where all passed. Infinity where a derivative is not finite.
  double largest_error = 0;
  // The entry that it belongs to. None in fast_mode, and where no entry had an error.
  std::optional<GradcheckEntry> worst = std::nullopt;
  // What failed, with both values and the place of the worst entry; empty where all passed.
  std::string message = {};
  explicit operator bool() const { return passed; }
};

// Compares, for every output of fn with respect to every input, the Jacobian that backward gives
// (with its fused kernels, and recorded, as under create_graph) with central differences. Fails
// also where fn or its gradient give other bits the second time: dropout wants a generator that
// fn seeds itself.
// Throws DTypeError for an f32 input, AutogradError where no input is f64 or no output depends on
// one in a way that is recorded.
[[nodiscard]] GradcheckReport gradcheck(const TensorFunction& fn, const std::vector<Tensor>& inputs,
                                        const GradcheckOptions& options = {});

// The same for the gradients of fn as functions of its inputs and of the gradients of its outputs:
// second derivatives.
[[nodiscard]] GradcheckReport gradgradcheck(const TensorFunction& fn,
                                            const std::vector<Tensor>& inputs,
                                            const GradcheckOptions& options = {});

namespace detail {
// A function that returns one tensor as one that returns a list.
template <class F>
TensorFunction as_tensor_function(F&& fn) {
  return [fn = std::forward<F>(fn)](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    return {fn(x)};
  };
}
template <class F>
inline constexpr bool kReturnsOneTensor =
    std::is_same_v<std::invoke_result_t<F, const std::vector<Tensor>&>, Tensor>;
}  // namespace detail

// For functions of one result.
template <class F>
requires detail::kReturnsOneTensor<F>
[[nodiscard]] GradcheckReport gradcheck(F&& fn, const std::vector<Tensor>& inputs,
                                        const GradcheckOptions& options = {}) {
  return gradcheck(detail::as_tensor_function(std::forward<F>(fn)), inputs, options);
}
template <class F>
requires detail::kReturnsOneTensor<F>
[[nodiscard]] GradcheckReport gradgradcheck(F&& fn, const std::vector<Tensor>& inputs,
                                            const GradcheckOptions& options = {}) {
  return gradgradcheck(detail::as_tensor_function(std::forward<F>(fn)), inputs, options);
}

}  // namespace adjoint
